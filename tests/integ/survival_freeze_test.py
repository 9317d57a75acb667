"""kill -STOP of a device and of an edge at each step of the protocol. Whatever stands still, each
round of the root ends by its deadline and the grace, with the right outcome for who stood still;
let go on, it takes part again. That a step was really hit is read from the process's own log: the
last step that it noted before it stood still."""
import contextlib
import os
import time

from fabric import Failure, Fabric, expect, logfmt, main

GRACE_MS = 400                  # margin.finish, as docs/protocol.md says
TRIES = 25
#  d1 is done first and e2 is done last, so that d1 and e1 have time to wait for a verdict.
DELAYS = {"d1": {"delay": "150ms"}, "d2": {"delay": "300ms"}, "d3": {"delay": "550ms"}}
WINDOW = {"log.level": "debug", "margin.finish": f"{GRACE_MS}ms", "round.join_wait": "300ms"}
#  It waits for children a little before each round, and again and again before the first one.
ROOT = {"model.elements": 1000000, "round.wait": "300ms", "round.extends_max": 1000,
        "rounds": 100000}
STEPS = ("task", "model", "round-open", "round-cutoff", "round-close", "offered", "sending", "sent",
         "verdict")


class Watch:
    """The log of a process as it grows, read without a pause: some steps last a millisecond."""

    def __init__(self, process):
        self.process = process
        self.file = open(process.log, encoding="utf-8")
        self.file.seek(0, os.SEEK_END)
        self.rest = ""
        self.step = {}              # the newest line that is a step

    def close(self):
        self.file.close()

    def read(self):
        """The new lines."""
        *whole, self.rest = (self.rest + self.file.read()).split("\n")
        lines = [line for line in map(logfmt, whole) if line]
        for line in lines:
            if line["id"] in STEPS:
                self.step = line
        return lines

    def comes(self, step, bound_s):
        """Whether it is in that step within so long; it may have passed it before we looked."""
        end = time.monotonic() + bound_s
        while self.step.get("id") != step and time.monotonic() < end:
            self.read()
            time.sleep(0.0002)
        return self.step.get("id") == step

    def wait(self, trigger, bound_s=20):
        """The first new line of that id."""
        end = time.monotonic() + bound_s
        while time.monotonic() < end:
            for line in self.read():
                if line["id"] == trigger:
                    return line
            time.sleep(0.0002)
        raise Failure(f"{self.process.name} does not log {trigger} within {bound_s} s")


def _stop_in(fabric, name, trigger, step, after_s=0.0, hold=None):
    """Freeze the process in `step`; the line of its log that says so. `trigger`: the line to wait
    for; `hold`: a neighbour that stands still in between, so that the step cannot pass by."""
    process, watch = fabric[name], Watch(fabric[name])
    try:
        for _ in range(TRIES):
            watch.wait(trigger)
            if hold:
                fabric[hold].pause()
                if not watch.comes(step, 1):
                    fabric[hold].resume()
                    continue
            time.sleep(after_s)
            process.pause()
            if hold:
                fabric[hold].resume()
            watch.read()
            if watch.step["id"] == step:
                return watch.step
            process.resume()
    finally:
        watch.close()
    raise Failure(f"{name} was never caught in {step}, {TRIES} times tried")


def _in_again(fabric, name, after):
    """A later round has counted it. At most: three beats and the backoff until it says HELLO (2 s),
    FL_UNHEARD_MS for its lanes (5 s), the round that is open (4 s) and the next one (4 s)."""
    def counted():
        newest = fabric.closed()
        report = fabric.ask("root", "report", str(newest)) if newest > after else None
        return report and any(one["node"] == name and one["outcome"] == "in"
                              for one in report["entries"])
    fabric.until(counted, 20, f"{name} takes part again")


