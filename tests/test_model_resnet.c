/* ResNet-50, -101, -152: the published parameter counts, the order of layers in the published weights file,
 * where the strides sit, and the options. */
#include "model/model.h"

#include "base/file.h"
#include "base/mem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct nn_graph built(const char *name, int size, struct model_options o)
{
    struct nn_graph g = NN_GRAPH_INIT;
    model_build(model_find(name), &g, (struct nn_shape){3, size, size}, &o);
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

static void assert_shape(const struct nn_graph *g, const char *name, int c, int side)
{
    const struct nn_shape s = g->node[find(g, name)].shape;
    assert_int_equal(s.c, c);
    assert_int_equal(s.h, side);
    assert_int_equal(s.w, side);
}

static int count_ops(const struct nn_graph *g, enum nn_op op)
{
    int n = 0;
    for (nn_id id = 0; id < g->n_nodes; id++)
        n += g->node[id].op == op;
    return n;
}

static void test_totals(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int classes;
        size_t all, trainable;
        int convolutions, tensors;
    } known[] = {
        {"resnet50", MODEL_NO_HEAD, 23587712, 23534592, 53, 318},
        {"resnet50", 1000, 25636712, 25583592, 53, 320},
        {"resnet50", 0, 23587712 + 4098, 23534592 + 4098, 53, 320},
        {"resnet101", MODEL_NO_HEAD, 42658176, 42552832, 104,
         624}, /* as Keras' pages and summaries have them */
        {"resnet101", 1000, 44707176, 44601832, 104, 626},
        {"resnet152", MODEL_NO_HEAD, 58370944, 58219520, 155, 930},
        {"resnet152", 1000, 60419944, 60268520, 155, 932},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        struct nn_graph g = built(known[i].name, 224, (struct model_options){.classes = known[i].classes});
        assert_int_equal(nn_graph_count(&g), known[i].all);
        assert_int_equal(nn_graph_count_trainable(&g), known[i].trainable);
        assert_int_equal(count_ops(&g, NN_CONV2D), known[i].convolutions);
        assert_int_equal(count_ops(&g, NN_BATCHNORM), known[i].convolutions);
        assert_int_equal(g.n_slots, known[i].tensors);
        nn_graph_release(&g);
    }
}

static void test_build_is_the_usual_network(void **state)
{
    (void)state;
    struct nn_graph usual = NN_GRAPH_INIT,
                    told = built("resnet50", 224, (struct model_options){.classes = 2});
    model_find("resnet50")->build(&usual, (struct nn_shape){3, 224, 224});
    assert_int_equal(usual.n_nodes, told.n_nodes);
    assert_int_equal(usual.n_values, told.n_values);
    assert_string_equal(usual.slot[usual.n_slots - 1].name, "fc2/bias");
    assert_int_equal(usual.node[usual.n_nodes - 1].op, NN_SOFTMAX);
    assert_int_equal(usual.slot[usual.n_slots - 2].offset, 23587712); /* the head's numbers come last */
    nn_graph_release(&usual);
    nn_graph_release(&told);
}

/* Keras' kinds of layer by the names they have in the file: activation_12, merge_3, ... */
static const char *kind_in_file(const struct nn_node *node)
{
    switch (node->op) {
    case NN_INPUT:
        return "input";
    case NN_RELU:
        return "activation";
    case NN_MAXPOOL:
        return "maxpooling2d";
    case NN_ADD:
        return "merge";
    case NN_GLOBAL_AVGPOOL:
        return "avg";
    default:
        return node->name;
    }
}

/* "activation" for "activation_12". */
static bool same_layer(const char *line, const char *name)
{
    const size_t n = strlen(name);
    return !strncmp(line, name, n) && (line[n] == 0 || line[n] == '_');
}

