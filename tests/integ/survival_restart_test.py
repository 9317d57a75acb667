"""What dies comes back: the root in mid-run, an edge and a device in mid-round, stopped in good
order or killed. The ledger shows who was in, and a run that lost nobody's update ends with the very
model of a run that nothing disturbed."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from fabric import Fabric, expect, main, spread  # noqa: E402

NAMES = [f"d{number}" for number in range(5)]
EDGES = {"e1": "root", "e2": "root"}
DEVICES = spread(NAMES, {"e1": 2, "e2": 3})
ROUNDS = 6
DELAY_S = 0.25                  # of a training: a round lasts long enough to be interrupted
LEASE_S = 6 * 0.2


def _fabric(root=None):
    window = {"round.time_max": "20s", "round.join_wait": "1s"}
    return Fabric(edges=EDGES, devices=DEVICES, device={"delay": "250ms"}, edge=window,
                  root={"rounds": ROUNDS, "checkpoints": 8, **window, **(root or {})},
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


_undisturbed = []


def _reference():
    if not _undisturbed:
        with _fabric() as fabric:
            fabric.start()
            _undisturbed.extend(_ended_well(fabric))
    return _undisturbed


def _in_training(fabric, number):
    """The devices are at it: the round is open and no contribution has come."""
    fabric["root"].line("round-open", round=number)
    fabric[NAMES[0]].line("task", round=number)


def _closing(fabric, number):
    """The round is closed and about to become durable."""
    fabric["root"].line("round-close", round=number)


def _root_ends(how, moments):
    """The root ends at each moment of a round and is started again."""
    with _fabric() as fabric:
        fabric.start()
        root = fabric["root"]
        for number, moment in moments:
            moment(fabric, number)
            code = how(root)
            print(f"    root ended with {code} in round {number} ({moment.__name__})")
            mark = root.mark()
            root.start()
            first = int(root.line("started", since=mark)["next_round"])
            expect(first in (number, number + 1), f"it goes on at round {first}, not {number}")
            if moment is _in_training:
                expect(first == number, "an open round was skipped")
        models = _ended_well(fabric)
        attempts = {one["round"]: one["attempt"] for one in fabric.rounds()}
        for number, moment in moments:
            expect(moment is not _in_training or attempts[number] == 2,
                   f"round {number} closed in attempt {attempts[number]}")
        expect(models == _reference(), "the models are not those of an undisturbed run")


def a_root_that_is_stopped_goes_on_at_the_next_round():
    """SIGTERM in mid-round, and again while a round closes; exit code 0 each time."""
    def stop(root):
        code = root.stop()
        expect(code == 0, f"the root ended with {code}: {root.last()}")
        return code
    _root_ends(stop, [(2, _in_training), (4, _closing)])


def a_root_that_is_killed_goes_on_at_the_next_round():
    """kill -9 at the same moments."""
    _root_ends(lambda root: root.kill(), [(2, _in_training), (3, _closing), (5, _in_training)])


def a_killed_edge_takes_its_devices_through_the_same_round():
    """Started again within the round, it asks them again and nothing is lost."""
    with _fabric() as fabric:
        fabric.start()
        _in_training(fabric, 3)
        fabric["e2"].kill()
        mark = fabric["root"].mark()
        fabric["e2"].start()
        fabric["root"].line("rejoined", peer="e2", since=mark)
        models = _ended_well(fabric)
        expect(models == _reference(), "the models are not those of an undisturbed run")
        for name in ("d2", "d3", "d4"):
            expect(fabric[name].lines("reconnect"), f"{name} did not notice that e2 was gone")


#  A root that waits for the missing a little before each round, and for ever before the first one.
GOES_ON = {"round.wait": "500ms", "round.extends_max": 1000, "rounds": 100000}


def a_round_closes_without_an_edge_that_stays_away():
    """Absent by name when its lease is over; back again, it is in."""
    with _fabric(GOES_ON) as fabric:
        number = fabric.start().whole() + 2
        _in_training(fabric, number)
        fabric["e2"].kill()
        fabric["root"].line("expired", peer="e2", bound_s=5)
        fabric.until(lambda: fabric.closed() >= number + 1, 10, "two rounds close without e2")
        lost = fabric.report(number)
        edge = lost["of"]["e2"]
        expect((edge["outcome"], edge["reason"]) == ("absent", "silent"), f"e2 was {edge}")
        expect(lost["count"] == 2 and lost["of"]["d0"]["outcome"] == "in", f"round {lost}")
        expect(lost["duration_ms"] < 1000 * (LEASE_S + DELAY_S + 3), f"{lost['duration_ms']} ms")
        fabric["e2"].start()
        fabric.whole()
        expect(all(process.stop() == 0 for process in fabric.nodes.values()), "a stop that failed")


def a_round_closes_without_a_killed_device():
    """Absent by name at its edge's lease; started again, it takes part again."""
    with _fabric(GOES_ON) as fabric:
        number = fabric.start().whole() + 2
        _in_training(fabric, number)
        fabric["d3"].kill()
        fabric.until(lambda: fabric.closed() >= number + 1, 10, "two rounds close without d3")
        lost = fabric.report(number)
        device = lost["of"]["d3"]
        expect((device["outcome"], device["reason"]) == ("absent", "silent"), f"d3 was {device}")
        expect(lost["count"] == 4 and lost["tally"]["absent"] == 1, f"round {lost}")
        expect(lost["samples_lost_share"] > 0, "its samples are not missed")
        mark = fabric["e2"].mark()
        fabric["d3"].start()
        fabric["e2"].line("rejoined", peer="d3", since=mark)
        fabric.whole()


if __name__ == "__main__":
    main([a_root_that_is_stopped_goes_on_at_the_next_round,
          a_root_that_is_killed_goes_on_at_the_next_round,
          a_killed_edge_takes_its_devices_through_the_same_round,
          a_round_closes_without_an_edge_that_stays_away,
          a_round_closes_without_a_killed_device])
