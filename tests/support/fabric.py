"""fabric - a fabric of real processes for a test: authority, root, edges, devices in any tree.

    with Fabric(edges={"e1": "root", "e2": "e1"}, devices={"d1": "e1", "d2": "e2"},
                unmasked=True) as f:
        f.start()                                  # enrolled, joined, running
        f.until(lambda: f.closed() >= 3, 20, "three rounds")
        f["d1"].kill()
        report = f.report(4)

Standard library only. FL_BIN names the directory of the programs. Every wait has a bound and, when
it is missed, raises Failure with what was awaited; leaving the block after a failure prints the
ends of all logs. Every process is stopped by its process id when the block is left, and by the
kernel when the test itself is killed. Ports are free ones, states lie in a directory of their own,
so tests may run side by side. FL_KEEP=1 keeps that directory.
"""
import contextlib
import ctypes
import gzip
import hashlib
import inspect
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import types

PROGRAMS = {"root": "fl-root", "edge": "edge-agg", "device": "fl-device"}
POLL_S = 0.03
TAIL = 14
SKIPPED = 77
PR_SET_PDEATHSIG = 1

_libc = ctypes.CDLL(None)


class Failure(Exception):
    """What was expected did not come."""


class Skip(Exception):
    """The machine cannot run this test; says why."""


def binary(name):
    """Path of one of our programs."""
    path = os.path.join(os.environ.get("FL_BIN", "build/dev/bin"), name)
    if not os.access(path, os.X_OK):
        raise Failure(f"{path} is not there: set FL_BIN to the directory of the programs")
    return path


def flags(settings):
    """{"round.time_max": "5s", "plan.pin": True} as ["--round-time-max", "5s", "--plan-pin"]."""
    out = []
    for key, value in settings.items():
        flag = "--" + key.replace(".", "-").replace("_", "-")
        out += [flag] if value is True else [flag, str(value)]
    return out


def write_run(directory, settings, name="run"):
    """These settings as a RUN.yaml, a line each; its path."""
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, name + ".yaml")
    with open(path, "w", encoding="ascii") as file:
        for key, value in settings.items():
            file.write(f"{key}: {str(value).lower() if isinstance(value, bool) else value}\n")
    return path


def until(condition, bound_s, what):
    """The first true answer of condition(), asked again and again for bound_s seconds."""
    end = time.monotonic() + bound_s
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Failure(f"not within {bound_s} s: {what}")
        time.sleep(POLL_S)


def expect(condition, what):
    """An assertion that says what it found."""
    if not condition:
        raise Failure(what)


_PAIR = re.compile(r'([a-z_]+)=("(?:[^"\\]|\\.)*"|\S*)')


def logfmt(line):
    """One line of a log as a dict of texts; {} when it is none of ours."""
    pairs = {}
    for key, value in _PAIR.findall(line):
        pairs[key] = value[1:-1].replace('\\"', '"') if value.startswith('"') else value
    return pairs if "id" in pairs else {}


def seconds(line):
    """The time of a log line as seconds of its day, for differences within a test."""
    hours, minutes, rest = re.match(r".*T(\d+):(\d+):([\d.]+)Z", line["time"]).groups()
    return int(hours) * 3600 + int(minutes) * 60 + float(rest)


def run(argv, bound_s=30, stdin=None, **more):
    """A command to its end: (exit code, output, errors). Failure when it does not end."""
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True, timeout=bound_s, text=True,
                              check=False, **more)
    except subprocess.TimeoutExpired as late:
        raise Failure(f"not within {bound_s} s: the end of {' '.join(argv)}") from late
    return done.returncode, done.stdout, done.stderr


def fl(*words, bound_s=30, stdin=None):
    """The operator's command: (exit code, output, errors)."""
    return run([binary("fl"), *words], bound_s, stdin)


