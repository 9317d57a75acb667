#!/usr/bin/env python3
"""What peers may cost in total, all at once: 512 connections of a stranger with something
unfinished on every lane, 16 admitted devices with 64 connections each and messages that do not end,
and a parent whose message does not end. The edge, and the device of that parent, run in one memory
cgroup as large as the edge's container that we ship. Rounds of a second go on with every honest
device in them, at 0.8 or more of their rate without the attack. The attackers are `nice`: their
time is their own machines', the edge's is what they make it spend. FL_COST_S: seconds of the attack
(tests/run campaigns cost).
"""
import contextlib
import os
import random
import selectors
import socket
import struct
import subprocess
import sys
import threading
import time

from security_peer import (ENDLESS, Peer, at, certified_key, counters, follows, home, lured,
                           memory_kib)
from fabric import Fabric, contained, expect, main, tests_of

SECONDS = int(os.environ.get("FL_COST_S", "10"))
QUIET_S = 5
STRANGERS, INSIDERS, EACH = 512, 16, 64
BYTES = 256 << 20       # of the edge's container in compose.yaml; here for a device as well
LANES = ("control", "up", "down")
RATE_MIN = 0.8
HONEST = ["d1", "d2", "d3"]
FAR_S = 40
POUR = """
import collections, resource, socket, sys
resource.setrlimit(resource.RLIMIT_NOFILE, 2 * resource.getrlimit(resource.RLIMIT_NOFILE)[1:])
held = collections.deque()
while True:
    one = socket.socket()
    one.setblocking(False)
    one.connect_ex(("127.0.0.1", int(sys.argv[1])))
    held.append(one)
    if len(held) > 1500:
        held.popleft().close()
"""

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00CURVE".ljust(24, b"\0") + bytes(31)
ENDS = GREETING + b"\x06" + struct.pack(">Q", 1 << 20) + bytes(3900000)     # later than it says


class Strangers:
    """Connections of nobody, each with something unfinished: a few bytes, half a greeting, a
    command that announces a mebibyte and goes on for ever. What is shut is opened again."""

    def __init__(self, ports):
        self.ports, self.loop, self.opened = ports, selectors.DefaultSelector(), 0
        for _ in range(STRANGERS):
            self.open()

    def open(self):
        one = socket.socket()
        one.setblocking(False)
        one.connect_ex(("127.0.0.1", self.ports[self.opened % len(self.ports)]))
        begin = random.choice([b"", b"\xff", GREETING[:30], GREETING, ENDS, ENDS, ENDS])
        self.loop.register(one, selectors.EVENT_WRITE if begin else selectors.EVENT_READ,
                           [memoryview(begin)])
        self.opened += 1

    def turn(self):
        """A tenth of a second of it."""
        end = time.monotonic() + 0.1
        while time.monotonic() < end:
            for key, _ in self.loop.select(0.02):
                try:
                    self.step(key.fileobj, key.data)
                except OSError:
                    self.loop.unregister(key.fileobj)
                    key.fileobj.close()
                    self.open()

    def step(self, one, left):
        if left[0]:
            left[0] = left[0][one.send(left[0][:65536]):]
        else:
            self.loop.modify(one, selectors.EVENT_READ, left)
            if one.recv(4096) == b"":
                raise OSError("shut")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for key in list(self.loop.get_map().values()):
            key.fileobj.close()
        self.loop.close()


def rate(f, during, seconds):
    """Closed rounds in a second while `during` is called again and again; every honest device is
    in each of them."""
    first, began = f.rounds()[-1]["round"], time.monotonic()
    while time.monotonic() - began < seconds:
        during()
        expect(f["e1"].alive(), f"the edge is gone: {f['e1'].last()}")
    took, last = time.monotonic() - began, f.rounds()[-1]["round"]
    absent = [number for number in range(first + 2, last + 1)
              if any(f.report(number)["of"][name]["outcome"] != "in" for name in HONEST)]
    expect(not absent, f"rounds without all honest devices: {absent} of {first + 2} to {last}")
    return (last - first) / took


def insiders(f):
    """Admitted devices that hold connections and end nothing."""
    for number in range(INSIDERS):
        path = home(f, f"in{number}", role="device", serial=900001 + number)
        to = at(f, "e1")
        if number % 2:      # of these a seat on control, the crowd on the lane of contributions
            up = f"tcp://127.0.0.1:{f['e1'].ports['up']}"
            to = {**to, "seat": to["endpoint"], "endpoint": up, "lane": "up"}
        yield Peer(path + ".log", "flood", **to, home=path, kind="crowd", count=EACH,
                   seconds=SECONDS)


