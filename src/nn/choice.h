/* nn/choice.h: which implementation of a layer's pass is the fastest here: measured once, remembered on this
 * machine, and kept with a run, so that whoever goes on with the run or checks it computes the same bits.
 *
 * The file (the run's kernels.json, the machine's $XDG_CACHE_HOME/clearmass/kernels.json) is
 *   {"format": "clearmass-kernels-1", "machines": {MACHINE: {WHAT: HOW, ...}}} (MACHINE: nn/machine.h)
 * WHAT names shapes and pass, HOW is "direct", "winograd", "folded" or "plain". */
#ifndef CLEARMASS_NN_CHOICE_H
#define CLEARMASS_NN_CHOICE_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum { NN_CHOICE_WHAT = 96, NN_CHOICE_HOW = 12 };

struct nn_choice {
    char what[NN_CHOICE_WHAT], how[NN_CHOICE_HOW];
    bool used; /* asked for or set since it was read */
};

struct nn_choices {
    struct nn_choice *item;
    size_t count;
    bool measure; /* compile may time what is not here yet and adds it */
};

#define NN_CHOICES_INIT                                                                                      \
    {                                                                                                        \
        NULL, 0, false                                                                                       \
    }

void nn_choices_release(struct nn_choices *c);
/* How, or NULL where nothing is known; borrowed until the next set. */
const char *nn_choices_get(struct nn_choices *c, const char *what);
/* Adds or replaces; both are cut to their rooms. */
void nn_choices_set(struct nn_choices *c, const char *what, const char *how);

/* A file of one machine's choices, whichever machine that was: replaces c's. */
bool nn_choices_read(struct nn_choices *c, const char *path, struct err *err);
/* Those that were used; no file where there are none. */
bool nn_choices_write(const struct nn_choices *c, const char *path, struct err *err);

/* This machine's memory of choices. While it is open no other process measures: two that begin at the same
 * time choose the same. */
struct nn_choice_cache {
    char *path;
    int lock; /* -1: there is no memory */
    size_t known;
};

/* Adds what is remembered to c and lets it measure. Where nothing can be remembered (no home, a full disk) c
 * is left as it is: what would be measured twice could be chosen twice. */
void nn_choice_cache_open(struct nn_choice_cache *k, struct nn_choices *c);
/* Remembers what c has learnt. */
void nn_choice_cache_close(struct nn_choice_cache *k, struct nn_choices *c);

#endif
