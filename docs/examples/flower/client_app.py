"""A ClientApp of Flower's message API."""
from flwr.app import ArrayRecord, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from task import load, score, train

app = ClientApp()


def _samples(context):
    return load(context.node_config["partition-id"], context.node_config["num-partitions"])


@app.train()
def fit(message: Message, context):
    x, y, _, _ = _samples(context)
    weights = train(message.content["arrays"].to_numpy_ndarrays(), x, y,
                    message.content["config"]["lr"], context.run_config["batch-size"])
    metrics = MetricRecord({"num-examples": len(y)})
    context.state["rounds"] = MetricRecord({"done": int(message.content["config"]["server-round"])})
    return Message(RecordDict({"arrays": ArrayRecord(weights), "metrics": metrics}),
                   reply_to=message)


@app.evaluate()
def evaluate(message: Message, context):
    _, _, x, y = _samples(context)
    loss, accuracy = score(message.content["arrays"].to_numpy_ndarrays(), x, y)
    metrics = MetricRecord({"eval_loss": loss, "eval_acc": accuracy, "num-examples": len(y)})
    return Message(RecordDict({"metrics": metrics}), reply_to=message)
