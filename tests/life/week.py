#!/usr/bin/env python3
"""week - seven days of an installation of real processes, as its operator lives them: a root, four
edges and sixteen devices that mask, from `fl init` to the end of the run. Each day has its events;
after each of them every report is read: nobody may be missing in it, and who was not in has a
reason. FL_LIFE_S makes it last so many seconds: the events come again, to others. FL_BIN_NEXT
names the programs of another build for the upgrade. Prints what it sees and when it will be done;
the last line counts checks. Exit codes: 0 all passed, 1 one failed."""
import json
import os
import shutil
import signal
import sys
import time
import traceback

from fabric import Fabric, Failure, Process, expect, fl, small_idx, spread, until
from link import Link

EDGES = [f"edge-{number}" for number in range(1, 5)]
NAMES = [f"dev-{number:02}" for number in range(16)]
LASTS_S = float(os.environ.get("FL_LIFE_S", "0"))
LONG = LASTS_S >= 300
CERTIFICATE_S = 90 if LONG else 20
WAIT_S = 8 if LONG else 4       # of a round for who is away, once
DELAY_MS = 1000 if LONG else 250
HOUR = 3600
YEAR = 8766 * HOUR
BOUND_S = 90    # to be whole again: with a certificate that ended, a node asks each 60 s


