#!/usr/bin/env python3
"""The yardstick for what the networks learn: the same U-Net, images, split and recipe in plain PyTorch (Debian:
python3-torch, python3-pil).

    bench/yardstick_unet.py DATA RUN [--init WEIGHTS] [--epochs 11] [--black-box 6] [--size 224] [--bf16] [--keras-adam]
                            [--seed 1] [--threads 2]
    bench/yardstick_unet.py --write-init WEIGHTS [--seed 1]

DATA is a data set folder of Clearmass, RUN a run of `clearmass train segment` on it, whose split.csv is taken. Random
(Glorot) weights, or those of a file that both begin with (safetensors, as Clearmass has them; the second line writes
random ones for `clearmass train segment --init WEIGHTS` and stops), flips and shifts of a tenth, batches of 16, Adam
.001, soft Dice over the batch, the statistics of the batch norms computed again over training images before every
validation; then the black box from the best epoch, with
black truths wherever the label is not malignant. Prints a line an epoch: mean and median Dice at .5 over the images with
a lesion (of malignant ones for the black box), at the network's own size, and the AUC of malignant by the sum of
the mask."""
import argparse
import copy
import csv
import json
import os
import time

import numpy as np
import torch
from PIL import Image
from torch import nn

from peer_torch import UNet, dice_loss

BATCH = 16
NORM_IMAGES = 256


def square(path, size, unit):
    """An image or a mask at the network's size, area-averaged, in units."""
    image = Image.fromarray(np.asarray(Image.open(path), dtype=np.float32)).resize((size, size), Image.BOX)
    return np.asarray(image) / unit


def part(data, run, wanted, size):
    """Images [n, size, size] as the network wants them, masks of 0 and 1, and who is malignant."""
    parts = {r["id"]: r["part"] for r in csv.DictReader(open(os.path.join(run, "split.csv"), newline=""))}
    rows = [r for r in csv.DictReader(open(os.path.join(data, "manifest.csv"), newline="")) if parts[r["id"]] == wanted]
    x = np.stack([square(os.path.join(data, r["image"]), size, 257 * 256) - .5 for r in rows])
    t = np.stack([square(os.path.join(data, r["mask"]), size, 255) >= .5 if r["mask"] else np.zeros((size, size)) for r in rows])
    return x.astype(np.float32), t.astype(np.float32), np.array([r["label"] == "malignant" for r in rows])


def moved(x, t, rng):
    """Image and truth mirrored and moved by up to a tenth, the border repeated."""
    size, shift = len(x), len(x) // 10
    rows, columns = (np.arange(size)[::rng.choice([-1, 1])] for _ in range(2))
    rows, columns = (np.clip(k + rng.integers(-shift, shift + 1), 0, size - 1) for k in (rows, columns))
    return x[np.ix_(rows, columns)], t[np.ix_(rows, columns)]


def tensor(x):
    """[n, h, w] to the network's three equal channels."""
    return torch.from_numpy(x)[:, None].repeat(1, 3, 1, 1).contiguous(memory_format=torch.channels_last)


def epoch(model, optimiser, x, t, rng, bf16):
    order, losses = rng.permutation(len(x)), []
    model.train()
    for first in range(0, len(x) - BATCH + 1, BATCH):
        both = [moved(x[i], t[i], rng) for i in order[first:first + BATCH]]
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            y = model(tensor(np.stack([b[0] for b in both])))
        loss = dice_loss(y.float(), torch.from_numpy(np.stack([b[1] for b in both]))[:, None])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return -np.mean(losses)


