"""Trouble in mid-run: a full disk, an authority that is away, edges that are gone. Nobody
ends, everybody says so, and the run goes on by itself."""
import os
import threading

from disk import fill, small_disk
from fabric import Fabric, expect, fl, main, spread

EDGES = {"e1": "root", "e2": "root", "e3": "root", "e4": "root"}
MANY = {"rounds": 100000, "model.elements": 5000}


def _row(fabric):
    """What `fl run list` says of the run."""
    return (fabric.ask("root", "run", "list") or {"runs": [{}]})["runs"][0]


# ---- a full disk --------------------------------------------------------------------------------
def _run_to_the_end(fabric):
    fabric.done()
    expect(all(one["close"] == "done" and one["count"] == 2 for one in fabric.rounds()),
           f"{fabric.rounds()}")
    return fabric.model()


def _says(fabric, name):
    """Its phase and reason, once it answers."""
    status = fabric.until(lambda: fabric.status(name), 10, f"{name} answers")
    return status["phase"], status["reason"]


def _paused_below(fabric, reason):
    for name in ("e1", "d1"):
        fabric.until(lambda name=name: _says(fabric, name) == ("paused", reason), 10,
                     f"{name} hears that the run is paused")


def a_root_that_runs_out_of_room_pauses_and_goes_on_when_there_is_some():
    """In mid-run, for the checkpoint and later for the ledger: it says so and nobody ends, and the
    last model is that of a run that had room."""
    conf = {"rounds": 5, "model.elements": 50000, "round.wait": "20s"}
    with Fabric(root=conf, unmasked=True) as fabric:
        fabric.start()
        had_room = _run_to_the_end(fabric)
    with Fabric(root=conf, device={"delay": "200ms"}, unmasked=True) as fabric, \
            small_disk(fabric["root"].state, "4m") as ballast:
        root = fabric.start()["root"]
        for number, leave in ((2, 100 * 1024), (4, 0)):
            root.line("round-open", round=number)
            mark = root.mark()
            fill(ballast, leave)
            line = root.line("run-paused", since=mark)
            expect(line["reason"] == "storage", f"{line}")
            expect(root.lines("not-saved", level="error", since=mark)[0]["why"].startswith(
                root.state), "no line says where there is no room")
            status = fabric.until(lambda: fabric.status() or None, 5, "the root answers")
            expect(status["phase"] == "paused" and status["reason"] == "storage", f"{status}")
            fabric.until(lambda: (_row(fabric).get("state"), _row(fabric).get("reason")) ==
                         ("paused", "storage"), 5, "the list of runs says so")
            _paused_below(fabric, "storage")
            os.unlink(ballast)
            root.line("run-resumed", since=mark)
            fabric["d1"].line("run-resumed")
        expect(_run_to_the_end(fabric) == had_room, "another model than with room")
        root.kill()


def an_edge_without_room_sits_out_and_comes_back():
    """No room to stage a contribution, then none for the ledger: refused in the report of the root,
    the other edge goes on, and with room the edge is in again."""
    with Fabric(edges={"e1": "root", "e2": "root"}, devices={"d1": "e1", "d2": "e2"},
                root={"rounds": 100000, "model.elements": 300000}, unmasked=True) as fabric, \
            small_disk(fabric["e1"].state, "8m") as ballast:
        edge = fabric.found()["e1"]
        fill(ballast, 400 * 1024)
        fabric.start_devices()
        for said in ("no-slot", "not-saved"):
            line = edge.line(said)
            print(f"    {line['id']}: {line['why']}")
            expect("no space left" in line["why"] and edge.state in line["why"], f"{line}")
            newest = fabric.closed()
            fabric.until(lambda: fabric.closed() >= newest + 4, 20, "the other edge goes on")
            entry = fabric.report(fabric.closed())["of"]
            print(f"    {entry['e1']}")
            expect(entry["e1"]["outcome"] == "refused" and entry["e2"]["outcome"] == "in",
                   f"{entry}")
            os.unlink(ballast)
            fabric.whole()
            fill(ballast)
        fabric["d1"].line("refused", reason="storage")


def masked_nodes_without_room_sit_out_and_come_back():
    """No room for the mark of a device, and for what an edge keeps: each says what, where and
    why, is refused in the reports for it, trains and serves on, and is in again with room."""
    devices = spread([f"d{i}" for i in range(13)], {"e1": 4, "e2": 3, "e3": 3, "e4": 3})
    with Fabric(edges=EDGES, devices=devices, root=MANY, device={"delay": "50ms"}) as fabric, \
            small_disk(fabric["d0"].state, "1m") as mark, \
            small_disk(fabric["e4"].state, "8m") as ledger:
        fabric.start()
        fabric.whole()
        for name, ballast in (("d0", mark), ("e4", ledger)):
            since = fabric[name].mark()
            fill(ballast)
            line = fabric[name].line("not-saved", since=since, level="error")
            expect(fabric[name].state in line["why"] and "free some" in line["why"], f"{line}")
            fabric.until(lambda name=name: _says(fabric, name)[1] == "storage", 10,
                         f"the status of {name} says so")
            newest = fabric.closed()
            fabric.until(lambda: fabric.closed() >= newest + 3, 20, "the others go on")
            entry = fabric.report(newest + 2)["of"][name]
            expect((entry["outcome"], entry["reason"]) == ("refused", "storage"), f"{entry}")
            os.unlink(ballast)
            fabric.whole()
            fabric.until(lambda name=name: _says(fabric, name)[1] is None, 10,
                         f"the status of {name} says no more so")
        expect(all(one.alive() for one in fabric.nodes.values()), "somebody ended")


