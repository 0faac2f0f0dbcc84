/* The reference backend's forward passes against numbers worked out by hand, and what it promises of modes,
 * moving statistics and threads. */
#include "nn/exec.h"

#include "base/mem.h"
#include "base/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct net {
    struct nn_graph g;
    struct nn_exec x;
    float *values;
};

static void open_net(struct net *n, void (*build)(struct nn_graph *g), int batch, enum nn_mode mode)
{
    struct err err = ERR_INIT;
    struct nn_compile how = {.batch = batch, .mode = mode, .input_gradient = mode == NN_TRAIN};
    *n = (struct net){.g = NN_GRAPH_INIT};
    build(&n->g);
    n->values = mem_new(n->g.n_values + 1, sizeof(float));
    nn_graph_init_values(&n->g, n->values, 1);
    assert_true(nn_exec_init(&n->x, &nn_backend_ref, &n->g, &how, &err));
    n->x.backend->set(n->x.self, n->values);
}

static void close_net(struct net *n)
{
    nn_exec_release(&n->x);
    nn_graph_release(&n->g);
    free(n->values);
}

static void set_slot(struct net *n, const char *name, const float *v)
{
    const struct nn_slot *s = nn_graph_slot(&n->g, name);
    assert_non_null(s);
    memcpy(n->values + s->offset, v, s->count * sizeof *v);
    n->x.backend->set(n->x.self, n->values);
}

static float slot_value(struct net *n, const char *name, int i)
{
    n->x.backend->get(n->x.self, n->values);
    return n->values[nn_graph_slot(&n->g, name)->offset + (size_t)i];
}

static const float *forward(struct net *n, const float *input, const struct nn_step *step)
{
    return n->x.backend->forward(n->x.self, input, step);
}

static void assert_floats(const float *got, const float *want, int n)
{
    for (int i = 0; i < n; i++)
        if (!(fabsf(got[i] - want[i]) <= 1e-6f * (1 + fabsf(want[i]))))
            fail_msg("number %d is %.9g, not %.9g", i, (double)got[i], (double)want[i]);
}

static void build_conv(struct nn_graph *g)
{
    nn_id x = nn_input(g, (struct nn_shape){1, 3, 3});
    nn_conv2d(g, x, "c", (struct nn_conv){.filters = 2, .kernel = 3, .pad = 1});
}

/* The kernel lies on the image as it is written: not flipped, row by row. */
static void test_conv(void **state)
{
    (void)state;
    struct net n;
    const float input[9] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    const float kernel[18] = {0, 0, 0, 0, 0, 1, 0, 0, 0, /* the pixel to the right */
                              1, 0, 0, 0, 0, 0, 0, 0, 10};
    const float want[18] = {2,     3,     0,   5,     6,     0,    8,   9,    0,
                            50.5f, 60.5f, .5f, 80.5f, 91.5f, 2.5f, .5f, 4.5f, 5.5f};
    open_net(&n, build_conv, 1, NN_INFER);
    set_slot(&n, "c/kernel", kernel);
    set_slot(&n, "c/bias", (float[2]){0, .5f});
    assert_floats(forward(&n, input, NULL), want, 18);
    close_net(&n);
}

static void build_strided(struct nn_graph *g)
{
    nn_id x = nn_input(g, (struct nn_shape){2, 4, 5});
    nn_conv2d(g, x, "c", (struct nn_conv){.filters = 1, .kernel = 2, .stride = 2, .pad = 1});
}

/* Kernel 2, stride 2, padding 1 on 4 x 5: three windows each way, the corner ones see one pixel. */
static void test_conv_strided_two_channels(void **state)
{
    (void)state;
    struct net n;
    float input[40];
    const float kernel[8] = {1, 2, 3, 4, 0, 0, 0, 100};
    for (int i = 0; i < 20; i++) {
        input[i] = (float)i;
        input[20 + i] = i % 5 == 2 && i / 5 == 2 ? 1 : 0;
    }
    /* rows -1..0, 1..2, 3..4 and columns -1..0, 1..2, 3..4; "100" is the second channel's lower right tap */
    const float want[9] = {0,      3 + 8,   9 + 16, 2 * 5 + 4 * 10, 6 + 14 + 33 + 48 + 100, 8 + 18 + 39 + 56,
                           2 * 15, 16 + 34, 18 + 38};
    open_net(&n, build_strided, 1, NN_INFER);
    set_slot(&n, "c/kernel", kernel);
    assert_floats(forward(&n, input, NULL), want, 9);
    close_net(&n);
}

