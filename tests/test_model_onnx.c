/* ONNX files of both networks: what stands in them, node by node and number by number; the format's own
 * checker finds them sound; ONNX Runtime gives our outputs. The latter two are skipped where python3-onnx, or
 * Node with ONNX Runtime (tools/onnx-runtime), is missing. */
#include "model/onnx.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "nn/exec.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "onnx.pb-c.h"

#define TOOLS   TESTS_DIR "/../tools"
#define RUNTIME "NODE_PATH=\"${NODE_PATH:-" TESTS_DIR "/../build/onnxruntime/node_modules}\" node"

enum { NO_HEAD = MODEL_NO_HEAD };

struct case_ {
    struct model_told told;
    int batch;
    double reach; /* inputs are -reach..reach */
    const char *shape;
};

static const struct case_ CASES[] = {
    {{&model_unet_224, {3, 64, 96}, {0}}, 2, .5, "2x1x64x96"},
    {{&model_resnet50, {3, 64, 64}, {.classes = 2, .epsilon = 1e-3}}, 3, 120, "3x2"},
    {{&model_resnet50, {1, 75, 75}, {.classes = NO_HEAD, .epsilon = 1.001e-5, .narrow_pool = true}},
     1,
     120,
     "1x2048"},
};

static char folder[] = "/tmp/clearmass-onnx-XXXXXX", path[64], input[64], output[64];

struct network {
    struct nn_graph g;
    float *values, *x, *y;
    size_t n_x, n_y;
};

static void fill(float *v, size_t n, uint64_t stream, double low, double high)
{
    struct rng r = rng_at(1, RNG_TEST, stream, 0);
    for (size_t i = 0; i < n; i++)
        v[i] = (float)rng_between(&r, low, high);
}

/* Kernels as they are before training; batch norm such that its every number counts. */
static struct network make(const struct case_ *c)
{
    static const double low[] = {
        [NN_BIAS] = -.1, [NN_GAMMA] = .3, [NN_BETA] = -.2, [NN_MEAN] = -.2, [NN_VARIANCE] = .3};
    static const double high[] = {
        [NN_BIAS] = .1, [NN_GAMMA] = 1, [NN_BETA] = .4, [NN_MEAN] = .2, [NN_VARIANCE] = .9};
    struct network n = {.g = NN_GRAPH_INIT};
    struct err err = ERR_INIT;

    model_build(c->told.model, &n.g, c->told.input, &c->told.options);
    n.values = mem_new(n.g.n_values, sizeof *n.values);
    nn_graph_init_values(&n.g, n.values, 1);
    for (int i = 0; i < n.g.n_slots; i++) {
        const struct nn_slot *s = &n.g.slot[i];
        if (s->role != NN_KERNEL)
            fill(n.values + s->offset, s->count, (uint64_t)i, low[s->role], high[s->role]);
    }
    n.n_x = (size_t)c->batch * nn_shape_size(c->told.input);
    n.n_y = (size_t)c->batch * nn_shape_size(n.g.node[n.g.n_nodes - 1].shape);
    n.x = mem_new(n.n_x, sizeof *n.x);
    fill(n.x, n.n_x, 1000, -c->reach, c->reach);
    if (!onnx_write(path, &n.g, n.values, NULL, &err))
        fail_msg("%s", err.text);
    return n;
}

static void release(struct network *n)
{
    nn_graph_release(&n->g);
    free(n->values);
    free(n->x);
    free(n->y);
}

static bool succeeds(const char *command)
{
    return system(command) == 0; /* NOLINT: our own words */
}

/* ---- What stands in the file ---- */

static Onnx__Model *read_model(struct buf *b)
{
    struct err err = ERR_INIT;
    if (!file_read(b, path, 0, &err))
        fail_msg("%s", err.text);
    Onnx__Model *m = onnx__model__unpack(NULL, b->len, (const uint8_t *)b->data);
    assert_non_null(m);
    return m;
}

static bool is_defined(const Onnx__Graph *g, const char *name, size_t before)
{
    bool found = !*name || !strcmp(name, g->input[0]->name);
    for (size_t i = 0; i < g->n_initializer; i++)
        found |= !strcmp(name, g->initializer[i]->name);
    for (size_t i = 0; i < before; i++)
        found |= !strcmp(name, g->node[i]->output[0]);
    return found;
}

/* Every tensor that a node takes is there before it. */
static void check_order(const Onnx__Graph *g)
{
    for (size_t i = 0; i < g->n_node; i++)
        for (size_t k = 0; k < g->node[i]->n_input; k++)
            if (!is_defined(g, g->node[i]->input[k], i))
                fail_msg("%s takes %s", g->node[i]->name, g->node[i]->input[k]);
    assert_string_equal(g->node[g->n_node - 1]->output[0], "output");
}

