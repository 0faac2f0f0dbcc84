#include "eval/guarantee.h"

#include "base/mem.h"
#include "eval/binomial.h"
#include "eval/interval.h"
#include "eval/referral.h"

#include <math.h>
#include <stdlib.h>

size_t guarantee_needs(struct guarantee_wish wish)
{
    size_t n = (size_t)fmax(1, floor(log1p(-wish.confidence) / log1p(-wish.miss_rate)) - 1), allowed;

    while (!guarantee_allows(&allowed, n, wish))
        n++;
    return n;
}

bool guarantee_allows(size_t *allowed, size_t n, struct guarantee_wish wish)
{
    const double level = 1 - wish.confidence;
    size_t k = 0, beyond = n; /* k is allowed if anything is, beyond is not */

    if (binomial_cdf(0, n, wish.miss_rate) > level)
        return false;
    while (beyond - k > 1) {
        const size_t middle = k + (beyond - k) / 2;
        if (binomial_cdf(middle, n, wish.miss_rate) <= level)
            k = middle;
        else
            beyond = middle;
    }
    *allowed = k;
    return true;
}

/* One number a patient of that class, ascending: the worst of the images. free() it. */
static double *worst_scores(const struct guarantee_cases *c, bool malignant, size_t *n)
{
    double *worst = mem_new(c->patients + 1, sizeof *worst);

    *n = 0;
    for (size_t p = 0; p < c->patients; p++)
        worst[p] = NAN;
    for (size_t i = 0; i < c->n; i++) {
        double *w = &worst[c->patient[i]];
        if (c->malignant[i] == malignant) /* fmin and fmax pass over NAN */
            *w = malignant ? fmin(*w, c->score[i]) : fmax(*w, c->score[i]);
    }
    for (size_t p = 0; p < c->patients; p++)
        if (!isnan(worst[p]))
            worst[(*n)++] = worst[p];
    sort_doubles(worst, *n);
    return worst;
}

static bool side_allows(struct guarantee_side *side, size_t n, struct guarantee_wish wish, const char *what,
                        struct err *err)
{
    side->patients = n;
    if (guarantee_allows(&side->allowed, n, wish)) {
        side->bound = binomial_upper((struct share){side->allowed, n}, wish.confidence);
        return true;
    }
    return err_set(
        err, ERR_INPUT,
        "too few patients with %s: %zu, and a share of at most %g with a confidence of %g takes at "
        "least %zu",
        what, n, wish.miss_rate, wish.confidence, guarantee_needs(wish));
}

static size_t count_wrong(const double *worst, size_t n, struct band b, bool malignant)
{
    size_t wrong = 0;

    for (size_t i = 0; i < n; i++)
        wrong += malignant ? worst[i] < b.low : worst[i] > b.high;
    return wrong;
}

bool guarantee_choose(struct guarantee *out, const struct guarantee_cases *cases, struct guarantee_wish wish,
                      struct err *err)
{
    struct guarantee g = {{0, 0}, {0}, {0}};
    size_t n_malignant, n_benign;
    double *malignant = worst_scores(cases, true, &n_malignant);
    double *benign = worst_scores(cases, false, &n_benign);
    bool ok = false;

    if (!(wish.miss_rate > 0 && wish.miss_rate < 1 && wish.confidence > 0 && wish.confidence < 1)) {
        err_set(err, ERR_INPUT, "a miss rate and a confidence lie between 0 and 1");
        goto out;
    }
    if (!side_allows(&g.malignant, n_malignant, wish, "a malignant image", err) ||
        !side_allows(&g.benign, n_benign, wish, "an image that is not malignant", err))
        goto out;
    g.band = (struct band){malignant[g.malignant.allowed], benign[n_benign - 1 - g.benign.allowed]};
    band_settle(&g.band);
    g.malignant.wrong = count_wrong(malignant, n_malignant, g.band, true);
    g.benign.wrong = count_wrong(benign, n_benign, g.band, false);
    *out = g;
    ok = true;
out:
    free(malignant);
    free(benign);
    return ok;
}
