/* nn/onednn.h: private to the oneDNN backend (nn/exec.h is its public face).
 *
 * compile lowers a graph into two lists of steps, forward and backward. A step is a oneDNN primitive with its
 * arguments, or one of our kernels with a job. Every number a step touches lies in a buffer of one of two
 * pools: POOL_RUN is planned by life time (nn/plan.h) and holds activations, gradients and scratch; POOL_KEEP
 * holds the network's numbers in the layouts the primitives want. Buffers become addresses once, after
 * planning.
 *
 * Layout of a tensor [n, c, h, w]: where c is a multiple of the machine's vector (16 floats with AVX-512,
 * else 8) it is [n, c / block, h, w, block], oneDNN's nChw16c; any other tensor is row-major, which is block
 * = 1. With nn_compile.bf16 the tensors of the first kind hold bf16 numbers as [n, h, w, c], oneDNN's nhwc,
 * the only layout its tile instructions (AMX) read; the others, the network's numbers, their gradients, sums
 * and statistics stay floats. */
#ifndef CLEARMASS_NN_ONEDNN_H
#define CLEARMASS_NN_ONEDNN_H

#include "nn/exec.h"
#include "nn/plan.h"

#include <oneapi/dnnl/dnnl.h>

enum onednn_pool { POOL_RUN, POOL_KEEP, POOL_COUNT };

/* Part of a buffer, before addresses are known, in numbers: floats, or bf16. Items, and pixels of bf16
 * tensors, may lie further apart than their size: a tensor inside a concatenation. */
struct onednn_view {
    enum onednn_pool pool;
    int buffer;    /* -1: none */
    size_t offset; /* to the first item */
    size_t item;   /* from one item to the next */
    size_t pixel;  /* from one pixel to the next */
    bool bf16;
};

#define ONEDNN_NO_VIEW ((struct onednn_view){.buffer = -1})

/* The same once addresses are known; at is NULL for none. */
struct onednn_span {
    void *at;
    size_t item, pixel;
    bool bf16;
};

/* What a kernel's job points to. */
enum onednn_role {
    AT_X,     /* input of the layer */
    AT_X2,    /* second input, or NULL */
    AT_Y,     /* output of the layer */
    AT_DY,    /* gradient with respect to the output */
    AT_DX,    /* gradient with respect to the input: written */
    AT_DX2,   /* gradient with respect to the second input, or NULL */
    AT_BASE,  /* what DX gets added to (may be DX itself), or NULL for nothing */
    AT_INDEX, /* bytes: which place of its window won (pooling) */
    AT_GAMMA,
    AT_BETA,
    AT_MEAN, /* moving statistics, [c] */
    AT_VARIANCE,
    AT_SAVED,  /* mean then 1 / standard deviation used by the forward pass, [2][c] */
    AT_PART,   /* doubles: partial sums */
    AT_FACTOR, /* of dropout, [n][c], or NULL */
    AT_COUNT
};

enum {
    ONEDNN_FOLDED = 4, /* side of a folded kernel */
    ONEDNN_WINDOW = 15 /* largest side of a pooling window: a place in it is kept in a byte */
};

/* The part of a convolution's kernel that one primitive uses. */
struct onednn_weights {
    const struct nn_slot *slot;
    int first, channels; /* input channels of the slot */
    bool folded;         /* as the kernel of a transposed convolution; see onednn_fold.c */
};

/* Arguments of a kernel. */
struct onednn_job {
    nn_id node;
    int batch;
    int block, block_out;        /* of input and output; they differ only in a repack. In bf16 the channels
                                    taken at a time */
    bool bf16;                   /* tensors are, but for those of a repack, which say for themselves */
    struct nn_shape in, out;     /* of the layer, whatever the direction */
    int channel_in, channel_out; /* first channels of a repack of `channels` */
    int channels;
    struct nn_pool pool;
    int factor;
    float rate, epsilon;
    bool relu;
    bool frozen; /* batch norm: moving statistics */
    bool sums;   /* batch norm backward: gamma's and beta's gradients are wanted, or needed for dx */
    const struct nn_slot *gamma, *beta; /* whose gradients are written, or NULL; of a convolution to one
                                           channel the kernel and the bias */
    struct onednn_weights weights;      /* whose gradient is written */
    struct onednn_view view[AT_COUNT];
    struct onednn_span at[AT_COUNT];
};

/* What differs from run to run. */
struct onednn_run {
    const float *input;       /* forward */
    const float *grad_output; /* backward */
    float *grads;
    float *grad_input;
    const struct nn_step *step;
};

