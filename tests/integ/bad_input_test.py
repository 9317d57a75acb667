"""Bad input and bad weather of the machine: each is refused with one clear line that says what,
where and what to do, an exit code that is not 0, and nothing lost: the same command works after the
repair."""
import gzip
import os
import signal
import socket

from disk import small_disk
from fabric import Fabric, binary, expect, flags, logfmt, main, run, small_idx


def _refused(argv, *words):
    """The command ends at once, with one line on standard error that holds the words."""
    code, out, errors = run(argv, 20)
    lines = errors.splitlines()
    print(f"    {code}: {errors.strip()}")
    expect(code > 0, f"exit code {code} of {' '.join(argv)}")
    expect(len(lines) == 1 and out == "" and not logfmt(lines[0]), f"not one line: {out}{errors}")
    for word in words:
        expect(word in lines[0], f"'{word}' is not in: {lines[0]}")


def _program(process, prefix=(), **changes):
    changed = {key.replace("__", "."): value for key, value in changes.items()}
    argv = process.argv()
    return [*prefix, argv[0], *flags({**process.settings, **changed})]


def _write(path, content):
    with open(path, "wb") as file:
        file.write(content)
    return path


# ---- at the start -------------------------------------------------------------------------------
def a_data_file_that_is_cut_off_is_refused_by_name():
    """Plain and gzip, samples and labels, at the device and at the root."""
    with Fabric(devices={"d1": "e1"}, root={"rounds": 2, "model.layers": "784-10"},
                device={"trainer": "builtin", "model.layers": "784-10"}, unmasked=True) as fabric:
        good = small_idx(fabric.base, 200)
        fabric["d1"].settings.update(good)
        fabric.found()
        for key, path in good.items():
            with open(path, "rb") as file:
                whole = file.read()
            plain = _write(path + ".cut", whole[:-1])
            packed = _write(path + ".cut.gz", gzip.compress(whole)[:-40])
            for cut in (plain, packed):
                _refused(_program(fabric["d1"], **{key.replace(".", "__"): cut}), cut,
                         "cut off or damaged", "fetch it again")
        _refused(_program(fabric["d1"], data__labels="/nowhere/labels"), "/nowhere/labels",
                 "No such file", "check the path")
        root = {"state": os.path.join(fabric.base, "other"), "authority": fabric.authority,
                "test.inputs": plain.replace("labels", "inputs"), "test.labels": plain}
        _refused([binary("fl-root"), *flags(root)], "cut off or damaged")
        fabric.start_devices()
        fabric.done()
        expect(len(fabric.rounds()) == 2, "the repaired device does not train")


def a_setting_that_nobody_knows_is_refused_with_its_line():
    """File and line, and the name that was probably meant; --check-config says the same."""
    with Fabric(devices={"d1": "e1"}, unmasked=True) as fabric:
        for name, text, line, meant in (
                ("edge-agg", "state: x\nround:\n  time_max: 5s\n  tme_min: 1s\n", 4,
                 "round.time_min"),
                ("fl-root", "state: x\nauthority: y\nshard: 3\n", 3, "shards"),
                ("fl-device", "state: x\n\ntrainer: synthetic\nthreds: 1\n", 4, "threads")):
            path = _write(os.path.join(fabric.base, name + ".yaml"), text.encode())
            for more in ([], ["--check-config"]):
                _refused([binary(name), "--config", path, *more], f"{path}:{line}: ",
                         "unknown key", f"did you mean '{meant}'")


def what_the_machine_lacks_is_reported_before_anything_starts():
    """A port that is taken, too few descriptors, a certificate that is missing, a state directory
    that somebody else uses. Afterwards the very same processes run."""
    with Fabric(devices={"d1": "e1"}, root={"rounds": 2}, unmasked=True) as fabric, \
            socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        fabric.found()
        edge, port = fabric["e1"], taken.getsockname()[1]
        _refused(_program(edge), edge.state, f"in use by edge-agg (pid {edge.popen.pid} on ",
                 "stop it")
        expect(edge.stop() == 0, "the edge does not stop")
        _refused(_program(edge, listen__up=f"tcp://127.0.0.1:{port}"), f"tcp://127.0.0.1:{port}",
                 "already in use", "choose another port")
        _refused(_program(edge, ["prlimit", "--nofile=300:300"], seats=1000), "open files",
                 "300", "ulimit", "lower 'seats'")
        for name in ("node.cert", "node.key", "authority.pub", "parent"):
            path = os.path.join(edge.state, name)
            os.rename(path, path + ".away")
            _refused(_program(edge), path, "enrol this node first")
            os.rename(path + ".away", path)
        _refused([binary("fl-device"), *flags({"state": os.path.join(fabric.base, "new"),
                                               "trainer": "synthetic"})], "fl enrol")
        _refused([binary("fl-root"), *flags({"state": os.path.join(fabric.base, "new"),
                                             "authority": os.path.join(fabric.base, "none")})],
                 "none is not there", "fl ca init")
        edge.start()
        fabric.start_devices()
        fabric.done()


