#!/usr/bin/env python3
"""Programs that join by themselves: replicas started alike claim slots below one directory, make
their keys there and are leased a shard each; one that was killed is followed by another with the
same name and shard; a token that is missing, wrong, expired or used up is one line and an exit
code; --healthcheck tells a running process from none.
"""
import atexit
import functools
import os
import signal
import subprocess
import time

from security_peer import ENDLESS
from fabric import Fabric, binary, expect, fl, flags, main, run

SHARDS = 3


@functools.cache
def world():
    """A root with three shards and an edge without devices; the tests go in the order below."""
    f = Fabric(devices={}, root={**ENDLESS, "shards": SHARDS}, unmasked=True)
    atexit.register(f.close)
    return f.start()


class Replica:
    """A device that is told nothing of itself, as a service's replicas are."""
    def __init__(self, f, number, token, slots="slots", **more):
        self.log = os.path.join(f.base, f"replica-{number}.log")
        settings = {"slots": os.path.join(f.base, slots), "join.token": token,
                    "join.name": "slot-", "join.wait": "10s", "trainer": "synthetic",
                    "masking": "unmasked", **more}
        with open(self.log, "w", encoding="utf-8") as log:
            self.popen = subprocess.Popen(
                [binary("fl-device"), *flags(settings)], stdin=subprocess.DEVNULL,
                stdout=log, stderr=subprocess.STDOUT)

    def said(self):
        with open(self.log, encoding="utf-8") as log:
            return log.read()

    def kill(self):
        if self.popen.poll() is None:
            self.popen.send_signal(signal.SIGKILL)
        self.popen.wait()

    def ended(self, bound_s=20):
        """Exit code, and the last line said."""
        code = self.popen.wait(bound_s)
        return code, self.said().strip().splitlines()[-1]


def lease(f, number):
    """What the root leased to that slot, None before."""
    try:
        with open(os.path.join(f.base, "slots", f"{number:02}", "shard"), encoding="ascii") as file:
            return file.read().strip()
    except FileNotFoundError:
        return None


def health(*words):
    return subprocess.run([binary(words[0]), *words[1:], "--healthcheck"], capture_output=True,
                          text=True, timeout=20, check=False)


def replicas_claim_slots_and_are_leased_a_shard_each():
    f = world()
    token = f.token("e1", "device", prefix="slot-", count=10)
    replicas = [Replica(f, number, token) for number in range(SHARDS)]
    try:
        f.until(lambda: all("id=welcomed" in one.said() for one in replicas), 20,
                "three replicas at their edge")
        found = sorted(lease(f, number) for number in range(SHARDS))
        expect(found == ["0 of 3", "1 of 3", "2 of 3"], f"leases {found}")
        one_too_many(f, token)
        a_killed_one_is_followed(f, token, replicas)
        well(f)
    finally:
        for one in replicas:
            one.kill()
    down = health("fl-device", "--slots", os.path.join(f.base, "slots"), "--trainer", "synthetic")
    expect(down.returncode == 1 and "no slot of " in down.stderr, f"of none: {down}")


def one_too_many(f, token):
    code, said = Replica(f, "more", token).ended()
    expect(code == 1 and "no-shard" in said and "all 3 data shards are leased" in said,
           f"the fourth: {code}, {said}")


def a_killed_one_is_followed(f, token, replicas):
    """Whoever comes next finds the slot free, and the name and the shard with it."""
    before = [lease(f, number) for number in range(SHARDS)]
    replicas[1].kill()
    replicas[1] = Replica(f, "again", token)
    f.until(lambda: "id=welcomed" in replicas[1].said(), 20, "the replica that followed")
    expect('how="already enrolled"' in replicas[1].said(), "it found the keys of the slot")
    expect([lease(f, number) for number in range(SHARDS)] == before, "the leases stayed")


def well(f):
    answers = [health("fl-root", "--state", f["root"].state, "--authority", "x"),
               health("edge-agg", "--state", f["e1"].state),
               health("fl-device", "--slots", os.path.join(f.base, "slots"),
                      "--trainer", "synthetic")]
    for answer in answers:
        expect(answer.returncode == 0 and "it is well" in answer.stdout, f"{answer}")


