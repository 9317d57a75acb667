#!/usr/bin/env python3
"""deploy/compose.yaml as a user meets it, on a real engine: comes up with one command, trains
masked and encrypted over three tiers, and outlives what happens to containers. The steps build on
one another and run in their order; each wait has a bound and says what it waited for. `--short`
does two short runs to their end, one after the other, and no more.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import traceback

import score
from engine import (BOX, DATA, DEVICES, DOCKER, EDGE, EDGES, ENV, ONE, OPEN, OTHER, PROJECT, ROOT,
                    SHARDS, TOP, WORK, Failure, Skip, address, can_reach, compose, container,
                    containers, docker, docker_logs, down, expect, fl, fresh, inspect, last,
                    run, text_of, until, whole)

ROUNDS_SEEN = {}


# ---- the steps -------------------------------------------------------------------------------
def the_files_are_clean():
    for files in (ONE, OPEN, EDGE, OTHER[:4]):
        code, out, errors = compose(files, "config", "-q")
        expect(code == 0 and out + errors == "", f"{files}: {out}{errors}")


def images_are_built_without_buildkit():
    compose(ONE, "build", bound_s=600, env={**ENV, "DOCKER_BUILDKIT": "0"})


def each_image_holds_one_program_and_what_it_links():
    base = int(docker("image", "inspect", "-f", "{{.Size}}", os.environ["FL_BASE_IMAGE"]))
    for image, programs in (("fl-root", ["fl-root"]), ("edge-agg", ["edge-agg"]),
                            ("fl-device", ["fl-device"]), ("fl", ["enrolment", "fl", "report"]),
                            ("data", ["fill"])):
        name = f"fltest/{image}:test"
        size = int(docker("image", "inspect", "-f", "{{.Size}}", name))
        print(f"   {image}: {(size - base) / 1e6:.1f} MB above its base", flush=True)
        found = docker("run", "--rm", "--entrypoint", "ls", name, "/usr/local/bin").split()
        expect(sorted(found) == programs, f"{image} holds {found}")
        blas = docker("run", "--rm", "--entrypoint", "find", name, "/usr/lib", "-name",
                      "libopenblas*.so*")
        expect(bool(blas) == (image in ("fl-root", "fl-device")), f"{image} holds '{blas}'")
        config = json.loads(docker("image", "inspect", "-f", "{{json .Config}}", name))
        expect(config["User"] == "10001:10001", f"{image} runs as '{config['User']}'")
        expect(config["Labels"].get("org.opencontainers.image.title") == image, "its labels")


def one_command_brings_it_up():
    compose(ONE, "up", "-d", "--build", bound_s=600)
    fresh("a round with all devices", 0, 120, whole)


def all_containers_are_healthy():
    names = [container("fl-root"), *(container(f"edge-{i + 1}") for i in range(EDGES)),
             *(container("device", i + 1) for i in range(DEVICES))]
    until("health checks that pass", 60, lambda: all(
        inspect(name, "{{.State.Health.Status}}") == "healthy" for name in names))


def sums_are_masked_on_both_hops():
    one = fresh("another round", last(), 60, whole)
    expect(one["masking"] == "malicious", f"masking: {one['masking']}")
    report = json.loads(fl("report", str(one["round"]), *ROOT, "--json"))
    parents = [line["parent"] for line in report["entries"] if line["node"].startswith("device-")]
    expect(len(parents) == DEVICES and all(parents.count(f"edge-{i + 1}") == DEVICES // EDGES
                                           for i in range(EDGES)), f"devices by edge: {parents}")
    for line in report["entries"]:
        if line["node"].startswith("device-"):
            slot = int(line["node"].rsplit("-", 1)[1])
            expect(line["parent"] == f"edge-{slot % EDGES + 1}", f"slot {slot}: {line['parent']}")
    tiers = report["tiers"]
    expect(tiers["devices"]["masked"] == DEVICES and tiers["edges"]["masked"] == EDGES, f"{tiers}")


def each_device_has_a_slot_and_a_shard_of_its_own():
    out = docker("run", "--rm", "-v", f"{PROJECT}_slots:/slots:ro", "fltest/fl:test", "sh", "-c",
                 "for d in /slots/*; do stat -c '%a %U' $d; cat $d/shard; done")
    modes = out.splitlines()[::2]
    shards = out.splitlines()[1::2]
    expect(set(modes) == {"700 tributary"} and len(modes) == DEVICES, f"slots: {modes}")
    expect(len(set(shards)) == DEVICES, f"shards: {shards}")
    expect(all(re.fullmatch(rf"\d+ of {SHARDS}", line) for line in shards), f"shards: {shards}")


def containers_can_do_nothing_but_their_work():
    for name in containers():
        host = json.loads(inspect(name, "{{json .HostConfig}}"))
        expect(host["ReadonlyRootfs"] and host["CapDrop"] == ["ALL"] and host["Memory"] > 0
               and any("no-new-privileges" in option for option in host["SecurityOpt"])
               and host["Ulimits"]
               and host["RestartPolicy"]["Name"] == ("no" if "report" in name else "on-failure"),
               f"{name}: {host}")
    inside = docker("exec", container("device"), "cat", "/proc/1/status")
    for line in (r"^CapEff:\s*0+$", r"^NoNewPrivs:\s*1$", r"^Uid:\s*10001\s"):
        expect(re.search(line, inside, re.M), f"{line}: {inside}")
    code, _, errors = run([DOCKER, "exec", container("fl-root"), "touch", "/x"], okay=False)
    expect(code != 0 and "Read-only" in errors, f"the root file system: {errors}")


def a_device_cannot_open_the_roots_port():
    root = address(container("fl-root"), f"{PROJECT}_upper")
    edge = address(container("edge-1"), f"{PROJECT}_lower")
    above = address(container("edge-1"), f"{PROJECT}_upper")
    expect(can_reach(container("edge-1"), f"{root}:7000"), "an edge reaches the root")
    expect(can_reach(container("device"), f"{edge}:7000"), "a device reaches an edge")
    for port in (7000, 7001, 7002):
        expect(not can_reach(container("device"), f"{root}:{port}"), f"a device reaches {port}")
    expect(not can_reach(container("device"), "fl-root:7000"), "a device knows the root's name")
    expect(not can_reach(container("device"), f"{above}:7000"), "an edge's upper side")


def what_is_wrong_with_a_token_is_one_line():
    code, said = newcomer(None, "t-1")
    expect(code == 1 and "no token: " in said, f"missing: {code}, {said}")
    code, said = newcomer("this is no token\n", "t-1")
    expect(code == 1 and "cut short or changed" in said, f"wrong: {code}, {said}")
    short = token_for("edge-1", "--prefix", "t-", "--count", "9", "--hours", "0.001")
    time.sleep(4.5)
    code, said = newcomer(short, "t-1")
    expect(code == 1 and "refused (expired)" in said, f"expired: {code}, {said}")
    single = token_for("root", "--name", "t-edge", role="edge", endpoint="tcp://fl-root:7000")
    code, said = newcomer(single, "t-other", image="edge-agg", network="upper")
    expect(code == 1 and "for a node named t-edge" in said, f"another name: {code}, {said}")


def one_more_device_than_shards_says_so():
    """Both boxes have had them all."""
    token = token_for("edge-1", "--prefix", "u-", "--count", "1")
    for _ in range(2):      # and it costs no use of the token
        code, said = newcomer(token, "u-1")
        expect(code == 1 and "refused (no-shard): all 20 data shards are leased" in said, said)


def a_used_up_token_is_one_line():
    one = token_for("root", "--prefix", "v-", "--count", "1", role="edge",
                    endpoint="tcp://fl-root:7000")
    first = start_newcomer(one, "v-1", image="edge-agg", network="upper")
    try:
        until("the first edge with that token", 20,
              lambda: "id=enrolled" in docker_logs(first))
        code, said = newcomer(one, "v-2", image="edge-agg", network="upper")
        expect(code == 1 and "refused (used-up)" in said, f"used up: {code}, {said}")
    finally:
        docker("rm", "-f", first)
    fresh("a round without that edge", last(), 60, whole)


def token_for(parent, *words, role="device", endpoint=None):
    """A token as text, from the authority's own desk."""
    return fl("token", "--authority", "/var/lib/tributary/authority", "--state",
              "/var/lib/tributary/root", "--parent", parent, "--endpoint",
              endpoint or f"tcp://{parent}:7000", "--role", role, *words)


