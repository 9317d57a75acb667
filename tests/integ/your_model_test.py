"""A run whose model is trained by commands of the devices' owners: shell and awk at some sites,
NumPy at the others, three tiers, masks on; and PyTorch. The model is that of the same loop averaged
by hand, byte for byte. And what such a command cannot do."""
import os
import signal
import struct
import subprocess
import sys

from by_hand import by_hand, f32, read_model, write_model
from fabric import Fabric, Skip, binary, expect, main, until, write_run

HERE = os.path.dirname(os.path.abspath(__file__))
EXAMPLES = os.path.join(HERE, "..", "..", "docs", "examples")
PYTHON = os.path.join(HERE, "..", "..", "python")
SHELL = f"PATH={os.path.abspath(os.path.dirname(binary('fl')))}:$PATH sh {EXAMPLES}/line.sh"
RUN = {"plan.pin": True, "plan.clip": 1.0, "plan.bits": 16, "server.optimizer": "fedavg",
       "train.seed": 7, "train.rate": 0.25, "train.epochs": 2}
LINE = {"w": [2], "b": [1]}
FIRST = [f32(0.1), f32(-0.2), f32(0.3)]


def _python(module, script):
    """The command of a script for an interpreter that has the module, or None."""
    for one in (sys.executable, "/usr/bin/python3"):
        if subprocess.run([one, "-c", f"import {module}"], capture_output=True,
                          check=False).returncode == 0:
            return f"PYTHONPATH={PYTHON} {one} {EXAMPLES}/{script}"
    return None


def _fabric(tree, settings, **more):
    fabric = Fabric(**tree, root=settings, **more)
    fabric["root"].settings.pop("model.elements")
    fabric["root"].settings.update({"model.initial": os.path.join(fabric.base, "first"),
                                    "train.trainer": "line", "round.time_max": "60s"})
    return fabric


def _offer(fabric, name, **settings):
    """That device has a trainer, and nothing else to train with."""
    directory = os.path.join(fabric.base, "offers", name)
    write_run(directory, settings, "line")
    fabric[name].settings.pop("trainer", None)
    fabric[name].settings["trainers"] = directory


def _samples(path, number):
    """Its own: 20 to 100 of a line that is the same for all, with an error that is not."""
    with open(path, "w", encoding="ascii") as file:
        for i in range(20 + 10 * number):
            x1, x2 = (i * 7 + number) % 13 / 13, (i * 5) % 11 / 11
            file.write(f"{x1:.6f},{x2:.6f},{0.5 * x1 - 0.25 * x2 + 0.1 + number / 1000:.6f}\n")
    return path


def _run_both(fabric, commands, rounds, form="once"):
    """The run, and the same by hand; the report of its last round."""
    sites = {}
    for number, (name, command) in enumerate(commands.items()):
        sites[name] = (command, _samples(os.path.join(fabric.base, name + ".csv"), number))
        _offer(fabric, name, command=command, data=sites[name][1], form=form)
    fabric.start()
    fabric.done(200)
    for one in fabric.rounds():
        expect(one["close"] == "done" and one["count"] == len(sites), f"not whole: {one}")
    path = os.path.join(fabric.base, "last.safetensors")
    fabric.ok("model", "export", path, "--state", fabric["root"].state)
    shapes, got = read_model(path)
    same, wanted = by_hand(os.path.join(fabric.base, "by-hand"), sites,
                           fabric["root"].settings["model.initial"], RUN, rounds)
    expect(shapes == same, f"the model has {shapes}")
    expect(struct.pack(f"<{len(got)}f", *got) == struct.pack(f"<{len(wanted)}f", *wanted),
           f"{got}, {wanted}")
    return fabric.report(rounds)


def the_model_is_that_of_the_same_loop_averaged_by_hand():
    devices = {f"d{number}": f"e{number // 3}" for number in range(9)}
    tree = {"edges": {f"e{number}": "root" for number in range(3)}, "devices": devices}
    python = _python("numpy", "line.py") or SHELL
    with _fabric(tree, {**RUN, "rounds": 3}) as fabric:
        write_model(fabric["root"].settings["model.initial"], LINE, FIRST)
        report = _run_both(fabric, {name: python if int(name[1:]) % 3 == 0 else SHELL
                                    for name in devices}, 3)
        expect(report["masked"] and report["stats"]["device_loss"] < 0.1, f"{report}")
        expect(report["stats"]["samples"] == sum(20 + 10 * n for n in range(9)), f"{report}")


def a_network_of_pytorch_is_that_of_the_same_loop_averaged_by_hand():
    command = _python("torch", "net.py")
    if command is None:
        raise Skip("no interpreter here has PyTorch")
    tree = {"edges": {}, "devices": {name: "root" for name in ("d0", "d1", "d2")}}
    with _fabric(tree, {**RUN, "rounds": 2}) as fabric:
        initial = fabric["root"].settings["model.initial"]
        subprocess.run(["sh", "-c", f"{command} init {initial}"], check=True)
        report = _run_both(fabric, {name: command for name in fabric.devices}, 2, "serve")
        expect(report["masked"] and report["stats"]["evaluated"] == 90, f"{report}")


SPY = """#!/bin/sh
for name in node.key; do cat {state}/$name >/dev/null 2>&1 && echo "read $name"; done
touch {base}/written 2>/dev/null && echo "wrote"
{python} -c 'import socket; socket.create_connection(("127.0.0.1", {port}), 1)' 2>/dev/null &&
    echo "reached the root"
env | grep -v -e ^FL_ -e ^PATH= -e ^HOME= -e ^TMPDIR= -e ^PWD= -e ^LANG= -e ^OLDPWD= -e ^_= \\
    -e ^LD_LIBRARY_PATH= -e ^OMP_ | sed 's/^/given /'
echo looked
sleep 600 & sleep 600
"""


def _children(fabric):
    """Processes of a trainer below that fabric's directory."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if fabric.base.encode() in file.read():
                    found.append(int(pid))
        except OSError:
            pass
    return found


def a_command_reads_no_key_and_does_not_outlive_its_device():
    """d1 has a trainer that looks around and then sleeps; d2 has none of that name."""
    tree = {"edges": {}, "devices": {"d1": "root", "d2": "root"}}
    with _fabric(tree, {"rounds": 1000}, unmasked=True) as fabric:
        write_model(fabric["root"].settings["model.initial"], LINE, FIRST)
        fabric.found()
        spy = os.path.join(fabric.base, "spy.sh")
        with open(spy, "w", encoding="ascii") as file:
            file.write(SPY.format(state=fabric["d1"].state, base=fabric.base,
                                  python=sys.executable, port=fabric["root"].ports["control"]))
        _offer(fabric, "d1", command=f"sh {spy}")
        fabric.start_devices()
        fabric["d1"].line("trainer-says", text="looked")
        asked = fabric["d2"].lines("offered", "training-failed")
        expect(not asked, f"d2 took part: {asked}")
        said = [line["text"] for line in fabric["d1"].lines("trainer-says")]
        if fabric["d1"].lines("trainer-unfenced"):
            print("    this kernel holds less: " + str(fabric["d1"].line("trainer-unfenced")))
        else:
            expect(said == ["looked"], f"it {said}")
        expect(_children(fabric), "nobody trains")
        fabric["d1"].signal(signal.SIGKILL)
        until(lambda: not _children(fabric), 2, "the end of all that the device had started")


main([the_model_is_that_of_the_same_loop_averaged_by_hand,
      a_network_of_pytorch_is_that_of_the_same_loop_averaged_by_hand,
      a_command_reads_no_key_and_does_not_outlive_its_device])
