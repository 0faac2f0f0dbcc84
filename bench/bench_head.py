#!/usr/bin/python3
"""The published classifier's 75 epochs on cached features, against one pass over the crops and against PyTorch that
computes every image's features again in every epoch.

    bench/bench_head.py CLEARMASS DATA [--crops 1000] [--size 224] [--torch-epochs 1] [--threads 2]

DATA is a data set folder with crops; they are taken again and again until there are enough (a fifth of them validates).
The weights are random, with batch norm statistics measured on some of the crops: speed does not depend on them. Both
programs get the same weights, images, threads and recipe. PyTorch's time for 75 epochs is that of the epochs measured,
multiplied. Needs python3-torch, -h5py, -numpy, -pil.
"""
import argparse
import csv
import os
import random
import re
import subprocess
import sys
import tempfile
import time

import h5py
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

EPOCHS, BATCH, RATE, DECAY, MOMENTUM, EPSILON = 75, 100, 0.01, 1e-6, 0.9, 1e-3


class ResNet50:
    """Keras' of 2015: the stride in the first 1x1, biases everywhere."""

    def __init__(self):
        torch.manual_seed(1)
        self.v = {}
        self.calibrate = False

    def conv(self, x, name, filters, kernel, stride=1, pad=0):
        if name not in self.v:
            fan = x.shape[1] * kernel * kernel
            self.v[name] = (torch.randn(filters, x.shape[1], kernel, kernel) * (2 / fan) ** 0.5, torch.zeros(filters))
        return F.conv2d(x, *self.v[name], stride, pad)

    def norm(self, x, name):
        if self.calibrate:
            c = x.shape[1]
            self.v[name] = [torch.ones(c), torch.zeros(c), x.mean((0, 2, 3)), x.var((0, 2, 3), unbiased=False)]
        gamma, beta, mean, variance = self.v[name]
        return F.batch_norm(x, mean, variance, gamma, beta, False, 0, EPSILON)

    def block(self, x, at, width, stride, first):
        y = F.relu(self.norm(self.conv(x, f"res{at}_branch2a", width, 1, stride), f"bn{at}_branch2a"))
        y = F.relu(self.norm(self.conv(y, f"res{at}_branch2b", width, 3, 1, 1), f"bn{at}_branch2b"))
        y = self.norm(self.conv(y, f"res{at}_branch2c", 4 * width, 1), f"bn{at}_branch2c")
        if first:
            x = self.norm(self.conv(x, f"res{at}_branch1", 4 * width, 1, stride), f"bn{at}_branch1")
        return F.relu(x + y)

    @torch.no_grad()
    def __call__(self, x):
        x = F.relu(self.norm(self.conv(x, "conv1", 64, 7, 2, 3), "bn_conv1"))
        x = F.max_pool2d(F.pad(x, (1, 1, 1, 1)), 3, 2)
        for stage, blocks in enumerate((3, 4, 6, 3)):
            for b in range(blocks):
                x = self.block(x, f"{stage + 2}{'abcdef'[b]}", 64 << stage, 2 if stage and not b else 1, b == 0)
        return x.mean((2, 3))

    def save(self, path):
        with h5py.File(path, "w") as f:
            f.attrs["layer_names"] = [n.encode() for n in self.v]
            f.attrs["backend"], f.attrs["keras_version"] = b"tensorflow", b"2.2.4"
            for name, arrays in self.v.items():
                parts = ("kernel", "bias") if len(arrays) == 2 else ("gamma", "beta", "moving_mean", "moving_variance")
                g = f.create_group(name)
                g.attrs["weight_names"] = [f"{name}/{p}:0".encode() for p in parts]
                for p, a in zip(parts, arrays):
                    a = a.numpy()
                    g[f"{name}/{p}:0"] = a.transpose(2, 3, 1, 0) if a.ndim == 4 else a


def make_data(source, folder, n):
    """n rows, each with a crop of source, under names and patients of their own."""
    with open(f"{source}/manifest.csv", newline="") as f:
        rows = [r for r in csv.DictReader(f) if r["crop"] and r["part"] != "test"]
    random.Random(1).shuffle(rows)
    os.mkdir(folder)
    for sub in ("full", "roi", "crop"):
        os.symlink(os.path.abspath(f"{source}/{sub}"), f"{folder}/{sub}")
    with open(f"{folder}/manifest.csv", "w", newline="") as f:
        w = csv.DictWriter(f, rows[0].keys(), lineterminator="\n")
        w.writeheader()
        for i in range(n):
            w.writerow({**rows[i % len(rows)], "id": f"c{i}", "patient": f"p{i}"})


