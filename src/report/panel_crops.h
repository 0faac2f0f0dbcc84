/* report/panel_crops.h: the picture shown after every epoch of a classifier: a few crops with what is said of
 * them. */
#ifndef CLEARMASS_REPORT_PANEL_CROPS_H
#define CLEARMASS_REPORT_PANEL_CROPS_H

#include "image/image.h"

/* One crop. All borrowed. */
struct panel_crop {
    const uint16_t *image; /* [size, size] grey as the network saw it, 0 black, 65535 white */
    int size;
    const char *id, *label; /* "benign" or "malignant": the truth */
    double malignant;       /* the network's probability of it */
};

/* A U8 RGB picture: crops side by side, each with its name, the truth, the probability of malignant as a
 * number and as a bar with a mark at .5, and whether the likelier class is the true one. title is one line at
 * the top. Crops are shown at about 224 pixels. Asserts n > 0. Fails with ERR_LIMIT only; out is replaced on
 * success. */
bool panel_crops_draw(struct image *out, const struct panel_crop *crops, int n, const char *title,
                      struct err *err);

#endif
