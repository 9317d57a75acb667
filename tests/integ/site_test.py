"""The owner of a site decides on the device alone: which runs, what a round may cost, and that a
run waits to be approved. Each refusal is in the node's log and in the report, and so is a part."""

import os

from fabric import Fabric, expect, main, small_idx, write_run

SAMPLES, BATCH, STEPS = 512, 32, 3
RULES = {"d1": {"approval": "needed"}, "d2": {"runs": "mnist-*, other"},
         "d3": {"steps_max": STEPS, "scores": False}, "d4": {"runs": "mnist-*, ru?"}}


def _found(fabric):
    idx = small_idx(fabric.base, SAMPLES)
    for number, (name, rules) in enumerate(RULES.items()):
        own = {"data.shards": 4, "data.shard": number, "data.minimum": 1}
        site = write_run(os.path.join(fabric.base, "sites"), rules, name)
        fabric[name].settings.update({**idx, **own, "site": site})
    return fabric.start()


def _report(fabric, number):
    fabric.until(lambda: fabric.closed() >= number, 20, f"round {number}")
    return fabric.report(number)


def _outcomes(report):
    return {name: (entry["outcome"], entry["reason"]) for name, entry in report["of"].items()
            if name in RULES}


def a_site_grants_refuses_cuts_and_approves():
    """Four devices of one edge; d3 trains 3 batches of 4, and that is its weight."""
    with Fabric(edges={"e1": "root"}, devices={name: "e1" for name in RULES}, unmasked=True,
                device={"trainer": "builtin"},
                root={"rounds": 100000, "model.layers": "784-16-10", "plan.weighting": "samples",
                      "plan.weight_unit": 1,
                      "round.join_wait": "8s", "round.wait": "8s"}) as fabric:
        first = _report(_found(fabric), 1)
        expect(_outcomes(first) == {"d1": ("refused", "approval"), "d2": ("refused", "site"),
                                    "d3": ("in", "partial"), "d4": ("in", None)}, f"{first}")
        whole = SAMPLES // 4
        expect(first["weight"] == first["stats"]["samples"] == whole + STEPS * BATCH,
               f"the weight is not that of the samples that were seen: {first}")
        expect(first["stats"]["evaluated"] == whole, "a score left d3")
        fabric["d3"].line("partial", steps=STEPS, of=whole // BATCH)
        fabric["d4"].line("site-grants", name="run")
        later = _report(fabric, fabric.closed() + 2)
        expect(_outcomes(later)["d1"] == ("idle", "approval") and later["duration_ms"] < 4000 and
               _outcomes(later)["d2"] == ("idle", "site"), f"{later}")
        manifest = fabric["d1"].line("site-refuses", reason="approval")["manifest"]
        waits = fabric.ok("approve", "--state", fabric["d1"].state)
        expect(waits == f"approved:\nwaiting:\n{manifest} run\n", f"fl approve: {waits}")
        fabric.ok("approve", manifest[:8], "--state", fabric["d1"].state)
        fabric.until(lambda: _outcomes(_report(fabric, fabric.closed()))["d1"] == ("in", None), 20,
                     "d1 is in")
        mark = fabric["d1"].mark()
        fabric["d1"].restart()
        fabric["d1"].line("site-grants", name="run", since=mark)
        expect(not fabric["d1"].lines("site-refuses", since=mark), "it was approved before")


main([a_site_grants_refuses_cuts_and_approves])
