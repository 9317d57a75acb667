"""Models as safetensors files: F32 arrays by name, in the order of the file."""
from __future__ import annotations

import json
import os
from typing import Any, Dict, Mapping

import numpy as np

Tensors = Dict[str, "np.ndarray[Any, Any]"]
_ALIGN = 8


def load(path: str) -> Tensors:
    """The tensors of a file, each an array of its own, in the order of their data."""
    with open(path, "rb") as file:
        head = json.loads(file.read(int.from_bytes(file.read(8), "little")))
        data = file.read()
    head.pop("__metadata__", None)
    out: Tensors = {}
    for name, entry in sorted(head.items(), key=lambda one: one[1]["data_offsets"]):
        if entry["dtype"] != "F32":
            raise TypeError(f"{name} is {entry['dtype']}, only F32 is supported")
        first, end = entry["data_offsets"]
        out[name] = np.frombuffer(data[first:end], "<f4").reshape(entry["shape"]).copy()
    return out


def save(path: str, tensors: Mapping[str, "np.ndarray[Any, Any]"]) -> None:
    """Write them as F32, whole or not at all. Any layout and any float is fine; integers are not:
    they would come back as the mean of several."""
    head, parts, at = {}, [], 0
    for name, value in tensors.items():
        array = np.asarray(value)
        if array.dtype.kind != "f":
            raise TypeError(f"{name} is {array.dtype}, only floats can be averaged: leave it out")
        data = array.astype("<f4").tobytes()    # in C order, whatever its strides
        head[name] = {"dtype": "F32", "shape": list(array.shape),
                      "data_offsets": [at, at + len(data)]}
        parts.append(data)
        at += len(data)
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _ALIGN)
    with open(path + ".part", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.writelines(parts)
    os.replace(path + ".part", path)