@torch.no_grad()
def statistics_again(model, x, rng, bf16):
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for m in norms:
        m.reset_running_stats()
        m.momentum = None
    model.train()
    model.drop.eval()
    some = rng.permutation(len(x))[:NORM_IMAGES // BATCH * BATCH]
    for first in range(0, len(some), BATCH):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            model(tensor(x[some[first:first + BATCH]]))


@torch.no_grad()
def masks(model, x, bf16):
    model.eval()
    out = []
    for first in range(0, len(x), BATCH):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            out.append(model(tensor(x[first:first + BATCH])).float().numpy()[:, 0])
    return np.concatenate(out)


def dices(p, t):
    found, true = p > .5, t > .5
    return 2 * (found & true).sum((1, 2)) / np.maximum(found.sum((1, 2)) + true.sum((1, 2)), 1)


def auc(score, positive):
    """Mann and Whitney, ties half."""
    a, b = score[positive][:, None], score[~positive][None]
    return (a > b).mean() + (a == b).mean() / 2


class KerasAdam(torch.optim.Optimizer):
    """Adam with epsilon where Keras has it: beside the root of the second moment as it is, not as corrected for its start.
    In the first steps that is up to 30 times as large an epsilon as PyTorch's, and so smaller steps."""

    def __init__(self, values, lr):
        super().__init__(values, {"lr": lr})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                s = self.state[p]
                if not s:
                    s.update(t=0, m=torch.zeros_like(p), v=torch.zeros_like(p))
                s["t"] += 1
                s["m"].mul_(.9).add_(p.grad, alpha=.1)
                s["v"].mul_(.999).addcmul_(p.grad, p.grad, value=.001)
                rate = group["lr"] * (1 - .999 ** s["t"]) ** .5 / (1 - .9 ** s["t"])
                p.addcdiv_(s["m"], s["v"].sqrt().add_(1e-7), value=-rate)


def stage(name, model, epochs, learn, judge, rng, o):
    """Trains and returns the weights of the best epoch, by Dice for masks and by AUC for the black box."""
    values, bf16 = model.parameters(), o.bf16
    optimiser = KerasAdam(values, .001) if o.keras_adam else torch.optim.Adam(values, .001, eps=1e-7)
    x, t, _ = judge
    best, kept = -1, None
    for k in range(epochs):
        began = time.time()
        loss = epoch(model, optimiser, learn[0], learn[1], rng, bf16)
        statistics_again(model, learn[0], rng, bf16)
        p = masks(model, x, bf16)
        d, a = dices(p, t)[t.any((1, 2))], auc(p.astype(np.float64).sum((1, 2)), judge[2])
        print(f"{name} {k + 1}: training {loss:.3f}, Dice mean {d.mean():.3f} median {np.median(d):.3f}, AUC {a:.3f} "
              f"({time.time() - began:.0f} s)", flush=True)
        value = a if name == "black-box" else d.mean()
        if value > best:
            best, kept = value, copy.deepcopy(model.state_dict())
    return kept


def tensors(model):
    """The network's tensors by the names Clearmass and Keras know them by."""
    out = {"mask/kernel": model.mask.weight, "mask/bias": model.mask.bias}
    for prefix, blocks in [("", model.down), ("up_", model.up)]:
        for k, block in enumerate(blocks):
            for i in range(2):
                name, conv, norm = f"{prefix}conv_{224 >> k}_{i + 1}", block[3 * i], block[3 * i + 1]
                out |= {f"{name}/kernel": conv.weight, f"{name}/bias": conv.bias, f"{name}_bn/gamma": norm.weight,
                        f"{name}_bn/beta": norm.bias, f"{name}_bn/moving_mean": norm.running_mean,
                        f"{name}_bn/moving_variance": norm.running_var}
    return out


def write_weights(model, path):
    """safetensors: the header's length in 8 bytes, the header in JSON, the numbers."""
    header, numbers = {}, b""
    for name, v in tensors(model).items():
        one = v.detach().contiguous().numpy().astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(v.shape), "data_offsets": [len(numbers), len(numbers) + len(one)]}
        numbers += one
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text + numbers)


@torch.no_grad()
def read_weights(model, path):
    with open(path, "rb") as f:
        header = json.loads(f.read(int.from_bytes(f.read(8), "little")))
        numbers = f.read()
    for name, v in tensors(model).items():
        assert header[name]["dtype"] == "F32" and header[name]["shape"] == list(v.shape), f"{path}: {name}"
        one = np.frombuffer(numbers[slice(*header[name]["data_offsets"])], "<f4").copy()
        v.copy_(torch.from_numpy(one).reshape(v.shape))


def random_unet():
    model = UNet()
    for m in model.modules():
        if isinstance(m, nn.Conv2d):
            nn.init.xavier_uniform_(m.weight)
            nn.init.zeros_(m.bias)
    return model


def main():
    p = argparse.ArgumentParser()
    p.add_argument("data", nargs="?")
    p.add_argument("run", nargs="?")
    p.add_argument("--init", metavar="WEIGHTS")
    p.add_argument("--write-init", metavar="WEIGHTS")
    for name, default in [("epochs", 11), ("black-box", 6), ("size", 224), ("seed", 1), ("threads", 2)]:
        p.add_argument(f"--{name}", type=int, default=default)
    for name in ("bf16", "keras-adam"):
        p.add_argument(f"--{name}", action="store_true")
    o = p.parse_args()
    torch.set_num_threads(o.threads)
    torch.manual_seed(o.seed)
    model = random_unet()
    if o.write_init:
        write_weights(model, o.write_init)
        return
    if not o.run:
        p.error("DATA and RUN are wanted")
    if o.init:
        read_weights(model, o.init)
    model = model.to(memory_format=torch.channels_last)
    rng = np.random.default_rng(o.seed)
    learn, judge = part(o.data, o.run, "train", o.size), part(o.data, o.run, "validation", o.size)
    print(f"{len(learn[0])} train, {len(judge[0])} validate", flush=True)
    model.load_state_dict(stage("segment", model, o.epochs, learn, judge, rng, o))
    for part_ in (learn, judge):
        part_[1][~part_[2]] = 0
    stage("black-box", model, o.black_box, learn, judge, rng, o)


main()
