/* Counts, intervals, ranking, overlap and thresholds against numbers made by hand or by brute force. */
#include "base/mem.h"
#include "base/rng.h"
#include "eval/confusion.h"
#include "eval/interval.h"
#include "eval/overlap.h"
#include "eval/referral.h"
#include "eval/roc.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void near(double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance))
        fail_msg("%.17g instead of %.17g", a, b);
}

/* The published matrix of the black-box U-Net: 101 66 / 49 59. */
static void test_published_confusion(void **state)
{
    (void)state;
    const struct confusion c = {.n = {{101, 66}, {49, 59}}};

    near(share_value(confusion_accuracy(&c)), 160. / 275, 1e-15);
    near(share_value(confusion_majority(&c)), .607, .0005);
    near(share_value(confusion_sensitivity(&c)), .546, .0005);
    near(share_value(confusion_specificity(&c)), .605, .0005);
    near(share_value(confusion_ppv(&c)), 59. / 125, 1e-15);
    near(share_value(confusion_npv(&c)), 101. / 150, 1e-15);
    near(confusion_f1(&c, 1), 2. * 59 / (2 * 59 + 66 + 49), 1e-15);
    near(confusion_f1(&c, 0), 2. * 101 / (2 * 101 + 66 + 49), 1e-15);
    near(confusion_f1_macro(&c), (.50643776824034334 + .63722397476340698) / 2, 1e-12);
    near(confusion_balanced_accuracy(&c), (59. / 108 + 101. / 167) / 2, 1e-15);
}

static void test_answers_at_the_thresholds(void **state)
{
    (void)state;
    const struct band b = {1, 3};
    struct confusion c = {0};

    assert_int_equal(band_answer(b, .999), ANSWER_BENIGN);
    assert_int_equal(band_answer(b, 1), ANSWER_UNCERTAIN);
    assert_int_equal(band_answer(b, 3), ANSWER_UNCERTAIN);
    assert_int_equal(band_answer(b, 3.001), ANSWER_MALIGNANT);
    assert_string_equal(answer_name(ANSWER_UNCERTAIN), "uncertain");
    confusion_add(&c, b, .5, 0);
    confusion_add(&c, b, 1, 0); /* the two-class cut is at low, and low itself is malignant */
    confusion_add(&c, b, 9, 0);
    confusion_add(&c, b, .5, 1);
    confusion_add(&c, b, 2, 1);
    assert_int_equal(c.n[0][0], 1);
    assert_int_equal(c.n[0][1], 2);
    assert_int_equal(c.n[1][0], 1);
    assert_int_equal(c.n[1][1], 1);
    assert_int_equal(c.three[0][ANSWER_UNCERTAIN], 1);
    assert_int_equal(c.three[0][ANSWER_MALIGNANT], 1);
    near(share_value(confusion_specificity_at_high(&c)), 2. / 3, 1e-15);
    near(share_value(confusion_uncertain(&c)), 2. / 5, 1e-15);
    near(share_value(confusion_missed(&c)), 1. / 2, 1e-15);
}

static void test_undefined_is_nan(void **state)
{
    (void)state;
    const struct confusion none = {0}, benign = {.n = {{7, 0}, {0, 0}}};

    assert_true(isnan(share_value(confusion_accuracy(&none))));
    assert_true(isnan(share_value(confusion_sensitivity(&benign))));
    assert_true(isnan(share_value(confusion_ppv(&benign))));
    assert_true(isnan(confusion_f1(&benign, 1)));
    assert_true(isnan(confusion_f1_macro(&benign)));
    assert_true(isnan(interval_wilson(confusion_sensitivity(&benign)).low));
    assert_true(isnan(quantile(NULL, 0, .5)));
    assert_true(isnan(summary_of(NULL, 0).mean));
    assert_true(isnan(overlap_soft_dice(NULL, NULL, 0)));
}

static void test_wilson(void **state)
{
    (void)state;
    const struct interval published = interval_wilson((struct share){160, 275});
    const struct interval none = interval_wilson((struct share){0, 10}),
                          all = interval_wilson((struct share){10, 10});

    near(published.value, .5818, .0001);
    near(published.low, .523, .0005);
    near(published.high, .639, .0005);
    near(none.low, 0, 0);
    near(none.high, .2775, .0001); /* z^2 / (n + z^2) */
    near(all.low, 1 - .2775, .0001);
    near(all.high, 1, 0);
}

static void test_quantiles(void **state)
{
    (void)state;
    const double v[] = {4, 1, 3, 2}; /* numpy.quantile's default: 1.75, 2.5, 3.25 */
    const struct summary s = summary_of(v, 4);

    near(s.mean, 2.5, 0);
    near(s.q1, 1.75, 0);
    near(s.median, 2.5, 0);
    near(s.q3, 3.25, 0);
    near(s.share_above_half, 1, 0);
    near(summary_of(v, 1).q3, 4, 0);
    near(summary_of((const double[]){.5, .6}, 2).share_above_half, .5, 0);
}

