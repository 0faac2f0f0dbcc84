#!/usr/bin/python3
"""Writes tests/golden/keras: small Keras weight files good and bad, and what h5py and PyTorch find in genuine ones.

    tools/golden_keras.py resnet50_partial_conv1_to_res3a_REAL.h5 tests/golden/keras

Needs python3-h5py, python3-torch and numpy. The genuine file holds the first 30 layers of the published ResNet50
(fchollet/deep-learning-models v0.2). Of it are kept:
    genuine_arrays.csv       layer,array,shape,first,middle,last,sum of every array, as h5py reads it
    genuine_activations.csv  after blocks 2a, 2b, 2c and 3a, in double precision: name,count,norm, then 16 times a position
                             and the number there; the input is [1, 3, 64, 64] from the hash of golden_networks.py,
                             uniform in -120..120
The others are made as Keras' own code makes them, with h5py, for a network of one convolution and one batch norm,
but for one thing each, which their name tells.
"""
import csv
import os
import sys

import h5py
import numpy as np
import torch
import torch.nn.functional as F

from golden_networks import between, uniform

SAMPLES, INPUT, POSITIONS = 16, 1037, 2000
EPSILON = 1e-3


def table(path, rows):
    with open(path, "w", newline="") as f:
        csv.writer(f, lineterminator="\n").writerows(rows)


def names(object_, attribute):
    return [n.decode() for n in object_.attrs[attribute]]


