/* data/crop.h: where the crop of a region lies in its image. */
#ifndef CLEARMASS_DATA_CROP_H
#define CLEARMASS_DATA_CROP_H

#include "image/image.h"

/* The margin that a data set's crops were cut with, as dataset.json has it, a share of the larger side of the
 * region's box; the usual one (DATASET_MARGIN_PERCENT) where there is no such file or it tells none. */
double crop_margin(const char *data_folder);

/* The box of a region with that margin around it, rounded to whole pixels and cut at the image's edges: what
 * is kept as crop/ID.tif. */
struct image_box crop_box(struct image_box region, double margin, int width, int height);

/* The part of a mask (U8, grey) that its crop shows. Fails with ERR_INPUT where the mask is empty, with
 * ERR_LIMIT. */
bool crop_mask(struct image *out, const struct image *mask, double margin, struct err *err);

#endif
