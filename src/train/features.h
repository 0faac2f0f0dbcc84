/* train/features.h: what a frozen backbone makes of every image, computed once.
 *
 * A classifier whose head alone is trained on images that never change sees the same features in every epoch.
 * They are kept in RUN/features.safetensors under a key: the SHA-256 of the backbone's weights, of the items'
 * files and of how they were prepared. */
#ifndef CLEARMASS_TRAIN_FEATURES_H
#define CLEARMASS_TRAIN_FEATURES_H

#include "nn/exec.h"
#include "run/run.h"
#include "train/source.h"

struct features_job {
    const struct run *run; /* its folder, options and input */
    const struct model *model;
    const float *values; /* of the whole network: those of the backbone come first */
    const char *items;   /* text that tells the items and their order: files' hashes, labels */
    const struct nn_backend *backend;
    int batch;
    bool exact; /* see struct nn_compile, direct */
};

/* Replaces a source of images by one of features: channels of the pooled features, size 1; item, square and
 * truth are those of the images. Takes images (closes it with out). Reads the file where its key is right,
 * else computes and writes it. On failure images is left as it was. */
bool features_open(struct source *images, const struct features_job *job, struct err *err);

#endif
