#include "nn/graph.h"

#include "base/mem.h"
#include "base/rng.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const OP_NAMES[NN_OP_COUNT] = {
    [NN_INPUT] = "input",
    [NN_CONV2D] = "conv2d",
    [NN_BATCHNORM] = "batch_norm",
    [NN_RELU] = "relu",
    [NN_SIGMOID] = "sigmoid",
    [NN_SOFTMAX] = "softmax",
    [NN_MAXPOOL] = "max_pool",
    [NN_UPSAMPLE] = "up_sampling",
    [NN_CONCAT] = "concatenate",
    [NN_ADD] = "add",
    [NN_GLOBAL_AVGPOOL] = "global_average_pool",
    [NN_DENSE] = "dense",
    [NN_SPATIAL_DROPOUT] = "spatial_dropout",
};

static const char *const ROLE_NAMES[] = {
    [NN_KERNEL] = "kernel", [NN_BIAS] = "bias",        [NN_GAMMA] = "gamma",
    [NN_BETA] = "beta",     [NN_MEAN] = "moving_mean", [NN_VARIANCE] = "moving_variance",
};

void nn_graph_release(struct nn_graph *g)
{
    free(g->node);
    free(g->slot);
    *g = (struct nn_graph)NN_GRAPH_INIT;
}

const char *nn_op_name(enum nn_op op)
{
    assert(op >= 0 && op < NN_OP_COUNT);
    return OP_NAMES[op];
}

size_t nn_shape_size(struct nn_shape s)
{
    return (size_t)s.c * (size_t)s.h * (size_t)s.w;
}

static struct nn_shape shape_of(const struct nn_graph *g, nn_id x)
{
    assert(x >= 0 && x < g->n_nodes);
    return g->node[x].shape;
}

/* Appends a node; the caller fills in shape and u. */
static struct nn_node *add_node(struct nn_graph *g, enum nn_op op, const char *name, nn_id a, nn_id b)
{
    g->node = mem_grow(g->node, (size_t)g->n_nodes + 1, sizeof *g->node);
    struct nn_node *node = &g->node[g->n_nodes];
    *node = (struct nn_node){.op = op, .in = {a, b}, .n_in = (a >= 0) + (b >= 0), .slot = g->n_slots};
    if (name)
        snprintf(node->name, sizeof node->name, "%s", name);
    else
        snprintf(node->name, sizeof node->name, "%s_%d", OP_NAMES[op], g->n_nodes);
    g->n_nodes++;
    return node;
}

static nn_id last(const struct nn_graph *g)
{
    return g->n_nodes - 1;
}

/* Appends a slot to the newest node. */
static void add_slot(struct nn_graph *g, enum nn_role role, int rank, const int dim[4])
{
    struct nn_node *node = &g->node[g->n_nodes - 1];
    g->slot = mem_grow(g->slot, (size_t)g->n_slots + 1, sizeof *g->slot);
    struct nn_slot *s = &g->slot[g->n_slots++];
    *s = (struct nn_slot){.role = role, .node = g->n_nodes - 1, .rank = rank, .offset = g->n_values};
    s->count = 1;
    for (int i = 0; i < 4; i++) {
        s->dim[i] = i < rank ? dim[i] : 1;
        s->count *= (size_t)s->dim[i];
    }
    s->trainable = role != NN_MEAN && role != NN_VARIANCE;
    snprintf(s->name, sizeof s->name, "%s/%s", node->name, ROLE_NAMES[role]);
    for (int i = 0; i < g->n_slots - 1; i++)
        assert(strcmp(g->slot[i].name, s->name) != 0 && "two layers of one name");
    node->n_slots++;
    g->n_values += s->count;
}

nn_id nn_input(struct nn_graph *g, struct nn_shape shape)
{
    assert(shape.c > 0 && shape.h > 0 && shape.w > 0);
    add_node(g, NN_INPUT, "input", -1, -1)->shape = shape;
    return last(g);
}

