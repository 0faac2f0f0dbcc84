/* nn/onednn_lower.h: private to the lowering of a graph: onednn_compile.c decides what is one step and where
 * tensors lie, onednn_ops.c turns each operation into steps. */
#ifndef CLEARMASS_NN_ONEDNN_LOWER_H
#define CLEARMASS_NN_ONEDNN_LOWER_H

#include "nn/onednn.h"

/* One or more nodes done by one step or a few. */
struct onednn_unit {
    enum nn_op op; /* of the first node */
    nn_id id;      /* the first node */
    nn_id in[2];   /* tensors read */
    int n_in;
    nn_id out;                  /* tensor written: the last node of the unit */
    const struct nn_node *norm; /* batch norm folded into this convolution, or NULL */
    const struct nn_node *drop; /* dropout joined to this batch norm, or NULL */
    bool relu;                  /* a ReLU is joined; with a sum joined to a norm or a convolution, after it */
    bool folded; /* a convolution that takes in[0] not yet upsampled, and in[1] as its further channels */
    struct onednn_view saved, factor, index; /* what forward leaves for backward */
};

/* A tensor: the output of a unit, known by the id of its node. */
struct onednn_tensor {
    struct onednn_view at;    /* its numbers */
    struct onednn_view grad;  /* gradient gathered so far */
    struct onednn_view again; /* the numbers once more, for backward */
    bool has_grad;
    bool owns_grad; /* false: grad is another tensor's, to be read only */
    nn_id inside;   /* the concatenation it lies in, or -1 */
    int channel;    /* first channel there */
};

struct onednn_lowering {
    struct onednn *o;
    const struct nn_graph *g;
    struct err *err;
    nn_id *same; /* [n_nodes] the tensor that stands for a node: itself, or its input (dropout in NN_INFER) */
    nn_id *reader;           /* [n_nodes] the only node that reads a node's output, or -1 */
    bool *needs;             /* [n_nodes] a gradient of its output is needed */
    bool *joined;            /* [n_nodes] part of an earlier node's unit */
    struct onednn_tensor *t; /* [n_nodes] */
    struct onednn_unit *unit;
    int n_units;
};

struct nn_shape onednn_shape(const struct onednn_lowering *l, nn_id x);
/* Of the tensor's layout: the machine's vector, or 1. */
int onednn_block(const struct onednn_lowering *l, nn_id x);
/* Nothing of this node is ever differentiated and its statistics stand still. */
bool onednn_is_fixed(const struct onednn_lowering *l, nn_id id);

/* A dense buffer of x's shape. */
struct onednn_view onednn_new_tensor(struct onednn_lowering *l, nn_id x);
/* Where x lies; made on first use. */
struct onednn_view onednn_value(struct onednn_lowering *l, nn_id x);
/* The same for a step of backward. A norm's output is computed once more there: that costs less than keeping
 * it from forward on, when half of all memory would hold such outputs. */
struct onednn_view onednn_value_again(struct onednn_lowering *l, nn_id x);
/* The part of a concatenation's view where x lies. */
struct onednn_view onednn_part(const struct onednn_lowering *l, nn_id x, struct onednn_view whole);

/* Where a kernel writes the next contribution to x's gradient, and what it adds to it. */
struct onednn_target {
    struct onednn_view dx, base;
};

struct onednn_target onednn_gradient(struct onednn_lowering *l, nn_id x);
/* Says that x's gradient is at a view; owned: it may be written to. */
void onednn_lend_gradient(struct onednn_lowering *l, nn_id x, struct onednn_view grad, bool owned);

/* A step for unit u; the shapes are those of its first input and of its output. */
struct onednn_step *onednn_kernel_step(struct onednn_lowering *l, const struct onednn_unit *u,
                                       const char *what,
                                       void (*f)(const struct onednn_job *, const struct onednn_run *));

/* The convolution or dense layer that unit u is, without its tensors. */
struct onednn_layer onednn_layer_of(struct onednn_lowering *l, const struct onednn_unit *u);
/* After a primitive wrote a contribution to x's gradient at part: adds it to what was there. */
void onednn_add_contribution(struct onednn_lowering *l, const struct onednn_unit *u, nn_id x,
                             struct onednn_view part);

/* onednn_fold.c: may the convolution be folded with the upsampling it reads, and does it pay? */
bool onednn_can_fold(const struct onednn_lowering *l, nn_id conv);
bool onednn_fold_pays(struct onednn_lowering *l, nn_id conv);
bool onednn_folded_forward(struct onednn_lowering *l, struct onednn_unit *u);
bool onednn_folded_backward(struct onednn_lowering *l, struct onednn_unit *u);

/* onednn_point.c: is it a 1 x 1 convolution to one channel, which is ours? */
bool onednn_is_point(const struct onednn_lowering *l, const struct onednn_unit *u);
bool onednn_point_forward(struct onednn_lowering *l, struct onednn_unit *u);
bool onednn_point_backward(struct onednn_lowering *l, struct onednn_unit *u);

/* Steps of a unit; false with an error where the library cannot do it. */
bool onednn_unit_forward(struct onednn_lowering *l, struct onednn_unit *u);
bool onednn_unit_backward(struct onednn_lowering *l, struct onednn_unit *u);

#endif