def read_crops(folder, size):
    """As the network takes them: Caffe's preprocessing of 16-bit grey, stretched."""
    mean = torch.tensor((103.939, 116.779, 123.68))[:, None, None]
    images, labels = [], []
    with open(f"{folder}/manifest.csv", newline="") as f:
        for r in csv.DictReader(f):
            grey = np.asarray(Image.open(f"{folder}/{r['crop']}")).astype(np.float32) / 257
            square = np.asarray(Image.fromarray(grey).resize((size, size), Image.BOX))
            images.append(torch.from_numpy(square.copy())[None] - mean)
            labels.append(r["label"] == "malignant")
    return torch.stack(images), torch.tensor(labels).long()


def torch_epoch(net, head, velocity, images, labels, step):
    """Every image through the backbone, then the head's update; a fifth of the images is looked at only."""
    n = len(images) * 4 // 5
    batch = min(BATCH, n)  # as clearmass has it where there are fewer
    order = torch.randperm(n)
    for at in range(0, n - batch + 1, batch):
        index = order[at : at + batch]
        x = torch.cat([net(images[i]) for i in index.split(20)])
        loss = F.cross_entropy(x @ head[0] + head[1], labels[index])
        rate = RATE / (1 + DECAY * step)
        step += 1
        for p, v, g in zip(head, velocity, torch.autograd.grad(loss, head)):
            v.mul_(MOMENTUM).sub_(rate * g)
            p.data.add_(MOMENTUM * v - rate * g)
    for part in torch.arange(n, len(images)).split(20):
        net(images[part]) @ head[0] + head[1]
    return step


def time_torch(net, images, labels, epochs):
    head = [torch.zeros(2048, 2, requires_grad=True), torch.zeros(2, requires_grad=True)]
    velocity = [torch.zeros(2048, 2), torch.zeros(2)]
    step, began, cpu = 0, time.monotonic(), time.process_time()
    for _ in range(epochs):
        step = torch_epoch(net, head, velocity, images, labels, step)
    return (time.monotonic() - began) / epochs, (time.process_time() - cpu) / epochs


def time_clearmass(a, data, run, weights):
    """Seconds of the pass over the crops, of everything from start to end, and of its processor time."""
    words = [a.clearmass, "train", "classify", data, run, "--init", weights, "--recipe", "published"]
    words += ["--size", str(a.size), "--threads", str(a.threads)]
    began = read = time.monotonic()
    program = subprocess.Popen(words, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    one_pass = line = None
    for line in program.stderr:
        if line.startswith("reading crops"):
            read = time.monotonic()
        if re.match(r"features: (\d+)/\1 in ", line):
            one_pass = time.monotonic() - read
    _, status, used = os.wait4(program.pid, 0)
    if status or one_pass is None:
        sys.exit(f"clearmass computed no features: {line}")
    return one_pass, time.monotonic() - began, used.ru_utime + used.ru_stime


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("clearmass")
    p.add_argument("data")
    p.add_argument("--crops", type=int, default=1000)
    p.add_argument("--size", type=int, default=224)
    p.add_argument("--torch-epochs", type=int, default=1)
    p.add_argument("--threads", type=int, default=2)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    with tempfile.TemporaryDirectory() as folder:
        data, weights = f"{folder}/data", f"{folder}/random.h5"
        make_data(a.data, data, a.crops)
        images, labels = read_crops(data, a.size)
        net = ResNet50()
        net.calibrate = True
        net(images[:16])
        net.calibrate = False
        net.save(weights)
        one_pass, whole, cpu = time_clearmass(a, data, f"{folder}/run", weights)
        epoch, epoch_cpu = time_torch(net, images, labels, a.torch_epochs)
    print(f"{a.crops} crops of {a.size} x {a.size}, {a.threads} threads, batch {BATCH}, {EPOCHS} epochs of the head")
    print(f"clearmass: one pass over the crops {one_pass:.1f} s, everything {whole:.1f} s: {whole / one_pass:.2f} passes")
    print(f"PyTorch {torch.__version__}: an epoch that computes the features again {epoch:.1f} s ({a.torch_epochs} measured), "
          f"{EPOCHS} of them {EPOCHS * epoch:.0f} s: {EPOCHS * epoch / whole:.1f} times as long")
    print(f"processor time, for a machine with other work: {cpu:.0f} s against {EPOCHS * epoch_cpu:.0f} s: "
          f"{EPOCHS * epoch_cpu / cpu:.1f} times as much")


if __name__ == "__main__":
    main()
