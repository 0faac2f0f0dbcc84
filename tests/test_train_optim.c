/* Optimisers against the formulas written out for one number in double, and what they must leave alone; the
 * plateau. */
#include "train/optim.h"
#include "train/schedule.h"

#include "base/mem.h"
#include "base/rng.h"
#include "nn/exec.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void build(struct nn_graph *g, bool frozen)
{
    nn_id x = nn_input(g, (struct nn_shape){3, 8, 8});
    x = nn_conv2d(g, x, "conv", (struct nn_conv){.filters = 5, .kernel = 3, .pad = 1});
    nn_batchnorm(g, x, "norm", (struct nn_norm){.epsilon = 1e-3f, .frozen = frozen});
}

/* One number of p, and what the formulas make of the same gradients. */
struct scalar {
    double p, m, v;
};

static void scalar_adam(struct scalar *s, double g, int t, double rate)
{
    double lr = rate * sqrt(1 - pow(.999, t)) / (1 - pow(.9, t));
    s->m = .9 * s->m + .1 * g;
    s->v = .999 * s->v + .001 * g * g;
    s->p -= lr * s->m / (sqrt(s->v) + 1e-7);
}

static void scalar_sgd(struct scalar *s, double g, double rate, double momentum)
{
    s->m = momentum * s->m - rate * g;
    s->p += s->m;
}

static void scalar_nesterov(struct scalar *s, double g, double rate, double momentum)
{
    s->m = momentum * s->m - rate * g;
    s->p += momentum * s->m - rate * g;
}

static void check(enum optim_kind kind, bool nesterov, double decay)
{
    struct nn_graph g = NN_GRAPH_INIT;
    build(&g, false);
    struct optim o = {.kind = kind,
                      .learning_rate = .01,
                      .decay = decay,
                      .momentum = .8,
                      .nesterov = nesterov,
                      .graph = &g};
    float *p = mem_new(g.n_values, sizeof *p), *grad = mem_new(g.n_values, sizeof *grad);
    struct scalar *s = mem_new(g.n_values, sizeof *s);
    struct rng r = rng_at(3, RNG_TEST, 0, 0);

    optim_init(&o);
    for (size_t i = 0; i < g.n_values; i++)
        s[i].p = p[i] = (float)rng_normal(&r);
    for (int step = 0; step < 20; step++) {
        double rate = .01 / (1 + decay * step);
        for (size_t i = 0; i < g.n_values; i++) {
            grad[i] = (float)rng_normal(&r);
            if (kind == OPTIM_ADAM)
                scalar_adam(&s[i], grad[i], step + 1, rate);
            else if (nesterov)
                scalar_nesterov(&s[i], grad[i], rate, .8);
            else
                scalar_sgd(&s[i], grad[i], rate, .8);
        }
        optim_step(&o, p, grad);
    }
    assert_int_equal(o.iterations, 20);
    for (int k = 0; k < g.n_slots; k++) {
        for (size_t i = g.slot[k].offset; g.slot[k].trainable && i < g.slot[k].offset + g.slot[k].count; i++)
            assert_true(fabs(p[i] - s[i].p) < 2e-6 * (1 + fabs(s[i].p)));
    }
    optim_release(&o);
    nn_graph_release(&g);
    free(p);
    free(grad);
    free(s);
}

static void test_formulas(void **state)
{
    (void)state;
    check(OPTIM_ADAM, false, 0);
    check(OPTIM_ADAM, false, .1);
    check(OPTIM_SGD, false, 0);
    check(OPTIM_SGD, true, 0);
    check(OPTIM_SGD, true, .1);
}

static void test_first_adam_step_by_hand(void **state)
{
    (void)state;
    struct nn_graph g = NN_GRAPH_INIT;
    build(&g, false);
    struct optim o = {.kind = OPTIM_ADAM, .learning_rate = .001, .graph = &g};
    float *p = mem_new(g.n_values, sizeof *p), *grad = mem_new(g.n_values, sizeof *grad);
    optim_init(&o);
    p[0] = 1;
    grad[0] = -2; /* any gradient moves by the rate at first: 1e-3 * (1 - tiny) */
    grad[1] =
        1e-9f; /* epsilon is outside the bias correction: 1e-10 / (sqrt(1e-21) + 1e-7) * sqrt(.001) / .1 */
    optim_step(&o, p, grad);
    assert_true(fabs(p[0] - 1.001) < 2e-7);
    double expected = -.001 * sqrt(.001) / .1 * 1e-10 / (sqrt(1e-21) + 1e-7);
    assert_true(fabs(p[1] - expected) < 1e-3 * fabs(expected));
    optim_release(&o);
    nn_graph_release(&g);
    free(p);
    free(grad);
}