def what_is_wrong_with_a_token_is_one_line_and_a_code():
    f = world()
    short = f.token("e1", "device", prefix="slot-", count=5, hours=0.001)
    over = time.monotonic() + 4.6       # that is 3.6 s, and the second that has begun
    gone = os.path.join(f.base, "gone")
    code, said = Replica(f, "missing", gone, **{"start.wait": "300ms"}).ended()
    expect(code == 1 and "no token: " in said and "is not there" in said, f"missing: {said}")
    wrong = os.path.join(f.base, "wrong")
    with open(wrong, "w", encoding="ascii") as file:
        file.write("what is this\n")
    code, said = Replica(f, "wrong", wrong).ended()
    expect(code == 1 and "cut short or changed" in said, f"wrong: {said}")
    single = f.token("e1", "device", prefix="slot-", count=1)
    first = Replica(f, "first", single)
    try:
        f.until(lambda: "id=welcomed" in first.said(), 20, "the first of one")
        code, said = Replica(f, "second", single).ended()
        expect(code == 1 and "refused (used-up)" in said, f"used up: {said}")
        time.sleep(max(0, over - time.monotonic()))
        code, said = Replica(f, "expired", short).ended()
        expect(code == 1 and "refused (expired)" in said, f"expired: {said}")
    finally:
        first.kill()


def a_wait_for_a_file_is_logged_and_ends_with_a_signal():
    f = world()
    waiting = Replica(f, "waits", os.path.join(f.base, "gone"), "others", **{"start.wait": "1h"})
    f.until(lambda: "id=waiting" in waiting.said() and "seconds_left=3600" in waiting.said(),
            5, "the wait in the log")
    starts = health("fl-device", "--slots", os.path.join(f.base, "others"),
                    "--trainer", "synthetic")
    expect(starts.returncode == 0 and "it is starting" in starts.stdout, f"{starts}")
    waiting.popen.terminate()
    code, said = waiting.ended()
    expect(code == -signal.SIGTERM and "stopped while waiting" in said, f"{code}: {said}")


def the_root_is_asked_for_a_parents_certificate():
    f = world()
    words = {"authority": f.authority, "state": f["root"].state,
             "endpoint": f.endpoint("e1"), "role": "edge", "name": "e9"}
    code, _, errors = fl("token", *flags({**words, "parent": "nobody"}))
    expect(code == 13 and "no certificate was issued to nobody" in errors, f"{code}: {errors}")
    code, out, errors = fl("token", *flags({**words, "parent": "e1"}))
    expect(code == 0, errors)
    code, _, errors = fl("enrol", *flags({"state": os.path.join(f.base, "e9"), "node": "e9",
                                          "role": "edge"}), stdin=out)
    expect(code == 0, errors)


def a_parent_that_does_not_answer_is_waited_for_until_join_wait():
    f = world()
    token = f.token("e1", "device", prefix="slot-", count=1)
    f["e1"].kill()      # its socket is there still
    dead = health("edge-agg", "--state", f["e1"].state)
    expect(dead.returncode == 1 and "no edge-agg runs in " in dead.stderr, f"{dead}")
    began = time.monotonic()
    lost = Replica(f, "lost", token, "others", **{"join.wait": "5s"})
    code, said = lost.ended()
    expect(code == 1 and "no answer from tcp://" in said and "within 5 s" in said, said)
    expect(time.monotonic() - began < 11, "the wait had its bound")
    expect("id=waiting" in lost.said() and "trying for " in lost.said(),
           f"it was not said: {lost.said()}")


def another_number_of_shards_is_refused_at_the_start():
    f = world()
    f["root"].stop()
    code, _, errors = run([binary("fl-root"), *flags(
        {"state": f["root"].state, "authority": f.authority, "shards": 4})])
    expect(code == 1 and "has leased 3 of 3 data shards" in errors, f"{code}: {errors}")


if __name__ == "__main__":
    main([
        what_is_wrong_with_a_token_is_one_line_and_a_code,
        replicas_claim_slots_and_are_leased_a_shard_each,
        a_wait_for_a_file_is_logged_and_ends_with_a_signal,
        the_root_is_asked_for_a_parents_certificate,
        a_parent_that_does_not_answer_is_waited_for_until_join_wait,
        another_number_of_shards_is_refused_at_the_start,
    ])
