"""`fl trainer check` names in one line what is wrong with each of these trainers, and lets those
pass that only look odd. With user namespaces and, where the machine can forbid them, without."""
import os
import re
import shutil
import subprocess
import sys
import tempfile

from fabric import Skip, binary, expect, main, run

TRAINER = '''
import json, os, signal, socket, struct, subprocess, sys, time
out = os.environ["FL_DIR"]
values = dict(w=([4, 3], [0.5] * 12), b=([4], [0.25] * 4), scale=([], [1]))
metrics, dtype, name = {{"samples": 60}}, "F32", "update.safetensors"
def save():
    head, data = {{}}, b""
    for key, (shape, numbers) in values.items():
        more = struct.pack(f"<{{len(numbers)}}" + {{"F32": "f", "F64": "d"}}[dtype], *numbers)
        head[key] = dict(dtype=dtype, shape=shape, data_offsets=[len(data), len(data) + len(more)])
        data += more
    text = json.dumps(head).encode()
    with open(os.path.join(out, name), "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)
def tell():
    with open(os.path.join(out, "metrics.json"), "w") as file:
        json.dump(metrics, file)
{broken}
save()
tell()
'''
FORK = "subprocess.Popen(['sleep', '300'], start_new_session=True, stdout=-3, stderr=-3)"
#  What is wrong, and how the line about it begins.
BROKEN = {
    "wrong shape": ("values['w'] = ([3, 4], [0.5] * 12)",
                    "shape: w in update.safetensors is (3,4)"),
    "wrong dtype": ("dtype = 'F64'", "dtype: update.safetensors: safetensors: w is F64"),
    "missing name": ("del values['b']", "missing: update.safetensors has no b"),
    "one name too many": ("values['c'] = ([1], [1])", "unknown: update.safetensors has c"),
    "NaN": ("values['b'][1][2] = float('nan')", "nan: b in update.safetensors"),
    "slow": ("time.sleep(300)", "late: not done in 4000 ms"),
    "ignores cancel": ("signal.signal(15, lambda *_: None); "
                       "t = time.monotonic() + 2.4\nwhile time.monotonic() < t: time.sleep(0.1)",
                       "cancel: it ignores SIGTERM"),
    "crash": ("os.kill(os.getpid(), 11)", "crash: Segmentation fault"),
    "exception": ("raise ValueError('no such column: age')",
                  "raised: exit code 1; ValueError: no such column: age"),
    "junk as an update": ("save = lambda: open(os.path.join(out, name), 'w').write('junk' * 9)",
                          "junk: update.safetensors"),
    "nothing written": ("save = lambda: None", "nothing: it wrote neither"),
    "no samples": ("metrics = {}", "samples: samples in metrics.json"),
    "no metrics": ("tell = lambda: None", "samples: there is no metrics.json"),
    "a metric that is none": ("metrics['loss'] = float('nan')", "metric: metrics.json"),
    "a metric that is text": ("metrics['note'] = 'fine'", "metric: note in metrics.json"),
    "forks and stays": (FORK, "left: it ended"),
    "fills the disk": ("f = open(out + '/big', 'wb')\nwhile True: f.write(bytes(1 << 20))",
                       "disk: "),
    "fills it with many files": ("n = 0\nwhile True: n += 1; open(f'{out}/{n}', 'wb').write("
                                 "bytes(1 << 20))", "disk: "),
    "wants the network": ("if os.stat('/proc/self/ns/net').st_ino != "
                          f"{os.stat('/proc/self/ns/net').st_ino}: raise OSError('unreachable')",
                          "network: "),
    "wrong version": ("metrics['protocol'] = 2", "version: it speaks protocol 2, this device 1"),
    "a link instead of a file": ("save = lambda: os.symlink('/etc/passwd', out + '/' + name)",
                                 "nothing: it wrote neither"),
    "says it cannot": ("print('a table, not images'); sys.stdout.flush(); os._exit(64)",
                       "cannot: a table, not images"),
    "has no data": ("os._exit(75)", "no-data: "),
}
#  The same for one that stays.
SERVE = '''
import json, os, sys, time
asked = os.fdopen(int(os.environ["FL_TRAINER_IN"]))
out = os.fdopen(int(os.environ["FL_TRAINER_OUT"]), "w")
hello = {{"is": "hello", "protocol": 1, "later": "more"}}
def say(**words):
    print(json.dumps(words), file=out, flush=True)
def fit():
    with open(os.environ["FL_MODEL"], "rb") as model, open(os.environ["FL_UPDATE"], "r+b") as made:
        made.write(model.read())
    with open(os.environ["FL_DIR"] + "/metrics.json", "w") as file:
        json.dump({{"samples": 60}}, file)
{broken}
say(**hello)
for line in asked:
    told = json.loads(line)
    fit()
    say(id=told["id"], code=0)
'''
BROKEN_STAYING = {
    "junk": ("say = lambda **words: print('junk', file=out, flush=True)",
             "junk: this is no answer to "),
    "answers another question": ("json.loads = lambda line: {'id': 99}", "junk: this is no answer"),
    "ends": ("fit = lambda: sys.exit(0)", "ended: it ended without an answer"),
    "wrong version": ("hello['protocol'] = 7", "version: it speaks protocol 7, this device 1"),
    "crash": ("fit = lambda: os.kill(os.getpid(), 11)", "crash: Segmentation fault"),
    "raises": ("fit = lambda: say(id=told['id'], code=3, text='no such column')",
               "raised: exit code 3; no such column"),
    "slow": ("fit = lambda: time.sleep(300)", "late: not done in 4000 ms"),
    "nothing written": ("os.environ['FL_UPDATE'] = '/dev/null'",
                        "nothing: FL_UPDATE does not begin"),
    "NaN": ("fit = lambda given=fit: (given(), os.pwrite(8, bytes([255] * 4), "
            "os.fstat(8).st_size - 4))", "nan: scale in the update"),
    "writes the model": ("os.pwrite(7, b'x', 0)", "raised: "),
    "cuts the update off": ("os.ftruncate(8, 0)", "raised: "),
    "answers twice": ("once, fit = fit, lambda: (once(), say(id=told['id'], code=0))",
                      "junk: this is no answer to "),
}
FINE = {
    "as it should be": "",
    "junk on stdout": "print('{\"samples\": 1}\\n' * 100000)",
    "no newline, and bytes": "os.write(1, bytes(range(128)) * 400)",
    "a short child of its own": "subprocess.run(['true'])",
    "ends a moment before its child": "subprocess.Popen(['sleep', '0.05'])",
}
#  A world of its own that may make no other: there the filter of system calls has to do.
NO_NAMESPACES = ["unshare", "-Ur", "sh", "-c",
                 'echo 0 >/proc/sys/user/max_user_namespaces; exec "$@"', "sh"]


