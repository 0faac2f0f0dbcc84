/* train/train.h: training a network, epoch by epoch, into a run folder (doc/formats.md).
 *
 * After every epoch: validation, a row in log.csv and cases.csv, the watcher's call, best.safetensors when
 * the epoch is the best so far, and last of all last.safetensors, from when on the epoch counts. A run killed
 * at any moment goes on from there bit for bit. Patients decide the split; order, augmentation and dropout
 * are functions of seed, epoch and item. */
#ifndef CLEARMASS_TRAIN_TRAIN_H
#define CLEARMASS_TRAIN_TRAIN_H

#include "nn/exec.h"
#include "train/journal.h"
#include "train/options.h"

/* An epoch as the watcher sees it; everything is borrowed. */
struct train_epoch {
    const struct run *run;
    int epoch, epochs; /* from 1; of how many */
    bool best;         /* the best so far */
    const struct train_metrics *metrics;
    const struct train_case *cases; /* [n_cases], the same validation images after every epoch */
    int n_cases;                    /* RUN_CASES, or all validation images where there are fewer */
};

struct train_watcher {
    void *self;
    /* Called before the epoch counts, and again for the same epoch if the program died in between. May be
     * NULL. A failure stops the training. */
    bool (*epoch)(void *self, const struct train_epoch *e, struct err *err);
};

struct train_job {
    enum run_task task;
    const char *folder;
    const char *data; /* data set folder; NULL for pretrain */
    const char *init; /* run folder (its best weights), safetensors or, to classify, Keras' HDF5; NULL: Keras'
                         initial values */
    const struct model *model;
    bool narrow_pool; /* classify: see struct model_options */
    const struct nn_backend *backend;
    int channels;
    struct prep prep;
    struct train_options options;
    /* Split again although init was trained on another split (which may put its training images into
     * validation). */
    bool new_split;
    /* Train although patients of the data set are both in its official test part and outside of it. */
    bool allow_leak;
    bool resume; /* the run goes on from the weights it was begun with, whatever init says */
    struct train_watcher watcher;
};

/* Begins a run, goes on with one, or says that it is finished. A run on the data set that init was trained on
 * keeps init's split. Fails with ERR_CANCELLED after Ctrl-C, keeping all whole epochs. */
bool train(const struct train_job *job, struct err *err);

#endif
