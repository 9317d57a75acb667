"""A device behind 1 Mbit/s: the model takes seconds to come, its contribution seconds to go, and
all the while its heartbeats get through. Needs to be root, for a network namespace of its own."""
import contextlib
import os

from fabric import Fabric, Skip, expect, main, run, seconds

ELEMENTS = 150000               # 4 to 5 s down, 4 up at this rate: more than a lease of 3 s
RATE = "1mbit"
SLOW_S = 3                      # less would mean that the link is not slow


def _ip(*words):
    code, _, errors = run(words)
    expect(code == 0, f"{' '.join(words)}: {errors.strip()}")


@contextlib.contextmanager
def _slow_namespace():
    """A network namespace at the far end of a slow link: its name, our address at the near end."""
    if os.geteuid() != 0:
        raise Skip("needs to be root: network namespaces")
    try:
        codes = [run(["ip", "-V"])[0], run(["tc", "-V"])[0]]
    except FileNotFoundError as missing:
        raise Skip(f"needs iproute2: {missing}") from missing
    expect(codes == [0, 0], "ip or tc is broken")
    pid = os.getpid()
    space, near, far = f"fl-{pid}", f"fl{pid}a", f"fl{pid}b"
    subnet = f"10.213.{pid // 60 % 250}.{pid % 60 * 4}".rsplit(".", 1)
    here, there = (f"{subnet[0]}.{int(subnet[1]) + offset}" for offset in (1, 2))
    if run(["ip", "netns", "add", space])[0] != 0:
        raise Skip("this machine does not let us make a network namespace")
    if run(["ip", "netns", "exec", space, "true"])[0] != 0:
        run(["ip", "netns", "del", space])
        raise Skip("this machine does not let us enter a network namespace")
    try:
        _ip("ip", "link", "add", near, "type", "veth", "peer", "name", far, "netns", space)
        _ip("ip", "address", "add", here + "/30", "dev", near)
        _ip("ip", "link", "set", near, "up")
        inside = ["ip", "netns", "exec", space]
        _ip(*inside, "ip", "address", "add", there + "/30", "dev", far)
        _ip(*inside, "ip", "link", "set", far, "up")
        shape = ["root", "tbf", "rate", RATE, "burst", "16kb", "latency", "300ms"]
        _ip("tc", "qdisc", "add", "dev", near, *shape)
        _ip(*inside, "tc", "qdisc", "add", "dev", far, *shape)
        yield space, here
    finally:
        run(["ip", "netns", "del", space])
        run(["ip", "link", "del", near])    # gone with the namespace already, as a rule


@contextlib.contextmanager
def _one_round(elements, beat):
    """A round that is over, of d1 behind the slow link and d2 beside its edge."""
    everywhere = {"listen.control": "tcp://0.0.0.0:0", "listen.up": "tcp://0.0.0.0:0",
                  "listen.down": "tcp://0.0.0.0:0", "log.level": "debug"}
    window = {"round.time_max": "60s", "beat": beat}
    with _slow_namespace() as (space, address), Fabric(
            edges={"e1": "root"}, devices={"d1": "e1", "d2": "e1"},
            root={"rounds": 1, "model.elements": elements, **window}, edge=window,
            device={"log.level": "debug"}, each={"e1": everywhere},
            hosts={"e1": address}, unmasked=True) as fabric:
        fabric.found()
        fabric["d1"].prefix = ["ip", "netns", "exec", space]
        fabric.start_devices()
        fabric.done(70)
        report = fabric.report(1)
        expect(report["of"]["d1"]["outcome"] == "in" and report["count"] == 2, f"{report}")
        yield fabric


def a_slow_transfer_never_costs_a_device_its_liveness():
    """Megabytes at 1 Mbit/s, and nobody ever doubts that the device lives, or takes slow for lost
    again and again."""
    with _one_round(ELEMENTS, "500ms") as fabric:
        slow = fabric["d1"]
        fetched_s = int(slow.lines("model")[0]["took_ms"]) / 1000
        sent_s = (seconds(fabric["e1"].line("counted", peer="d1")) -
                  seconds(slow.lines("sending", "sent")[0]))
        print(f"    the model took {fetched_s:.1f} s, the contribution {sent_s:.1f} s")
        expect(fetched_s > SLOW_S and sent_s > SLOW_S, "the link was not slow")
        for process in fabric.nodes.values():
            doubts = process.lines("evasive", "expired", "reconnect", "rejoined",
                                   "slot-withdrawn", "refused", "gate-refused")
            expect(not doubts, f"{process.name}: {doubts}")
        rewinds = fabric["e1"].lines("rewind", peer="d1")
        expect(len(rewinds) <= 5, f"{len(rewinds)} rewinds")


def a_piece_that_takes_longer_than_two_beats_comes_all_the_same():
    """Who asks again too soon fills the link with what it asked for before, and gets nothing."""
    with _one_round(100000, "200ms") as fabric:
        took_ms = int(fabric["d1"].lines("model")[0]["took_ms"])
        print(f"    the model took {took_ms / 1000:.1f} s")
        expect(took_ms < 15000, "most of it was sent again and again")


if __name__ == "__main__":
    main([a_slow_transfer_never_costs_a_device_its_liveness,
          a_piece_that_takes_longer_than_two_beats_comes_all_the_same])
