/* eval/evaluate_items.h: which items of which data set an evaluation is about. Inside eval/ only. */
#ifndef CLEARMASS_EVAL_EVALUATE_ITEMS_H
#define CLEARMASS_EVAL_EVALUATE_ITEMS_H

#include "eval/cases.h"
#include "eval/evaluate.h"

struct eval_items {
    struct manifest data;
    struct split split; /* of the run's own data set; empty for another */
    struct crops crops; /* of the data set, for a classifier */
    bool judges_crops, external;
    enum eval_part part;
    struct cases cases;
    json_t *leaks; /* of an external data set: what it shares with the run's own (strangers.h); else NULL */
    bool has_test; /* images of the test part, or external ones, are among the cases */
};

#define EVAL_ITEMS_INIT                                                                                      \
    {                                                                                                        \
        .data = MANIFEST_INIT, .split = SPLIT_INIT, .crops = CROPS_INIT, .cases = CASES_INIT                 \
    }

/* The data set, its part for that run, and the cases, unread. it must stay where it is from then on. */
bool eval_items_open(struct eval_items *it, const struct evaluation *e, const struct run *run,
                     struct err *err);
/* Harmless on EVAL_ITEMS_INIT and after a failure. */
void eval_items_release(struct eval_items *it);

/* Adds a row to the run's test_evaluations.csv where these are test images, unless only_count; *count becomes
 * the looks at this data set. */
bool eval_items_count_test(const struct eval_items *it, const struct predictor *p, bool only_count,
                           size_t *count, struct err *err);

/* Fails where not one case could be read. */
bool eval_items_any_read(const struct eval_items *it, struct err *err);

/* "data" of a result: a new reference. */
json_t *eval_items_json(const struct eval_items *it, size_t tests);

#endif