static void test_leaves_statistics_and_frozen_layers_alone(void **state)
{
    (void)state;
    struct nn_graph g = NN_GRAPH_INIT;
    build(&g, true);
    struct optim o = {.kind = OPTIM_SGD, .learning_rate = 1, .graph = &g};
    float *p = mem_new(g.n_values, sizeof *p), *grad = mem_new(g.n_values, sizeof *grad);
    optim_init(&o);
    for (size_t i = 0; i < g.n_values; i++)
        grad[i] = 1;
    g.slot[2].trainable = g.slot[3].trainable = false; /* gamma and beta, as a frozen backbone has them */
    optim_step(&o, p, grad);
    for (int k = 0; k < g.n_slots; k++) {
        bool moved = g.slot[k].role == NN_KERNEL || g.slot[k].role == NN_BIAS;
        for (size_t i = 0; i < g.slot[k].count; i++)
            assert_true(p[g.slot[k].offset + i] == (moved ? -1 : 0));
    }
    optim_release(&o);
    nn_graph_release(&g);
    free(p);
    free(grad);
}

/* Rate .5, decay 1, momentum .5, gradients 1 and 2, all binary fractions, so that nothing is rounded. Rates
 * .5 and .25. Nesterov: v1 = -.5, p1 = -.25 - .5 = -.75; v2 = -.25 - .5 = -.75, p2 = -.75 - .375 - .5 =
 * -1.625. Without nesterov: p1 = -.5, p2 = -.5 - .75 = -1.25. */
static void test_sgd_to_the_last_digit(void **state)
{
    static const float EXPECTED[2][2] = {{-.5f, -1.25f}, {-.75f, -1.625f}};

    (void)state;
    for (int nesterov = 0; nesterov < 2; nesterov++) {
        struct nn_graph g = NN_GRAPH_INIT;
        build(&g, false);
        struct optim o = {.kind = OPTIM_SGD,
                          .learning_rate = .5,
                          .decay = 1,
                          .momentum = .5,
                          .nesterov = nesterov,
                          .graph = &g};
        float *p = mem_new(g.n_values, sizeof *p), *grad = mem_new(g.n_values, sizeof *grad);
        optim_init(&o);
        for (int step = 0; step < 2; step++) {
            grad[0] = (float)(step + 1);
            optim_step(&o, p, grad);
            assert_true(p[0] == EXPECTED[nesterov][step]);
        }
        optim_release(&o);
        nn_graph_release(&g);
        free(p);
        free(grad);
    }
}

/* Keras' defaults, gradients 1, -2, .5, 4, -.25 and the same times 2^-23, about as large as epsilon, without
 * and with a decay of .5: what tools/golden_adam.py computes with 60 digits, rounded as it is stored. */
static void test_adam_to_the_last_digit(void **state)
{
    enum { STEPS = 5 };
    static const float GRADIENT[STEPS] = {1, -2, .5f, 4, -.25f};
    static const float EXPECTED[2][2][STEPS] = {
        {{0.999000013f, 0.999366105f, 0.999502778f, 0.999054015f, 0.998704791f},
         {0.999963701f, 0.999992132f, 1.00000298f, 0.999936581f, 0.999884844f}},
        {{0.999000013f, 0.999244094f, 0.99931246f, 0.999132931f, 0.999016523f},
         {0.999963701f, 0.999982655f, 0.999988079f, 0.999961495f, 0.99994427f}}};

    (void)state;
    for (int decay = 0; decay < 2; decay++) {
        struct nn_graph g = NN_GRAPH_INIT;
        build(&g, false);
        struct optim o = {.kind = OPTIM_ADAM, .learning_rate = .001, .decay = .5 * decay, .graph = &g};
        float *p = mem_new(g.n_values, sizeof *p), *grad = mem_new(g.n_values, sizeof *grad);
        optim_init(&o);
        p[0] = p[1] = 1;
        for (int step = 0; step < STEPS; step++) {
            grad[0] = GRADIENT[step];
            grad[1] = GRADIENT[step] / 8388608;
            optim_step(&o, p, grad);
            for (int i = 0; i < 2; i++)
                assert_true(p[i] == EXPECTED[decay][i][step]);
        }
        optim_release(&o);
        nn_graph_release(&g);
        free(p);
        free(grad);
    }
}

