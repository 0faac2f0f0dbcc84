/* model/onnx.c: see onnx.h. Nodes become ONNX nodes one by one; the messages are protobuf-c's, made of
 * onnx.proto. */
#include "model/onnx.h"

#include "base/file.h"
#include "base/mem.h"

#include "onnx.pb-c.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { IR_VERSION = 7, OPERATOR_SET = 13, FLOAT_TENSOR = 1, MOST_INPUTS = 5, MOST_ATTRIBUTES = 4 };

struct building {
    const struct nn_graph *g;
    const float *values;
    Onnx__Graph graph;
    const char **tensor; /* [n_nodes]: the name of each node's output */
    bool *is_flat;       /* [n_nodes]: that output is [batch, c], not [batch, c, 1, 1] */
    void **kept;         /* everything allocated */
    size_t n_kept;
};

static void *keep(struct building *b, void *p)
{
    b->kept = mem_grow(b->kept, b->n_kept + 1, sizeof *b->kept);
    return b->kept[b->n_kept++] = p;
}

static char *text(struct building *b, const char *s)
{
    return keep(b, mem_copy_string(s));
}

/* ---- Messages ---- */

static Onnx__Node *add_node(struct building *b, const char *op, const char *output)
{
    Onnx__Node *n = keep(b, mem_new(1, sizeof *n));

    onnx__node__init(n);
    n->op_type = text(b, op);
    n->name = text(b, output);
    n->input = keep(b, mem_new(MOST_INPUTS, sizeof *n->input));
    n->output = keep(b, mem_new(1, sizeof *n->output));
    n->attribute = keep(b, mem_new(MOST_ATTRIBUTES, sizeof(void *)));
    n->output[n->n_output++] = text(b, output);
    b->graph.node[b->graph.n_node++] = n;
    return n;
}

static void add_input(struct building *b, Onnx__Node *n, const char *name)
{
    assert(n->n_input < MOST_INPUTS);
    n->input[n->n_input++] = text(b, name);
}

static Onnx__Attribute *add_attribute(struct building *b, Onnx__Node *n, const char *name,
                                      Onnx__Attribute__Kind kind)
{
    Onnx__Attribute *a = keep(b, mem_new(1, sizeof *a));

    assert(n->n_attribute < MOST_ATTRIBUTES);
    onnx__attribute__init(a);
    a->name = text(b, name);
    a->has_type = true;
    a->type = kind;
    n->attribute[n->n_attribute++] = a;
    return a;
}

static void add_int(struct building *b, Onnx__Node *n, const char *name, int v)
{
    Onnx__Attribute *a = add_attribute(b, n, name, ONNX__ATTRIBUTE__KIND__INT);

    a->has_i = true;
    a->i = v;
}

static void add_float(struct building *b, Onnx__Node *n, const char *name, float v)
{
    Onnx__Attribute *a = add_attribute(b, n, name, ONNX__ATTRIBUTE__KIND__FLOAT);

    a->has_f = true;
    a->f = v;
}

static void add_string(struct building *b, Onnx__Node *n, const char *name, const char *v)
{
    Onnx__Attribute *a = add_attribute(b, n, name, ONNX__ATTRIBUTE__KIND__STRING);

    a->has_s = true;
    a->s = (ProtobufCBinaryData){strlen(v), (uint8_t *)text(b, v)};
}

/* count times v */
static void add_ints(struct building *b, Onnx__Node *n, const char *name, int v, size_t count)
{
    Onnx__Attribute *a = add_attribute(b, n, name, ONNX__ATTRIBUTE__KIND__INTS);

    a->ints = keep(b, mem_new(count, sizeof *a->ints));
    for (a->n_ints = 0; a->n_ints < count; a->n_ints++)
        a->ints[a->n_ints] = v;
}

/* v: borrowed until the file is written. */
static void add_tensor(struct building *b, const char *name, const float *v, const int *dim, int rank)
{
    Onnx__Tensor *t = keep(b, mem_new(1, sizeof *t));
    size_t count = 1;

    onnx__tensor__init(t);
    t->name = text(b, name);
    t->has_data_type = true;
    t->data_type = FLOAT_TENSOR;
    t->dims = keep(b, mem_new((size_t)rank, sizeof *t->dims));
    for (; t->n_dims < (size_t)rank; t->n_dims++) {
        t->dims[t->n_dims] = dim[t->n_dims];
        count *= (size_t)dim[t->n_dims];
    }
    static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "raw_data is little-endian");
    t->has_raw_data = true;
    t->raw_data = (ProtobufCBinaryData){count * sizeof *v, (uint8_t *)(uintptr_t)v};
    b->graph.initializer[b->graph.n_initializer++] = t;
}

/* ---- Operations ---- */

/* The node's slots as further inputs. */
static void add_slots(struct building *b, Onnx__Node *n, const struct nn_node *node)
{
    for (int i = node->slot; i < node->slot + node->n_slots; i++) {
        const struct nn_slot *s = &b->g->slot[i];
        add_tensor(b, s->name, b->values + s->offset, s->dim, s->rank);
        add_input(b, n, s->name);
    }
}

