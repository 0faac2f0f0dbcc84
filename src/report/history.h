/* report/history.h: log.csv and cases.csv of a run folder as numbers (doc/formats.md). */
#ifndef CLEARMASS_REPORT_HISTORY_H
#define CLEARMASS_REPORT_HISTORY_H

#include "base/err.h"

#include <stddef.h>

/* Columns of log.csv besides the epoch. */
enum history_column {
    HISTORY_DICE_COEF, /* soft Dice over the batch, training */
    HISTORY_LOSS,
    HISTORY_LR,
    HISTORY_VAL_DICE_COEF,
    HISTORY_VAL_LOSS,
    HISTORY_VAL_DICE, /* mean Dice of masks cut at .5, non-empty truths */
    HISTORY_VAL_IOU,
    HISTORY_VAL_AUC,
    HISTORY_ACC, /* accuracy of a classifier, training */
    HISTORY_VAL_ACC,
    HISTORY_SECONDS,
    HISTORY_COLUMNS
};

enum { HISTORY_MAX_CASES = 16 };

/* One case that is shown after every epoch. */
struct history_case {
    char *id, *label;
    size_t n;
    double *epoch; /* [n] from 1 */
    double *dice;  /* [n] NAN where the truth is empty, and in a classifier's run */
    double *score; /* [n] sum of the mask, or a classifier's P(malignant) */
};

struct history {
    size_t epochs;
    double *epoch;                  /* [epochs] from 1 */
    double *value[HISTORY_COLUMNS]; /* [epochs] each, NAN where the field is empty or the column is missing */
    struct history_case cases[HISTORY_MAX_CASES]; /* by number; id is NULL where there is none */
    size_t n_cases;                               /* 1 + the largest number */
};

/* Both tables; a missing one is empty. Fails with the file and line on a field that is no number. out is
 * replaced on success. */
bool history_read(struct history *out, const char *run_folder, struct err *err);
void history_release(struct history *h);

/* True for a classifier's run: it has accuracies and no Dice. */
bool history_is_classifier(const struct history *h);

/* True when the column has a number in any epoch. */
bool history_has(const struct history *h, enum history_column column);

#endif
