#!/usr/bin/env python3
"""What a wiretap sees: everything that a fabric says over TCP, from the first enrolment to the end
of the run, is recorded in a network namespace of its own, put together stream by stream and
searched for the bytes of models, of updates, of certificates and of keys. The same search over the
same bytes sent by plain ZeroMQ finds all of them. Needs root.
"""
import hashlib
import os
import socket
import struct
import threading
import time

from security_peer import evidence, forms, found_in, read, secrets
from fabric import Fabric, Skip, expect, main

ROUNDS, ELEMENTS, BITS, DEVICES_MAX, SEED = 3, 30000, 20, 16, 99
BLOCK = 64
SO_RCVBUFFORCE, SOL_PACKET, PACKET_STATISTICS = 33, 263, 6
ETH_P_IP, PACKET_HOST, TCP = 0x0800, 0, 6
MIB = 1 << 20


class Wiretap:
    """Every TCP stream on the loopback: {(source port, destination port, first sequence number):
    its bytes}."""

    def __init__(self):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 128 * MIB)
        self.socket.bind(("lo", 0))
        self.socket.settimeout(0.2)
        self.streams, self.open = {}, {}
        self.over = None
        self.thread = threading.Thread(target=self._listen)
        self.thread.start()

    def _listen(self):
        while True:
            try:
                frame, (_, _, kind, _, _) = self.socket.recvfrom(2 * 65536)
            except TimeoutError:
                kind = None
            if self.over and time.monotonic() > self.over:
                return              # nodes that stay never fall silent
            if kind == PACKET_HOST:     # each frame is seen twice: leaving, and coming
                self._take(frame[14:])

    def _take(self, packet):
        header = (packet[0] & 15) * 4
        if packet[9] != TCP:
            return
        size = struct.unpack_from(">H", packet, 2)[0]
        source, to, sequence = struct.unpack_from(">HHI", packet, header)
        offset, flags = packet[header + 12] >> 4, packet[header + 13]
        payload = packet[header + offset * 4:size]
        key = (source, to)
        if flags & 2:                   # SYN: a new stream of these ports
            self.open[key] = [sequence + 1, bytearray()]
            self.streams[(*key, sequence)] = self.open[key][1]
        elif key in self.open:
            expected, content = self.open[key]
            skip = (expected - sequence) & 0xffffffff
            if skip < len(payload):     # what was not seen yet
                content += payload[skip:]
                self.open[key][0] = (sequence + len(payload)) & 0xffffffff

    def end(self):
        """Stop; nothing may have been missed."""
        self.over = time.monotonic() + 1
        self.thread.join()
        _, lost = struct.unpack("II", self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        self.socket.close()
        expect(lost == 0, f"the kernel dropped {lost} frames of the record")
        return self.streams


def blocks(content):
    """Its blocks that could not be there by chance. What is BLOCK * 2 long holds one whole."""
    found = (content[i:i + BLOCK] for i in range(0, len(content) - BLOCK + 1, BLOCK))
    return {block for block in found if len(set(block)) >= 16}


def seen(wanted, streams):
    """How many of the blocks were heard on any stream."""
    heard = [bytes(content) for content in streams.values()]
    return sum(any(block in content for content in heard) for block in wanted)


def updates(f):
    """What d1 sent in each round, proved by the reports: the sum of one update is that update."""
    paths = []
    for number in range(1, ROUNDS + 1):
        path = os.path.join(f.base, f"update-{number}")
        evidence("update", out=path, node="d1", seed=SEED, round=number, elements=ELEMENTS,
                 bits=BITS, devices=DEVICES_MAX)
        digest = hashlib.blake2b(read(path), digest_size=32).hexdigest()
        expect(f.report(number)["sum"] == digest, f"round {number} summed up something else")
        paths.append(path)
    return paths


def models(f):
    """The models that went down, but for the first, which is all zeros."""
    return [os.path.join(f["root"].state, "models", f.report(number)["model"] + ".safetensors")
            for number in range(1, ROUNDS)]


def curve_everywhere(streams):
    """Each stream begins with the greeting of ZMTP 3, and its mechanism is CURVE."""
    greeted = [content for content in streams.values() if len(content) >= 32]
    expect(len(greeted) >= 6, f"only {len(greeted)} streams")
    for content in greeted:     # a shorter one was closed before the greeting was whole
        expect(bytes(content[12:32]).rstrip(b"\0") == b"CURVE",
               f"a stream begins with {bytes(content[:40])}")


def nothing_of_models_updates_or_keys_can_be_read():
    if "FL_LANE" not in os.environ:
        raise Skip("recording takes a network of its own, and this machine gives none")
    wiretap = Wiretap()
    with Fabric(edges={"e1": "root"}, devices={"d1": "e1"},
                root={"rounds": ROUNDS, "model.elements": ELEMENTS, "plan.bits": BITS,
                      "plan.devices_max": DEVICES_MAX, "train.seed": 1, "checkpoints": 10},
                each={"d1": {"synthetic.seed": SEED}}, unmasked=True) as f:
        try:
            f.start()
            f.done()
            time.sleep(0.5)
        finally:
            streams = wiretap.end()
        wanted = {path: blocks(read(path)) for path in [*updates(f), *models(f)]}
        expect(len(wanted) == 2 * ROUNDS - 1, f"models and updates: {list(wanted)}")
        volume = sum(len(content) for content in streams.values())
        size = os.path.getsize(models(f)[-1])
        expect(volume > ROUNDS * 2 * (size + os.path.getsize(updates(f)[0])),
               f"only {volume} bytes were recorded")
        curve_everywhere(streams)
        for path, parts in wanted.items():
            expect(len(parts) > 1000, f"{path} has only {len(parts)} blocks")
            count = seen(parts, streams)
            expect(count == 0, f"{count} of {len(parts)} blocks of {path} were heard")
        nothing_else_can_be_read(f, streams)
        a_plain_connection_is_read(wanted)


def nothing_else_can_be_read(f, streams):
    """No certificate, key, token, run id or envelope of ours."""
    needles = {"an envelope": b"FLT1\x03\x00", "the run's id": bytes.fromhex(f.report(1)["run"])}
    for name in ("root", "e1", "d1"):
        needles[f"certificate of {name}"] = read(os.path.join(f[name].state, "node.cert"))[:64]
        for secret in secrets(f[name].state):
            for form, needle in forms(secret).items():
                needles[f"a secret of {name} as {form}"] = needle
    for content in streams.values():
        found = found_in(bytes(content), needles)
        expect(not found, f"heard: {found}")


def a_plain_connection_is_read(wanted):
    """The control: the search finds what there is to find."""
    for path, parts in list(wanted.items())[::3]:
        wiretap = Wiretap()
        evidence("plain", file=path)
        streams = wiretap.end()
        count = seen(parts, streams)
        expect(count == len(parts), f"only {count} of {len(parts)} blocks of {path} were found")


if __name__ == "__main__":
    main([nothing_of_models_updates_or_keys_can_be_read])