static void test_order_of_the_published_file(void **state)
{
    (void)state;
    const char *path = SHARED_DATA_DIR "/keras-h5/resnet50_notop_layer_names.txt";
    struct buf text = BUF_INIT;
    struct err err = ERR_INIT;
    if (!file_exists(path))
        skip();
    assert_true(file_read(&text, path, 0, &err));
    struct nn_graph g = built("resnet50", 224, (struct model_options){.classes = MODEL_NO_HEAD});
    nn_id id = 0;
    int lines = 0;
    for (char *line = strtok(text.data, "\n"); line; line = strtok(NULL, "\n"), lines++) {
        if (same_layer(line, "zeropadding2d"))
            continue; /* part of the layer after it here */
        assert_true(id < g.n_nodes);
        if (!same_layer(line, kind_in_file(&g.node[id])))
            fail_msg("line %d: '%s' there, '%s' here", lines + 1, line, g.node[id].name);
        id++;
    }
    assert_int_equal(lines, 175);
    assert_int_equal(id, g.n_nodes);
    buf_release(&text);
    nn_graph_release(&g);
}

static void test_shapes(void **state)
{
    (void)state;
    struct nn_graph g = built("resnet50", 224, (struct model_options){0});
    assert_shape(&g, "conv1", 64, 112);
    assert_shape(&g, "bn2a_branch2a", 64, 56);
    assert_shape(&g, "bn2c_branch2c", 256, 56);
    assert_shape(&g, "bn3a_branch1", 512, 28);
    assert_shape(&g, "bn3d_branch2c", 512, 28);
    assert_shape(&g, "bn4f_branch2b", 256, 14);
    assert_shape(&g, "bn5c_branch2c", 2048, 7);
    assert_shape(&g, "fc2", 2, 1);
    nn_graph_release(&g);
}

/* 55 x 55 become 28 x 28 all the same: the stages keep their sizes. */
static void test_narrow_pool(void **state)
{
    (void)state;
    struct nn_graph g = built("resnet50", 224, (struct model_options){.narrow_pool = true});
    assert_shape(&g, "bn2a_branch2a", 64, 55);
    assert_shape(&g, "bn3a_branch2a", 128, 28);
    assert_shape(&g, "bn5c_branch2c", 2048, 7);
    nn_graph_release(&g);
}

/* In the first 1x1 and in the shortcut, nowhere else, from stage 3 on. */
static void test_strides(void **state)
{
    (void)state;
    struct nn_graph g = built("resnet152", 224, (struct model_options){0});
    int strided = 0;
    for (nn_id id = 0; id < g.n_nodes; id++) {
        const struct nn_node *n = &g.node[id];
        if (n->op != NN_CONV2D)
            continue;
        const bool expected = !strcmp(n->name, "conv1") ||
                              (strchr("345", n->name[3]) && n->name[4] == 'a' && n->name[5] == '_' &&
                               (strstr(n->name, "branch2a") || strstr(n->name, "branch1")));
        assert_int_equal(n->u.conv.stride, expected ? 2 : 1);
        strided += n->u.conv.stride == 2;
        assert_int_equal(n->u.conv.pad, n->u.conv.kernel / 2);
    }
    assert_int_equal(strided, 7);
    nn_graph_release(&g);
}

/* add(what went through the three convolutions, what went round them). */
static void test_connections(void **state)
{
    (void)state;
    struct nn_graph g = built("resnet50", 64, (struct model_options){0});
    const nn_id add = g.node[find(&g, "res3b_branch2a")].in[0] - 1;
    assert_int_equal(g.node[add].op, NN_ADD);
    assert_int_equal(g.node[add].in[0], find(&g, "bn3a_branch2c"));
    assert_int_equal(g.node[add].in[1], find(&g, "bn3a_branch1"));
    assert_int_equal(g.node[find(&g, "res3a_branch1")].in[0], g.node[find(&g, "res3a_branch2a")].in[0]);
    const nn_id next = g.node[find(&g, "res3c_branch2a")].in[0] - 1;
    assert_int_equal(g.node[next].in[0], find(&g, "bn3b_branch2c"));
    assert_int_equal(g.node[next].in[1], add + 1);
    assert_int_equal(count_ops(&g, NN_ADD), 16);
    nn_graph_release(&g);
}

static void test_epsilon(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double option, want;
    } cases[] = {{"resnet50", 0, 1e-3}, {"resnet50", 1.001e-5, 1.001e-5}, {"resnet101", 0, 1.001e-5}};
    for (size_t i = 0; i < 3; i++) {
        struct nn_graph g = built(cases[i].name, 64, (struct model_options){.epsilon = cases[i].option});
        for (nn_id id = 0; id < g.n_nodes; id++)
            if (g.node[id].op == NN_BATCHNORM)
                assert_true(g.node[id].u.norm.epsilon == (float)cases[i].want);
        nn_graph_release(&g);
    }
}

