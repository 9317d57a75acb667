#!/usr/bin/env python3
"""Who is refused, by what name, and that it is counted: a hostile peer knocks at the edge of a
fabric that runs, and stands where the parent of a device should stand. Then revocation: cut, kept
out, and back by itself once admitted.
"""
import os
import re
import time

from security_peer import (BACKOFF_MAX_S, BEAT_S, SLACK_S, at, counters, grows, home, hostile,
                           lured, world)
from fabric import expect, fl, flags, main, tests_of, seconds

#  From `fl admit` until a device is seated again: the list goes down in a heartbeat per hop, the
#  device waits out one backoff and, if it knocked in vain just before, three silent beats.
BACK_S = 2 * BEAT_S + 3 * BEAT_S + BACKOFF_MAX_S + SLACK_S


def refused(f, at_whom, reason, about, counter, **speech):
    """The last thing said is refused by name: to the peer, in the counters, in the log."""
    process = f[at_whom]
    before, mark = counters(f, at_whom), process.mark()
    lines = hostile("speak", **at(f, at_whom), **speech)
    last = lines[-1]
    expect(last["word"] == "heard" and last.get("verb") == "refused", f"answered: {lines}")
    expect(last["reason"] == reason and last["about"] == about, f"answered: {last}")
    grows(f, at_whom, f"fl_net_refused_{reason}", before)
    grows(f, at_whom, f"fl_net_dropped_{counter}", before)
    process.line("gate-refused", reason=reason, verb=about, since=mark, bound_s=5)
    return last


def a_key_without_a_certificate_is_refused():
    f = world()
    refused(f, "e1", "certificate", "hello", "refused", home=home(f, "nobody"), say="hello")
    refused(f, "root", "certificate", "hello", "refused", home=home(f, "nobody"), say="hello",
            role="edge")


def who_does_not_encrypt_is_not_heard():
    f = world()
    before = counters(f, "e1")
    lines = hostile("speak", **at(f, "e1"), home=f["d1"].state, say="hello", plain=1, wait=700)
    expect(lines[-1]["word"] == "silent", f"answered: {lines}")
    grows(f, "e1", "fl_net_handshakes_failed", before)


def a_certificate_of_another_authority_is_refused():
    f = world()
    other = os.path.join(f.base, "hostile-authority")
    hostile("found", home=other)
    path = home(f, "stranger", authority=other, role="device")
    refused(f, "e1", "certificate", "hello", "refused", home=path, say="hello")


def a_certificate_of_somebody_else_is_refused():
    f = world()
    refused(f, "e1", "certificate", "hello", "refused", home=home(f, "thief"),
            cert=f["d1"].state, say="hello")


def a_certificate_past_its_time_is_refused():
    f = world()
    path = home(f, "late", role="device", at=-10 * 86400, life=86400)
    refused(f, "e1", "expired", "hello", "refused", home=path, say="hello")


def a_certificate_that_ends_while_connected_is_cut():
    f = world()
    path = home(f, "ending", role="device", life=2)
    before = counters(f, "e1")
    lines = hostile("speak", **at(f, "e1"), home=path, say="hello" + 8 * ",pause,beat", pause=500,
                    wait=500)
    said = [line.get("verb", "silence") for line in lines]
    expect(said[0] == "welcome" and said[1] != "silence", f"answered: {lines}")
    expect(set(said[-2:]) <= {"silence", "refused"}, f"answered: {lines}")
    grows(f, "e1", "fl_net_cut_standing", before)
    grows(f, "e1", "fl_net_refused_expired", before)
    f["e1"].line("gate-refused", reason="expired", peer="ending", bound_s=5)
    expect(hostile("speak", **at(f, "e1"), home=path, say="hello")[-1].get("reason") ==
           "expired", "it may not come back")


def a_certificate_of_another_role_is_refused():
    f = world()
    device = home(f, "climber", role="device")
    refused(f, "e1", "role", "hello", "refused", home=device, say="hello", role="edge")
    refused(f, "root", "role", "hello", "refused", home=device, say="hello", role="edge")
    for role in ("operator", "root"):
        path = home(f, "false-" + role, role=role)
        refused(f, "e1", "role", "hello", "refused", home=path, say="hello", role="device")


def a_forged_ticket_is_refused():
    f = world()
    path = home(f, "forger", role="device")
    refused(f, "e1", "ticket", "contrib", "refused", home=path, say="hello,forged")
    entries = f.report(f.closed())["of"]
    expect("forger" not in entries or entries["forger"]["outcome"] != "in", f"{entries}")


