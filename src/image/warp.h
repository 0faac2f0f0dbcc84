/* image/warp.h: moving pixels: crop, resize, flip, affine warp.
 *
 * All work on every type and number of channels. Where there is an out: it is replaced on success and
 * untouched on failure, and may be the same struct as im. Integer samples are rounded to nearest. Failures
 * are ERR_LIMIT for sizes that cannot be had, and ERR_INPUT where it is said. */
#ifndef CLEARMASS_IMAGE_WARP_H
#define CLEARMASS_IMAGE_WARP_H

#include "image/image.h"

/* ERR_INPUT when the box is empty or does not lie inside the image. */
bool image_crop(struct image *out, const struct image *im, struct image_box box, struct err *err);

/* Copies im into canvas with its left upper corner at (x, y), which may lie outside; what falls outside is
 * cut. Asserts the same type and channels. */
void image_paste(struct image *canvas, const struct image *im, int x, int y);

/* Resize by whole pixel areas: [0, width) of the source is stretched over [0, width) of the result. Along an
 * axis that shrinks each result is the mean of the area it covers (so the image's mean is kept), along an
 * axis that grows it is linear between pixel centres. */
bool image_resize(struct image *out, const struct image *im, int width, int height, struct err *err);
/* The same, each result taking the source pixel its centre falls on: no new values, for label maps. */
bool image_resize_nearest(struct image *out, const struct image *im, int width, int height, struct err *err);

/* In place: left and right exchanged, top and bottom exchanged. */
void image_flip_horizontal(struct image *im);
void image_flip_vertical(struct image *im);

/* From a result's place to the source's: sx = m[0] x + m[1] y + m[2], sy = m[3] x + m[4] y + m[5], in pixels
 * with centres at whole numbers. */
struct image_affine {
    double m[6];
};

/* How the picture moves, about its centre ((width - 1) / 2, (height - 1) / 2). Zero zooms mean 1. */
struct image_motion {
    double rotation_deg;     /* positive turns the picture clockwise, as seen with rows running down */
    double zoom_x, zoom_y;   /* 2 makes things twice as large */
    double shift_x, shift_y; /* pixels to the right and down, applied last */
};
struct image_affine image_affine_about_centre(const struct image_motion *motion, int width, int height);

enum image_sampling { IMAGE_BILINEAR, IMAGE_NEAREST };
enum image_fill {
    IMAGE_FILL_EDGE,    /* outside the source the nearest edge pixel goes on */
    IMAGE_FILL_CONSTANT /* outside lies value */
};

struct image_warp {
    struct image_affine from;
    enum image_sampling sampling; /* bilinear for pictures, nearest for masks */
    enum image_fill fill;
    float value; /* of IMAGE_FILL_CONSTANT, in the image's units */
};

/* The result has the source's size. Places at whole source pixels give their exact values. */
bool image_warp(struct image *out, const struct image *im, const struct image_warp *how, struct err *err);

#endif
