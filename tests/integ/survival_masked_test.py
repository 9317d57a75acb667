"""What dies in a masked round: a device, an edge and the root, killed at each step that their logs
tell. The round ends, with a sum or a reason for everybody who is not in it; started again, whoever
died is in a whole round soon after. A root that dies loses nothing: its run ends with the very
models of a run that nothing disturbed."""
import atexit
import contextlib
import functools
import os
import shutil
import sqlite3
import time

from fabric import Failure, Fabric, expect, logfmt, main, spread

NAMES = [f"d{number:02}" for number in range(16)]
EDGES = {f"e{number}": "root" for number in range(1, 5)}   # of four, one may be lost
DEVICES = spread(NAMES, {edge: 4 for edge in EDGES})
WINDOW = {"round.time_max": "30s", "round.join_wait": "1s", "log.level": "debug"}
ROOT = {"rounds": 100000, "round.wait": "10s", "round.extends_max": 1000,
        "model.elements": 100000, "plan.pin": True}
BACK_S = 90                     # until a round is whole again, on a machine that is busy elsewhere
TRIES = 12
ROUNDS = 12
AWAY_S = 40                     # five rounds of the shorter window
MEMBER = ("keyed", "dealt", "ready", "masked", "acked", "opened")
PARENT = ("rostered", "waiting-ready", "collecting", "acking", "opening", "done")


def _fabric(**root):
    return Fabric(edges=EDGES, devices=DEVICES, root={**ROOT, **WINDOW, **root}, edge=WINDOW,
                  device={"delay": "250ms", "log.level": "debug"})


def _see(process, bound_s=20, **wanted):
    """The next line with these pairs, looked for without a pause: some steps last a millisecond."""
    end = time.monotonic() + bound_s
    with open(process.log, encoding="utf-8") as file:
        file.seek(0, os.SEEK_END)
        rest = ""
        while time.monotonic() < end:
            *whole, rest = (rest + file.read()).split("\n")
            for line in map(logfmt, whole):
                if line and all(line.get(key) == value for key, value in wanted.items()):
                    return line
            time.sleep(0.0005)
    raise Failure(f"{process.name} does not log {wanted} within {bound_s} s")


def _closed(fabric, number):
    """The report of a round that has to close; who is not in it has a reason."""
    #  By the ledger: a root may die between its log and its disk.
    fabric.until(lambda: any(one["round"] == number for one in fabric.rounds()), 60,
                 f"round {number} closes")
    report = fabric.report(number)
    for entry in report["entries"]:
        expect(entry["outcome"] in ("in", "idle") or entry["reason"], f"no reason: {entry}")
    for block in report["blocks"]:
        expect(block["aborted"] == (block["reason"] is not None), f"{block}")
    if report["close"] == "done":
        expect(report["masked"] and report["count"] > 0, f"done with nobody: {report}")
    else:
        expect(report["reason"], f"no reason: {report}")
    return report


def _said(name, where, report):
    aborted = [f"{block['parent']}/{block['block']} {block['reason']}" for block in report["blocks"]
               if block["aborted"]]
    entry = report["of"].get(name, {"outcome": "idle", "reason": None})
    print(f"    {name} killed in {where}: round {report['round']} {report['close']} "
          f"({report['reason']}), attempt {report['attempt']}, {report['count']} in, "
          f"{report['tally']['recovered']} recovered, {name} {entry['outcome']} "
          f"({entry['reason']}), aborted: {', '.join(aborted) or 'none'}", flush=True)


def _kill(fabric, name, seen, **wanted):
    """Kill it when it has logged that, start it again, and see the fabric whole again."""
    process = fabric[name]
    number = int(_see(process, **wanted)["round"])
    process.kill()
    process.start()
    report = _closed(fabric, number)
    _said(name, seen, report)
    fabric.whole(BACK_S)
    return report


@functools.cache
def _endless():
    """One fabric for all tests that need no end."""
    fabric = _fabric()
    atexit.register(fabric.close)
    return fabric.start()


def _talkative(name):
    """That fabric, whole. A log has a bound of lines in ten seconds: only a process that began a
    moment ago tells each of its steps."""
    fabric = _endless()
    fabric[name].restart()
    fabric.whole(BACK_S)
    return fabric


