/* eval/calibrate.h: what the validation part teaches about a run's score: two thresholds that keep a promise
 * (guarantee.h) and the way from the score to a probability (calibration.h), stored in RUN/calibration.json
 * for evaluations of other parts and for single cases. */
#ifndef CLEARMASS_EVAL_CALIBRATE_H
#define CLEARMASS_EVAL_CALIBRATE_H

#include "base/json.h"
#include "eval/calibration.h"
#include "eval/guarantee.h"
#include "run/run.h"

/* Scores are sums over many pixels or probabilities; either is made even before a probability is fitted:
 * log(max(score, 1e-12)), or for a classifier log(p / (1 - p)) with p held in 1e-12..1-1e-12. */
enum score_scale { SCORE_LOG, SCORE_LOGIT };
double score_scaled(enum score_scale scale, double score);

struct score_calibration {
    bool guaranteed; /* promise is there; else why_not says why */
    struct guarantee promise;
    struct guarantee_wish wish;
    char why_not[256];
    enum score_scale scale;
    bool fitted; /* platt and isotonic are there */
    struct platt platt;
    struct isotonic isotonic;
    size_t images, patients, malignant; /* it was made on */
    char sha256[FILE_SHA256_TEXT];      /* of calibration.json, where it was read from one */
};
#define SCORE_CALIBRATION_INIT                                                                               \
    {                                                                                                        \
        .isotonic = ISOTONIC_INIT                                                                            \
    }
void score_calibration_release(struct score_calibration *c);

struct calibrate {
    const char *run;
    const char *evaluation; /* NULL: RUN/evaluation */
    struct guarantee_wish wish;
};

/* Reads the evaluation of the run's validation part and writes RUN/calibration.json. Too few patients for the
 * promise are no failure here: out->guaranteed is false. Fails when the evaluation is not there, is of
 * another part, of other weights than the run's best or of a run whose score is no opinion on malignancy, and
 * when there is nothing to calibrate on: one class alone, or one score for all. out is replaced on success.
 */
bool calibrate(struct score_calibration *out, const struct calibrate *c, struct err *err);

/* RUN/calibration.json. *found is false, without a fault, where the run has none, and with a warning where it
 * was made for other weights. Fails on a file that is broken. */
bool score_calibration_read(struct score_calibration *out, const struct run *run, const char *weights_sha256,
                            bool *found, struct err *err);

#endif
