#!/usr/bin/env python3
"""The same networks and the same steps in PyTorch (Debian: python3-torch), as a user would write them there.

peer_torch.py NETWORK train|infer BATCH STEPS [--bf16] [--cpu-time]    prints: median_ms best_ms   (an image)
peer_torch.py NETWORK export FILE.onnx BATCH

Training: augmented batches (mirrored and moved) made in a thread beside, dropout, Dice or cross-entropy, Adam with Keras'
epsilon, channels_last, every layer trained. Inference: traced and frozen, so that batch norms are folded."""
import statistics
import sys
import threading
import time
import queue

import numpy as np
import torch
from torch import nn

SIZE = 224
clock = time.process_time if "--cpu-time" in sys.argv else time.perf_counter


def conv_norm(inputs, filters):
    return [nn.Conv2d(inputs, filters, 3, padding=1), nn.BatchNorm2d(filters, eps=1e-3, momentum=.01), nn.ReLU(inplace=True)]


class UNet(nn.Module):
    """ZF_UNET_224."""

    def __init__(self):
        super().__init__()
        f = [32 << k for k in range(6)]
        self.down = nn.ModuleList([nn.Sequential(*conv_norm(f[k - 1] if k else 3, f[k]), *conv_norm(f[k], f[k])) for k in range(6)])
        self.up = nn.ModuleList([nn.Sequential(*conv_norm(f[k + 1] + f[k], f[k]), *conv_norm(f[k], f[k])) for k in range(5)])
        self.drop, self.mask = nn.Dropout2d(.2), nn.Conv2d(32, 1, 1)

    def forward(self, x):
        skip = []
        for k, block in enumerate(self.down):
            x = block(nn.functional.max_pool2d(x, 2) if k else x)
            skip.append(x)
        for k in range(4, -1, -1):
            x = self.up[k](torch.cat([nn.functional.interpolate(x, scale_factor=2, mode="nearest"), skip[k]], 1))
        return torch.sigmoid(self.mask(self.drop(x)))


class Bottleneck(nn.Module):
    def __init__(self, inputs, width, stride, shortcut):
        super().__init__()

        def layer(a, b, kernel, s=1):
            return [nn.Conv2d(a, b, kernel, s, kernel // 2), nn.BatchNorm2d(b, eps=1e-3, momentum=.01)]
        self.body = nn.Sequential(*layer(inputs, width, 1, stride), nn.ReLU(inplace=True), *layer(width, width, 3),
                                  nn.ReLU(inplace=True), *layer(width, 4 * width, 1))
        self.shortcut = nn.Sequential(*layer(inputs, 4 * width, 1, stride)) if shortcut else nn.Identity()

    def forward(self, x):
        return torch.relu(self.body(x) + self.shortcut(x))


def resnet50():
    """As Keras has it: strides in the first convolution of a block, biases everywhere; two classes."""
    blocks, inputs = [], 64
    for stage, count in enumerate([3, 4, 6, 3]):
        for i in range(count):
            blocks.append(Bottleneck(inputs, 64 << stage, 2 if stage and not i else 1, i == 0))
            inputs = 256 << stage
    return nn.Sequential(nn.Conv2d(3, 64, 7, 2, 3), nn.BatchNorm2d(64, eps=1e-3, momentum=.01), nn.ReLU(inplace=True),
                         nn.MaxPool2d(3, 2, 1), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(2048, 2))


NETWORKS = {"unet": UNet, "resnet50": resnet50}


def dice_loss(p, t):
    return -(2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1)


def moved(image, rng):
    """Mirrored and moved by up to a tenth, [n, c, h, w]."""
    out = np.empty_like(image)
    for i in range(len(image)):
        dy, dx = rng.integers(-SIZE // 10, SIZE // 10, 2)
        one = image[i, :, ::rng.choice([-1, 1]), ::rng.choice([-1, 1])]
        out[i] = np.roll(one, (dy, dx), (1, 2))
    return out


def batches(count, batch, classes):
    rng = np.random.default_rng(1)
    held = rng.random((2 * batch, 4, SIZE, SIZE), dtype=np.float32)
    held[:, 3] = held[:, 3] > .9
    made = queue.Queue(2)

    def work():
        for k in range(count):
            first = k % 2 * batch
            both = moved(held[first:first + batch], rng)
            x = torch.from_numpy(both[:, :3] - .5).contiguous(memory_format=torch.channels_last)
            made.put((x, torch.arange(batch) % 2 if classes else torch.from_numpy(both[:, 3:].copy())))
    threading.Thread(target=work, daemon=True).start()
    for _ in range(count):
        yield made.get()


def train(name, batch, steps, bf16):
    model = NETWORKS[name]().to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-5, eps=1e-7)
    measure = nn.CrossEntropyLoss() if name != "unet" else dice_loss
    took, began = [], clock()
    for x, t in batches(steps + 1, batch, name != "unet"):
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16):
            y = model(x)
        loss = measure(y.float(), t)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        loss.item()
        now = clock()
        took.append(now - began)
        began = now
    return took[1:]


def infer(name, batch, steps, bf16):
    model = NETWORKS[name]().to(memory_format=torch.channels_last).eval()
    x = torch.rand(batch, 3, SIZE, SIZE).contiguous(memory_format=torch.channels_last)
    took = []
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=bf16, cache_enabled=False):
        model = torch.jit.freeze(torch.jit.trace(model, x))
        for _ in range(2):
            model(x)
        for _ in range(steps):
            began = clock()
            model(x)
            took.append(clock() - began)
    return took


def main():
    name, what = sys.argv[1:3]
    if what == "export":
        model = NETWORKS[name]().eval()
        torch.onnx.export(model, torch.rand(int(sys.argv[4]), 3, SIZE, SIZE), sys.argv[3], input_names=["x"], opset_version=13)
        return
    batch, steps = int(sys.argv[3]), int(sys.argv[4])
    took = (train if what == "train" else infer)(name, batch, steps, "--bf16" in sys.argv)
    print(f"{statistics.median(took) * 1e3 / batch:.3f} {min(took) * 1e3 / batch:.3f}")


if __name__ == "__main__":
    main()
