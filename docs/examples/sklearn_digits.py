"""An estimator of scikit-learn on a whole fabric of this machine: 1 root, 3 edges, 9 devices."""
from sklearn.datasets import load_digits
from sklearn.linear_model import SGDClassifier

import tributary_fl as fl
import tributary_fl.sklearn


def trainer():
    """Each device makes one for its part of the samples."""
    x, y = load_digits(return_X_y=True)
    return tributary_fl.sklearn.EstimatorTrainer(
        SGDClassifier(loss="log_loss", alpha=0.001), fl.part(x[:1500] / 16), fl.part(y[:1500]),
        classes=range(10), test=(x[1500:] / 16, y[1500:]))


if __name__ == "__main__":
    history, weights = fl.local(trainer, devices=9, edges=3, rounds=5,
                                run={"train.epochs": 3, "plan.clip": 4})
    for row in history:
        print(row)
    print({name: one.shape for name, one in weights.items()})
