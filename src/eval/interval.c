#include "eval/interval.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "base/rng.h"
#include "base/wilson.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct interval interval_wilson(struct share s)
{
    const struct wilson w = wilson_bounds((double)s.hits, (double)s.n);

    return (struct interval){share_value(s), w.low, w.high};
}

double quantile(const double *sorted, size_t n, double p)
{
    if (n == 0)
        return NAN;
    const double at = p * (double)(n - 1);
    const size_t below = (size_t)at;

    if (below + 1 >= n)
        return sorted[n - 1];
    return sorted[below] + (at - (double)below) * (sorted[below + 1] - sorted[below]);
}

static int compare_doubles(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;

    return a < b ? -1 : a > b;
}

void sort_doubles(double *v, size_t n)
{
    if (n > 1)
        qsort(v, n, sizeof *v, compare_doubles);
}

/* 0..n-1; a number's chance is off by less than n / 2^64. */
static size_t pick(struct rng *r, size_t n)
{
    return (size_t)(((unsigned __int128)rng_u64(r) * n) >> 64);
}

/* How often each item counts when groups are drawn. times is scratch [groups]. */
static void draw_weights(const struct bootstrap *b, size_t draw, unsigned *times, unsigned *weight)
{
    struct rng rng = rng_at(b->seed, RNG_BOOTSTRAP, draw, 0);

    memset(times, 0, b->groups * sizeof *times);
    for (size_t k = 0; k < b->groups; k++)
        times[pick(&rng, b->groups)]++;
    for (size_t i = 0; i < b->n; i++)
        weight[i] = times[b->group[i]];
}

enum { BLOCK = 25 }; /* draws a thread takes at a time */

struct draws {
    const struct bootstrap *b;
    const struct measured *of; /* [count] */
    size_t count;
    double *value; /* [count, draws] */
};

static void draw_block(void *draws, size_t block)
{
    const struct draws *d = draws;
    const struct bootstrap *b = d->b;
    const size_t end = (block + 1) * BLOCK < b->draws ? (block + 1) * BLOCK : b->draws;
    unsigned *times = mem_new(b->groups + 1, sizeof *times), *weight = mem_new(b->n + 1, sizeof *weight);

    for (size_t i = block * BLOCK; i < end; i++) {
        draw_weights(b, i, times, weight);
        for (size_t k = 0; k < d->count; k++)
            d->value[k * b->draws + i] = d->of[k].statistic(d->of[k].context, weight);
    }
    free(times);
    free(weight);
}

/* Moves the values that are defined to the front, ascending; returns how many there are. */
static size_t sort_defined(double *value, size_t draws)
{
    size_t defined = 0;

    for (size_t i = 0; i < draws; i++)
        if (!isnan(value[i]))
            value[defined++] = value[i];
    sort_doubles(value, defined);
    return defined;
}

static double of_sample(const struct bootstrap *b, const struct measured *of)
{
    unsigned *weight = mem_new(b->n + 1, sizeof *weight);

    for (size_t i = 0; i < b->n; i++)
        weight[i] = 1;
    const double value = of->statistic(of->context, weight);
    free(weight);
    return value;
}

/* Two-sided: twice the smaller share of draws at or beyond 0. */
static double p_value(const double *value, size_t defined)
{
    size_t low = 0, high = 0;

    for (size_t i = 0; i < defined; i++) {
        low += value[i] <= 0;
        high += value[i] >= 0;
    }
    return fmin(1, 2 * (double)((low < high ? low : high) + 1) / (double)(defined + 1));
}

/* value[draws], NAN where it is not defined, loses its order. */
static struct interval percentiles(double sample, double *value, size_t draws, double *p)
{
    const size_t defined = isnan(sample) ? 0 : sort_defined(value, draws);
    const bool known = defined > 0 && 2 * defined >= draws;

    if (p)
        *p = known ? p_value(value, defined) : NAN;
    return (struct interval){sample, known ? quantile(value, defined, .025) : NAN,
                             known ? quantile(value, defined, .975) : NAN};
}

/* p [count], or NULL. */
static void draw_all(struct interval *out, double *p, const struct draws *how)
{
    const struct bootstrap *b = how->b;
    struct draws d = *how;

    d.value = mem_new(d.count * b->draws + 1, sizeof *d.value);
    for (size_t i = 0; i < d.count * b->draws; i++)
        d.value[i] = NAN;
    if (b->groups >= 2)
        parallel_each((b->draws + BLOCK - 1) / BLOCK, draw_block, &d);
    for (size_t k = 0; k < d.count; k++)
        out[k] = percentiles(of_sample(b, &d.of[k]), d.value + k * b->draws, b->draws, p ? &p[k] : NULL);
    free(d.value);
}

void interval_bootstrap_all(struct interval *out, const struct measured *of, size_t count,
                            const struct bootstrap *b)
{
    draw_all(out, NULL, &(struct draws){b, of, count, NULL});
    for (size_t k = 0; k < count; k++) {
        if (b->groups < 2)
            out[k].value = NAN;
        if (out[k].low == out[k].high)
            out[k].low = out[k].high = NAN;
    }
}

struct interval interval_bootstrap(const struct bootstrap *b)
{
    struct interval i;

    interval_bootstrap_all(&i, &(struct measured){b->statistic, b->context}, 1, b);
    return i;
}

struct interval interval_bootstrap_difference(const struct bootstrap *b, double *p)
{
    struct interval i;

    draw_all(&i, p, &(struct draws){b, &(struct measured){b->statistic, b->context}, 1, NULL});
    return i;
}
