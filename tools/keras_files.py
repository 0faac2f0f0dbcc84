#!/usr/bin/python3
"""Keras weight files as large as the published ones, made and checked with h5py, for tests/cli/weights.sh.

    tools/keras_files.py make  NETWORK FILE.h5 [--keras 1|2] [--top N] [--whole-model] [--split]
    tools/keras_files.py check NETWORK FILE.h5|FILE.safetensors [--top N]
    tools/keras_files.py edit  FILE.h5 remove|reshape|poison LAYER

NETWORK is unet, resnet50-2015 or resnet50-2018; the latter two differ in the names of layers. Every layer has its own
random numbers, the same in all files. "make" writes groups and attributes as save_weights_to_hdf5_group of Keras does,
layers without weights among the others. "check" reads a file as load_weights_from_hdf5_group does, or our safetensors,
and compares every number and the order of layers. Needs python3-h5py and numpy.
"""
import argparse
import json
import sys

import h5py
import numpy as np

CONV, NORM, DENSE, NONE = "conv", "norm", "dense", "none"
PARTS = {
    CONV: ("kernel", "bias"),
    DENSE: ("kernel", "bias"),
    NORM: ("gamma", "beta", "moving_mean", "moving_variance"),
    NONE: (),
}
KERAS_1 = {"kernel": "W", "bias": "b", "moving_mean": "running_mean", "moving_variance": "running_std"}


class Layer:
    """key names the numbers: it is the layer's name in our files."""

    def __init__(self, kind, name, key=None, shape=()):
        self.kind, self.name, self.key, self.shape = kind, name, key or name, shape

    def numbers(self, part):
        seed = np.frombuffer(f"{self.key}/{part}".encode(), np.uint8)
        random = np.random.Generator(np.random.PCG64(seed))
        shape = self.shape if part == "kernel" else self.shape[-1:]
        low, high = (0.5, 1.5) if part == "moving_variance" else (-1, 1)
        return (low + (high - low) * random.random(shape, np.float32)).astype(np.float32)

    def weights(self):
        return [(part, self.numbers(part)) for part in PARTS[self.kind]]


def conv(name, key, k, c, filters):
    return Layer(CONV, name, key, (k, k, c, filters))


def norm(name, key, c):
    return Layer(NORM, name, key, (c,))


class Names:
    """activation_1, activation_2, ..."""

    def __init__(self):
        self.count = {}

    def __call__(self, kind):
        self.count[kind] = self.count.get(kind, 0) + 1
        return f"{kind}_{self.count[kind]}"


def unet(top):
    n = Names()
    layers = [Layer(NONE, n("input"))]

    def double(prefix, side, c, filters):
        for i in (1, 2):
            key = f"{prefix}conv_{side}_{i}"
            layers.append(conv(n("conv2d"), key, 3, c, filters))
            layers.append(norm(n("batch_normalization"), key + "_bn", filters))
            layers.append(Layer(NONE, n("activation")))
            c = filters
        return filters

    c, widths, sides = 3, [], (224, 112, 56, 28, 14, 7)
    for level, side in enumerate(sides):
        if level:
            layers.append(Layer(NONE, n("max_pooling2d")))
        c = double("", side, c, 32 << level)
        widths.append(c)
    for level in range(4, -1, -1):
        layers.append(Layer(NONE, n("up_sampling2d")))
        layers.append(Layer(NONE, n("concatenate")))
        c = double("up_", sides[level], c + widths[level], 32 << level)
    layers.append(Layer(NONE, n("spatial_dropout2d")))
    layers.append(conv(n("conv2d"), "mask", 1, c, 1))
    layers.append(Layer(NONE, n("activation")))
    return layers


def resnet50(top, later):
    """later: the names of 2018, whose blocks begin with the shortcut."""
    n = Names()
    layers = [Layer(NONE, n("input")), Layer(NONE, "conv1_pad" if later else n("zero_padding2d"))]
    layers.append(conv("conv1_conv" if later else "conv1", "conv1", 7, 3, 64))
    layers.append(norm("conv1_bn" if later else "bn_conv1", "bn_conv1", 64))
    layers.append(Layer(NONE, "conv1_relu" if later else n("activation")))
    if later:
        layers.append(Layer(NONE, "pool1_pad"))
    layers.append(Layer(NONE, "pool1_pool" if later else n("max_pooling2d")))
    c = 64
    for stage, blocks in enumerate((3, 4, 6, 3), 2):
        width = 64 << (stage - 2)
        for block in range(blocks):
            old, new = f"{stage}{'abcdef'[block]}_branch", f"conv{stage}_block{block + 1}_"
            branch = ("1", "2a", "2b", "2c")

            def add_conv(i, k, inputs, filters):
                key = f"res{old}{branch[i]}"
                layers.append(conv(f"{new}{i}_conv" if later else key, key, k, inputs, filters))

            def add_norm(i, filters):
                key = f"bn{old}{branch[i]}"
                layers.append(norm(f"{new}{i}_bn" if later else key, key, filters))

            def add_none(name, kind):
                layers.append(Layer(NONE, new + name if later else n(kind)))

            add_conv(1, 1, c, width)
            add_norm(1, width)
            add_none("1_relu", "activation")
            add_conv(2, 3, width, width)
            add_norm(2, width)
            add_none("2_relu", "activation")
            last = (((0, c), (3, width)) if later else ((3, width), (0, c))) if block == 0 else ((3, width),)
            for i, inputs in last:
                add_conv(i, 1, inputs, 4 * width)
            for i, _ in last:
                add_norm(i, 4 * width)
            add_none("add", "add")
            add_none("out", "activation")
            c = 4 * width
    layers.append(Layer(NONE, "avg_pool"))
    if top:
        layers.append(Layer(DENSE, "probs" if later else f"fc{top}", f"fc{top}", (c, top)))
    return layers


