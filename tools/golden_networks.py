#!/usr/bin/python3
"""Writes tests/golden: what PyTorch computes, in double precision, for the networks.

Parameters, input, target and the positions that are sampled come from an integer hash that tests/test_model_golden.c
computes too, so that only results are kept. Needs python3-torch (Debian 12: 1.13.1) and numpy.

    tools/golden_networks.py tests/golden

For each network NAME:
    NAME_train.f32    output of a training step [n, c, h, w], batch statistics, no dropout; little-endian float32
    NAME_infer.f32    output in inference, the moving statistics being those of the batch (momentum 0)
    NAME_totals.csv   name,value: the loss
    NAME_slots.csv    one row a slot: name,count,sum,norm, then 8 times a position and the number there.
                      The numbers are d loss / d value; of moving statistics, their values after the step (momentum .99,
                      variance n / (n - 1)). The last row, "input", is d loss / d input.
"""
import csv
import math
import os
import sys

import numpy as np
import torch
import torch.nn.functional as F

SAMPLES = 8
INPUT, TARGET, POSITIONS = 1037, 1001, 2000  # streams; a slot's own number is the stream of its values
MOMENTUM = 0.99


def uniform(stream, n):
    """n numbers in [0, 1), multiples of 2^-24: the finaliser of splitmix64 over (stream, 0..n-1)."""
    z = (np.arange(1, n + 1, dtype=np.uint64) + np.uint64(stream << 32)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float64) / 2**24


def between(stream, shape, low, high):
    """Rounded to float32, as the tested program holds them."""
    v = low + (high - low) * uniform(stream, math.prod(shape))
    return torch.from_numpy(v.astype(np.float32).astype(np.float64).reshape(shape))


class Net:
    """Runs layers as they are named and keeps their numbers in order."""

    def __init__(self, training, momentum, kind, statistics=None):
        self.training = training
        self.momentum = momentum
        self.beta = kind["beta"]
        self.epsilon = kind["epsilon"]
        self.statistics = statistics  # slots of a Net to take the moving statistics from
        self.slots = []
        self.margin = math.inf  # how far the nearest ReLU is from its kink, the nearest maximum from its rival

    def slot(self, name, shape, low, high, trainable=True):
        v = between(len(self.slots), shape, low, high).requires_grad_(trainable)
        self.slots.append((name, v))
        return v

    def conv(self, x, name, filters, kernel, stride=1, pad=0):
        fan_in = x.shape[1] * kernel * kernel
        limit = math.sqrt(6 / fan_in)
        k = self.slot(name + "/kernel", (filters, x.shape[1], kernel, kernel), -limit, limit)
        b = self.slot(name + "/bias", (filters,), -0.1, 0.1)
        return F.conv2d(x, k, b, stride, pad)

    def dense(self, x, name, units):
        limit = math.sqrt(6 / x.shape[1])
        k = self.slot(name + "/kernel", (units, x.shape[1]), -limit, limit)
        b = self.slot(name + "/bias", (units,), -0.1, 0.1)
        return F.linear(x, k, b)

    def norm(self, x, name):
        c = (x.shape[1],)
        gamma = self.slot(name + "/gamma", c, 0.8, 1.2)
        beta = self.slot(name + "/beta", c, *self.beta)
        mean = self.slot(name + "/moving_mean", c, -0.1, 0.1, False)
        variance = self.slot(name + "/moving_variance", c, 0.5, 1.5, False)
        if self.statistics:
            mean, variance = (self.statistics[len(self.slots) - k][1] for k in (2, 1))
        return F.batch_norm(x, mean, variance, gamma, beta, self.training, 1 - self.momentum, self.epsilon)

    def relu(self, x):
        self.margin = min(self.margin, x.detach().abs().min().item())
        return F.relu(x)

    def pool(self, x, kernel, stride, pad=0):
        windows = F.unfold(x.detach().reshape(-1, 1, *x.shape[2:]), kernel, padding=pad, stride=stride)
        top = windows.topk(2, 1).values
        gap = (top[:, 0] - top[:, 1])[top[:, 0] > 0]
        self.margin = min(self.margin, gap.min().item())
        return F.max_pool2d(x, kernel, stride, pad)


def unet(net, x):
    sides = (224, 112, 56, 28, 14, 7)

    def double(x, prefix, level):
        for i in (1, 2):
            name = f"{prefix}conv_{sides[level]}_{i}"
            x = net.relu(net.norm(net.conv(x, name, 32 << level, 3, pad=1), name + "_bn"))
        return x

    skips = []
    for k in range(6):
        x = double(net.pool(x, 2, 2) if k else x, "", k)
        skips.append(x)
    for k in range(4, -1, -1):
        x = torch.cat([F.interpolate(x, scale_factor=2, mode="nearest"), skips[k]], 1)
        x = double(x, "up_", k)
    return torch.sigmoid(net.conv(x, "mask", 1, 1))


