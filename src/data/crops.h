/* data/crops.h: what a classifier sees of a data set: one lesion an item, cut from its image.
 *
 * Where the data set has a table of abnormalities (abnormalities.csv, doc/formats.md) every row of it with a
 * crop is an item, with the abnormality's own label; otherwise every image with a crop is one. Images
 * labelled normal have no crop. Patient and part are those of the image, so that a split by patients holds
 * for crops too. */
#ifndef CLEARMASS_DATA_CROPS_H
#define CLEARMASS_DATA_CROPS_H

#include "data/manifest.h"
#include "image/image.h"

struct crop {
    char *id;              /* the image's, or "ID_2" for its abnormality 2; unique */
    size_t image;          /* row of the manifest */
    enum data_label label; /* LABEL_BENIGN or LABEL_MALIGNANT */
    char *path, *sha256;   /* of the crop, 16-bit grey; relative to the folder */
    char *mask; /* of the lesion, the size of the full image; relative to the folder, "" where unknown */
    char *mask_sha256;
};

struct crops {
    const struct manifest *manifest; /* borrowed */
    struct crop *crop;
    size_t count;
    size_t normal;                 /* images labelled normal, which have no crop */
    size_t missing;                /* other images or abnormalities without one */
    char sha256[FILE_SHA256_TEXT]; /* of abnormalities.csv; "" where there is none */
    double margin; /* around a mask's box, a share of its larger side (dataset.json); negative: unknown */
};

#define CROPS_INIT                                                                                           \
    {                                                                                                        \
        NULL, NULL, 0, 0, 0, "", -1                                                                          \
    }

/* Reads the folder's tables. Fails, naming file and line, where abnormalities.csv lacks a column, names an
 * image the manifest does not have, has an unknown label or a path that leaves the folder. No crops at all is
 * not an error. */
bool crops_find(struct crops *out, const struct manifest *m, struct err *err);
void crops_release(struct crops *c);

/* The margin of a data set folder, as crops_find has it. */
double crops_margin(const char *folder);

/* The item's row of the manifest: patient, part, side and view. */
const struct data_item *crop_image(const struct crops *c, size_t i);

/* Where crop i lies in its full image (box), and the lesion's mask cut to that box (U8, 0 or 255, the size of
 * the crop; mask may be NULL). Fails where the mask or the margin is unknown, and where the mask is empty,
 * unreadable or not the file the tables name.
 */
bool crop_region(struct image_box *box, struct image *mask, const struct crops *c, size_t i, struct err *err);

#endif
