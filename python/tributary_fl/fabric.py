"""A whole fabric on this machine: root, edges and devices as processes of their own, encrypted,
with secure aggregation. For a notebook, a first try, a comparison."""
from __future__ import annotations

import inspect
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Union

from .tensors import Tensors, load, save

PROGRAMS = ("fl", "fl-root", "edge-agg", "fl-device")
POLL_S, START_S, STOP_S = 0.2, 20.0, 10.0
LISTEN = [word for lane in ("control", "up", "down")
          for word in (f"--listen-{lane}", "tcp://127.0.0.1:0")]
PART = "TRIBUTARY_PART"    # set where a device runs the caller's file


class Finished(NamedTuple):
    """What came of it: a row for each round, and the last model by names."""

    history: List[Dict[str, Any]]
    weights: Tensors


def _programs(binaries: Optional[str]) -> str:
    """The directory of the four programs: an argument, FL_BIN, or where PATH has them."""
    found = binaries or os.environ.get("FL_BIN") or os.path.dirname(shutil.which("fl-root") or "")
    missing = [one for one in PROGRAMS if not os.access(os.path.join(found, one), os.X_OK)]
    if not found or missing:
        raise FileNotFoundError(f"no {', '.join(missing)} in {found or 'PATH'}: give binaries=, or "
                                "set FL_BIN to the directory of the programs")
    return os.path.abspath(found)


def _command(trainer: Union[str, Callable[[], Any]]) -> str:
    """The line that a device starts; a function is found again by its file and name."""
    if isinstance(trainer, str):
        return trainer
    source = inspect.getsourcefile(trainer) or ""
    if not os.path.exists(source) or "<" in trainer.__qualname__ or "." in trainer.__qualname__:
        raise ValueError(f"{trainer.__qualname__} has no file or no name of its own: devices are "
                         "other processes; write it into a module, as a plain function")
    where = os.path.abspath(source) if trainer.__module__ == "__main__" else trainer.__module__
    path = os.pathsep.join(os.path.abspath(one) for one in sys.path)
    return f"{PART}=1 PYTHONPATH={shlex.quote(path)} exec " + shlex.join(
        [sys.executable, "-m", "tributary_fl", where, trainer.__qualname__])


class _Fabric:
    """The processes, and the directory that they live in."""

    def __init__(self, programs: str, base: str) -> None:
        self.programs, self.base = programs, base
        self.running: Dict[str, subprocess.Popen[bytes]] = {}

    def path(self, name: str) -> str:
        return os.path.join(self.base, name)

    def fl(self, *words: str) -> str:
        done = subprocess.run([os.path.join(self.programs, "fl"), *words], text=True,
                              capture_output=True, stdin=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"fl {words[0]}: {done.stderr.strip()}")
        return done.stdout

    def start(self, name: str, program: str, *words: str) -> None:
        """In a session of its own, and ended by the kernel when this process is."""
        leash = ["setpriv", "--pdeathsig", "TERM"] if shutil.which("setpriv") else []
        with open(self.path(name + ".log"), "wb") as log:
            self.running[name] = subprocess.Popen(
                [*leash, os.path.join(self.programs, program), "--state", self.path(name), *words],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)

    def alive(self) -> None:
        for name, one in self.running.items():
            if one.poll() is not None:
                raise RuntimeError(f"{name} ended with exit code {one.returncode}: "
                                   f"{self.last(name)}")

    def failed(self) -> None:
        """Before any round has closed, a training that fails is everybody's."""
        for name in self.running:
            with open(self.path(name + ".log"), encoding="utf-8", errors="replace") as file:
                for line in file:
                    if "id=training-failed" in line:
                        raise RuntimeError(f"{name}: {line.strip()}")

    def last(self, name: str) -> str:
        with open(self.path(name + ".log"), encoding="utf-8", errors="replace") as file:
            return (file.read().splitlines() or ["it said nothing"])[-1]

    def token(self, parent: str, role: str, count: int) -> str:
        """A token for children of that parent, once it has bound its ports."""
        ports, end = self.path(f"{parent}/ports"), time.monotonic() + START_S
        while not (os.path.exists(ports) and os.path.getsize(ports) > 0):
            self.alive()
            if time.monotonic() > end:
                raise RuntimeError(f"{parent} is not up after {START_S:.0f} s: {self.last(parent)}")
            time.sleep(POLL_S)
        with open(ports, encoding="ascii") as file:
            port = dict(line.split() for line in file)["control"]
        path = self.path(f"{parent}.token")
        self.fl("token", "--authority", self.path("authority"), "--parent-cert",
                self.path(f"{parent}/node.cert"), "--endpoint", f"tcp://127.0.0.1:{port}",
                "--role", role, "--count", str(count), "--hours", "24", "--out", path)
        return path

    def stop(self) -> None:
        """Children first, so that nobody reports a parent that is gone."""
        for one in reversed(list(self.running.values())):
            one.terminate()
        end = time.monotonic() + STOP_S
        for one in self.running.values():
            try:
                one.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                one.kill()
                one.wait()


