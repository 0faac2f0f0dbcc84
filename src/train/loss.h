/* train/loss.h: what training makes small, and its gradient.
 *
 * truth and output are [n] numbers, all pixels of a batch, or the two classes of each item. Sums are double
 * and are made in pieces of fixed size added in order, so they do not depend on the number of threads. */
#ifndef CLEARMASS_TRAIN_LOSS_H
#define CLEARMASS_TRAIN_LOSS_H

#include <stddef.h>

struct loss {
    const char *name;
    /* The loss; d loss / d output goes to grad[n] unless that is NULL. */
    double (*measure)(const float *truth, const float *output, size_t n, float *grad);
};

/* "dice", "generalised-dice", "bce-dice" or "cross-entropy"; NULL when there is none of that name.
 * - dice: -(2 I + 1) / (T + P + 1) with I = sum t p, T = sum t, P = sum p; in [-1, 0]. The ZF_UNET_224
 *   repository's dice_coef_loss.
 * - generalised-dice: 1 - 2 sum_l w_l I_l / sum_l w_l (T_l + P_l) over lesion and background, with
 *   w_l = 1 / max(T_l, 1)^2; in [0, 1]. Sudre et al. 2017, arXiv 1707.03237.
 * - bce-dice: mean binary cross-entropy, outputs clipped to 1e-7 from 0 and 1 as Keras does (no gradient
 *   beyond), plus dice.
 * - cross-entropy: categorical, of items of two classes: -sum t log p over all numbers / items, outputs
 * clipped in the same way. Weights of classes and smoothed labels are in the truth: t = weight (label (1 - s)
 * + s / 2). */
const struct loss *loss_find(const char *name);

/* The soft Dice coefficient of a whole batch, the published metric: minus the loss "dice". */
double loss_soft_dice(const float *truth, const float *output, size_t n);

#endif