def _die_with_us():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """One process of a fabric; its log grows over restarts. Start from the main thread only: the
    kernel ties the process to the thread that started it."""

    def __init__(self, base, name, tier, settings):
        self.name, self.tier = name, tier
        self.state = os.path.join(base, name)
        self.log = os.path.join(base, name + ".log")
        self.settings = dict(settings)
        self.prefix = []          # e.g. ["ip", "netns", "exec", "slow"]
        self.ports = None         # (control, up, down) once it has bound them
        self.popen = None
        self.paused = False

    def argv(self):
        own = dict(self.settings)
        if self.tier == "root":
            run = {key: own.pop(key) for key in list(own) if key.startswith(OF_RUN)}
            if "run" not in own:    # "": none of its own, runs are submitted
                own["run"] = write_run(self.state + ".run", run)
        return [*self.prefix, binary(PROGRAMS[self.tier]), *flags(own)]

    def start(self, wait=True):
        """Run it; a parent is up when it has told its ports. They stay the same over restarts."""
        expect(not self.alive(), f"{self.name} runs already")
        ports = os.path.join(self.state, "ports")
        if os.path.exists(ports):
            os.unlink(ports)
        with open(self.log, "ab") as log:
            self.popen = subprocess.Popen(self.argv(), stdin=subprocess.DEVNULL, stdout=log,
                                          stderr=log, start_new_session=True,
                                          preexec_fn=_die_with_us)
        self.paused = False
        if wait and self.tier != "device":
            until(lambda: os.path.exists(ports) or not self.alive(), 20,
                  f"{self.name} tells its ports")
            expect(self.alive(), f"{self.name} ended at once: {self.last()}")
            self._remember(ports)
        return self

    def _remember(self, path):
        with open(path, encoding="ascii") as file:
            told = dict(line.split() for line in file)
        self.ports = {lane: int(told[lane]) for lane in ("control", "up", "down")}
        for lane, port in self.ports.items():
            key = "listen." + lane
            host = self.settings[key].rsplit(":", 1)[0]
            self.settings[key] = f"{host}:{port}"

    def alive(self):
        return self.popen is not None and self.popen.poll() is None

    def signal(self, number):
        if self.alive():
            os.kill(self.popen.pid, number)

    def pause(self):
        """Freeze it, and see that it is frozen."""
        self.signal(signal.SIGSTOP)
        self.paused = True
        until(lambda: self._kernel_state() in "TtZ", 5, f"{self.name} stands still")

    def resume(self):
        self.signal(signal.SIGCONT)
        self.paused = False

    def _kernel_state(self):
        with open(f"/proc/{self.popen.pid}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0]

    def wait(self, bound_s=20):
        """The exit code."""
        try:
            return self.popen.wait(bound_s)
        except subprocess.TimeoutExpired as late:
            raise Failure(f"{self.name} did not end within {bound_s} s") from late

    def kill(self):
        """As a crash would: SIGKILL, and gone when this returns."""
        self.signal(signal.SIGKILL)
        return self.wait()

    def stop(self, bound_s=20):
        """SIGTERM; the exit code."""
        self.signal(signal.SIGTERM)
        if self.paused:
            self.resume()
        return self.wait(bound_s)

    def restart(self):
        self.kill()
        return self.start()

    def mark(self):
        """Where the log ends now, for `lines(since=...)`."""
        return os.path.getsize(self.log) if os.path.exists(self.log) else 0

    def lines(self, *ids, since=0, **pairs):
        """The log's lines with one of the ids (all without ids) and these pairs, as dicts."""
        if not os.path.exists(self.log):
            return []
        with open(self.log, "rb") as file:
            file.seek(since)
            text = file.read().decode("utf-8", "replace")
        found = []
        for raw in text.splitlines():
            line = logfmt(raw)
            if line and (not ids or line["id"] in ids) and \
                    all(line.get(key) == str(value) for key, value in pairs.items()):
                found.append(line)
        return found

    def line(self, *ids, bound_s=20, since=0, **pairs):
        """The first such line, waited for."""
        return until(lambda: self.lines(*ids, since=since, **pairs), bound_s,
                     f"{self.name} logs {' or '.join(ids)} {pairs or ''}")[0]

    def last(self):
        """The last line, whatever it is."""
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return (file.read().rstrip().splitlines() or ["(it said nothing)"])[-1]

    def tail(self):
        if not os.path.exists(self.log):
            return []
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()[-TAIL:]


LOOPBACK = {"listen.control": "tcp://127.0.0.1:0", "listen.up": "tcp://127.0.0.1:0",
            "listen.down": "tcp://127.0.0.1:0"}
QUICK = {"beat": "200ms", "io_threads": 1}
#  What of a root's settings is its run's, and stands in RUN.yaml.
OF_RUN = ("rounds", "round.", "model.", "plan.", "masking", "train.", "late.", "server.", "stop.",
          "evaluate.", "keep")


def spread(names, parents):
    """Names dealt out: {"e1": 2, "e2": 1} gives the first two to e1 and the next one to e2."""
    names, out = list(names), {}
    for parent, count in parents.items():
        for _ in range(count):
            out[names.pop(0)] = parent
    return out


class Fabric:
    """edges and devices: {name: name of its parent}, "root" being the root. `root`, `edge`,
    `device`: settings of every process of the tier; `each`: {name: settings} of single ones. By
    default the devices run the synthetic trainer, each with a seed made from its name, the run has
    10000 elements, and the root waits for all of them before the first round. Rounds are masked,
    which takes three children of every parent; with fewer, or when a test wants to see what the
    masks hide, it says `unmasked`: True, or only what "devices" send, or "edges"."""

    def __init__(self, edges=None, devices=None, root=None, edge=None, device=None, each=None,
                 hosts=None, unmasked=False):
        self.base = tempfile.mkdtemp(prefix="fl-")
        self.edges = {"e1": "root"} if edges is None else dict(edges)
        self.devices = {"d1": "e1", "d2": "e1"} if devices is None else dict(devices)
        self.hosts = hosts or {}    # where children reach a parent; 127.0.0.1 unless said here
        self.authority = os.path.join(self.base, "authority")
        self.nodes = {}
        self.unmasked = unmasked
        few = [parent for parent in ["root", *self.edges] if len(self._below(parent)) < 3]
        expect(unmasked or not few, f"fewer than three children cannot mask: {few}")
        self._plan(root or {}, edge or {}, device or {}, each or {})

    def __getitem__(self, name):
        return self.nodes[name]

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is not None and not issubclass(kind, Skip):
            self.show()
        self.close()

    def _below(self, parent):
        return [name for name, above in {**self.edges, **self.devices}.items() if above == parent]

    def _plan(self, root, edge, device, each):
        builtin = device.get("trainer", "synthetic") == "builtin"
        elements = root.get("model.elements", 0 if builtin else 10000)
        common = {**LOOPBACK, **QUICK}
        masks = {"masking": "unmasked"} if self.unmasked in (True, "devices") else {}
        pin = {"masking.pin_allowed": True} if root.get("plan.pin") else {}
        step = {True: {}, False: {"masking.step": "500ms"},
                "edges": {"masking.step": "500ms", "masking.edges": "unmasked"},
                "devices": {"masking.step": "500ms", "masking.edges": "malicious"}}[self.unmasked]
        self._add("root", "root", {
            **common, "authority": self.authority,
            "round.expect": len(self._below("root")),
            "round.expect_devices": len(self.devices), "model.elements": elements,
            "plan.devices_max": max(16, len(self.devices)), "round.time_max": "10s",
            "margin.hop": "100ms", **masks, **step, **root}, each)
        for name in self.edges:
            self._add(name, "edge", {
                **common, **pin, "round.expect": len(self._below(name)),
                "backoff.min": "50ms", "backoff.max": "1s", "round.time_max": "10s", **edge}, each)
        synthetic = {} if builtin else {"trainer": "synthetic"}
        for name in self.devices:
            seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "little")
            own = {} if builtin else {"synthetic.seed": seed}
            self._add(name, "device", {"threads": 1, "backoff.min": "50ms", "backoff.max": "1s",
                                       **masks, **pin, **synthetic, **own, **device}, each)

    def _add(self, name, tier, settings, each):
        process = Process(self.base, name, tier, {**settings, **each.get(name, {})})
        process.settings["state"] = process.state
        self.nodes[name] = process

    # -- beginnings ---------------------------------------------------------------------------
    def start(self, order=None):
        """Enrol and start all, parents first; `order`: the devices in another order."""
        self.found()
        self.start_devices(order)
        return self

    def found(self):
        """Authority, root and edges run, every device is enrolled and not started."""
        if not os.path.exists(self.authority):
            self.ok("ca", "init", "--authority", self.authority)
        self["root"].start()
        level, rest = ["root"], dict(self.edges)
        while rest:
            nodes = [name for name, parent in rest.items() if parent in level]
            expect(nodes, f"edges without a way to the root: {rest}")
            self._enrol({name: rest.pop(name) for name in nodes}, "edge")
            for name in nodes:
                self[name].start()
            self._joined(nodes)
            level = nodes
        self._enrol(self.devices, "device")
        return self

    def _joined(self, names):
        for name in names:
            self[name].line("welcomed")

    def start_devices(self, order=None):
        for name in order or self.devices:
            self[name].start()

    def token(self, parent, role, count=1, **more):
        """The path of a file with a token for children of `parent`."""
        path = os.path.join(self.base, f"token-{parent}-{role}-{time.monotonic_ns()}")
        settings = {"authority": self.authority, "role": role, "count": count, "out": path,
                    "parent.cert": os.path.join(self[parent].state, "node.cert"),
                    "endpoint": self.endpoint(parent), **more}
        self.ok("token", *flags(settings))
        return path

    def endpoint(self, parent):
        return f"tcp://{self.hosts.get(parent, '127.0.0.1')}:{self[parent].ports['control']}"

    def _enrol(self, children, role):
        """Up to four at a time."""
        tokens = {parent: self.token(parent, role, list(children.values()).count(parent))
                  for parent in set(children.values())}
        running = []
        for name, parent in children.items():
            if len(running) >= 4:
                self._enrolled(*running.pop(0))
            argv = [binary("fl"), "enrol", *flags({
                "state": self[name].state, "node": name, "role": role,
                "token.file": tokens[parent], "wait": "20s"})]
            running.append((name, subprocess.Popen(argv, stdout=subprocess.PIPE,
                                                   stderr=subprocess.PIPE, text=True,
                                                   preexec_fn=_die_with_us)))
        for one in running:
            self._enrolled(*one)

    @staticmethod
    def _enrolled(name, popen):
        try:
            _, errors = popen.communicate(timeout=30)
        except subprocess.TimeoutExpired as late:
            popen.kill()
            raise Failure(f"{name} was not enrolled within 30 s") from late
        expect(popen.returncode == 0, f"{name} was not enrolled: {errors.strip()}")

    # -- questions ----------------------------------------------------------------------------
    @staticmethod
    def ok(*words):
        """`fl WORDS`, which must work; its output."""
        code, out, errors = fl(*words)
        expect(code == 0, f"fl {' '.join(words)}: exit code {code}: {errors.strip()}")
        return out

    def ask(self, name, *words):
        """`fl WORDS --json` of a process; None when it does not answer with exit code 0."""
        code, out, _ = fl(*words, "--state", self[name].state, "--timeout", "2s", "--json")
        return json.loads(out) if code == 0 else None

    def status(self, name="root"):
        return self.ask(name, "status")

    def report(self, number):
        """The report of a closed round, with `entries` as {node: entry} beside the list. The log
        says that a round is closed a moment before that is on disk."""
        report = self.until(lambda: self.ask("root", "report", str(number)), 5,
                            f"the report of round {number}")
        report["of"] = {entry["node"]: entry for entry in report["entries"]}
        return report

    def rounds(self):
        """The closed rounds, in their order."""
        answer = self.ask("root", "rounds")
        return [one for one in answer["rounds"] if one["close"]] if answer else []

    def closed(self):
        """The newest closed round, by the root's log: cheap enough to be asked often. A log
        has a bound of lines; who lets rounds close by the dozen asks `rounds`."""
        lines = self["root"].lines("round-close")
        return max((int(line["round"]) for line in lines), default=0)

    def whole(self, bound_s=20):
        """Wait for a closed round that has counted every device; its number."""
        def newest():
            rounds = self.rounds()
            return rounds and rounds[-1]["count"] == len(self.devices) and rounds[-1]["round"]
        return self.until(newest, bound_s, "a round with every device closes")

    def done(self, bound_s=60):
        """Wait for the end of the run; the root's last status."""
        self["root"].line("run-done", bound_s=bound_s)
        return self.until(lambda: (self.status() or {}).get("final") and self.status(), 10,
                          "the root says that the run is over")

    def model(self, number=0):
        """The SHA-256 of the exported model file after a round, 0 being the newest."""
        path = os.path.join(self.base, f"model-{number}-{time.monotonic_ns()}.safetensors")
        more = ["--round", str(number)] if number else []
        self.ok("model", "export", path, "--state", self["root"].state, *more)
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()

    def until(self, condition, bound_s, what):
        """As `until`, and at once a failure when a process has panicked."""
        def looked():
            for process in self.nodes.values():
                code = process.popen.poll() if process.popen else None
                crashed = code is not None and code < 0 and -code not in (signal.SIGKILL,
                                                                           signal.SIGTERM)
                expect(not crashed, f"{process.name} crashed, code {code}: {process.last()}")
            return condition()
        return until(looked, bound_s, what)

    # -- ends ---------------------------------------------------------------------------------
    def show(self):
        """The end of every log."""
        for process in self.nodes.values():
            code = process.popen.poll() if process.popen else "never ran"
            print(f"---- {process.name} ({'runs' if code is None else code})")
            for line in process.tail():
                print("    " + line)

    def close(self):
        for process in self.nodes.values():
            process.signal(signal.SIGKILL)
        for process in self.nodes.values():
            if process.popen:
                process.popen.wait()
        if os.environ.get("FL_KEEP"):
            print(f"kept: {self.base}")
        else:
            shutil.rmtree(self.base, ignore_errors=True)


