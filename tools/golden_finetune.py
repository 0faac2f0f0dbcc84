#!/usr/bin/python3
"""Writes tests/golden/finetune_*: a classifier whose first layers are frozen, three steps of training, in PyTorch.

    tools/golden_finetune.py tests/golden

The numbers begin as in golden_networks.py (an integer hash that tests/test_train_golden.c computes too). Frozen are the
first convolution and its batch norm, which
    inference  normalises by its moving statistics, as one expects;
    keras224   normalises by the batch's, as Keras 2.1.3 to 2.2.4 do; its moving statistics stay all the same.
The others train: categorical cross-entropy, class weights 0.5 and 2, labels smoothed by .1, and Keras' SGD (rate .05, decay
.01, nesterov momentum .9; everything but the head a tenth of the rate).
    finetune_MODE.f32  every slot after the three steps, little-endian float32, in order
    finetune.csv       mode,step,loss and, as step 3, the loss of plain labels with the moving statistics (validation)
"""
import sys

import numpy as np
import torch
import torch.nn.functional as F

from golden_networks import INPUT, MOMENTUM, Net, between

BATCH, SIDE, STEPS = 6, 8, 3
EPSILON = 1e-3
RATE, DECAY, NESTEROV = 0.05, 0.01, 0.9
WEIGHT, SMOOTHING = (0.5, 2.0), 0.1
FROZEN, HEAD = 6, 12  # slots of the frozen layers; the head's first slot


def forward(slots, x, mode, training):
    """The norms' moving statistics are updated in place where they train."""
    v = [t for _, t in slots]

    def norm(x, at, batch, track):
        gamma, beta, mean, variance = v[at : at + 4]
        if not batch:
            return F.batch_norm(x, mean, variance, gamma, beta, False, 0, EPSILON)
        if not track:
            mean, variance = mean.clone(), variance.clone()
        return F.batch_norm(x, mean, variance, gamma, beta, True, 1 - MOMENTUM, EPSILON)

    x = F.relu(norm(F.conv2d(x, v[0], v[1], 2, 1), 2, training and mode == "keras224", False))
    x = F.relu(norm(F.conv2d(x, v[6], v[7], 1, 1), 8, training, True))
    return torch.softmax(F.linear(x.mean((2, 3)), v[12], v[13]), 1)


def make_slots():
    net = Net(False, MOMENTUM, {"beta": (-0.1, 0.1), "epsilon": EPSILON})
    x = torch.zeros(2, 3, SIDE, SIDE, dtype=torch.float64)
    x = net.norm(net.conv(x, "first", 8, 3, 2, 1), "first_bn")
    x = net.norm(net.conv(x, "second", 6, 3, 1, 1), "second_bn")
    net.dense(x.mean((2, 3)), "head", 2)
    return net.slots


def main(folder):
    images = between(INPUT, (STEPS, BATCH, 3, SIDE, SIDE), -0.5, 0.5)
    label = torch.tensor([0, 1, 0, 0, 1, 0])
    plain = F.one_hot(label, 2).double()
    smooth = plain * (1 - SMOOTHING) + SMOOTHING / 2
    truth = smooth * torch.tensor(WEIGHT, dtype=torch.float64)[label][:, None]
    rows = []
    for mode in ("inference", "keras224"):
        slots = make_slots()
        velocity = [torch.zeros_like(v) for _, v in slots]
        for step in range(STEPS):
            loss = -(truth * torch.log(forward(slots, images[step], mode, True))).sum() / BATCH
            rows.append((mode, step, loss.item()))
            trained = [i for i, (_, v) in enumerate(slots) if v.requires_grad and i >= FROZEN]
            grads = torch.autograd.grad(loss, [slots[i][1] for i in trained])
            for i, g in zip(trained, grads):
                rate = RATE / (1 + DECAY * step) * (1 if i >= HEAD else 0.1)
                velocity[i] = NESTEROV * velocity[i] - rate * g
                slots[i][1].data += NESTEROV * velocity[i] - rate * g
        check = -(plain * torch.log(forward(slots, images[0], mode, False))).sum() / BATCH
        rows.append((mode, STEPS, check.item()))
        flat = np.concatenate([v.detach().numpy().ravel() for _, v in slots])
        flat.astype("<f4").tofile(f"{folder}/finetune_{mode}.f32")
    with open(f"{folder}/finetune.csv", "w") as f:
        f.write("mode,step,loss\n")
        f.writelines(f"{m},{s},{loss:.12g}\n" for m, s, loss in rows)


if __name__ == "__main__":
    main(sys.argv[1])
