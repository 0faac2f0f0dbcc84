/* The band that keeps a promise: its sizes against numbers worked out by hand, and the promise itself in
 * simulation. */
#include "base/mem.h"
#include "base/rng.h"
#include "eval/binomial.h"
#include "eval/guarantee.h"
#include "eval/referral.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct guarantee_wish WISH = {.05, .95};

static void near(double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance))
        fail_msg("%.17g instead of %.17g", a, b);
}

/* .95^58 = .051, .95^59 = .0485; .99^459 = .00992; .9^22 = .0985. One miss of 93: .9486 and .9513 (Wilks'
 * tables of tolerance limits). */
static void test_sizes(void **state)
{
    (void)state;
    size_t allowed = 99;

    assert_int_equal(guarantee_needs(WISH), 59);
    assert_int_equal(guarantee_needs((struct guarantee_wish){.01, .99}), 459);
    assert_int_equal(guarantee_needs((struct guarantee_wish){.1, .9}), 22);
    assert_int_equal(guarantee_needs((struct guarantee_wish){.5, .5}), 1);
    assert_false(guarantee_allows(&allowed, 58, WISH));
    assert_false(guarantee_allows(&allowed, 0, WISH));
    assert_int_equal(allowed, 99);
    assert_true(guarantee_allows(&allowed, 59, WISH));
    assert_int_equal(allowed, 0);
    assert_true(guarantee_allows(&allowed, 92, WISH));
    assert_int_equal(allowed, 0);
    assert_true(guarantee_allows(&allowed, 93, WISH));
    assert_int_equal(allowed, 1);
}

/* Every n: one more would break the promise. */
static void test_no_more_than_is_allowed(void **state)
{
    (void)state;

    for (size_t n = 59; n < 3000; n += 47) {
        size_t k;
        assert_true(guarantee_allows(&k, n, WISH));
        assert_true(binomial_upper((struct share){k, n}, .95) <= .05);
        assert_true(binomial_upper((struct share){k + 1, n}, .95) > .05);
    }
}

enum { PATIENTS = 120, IMAGES = 4 * PATIENTS };

struct drawn {
    double score[IMAGES];
    bool malignant[IMAGES];
    size_t patient[IMAGES], n;
};

/* Patients with one to four images whose scores go together. step: scores are rounded down to its multiples,
 * so that many tie. Every second patient has malignant images; one in six of those has a benign one too. */
static void draw(struct drawn *d, uint64_t seed, double step)
{
    struct rng r = rng_at(seed, RNG_TEST, 77, 0);

    d->n = 0;
    for (size_t p = 0; p < PATIENTS; p++) {
        const bool malignant = p % 2 == 0;
        const double own = rng_normal(&r);
        const int images = rng_int(&r, 1, 4);
        for (int i = 0; i < images; i++) {
            const bool here = malignant && !(i == 1 && p % 12 == 0);
            const double v = exp(1.5 * own + .5 * rng_normal(&r) + (here ? 2 : 0));
            d->score[d->n] = step > 0 ? floor(v / step) * step : v;
            d->malignant[d->n] = here;
            d->patient[d->n++] = p;
        }
    }
}

static bool choose(struct guarantee *g, const struct drawn *d, struct guarantee_wish wish, struct err *err)
{
    return guarantee_choose(g, &(struct guarantee_cases){d->score, d->malignant, d->patient, d->n, PATIENTS},
                            wish, err);
}

/* Shares over very many new patients with any image on the wrong side. */
struct truth {
    double missed, called;
};

enum { POPULATION = 100 };

static struct truth measure(const struct drawn *population, struct band b)
{
    double n[2] = {0, 0}, wrong[2] = {0, 0};

    for (int s = 0; s < POPULATION; s++) {
        const struct drawn *d = &population[s];
        for (size_t i = 0; i < d->n;) {
            bool has[2] = {false, false}, bad[2] = {false, false};
            const size_t p = d->patient[i];
            for (; i < d->n && d->patient[i] == p; i++) {
                has[d->malignant[i]] = true;
                bad[d->malignant[i]] |= d->malignant[i] ? d->score[i] < b.low : d->score[i] > b.high;
            }
            for (int c = 0; c < 2; c++) {
                n[c] += has[c];
                wrong[c] += bad[c];
            }
        }
    }
    return (struct truth){wrong[1] / n[1], wrong[0] / n[0]};
}

enum { DRAWS = 1000 };

/* Broken promises in DRAWS validation sets, and the mean shares. */
struct outcome {
    size_t missed, called;
    double mean_missed, mean_called;
};

static struct outcome simulate(struct guarantee_wish wish, double step, uint64_t seed)
{
    struct drawn *population = mem_new(POPULATION, sizeof *population), *d = mem_new(1, sizeof *d);
    struct outcome o = {0, 0, 0, 0};
    struct err err = ERR_INIT;

    for (uint64_t s = 0; s < POPULATION; s++)
        draw(&population[s], 1000000 + seed + s, step);
    for (uint64_t s = 0; s < DRAWS; s++) {
        struct guarantee g;
        draw(d, seed + s, step);
        if (!choose(&g, d, wish, &err))
            fail_msg("%s", err.text);
        const struct truth t = measure(population, g.band);
        o.missed += t.missed > wish.miss_rate;
        o.called += t.called > wish.miss_rate;
        o.mean_missed += t.missed / DRAWS;
        o.mean_called += t.called / DRAWS;
    }
    free(population);
    free(d);
    return o;
}

