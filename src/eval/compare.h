/* eval/compare.h: runs against each other on the very same cases. */
#ifndef CLEARMASS_EVAL_COMPARE_H
#define CLEARMASS_EVAL_COMPARE_H

#include "base/json.h"

#include <stddef.h>
#include <stdint.h>

enum { COMPARE_MOST_RUNS = 16 };

struct compare {
    char *const *run; /* [runs]: run folders, or folders of evaluations; 2..COMPARE_MOST_RUNS */
    size_t runs;
    uint64_t seed; /* of the bootstrap */
};

/* *out becomes a new reference to what comparison.json holds (doc/formats.md). Cases are matched by id; those
 * that not every evaluation has are left out and counted. For every pair of runs: the difference of the AUC
 * with DeLong's test (cases taken as independent) and with an interval by patients; McNemar's exact test of
 * the two-class answers; the difference of the mean Dice by a paired bootstrap of patients, of malignant
 * images alone where a run is a black-box one. All p-values of the comparison are one family for Holm's
 * correction. Fails when an evaluation cannot be read, when they are of other data sets or parts, when a
 * case's label or patient differs, and when no case is common. */
bool compare(json_t **out, const struct compare *c, struct err *err);

#endif
