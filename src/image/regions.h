/* image/regions.h: connected regions of a mask, and boxes. Grey images only (asserted). */
#ifndef CLEARMASS_IMAGE_REGIONS_H
#define CLEARMASS_IMAGE_REGIONS_H

#include "image/image.h"

struct region {
    struct image_box box;
    size_t area; /* pixels */
    double sum;  /* of its samples, in the image's units */
    float peak;  /* largest sample */
};

struct regions {
    struct region *region; /* [count], largest sum first; equal sums from the top, then from the left */
    size_t count;
    int width, height;
    int32_t *label; /* [height * width]: 0 outside, else 1 + index of the region */
};

#define REGIONS_INIT                                                                                         \
    {                                                                                                        \
        NULL, 0, 0, 0, NULL                                                                                  \
    }

/* Regions of samples > threshold that touch by sides or corners (8-connectivity). Fails with ERR_LIMIT only.
 * out is replaced on success. */
bool regions_find(struct regions *out, const struct image *im, float threshold, struct err *err);
void regions_release(struct regions *r);

/* Box of all samples > threshold; false when there are none. */
bool image_box_of(struct image_box *out, const struct image *im, float threshold);
/* The box with margin pixels more on each side, cut at the image's edges. */
struct image_box image_box_grow(struct image_box box, int margin, int width, int height);

/* Box of the breast on a mammogram: the largest bright region of a reduced copy, cut from the black by Otsu's
 * threshold of its square roots (1979, DOI 10.1109/TSMC.1979.4310076) after an opening that takes thin lines
 * and film edges away; film labels are smaller than the breast. margin is a share of the box's larger side.
 * The whole image where no region covers 2 % of it. Any type; RGB by its first channel. Fails with ERR_LIMIT
 * only. */
bool image_breast_box(struct image_box *out, const struct image *im, double margin, struct err *err);

#endif
