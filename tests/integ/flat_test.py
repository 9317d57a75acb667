"""A device is no larger after a thousand rounds than after the first of them, whether its trainer
stays or is started in each, under masks: memory and descriptors. FL_ROUNDS: of the campaign."""
import os
import time

from fabric import Fabric, expect, main
from trainers import COPIER, own_trainers

ROUNDS = int(os.environ.get("FL_ROUNDS", "50"))
ELEMENTS = 250_000
ONCE = 'touch "$FL_MODEL"; echo \'{"samples":60}\' >"$FL_DIR/metrics.json"'
COMMANDS = {"d1": ("serve", COPIER), "d2": ("once", ONCE), "d3": ("serve", COPIER)}
MORE_KIB, MORE_FILES = 1024, 4    # a model has 1,000 KB, a bulk lane two descriptors


def _size(pid):
    """(KiB resident of any kind, open descriptors)"""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        kib = sum(int(line.split()[1]) for line in file if line.startswith("Rss"))
    return kib, len(os.listdir(f"/proc/{pid}/fd"))


def _largest(fabric, until_round):
    """Of each device until that round is closed."""
    peak = {name: (0, 0) for name in COMMANDS}
    while fabric.closed() < until_round and not fabric["root"].lines("run-done"):
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            for name in COMMANDS:
                found = _size(fabric[name].popen.pid)
                peak[name] = tuple(max(pair) for pair in zip(peak[name], found))
            time.sleep(0.002)
    return peak


def a_device_stays_as_large_as_it_was():
    with Fabric(edges={}, devices={name: "root" for name in COMMANDS},
                root={"rounds": ROUNDS, "round.time_max": "60s"}) as fabric:
        own_trainers(fabric, ELEMENTS, COMMANDS)
        fabric.start()
        _largest(fabric, ROUNDS // 5)
        early, late = _largest(fabric, ROUNDS * 2 // 5), _largest(fabric, ROUNDS)
        fabric.done(120)
        counts = [one["count"] for one in fabric.rounds()]
        expect(counts == [3] * ROUNDS, f"not everybody took part in every round: {counts}")
        for name in COMMANDS:
            print(f"    {name} ({COMMANDS[name][0]}): {early[name][0]} KiB and {early[name][1]} "
                  f"descriptors early, {late[name][0]} and {late[name][1]} late")
            expect(late[name][0] <= early[name][0] + MORE_KIB, f"{name} has grown")
            expect(late[name][1] <= early[name][1] + MORE_FILES, f"{name} leaves files open")


main([a_device_stays_as_large_as_it_was])
