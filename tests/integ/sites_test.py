#!/usr/bin/env python3
"""What begins with `fl init`. A flat federation: five sites below the root, no edge; one site has
20 times the samples of the others, and one is lost in the middle of the run. And the tree of
docs/operating.md, by the commands that stand there."""
import json
import os
import random
import re
import signal
import socket
import subprocess
import tempfile

from fabric import (QUICK, Fabric, Process, Skip, binary, expect, fashion_mnist, main, small_idx,
                    until)

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


def a_tree_on_one_machine_by_the_commands_of_the_page():
    fashion_mnist()
    if os.environ.get("FL_LANE") != "own":
        raise Skip("the ports of the page are not ours alone: run it in tests/support/lane")
    with open("docs/operating.md", encoding="utf-8") as file:
        section = file.read().split("### A tree on one machine\n")[1].split("\n###")[0]
    script = re.search(r"```sh\n(.*?)```", section, re.S).group(1)
    commands = script.replace("\\\n", "").splitlines()
    expect(section.startswith("\nTen commands (") and len(commands) == 10,
           f"the page counts otherwise than this: {len(commands)}")
    path = os.path.dirname(os.path.abspath(binary("fl"))) + ":" + os.environ["PATH"]
    with tempfile.TemporaryDirectory(prefix="fl-") as base:
        with subprocess.Popen(["bash", "-euc", script], cwd=base, env={**os.environ, "PATH": path},
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              start_new_session=True) as shell:
            try:
                until(lambda: shell.poll() is not None, 180, "the end of the commands")
                root = os.path.join(base, "fabric", "root")
                report = json.loads(Fabric.ok("report", "20", "--state", root, "--json"))
            finally:
                os.killpg(shell.pid, signal.SIGKILL)
            said = shell.stdout.read()
        expect(shell.returncode == 0, f"exit code {shell.returncode}: {said}")
        expect(os.path.getsize(os.path.join(base, "model.safetensors")) > 400_000, "the model")
    expect(report["masked"] and report["count"] == 6, f"round 20: {report}")


if __name__ == "__main__":
    main([five_sites_of_one_directory_go_on_when_one_is_lost,
          a_tree_on_one_machine_by_the_commands_of_the_page])
