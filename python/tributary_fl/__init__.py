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
from typing import Any, Callable, Dict, Iterator, Mapping, Optional, Sequence, Tuple, TypeVar, Union

import numpy as np

from .fabric import Finished, local
from .tensors import Shared, Tensors, load, save

__all__ = ["Cancelled", "Finished", "NoData", "Trainer", "Tensors", "data", "load", "local", "part",
           "save", "serve"]

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


def config_of_round() -> Config:
    """The run's numbers, and which round of which run it is."""
    with open(os.environ["FL_CONFIG"], encoding="utf-8") as file:
        told = json.load(file)
    return {**told["train"], "round": told["round"], "seed": told["seed"],
            "share": told.get("share", 1), "run": told.get("run", "")}


def _scores(trainer: Trainer, weights: Tensors, config: Config) -> Dict[str, float]:
    """Loss and accuracy of the model that came, where the trainer has an `evaluate`."""
    if type(trainer).evaluate is Trainer.evaluate:
        return {}
    samples, metrics = trainer.evaluate({name: one.copy() for name, one in weights.items()}, config)
    return {**metrics, "evaluated": int(samples)} if samples > 0 else {}


_shared: Optional[Shared] = None    # of a trainer that stays


def received() -> Tensors:
    """The model that came: it cannot be written to, and may be another one in the next round."""
    return load(os.environ["FL_MODEL"]) if _shared is None else _shared.load()


def give(model: Tensors, trained: Tensors, samples: int, metrics: Metrics,
          scores: Metrics) -> None:
    """What the device takes: the trained tensors, on how many samples, and the numbers."""
    if int(samples) < 1:
        raise NoData("it was trained on no sample")
    missing = [name for name in model if name not in trained]
    if missing:
        raise KeyError(f"fit did not return {missing[0]}")
    if _shared is None:
        save(os.environ["FL_MODEL"], {name: trained[name] for name in model})
    else:
        _shared.save(trained)
    # "loss" and "accuracy" are of the model that came, and fit's are not
    kept = {f"fit_{name}" if name in ("loss", "accuracy") else name: float(one)
            for name, one in metrics.items() if np.ndim(one) == 0}
    told = {**kept, **scores, "samples": int(samples), "protocol": PROTOCOL}
    with open(os.path.join(os.environ["FL_DIR"], "metrics.json"), "w", encoding="utf-8") as file:
        json.dump(told, file, allow_nan=False)


def _once(trainer: Trainer) -> None:
    config = config_of_round()
    weights = received()
    scores = _scores(trainer, weights, config)
    trained, samples, metrics = trainer.fit({name: one.copy() for name, one in weights.items()},
                                            config)
    give(weights, trained, samples, metrics, scores)


class Line:
    """Of a trainer that stays: a line is asked, a line is answered; the model comes and goes in
    memory."""

    def __init__(self) -> None:
        global _shared
        _shared = Shared(os.environ["FL_MODEL"], os.environ["FL_UPDATE"])
        self._asked = os.fdopen(int(os.environ["FL_TRAINER_IN"]))
        self._out = os.fdopen(int(os.environ["FL_TRAINER_OUT"]), "w")
        self._say(**{"is": "hello", "protocol": PROTOCOL})

    def _say(self, **words: Any) -> None:
        self._out.write(json.dumps(words) + "\n")
        self._out.flush()

    def fits(self) -> Iterator[Any]:
        """The numbers of what is asked, each to be answered; ends with the device."""
        for line in self._asked:
            told = json.loads(line)
            if told.get("do") == "fit":
                yield told.get("id")
            else:
                self.answer(told.get("id"), CANNOT, "this trainer knows no other word than fit")

    def answer(self, number: Any, code: int = 0, text: str = "") -> None:
        self._say(id=number, code=code, text=text[:100])


def _stay(trainer: Trainer) -> None:
    line = Line()
    for number in line.fits():
        try:
            _once(trainer)
            line.answer(number)
        except NoData as none:
            line.answer(number, NO_DATA, str(none))
        except Exception as wrong:  # the round fails, and this program goes on
            traceback.print_exc()
            line.answer(number, 1, f"{type(wrong).__name__}: {wrong}")


def _cancel(_number: int, _frame: Any) -> None:
    raise Cancelled


def begin(how: str) -> None:
    """Refuse to go on without a device, and hear its SIGTERM."""
    if os.environ.get("FL_DO") != "fit":
        sys.exit(f"a device of Tributary starts this; by hand: {how}")
    signal.signal(signal.SIGTERM, _cancel)


def serve(trainer: Union[Trainer, Callable[[Tensors, Config], Fitted]],
          argv: Optional[Sequence[str]] = None) -> None:
    """Do what the device asks for, and end. A function is taken as the `fit` of a Trainer.
    `init FILE` on the command line writes the first model instead."""
    words = list(sys.argv[1:] if argv is None else argv)
    one = trainer if isinstance(trainer, Trainer) else _Function(trainer)
    if words[:1] == ["init"] and len(words) == 2:
        save(words[1], one.get_parameters())
        return
    begin(f"fl trainer check -- python3 {sys.argv[0]}, or python3 {sys.argv[0]} init FILE")
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
