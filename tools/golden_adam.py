#!/usr/bin/python3
"""Prints the sequences of test_adam_to_the_last_digit (tests/test_train_optim.c): Adam as Keras 2.2.4 has it, in
decimal arithmetic of 60 digits; only the parameter is rounded, once a step, to the float it is stored as.

    m = b1 m + (1 - b1) g       v = b2 v + (1 - b2) g^2
    rate = lr / (1 + decay (t - 1)) sqrt(1 - b2^t) / (1 - b1^t)       p = p - rate m / (sqrt(v) + epsilon)
"""
from decimal import Decimal, getcontext

import numpy as np

getcontext().prec = 60
RATE, B1, B2, EPSILON = Decimal(".001"), Decimal(".9"), Decimal(".999"), Decimal("1e-7")
GRADIENTS = (1, -2, 0.5, 4, -0.25)


def sequence(scale, decay):
    p, m, v = Decimal(1), Decimal(0), Decimal(0)
    for t, gradient in enumerate(GRADIENTS, 1):
        g = Decimal(gradient) * Decimal(scale)
        m, v = B1 * m + (1 - B1) * g, B2 * v + (1 - B2) * g * g
        rate = RATE / (1 + decay * (t - 1)) * (1 - B2**t).sqrt() / (1 - B1**t)
        stored = np.float32(p - rate * m / (v.sqrt() + EPSILON))
        p = Decimal(float(stored))
        yield f"{stored:.9g}f"


for decay in (Decimal(0), Decimal(".5")):
    for scale in (1, 2**-23):  # the smaller ones are about as large as epsilon
        print("{%s}," % ", ".join(sequence(scale, decay)))
