/* train/validate.h: measuring the weights on the validation images, and the four cases that are shown. */
#ifndef CLEARMASS_TRAIN_VALIDATE_H
#define CLEARMASS_TRAIN_VALIDATE_H

#include "nn/exec.h"
#include "train/feed.h"
#include "train/journal.h"
#include "train/loss.h"

struct validation {
    const struct source *source; /* borrowed */
    size_t *order; /* [n_validation]: mixed, as data sets sorted by label would make odd batches */
    struct train_case cases[RUN_CASES];
    size_t place[RUN_CASES]; /* validation index of each case */
    int n_cases;
    float *squares; /* the cases' inputs, truths and predictions; NULL for a classifier */
    double *score;  /* [n_validation] */
    bool *malignant;
};

/* Chooses the cases: in an order that is a function of the seed, two benign and two malignant images with an
 * outlined region; where there are too few, others with a region, then any. */
void validation_init(struct validation *v, const struct source *s, uint64_t seed);
void validation_release(struct validation *v);

/* x: compiled for NN_INFER and the feed's batch. Fills the val_ numbers of m and the cases. Losses, soft
 * Dice and accuracy are means over batches weighted by their images, as Keras has them; Dice and IoU are
 * means over images with a truth; AUC ranks malignant over the rest by the sum of the output, or a
 * classifier's P(malignant). Fails only when a stop is requested. */
bool validation_measure(struct validation *v, const struct nn_exec *x, struct feed *feed,
                        const struct loss *loss, struct train_metrics *m, struct err *err);

#endif
