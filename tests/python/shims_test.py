"""Apps of Flower, a loop of NVFlare and an estimator of scikit-learn as trainers: the examples of
docs, unmodified. What flwr's own strategies make of the same app is what must come out, of the shim
alone and of a fabric of processes under masks."""
import contextlib
import importlib
import io
import logging
import os
import subprocess
import sys
import tempfile
from unittest import mock

import frameworks

frameworks.enter()

import numpy as np    # noqa: E402
from flwr.serverapp.strategy import FedAvg, Krum, Strategy    # noqa: E402

import tributary_fl as fl    # noqa: E402
from fabric import expect, main, until    # noqa: E402
from tributary_fl import flower    # noqa: E402

OF, ROUNDS, LR = 9, 4, 0.125
FLOWER = os.path.join(frameworks.EXAMPLES, "flower")
STEP = 1 / (2 ** 23 - 1)    # of 24 bits and a clip of 1
logging.getLogger("flwr").setLevel(logging.WARNING)
os.chdir(FLOWER)
sys.path.insert(0, FLOWER)
client_app, numpy_client, server_app = (importlib.import_module(name) for name in
                                        ("client_app", "numpy_client", "server_app"))


class Near:
    """A Grid whose nodes are here, for flwr's own rounds."""

    def __init__(self):
        self.contexts = {2 + part: _context(part) for part in range(OF)}

    def get_node_ids(self):
        return list(self.contexts)

    def send_and_receive(self, messages, timeout=None):
        return [client_app.app(one, self.contexts[one.metadata.dst_node_id]) for one in messages]


def _context(part):
    with mock.patch.dict(os.environ, {"FL_INDEX": str(part), "FL_OF": str(OF)}):
        return flower.FlowerTrainer(client_app.app).context


def _truth(app):
    """The last arrays of that ServerApp, and the losses of its rounds, with flwr alone."""
    box, start = [], Strategy.start
    with mock.patch.object(Strategy, "start",
                           lambda self, **words: box.append(start(self, **words))):
        app(Near(), _context(0))
    return (box[0].arrays.to_numpy_ndarrays(),
            [one["eval_loss"] for one in box[0].evaluate_metrics_clientapp.values()])


def _far(left, right):
    return max(float(np.abs(a.astype("f8") - b.astype("f8")).max()) for a, b in zip(left, right))


