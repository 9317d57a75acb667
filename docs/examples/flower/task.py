"""Handwritten digits (scikit-learn brings them), shared out unevenly; a softmax layer in NumPy."""
import numpy as np
from sklearn.datasets import load_digits


def first():
    return [np.zeros((64, 10), np.float32), np.zeros(10, np.float32)]


def load(part, of):
    """The samples of one part, of which later parts have more: (x, y, x_test, y_test)."""
    x, y = load_digits(return_X_y=True)
    mine = [i for i in range(len(y)) if np.sqrt((i * 7919 % len(y)) / len(y)) * of // 1 == part]
    x, y = (x[mine] / 16).astype(np.float32), y[mine]
    cut = len(y) * 4 // 5
    return x[:cut], y[:cut], x[cut:], y[cut:]


def _chances(weights, x):
    out = x @ weights[0] + weights[1]
    out = np.exp(out - out.max(axis=1, keepdims=True))
    return out / out.sum(axis=1, keepdims=True)


def train(weights, x, y, lr, batch):
    w, b = (one.copy() for one in weights)
    for at in range(0, len(y), batch):
        part, wanted = x[at:at + batch], y[at:at + batch]
        error = _chances((w, b), part)
        error[np.arange(len(wanted)), wanted] -= 1
        w -= np.float32(lr / len(wanted)) * (part.T @ error)
        b -= np.float32(lr / len(wanted)) * error.sum(axis=0)
    return [w, b]


def score(weights, x, y):
    chances = _chances(weights, x)
    return (float(-np.log(chances[np.arange(len(y)), y] + 1e-9).mean()),
            float((chances.argmax(axis=1) == y).mean()))
