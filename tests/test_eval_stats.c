/* Statistics against R, SciPy and scikit-learn: tests/golden/stats_{r,py}.json, made by tools/golden_stats.*;
 * and what they do where there is nothing to say. */
#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "eval/binomial.h"
#include "eval/calibration.h"
#include "eval/coverage.h"
#include "eval/delong.h"
#include "eval/froc.h"
#include "eval/precision.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static json_t *from_r, *from_python;

static void near(double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance * fmax(1, fabs(b))))
        fail_msg("%.17g instead of %.17g", a, b);
}

/* Relative also where the numbers are tiny. */
static void near_relative(double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance * fabs(b) + 1e-300))
        fail_msg("%.17g instead of %.17g", a, b);
}

static double at(const json_t *row, size_t i)
{
    return json_number_value(json_array_get(row, i));
}

static double *numbers(const json_t *object, const char *key, size_t *n)
{
    const json_t *list = json_object_get(object, key);
    double *v = mem_new(json_array_size(list) + 1, sizeof *v);

    *n = json_array_size(list);
    for (size_t i = 0; i < *n; i++)
        v[i] = at(list, i);
    return v;
}

static bool *truths(const json_t *object, const char *key)
{
    const json_t *list = json_object_get(object, key);
    bool *v = mem_new(json_array_size(list) + 1, sizeof *v);

    for (size_t i = 0; i < json_array_size(list); i++)
        v[i] = at(list, i) != 0;
    return v;
}

/* The rows of a list that must not be empty. */
static const json_t *rows(const json_t *from, const char *key)
{
    const json_t *list = json_object_get(from, key);

    assert_true(json_array_size(list) > 0);
    return list;
}

static void test_beta(void **state)
{
    (void)state;
    const json_t *list = rows(from_python, "beta"), *r;
    size_t i;

    json_array_foreach(list, i, r)
    {
        near_relative(special_beta(at(r, 0), at(r, 1), at(r, 2)), at(r, 3), 1e-9);
    }
    near(special_beta(2, 3, 0), 0, 0);
    near(special_beta(2, 3, 1), 1, 0);
}

static void test_binomial(void **state)
{
    (void)state;
    const json_t *r;
    size_t i;

    json_array_foreach(rows(from_r, "cdf"), i, r)
    {
        near_relative(binomial_cdf((size_t)at(r, 0), (size_t)at(r, 1), at(r, 2)), at(r, 3), 1e-11);
    }
    json_array_foreach(rows(from_r, "binomial"), i, r)
    {
        const struct share s = {(size_t)at(r, 0), (size_t)at(r, 1)};
        const struct interval both = binomial_interval(s, at(r, 2));
        near(binomial_upper(s, at(r, 2)), at(r, 3), 1e-10);
        near(binomial_lower(s, at(r, 2)), at(r, 4), 1e-10);
        near(both.low, at(r, 5), 1e-10);
        near(both.high, at(r, 6), 1e-10);
    }
    near(binomial_upper((struct share){0, 0}, .95), 1, 0);
    near(binomial_lower((struct share){0, 0}, .95), 0, 0);
}

static void test_mcnemar(void **state)
{
    (void)state;
    const json_t *r;
    size_t i;

    json_array_foreach(rows(from_r, "mcnemar"), i, r)
    {
        near(mcnemar_exact((size_t)at(r, 0), (size_t)at(r, 1)), at(r, 2), 1e-12);
    }
    near(mcnemar_exact(0, 0), 1, 0);
}

static void test_holm(void **state)
{
    (void)state;
    const json_t *r;
    size_t i, n;

    json_array_foreach(rows(from_r, "holm"), i, r)
    {
        double *p = numbers(r, "p", &n), *wanted = numbers(r, "adjusted", &n);
        holm_adjust(p, n);
        for (size_t k = 0; k < n; k++)
            near(p[k], wanted[k], 1e-12);
        free(p);
        free(wanted);
    }
    double with_gap[] = {.01, NAN, .04};
    holm_adjust(with_gap, 3);
    near(with_gap[0], .02, 1e-15);
    assert_true(isnan(with_gap[1]));
    near(with_gap[2], .04, 1e-15);
}

