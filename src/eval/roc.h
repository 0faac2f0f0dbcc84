/* eval/roc.h: how well a score ranks malignant cases over the others. */
#ifndef CLEARMASS_EVAL_ROC_H
#define CLEARMASS_EVAL_ROC_H

#include <stdbool.h>
#include <stddef.h>

/* Cases in the order of their scores. Borrowed arrays of n; no score is NAN. */
struct ranking {
    const double *score;
    const bool *positive;
    size_t *order; /* [n]: ascending by score; equal scores in the order they came */
    unsigned char
        *kind; /* [n], in that order: 1 for a positive, 2 more where the score is the last one's too */
    size_t n;
};

void ranking_make(struct ranking *out, const double *score, const bool *positive, size_t n);
void ranking_release(struct ranking *r);

/* Whether there is anything to rank: both classes, and more than one score. */
bool ranking_tells(const struct ranking *r);

/* Area under the curve: the share of (positive, negative) pairs in which the positive has the higher score, a
 * tie counting half (Mann-Whitney). Case i counts weight[i] times; NULL: once. NAN without a positive or a
 * negative. The first argument is a const struct ranking *, as interval_statistic has it. */
double ranking_auc(const void *ranking, const unsigned *weight);

/* Standard error of the area for cases that are independent of each other (DeLong, DeLong and Clarke-Pearson
 * 1988, DOI 10.2307/2531595). NAN with fewer than two positives or negatives. */
double ranking_auc_error(const struct ranking *r);

struct roc_point {
    double false_positive_rate, true_positive_rate;
    double threshold; /* positive from here on; INFINITY at the first point (0, 0) */
};
struct roc {
    struct roc_point *point; /* [count]: from (0, 0) to (1, 1), one a distinct score */
    size_t count;            /* 0 without a positive or a negative */
};

void roc_make(struct roc *out, const struct ranking *r);
void roc_release(struct roc *r);

#endif
