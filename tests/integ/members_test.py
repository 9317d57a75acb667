"""Members that are gone for good: a run goes on at its speed, and a machine that lost its disk is
back under its name and with its data shard."""
import os
import shutil
import tempfile
import time

from fabric import Fabric, expect, fl, main, small_idx, spread, write_run

EDGES = {f"e{number}": "root" for number in range(1, 5)}
DEVICES = spread([f"d{number:02}" for number in range(16)], {edge: 4 for edge in EDGES})
WAIT_S = 12
GONE = {"d00", "e4", *(device for device, edge in DEVICES.items() if edge == "e4")}


def outcomes(f, number):
    return {name: (entry["outcome"], entry["reason"])
            for name, entry in f.report(number)["of"].items()}


def rounds_take(f, count):
    """The seconds of so many rounds, from a closed one on; each has a sum."""
    first, began = f.closed(), time.monotonic()
    f.until(lambda: f.closed() >= first + count, 4 * WAIT_S, f"{count} rounds close")
    took = time.monotonic() - began
    expect(all(f.report(number)["close"] == "done" for number in range(first + 1, first + count)),
           "a round was skipped")
    return took


def a_masked_tree_of_four_by_four_loses_a_device_and_an_edge_and_goes_on_at_its_speed():
    with Fabric(edges=EDGES, devices=DEVICES, root={
            "rounds": 1000000, "round.wait": f"{WAIT_S}s", "round.time_max": "20s",
            "shards": len(DEVICES)}, edge={"round.time_max": "20s"}) as f:
        f.start().whole(60)
        for name in GONE:
            f[name].kill()
        f["root"].line("given-up", peer="e4", bound_s=4 * WAIT_S)
        expect(rounds_take(f, 5) < WAIT_S, "the wait was paid again")
        said = outcomes(f, f.closed() - 1)
        expect(said["e4"] == ("absent", "gone"), f"e4 is {said['e4']}")
        expect(said["d00"][0] == "absent", f"d00 is {said['d00']}")
        replaced(f)


def replaced(f):
    """d00 has lost its disk: the name is taken, then forgotten, then free, with its shard."""
    with open(os.path.join(f["d00"].state, "shard"), "rb") as file:
        shard = file.read()
    shutil.rmtree(f["d00"].state)
    enrol = ["enrol", "--state", f["d00"].state, "--node", "d00", "--wait", "10s", "--token-file",
             f.token("e1", "device", name="d00")]
    code, _, errors = fl(*enrol)
    expect(code == 10 and "fl forget" in errors, f"exit code {code}: {errors}")
    f.ok("forget", "d00", "--state", f["root"].state)
    f.ok(*enrol)
    with open(os.path.join(f["d00"].state, "shard"), "rb") as file:
        expect(file.read() == shard, "it has another data shard")
    f["d00"].start()
    f.until(lambda: outcomes(f, f.closed()).get("d00", "-")[0] == "in", 4 * WAIT_S, "d00 is back")
    code, _, errors = fl("revoke", "nosuch", "--state", f["root"].state)
    expect(code == 13, f"exit code {code}: {errors}")


def a_site_of_one_sample_takes_part_and_a_run_whose_rounds_are_skipped_says_so():
    with tempfile.TemporaryDirectory() as directory:
        with Fabric(devices={"d1": "e1"}, unmasked=True, root={"run": ""}, device={
                "trainer": "builtin", "delay": "1s", **small_idx(directory, 1)}) as f:
            f.start()
            for time_max, code in (("10s", 0), ("500ms", 15)):
                path = write_run(directory, {
                    "rounds": 2, "round.expect": 1, "round.time_max": time_max,
                    "late.policy": "drop", "masking": "unmasked", "model.layers": "784-10"},
                                 f"run{time_max}")
                got, out, errors = fl("run", "submit", path, "--wait", "--state", f["root"].state)
                expect(got == code, f"exit code {got}: {out}{errors}")
            f["root"].line("run-skipped", skipped=2)
            f["d1"].line("run-done", reason="skipped")


main([a_masked_tree_of_four_by_four_loses_a_device_and_an_edge_and_goes_on_at_its_speed,
      a_site_of_one_sample_takes_part_and_a_run_whose_rounds_are_skipped_says_so])