static void build_norm(struct nn_graph *g)
{
    nn_id x = nn_input(g, (struct nn_shape){2, 1, 2});
    nn_batchnorm(g, x, "b", (struct nn_norm){.epsilon = 1e-3f});
}

static void build_frozen_norm(struct nn_graph *g)
{
    nn_id x = nn_input(g, (struct nn_shape){2, 1, 2});
    nn_batchnorm(g, x, "b", (struct nn_norm){.epsilon = 1e-3f, .frozen = true});
}

/* Channel 0 holds 1, 2, 3, 6 over the batch: mean 3, biased variance 3.5, unbiased 14/3. Channel 1 is
 * constant. */
static const float NORM_INPUT[8] = {1, 2, 7, 7, 3, 6, 7, 7};

static void test_norm_in_training(void **state)
{
    (void)state;
    struct net n;
    struct nn_step step = {.momentum = 0.9f};
    open_net(&n, build_norm, 2, NN_TRAIN);
    set_slot(&n, "b/gamma", (float[2]){2, 3});
    set_slot(&n, "b/beta", (float[2]){1, -1});
    set_slot(&n, "b/moving_mean", (float[2]){10, 20});
    set_slot(&n, "b/moving_variance", (float[2]){4, 5});
    float s = 2 / sqrtf(3.501f);
    const float want[8] = {1 - 2 * s, 1 - s, -1, -1, 1, 1 + 3 * s, -1, -1};
    assert_floats(forward(&n, NORM_INPUT, &step), want, 8);
    assert_float_equal(slot_value(&n, "b/moving_mean", 0), 0.9 * 10 + 0.1 * 3, 1e-5);
    assert_float_equal(slot_value(&n, "b/moving_mean", 1), 0.9 * 20 + 0.1 * 7, 1e-5);
    assert_float_equal(slot_value(&n, "b/moving_variance", 0), 0.9 * 4 + 0.1 * 14 / 3, 1e-5);
    assert_float_equal(slot_value(&n, "b/moving_variance", 1), 0.9 * 5, 1e-5);
    assert_float_equal(slot_value(&n, "b/gamma", 1), 3, 0);
    step.momentum = 0; /* leaves this batch's own */
    forward(&n, NORM_INPUT, &step);
    assert_float_equal(slot_value(&n, "b/moving_mean", 0), 3, 1e-6);
    assert_float_equal(slot_value(&n, "b/moving_variance", 0), 14.0 / 3, 1e-6);
    close_net(&n);
}

static void check_moving_norm(void (*build)(struct nn_graph *g), enum nn_mode mode)
{
    struct net n;
    struct nn_step step = {.momentum = 0.9f};
    open_net(&n, build, 2, mode);
    set_slot(&n, "b/moving_mean", (float[2]){10, 20});
    set_slot(&n, "b/moving_variance", (float[2]){4, 9});
    float s = 1 / sqrtf(4.001f), t = 1 / sqrtf(9.001f);
    const float want[8] = {-9 * s, -8 * s, -13 * t, -13 * t, -7 * s, -4 * s, -13 * t, -13 * t};
    assert_floats(forward(&n, NORM_INPUT, &step), want, 8);
    assert_float_equal(slot_value(&n, "b/moving_mean", 0), 10, 0);
    assert_float_equal(slot_value(&n, "b/moving_variance", 1), 9, 0);
    close_net(&n);
}

static void test_norm_with_moving_statistics(void **state)
{
    (void)state;
    check_moving_norm(build_norm, NN_INFER);
    check_moving_norm(build_frozen_norm, NN_INFER);
    check_moving_norm(build_frozen_norm, NN_TRAIN);
}

static void build_maxpool(struct nn_graph *g)
{
    nn_id x = nn_input(g, (struct nn_shape){1, 4, 4});
    nn_maxpool(g, x, (struct nn_pool){.kernel = 3, .stride = 2, .pad = 1});
}

/* Padded zeros take part; of equal numbers the first in reading order gets the gradient, padding none of it.
 */
static void test_maxpool_borders_and_ties(void **state)
{
    (void)state;
    struct net n;
    float grads[1], dx[16];
    struct nn_step step = {.momentum = 0.9f};
    const float input[16] = {-1, -2, 5, 5, /* */ -3, -4, 5, 1, /* */ 0, -7, -8, -9, /* */ 0, -7, -8, -2};
    const float want[4] = {0, 5, 0, 5};
    const float want_dx[16] = {0, 0, 2, 0, /* */ 0, 0, 8, 0, /* */ 4, 0, 0, 0};
    open_net(&n, build_maxpool, 1, NN_TRAIN);
    assert_floats(forward(&n, input, &step), want, 4);
    n.x.backend->backward(n.x.self, (float[4]){1, 2, 4, 8}, grads, dx);
    assert_floats(dx, want_dx, 16);
    close_net(&n);
}

