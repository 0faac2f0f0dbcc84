/* eval/referral.h: which cases get an answer and which a doctor's second look.
 *
 * Two thresholds on the score make three answers (struct band). They are chosen on a set of known cases so
 * that few malignant cases are called benign and few benign ones malignant; what lies between is uncertain.
 */
#ifndef CLEARMASS_EVAL_REFERRAL_H
#define CLEARMASS_EVAL_REFERRAL_H

#include "base/err.h"
#include "eval/confusion.h"

#include <stdbool.h>

/* Both in (0, 1]. */
struct referral_wish {
    double sensitivity; /* of the malignant, at least this share is not called benign */
    double specificity; /* of the benign, at least this share is not called malignant */
};

/* Known cases. No score is NAN. */
struct referral_cases {
    const double *score;   /* [n] */
    const bool *malignant; /* [n] */
    size_t n;
};

/* Two thresholds that are known cases' own scores. Where they cross (low > high) they become their middle,
 * geometric where both are positive. Otherwise each steps back from its case by BAND_ROUNDING of itself: the
 * same image scores a little differently in a batch of another size, and must get the same answer there. */
#define BAND_ROUNDING 1e-5
void band_settle(struct band *b);

/* low is the highest score at which the wanted sensitivity is met (a malignant case's own score), high the
 * lowest at which the wanted specificity is met (a benign case's own score), both settled as above. Ties stay
 * together, so more than the wish may be met. Where the two cross (low > high) any cut between them meets
 * both wishes: both become their middle, and nothing is uncertain but that very score. Fails on a wish
 * outside its range and when a class has no case. */
bool referral_choose(struct band *out, const struct referral_cases *cases, struct referral_wish wish,
                     struct err *err);

#endif
