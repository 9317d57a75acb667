#!/usr/bin/env python3
"""Eight hospitals below one root, in one masked block: what a consortium reported, replayed. Their
data differ by a factor of twenty, and who has more trains longer; the largest one starts when the
run has begun to wait; in each round the link of another one is cut. Nobody may be lost unsaid: each
report names all eight, with a reason for who was not in, and the run ends with what all had."""
from fabric import Fabric, expect, main, small_idx, until
from link import Link

SAMPLES = [50, 80, 120, 200, 300, 450, 700, 1000]
SITES = {f"site-{number}": samples for number, samples in enumerate(SAMPLES, 1)}
LARGEST = "site-8"
CUT = ["site-2", LARGEST, "site-5", "site-1"]       # a round each, the largest one too
TIME_S, WAIT_S = 12, 20


def _fabric():
    f = Fabric(edges={}, devices={name: "root" for name in SITES}, device={"trainer": "builtin"},
               root={"rounds": 100000, "round.wait": f"{WAIT_S}s", "round.time_max": f"{TIME_S}s",
                     "round.absent_max": 0, "model.layers": "784-10"})
    for name, samples in SITES.items():
        f[name].settings.update({**small_idx(f.base, samples, name), "data.minimum": 1,
                                 "delay": f"{200 + samples}ms"})
    return f


def _late_start(f, links):
    """Seven are there; the root waits for the largest one and says so; it comes, all are in."""
    others = [name for name in SITES if name != LARGEST]
    for number, name in enumerate(SITES):
        links[name] = Link(f"127.0.3.{number + 1}", f["root"].ports)
        links[name].lead(f[name].state)
    f.start_devices(others)
    until(lambda: [line for line in f["root"].lines("waiting")
                   if (line["ready"], line["wanted"]) == ("7", "8")], 20, "the root says 7 of 8")
    said = f.ok("status", "--state", f["root"].state)
    expect("7 of 8" in said, f"the wait is not shown: {said}")
    f[LARGEST].start()
    f.until(lambda: f.closed() >= 1, 30, "the first round")
    first = f.report(1)
    expect(first["count"] == len(SITES) and first["stats"]["samples"] == sum(SAMPLES),
           f"somebody's data is missing: {first}")


def _cut(f, link, name):
    """The link is cut while the round is open and mended after it."""
    number = f.closed() + 1
    f[name].line("task", round=number)
    link.cut()
    f.until(lambda: f.closed() >= number, 2 * TIME_S, f"round {number} closes without {name}")
    link.mend()
    report = f.report(number)
    expect(set(report["of"]) == set(SITES), f"round {number} does not name {set(SITES)}: {report}")
    out = {node: (entry["outcome"], entry["reason"]) for node, entry in report["of"].items()
           if entry["outcome"] != "in"}
    expect(set(out) == {name} and out[name][1], f"round {number}: {name} was cut, and out is {out}")
    expect(report["close"] == "done" and report["masked"] and report["count"] == 7 and
           report["stats"]["samples"] == sum(SAMPLES) - SITES[name], f"{report}")
    text = f.ok("report", str(number), "--state", f["root"].state)
    expect("7 of 8 devices in" in text and name in text and out[name][1] in text, text)
    seen = report["stats"]["samples"]
    print(f"    round {number}: {name} {' '.join(out[name])}, {seen} samples in")


def eight_sites_in_one_block_lose_nobody_unsaid():
    links = {}
    with _fabric() as f:
        f.found()
        _late_start(f, links)
        for name in CUT:
            _cut(f, links[name], name)
            f.whole(40)
        f.ok("run", "set", "run", f"rounds={f.closed() + 2}", "--state", f["root"].state)
        f.done()
        rounds = f.rounds()
        expect(rounds[-1]["count"] == len(SITES), f"the last round: {rounds[-1]}")
        lost = [one["round"] for one in rounds if one["close"] != "done"]
        expect(not lost, f"one lost link cost a whole round: {lost}")
        said = f.ok("run", "show", "--state", f["root"].state)
        print("    " + said.replace("\n", "\n    "))
        for name in SITES:
            f[name].line("run-done")


if __name__ == "__main__":
    main([eight_sites_in_one_block_lose_nobody_unsaid])
