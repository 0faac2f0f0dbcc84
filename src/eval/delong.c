#include "eval/delong.h"

#include "base/mem.h"
#include "eval/binomial.h"
#include "eval/roc.h"

#include <math.h>
#include <stdlib.h>

#define Z_95 1.959963984540054

/* For every case the share of the other class that it is on the right side of, ties by half. */
static void placements(double *out, const struct ranking *r, const double total[2])
{
    double below[2] = {0, 0};

    for (size_t begin = 0, end; begin < r->n; begin = end) {
        double tied[2] = {0, 0};
        for (end = begin; end < r->n && r->score[r->order[end]] == r->score[r->order[begin]]; end++)
            tied[r->positive[r->order[end]]]++;
        for (size_t k = begin; k < end; k++) {
            const size_t i = r->order[k];
            out[i] = r->positive[i] ? (below[0] + tied[0] / 2) / total[0]
                                    : 1 - (below[1] + tied[1] / 2) / total[1];
        }
        below[0] += tied[0];
        below[1] += tied[1];
    }
}

static double mean(const double *v, const bool *positive, size_t n)
{
    double sum = 0, count = 0;

    for (size_t i = 0; i < n; i++) {
        if (positive[i]) {
            sum += v[i];
            count++;
        }
    }
    return sum / count;
}

/* Sum over both classes of the covariance of the placements over the number of cases of the class. Both
 * classes have the area as their mean. */
static double covariance(const double *a, const double *b, const struct delong *d,
                         const struct delong_pair *p, const double total[2], const int of[2])
{
    double sum[2] = {0, 0};

    for (size_t i = 0; i < p->n; i++)
        sum[p->positive[i]] += (a[i] - d->auc[of[0]]) * (b[i] - d->auc[of[1]]);
    return sum[0] / (total[0] - 1) / total[0] + sum[1] / (total[1] - 1) / total[1];
}

static void test_difference(struct delong *d)
{
    const double variance = d->variance[0] + d->variance[1] - 2 * d->covariance;

    d->difference = d->auc[1] - d->auc[0];
    if (isnan(variance))
        return;
    if (variance <= 1e-18) { /* nothing but rounding */
        d->p = fabs(d->difference) < 1e-12 ? 1 : NAN;
        d->low = d->high = d->difference;
        return;
    }
    d->z = d->difference / sqrt(variance);
    d->p = normal_two_sided(d->z);
    d->low = d->difference - Z_95 * sqrt(variance);
    d->high = d->difference + Z_95 * sqrt(variance);
}

struct delong delong_compare(const struct delong_pair *pair)
{
    struct delong d = {{NAN, NAN}, {NAN, NAN}, NAN, NAN, NAN, NAN, NAN, NAN};
    const double *score[2] = {pair->first, pair->second};
    double *place[2], total[2] = {0, 0};

    for (size_t i = 0; i < pair->n; i++)
        total[pair->positive[i]]++;
    if (total[0] < 1 || total[1] < 1)
        return d;
    for (int s = 0; s < 2; s++) {
        struct ranking r;
        place[s] = mem_new(pair->n, sizeof *place[s]);
        ranking_make(&r, score[s], pair->positive, pair->n);
        placements(place[s], &r, total);
        d.auc[s] = mean(place[s], pair->positive, pair->n);
        ranking_release(&r);
    }
    if (total[0] >= 2 && total[1] >= 2) {
        for (int s = 0; s < 2; s++)
            d.variance[s] = covariance(place[s], place[s], &d, pair, total, (const int[]){s, s});
        d.covariance = covariance(place[0], place[1], &d, pair, total, (const int[]){0, 1});
    }
    test_difference(&d);
    free(place[0]);
    free(place[1]);
    return d;
}
