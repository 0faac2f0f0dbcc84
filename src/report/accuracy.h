/* report/accuracy.h: an accuracy of a training epoch never stands alone. */
#ifndef CLEARMASS_REPORT_ACCURACY_H
#define CLEARMASS_REPORT_ACCURACY_H

#include "base/buf.h"
#include "base/json.h"

/* part: "train" or "validation". The share of the larger class there, as run.json's data tell it; NAN where
 * an older program did not. */
double accuracy_majority(const json_t *run, const char *part);

/* Appends "0.612 (0.513 to 0.702; majority class 0.583)". */
void accuracy_write(struct buf *b, const json_t *run, const char *part, double accuracy);

#endif