static void check_numbers(const Onnx__Graph *g, const struct network *n)
{
    for (int i = 0; i < n->g.n_slots; i++) {
        const struct nn_slot *s = &n->g.slot[i];
        const Onnx__Tensor *t = NULL;
        for (size_t k = 0; k < g->n_initializer; k++)
            if (!strcmp(g->initializer[k]->name, s->name))
                t = g->initializer[k];
        assert_non_null(t);
        assert_int_equal(t->n_dims, s->rank);
        for (int d = 0; d < s->rank; d++)
            assert_int_equal(t->dims[d], s->dim[d]);
        assert_int_equal(t->raw_data.len, s->count * sizeof(float));
        assert_memory_equal(t->raw_data.data, n->values + s->offset, t->raw_data.len);
    }
}

static const Onnx__Node *node(const Onnx__Graph *g, const char *name)
{
    for (size_t i = 0; i < g->n_node; i++)
        if (!strcmp(g->node[i]->output[0], name))
            return g->node[i];
    fail_msg("no node gives %s", name);
    return NULL;
}

static const Onnx__Attribute *attribute(const Onnx__Node *n, const char *name)
{
    for (size_t i = 0; i < n->n_attribute; i++)
        if (!strcmp(n->attribute[i]->name, name))
            return n->attribute[i];
    fail_msg("%s has no %s", n->name, name);
    return NULL;
}

static void test_what_stands_in_a_unet(void **state)
{
    (void)state;
    struct network n = make(&CASES[0]);
    struct buf b = BUF_INIT;
    Onnx__Model *m = read_model(&b);
    const Onnx__Graph *g = m->graph;
    assert_int_equal(m->ir_version, 7);
    assert_int_equal(m->opset_import[0]->version, 13);
    assert_string_equal(m->doc_string, "Research software, not a medical device.");
    /* 23 convolutions, 22 norms, 22 + 1 activations, 5 poolings, 5 upsamplings, 5 concatenations; no dropout
     */
    assert_int_equal(g->n_node, 83);
    assert_int_equal(g->n_initializer, 134 + 5);
    check_order(g);
    check_numbers(g, &n);
    const Onnx__Node *last = node(g, "mask");
    assert_string_equal(last->op_type, "Conv");
    assert_string_equal(node(g, last->input[0])->op_type, "Relu");
    const Onnx__Shape *s = g->input[0]->type->tensor_type->shape;
    assert_string_equal(s->dim[0]->dim_param, "batch");
    assert_int_equal(s->dim[3]->dim_value, 96);
    assert_true(attribute(node(g, "conv_7_1_bn"), "epsilon")->f == 1e-3f);
    onnx__model__free_unpacked(m, NULL);
    buf_release(&b);
    release(&n);
}

static void test_what_stands_in_a_resnet(void **state)
{
    (void)state;
    struct network n = make(&CASES[2]);
    struct buf b = BUF_INIT;
    Onnx__Model *m = read_model(&b);
    const Onnx__Graph *g = m->graph;
    check_order(g);
    check_numbers(g, &n);
    assert_int_equal(g->n_initializer, 318);
    assert_true(attribute(node(g, "bn5c_branch2c"), "epsilon")->f == 1.001e-5f);
    assert_int_equal(attribute(node(g, "res3a_branch2a"), "strides")->ints[1], 2);
    assert_int_equal(attribute(node(g, "res3a_branch2b"), "strides")->ints[1], 1);
    assert_int_equal(attribute(node(g, "res3a_branch2b"), "pads")->ints[3], 1);
    assert_int_equal(g->output[0]->type->tensor_type->shape->n_dim, 2);
    onnx__model__free_unpacked(m, NULL);
    buf_release(&b);
    release(&n);
}

static void test_metadata(void **state)
{
    (void)state;
    struct nn_graph g = NN_GRAPH_INIT;
    struct err err = ERR_INIT;
    struct buf b = BUF_INIT;
    const float one[2] = {1, 0};
    nn_conv2d(&g, nn_input(&g, (struct nn_shape){1, 8, 8}), "a", (struct nn_conv){.filters = 1, .kernel = 1});
    json_t *meta = json_pack("{s:s, s:{s:f}}", "model", "unet", "options", "epsilon", 1.001e-5);
    assert_true(onnx_write(path, &g, one, meta, &err));
    Onnx__Model *m = read_model(&b);
    assert_int_equal(m->n_metadata_props, 2);
    assert_string_equal(m->metadata_props[0]->value, "unet");
    assert_string_equal(m->metadata_props[1]->key, "options");
    json_t *options = json_loads(m->metadata_props[1]->value, 0, NULL);
    assert_true(json_real_value(json_object_get(options, "epsilon")) == 1.001e-5);
    assert_false(onnx_write("/no/such/folder/a.onnx", &g, one, meta, &err));
    assert_string_equal(err.text, "/no/such/folder/a.onnx: No such file or directory");
    json_decref(options);
    json_decref(meta);
    onnx__model__free_unpacked(m, NULL);
    buf_release(&b);
    nn_graph_release(&g);
}

