#!/usr/bin/env python3
"""A flat federation: five sites below the root, no edge, begun with `fl init` and the commands that
it prints. One site has 20 times the samples of the others, and one is lost in the middle of the
run."""
import json
import os
import random
import socket
import tempfile

from fabric import QUICK, Fabric, Process, expect, main, small_idx, until

SITES = [f"site-{number}" for number in range(1, 6)]


def _three_ports():
    """The first of three that are free, for lanes that lie side by side."""
    while True:
        first = random.randrange(20000, 30000)
        doors = [socket.socket() for _ in range(3)]
        try:
            for lane, door in enumerate(doors):
                door.bind(("127.0.0.1", first + lane))
            return first
        except OSError:
            continue
        finally:
            for door in doors:
                door.close()


def five_sites_of_one_directory_go_on_when_one_is_lost():
    with tempfile.TemporaryDirectory(prefix="fl-") as base:
        at, port = os.path.join(base, "fabric"), _three_ports()
        endpoint = f"tcp://127.0.0.1:{port}"
        said = Fabric.ok("init", at, "--endpoint", endpoint, "--sites", "5")
        expect("fl-root --config" in said and "run submit" in said, f"it says what is next: {said}")
        lanes = {f"listen.{lane}": f"tcp://127.0.0.1:{port + number}"
                 for number, lane in enumerate(("control", "up", "down"))}
        root = Process(at, "root", "root", {"config": os.path.join(at, "root.yaml"), "run": "",
                                            **QUICK, **lanes})
        sites = {name: Process(base, name, "device", {
            "join.token": os.path.join(at, "site.token"), "join.name": name, "threads": 1,
            "backoff.min": "50ms", **small_idx(base, 100 if number else 2000, name)})
            for number, name in enumerate(SITES)}
        for name, site in sites.items():
            site.settings["state"] = site.state
        try:
            root.start()
            for site in sites.values():
                site.start()
            quick = ["rounds=4", "round.time_max=16s", "round.wait=3s",
                     "masking.step=300ms"]
            Fabric.ok("run", "submit", os.path.join(at, "run.yaml"), "--state", root.state,
                      *[word for one in quick for word in ("--set", one)])
            root.line("round-close", bound_s=40, round=1)
            sites["site-5"].kill()
            until(lambda: root.lines("run-done"), 60, "the run ends")
            reports = [json.loads(Fabric.ok("report", number, "--state", root.state, "--json"))
                       for number in ("1", "4")]
            expect([one["count"] for one in reports] == [5, 4], f"who was in: {reports}")
            expect(all(one["masked"] and one["close"] == "done" for one in reports), "all masked")
            lost = {entry["node"]: entry["outcome"] for entry in reports[1]["entries"]}
            expect(lost["site-5"] != "in" and lost["site-1"] == "in",
                   f"the lost one is named, the large one is in: {lost}")
        except Exception:
            for one in [root, *sites.values()]:
                print("----", one.name, *one.tail(), sep="\n    ")
            raise
        finally:
            for one in [*sites.values(), root]:
                if one.alive():
                    one.kill()


if __name__ == "__main__":
    main([five_sites_of_one_directory_go_on_when_one_is_lost])
