/* eval/calibration.h: from a score to a probability, and how far probabilities can be believed.
 *
 * Cases: n values x, not NAN, and truths. Both methods are monotone: they change no ranking. */
#ifndef CLEARMASS_EVAL_CALIBRATION_H
#define CLEARMASS_EVAL_CALIBRATION_H

#include "eval/interval.h"

#include <stdbool.h>

struct calibration_cases {
    const double *x; /* [n] */
    const bool *positive;
    size_t n;
};

/* Platt's sigmoid (1999): probability 1 / (1 + exp(-(slope x + offset))), fitted by Newton's method with
 * step halving to targets drawn in from 0 and 1, as Lin, Lin and Weng 2007 (DOI 10.1007/s10994-007-5018-6).
 */
struct platt {
    double slope, offset;
};
/* False when a class has no case or all x are equal. */
bool platt_fit(struct platt *out, const struct calibration_cases *c);
double platt_probability(struct platt p, double x);

/* Isotonic regression: the rising step function nearest to the truths, equal x together, by pooling adjacent
 * violators (Ayer et al. 1955, DOI 10.1214/aoms/1177728423). */
struct isotonic {
    double *x, *y; /* [count]: rising x; y is the value at x, linear between, level outside */
    size_t count;
};
#define ISOTONIC_INIT                                                                                        \
    {                                                                                                        \
        NULL, NULL, 0                                                                                        \
    }
/* False when there is no case. out is replaced on success. */
bool isotonic_fit(struct isotonic *out, const struct calibration_cases *c);
double isotonic_probability(const struct isotonic *i, double x);
void isotonic_release(struct isotonic *i);

/* Reliability over CALIBRATION_BINS bins of equal width, [0, .1), ..., [.9, 1]. */
enum { CALIBRATION_BINS = 10 };
struct reliability_bin {
    double n, mean,
        positives; /* weighted cases, their mean probability, their positives; mean NAN when empty */
};

/* Probabilities p[n] in 0..1 with their truths: the context of the statistics below. */
struct forecasts {
    const double *p;
    const bool *positive;
    size_t n;
};
void reliability_make(struct reliability_bin out[CALIBRATION_BINS], const struct forecasts *f,
                      const unsigned *weight);

/* As interval_statistic; the context is a const struct forecasts *. NAN without a case.
 * Expected calibration error (Naeini et al. 2015, DOI 10.1609/aaai.v29i1.9602): the mean over the cases of
 * the distance between their bin's mean probability and its share of positives.
 * Brier score (1950, DOI 10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2): the mean squared error. */
double forecast_ece(const void *forecasts, const unsigned *weight);
double forecast_brier(const void *forecasts, const unsigned *weight);

#endif