enum { N = 60 };

/* Scores of few distinct values, so that ties are many. */
static void draw_scores(double *score, bool *positive, uint64_t seed)
{
    struct rng r = rng_at(seed, RNG_TEST, 0, 0);

    for (int i = 0; i < N; i++) {
        positive[i] = rng_int(&r, 0, 2) == 0;
        score[i] = rng_int(&r, 0, 9) + (positive[i] ? 2 : 0);
    }
}

static double pair_share(const double *score, const bool *positive, const unsigned *weight)
{
    double won = 0, pairs = 0;

    for (int i = 0; i < N; i++) {
        for (int k = 0; k < N; k++) {
            const double w = weight ? (double)weight[i] * weight[k] : 1;
            if (!positive[i] || positive[k])
                continue;
            pairs += w;
            won += score[i] > score[k] ? w : score[i] == score[k] ? w / 2 : 0;
        }
    }
    return won / pairs;
}

static void test_auc_is_the_share_of_pairs(void **state)
{
    (void)state;
    double score[N];
    bool positive[N];
    unsigned weight[N];

    for (uint64_t seed = 0; seed < 20; seed++) {
        struct ranking r;
        draw_scores(score, positive, seed);
        for (unsigned i = 0; i < N; i++)
            weight[i] = (i * 7 + (unsigned)seed) % 4;
        ranking_make(&r, score, positive, N);
        near(ranking_auc(&r, NULL), pair_share(score, positive, NULL), 1e-12);
        near(ranking_auc(&r, weight), pair_share(score, positive, weight), 1e-12);
        ranking_release(&r);
    }
}

static void test_roc_points(void **state)
{
    (void)state;
    const double score[] = {1, 5, 3, 3, 9};
    const bool positive[] = {false, true, true, false, false};
    const struct roc_point truth[] = {
        {0, 0, INFINITY}, {1. / 3, 0, 9}, {1. / 3, .5, 5}, {2. / 3, 1, 3}, {1, 1, 1}};
    struct ranking r;
    struct roc roc;

    ranking_make(&r, score, positive, 5);
    roc_make(&roc, &r);
    assert_int_equal(roc.count, 5);
    for (int i = 0; i < 5; i++) {
        near(roc.point[i].false_positive_rate, truth[i].false_positive_rate, 1e-15);
        near(roc.point[i].true_positive_rate, truth[i].true_positive_rate, 1e-15);
        assert_true(roc.point[i].threshold == truth[i].threshold);
    }
    roc_release(&roc);
    ranking_release(&r);
}

/* The area under the points, by trapezoids, is the same number. */
static void test_roc_area(void **state)
{
    (void)state;
    double score[N], area = 0;
    bool positive[N];
    struct ranking r;
    struct roc roc;

    draw_scores(score, positive, 5);
    ranking_make(&r, score, positive, N);
    roc_make(&roc, &r);
    for (size_t i = 1; i < roc.count; i++)
        area += (roc.point[i].false_positive_rate - roc.point[i - 1].false_positive_rate) *
                (roc.point[i].true_positive_rate + roc.point[i - 1].true_positive_rate) / 2;
    near(area, ranking_auc(&r, NULL), 1e-12);
    roc_release(&roc);
    ranking_release(&r);
}

static void test_one_class_has_no_ranking(void **state)
{
    (void)state;
    const double score[] = {1, 2};
    const bool none[] = {false, false};
    struct ranking r;
    struct roc roc;

    ranking_make(&r, score, none, 2);
    roc_make(&roc, &r);
    assert_true(isnan(ranking_auc(&r, NULL)) && isnan(ranking_auc_error(&r)));
    assert_int_equal(roc.count, 0);
    roc_release(&roc);
    ranking_release(&r);
}

/* DeLong's variance straight from its definition over all pairs. */
static void test_auc_error(void **state)
{
    (void)state;
    double score[N], variance = 0;
    bool positive[N];
    struct ranking r;

    draw_scores(score, positive, 3);
    ranking_make(&r, score, positive, N);
    const double auc = pair_share(score, positive, NULL);
    for (int class = 0; class < 2; class ++) {
        double squares = 0, own = 0;
        for (int i = 0; i < N; i++) {
            double won = 0, other = 0;
            if (positive[i] != (class == 1))
                continue;
            for (int k = 0; k < N; k++) {
                if (positive[k] == positive[i])
                    continue;
                const double over = class == 1 ? score[i] - score[k] : score[k] - score[i];
                won += over > 0 ? 1 : over == 0 ? .5 : 0;
                other++;
            }
            squares += (won / other - auc) * (won / other - auc);
            own++;
        }
        variance += squares / (own - 1) / own;
    }
    near(ranking_auc_error(&r), sqrt(variance), 1e-12);
    ranking_release(&r);
}