class Week(Fabric):
    """The fabric that `fl init` makes, and what its operator knows of it."""

    def __init__(self):
        super().__init__(edges={name: "root" for name in EDGES},
                         devices=spread(NAMES, {name: 4 for name in EDGES}),
                         edge={"round.time_max": "30s", "backoff.max": "500ms"},
                         device={"trainer": "builtin", "delay": f"{DELAY_MS}ms",
                                 "backoff.max": "500ms"})
        self.place = os.path.join(self.base, "fabric")
        self.authority = os.path.join(self.place, "authority")
        self.links, self.members = {}, set()    # who must be named in each report
        self.read, self.names_read, self.lost, self.keys = 0, 0, {}, None
        self.passed = self.failed = 0
        self.began = time.monotonic()
        self.data = {**small_idx(self.base, 960), "data.minimum": 1}
        for process in self.nodes.values():
            self._prepare(process)

    def _prepare(self, process):
        """A clock of its own; devices have a shard of the data, leased by the root."""
        path = process.state + ".clock"
        self.set_clock(process.name, 0)
        library = os.path.join(os.path.abspath(os.environ.get("FL_BIN", "build/dev/bin")),
                               "libfl_clock.so")
        process.prefix = ["env", f"LD_PRELOAD={library}", f"FL_CLOCK={path}"]
        if process.tier == "device":
            process.settings.update(self.data)

    def set_clock(self, name, wrong_s):
        file = os.open(os.path.join(self.base, name + ".clock"), os.O_WRONLY | os.O_CREAT, 0o600)
        os.pwrite(file, int(wrong_s).to_bytes(8, sys.byteorder, signed=True), 0)    # it is mapped
        os.close(file)

    # -- what is seen -----------------------------------------------------------------------------
    def say(self, text):
        print(f"{time.monotonic() - self.began:7.1f} s  {text}", flush=True)

    def check(self, truth, text):
        self.passed, self.failed = self.passed + bool(truth), self.failed + (not truth)
        self.say(f"    {'ok' if truth else 'FAILED'}: {text}")

    def named(self, name, ids, words, since=0, **pairs):
        """A line of this log tells the cause in these words."""
        ids = ids if isinstance(ids, tuple) else (ids,)

        def found():
            return [line for line in self[name].lines(*ids, since=since, **pairs)
                    if words in line.get("why", "") + " " + line.get("reason", "")]
        try:
            line = self.until(found, BOUND_S, f"{name} says {words}")[0]
        except Failure as failure:
            lines = self[name].lines(*ids, since=since)
            self.check(False, f"{failure}; it said {lines[-3:]}")
            return
        cause = line.get("why") or line.get("reason")
        self.check(True, f"{name}: id={line['id']} {line.get('peer', '')} {cause}")

    def newest(self):
        answer = self.ask("root", "rounds", "--limit", "1", "--run", "first")
        rounds = [one["round"] for one in (answer or {"rounds": []})["rounds"] if one["close"]]
        return rounds[-1] if rounds else 0

    def report(self, number):
        answer = self.until(lambda: self.ask("root", "report", str(number), "--run", "first"), 10,
                            f"the report of round {number}")
        answer["of"] = {entry["node"]: entry for entry in answer["entries"]}
        return answer

    def on(self, rounds=1):
        """So many rounds are opened from now on and close; the newest one."""
        goal = self.newest() + rounds + 1
        self.until(lambda: self.newest() >= goal, BOUND_S, f"round {goal} closes")
        return goal

    def whole(self, bound_s=BOUND_S):
        """A round with everybody closes."""
        first = self.newest()

        def counted():
            number = self.newest()
            return number > first and self.report(number)["count"] == len(self.devices) and number
        try:
            return self.until(counted, bound_s, f"all {len(self.devices)} devices are in a round")
        except Failure:
            for name, entry in self.report(self.newest())["of"].items():
                if entry["outcome"] != "in":
                    self.say(f"    {name} {entry['outcome']} {entry['reason']}: "
                             f"{self[name].last()[:300]}")
            raise

    def outcome(self, name, number):
        entry = self.report(number)["of"].get(name, {"outcome": "not named", "reason": None})
        return entry["outcome"], entry["reason"]

    def reported(self, name, outcome, *reasons, after=None):
        """A report says that of the node, with one of these reasons."""
        first = self.newest() if after is None else after

        def found():
            return [number for number in range(first + 1, self.newest() + 1)
                    if self.outcome(name, number)[0] == outcome and
                    (not reasons or self.outcome(name, number)[1] in reasons)]
        try:
            number = self.until(found, BOUND_S, "")[0]
            said = " ".join(map(str, self.outcome(name, number)))
            self.check(True, f"report {number}: {name} {said}")
        except Failure:
            said = [self.outcome(name, number) for number in range(first + 1, self.newest() + 1)]
            self.check(False, f"no report says {name} {outcome} {reasons}: {said}")

    def audit(self):
        """Each report since the last look names every member, and why it was not in; nobody lacks a
        pool that is no newcomer. Who was not in: {name: rounds}."""
        self.lost = {}
        unnamed, silent, closed = [], [], self.newest()
        if closed <= self.read:
            return
        for number in range(self.read + 1, closed + 1):
            report = self.report(number)
            unnamed += [(number, name) for name in self.members - set(report["of"])]
            self.members |= set(report["of"])       # from its first round on
            for name, entry in report["of"].items():
                if entry["outcome"] != "in":
                    self.lost[name] = self.lost.get(name, 0) + 1
                    if entry["reason"] in (None, "", "no-pool"):
                        silent.append((number, name, entry["outcome"], entry["reason"]))
            if report["close"] != "done" and not report["reason"]:
                silent.append((number, report["close"]))
            self.names_read += len(report["of"])
        self.check(not unnamed, f"reports {self.read + 1} to {closed} name everybody"
                   + (f", but {unnamed[:4]}" if unnamed else ""))
        self.check(not silent, f"who was not in has a reason ({len(self.lost)} were not)"
                   + (f", but {silent[:4]}" if silent else ""))
        self.read = max(self.read, closed)

    # -- what the operator does -------------------------------------------------------------------
    def install(self):
        """`fl init`, the root, and every node with the tokens that it speaks of."""
        port = 20000 + os.getpid() % 10000
        self.ok("init", self.place, "--endpoint", f"tcp://127.0.0.1:{port}", "--edges",
                str(len(EDGES)), "--devices", str(len(NAMES)))
        root = self["root"]
        root.state = os.path.join(self.place, "root")
        root.settings.update({
            "config": os.path.join(self.place, "root.yaml"), "run": "", "state": root.state,
            "shards": len(NAMES) + 112, "runs": 2, "certificates.life": f"{CERTIFICATE_S}s",
            "authority": self.authority, "checkpoints": 4})
        for name in ("round.expect", "round.expect_devices", "model.elements", "plan.devices_max"):
            root.settings.pop(name, None)
        root.start()
        for number, name in enumerate(EDGES):
            self.links[name] = Link(f"127.0.1.{number + 1}", root.ports)
            self.join(name, os.path.join(self.place, "edge.token"))
        for name in EDGES:
            self[name].line("welcomed")
        for number, name in enumerate(EDGES):
            below = [one for one in self.devices if self.devices[one] == name]
            token = self.device_token(name, len(below) + 4)
            self.links[below[-1]] = Link(f"127.0.2.{number + 1}", self[name].ports)
            for one in below:
                self.join(one, token)

    def device_token(self, parent, count, prefix="dev-"):
        path = os.path.join(self.base, f"token-{parent}-{time.monotonic_ns()}")
        until(lambda: fl("token", "--authority", self.authority, "--state", self["root"].state,
                         "--parent", parent, "--endpoint", self.endpoint(parent), "--role",
                         "device", "--prefix", prefix, "--count", str(count), "--out",
                         path)[0] == 0, BOUND_S, f"{parent} has a certificate for a token")
        return path

    def join(self, name, token):
        process = self[name]
        process.settings.update({"join.token": token, "join.name": name})
        if name in self.links:
            link = self.links[name]
            process.settings["join.endpoint"] = f"tcp://{link.host}:{link.ports['control']}"
        process.start()

    def add(self, name, parent):
        self.devices[name] = parent
        self._add(name, "device", {"threads": 1, "backoff.min": "50ms", "backoff.max": "500ms",
                                   "delay": f"{DELAY_MS}ms", "trainer": "builtin"}, {})
        self._prepare(self[name])
        self.join(name, self.device_token(parent, 1))

    def submit(self, name, *sets):
        more = ["model.layers=784-8-10", "masking.step=500ms", f"round.wait={WAIT_S}s",
                "round.time_max=30s", "plan.devices_max=128", *sets]
        self.ok("run", "submit", os.path.join(self.place, "run.yaml"), "--state",
                self["root"].state, "--name", name, *[word for one in more
                                                      for word in ("--set", one)])

    def run_row(self, name):
        rows = (self.ask("root", "run", "list") or {"runs": []})["runs"]
        return next((one for one in rows if one["name"] == name), {})


