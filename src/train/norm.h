/* train/norm.h: batch norm statistics of the weights as they are now.
 *
 * Moving statistics trail the weights by a hundred steps and more; on small sets that is several epochs, and
 * a validation with them is a lottery. Recomputed: training-mode passes over training images without
 * augmentation; each batch has a mean m and a variance v; the statistics are the mean of m, and mean(v + m^2)
 * - mean(m)^2, in double. */
#ifndef CLEARMASS_TRAIN_NORM_H
#define CLEARMASS_TRAIN_NORM_H

#include "nn/exec.h"
#include "train/feed.h"

/* Whether any norm of the network has statistics that training moves. */
bool norm_tracks(const struct nn_graph *g);

/* pass->n: whole batches, one at least. x is compiled for NN_TRAIN and the feed's batch, and holds the
 * numbers of values; its moving statistics are disturbed (set it again). The moving statistics in values
 * become the recomputed ones; frozen layers keep theirs. Fails, with values half done, only when a stop is
 * requested. */
bool norm_recompute(const struct nn_exec *x, const struct nn_graph *g, struct feed *feed,
                    const struct feed_pass *pass, float *values, struct err *err);

#endif