def _check(broken, prefix=(), form="once"):
    base = tempfile.mkdtemp(prefix="fl-")
    try:
        path = os.path.join(base, "train.py")
        with open(path, "w", encoding="ascii") as file:
            file.write((SERVE if form == "serve" else TRAINER).format(broken=broken))
        return run([*prefix, binary("fl"), "trainer", "check", "--form", form, "--time-max",
                    "4s", "--cancel", "500ms", "--disk", "8MiB", "--", sys.executable, path], 60)
    finally:
        shutil.rmtree(base)


def _verdict(name, prefix=(), form="once"):
    broken, wanted = BROKEN_STAYING[name] if form == "serve" else BROKEN[name]
    code, out, errors = _check(broken, prefix, form)
    said = errors.strip().splitlines()[-1] if errors.strip() else out
    expect(code == 1 and said.startswith("fl trainer check: " + wanted), f"{name}: {code}, {said}")


def _left():
    """Those that a trainer has left: `sleep 300`."""
    return subprocess.run(["pgrep", "-fx", "sleep 300"], capture_output=True,
                          check=False).stdout.split()


def each_mistake_is_named_in_one_line():
    for name in BROKEN:
        _verdict(name)
    expect(not _left(), f"processes of a trainer are left: {_left()}")


def each_mistake_of_one_that_stays_is_named_too():
    for name in BROKEN_STAYING:
        _verdict(name, form="serve")
    own = ("open(os.environ['FL_DIR'] + '/own', 'w').close()\n"    # its own files outlive a round
           "given, fit = fit, lambda: (os.stat(os.environ['FL_DIR'] + '/own'), given())")
    code, out, errors = _check(own, form="serve")
    expect(code == 0 and out.startswith("fine: "), f"{code}, {out} {errors[-300:]}")
    expect(not _left(), f"processes of a trainer are left: {_left()}")


def what_only_looks_odd_passes():
    for name, odd in FINE.items():
        code, out, errors = _check(odd)
        expect(code == 0 and out.startswith("fine: "), f"{name}: {code}, {out} {errors[-300:]}")


def without_namespaces_the_network_is_shut_all_the_same():
    forbidden = run([*NO_NAMESPACES, "unshare", "-U", "true"])[0] != 0
    if run([*NO_NAMESPACES, "true"])[0] != 0 or not forbidden:
        raise Skip("this machine cannot forbid namespaces to a test")
    code, out, errors = _check("", NO_NAMESPACES)
    expect(code == 0 and "does not hold it" in out, f"{code}, {out} {errors[-300:]}")
    for name in ("forks and stays", "ignores cancel", "crash"):
        _verdict(name, NO_NAMESPACES)
    shut = ("try: socket.socket(socket.AF_INET)\nexcept OSError as e: print(e)\n"
            "socket.socket(socket.AF_UNIX)")
    code, out, errors = _check(shut, NO_NAMESPACES)
    expect(code == 0 and "Permission denied" in errors, f"{code}, {out} {errors[-300:]}")
    expect(not _left(), f"processes of a trainer are left: {_left()}")


def what_it_is_told_is_what_the_page_shows():
    """docs/trainer-protocol.md, the block that begins with config.json"""
    page = os.path.join(os.path.dirname(__file__), "..", "..", "docs", "trainer-protocol.md")
    with open(page, encoding="utf-8") as file:
        shown = file.read().split("```\nconfig.json\n")[1].split("```")[0]
    told = 'ls "$FL_DIR"; env | grep ^FL_ | sort; cat "$FL_CONFIG"; exit 64'
    _, _, errors = run([binary("fl"), "trainer", "check", "--data", "/srv/images", "--set",
                        "rate=0.1", "--set", "epochs=2", "--network", "world", "--", told], 30)
    lines = [line[4:] for line in errors.splitlines() if line.startswith("  | ")]
    said = re.sub(r"=\S*/fl-trainer-\w+", "=DIR", "\n".join(lines) + "\n")
    expect(said == "config.json\n" + shown, f"it is told {said}")


main([what_it_is_told_is_what_the_page_shows, each_mistake_is_named_in_one_line,
      each_mistake_of_one_that_stays_is_named_too, what_only_looks_odd_passes,
      without_namespaces_the_network_is_shut_all_the_same])
