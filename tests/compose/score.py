"""score - the accuracy of an exported model, computed from its file alone: safetensors, float32,
hidden layers followed by ReLU, pixels divided by 255 (docs/operating.md). Standard library only.
"""
import array
import gzip
import json
import struct


def idx(path):
    """Items of an IDX file, each a list of bytes."""
    with gzip.open(path) as file:
        raw = file.read()
    sizes = struct.unpack_from(f">{raw[3]}I", raw, 4)
    each = 1
    for size in sizes[1:]:
        each *= size
    body = raw[4 + 4 * raw[3]:]
    return [body[i * each:(i + 1) * each] for i in range(sizes[0])]


def layers(path):
    """(weights by row, biases) of each layer."""
    with open(path, "rb") as file:
        raw = file.read()
    size, = struct.unpack_from("<Q", raw)
    head, body = json.loads(raw[8:8 + size]), raw[8 + size:]
    at = {name: t["data_offsets"] for name, t in head.items() if "dtype" in t}
    tensors = {name: array.array("f", body[a:b]) for name, (a, b) in at.items()}
    out = []
    for i in range(len(tensors) // 2):
        weights, biases = tensors[f"layer{i}.weight"], tensors[f"layer{i}.bias"]
        wide = len(weights) // len(biases)
        out.append(([weights[o * wide:(o + 1) * wide] for o in range(len(biases))], biases))
    return out


def classify(network, pixels):
    x = [p / 255 for p in pixels]
    for number, (weights, biases) in enumerate(network):
        x = [b + sum(p * q for p, q in zip(x, row)) for row, b in zip(weights, biases)]
        if number + 1 < len(network):
            x = [max(0.0, v) for v in x]
    return max(range(len(x)), key=x.__getitem__)


def accuracy(model, inputs, labels, count):
    """Over the first `count` samples."""
    network = layers(model)
    samples, answers = idx(inputs)[:count], idx(labels)[:count]
    return sum(classify(network, pixels) == answer[0]
               for pixels, answer in zip(samples, answers)) / count