struct onednn_step {
    nn_id node;
    const char *what;           /* "conv", "conv dx", "norm", ...: for timings */
    dnnl_primitive_t primitive; /* or NULL: a kernel */
    dnnl_exec_arg_t arg[6];
    int n_args;
    void (*kernel)(const struct onednn_job *j, const struct onednn_run *r);
    struct onednn_job job;
    double best; /* least seconds of the calling thread it took, where timing is on; 0: never run */
};

/* A oneDNN memory and the view whose address it gets; or, where slot is set, a place in the caller's
 * gradients. */
struct onednn_memory {
    dnnl_memory_t memory;
    struct onednn_view view;
    const struct nn_slot *slot;
};

/* How set() fills a buffer of POOL_KEEP from the flat array. */
struct onednn_fill {
    const struct nn_slot *slot;
    struct onednn_weights part; /* of a kernel */
    struct onednn_view to;
    dnnl_primitive_t reorder; /* or NULL: a copy */
    dnnl_memory_t from_memory;
    dnnl_memory_t to_memory;
    const struct nn_node *norm; /* batch norm folded into this kernel or bias, or NULL */
};

struct onednn_buffers {
    struct nn_buffer *buffer;
    size_t count, bytes;
    char *base;
};

struct onednn {
    const struct nn_graph *graph;
    struct nn_compile how;
    int block; /* the machine's: 16 or 8 */
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_attr_t attr; /* scratchpad from us */
    struct onednn_buffers pool[POOL_COUNT];
    bool borrows;             /* the memory of POOL_RUN is another's */
    struct onednn_step *step; /* forward, then backward */
    int n_steps, n_forward;
    struct onednn_memory *memory;
    int n_memories;
    struct onednn_fill *fill;
    int n_fills;
    struct onednn_view *param;   /* [n_slots] of bias, gamma, ... in POOL_KEEP, row-major */
    struct onednn_view output;   /* row-major */
    struct onednn_view stage[2]; /* room for the largest kernel with a norm folded in, and for the largest
                                    part of a kernel; or none */
    bool *zero_grad;             /* [n_slots] gradients backward sets to 0 */
    float *trial;                /* room for measuring; gone once compiled */
    size_t trial_bytes;
    float *grads; /* that the memories with a slot point into now */
    bool timing;
};

/* onednn.c: buffers and steps, used while compiling. */
struct onednn_view onednn_buffer(struct onednn *o, enum onednn_pool pool, size_t bytes, size_t item);
/* Is a tensor of that block made of bf16 numbers? */
bool onednn_is_bf16(const struct onednn *o, int block);
/* A new step; the pointer is good until the next one. */
struct onednn_step *onednn_step(struct onednn *o, nn_id node, const char *what);
/* The newest step uses a view, which so lives until then. */
void onednn_touch(struct onednn *o, struct onednn_view v);
void onednn_job_view(struct onednn *o, struct onednn_step *s, enum onednn_role role, struct onednn_view v);
/* Adds an argument to the newest step: a memory of md at v, or at a slot of the gradients where slot is
 * given. */
bool onednn_argument(struct onednn *o, int name, const dnnl_memory_desc_t *md, struct onednn_view v,
                     const struct nn_slot *slot);
/* set() will fill `to` from a slot; norm: the batch norm folded into it, or NULL. Of a kernel the caller sets
 * the part. */
struct onednn_fill *onednn_fill(struct onednn *o, const struct nn_slot *slot, struct onednn_view to,
                                const struct nn_node *norm);

/* onednn_compile.c: fills steps, fills and buffers. */
bool onednn_lower(struct onednn *o, struct err *err);

/* onednn_prim.c: convolutions, dense layers and their reorders as steps. */
struct onednn_layer { /* one convolution or dense layer of the graph, or a part of one */
    const struct nn_node *node;
    struct nn_conv conv;
    struct nn_shape in, out;
    int block_in, block_out;
    struct onednn_weights weights;
    const struct nn_slot *bias; /* or NULL */
    bool transposed;            /* a step forward is a step back for the network, and the other way round */
    struct onednn_view x, y, dy, dx; /* tensors in the canonical layout; each pass needs its own */
    const struct nn_node *norm;      /* folded into it, or NULL */
    bool sum;                        /* y already holds the other side of a sum, to be added to */
    bool relu;                       /* after the sum */
    bool inference;                  /* nothing is kept for backward */
    bool bias_gradient, kernel_gradient;
};

/* Floats of that part, as the primitive sees it. */
size_t onednn_weights_count(const struct onednn_weights *w);
/* Is it the kernel just as it is stored? */
bool onednn_weights_whole(const struct onednn_weights *w);
/* onednn_fold.c: that part of a kernel (from the begin of its slot), row-major. */
void onednn_weights_take(const struct onednn_weights *w, const float *kernel, float *part);
/* A kernel of ours: the gradient of a part, at X, row-major, to the caller's gradients. */
void onednn_weights_gradient(const struct onednn_job *j, const struct onednn_run *r);

