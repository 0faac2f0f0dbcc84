/* image/tone.h: grey values: conversions of type and channels, and the window a picture is shown through.
 *
 * Everywhere: out is replaced on success and untouched on failure, and out may be the same struct as im. The
 * only failure is ERR_LIMIT when memory cannot be had. */
#ifndef CLEARMASS_IMAGE_TONE_H
#define CLEARMASS_IMAGE_TONE_H

#include "image/image.h"

/* One channel, same type: luma 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), integers rounded to nearest. Grey
 * is copied; a grey value that came as R = G = B stays what it was. */
bool image_to_grey(struct image *out, const struct image *im, struct err *err);
/* Three equal channels, same type. RGB is copied. */
bool image_to_rgb(struct image *out, const struct image *im, struct err *err);
/* 8 bits widened by 257, so that 255 becomes 65535; 16 bits are copied. Asserts that im is no F32. */
bool image_to_u16(struct image *out, const struct image *im, struct err *err);
/* F32 in [0, 1]: U8 / 255, U16 / 65535; F32 is copied. */
bool image_to_f32(struct image *out, const struct image *im, struct err *err);

/* The samples shown as black and as white, in the image's own units. */
struct image_window {
    float black, white; /* black < white */
};

/* The window between two shares (0 <= low < high <= 1, say .005 and .995) of the samples that are not
 * background. Background is what lies within 2 % of the way from the smallest to the largest sample; when
 * that leaves less than 1 % of the samples, all count. Found on a histogram of 65536 steps. */
struct image_window image_window_find(const struct image *im, double low, double high);
/* U8, same channels: black and below 0, white and above 255, linear between. */
bool image_window_apply(struct image *out, const struct image *im, struct image_window w, struct err *err);
/* A picture for the eye: grey, seen through the window of the shares .005 and .995, as U8 RGB. 8-bit images
 * keep their values: they were made to be looked at. */
bool image_for_display(struct image *out, const struct image *im, struct err *err);

#endif
