/* nn/graph.h: a network as a recorded list of operations, and its numbers as one flat array.
 *
 * A model is a C function that calls the nn_*() builders below. Each returns the id of a new node; the inputs
 * of a node always have smaller ids, so the list is in topological order by construction. The batch size is
 * no part of the graph: it is chosen when a backend compiles it (nn/exec.h).
 *
 * Numbers: every learnt or tracked array is a named slot in one flat float array of graph->n_values numbers,
 * in the order the layers were recorded. Layouts in the flat array:
 * - convolution: kernel [filters, channels, kh, kw], bias [filters];
 * - dense: kernel [units, inputs], bias [units];
 * - batch norm: gamma, beta, mean, variance, each [channels]; mean and variance are not trainable. */
#ifndef CLEARMASS_NN_GRAPH_H
#define CLEARMASS_NN_GRAPH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int nn_id;

enum nn_op {
    NN_INPUT,
    NN_CONV2D,
    NN_BATCHNORM,
    NN_RELU,
    NN_SIGMOID,
    NN_SOFTMAX, /* over channels */
    NN_MAXPOOL,
    NN_UPSAMPLE, /* nearest neighbour: rows and columns repeated */
    NN_CONCAT,   /* along channels, first input first */
    NN_ADD,
    NN_GLOBAL_AVGPOOL, /* [c, h, w] -> [c, 1, 1] */
    NN_DENSE,
    NN_SPATIAL_DROPOUT, /* whole channels of an item are zeroed, the others scaled by 1 / (1 - rate) */
    NN_OP_COUNT
};

/* Of one item: [c, h, w]. Vectors have h = w = 1. */
struct nn_shape {
    int c, h, w;
};

struct nn_conv {
    int filters;
    int kernel; /* square */
    int stride; /* 0 means 1 */
    int pad;    /* zeros on each of the four sides; 0 is Keras' 'valid' */
};

struct nn_pool {
    int kernel; /* square */
    int stride; /* 0 means kernel */
    int pad;    /* each side; padded places never win (see nn_maxpool) */
};

struct nn_norm {
    float epsilon; /* added to the variance */
    bool frozen;   /* normalise with the moving statistics in training too and leave them alone */
};

enum { NN_NAME = 48, NN_SLOTS_A_NODE = 4 };

struct nn_node {
    enum nn_op op;
    char name[NN_NAME];
    nn_id in[2];
    int n_in;
    struct nn_shape shape; /* of the output */
    union {
        struct nn_conv conv;
        struct nn_pool pool;
        struct nn_norm norm;
        int factor; /* NN_UPSAMPLE */
        float rate; /* NN_SPATIAL_DROPOUT, [0, 1) */
    } u;
    int slot; /* first slot; conv and dense: kernel, bias; batch norm: gamma, beta, mean, variance */
    int n_slots;
};

enum nn_role { NN_KERNEL, NN_BIAS, NN_GAMMA, NN_BETA, NN_MEAN, NN_VARIANCE };

struct nn_slot {
    char name[NN_NAME + 16]; /* "conv_224_1/kernel", ".../bias", ".../gamma", ".../moving_mean", ... */
    enum nn_role role;
    nn_id node;
    int rank;             /* 1, 2 or 4 */
    int dim[4];           /* as listed at the top; unused ones are 1 */
    size_t offset, count; /* floats, in the flat array */
    bool trainable;       /* false for moving statistics and for frozen layers */
};

struct nn_graph {
    struct nn_node *node;
    int n_nodes;
    struct nn_slot *slot;
    int n_slots;
    size_t n_values; /* floats in the flat array */
};

#define NN_GRAPH_INIT                                                                                        \
    {                                                                                                        \
        NULL, 0, NULL, 0, 0                                                                                  \
    }

void nn_graph_release(struct nn_graph *g);

/* Builders. name must be unique in the graph where it has slots; others may pass NULL and get "op_id". */
nn_id nn_input(struct nn_graph *g, struct nn_shape shape);
nn_id nn_conv2d(struct nn_graph *g, nn_id x, const char *name, struct nn_conv conv);
nn_id nn_batchnorm(struct nn_graph *g, nn_id x, const char *name, struct nn_norm norm);
nn_id nn_relu(struct nn_graph *g, nn_id x);
nn_id nn_sigmoid(struct nn_graph *g, nn_id x);
nn_id nn_softmax(struct nn_graph *g, nn_id x);
/* With pad > 0 the padding is zeros that take part in the maximum, as Keras' ZeroPadding2D before a valid
 * pool has them (after a ReLU this equals padding with minus infinity). */
nn_id nn_maxpool(struct nn_graph *g, nn_id x, struct nn_pool pool);
nn_id nn_upsample(struct nn_graph *g, nn_id x, int factor);
nn_id nn_concat(struct nn_graph *g, nn_id first, nn_id second);
nn_id nn_add(struct nn_graph *g, nn_id a, nn_id b);
nn_id nn_global_avgpool(struct nn_graph *g, nn_id x);
nn_id nn_dense(struct nn_graph *g, nn_id x, const char *name, int units);
nn_id nn_spatial_dropout(struct nn_graph *g, nn_id x, float rate);

/* Forgets every node after x, so that x is the output, and their slots, whose values are the last ones. */
void nn_graph_cut(struct nn_graph *g, nn_id x);

/* Makes every slot of the nodes before `end` not trainable. fixed: their norms use the moving statistics in
 * training too; otherwise they go on normalising by the batch (as Keras 2.1.3 to 2.2 do), but nothing of
 * theirs moves. */
void nn_graph_freeze(struct nn_graph *g, nn_id end, bool fixed);
/* Whether a norm of the batch keeps moving statistics that training changes: one with a trainable gamma. */
bool nn_graph_tracks(const struct nn_graph *g, nn_id norm);

/* Numbers in all slots, and in the trainable ones. */
size_t nn_graph_count(const struct nn_graph *g);
size_t nn_graph_count_trainable(const struct nn_graph *g);
/* The slot of that name, or NULL. */
const struct nn_slot *nn_graph_slot(const struct nn_graph *g, const char *name);
/* Floats in one item of a node's output. */
size_t nn_shape_size(struct nn_shape s);
const char *nn_op_name(enum nn_op op);

/* Keras' initial values: kernels glorot uniform, U(-l, l) with l = sqrt(6 / (fan_in + fan_out)), fan =
 * kh*kw*channels (Glorot and Bengio 2010); bias, beta, mean 0; gamma, variance 1. A function of (seed, slot)
 * alone. */
void nn_graph_init_values(const struct nn_graph *g, float *values, uint64_t seed);

/* The factor for each channel of one item in spatial dropout: 0 or 1 / (1 - rate), as a function of
 * (seed, node, item) alone, so that every backend drops the same channels. */
void nn_dropout_factors(float *factor, int channels, float rate, uint64_t seed, nn_id node, int item);

#endif