enum onednn_pass { ONEDNN_FORWARD, ONEDNN_BACKWARD_DATA, ONEDNN_BACKWARD_WEIGHTS, ONEDNN_PASSES };

/* Turns a primitive descriptor into the newest step's primitive, with scratch that lives for that step alone.
 */
bool onednn_step_primitive(struct onednn *o, const_dnnl_primitive_desc_t pd);
struct onednn_place { /* a memory: a view or a slot of the gradients */
    const dnnl_memory_desc_t *md;
    struct onednn_view view;
    const struct nn_slot *slot;
};
bool onednn_step_reorder(struct onednn *o, nn_id node, struct onednn_place from, struct onednn_place to);
/* A new buffer for md. */
struct onednn_view onednn_view_for(struct onednn *o, enum onednn_pool pool, const dnnl_memory_desc_t *md);

/* A convolution by one algorithm, or NULL where the library has none. any: the primitive chooses the tensors'
 * layouts too. */
dnnl_primitive_desc_t onednn_conv_try(struct onednn *o, const struct onednn_layer *l, enum onednn_pass pass,
                                      dnnl_alg_kind_t algorithm, bool any);
/* onednn_choose.c: the implementation to use, by what is known or measured, else by rule; or NULL. */
dnnl_primitive_desc_t onednn_conv_choose(struct onednn *o, const struct onednn_layer *l,
                                         enum onednn_pass pass);
/* Seconds that implementation takes, as measured now. */
double onednn_conv_seconds(struct onednn *o, const struct onednn_layer *l, enum onednn_pass pass);

/* onednn_product.c: the kernel gradient of a convolution as a product, or NULL where its own pass it is. */
dnnl_primitive_desc_t onednn_product_try(struct onednn *o, const struct onednn_layer *l);
bool onednn_product(struct onednn *o, const struct onednn_layer *l, const_dnnl_primitive_desc_t pd);

dnnl_memory_desc_t onednn_tensor_md(const struct onednn *o, struct nn_shape s, int block);
bool onednn_conv_forward(struct onednn *o, const struct onednn_layer *l, struct err *err);
bool onednn_conv_backward_weights(struct onednn *o, const struct onednn_layer *l, struct err *err);
bool onednn_conv_backward_data(struct onednn *o, const struct onednn_layer *l, struct err *err);
bool onednn_dense_forward(struct onednn *o, const struct onednn_layer *l, struct err *err);
bool onednn_dense_backward_weights(struct onednn *o, const struct onednn_layer *l, struct err *err);
bool onednn_dense_backward_data(struct onednn *o, const struct onednn_layer *l, struct err *err);

/* Kernels: onednn_kernel.c, onednn_norm.c. There each says which roles it reads and writes. */
void onednn_import(const struct onednn_job *j, const struct onednn_run *r);
void onednn_import_grad(const struct onednn_job *j, const struct onednn_run *r);
void onednn_export_grad(const struct onednn_job *j, const struct onednn_run *r);
void onednn_repack(const struct onednn_job *j, const struct onednn_run *r);
void onednn_sum(const struct onednn_job *j, const struct onednn_run *r);
void onednn_relu_backward(const struct onednn_job *j, const struct onednn_run *r);
void onednn_sigmoid(const struct onednn_job *j, const struct onednn_run *r);
void onednn_sigmoid_backward(const struct onednn_job *j, const struct onednn_run *r);
void onednn_softmax(const struct onednn_job *j, const struct onednn_run *r);
void onednn_softmax_backward(const struct onednn_job *j, const struct onednn_run *r);
void onednn_maxpool(const struct onednn_job *j, const struct onednn_run *r);
void onednn_maxpool_backward(const struct onednn_job *j, const struct onednn_run *r);
void onednn_upsample(const struct onednn_job *j, const struct onednn_run *r);
void onednn_upsample_backward(const struct onednn_job *j, const struct onednn_run *r);
void onednn_avgpool(const struct onednn_job *j, const struct onednn_run *r);
void onednn_avgpool_backward(const struct onednn_job *j, const struct onednn_run *r);
void onednn_dropout_draw(const struct onednn_job *j, const struct onednn_run *r);
void onednn_dropout(const struct onednn_job *j, const struct onednn_run *r);
void onednn_dropout_backward(const struct onednn_job *j, const struct onednn_run *r);
void onednn_norm(const struct onednn_job *j, const struct onednn_run *r);
/* Y once more, from the statistics that forward left at SAVED. */
void onednn_norm_again(const struct onednn_job *j, const struct onednn_run *r);
void onednn_norm_backward(const struct onednn_job *j, const struct onednn_run *r);
/* Doubles a norm needs at AT_PART. */
size_t onednn_norm_part(const struct onednn_job *j);

#endif