static double mean_of(const void *values, const unsigned *weight)
{
    const double *v = values;
    double sum = 0, n = 0;

    for (int i = 0; i < N; i++) {
        sum += weight[i] * v[i];
        n += weight[i];
    }
    return sum / n;
}

/* Items of one group are copies: the interval is that of the groups, sqrt(copies) wider than a naive one. */
static void test_bootstrap_draws_whole_groups(void **state)
{
    (void)state;
    double v[N], squares = 0, mean = 0;
    size_t own[N], shared[N];
    enum { GROUPS = 20 };

    for (size_t i = 0; i < N; i++) {
        own[i] = i;
        shared[i] = i % GROUPS;
        v[i] = sin((double)shared[i] * 3);
        mean += v[i] / N;
    }
    for (int i = 0; i < N; i++)
        squares += (v[i] - mean) * (v[i] - mean) / N;
    struct bootstrap b = {.statistic = mean_of,
                          .context = v,
                          .group = shared,
                          .n = N,
                          .groups = GROUPS,
                          .draws = 2000,
                          .seed = 1};
    const struct interval grouped = interval_bootstrap(&b), again = interval_bootstrap(&b);
    near(grouped.value, mean, 1e-12);
    near(grouped.high - grouped.low, 2 * 1.96 * sqrt(squares / GROUPS), .08 * (grouped.high - grouped.low));
    assert_true(grouped.low == again.low && grouped.high == again.high);
    b.group = own;
    b.groups = N;
    const struct interval single = interval_bootstrap(&b);
    near((grouped.high - grouped.low) / (single.high - single.low), sqrt(3), .15);
    b.seed = 2;
    assert_true(interval_bootstrap(&b).low != single.low);
}

static double largest_of(const void *values, const unsigned *weight)
{
    const double *v = values;
    double most = -INFINITY;

    for (int i = 0; i < N; i++)
        most = weight[i] > 0 ? fmax(most, v[i]) : most;
    return most;
}

static double one(const void *values, const unsigned *weight)
{
    (void)values;
    (void)weight;
    return 1;
}

/* Several of the same draws are what each would be alone; what no draw changes has no interval. */
static void test_bootstrap_of_several(void **state)
{
    (void)state;
    double v[N];
    size_t own[N];

    for (size_t i = 0; i < N; i++) {
        own[i] = i;
        v[i] = sin((double)i);
    }
    struct bootstrap b = {.group = own, .n = N, .groups = N, .draws = 300, .seed = 3};
    const struct measured of[] = {{mean_of, v}, {largest_of, v}, {one, v}};
    struct interval all[3];
    interval_bootstrap_all(all, of, 3, &b);
    for (int k = 0; k < 2; k++) {
        b.statistic = of[k].statistic;
        b.context = of[k].context;
        const struct interval alone = interval_bootstrap(&b);
        near(all[k].value, alone.value, 0);
        near(all[k].low, alone.low, 0);
        near(all[k].high, alone.high, 0);
    }
    near(all[2].value, 1, 0);
    assert_true(isnan(all[2].low) && isnan(all[2].high));
    /* of one group nothing can be said; a difference keeps its draws */
    double p;
    b.statistic = one;
    assert_true(interval_bootstrap_difference(&b, &p).low == 1);
    b.groups = 1;
    memset(own, 0, sizeof own);
    assert_true(isnan(interval_bootstrap(&b).value));
}

static void test_overlap(void **state)
{
    (void)state;
    const float map[] = {.9f, .5f, .51f, .1f, 0, .6f};
    const uint8_t truth[] = {255, 255, 255, 255, 0, 0}, nothing[6] = {0};
    const struct overlap_counts o = overlap_measure(map, truth, 6), e = overlap_measure(map, nothing, 6);
    const float black[6] = {0};
    const struct overlap_counts both_empty = overlap_measure(black, nothing, 6);

    assert_int_equal(o.predicted, 3); /* .5 itself is not predicted */
    near(overlap_dice(&o), 4. / 7, 1e-15);
    near(overlap_iou(&o), 2. / 5, 1e-15);
    near(overlap_dice(&e), 0, 0);
    near(overlap_dice(&both_empty), 1, 0);
    near(overlap_iou(&both_empty), 1, 0);
    near(overlap_soft_dice(&o, NULL, 1), (2 * 2.01 + 1) / (4 + 2.61 + 1), 1e-6);
    near(overlap_soft_dice(&both_empty, NULL, 1), 1, 0);
    const struct overlap_counts two[] = {o, e}; /* sums over the batch, not a mean of two */
    near(overlap_soft_dice(two, NULL, 2), (2 * 2.01 + 1) / (4 + 2 * 2.61 + 1), 1e-6);
}

