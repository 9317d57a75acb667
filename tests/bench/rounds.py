"""rounds - whole rounds of real processes on loopback with the synthetic trainer: how long one
takes, and how much memory of their own the root and an edge need at most.

    rounds.py speed NAME plain|masked EDGES DEVICES ELEMENTS ROUNDS
    rounds.py memory NAME plain|masked DEVICES ELEMENTS ROUNDS
    rounds.py device NAME plain|masked DEVICES ELEMENTS ROUNDS

The memory is that of a root and of one edge with all devices; masks want three children of the
root, so two more devices are its own when it is masked.

Prints lines for tests/bench/run: name, value, unit and a note, with tabs between them. The memory
is the anonymous part of what is resident (RssAnon), sampled: staging slots and SQLite's maps are
files and can be given back. That of a device, below the root, with a trainer that stays and gives
the model back, is all that is resident. FL_BIN names the directory of the programs.
"""
import os
import statistics
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))
from fabric import Fabric, Failure, expect, fl, seconds, spread  # noqa: E402
from trainers import COPIER, own_trainers  # noqa: E402

WARM = 2
RING_BYTES = 4
MIB = 1 << 20
SAMPLE_S = 0.004
BOUND_S = 240
DAY_S = 24 * 3600


def say(name, value, unit, note):
    print(f"{name}\t{value:.6g}\t{unit}\t{note}", flush=True)


def fabric(masks, share, elements, rounds):
    """`share`: devices of each edge, and of the root; deadlines so long that nobody is late."""
    names = [f"d{number:02}" for number in range(sum(share.values()))]
    patient = {"beat": "1s", "round.time_max": "100s", "log.level": "info"}
    step = {"masking.step": "20s"} if masks == "masked" else {}
    return Fabric(edges={edge: "root" for edge in share if edge != "root"},
                  devices=spread(names, share),
                  root={**patient, "rounds": rounds, "model.elements": elements, **step},
                  edge=patient, unmasked=masks == "plain")


def finished(running, rounds, devices):
    """Wait for the last round; every one must have had everybody."""
    running["root"].line("run-done", bound_s=BOUND_S)
    closed = running["root"].lines("round-close")
    expect(len(closed) == rounds, f"{len(closed)} of {rounds} rounds closed")
    everybody = [one for one in running.rounds() if one["count"] == devices]
    expect(len(everybody) == rounds, "a round without everybody is no measure")
    return closed


def speed(name, masks, edges, devices, elements, rounds):
    share = {f"e{number}": devices // edges for number in range(1, edges + 1)}
    with fabric(masks, share, elements, rounds) as running:
        running.start()
        at = [seconds(line) for line in finished(running, rounds, devices)]
    took = sorted((late - early) % DAY_S for early, late in zip(at[WARM - 1:], at[WARM:]))
    middle = statistics.median(took)
    note = (f"{devices} devices x {elements} parameters, {edges} edges, {masks}; median of "
            f"{len(took)} rounds, {took[0]:.3f} to {took[-1]:.3f}")
    say(f"round_{name}", middle, "s", note)
    say(f"rounds_per_second_{name}", 1 / middle if middle > 0 else 0, "1/s", note)


class Peak(threading.Thread):
    """The most that some processes have resident of these kinds, in bytes, until `stop`."""

    def __init__(self, processes, kinds=("RssAnon:",)):
        super().__init__(daemon=True)
        self.kinds = kinds
        self.pids = {process.name: process.popen.pid for process in processes}
        self.bytes = dict.fromkeys(self.pids, 0)
        self.ended = threading.Event()

    def run(self):
        while not self.ended.wait(SAMPLE_S):
            for name, pid in self.pids.items():
                self.bytes[name] = max(self.bytes[name], resident(pid, self.kinds))

    def stop(self):
        self.ended.set()
        self.join()


def resident(pid, kinds):
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            return sum(int(line.split()[1]) * 1024 for line in file if line.startswith(kinds))
    except OSError:
        return 0


def memory(name, masks, devices, elements, rounds):
    model = elements * RING_BYTES
    share = {"e1": devices, "root": 2} if masks == "masked" else {"e1": devices}
    with fabric(masks, share, elements, rounds) as running:
        running.found()
        watch = Peak([running["root"], running["e1"]])
        watch.start()
        running.start_devices()
        finished(running, rounds, sum(share.values()))
        watch.stop()
    for tier, process in (("root", "root"), ("edge", "e1")):
        peak = watch.bytes[process]
        say(f"memory_{tier}_{name}", peak / model, "x model",
            f"{peak / MIB:.1f} MiB over {model / MIB:.1f} MiB; {devices} devices, {masks}, "
            f"{(peak - 64 * MIB) / model:.2f} x model above 64 MiB")


def device(name, masks, devices, elements, rounds):
    model = elements * RING_BYTES
    with fabric(masks, {"root": devices}, elements, rounds) as running:
        own_trainers(running, elements, {one: ("serve", COPIER) for one in running.devices})
        running.found()
        running.start_devices()
        watch = Peak([running["d00"]], ("RssAnon:", "RssFile:", "RssShmem:"))
        watch.start()
        finished(running, rounds, devices)
        watch.stop()
    peak = watch.bytes["d00"]
    say(f"memory_device_{name}", peak / model, "x model",
        f"{peak / MIB:.1f} MiB over {model / MIB:.1f} MiB; {(peak - 16e6) / model:.2f} x model "
        "above 16 MB")


def main(words):
    acts = {"speed": (speed, 7), "memory": (memory, 6), "device": (device, 6)}
    if (not words or words[0] not in acts or len(words) != acts[words[0]][1]
            or words[2] not in ("plain", "masked")):
        sys.exit(__doc__)
    act = acts[words[0]][0]
    fl("--version")    # says at once that FL_BIN is wrong
    act(words[1], words[2], *(int(word) for word in words[3:]))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Failure as failure:
        sys.exit(f"rounds: {failure}")