def a_start_that_cannot_go_on_is_refused_and_never_hangs():
    """Too little memory for OpenBLAS, a pipe where data should be, a state directory whose socket
    has no path, data of another width: each is said at once, and by --check-config what it can."""
    with Fabric(devices={"d1": "e1"}, root={"rounds": 2, "model.layers": "784-10"},
                device={"trainer": "builtin", "model.layers": "784-10"}, unmasked=True) as fabric:
        good = small_idx(fabric.base, 200)
        fabric["d1"].settings.update(good)
        fabric.found()
        device, pipe = fabric["d1"], os.path.join(fabric.base, "pipe")
        os.mkfifo(pipe)
        _refused(_program(device, ["prlimit", "--as=200000000"]), "no memory for OpenBLAS",
                 "192 MiB", "ulimit -v")
        for key in good:
            for more in ([], ["--check-config"]):
                _refused([*_program(device, **{key.replace(".", "__"): pipe}), *more], pipe,
                         "is no regular file")
                _refused([*_program(device, model__layers="783-10"), *more],
                         good["data.inputs"], "784 values each, the network takes 783")
        long = os.path.join(fabric.base, "d" * 100)
        _refused(_program(device, state=long), long, "too long for the operator's socket")
        expect(not os.path.exists(long), "it is made all the same")


def a_hangup_is_no_end():
    """A terminal that is closed leaves the programs running."""
    with Fabric(devices={"d1": "e1"}, root={"rounds": 3}, unmasked=True) as fabric:
        fabric.start()
        for name in ("root", "e1", "d1"):
            fabric[name].line("started")
            fabric[name].popen.send_signal(signal.SIGHUP)
        fabric.done()
        expect(len(fabric.rounds()) == 3, "the run is not whole")


def a_model_of_another_shape_is_refused_by_name():
    """The device says why, the round reports refused(model), the others go on."""
    with Fabric(devices={"d1": "e1", "d2": "e1", "d3": "e1"}, root={"rounds": 2},
                each={"d2": {"synthetic.elements": 777}}, unmasked=True) as fabric:
        small = small_idx(fabric.base, 200)
        fabric["d3"].settings.update({"trainer": "builtin", "model.layers": "784-10", **small})
        fabric.start()
        fabric.done()
        for name in ("d2", "d3"):
            entry = fabric.report(2)["of"][name]
            expect((entry["outcome"], entry["reason"]) == ("refused", "model"), f"{entry}")
            said = fabric[name].lines("training-failed")[0]
            print(f"    {name}: {said['why']}")
            expect(said["level"] == "error" and "here and at the root" in said["why"], f"{said}")
        expect(all(one["count"] == 1 and one["refused"] == 2 for one in fabric.rounds()),
               f"{fabric.rounds()}")


# ---- a full disk --------------------------------------------------------------------------------
def a_root_without_room_begins_when_there_is_some():
    """No room for the ledger: it does not start. Then none for the first model: the run waits."""
    with Fabric(devices={"d1": "e1"}, root={"rounds": 2, "model.elements": 100000},
                unmasked=True) as fabric:
        fabric.ok("ca", "init", "--authority", fabric.authority)
        root = fabric["root"]
        with small_disk(root.state, "40k"):
            _refused(root.argv(), f"{root.state}/ledger.db", "no space left", "free some")
            run(["mount", "-o", "remount,size=500k", root.state])
            line = root.start().line("run-waits")
            expect(f"{root.state}/models/" in line["why"] and "free some" in line["why"], f"{line}")
            run(["mount", "-o", "remount,size=20m", root.state])
            root.line("run-begins")
            root.stop()
            fabric.start()
            fabric.done()
            root.kill()


if __name__ == "__main__":
    main([a_data_file_that_is_cut_off_is_refused_by_name,
          a_setting_that_nobody_knows_is_refused_with_its_line,
          what_the_machine_lacks_is_reported_before_anything_starts,
          a_start_that_cannot_go_on_is_refused_and_never_hangs,
          a_hangup_is_no_end,
          a_model_of_another_shape_is_refused_by_name,
          a_root_without_room_begins_when_there_is_some])
