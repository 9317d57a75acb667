#!/usr/bin/env python3
"""Who is revoked is out, however many other keys were seen since it came: a device at its edge and
an edge at the root of a running fabric, masked and not. FL_KEYS: how many other keys of this
authority say HELLO at each of the two before (tests/run campaigns keys).
"""
import os
import time

from security_peer import Peer, at, counters
from fabric import Fabric, expect, main, tests_of, spread

KEYS = int(os.environ.get("FL_KEYS", "4200"))
UNMASKED_KEYS = int(os.environ.get("FL_KEYS", "400"))   # what counts keys knows of no masks
EDGES = {"e1": "root", "e2": "root"}
DEVICES = spread([f"d{number:02}" for number in range(10)], {"e1": 4, "e2": 3, "root": 3})
ROOT = {"rounds": 1000000, "round.expect": 3, "round.expect_devices": 6, "round.time_max": "4s"}
OUT = {"d00": "e1", "e2": "root"}       # revoked, and at whom: three stay everywhere
STAY = {name for name, parent in DEVICES.items() if parent != "e2" and name not in OUT}


def newest(f):
    return f.rounds()[-1]


def holds(keys, unmasked):
    with Fabric(edges=EDGES, devices=DEVICES, root=ROOT, unmasked=unmasked) as f:
        f.start().whole()
        began, before = time.monotonic(), {name: counters(f, name) for name in OUT.values()}
        crowds = [Peer(os.path.join(f.base, f"keys-{name}.log"), "keys", **at(f, name),
                       authority=f.authority, role=role, count=keys)
                  for name, role in (("e1", "device"), ("root", "edge"))]
        for crowd, name in zip(crowds, OUT.values()):
            expect(crowd.end(60 + keys / 10) == 0, "the crowd came and went")
            seen = counters(f, name)["fl_net_admitted"] - before[name]["fl_net_admitted"]
            expect(seen >= keys, f"{name} admitted {seen} other keys: {crowd.lines()}")
        took = time.monotonic() - began
        f.until(lambda: newest(f)["count"] == len(DEVICES), 60, "a round with every device")
        marks = {parent: f[parent].mark() for parent in OUT.values()}
        for name, parent in OUT.items():
            f.ok("revoke", name, "--state", f["root"].state)
            f[parent].line("left", peer=name, reason="revoked", since=marks[parent], bound_s=5)
        first = newest(f)["round"] + 2      # the one that was open may have counted them already
        f.until(lambda: newest(f)["round"] >= first and newest(f)["count"] == len(STAY), 60,
                "a round with every other device")
        for number in range(first, newest(f)["round"] + 1):
            counted = {name for name, entry in f.report(number)["of"].items()
                       if entry["outcome"] == "in" and name in DEVICES}
            expect(counted <= STAY, f"in round {number}: {sorted(counted)}")
        print(f"    {keys} other keys at the edge and at the root, {took:.1f} s", flush=True)


def a_revocation_holds_in_masked_rounds_after_many_other_keys():
    holds(KEYS, False)


def a_revocation_holds_in_unmasked_rounds_after_many_other_keys():
    holds(UNMASKED_KEYS, True)


if __name__ == "__main__":
    main(tests_of(__name__))
