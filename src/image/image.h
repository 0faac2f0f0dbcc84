/* image/image.h: pixels in memory. No files here.
 *
 * Rows run from the top, pixels from the left, channels are interleaved, nothing is padded:
 * sample (x, y, k) is data[(y * width + x) * channels + k]. */
#ifndef CLEARMASS_IMAGE_IMAGE_H
#define CLEARMASS_IMAGE_IMAGE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum image_type {
    IMAGE_U8,  /* 0..255 */
    IMAGE_U16, /* 0..65535: grey images of the data set use the full range */
    IMAGE_F32  /* unit given by whoever made it */
};

enum { IMAGE_MAX_SIDE = 65535 };

struct image {
    int width, height; /* pixels; 0 only in IMAGE_INIT */
    int channels;      /* 1 grey, 3 RGB */
    enum image_type type;
    void *data; /* owned */
};

#define IMAGE_INIT                                                                                           \
    {                                                                                                        \
        0, 0, 0, IMAGE_U8, NULL                                                                              \
    }

/* Half-open: columns x0..x1-1, rows y0..y1-1. */
struct image_box {
    int x0, y0, x1, y1;
};

/* A zeroed image. Fails with ERR_LIMIT on sides of 0 or over IMAGE_MAX_SIDE, or when memory cannot be had. */
bool image_new(struct image *out, int width, int height, int channels, enum image_type type, struct err *err);
void image_release(struct image *im);
/* out takes im's pixels; what out held is released; im is IMAGE_INIT after. */
void image_move(struct image *out, struct image *im);
bool image_copy(struct image *out, const struct image *im, struct err *err);

size_t image_bytes(const struct image *im);
size_t image_pixels(const struct image *im);

/* The samples as their type; asserts that the image has that type. */
uint8_t *image_u8(const struct image *im);
uint16_t *image_u16(const struct image *im);
float *image_f32(const struct image *im);

/* Row y as floats, width * channels of them, in the image's own units. */
void image_get_row(const struct image *im, int y, float *row);
/* The other way: integers are rounded to nearest and held in their range (not-a-number becomes 0). */
void image_put_row(struct image *im, int y, const float *row);

#endif
