/* eval/guarantee.h: two thresholds that keep a promise about new cases.
 *
 * The promise: with the wanted confidence, of all patients with a malignant image at most the share
 * miss_rate has any malignant image called benign (score below low); and, a promise of its own with the same
 * confidence, of all patients with an image that is not malignant at most that share has any such image
 * called malignant (score above high). Both together hold with a confidence of at least 2 confidence - 1.
 *
 * The method: the unit is the patient. A patient's malignant images count by their lowest score, the others
 * by their highest, so that one number a patient decides, and what holds for patients holds for images (each
 * patient weighing the same), for breasts and for patients judged by their highest score. Thresholds are
 * tried from the safest on, in a fixed order: the k-th leaves k of n patients on the wrong side. The k-th is
 * taken as long as the exact binomial test rejects "more than miss_rate are on the wrong side", P(X <= k) <=
 * 1 - confidence for X binomial (n, miss_rate). One test after the other in a fixed order, up to the first
 * that does not reject, needs no correction: this is Learn then Test (Angelopoulos et al. 2021,
 * arXiv:2110.01052) with the bound of Clopper and Pearson (1934), and for one threshold the tolerance limit
 * of Wilks (1941, DOI 10.1214/aoms/1177731788). Ties only make it safer.
 *
 * It assumes that the patients are independent draws from the patients the promise is about: same machines,
 * same selection, same network, and patients that chose neither the weights nor anything else. */
#ifndef CLEARMASS_EVAL_GUARANTEE_H
#define CLEARMASS_EVAL_GUARANTEE_H

#include "base/err.h"
#include "eval/confusion.h"

#include <stdbool.h>

struct guarantee_wish {
    double miss_rate;  /* in (0, 1) */
    double confidence; /* in (0, 1) */
};

/* Known images and whose they are. No score is NAN. */
struct guarantee_cases {
    const double *score;   /* [n] */
    const bool *malignant; /* [n] */
    const size_t *patient; /* [n]: 0..patients-1 */
    size_t n, patients;
};

/* One of the two promises. */
struct guarantee_side {
    size_t patients; /* n */
    size_t allowed;  /* on the wrong side of the threshold, of these n */
    size_t wrong;    /* really on the wrong side: fewer than allowed where scores are tied */
    double bound;    /* the share that, with the confidence, is not exceeded: at most miss_rate */
};

struct guarantee {
    struct band band;
    struct guarantee_side malignant, benign;
};

/* The fewest patients of a class with which the promise can be made: (1 - miss_rate)^n <= 1 - confidence. */
size_t guarantee_needs(struct guarantee_wish wish);

/* The largest number of n patients that may be on the wrong side; false when n is too small even for none. */
bool guarantee_allows(size_t *allowed, size_t n, struct guarantee_wish wish);

/* Fails on a wish outside its range and where a class has too few patients; the message says how many are
 * there and how many are needed. The thresholds are settled (band_settle, referral.h), which keeps both
 * promises. */
bool guarantee_choose(struct guarantee *out, const struct guarantee_cases *cases, struct guarantee_wish wish,
                      struct err *err);

#endif
