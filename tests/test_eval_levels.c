/* Levels, strata, calibration and risk-coverage of result.json from rows made by hand. */
#include "base/mem.h"
#include "eval/measures.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ROW(i, p, s, v, d, l, x)                                                                             \
    {                                                                                                        \
        .id = i, .patient = p, .side = s, .view = v, .density = d, .assessment = "", .subtlety = "",         \
        .image = i, .label = l, .score = x, .dice = (x) / 100., .answer = ANSWER_COUNT                       \
    }
#define B LABEL_BENIGN
#define M LABEL_MALIGNANT

/* Three patients, four breasts. Highest score of a breast: 50 (malignant), 30, 40, 60 (malignant, by its
 * weaker view alone). */
static const struct eval_row ROWS[] = {
    ROW("1", "a", "left", "CC", "2", M, 50),  ROW("2", "a", "left", "MLO", "2", M, 5),
    ROW("3", "a", "right", "CC", "2", B, 30), ROW("4", "b", "left", "CC", "3", B, 40),
    ROW("5", "c", "left", "CC", "3", M, 20),  ROW("6", "c", "left", "MLO", "3", B, 60),
};
enum { N = sizeof ROWS / sizeof *ROWS };

static void rows_make(struct eval_rows *r)
{
    *r = (struct eval_rows){mem_new(N, sizeof *r->of), N, NULL, 0};
    memcpy(r->of, ROWS, sizeof ROWS);
    rows_number_patients(r);
}

static json_t *measured(const struct measures *how)
{
    struct eval_rows r;
    struct measures m = *how;
    json_t *json = json_object();

    rows_make(&r);
    m.rows = &r;
    m.seed = 1;
    measures_set(json, &m);
    rows_release(&r);
    return json;
}

static double at(const json_t *json, const char *a, const char *b)
{
    const json_t *v = json_object_get(json, a);

    v = b ? json_object_get(v, b) : v;
    return json_is_number(v) ? json_number_value(v) : NAN;
}

static void near(double a, double b)
{
    if (!(fabs(a - b) <= 1e-12))
        fail_msg("%.17g instead of %.17g", a, b);
}

static const json_t *named(const json_t *list, const char *key, const char *name, const char *value)
{
    const json_t *v;
    size_t i;

    json_array_foreach(list, i, v)
    {
        const char *its = json_string_value(json_object_get(v, "value"));
        if (!strcmp(json_string_value(json_object_get(v, key)), name) && (!value || !strcmp(its, value)))
            return v;
    }
    fail_msg("no %s %s", name, value ? value : "");
    return NULL;
}

static void test_levels(void **state)
{
    (void)state;
    const struct band band = {10, 45};
    json_t *json = measured(&(struct measures){.judged = true, .malignant_lesions = true, .band = &band});
    const json_t *levels = json_object_get(json, "levels");
    const json_t *image = named(levels, "level", "image", NULL),
                 *breast = named(levels, "level", "breast", NULL),
                 *patient = named(levels, "level", "patient", NULL);

    assert_int_equal(json_array_size(levels), 3);
    near(at(image, "cases", NULL), 6);
    near(at(image, "malignant", NULL), 3);
    /* of 9 pairs 50 wins over 30 and 40 */
    near(at(image, "auc", "value"), 2. / 9);
    near(at(image, "sensitivity", "value"), 2. / 3);
    near(at(breast, "cases", NULL), 4);
    near(at(breast, "patients", NULL), 3);
    near(at(breast, "malignant", NULL), 2);
    near(at(breast, "auc", "value"), 1); /* 50 and 60 against 30 and 40 */
    near(at(breast, "sensitivity", "value"), 1);
    near(at(patient, "cases", NULL), 3);
    near(at(patient, "malignant", NULL), 2);
    near(at(patient, "auc", "value"), 1); /* 50 and 60 against 40 */
    near(at(patient, "specificity", "value"), 0);
    assert_true(json_is_true(json_object_get(patient, "few")));
    assert_true(json_is_null(json_object_get(json, "calibration")));
    assert_true(json_is_null(json_object_get(json, "risk_coverage")));
    assert_true(json_is_null(json_object_get(json, "froc")));
    json_decref(json);
}

