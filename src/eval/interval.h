/* eval/interval.h: how sure a number is: 95 % intervals. What cannot be computed is NAN. */
#ifndef CLEARMASS_EVAL_INTERVAL_H
#define CLEARMASS_EVAL_INTERVAL_H

#include "eval/confusion.h"

#include <stdint.h>

struct interval {
    double value, low, high;
};

/* Wilson's score interval (base/wilson.h). */
struct interval interval_wilson(struct share s);

/* The p-quantile of n ascending numbers: linear between neighbours, the first at p = 0, the last at p = 1
 * (Hyndman and Fan's definition 7). NAN when n is 0. */
double quantile(const double *sorted, size_t n, double p);

/* Sorts ascending, in place. */
void sort_doubles(double *v, size_t n);

/* A statistic of a sample in which item i counts weight[i] times; NAN when it is not defined there. Called
 * from several threads at once. */
typedef double interval_statistic(const void *context, const unsigned *weight);

struct bootstrap {
    interval_statistic *statistic;
    const void *context;
    const size_t *group; /* [n]: whose item it is, 0..groups-1; groups are drawn whole */
    size_t n, groups;
    size_t draws;
    uint64_t seed;
};

/* Percentile interval (Efron 1979): as many groups as there are, drawn with replacement, draws times; draw d
 * is a function of (seed, d) alone, whatever the threads. Draws where the statistic is not defined are left
 * out; the interval is NAN when that is more than half of them, and when all draws give the same: an AUC of 1
 * in every draw does not mean that it is sure to be 1. With fewer than two groups nothing can be said, and
 * value is NAN too; else it is the statistic of the sample itself. */
struct interval interval_bootstrap(const struct bootstrap *b);

/* Several statistics of the same draws, each interval as interval_bootstrap would give it: drawing is most of
 * the work. b's own statistic and context are not used. */
struct measured {
    interval_statistic *statistic;
    const void *context;
};
void interval_bootstrap_all(struct interval *out, const struct measured *of, size_t count,
                            const struct bootstrap *b);

/* The same where the statistic is a difference, whose draws may all be 0; *p becomes the two-sided p-value
 * for no difference, twice the smaller share of draws at or beyond 0, each draw count taken one larger
 * (Davison and Hinkley 1997, ISBN 0521574714), at most 1; NAN without an interval. */
struct interval interval_bootstrap_difference(const struct bootstrap *b, double *p);

#endif
