/* eval/seen.h: which images of a data set belong to patients that a network learned from. */
#ifndef CLEARMASS_EVAL_SEEN_H
#define CLEARMASS_EVAL_SEEN_H

#include "run/run.h"

/* Sets seen[i], of m->count, where the patient of image i has an image in the run's training part; others are
 * left as they are.
 *
 * On the run's own data set that is the split. On another one, images are the same where their files' SHA-256
 * are; the data set the run learned from must then be at hand. Two data sets that share an image are taken to
 * come from one source, in which a patient's name means one patient; names of data sets that share none are
 * not compared. */
bool seen_mark(bool *seen, const struct manifest *m, const struct run *run, struct err *err);

#endif
