/* eval/overlay.h: the pictures of an explanation. */
#ifndef CLEARMASS_EVAL_OVERLAY_H
#define CLEARMASS_EVAL_OVERLAY_H

#include "eval/cam.h"
#include "eval/explain.h"
#include "image/image.h"

/* What is shown; borrowed. */
struct overlay_source {
    const struct image *image; /* as it was read: any type, grey or RGB */
    const float *map;          /* [size, size] */
    const struct prep_plan *plan;
    const char *thresholds; /* where they come from, in a few words; NULL without a verdict */
};

/* The image in its own pixels, windowed for the eye, under heat colours where the map is (full strength at
 * the map's peak), the outline of what lies above the cut, a numbered box around each region, and below it a
 * strip with the verdict, the score, the regions' shares and the disclaimer. U8 RGB; the image is its left
 * upper part. A narrow image's strip may be wider than the image. Fails with ERR_LIMIT only. */
bool overlay_draw(struct image *out, const struct explanation *x, const struct overlay_source *from,
                  struct err *err);

/* A crop that a classifier judged; borrowed. */
struct overlay_crop {
    const struct explain_region *region;
    int number;               /* of its box, from 1 */
    const struct image *crop; /* U8 RGB, as it is shown */
    struct cam cam;           /* over that crop */
    struct band band;
    const char *thresholds; /* where the band comes from, in a few words */
};

/* The crop, beside it the crop under the heat of its Grad-CAM (full strength at the map's own peak), and
 * below them a strip with the box's number, the answer and the probability. U8 RGB. ERR_LIMIT only. */
bool overlay_draw_crop(struct image *out, const struct overlay_crop *from, struct err *err);
/* The strip's text: the probability, the thresholds, and what the right picture shows. free() it. */
char *overlay_crop_text(const struct overlay_crop *from);

#endif
