/* data/cbis_mask.h: the pixels of an archive's mask. */
#ifndef CLEARMASS_DATA_CBIS_MASK_H
#define CLEARMASS_DATA_CBIS_MASK_H

#include "image/image.h"

/* Different values of a grey image: 1, 2, or 3 for more. */
int cbis_count_values(const struct image *im);
/* The same for a grey U8 image that went through JPEG, which frays a mask's edges: 2 where nearly every
 * sample is near black or near white. */
int cbis_count_jpeg_values(const struct image *im);

struct cbis_area {
    struct image_box box; /* of the marked pixels; only where there are some */
    size_t pixels, of;    /* marked; of the whole image */
};

/* Makes a mask U8 of 0 and 255, cut at half of its largest value, and of width x height: each pixel takes the
 * nearest of the old ones. ERR_LIMIT only. */
bool cbis_mask_cut(struct image *mask, struct cbis_area *area, int width, int height, struct err *err);
/* Adds a mask to united, which is empty or of the same size. */
bool cbis_mask_unite(struct image *united, const struct image *mask, struct err *err);

#endif