static void test_delong(void **state)
{
    (void)state;
    const json_t *r;
    size_t i, n;

    json_array_foreach(rows(from_r, "delong"), i, r)
    {
        double *first = numbers(r, "first", &n), *second = numbers(r, "second", &n);
        bool *truth = truths(r, "truth");
        const struct delong d = delong_compare(&(struct delong_pair){first, second, truth, n});
        for (int s = 0; s < 2; s++) {
            near(d.auc[s], at(json_object_get(r, "auc"), (size_t)s), 1e-12);
            near(d.variance[s], at(json_object_get(r, "variance"), (size_t)s), 1e-12);
        }
        near(d.covariance, json_number_value(json_object_get(r, "covariance")), 1e-12);
        near(d.z, json_number_value(json_object_get(r, "z")), 1e-9);
        near(d.p, json_number_value(json_object_get(r, "p")), 1e-9);
        near((d.low + d.high) / 2, d.difference, 1e-12);
        free(first);
        free(second);
        free(truth);
    }
}

static void test_delong_without_an_answer(void **state)
{
    (void)state;
    const double a[] = {1, 2, 3, 4}, b[] = {4, 3, 2, 1};
    const bool one_class[4] = {false}, truth[] = {false, false, true, true};
    struct delong d = delong_compare(&(struct delong_pair){a, b, one_class, 4});

    assert_true(isnan(d.auc[0]) && isnan(d.p) && isnan(d.difference));
    d = delong_compare(&(struct delong_pair){a, a, truth, 4}); /* the same score twice */
    near(d.p, 1, 0);
    d = delong_compare(&(struct delong_pair){a, b, truth, 4}); /* perfect against reversed: no variance */
    near(d.difference, -1, 0);
    assert_true(isnan(d.p) && isnan(d.z));
    d = delong_compare(&(struct delong_pair){a, b, truth, 0});
    assert_true(isnan(d.auc[0]));
}

static void check_calibration(const json_t *r)
{
    size_t n, n_at;
    double *x = numbers(r, "x", &n), *p = numbers(r, "p", &n), *where = numbers(r, "at", &n_at);
    double *wanted = numbers(r, "isotonic", &n_at);
    bool *truth = truths(r, "truth");
    const struct calibration_cases c = {x, truth, n};
    const struct forecasts f = {p, truth, n};
    struct platt platt;
    struct isotonic i = ISOTONIC_INIT;

    assert_true(platt_fit(&platt, &c));
    near(platt.slope, json_number_value(json_object_get(r, "slope")), 1e-8);
    near(platt.offset, json_number_value(json_object_get(r, "offset")), 1e-8);
    near(platt_probability(platt, 0), 1 / (1 + exp(-platt.offset)), 1e-15);
    assert_true(isotonic_fit(&i, &c));
    for (size_t k = 0; k < n_at; k++)
        near(isotonic_probability(&i, where[k]), wanted[k], 1e-12);
    near(forecast_ece(&f, NULL), json_number_value(json_object_get(r, "ece")), 1e-12);
    near(forecast_brier(&f, NULL), json_number_value(json_object_get(r, "brier")), 1e-12);
    isotonic_release(&i);
    free(x);
    free(p);
    free(where);
    free(wanted);
    free(truth);
}

static void test_calibration(void **state)
{
    (void)state;
    const json_t *r;
    size_t i;

    json_array_foreach(rows(from_python, "calibration"), i, r)
    {
        check_calibration(r);
    }
}

static void test_calibration_without_an_answer(void **state)
{
    (void)state;
    const double x[] = {1, 2, 3}, same[] = {2, 2, 2}, p[] = {0, .5, 1};
    const bool none[3] = {false}, some[] = {false, true, true};
    struct platt platt = {-1, -1};
    struct isotonic i = ISOTONIC_INIT;

    assert_false(platt_fit(&platt, &(struct calibration_cases){x, none, 3}));
    assert_false(platt_fit(&platt, &(struct calibration_cases){same, some, 3}));
    double equal[40]; /* whose mean is not log(4) to the last bit */
    bool half[40];
    for (int k = 0; k < 40; k++) {
        equal[k] = log(4);
        half[k] = k % 2;
    }
    assert_false(platt_fit(&platt, &(struct calibration_cases){equal, half, 40}));
    assert_false(platt_fit(&platt, &(struct calibration_cases){x, some, 0}));
    near(platt.slope, -1, 0);
    assert_false(isotonic_fit(&i, &(struct calibration_cases){x, some, 0}));
    assert_true(isnan(isotonic_probability(&i, 1)));
    assert_true(isotonic_fit(&i, &(struct calibration_cases){same, some, 3}));
    near(isotonic_probability(&i, 9), 2. / 3, 1e-15);
    isotonic_release(&i);
    assert_true(isnan(forecast_ece(&(struct forecasts){p, some, 0}, NULL)));
    assert_true(isnan(forecast_brier(&(struct forecasts){p, some, 0}, NULL)));
    near(forecast_ece(&(struct forecasts){p, some, 3}, NULL), .5 / 3, 1e-15);
}

