"""security_peer - what the security tests share: the hostile peer, counters and the search for
bytes that must not be where they could be read.
"""
import atexit
import base64
import contextlib
import functools
import os
import re
import shutil
import subprocess

from fabric import Fabric, Process, binary, expect, logfmt, run, until

BEAT_S = 0.2            # of every fabric here
BACKOFF_MAX_S = 1.0     # likewise
SLACK_S = 3.0           # for a machine that does other things as well

#  A run that does not end by itself, in rounds that can be told apart and wait for nobody.
ENDLESS = {"rounds": 1000000, "round.time_min": "200ms", "round.expect": 1,
           "round.expect_devices": 1}
PATIENT = {"round.expect": 1}   # an edge of it


@functools.cache
def world():
    """One running fabric for all tests of a process that can do with it."""
    f = Fabric(edges={"e1": "root", "e2": "root"}, devices={"d1": "e1", "d2": "e1", "d3": "e2"},
               root=ENDLESS, edge=PATIENT, unmasked=True)
    atexit.register(f.close)
    f.start()
    f.until(lambda: f.closed() >= 1, 30, "a first round")
    return f


def words(program, act, settings):
    """The command line of one of our small programs."""
    return [binary(program), act, *[f"{key}={value}" for key, value in settings.items()]]


def hostile(act, program="hostile", bound_s=30, **settings):
    """Run it to its end: the lines that it said, as dicts with `word` for the first word."""
    code, out, errors = run(words(program, act, settings), bound_s)
    expect(code == 0, f"{program} {act} ended with {code}: {errors.strip()}")
    return heard(out)


def evidence(act, **settings):
    """Run the program that makes what a wiretap is searched for."""
    hostile(act, program="evidence", **settings)


def heard(out):
    lines = []
    for raw in out.splitlines():
        pairs = logfmt("id=hostile " + raw)
        pairs["word"] = raw.split(" ", 1)[0]
        lines.append(pairs)
    return lines


class Peer:
    """A hostile peer that runs beside the test; `lines` is what it said so far."""

    def __init__(self, log, act, **settings):
        self.log = log
        with open(log, "wb") as file:
            self.popen = subprocess.Popen(words("hostile", act, settings), stdout=file,
                                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.popen.kill()
        self.popen.wait()

    def lines(self, **pairs):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return [line for line in heard(file.read())
                    if all(line.get(key) == value for key, value in pairs.items())]

    def end(self, bound_s=30):
        return self.popen.wait(bound_s)


def certified_key(state):
    """The CURVE key of a node, as hex: bytes 50 to 82 of its certificate."""
    return read(os.path.join(state, "node.cert"))[50:82].hex()


def at(f, name):
    """Where and whom a hostile child dials."""
    return {"endpoint": f.endpoint(name), "server": certified_key(f[name].state)}


def counters(f, name):
    status = f.status(name)
    expect(status is not None, f"{name} does not answer")
    return status["counters"]


def grows(f, name, key, before, bound_s=5):
    """Wait until a counter is above what it was; by how much."""
    return until(lambda: counters(f, name).get(key, 0) - before.get(key, 0), bound_s,
                 f"{key} of {name} grows")


def home(f, name, **certificate):
    """A directory of a hostile peer with keys of its own and, if asked for, a certificate."""
    path = os.path.join(f.base, "hostile-" + name)
    if not os.path.exists(path):
        hostile("make", home=path)
    if certificate:
        hostile("issue", **{"authority": f.authority, "home": path, "name": name[:15],
                            **certificate})
    return path


def follows(state, port, key):
    """Who has this state directory dials the parent of that key at that port of ours."""
    with open(os.path.join(state, "parent"), "w", encoding="ascii") as file:
        file.write(f"tcp://127.0.0.1:{port}\n{key}\n")


@contextlib.contextmanager
def lured(f, says, prefix=(), stands=None, **more):
    """A device that is enrolled properly and whose parent, also enrolled properly, is hostile: its
    `peer`. `prefix`: words in front of the device's command; `stands`: the home of other keys."""
    evil, port = home(f, "evil-edge", role="edge"), 20000 + os.getpid() % 10000
    device = f.nodes["lured"] = Process(f.base, "lured", "device", f["d1"].settings)
    device.settings["state"], device.prefix = device.state, prefix
    shutil.rmtree(device.state, ignore_errors=True)
    hostile("make", home=device.state)
    hostile("issue", authority=f.authority, home=device.state, name="lured", role="device")
    follows(device.state, port, certified_key(evil))
    if os.path.exists(device.log):
        os.unlink(device.log)
    with Peer(os.path.join(f.base, "evil.log"), "parent", home=stands or evil, say=says,
              listen=f"tcp://127.0.0.1:{port}", wait=3600000, **more) as device.peer:
        until(lambda: device.peer.lines(word="listening"), 5, "the hostile parent listens")
        try:
            yield device.start()
        finally:
            device.kill()
            del f.nodes["lured"]


def forms(secret):
    """A secret as it could be written down somewhere."""
    hexed = secret.hex().encode()
    plain = base64.b64encode(secret)
    return {"raw": secret, "hex": hexed, "HEX": hexed.upper(),
            "base64": plain.rstrip(b"=")[:-1], "base64url":
            base64.urlsafe_b64encode(secret).rstrip(b"=")[:-1]}


def secrets(state):
    """The two secret keys of a node."""
    with open(os.path.join(state, "node.key"), "rb") as file:
        content = file.read()
    expect(len(content) == 88 and content.startswith(b"FLkeys-1"), f"{state}/node.key is another")
    return [content[8:40], content[40:72]]


def found_in(content, needles):
    """The names of the needles that are in there."""
    return [name for name, needle in needles.items() if needle in content]


def memory_kib(pid, key="VmRSS"):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(key + r":\s+(\d+)", file.read()).group(1))


def read(path):
    with open(path, "rb") as file:
        return file.read()
