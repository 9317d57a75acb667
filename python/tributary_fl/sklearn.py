"""Estimators of scikit-learn: what has partial_fit, and linear models with warm_start=True.

    import tributary_fl.sklearn as fl

    fl.serve(SGDClassifier(), x, y, classes=range(10), test=(x_test, y_test))

Parameters are coef_ and intercept_, of networks coefs_ and intercepts_ with their number.
"""
from __future__ import annotations

from typing import Any, Dict, Iterable, Optional, Tuple

import numpy as np
from sklearn.base import clone, is_classifier

from . import Config, Metrics, NoData, Trainer, serve as _serve
from .tensors import Tensors

__all__ = ["EstimatorTrainer", "serve"]
_LINEAR, _LAYERS = ("coef_", "intercept_"), ("coefs_", "intercepts_")


class EstimatorTrainer(Trainer):
    """An estimator, its samples here, all classes that there are anywhere, and what scores it."""

    def __init__(self, estimator: Any, x: Any, y: Any, classes: Optional[Iterable[Any]] = None,
                 test: Optional[Tuple[Any, Any]] = None) -> None:
        if not hasattr(estimator, "partial_fit") and not getattr(estimator, "warm_start", False):
            raise TypeError(f"{type(estimator).__name__} begins anew in each fit: take one with "
                            "partial_fit, or warm_start=True")
        if is_classifier(estimator) and classes is None:
            raise TypeError("classes: which are there at all? A device may lack some")
        self.estimator, self.x, self.y, self.test = estimator, np.asarray(x), np.asarray(y), test
        self.classes = None if classes is None else np.asarray(list(classes))

    def _fit(self, one: Any, x: Any, y: Any) -> None:
        if not hasattr(one, "partial_fit"):
            one.fit(x, y)
        elif self.classes is None:
            one.partial_fit(x, y)
        else:
            one.partial_fit(x, y, classes=self.classes)

    def _fresh(self, seed: int = 0) -> Any:
        """One with all its arrays, of the right shapes."""
        one = clone(self.estimator)
        if "random_state" in one.get_params() and one.random_state is None:
            one.set_params(random_state=seed % (1 << 32))
        y = np.zeros(2) if self.classes is None else self.classes
        self._fit(one, np.zeros((len(y), self.x.shape[1])), y)
        return one

    def _named(self, one: Any) -> Dict[str, Any]:
        if hasattr(one, "coef_"):
            return {name: getattr(one, name) for name in _LINEAR}
        return {f"{name}.{i}": value for name in _LAYERS
                for i, value in enumerate(getattr(one, name))}

    def _with(self, parameters: Tensors, seed: int = 0) -> Any:
        """One with these parameters."""
        one = self._fresh(seed)
        for name, old in self._named(one).items():
            value = parameters[name].astype(np.asarray(old).dtype)
            if value.shape != np.shape(old):
                raise ValueError(f"{name} came as {value.shape}, this one has {np.shape(old)}")
            if name in _LINEAR:
                setattr(one, name, value)
            else:
                old[...] = value
        return one

    def get_parameters(self) -> Tensors:
        """Zeros of a linear model; what a network begins with."""
        one = self._fresh()
        return {name: np.asarray(value) * (0.0 if hasattr(one, "coef_") else 1.0)
                for name, value in self._named(one).items()}

    def fit(self, parameters: Tensors, config: Config) -> Tuple[Tensors, int, Metrics]:
        if len(self.y) == 0:
            raise NoData("there is no sample")
        one = self._with(parameters, int(config["seed"]))
        for _ in range(int(config.get("epochs", 1))):
            self._fit(one, self.x, self.y)
        trained = {name: np.asarray(value) for name, value in self._named(one).items()}
        return trained, len(self.y), {}

    def evaluate(self, parameters: Tensors, config: Config) -> Tuple[int, Metrics]:
        if self.test is None:
            return 0, {}
        x, y = np.asarray(self.test[0]), np.asarray(self.test[1])
        one = self._with(parameters)
        said = one.predict(x)
        if self.classes is None:
            return len(y), {"loss": float(np.mean((said - y) ** 2))}
        right = float(np.mean(said == y))
        if not hasattr(one, "predict_proba"):
            return len(y), {"loss": 1.0 - right, "accuracy": right}    # of a hinge: how many wrong
        chance = one.predict_proba(x)[np.arange(len(y)), np.searchsorted(one.classes_, y)]
        return len(y), {"loss": float(-np.log(np.maximum(chance, 1e-12)).mean()),
                        "accuracy": right}


def serve(estimator: Any, x: Any, y: Any, classes: Optional[Iterable[Any]] = None,
          test: Optional[Tuple[Any, Any]] = None) -> None:
    """Train that estimator for a device of Tributary; `init FILE` writes what a run begins with."""
    _serve(EstimatorTrainer(estimator, x, y, classes, test))