def a_device_may_die_at_any_step():
    """It is in with what it sent, or it is missing by name; nobody else is."""
    fabric = _talkative("d00")
    for step in MEMBER:
        report = _kill(fabric, "d00", step, id="masking-step", step=step)
        expect(report["close"] != "done" or report["count"] >= len(NAMES) - 4,
               f"more than a block is missing: {report['count']}")


def a_device_that_dies_after_masking_is_recovered():
    """Its masks come off the sum of the others, who do not notice."""
    fabric = _talkative("d05")
    for _ in range(TRIES):
        report = _kill(fabric, "d05", "masked", id="masking-step", step="masked")
        if report["tally"]["recovered"] > 0:
            expect(report["count"] == len(NAMES) - 1, f"{report['count']} in")
            return
    raise Failure(f"it was never lost between masking and upload, {TRIES} times tried")


def an_edge_may_die_at_any_step():
    """Its block goes on where it stood, or ends by name; the other edges' sums count."""
    fabric = _talkative("e2")
    for state in PARENT:
        _kill(fabric, "e2", state, id="masking", state=state)
    for step in ("keyed", "dealt", "masked", "acked", "opened"):
        _kill(fabric, "e2", f"its step {step}", id="masking-step", step=step)


def _three(delay, **root):
    """Three edges, of which none may be lost; the sum of e1 is the last one by a second."""
    few = {name: edge for name, edge in DEVICES.items() if edge != "e4"}
    edges = {edge: "root" for edge in ("e1", "e2", "e3")}
    return Fabric(edges=edges, devices=few, edge=WINDOW,
                  device={"delay": delay, "log.level": "debug"}, each={"d00": {"delay": "2s"}},
                  root={**ROOT, **WINDOW, "masking.step": "500ms", **root})


def of_three_edges_one_may_die_before_anybody_masks():
    """Three can lose none: all begin again with fresh keys when it is back, in this very round."""
    with _three("3s") as fabric:
        few, edges = fabric.devices, ("e1", "e2", "e3")
        fabric.start()
        fabric.whole(BACK_S)
        for state in ("rostered", "waiting-ready"):
            number = int(_see(fabric["root"], id="masking", state=state)["round"])
            fabric["e2"].kill()
            fabric["e2"].start()
            report = _closed(fabric, number)
            _said("e2", state, report)
            expect(report["close"] == "done" and report["count"] == len(few), f"{report}")
            expect(all(report["of"][edge]["outcome"] == "in" for edge in edges), f"{report}")
            fabric.whole(BACK_S)


def _kept(fabric, edge):
    """The sum that an edge keeps, as it lies in its ledger."""
    with contextlib.closing(sqlite3.connect(
            f"file:{os.path.join(fabric[edge].state, 'ledger.db')}?mode=ro", uri=True)) as ledger:
        return b"".join(row[0] for row in ledger.execute(
            "SELECT file FROM kept"))


def _until_kept(fabric, edge):
    """Its block is open, and the sum of another model than before is durable."""
    before, end = _kept(fabric, edge), time.monotonic() + BACK_S
    while _kept(fabric, edge) == before:
        expect(time.monotonic() < end, f"{edge} keeps no sum")
        time.sleep(0.01)


def _away(fabric, seen, wait):
    """e2 is killed when it has logged that, and away for five rounds: the model stands, and moves
    as soon as it is back, without anybody's second mask."""
    wait()
    fabric["e2"].kill()
    time.sleep(1)
    before = fabric.closed()
    time.sleep(AWAY_S)
    gone = [one for one in fabric.rounds() if one["round"] > before and one["close"] == "done"]
    expect(not gone, f"a round of two edges was done: {gone}")
    kept = _kept(fabric, "e2")
    at = {name: os.path.getsize(node.log) for name, node in fabric.nodes.items()}
    fabric["e2"].start()
    number = fabric.whole(BACK_S)
    expect(number > before, f"{number} is not after {before}")
    again = fabric["e2"].lines("sum-again", since=at["e2"])
    cleared = fabric["e1"].lines("masking-cleared", since=at["e1"])
    expect(kept and again, "the sum was not kept, or not handed in")
    print(f"    e2 away in {seen}: round {number} done, {len(again)} sums again, "
          f"{len(cleared)} cleared at e1", flush=True)
    masked = [node.name for node in fabric.nodes.values() if node.tier == "device"
              and any(line["round"] == again[0]["round"] for line in
                      node.lines("masking-step", since=at[node.name], step="masked"))]
    expect(not masked, f"masked again under a sum that was kept: {masked}")


