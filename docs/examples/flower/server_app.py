"""ServerApps: the mean, and Adam on top of it."""
from flwr.app import ArrayRecord, ConfigRecord
from flwr.serverapp import ServerApp
from flwr.serverapp.strategy import FedAdam, FedAvg
from task import first

app, adam = ServerApp(), ServerApp()


def _run(strategy, grid, context):
    strategy.start(grid=grid, initial_arrays=ArrayRecord(first()),
                   num_rounds=context.run_config["num-server-rounds"],
                   train_config=ConfigRecord({"lr": context.run_config["train.lr"]}))


@app.main()
def main(grid, context):
    _run(FedAvg(min_available_nodes=9), grid, context)


@adam.main()
def main_adam(grid, context):
    _run(FedAdam(eta=0.03125, min_available_nodes=9), grid, context)
