/* run/run.h: the run folder (doc/formats.md): what was trained, how, and its weights. */
#ifndef CLEARMASS_RUN_RUN_H
#define CLEARMASS_RUN_RUN_H

#include "base/json.h"
#include "data/prep.h"
#include "data/split.h"
#include "model/model.h"
#include "nn/choice.h"

enum run_task { RUN_PRETRAIN, RUN_SEGMENT, RUN_BLACK_BOX, RUN_CLASSIFY, RUN_TASK_COUNT };
enum { RUN_CASES = 4, RUN_CLASSES = 2 };

struct run {
    char *folder;
    enum run_task task;
    const struct model *model;
    struct model_options options; /* a classifier's: classes 2, epsilon, narrow_pool; else zero */
    int channels;
    struct prep prep;
    char *data_path; /* "" for pretrain */
    char manifest_sha256[FILE_SHA256_TEXT], split_sha256[FILE_SHA256_TEXT];
    json_t *json; /* the whole of run.json, owned */
};

#define RUN_INIT                                                                                             \
    {                                                                                                        \
        NULL, RUN_PRETRAIN, NULL, {0, 0, false}, 0, {0, PREP_STRETCH, false, PREP_CENTRED}, NULL, "", "",    \
            NULL                                                                                             \
    }

const char *run_task_name(enum run_task task);
bool run_task_parse(const char *text, enum run_task *out);

/* Reads FOLDER/run.json. Fails with one line when the folder is no run, or of a newer format, or of an
 * unknown network. */
bool run_read(struct run *out, const char *folder, struct err *err);
void run_release(struct run *r);
/* "FOLDER/name"; free() it. */
char *run_path(const struct run *r, const char *name);
/* Writes run.json from r->json; the other fields are what it says, not looked at. */
bool run_write(const struct run *r, struct err *err);
/* The split stored with the run, for the manifest it was made for. Fails when the manifest is another one or
 * the split was changed since. */
bool run_split(struct split *out, const struct run *r, const struct manifest *m, struct err *err);

/* How the run's network is to be computed, so that it gives the bits it was trained and validated with: the
 * choices of kernels kept with the run (none in runs that have no kernels.json) and whether by --exact. */
bool run_kernels(struct nn_choices *out, bool *exact, const struct run *r, struct err *err);

/* Whether the run's network has two outputs for an image, benign and malignant in this order, and not a map.
 */
bool run_is_classifier(const struct run *r);

/* The network, built with the run's options, and the weights of the best epoch (with a warning where they are
 * not those that run.json has the hash of); a classifier's ends with dense and softmax. graph and *values
 * (graph->n_values floats) are the caller's to release and free. epoch (from 1; 0 when unknown) and sha256
 * may be NULL. */
bool run_load_best(const struct run *r, struct nn_graph *graph, float **values, int *epoch,
                   char sha256[FILE_SHA256_TEXT], struct err *err);

#endif