/* A part of the network with a tenth of the rate moves as with that rate alone. */
static void test_a_rate_of_its_own_for_a_part(void **state)
{
    (void)state;
    struct nn_graph g = NN_GRAPH_INIT;
    build(&g, false);
    double factor[6] = {1, .25, 1, 1, 1, 1};
    struct optim o = {.kind = OPTIM_SGD, .learning_rate = 1, .graph = &g, .factor = factor};
    float *p = mem_new(g.n_values, sizeof *p), *grad = mem_new(g.n_values, sizeof *grad);
    optim_init(&o);
    assert_int_equal(g.n_slots, 6);
    for (size_t i = 0; i < g.n_values; i++)
        grad[i] = 1;
    optim_step(&o, p, grad);
    assert_true(p[g.slot[0].offset] == -1 && p[g.slot[1].offset] == -.25f && p[g.slot[2].offset] == -1);
    optim_release(&o);
    nn_graph_release(&g);
    free(p);
    free(grad);
}

static void test_threads_do_not_matter(void **state)
{
    (void)state;
    struct nn_graph g = NN_GRAPH_INIT;
    nn_id x = nn_input(&g, (struct nn_shape){40, 8, 8});
    nn_conv2d(&g, x, "conv", (struct nn_conv){.filters = 97, .kernel = 3, .pad = 1});
    float *p[2], *grad = mem_new(g.n_values, sizeof *grad);
    for (int k = 0; k < 2; k++) {
        struct rng r = rng_at(4, RNG_TEST, 0, 0);
        struct optim o = {.kind = OPTIM_ADAM, .learning_rate = .001, .graph = &g};
        nn_threads(k ? 4 : 1);
        optim_init(&o);
        p[k] = mem_new(g.n_values, sizeof *p[k]);
        for (int step = 0; step < 3; step++) {
            for (size_t i = 0; i < g.n_values; i++)
                grad[i] = (float)rng_normal(&r);
            optim_step(&o, p[k], grad);
        }
        optim_release(&o);
    }
    assert_memory_equal(p[0], p[1], g.n_values * sizeof *p[0]);
    free(p[0]);
    free(p[1]);
    free(grad);
    nn_graph_release(&g);
}

static void test_plateau(void **state)
{
    (void)state;
    struct plateau p = {.factor = .5, .patience = 2, .epsilon = .01, .min_rate = .2, .best = INFINITY};
    /* losses, and the rates Keras' ReduceLROnPlateau leaves behind */
    const double loss[] = {1, .995, .99, .9, .9, .9, .9, .9, .9, .8, .8, .8};
    const double rate[] = {1, 1, .5, .5, .5, .25, .25, .2, .2, .2, .2, .2};
    double now = 1;
    for (int i = 0; i < 12; i++) {
        now = plateau_next(&p, loss[i], now);
        if (fabs(now - rate[i]) > 1e-12)
            fail_msg("epoch %d: rate %g instead of %g", i, now, rate[i]);
    }
    assert_true(p.best == .8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_formulas),
        cmocka_unit_test(test_first_adam_step_by_hand),
        cmocka_unit_test(test_sgd_to_the_last_digit),
        cmocka_unit_test(test_adam_to_the_last_digit),
        cmocka_unit_test(test_a_rate_of_its_own_for_a_part),
        cmocka_unit_test(test_leaves_statistics_and_frozen_layers_alone),
        cmocka_unit_test(test_threads_do_not_matter),
        cmocka_unit_test(test_plateau),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