static void build_sigmoid(struct nn_graph *g)
{
    nn_sigmoid(g, nn_input(g, (struct nn_shape){1, 1, 8}));
}

static void test_sigmoid_keeps_tiny_values(void **state)
{
    (void)state;
    struct net n;
    float grads[1], dx[8];
    const float input[8] = {0, 1, -1, -20, -80, -95, 80, 20};
    open_net(&n, build_sigmoid, 1, NN_TRAIN);
    const float *y = forward(&n, input, &(struct nn_step){0});
    for (int i = 0; i < 8; i++) {
        double want = input[i] < 0 ? exp((double)input[i]) / (1 + exp((double)input[i]))
                                   : 1 / (1 + exp(-(double)input[i]));
        assert_true(fabs((double)y[i] - want) <= want * 1e-7 + 1e-44);
        assert_true(y[i] > 0);
    }
    n.x.backend->backward(n.x.self, (float[8]){1, 1, 1, 1, 1, 1, 1, 1}, grads, dx);
    assert_float_equal(dx[0], 0.25, 1e-7);
    assert_true(fabs((double)dx[3] / exp(-20.0) - 1) < 1e-6);
    assert_true(fabs((double)dx[7] / exp(-20.0) - 1) < 1e-6);
    close_net(&n);
}

static void build_softmax(struct nn_graph *g)
{
    nn_softmax(g, nn_input(g, (struct nn_shape){2, 1, 2}));
}

static void test_softmax_over_channels(void **state)
{
    (void)state;
    struct net n;
    const float input[4] = {1000, 0, 1000, logf(3)};
    open_net(&n, build_softmax, 1, NN_INFER);
    assert_floats(forward(&n, input, NULL), (float[4]){.5f, .25f, .5f, .75f}, 4);
    close_net(&n);
}

static void build_shapes(struct nn_graph *g)
{
    nn_id x = nn_input(g, (struct nn_shape){1, 2, 2});
    nn_id up = nn_upsample(g, nn_maxpool(g, x, (struct nn_pool){.kernel = 2}), 2);
    nn_id both = nn_concat(g, up, nn_relu(g, x));
    nn_add(g, both, both);
}

static void test_upsample_concat_add(void **state)
{
    (void)state;
    struct net n;
    const float input[8] = {-1, 2, 3, -4, 7, 6, 5, -8};
    const float want[16] = {6, 6, 6, 6, 0, 4, 6, 0, 14, 14, 14, 14, 14, 12, 10, 0};
    open_net(&n, build_shapes, 2, NN_INFER);
    assert_floats(forward(&n, input, NULL), want, 16);
    close_net(&n);
}

static void build_upsample(struct nn_graph *g)
{
    nn_upsample(g, nn_input(g, (struct nn_shape){1, 1, 2}), 3);
}

static void test_upsample_repeats(void **state)
{
    (void)state;
    struct net n;
    const float want[18] = {1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2};
    open_net(&n, build_upsample, 1, NN_INFER);
    assert_floats(forward(&n, (float[2]){1, 2}, NULL), want, 18);
    close_net(&n);
}

static void build_head(struct nn_graph *g)
{
    nn_id x = nn_input(g, (struct nn_shape){2, 1, 2});
    nn_dense(g, nn_global_avgpool(g, x), "d", 2);
}

static void test_average_and_dense(void **state)
{
    (void)state;
    struct net n;
    const float input[8] = {1, 3, 10, 20, 0, 0, 0, 2};
    open_net(&n, build_head, 2, NN_INFER);
    set_slot(&n, "d/kernel", (float[4]){1, 2, 3, 4});
    set_slot(&n, "d/bias", (float[2]){100, 200});
    assert_floats(forward(&n, input, NULL), (float[4]){132, 266, 102, 204}, 4);
    close_net(&n);
}

static void build_dropout(struct nn_graph *g)
{
    nn_spatial_dropout(g, nn_input(g, (struct nn_shape){50, 1, 2}), 0.2f);
}

static void fill(float *v, size_t n, uint64_t seed)
{
    struct rng r = rng_at(seed, RNG_TEST, 0, 0);
    for (size_t i = 0; i < n; i++)
        v[i] = (float)rng_between(&r, -1, 1);
}

