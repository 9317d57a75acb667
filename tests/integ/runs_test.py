"""A standing fabric of real processes: runs are submitted to it, wait in a queue, take turns, are
paused, resumed and stopped, while edges and devices stay. What a run gives does not depend on what
else runs, nor on a root that is killed meanwhile."""
import contextlib
import hashlib
import json
import os
import re
import time

from fabric import Failure, Fabric, expect, fl, main, spread, write_run
from replay import replay

SHAPE = {"model.elements": 5000, "round.expect": 1, "round.expect_devices": 3,
         "round.time_max": "10s", "round.wait": "20s", "masking": "unmasked"}
FAST = {"backoff.min": "50ms", "backoff.max": "500ms"}
EDGES = {f"e{number}": "root" for number in range(1, 5)}
NAMES = [f"d{number:02}" for number in range(16)]
MASKED = {"round.expect": len(EDGES), "round.expect_devices": len(NAMES), "round.time_max": "30s",
          "round.extends_max": 1000, "plan.devices_max": len(NAMES), "plan.pin": True,
          "masking": "malicious", "masking.step": "500ms"}
THREE = {"a": {"model.elements": 5000}, "b": {"model.elements": 8000, "train.seed": 7},
         "c": {"model.elements": 3000, "plan.bits": 16}}    # models of different lengths


@contextlib.contextmanager
def standing(**more):
    """One edge and three devices, and no run."""
    devices = {f"d{i}": "e1" for i in range(3)}
    with Fabric(devices=devices, device={**FAST, **more},
                root={"run": ""}, unmasked=True) as fabric:
        fabric.start()
        yield fabric


@contextlib.contextmanager
def masked():
    """Four edges of four devices that know no length of a model, and no run."""
    window = {"round.time_max": "30s", "round.join_wait": "1s"}
    pinned = {"masking.pin_allowed": True}
    with Fabric(edges=EDGES, devices=spread(NAMES, {edge: 4 for edge in EDGES}),
                root={"run": "", "runs": 2}, edge={**window, **FAST, **pinned},
                device={**FAST, **pinned, "delay": "50ms"}) as fabric:
        fabric.start()
        yield fabric


def submit(fabric, name, rounds, *words, **changes):
    """The run of these settings is in the queue."""
    settings = {**SHAPE, "rounds": rounds, **changes}
    path = write_run(os.path.join(fabric.base, "runs"), settings, name)
    return fabric.ok("run", "submit", path, "--state", fabric["root"].state, *words)


def runs(fabric):
    """{name: row} of `fl run list`."""
    answer = fabric.ask("root", "run", "list") or {"runs": []}
    return {row["name"]: row for row in answer["runs"]}


def ended(fabric, name, state="done", bound_s=60):
    """Wait for its end; its row."""
    row = fabric.until(lambda: runs(fabric).get(name, {}).get("ended") and runs(fabric)[name],
                       bound_s, f"run {name} ends")
    expect(row["state"] == state, f"{name} is {row}")
    return row


def order(fabric, verb, name):
    return fabric.ok("run", verb, name, "--state", fabric["root"].state)


def model(fabric, name):
    path = os.path.join(fabric.base, f"{name}.safetensors")
    fabric.ok("model", "export", path, "--run", name, "--state", fabric["root"].state)
    with open(path, "rb") as file:
        return file.read()


def made_again(fabric, name, **seeds):
    """Each of its rounds, trained anew outside the fabric, gives the ledger's sum and model."""
    devices = {node: (seeds.get(node, fabric[node].settings["synthetic.seed"]),
                      fabric[node].settings.get("synthetic.samples", 64))
               for node in fabric.devices}
    return replay(fabric["root"].state, name, devices)


def alone(name, rounds, **changes):
    with standing() as fabric:
        submit(fabric, name, rounds, **changes)
        ended(fabric, name)
        return model(fabric, name)


def runs_follow_each_other_and_the_devices_stay():
    """The first one by name, the next by itself; each device trains in both."""
    with standing() as fabric:
        fabric["root"].line("joined")
        submit(fabric, "one", 2)
        ended(fabric, "one")
        fabric["d0"].line("run-done")
        submit(fabric, "two", 3, **{"train.seed": 5})
        ended(fabric, "two")
        expect(all(fabric[node].alive() for node in fabric.nodes), "somebody left")
        rounds = json.loads(fabric.ok("rounds", "--run", "two", "--state", fabric["root"].state,
                                      "--json"))["rounds"]
        expect([one["count"] for one in rounds] == [3, 3, 3], f"{rounds}")
        expect(model(fabric, "one") != model(fabric, "two"), "one model for two runs")


