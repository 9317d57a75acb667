#!/usr/bin/env python3
"""Tokens and enrolment: every way to be refused has a name and an exit code, a device enrols at the
port of its edge, a lost answer costs no use of a token, and no secret key is found anywhere but in
the directory of the node that made it.
"""
import contextlib
import functools
import json
import os
import shutil
import stat
import time

from security_peer import certified_key, forms, found_in, hostile, read, secrets, world
from fabric import expect, fl, flags, main, tests_of

#  Exit codes of `fl enrol` (cloud/fl/context.h).
SILENT, HOME, EXISTS, NO_TOKEN, TOKEN, EXPIRED, USED_UP, NAME, REFUSED = 3, 4, 5, 6, 7, 8, 9, 10, 11

def enrol(f, name, token, state=None, **more):
    """`fl enrol`: its exit code and what it said."""
    words = {"state": os.path.join(f.base, state or name), "node": name, "wait": "10s", **more}
    if token is not None:
        words["token.file"] = token
    code, out, errors = fl("enrol", *flags(words), stdin="" if token is None else None)
    return code, (out + errors).strip()


def ends(answer, code, *texts):
    expect(answer[0] == code, f"exit code {answer[0]}, not {code}: {answer[1]}")
    for text in texts:
        expect(text in answer[1], f"'{text}' is not said: {answer[1]}")


def logged(f, mark, name, reason):
    f["root"].line("enrol-refused", since=mark, peer=name, reason=reason, bound_s=5)


@functools.cache
def short_token(f):
    """The path of a token good for 3.6 s, and when it is past its time: that and a second begun."""
    return f.token("e1", "device", hours=0.001), time.monotonic() + 4.6


def a_device_enrols_at_the_port_of_its_edge():
    f = world()
    short_token(f)
    mark = f["root"].mark()
    ends(enrol(f, "n1", f.token("e1", "device")), 0, "n1")
    f["root"].line("enrolled", since=mark, peer="n1", bound_s=2)
    with open(os.path.join(f.base, "n1", "parent"), encoding="ascii") as file:
        address, key, following, *more = file.read().split("\n")
    expect((address, key) == (f.endpoint("e1"), certified_key(f["e1"].state)), "its parent")
    expect(len(following) == len(key) and following != key and more == [""], "its next key")


def a_missing_token_is_named():
    f = world()
    ends(enrol(f, "t1", None), NO_TOKEN, "no token")
    ends(enrol(f, "t1", os.path.join(f.base, "no-such-file")), NO_TOKEN, "no token")


def a_token_is_listed_and_revoked_and_who_joined_with_it_stays():
    f = world()
    token = f.token("e1", "device", count=5, prefix="tok-")

    def listed():
        answer = json.loads(f.ok("token", "list", "--authority", f.authority, "--state",
                                 f["root"].state, "--json"))
        return [each for each in answer["tokens"] if each["name"] == "tok-*"][-1]
    ends(enrol(f, "tok-1", token), 0, "tok-1")
    before = listed()
    expect(before["stands"] == "valid" and before["left"] == 4, before)
    f.ok("token", "revoke", before["id"], "--state", f["root"].state)
    f["root"].restart()             # it was stored
    f.until(lambda: listed()["stands"] == "revoked", 20, "the root is back")
    mark = f["root"].mark()
    ends(enrol(f, "tok-2", token), REFUSED, "revoked")
    logged(f, mark, "tok-2", "revoked")
    f.ok("enrol", "--renew", "--state", os.path.join(f.base, "tok-1"), "--wait", "10s")


def a_token_that_was_not_copied_whole_is_named():
    f = world()
    path = f.token("e1", "device")
    text = read(path).decode().strip()
    for wrong in (text[:-5], text[:40] + ("A" if text[40] != "A" else "B") + text[41:], "hello"):
        with open(path, "w", encoding="ascii") as file:
            file.write(wrong + "\n")
        ends(enrol(f, "t2", path), TOKEN, "cut short or changed")


def a_token_of_another_authority_is_named():
    """Another authority that certifies our edge's own keys: only seal and MAC give it away."""
    f = world()
    other, twin = os.path.join(f.base, "other"), os.path.join(f.base, "twin")
    hostile("found", home=other)
    shutil.copytree(f["e1"].state, twin, ignore=lambda _, names: [n for n in names
                                                                  if n != "node.key"])
    hostile("issue", authority=other, home=twin, name="e1", role="edge")
    path = os.path.join(f.base, "token-of-another")
    f.ok("token", *flags({"authority": other, "role": "device", "out": path,
                          "parent.cert": os.path.join(twin, "node.cert"),
                          "endpoint": f.endpoint("e1")}))
    mark = f["root"].mark()
    ends(enrol(f, "t3", path), TOKEN, "refused (token)", "seal")
    f["root"].line("enrol-refused", since=mark, reason="token", bound_s=5)


def a_token_of_another_role_or_name_is_named():
    f = world()
    ends(enrol(f, "t5", f.token("e1", "edge")), REFUSED, "edge")
    ends(enrol(f, "t5", f.token("e1", "device", name="t6")), NAME, "t6")
    ends(enrol(f, "t5", f.token("e1", "device", prefix="u")), NAME)


def a_name_that_is_taken_is_named():
    f = world()
    mark = f["root"].mark()
    ends(enrol(f, "d1", f.token("e1", "device"), state="t7"), NAME, "another node")
    logged(f, mark, "d1", "name")


