/* eval/thresholds.h: the two thresholds of a run: the published ones, or RUN/thresholds.json as an evaluation
 * on the validation part chose them. */
#ifndef CLEARMASS_EVAL_THRESHOLDS_H
#define CLEARMASS_EVAL_THRESHOLDS_H

#include "eval/predict.h"
#include "eval/referral.h"

/* The black-box U-Net paper's threshold and uncertain band on the sum of all pixels of a 224 x 224 map. */
#define PUBLISHED_LOW  .0001
#define PUBLISHED_HIGH 100.

struct thresholds {
    struct band band;
    struct referral_wish wish;
    size_t images; /* they were chosen on */
};

/* The thresholds that are fixed beforehand: a black-box run's "published" pair; a classifier's "half", which
 * gives each crop the more probable class. False for a run whose score is no opinion on malignancy. */
struct fixed_thresholds {
    const char *name;
    struct band band;
};
bool thresholds_fixed(struct fixed_thresholds *out, enum run_task task);

/* Writes RUN/thresholds.json: the band with the wish, and the hashes of the weights and of the data it
 * belongs to. */
bool thresholds_write(const struct thresholds *t, const struct predictor *p, struct err *err);

/* *found is false, without a fault, where the run has none, and with a warning where they were chosen for
 * other weights than the run's best ones. Fails on a file that is broken. */
bool thresholds_read(struct thresholds *out, const struct predictor *p, bool *found, struct err *err);

/* A given pair; one of it that is NAN becomes the fixed one. Fails where low then lies above high. */
bool thresholds_complete(struct band *out, const struct band *given, struct band fixed, struct err *err);

/* The band that is in force, and where it comes from in words: given (may be NULL; completed), else
 * guaranteed or chosen for these very weights, else fixed. text is "" for a run that does not judge. Fails on
 * a file that is broken. */
enum { THRESHOLDS_TEXT = 96 };
bool thresholds_in_force(struct band *band, char text[THRESHOLDS_TEXT], const struct predictor *p,
                         const struct band *given, struct err *err);

#endif