NETWORKS = {
    "unet": unet,
    "resnet50-2015": lambda top: resnet50(top, False),
    "resnet50-2018": lambda top: resnet50(top, True),
}


def put_names(group, attribute, names, split):
    """Keras splits what is longer than 64,512 bytes; here in three, wanted or not."""
    data = np.asarray([n.encode() for n in names]) if names else np.zeros(0)
    if split and len(names) > 2:
        for i, part in enumerate(np.array_split(data, 3)):
            group.attrs[f"{attribute}{i}"] = part
    else:
        group.attrs[attribute] = data


def make(args):
    with h5py.File(args.file, "w") as f:
        group = f.create_group("model_weights") if args.whole_model else f
        layers = NETWORKS[args.network](args.top)
        put_names(group, "layer_names", [layer.name for layer in layers], args.split)
        if args.keras == 2:
            group.attrs["backend"], group.attrs["keras_version"] = b"tensorflow", b"2.2.4"
        for layer in layers:
            g = group.create_group(layer.name)
            named = []
            for part, numbers in layer.weights():
                one = f"{layer.name}_{KERAS_1.get(part, part)}_1:0"
                named.append((one if args.keras == 1 else f"{layer.name}/{part}:0", numbers))
            put_names(g, "weight_names", [name for name, _ in named], args.split)
            for name, numbers in named:
                g.create_dataset(name, data=numbers)


def same(name, have, want):
    if have.dtype != want.dtype or have.shape != want.shape or have.tobytes() != want.tobytes():
        sys.exit(f"{name}: other numbers")


def check_keras(path, layers):
    with h5py.File(path, "r") as f:
        names = f.attrs["layer_names"]
        for text in (f.attrs["keras_version"], f.attrs["backend"]):
            text.decode() if isinstance(text, bytes) else text.encode()
        if names.dtype.kind != "S":
            sys.exit(f"layer_names is {names.dtype}, not of fixed-length strings")
        names = [name.decode() for name in names]
        if names != [layer.name for layer in layers]:
            sys.exit(f"other layers, or in another order: {names[:12]}...")
        for layer in layers:
            weights = f[layer.name].attrs["weight_names"]
            wanted = layer.weights()
            if [w.decode() for w in weights] != [f"{layer.name}/{part}:0" for part, _ in wanted]:
                sys.exit(f"{layer.name} has {weights}")
            for name, (_, numbers) in zip(weights, wanted):
                same(name.decode(), f[layer.name][name.decode()][()], numbers)


def check_ours(path, layers):
    """Kernels are [out, in, kh, kw] and [out, in] there."""
    with open(path, "rb") as f:
        header = json.loads(f.read(int.from_bytes(f.read(8), "little")))
        numbers = f.read()
    header.pop("__metadata__")
    for layer in layers:
        for part, want in layer.weights():
            name = f"{layer.key}/{part}"
            entry = header.pop(name)
            begin, end = entry["data_offsets"]
            have = np.frombuffer(numbers[begin:end], "<f4").reshape(entry["shape"])
            if part == "kernel":
                want = np.ascontiguousarray(want.transpose(3, 2, 0, 1) if want.ndim == 4 else want.T)
            same(name, have, want)
    if header:
        sys.exit(f"more than wanted: {sorted(header)[:4]}")


def check(args):
    layers = [layer for layer in NETWORKS[args.network](args.top) if layer.kind != NONE]
    (check_ours if args.file.endswith(".safetensors") else check_keras)(args.file, layers)


def edit(args):
    with h5py.File(args.file, "r+") as f:
        weight = f[args.layer].attrs["weight_names"][-1].decode()
        if args.how == "remove":
            names = f.attrs["layer_names"]
            f.attrs["layer_names"] = names[names != args.layer.encode()]
            del f[args.layer]
        elif args.how == "reshape":
            numbers = f[args.layer][weight][()]
            del f[args.layer][weight]
            f[args.layer].create_dataset(weight, data=numbers[1:])
        else:
            f[args.layer][weight][0] = np.nan


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    verbs = parser.add_subparsers(required=True)
    for verb, work in (("make", make), ("check", check)):
        p = verbs.add_parser(verb)
        p.set_defaults(work=work)
        p.add_argument("network", choices=NETWORKS)
        p.add_argument("file")
        p.add_argument("--top", type=int, default=0)
        if work is make:
            p.add_argument("--keras", type=int, choices=(1, 2), default=2)
            p.add_argument("--whole-model", action="store_true")
            p.add_argument("--split", action="store_true")
    p = verbs.add_parser("edit")
    p.set_defaults(work=edit)
    p.add_argument("file")
    p.add_argument("how", choices=("remove", "reshape", "poison"))
    p.add_argument("layer")
    args = parser.parse_args()
    args.work(args)


if __name__ == "__main__":
    main()
