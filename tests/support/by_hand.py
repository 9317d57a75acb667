"""by_hand - the rounds of a run with trainers of the owners, made outside the fabric: each is
started as docs/trainer-protocol.md says, and the updates are averaged with the fabric's arithmetic,
written anew from its headers. For runs that are pinned, in which devices weigh the same, with
fedavg and a server rate of 1."""
import hashlib
import json
import math
import os
import struct
import subprocess

MASK = (1 << 64) - 1


def _mix(z):
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9 & MASK
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb & MASK
    return z ^ (z >> 31)


def _number(seed, *lanes):
    """The first number of a stream; common/base/rng.c"""
    state = _mix(seed + 0x9e3779b97f4a7c15 & MASK)
    for lane in lanes:
        state = _mix(state ^ _mix(lane + 0x632be59bd9b4e019 & MASK))
    return _mix(state + 0x9e3779b97f4a7c15 & MASK)


def _dither_key(name, number, seed):
    """Of that device in that round; common/runtime/effects.c"""
    domain = b"tributary/dither"
    text = name.encode().ljust(16, b"\0") + struct.pack("<QQ", number, seed)
    digest = hashlib.blake2b(bytes([len(domain)]) + domain + text, digest_size=32).digest()
    return _number(struct.unpack("<Q", digest[:8])[0], 0)


def _dither(index, key):
    """common/tensor/kernel_portable.c"""
    h = index + key & 0xffffffff
    h = (h ^ h >> 16) * 0x21f0aaad & 0xffffffff
    h = (h ^ h >> 15) + (key >> 32) & 0xffffffff
    h = h * 0x735a2d97 & 0xffffffff
    return ((h ^ h >> 15) >> 8) * 2.0 ** -24


def f32(value):
    return struct.unpack("<f", struct.pack("<f", value))[0]


def read_model(path):
    """({name: shape} in the order of the file, values)"""
    with open(path, "rb") as file:
        head = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    head.pop("__metadata__", None)
    names = sorted(head, key=lambda name: head[name]["data_offsets"])
    return ({name: head[name]["shape"] for name in names},
            list(struct.unpack(f"<{len(data) // 4}f", data)))


def write_model(path, shapes, values):
    head, at = {}, 0
    for name, shape in shapes.items():
        end = at + 4 * math.prod(shape)
        head[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, end]}
        at = end
    text = json.dumps(head).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + struct.pack(f"<{len(values)}f", *values))
    return path


def _train(base, command, data, shapes, values, told):
    """What that command makes of these values."""
    model, config = os.path.join(base, "model.safetensors"), os.path.join(base, "config.json")
    with open(config, "w", encoding="ascii") as file:
        json.dump(told, file, indent=1)
    environment = {"PATH": os.environ["PATH"], "FL_DO": "fit", "FL_DATA": data, "FL_DIR": base,
                   "FL_MODEL": write_model(model, shapes, values), "FL_CONFIG": config,
                   "OMP_NUM_THREADS": "1"}
    subprocess.run(["sh", "-c", command], env=environment, check=True)
    return read_model(model)[1]


def by_hand(base, sites, initial, run, rounds):
    """(shapes, values) after the last round. `sites`: {name: (command, data)}; `run`: settings."""
    scale = (2 ** (run["plan.bits"] - 1) - 1) / run["plan.clip"]
    shapes, values = read_model(initial)
    train = {key[6:]: value for key, value in run.items() if key.startswith("train.")}
    seed = train.pop("seed")
    os.makedirs(base)
    for number in range(1, rounds + 1):
        told = {"round": number, "seed": _number(seed, number, 0) >> 11, "train": train}
        sums = [0] * len(values)
        for name, (command, data) in sites.items():
            trained = _train(base, command, data, shapes, values, told)
            key = _dither_key(name, number, seed)
            for i, (new, old) in enumerate(zip(trained, values)):
                sums[i] += math.floor(f32(new - old) * scale + _dither(i, key))
        values = [f32(old + f32(total / (scale * len(sites)))) for old, total in zip(values, sums)]
    return shapes, values