/* What the method allows is P(X <= k), at most 1 - confidence; three standard errors of 1,000 draws beside
 * it. A method that allows one patient more breaks the promise more often than that. */
static void check(struct outcome o, struct guarantee_wish wish, bool tied)
{
    const double level = 1 - wish.confidence, most = level + 3 * sqrt(level * (1 - level) / DRAWS);

    if ((double)o.missed / DRAWS > most || (double)o.called / DRAWS > most)
        fail_msg("broken %zu and %zu times of %d", o.missed, o.called, DRAWS);
    if (tied)
        return;
    /* nor is it idle: it goes near what it may */
    assert_true(o.mean_missed > wish.miss_rate / 4);
    assert_true(o.mean_called > wish.miss_rate / 4);
}

static void test_promise_is_kept(void **state)
{
    (void)state;
    static const struct guarantee_wish WISHES[] = {{.05, .95}, {.1, .9}, {.2, .8}};

    for (size_t i = 0; i < sizeof WISHES / sizeof *WISHES; i++)
        check(simulate(WISHES[i], 0, 5000 * i), WISHES[i], false);
    check(simulate(WISHES[1], 3, 90000), WISHES[1], true);
}

/* The same simulation catches a band that meets the miss rate on the validation set and promises no more. */
static void test_simulation_catches_a_broken_method(void **state)
{
    (void)state;
    const struct guarantee_wish honest = {.1, .9}, broken = {.1, .5};
    struct outcome o = simulate(broken, 0, 40000);
    const double level = 1 - honest.confidence, most = level + 3 * sqrt(level * (1 - level) / DRAWS);

    assert_true((double)o.missed / DRAWS > most && (double)o.called / DRAWS > most);
}

static void test_patients_are_the_unit(void **state)
{
    (void)state;
    enum { N = 59 };
    double score[4 * N];
    bool malignant[4 * N];
    size_t patient[4 * N];
    struct guarantee g;
    struct err err = ERR_INIT;

    for (size_t i = 0; i < 4 * N; i++) { /* two images a patient: the lower one and the higher one count */
        patient[i] = i / 2;
        malignant[i] = i < 2 * N;
        score[i] = (malignant[i] ? 100 : 10) + (i % 2 ? 5 : 0) + (double)i / 1000;
    }
    const struct guarantee_cases c = {score, malignant, patient, 4 * N, 2 * N};
    assert_true(guarantee_choose(&g, &c, WISH, &err));
    assert_int_equal(g.malignant.patients, N);
    assert_int_equal(g.benign.patients, N);
    assert_int_equal(g.malignant.allowed, 0);
    near(g.malignant.bound, 1 - pow(.05, 1. / N), 1e-12);
    /* low would be 100 (the lowest malignant), high 15.235: they cross, and meet in the middle */
    near(g.band.low, sqrt(100 * 15.235), 1e-6);
    near(g.band.high, g.band.low, 0);
    assert_int_equal(g.malignant.wrong, 0);
    for (size_t i = 0; i < 4 * N; i++)
        score[i] = 7; /* nothing can be told apart */
    assert_true(guarantee_choose(&g, &c, WISH, &err));
    near(g.band.low, 7, 7.001 * BAND_ROUNDING);
    near(g.band.high, 7, 7.001 * BAND_ROUNDING);
}

static void refused(const struct guarantee_cases *c, struct guarantee_wish wish, const char *message)
{
    struct guarantee g = {.band = {-1, -1}};
    struct err err = ERR_INIT;

    assert_false(guarantee_choose(&g, c, wish, &err));
    assert_string_equal(err.text, message);
    near(g.band.low, -1, 0);
}

static void test_refused(void **state)
{
    (void)state;
    const double score[] = {1, 2, 3};
    const bool malignant[] = {false, true, true};
    const size_t patient[] = {0, 1, 1};
    const struct guarantee_cases c = {score, malignant, patient, 3, 2},
                                 none = {score, malignant, patient, 0, 0};

    refused(
        &c, WISH,
        "too few patients with a malignant image: 1, and a share of at most 0.05 with a confidence of 0.95 "
        "takes at least 59");
    refused(
        &c, (struct guarantee_wish){.5, .95},
        "too few patients with a malignant image: 1, and a share of at most 0.5 with a confidence of 0.95 "
        "takes at least 5");
    refused(
        &none, WISH,
        "too few patients with a malignant image: 0, and a share of at most 0.05 with a confidence of 0.95 "
        "takes at least 59");
    refused(&c, (struct guarantee_wish){0, .95}, "a miss rate and a confidence lie between 0 and 1");
    refused(&c, (struct guarantee_wish){.05, NAN}, "a miss rate and a confidence lie between 0 and 1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_no_more_than_is_allowed),
        cmocka_unit_test(test_promise_is_kept),
        cmocka_unit_test(test_simulation_catches_a_broken_method),
        cmocka_unit_test(test_patients_are_the_unit),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
