"""What dies comes back: the root in mid-run, an edge and a device in mid-round, stopped in good
order or killed. The ledger shows who was in, and a run that lost nobody's update ends with the very
model of a run that nothing disturbed."""

import os

from fabric import Fabric, Process, expect, main, spread

NAMES = [f"d{number}" for number in range(5)]
EDGES = {"e1": "root", "e2": "root"}
DEVICES = spread(NAMES, {"e1": 2, "e2": 3})
ROUNDS = 9
DELAY_S = 0.25                  # of a training: a round lasts long enough to be interrupted
LEASE_S = 6 * 0.2


#  A root that waits for the missing a little before each round, and for ever before the first one.
GOES_ON = {"round.wait": "500ms", "round.extends_max": 1000, "rounds": 100000}


#  Who starts again does not know the beat of its parent yet, and may ask for its seat late.
PATIENT = {"lease": 20}


def _fabric(root=None):
    window = {"round.time_max": "20s", "round.join_wait": "1s"}
    return Fabric(edges=EDGES, devices=DEVICES, device={"delay": "250ms"}, edge=window,
                  root={"rounds": ROUNDS, "checkpoints": 10, **window, **(root or {})},
                  unmasked=True)


def _ended_well(fabric):
    """Every round closed once, with everybody; the models after the rounds."""
    fabric.done(60)
    rounds = fabric.rounds()
    expect([one["round"] for one in rounds] == list(range(1, ROUNDS + 1)), f"rounds: {rounds}")
    for one in rounds:
        expect(one["close"] == "done" and one["count"] == len(NAMES) and one["late"] == 0,
               f"somebody's update is missing: {one}")
    return [fabric.model(number) for number in range(1, ROUNDS + 1)]


def _in_training(fabric, number):
    """The devices are at it: the round is open and no contribution has come."""
    fabric["root"].line("round-open", round=number)
    fabric[NAMES[0]].line("task", round=number)


def _closing(fabric, number):
    """The round is closed and about to become durable."""
    fabric["root"].line("round-close", round=number)


def _stop(root):
    code = root.stop()
    expect(code == 0, f"the root ended with {code}: {root.last()}")


def _root_ends(fabric, how, number, moment):
    """The root ends at that moment of a round and is started again."""
    root = fabric["root"]
    moment(fabric, number)
    how(root)
    print(f"    root ended in round {number} ({how.__name__}, {moment.__name__})")
    mark = root.mark()
    root.start()
    first = int(root.line("run-begins", since=mark)["next_round"])
    expect(first in (number, number + 1), f"it goes on at round {first}, not {number}")
    expect(moment is not _in_training or first == number, "an open round was skipped")


def _edge_ends(fabric, number):
    """Killed and started again within the round, it asks its devices again and nothing is lost."""
    _in_training(fabric, number)
    fabric["e2"].kill()
    mark = fabric["root"].mark()
    fabric["e2"].start()
    fabric["root"].line("rejoined", peer="e2", since=mark)


def a_run_in_which_root_and_edge_die_ends_with_the_model_of_an_undisturbed_one():
    """SIGTERM (exit code 0) and kill -9 of the root in mid-round and while a round closes, kill -9
    of an edge in mid-round: each goes on in the same round, in its second attempt."""
    with _fabric(PATIENT) as fabric:
        undisturbed = _ended_well(fabric.start())
    with _fabric(PATIENT) as fabric:
        fabric.start()
        _root_ends(fabric, _stop, 2, _in_training)
        _root_ends(fabric, _stop, 3, _closing)
        _root_ends(fabric, Process.kill, 5, _in_training)
        _root_ends(fabric, Process.kill, 6, _closing)
        _edge_ends(fabric, 8)
        models = _ended_well(fabric)
        attempts = {one["round"]: one["attempt"] for one in fabric.rounds()}
        expect(attempts[2] == attempts[5] == 2, f"rounds by attempt: {attempts}")
        for name in ("d2", "d3", "d4"):
            expect(fabric[name].lines("reconnect"), f"{name} did not notice that e2 was gone")
        expect(models == undisturbed, "the models are not those of an undisturbed run")


def a_round_closes_without_who_stays_away():
    """Absent by name when its lease is over, an edge and a device; back again, it is in."""
    with _fabric(GOES_ON) as fabric:
        number = fabric.start().whole() + 2
        _in_training(fabric, number)
        fabric["e2"].kill()
        fabric["root"].line("expired", peer="e2", bound_s=5)
        lost = _without(fabric, "e2", number)
        expect(lost["count"] == 2 and lost["of"]["d0"]["outcome"] == "in", f"round {lost}")
        expect(lost["duration_ms"] < 1000 * (LEASE_S + DELAY_S + 3), f"{lost['duration_ms']} ms")
        fabric["e2"].start()
        number = fabric.whole() + 2
        _in_training(fabric, number)
        fabric["d3"].kill()
        lost = _without(fabric, "d3", number)
        expect(lost["count"] == 4 and lost["tally"]["absent"] == 1, f"round {lost}")
        expect(lost["samples_lost_share"] > 0, "its samples are not missed")
        mark = fabric["e2"].mark()
        fabric["d3"].start()
        fabric["e2"].line("rejoined", peer="d3", since=mark)
        fabric.whole()
        expect(all(process.stop() == 0 for process in fabric.nodes.values()), "a stop that failed")


def _another_run(fabric, number):
    """The recipe of the first one, under another name."""
    root, path = fabric["root"], os.path.join(fabric.base, f"next-{number}.yaml")
    with open(f"{root.state}.run/run.yaml", encoding="ascii") as first:
        text = "".join(line for line in first if not line.startswith("name:"))
    with open(path, "w", encoding="ascii") as file:
        file.write(f"{text}name: next-{number}\n")
    mark = root.mark()
    fabric.ok("run", "submit", path, "--state", root.state)
    root.line("run-done", since=mark, bound_s=60)
    return fabric.done()


def edges_and_devices_stay_from_one_run_to_the_next():
    """Three runs, masked, from the same first model: nobody is started again, everybody is in."""
    devices = {"d0": "e1", "d1": "e1", "d2": "e1", "d3": "root", "d4": "root"}
    with Fabric(edges={"e1": "root"}, devices=devices, root={"rounds": 2}) as fabric:
        runs = [fabric.start().done()["run"]]
        for number in range(2):
            runs.append(_another_run(fabric, number)["run"])
            closed = [(one["close"], one["count"]) for one in fabric.rounds()]
            expect(closed == [("done", 5)] * 2, f"rounds: {closed}")
        expect(len(set(runs)) == 3, f"runs: {runs}")
        for name in ("e1", *devices):
            expect(fabric[name].popen.poll() is None, f"{name} ended: {fabric[name].last()}")
            fabric.until(lambda: len(fabric[name].lines("run-done")) == 3, 5,
                         f"{name} has heard of three ends")
        expect(fabric["d0"].stop() == 0 and fabric["e1"].stop() == 0, "a stop that failed")


def _without(fabric, name, number):
    """The report of a round that closed while that one stayed away, as did the next."""
    fabric.until(lambda: fabric.closed() >= number + 1, 10, f"two rounds close without {name}")
    lost = fabric.report(number)
    entry = lost["of"][name]
    expect((entry["outcome"], entry["reason"]) == ("absent", "silent"), f"{name} was {entry}")
    return lost


if __name__ == "__main__":
    main([a_run_in_which_root_and_edge_die_ends_with_the_model_of_an_undisturbed_one,
          a_round_closes_without_who_stays_away,
          edges_and_devices_stay_from_one_run_to_the_next])
