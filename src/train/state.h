/* train/state.h: everything training needs to go on bit for bit, and its place in best and last.safetensors.
 */
#ifndef CLEARMASS_TRAIN_STATE_H
#define CLEARMASS_TRAIN_STATE_H

#include "run/run.h"
#include "train/optim.h"
#include "train/options.h"
#include "train/schedule.h"

/* Where training stands after a whole epoch; the weights and the optimiser's moments are kept beside it. */
struct train_state {
    int epochs_done;
    uint64_t iterations;
    double learning_rate; /* of the next epoch */
    double plateau_best;
    int plateau_wait;
    int best_epoch; /* from 1; 0: none yet */
    double best_value, best_loss;
    char best_sha256[FILE_SHA256_TEXT]; /* of best.safetensors; "" where not known, it is not kept */
};

struct train_state state_begin(const struct train_options *o);

/* Whether an epoch of this value and validation loss is better than the best so far. higher: large values are
 * good. Equal values are told apart by the loss; a value that is no number never wins over one. */
bool state_is_better(const struct train_state *s, double value, double loss, bool higher);

/* weights: what best.safetensors holds, as they were validated. Its hash goes to s. */
bool state_write_best(const struct run *r, const struct nn_graph *g, const float *weights,
                      struct train_state *s, struct err *err);
/* last.safetensors: values with their own moving statistics, the moments of o, s. Once it is written the
 * epoch counts. */
bool state_write_last(const struct run *r, const struct optim *o, const float *values,
                      const struct train_state *s, struct err *err);
/* Reads last.safetensors back. */
bool state_read_last(const struct run *r, struct optim *o, float *values, struct train_state *s,
                     struct err *err);

/* The "state" of run.json (doc/formats.md). */
struct state_note {
    const char *best_metric; /* "val_dice", ... */
    bool finished;
    const char *stopped; /* "", "early" or "interrupted" */
};
bool state_note(struct run *r, struct train_state *s, const struct state_note *note, struct err *err);

#endif