def start_newcomer(token, name, image="fl-device", network="lower"):
    """A container with that token, started; its id."""
    folder = os.path.join(WORK, "token")
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder, mode=0o755)
    if token is not None:
        with open(os.path.join(folder, "it"), "w", encoding="ascii") as file:
            file.write(token)
        os.chmod(file.name, 0o644)
    where = "slots" if image == "fl-device" else "edge"
    words = ["run", "-d", "--network", f"{PROJECT}_{network}", "--read-only", "--cap-drop", "ALL",
             "--tmpfs", f"/var/lib/tributary/{where}:uid=10001,gid=10001,mode=0700",
             "-v", f"{folder}:/token:ro", "-e", "FL_JOIN_TOKEN=/token/it",
             "-e", f"FL_JOIN_NAME={name}", "-e", "FL_JOIN_WAIT=10s"]
    if image == "fl-device":
        words += ["-v", f"{PROJECT}_data:/srv/data:ro", "-e",
                  "FL_DATA_INPUTS=/srv/data/train-images-idx3-ubyte.gz", "-e",
                  "FL_DATA_LABELS=/srv/data/train-labels-idx1-ubyte.gz",
                  "-e", "FL_SLOTS=", "-e", "FL_STATE=/var/lib/tributary/slots"]
    return docker(*words, f"fltest/{image}:test")


