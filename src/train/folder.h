/* train/folder.h: beginning a run folder, or coming back to one. */
#ifndef CLEARMASS_TRAIN_FOLDER_H
#define CLEARMASS_TRAIN_FOLDER_H

#include "train/source.h"
#include "train/train.h"

/* What a run is made of besides its weights. */
struct folder {
    int lock; /* descriptor that keeps a second process out; -1 for none */
    struct run run;
    bool made;                /* the folder was not there before */
    bool fresh;               /* no whole epoch to go on from: folder_begin writes run.json */
    struct manifest manifest; /* empty for pretrain */
    struct split split;
    char split_sha256[FILE_SHA256_TEXT];
    char *init_path; /* the weights file; NULL for none */
    char init_sha256[FILE_SHA256_TEXT];
    json_t *same_pictures; /* [[id, id], ...]: on two sides of the split, allowed; NULL for none */
};

#define FOLDER_INIT                                                                                          \
    {                                                                                                        \
        -1, RUN_INIT, false, false, MANIFEST_INIT, SPLIT_INIT, "", NULL, "", NULL                            \
    }

/* Makes or enters the folder, locks it, reads the data set and decides the split. Fails when the folder holds
 * something else, when another process trains in it, and when its run was begun otherwise (the message names
 * what differs). */
bool folder_open(struct folder *out, const struct train_job *job, struct err *err);
void folder_release(struct folder *f);

/* For a fresh folder: writes split.csv and then run.json. cases[n]: ids; train, validation: numbers of
 * images. */
struct folder_plan {
    const char *const *cases;
    int n_cases;
    size_t train, validation;
    const char *best_metric;
    const struct model_options *options; /* of a classifier, else NULL */
    const struct crops *crops;           /* likewise */
};
bool folder_begin(struct folder *f, const struct train_job *job, const struct folder_plan *plan,
                  struct err *err);

#endif
