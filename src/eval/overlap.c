#include "eval/overlap.h"

#include "base/mem.h"
#include "eval/interval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct overlap_counts overlap_measure(const float *map, const uint8_t *truth, size_t n)
{
    struct overlap_counts o = {0, 0, 0, 0, 0};

    for (size_t i = 0; i < n; i++) {
        const bool here = map[i] > OVERLAP_CUT, there = truth[i] != 0;
        o.truth += there;
        o.predicted += here;
        o.both += here && there;
        o.soft_predicted += map[i];
        o.soft_both += there ? map[i] : 0;
    }
    return o;
}

double overlap_dice(const struct overlap_counts *o)
{
    const size_t sum = o->truth + o->predicted;

    return sum > 0 ? 2.0 * (double)o->both / (double)sum : 1;
}

double overlap_iou(const struct overlap_counts *o)
{
    const size_t either = o->truth + o->predicted - o->both;

    return either > 0 ? (double)o->both / (double)either : 1;
}

double overlap_soft_dice(const struct overlap_counts *o, const unsigned *weight, size_t n)
{
    double both = 0, sum = 0, images = 0;

    for (size_t i = 0; i < n; i++) {
        const double times = weight ? weight[i] : 1;
        both += times * o[i].soft_both;
        sum += times * ((double)o[i].truth + o[i].soft_predicted);
        images += times;
    }
    return images > 0 ? (2 * both + 1) / (sum + 1) : NAN;
}

struct summary summary_of(const double *value, size_t n)
{
    struct summary s = {n, NAN, NAN, NAN, NAN, NAN};
    double sum = 0;
    size_t above = 0;

    if (n == 0)
        return s;
    double *sorted = mem_new(n, sizeof *sorted);
    memcpy(sorted, value, n * sizeof *sorted);
    sort_doubles(sorted, n);
    for (size_t i = 0; i < n; i++) {
        sum += sorted[i];
        above += sorted[i] > .5;
    }
    s = (struct summary){n,
                         sum / (double)n,
                         quantile(sorted, n, .5),
                         quantile(sorted, n, .25),
                         quantile(sorted, n, .75),
                         (double)above / (double)n};
    free(sorted);
    return s;
}
