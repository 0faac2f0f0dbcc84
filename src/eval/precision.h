/* eval/precision.h: precision against recall, for sets in which the positives are few. */
#ifndef CLEARMASS_EVAL_PRECISION_H
#define CLEARMASS_EVAL_PRECISION_H

#include "eval/roc.h"

/* Average precision: the sum over the distinct scores, from the highest, of (recall gained) * (precision
 * there); no interpolation (as scikit-learn's average_precision_score). Chance is the share of positives.
 * Case i counts weight[i] times, NULL once. NAN without a positive. The first argument is a const struct
 * ranking *, as interval_statistic has it. */
double ranking_average_precision(const void *ranking, const unsigned *weight);

struct pr_point {
    double recall, precision;
    double threshold; /* positive from here on */
};
struct pr_curve {
    struct pr_point *point; /* [count]: from the highest score to the lowest, one a distinct score */
    size_t count;           /* 0 without a positive */
};

void pr_make(struct pr_curve *out, const struct ranking *r);
void pr_release(struct pr_curve *c);

#endif
