"""A loop of NVFlare's client API as it is, but for its import.

    import tributary_fl.nvflare as flare    # was: import nvflare.client as flare
"""
from __future__ import annotations

import enum
import os
import sys
from typing import Any, Dict, Iterator, Mapping, Optional, Tuple

import numpy as np

from . import Line, begin, config_of_round, give, received
from .tensors import Tensors

__all__ = ["FLModel", "ParamsType", "SummaryWriter", "clear", "get_job_id", "get_site_name",
           "get_task_name", "init", "is_evaluate", "is_running", "is_submit_model", "is_train",
           "log", "receive", "send", "shutdown", "system_info"]
STEPS = "NUM_STEPS_CURRENT_ROUND"


class ParamsType(str, enum.Enum):
    FULL = "FULL"
    DIFF = "DIFF"


class FLModel:
    """What comes and what goes: parameters by name, metrics, and `meta`."""

    def __init__(self, params_type: Optional[str] = None, params: Optional[Dict[str, Any]] = None,
                 optimizer_params: Optional[Dict[str, Any]] = None,
                 metrics: Optional[Dict[str, Any]] = None, start_round: Optional[int] = 0,
                 current_round: Optional[int] = None, total_rounds: Optional[int] = None,
                 meta: Optional[Dict[str, Any]] = None) -> None:
        self.params_type, self.params = ParamsType(params_type or ParamsType.FULL), params
        self.optimizer_params, self.metrics = optimizer_params, metrics
        self.start_round, self.current_round = start_round, current_round
        self.total_rounds, self.meta = total_rounds, meta or {}


class _Loop:
    """Where the user's loop is: what was asked, what was received and not yet sent back."""

    line: Optional[Line] = None
    asked: Iterator[Any] = iter(())            # the numbers of rounds, as they are asked
    number: Any = None
    config: Optional[Dict[str, Any]] = None    # of the round in hand
    model: Optional[Tensors] = None            # that was received in it


_loop = _Loop()


def init(rank: Optional[Any] = None, config_file: Optional[str] = None) -> None:
    if rank not in (None, 0, "0"):
        raise RuntimeError("only rank 0 talks to the device: init() there, broadcast the model")
    begin("fl trainer check --model FILE -- python3 " + sys.argv[0])
    _loop.line = Line() if "FL_TRAINER_IN" in os.environ else None
    _loop.asked = _loop.line.fits() if _loop.line else iter([0])


def is_running() -> bool:
    """Is there another round? Waits for it."""
    if _loop.model is not None:
        raise RuntimeError("a model was received in this round, and none was sent")
    if _loop.config is None:
        _loop.number = next(_loop.asked, None)
        _loop.config = None if _loop.number is None else config_of_round()
    return _loop.config is not None


def receive(timeout: Optional[float] = None) -> Optional[FLModel]:
    """The model of this round: torch tensors where PyTorch is loaded, else arrays."""
    if not is_running() or _loop.config is None:
        return None
    _loop.model = received()
    params: Dict[str, Any] = {name: one.copy() for name, one in _loop.model.items()}
    if "torch" in sys.modules:
        params = {name: sys.modules["torch"].from_numpy(one) for name, one in params.items()}
    return FLModel(params=params, current_round=_loop.config["round"] - 1,    # counted from 0
                   meta={"config": dict(_loop.config)})


def _array(value: Any) -> "np.ndarray[Any, Any]":
    if hasattr(value, "detach"):
        value = value.detach().cpu().float()
    return np.asarray(value)


def _scores(metrics: Mapping[str, Any]) -> Tuple[Dict[str, float], Dict[str, float]]:
    """Of the model that was received, as it is there: "loss" and "accuracy"; and the others."""
    numbers = {name: float(one) for name, one in metrics.items() if np.ndim(one) == 0}
    scores = {name: one for name, one in numbers.items()
              if name == "loss" or (name == "accuracy" and 0 <= one <= 1)}
    return scores, {name: one for name, one in numbers.items() if name not in scores}


def send(model: FLModel, clear_cache: bool = True) -> None:
    """What the device takes back; what is no tensor of the model that came is left out."""
    if _loop.model is None or model.params is None:
        raise RuntimeError("no model was received in this round, or none is sent")
    if STEPS not in model.meta:
        raise KeyError(f'{STEPS} is not in meta, and says how much this counts: '
                       f'FLModel(params=..., meta={{"{STEPS}": steps}})')
    trained = {name: _array(one) for name, one in model.params.items() if name in _loop.model}
    if model.params_type == ParamsType.DIFF:
        trained = {name: one + _loop.model[name] for name, one in trained.items()}
    scores, others = _scores(model.metrics or {})
    give(_loop.model, trained, int(model.meta[STEPS]), others, scores)
    _loop.config = _loop.model = None
    if _loop.line:
        _loop.line.answer(_loop.number)


def is_train() -> bool:
    return True


def is_evaluate() -> bool:
    return False


def is_submit_model() -> bool:
    return False


def get_task_name() -> str:
    return "train"


def get_site_name() -> str:
    return os.environ.get("FL_DEVICE", "")


def get_job_id() -> str:
    return str((_loop.config or {}).get("run", ""))


def system_info() -> Dict[str, Any]:
    return {"site_name": get_site_name(), "job_id": get_job_id()}


def log(key: str, value: Any, data_type: Any = None, **words: Any) -> bool:
    """Stays on the device, in its log."""
    print(f"{key}: {value}", flush=True)
    return True


class SummaryWriter:
    """Of nvflare.client.tracking: what is added stays in the device's log."""

    def add_scalar(self, tag: str, scalar: float, global_step: Optional[int] = None,
                   **words: Any) -> None:
        log(tag, scalar)


def clear() -> None:
    """Nothing is held between rounds."""


def shutdown() -> None:
    """The device ends the process."""