def all_of_it_at_once_costs_rounds_little_and_memory_its_bound():
    root = {**ENDLESS, "round.time_min": "1s", "round.expect_devices": len(HONEST)}
    edge = {"round.count_max": len(HONEST), "round.time_max": "5s"}
    with contained(BYTES) as words, Fabric(
            edges={"e1": "root"}, devices={name: "e1" for name in HONEST}, root=root, edge=edge,
            unmasked=True) as f, contextlib.ExitStack() as attack:
        f["e1"].prefix = words
        f.start()
        f.whole()
        quiet = rate(f, lambda: time.sleep(0.1), QUIET_S)
        device = attack.enter_context(lured(f, "endless", words))
        os.nice(15)
        strangers = attack.enter_context(Strangers([f["e1"].ports[lane] for lane in LANES]))
        for peer in insiders(f):
            attack.enter_context(peer)
        busy = rate(f, strangers.turn, SECONDS)
        expect(device.alive(), f"the device of the endless parent is gone: {device.last()}")
        both = [memory_kib(one.popen.pid, "VmHWM") // 1024 for one in (f["e1"], device)]
        after, left = counters(f, "e1"), counters(f, "lured")["fl_net_cut_flood"]
        print(f"    {quiet:.2f} rounds a second, {busy:.2f} meanwhile; edge and device took "
              f"{both} MiB; {strangers.opened} strangers; {left} endless parents left; {after}",
              flush=True)
        expect(sum(both) < BYTES >> 20, f"they took {both} MiB")
        expect(busy >= RATE_MIN * quiet, f"{busy:.2f} rounds a second instead of {quiet:.2f}")
        for key in ("cut_flood", "cut_surplus", "keys_denied"):
            expect(after.get("fl_net_" + key, 0) > 0, f"{key} did not grow: {after}")
        named = {line["peer"] for line in f["e1"].lines("connection-cut")}
        expect(named and named.isdisjoint(HONEST), f"the log names who it was: {named}")
        expect(left > SECONDS / 4 and device.lines("connection-cut", peer="parent"),
               "it leaves this parent, comes back, and the log names it")


def far_away(to):
    """A port from which every byte to that one, and every connection, is an eighth of a second
    under way, in both directions."""
    door, delay_s = socket.create_server(("127.0.0.1", 0)), 0.125

    def begin(work, *args):
        threading.Thread(target=work, args=args, daemon=True).start()

    def carry(source, sink):
        with contextlib.suppress(OSError), source, sink:
            while data := source.recv(65536):
                time.sleep(delay_s)
                sink.sendall(data)

    def meet(near):
        time.sleep(2 * delay_s)     # SYN there, SYN-ACK back
        far = socket.create_connection(("127.0.0.1", to))
        begin(carry, far, near)
        carry(near, far)

    def serve():
        while True:
            begin(meet, door.accept()[0])
    begin(serve)
    return door.getsockname()[1]


def a_far_device_gets_in_while_plain_connections_pour_in():
    """A quarter of a second of round trip, and a flood of connections that send nothing: more than
    the edge has descriptors."""
    with Fabric(edges={"e1": "root"}, devices={"d1": "e1"}, root=ENDLESS, unmasked=True) as f:
        f["e1"].prefix = ["prlimit", "--nofile=1024"]     # as a default login has
        f.start()
        port = f["e1"].ports["control"]
        f["d1"].kill()
        follows(f["d1"].state, far_away(port), certified_key(f["e1"].state))
        flood = subprocess.Popen(["nice", sys.executable, "-c", POUR, str(port)])
        try:
            f.until(lambda: counters(f, "e1").get("fl_net_cut_silent", 0) > 1000, 20, "a flood")
            mark, began = f["d1"].mark(), time.monotonic()
            f["d1"].start().line("welcomed", since=mark, bound_s=FAR_S)
            cut = counters(f, "e1")["fl_net_cut_silent"]
            print(f"    in after {time.monotonic() - began:.1f} s, {cut} were cut", flush=True)
        finally:
            flood.kill()
            flood.wait()


if __name__ == "__main__":
    main(tests_of(__name__))
