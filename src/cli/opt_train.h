/* cli/opt_train.h: the training options (train/options.h) as words, and what else the training commands
 * share. */
#ifndef CLEARMASS_CLI_OPT_TRAIN_H
#define CLEARMASS_CLI_OPT_TRAIN_H

#include "nn/exec.h"
#include "train/train.h"

#include <argp.h>

/* Flags are two words each (--nesterov, --no-nesterov); seven more are ours. */
enum { OPT_TRAIN_WORDS = 2 * TRAIN_OPTION_COUNT + 7, OPT_TRAIN_HELP = 400 };

struct opt_train {
    enum run_task task;
    const char *text[TRAIN_OPTION_COUNT]; /* as typed, checked; NULL where not given */
    bool published;                       /* --recipe published (pretrain) */
    bool resume;
    const struct nn_backend *backend;
    struct argp argp; /* a child parser; its input is this struct */
    struct argp_option option[OPT_TRAIN_WORDS];
    char no_name[TRAIN_OPTION_COUNT][TRAIN_OPTION_TEXT];
    char help[TRAIN_OPTION_COUNT][OPT_TRAIN_HELP];
};

/* Fills in the parser for a task. */
void opt_train_init(struct opt_train *o, enum run_task task);
/* The options in force: defaults (or the published recipe, or those of the run that goes on), then what was
 * given. */
bool opt_train_resolve(const struct opt_train *o, const struct run *going_on, struct train_options *out,
                       struct err *err);

/* Trains and writes the panel and the diary of every epoch. Returns an exit code. */
int opt_train_run(const struct train_job *job);

#endif