def what_comes_before_hello_is_refused():
    f = world()
    refused(f, "e1", "unknown-seat", "beat", "unseated", home=home(f, "nobody"), say="beat")
    before = counters(f, "e1")
    lines = hostile("speak", **at(f, "e1"), home=home(f, "nobody"), say="bulk", wait=500,
                    down=f"tcp://127.0.0.1:{f['e1'].ports['down']}")
    expect(lines[-1]["word"] == "silent", f"answered: {lines}")
    grows(f, "e1", "fl_net_keys_later", before)


def another_wire_major_is_told_both_versions():
    f = world()
    last = refused(f, "e1", "version", "none", "malformed", home=home(f, "nobody"), say="major")
    versions = re.findall(r"wire (\d+)\.\d+|speaks (\d+)\.\d+", last["text"])
    majors = {int(one or other) for one, other in versions}
    expect(len(majors) == 2 and max(majors) == min(majors) + 1, f"it names both: {last['text']}")


def what_is_no_message_of_a_child_is_refused():
    f = world()
    refused(f, "e1", "malformed", "welcome", "way", home=home(f, "nobody"), say="welcome")
    before = counters(f, "e1")
    lines = hostile("speak", **at(f, "e1"), home=home(f, "nobody"), say="garbage")
    expect(lines[-1].get("reason") == "malformed", f"answered: {lines}")
    grows(f, "e1", "fl_net_codec_magic", before)


# ---- a hostile parent -------------------------------------------------------------------------
def an_order_that_the_authority_did_not_sign_is_refused():
    f = world()
    with lured(f, "welcome,task") as device:
        device.line("gate-refused", reason="plan", verb="task", bound_s=10)
        status = f.status("lured")
        expect(status["member"]["joined"], "a parent of our authority is joined")
        expect(status["counters"].get("fl_net_refused_plan", 0) >= 1, status["counters"])
        expect(status["counters"].get("fl_net_dropped_parent", 0) >= 1, status["counters"])
        expect(status["round"] == 0, f"it works at round {status['round']}")
        expect(not device.lines("task", "offered"), "it took the order")


def a_parent_without_its_own_certificate_is_not_joined():
    f = world()
    for cert in (f["e1"].state, f["d1"].state):     # of another edge; of no parent at all
        with lured(f, "welcome,task", cert=cert) as device:
            line = device.line("gate-refused", verb="welcome", bound_s=10)
            expect(line["reason"] == ("certificate" if cert == f["e1"].state else "role"), line)
            expect(not f.status("lured")["member"]["joined"], "it joined")


def a_parent_with_another_key_hears_nothing():
    f = world()
    with lured(f, "welcome,task", stands=home(f, "nobody")) as device:
        device.line("reconnect", reason="silent", bound_s=15)
        expect(not device.peer.lines(verb="hello"), "it said hello to a stranger")


def a_deny_list_that_the_authority_did_not_sign_is_refused():
    f = world()
    with lured(f, "welcome,deny") as device:
        line = device.line("gate-refused", verb="deny", bound_s=10)
        expect(line["reason"] == "certificate", line)
        expect(not device.lines("deny-list"), "it took the list")


# ---- revocation -------------------------------------------------------------------------------
def between(first, second):
    return seconds(second) - seconds(first)


def a_revoked_device_is_cut_and_kept_out_and_comes_back_once_admitted():
    f = world()
    edge, device, root = f["e1"], f["d2"], f["root"]
    before, marks = counters(f, "e1"), {p: p.mark() for p in (edge, device, root)}
    f.ok("revoke", "d2", "--state", root.state)
    at_root = root.line("deny-list", since=marks[root], bound_s=1)
    at_edge = edge.line("deny-list", since=marks[edge], bound_s=5)
    took = between(at_root, at_edge)
    expect(took <= BEAT_S + 0.3, f"the list took {took:.3f} s for one hop, a beat is {BEAT_S} s")
    grows(f, "e1", "fl_net_cut_standing", before)
    grows(f, "e1", "fl_net_refused_revoked", before)
    edge.line("left", peer="d2", reason="revoked", since=marks[edge], bound_s=1)
    silent = device.line("reconnect", reason="silent", since=marks[device], bound_s=10)
    expect(between(at_edge, silent) <= 3 * BEAT_S + SLACK_S, "it noticed late")
    grows(f, "e1", "fl_net_keys_denied", before, 10)        # it knocks, in vain
    round_of = f.closed() + 1
    f.until(lambda: f.closed() > round_of, 20, "rounds without it")
    entry = f.report(f.closed())["of"].get("d2")
    expect(entry is None or entry["outcome"] != "in", f"{entry}")
    expect(not any(child["node"] == "d2" and child["present"]
                   for child in f.status("e1")["children"]), "it still has a seat")
    # with a copy of its keys and another program
    lines = hostile("speak", **at(f, "e1"), home=device.state, say="hello", wait=1500)
    expect(lines[-1]["word"] == "silent", f"answered: {lines}")
    # the other edge has never seen this key: it hears why
    last = refused(f, "e2", "revoked", "hello", "refused", home=device.state, say="hello")
    expect(last["reason"] == "revoked", last)
    mark, pid = device.mark(), device.popen.pid
    f.ok("admit", "d2", "--state", root.state)
    device.line("welcomed", since=mark, bound_s=BACK_S)
    expect(device.popen.pid == pid and device.alive(), "it was restarted")
    f.until(lambda: f.report(f.closed())["of"].get("d2", {}).get("outcome") == "in", 20,
            "it counts again")