def _command(*words):
    done = subprocess.run([sys.executable, "-m", "tributary_fl.flower", *words],
                          capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def _settings(name):
    """Of the RUN.yaml that the command writes."""
    code, out, errors = _command("run", name)
    expect(code == 0, errors)
    return dict(line.split(": ", 1) for line in out.splitlines())


def _shim_alone(app):
    trainers = []
    for part in range(OF):
        with mock.patch.dict(os.environ, {"FL_INDEX": str(part), "FL_OF": str(OF)}):
            trainers.append(flower.FlowerTrainer(app))
    weights = {str(i): one for i, one in enumerate(server_app.first())}
    for number in range(1, ROUNDS + 1):
        config = {"round": number, "seed": 1, "run": "r", "lr": LR}
        fits = [one.fit({**weights}, config) for one in trainers]
        whole = sum(samples for _, samples, _ in fits)
        weights = {name: sum(trained[name].astype("f8") * samples for trained, samples, _ in fits)
                   .__truediv__(whole).astype("f4") for name in weights}
    samples, scores = trainers[0].evaluate(weights, config)
    expect(samples > 0 and set(scores) == {"loss", "accuracy"}, f"it scores {scores}")
    return list(weights.values())


def both_kinds_of_flower_client_are_what_flwr_makes_of_them():
    wanted, _ = _truth(server_app.app)
    for app in (client_app.app, numpy_client.app):
        far = _far(_shim_alone(app), wanted)
        print(f"    shim alone: {far:.2g}")
        expect(far <= 1e-6, f"{far} away")


def a_server_app_says_its_run_and_its_first_model():
    run = _settings("server_app:adam")
    expect(run["rounds"] == str(ROUNDS) and run["server.optimizer"] == "fedadam", f"{run}")
    expect(run["server.rate"] == "0.03125" and run["train.config"] == f'"lr={LR}"', f"{run}")
    path = os.path.join(frameworks.ROOT, "build", "python", "first.safetensors")
    expect(_command("model", path)[0] == 0, "it writes no model")
    expect({name: one.shape for name, one in fl.load(path).items()} == {"0": (64, 10), "1": (10,)},
           "another model")


def what_a_sum_cannot_do_is_refused_by_name():
    class Own(FedAvg):
        def aggregate_train(self, server_round, replies):
            return None, None

    for strategy, words in ((Krum(), "Krum needs the single replies"),
                            (Own(), "aggregate_train of Own is its own"),
                            (FedAvg(weighted_by_key="age"), "age weighs")):
        def start(grid, context, strategy=strategy):
            server_app._run(strategy, grid, context)
        app = server_app.ServerApp()
        app.main()(start)
        try:
            flower.recipe(app)
            said = "nothing"
        except SystemExit as refused:
            said = str(refused)
        expect(words in said, f"it said {said}")


def a_state_of_flower_outlives_its_process():
    with mock.patch.dict(os.environ, {"FL_DIR": frameworks.HERE + "/../../build/python/state",
                                      "FL_OF": str(OF)}):
        os.makedirs(os.environ["FL_DIR"] + "/keep", exist_ok=True)
        weights = {str(i): one for i, one in enumerate(server_app.first())}
        config = {"round": 3, "seed": 1, "run": "r", "lr": LR}
        flower.FlowerTrainer(client_app.app).fit(weights, config)
        for run, kept in (("r", True), ("another", False)):
            again = flower.FlowerTrainer(client_app.app)
            again.evaluate(weights, {**config, "run": run})
            expect(("rounds" in again.context.state) == kept, f"{run}: {again.context.state}")


def _through_a_fabric(command, settings):
    """Nine devices at three edges, masked; what is printed is looked at, too."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said):
        done = fl.local(command, devices=OF, edges=3, rounds=int(settings["rounds"]),
                        run={**settings, "plan.pin": True},    # the same rounding each time
                        initial={str(i): one for i, one in enumerate(server_app.first())})
    rows = done.history
    expect(len(rows) == ROUNDS and all(one["masked"] and one["devices"] == OF and
                                       one["saturated"] == 0 for one in rows), f"{rows}")
    expect(said.getvalue().count("s left") == ROUNDS, said.getvalue())
    until(lambda: not _left(tempfile.tempdir), 10, "the end of all that was started")
    expect(not os.listdir(tempfile.tempdir), "it leaves its directory")
    return list(done.weights.values()), [one["loss"] for one in rows]


def _left(directory):
    """Processes that name it."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            for what in ("cmdline", "environ"):
                with open(f"/proc/{pid}/{what}", "rb") as file:
                    found += [pid] if directory.encode() in file.read() else []
    return found


def fedavg_through_a_fabric_is_that_of_flwr():
    wanted, losses = _truth(server_app.app)
    got, told = _through_a_fabric(f"exec {sys.executable} -m tributary_fl.flower",
                                  _settings("server_app:app"))
    far = _far(got, wanted) / STEP
    print(f"    FedAvg: {far:.2f} quantisation steps")
    expect(far <= 2, f"{far} steps away")
    expect(np.allclose(told[1:], losses[:-1], atol=1e-4), f"losses {told}, {losses}")


def fedadam_through_a_fabric_has_the_losses_of_flwr():
    _, losses = _truth(server_app.adam)
    _, told = _through_a_fabric(f"exec {sys.executable} -m tributary_fl.flower numpy_client:app",
                                _settings("server_app:adam"))
    print(f"    FedAdam: {told[1:]} here, {losses[:-1]} there")
    expect(np.allclose(told[1:], losses[:-1], rtol=0.01), f"losses {told}, {losses}")


def a_loop_of_nvflare_is_the_same():
    wanted, _ = _truth(server_app.app)
    got, _ = _through_a_fabric(f"exec {sys.executable} {frameworks.EXAMPLES}/nvflare_loop.py",
                               _settings("server_app:app"))
    far = _far(got, wanted) / STEP
    print(f"    NVFlare: {far:.2f} quantisation steps")
    expect(far <= 2, f"{far} steps away")


def an_estimator_learns_in_the_example_of_the_page():
    done = subprocess.run([sys.executable, f"{frameworks.EXAMPLES}/sklearn_digits.py"],
                          capture_output=True, text=True, check=False)
    rows = [line for line in done.stdout.splitlines() if "'round'" in line]
    expect(done.returncode == 0 and len(rows) == 5, done.stderr)
    accuracy = float(rows[-1].split("'accuracy': ")[1].split(",")[0])
    expect(accuracy > 0.8, f"accuracy {accuracy}")


def a_trainer_that_fails_ends_a_fabric_with_its_reason():
    try:
        fl.local("echo no such column: age >&2; exit 3", devices=3, edges=0,
                 initial={"w": np.zeros(2)}, progress=False)
        said = "nothing"
    except RuntimeError as failed:
        said = str(failed)
    expect("no such column: age" in said, f"it said {said}")


with tempfile.TemporaryDirectory(prefix="fl-") as tempfile.tempdir:
    main([both_kinds_of_flower_client_are_what_flwr_makes_of_them,
          a_server_app_says_its_run_and_its_first_model, what_a_sum_cannot_do_is_refused_by_name,
          a_state_of_flower_outlives_its_process, fedavg_through_a_fabric_is_that_of_flwr,
          fedadam_through_a_fabric_has_the_losses_of_flwr, a_loop_of_nvflare_is_the_same,
          an_estimator_learns_in_the_example_of_the_page,
          a_trainer_that_fails_ends_a_fabric_with_its_reason])
