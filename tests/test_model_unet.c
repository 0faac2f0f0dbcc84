/* ZF_UNET_224: parameter counts of the published network (31,466,753; 31,454,721 to train), of each of its
 * blocks, shapes and connections. */
#include "model/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct nn_graph built(int channels, int size)
{
    struct nn_graph g = NN_GRAPH_INIT;
    model_find("unet")->build(&g, (struct nn_shape){channels, size, size});
    return g;
}

static nn_id find(const struct nn_graph *g, const char *name)
{
    for (nn_id id = 0; id < g->n_nodes; id++)
        if (!strcmp(g->node[id].name, name))
            return id;
    fail_msg("no layer %s", name);
    return -1;
}

static void assert_shape(const struct nn_graph *g, nn_id id, int c, int side)
{
    assert_int_equal(g->node[id].shape.c, c);
    assert_int_equal(g->node[id].shape.h, side);
    assert_int_equal(g->node[id].shape.w, side);
}

static void test_find(void **state)
{
    (void)state;
    assert_ptr_equal(model_find("unet"), &model_unet_224);
    assert_string_equal(model_find("unet")->title, "ZF_UNET_224");
    assert_int_equal(model_find("unet")->multiple_of, 32);
    assert_null(model_find("vgg"));
    assert_null(model_find(""));
}

static void test_totals(void **state)
{
    (void)state;
    struct nn_graph colour = built(3, 224), grey = built(1, 224), large = built(3, 512);
    assert_int_equal(nn_graph_count(&colour), 31466753);
    assert_int_equal(nn_graph_count_trainable(&colour), 31454721);
    assert_int_equal(nn_graph_count(&grey), 31466177);
    assert_int_equal(nn_graph_count_trainable(&grey), 31454145);
    assert_int_equal(nn_graph_count(&large), 31466753);
    assert_int_equal(colour.n_slots, 134);
    nn_graph_release(&colour);
    nn_graph_release(&grey);
    nn_graph_release(&large);
}

static void test_blocks(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t convolutions, norms; /* numbers in them */
    } blocks[] = {
        {"conv_224_", 10144, 256},      {"conv_112_", 55424, 512},      {"conv_56_", 221440, 1024},
        {"conv_28_", 885248, 2048},     {"conv_14_", 3539968, 4096},    {"conv_7_", 14157824, 8192},
        {"up_conv_14_", 9438208, 4096}, {"up_conv_28_", 2359808, 2048}, {"up_conv_56_", 590080, 1024},
        {"up_conv_112_", 147584, 512},  {"up_conv_224_", 36928, 256},   {"mask/", 33, 0},
    };
    struct nn_graph g = built(3, 224);
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
        size_t sum[2] = {0, 0};
        for (int s = 0; s < g.n_slots; s++)
            if (!strncmp(g.slot[s].name, blocks[i].name, strlen(blocks[i].name)))
                sum[g.slot[s].role >= NN_GAMMA] += g.slot[s].count;
        assert_int_equal(sum[0], blocks[i].convolutions);
        assert_int_equal(sum[1], blocks[i].norms);
    }
    nn_graph_release(&g);
}

static void test_shapes(void **state)
{
    (void)state;
    struct nn_graph g = built(3, 224);
    assert_shape(&g, 0, 3, 224);
    for (int k = 0, side = 224, filters = 32; k < 6; k++, side /= 2, filters *= 2) {
        char name[32];
        snprintf(name, sizeof name, "conv_%d_2_bn", side);
        assert_shape(&g, find(&g, name), filters, side);
        snprintf(name, sizeof name, "up_conv_%d_1", side);
        if (k < 5)
            assert_shape(&g, find(&g, name), filters, side);
    }
    assert_shape(&g, g.n_nodes - 1, 1, 224);
    assert_int_equal(g.node[g.n_nodes - 1].op, NN_SIGMOID);
    nn_graph_release(&g);
}

/* Upsampled first, skip second; the skip is what left the block of that side, after its ReLU. */
static void test_connections(void **state)
{
    (void)state;
    struct nn_graph g = built(3, 64);
    int concats = 0, dropouts = 0;
    for (int side = 14; side <= 224; side *= 2) {
        char up[32], down[32];
        snprintf(up, sizeof up, "up_conv_%d_1", side);
        snprintf(down, sizeof down, "conv_%d_2_bn", side);
        const struct nn_node *concat = &g.node[g.node[find(&g, up)].in[0]];
        assert_int_equal(concat->op, NN_CONCAT);
        assert_int_equal(g.node[concat->in[0]].op, NN_UPSAMPLE);
        assert_int_equal(g.node[concat->in[1]].op, NN_RELU);
        assert_int_equal(g.node[concat->in[1]].in[0], find(&g, down));
    }
    for (nn_id id = 0; id < g.n_nodes; id++) {
        concats += g.node[id].op == NN_CONCAT;
        dropouts += g.node[id].op == NN_SPATIAL_DROPOUT;
        if (g.node[id].op == NN_BATCHNORM)
            assert_true(g.node[id].u.norm.epsilon == 1e-3f && !g.node[id].u.norm.frozen);
    }
    assert_int_equal(concats, 5);
    assert_int_equal(dropouts, 1);
    const struct nn_node *dropout = &g.node[g.node[find(&g, "mask")].in[0]];
    assert_int_equal(dropout->op, NN_SPATIAL_DROPOUT);
    assert_true(dropout->u.rate == 0.2f);
    nn_graph_release(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find),   cmocka_unit_test(test_totals),      cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_shapes), cmocka_unit_test(test_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
