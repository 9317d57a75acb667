"""A Flower app as it is, as a trainer. Nothing of it is changed; flwr 1.23 or newer is installed.

    command: exec python3 -m tributary_fl.flower client_app:app       # in the owner's file

    python3 -m tributary_fl.flower model FILE [server_app:app]       # the first model
    python3 -m tributary_fl.flower run [server_app:app] >run.yaml    # rounds, strategy, config

The object may be a ClientApp, a Client or NumPyClient or a class of them, or a `client_fn`. Without
its name the components in the pyproject.toml of the directory are taken, as `flwr run` does.
"""
from __future__ import annotations

import importlib
import inspect
import logging
import os
import sys
import time
from typing import Any, Dict, List, Mapping, Optional, Tuple
from unittest import mock

os.environ["FLWR_TELEMETRY_ENABLED"] = "0"    # before flwr is imported: it would post to the net

import numpy as np    # noqa: E402
from flwr.app import (Array, ArrayRecord, ConfigRecord, Context, Message,    # noqa: E402
                      Metadata, RecordDict)
from flwr.client import Client, NumPyClient    # noqa: E402
from flwr.clientapp import ClientApp    # noqa: E402

from . import Config, Metrics, Trainer, serve    # noqa: E402
from .tensors import Tensors, save    # noqa: E402

__all__ = ["FlowerTrainer", "recipe", "first_model"]
SERVER, RUN = 1, 1    # numbers of the node that asks and of the run: the app sees no others
TTL_S = 86400.0
SETTINGS = ("batch", "decay", "epochs", "momentum", "proximal", "rate")    # train.* of every run
ROUNDS = ("server-round", "server_round", "current_round", "round")    # the shim has them itself
SINGLE = ("Bulyan", "DPFedAvg", "DifferentialPrivacy", "FedMedian", "FedTrimmedAvg", "FedXgb",
          "Krum", "MultiKrum", "QFedAvg")    # how rules begin that look at each reply
RULES = {"FedAvg": "fedavg", "FedProx": "fedavg", "FedAvgM": "fedavgm", "FedAdam": "fedadam"}


def _made(kind: Any, **words: Any) -> Any:
    """One of it, with those words that this version of flwr knows."""
    known = inspect.signature(kind).parameters
    return kind(**{name: one for name, one in words.items() if name in known})


def _flat(tree: Dict[str, Any], above: str = "") -> Dict[str, Any]:
    """{"a": {"b": 1}} as {"a.b": 1}"""
    out: Dict[str, Any] = {}
    for name, one in tree.items():
        out.update(_flat(one, f"{above}{name}.") if isinstance(one, dict)
                   else {above + name: one})
    return out


def _project() -> Tuple[Dict[str, str], Dict[str, Any]]:
    """The components and the config of the project here."""
    if not os.path.exists("pyproject.toml"):
        return {}, {}
    # Python 3.10 has no tomllib, and there flwr brings the other
    toml = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    with open("pyproject.toml", "rb") as file:
        app = toml.load(file).get("tool", {}).get("flwr", {}).get("app", {})
    return app.get("components", {}), _flat(app.get("config", {}))


def _load(name: Optional[str], component: str) -> Any:
    """The object that "module:name" says."""
    name = name or _project()[0].get(component)
    if not name:
        sys.exit(f"flower: which {component}? say module:name, or begin beside its pyproject.toml")
    module, _, attribute = name.partition(":")
    sys.path.insert(0, os.getcwd())
    found = importlib.import_module(module)
    for word in (attribute or "app").split("."):
        found = getattr(found, word)
    return found


def _client_app(found: Any) -> ClientApp:
    """Whatever of a client was named."""
    if isinstance(found, ClientApp):
        return found
    if inspect.isclass(found) and issubclass(found, (Client, NumPyClient)):
        found = found()
    if isinstance(found, (Client, NumPyClient)):
        one = found.to_client()
        return ClientApp(client_fn=lambda context: one)
    return ClientApp(client_fn=found)


def _numbers(*records: Mapping[str, Any]) -> Dict[str, float]:
    """Those of an app's records; texts and lists stay behind."""
    return {name: one for record in records for name, one in record.items()
            if isinstance(one, (int, float))}