/* Whole channels go, the others grow by 1 / .8; which ones depends on the seed and the item. */
static void test_dropout(void **state)
{
    (void)state;
    struct net n;
    float input[200], factor[50];
    int dropped = 0;
    open_net(&n, build_dropout, 2, NN_TRAIN);
    fill(input, 200, 3);
    assert_floats(forward(&n, input, &(struct nn_step){.dropout = false}), input, 200);
    const float *y = forward(&n, input, &(struct nn_step){.dropout = true, .seed = 9});
    for (int item = 0; item < 2; item++) {
        nn_dropout_factors(factor, 50, 0.2f, 9, 1, item);
        for (int i = 0; i < 100; i++)
            assert_float_equal(y[item * 100 + i], factor[i / 2] * input[item * 100 + i], 1e-6);
        for (int c = 0; c < 50; c++)
            dropped += factor[c] == 0;
    }
    assert_true(dropped > 5 && dropped < 40);
    close_net(&n);
}

static void test_dropout_is_off_in_inference(void **state)
{
    (void)state;
    struct net n;
    float input[200];
    open_net(&n, build_dropout, 2, NN_INFER);
    fill(input, 200, 3);
    assert_floats(forward(&n, input, &(struct nn_step){.dropout = true, .seed = 9}), input, 200);
    close_net(&n);
}

static void build_mixed(struct nn_graph *g)
{
    nn_id x = nn_input(g, (struct nn_shape){3, 17, 19});
    x = nn_conv2d(g, x, "c1", (struct nn_conv){.filters = 7, .kernel = 3, .pad = 1});
    x = nn_relu(g, nn_batchnorm(g, x, "b1", (struct nn_norm){.epsilon = 1e-3f}));
    x = nn_maxpool(g, x, (struct nn_pool){.kernel = 3, .stride = 2, .pad = 1});
    nn_conv2d(g, x, "c2", (struct nn_conv){.filters = 5, .kernel = 3, .stride = 2, .pad = 1});
}

/* Output and gradients of one training step with that many threads; the caller frees. */
static float *step_with_threads(int threads, size_t *count)
{
    struct net n;
    nn_threads(threads);
    open_net(&n, build_mixed, 3, NN_TRAIN);
    size_t n_in = 3 * nn_shape_size(n.g.node[0].shape);
    size_t n_out = 3 * nn_shape_size(n.g.node[n.g.n_nodes - 1].shape);
    float *input = mem_new(n_in, sizeof *input);
    *count = n_out + n.g.n_values + n_in;
    float *all = mem_new(*count, sizeof *all);
    fill(input, n_in, 4);
    memcpy(all, forward(&n, input, &(struct nn_step){.momentum = .9f}), n_out * sizeof *all);
    n.x.backend->backward(n.x.self, all, all + n_out, all + n_out + n.g.n_values);
    close_net(&n);
    nn_threads(0);
    free(input);
    return all;
}

static void test_threads_change_nothing(void **state)
{
    (void)state;
    size_t count, same_count;
    float *one = step_with_threads(1, &count);
    for (int threads = 2; threads <= 5; threads++) {
        float *many = step_with_threads(threads, &same_count);
        assert_int_equal(count, same_count);
        assert_memory_equal(one, many, count * sizeof *one);
        free(many);
    }
    free(one);
}

static void build_huge(struct nn_graph *g)
{
    nn_id x = nn_input(g, (struct nn_shape){1, 30000, 30000});
    nn_conv2d(g, x, "c", (struct nn_conv){.filters = 5000, .kernel = 1});
}

static void test_too_large_is_an_error(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    struct nn_graph g = NN_GRAPH_INIT;
    struct nn_exec x = NN_EXEC_INIT;
    build_huge(&g);
    assert_false(nn_exec_init(&x, &nn_backend_ref, &g, &(struct nn_compile){.batch = 1 << 20}, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    assert_true(err.text[0] != 0);
    assert_null(x.self);
    nn_graph_release(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conv),
        cmocka_unit_test(test_conv_strided_two_channels),
        cmocka_unit_test(test_norm_in_training),
        cmocka_unit_test(test_norm_with_moving_statistics),
        cmocka_unit_test(test_maxpool_borders_and_ties),
        cmocka_unit_test(test_sigmoid_keeps_tiny_values),
        cmocka_unit_test(test_softmax_over_channels),
        cmocka_unit_test(test_upsample_concat_add),
        cmocka_unit_test(test_upsample_repeats),
        cmocka_unit_test(test_average_and_dense),
        cmocka_unit_test(test_dropout),
        cmocka_unit_test(test_dropout_is_off_in_inference),
        cmocka_unit_test(test_threads_change_nothing),
        cmocka_unit_test(test_too_large_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
