#include "eval/referral.h"

#include "base/mem.h"
#include "eval/interval.h"

#include <math.h>
#include <stdlib.h>

/* How many of n may be missed when this share is wanted. The small amount keeps .9 of 10 at 1 in spite of
 * rounding. */
static size_t may_miss(double share, size_t n)
{
    return (size_t)floor((1 - share) * (double)n + 1e-9);
}

/* Ascending scores of one class; the number of them to *n. free() it. */
static double *class_scores(const struct referral_cases *c, bool malignant, size_t *n)
{
    double *v = mem_new(c->n + 1, sizeof *v);

    *n = 0;
    for (size_t i = 0; i < c->n; i++)
        if (c->malignant[i] == malignant)
            v[(*n)++] = c->score[i];
    sort_doubles(v, *n);
    return v;
}

static bool wish_ok(double share)
{
    return share > 0 && share <= 1;
}

/* Geometric where it can be: scores are sums of sigmoids and span many powers of ten. */
static double middle(double a, double b)
{
    return a > 0 ? fmin(b, fmax(a, sqrt(a) * sqrt(b))) : a + (b - a) / 2;
}

void band_settle(struct band *b)
{
    if (b->low > b->high) {
        b->low = b->high = middle(b->high, b->low);
        return;
    }
    b->low -= BAND_ROUNDING * fabs(b->low);
    b->high += BAND_ROUNDING * fabs(b->high);
}

bool referral_choose(struct band *out, const struct referral_cases *cases, struct referral_wish wish,
                     struct err *err)
{
    size_t n_malignant, n_benign;
    bool ok = false;
    double *malignant = class_scores(cases, true, &n_malignant);
    double *benign = class_scores(cases, false, &n_benign);

    if (!wish_ok(wish.sensitivity) || !wish_ok(wish.specificity)) {
        err_set(err, ERR_INPUT, "a wanted sensitivity or specificity lies above 0 and is at most 1");
        goto out;
    }
    if (n_malignant == 0 || n_benign == 0) {
        err_set(err, ERR_INPUT, "no %s case to choose thresholds on",
                n_malignant == 0 ? "malignant" : "benign");
        goto out;
    }
    /* wishes are above 0, so at most n - 1 are missed, but for rounding */
    const size_t miss_malignant = may_miss(wish.sensitivity, n_malignant);
    const size_t miss_benign = may_miss(wish.specificity, n_benign);
    struct band b = {malignant[miss_malignant < n_malignant ? miss_malignant : n_malignant - 1],
                     benign[miss_benign < n_benign ? n_benign - 1 - miss_benign : 0]};
    band_settle(&b);
    *out = b;
    ok = true;
out:
    free(malignant);
    free(benign);
    return ok;
}
