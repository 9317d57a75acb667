"""A node is drained, stopped and started again while a run goes on: nobody is late or lost, and
each report says who rests. FL_BIN_NEXT names the programs of another build for the rolling
upgrade; tests/run takes those of its stage release."""

import os

from fabric import Fabric, Skip, expect, fl, main, spread

NAMES = ["d1", "d2", "d3", "d4"]
DEVICES = spread(NAMES, {"e1": 2, "e2": 2})
JOIN_WAIT_S = 8     # who rests is not waited for so long


def _fabric():
    wait = {"round.join_wait": f"{JOIN_WAIT_S}s"}
    return Fabric(edges={"e1": "root", "e2": "root"}, devices=DEVICES, device={"delay": "150ms"},
                  edge=wait, unmasked=True,
                  root={"rounds": 100000, "round.wait": f"{JOIN_WAIT_S}s", **wait})


def _drain(fabric, name):
    out = fabric.ok("drain", "--state", fabric[name].state, "--wait", "20s")
    expect(out.endswith("drained: safe to stop\n"), f"fl drain {name}: {out}")


def _next(fabric):
    """The report of a round that is opened from now on."""
    number = fabric.closed() + 2
    fabric.until(lambda: fabric.closed() >= number, 20, f"round {number}")
    return fabric.report(number)


def _idle(fabric, *names):
    """These rest in the next round, and it took no wait for them."""
    report = _next(fabric)
    out = {name: (entry["outcome"], entry["reason"])
           for name, entry in report["of"].items() if entry["outcome"] != "in"}
    expect(out == {name: ("idle", "drain") for name in names}, f"not in: {out}")
    expect(report["duration_ms"] < 1000 * JOIN_WAIT_S / 2, f"{report['duration_ms']} ms")
    tally = report["tally"]
    expect(tally["late"] + tally["absent"] + tally["refused"] == 0, f"lost: {tally}")


def who_is_drained_is_idle_by_name_until_it_is_back():
    with _fabric() as fabric:
        fabric.start().whole()
        _drain(fabric, "d1")
        expect(fabric.status("d1")["phase"] == "drained", "its status")
        _idle(fabric, "d1")
        fabric["d1"].stop()
        _idle(fabric, "d1")
        fabric["d1"].start()
        fabric.whole()
        _drain(fabric, "e2")
        _idle(fabric, "e2", "d3", "d4")
        fabric.until(lambda: fabric.status("d3")["reason"] == "drain", 5, "its devices know")
        fabric.ok("drain", "--undo", "--state", fabric["e2"].state)
        fabric.whole()
        _drain(fabric, "root")
        closed = fabric.closed()
        fabric.until(lambda: fabric.status("d1")["reason"] == "drain", 5, "the tree knows")
        expect(fabric.closed() == closed, "a round of a drained root")
        fabric.ok("drain", "--undo", "--state", fabric["root"].state)
        fabric.until(lambda: fabric.closed() > closed + 1, 20, "rounds again")
        fabric.whole()


def nodes_of_any_tier_are_drained_by_name_at_the_root():
    with _fabric() as fabric:
        fabric.start().whole()
        root = fabric["root"].state
        for name, below in (("d1", ()), ("e2", ("d3", "d4"))):
            out = fabric.ok("drain", name, "--state", root, "--wait", "20s")
            expect(out.endswith("drained: safe to stop\n"), f"fl drain {name}: {out}")
            expect(fabric.status(name)["phase"] == "drained", f"{name} is in a round")
            _idle(fabric, name, *below)
            fabric.ok("drain", name, "--undo", "--state", root)
            fabric.whole()
        code, _, errors = fl("drain", "nobody", "--state", root)
        expect(code == 13, f"a name that nobody has: {code}: {errors}")


def a_masked_block_is_formed_without_who_rests():
    with Fabric(edges={}, devices={name: "root" for name in NAMES}, device={"delay": "100ms"},
                root={"rounds": 100000, "round.wait": f"{JOIN_WAIT_S}s"}) as fabric:
        fabric.start().whole()
        for name in ("d1", "d2"):
            _drain(fabric, name)
            if name == "d1":
                _idle(fabric, name)
                rounds = [one for one in fabric.rounds() if one["close"] != "done"]
                expect(not rounds, f"a round was lost to it: {rounds}")
        closed = fabric.closed()
        fabric.ok("drain", "--undo", "--state", fabric["d1"].state)
        fabric.until(lambda: fabric.closed() > closed + 1, 20, "three mask again")
        _idle(fabric, "d2")


def every_node_changes_to_another_build_under_a_run():
    here = os.environ.get("FL_BIN", "build/dev/bin")
    there = os.environ.get("FL_BIN_NEXT")
    if there is None:
        raise Skip("there is no other build: set FL_BIN_NEXT to the directory of its programs")
    with _fabric() as fabric:
        fabric.start()
        first = fabric.whole()
        for name in ["root", "e1", "e2", *NAMES]:
            process = fabric[name]
            _drain(fabric, name)
            expect(process.stop() == 0, f"{name}: {process.last()}")
            os.environ["FL_BIN"] = there
            try:
                process.start()
            finally:
                os.environ["FL_BIN"] = here
            expect(not os.path.samefile(f"/proc/{process.popen.pid}/exe", _program(name, here)),
                   f"{name} is of the same build")
            fabric.whole()
        rounds = [one for one in fabric.rounds() if one["round"] >= first]
        lost = [one for one in rounds if one["close"] != "done" or one["attempt"] != 1 or
                one["late"] + one["absent"] + one["refused"] > 0]
        expect(not lost, f"of {len(rounds)} rounds: {lost}")


def _program(name, directory):
    program = "fl-root" if name == "root" else "edge-agg" if name[0] == "e" else "fl-device"
    return os.path.join(directory, program)


main([who_is_drained_is_idle_by_name_until_it_is_back,
      nodes_of_any_tier_are_drained_by_name_at_the_root,
      a_masked_block_is_formed_without_who_rests,
      every_node_changes_to_another_build_under_a_run])