@contextlib.contextmanager
def contained(limit_bytes):
    """Words that start a program in a memory cgroup of that size, v2 or v1; none where the machine
    gives us no such group."""
    one, two = "/sys/fs/cgroup/memory", "/sys/fs/cgroup"
    v2 = os.path.exists(os.path.join(two, "cgroup.controllers"))
    path = os.path.join(two if v2 else one, f"fl-test-{os.getpid()}")
    limits = ["memory.max"] if v2 else ["memory.limit_in_bytes"]
    words = []
    try:
        os.mkdir(path)
        for limit in limits:
            with open(os.path.join(path, limit), "w", encoding="ascii") as file:
                file.write(str(limit_bytes))
        words = ["sh", "-c", f"echo $$ >{path}/cgroup.procs && exec \"$@\"", "contained"]
    except OSError as denied:
        print(f"    no memory cgroup ({denied}): measured only", flush=True)
    try:
        yield words
    finally:
        if os.path.isdir(path):
            os.rmdir(path)      # empty: its processes have ended


FASHION = "/usr/share/datasets/fashion-mnist"


def fashion_mnist():
    """Settings of the test set for the root, and of the training set for devices."""
    if not os.path.exists(FASHION):
        raise Skip("the Debian package dataset-fashion-mnist is not installed")
    def pair(prefix, which):
        return {f"{prefix}.inputs": f"{FASHION}/{which}-images-idx3-ubyte.gz",
                f"{prefix}.labels": f"{FASHION}/{which}-labels-idx1-ubyte.gz"}
    return pair("test", "t10k"), pair("data", "train")