def arrays(path):
    rows = [["layer", "array", "shape", "first", "middle", "last", "sum"]]
    with h5py.File(path, "r") as f:
        for layer in names(f, "layer_names"):
            for name in names(f[layer], "weight_names"):
                v = f[layer][name][()]
                flat = v.reshape(-1)
                picked = [float(flat[i]) for i in (0, flat.size // 2, flat.size - 1)]
                numbers = [f"{n:.9g}" for n in picked] + [f"{flat.astype(np.float64).sum():.12g}"]
                rows.append([layer, name, "x".join(map(str, v.shape))] + numbers)
    return rows


class Genuine:
    def __init__(self, path):
        self.file = h5py.File(path, "r")

    def weights(self, layer):
        group = self.file[layer]
        return [torch.from_numpy(group[n][()].astype(np.float64)) for n in names(group, "weight_names")]

    def conv(self, x, layer, stride=1, pad=0):
        kernel, bias = self.weights(layer)
        return F.conv2d(x, kernel.permute(3, 2, 0, 1), bias, stride, pad)

    def norm(self, x, layer):
        gamma, beta, mean, variance = self.weights(layer)
        return F.batch_norm(x, mean, variance, gamma, beta, False, 0, EPSILON)

    def block(self, x, at, stride, shortcut):
        def part(y, branch, *how):
            return self.norm(self.conv(y, f"res{at}_branch{branch}", *how), f"bn{at}_branch{branch}")

        y = F.relu(part(x, "2a", stride))
        y = part(F.relu(part(y, "2b", 1, 1)), "2c")
        return F.relu(y + (part(x, "1", stride) if shortcut else x))


def activations(path):
    net = Genuine(path)
    x = between(INPUT, (1, 3, 64, 64), -120, 120)
    x = F.relu(net.norm(net.conv(x, "conv1", 2, 3), "bn_conv1"))
    x = F.max_pool2d(x, 3, 2, 1)
    rows = [["name", "count", "norm"] + [f"{w}_{k}" for k in range(SAMPLES) for w in ("position", "number")]]
    for number, at in enumerate(("2a", "2b", "2c", "3a")):
        x = net.block(x, at, 2 if at == "3a" else 1, at[1] == "a")
        v = x.reshape(-1).numpy()
        row = [at, v.size, f"{np.sqrt((v * v).sum()):.12g}"]
        for p in (uniform(POSITIONS + number, SAMPLES) * v.size).astype(int):
            row += [p, f"{v[p]:.12g}"]
        rows.append(row)
    return rows


LAYERS = (
    ("conv2d_1", (("kernel", (3, 3, 2, 4)), ("bias", (4,)))),
    ("activation_1", ()),
    ("batch_normalization_1", (("gamma", (4,)), ("beta", (4,)), ("moving_mean", (4,)), ("moving_variance", (4,)))),
)


def save(group, layers=LAYERS, dtype="f4", **how):
    """As save_weights_to_hdf5_group of Keras 2.2 does; number i of the k-th array is k + i / 1000."""
    group.attrs["layer_names"] = np.asarray([layer.encode() for layer, _ in layers])
    group.attrs["backend"] = np.bytes_(b"tensorflow")
    group.attrs["keras_version"] = np.bytes_(b"2.2.4")
    k = 0
    for layer, weights in layers:
        g = group.create_group(layer)
        g.attrs["weight_names"] = np.asarray([f"{layer}/{w}:0".encode() for w, _ in weights])
        for w, shape in weights:
            v = (k + np.arange(np.prod(shape)) / 1000).reshape(shape)
            g.create_dataset(f"{layer}/{w}:0", data=v.astype(dtype), **how)
            k += 1


def whole_model(f):
    f.attrs["keras_version"] = b"2.2.4"
    f.attrs["model_config"] = b"{}"
    save(f.create_group("model_weights"))


def texts_of_any_length(f):
    save(f)
    for name in ("layer_names", "backend", "keras_version"):
        v = f.attrs[name]
        text = [s.decode() for s in v] if name == "layer_names" else v.decode()
        f.attrs.create(name, text, dtype=h5py.string_dtype())


def split(f):
    save(f)
    layers = f.attrs["layer_names"]
    del f.attrs["layer_names"]
    f.attrs["layer_names0"], f.attrs["layer_names1"] = layers[:2], layers[2:]


def keras_3(f):
    f.create_group("_layer_checkpoint_dependencies")
    f.create_group("layers/conv2d/vars").create_dataset("0", data=np.zeros(3))


def layer_missing(f):
    save(f)
    del f["batch_normalization_1"]


def array_missing(f):
    save(f)
    del f["conv2d_1/conv2d_1/bias:0"]


def names_missing(f):
    save(f)
    del f["conv2d_1"].attrs["weight_names"]


def names_of_numbers(f):
    save(f)
    f.attrs["layer_names"] = [1, 2, 3]


def whole_numbers(f):
    save(f)
    del f["conv2d_1/conv2d_1/bias:0"]
    f["conv2d_1"].create_dataset("conv2d_1/bias:0", data=np.arange(4))


def numbers_elsewhere(f):
    save(f)
    del f["conv2d_1/conv2d_1/bias:0"]
    f["conv2d_1"].create_dataset("conv2d_1/bias:0", (4,), "f4", external=[("/etc/passwd", 0, 16)])


def numbers_never_written(f):
    save(f)
    del f["conv2d_1/conv2d_1/bias:0"]
    f["conv2d_1"].create_dataset("conv2d_1/bias:0", (1 << 27,), "f4")


def too_many_numbers(f):
    save(f)
    del f["conv2d_1/conv2d_1/bias:0"]
    f["conv2d_1"].create_dataset("conv2d_1/bias:0", (1 << 40,), "f4", chunks=(1 << 20,))


def name_over_two_lines(f):
    save(f)
    f.attrs["layer_names"] = np.asarray([b"conv2d_1\nactivation_1", b"x"])


def not_keras(f):
    f.create_dataset("x", data=np.zeros(3))


FILES = (
    ("plain", save),
    ("halves", lambda f: save(f, dtype="f2")),
    ("doubles", lambda f: save(f, dtype="f8")),
    ("packed", lambda f: save(f, compression="gzip", shuffle=True)),
    ("whole_model", whole_model),
    ("texts_of_any_length", texts_of_any_length),
    ("split", split),
    ("bad_keras_3", keras_3),
    ("bad_layer_missing", layer_missing),
    ("bad_array_missing", array_missing),
    ("bad_names_missing", names_missing),
    ("bad_names_of_numbers", names_of_numbers),
    ("bad_whole_numbers", whole_numbers),
    ("bad_numbers_elsewhere", numbers_elsewhere),
    ("bad_numbers_never_written", numbers_never_written),
    ("bad_too_many_numbers", too_many_numbers),
    ("bad_name_over_two_lines", name_over_two_lines),
    ("bad_not_keras", not_keras),
)


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: golden_keras.py GENUINE.h5 FOLDER")
    genuine, folder = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    table(os.path.join(folder, "genuine_arrays.csv"), arrays(genuine))
    table(os.path.join(folder, "genuine_activations.csv"), activations(genuine))
    for name, make in FILES:
        with h5py.File(os.path.join(folder, name + ".h5"), "w") as f:
            make(f)


if __name__ == "__main__":
    main()