def two_at_a_time_give_the_bytes_that_each_gives_alone():
    """They take turns by rounds, and the root is killed twice among them."""
    wanted = {name: alone(name, 6, **{"train.seed": seed}) for name, seed in (("a", 3), ("b", 4))}
    with standing(delay="150ms") as fabric:
        root = fabric["root"]
        submit(fabric, "a", 6, **{"train.seed": 3})
        submit(fabric, "b", 6, **{"train.seed": 4})
        for least in (1, 3):
            fabric.until(lambda: all(runs(fabric).get(name, {}).get("rounds_closed", 0) >= least
                                     for name in wanted), 30, f"both runs closed {least} rounds")
            root.restart()
        for name in wanted:
            ended(fabric, name)
            expect(model(fabric, name) == wanted[name], f"{name} has other bytes than alone")


def masked_runs_take_turns_and_lose_nothing_when_the_root_dies():
    """Three runs of different models, two at a time; the root is killed ten times among them."""
    rounds, kills = 6, 10
    with masked() as fabric:
        wanted = {}
        for name, own in THREE.items():
            submit(fabric, name, rounds, **MASKED, **own)
            ended(fabric, name)
            wanted[name] = model(fabric, name)
    expect(len({len(file) for file in wanted.values()}) == len(THREE), "models of one length")
    with masked() as fabric:
        for name, own in THREE.items():
            submit(fabric, name, rounds, **MASKED, **own)
        def closed():
            return sum(row["rounds_closed"] for row in runs(fabric).values())
        for number in range(kills):
            least = 1 + number * (len(THREE) * rounds - 2) // kills
            fabric.until(lambda least=least: closed() >= least, 30, f"{least} rounds closed")
            time.sleep(0.05 * number)       # another step of a round each time
            fabric["root"].restart()
        for name, file in wanted.items():
            ended(fabric, name)
            done = json.loads(fabric.ok("rounds", "--run", name, "--state", fabric["root"].state,
                                        "--json"))["rounds"]
            expect([one["count"] for one in done if one["close"] == "done"] == [16] * rounds,
                   f"somebody is missing in {name}: {done}")
            expect(model(fabric, name) == file, f"{name} has other bytes than alone")
            expect(made_again(fabric, name) == rounds, f"{name} is not made again as a whole")


def a_run_is_made_again_from_the_ledger():
    """Of weights that differ; with the seed of another device nothing fits."""
    with standing() as fabric:
        fabric["d1"].settings["synthetic.samples"] = 200
        fabric["d1"].restart()
        submit(fabric, "one", 3, **{"plan.clip": 0.5, "server.rate": 0.7})
        ended(fabric, "one")
        expect(made_again(fabric, "one") == 3, "it has not three rounds")
        try:
            made_again(fabric, "one", d2=1)
        except Failure as found:
            expect("made again" in str(found), f"{found}")
        else:
            raise Failure("a wrong update is not noticed")


def a_run_is_paused_resumed_and_stopped():
    with standing(delay="100ms") as fabric:
        submit(fabric, "long", 1000)
        fabric.until(lambda: runs(fabric)["long"]["rounds_closed"] >= 2, 20, "two rounds")
        order(fabric, "pause", "long")
        fabric.until(lambda: fabric.status()["phase"] == "idle", 10, "the root leaves it")
        stood = runs(fabric)["long"]["rounds_closed"]
        submit(fabric, "short", 2, **{"train.seed": 9})
        ended(fabric, "short")
        row = runs(fabric)["long"]
        expect(row["state"] == "paused" and row["rounds_closed"] == stood, f"{row}")
        fabric["root"].restart()            # it stays paused
        order(fabric, "resume", "long")
        fabric.until(lambda: runs(fabric)["long"]["rounds_closed"] > stood, 20, "it goes on")
        order(fabric, "stop", "long")
        fabric["d0"].line("run-done", reason="stopped")
        ended(fabric, "long", "stopped")


def a_run_begins_with_the_model_of_another():
    """Handed over as a file, then named by its hash; one of another length is refused."""
    with standing() as fabric:
        submit(fabric, "one", 2)
        ended(fabric, "one")
        first = model(fabric, "one")
        path = os.path.join(fabric.base, "one.safetensors")
        submit(fabric, "two", 1, "--set", f"model.initial={path}")
        ended(fabric, "two")
        digest = hashlib.blake2b(first, digest_size=32).hexdigest()
        row = runs(fabric)["two"]
        expect(row["model"] == digest, f"{row}, not {digest}")
        submit(fabric, "three", 1, "--set", f"model.initial={digest}")
        ended(fabric, "three")
        expect(model(fabric, "two") == model(fabric, "three"), "two ways to one model differ")
        submit(fabric, "four", 1, "--set", f"model.initial={digest}", **{"model.elements": 70})
        row = ended(fabric, "four", "aborted")
        expect("model.elements is 70" in row["text"], f"{row}")