static int windows(int size, int kernel, int stride, int pad)
{
    int n = (size + 2 * pad - kernel) / stride + 1;
    assert(size + 2 * pad >= kernel && n > 0);
    return n;
}

nn_id nn_conv2d(struct nn_graph *g, nn_id x, const char *name, struct nn_conv conv)
{
    struct nn_shape in = shape_of(g, x);
    if (conv.stride == 0)
        conv.stride = 1;
    struct nn_node *node = add_node(g, NN_CONV2D, name, x, -1);
    node->u.conv = conv;
    node->shape = (struct nn_shape){conv.filters, windows(in.h, conv.kernel, conv.stride, conv.pad),
                                    windows(in.w, conv.kernel, conv.stride, conv.pad)};
    add_slot(g, NN_KERNEL, 4, (int[4]){conv.filters, in.c, conv.kernel, conv.kernel});
    add_slot(g, NN_BIAS, 1, (int[4]){conv.filters});
    return last(g);
}

nn_id nn_batchnorm(struct nn_graph *g, nn_id x, const char *name, struct nn_norm norm)
{
    struct nn_shape in = shape_of(g, x);
    struct nn_node *node = add_node(g, NN_BATCHNORM, name, x, -1);
    node->u.norm = norm;
    node->shape = in;
    for (enum nn_role role = NN_GAMMA; role <= NN_VARIANCE; role++)
        add_slot(g, role, 1, (int[4]){in.c});
    return last(g);
}

static nn_id add_same_shape(struct nn_graph *g, enum nn_op op, nn_id x)
{
    struct nn_shape in = shape_of(g, x);
    add_node(g, op, NULL, x, -1)->shape = in;
    return last(g);
}

nn_id nn_relu(struct nn_graph *g, nn_id x)
{
    return add_same_shape(g, NN_RELU, x);
}

nn_id nn_sigmoid(struct nn_graph *g, nn_id x)
{
    return add_same_shape(g, NN_SIGMOID, x);
}

nn_id nn_softmax(struct nn_graph *g, nn_id x)
{
    return add_same_shape(g, NN_SOFTMAX, x);
}

nn_id nn_maxpool(struct nn_graph *g, nn_id x, struct nn_pool pool)
{
    struct nn_shape in = shape_of(g, x);
    if (pool.stride == 0)
        pool.stride = pool.kernel;
    struct nn_node *node = add_node(g, NN_MAXPOOL, NULL, x, -1);
    node->u.pool = pool;
    node->shape = (struct nn_shape){in.c, windows(in.h, pool.kernel, pool.stride, pool.pad),
                                    windows(in.w, pool.kernel, pool.stride, pool.pad)};
    return last(g);
}

nn_id nn_upsample(struct nn_graph *g, nn_id x, int factor)
{
    struct nn_shape in = shape_of(g, x);
    struct nn_node *node = add_node(g, NN_UPSAMPLE, NULL, x, -1);
    node->u.factor = factor;
    node->shape = (struct nn_shape){in.c, in.h * factor, in.w * factor};
    return last(g);
}

nn_id nn_concat(struct nn_graph *g, nn_id first, nn_id second)
{
    struct nn_shape a = shape_of(g, first), b = shape_of(g, second);
    assert(a.h == b.h && a.w == b.w);
    add_node(g, NN_CONCAT, NULL, first, second)->shape = (struct nn_shape){a.c + b.c, a.h, a.w};
    return last(g);
}

nn_id nn_add(struct nn_graph *g, nn_id a, nn_id b)
{
    struct nn_shape s = shape_of(g, a), t = shape_of(g, b);
    assert(s.c == t.c && s.h == t.h && s.w == t.w);
    add_node(g, NN_ADD, NULL, a, b)->shape = s;
    return last(g);
}