static void test_names_of_long_stages(void **state)
{
    (void)state;
    struct nn_graph g = built("resnet152", 64, (struct model_options){0});
    find(&g, "res2c_branch2a");
    find(&g, "res3b7_branch2c");
    find(&g, "res4b35_branch2c");
    find(&g, "res5c_branch2c");
    nn_graph_release(&g);
}

/* What is told in a file's metadata is read again, as JSON and as the texts safetensors makes of it. */
static void test_told_and_read(void **state)
{
    (void)state;
    static const struct model_options options[] = {
        {.classes = 2, .epsilon = 1e-3},
        {.classes = MODEL_NO_HEAD, .epsilon = 1.001e-5, .narrow_pool = true}};
    struct err err = ERR_INIT;
    for (int i = 0; i < 4; i++) {
        struct model_told t = {&model_resnet50, {3, 96, 96}, options[i % 2]}, back;
        json_t *meta = json_object();
        model_tell(meta, &t);
        for (int k = 0; i > 1 && k < 2; k++) {
            const char *key = k ? "options" : "input";
            char *text = json_dumps(json_object_get(meta, key), JSON_COMPACT);
            json_object_set_new(meta, key, json_string(text));
            free(text);
        }
        assert_true(model_read_told(&back, meta, &err));
        assert_ptr_equal(back.model, t.model);
        assert_int_equal(back.input.c, 3);
        assert_int_equal(back.input.w, 96);
        assert_int_equal(back.options.classes, t.options.classes);
        assert_true(back.options.epsilon == t.options.epsilon);
        assert_int_equal(back.options.narrow_pool, t.options.narrow_pool);
        json_decref(meta);
    }
}

static void test_told_nonsense(void **state)
{
    (void)state;
    static const struct {
        const char *json, *message;
    } cases[] = {
        {"{}", "its metadata names no network"},
        {"{\"model\": \"vgg\"}", "unknown network 'vgg'"},
        {"{\"model\": \"unet\"}", "metadata: bad input for ZF_UNET_224"},
        {"{\"model\": \"unet\", \"input\": \"{\"}", "metadata: bad input for ZF_UNET_224"},
        {"{\"model\": \"unet\", \"input\": {\"channels\": 3, \"size\": 100}}", "metadata: bad input"},
        {"{\"model\": \"resnet50\", \"input\": {\"channels\": 3, \"size\": 1}}", "metadata: bad input"},
        {"{\"model\": \"resnet50\", \"input\": {\"channels\": 3}, \"options\": \"{\\\"classes\\\": -1}\"}",
         "metadata: bad options for ResNet-50"},
        {"{\"model\": \"resnet50\", \"input\": {\"channels\": 3}, \"options\": {\"classes\": 2}}",
         "metadata: bad options for ResNet-50"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct err err = ERR_INIT;
        struct model_told t = {0};
        json_t *meta = json_loads(cases[i].json, 0, NULL);
        assert_non_null(meta);
        assert_false(model_read_told(&t, meta, &err));
        if (!strstr(err.text, cases[i].message))
            fail_msg("'%s' instead of '%s'", err.text, cases[i].message);
        assert_null(t.model);
        json_decref(meta);
    }
}

static void test_table(void **state)
{
    (void)state;
    size_t n = 0;
    for (; model_at(n); n++)
        assert_ptr_equal(model_find(model_at(n)->name), model_at(n));
    assert_int_equal(n, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_totals),
        cmocka_unit_test(test_build_is_the_usual_network),
        cmocka_unit_test(test_order_of_the_published_file),
        cmocka_unit_test(test_shapes),
        cmocka_unit_test(test_narrow_pool),
        cmocka_unit_test(test_strides),
        cmocka_unit_test(test_connections),
        cmocka_unit_test(test_epsilon),
        cmocka_unit_test(test_names_of_long_stages),
        cmocka_unit_test(test_told_and_read),
        cmocka_unit_test(test_told_nonsense),
        cmocka_unit_test(test_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
