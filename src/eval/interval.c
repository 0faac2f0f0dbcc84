#include "eval/interval.h"

#include "base/mem.h"
#include "base/rng.h"
#include "base/parallel.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define Z_95 1.959963984540054 /* the normal distribution's .975 quantile */

struct interval interval_wilson(struct share s)
{
    if (s.n == 0)
        return (struct interval){NAN, NAN, NAN};
    const double n = (double)s.n, p = (double)s.hits / n, zz = Z_95 * Z_95;
    const double centre = (p + zz / (2 * n)) / (1 + zz / n);
    const double half = Z_95 / (1 + zz / n) * sqrt(p * (1 - p) / n + zz / (4 * n * n));

    /* the bounds of all or nothing are 0 and 1 in exact arithmetic */
    return (struct interval){p, s.hits == 0 ? 0 : centre - half, s.hits == s.n ? 1 : centre + half};
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
    double *value; /* [draws] */
};

static void draw_block(void *draws, size_t block)
{
    const struct draws *d = draws;
    const struct bootstrap *b = d->b;
    const size_t end = (block + 1) * BLOCK < b->draws ? (block + 1) * BLOCK : b->draws;
    unsigned *times = mem_new(b->groups + 1, sizeof *times), *weight = mem_new(b->n + 1, sizeof *weight);

    for (size_t i = block * BLOCK; i < end; i++) {
        draw_weights(b, i, times, weight);
        d->value[i] = b->statistic(b->context, weight);
    }
    free(times);
    free(weight);
}

/* Draws every value and moves those that are defined to the front, ascending; returns how many there are. */
static size_t draw_values(const struct bootstrap *b, double *value)
{
    size_t defined = 0;

    if (b->groups == 0)
        return 0;
    parallel_each((b->draws + BLOCK - 1) / BLOCK, draw_block, &(struct draws){b, value});
    for (size_t i = 0; i < b->draws; i++)
        if (!isnan(value[i]))
            value[defined++] = value[i];
    sort_doubles(value, defined);
    return defined;
}

static double of_sample(const struct bootstrap *b)
{
    unsigned *weight = mem_new(b->n + 1, sizeof *weight);

    for (size_t i = 0; i < b->n; i++)
        weight[i] = 1;
    const double value = b->statistic(b->context, weight);
    free(weight);
    return value;
}

struct interval interval_bootstrap(const struct bootstrap *b)
{
    return interval_bootstrap_difference(b, NULL);
}

struct interval interval_bootstrap_difference(const struct bootstrap *b, double *p)
{
    struct interval out = {of_sample(b), NAN, NAN};
    double *value = mem_new(b->draws + 1, sizeof *value);
    const size_t defined = isnan(out.value) || b->groups < 2 ? 0 : draw_values(b, value);

    if (p)
        *p = NAN;
    if (defined > 0 && 2 * defined >= b->draws) {
        size_t low = 0, high = 0;
        out.low = quantile(value, defined, .025);
        out.high = quantile(value, defined, .975);
        for (size_t i = 0; i < defined; i++) {
            low += value[i] <= 0;
            high += value[i] >= 0;
        }
        if (p)
            *p = fmin(1, 2 * (double)((low < high ? low : high) + 1) / (double)(defined + 1));
    }
    free(value);
    return out;
}
