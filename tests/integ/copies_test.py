"""Two processes with the same keys, and parents whose lanes a child cannot reach. A copied state
directory costs the others no round, under the same edge and under another one; both processes are
named by their addresses, and the second is told what to do. A bulk lane that does not open is named
at both ends, and one that is mapped to another port is found there."""
import os
import shutil

from fabric import Fabric, Process, expect, main, spread
from link import Link

NAMES = [f"d{number}" for number in range(9)]
EDGES = {f"e{number}": "root" for number in range(3)}
DEVICES = spread(NAMES, {edge: 3 for edge in EDGES})
ROUNDS = 5          # watched after the copy came


def _fabric(unmasked):
    return Fabric(edges=EDGES, devices=DEVICES, unmasked=unmasked,
                  root={"rounds": 100000, "model.elements": 1000}, device={"delay": "150ms"})


def _copy(f, name, parent_like):
    """The state directory of `name` on a second machine, below the parent of another device."""
    twin = Process(f.base, "twin", "device", f[name].settings)
    shutil.copytree(f[name].state, twin.state, ignore=shutil.ignore_patterns("operator*", "lock"))
    shutil.copy(os.path.join(f[parent_like].state, "parent"), twin.state)
    twin.settings["state"] = twin.state
    f.nodes["twin"] = twin
    return twin.start()


def _whole(f, since):
    """Every one of these rounds is done with all nine."""
    f.until(lambda: f.closed() >= since + ROUNDS, 40, "the run goes on")
    for number in range(since, since + ROUNDS + 1):
        report = f.report(number)
        expect(report["close"] == "done" and report["count"] == 9, f"{number}: {report}")


def _beside(unmasked):
    with _fabric(unmasked) as f:
        f.start()
        f.until(lambda: f.closed() >= 2, 30, "two rounds")
        twin = _copy(f, "d0", "d0")
        told = twin.line("in-use")["why"]
        expect(told.count("127.0.0.1:") == 2 and "enrol it under its own name" in told, told)
        expect(f["e0"].line("in-use", peer="d0")["why"] == told, "its parent does not name both")
        _whole(f, f.closed() + 1)
        expect(not f["d0"].lines("in-use"), "the first one was sent away")
        f["d0"].kill()
        twin.line("welcomed", bound_s=10)      # nobody else is heard with the keys any more


def a_copy_beside_its_original_costs_no_masked_round():
    _beside(False)


def a_copy_beside_its_original_costs_no_unmasked_round():
    _beside(True)


def _elsewhere(unmasked):
    with _fabric(unmasked) as f:
        f.start()
        f.until(lambda: f.closed() >= 2, 30, "two rounds")
        twin = _copy(f, "d0", "d3")
        told = twin.line("in-use", bound_s=30)["why"]
        expect("in use under e0, came again from 127.0.0.1:" in told, told)
        f["root"].line("twin", peer="d0", at="e0")
        f["root"].line("twin", peer="d0", at="e1", reason="in-use")
        f["e1"].line("in-use", peer="d0")
        since = f.closed() + 1
        _whole(f, since)
        seats = [(entry["parent"], entry["outcome"]) for entry in f.report(since)["entries"]
                 if entry["node"] == "d0"]
        expect(seats == [("e0", "in")], f"{seats}")
        expect(all(f.report(number)["close"] == "done" for number in range(1, since)), "lost one")
        if not unmasked:
            return                             # a block of three needs all of them
        f["d0"].stop()                         # the one that is left may stay
        f.until(lambda: [entry["parent"] for entry in f.report(f.closed())["entries"]
                         if entry["node"] == "d0" and entry["outcome"] == "in"] == ["e1"], 30,
                "the other one counts")


def a_copy_under_another_edge_costs_no_masked_round():
    _elsewhere(False)


def a_copy_under_another_edge_costs_no_unmasked_round():
    _elsewhere(True)


# -- lanes ----------------------------------------------------------------------------------------
def a_device_that_reaches_the_control_port_only_is_named_at_both_ends():
    with Fabric(devices={"d1": "e1", "d2": "e1"}, unmasked=True,
                root={"rounds": 100000, "round.time_max": "20s"}) as f:
        f.found()
        Link("127.0.0.2", f["e1"].ports, ["control"], mapped=True).lead(f["d2"].state)
        f.start_devices()
        for lane in ("up", "down"):
            said = f"cannot reach 127.0.0.2:{f['e1'].ports[lane]}, the {lane} lane of e1"
            f["d2"].line("unreachable", bound_s=40, peer="e1", why=said)
            f["e1"].line("unreachable", peer="d2", why=said)
        since = f.closed() + 2
        f.until(lambda: f.closed() >= since, 60, "nobody waits for it")
        entry = [one for one in f.report(since)["entries"] if one["node"] == "d2"][0]
        expect((entry["outcome"], entry["reason"]) == ("refused", "unreachable"), f"{entry}")


def ports_that_are_mapped_are_advertised():
    with Fabric(devices={"d1": "e1", "d2": "e1"}, unmasked=True, root={"rounds": 3},
                edge={"listen.control": "tcp://localhost:0"}) as f:
        f.found()
        link = Link("127.0.0.2", f["e1"].ports, mapped=True)
        f["e1"].stop()
        f["e1"].settings.update({"listen.advertise.up": link.ports["up"],
                                 "listen.advertise.down": link.ports["down"]})
        f["e1"].start()
        for name in ("d1", "d2"):
            link.lead(f[name].state)
        f.start_devices()
        f.done()
        expect(f.report(3)["count"] == 2, f"{f.report(3)}")
        expect(not f["d1"].lines("unreachable"), "a lane was not found")


if __name__ == "__main__":
    main([
        a_copy_beside_its_original_costs_no_masked_round,
        a_copy_beside_its_original_costs_no_unmasked_round,
        a_copy_under_another_edge_costs_no_masked_round,
        a_copy_under_another_edge_costs_no_unmasked_round,
        a_device_that_reaches_the_control_port_only_is_named_at_both_ends,
        ports_that_are_mapped_are_advertised,
    ])