/* ---- What others make of it ---- */

static void run_here(struct network *n, const struct case_ *c)
{
    struct nn_exec x = NN_EXEC_INIT;
    struct err err = ERR_INIT;
    const struct nn_compile how = {.batch = c->batch, .mode = NN_INFER};
    assert_true(nn_exec_init(&x, &nn_backend_onednn, &n->g, &how, &err));
    x.backend->set(x.self, n->values);
    n->y = mem_new(n->n_y, sizeof *n->y);
    memcpy(n->y, x.backend->forward(x.self, n->x, NULL), n->n_y * sizeof *n->y);
    nn_exec_release(&x);
}

static void run_there(const struct network *n, const struct case_ *c)
{
    struct err err = ERR_INIT;
    struct buf said = BUF_INIT;
    const struct nn_shape s = c->told.input;
    assert_true(file_write(input, n->x, n->n_x * sizeof *n->x, &err));
    char *command = mem_printf(RUNTIME " " TOOLS "/run_onnx.js %s %s %s %d %d %d %d >%s/said", path, input,
                               output, c->batch, s.c, s.h, s.w, folder);
    char *said_at = file_join(folder, "said");
    assert_true(succeeds(command));
    assert_true(file_read(&said, said_at, 0, &err));
    if (strncmp(said.data, c->shape, strlen(c->shape)) != 0)
        fail_msg("%s instead of %s", said.data, c->shape);
    print_message("%s", said.data);
    unlink(said_at);
    free(said_at);
    free(command);
    buf_release(&said);
}

/* To 1e-4 of the outputs' size, where they are larger than 1. */
static void compare(const struct network *n)
{
    struct buf b = BUF_INIT;
    struct err err = ERR_INIT;
    double squares = 0, worst = 0, low = INFINITY, high = -INFINITY;
    assert_true(file_read(&b, output, 0, &err));
    assert_int_equal(b.len, n->n_y * sizeof *n->y);
    for (size_t i = 0; i < n->n_y; i++) {
        float v;
        memcpy(&v, b.data + i * sizeof v, sizeof v);
        worst = fmax(worst, fabs((double)v - (double)n->y[i]));
        squares += (double)v * (double)v;
        low = fmin(low, (double)v);
        high = fmax(high, (double)v);
    }
    const double size = fmax(1, sqrt(squares / (double)n->n_y));
    print_message("outputs %.3g..%.3g, largest difference %.2g\n", low, high, worst);
    assert_true(high - low > .01); /* outputs that are all alike would compare nothing */
    assert_true(worst < 1e-4 * size);
    buf_release(&b);
}

static void test_onnx_runtime(void **state)
{
    const struct case_ *c = *state;
    if (!succeeds(RUNTIME " -e 'require(\"onnxruntime-node\")' >/dev/null 2>&1"))
        skip();
    struct network n = make(c);
    run_here(&n, c);
    run_there(&n, c);
    compare(&n);
    release(&n);
}

static void test_checker(void **state)
{
    const struct case_ *c = *state;
    if (!succeeds("/usr/bin/python3 -c 'import onnx' >/dev/null 2>&1"))
        skip();
    struct network n = make(c);
    char *command = mem_printf("/usr/bin/python3 " TOOLS "/check_onnx.py %s", path);
    assert_true(succeeds(command));
    free(command);
    release(&n);
}

static int begin(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/a.onnx", folder);
    snprintf(input, sizeof input, "%s/in.f32", folder);
    snprintf(output, sizeof output, "%s/out.f32", folder);
    return 0;
}

static int end(void **state)
{
    (void)state;
    unlink(path);
    unlink(input);
    unlink(output);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_stands_in_a_unet),
        cmocka_unit_test(test_what_stands_in_a_resnet),
        cmocka_unit_test(test_metadata),
        {"checker, unet", test_checker, NULL, NULL, (void *)&CASES[0]},
        {"checker, resnet50", test_checker, NULL, NULL, (void *)&CASES[1]},
        {"checker, resnet50 without head", test_checker, NULL, NULL, (void *)&CASES[2]},
        {"runtime, unet", test_onnx_runtime, NULL, NULL, (void *)&CASES[0]},
        {"runtime, resnet50", test_onnx_runtime, NULL, NULL, (void *)&CASES[1]},
        {"runtime, resnet50 without head", test_onnx_runtime, NULL, NULL, (void *)&CASES[2]},
    };
    return cmocka_run_group_tests(tests, begin, end);
}
