/* eval/delong.h: one area under the ROC against another on the same cases. */
#ifndef CLEARMASS_EVAL_DELONG_H
#define CLEARMASS_EVAL_DELONG_H

#include <stdbool.h>
#include <stddef.h>

/* Two scores of the same n cases; no score is NAN. */
struct delong_pair {
    const double *first, *second;
    const bool *positive;
    size_t n;
};

struct delong {
    double auc[2], variance[2], covariance;
    double difference, low, high; /* second minus first, with its 95 % interval */
    double z, p;                  /* two-sided */
};

/* DeLong, DeLong and Clarke-Pearson 1988 (DOI 10.2307/2531595), by ranks as Sun and Xu 2014 (DOI
 * 10.1109/LSP.2014.2337313). Cases are taken as independent; ties count half. The areas are NAN without a
 * positive or a negative, the rest with fewer than two of either. Where the variance of the difference is 0
 * there is no test: z is NAN, and p is 1 when the areas are equal, else NAN. */
struct delong delong_compare(const struct delong_pair *pair);

#endif
