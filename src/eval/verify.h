/* eval/verify.h: does a result come out again? */
#ifndef CLEARMASS_EVAL_VERIFY_H
#define CLEARMASS_EVAL_VERIFY_H

#include "eval/evaluate.h"

struct verify {
    const char *result;               /* folder of an evaluation, a run folder, or a result.json */
    const char *run, *data;           /* NULL: where the result says they are */
    const char *out;                  /* the replay is written there */
    double tolerance;                 /* numbers may differ by this share of the larger; 0: not at all */
    const struct nn_backend *backend; /* NULL: onednn */
};

enum { VERIFY_LISTED = 20 };

struct verified {
    size_t values;                       /* compared */
    size_t differences;                  /* 0: the same result */
    char difference[VERIFY_LISTED][256]; /* the first of them: where, and both values */
    char note[256];                      /* "" or what explains them: another program, another machine */
};

/* Evaluates again with the options, the data and the seed that stand in the result, and compares every value
 * of result.json and predictions.csv but paths, the program, the machine and the count of looks. Nothing but
 * cfg->out is written: no thresholds are stored, no look is counted. Data, weights, split or calibration that
 * are others than the result's are differences too, and then nothing is replayed. Fails when the result, the
 * run or the data set cannot be read. */
bool verify(struct verified *out, const struct verify *cfg, struct err *err);

#endif
