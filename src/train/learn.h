/* train/learn.h: one update of a network's numbers. */
#ifndef CLEARMASS_TRAIN_LEARN_H
#define CLEARMASS_TRAIN_LEARN_H

#include "nn/exec.h"
#include "train/feed.h"
#include "train/loss.h"
#include "train/optim.h"

/* All borrowed. An update takes `accumulate` steps and follows the mean of their gradients. */
struct learner {
    const struct nn_exec *exec; /* NN_TRAIN, of optim->graph */
    const struct loss *loss;
    struct optim *optim;
    float *values, *grads; /* [optim->graph->n_values] */
    float *output_grad;    /* [batch, truth] */
    float *sum;            /* [n_values] of the gradients so far; NULL where accumulate is 1 */
    int accumulate, step;  /* batches an update, and which of them this one is, from 0 */
    size_t truth;          /* numbers of an item's truth and output */
    uint64_t seed;         /* of dropout, with the number of the update */
};

/* Forward, loss, backward, and after the last batch of an update the update; the moving statistics come back
 * from the backend with it. Returns the loss; where that is no finite number nothing is updated. *output [n,
 * truth] is borrowed until the next step. */
double learner_step(const struct learner *l, const struct feed_batch *b, const float **output);

#endif
