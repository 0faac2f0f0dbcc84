#include "train/loss.h"

#include "base/mem.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { PIECE = 8192, CLASSES = 2 };

#define CLIP 1e-7f

struct sums {
    double truth, output, both; /* sum t, sum p, sum t p */
    double entropy;             /* sum of the binary cross-entropies, where asked for */
};

static double cross_entropy(float t, float p)
{
    double q = fmin(fmax(p, CLIP), 1 - CLIP);
    return -(t * log(q) + (1 - t) * log1p(-q));
}

static struct sums sum_piece(const float *t, const float *p, size_t n, bool entropy)
{
    struct sums s = {0, 0, 0, 0};
    for (size_t i = 0; i < n; i++) {
        s.truth += t[i];
        s.output += p[i];
        s.both += (double)t[i] * p[i];
    }
    for (size_t i = 0; entropy && i < n; i++)
        s.entropy += cross_entropy(t[i], p[i]);
    return s;
}

static struct sums sum_all(const float *truth, const float *output, size_t n, bool entropy)
{
    size_t pieces = (n + PIECE - 1) / PIECE;
    struct sums *part = mem_new(pieces + 1, sizeof *part), all = {0, 0, 0, 0};

#pragma omp parallel for schedule(static)
    for (size_t k = 0; k < pieces; k++) {
        size_t at = k * PIECE, left = n - at;
        part[k] = sum_piece(truth + at, output + at, left < PIECE ? left : PIECE, entropy);
    }
    for (size_t k = 0; k < pieces; k++) {
        all.truth += part[k].truth;
        all.output += part[k].output;
        all.both += part[k].both;
        all.entropy += part[k].entropy;
    }
    free(part);
    return all;
}

/* grad = at_truth * t + always: every Dice is linear in the truth once its sums are known. */
static void put_gradient(float *grad, const float *truth, size_t n, double at_truth, double always)
{
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++)
        grad[i] = (float)(at_truth * truth[i] + always);
}

static double dice_of(struct sums s)
{
    return (2 * s.both + 1) / (s.truth + s.output + 1);
}

/* -(2 I + 1) / S: d = -(2 t S - (2 I + 1)) / S^2 */
static void put_dice_gradient(float *grad, const float *truth, size_t n, struct sums s)
{
    double whole = s.truth + s.output + 1;
    put_gradient(grad, truth, n, -2 / whole, (2 * s.both + 1) / (whole * whole));
}

static double dice_loss(const float *truth, const float *output, size_t n, float *grad)
{
    struct sums s = sum_all(truth, output, n, false);

    if (grad)
        put_dice_gradient(grad, truth, n, s);
    return -dice_of(s);
}

double loss_soft_dice(const float *truth, const float *output, size_t n)
{
    return dice_of(sum_all(truth, output, n, false));
}

static double class_weight(double truth)
{
    double t = fmax(truth, 1);
    return 1 / (t * t);
}

static double generalised_dice_loss(const float *truth, const float *output, size_t n, float *grad)
{
    struct sums s = sum_all(truth, output, n, false);
    double all = (double)n;
    double lesion = class_weight(s.truth), rest = class_weight(all - s.truth);
    double both_rest = all - s.truth - s.output + s.both; /* sum (1 - t) (1 - p) */
    double top = lesion * s.both + rest * both_rest;
    double bottom = lesion * (s.truth + s.output) + rest * (2 * all - s.truth - s.output);

    /* d top = (lesion + rest) t - rest, d bottom = lesion - rest */
    if (grad)
        put_gradient(grad, truth, n, -2 * (lesion + rest) / bottom,
                     2 * rest / bottom + 2 * top * (lesion - rest) / (bottom * bottom));
    return 1 - 2 * top / bottom;
}

static void add_entropy_gradient(float *grad, const float *truth, const float *output, size_t n)
{
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < n; i++) {
        double t = truth[i], p = output[i];
        if (output[i] > CLIP && output[i] < 1 - CLIP)
            grad[i] += (float)((p - t) / (p * (1 - p) * (double)n));
    }
}

static double bce_dice_loss(const float *truth, const float *output, size_t n, float *grad)
{
    struct sums s = sum_all(truth, output, n, true);

    if (grad) {
        put_dice_gradient(grad, truth, n, s);
        add_entropy_gradient(grad, truth, output, n);
    }
    return s.entropy / (double)n - dice_of(s);
}

/* Not split into pieces: a batch has a few hundred numbers. */
static double class_cross_entropy_loss(const float *truth, const float *output, size_t n, float *grad)
{
    const double items = (double)(n / CLASSES);
    double sum = 0;

    for (size_t i = 0; i < n; i++) {
        double t = truth[i], p = output[i], q = fmin(fmax(p, CLIP), 1 - CLIP);
        sum -= t * log(q);
        if (grad)
            grad[i] = output[i] > CLIP && output[i] < 1 - CLIP ? (float)(-t / (p * items)) : 0;
    }
    return sum / items;
}

static const struct loss LOSSES[] = {{"dice", dice_loss},
                                     {"generalised-dice", generalised_dice_loss},
                                     {"bce-dice", bce_dice_loss},
                                     {"cross-entropy", class_cross_entropy_loss}};

const struct loss *loss_find(const char *name)
{
    for (size_t i = 0; i < sizeof LOSSES / sizeof *LOSSES; i++) {
        if (!strcmp(LOSSES[i].name, name))
            return &LOSSES[i];
    }
    return NULL;
}
