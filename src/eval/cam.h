/* eval/cam.h: Grad-CAM, where in an image a classifier's answer comes from, and how well that place agrees
 * with a true region.
 *
 * Grad-CAM (Selvaraju, Cogswell, Das, Vedantam, Parikh and Batra 2017, DOI 10.1109/ICCV.2017.74) weighs the
 * channels A_k of the last convolutional activation [features, h, w] by the mean over all places of the
 * gradient of a class's score s_c, and keeps what is positive of the sum:
 *
 *     alpha_k = 1/(h w) sum_ij ds_c/dA_kij        map = max(0, sum_k alpha_k A_k)
 *
 * The score is the class's logit less the mean of the others', of two classes the log odds: a softmax stays
 * as it is when every logit changes by the same, so a logit alone says nothing of the answer, and can be
 * below 0 at every place of a crop that is called by its class.
 *
 * Where global average pooling and one dense layer follow, y_c = b_c + sum_k W_ck 1/(h w) sum_ij A_kij, the
 * gradient is (W_ck - mean of the others') / (h w) at every place, and so is its mean: no backward pass is
 * needed and nothing is approximated. The map's sum plus that of the negative part is then s_c less what the
 * biases give. */
#ifndef CLEARMASS_EVAL_CAM_H
#define CLEARMASS_EVAL_CAM_H

#include "data/prep.h"

/* A dense layer behind global average pooling; borrowed. */
struct cam_head {
    const float *kernel; /* [classes, features] */
    const float *bias;   /* [classes] */
    int classes, features;
};

/* activation [features, places] -> logit[classes], summed in double. */
void cam_logits(double *logit, const struct cam_head *head, const float *activation, size_t places);
/* logit[n] -> share[n], which add to 1. */
void cam_softmax(double *share, const double *logit, int n);
/* activation [features, places] -> map[places], 0 or above, for that class of at least two. */
void cam_map(float *map, const struct cam_head *head, int class, const float *activation, size_t places);

/* A map over the whole square of a plan; borrowed. */
struct cam {
    const float *map; /* [h, w] */
    int h, w;
    const struct prep_plan *plan;
};

/* F32 over the original's own pixels: bilinear between the cells' centres, 0 outside the plan's box.
 * ERR_LIMIT only. */
bool cam_undo(struct image *out, const struct cam *cam, struct err *err);

/* The same as a picture: U8 grey, 255 at the largest value; black where there is none. out may be whole.
 * ERR_LIMIT only. */
bool cam_picture(struct image *out, const struct image *whole, struct err *err);

/* How a map agrees with a true region. */
struct cam_agreement {
    bool somewhere;      /* false: the map is 0 everywhere, or there is no region; the others then are 0 */
    bool hit;            /* the pointing game: the centre of the strongest cell lies inside the region */
    double energy;       /* share of the map, over the image's own pixels, that lies inside the region */
    double region_share; /* of the image's pixels: what hit and energy would be by chance */
};

/* whole: as cam_undo gives it; truth: U8 of the same size (asserted), not 0 inside. */
struct cam_agreement cam_agree(const struct cam *cam, const struct image *whole, const struct image *truth);

#endif
