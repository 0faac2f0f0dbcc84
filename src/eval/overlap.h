/* eval/overlap.h: how well a predicted mask covers the true one. */
#ifndef CLEARMASS_EVAL_OVERLAP_H
#define CLEARMASS_EVAL_OVERLAP_H

#include <stddef.h>
#include <stdint.h>

#define OVERLAP_CUT .5 /* a pixel is predicted when the map lies above it */

struct overlap_counts {
    size_t truth, predicted, both;    /* pixels */
    double soft_both, soft_predicted; /* sums of map over the truth, and of map */
};

/* map[n] in 0..1; truth[n]: 0 or not. */
struct overlap_counts overlap_measure(const float *map, const uint8_t *truth, size_t n);

/* 2 both / (truth + predicted) and both / (either). Where both masks are empty: 1. */
double overlap_dice(const struct overlap_counts *o);
double overlap_iou(const struct overlap_counts *o);

/* (2 I + 1) / (T + P + 1) over all images of a batch together, with the uncut map: dice_coef of the
 * ZF_UNET_224 repository. Image i counts weight[i] times; NULL: once. NAN when no image counts. */
double overlap_soft_dice(const struct overlap_counts *o, const unsigned *weight, size_t n);

/* Of values such as one Dice an image; quartiles as interval.h's quantile() has them. All NAN when n is 0. */
struct summary {
    size_t n;
    double mean, median, q1, q3;
    double share_above_half; /* of values > .5 */
};
struct summary summary_of(const double *value, size_t n);

#endif