def the_same_keys_may_use_a_token_again_and_others_are_counted():
    f = world()
    path = f.token("e1", "device", count=1)
    ends(enrol(f, "t8", path), 0, "enrolled as t8")
    state = os.path.join(f.base, "t8")
    certificate, mark = read(os.path.join(state, "node.cert")), f["root"].mark()
    os.unlink(os.path.join(state, "node.cert"))     # as if the answer had been lost
    ends(enrol(f, "t8", path), 0, "enrolled as t8")
    expect(read(os.path.join(state, "node.cert")) == certificate, "it is another certificate")
    ends(enrol(f, "t9", path), USED_UP, "refused (used-up)")
    logged(f, mark, "t9", "used-up")
    ends(enrol(f, "t8", path, state="t8b"), NAME)
    path = f.token("e1", "device", count=2)
    ends(enrol(f, "t10", path), 0)
    ends(enrol(f, "t11", path), 0)
    ends(enrol(f, "t12", path), USED_UP)


def who_is_enrolled_already_is_left_as_it_is():
    f = world()
    ends(enrol(f, "d1", None), EXISTS, "already enrolled")
    ends(enrol(f, "other", f.token("e1", "device"), state="d1"), EXISTS, "d1")


def a_certificate_renews_with_the_same_keys_and_with_new_ones():
    f = world()
    state = os.path.join(f.base, "n2")
    ends(enrol(f, "n2", f.token("e1", "device")), 0)
    serials = [certificate_serial(state)]
    keys = [read(os.path.join(state, "node.key"))]
    for more in ([], ["--new-keys"]):
        code, out, errors = fl("enrol", "--renew", "--state", state, "--wait", "10s", *more)
        expect(code == 0, f"exit code {code}: {out}{errors}")
        serials.append(certificate_serial(state))
        keys.append(read(os.path.join(state, "node.key")))
    expect(serials[0] < serials[1] < serials[2], f"serials {serials}")
    expect(keys[0] == keys[1] != keys[2], "the keys")


def certificate_serial(state):
    return int.from_bytes(read(os.path.join(state, "node.cert"))[98:106], "little")


def a_parent_that_does_not_answer_is_named():
    f = world()
    token = f.token("e1", "device")
    ends(enrol(f, "t13", token, endpoint="tcp://127.0.0.1:9", wait="1s"), SILENT, "no answer")
    f["root"].pause()       # an edge relays, and nobody is there
    try:
        ends(enrol(f, "t13", token, wait="1s"), SILENT, "no answer")
    finally:
        f["root"].resume()
    ends(enrol(f, "t13", token), 0, "enrolled")


def a_directory_that_others_can_read_is_refused():
    f = world()
    state = os.path.join(f.base, "open")
    os.mkdir(state)
    os.chmod(state, 0o755)
    ends(enrol(f, "open", f.token("e1", "device"), state="open"), HOME, "open to others")


# ---- keys stay where they are -----------------------------------------------------------------
def every_file(base):
    """Paths and contents; a file that a round makes and removes meanwhile is passed over."""
    for directory, _, names in os.walk(base):
        for name in names:
            path = os.path.join(directory, name)
            with contextlib.suppress(FileNotFoundError):
                if stat.S_ISREG(os.lstat(path).st_mode):
                    yield path, read(path)


def no_secret_key_is_in_any_other_file():
    f = world()
    ends(enrol(f, "k1", f.token("e1", "device")), 0)
    f.until(lambda: f.closed() >= 3, 20, "rounds")
    states = {name: os.path.join(f.base, name) for name in ("root", "e1", "d1", "k1")}
    master = read(os.path.join(f.authority, "authority.key"))[8:40]
    needles = {(name, form, number): needle
               for name, state in states.items()
               for number, secret in enumerate(secrets(state))
               for form, needle in forms(secret).items()}
    needles.update({("authority", form, 0): needle for form, needle in forms(master).items()})
    where = {}
    for path, content in every_file(f.base):
        for name in found_in(content, needles):
            where.setdefault((name[0], name[2]), set()).add(os.path.relpath(path, f.base))
    twins = {"twin/node.key"}   # a copy that a test here made
    for (name, number), paths in where.items():
        own = {"authority/authority.key"} if name == "authority" else {f"{name}/node.key"}
        expect(paths - twins == own, f"secret {number} of {name} is in {sorted(paths)}")
    expect(len(where) == 2 * len(states) + 1, f"the search finds what is there: {where}")


def no_token_is_in_a_log_or_ledger():
    f = world()
    path = f.token("e1", "device")
    ends(enrol(f, "k2", path), 0)
    text = read(path).strip()
    found = [name for name, content in every_file(f.base) if name != path and text in content]
    expect(not found, f"the token is in {found}")


def files_are_for_their_owner():
    f = world()
    for name in ("root", "e1", "d1"):
        state = f[name].state
        mode = stat.S_IMODE(os.stat(state).st_mode)
        expect(mode == 0o700, f"{state} has mode {mode:o}")
        mode = stat.S_IMODE(os.stat(os.path.join(state, "node.key")).st_mode)
        expect(mode == 0o600, f"the key of {name} has mode {mode:o}")
    expect(stat.S_IMODE(os.stat(f.authority).st_mode) == 0o700, "the authority's directory")
    expect(stat.S_IMODE(os.stat(os.path.join(f.authority, "authority.key")).st_mode) == 0o600,
           "the authority's key")
    expect(stat.S_IMODE(os.stat(f.token("e1", "device")).st_mode) == 0o600, "a token in a file")


def a_token_past_its_time_is_named():
    f = world()
    path, over = short_token(f)
    time.sleep(max(0, over - time.monotonic()))
    mark = f["root"].mark()
    ends(enrol(f, "t4", path), EXPIRED, "refused (expired)")
    logged(f, mark, "t4", "expired")


if __name__ == "__main__":
    main(tests_of(__name__))
