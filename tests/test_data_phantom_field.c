/* phantom_field.h: the spectrum is what it says, measured with a plain Fourier sum of the test's own. */
#include "data/phantom_field.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

enum { SIDE = 128, FIELDS = 6 };

/* Power of the wave that runs (kx, ky) times along the sides. */
static double power_at(const struct phantom_field *f, int kx, int ky)
{
    double re = 0, im = 0;

    for (int y = 0; y < f->n; y++)
        for (int x = 0; x < f->n; x++) {
            double a = 2 * M_PI * (kx * x + ky * y) / f->n;
            re += f->value[y * f->n + x] * cos(a);
            im += f->value[y * f->n + x] * sin(a);
        }
    return (re * re + im * im) / pow(f->n, 4);
}

static void make(struct phantom_field pair[2], uint64_t seed, struct phantom_spectrum s)
{
    struct rng r = rng_at(seed, RNG_TEST, 0, 0);
    struct err e = ERR_INIT;

    if (!phantom_field_pair(pair, SIDE, s, &r, &e))
        fail_msg("%s", e.text);
}

static void release(struct phantom_field pair[2])
{
    phantom_field_release(&pair[0]);
    phantom_field_release(&pair[1]);
}

/* The mean power over fields and directions falls by the slope over wave numbers. */
static double slope_of(double beta)
{
    static const int K[] = {4, 6, 9, 13, 20, 30};
    enum { COUNT = sizeof K / sizeof *K };
    double power[COUNT] = {0}, sx = 0, sy = 0, sxx = 0, sxy = 0;

    for (uint64_t seed = 0; seed < FIELDS; seed++) {
        struct phantom_field pair[2];
        make(pair, seed, (struct phantom_spectrum){beta, 2, 50});
        for (int f = 0; f < 2; f++)
            for (int i = 0; i < COUNT; i++)
                power[i] += power_at(&pair[f], K[i], 0) + power_at(&pair[f], 0, K[i]);
        release(pair);
    }
    for (int i = 0; i < COUNT; i++) {
        double x = log(K[i]), y = log(power[i]);
        sx += x;
        sy += y;
        sxx += x * x;
        sxy += x * y;
    }
    return (COUNT * sxy - sx * sy) / (COUNT * sxx - sx * sx);
}

static void the_power_falls_as_asked(void **state)
{
    (void)state;
    assert_true(fabs(slope_of(3) + 3) < 0.35);
    assert_true(fabs(slope_of(1.5) + 1.5) < 0.35);
}

static void mean_is_zero_and_variance_one(void **state)
{
    (void)state;
    struct phantom_field pair[2];
    double sum[2] = {0}, square[2] = {0}, both = 0;
    int n = SIDE * SIDE;

    make(pair, 3, (struct phantom_spectrum){2, 3, 60});
    for (int i = 0; i < n; i++) {
        for (int f = 0; f < 2; f++) {
            sum[f] += pair[f].value[i];
            square[f] += pair[f].value[i] * pair[f].value[i];
        }
        both += pair[0].value[i] * pair[1].value[i];
    }
    for (int f = 0; f < 2; f++)
        assert_true(fabs(sum[f] / n) < 1e-4);
    assert_true(fabs((square[0] + square[1]) / (2 * n) - 1) < 1e-3);
    assert_true(fabs(square[0] / n - 1) < 0.3);
    assert_true(fabs(both / n) < 0.3);
    release(pair);
}

static void outside_the_band_is_nothing(void **state)
{
    (void)state;
    struct phantom_field pair[2];

    make(pair, 4, (struct phantom_spectrum){3, 5, 20});
    for (int f = 0; f < 2; f++) {
        assert_true(power_at(&pair[f], 4, 0) < 1e-10);
        assert_true(power_at(&pair[f], 3, 3) < 1e-10);
        assert_true(power_at(&pair[f], 0, 21) < 1e-10);
        assert_true(power_at(&pair[f], 15, 15) < 1e-10);
        assert_true(power_at(&pair[f], 4, 4) + power_at(&pair[f], 4, -4) > 1e-5);
    }
    release(pair);
}

static void sampling_is_linear_and_goes_round(void **state)
{
    (void)state;
    struct phantom_field pair[2];

    make(pair, 5, (struct phantom_spectrum){3, 2, 30});
    const float *v = pair[0].value;
    double middle = (v[7 * SIDE + 9] + v[7 * SIDE + 10] + v[8 * SIDE + 9] + v[8 * SIDE + 10]) / 4;
    assert_true(fabs(phantom_field_at(&pair[0], 9.0f / SIDE, 7.0f / SIDE) - v[7 * SIDE + 9]) < 1e-5);
    assert_true(fabs(phantom_field_at(&pair[0], 9.5f / SIDE, 7.5f / SIDE) - middle) < 1e-5);
    assert_true(fabs(phantom_field_at(&pair[0], 9.0f / SIDE - 3, 7.0f / SIDE + 2) - v[7 * SIDE + 9]) < 1e-5);
    double seam = (v[SIDE - 1] + v[0]) / 2;
    assert_true(fabs(phantom_field_at(&pair[0], (SIDE - 0.5f) / SIDE, 0) - seam) < 1e-5);
    release(pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_power_falls_as_asked),
        cmocka_unit_test(mean_is_zero_and_variance_one),
        cmocka_unit_test(outside_the_band_is_nothing),
        cmocka_unit_test(sampling_is_linear_and_goes_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