static struct band choose(const double *score, const bool *malignant, size_t n, double sensitivity,
                          double specificity)
{
    struct band b = {NAN, NAN};
    struct err err = ERR_INIT;
    const struct referral_cases c = {score, malignant, n};

    assert_true(referral_choose(&b, &c, (struct referral_wish){sensitivity, specificity}, &err));
    return b;
}

static void test_thresholds(void **state)
{
    (void)state;
    const double score[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, /* benign */ 2, 4, 6, 8, 10, 12, 14, 16, 18, 20};
    bool malignant[20] = {false};

    for (int i = 10; i < 20; i++)
        malignant[i] = true;
    struct band b = choose(score, malignant, 20, .9, .9);
    near(b.low, 4, 4.001 * BAND_ROUNDING);  /* one of ten malignant (score 2) lies below */
    near(b.high, 8, 8.001 * BAND_ROUNDING); /* one of ten benign (score 9) lies above */
    b = choose(score, malignant, 20, 1, 1);
    near(b.low, 2, 2.001 * BAND_ROUNDING);
    near(b.high, 9, 9.001 * BAND_ROUNDING);
    /* the cases they come from score a little differently in another batch */
    assert_int_equal(band_answer(b, 2 * (1 - BAND_ROUNDING / 2)), ANSWER_UNCERTAIN);
    assert_int_equal(band_answer(b, 9 * (1 + BAND_ROUNDING / 2)), ANSWER_UNCERTAIN);
    b = choose(score, malignant, 20, .1, .1); /* they cross: 20 and 0 */
    assert_true(b.low == b.high);
    near(b.low, 10, 0);
}

static void test_thresholds_with_ties(void **state)
{
    (void)state;
    const double tied[] = {5, 5, 5, 5}, apart[] = {1, 1, 100, 100};
    const bool malignant[] = {false, false, true, true};
    struct band b = choose(tied, malignant, 4, .9, .9);

    near(b.low, 5, 5.001 * BAND_ROUNDING); /* nothing can be told apart: everything is uncertain */
    near(b.high, 5, 5.001 * BAND_ROUNDING);
    assert_int_equal(band_answer(b, 5), ANSWER_UNCERTAIN);
    b = choose(apart, malignant, 4, .9, .9);
    near(b.low, 10, 1e-12); /* the geometric middle */
    near(b.high, 10, 1e-12);
}

/* Whatever the scores, the wishes are met on the set they were chosen on. */
static void test_thresholds_meet_their_wish(void **state)
{
    (void)state;
    double score[N];
    bool malignant[N];

    for (uint64_t seed = 0; seed < 30; seed++) {
        struct confusion c = {0};
        draw_scores(score, malignant, seed);
        const double wish = .5 + .5 * (double)seed / 29;
        const struct band b = choose(score, malignant, N, wish, wish);
        for (int i = 0; i < N; i++)
            confusion_add(&c, b, score[i], malignant[i]);
        assert_true(b.low <= b.high);
        assert_true(share_value(confusion_sensitivity(&c)) >= wish - 1e-12);
        assert_true(share_value(confusion_specificity_at_high(&c)) >= wish - 1e-12);
    }
}

static void test_thresholds_refused(void **state)
{
    (void)state;
    const double score[] = {1, 2};
    const bool none[] = {false, false}, both[] = {false, true};
    struct band b = {-1, -1};
    struct err err = ERR_INIT;

    assert_false(
        referral_choose(&b, &(struct referral_cases){score, none, 2}, (struct referral_wish){.9, .9}, &err));
    assert_string_equal(err.text, "no malignant case to choose thresholds on");
    assert_false(
        referral_choose(&b, &(struct referral_cases){score, both, 2}, (struct referral_wish){1.1, .9}, &err));
    assert_string_equal(err.text, "a wanted sensitivity or specificity lies above 0 and is at most 1");
    near(b.low, -1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_confusion),
        cmocka_unit_test(test_answers_at_the_thresholds),
        cmocka_unit_test(test_undefined_is_nan),
        cmocka_unit_test(test_wilson),
        cmocka_unit_test(test_quantiles),
        cmocka_unit_test(test_auc_is_the_share_of_pairs),
        cmocka_unit_test(test_roc_points),
        cmocka_unit_test(test_roc_area),
        cmocka_unit_test(test_one_class_has_no_ranking),
        cmocka_unit_test(test_auc_error),
        cmocka_unit_test(test_bootstrap_draws_whole_groups),
        cmocka_unit_test(test_bootstrap_of_several),
        cmocka_unit_test(test_overlap),
        cmocka_unit_test(test_thresholds),
        cmocka_unit_test(test_thresholds_with_ties),
        cmocka_unit_test(test_thresholds_meet_their_wish),
        cmocka_unit_test(test_thresholds_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