def of_three_edges_one_may_be_away_for_five_rounds():
    """After MASKSET of its own part above, and with its own block open."""
    with _three("500ms", **{"round.time_max": f"{AWAY_S // 5}s"}) as fabric:
        fabric.start()
        fabric.whole(BACK_S)
        _away(fabric, "masked", lambda: _see(fabric["e2"], bound_s=BACK_S, id="masking-step",
                                             step="masked"))
        _away(fabric, "its block open", lambda: _until_kept(fabric, "e2"))


def an_edge_that_dies_with_an_opened_sum_hands_in_the_same():
    """Bit for bit: what lies in its ledger when it dies is what the root counts."""
    with _three("500ms") as fabric:
        fabric.start()
        fabric.whole(BACK_S)
        _until_kept(fabric, "e2")
        fabric["e2"].kill()
        kept = _kept(fabric, "e2")
        at = os.path.getsize(fabric["e2"].log)
        fabric["e2"].start()
        again = fabric["e2"].line("sum-again", bound_s=BACK_S, since=at)
        expect(kept and _kept(fabric, "e2") == kept, "the sum is another one")
        report = _closed(fabric, int(again["round"]))
        expect(report["close"] == "done" and report["count"] == len(fabric.devices), f"{report}")
        rows = [block for block in report["blocks"] if block["parent"] == "e2"]
        expect(rows and not rows[0]["aborted"], f"{rows}")


def _models(fabric):
    """The models after the last rounds, when everybody was in each."""
    fabric.done(120)
    for one in fabric.rounds():
        expect(one["close"] == "done" and one["count"] == len(NAMES), f"somebody is missing: {one}")
    return [fabric.model(number) for number in (ROUNDS - 1, ROUNDS)]


def a_root_may_die_at_any_step():
    """The round goes on with the block as it was kept, and nobody's update is lost."""
    with _fabric(rounds=ROUNDS) as fabric:
        fabric.start()
        undisturbed = _models(fabric)
    with _fabric(rounds=ROUNDS) as fabric:
        fabric.start()
        for state in PARENT:
            _kill(fabric, "root", state, id="masking", state=state)
        expect(_models(fabric) == undisturbed, "the models are not those of an undisturbed run")


def a_root_from_a_backup_gets_on_with_another_draw():
    """Its devices masked an update of that model and gave shares of it, and no edge has the sum."""
    with _fabric(**{"plan.pin": False}) as fabric:
        fabric.start()
        fabric.whole(BACK_S)
        root, copy = fabric["root"], fabric["root"].state + ".backup"
        root.stop()
        shutil.copytree(root.state, copy, ignore=shutil.ignore_patterns("operator*"))
        root.start()
        at = fabric.closed()
        fabric.until(lambda: sum(one["close"] == "done" for one in fabric.rounds()
                                 if one["round"] > at) >= 3, BACK_S, "three more rounds")
        ahead = fabric.closed()
        root.stop()
        shutil.rmtree(root.state)
        os.rename(copy, root.state)
        root.start()
        fabric.until(lambda: fabric.rounds() and fabric.rounds()[-1]["round"] > ahead, BACK_S,
                     "the root is where it was")
        fabric.whole(BACK_S)
        rounds = [one for one in fabric.rounds() if one["round"] > at]
        late = [one["reason"] for one in rounds if one["close"] != "done" and one["round"] > ahead]
        _see_logged(root, "draw")
        expect(late.count("same-model") <= 4 and len(late) <= 6, f"skipped after {ahead}: {late}")
        print(f"    rounds after {at}: {[one['reason'] or one['close'] for one in rounds]}",
              flush=True)


def _see_logged(process, wanted):
    with open(process.log, encoding="utf-8") as file:
        lines = [line for line in map(logfmt, file) if line and line.get("id") == wanted]
    expect(lines, f"{process.name} does not log {wanted}")


if __name__ == "__main__":
    main([a_device_may_die_at_any_step, a_device_that_dies_after_masking_is_recovered,
          an_edge_may_die_at_any_step, of_three_edges_one_may_die_before_anybody_masks,
          of_three_edges_one_may_be_away_for_five_rounds,
          an_edge_that_dies_with_an_opened_sum_hands_in_the_same,
          a_root_may_die_at_any_step,
           a_root_from_a_backup_gets_on_with_another_draw])
