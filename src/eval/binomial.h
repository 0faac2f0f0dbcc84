/* eval/binomial.h: exact answers about a count of n independent cases, and the functions they need.
 *
 * Relative accuracy 1e-9 for n up to 1e5, also of tiny probabilities, measured against SciPy and R. */
#ifndef CLEARMASS_EVAL_BINOMIAL_H
#define CLEARMASS_EVAL_BINOMIAL_H

#include "eval/interval.h"

/* Regularised incomplete beta function I_x(a, b), a and b > 0, x in 0..1: the continued fraction of DLMF
 * 8.17.22 by Lentz's method. */
double special_beta(double a, double b, double x);

/* Probability that a normal variable lies further than |z| from 0, on either side. */
double normal_two_sided(double z);

/* P(X <= k) of n cases with probability p each. */
double binomial_cdf(size_t k, size_t n, double p);

/* Clopper and Pearson 1934 (DOI 10.1093/biomet/26.4.404), one-sided: with that confidence the true share lies
 * at or below the upper bound, at or above the lower one. 1 and 0 when n is 0. confidence in (0, 1). */
double binomial_upper(struct share s, double confidence);
double binomial_lower(struct share s, double confidence);
/* Both at (1 + confidence) / 2: an interval that holds the truth at least so often. */
struct interval binomial_interval(struct share s, double confidence);

/* Two-sided exact test that of two kinds of discordant pairs (one right and the other wrong, and the other
 * way round) each is as likely: McNemar 1947 (DOI 10.1007/BF02295996) in its exact form. 1 when there are
 * none. */
double mcnemar_exact(size_t only_first, size_t only_second);

/* Adjusts m p-values, in place, so that the chance of any false rejection is held (Holm 1979,
 * jstor.org/stable/4615733). NAN stays NAN and is not counted. */
void holm_adjust(double *p, size_t m);

#endif
