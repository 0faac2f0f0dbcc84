/* The recorded network: shapes, slots, counts, initial values, dropout factors. */
#include "nn/graph.h"

#include "base/mem.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* conv 3 -> 8 stride 2, norm, pool, dense 8 -> 2 */
static void build(struct nn_graph *g)
{
    nn_id x = nn_input(g, (struct nn_shape){3, 15, 10});
    x = nn_conv2d(g, x, "conv", (struct nn_conv){.filters = 8, .kernel = 3, .stride = 2, .pad = 1});
    x = nn_batchnorm(g, x, "norm", (struct nn_norm){.epsilon = 1e-3f});
    x = nn_maxpool(g, x, (struct nn_pool){.kernel = 3, .stride = 2, .pad = 1});
    nn_dense(g, nn_global_avgpool(g, x), "head", 2);
}

static void assert_shape(const struct nn_graph *g, nn_id id, int c, int h, int w)
{
    assert_int_equal(g->node[id].shape.c, c);
    assert_int_equal(g->node[id].shape.h, h);
    assert_int_equal(g->node[id].shape.w, w);
}

static void test_shapes(void **state)
{
    (void)state;
    struct nn_graph g = NN_GRAPH_INIT;
    build(&g);
    assert_int_equal(g.n_nodes, 6);
    assert_shape(&g, 1, 8, 8, 5);
    assert_shape(&g, 2, 8, 8, 5);
    assert_shape(&g, 3, 8, 4, 3);
    assert_shape(&g, 4, 8, 1, 1);
    assert_shape(&g, 5, 2, 1, 1);
    assert_string_equal(g.node[1].name, "conv");
    assert_string_equal(g.node[3].name, "max_pool_3");
    assert_int_equal(g.node[5].in[0], 4);
    nn_graph_release(&g);
}

static void test_slots(void **state)
{
    (void)state;
    static const char *const names[] = {"conv/kernel", "conv/bias",        "norm/gamma",
                                        "norm/beta",   "norm/moving_mean", "norm/moving_variance",
                                        "head/kernel", "head/bias"};
    static const size_t counts[] = {8 * 3 * 3 * 3, 8, 8, 8, 8, 8, 2 * 8, 2};
    struct nn_graph g = NN_GRAPH_INIT;
    size_t offset = 0;
    build(&g);
    assert_int_equal(g.n_slots, 8);
    for (int i = 0; i < 8; i++) {
        assert_ptr_equal(nn_graph_slot(&g, names[i]), &g.slot[i]);
        assert_int_equal(g.slot[i].count, counts[i]);
        assert_int_equal(g.slot[i].offset, offset);
        assert_int_equal(g.slot[i].trainable, i != 4 && i != 5);
        offset += counts[i];
    }
    assert_int_equal(nn_graph_count(&g), offset);
    assert_int_equal(nn_graph_count_trainable(&g), offset - 16);
    assert_null(nn_graph_slot(&g, "conv"));
    assert_int_equal(g.node[2].slot, 2);
    assert_int_equal(g.node[2].n_slots, 4);
    assert_int_equal(g.slot[0].rank, 4);
    assert_int_equal(g.slot[6].dim[0], 2);
    assert_int_equal(g.slot[6].dim[1], 8);
    nn_graph_release(&g);
}

/* Mean square of U(-l, l) is l^2 / 3. */
static void assert_uniform(const float *v, size_t n, double limit)
{
    double squares = 0, top = 0;
    for (size_t i = 0; i < n; i++) {
        assert_true(fabs((double)v[i]) <= limit * 1.000001);
        squares += (double)v[i] * (double)v[i];
        top = fmax(top, fabs((double)v[i]));
    }
    assert_true(top > 0.9 * limit);
    assert_true(fabs(squares / (double)n * 3 / (limit * limit) - 1) < 0.25);
}

static void test_initial_values(void **state)
{
    (void)state;
    struct nn_graph g = NN_GRAPH_INIT;
    build(&g);
    float *v = mem_new(g.n_values, sizeof *v), *again = mem_new(g.n_values, sizeof *v);
    nn_graph_init_values(&g, v, 7);
    assert_uniform(v + g.slot[0].offset, g.slot[0].count, sqrt(6.0 / (9 * 3 + 9 * 8)));
    for (size_t i = g.slot[1].offset; i < g.slot[6].offset; i++) {
        bool one = i / 8 == g.slot[2].offset / 8 || i / 8 == g.slot[5].offset / 8;
        assert_true(v[i] == (one ? 1.0f : 0.0f));
    }
    assert_true(v[g.slot[7].offset] == 0);
    nn_graph_init_values(&g, again, 7);
    assert_memory_equal(v, again, g.n_values * sizeof *v);
    nn_graph_init_values(&g, again, 8);
    assert_memory_not_equal(v, again, g.slot[0].count * sizeof *v);
    free(v);
    free(again);
    nn_graph_release(&g);
}

static void test_dropout_factors(void **state)
{
    (void)state;
    enum { N = 10000 };
    float *a = mem_new(N, sizeof *a), *b = mem_new(N, sizeof *b);
    int dropped = 0;
    nn_dropout_factors(a, N, 0.2f, 1, 2, 3);
    for (int i = 0; i < N; i++) {
        assert_true(a[i] == 0 || fabsf(a[i] - 1.25f) < 1e-6f);
        dropped += a[i] == 0;
    }
    assert_true(abs(dropped - N / 5) < 200); /* five standard deviations */
    nn_dropout_factors(b, N, 0.2f, 1, 2, 3);
    assert_memory_equal(a, b, N * sizeof *a);
    nn_dropout_factors(b, N, 0.2f, 1, 2, 4);
    assert_memory_not_equal(a, b, N * sizeof *a);
    nn_dropout_factors(b, N, 0.2f, 2, 2, 3);
    assert_memory_not_equal(a, b, N * sizeof *a);
    nn_dropout_factors(b, N, 0.2f, 1, 3, 3);
    assert_memory_not_equal(a, b, N * sizeof *a);
    free(a);
    free(b);
}

/* At a node without slots, at one with them, and before the first. */
static void test_cut(void **state)
{
    (void)state;
    struct nn_graph g = NN_GRAPH_INIT;
    nn_id x = nn_input(&g, (struct nn_shape){3, 8, 8});
    const nn_id conv = nn_conv2d(&g, x, "conv", (struct nn_conv){.filters = 4, .kernel = 3, .pad = 1});
    const nn_id relu = nn_relu(&g, conv);
    nn_dense(&g, nn_global_avgpool(&g, relu), "fc", 2);
    assert_int_equal(g.n_values, 3 * 4 * 9 + 4 + 4 * 2 + 2);
    nn_graph_cut(&g, relu);
    assert_int_equal(g.n_nodes, relu + 1);
    assert_int_equal(g.n_slots, 2);
    assert_int_equal(g.n_values, 3 * 4 * 9 + 4);
    assert_null(nn_graph_slot(&g, "fc/kernel"));
    nn_graph_cut(&g, conv);
    assert_int_equal(g.n_values, 3 * 4 * 9 + 4);
    nn_graph_cut(&g, x);
    assert_int_equal(g.n_nodes, 1);
    assert_int_equal(g.n_values, 0);
    nn_graph_release(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_slots),
        cmocka_unit_test(test_initial_values),
        cmocka_unit_test(test_dropout_factors),
        cmocka_unit_test(test_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
