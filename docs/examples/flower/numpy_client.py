"""The same as a NumPyClient."""
from flwr.client import ClientApp, NumPyClient
from task import first, load, score, train


class Digits(NumPyClient):
    def __init__(self, part, of, batch):
        self.samples, self.batch = load(part, of), batch

    def get_parameters(self, config):
        return first()

    def fit(self, parameters, config):
        x, y, _, _ = self.samples
        return train(parameters, x, y, config["lr"], self.batch), len(y), {}

    def evaluate(self, parameters, config):
        _, _, x, y = self.samples
        loss, accuracy = score(parameters, x, y)
        return loss, len(y), {"accuracy": accuracy}


def client_fn(context):
    node = context.node_config
    return Digits(node["partition-id"], node["num-partitions"],
                  context.run_config["batch-size"]).to_client()


app = ClientApp(client_fn=client_fn)