/* A case that counts three times is three cases. */
static void test_weights_are_copies(void **state)
{
    (void)state;
    const double once[] = {.2, .3, .9, .55}, thrice[] = {.3, .3, .3, .9, .55, .55};
    const bool truth[] = {true, false, true, true}, copies[] = {false, false, false, true, true, true};
    const unsigned weight[] = {0, 3, 1, 2};
    struct ranking a, b;

    near(forecast_ece(&(struct forecasts){once, truth, 4}, weight),
         forecast_ece(&(struct forecasts){thrice, copies, 6}, NULL), 1e-15);
    near(forecast_brier(&(struct forecasts){once, truth, 4}, weight),
         forecast_brier(&(struct forecasts){thrice, copies, 6}, NULL), 1e-15);
    ranking_make(&a, once, truth, 4);
    ranking_make(&b, thrice, copies, 6);
    near(ranking_average_precision(&a, weight), ranking_average_precision(&b, NULL), 1e-15);
    ranking_release(&a);
    ranking_release(&b);
}

static void test_precision(void **state)
{
    (void)state;
    const json_t *r;
    size_t i, n;

    json_array_foreach(rows(from_python, "precision"), i, r)
    {
        double *score = numbers(r, "score", &n);
        bool *truth = truths(r, "truth");
        struct ranking k;
        struct pr_curve c;
        ranking_make(&k, score, truth, n);
        pr_make(&c, &k);
        near(ranking_average_precision(&k, NULL), json_number_value(json_object_get(r, "average_precision")),
             1e-12);
        assert_true(c.count >= json_array_size(json_object_get(r, "recall")));
        for (size_t p = 0; p < json_array_size(json_object_get(r, "recall")); p++) {
            near(c.point[p].recall, at(json_object_get(r, "recall"), p), 1e-12);
            near(c.point[p].precision, at(json_object_get(r, "precision"), p), 1e-12);
            near(c.point[p].threshold, at(json_object_get(r, "threshold"), p), 0);
        }
        pr_release(&c);
        ranking_release(&k);
        memset(truth, 0, n); /* nothing to find */
        ranking_make(&k, score, truth, n);
        pr_make(&c, &k);
        assert_int_equal(c.count, 0);
        assert_true(isnan(ranking_average_precision(&k, NULL)));
        pr_release(&c);
        ranking_release(&k);
        free(score);
        free(truth);
    }
}

/* A hexadecimal digit a pixel, in sixteenths. */
static void read_map(const char *text, float *map, uint8_t *truth, size_t n)
{
    assert_int_equal(strlen(text), n);
    for (size_t i = 0; i < n; i++) {
        const int v = text[i] <= '9' ? text[i] - '0' : text[i] - 'a' + 10;
        if (map)
            map[i] = (float)v / 16;
        else
            truth[i] = (uint8_t)v;
    }
}