def _score(record: Dict[str, float]) -> Dict[str, float]:
    """"loss" and "accuracy" among what an app calls so."""
    out: Dict[str, float] = {}
    for name, one in record.items():
        plain = name.lower().replace("-", "_").split("_")
        word = "accuracy" if plain[-1] in ("acc", "accuracy") else plain[-1]
        if word == "loss" or (word == "accuracy" and 0 <= float(one) <= 1):
            out.setdefault(word, float(one))
    return out


class FlowerTrainer(Trainer):
    """A ClientApp that is asked with messages, as a node of Flower would ask it."""

    def __init__(self, app: ClientApp) -> None:
        self.app = app
        self.legacy = app._call is not None    # made of a client_fn; there is no public word for it
        index, of = int(os.environ.get("FL_INDEX", "0")), int(os.environ.get("FL_OF", "1"))
        self.run = ""
        self.context = _made(Context, run_id=RUN, node_id=index + 2, state=RecordDict(),
                             node_config={"partition-id": index, "num-partitions": of},
                             run_config=_project()[1])

    def _ask(self, kind: str, content: RecordDict, number: int = 0) -> RecordDict:
        metadata = _made(Metadata, run_id=RUN, message_id="", src_node_id=SERVER,
                         dst_node_id=self.context.node_id, reply_to_message_id="",
                         group_id=str(number), created_at=time.time(), ttl=TTL_S, message_type=kind)
        message: Any = Message    # it takes metadata, and its types do not say so
        reply = self.app(message(content=content, metadata=metadata), self.context)
        if reply.has_error():
            raise RuntimeError(reply.error.reason)
        return reply.content

    def _content(self, legacy: str, weights: Tensors, config: Config) -> RecordDict:
        arrays = ArrayRecord({name: Array(one) for name, one in weights.items()})
        words = {name: one for name, one in config.items() if name not in ("round", "seed", "run")}
        words.update({name.replace("_", "-"): one for name, one in words.items()})
        words.update(dict.fromkeys(ROUNDS, config["round"]))
        keys = (legacy + ".parameters", legacy + ".config") if self.legacy else ("arrays", "config")
        return RecordDict({keys[0]: arrays, keys[1]: ConfigRecord(words)})

    def _remembered(self, run: str) -> str:
        """Where the state of that run is kept; that of another run is given up."""
        path = os.path.join(os.environ.get("FL_DIR", "."), "keep", "flower." + run)
        if run != self.run:
            from flwr.common.serde import recorddict_from_proto
            from flwr.proto.recorddict_pb2 import RecordDict as Stored
            self.run, self.context.state = run, RecordDict()
            if os.path.exists(path):
                with open(path, "rb") as file:
                    self.context.state = recorddict_from_proto(Stored.FromString(file.read()))
        return path

    def _remember(self, path: str) -> None:
        if self.context.state and os.path.isdir(os.path.dirname(path)):
            from flwr.common.serde import recorddict_to_proto
            with open(path + ".part", "wb") as file:
                file.write(recorddict_to_proto(self.context.state).SerializeToString())
            os.replace(path + ".part", path)

    def get_parameters(self) -> Tensors:
        if not self.legacy:
            sys.exit("flower: a ClientApp of messages has no first model, its ServerApp has: "
                     "python3 -m tributary_fl.flower model FILE server_app:app")
        reply = self._ask("get_parameters",
                          RecordDict({"getparametersins.config": ConfigRecord()}))
        return _tensors(next(iter(reply.array_records.values())))

    def fit(self, parameters: Tensors, config: Config) -> Tuple[Tensors, int, Metrics]:
        path = self._remembered(config["run"])
        reply = self._ask("train", self._content("fitins", parameters, config), config["round"])
        if len(reply.array_records) != 1:
            raise ValueError(f"its reply has {len(reply.array_records)} ArrayRecords, one is taken")
        trained = _tensors(next(iter(reply.array_records.values())))
        self._remember(path)
        if not self.legacy:
            metrics = _numbers(*reply.metric_records.values())
            if "num-examples" not in metrics:
                raise KeyError("its reply has no num-examples")
            return trained, int(metrics.pop("num-examples")), metrics
        _accepted(reply, "fitres")
        count = _numbers(reply.metric_records["fitres.num_examples"])["num_examples"]
        return (dict(zip(parameters, trained.values())), int(count),    # a list: by its order
                _numbers(reply.config_records["fitres.metrics"]))

    def evaluate(self, parameters: Tensors, config: Config) -> Tuple[int, Metrics]:
        self._remembered(config["run"])
        content = self._content("evaluateins", parameters, config)
        if self.legacy:
            reply = self._ask("evaluate", content, config["round"])
            told = _numbers(reply.config_records["evaluateres.metrics"],
                            *reply.metric_records.values())
            if told["num_examples"] == 0:    # flwr's own answer where a client has no evaluate
                return 0, {}
            _accepted(reply, "evaluateres")
            return int(told["num_examples"]), _score(told)
        try:
            reply = self._ask("evaluate", content, config["round"])
        except ValueError as none:
            if "function registered" in str(none):
                return 0, {}
            raise
        numbers = _numbers(*reply.metric_records.values())
        return int(numbers.get("num-examples", 0)), _score(numbers)