def _grow(fabric: _Fabric, devices: int, edges: int, masked: bool) -> None:
    """Authority, root, edges, and the devices dealt out to them."""
    masking = ["--masking-pin-allowed"] if masked else ["--masking", "unmasked"]
    fabric.fl("ca", "init", "--authority", fabric.path("authority"))
    fabric.start("root", "fl-root", *LISTEN, "--authority", fabric.path("authority"), "--beat",
                 "500ms", "--seats", str(max(8, edges or devices)))
    parents = ["root"]
    if edges:
        token = fabric.token("root", "edge", edges)
        parents = [f"edge-{number}" for number in range(edges)]
        for number, name in enumerate(parents):
            below = len(range(number, devices, edges))
            fabric.start(name, "edge-agg", *LISTEN, "--join-token", token, "--join-name", name,
                         "--beat", "500ms", "--round-expect", str(below), "--seats",
                         str(max(8, below)))
    tokens = [fabric.token(name, "device", len(range(number, devices, len(parents))))
              for number, name in enumerate(parents)]
    for number in range(devices):
        name = f"device-{number}"
        fabric.start(name, "fl-device", *masking, "--threads", "1", "--join-token",
                     tokens[number % len(parents)], "--join-name", name, "--trainers",
                     fabric.path("trainers"), "--data-shards", str(devices), "--data-shard",
                     str(number))


def _row(report: Mapping[str, Any]) -> Dict[str, Any]:
    stats = report["stats"]
    return {"round": report["round"], "close": report["close"], "devices": report["count"],
            "samples": stats["samples"], "loss": stats["device_loss"],
            "accuracy": stats["device_accuracy"], "saturated": stats["saturated"],
            "masked": report["masked"], "seconds": report["duration_ms"] / 1000}


def _follow(fabric: _Fabric, rounds: int, progress: bool) -> List[Dict[str, Any]]:
    """A row and a line for each round, until the run is over."""
    rows: List[Dict[str, Any]] = []
    state = ["--state", fabric.path("root"), "--json"]
    while True:
        fabric.alive()
        if not rows:
            fabric.failed()
        over = json.loads(fabric.fl("status", *state)).get("final")
        told = json.loads(fabric.fl("rounds", *state, str(len(rows) + 1)))
        for closed in told["rounds"]:
            if not closed["close"] or closed["round"] != len(rows) + 1:
                continue
            rows.append(_row(json.loads(fabric.fl("report", str(closed["round"]), *state))))
            usual = sorted(row["seconds"] for row in rows)[len(rows) // 2]
            left = usual * (rounds - len(rows))
            if progress:
                scores = "".join(f", {word} {rows[-1][word]:.4g}" for word in ("loss", "accuracy")
                                 if rows[-1][word] is not None)
                print(f"round {len(rows)} of {rounds}: {rows[-1]['devices']} devices{scores}, "
                      f"{rows[-1]['seconds']:.1f} s; {left:.0f} s left", file=sys.stderr)
        if over:
            return rows
        time.sleep(POLL_S)


def local(trainer: Union[str, Callable[[], Any]], devices: int = 16, edges: int = 4,
          rounds: int = 5, *, run: Optional[Mapping[str, Any]] = None,
          initial: Union[Tensors, str, None] = None, data: str = "", masked: bool = True,
          binaries: Optional[str] = None, progress: bool = True) -> Finished:
    """Train on this machine: `devices` below `edges` below a root (0 edges: all at the root).
    `trainer`: a function of a file, which makes a Trainer in each device, or a command. `run`:
    settings of its RUN.yaml; `initial`: the first model, or a file of it, else the trainer's own
    word for it; `data`: what fl.data() says there. Everything is stopped when it returns."""
    if os.environ.get(PART):
        raise RuntimeError('a device runs this file too: call local() below '
                           'if __name__ == "__main__":')
    if masked and (0 < edges < 3 or devices < 3 * max(edges, 1)):
        raise ValueError("secure aggregation takes three edges or none, and three devices at each "
                         "parent: have more, or say masked=False")
    programs, command = _programs(binaries), _command(trainer)
    base = tempfile.mkdtemp(prefix="tributary-")
    fabric, first = _Fabric(programs, base), os.path.join(base, "first.safetensors")
    try:
        if isinstance(initial, str):
            first = os.path.abspath(initial)
        elif initial is not None:
            save(first, initial)
        else:
            subprocess.run(["sh", "-c", f"{command} init {shlex.quote(first)}"], check=True,
                           stdin=subprocess.DEVNULL)
        settings = {"rounds": rounds, "round.expect": edges or devices, "round.time_max": "10m",
                    "round.expect_devices": devices, "plan.devices_max": max(devices, 16),
                    "server.optimizer": "fedavg", **({} if masked else {"masking": "unmasked"}),
                    **(run or {}), "model.initial": first, "train.trainer": "local"}
        os.mkdir(os.path.join(base, "trainers"))
        with open(os.path.join(base, "trainers", "command"), "w", encoding="utf-8") as file:
            file.write(f"cd {shlex.quote(os.getcwd())}\n{command}\n")
        owner = {"command": "exec sh ./command", "form": "serve", "data": json.dumps(data)}
        for path, lines in (("trainers/local.yaml", owner), ("run.yaml", settings)):
            with open(os.path.join(base, path), "w", encoding="utf-8") as file:
                file.writelines(f"{key}: {str(one).lower() if isinstance(one, bool) else one}\n"
                                for key, one in lines.items())
        _grow(fabric, devices, edges, masked)
        fabric.fl("run", "submit", fabric.path("run.yaml"), "--state", fabric.path("root"))
        rows = _follow(fabric, int(settings["rounds"]), progress)
        fabric.fl("model", "export", fabric.path("last"), "--state", fabric.path("root"))
        return Finished(rows, load(fabric.path("last")))
    finally:
        fabric.stop()
        shutil.rmtree(base, ignore_errors=True)