static void emit_conv(struct building *b, Onnx__Node *n, const struct nn_node *node)
{
    const struct nn_conv *c = &node->u.conv;

    add_slots(b, n, node);
    add_ints(b, n, "kernel_shape", c->kernel, 2);
    add_ints(b, n, "strides", c->stride ? c->stride : 1, 2);
    add_ints(b, n, "pads", c->pad, 4);
}

static void emit_norm(struct building *b, Onnx__Node *n, const struct nn_node *node)
{
    add_slots(b, n, node);
    add_float(b, n, "epsilon", node->u.norm.epsilon);
}

/* ONNX never lets a padded place win. Here padding is zeros: the same after a ReLU, which never gives less.
 */
static void emit_pool(struct building *b, Onnx__Node *n, const struct nn_node *node)
{
    const struct nn_pool *p = &node->u.pool;

    assert(p->pad == 0 || b->g->node[node->in[0]].op == NN_RELU);
    add_ints(b, n, "kernel_shape", p->kernel, 2);
    add_ints(b, n, "strides", p->stride ? p->stride : p->kernel, 2);
    add_ints(b, n, "pads", p->pad, 4);
}

static void emit_upsample(struct building *b, Onnx__Node *n, const struct nn_node *node)
{
    float *scale = keep(b, mem_new(4, sizeof *scale));
    char name[NN_NAME + 16];

    scale[0] = scale[1] = 1;
    scale[2] = scale[3] = (float)node->u.factor;
    snprintf(name, sizeof name, "%s/scales", node->name);
    add_input(b, n, ""); /* no region of interest */
    add_input(b, n, name);
    add_tensor(b, name, scale, &(const int){4}, 1);
    add_string(b, n, "mode", "nearest");
    add_string(b, n, "coordinate_transformation_mode", "asymmetric");
    add_string(b, n, "nearest_mode", "floor");
}

static void emit_over_channels(struct building *b, Onnx__Node *n, const struct nn_node *node)
{
    (void)node;
    add_int(b, n, "axis", 1);
}

static void emit_dense(struct building *b, Onnx__Node *n, const struct nn_node *node)
{
    add_slots(b, n, node);
    add_int(b, n, "transB", 1); /* the kernel is [units, inputs] */
}

/* Dropout is not here: it does nothing in inference. */
static const struct {
    const char *name;
    void (*emit)(struct building *b, Onnx__Node *n, const struct nn_node *node);
} OPS[NN_OP_COUNT] = {
    [NN_CONV2D] = {"Conv", emit_conv},
    [NN_BATCHNORM] = {"BatchNormalization", emit_norm},
    [NN_RELU] = {"Relu", NULL},
    [NN_SIGMOID] = {"Sigmoid", NULL},
    [NN_SOFTMAX] = {"Softmax", emit_over_channels},
    [NN_MAXPOOL] = {"MaxPool", emit_pool},
    [NN_UPSAMPLE] = {"Resize", emit_upsample},
    [NN_CONCAT] = {"Concat", emit_over_channels},
    [NN_ADD] = {"Add", NULL},
    [NN_GLOBAL_AVGPOOL] = {"GlobalAveragePool", NULL},
    [NN_DENSE] = {"Gemm", emit_dense},
};

static void add_flatten(struct building *b, const char *from, const char *to)
{
    Onnx__Node *n = add_node(b, "Flatten", to);

    add_input(b, n, from);
    add_int(b, n, "axis", 1);
}

/* output: the name of the node's tensor. */
static void emit(struct building *b, nn_id id, const char *output)
{
    const struct nn_node *node = &b->g->node[id];
    char between[NN_NAME + 16];
    const char *first = node->n_in ? b->tensor[node->in[0]] : NULL;
    const bool pool = node->op == NN_GLOBAL_AVGPOOL;

    assert(OPS[node->op].name);
    snprintf(between, sizeof between, "%s/map", node->name);
    if (node->op == NN_DENSE && !b->is_flat[node->in[0]]) {
        add_flatten(b, first, between);
        first = between;
    }
    Onnx__Node *n = add_node(b, OPS[node->op].name, pool ? between : output);
    add_input(b, n, first);
    if (node->n_in > 1)
        add_input(b, n, b->tensor[node->in[1]]);
    if (OPS[node->op].emit)
        OPS[node->op].emit(b, n, node);
    if (pool)
        add_flatten(b, between, output);
    b->tensor[id] = text(b, output);
    b->is_flat[id] = pool || node->op == NN_DENSE || b->is_flat[node->in[0]];
}

/* ---- The whole ---- */