def _accepted(reply: RecordDict, name: str) -> None:
    status: Mapping[str, Any] = reply.config_records[name + ".status"]
    if status["code"] != 0:
        raise RuntimeError(f"it answered {status['message']}")


def _tensors(record: ArrayRecord) -> Tensors:
    return {name: one.numpy() for name, one in record.items()}


# ---- the ServerApp: what it would do is read, and its rounds are the root's ----------------------
class _Seen(BaseException):
    """The app has come to its rounds; nothing behind them is wanted."""


class _Nobody:
    """A Grid of two nodes, so that an app which waits for some goes on."""

    run = type("Run", (), {"run_id": RUN})()

    def get_node_ids(self) -> List[int]:
        return [2, 3]


def _look(app: Any) -> Dict[str, Any]:
    """Begin the app, and stop it at its first round: strategy, rounds, arrays, config."""
    from flwr.server import Server
    from flwr.server.history import History
    from flwr.serverapp.strategy import Strategy
    seen: Dict[str, Any] = {}

    def start(self: Any, *words: Any, **named: Any) -> None:
        told = inspect.signature(original).bind(self, *words, **named)
        told.apply_defaults()
        seen.update(strategy=self, rounds=told.arguments["num_rounds"],
                    arrays=told.arguments["initial_arrays"],
                    config=dict(told.arguments["train_config"] or {}))
        raise _Seen

    def fit(self: Any, num_rounds: int, timeout: Any) -> Tuple[Any, float]:
        seen.update(strategy=self.strategy, rounds=num_rounds, arrays=None, config={})
        return History(), 0.0

    original = Strategy.start
    logging.getLogger("flwr").setLevel(logging.WARNING)    # it says that rounds are finished
    context = _made(Context, run_id=RUN, node_id=SERVER, state=RecordDict(), node_config={},
                    run_config=_project()[1])
    with mock.patch.object(Strategy, "start", start), mock.patch.object(Server, "fit", fit):
        try:
            app(_Nobody(), context)
        except _Seen:
            pass
    if not seen:
        sys.exit("flower: the ServerApp ended without a strategy that begins: a loop of its own is "
                 "not read, write the RUN.yaml by hand (docs/your-model.md)")
    return seen


def _rule(strategy: Any) -> str:
    """server.optimizer for that strategy; refused by name where there is none."""
    kind = type(strategy)
    for one in kind.__mro__:
        if one.__module__.startswith("flwr.") and one.__name__.startswith(SINGLE):
            sys.exit(f"flower: {one.__name__} needs the single replies, and here a sum is all that "
                     "anybody sees: take FedAvg, FedProx, FedAvgM or FedAdam")
    if not kind.__module__.startswith("flwr."):
        changed = [name for name in vars(kind) if name.startswith(("aggregate_", "configure_"))
                   or name == "start"]
        if changed:
            sys.exit(f"flower: {changed[0]} of {kind.__name__} is its own, and nobody calls it "
                     "here: take a strategy of flwr as it is")
        kind = next(one for one in kind.__mro__ if one.__module__.startswith("flwr."))
    if kind.__name__ not in RULES:
        sys.exit(f"flower: no {kind.__name__} at the root: FedAvg, FedProx, FedAvgM, FedAdam are")
    if getattr(strategy, "weighted_by_key", "num-examples") != "num-examples":
        sys.exit(f"flower: {strategy.weighted_by_key} weighs its replies, only num-examples can")
    return RULES[kind.__name__]