def residual(net, x):
    """What the U-Net lacks: wide strided convolutions, overlapping pooling, a sum, a dense head."""
    x = net.relu(net.norm(net.conv(x, "stem", 8, 7, 2, 3), "stem_bn"))
    x = net.pool(x, 3, 2, 1)
    y = net.relu(net.norm(net.conv(x, "a", 4, 1, 2), "a_bn"))
    y = net.relu(net.norm(net.conv(y, "b", 4, 3, 1, 1), "b_bn"))
    y = net.norm(net.conv(y, "c", 16, 1), "c_bn")
    short = net.norm(net.conv(x, "short", 16, 1, 2), "short_bn")
    x = net.relu(y + short)
    x = net.relu(net.conv(x, "d", 6, 3, 2, 1))
    x = net.dense(x.mean((2, 3)), "head", 3)
    return torch.softmax(x, 1)[:, :, None, None]


def resnet50(net, x):
    """Keras' ResNet50 without its head: the stride in the first 1x1, biases everywhere, pooled features."""

    def conv_norm(x, branch, *shape):
        return net.conv(x, "res" + branch, *shape), "bn" + branch

    x = net.relu(net.norm(net.conv(x, "conv1", 64, 7, 2, 3), "bn_conv1"))
    x = net.pool(x, 3, 2, 1)
    for stage, blocks in enumerate((3, 4, 6, 3)):
        for block in range(blocks):
            width, stride = 64 << stage, 2 if stage and not block else 1
            at = f"{stage + 2}{'abcdef'[block]}_branch"
            y = net.relu(net.norm(*conv_norm(x, at + "2a", width, 1, stride)))
            y = net.relu(net.norm(*conv_norm(y, at + "2b", width, 3, 1, 1)))
            y = conv_norm(y, at + "2c", 4 * width, 1)
            short = None if block else conv_norm(x, at + "1", 4 * width, 1, stride)
            y = net.norm(*y)
            x = net.relu(y + (x if block else net.norm(*short)))
    return x.mean((2, 3))[:, :, None, None]


def dice_loss(y):
    """Minus the soft Dice over the whole batch, smoothing 1."""
    t = (between(TARGET, y.shape, 0, 1) < 0.3).double()
    return -(2 * (t * y).sum() + 1) / (t.sum() + y.sum() + 1)


def weighted_sum(y):
    return (y * between(TARGET, y.shape, -1, 1)).sum()


# A ReLU or a maximum so close to its kink that float arithmetic falls on the other side changes the gradients below it
# by 1e-5. Betas of 3 to 4 keep nearly all of the U-Net's million ReLUs open, and of sixty streams INPUT is the one
# with the widest margins (printed): 1.2e-5 and 1.5e-4.
# Batch norm's epsilon is Keras' default but for resnet50_2018, which has that of the later weights.
NETWORKS = (
    ("unet", unet, (2, 3, 64, 64), {"beta": (3, 4), "epsilon": 1e-3}, dice_loss),
    ("residual", residual, (3, 3, 45, 38), {"beta": (-0.1, 0.1), "epsilon": 1e-3}, weighted_sum),
    ("resnet50", resnet50, (3, 3, 64, 64), {"beta": (3, 4), "epsilon": 1e-3}, weighted_sum),
    ("resnet50_2018", resnet50, (3, 3, 64, 64), {"beta": (3, 4), "epsilon": 1.001e-5}, weighted_sum),
)


def row(name, number, v):
    v = v.detach().reshape(-1).numpy()
    positions = (uniform(POSITIONS + number, SAMPLES) * len(v)).astype(int)
    numbers = [v.sum(), math.sqrt((v * v).sum())]
    cells = [name, len(v)] + [f"{n:.12g}" for n in numbers]
    for p in positions:
        cells += [p, f"{v[p]:.12g}"]
    return cells


def write_csv(path, rows):
    with open(path, "w", newline="") as f:
        csv.writer(f, lineterminator="\n").writerows(rows)


def write_network(folder, name, build, shape, kind, loss_of):
    def path(end):
        return os.path.join(folder, name + end)

    x = between(INPUT, shape, -0.5, 0.5)
    with torch.no_grad():
        batch = Net(True, 0, kind)
        build(batch, x)
        y = build(Net(False, 0, kind, batch.slots), x)
    y.numpy().astype("<f4").tofile(path("_infer.f32"))

    net = Net(True, MOMENTUM, kind)
    x = x.requires_grad_()
    y = build(net, x)
    y.detach().numpy().astype("<f4").tofile(path("_train.f32"))
    loss = loss_of(y)
    loss.backward()
    header = ["name", "count", "sum", "norm"]
    for k in range(SAMPLES):
        header += [f"position_{k}", f"number_{k}"]
    rows = [header]
    for number, (slot, v) in enumerate(net.slots):
        rows.append(row(slot, number, v.grad if v.requires_grad else v))
    rows.append(row("input", len(net.slots), x.grad))
    write_csv(path("_slots.csv"), rows)
    write_csv(path("_totals.csv"), [["name", "value"], ["loss", f"{loss.item():.12g}"]])
    print(name, sum(v.numel() for _, v in net.slots), "numbers, loss", loss.item(), "output", y.min().item(),
          y.max().item(), "std", y.std().item(), "margin", net.margin)


def main():
    if len(sys.argv) != 2:
        sys.exit("usage: golden_networks.py FOLDER")
    os.makedirs(sys.argv[1], exist_ok=True)
    for network in NETWORKS:
        write_network(sys.argv[1], *network)


if __name__ == "__main__":
    main()