static Onnx__Dimension *dimension(struct building *b, int size)
{
    Onnx__Dimension *d = keep(b, mem_new(1, sizeof *d));

    onnx__dimension__init(d);
    if (size > 0) {
        d->value_case = ONNX__DIMENSION__VALUE_DIM_VALUE;
        d->dim_value = size;
    } else {
        d->value_case = ONNX__DIMENSION__VALUE_DIM_PARAM;
        d->dim_param = text(b, "batch");
    }
    return d;
}

/* [batch, c, h, w], or [batch, c]. */
static Onnx__Value **value(struct building *b, const char *name, struct nn_shape s, bool is_flat)
{
    const int dim[] = {0, s.c, s.h, s.w};
    Onnx__Value **list = keep(b, mem_new(1, sizeof(void *))), *v = keep(b, mem_new(1, sizeof *v));

    onnx__value__init(v);
    v->name = text(b, name);
    v->type = keep(b, mem_new(1, sizeof *v->type));
    onnx__type__init(v->type);
    Onnx__Array *array = v->type->tensor_type = keep(b, mem_new(1, sizeof *array));
    onnx__array__init(array);
    array->has_elem_type = true;
    array->elem_type = FLOAT_TENSOR;
    Onnx__Shape *shape = array->shape = keep(b, mem_new(1, sizeof *shape));
    onnx__shape__init(shape);
    shape->dim = keep(b, mem_new(4, sizeof(void *)));
    for (; shape->n_dim < (is_flat ? 2 : 4); shape->n_dim++)
        shape->dim[shape->n_dim] = dimension(b, dim[shape->n_dim]);
    list[0] = v;
    return list;
}

static void build_graph(struct building *b)
{
    const struct nn_graph *g = b->g;
    const nn_id last = g->n_nodes - 1;

    onnx__graph__init(&b->graph);
    b->graph.name = text(b, "clearmass");
    b->graph.node = keep(b, mem_new(2 * (size_t)g->n_nodes, sizeof(void *)));
    b->graph.initializer = keep(b, mem_new((size_t)(g->n_slots + g->n_nodes), sizeof(void *)));
    b->tensor = keep(b, mem_new((size_t)g->n_nodes, sizeof *b->tensor));
    b->is_flat = keep(b, mem_new((size_t)g->n_nodes, sizeof *b->is_flat));
    assert(g->node[0].op == NN_INPUT && g->node[last].op != NN_SPATIAL_DROPOUT);
    b->tensor[0] = "input";
    for (nn_id id = 1; id <= last; id++) {
        if (g->node[id].op == NN_SPATIAL_DROPOUT)
            b->tensor[id] = b->tensor[g->node[id].in[0]];
        else
            emit(b, id, id == last ? "output" : g->node[id].name);
    }
    b->graph.input = value(b, "input", g->node[0].shape, false);
    b->graph.output = value(b, "output", g->node[last].shape, b->is_flat[last]);
    b->graph.n_input = b->graph.n_output = 1;
}

static void add_metadata(struct building *b, Onnx__Model *m, const json_t *meta)
{
    const char *key;
    json_t *v;

    m->metadata_props = keep(b, mem_new(json_object_size(meta) + 1, sizeof(void *)));
    json_object_foreach((json_t *)(uintptr_t)meta, key, v)
    {
        Onnx__Entry *e = keep(b, mem_new(1, sizeof *e));
        onnx__entry__init(e);
        e->key = text(b, key);
        e->value = json_is_string(v)
                       ? text(b, json_string_value(v))
                       : keep(b, json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17)));
        m->metadata_props[m->n_metadata_props++] = e;
    }
}

struct sink {
    ProtobufCBuffer base;
    FILE *f;
};

/* What cannot be written shows in file_out_commit. */
static void append(ProtobufCBuffer *to, size_t n, const uint8_t *bytes)
{
    fwrite(bytes, 1, n, ((struct sink *)to)->f);
}

bool onnx_write(const char *path, const struct nn_graph *g, const float *values, const json_t *meta,
                struct err *err)
{
    struct building b = {.g = g, .values = values};
    struct file_out o = FILE_OUT_INIT;
    Onnx__OperatorSet set = ONNX__OPERATOR_SET__INIT, *sets = &set;
    Onnx__Model m = ONNX__MODEL__INIT;

    if (!file_out_begin(&o, path, true, err))
        return false;
    build_graph(&b);
    add_metadata(&b, &m, meta);
    set.version = OPERATOR_SET;
    set.has_version = m.has_ir_version = true;
    set.domain = text(&b, "");
    m.ir_version = IR_VERSION;
    m.producer_name = text(&b, "clearmass");
    m.producer_version = text(&b, CLEARMASS_VERSION);
    m.doc_string = text(&b, "Research software, not a medical device.");
    m.graph = &b.graph;
    m.n_opset_import = 1;
    m.opset_import = &sets;
    struct sink sink = {{append}, o.f};
    onnx__model__pack_to_buffer(&m, &sink.base);
    for (size_t i = 0; i < b.n_kept; i++)
        free(b.kept[i]);
    free(b.kept);
    return file_out_commit(&o, err);
}
