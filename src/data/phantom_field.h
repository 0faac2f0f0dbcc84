/* data/phantom_field.h: random fields with a power-law spectrum, the raw material of every texture.
 *
 * Breast tissue has a power spectrum close to 1 / k^3 (Burgess 1999, DOI 10.1364/JOSAA.16.000633). A field is
 * made by giving every wave a fixed amplitude and a random phase and summing all waves with a fast Fourier
 * transform, so it is periodic: it can be sampled anywhere. */
#ifndef CLEARMASS_DATA_PHANTOM_FIELD_H
#define CLEARMASS_DATA_PHANTOM_FIELD_H

#include "base/err.h"
#include "base/rng.h"

/* Power proportional to k^-beta for low <= k <= high, k in cycles a field side; none elsewhere. */
struct phantom_spectrum {
    double beta, low, high;
};

struct phantom_field {
    int n;        /* samples a side, a power of two */
    float *value; /* [n, n], mean 0, variance 1 */
};

#define PHANTOM_FIELD_INIT                                                                                   \
    {                                                                                                        \
        0, NULL                                                                                              \
    }

/* Two independent fields of the same spectrum (the real and the imaginary part of one transform). n is a
 * power of two in 16..8192 (asserted). Fails with ERR_LIMIT when memory cannot be had. */
bool phantom_field_pair(struct phantom_field pair[2], int n, struct phantom_spectrum spectrum,
                        struct rng *rng, struct err *err);
void phantom_field_release(struct phantom_field *f);

/* Linear between samples, going on periodically; x and y in field sides, in -16..16. */
float phantom_field_at(const struct phantom_field *f, float x, float y);

#endif
