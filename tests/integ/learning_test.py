"""A run with a rate that falls, scores in every second round, a target and a best model that stays;
and a run that begins with the model of another."""
import json
import os

from fabric import Fabric, expect, fashion_mnist, fl, main, small_idx, until, write_run

LAYERS = "784-16-10"
VALUES = 4 * (784 * 16 + 16 + 16 * 10 + 10)
TREE = {"edges": {"e1": "root"}, "devices": {"d1": "e1", "d2": "e1"}, "unmasked": True}
RUN = {"model.layers": LAYERS, "round.time_max": "30s", "train.rate.cosine": "[0.1, 0.01]",
       "train.rate.warmup": 1, "evaluate.every": 2}


def _read(path):
    with open(path, "rb") as file:
        return file.read()


def _row(fabric, name):
    return json.loads(fabric.ok("run", "show", name, "--state", fabric["root"].state, "--json"))


def _ended(fabric, name):
    return until(lambda: _row(fabric, name)["ended"] and _row(fabric, name), 60, "its end")


def _submit(fabric, name, **more):
    path = write_run(os.path.join(fabric.base, "runs"),
                     {**RUN, "masking": "unmasked", "round.expect_devices": 2, **more}, name)
    fabric.ok("run", "submit", path, "--state", fabric["root"].state)


def _begin_with(fabric, best):
    """The next run has the weights of that file."""
    _submit(fabric, "next", rounds=2, **{"model.initial": best})
    row = _ended(fabric, "next")
    expect((row["state"], row["reason"]) == ("done", None), f"two rounds are all: {row}")
    first = json.loads(fabric.ok("report", "1", "--run", "next", "--state", fabric["root"].state,
                                 "--json"))
    base = os.path.join(fabric["root"].state, "models", first["base"] + ".safetensors")
    expect(_read(base)[-VALUES:] == _read(best)[-VALUES:], "begun with other weights")


def _stand_still(fabric):
    """Two runs whose models never change lose patience, though they take turns and the root is
    killed meanwhile: the best is that of the ledger."""
    for name in ("a", "b"):
        _submit(fabric, name, rounds=300, **{"train.rate.cosine": "[0, 0]", "evaluate.every": 4,
                                             "stop.patience": 3})
    until(lambda: _row(fabric, "b")["rounds_closed"] >= 5, 30, "both have their turns")
    fabric["root"].restart()
    for name in ("a", "b"):
        row = _ended(fabric, name)
        expect((row["state"], row["reason"], row["rounds_closed"]) == ("done", "patience", 16) and
               row["text"].endswith("of round 4"), f"{row}")


def a_run_ends_at_its_target_and_the_next_begins_with_its_best_model():
    test, _ = fashion_mnist()
    device = {"trainer": "builtin", "model.layers": LAYERS, "data.shards": 2}
    fabric = Fabric(root={**RUN, "rounds": 30, "keep": "every 3", "stop.at": 0.72, "checkpoints": 2,
                          **test},
                    each={"d2": {"data.shard": 1}}, device=device, **TREE)
    with fabric:
        for name in ("d1", "d2"):
            fabric[name].settings.update(small_idx(fabric.base))
        best = os.path.join(fabric.base, "best.safetensors")
        state = fabric["root"].state
        fabric.start()
        status = fabric.done()
        last = status["round"]
        expect(status["reason"] == "target" and last < 30 and last % 2 == 0, f"ended: {status}")
        expect(not status["aborted"] and status["best_round"] == last, f"{status}")
        fabric["d1"].line("run-done", reason="target")
        scores = {one["round"]: one["accuracy"] for one in fabric.rounds()}
        expect(all((scores[at] is not None) == (at % 2 == 0) for at in scores), f"{scores}")
        expect(scores[last] >= 0.72, f"{scores}")
        for number in range(1, last + 1):
            told = fabric.report(number)["stats"]["evaluated"]
            expect((told > 0) == (number % 2 == 0), f"round {number}: {told} samples scored")
        heard = {one["round"]: one["device_accuracy"] for one in fabric.rounds()}
        expect(all((heard[at] is not None) == (at % 2 == 0) for at in heard), f"{heard}")
        scored = fabric.ask("root", "run", "show")["scored"]
        expect((scored["round"], scored["accuracy"], scored["device_accuracy"]) ==
               (last, scores[last], heard[last]), f"{scored}")
        row = _ended(fabric, "run")
        expect((row["state"], row["reason"]) == ("done", "target"), f"{row}")
        expect(f"of round {last}" in row["text"], f"{row}")
        fabric["root"].restart()
        fabric.ok("model", "export", best, "--best", "--run", "run", "--state", state)
        kept = [fl("model", "export", f"{best}.{at}", "--round", str(at), "--state", state)[0] == 0
                for at in range(1, last + 1)]
        wanted = [at % 3 == 0 or at > last - 2 for at in range(1, last + 1)]
        expect(last >= 6 and kept == wanted, f"kept of {last}: {kept}")
        _begin_with(fabric, best)
        _stand_still(fabric)


def weights_that_do_not_fit_leave_nothing_behind():
    with Fabric(root={"model.elements": 0, "model.layers": LAYERS}, **TREE) as fabric:
        fabric.ok("ca", "init", "--authority", fabric.authority)
        root = fabric["root"]
        root.settings["model.initial"] = os.path.abspath("tests/fuzz/corpus/npz/numpy-stored")
        root.start()
        why = root.line("run-refused")["why"]
        expect("layer0.bias as (2), the model needs it as (16)" in why, why)
        row = _ended(fabric, "run")
        expect(row["state"] == "aborted" and row["text"] == why, f"{row}")
        del root.settings["model.initial"]
        root.restart()
        root.line("run-begins")


if __name__ == "__main__":
    main([a_run_ends_at_its_target_and_the_next_begins_with_its_best_model,
          weights_that_do_not_fit_leave_nothing_behind])