static void check_froc(const json_t *set)
{
    const json_t *maps = json_object_get(set, "maps"), *curve = json_object_get(set, "curve"), *row;
    const int side = (int)json_integer_value(json_object_get(set, "side"));
    const size_t n = json_array_size(maps), pixels = (size_t)(side * side);
    struct marks *marks = mem_new(n, sizeof *marks);
    float *map = mem_new(pixels, sizeof *map);
    uint8_t *truth = mem_new(pixels, 1);
    struct err err = ERR_INIT;
    struct froc f;
    size_t count, i;

    for (i = 0; i < n; i++) {
        read_map(json_string_value(json_array_get(maps, i)), map, NULL, pixels);
        read_map(json_string_value(json_array_get(json_object_get(set, "truths"), i)), NULL, truth, pixels);
        assert_true(marks_find(&marks[i], map, truth, side, &err));
    }
    froc_make(&f, marks, n);
    assert_int_equal(froc_count(&f).lesions, json_integer_value(json_object_get(set, "lesions")));
    struct froc_point *point = froc_curve(&f, &count);
    assert_int_equal(count, json_array_size(curve));
    for (i = 0; i < count; i++) {
        near(point[i].false_per_image, at(json_array_get(curve, i), 0), 1e-12);
        near(point[i].sensitivity, at(json_array_get(curve, i), 1), 1e-12);
    }
    json_array_foreach(json_object_get(set, "at"), i, row)
    {
        near(froc_sensitivity(&(struct froc_at){&f, at(row, 0)}, NULL), at(row, 1), 1e-12);
    }
    for (i = 0; i < n; i++)
        marks_release(&marks[i]);
    froc_release(&f);
    free(point);
    free(marks);
    free(map);
    free(truth);
}

static void test_froc(void **state)
{
    (void)state;
    const json_t *set;
    size_t i;

    json_array_foreach(rows(from_python, "froc"), i, set)
    {
        check_froc(set);
    }
}

static void test_froc_without_lesions(void **state)
{
    (void)state;
    const float map[4] = {1, 0, 0, 0};
    const uint8_t truth[4] = {0};
    struct marks m = MARKS_INIT;
    struct froc f;
    struct err err = ERR_INIT;
    size_t count = 9;

    assert_true(marks_find(&m, map, truth, 2, &err));
    froc_make(&f, &m, 1);
    assert_int_equal(froc_count(&f).wrong, 1);
    assert_null(froc_curve(&f, &count));
    assert_int_equal(count, 0);
    assert_true(isnan(froc_sensitivity(&(struct froc_at){&f, 1}, NULL)));
    froc_release(&f);
    marks_release(&m);
    froc_make(&f, NULL, 0);
    assert_true(isnan(froc_sensitivity(&(struct froc_at){&f, 1}, NULL)));
    froc_release(&f);
}

static void test_coverage(void **state)
{
    (void)state;
    const json_t *r;
    size_t i, n;

    json_array_foreach(rows(from_python, "coverage"), i, r)
    {
        double *confidence = numbers(r, "confidence", &n);
        bool *wrong = truths(r, "wrong");
        const json_t *points = json_object_get(r, "points");
        struct coverage_curve c;
        coverage_make(&c, &(struct coverage_cases){confidence, wrong, n});
        assert_int_equal(c.count, json_array_size(points));
        for (size_t k = 0; k < c.count; k++) {
            near(c.point[k].coverage, at(json_array_get(points, k), 0), 1e-12);
            near(c.point[k].risk, at(json_array_get(points, k), 1), 1e-12);
        }
        near(c.area, json_number_value(json_object_get(r, "area")), 1e-12);
        coverage_release(&c);
        coverage_make(&c, &(struct coverage_cases){confidence, wrong, 0});
        assert_int_equal(c.count, 0);
        assert_true(isnan(c.area));
        coverage_release(&c);
        free(confidence);
        free(wrong);
    }
}

static int read_golden(void **state)
{
    (void)state;
    struct err err = ERR_INIT;

    from_r = json_file_read(TESTS_DIR "/golden/stats_r.json", &err);
    from_python = from_r ? json_file_read(TESTS_DIR "/golden/stats_py.json", &err) : NULL;
    if (!from_python)
        fail_msg("%s", err.text);
    return 0;
}

static int release_golden(void **state)
{
    (void)state;
    json_decref(from_r);
    json_decref(from_python);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_beta),
        cmocka_unit_test(test_binomial),
        cmocka_unit_test(test_mcnemar),
        cmocka_unit_test(test_holm),
        cmocka_unit_test(test_delong),
        cmocka_unit_test(test_delong_without_an_answer),
        cmocka_unit_test(test_calibration),
        cmocka_unit_test(test_calibration_without_an_answer),
        cmocka_unit_test(test_weights_are_copies),
        cmocka_unit_test(test_precision),
        cmocka_unit_test(test_froc),
        cmocka_unit_test(test_froc_without_lesions),
        cmocka_unit_test(test_coverage),
    };
    return cmocka_run_group_tests(tests, read_golden, release_golden);
}
