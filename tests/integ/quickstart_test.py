"""The README's first command: it trains well, says what it promises, stands beside another one, and
Ctrl-C leaves nothing running. Wants the release build; installs nothing."""
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
QUICKSTART = os.path.join(TOP, "deploy", "quickstart")
DATA = "/usr/share/datasets/fashion-mnist"
KEYS = ("rounds", "edges", "devices", "test_accuracy", "reference_accuracy", "wall_s", "encrypted",
        "masked", "late", "merge_ms_p50", "model")


def expect(truth, said):
    if not truth:
        raise AssertionError(said)


def begin(state, *arguments):
    return subprocess.Popen([QUICKSTART, "--no-install", "--state", state, *arguments],
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            start_new_session=True, cwd=TOP)


def finish(process, seconds):
    """All that it printed, once it has ended; it is stopped when it does not."""
    try:
        said, _ = process.communicate(timeout=seconds)
        return said
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=60)
        raise AssertionError(f"not done in {seconds} s:\n{said[-3000:]}") from None


def running_in(state):
    """Processes that name this state directory."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                line = file.read().decode(errors="replace")
        except OSError:
            continue
        if state in line and int(pid) != os.getpid():
            found.append(line.replace("\0", " "))
    return found


def parameters(path):
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(size))
    header.pop("__metadata__", None)
    return sum(one["data_offsets"][1] - one["data_offsets"][0] for one in header.values()) // 4


def it_trains_well(place):
    state = os.path.join(place, "one")
    process = begin(state, "--seed", "1", "--json")
    said = finish(process, 300)
    expect(process.returncode == 0, f"exit {process.returncode}:\n{said[-3000:]}")
    line = json.loads(said.strip().splitlines()[-1])
    print("   ", json.dumps(line))
    for key in KEYS:
        expect(key in line, f"the last line has no {key}")
    expect(line["rounds"] == 20 and line["edges"] == 4 and line["devices"] == 16, "other sizes")
    expect(line["test_accuracy"] >= 0.84, f"accuracy {line['test_accuracy']}")
    expect(line["test_accuracy"] >= line["reference_accuracy"] - 0.05, "far from the reference")
    expect(line["encrypted"] is True, "not encrypted")
    expect(line["masked"] is True, "not masked")
    expect(line["late"] > 0, "the slow device was never late: the deadline was not seen")
    expect(parameters(line["model"]) == 784 * 128 + 128 + 128 * 10 + 10, "another model")
    expect("of 4 edges in" in said, "the live tree was not shown")
    expect(not running_in(state), f"left running: {running_in(state)}")


def two_stand_side_by_side(place):
    small = ("--rounds", "2", "--edges", "1", "--devices", "2", "--json")
    states = [os.path.join(place, name) for name in ("left", "right")]
    processes = [begin(state, *small) for state in states]
    for process in processes:
        said = finish(process, 200)
        expect(process.returncode == 0, f"exit {process.returncode}:\n{said[-3000:]}")
        expect(json.loads(said.strip().splitlines()[-1])["rounds"] == 2, "not two rounds")
    again = begin(states[0], *small)
    said = finish(again, 60)
    expect(again.returncode == 1 and "holds an earlier run" in said, f"it overwrote a run: {said}")


def ctrl_c_leaves_nothing(place):
    state = os.path.join(place, "cut")
    process = begin(state, "--rounds", "500", "--edges", "2", "--devices", "4")
    said = []
    limit = time.monotonic() + 120
    while not any("round 1 " in line for line in said):
        line = process.stdout.readline()
        expect(line and time.monotonic() < limit, "it never began:\n" + "".join(said[-20:]))
        said.append(line)
    expect(len(running_in(state)) >= 7, f"too few processes: {running_in(state)}")
    os.killpg(process.pid, signal.SIGINT)
    finish(process, 60)
    expect(process.returncode == 130, f"exit {process.returncode}")
    expect(not running_in(state), f"left running: {running_in(state)}")


def main():
    if not os.path.exists(os.path.join(DATA, "train-images-idx3-ubyte.gz")):
        print(f"skipped: {DATA} is not there (package dataset-fashion-mnist)")
        return 77
    with tempfile.TemporaryDirectory() as place:
        for test in (it_trains_well, two_stand_side_by_side, ctrl_c_leaves_nothing):
            began = time.monotonic()
            test(place)
            print(f"ok {test.__name__.replace('_', ' ')} ({time.monotonic() - began:.1f} s)",
                  flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
