#!/usr/bin/env python3
"""Masked rounds in real processes: nothing of a round's secrets in a device's memory once the round
is over; an edge under a storm of false steps.
"""
import os
import time

import masks
from fabric import Fabric, Skip, binary, expect, main
from security_peer import Peer, at, counters, hostile, memory_kib

MASKED = {"masking": "malicious"}
ENDLESS = {"rounds": 1000000}
FLOOD_S = 4
FLOOD_MEMORY_KIB = 300 * 1024   # above what it was before: see docs/threat-model.md


# -- memory ---------------------------------------------------------------------------------------
def _dig(f, ledger, name):
    """(the roster of the round, what is in the locked memory) of a device that is ready and waits
    for a slower one; None when it is not."""
    roster = ledger.facts().get(masks.ROSTER)
    mine = [line for line in roster.lines() if line[0] == name] if roster else []
    if not mine or not f[name].lines("offered", round=roster.round):
        return None
    f[name].pause()
    try:
        found = masks.dig(f[name].popen.pid, mine[0][2], mine[0][3])
        if not found or masks.held(found) < len(f.devices):
            return None
        bare = masks.named(found)
        there = masks.found_in(f[name].popen.pid, bare)
        expect(there == sorted(bare), f"the search is blind: it found {there}")
        return roster, found
    finally:
        f[name].resume()


def _secrets(f, ledger, name):
    """(round, secrets); None when the round was over before all of it was seen."""
    roster, found = f.until(lambda: _dig(f, ledger, name), 40, f"{name} holds what it was dealt")
    facts = ledger.survivors(roster.round)
    return facts and (roster.round, masks.all_of(found, name, 2, "root", roster,
                                                 facts[masks.MASKSET], facts[masks.SURVIVORS]))


def _left(f, name, secrets):
    """Those that lie in its memory. What it gave away in UNMASK its parent has, and anybody who
    asked the parent; it may lie in a buffer that was sent."""
    f[name].pause()
    left = masks.found_in(f[name].popen.pid, secrets)
    f[name].resume()
    return [what for what in left if not what.startswith("share of b")]


def a_device_forgets_a_round_that_is_over():
    """Own mask, keys, mask seeds, beginnings of keystreams, and the shares that it did not give:
    all were there, and no part of them is."""
    if masks.sanitized(binary("fl-device")):
        raise Skip("a build with sanitizers locks no memory, and keeps what was freed")
    names = ["d1", "d2", "d3", "slow"]
    with Fabric(edges={}, devices={name: "root" for name in names}, device=MASKED,
                root={**ENDLESS, **MASKED, "round.expect_devices": 4, "round.time_max": "30s"},
                each={"slow": {"delay": "3s"}}) as f:
        f.start()
        ledger = masks.Ledger(f["root"].state)
        number, secrets = f.until(lambda: _secrets(f, ledger, "d1"), 60, "a round is seen whole")
        expect(len(secrets) == 3 + 3 + 2 * 4 + 4 * 3, f"not all to search for: {list(secrets)}")
        f["d1"].line("verdict", round=number)
        left = _left(f, "d1", secrets)
        expect(not left, f"still in the memory of d1: {left}")
        f.until(lambda: f.closed() > number, 20, "the round after that")
        for name in ("root", "d1", "d2"):
            left = _left(f, name, secrets)
            expect(not left, f"in the memory of {name}: {left}")


# -- floods ---------------------------------------------------------------------------------------
def a_flood_of_false_steps_costs_an_edge_nothing_but_time():
    """An admitted child says every step of every round, thousands of times, and announces uploads
    of the greatest size: rounds close with all others in, refusals have names, memory its bound."""
    devices = {"d1": "e1", "d2": "e1", "d3": "e1", "d4": "root", "d5": "root"}
    root = {**ENDLESS, **MASKED, "round.expect_devices": 5, "round.time_max": "8s"}
    with Fabric(edges={"e1": "root"}, devices=devices, root=root, device=MASKED,
                edge={**MASKED, "round.time_max": "4s"}) as f:
        f.start()
        f.until(lambda: f.closed() >= 2, 30, "first rounds")
        home = os.path.join(f.base, "insider")
        f.ok("enrol", "--state", home, "--node", "insider", "--token-file",
             f.token("e1", "device", name="insider"), "--wait", "10s")
        pid = f["e1"].popen.pid
        quiet, before = memory_kib(pid), counters(f, "e1")
        with open(f"/proc/{pid}/clear_refs", "w", encoding="ascii") as file:
            file.write("5")     # the high-water mark begins anew
        first, end = f.closed() + 2, time.monotonic() + FLOOD_S
        with Peer(os.path.join(f.base, "flood.log"), "flood", **at(f, "e1"), home=home,
                  kind="steps", seconds=FLOOD_S) as peer:
            f.until(lambda: time.monotonic() > end and peer.popen.poll() is not None, FLOOD_S + 20,
                    "the end of the flood")
            refused = {line["reason"]: int(line["times"]) for line in peer.lines(word="refused")}
        last, most = f.closed(), memory_kib(pid, "VmHWM")
        expect(last >= first + 1, f"only {last - first} rounds closed meanwhile")
        absent = [number for number in range(first, last + 1)
                  if any(f.report(number)["of"][name]["outcome"] != "in" for name in devices)]
        expect(not absent, f"rounds without all devices: {absent}")
        expect(most - quiet < FLOOD_MEMORY_KIB, f"memory grew by {(most - quiet) // 1024} MiB")
        after = counters(f, "e1")
        grown = {name: after[name] - before.get(name, 0) for name in after
                 if after[name] > before.get(name, 0) and ("refus" in name or "masking" in name)}
        expect(grown.get("fl_masking_blamed_total", 0) >= 1, f"nobody was named: {grown}")
        expect(sum(refused.values()) > 0, "no refusal was heard")
        print(f"    {last - first} rounds, memory +{(most - quiet) // 1024} MiB, refused {refused}",
              flush=True)


if __name__ == "__main__":
    main([a_device_forgets_a_round_that_is_over,
          a_flood_of_false_steps_costs_an_edge_nothing_but_time])
