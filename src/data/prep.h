/* data/prep.h: from an image of any size to the square a network sees, and back.
 *
 * Four choices, stored with every run: the side, stretch or pad, whether the black background is cut away
 * first, and which numbers stand for black and white. A plan says where a given image's pixels go; applying
 * it to the image and to its mask keeps them together, undoing it brings a predicted mask back to the
 * original image's own pixels. */
#ifndef CLEARMASS_DATA_PREP_H
#define CLEARMASS_DATA_PREP_H

#include "image/image.h"

#include <stdbool.h>

enum prep_fit {
    PREP_STRETCH, /* both axes to the full side (as the published pipeline does) */
    PREP_PAD      /* aspect kept, centred, black around */
};

/* The network's input from a grey value g in 0..255 (16-bit grey over 257). */
enum prep_values {
    PREP_CENTRED, /* g / 256 - .5 in every channel: what ZF_UNET_224 was made with */
    PREP_CAFFE /* g - 103.939, g - 116.779, g - 123.68 in channels B, G, R: Keras' mode "caffe", the means of
                  ImageNet; a fourth channel and further have none */
};

struct prep {
    int size; /* pixels a side, a multiple of 32 */
    enum prep_fit fit;
    bool breast_crop;
    enum prep_values values;
};

struct prep_plan {
    int width, height;    /* of the original */
    int size;             /* of the square */
    struct image_box box; /* part of the original that is shown */
    struct image_box to;  /* where it lands in the square */
};

const char *prep_fit_name(enum prep_fit fit); /* "stretch", "pad" */
bool prep_fit_parse(const char *text, enum prep_fit *out);
const char *prep_values_name(enum prep_values values); /* "centred", "caffe" */
bool prep_values_parse(const char *text, enum prep_values *out);
/* False with a reason when size is no multiple of 32 in 32..4096. */
bool prep_check(const struct prep *p, struct err *err);

void prep_plan_make(struct prep_plan *plan, const struct prep *p, const struct image *grey);

/* grey U16 -> out[size * size] U16, area-averaged, black outside plan.to. */
bool prep_image(uint16_t *out, const struct prep_plan *plan, const struct image *grey, struct err *err);
/* mask U8 (0, 255; same size as the image) -> out[size * size] 0 or 255: where at least half of the area is
 * covered; a region too small for that keeps its most covered pixel, so that no truth vanishes. */
bool prep_mask(uint8_t *out, const struct prep_plan *plan, const struct image *mask, struct err *err);
/* map[size * size] -> F32 image of the original's size (bilinear), 0 outside plan.box. */
bool prep_undo(struct image *out, const struct prep_plan *plan, const float *map, struct err *err);

/* The network's input from a prepared square: out[channels, size, size], by p->values. */
void prep_network_input(float *out, int channels, const uint16_t *square, const struct prep *p);

#endif