# -- the days: each event takes the week and how often it came before -----------------------------
def installed(week, _turn):
    """By `fl init`, the commands that it prints, and its run; a second run beside it ends."""
    week.install()
    week.submit("first", "rounds=1000000")
    week.until(lambda: week.run_row("first").get("state") == "running", BOUND_S, "the run begins")
    number = week.whole()
    week.check(week.report(number)["masked"], f"round {number} has all 16 devices, masked")


def second_run(week, turn):
    """A run beside the first, of more priority: it ends, the first goes on."""
    name = f"side-{turn}"
    week.submit(name, "rounds=2")
    week.until(lambda: week.run_row(name).get("ended"), 2 * BOUND_S, f"run {name} ends")
    row = week.run_row(name)
    week.check(row["state"] == "done" and not row["reason"], f"{name} is {row['state']}")
    week.whole()


def gone(week, turn):
    """A device and an edge die for good; who is below the edge goes on knocking."""
    device, edge = NAMES[turn * 4 % 12], EDGES[(turn + 3) % 4]
    if week.devices[device] == edge:
        device = NAMES[(turn * 4 + 4) % 12]
    below = [name for name, parent in week.devices.items() if parent == edge]
    marks = {name: week[name].mark() for name in ["root", *below]}
    number = week.newest()
    week[device].kill()
    week[edge].kill()
    with open(os.path.join(week[device].state, "shard"), "rb") as file:
        shard = file.read()
    for name in (device, edge):
        shutil.rmtree(week[name].state)
    code, _, errors = fl("enrol", "--state", week[device].state, "--node", device, "--wait", "10s",
                         "--token-file", week.device_token(week.devices[device], 1))
    week.check(code == 10 and "fl forget" in errors, f"new keys, old name: {errors.strip()}")
    week.named("root", "given-up", "", since=marks["root"], peer=edge)
    week.reported(edge, "absent", "gone", after=number)
    week.reported(device, "absent", after=number)
    week.reported(below[1], "absent", after=number)
    week.named(below[1], "reconnect", "", since=marks[below[1]], peer=edge)
    began, first = time.monotonic(), week.newest()
    week.on(2)
    took = (time.monotonic() - began) / (week.newest() - first)
    week.check(took < WAIT_S, f"a round takes {took:.1f} s: nobody waits for them")
    replaced(week, device, edge, below, shard)


