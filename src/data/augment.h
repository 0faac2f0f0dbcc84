/* data/augment.h: random changes shared by an image and its mask, with the meanings Keras' ImageDataGenerator
 * gives them. */
#ifndef CLEARMASS_DATA_AUGMENT_H
#define CLEARMASS_DATA_AUGMENT_H

#include "base/rng.h"

#include <stdbool.h>
#include <stdint.h>

struct augment {
    bool flip_horizontal, flip_vertical; /* each with probability 1/2 */
    double shift_x, shift_y;             /* up to this share of the side, both ways: .1 */
    double rotate;                       /* degrees, both ways */
    double zoom;                         /* a factor in [1 - zoom, 1 + zoom] for each axis */
    double brightness;                   /* factor in [1 - b, 1 + b] on the grey values (image only) */
    bool fill_black; /* outside: black; otherwise the image's nearest border pixel. A mask is always
                        filled with nothing, so that its border pixels are never smeared */
};

/* One draw: what happens to one image in one epoch. */
struct augment_draw {
    bool identity;
    double to_source[6]; /* x' = a x + b y + c, y' = d x + e y + f: square -> square, pixel centres */
    double gain;
};

struct augment_draw augment_draw(const struct augment *a, int size, struct rng *rng);
/* Square [size * size] to square; out and in must differ. */
void augment_image(uint16_t *out, const uint16_t *in, int size, const struct augment_draw *d,
                   bool fill_black);
void augment_mask(uint8_t *out, const uint8_t *in, int size, const struct augment_draw *d);

#endif
