"""A whole loop for PyTorch: five lines beside your model, your loaders, your loss.

    import tributary_fl.torch as fl

    fl.serve(model, train_loader, test_loader, loss=torch.nn.CrossEntropyLoss(),
             optimizer=lambda m, cfg: torch.optim.SGD(m.parameters(), lr=cfg["rate"]))
"""
from __future__ import annotations

import math
from typing import Any, Callable, Dict, Iterable, List, Optional, Tuple

import torch

from . import Config, NoData, Trainer, serve as _serve
from .tensors import Tensors

__all__ = ["ModelTrainer", "serve"]
_WRAPPERS = ("module.", "_orig_mod.")    # of DataParallel and torch.compile, at any depth


def _plain(name: str) -> str:
    for wrapper in _WRAPPERS:
        name = name.replace(wrapper, "")
    return name


def _named(model: torch.nn.Module) -> Dict[str, torch.Tensor]:
    """What travels: every float of the state, tied weights once. Integers stay as they are."""
    out: Dict[str, torch.Tensor] = {}
    seen: List[int] = []
    for name, value in model.state_dict(keep_vars=True).items():
        if not torch.is_floating_point(value) or value.numel() == 0:
            continue
        if value.data_ptr() in seen:
            continue
        if _plain(name) in out:
            raise ValueError(f"two tensors are called {_plain(name)}")
        seen.append(value.data_ptr())
        out[_plain(name)] = value
    return out


def _chosen(loader: Any, share: float) -> Any:
    """Of a round that asks for a part of the samples: that part, another one each time."""
    if share >= 1:
        return loader
    samples = getattr(loader, "dataset", None)
    if samples is None or len(samples) < 2:
        raise NoData("no samples to choose from: a loader with a dataset of two or more")
    chosen = torch.randperm(len(samples))[:math.ceil(len(samples) * share)].tolist()
    return torch.utils.data.DataLoader(torch.utils.data.Subset(samples, chosen), shuffle=True,
                                       batch_size=loader.batch_size or 1,
                                       collate_fn=loader.collate_fn)


class ModelTrainer(Trainer):
    """A model, its loaders, its loss, and what makes an optimizer for each round."""

    def __init__(self, model: torch.nn.Module, train_loader: Iterable[Any],
                 test_loader: Optional[Iterable[Any]], loss: Callable[..., torch.Tensor],
                 optimizer: Callable[[torch.nn.Module, Config], torch.optim.Optimizer],
                 device: Optional[str] = None) -> None:
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.model = model.to(self.device)
        self.train_loader, self.test_loader = train_loader, test_loader
        self.loss, self.optimizer = loss, optimizer

    def get_parameters(self) -> Tensors:
        return {name: one.detach().cpu().float().numpy().copy()
                for name, one in _named(self.model).items()}

    def set_parameters(self, parameters: Tensors) -> None:
        """Into the model, by name; shapes must be those of the model."""
        with torch.no_grad():
            for name, one in _named(self.model).items():
                if parameters[name].shape != tuple(one.shape):
                    raise ValueError(f"{name} came as {parameters[name].shape}, this model has "
                                     f"{tuple(one.shape)}")
                one.copy_(torch.from_numpy(parameters[name]))

    def fit(self, parameters: Tensors, config: Config) -> Tuple[Tensors, int, Dict[str, float]]:
        self.set_parameters(parameters)
        torch.manual_seed(int(config["seed"]))
        optimizer = self.optimizer(self.model, config)
        loader = _chosen(self.train_loader, float(config.get("share", 1)))
        self.model.train()
        samples, total, seen = 0, 0.0, 0
        for epoch in range(int(config.get("epochs", 1))):
            for x, y in loader:
                x, y = x.to(self.device), y.to(self.device)
                optimizer.zero_grad()
                value = self.loss(self.model(x), y)
                value.backward()
                optimizer.step()
                total += float(value.detach()) * len(y)
                seen += len(y)
                samples += len(y) if epoch == 0 else 0
        return self.get_parameters(), samples, {"loss": total / max(seen, 1)}

    def evaluate(self, parameters: Tensors, config: Config) -> Tuple[int, Dict[str, float]]:
        if self.test_loader is None:
            return 0, {}
        self.set_parameters(parameters)
        self.model.eval()
        samples, total, right = 0, 0.0, 0
        with torch.no_grad():
            for x, y in self.test_loader:
                x, y = x.to(self.device), y.to(self.device)
                out = self.model(x)
                total += float(self.loss(out, y)) * len(y)
                classes = out.dim() == 2 and not torch.is_floating_point(y)
                right += int((out.argmax(1) == y).sum()) if classes else 0
                samples += len(y)
        return samples, {"loss": total / max(samples, 1), "accuracy": right / max(samples, 1)}


def serve(model: torch.nn.Module, train_loader: Iterable[Any],
          test_loader: Optional[Iterable[Any]], loss: Callable[..., torch.Tensor],
          optimizer: Callable[[torch.nn.Module, Config], torch.optim.Optimizer],
          device: Optional[str] = None) -> None:
    """Train that model for a device of Tributary; `init FILE` writes what a run begins with."""
    _serve(ModelTrainer(model, train_loader, test_loader, loss, optimizer, device))