def newcomer(token, name, **more):
    """The same to its end: exit code, and the line that is for a human."""
    made = start_newcomer(token, name, **more)
    try:
        code = int(docker("wait", made, bound_s=60))
        lines = [line for line in docker_logs(made).splitlines() if not line.startswith("time=")]
        expect(len(lines) == 1, f"{name} said {lines}")
        return code, lines[0]
    finally:
        docker("rm", "-f", made)


def a_killed_edge_costs_its_devices_the_round_and_not_the_run():
    before = last()
    docker("kill", container("edge-2"))
    fresh("a round without edge-2", before, 90,
          lambda one: one["close"] == "done" and one["in"] == DEVICES - DEVICES // EDGES)
    expect(inspect(container("edge-2"), "{{.State.Running}}") == "false", "killed by hand is down")
    before = last()
    docker("start", container("edge-2"))
    fresh("edge-2 and its devices again", before, 90, whole)


def a_paused_device_costs_its_deadline_alone():
    before = last()
    docker("pause", container("device", 3))
    try:
        fresh("a round without it", before, 90,
              lambda one: one["close"] == "done" and one["in"] == DEVICES - 1)
    finally:
        docker("unpause", container("device", 3))
    fresh("all devices again", last(), 90, whole)


def a_device_that_is_killed_is_followed_by_one_with_its_name_and_shard():
    before = last()
    name = container("device", 5)
    docker("kill", name)
    docker("start", name)
    fresh("all devices again", before + 1, 90, whole)
    each_device_has_a_slot_and_a_shard_of_its_own()


TOKENS = {"FL_BOX_TOKEN": os.path.join(WORK, "box.token"),
          "FL_DEVICES_TOKEN": os.path.join(WORK, "devices.token")}


def _make_token(variable, *words):
    """False: the root does not know the parent yet."""
    code, token = compose(OPEN, "run", "--rm", "-T", "--no-deps", "enrolment", "enrolment", *words,
                          okay=False)[:2]
    with open(TOKENS[variable], "w", encoding="ascii") as file:
        file.write(token)
    return code == 0


def a_second_box_joins_and_then_its_devices():
    """Its own project, volumes and networks; what it shares with the first is the way outside."""
    compose(OPEN, "up", "-d", bound_s=120)
    until("the root's published port", 30, lambda: subprocess.run(
        ["timeout", "3", "bash", "-c", "exec 3<>/dev/tcp/127.0.77.1/7000"],
        stderr=subprocess.DEVNULL, check=False).returncode == 0)
    fresh("a round after the root came back", last(), 90, whole)
    for path in TOKENS.values():    # compose wants the file of the devices before there is one
        with open(path, "w", encoding="ascii"):
            os.chmod(path, 0o644)
    _make_token("FL_BOX_TOKEN", "box", "box-2", "fl-root")
    compose(OTHER, "up", "-d", "--build", "edge", bound_s=300, env={**BOX, **TOKENS})
    until("the second box's edge", 60, lambda: _make_token("FL_DEVICES_TOKEN", "devices", "box-2",
                                                           "edge", "4"))
    compose(OTHER, "up", "-d", "--build", bound_s=300, env={**BOX, **TOKENS})


def the_second_boxes_devices_take_part():
    one = fresh("a round with both boxes", last(), 120, lambda one: whole(one, DEVICES + 4))
    report = json.loads(fl("report", str(one["round"]), *ROOT, "--json"))
    parents = [line["parent"] for line in report["entries"] if line["node"].startswith("box-2-0")]
    expect(parents == ["box-2-edge"] * 4, f"the box's devices: {parents}")


def the_second_box_leaves():
    down(OTHER, "-v", env={**BOX, **TOKENS})
    fresh("a round of the first box alone", last(), 90, whole)


def down_and_up_goes_on_with_the_run():
    before = last()
    down(OPEN)
    compose(ONE, "up", "-d", bound_s=120)
    fresh("a round after it came up again", before, 120, whole)
    end = last() + 6
    fl("run", "set", "first", f"rounds={end}", *ROOT)
    ROUNDS_SEEN.update(stopped=before, until=end)
    name = container("report")
    until("the root's report", 180, lambda: inspect(name, "{{.State.Status}}") == "exited")
    expect(inspect(name, "{{.State.ExitCode}}") == "0", docker_logs(name)[-1500:])


def it_ends_with_the_roots_report():
    said = docker_logs(container("report"))
    expect("== participation in the last round" in said, said[-1500:])
    told = {int(number): (close, accuracy) for number, close, accuracy in re.findall(
        r"^ +(\d+) +(\w+) .*? ([01]\.\d{4}) +[\d.]+$", said, re.M)}
    stopped, end = ROUNDS_SEEN["stopped"], ROUNDS_SEEN["until"]
    expect(max(told) == end, f"the last round is {max(told)}, not {end}")
    expect({stopped + 1, end} <= set(told), f"rounds after {stopped}: {sorted(told)[-8:]}")
    ROUNDS_SEEN["accuracy"] = float(told[end][1])
    expect(ROUNDS_SEEN["accuracy"] >= 0.80, f"accuracy {told[end][1]}")
    expect("unmasked" not in said.split("== accuracy")[1], "every round was masked")
    expect("run 1 (first) is done" in said.splitlines()[-2], said[-300:])


def standing():
    """Who runs now, and since when."""
    return sorted(inspect(name, "{{.Name}} {{.Id}} {{.State.StartedAt}}") for name in containers())


def the_same_containers_do_another_run():
    """What whoever submits it gets back is the run's outcome."""
    words = ("run", "--rm", "-T", "--no-deps", "report")
    until("the first report's end", 30, lambda: len(containers()) == 1 + EDGES + DEVICES)
    before = standing()
    said = compose(ONE, *words, "second", "rounds=2", "train.rate=0.05", bound_s=180)[1]
    expect("run 2 (second) is done" in said and "unmasked" not in said, said[-3000:])
    rows = json.loads(fl("rounds", "--run", "second", *ROOT, "--json"))["rounds"]
    expect([one["round"] for one in rows] == [1, 2] and all(map(whole, rows)), f"{rows}")
    again = compose(ONE, *words, "second", bound_s=60)[1]
    expect("second was submitted before" in again and "run 2 (second) is done" in again, again)
    code, out, errors = compose(ONE, *words, "third", "round.count_mn=3", okay=False)
    expect(code == 2 and "round.count_min" in out + errors, f"a mistake: {code}: {out}{errors}")
    third = compose(ONE, *words[:1], "-d", *words[3:], "third", "rounds=1000")[1].split()[-1]
    until("the third run", 30, lambda: fl("run", "stop", "third", *ROOT, okay=False)[0] == 0)
    expect(docker("wait", third, bound_s=60) == "12", docker_logs(third)[-1500:])
    docker("rm", third)
    runs = json.loads(fl("run", "list", *ROOT, "--json"))["runs"]
    expect([(one["name"], one["state"]) for one in runs]
           == [("first", "done"), ("second", "done"), ("third", "stopped")], f"{runs}")
    expect(standing() == before, f"the same containers: {before}, {standing()}")


def all_programs_end_when_they_are_told_to():
    compose(ONE, "stop", bound_s=120)
    every = docker("ps", "-a", "--filter", f"label=com.docker.compose.project={PROJECT}",
                   "--format", "{{.Names}}").split()
    codes = {name: inspect(name, "{{.State.ExitCode}}") for name in every}
    expect(set(codes.values()) == {"0"}, f"exit codes: {codes}")


def the_exported_model_scores_what_the_report_says():
    path = os.path.join(WORK, "model.safetensors")
    with open(path, "wb") as file:
        subprocess.run([DOCKER, "run", "--rm", "-v", f"{PROJECT}_results:/results:ro",
                        "fltest/fl:test", "cat", "/results/first.safetensors"], stdout=file,
                       check=True, timeout=60)
    folder = test_set()
    found = score.accuracy(path, os.path.join(folder, "t10k-images-idx3-ubyte.gz"),
                           os.path.join(folder, "t10k-labels-idx1-ubyte.gz"), 600)
    print(f"   600 samples: {found:.4f}, the report: {ROUNDS_SEEN['accuracy']:.4f}", flush=True)
    expect(abs(found - ROUNDS_SEEN["accuracy"]) < 0.06, f"{found}")


def test_set():
    if os.path.isdir(DATA):
        return DATA
    folder = os.path.join(WORK, "data")
    os.makedirs(folder, exist_ok=True)
    made = docker("create", "fltest/data:test")
    docker("cp", f"{made}:{DATA}/.", folder)
    docker("rm", made)
    return folder


def without_its_volumes_it_starts_afresh():
    down(ONE, "-v")
    left = docker("volume", "ls", "-q", "--filter", f"name={PROJECT}_")
    expect(left == "", f"volumes left: {left}")


def three_rounds(tool, *more, then=lambda: None):
    """One command, in the foreground: until it says that the run has ended, and until Ctrl-C."""
    began = time.monotonic()
    path = os.path.join(WORK, "up.log")
    with open(path, "wb") as file:
        # In a group of its own: Ctrl-C reaches a plugin and the program that started it.
        up = subprocess.Popen([*tool, *ONE, "up", *more], cwd=TOP, stdin=subprocess.DEVNULL,
                              env={**os.environ, **ENV, "FL_ROUNDS": "3"}, stdout=file,
                              stderr=subprocess.STDOUT, start_new_session=True)
    try:
        until("the end of the run", 600, lambda: up.poll() is not None
              or "stay for the next run" in text_of(path))
        said = text_of(path)
        expect(up.poll() is None, f"`up` ended: {said[-1500:]}")
        expect("run 1 (first) is done" in said and "(malicious)" in said, said[-3000:])
        print(f"   `up` to the report of 3 rounds: {time.monotonic() - began:.0f} s", flush=True)
        then()
        os.killpg(up.pid, signal.SIGINT)
        until("`up` to end", 60, lambda: up.poll() is not None)
    finally:
        if up.poll() is None:
            os.killpg(up.pid, signal.SIGKILL)
            up.wait()


def one_command_runs_three_masked_rounds_and_stays():
    three_rounds(("docker-compose",), "--build", then=the_same_containers_do_another_run)


def the_plugin_runs_the_same_file_to_its_end():
    """With the images that are there: it would build each service's anew, all at a time."""
    plugin()
    three_rounds((DOCKER, "compose"))
    down(ONE, "-v", tool=(DOCKER, "compose"))


def a_one_node_swarm_runs_the_same_file():
    if not os.environ.get("FL_COMPOSE_OWN"):
        raise Skip("the engine is not this test's own, so it is not made a swarm")
    with open(os.path.join(TOP, "deploy", ".env"), encoding="utf-8") as file:
        lines = [line.strip().split("=", 1) for line in file if re.match(r"[A-Z_]+=", line)]
    docker("swarm", "init", "--advertise-addr", "127.0.0.1")
    try:
        docker("stack", "deploy", "-c", "deploy/compose.yaml", PROJECT, env={**dict(lines), **ENV})
        fresh("a round in a swarm", 0, 150, whole)
    finally:
        run([DOCKER, "stack", "rm", PROJECT], okay=False)
        until("the stack to go", 90, lambda: not docker(
            "ps", "-aq", "--filter", f"label=com.docker.stack.namespace={PROJECT}"))
        run([DOCKER, "swarm", "leave", "--force"], okay=False)


def plugin():
    """Wait for the plugin that is being built, if one is."""
    pid = os.environ.get("FL_PLUGIN_PID")
    end = time.monotonic() + 240
    while pid and os.path.exists(f"/proc/{pid}") and time.monotonic() < end:
        time.sleep(0.5)
    code, _, errors = run([DOCKER, "compose", "version"], okay=False)
    if code != 0:
        raise Skip(f"no docker compose plugin, and none could be built: {errors.strip()[:80]}")


STEPS = [
    the_files_are_clean,
    images_are_built_without_buildkit,
    each_image_holds_one_program_and_what_it_links,
    one_command_brings_it_up,
    all_containers_are_healthy,
    sums_are_masked_on_both_hops,
    each_device_has_a_slot_and_a_shard_of_its_own,
    containers_can_do_nothing_but_their_work,
    a_device_cannot_open_the_roots_port,
    a_killed_edge_costs_its_devices_the_round_and_not_the_run,
    a_paused_device_costs_its_deadline_alone,
    a_device_that_is_killed_is_followed_by_one_with_its_name_and_shard,
    a_second_box_joins_and_then_its_devices,
    the_second_boxes_devices_take_part,
    the_second_box_leaves,
    what_is_wrong_with_a_token_is_one_line,
    a_used_up_token_is_one_line,
    one_more_device_than_shards_says_so,
    down_and_up_goes_on_with_the_run,
    it_ends_with_the_roots_report,
    the_same_containers_do_another_run,
    all_programs_end_when_they_are_told_to,
    the_exported_model_scores_what_the_report_says,
    without_its_volumes_it_starts_afresh,
    the_plugin_runs_the_same_file_to_its_end,
    a_one_node_swarm_runs_the_same_file,
]
SHORT = [
    the_files_are_clean,
    one_command_runs_three_masked_rounds_and_stays,
    each_image_holds_one_program_and_what_it_links,
    all_programs_end_when_they_are_told_to,
    without_its_volumes_it_starts_afresh,
]


def tear_down():
    """Everything of ours, whatever state it is in."""
    if os.environ.get("FL_COMPOSE_KEEP"):
        return
    listings = (("containers", ["ps", "-aq"], ["rm", "-f", "-v"]),
                ("networks", ["network", "ls", "-q"], ["network", "rm"]),
                ("volumes", ["volume", "ls", "-q"], ["volume", "rm", "-f"]))
    for kind, listing, remove in listings:
        found = run([DOCKER, *listing, "--filter", f"name={PROJECT}"], okay=False)[1].split()
        if found:
            print(f"   removing {len(found)} {kind}", flush=True)
            run([DOCKER, *remove, *found], okay=False)
    for name in ("fl-root", "edge-agg", "fl-device", "fl", "data"):
        run([DOCKER, "rmi", "-f", f"fltest/{name}:test"], okay=False)


def tail():
    """What the containers said last, for who reads of a failure."""
    for name in docker("ps", "-a", "--format", "{{.Names}}").split():
        if "device_" not in name or name.endswith("_1"):
            print(f"---- {name}", flush=True)
            print("\n".join(docker_logs(name).splitlines()[-8:]), flush=True)


def ended(number, _frame):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Failure(f"ended by signal {number}")


def main():
    signal.signal(signal.SIGTERM, ended)
    words = sys.argv[1:]
    chosen = SHORT if words == ["--short"] else [
        step for step in STEPS if not words or any(word in step.__name__ for word in words)]
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    try:
        for step in chosen:
            began = time.monotonic()
            try:
                step()
                kind, verdict = "passed", "ok"
            except Skip as skip:
                kind, verdict = "skipped", f"SKIPPED: {skip}"
            except Failure as failure:
                kind, verdict = "failed", f"FAILED: {failure}"
            except Exception:  # pylint: disable=broad-except
                kind, verdict = "failed", "FAILED:\n" + traceback.format_exc()
            counts[kind] += 1
            print(f"{step.__name__}: {verdict} ({time.monotonic() - began:.1f} s)", flush=True)
            if kind == "failed":
                tail()
                break       # the steps stand on one another
    finally:
        tear_down()
    print(", ".join(f"{count} {kind}" for kind, count in counts.items()))
    sys.exit(1 if counts["failed"] or not counts["passed"] else 0)


if __name__ == "__main__":
    main()
