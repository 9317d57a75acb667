"""A loop of NVFlare's client API; only its import is another one. The digits of flower/task.py."""
import os
import sys

import tributary_fl.nvflare as flare    # was: import nvflare.client as flare

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "flower"))
from task import load, score, train    # noqa: E402

flare.init()
x, y, x_test, y_test = load(int(flare.get_site_name().rsplit("-", 1)[1]), 9)
while flare.is_running():
    received = flare.receive()
    print(f"round {received.current_round} at {flare.get_site_name()}")
    loss, accuracy = score([received.params["0"], received.params["1"]], x_test, y_test)
    w, b = train([received.params["0"], received.params["1"]], x, y, 0.125, 32)
    flare.send(flare.FLModel(params={"0": w, "1": b}, metrics={"accuracy": accuracy, "loss": loss},
                             meta={"NUM_STEPS_CURRENT_ROUND": len(y)}))