def small_idx(directory, samples=2000, name="train"):
    """Settings of a device: the first samples of Fashion-MNIST as plain IDX files, quick to read"""
    _, whole = fashion_mnist()
    out = {}
    for key, path in whole.items():
        header, each = (16, 784) if key.endswith("inputs") else (8, 1)
        with gzip.open(path, "rb") as file:
            content = file.read(header + samples * each)
        out[key] = os.path.join(directory, f"{name}-{key.split('.')[1]}.idx")
        with open(out[key], "wb") as file:
            file.write(content[:4] + samples.to_bytes(4, "big") + content[8:])
    return out


def tests_of(module):
    """The functions of that module that take nothing: its tests, in their order."""
    return [one for one in vars(sys.modules[module]).values()
            if isinstance(one, types.FunctionType) and one.__module__ == module
            and not inspect.signature(one).parameters]


def main(tests):
    """Run these functions, their names being sentences, or only those whose names hold a word
    of the command line. Exits with 77 when nothing ran because all were skipped."""
    def ended(number, _frame):
        raise Failure(f"ended by signal {number}")
    signal.signal(signal.SIGTERM, ended)
    chosen = [test for test in tests
              if not sys.argv[1:] or any(word in test.__name__ for word in sys.argv[1:])]
    passed = failed = skipped = 0
    for test in chosen:
        began = time.monotonic()
        try:
            test()
            passed += 1
            verdict = "ok"
        except Skip as skip:
            skipped += 1
            verdict = f"SKIPPED: {skip}"
        except Failure as failure:
            failed += 1
            verdict = f"FAILED: {failure}"
        except Exception:  # pylint: disable=broad-except
            failed += 1
            verdict = "FAILED:\n" + traceback.format_exc()
        print(f"{test.__name__}: {verdict} ({time.monotonic() - began:.1f} s)", flush=True)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed or not chosen else SKIPPED if skipped and not passed else 0)
