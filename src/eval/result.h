/* eval/result.h: from measured cases to the numbers of result.json and the rows of predictions.csv
 * (doc/formats.md). */
#ifndef CLEARMASS_EVAL_RESULT_H
#define CLEARMASS_EVAL_RESULT_H

#include "eval/cases.h"
#include "eval/calibrate.h"
#include "eval/confusion.h"
#include "eval/referral.h"

enum { EVAL_BOOTSTRAP_DRAWS = 2000, EVAL_DECISIONS = 3 };

/* One pair of thresholds to be judged. */
struct decision {
    const char *name; /* "published", "half", "chosen", "guaranteed" or "given" */
    struct band band;
    const char *chosen_on;         /* what they were chosen on; NULL for thresholds that were not chosen */
    bool same_images;              /* chosen on the very images they are judged on */
    struct referral_wish wish;     /* of "chosen" ones */
    struct guarantee_wish promise; /* of "guaranteed" ones; confidence 0 for others */
};

struct result_input {
    const struct cases *cases;
    bool crops;                                  /* cases are a classifier's crops: no masks, but Grad-CAM */
    const struct decision *decision;             /* [decisions]: the last is in force */
    size_t decisions;                            /* 0: the run's score is no opinion on malignancy */
    const struct score_calibration *calibration; /* NULL: none */
    bool same_images;                            /* it was made on the very images judged here */
    size_t batch;                                /* of the soft batch Dice */
    uint64_t seed; /* of the bootstrap, and of the order of the soft batch Dice */
};

/* The scores and truths of the cases that were read, as thresholds are chosen on them. Arrays are owned. */
struct result_scores {
    double *score;
    bool *malignant;
    size_t n;
};
void result_scores_make(struct result_scores *out, const struct cases *c);
void result_scores_release(struct result_scores *s);

/* Sets "overlap" or "cam", "score", "decisions", "answers_by", "unreadable" and what measures.h sets in json.
 */
void result_measure(json_t *json, const struct result_input *in);
/* The counts of "data": images, patients, benign, malignant, normal. */
void result_count(json_t *data, const struct cases *c);

bool result_write_predictions(const char *path, const struct result_input *in, struct err *err);
/* regions.csv: what every image's score is made of, and the answer without each part. Not for crops. */
bool result_write_regions(const char *path, const struct result_input *in, struct err *err);

#endif