def _freeze(fabric, name, step, told, wanted, **how):
    """One step: caught, the round and the next one end in time and without it, then it returns."""
    line = _stop_in(fabric, name, how.pop("trigger", told), told, **how)
    number = int(line["round"])
    fabric.until(lambda: fabric.closed() >= number + 1, 15,
                 f"round {number} and the next one close while {name} stands still in {step}")
    expect(fabric[name].paused and not fabric[name].lines("verdict", round=number + 1),
           f"{name} went on by itself")
    for lost, outcome in zip((number, number + 1), wanted):
        report = fabric.report(lost)
        found = report["of"][name]  # one that is gone stays in the report
        print(f"    {name} still in {step}, round {lost}: {found['outcome']} ({found['reason']}), "
              f"closed after {report['duration_ms']} of {report['budget_ms']} ms", flush=True)
        expect((found["outcome"], found["reason"]) == outcome, f"not {outcome}")
    fabric[name].resume()
    _in_again(fabric, name, number + 1)


def _all_in_time(fabric, deadline_ms):
    """Every round of the root so far ended by its deadline and the grace."""
    rounds, longest = fabric.rounds(), 0
    for one in rounds:
        report = fabric.report(one["round"])
        #  From when the ledger knew of it until its close was durable and could be told.
        took_ms = max(report["closed_at"] - report["opened_at"], report["duration_ms"])
        longest = max(longest, took_ms)
        expect(report["budget_ms"] <= deadline_ms and took_ms <= report["budget_ms"] + GRACE_MS,
               f"round {one['round']}: {took_ms} ms of {report['budget_ms']}")
        expect(one["close"] == "done", f"a round without a result: {one}")
    print(f"    {len(rounds)} rounds, the longest {longest} ms of at most {deadline_ms + GRACE_MS}")


@contextlib.contextmanager
def _running(deadline_ms=4000, lease=6):
    window = {**WINDOW, "round.time_max": f"{deadline_ms}ms", "lease": lease}
    with Fabric(edges={"e1": "root", "e2": "root"}, root={**window, **ROOT}, edge=window,
                devices={"d1": "e1", "d2": "e1", "d3": "e2"}, device={"log.level": "debug"},
                each=DELAYS, unmasked=True) as fabric:
        fabric.start()
        fabric.whole()
        yield fabric
        _all_in_time(fabric, deadline_ms)


ABSENT, IN = ("absent", "silent"), ("in", None)


def a_device_or_an_edge_that_stands_still_holds_nobody_up():
    """Six steps of a device, seven of an edge."""
    with _running() as fabric:
        _freeze(fabric, "d1", "fetching", "task", (ABSENT, ABSENT))
        _freeze(fabric, "d1", "training", "model", (ABSENT, ABSENT), after_s=0.05)
        _freeze(fabric, "d1", "offered", "offered", (ABSENT, ABSENT), trigger="model", hold="e1")
        _freeze(fabric, "d1", "sending", "sending", (ABSENT, ABSENT))
        _freeze(fabric, "d1", "sent", "sent", (IN, ABSENT), after_s=0.1)
        _freeze(fabric, "d1", "between", "verdict", (IN, ABSENT))
        _freeze(fabric, "e1", "fetching", "task", (ABSENT, ABSENT))
        _freeze(fabric, "e1", "collecting", "round-open", (ABSENT, ABSENT), after_s=0.1)
        _freeze(fabric, "e1", "finishing", "round-cutoff", (ABSENT, ABSENT))
        _freeze(fabric, "e1", "offered", "offered", (ABSENT, ABSENT), trigger="round-cutoff",
                hold="root")
        _freeze(fabric, "e1", "sending", "sending", (ABSENT, ABSENT))
        _freeze(fabric, "e1", "sent", "sent", (IN, ABSENT), after_s=0.1)
        _freeze(fabric, "e1", "between", "verdict", (IN, ABSENT))


def with_a_long_lease_the_deadline_ends_the_round():
    """Nobody is given up for 20 s: each round now lasts until its deadline, and no longer."""
    with _running(deadline_ms=2500, lease=100) as fabric:
        _freeze(fabric, "d1", "training", "model", (ABSENT, ABSENT), after_s=0.05)
        _freeze(fabric, "e1", "collecting", "round-open", (ABSENT, ABSENT), after_s=0.1)


if __name__ == "__main__":
    main([a_device_or_an_edge_that_stands_still_holds_nobody_up,
          with_a_long_lease_the_deadline_ends_the_round])
