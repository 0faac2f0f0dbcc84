/* train/metrics.h: the numbers of a validation, in double. */
#ifndef CLEARMASS_TRAIN_METRICS_H
#define CLEARMASS_TRAIN_METRICS_H

#include <stdbool.h>
#include <stddef.h>

/* Of one image: pixels above .5 in truth and output. */
struct overlap {
    double dice, iou; /* NAN where the truth is empty: then they say nothing about finding it */
    double score;     /* sum of the output, uncut */
};
struct overlap metrics_overlap(const float *truth, const float *output, size_t n);

/* The share of items of [n / classes] whose largest output is where the largest truth is. The first of equal
 * outputs counts. */
double metrics_accuracy(const float *truth, const float *output, size_t n, int classes);

/* Area under the ROC curve: the share of pairs (positive, other) in which the positive one scores higher,
 * ties counted as half (Mann and Whitney). NAN where there are no pairs. */
double metrics_auc(const double *score, const bool *positive, size_t n);

#endif