nn_id nn_global_avgpool(struct nn_graph *g, nn_id x)
{
    struct nn_shape in = shape_of(g, x);
    add_node(g, NN_GLOBAL_AVGPOOL, NULL, x, -1)->shape = (struct nn_shape){in.c, 1, 1};
    return last(g);
}

nn_id nn_dense(struct nn_graph *g, nn_id x, const char *name, int units)
{
    struct nn_shape in = shape_of(g, x);
    assert(in.h == 1 && in.w == 1);
    add_node(g, NN_DENSE, name, x, -1)->shape = (struct nn_shape){units, 1, 1};
    add_slot(g, NN_KERNEL, 2, (int[4]){units, in.c});
    add_slot(g, NN_BIAS, 1, (int[4]){units});
    return last(g);
}

nn_id nn_spatial_dropout(struct nn_graph *g, nn_id x, float rate)
{
    assert(rate >= 0 && rate < 1);
    nn_id id = add_same_shape(g, NN_SPATIAL_DROPOUT, x);
    g->node[id].u.rate = rate;
    return id;
}

void nn_graph_cut(struct nn_graph *g, nn_id x)
{
    assert(x >= 0 && x < g->n_nodes);
    g->n_nodes = x + 1;
    g->n_slots = g->node[x].slot + g->node[x].n_slots;
    g->n_values = g->n_slots > 0 ? g->slot[g->n_slots - 1].offset + g->slot[g->n_slots - 1].count : 0;
}

void nn_graph_freeze(struct nn_graph *g, nn_id end, bool fixed)
{
    for (nn_id id = 0; id < end; id++) {
        struct nn_node *node = &g->node[id];
        for (int k = 0; k < node->n_slots; k++)
            g->slot[node->slot + k].trainable = false;
        if (node->op == NN_BATCHNORM)
            node->u.norm.frozen = fixed;
    }
}

bool nn_graph_tracks(const struct nn_graph *g, nn_id norm)
{
    const struct nn_node *node = &g->node[norm];
    return node->op == NN_BATCHNORM && !node->u.norm.frozen && g->slot[node->slot].trainable;
}

size_t nn_graph_count(const struct nn_graph *g)
{
    return g->n_values;
}

size_t nn_graph_count_trainable(const struct nn_graph *g)
{
    size_t n = 0;
    for (int i = 0; i < g->n_slots; i++)
        n += g->slot[i].trainable ? g->slot[i].count : 0;
    return n;
}

const struct nn_slot *nn_graph_slot(const struct nn_graph *g, const char *name)
{
    for (int i = 0; i < g->n_slots; i++)
        if (!strcmp(g->slot[i].name, name))
            return &g->slot[i];
    return NULL;
}

static void init_kernel(float *v, const struct nn_slot *s, struct rng rng)
{
    double area = (double)s->dim[2] * s->dim[3];
    double limit = sqrt(6 / (area * (s->dim[0] + s->dim[1])));
    for (size_t i = 0; i < s->count; i++)
        v[i] = (float)rng_between(&rng, -limit, limit);
}

void nn_graph_init_values(const struct nn_graph *g, float *values, uint64_t seed)
{
    for (int i = 0; i < g->n_slots; i++) {
        const struct nn_slot *s = &g->slot[i];
        float *v = values + s->offset;
        float constant = s->role == NN_GAMMA || s->role == NN_VARIANCE ? 1.0f : 0.0f;
        if (s->role == NN_KERNEL) {
            init_kernel(v, s, rng_at(seed, RNG_INIT, (uint64_t)i, 0));
            continue;
        }
        for (size_t k = 0; k < s->count; k++)
            v[k] = constant;
    }
}

void nn_dropout_factors(float *factor, int channels, float rate, uint64_t seed, nn_id node, int item)
{
    struct rng rng = rng_at(seed, RNG_DROPOUT, (uint64_t)node, (uint64_t)item);
    for (int c = 0; c < channels; c++)
        factor[c] = rng_uniform(&rng) < rate ? 0.0f : 1.0f / (1.0f - rate);
}