def replaced(week, device, edge, below, shard):
    """Both have lost their disks: forgotten, joined anew under their names, each with its shard."""
    week.audit()
    for name in (device, edge):
        week.ok("forget", name, "--state", week["root"].state)
    token = week.device_token(week.devices[device], 1)
    week.join(device, token)
    edge_token = os.path.join(week.base, f"token-edge-{time.monotonic_ns()}")
    week.ok("token", "--authority", week.authority, "--parent-cert",
            os.path.join(week["root"].state, "node.cert"), "--endpoint", week.endpoint("root"),
            "--role", "edge", "--name", edge, "--out", edge_token)
    week.join(edge, edge_token)
    week[edge].line("welcomed", bound_s=BOUND_S)
    week.audit()
    week.members -= set(below)      # the new edge hears of them when they join
    token = week.device_token(edge, len(below))
    for name in below:
        week[name].stop()
        os.unlink(os.path.join(week[name].state, "node.cert"))
        week.join(name, token)
    number = week.whole()
    week.check(True, f"report {number}: {device}, {edge} and those below it are in again")
    with open(os.path.join(week[device].state, "shard"), "rb") as file:
        week.check(file.read() == shard, f"{device} has the data shard that it had")


def cloned(week, turn):
    """A disk is copied to a second machine, below the same edge: it costs nobody a round."""
    name = NAMES[(5 + 3 * turn) % 16]
    week.audit()
    twin = Process(week.base, f"twin-{turn}", "device", week[name].settings)
    shutil.copytree(week[name].state, twin.state,
                    ignore=shutil.ignore_patterns("operator*", "lock"))
    twin.settings["state"] = twin.state
    week.nodes[twin.name] = twin
    parent, mark = week.devices[name], week[week.devices[name]].mark()
    twin.start()
    week.named(twin.name, "in-use", "enrol it under its own name")
    week.named(parent, "in-use", "127.0.0.1:", since=mark, peer=name)
    week.on(2)
    week.audit()
    week.check(not week.lost, f"nobody lost a round to the copy {week.lost or ''}")
    twin.stop()


def added(week, turn):
    """A new device joins while the run goes on, and the run waits for it from then on."""
    name = f"dev-{16 + turn}"
    week.add(name, EDGES[turn % 4])
    week.ok("run", "set", "first", f"round.expect_devices={len(week.devices)}", "--state",
            week["root"].state)
    week.check(week.whole(), f"{name} is in")


def new_keys(week, turn):
    """A device that runs is given new keys, and takes them over within ten seconds."""
    name = NAMES[(6 + 5 * turn) % 16]
    week.keys = name, week[name].mark()
    week.ok("enrol", "--renew", "--new-keys", "--state", week[name].state)


def keys_taken(week, _turn):
    """It has them, and is in with them."""
    name, mark = week.keys
    week[name].line("renewed", keys="new", since=mark)
    mark = week[name].mark()
    week[name].line("verdict", outcome="in", since=mark)
    week.check(True, f"{name} is in with new keys")


def clock_of_a_member(week, turn):
    """Machines whose clocks are wrong start, say so, and are in again once the clocks are set."""
    wrong = {NAMES[turn % 4 + 4]: 25 * HOUR, NAMES[turn % 4 + 8]: -25 * HOUR,
             NAMES[turn % 4]: 50 * YEAR, NAMES[turn % 4 + 12]: -50 * YEAR}
    marks = {}
    for name, off in wrong.items():
        week[name].stop()
        marks[name] = week[name].mark()
        week.set_clock(name, off)
        week[name].start()
    for name, off in wrong.items():
        year = time.gmtime(time.time() + off).tm_year
        week.named(name, ("clock", "not-renewed"), f"clock says {year}", since=marks[name])
    for name in wrong:
        week.set_clock(name, 0)
    week.check(week.whole(2 * BOUND_S), "they are in again, by themselves")
    edge = EDGES[turn % 4]
    for off in (50 * YEAR, -50 * YEAR):     # while it runs, as a bad time server would
        mark = week[edge].mark()
        week.set_clock(edge, off)
        year = time.gmtime(time.time() + off).tm_year
        week.named(edge, ("clock", "not-renewed"), f"clock says {year}", since=mark)
        week.set_clock(edge, 0)
        week.check(week.whole(2 * BOUND_S), f"{edge} and all below it are in again")


