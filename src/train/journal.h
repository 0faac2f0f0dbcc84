/* train/journal.h: log.csv and cases.csv of a run folder (doc/formats.md). Both are small and written whole
 * after every epoch, so they are never half a row. */
#ifndef CLEARMASS_TRAIN_JOURNAL_H
#define CLEARMASS_TRAIN_JOURNAL_H

#include "base/buf.h"
#include "run/run.h"

struct train_metrics {
    double agreement, loss, learning_rate; /* agreement: soft Dice over the batch; accuracy of a classifier */
    double val_agreement, val_loss;
    double val_dice, val_iou, val_auc; /* NAN where they cannot be computed: empty in the table */
    double seconds;
};

struct train_case {
    const char *id, *label; /* label "" where there are none */
    const uint16_t *square; /* [size, size] grey; NULL where the source keeps none */
    const float
        *input; /* [channels, size, size] as the network takes it; of a classifier NULL, as the next two */
    const float *truth;      /* [size, size] */
    const float *prediction; /* [size, size] */
    double dice, score;      /* dice NAN where the truth is empty; score the map's sum, or P(malignant) */
};

struct journal {
    bool classes;          /* a classifier's columns */
    struct buf log, cases; /* the files as they will be */
};

#define JOURNAL_INIT                                                                                         \
    {                                                                                                        \
        false, BUF_INIT, BUF_INIT                                                                            \
    }

void journal_begin(struct journal *j, enum run_task task);
/* Reads both files of a run and drops what lies beyond the first epochs. Fails when one is missing or
 * damaged. */
bool journal_read(struct journal *j, const struct run *r, int epochs, struct err *err);
/* Adds an epoch (from 0). */
void journal_add(struct journal *j, int epoch, const struct train_metrics *m, const struct train_case *cases,
                 int n);
bool journal_write(const struct journal *j, const struct run *r, struct err *err);
void journal_release(struct journal *j);

#endif
