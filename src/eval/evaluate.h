/* eval/evaluate.h: measures a run on a data set and writes the result folder (doc/formats.md, Evaluation).
 *
 * Items are the data set's images, or, for a classifier, its crops.
 *
 * A data set whose manifest is the run's own is evaluated part by part (RUN/split.csv), validation where
 * nothing is said. Any other data set is an external test: all its items, unless an official part is asked
 * for.
 *
 * Thresholds: the fixed pair (thresholds.h), or the one given, always; the chosen pair for a run that judges:
 * an evaluation of the validation part chooses it for the wished sensitivity and specificity and stores it in
 * RUN/thresholds.json, every other evaluation uses what is stored there. A run that does not judge gets no
 * decisions: its masks are no opinion on malignancy.
 *
 * Every look at test images (the test part, "all" where it holds test images, an external data set) adds a
 * row to RUN/test_evaluations.csv; the result tells how many there were on this data set, this one included.
 */
#ifndef CLEARMASS_EVAL_EVALUATE_H
#define CLEARMASS_EVAL_EVALUATE_H

#include "eval/referral.h"
#include "eval/thresholds.h"

enum eval_part { EVAL_DEFAULT, EVAL_VALIDATION, EVAL_TRAIN, EVAL_TEST, EVAL_ALL, EVAL_PART_COUNT };

/* "validation", "train", "test" or "all". */
bool eval_part_parse(const char *text, enum eval_part *out);

struct evaluation {
    const char *run;
    const char *data;       /* NULL: the data set the run was trained on */
    const char *out;        /* NULL: RUN/evaluation */
    const char *classifier; /* of evaluate_opinions.h; else NULL */
    enum eval_part part;
    const struct band *given;         /* NULL: the fixed thresholds; one that is NAN is the fixed one */
    struct referral_wish wish;        /* 0 means .9 */
    uint64_t seed;                    /* of the bootstrap */
    int batch;                        /* images a pass of the network; 0 means 16 */
    const struct nn_backend *backend; /* NULL: onednn */
    bool replay;       /* writes to out alone: stores no thresholds, counts no look at test images */
    bool allow_leak;   /* of an external data set: strangers.h */
    bool uncalibrated; /* as if the run had no calibration.json */
};

/* *result, unless NULL, becomes a new reference to what result.json holds. Fails when the run or the data set
 * cannot be read, when the part holds no image, when not one image can be read, and when a file cannot be
 * written. */
bool evaluate(const struct evaluation *e, json_t **result, struct err *err);

#endif