def clock_of_the_root(week, _turn):
    """The root's clock is a day ahead, 50 years ahead and 50 years behind, and set right again:
    nobody is locked out."""
    for off in (25 * HOUR, 50 * YEAR, -50 * YEAR):
        year = time.gmtime(time.time() + off).tm_year
        week["root"].stop()
        marks = {name: week[name].mark() for name in ["root", *EDGES]}
        week.set_clock("root", off)
        week["root"].start()
        said = until(lambda: [line for name in marks for line in week[name].lines(
            "clock", "not-renewed", since=marks[name]) if str(year) in line.get("why", "")], 20,
                     f"somebody names {year}")[0]
        week.check(True, f"{said['node']}: id={said['id']} {said['why']}")
        week.set_clock("root", 0)
        week.check(week.whole(2 * BOUND_S), "all are in again, by themselves")


def cut(week, turn):
    """The links of an edge and of a device are cut, and mended."""
    edge = EDGES[(1 + turn) % 4]
    device = next(name for name in week.links if week.devices.get(name) == EDGES[(2 + turn) % 4])
    number = week.newest()
    marks = {name: week[name].mark() for name in ("root", edge, device)}
    for name in (edge, device):
        week.links[name].cut()
    week.reported(edge, "absent", "silent", "gone", after=number)
    week.reported(device, "absent", "silent", "gone", after=number)
    for name in (edge, device):
        week.named(name, "reconnect", "silent", since=marks[name])
        week.links[name].mend()
    week.named("root", "expired", "", since=marks["root"], peer=edge)
    week.check(week.whole(), "mended, they are in again")


def restored(week, turn):
    """The root's directory is put back as it was before a device was enrolled, which came into the
    pools, and two rounds were done."""
    root, name = week["root"], f"dev-{100 + turn}"
    copy = root.state + ".backup"
    shutil.rmtree(copy, ignore_errors=True)     # of a turn that failed
    root.stop()
    shutil.copytree(root.state, copy, ignore=shutil.ignore_patterns("operator*"))
    root.start()
    at = week.until(week.newest, BOUND_S, "the root answers")
    week.ok("enrol", "--state", os.path.join(week.base, name), "--node", name, "--wait", "10s",
            "--token-file", week.device_token(EDGES[turn % 4], 1))
    week.on(2)
    week.audit()
    #  A round that is open in the copy is taken up with its blocks of then, which end as they may.
    taken_up = week.report(at + 1)["attempt"] > 1
    root.stop()
    shutil.rmtree(root.state)
    os.rename(copy, root.state)
    mark = root.mark()
    root.start()
    week.read = at
    week.until(lambda: week.newest() > at + 1, BOUND_S, "rounds close again")
    for number in (at + 1, at + 2):
        report = week.report(number)
        wanted = report["reason"] if taken_up and number == at + 1 else "restored"
        blocks = {block["reason"] for block in report["blocks"]}
        said = {entry["reason"] for entry in report["entries"]}
        week.check(report["close"] == "skipped" and report["reason"] == wanted and
                   blocks <= {wanted} and (said == {wanted} or wanted != "restored" and all(said)),
                   f"report {number}: {report['close']} {report['reason']}, blocks {blocks}, "
                   f"everybody is named with {said}")
    week.named("root", ("round-close", "refused"), "restored", since=mark)
    week.check(week.whole(2 * BOUND_S), "members go on without being touched")