static void test_strata(void **state)
{
    (void)state;
    json_t *json = measured(&(struct measures){.judged = true, .malignant_lesions = true});
    const json_t *strata = json_object_get(json, "strata");
    const json_t *two = named(strata, "by", "density", "2"), *mlo = named(strata, "by", "view", "MLO");

    assert_int_equal(json_array_size(strata), 4); /* two densities, two views; the rest is not told */
    near(at(two, "cases", NULL), 3);
    near(at(two, "patients", NULL), 1);
    /* one patient says nothing about others */
    assert_true(json_is_null(json_object_get(json_object_get(two, "auc"), "value")));
    assert_true(json_is_null(json_object_get(json_object_get(two, "dice"), "value")));
    assert_true(json_is_true(json_object_get(two, "few")));
    near(at(mlo, "cases", NULL), 2);
    near(at(mlo, "auc", "value"), 0);
    assert_true(json_is_null(json_object_get(json_object_get(mlo, "auc"), "low"))); /* 0 in every draw */
    near(at(mlo, "dice", "value"), .05);                                            /* the malignant one */
    assert_null(json_object_get(mlo, "sensitivity"));                               /* no thresholds */
    json_decref(json);
}

static void test_calibration(void **state)
{
    (void)state;
    /* x = log(score), probability 1 / (1 + 30 / score) */
    double x[] = {0, 10}, y[] = {.5, .5};
    const struct score_calibration c = {
        .fitted = true, .scale = SCORE_LOG, .platt = {1, -log(30)}, .isotonic = {x, y, 2}, .sha256 = "abc"};
    json_t *json = measured(&(struct measures){.judged = true, .calibration = &c, .same_images = true});
    const json_t *k = json_object_get(json, "calibration"), *platt = json_object_get(k, "platt");
    double brier = 0;

    for (int i = 0; i < N; i++)
        brier += pow(ROWS[i].score / (30 + ROWS[i].score) - (ROWS[i].label == M), 2) / N;
    near(at(platt, "brier", "value"), brier);
    near(at(json_object_get(k, "isotonic"), "brier", "value"), .25);
    near(at(json_object_get(k, "isotonic"), "ece", "value"), 0);
    near(at(k, "brier_of_base_rate", NULL), .25);
    assert_true(json_is_true(json_object_get(k, "same_images")));
    /* probabilities .625 .143 .5 .571 .4 .667, answered from the surest: 5 (wrong), 60 (wrong), 50 (right)
     * ... */
    const json_t *curve = json_object_get(json_object_get(json, "risk_coverage"), "curve");
    assert_int_equal(json_array_size(curve), 6);
    near(json_number_value(json_array_get(json_array_get(curve, 0), 0)), 1. / 6);
    near(json_number_value(json_array_get(json_array_get(curve, 0), 1)), 1);
    near(json_number_value(json_array_get(json_array_get(curve, 2), 1)), 2. / 3);
    near(json_number_value(json_array_get(json_array_get(curve, 5), 1)), 5. / 6);
    /* half of the cases are three, of which two are wrong */
    const json_t *half = json_array_get(json_object_get(json_object_get(json, "risk_coverage"), "at"), 1);
    near(at(half, "coverage", NULL), .5);
    near(at(half, "of", NULL), 3);
    near(at(half, "risk", "value"), 2. / 3);
    near(at(half, "risk", "low"), interval_wilson((struct share){2, 3}).low);
    /* by score 60 B, 50 M, 40 B, 30 B, 20 M, 5 M: two of three malignant are reached with five called */
    const json_t *reach = json_array_get(json_object_get(json_object_get(json, "precision_recall"), "at"), 0);
    near(at(reach, "recall", NULL), .5);
    near(at(reach, "of", NULL), 5);
    near(at(reach, "precision", "value"), 2. / 5);
    near(at(reach, "precision", "high"), interval_wilson((struct share){2, 5}).high);
    json_decref(json);
}

static void curve_at(const void *context, size_t i, double v[3])
{
    (void)context;
    v[0] = (double)i;
    v[2] = INFINITY;
}

static void test_long_curves_are_thinned(void **state)
{
    (void)state;
    json_t *curve = measures_curve(1000001, curve_at, NULL);
    const size_t n = json_array_size(curve);

    assert_in_range(n, MEASURES_POINTS / 2, MEASURES_POINTS + 1);
    near(json_number_value(json_array_get(json_array_get(curve, 0), 0)), 0);
    near(json_number_value(json_array_get(json_array_get(curve, n - 1), 0)), 1000000);
    assert_true(json_is_null(json_array_get(json_array_get(curve, 0), 2)));
    json_decref(curve);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_levels),
        cmocka_unit_test(test_strata),
        cmocka_unit_test(test_calibration),
        cmocka_unit_test(test_long_curves_are_thinned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
