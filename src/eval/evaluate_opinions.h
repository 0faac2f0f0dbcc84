/* eval/evaluate_opinions.h: measures a black-box run and a classifier as one system (opinions.h) and writes
 * the result folder (doc/formats.md, Two opinions).
 *
 * Only images of patients that neither network learned from are measured (seen.h): on the black-box run's own
 * data set the validation part, where nothing is said, or the test part; others are left out and counted, and
 * asking for them is refused. Thresholds are those in force (thresholds.h) of either run; none are chosen
 * here. Looks at test images are counted in both runs' test_evaluations.csv. */
#ifndef CLEARMASS_EVAL_EVALUATE_OPINIONS_H
#define CLEARMASS_EVAL_EVALUATE_OPINIONS_H

#include "eval/evaluate.h"

/* e->classifier is the classifier's run; e->out NULL: RUN/opinions; e->wish and e->seed are not used.
 * *result, unless NULL, becomes a new reference to what result.json holds. */
bool evaluate_opinions(const struct evaluation *e, json_t **result, struct err *err);

#endif