def _trained_with(seen: Dict[str, Any]) -> Dict[str, Any]:
    """The config of train messages, the same in each round, and numbers alone."""
    strategy, config = seen["strategy"], dict(seen["config"])
    told = getattr(strategy, "on_fit_config_fn", None)
    if told is not None:
        config.update(told(1))
        for name, one in told(2).items():
            if name not in ROUNDS and config.get(name) != one:
                sys.exit(f"flower: {name} changes from round to round: set train.rate.step or "
                         "train.rate.cosine in the RUN.yaml instead (fl run submit --help)")
    if hasattr(strategy, "proximal_mu"):
        config["proximal_mu"] = strategy.proximal_mu
    out: Dict[str, Any] = {}
    for name, one in config.items():
        plain = name.replace("-", "_")
        if name in ROUNDS:
            continue
        if not isinstance(one, (int, float)) or not plain.replace("_", "").isalpha():
            sys.exit(f"flower: {name}: {one!r} in the train config: numbers travel, with names of "
                     "letters; what is the same for all belongs into the pyproject.toml")
        out[plain] = float(one) if isinstance(one, float) else int(one)
    return out


def recipe(app: Any) -> Dict[str, Any]:
    """The settings of a RUN.yaml that do what that ServerApp does."""
    seen = _look(app)
    strategy = seen["strategy"]
    settings: Dict[str, Any] = {"rounds": seen["rounds"], "model.initial": "first.safetensors",
                "train.trainer": "flower", "server.optimizer": _rule(strategy),
                "plan.weighting": "samples", "plan.weight_unit": 1,
                                "plan.weight_max": 1000000, "plan.bits": 24}
    if settings["server.optimizer"] == "fedavgm":
        settings["server.rate"] = strategy.server_learning_rate
        settings["server.momentum"] = strategy.server_momentum
    if settings["server.optimizer"] == "fedadam":
        settings.update({"server.rate": strategy.eta, "server.momentum": strategy.beta_1,
                         "server.second": strategy.beta_2, "server.tau": strategy.tau})
    settings["round.expect_devices"] = getattr(
        strategy, "min_available_nodes", getattr(strategy, "min_available_clients", 0))
    config = _trained_with(seen)
    for name in [name for name in config if name in SETTINGS]:
        settings["train." + name] = config.pop(name)
    if config:
        settings["train.config"] = '"' + ", ".join(f"{k}={v!r}" for k, v in config.items()) + '"'
    return settings


def first_model(app: Any, client: Optional[str] = None) -> Tensors:
    """What the ServerApp begins with; of a client, where its strategy asks one."""
    from flwr.common import parameters_to_ndarrays
    from flwr.server import SimpleClientManager
    seen = _look(app)
    if seen["arrays"] is not None:
        return _tensors(seen["arrays"])
    given = seen["strategy"].initialize_parameters(client_manager=SimpleClientManager())
    if given is None:
        return FlowerTrainer(_client_app(_load(client, "clientapp"))).get_parameters()
    return {str(i): np.asarray(one) for i, one in enumerate(parameters_to_ndarrays(given))}


def main(words: List[str]) -> None:
    one = dict(enumerate(words))
    if words[:1] == ["run"] and len(words) < 3:
        for name, value in recipe(_load(one.get(1), "serverapp")).items():
            print(f"{name}: {value}")
    elif words[:1] == ["model"] and 2 <= len(words) < 5:
        save(one[1], first_model(_load(one.get(2), "serverapp"), one.get(3)))
    elif len(words) < 2 and words[:1] not in (["--help"], ["-h"]):
        serve(FlowerTrainer(_client_app(_load(one.get(0), "clientapp"))), [])
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
