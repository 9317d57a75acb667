"""The same updates give the same model, byte for byte: through 1, 2 or 7 edges, through two levels
of edges, in any order of arrival, with any number of threads, masked or not. The model is the
exported file."""
import random
import tempfile

from fabric import Fabric, expect, main, small_idx, spread

DEVICES = [f"d{number:02}" for number in range(14)]
ROUNDS = 4
ROOT = {"plan.pin": True, "rounds": ROUNDS, "model.elements": 10007,
        "round.time_max": "30s", "plan.bits": 16}
EDGE = {"round.time_max": "30s"}
#  Weights of 1 to 5, so that a sum which forgets them is another one.
OWN = {name: {"synthetic.samples": 64 * (1 + number % 5)} for number, name in enumerate(DEVICES)}

TREES = {
    "1 edge": ({"e1": "root"}, {"e1": 14}),
    "2 edges": ({"e1": "root", "e2": "root"}, {"e1": 11, "e2": 3}),
    "7 edges": ({f"e{n}": "root" for n in range(1, 8)},
                {"e1": 1, "e2": 1, "e3": 1, "e4": 2, "e5": 2, "e6": 3, "e7": 4}),
    "2 levels": ({"t1": "root", "t2": "root", "e1": "t1", "e2": "t1", "e3": "t2"},
                 {"e1": 5, "e2": 1, "e3": 4, "t2": 2, "root": 2}),
}
#  Three children of every parent, who mask with each other.
MASKED = {
    "no edge": ({}, {"root": 14}),
    "3 edges": ({"e1": "root", "e2": "root", "e3": "root"}, {"e1": 3, "e2": 4, "e3": 7}),
    "devices beside edges": ({"t1": "root", "t2": "root", "e1": "t1"},
                             {"e1": 4, "t1": 3, "t2": 4, "root": 3}),
}
#  Masked at one hop alone: two edges are too few for masks between them, and an edge with one
#  device for masks below it.
HALF = {
    "2 edges of masked devices": ({"e1": "root", "e2": "root"}, {"e1": 10, "e2": 4}, "edges"),
    "3 masked edges": ({"e1": "root", "e2": "root", "e3": "root"}, {"e1": 1, "e2": 2, "e3": 11},
                       "devices"),
}


def _models(fabric, order):
    """The model after each round, every device having been in each."""
    fabric.start(order)
    fabric.done(60)
    for one in fabric.rounds():
        expect(one["close"] == "done" and one["count"] == len(fabric.devices),
               f"a round without everybody proves nothing: {one}")
    expect(len(fabric.rounds()) == ROUNDS, f"{len(fabric.rounds())} rounds closed")
    return [fabric.model(number) for number in (ROUNDS - 1, ROUNDS)]


def _synthetic(tree, order, threads, root=None):
    edges, counts, unmasked = {**{name: (*it, True) for name, it in TREES.items()},
                               **{name: (*it, False) for name, it in MASKED.items()}, **HALF}[tree]
    with Fabric(edges=edges, devices=spread(DEVICES, counts), each=OWN, device={"threads": 2},
                root={**ROOT, "threads": threads, **(root or {})},
                edge={**EDGE, "threads": threads}, unmasked=unmasked) as fabric:
        models = _models(fabric, order)
        report = fabric.report(ROUNDS)
        expect(report["masked"] == (unmasked in (False, "edges")),
               f"masked or not: {report['masking']}")
        hops = [report["tiers"][tier]["blocks"] > 0 for tier in ("devices", "edges")]
        expect(hops == [bool(report["masked"] and edges), unmasked in (False, "devices")],
               f"which hops had blocks: {report['tiers']}")
        return models


def every_tree_order_and_number_of_threads_gives_the_same_model():
    """Four trees in the clear, three masked ones and two masked at one hop alone, nine orders, 1 to
    4 threads; and, so that the comparison can fail, one with another seed of the plan, which gives
    another model."""
    found = {}
    for number, tree in enumerate([*TREES, *MASKED, *HALF]):
        order, threads = list(DEVICES), 1 + number % 4
        random.Random(number).shuffle(order)
        found[f"{tree}, {threads} threads"] = _synthetic(tree, order, threads)
    first = next(iter(found.values()))
    expect(first[0] != first[1], "two rounds with one model: nothing was learnt")
    expect(all(models == first for models in found.values()), f"models differ: {found}")
    expect(_synthetic("1 edge", DEVICES, 2, {"train.seed": 2}) != first,
           "the seed of the dither does not reach the model")


def the_built_in_trainer_gives_the_same_model_twice():
    """Real training on real data, once through one edge and once, masked, through three."""
    names = DEVICES[:9]
    with tempfile.TemporaryDirectory(prefix="fl-") as directory:
        data = {"trainer": "builtin", "model.layers": "784-16-10", "data.shards": len(names),
                "data.alpha": 0.3, "data.minimum": 32, **small_idx(directory)}
        root = {**ROOT, "model.elements": 0, "model.layers": "784-16-10", "round.time_max": "60s"}
        own = {name: {"data.shard": number} for number, name in enumerate(names)}
        found = []
        for counts in ({"e1": 9}, {"e1": 3, "e2": 3, "e3": 3}):
            with Fabric(edges={edge: "root" for edge in counts}, devices=spread(names, counts),
                        root=root, edge={"round.time_max": "60s"}, device=data, each=own,
                        unmasked=len(counts) == 1) as fabric:
                found.append(_models(fabric, names if len(counts) == 1 else names[::-1]))
        expect(found[0] == found[1], f"models differ: {found}")


if __name__ == "__main__":
    main([every_tree_order_and_number_of_threads_gives_the_same_model,
          the_built_in_trainer_gives_the_same_model_twice])
