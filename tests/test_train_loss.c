/* Losses: values worked out by hand, gradients against central differences, the same bits on any number of
 * threads. */
#include "train/loss.h"

#include "base/rng.h"
#include "nn/exec.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void test_values_by_hand(void **state)
{
    (void)state;
    const float t[4] = {1, 1, 0, 0}, p[4] = {0.5f, 1, 0.25f, 0}, none[4] = {0, 0, 0, 0};
    /* I = 1.5, T = 2, P = 1.75 */
    assert_float_equal(loss_soft_dice(t, p, 4), 4 / 4.75, 1e-12);
    assert_float_equal(loss_find("dice")->measure(t, p, 4, NULL), -4 / 4.75, 1e-12);
    assert_float_equal(loss_soft_dice(none, p, 4), 1 / 2.75, 1e-12);
    assert_float_equal(loss_soft_dice(none, none, 4), 1, 0);
    /* both weights 1/4; background I = .75 + 1 = 1.75 */
    assert_float_equal(loss_find("generalised-dice")->measure(t, p, 4, NULL), 1 - 2 * 3.25 / (3.75 + 4.25),
                       1e-12);
    /* cross-entropies ln 2, -log(1 - 1e-7), -log(.75), -log(1 - 1e-7) */
    double bce = (log(2) - log(.75) + 2e-7) / 4;
    assert_float_equal(loss_find("bce-dice")->measure(t, p, 4, NULL), bce - 4 / 4.75, 2e-8);
    /* two items of two classes, the second of weight 3: (-ln .5 - 3 ln .8) / 2 */
    const float class[4] = {1, 0, 0, 3}, said[4] = {.5f, .5f, .2f, .8f};
    assert_float_equal(loss_find("cross-entropy")->measure(class, said, 4, NULL), (log(2) - 3 * log(.8)) / 2,
                       1e-7);
    assert_null(loss_find("mse"));
}

static void check_gradient(const char *name, const float *t, const float *p, size_t n)
{
    const struct loss *loss = loss_find(name);
    float grad[512], q[512];

    memcpy(q, p, n * sizeof *q);
    loss->measure(t, p, n, grad);
    for (size_t i = 0; i < n; i++) {
        q[i] = p[i] + 0x1p-9f;
        double up = loss->measure(t, q, n, NULL);
        double step = q[i];
        q[i] = p[i] - 0x1p-9f;
        double down = loss->measure(t, q, n, NULL);
        step -= q[i];
        q[i] = p[i];
        double expected = (up - down) / step, error = fabs(grad[i] - expected);
        if (error > 1e-3 * fabs(expected) + 1e-8)
            fail_msg("%s: gradient %zu is %g, differences say %g", name, i, grad[i], expected);
    }
}

static void test_gradients(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"dice", "generalised-dice", "bce-dice", "cross-entropy"};
    float t[512], p[512], none[512] = {0};
    struct rng r = rng_at(1, RNG_TEST, 0, 0);

    for (int i = 0; i < 512; i++) {
        t[i] = i % 7 == 0 ? (float)rng_uniform(&r) : i % 3 == 0; /* soft edges, as augmentation makes them */
        p[i] = (float)rng_between(&r, 0.1, 0.9);
    }
    for (int k = 0; k < 4; k++) {
        check_gradient(NAMES[k], t, p, 512);
        check_gradient(NAMES[k], none, p, 512);
    }
}

/* Keras clips: beyond 1e-7 from 0 and 1 the cross-entropy pulls no more, only the Dice does. */
static void test_saturated_outputs(void **state)
{
    (void)state;
    const float t[2] = {1, 0}, p[2] = {0, 1};
    float all[2], dice[2];
    double loss = loss_find("bce-dice")->measure(t, p, 2, all);
    loss_find("dice")->measure(t, p, 2, dice);
    const float none[2] = {1, 0}, sure[2] = {0, 1};
    assert_float_equal(loss_find("cross-entropy")->measure(none, sure, 2, all), -log(1e-7), 1e-5);
    assert_true(all[0] == 0 && all[1] == 0);
    loss_find("bce-dice")->measure(t, p, 2, all);
    /* the float next to 1 - 1e-7 is 1 - 2^-23 */
    assert_float_equal(loss, (-log(1e-7) - log(0x1p-23)) / 2 - 1.0 / 3, 1e-6);
    assert_memory_equal(all, dice, sizeof all);
}

static void test_threads_do_not_matter(void **state)
{
    (void)state;
    static float t[100003], p[100003], one[100003], four[100003];
    struct rng r = rng_at(2, RNG_TEST, 0, 0);

    for (int i = 0; i < 100003; i++) {
        t[i] = (float)(rng_uniform(&r) < 0.1);
        p[i] = (float)rng_uniform(&r);
    }
    static const char *const NAMES[] = {"dice", "generalised-dice", "bce-dice"};
    for (int k = 0; k < 3; k++) {
        nn_threads(1);
        double a = loss_find(NAMES[k])->measure(t, p, 100003, one);
        nn_threads(4);
        double b = loss_find(NAMES[k])->measure(t, p, 100003, four);
        assert_memory_equal(&a, &b, sizeof a);
        assert_memory_equal(one, four, sizeof one);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values_by_hand),
        cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_saturated_outputs),
        cmocka_unit_test(test_threads_do_not_matter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
