"""Two runs over different edges have rounds open at the same time, and each gives the bytes that it
gives alone, whatever becomes of the root; over the same edge they take turns."""
import contextlib
import json
import os
import sqlite3

from fabric import Fabric, expect, main, spread, write_run

FAST = {"backoff.min": "50ms", "backoff.max": "500ms"}
ROUNDS = 6


@contextlib.contextmanager
def standing(edges, masked, **root):
    """So many edges of three devices each, and no run."""
    names = [f"e{number + 1}" for number in range(edges)]
    below = spread([f"d{number:02}" for number in range(3 * edges)], {edge: 3 for edge in names})
    with Fabric(edges={edge: "root" for edge in names}, devices=below,
                root={"run": "", "runs": 2, **root},
                edge={"round.time_max": "30s", "round.join_wait": "1s", **FAST},
                device={**FAST, "delay": "150ms", "masking.pin_allowed": True},
                unmasked=not masked) as fabric:
        fabric.start()
        yield fabric


def submit(fabric, name, on, masked, rounds=ROUNDS, **more):
    settings = {"rounds": rounds, "round.on": ", ".join(on), "round.expect": len(on),
                "round.expect_devices": 3 * len(on), "round.time_max": "30s", "round.wait": "30s",
                "plan.devices_max": 32, "model.elements": 5000, **more}
    settings.update({"masking": "malicious", "masking.step": "500ms", "plan.pin": True,
                     "round.extends_max": 1000} if masked else {"masking": "unmasked"})
    path = write_run(os.path.join(fabric.base, "runs"), settings, name)
    fabric.ok("run", "submit", path, "--state", fabric["root"].state)


def row(fabric, name):
    answer = fabric.ask("root", "run", "list") or {"runs": []}
    return next((one for one in answer["runs"] if one["name"] == name), {})


def ended(fabric, name):
    fabric.until(lambda: row(fabric, name).get("ended"), 90, f"run {name} ends")
    expect(row(fabric, name)["state"] == "done", f"{row(fabric, name)}")
    path = os.path.join(fabric.base, f"{name}.safetensors")
    fabric.ok("model", "export", path, "--run", name, "--state", fabric["root"].state)
    with open(path, "rb") as file:
        return file.read()


def receipts(fabric):
    """{name of a run: who was asked in its rounds}, edges and devices."""
    with ledger(fabric) as rows:
        found = rows.execute("SELECT DISTINCT run.name, node FROM receipt JOIN run USING (run)")
        who = {}
        for name, node in found:
            who.setdefault(name, set()).add(node.rstrip(b"\0").decode("ascii"))
        return who


def ledger(fabric):
    path = os.path.join(fabric["root"].state, "ledger.db")
    return contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True))


def overlaps(fabric):
    """How many pairs of rounds of different runs were open at one time."""
    with ledger(fabric) as rows:
        return rows.execute("SELECT count(*) FROM round a JOIN round b ON a.run < b.run AND "
                            "a.opened_at < b.closed_at AND b.opened_at < a.closed_at").fetchone()[0]


def both(edges, masked, runs):
    """Each run alone, then both at a time, with a root that is killed in the middle."""
    wanted = {}
    with standing(edges, masked) as fabric:
        for name, on in runs.items():
            submit(fabric, name, on, masked)
            wanted[name] = ended(fabric, name)
    with standing(edges, masked) as fabric:
        for name, on in runs.items():
            submit(fabric, name, on, masked)
        fabric.until(lambda: all(row(fabric, name).get("rounds_closed", 0) >= 2 for name in runs),
                     60, "both closed two rounds")
        expect(overlaps(fabric) > 0, "no two rounds were open at one time")
        fabric["root"].restart()
        for name in runs:
            expect(ended(fabric, name) == wanted[name], f"{name} has other bytes than alone")
        for name, on in runs.items():
            parents = {fabric.devices.get(node, node) for node in receipts(fabric)[name]}
            expect(parents == set(on), f"{name} is of {on}, and had {parents}")
        rounds = json.loads(fabric.ok("rounds", "--run", next(iter(runs)), "--state",
                                      fabric["root"].state, "--json"))["rounds"]
        done = [one["count"] for one in rounds if one["close"] == "done"]
        expect(done == [3 * len(next(iter(runs.values())))] * ROUNDS, f"{rounds}")


def runs_over_different_edges_overlap_and_give_the_bytes_that_each_gives_alone():
    both(2, False, {"x": ["e1"], "y": ["e2"]})


def masked_runs_over_different_edges_overlap_too():
    both(6, True, {"x": ["e1", "e2", "e3"], "y": ["e4", "e5", "e6"]})


def runs_that_share_an_edge_take_turns():
    with standing(2, False) as fabric:
        submit(fabric, "x", ["e1"], False)
        submit(fabric, "y", ["e1", "e2"], False)
        ended(fabric, "x")
        ended(fabric, "y")
        expect(overlaps(fabric) == 0, "two rounds over one edge at one time")


def a_second_run_that_has_no_memory_waits_for_the_first():
    with standing(2, False, **{"runs.memory": "1M"}) as fabric:
        big = {"model.elements": 100000}
        submit(fabric, "x", ["e1"], False, **big)
        submit(fabric, "y", ["e2"], False, rounds=1, **big)
        fabric.until(lambda: "memory" in row(fabric, "y")["text"], 20, "it says for what it waits")
        expect(row(fabric, "y")["state"] == "queued", f"{row(fabric, 'y')}")
        ended(fabric, "x")
        ended(fabric, "y")
        expect(overlaps(fabric) == 0, "two rounds at one time without memory for them")


def a_drained_root_finishes_both_rounds_and_opens_none():
    with standing(2, False) as fabric:
        for name, on in (("x", "e1"), ("y", "e2")):
            submit(fabric, name, [on], False, rounds=30)
        closed = lambda: [row(fabric, name).get("rounds_closed", 0) for name in ("x", "y")]
        fabric.until(lambda: min(closed()) >= 2, 20, "both closed two rounds")
        fabric.ok("drain", "--state", fabric["root"].state, "--wait", "20s")
        before = closed()
        fabric.until(lambda: all(fabric.status(name)["reason"] == "drain"
                                 for name in fabric.devices), 5, "both edges and all below know")
        expect(closed() == before, "a round of a drained root")
        fabric.ok("drain", "--undo", "--state", fabric["root"].state)
        ended(fabric, "x")
        ended(fabric, "y")


if __name__ == "__main__":
    main([runs_over_different_edges_overlap_and_give_the_bytes_that_each_gives_alone,
          masked_runs_over_different_edges_overlap_too,
          runs_that_share_an_edge_take_turns,
          a_second_run_that_has_no_memory_waits_for_the_first,
          a_drained_root_finishes_both_rounds_and_opens_none])
