/* train/source.h: where batches come from: a data set's images or crops, or synthetic ellipses. The loop sees
 * only this. */
#ifndef CLEARMASS_TRAIN_SOURCE_H
#define CLEARMASS_TRAIN_SOURCE_H

#include "data/augment.h"
#include "data/crops.h"
#include "data/manifest.h"
#include "data/prep.h"
#include "data/split.h"

enum source_pass {
    SOURCE_LEARN,   /* training images, augmented for an epoch */
    SOURCE_PLAIN,   /* training images as they are: for batch norm statistics */
    SOURCE_VALIDATE /* validation images as they are */
};

struct source_batch {
    enum source_pass pass;
    uint64_t epoch;      /* of SOURCE_LEARN, from 0 */
    const size_t *index; /* [n], below n_train or n_validation */
    size_t n;
};

/* What is known of a validation image besides its pixels. */
struct source_item {
    const char *id;      /* borrowed */
    const char *label;   /* "benign", ...; "" where there are no labels */
    const char *patient; /* borrowed; NULL where there are none */
    bool malignant;
    bool region; /* somebody outlined something, whatever the truth in force says */
};

struct source {
    size_t n_train, n_validation;
    int channels, size; /* input [channels, size, size] */
    int classes;        /* truth [classes]; 0: a map [1, size, size] */
    void *self;
    /* A pure function of the batch; one thread at a time. input [n, channels, size, size] as the network
     * takes it, or NULL where not wanted; truth [n, 1, size, size] in 0..1, or [n, classes]. */
    void (*fill)(void *self, const struct source_batch *b, float *input, float *truth);
    struct source_item (*item)(void *self, size_t validation_index);
    /* The prepared image [size, size], borrowed; NULL for a source that keeps none. */
    const uint16_t *(*square)(void *self, size_t validation_index);
    void (*free)(void *self);
};

#define SOURCE_INIT                                                                                          \
    {                                                                                                        \
        0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL                                                          \
    }

struct source_data {
    const struct manifest *manifest; /* borrowed for as long as the source lives */
    const struct split *split;       /* used only while opening */
    struct prep prep;
    int channels;
    struct augment augment;
    uint64_t seed;
    bool black_box; /* truth all black for everything but malignant */
};

/* Reads and prepares every training and validation image. Training images whose label tells of a lesion that
 * has no mask (benign ones not for a black box) are left out with a warning: their truth would be wrong. */
bool source_open_data(struct source *out, const struct source_data *how, struct err *err);

struct source_ellipses {
    int size, channels;
    size_t n_train, n_validation;
    uint64_t seed;
};

/* Synthetic pre-training (train/ellipses.h): every epoch has fresh images, validation and batch norm their
 * own. */
void source_open_ellipses(struct source *out, const struct source_ellipses *how);

struct source_crops {
    const struct crops *crops; /* borrowed for as long as the source lives */
    const struct split *split; /* of the manifest's images; used only while opening */
    struct prep prep;
    int channels;
    struct augment augment;
    uint64_t seed;
    bool balanced;    /* the truth of SOURCE_LEARN is multiplied by n / (2 n of its class) */
    double smoothing; /* in SOURCE_LEARN the truth is 1 - smoothing / 2 and smoothing / 2 */
};

/* Crops and their labels: truth [2], benign and malignant. Reads and prepares every crop. Fails where
 * training has none of a class, or validation none at all. */
bool source_open_crops(struct source *out, const struct source_crops *how, struct err *err);

/* Floats of an item's input and truth. */
size_t source_input_size(const struct source *s);
size_t source_truth_size(const struct source *s);

void source_close(struct source *s);

#endif