# ---- an authority that is away ------------------------------------------------------------------
def _join(fabric, name, token, wait, answers):
    answers[name] = fl("enrol", "--state", os.path.join(fabric.base, name), "--node", name,
                       "--role", "device", "--token-file", token, "--wait", wait)


def an_authority_that_is_away_pauses_only_what_needs_it():
    """A root that runs has read it. One that starts without it pauses; who wants to join hears
    `later` and comes in then; with the directory everything goes on by itself."""
    with Fabric(root=MANY, device={"delay": "100ms"}, unmasked=True) as fabric:
        root, answers = fabric.start()["root"], {}
        tokens = [fabric.token("e1", "device") for _ in range(3)]
        fabric.whole()
        os.rename(fabric.authority, fabric.authority + ".away")
        newest = fabric.closed()
        _join(fabric, "n1", tokens[0], "10s", answers)
        expect(answers["n1"][0] == 0, f"{answers}")
        fabric.until(lambda: fabric.closed() >= newest + 3, 20, "the run goes on")
        marks = {name: fabric[name].mark() for name in ("root", "d1")}
        root.restart()
        line = root.line("authority-away", since=marks["root"])
        expect(fabric.authority in line["why"], f"{line}")
        root.line("run-paused", since=marks["root"], reason="authority")
        expect(_says(fabric, "root") == ("paused", "authority"), f"{fabric.status()}")
        expect((_row(fabric)["state"], _row(fabric)["reason"]) == ("paused", "authority"),
               f"{_row(fabric)}")
        _paused_below(fabric, "authority")
        code, _, errors = fl("revoke", "d2", "--state", root.state)
        expect(code == 75 and "ask later" in errors, f"{code}: {errors}")
        _join(fabric, "n2", tokens[1], "2s", answers)
        print(f"    {answers['n2']}")
        expect(answers["n2"][0] != 0 and "ask later" in answers["n2"][2], f"{answers}")
        late = threading.Thread(target=_join, args=(fabric, "n3", tokens[2], "30s", answers))
        late.start()
        expect(not os.path.exists(fabric.authority), "somebody made the directory")
        os.rename(fabric.authority + ".away", fabric.authority)
        root.line("authority-back", since=marks["root"])
        for name, since in marks.items():
            fabric[name].line("run-resumed", since=since)
        fabric.whole()
        late.join()
        expect(answers["n3"][0] == 0, f"{answers}")
        _join(fabric, "n2", tokens[1], "10s", answers)      # nothing of it was used up
        expect(answers["n2"][0] == 0, f"{answers}")


# ---- the end of a run ---------------------------------------------------------------------------
def the_end_of_a_run_has_one_name_everywhere():
    """Stopped, aborted for want of edges, done: in the logs of all tiers, their status and the
    ledger. An edge that was away when it ended hears it later, and so do those below it."""
    lonely = {"round.count_min": 2, "round.wait": "500ms", "round.patience": "5s", "rounds": 1000}
    ways = {"stopped": ({"rounds": 1000}, "stopped"), "quorum": (lonely, "aborted"),
            None: ({"rounds": 3}, "done")}
    for reason, (own, state) in ways.items():
        with Fabric(edges={"e1": "root", "e2": "root"}, devices={"d1": "e1", "d2": "e2"},
                    root={"model.elements": 2000, "round.time_max": "2s", **own},
                    device={"delay": "50ms"}, unmasked=True) as fabric:
            root = fabric.start()["root"]
            fabric.until(lambda: fabric.closed() >= 2, 20, "two rounds")
            if reason == "stopped":
                fabric.ok("run", "stop", "run", "--state", root.state)
            if reason == "quorum":
                fabric["e2"].kill()
            fabric.until(lambda: _row(fabric).get("ended"), 20, "the run ends")
            if reason == "quorum":
                fabric["e2"].start()
            expect((_row(fabric)["state"], _row(fabric)["reason"]) == (state, reason),
                   f"{_row(fabric)}")
            for name in fabric.nodes:
                line = fabric[name].line("run-done")
                expect(line.get("reason") == reason, f"{name}: {line}")
                status = fabric.status(name)
                expect((status["phase"], status["reason"], status["aborted"]) ==
                       ("done", reason, state != "done"), f"{name}: {status}")


if __name__ == "__main__":
    main([a_root_that_runs_out_of_room_pauses_and_goes_on_when_there_is_some,
          an_edge_without_room_sits_out_and_comes_back,
          masked_nodes_without_room_sit_out_and_come_back,
          an_authority_that_is_away_pauses_only_what_needs_it,
          the_end_of_a_run_has_one_name_everywhere])
