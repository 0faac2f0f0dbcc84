/* eval/cases.h: every image of an evaluation, read, predicted and measured. */
#ifndef CLEARMASS_EVAL_CASES_H
#define CLEARMASS_EVAL_CASES_H

#include "data/manifest.h"
#include "eval/overlap.h"
#include "eval/predict.h"

struct eval_case {
    const struct data_item *item; /* borrowed from the manifest */
    const char *part;             /* "train", "validation", "test" or "external" */
    bool read;                    /* false: error says why, and the numbers below mean nothing */
    double score;
    struct overlap_counts overlap; /* against the true mask, at the network's size */
    char error[256];
};

struct cases {
    struct eval_case *of; /* [count] */
    size_t count;
};

#define CASES_INIT                                                                                           \
    {                                                                                                        \
        NULL, 0                                                                                              \
    }

void cases_release(struct cases *c);

/* Fills every case and writes FOLDER/ID.png, the map in the original image's own pixels, 8 bits. A few images
 * are in memory at a time. An image that cannot be read is noted in its case and told on the log; the call
 * fails when a mask cannot be written, when the network gives no numbers, and when a stop is requested. */
bool cases_predict(struct cases *c, struct predictor *p, const struct manifest *m, const char *folder,
                   struct err *err);

/* A map over an image's own pixels: U8, 255 where the map is 1. */
bool map_image(struct image *out, const struct prep_plan *plan, const float *map, struct err *err);

#endif
