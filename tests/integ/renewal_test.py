#!/usr/bin/env python3
"""Certificates that live for seconds: everybody renews while a masked run goes on; a device with
new keys, one that overslept."""
import time

from fabric import Fabric, expect, main

LIFE_S, GRACE_S = 20, 12
SHORT = {"certificates.life": f"{LIFE_S}s", "certificates.grace": f"{GRACE_S}s"}
ROUND = {"round.time_max": "8s"}


def renewals(process):
    return len(process.lines("renewed"))


def a_masked_run_outlives_the_certificates_of_everybody_twice():
    edges = {"e1": "root", "e2": "root", "e3": "root"}
    devices = {f"d{i}": f"e{1 + i % 3}" for i in range(9)}
    with Fabric(edges=edges, devices=devices, root={**SHORT, **ROUND, "rounds": 40},
                device={"delay": "1s"}) as f:
        began = time.monotonic()
        f.start()
        f.done(bound_s=150)
        lived = time.monotonic() - began
        expect(lived > 2 * LIFE_S, f"the run was over after {lived:.0f} s: nothing was renewed")
        few = {name: renewals(node) for name, node in f.nodes.items() if renewals(node) < 2}
        expect(not few, f"renewed less than twice: {few}")
        short = [(one["round"], one["count"]) for one in f.rounds()[1:] if one["count"] < 9]
        expect(not short, f"rounds without somebody: {short}")
        expect(len(f.rounds()) == 40, "each round was closed")
        left = f.status("d1")["certificate"]["left_s"]
        expect(0 < left <= LIFE_S, f"the status says how long it holds: {left}")
        shown = f.ok("status", "--state", f["e1"].state)
        expect("certificate until 20" in shown, f"and until when: {shown}")


def new_keys_are_taken_over_by_a_device_that_runs():
    """`fl enrol --renew --new-keys` beside it, in the middle of a masked run."""
    with Fabric(edges={}, devices={f"d{i}": "root" for i in range(3)},
                root={**ROUND, "rounds": 1000000}, device={"delay": "300ms"}) as f:
        f.start()
        f.whole()
        f.ok("enrol", "--renew", "--new-keys", "--state", f["d1"].state)
        f["d1"].line("renewed", keys="new", bound_s=20)
        began = f.closed()
        f.until(lambda: f.closed() >= began + 5, 30, "rounds with the new keys")
        counts = {one["round"]: one["count"] for one in f.rounds()}
        expect(all(counts[number] == 3 for number in range(began + 2, began + 5)), f"{counts}")
        mark = f["d1"].mark()
        f["d1"].restart()       # and the directory has them
        f["d1"].line("welcomed", since=mark)


def an_edge_with_children_changes_its_keys_and_loses_nobody_and_no_round():
    """In the middle of a masked run; one child is away, and comes back when all is over. Then it
    does so again: the keys that come next are made anew each time."""
    devices = {f"d{i}": "e1" for i in range(4)}
    with Fabric(devices=devices, unmasked="edges",
                root={**ROUND, "rounds": 1000000, "round.expect_devices": 3},
                device={"delay": "300ms"}) as f:
        f.start()
        f.whole()
        for away in ("d3", "d2"):
            f[away].stop()
            f.until(lambda: f.rounds()[-1]["count"] == 3, 30, "rounds without the one that is away")
            marks = {name: f[name].mark() for name in ("e1", *devices)}
            f.ok("enrol", "--renew", "--new-keys", "--state", f["e1"].state)
            f["e1"].line("renewed", since=marks["e1"], keys="new", bound_s=20)
            for name in set(devices) - {away}:
                f[name].line("parent-keys", since=marks[name], parent="e1", bound_s=10)
            began = f.closed()
            f.until(lambda: f.closed() >= began + 4, 40, "rounds with the new keys")
            mark = f[away].mark()
            f[away].start()
            f[away].line("parent-keys", since=mark, bound_s=30)
            f.until(lambda: f.rounds()[-1]["count"] == 4, 30, "everybody is in again")
        counts = {one["round"]: one["count"] for one in f.rounds()}
        expect(all(count >= 3 for count in counts.values()), f"a round was lost: {counts}")


def who_overslept_comes_back_within_the_grace_and_else_says_why():
    with Fabric(devices={"d1": "e1", "d2": "e1"}, unmasked=True,
                root={**SHORT, **ROUND, "rounds": 1000000, "round.expect_devices": 1}) as f:
        f.start()
        f.whole()
        slept = time.monotonic()
        f["d1"].stop()
        f["d2"].stop()
        time.sleep(LIFE_S + 2)
        mark = f["d1"].mark()
        f["d1"].start()
        f["d1"].line("renewed", since=mark, bound_s=6)
        f["d1"].line("welcomed", since=mark, bound_s=10)
        time.sleep(max(0, slept + LIFE_S + GRACE_S + 2 - time.monotonic()))
        mark = f["d2"].mark()
        f["d2"].start()
        line = f["d2"].line("not-renewed", since=mark)
        expect("join with a new token" in line["why"] and "the root's clock says" in line["why"],
               f"{line}")
        expect(f["d2"].alive(), "it waits for the operator, or for the clock")


if __name__ == "__main__":
    main([
        a_masked_run_outlives_the_certificates_of_everybody_twice,
        new_keys_are_taken_over_by_a_device_that_runs,
        an_edge_with_children_changes_its_keys_and_loses_nobody_and_no_round,
        who_overslept_comes_back_within_the_grace_and_else_says_why,
    ])
