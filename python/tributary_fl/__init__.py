"""Your own training loop as a trainer of a Tributary device: docs/trainer-protocol.md.

    import tributary_fl as fl

    def fit(weights, config):
        ...                                     # weights: {name: float32 array}, yours to change
        return weights, samples, {"loss": ...}  # on how many samples it was trained

    fl.serve(fit)
"""
from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from typing import Any, Callable, Dict, Mapping, Optional, Sequence, Tuple, TypeVar, Union

import numpy as np

from .tensors import Shared, Tensors, load, save

__all__ = ["Cancelled", "NoData", "Trainer", "Tensors", "data", "load", "part", "save", "serve"]

PROTOCOL = 1
CANNOT, NO_DATA = 64, 75
Config = Dict[str, Any]
Metrics = Mapping[str, float]
Fitted = Tuple[Tensors, int, Metrics]
Item = TypeVar("Item")


class NoData(Exception):
    """This device holds no sample: it takes no part, and that is no failure."""


class Cancelled(BaseException):
    """The round is over, or the time: raised in the main thread, wherever it is."""


class Trainer:
    """A loop as a class. Only `fit` must be there."""

    def get_parameters(self) -> Tensors:
        """What a run begins with: `python3 train.py init FILE` writes it."""
        raise NotImplementedError

    def fit(self, parameters: Tensors, config: Config) -> Fitted:
        """The trained parameters, on how many samples, and metrics."""
        raise NotImplementedError

    def evaluate(self, parameters: Tensors, config: Config) -> Tuple[int, Metrics]:
        """Of the model that came, before it is trained: on how many samples, "loss", "accuracy"."""
        raise NotImplementedError


class _Function(Trainer):
    def __init__(self, fit: Callable[[Tensors, Config], Fitted]) -> None:
        self._fit = fit

    def fit(self, parameters: Tensors, config: Config) -> Fitted:
        return self._fit(parameters, config)


def data() -> str:
    """Where the owner of the device says that the samples are."""
    return os.environ.get("FL_DATA", "")


def part(items: Sequence[Item]) -> Sequence[Item]:
    """This device's part of what several devices on one machine share."""
    return items[int(os.environ.get("FL_INDEX", "0"))::int(os.environ.get("FL_OF", "1"))]


def _config() -> Config:
    with open(os.environ["FL_CONFIG"], encoding="utf-8") as file:
        told = json.load(file)
    return {**told["train"], "round": told["round"], "seed": told["seed"],
            "share": told.get("share", 1)}


def _scores(trainer: Trainer, weights: Tensors, config: Config) -> Dict[str, float]:
    """Loss and accuracy of the model that came, where the trainer has an `evaluate`."""
    if type(trainer).evaluate is Trainer.evaluate:
        return {}
    samples, metrics = trainer.evaluate({name: one.copy() for name, one in weights.items()}, config)
    return {**metrics, "evaluated": int(samples)} if samples > 0 else {}


def _once(trainer: Trainer, shared: Optional[Shared] = None) -> None:
    model, out = os.environ["FL_MODEL"], os.environ["FL_DIR"]
    config = _config()
    weights = load(model) if shared is None else shared.load()
    scores = _scores(trainer, weights, config)
    trained, samples, metrics = trainer.fit({name: one.copy() for name, one in weights.items()},
                                            config)
    if int(samples) < 1:
        raise NoData("fit says that it saw no sample")
    missing = [name for name in weights if name not in trained]
    if missing:
        raise KeyError(f"fit did not return {missing[0]}")
    if shared is None:
        save(model, {name: trained[name] for name in weights})
    else:
        shared.save(trained)
    # "loss" and "accuracy" are of the model that came, and fit's are not
    kept = {f"fit_{name}" if name in ("loss", "accuracy") else name: float(one)
            for name, one in metrics.items() if np.ndim(one) == 0}
    told = {**kept, **scores, "samples": int(samples), "protocol": PROTOCOL}
    with open(os.path.join(out, "metrics.json"), "w", encoding="utf-8") as file:
        json.dump(told, file, allow_nan=False)


def _stay(trainer: Trainer) -> None:
    """A line is asked, a line is answered; the model comes and goes in memory."""
    shared = Shared(os.environ["FL_MODEL"], os.environ["FL_UPDATE"])
    with os.fdopen(int(os.environ["FL_TRAINER_IN"])) as asked, \
            os.fdopen(int(os.environ["FL_TRAINER_OUT"]), "w") as out:
        def say(**words: Any) -> None:
            out.write(json.dumps(words) + "\n")
            out.flush()
        say(**{"is": "hello", "protocol": PROTOCOL})
        for line in asked:
            told = json.loads(line)
            code, text = 0, ""
            try:
                if told.get("do") == "fit":
                    _once(trainer, shared)
                else:
                    code, text = CANNOT, "this trainer knows no other word than fit"
            except NoData as none:
                code, text = NO_DATA, str(none)
            except Exception as wrong:  # the round fails, and this program goes on
                traceback.print_exc()
                code, text = 1, f"{type(wrong).__name__}: {wrong}"
            say(id=told.get("id"), code=code, text=text[:100])


def _cancel(_number: int, _frame: Any) -> None:
    raise Cancelled


def serve(trainer: Union[Trainer, Callable[[Tensors, Config], Fitted]],
          argv: Optional[Sequence[str]] = None) -> None:
    """Do what the device asks for, and end. A function is taken as the `fit` of a Trainer.
    `init FILE` on the command line writes the first model instead."""
    words = list(sys.argv[1:] if argv is None else argv)
    one = trainer if isinstance(trainer, Trainer) else _Function(trainer)
    if words[:1] == ["init"] and len(words) == 2:
        save(words[1], one.get_parameters())
        return
    if os.environ.get("FL_DO") != "fit":
        sys.exit("a device of Tributary starts this; by hand: fl trainer check -- python3 "
                 f"{sys.argv[0]}, or python3 {sys.argv[0]} init FILE")
    signal.signal(signal.SIGTERM, _cancel)
    try:
        if "FL_TRAINER_IN" in os.environ:
            _stay(one)
        else:
            _once(one)
    except NoData as none:
        print(none, file=sys.stderr)
        sys.exit(NO_DATA)
    except Cancelled:
        sys.exit(128 + signal.SIGTERM)
