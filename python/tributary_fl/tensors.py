"""Models as safetensors files: F32 arrays by name, in the order of the file."""
from __future__ import annotations

import json
import mmap
import os
from typing import Any, Dict, Mapping

import numpy as np

Tensors = Dict[str, "np.ndarray[Any, Any]"]
_ALIGN = 8


def _views(head: bytes, data: Any, first: int) -> Tensors:
    """The tensors that a header names, of the data that begin at `first`, in their order there."""
    told = json.loads(head)
    told.pop("__metadata__", None)
    out: Tensors = {}
    for name, entry in sorted(told.items(), key=lambda one: one[1]["data_offsets"]):
        if entry["dtype"] != "F32":
            raise TypeError(f"{name} is {entry['dtype']}, only F32 is supported")
        at, end = entry["data_offsets"]
        out[name] = np.frombuffer(data, "<f4", (end - at) // 4, first + at).reshape(entry["shape"])
    return out


def load(path: str) -> Tensors:
    """The tensors of a file, each an array of its own, in the order of their data."""
    with open(path, "rb") as file:
        head = file.read(int.from_bytes(file.read(8), "little"))
        data = file.read()
    return {name: one.copy() for name, one in _views(head, data, 0).items()}


class Shared:
    """The model of a device and what is made of it, as memory that both of us see."""

    def __init__(self, model: str, update: str) -> None:
        with open(model, "rb") as file:
            self._model = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        with open(update, "r+b") as file:
            self._update = mmap.mmap(file.fileno(), 0)

    def _views(self, memory: mmap.mmap) -> Tensors:
        data = 8 + int.from_bytes(self._model[:8], "little")
        return _views(self._model[8:data], memory, data)

    def load(self) -> Tensors:
        """The tensors of the model that came: they cannot be written, and are others next round."""
        return self._views(self._model)

    def save(self, tensors: Mapping[str, "np.ndarray[Any, Any]"]) -> None:
        """Copy them to where the device reads them, each once. The header says that they are."""
        for name, to in self._views(self._update).items():
            array = np.asarray(tensors[name])
            if array.dtype.kind != "f" or array.shape != to.shape:
                raise TypeError(f"{name} is {array.dtype} {array.shape}, the model has it as "
                                f"floats {to.shape}")
            np.copyto(to, array, casting="same_kind")
        head = 8 + int.from_bytes(self._model[:8], "little")
        self._update[:head] = self._model[:head]


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