def a_run_that_cannot_be_opened_keeps_no_other_one_waiting():
    """Its model is away; the next run is done meanwhile. A damaged model pauses its run, and says
    so."""
    with standing() as fabric:
        submit(fabric, "long", 1000)
        fabric.until(lambda: runs(fabric)["long"]["rounds_closed"] >= 2, 20, "two rounds")
        order(fabric, "pause", "long")
        fabric.until(lambda: fabric.status()["phase"] == "idle", 10, "the root leaves it")
        models = os.path.join(fabric["root"].state, "models")
        os.rename(models, models + ".away")
        os.mkdir(models)
        order(fabric, "resume", "long")
        fabric["root"].line("run-waits")
        submit(fabric, "short", 2, **{"train.seed": 9})
        ended(fabric, "short")
        for name in os.listdir(models + ".away"):
            with open(os.path.join(models, name), "wb") as file:
                file.write(b"damaged")
        fabric.until(lambda: runs(fabric)["long"]["state"] == "paused", 20, "it is paused")
        expect(runs(fabric)["long"]["text"], "nobody knows why")


def a_run_waits_for_the_edges_that_it_names_and_says_so():
    with standing() as fabric:
        submit(fabric, "x", 1, **{"round.on": "e9", "round.wait": "1s"})
        submit(fabric, "y", 2, **{"round.on": "e1"})
        ended(fabric, "y")
        fabric.until(lambda: runs(fabric)["x"]["text"] == "it waits for e9", 20, "it says for whom")
        expect(runs(fabric)["x"]["rounds_closed"] == 0, f"{runs(fabric)}")
        table = fabric.ok("run", "list", "--state", fabric["root"].state)
        expect("it waits for e9" in table, table)
        fabric.ok("run", "set", "x", "round.on=e1", "--state", fabric["root"].state)
        ended(fabric, "x")


def a_run_takes_devices_that_offer_what_it_names_and_waits_for_one():
    with standing() as fabric:
        name = "one"
        submit(fabric, "x", 2, **{"train.data": "xray", "train.trainer": "synthetic"})
        submit(fabric, "t", 1, **{"train.trainer": "builtin"})
        submit(fabric, name, 1)
        ended(fabric, name)     # the others keep it not waiting
        waits = {"x": "nobody offers data xray",
                 "t": "nobody offers trainer builtin"}
        for other, text in waits.items():
            row = runs(fabric)[other]
            expect((row["state"], row["text"]) == ("queued", text), f"{row}")
        fabric["d2"].settings["data.name"] = "xray"
        fabric["d2"].restart()
        ended(fabric, "x")
        report = json.loads(fabric.ok("report", "2", "--run", "x", "--state",
                                      fabric["root"].state, "--json"))
        found = {entry["node"]: (entry["outcome"], entry["reason"]) for entry in report["entries"]}
        expect(found == {"e1": ("in", None), "d2": ("in", None), "d0": ("idle", "no-data"),
                         "d1": ("idle", "no-data")}, f"{found}")
        child = fabric.status()["children"][0]
        expect(re.fullmatch(r"synthetic/(default|xray), \.\.\.", child["offers"]), f"{child}")
        expect(runs(fabric)["t"]["text"] == waits["t"], "the last one still waits")


def what_cannot_be_done_is_refused_and_leaves_nothing_behind():
    with standing() as fabric:
        for changes, said in (({"rounds": 0}, "rounds"), ({"round.time_max": "200ms"}, "margin"),
                              ({"model.elements": -1}, "model.elements")):
            path = write_run(os.path.join(fabric.base, "runs"), {**SHAPE, **changes}, "bad")
            code, _, errors = fl("run", "submit", path, "--state", fabric["root"].state)
            expect(code != 0 and said in errors, f"{code}: {errors}")
        expect(not runs(fabric), f"{runs(fabric)}")


if __name__ == "__main__":
    main([runs_follow_each_other_and_the_devices_stay,
          two_at_a_time_give_the_bytes_that_each_gives_alone,
          masked_runs_take_turns_and_lose_nothing_when_the_root_dies,
          a_run_is_made_again_from_the_ledger,
          a_run_is_paused_resumed_and_stopped,
          a_run_that_cannot_be_opened_keeps_no_other_one_waiting,
          a_run_begins_with_the_model_of_another,
          a_run_waits_for_the_edges_that_it_names_and_says_so,
          a_run_takes_devices_that_offer_what_it_names_and_waits_for_one,
          what_cannot_be_done_is_refused_and_leaves_nothing_behind])
