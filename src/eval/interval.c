#include "eval/interval.h"

#include "base/mem.h"
#include "base/rng.h"

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

/* How often each item counts when groups are drawn. times is scratch [groups]. */
static void draw_weights(const struct bootstrap *b, size_t draw, unsigned *times, unsigned *weight)
{
    struct rng rng = rng_at(b->seed, RNG_BOOTSTRAP, draw, 0);

    memset(times, 0, b->groups * sizeof *times);
    for (size_t k = 0; k < b->groups; k++)
        times[rng_int(&rng, 0, (int)b->groups - 1)]++;
    for (size_t i = 0; i < b->n; i++)
        weight[i] = times[b->group[i]];
}

struct interval interval_bootstrap(const struct bootstrap *b)
{
    struct interval out = {NAN, NAN, NAN};
    unsigned *times = mem_new(b->groups + 1, sizeof *times), *weight = mem_new(b->n + 1, sizeof *weight);
    double *value = mem_new(b->draws + 1, sizeof *value);
    size_t defined = 0;

    for (size_t i = 0; i < b->n; i++)
        weight[i] = 1;
    out.value = b->statistic(b->context, weight);
    for (size_t d = 0; d < b->draws && b->groups > 0; d++) {
        draw_weights(b, d, times, weight);
        const double v = b->statistic(b->context, weight);
        if (!isnan(v))
            value[defined++] = v;
    }
    if (!isnan(out.value) && defined > 0 && 2 * defined >= b->draws) {
        sort_doubles(value, defined);
        out.low = quantile(value, defined, .025);
        out.high = quantile(value, defined, .975);
    }
    free(times);
    free(weight);
    free(value);
    return out;
}