def upgraded(week, turn):
    """Nodes are drained and changed to another build under the run: nobody is late or lost."""
    there, here = os.environ.get("FL_BIN_NEXT"), os.environ.get("FL_BIN", "build/dev/bin")
    if not there:
        week.say("    no other build (FL_BIN_NEXT): drained and started again in the same one")
    names = ["root", *EDGES, *week.devices] if LONG else ["root", EDGES[0], NAMES[1]]
    week.audit()
    for name in names:
        out = week.ok("drain", "--state", week[name].state, "--wait", "30s")
        expect(out.endswith("drained: safe to stop\n"), f"fl drain {name}: {out}")
        expect(week[name].stop() == 0, f"{name}: {week[name].last()}")
        os.environ["FL_BIN"] = (there if turn % 2 == 0 else here) or here
        try:
            week[name].start()
        finally:
            os.environ["FL_BIN"] = here
        week.whole()
    week.audit()
    late = [(one["round"], entry["node"], entry["outcome"], entry["reason"])
            for one in week.rounds() if one["round"] > week.read - 2
            for entry in week.report(one["round"])["of"].values()
            if entry["outcome"] in ("late", "absent", "refused")]
    week.check(not late, f"{len(names)} nodes are changed, nobody was late, absent or refused"
               + (f", but {late}" if late else ""))


def ended(week, _turn):
    """The run ends at its last round, everybody hears it, renewed twice meanwhile, and stops."""
    names = ["root", *EDGES, *NAMES]
    week.until(lambda: all(len(week[name].lines("renewed")) >= 2 for name in names),
               3 * CERTIFICATE_S, "everybody has renewed its certificate twice")
    week.ok("run", "set", "first", f"rounds={week.newest() + 3}", "--state", week["root"].state)
    week.until(lambda: week.run_row("first").get("ended"), 2 * BOUND_S, "the run ends")
    row = week.run_row("first")
    week.check(row["state"] == "done", f"first is {row['state']}")
    week.audit()
    rows = week.ask("root", "run", "list")["runs"]
    week.check(all(one["ended"] for one in rows), f"each of {len(rows)} runs has ended")
    for name in [*EDGES, *week.devices]:
        week[name].line("run-done")
    codes = {name: week[name].stop() for name in [*week.devices, *EDGES, "root"]}
    bad = {name: code for name, code in codes.items() if code}
    week.check(not bad, f"all stop with exit code 0 {bad or ''}")


DAYS = [("Monday", [second_run]), ("Tuesday", [gone]),
        ("Wednesday", [new_keys, cloned, added, keys_taken]),
        ("Thursday", [clock_of_a_member]), ("Friday", [clock_of_the_root]),
        ("Saturday", [new_keys, cut, keys_taken, restored]), ("Sunday", [upgraded])]


def happens(week, event, turn):
    """One event, and a look at every report since the last one."""
    week.say(f"  {event.__name__}: {' '.join(event.__doc__.split())}")
    try:
        event(week, turn)
        if event is not ended:
            week.audit()
    except Failure as failure:
        week.check(False, f"{event.__name__}: {failure}")
    except Exception:  # pylint: disable=broad-except
        week.check(False, f"{event.__name__}:\n{traceback.format_exc()}")


def live(week):
    happens(week, installed, 0)
    if week.failed:
        return
    began = time.monotonic()
    for number, (day, events) in enumerate(DAYS):
        turn, until_s = 0, began + LASTS_S * (number + 1) / len(DAYS)
        while True:
            first = time.monotonic()
            share = max((first - began) / number if number else 10, LASTS_S / len(DAYS))
            week.say(f"{day}, time {turn + 1}; about {share * (len(DAYS) - number):.0f} s to go")
            for event in events:
                happens(week, event, turn)
            turn += 1
            if 2 * time.monotonic() - first > until_s:
                break
        while time.monotonic() < until_s:     # a quiet rest of the day
            week.on()
        week.audit()
    happens(week, ended, 0)


def main():
    def stop(number, _frame):
        sys.exit(f"ended by signal {number}")
    signal.signal(signal.SIGTERM, stop)
    with Week() as week:
        live(week)
        took = time.monotonic() - week.began
        if week.failed:
            week.show()
        print(f"week of {took:.0f} s: {week.read} rounds, {week.names_read} names in reports, "
              f"{sum(len(one.lines('renewed')) for one in week.nodes.values())} renewals; "
              f"{week.passed} checks passed, {week.failed} failed")
        return 1 if week.failed or not week.passed else 0


if __name__ == "__main__":
    sys.exit(main())