def a_revocation_outlives_the_edge_that_heard_it():
    f = world()
    edge, device = f["e1"], f["d2"]
    mark, before = edge.mark(), counters(f, "e1")
    f.ok("revoke", "d2", "--state", f["root"].state)
    edge.line("deny-list", since=mark, bound_s=5)
    grows(f, "e1", "fl_net_keys_denied", before, 10)
    mark = device.mark()
    f["root"].pause()           # nobody can tell the edge anew
    edge.restart()
    f["root"].resume()
    device.line("refused", reason="revoked", since=mark, bound_s=20)
    mark = device.mark()
    f.ok("admit", "d2", "--state", f["root"].state)
    device.line("welcomed", since=mark, bound_s=BACK_S)


def a_revoked_edge_is_cut_at_once_and_comes_back_with_its_devices():
    f = world()
    root, edge = f["root"], f["e2"]
    before, mark, edge_mark = counters(f, "root"), root.mark(), edge.mark()
    f.ok("revoke", "e2", "--state", root.state)
    grows(f, "root", "fl_net_cut_standing", before, 1)
    root.line("deny-list", since=mark, bound_s=1)
    edge.line("reconnect", reason="silent", since=edge_mark, bound_s=10)
    last = hostile("speak", **at(f, "root"), home=edge.state, say="hello", wait=1000)[-1]
    expect(last["word"] == "silent", f"answered: {last}")
    mark = edge.mark()
    f.ok("admit", "e2", "--state", root.state)
    edge.line("welcomed", since=mark, bound_s=BACK_S)
    f.until(lambda: f.report(f.closed())["of"].get("d3", {}).get("outcome") == "in", 20,
            "the device of that edge counts again")


def what_was_revoked_gets_no_certificate():
    f = world()
    f.ok("revoke", "gone", "--force", "--state", f["root"].state)
    token = f.token("e1", "device", name="gone")
    code, _, errors = fl("enrol", *flags({"state": os.path.join(f.base, "gone"), "node": "gone",
                                          "token.file": token, "wait": "5s"}))
    expect(code == 11 and "revoked" in errors, f"exit code {code}: {errors}")
    f.ok("admit", "gone", "--state", f["root"].state)


def a_list_of_many_entries_comes_in_parts_and_one_more_node_is_cut():
    """At root, edge and device, while rounds go on."""
    f = world()
    many, root = 100000, f["root"]
    root.stop()
    hostile("deny", authority=f.authority, ledger=os.path.join(root.state, "ledger.db"), count=many)
    root.start()
    for name in ("e1", "d1"):
        line = f[name].line("deny-list", entries=str(many), bound_s=30)
        expect(int(line["version"]) == many, line)
    marks = {name: f[name].mark() for name in ("e1", "d1")}
    begun = time.monotonic()
    f.ok("revoke", "d2", "--state", root.state)
    f["e1"].line("left", peer="d2", reason="revoked", since=marks["e1"], bound_s=10)
    cut = time.monotonic() - begun
    f["d1"].line("deny-list", entries=str(many + 1), since=marks["d1"], bound_s=30)
    print(f"    {many} entries: d2 cut after {cut:.1f} s, d1 heard of it after "
          f"{time.monotonic() - begun:.1f} s", flush=True)
    last = f.closed()
    f.until(lambda: f.closed() > last + 1, 30, "rounds go on")


if __name__ == "__main__":
    main(tests_of(__name__))
