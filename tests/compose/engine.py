"""engine - how the steps of scenario.py reach the engine, docker-compose and the root."""
import json
import os
import re
import subprocess
import time

DOCKER = os.environ.get("FL_DOCKER", "docker")
WORK = os.environ["FL_COMPOSE_WORK"]
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROJECT, SECOND = "fltest", "fltest2"
ENV = {"COMPOSE_PROJECT_NAME": PROJECT, "FL_IMAGES": "fltest", "FL_TAG": "test",
       "FL_RUN_NAME": "first", "FL_ROUNDS": "100000", "FL_ROUND_WAIT": "10s",
       "FL_ROOT_BIND": "127.0.77.1"}
BOX = {**ENV, "COMPOSE_PROJECT_NAME": SECOND, "FL_BOX": "box-2"}
ONE = ["-f", "deploy/compose.yaml"]
OPEN = ONE + ["-f", "deploy/compose.open.yaml"]
EDGE = ["-f", "deploy/compose.edge.yaml"]
OTHER = EDGE + ["-f", "deploy/compose.devices.yaml", "-f", "tests/compose/second.yaml"]
ROOT = ("--state", "/var/lib/tributary/root")
DATA = "/usr/share/datasets/fashion-mnist"
EDGES, DEVICES, SHARDS = 4, 16, 20


class Failure(Exception):
    """What was expected did not come."""


class Skip(Exception):
    """This step cannot run here; says why."""


def expect(true, what):
    if not true:
        raise Failure(what)


def run(words, bound_s=120, env=None, okay=True, **more):
    """A command: (exit code, output, errors)."""
    try:
        done = subprocess.run(words, cwd=TOP, env={**os.environ, **(env or ENV)}, timeout=bound_s,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              errors="replace", check=False, **more)
    except subprocess.TimeoutExpired as late:
        raise Failure(f"{' '.join(words[:6])} took more than {bound_s} s") from late
    if okay and done.returncode != 0:
        said = (done.stdout + done.stderr)[-1500:]
        raise Failure(f"{' '.join(words)}: {done.returncode}: {said}")
    return done.returncode, done.stdout, done.stderr


def docker(*words, **more):
    return run([DOCKER, *words], **more)[1].strip()


def compose(files, *words, **more):
    return run(["docker-compose", *files, *words], **more)


def down(files, *words, env=None, tool=("docker-compose",)):
    """`down` as a user types it, and again where the engine still counts endpoints of a network
    that no container is in: now and then it does so for a moment (moby issue 43286), or until it is
    restarted. The network then stays for the next `up`, and docker-compose 1.29 leaves the volumes.
    """
    for attempt in range(3):
        code, out, errors = run([*tool, *files, "down", *words], env=env, okay=False)
        if code == 0:
            return
        stuck = re.findall(r"network (\S+) id \S+ has active endpoints", out + errors)
        expect(stuck, f"down: {code}: {(out + errors)[-1500:]}")
        for network in stuck:
            held = docker("network", "inspect", "-f", "{{len .Containers}}", network)
            print(f"   attempt {attempt + 1}: the engine counts endpoints of {network}, "
                  f"which holds {held} containers", flush=True)
        time.sleep(2)
    expect(held == "0", f"{network} still holds {held} containers")
    if "-v" in words:
        owner = "label=com.docker.compose.project=" + (env or ENV)["COMPOSE_PROJECT_NAME"]
        docker("volume", "rm", *docker("volume", "ls", "-q", "--filter", owner).split())


def until(what, bound_s, ready):
    """Until `ready` returns something true, which is the answer."""
    end = time.monotonic() + bound_s
    while True:
        answer = ready()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Failure(f"{bound_s} s were not enough for {what}")
        time.sleep(0.5)


def fl(*words, okay=True, bound_s=30):
    """The operator's command, in the container of the image fl that meets the root."""
    code, out, errors = run([DOCKER, "run", "--rm", "--network", "none",
                             "-v", f"{PROJECT}_root:/var/lib/tributary/root:ro",
                             "-v", f"{PROJECT}_authority:/var/lib/tributary/authority",
                             "fltest/fl:test", "fl", *words], okay=okay, bound_s=bound_s)
    return out if okay else (code, out + errors)


def rounds():
    """The closed rounds, as the root reports them."""
    code, out = fl("rounds", *ROOT, "--json", okay=False)
    return json.loads(out)["rounds"] if code == 0 else []


def last():
    done = rounds()
    return done[-1]["round"] if done else 0


def fresh(what, since, bound_s, good):
    """A round after `since` for which `good` holds."""
    return until(what, bound_s, lambda: next(
        (one for one in rounds() if one["round"] > since and good(one)), None))


def whole(one, devices=DEVICES):
    return one["close"] == "done" and one["in"] == devices


def container(service, index=1):
    return f"{PROJECT}_{service}_{index}"


def inspect(name, form):
    return docker("inspect", "-f", form, name)


def containers(project=PROJECT):
    return docker("ps", "-q", "--filter", f"label=com.docker.compose.project={project}",
                  "--format", "{{.Names}}").split()


def can_reach(name, address):
    """Whether a connection from inside that container is taken."""
    host, port = address.rsplit(":", 1)
    return run([DOCKER, "exec", name, "timeout", "2", "bash", "-c",
                f"exec 3<>/dev/tcp/{host}/{port}"], okay=False)[0] == 0


def address(name, network):
    return inspect(name, "{{(index .NetworkSettings.Networks \"" + network + "\").IPAddress}}")


def docker_logs(name):
    code, out, errors = run([DOCKER, "logs", name], okay=False)
    return out + errors if code == 0 else ""


def text_of(path):
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()
