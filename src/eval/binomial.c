#include "eval/binomial.h"

#include "base/mem.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

enum { MAX_TERMS = 100000 };

static double not_zero(double v)
{
    return fabs(v) < DBL_MIN * 1e10 ? DBL_MIN * 1e10 : v;
}

/* The continued fraction, which converges quickly for x < (a + 1) / (a + b + 2). */
static double beta_fraction(double a, double b, double x)
{
    double c = 1, d = 1 / not_zero(1 - (a + b) * x / (a + 1)), value = d;

    for (int m = 1; m <= MAX_TERMS; m++) {
        const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 / not_zero(1 + even * d);
        c = not_zero(1 + even / c);
        value *= c * d;
        d = 1 / not_zero(1 + odd * d);
        c = not_zero(1 + odd / c);
        value *= c * d;
        if (fabs(c * d - 1) < 1e-16)
            break;
    }
    return value;
}

/* lgamma(a + b) - lgamma(a) - lgamma(b), without the loss of digits where all are large: Stirling's series
 * leaves only its small remainders to be subtracted. */
static double stirling_rest(double a)
{
    const double q = 1 / (a * a);

    return (1. / 12 - q * (1. / 360 - q * (1. / 1260 - q * (1. / 1680 - q / 1188)))) / a;
}

/* log of x^a (1-x)^b / B(a, b) */
static double log_front(double a, double b, double x)
{
    int sign;

    if (a < 15 || b < 15)
        return lgamma_r(a + b, &sign) - lgamma_r(a, &sign) - lgamma_r(b, &sign) + a * log(x) + b * log1p(-x);
    const double x0 = a / (a + b), t = x - x0; /* the mode, near which a and b are large against the sum */
    return a * log1p(t / x0) + b * log1p(-t / (1 - x0)) + .5 * log(a * b / (a + b) / (2 * M_PI)) +
           stirling_rest(a + b) - stirling_rest(a) - stirling_rest(b);
}

double special_beta(double a, double b, double x)
{
    if (!(x > 0))
        return 0;
    if (x >= 1)
        return 1;
    if (x < (a + 1) / (a + b + 2))
        return exp(log_front(a, b, x)) * beta_fraction(a, b, x) / a;
    return 1 - exp(log_front(b, a, 1 - x)) * beta_fraction(b, a, 1 - x) / b;
}

double normal_two_sided(double z)
{
    return erfc(fabs(z) / M_SQRT2);
}

double binomial_cdf(size_t k, size_t n, double p)
{
    if (k >= n)
        return 1;
    if (p <= 0)
        return 1;
    return special_beta((double)(n - k), (double)k + 1, 1 - p);
}

/* Where the falling function binomial_cdf(k, n, .) reaches level. */
static double solve(size_t k, size_t n, double level)
{
    double low = 0, high = 1;

    for (int i = 0; i < 200 && high - low > DBL_EPSILON * low; i++) {
        const double middle = low + (high - low) / 2;
        if (binomial_cdf(k, n, middle) > level)
            low = middle;
        else
            high = middle;
    }
    return high;
}

double binomial_upper(struct share s, double confidence)
{
    return s.hits >= s.n ? 1 : solve(s.hits, s.n, 1 - confidence);
}

double binomial_lower(struct share s, double confidence)
{
    return s.hits == 0 ? 0 : solve(s.hits - 1, s.n, confidence);
}

struct interval binomial_interval(struct share s, double confidence)
{
    const double each = (1 + confidence) / 2;

    return (struct interval){share_value(s), binomial_lower(s, each), binomial_upper(s, each)};
}

double mcnemar_exact(size_t only_first, size_t only_second)
{
    const size_t n = only_first + only_second, fewer = only_first < only_second ? only_first : only_second;

    return fmin(1, 2 * binomial_cdf(fewer, n, .5));
}

struct ranked {
    double p;
    size_t at;
};

static int by_p(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;

    return a->p != b->p ? (a->p < b->p ? -1 : 1) : a->at < b->at ? -1 : 1;
}

void holm_adjust(double *p, size_t m)
{
    struct ranked *r = mem_new(m + 1, sizeof *r);
    size_t n = 0;
    double largest = 0;

    for (size_t i = 0; i < m; i++)
        if (!isnan(p[i]))
            r[n++] = (struct ranked){p[i], i};
    qsort(r, n, sizeof *r, by_p);
    for (size_t k = 0; k < n; k++) {
        largest = fmax(largest, fmin(1, r[k].p * (double)(n - k)));
        p[r[k].at] = largest;
    }
    free(r);
}
