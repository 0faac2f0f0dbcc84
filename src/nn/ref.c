#include "nn/ref.h"

#include "base/mem.h"

#include <assert.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

struct ref_op {
    void (*forward)(const struct ref_call *c);
    void (*backward)(const struct ref_call *c);
};

static const struct ref_op OPS[NN_OP_COUNT] = {
    [NN_INPUT] = {NULL, NULL},
    [NN_CONV2D] = {ref_conv_forward, ref_conv_backward},
    [NN_BATCHNORM] = {ref_norm_forward, ref_norm_backward},
    [NN_RELU] = {ref_relu_forward, ref_relu_backward},
    [NN_SIGMOID] = {ref_sigmoid_forward, ref_sigmoid_backward},
    [NN_SOFTMAX] = {ref_softmax_forward, ref_softmax_backward},
    [NN_MAXPOOL] = {ref_maxpool_forward, ref_maxpool_backward},
    [NN_UPSAMPLE] = {ref_upsample_forward, ref_upsample_backward},
    [NN_CONCAT] = {ref_concat_forward, ref_concat_backward},
    [NN_ADD] = {ref_add_forward, ref_add_backward},
    [NN_GLOBAL_AVGPOOL] = {ref_avgpool_forward, ref_avgpool_backward},
    [NN_DENSE] = {ref_dense_forward, ref_dense_backward},
    [NN_SPATIAL_DROPOUT] = {ref_dropout_forward, ref_dropout_backward},
};

struct ref {
    const struct nn_graph *g;
    int batch;
    enum nn_mode mode;
    struct ref_call *call; /* [n_nodes] */
    float *values;         /* [g->n_values] */
    float *outputs;        /* every node's output, one after the other */
    float *grads;          /* the same for gradients; none in NN_INFER */
    size_t n_outputs, n_grads;
    double *moments, *scratch;
    size_t n_moments, n_scratch;
    float *factors;
    size_t n_factors;
};

static size_t output_size(const struct ref *r, nn_id id)
{
    return (size_t)r->batch * nn_shape_size(r->g->node[id].shape);
}

static size_t moments_size(const struct ref *r, nn_id id)
{
    const struct nn_node *node = &r->g->node[id];
    return node->op == NN_BATCHNORM ? 2 * (size_t)node->shape.c : 0;
}

static size_t factors_size(const struct ref *r, nn_id id)
{
    const struct nn_node *node = &r->g->node[id];
    return node->op == NN_SPATIAL_DROPOUT ? (size_t)r->batch * (size_t)node->shape.c : 0;
}

/* Which nodes' gradients anybody needs: those with something trainable at or below them. */
static void find_needed(bool *needed, const struct nn_graph *g, bool input_gradient)
{
    for (nn_id id = 0; id < g->n_nodes; id++) {
        const struct nn_node *node = &g->node[id];
        needed[id] = node->op == NN_INPUT && input_gradient;
        for (int i = 0; i < node->n_in; i++)
            needed[id] = needed[id] || needed[node->in[i]];
        for (int i = 0; i < node->n_slots; i++)
            needed[id] = needed[id] || g->slot[node->slot + i].trainable;
    }
}

/* Gives every call its shapes and the parts of the arrays it works on. */
static void bind_calls(struct ref *r, const bool *needed)
{
    float *output = r->outputs, *grad = r->grads, *factor = r->factors;
    double *moments = r->moments;
    for (nn_id id = 0; id < r->g->n_nodes; id++) {
        const struct nn_node *node = &r->g->node[id];
        struct ref_call *c = &r->call[id];
        c->node = node;
        c->id = id;
        c->y = output;
        output += output_size(r, id);
        c->moments = moments;
        moments += moments_size(r, id);
        c->factor = factor;
        factor += factors_size(r, id);
        c->batch_statistics = r->mode == NN_TRAIN && node->op == NN_BATCHNORM && !node->u.norm.frozen;
        if (r->mode == NN_TRAIN && needed[id]) {
            c->dy = grad;
            grad += output_size(r, id);
        }
        for (int i = 0; i < node->n_in; i++) {
            c->in[i] = r->g->node[node->in[i]].shape;
            c->x[i] = r->call[node->in[i]].y;
            c->dx[i] = r->call[node->in[i]].dy;
        }
        for (int i = 0; i < node->n_slots; i++)
            c->value[i] = r->values + r->g->slot[node->slot + i].offset;
    }
}

/* Doubles a thread of a convolution needs: one plane of its output or of its input. */
static size_t scratch_stride(const struct nn_graph *g)
{
    size_t most = 0;
    for (nn_id id = 0; id < g->n_nodes; id++) {
        size_t plane = (size_t)g->node[id].shape.h * (size_t)g->node[id].shape.w;
        most = plane > most ? plane : most;
    }
    return most;
}

static void ref_free(void *self)
{
    struct ref *r = self;
    free(r->call);
    free(r->values);
    free(r->outputs);
    free(r->grads);
    free(r->moments);
    free(r->factors);
    free(r->scratch);
    free(r);
}

static bool allocate(struct ref *r, const bool *needed, int threads, struct err *err)
{
    size_t stride = scratch_stride(r->g);
    for (nn_id id = 0; id < r->g->n_nodes; id++) {
        r->n_outputs += output_size(r, id);
        r->n_grads += r->mode == NN_TRAIN && needed[id] ? output_size(r, id) : 0;
        r->n_moments += moments_size(r, id);
        r->n_factors += factors_size(r, id);
    }
    r->n_scratch = stride * (size_t)threads;
    r->call = mem_new((size_t)r->g->n_nodes, sizeof *r->call);
    if (!(r->values = mem_try(r->g->n_values + 1, sizeof *r->values, err)) ||
        !(r->outputs = mem_try(r->n_outputs, sizeof *r->outputs, err)) ||
        !(r->grads = mem_try(r->n_grads + 1, sizeof *r->grads, err)) ||
        !(r->scratch = mem_try(r->n_scratch, sizeof *r->scratch, err)))
        return false;
    r->moments = mem_new(r->n_moments + 1, sizeof *r->moments);
    r->factors = mem_new(r->n_factors + 1, sizeof *r->factors);
    for (nn_id id = 0; id < r->g->n_nodes; id++) {
        r->call[id].batch = r->batch;
        r->call[id].threads = threads;
        r->call[id].scratch = r->scratch;
        r->call[id].scratch_stride = stride;
    }
    return true;
}

static void *ref_compile(const struct nn_graph *g, const struct nn_compile *how, struct err *err)
{
    struct ref *r = mem_new(1, sizeof *r);
    bool *needed = mem_new((size_t)g->n_nodes, sizeof *needed);
    *r = (struct ref){.g = g, .batch = how->batch, .mode = how->mode};
    find_needed(needed, g, how->input_gradient);
    if (allocate(r, needed, omp_get_max_threads(), err)) {
        bind_calls(r, needed);
    } else {
        ref_free(r);
        r = NULL;
    }
    free(needed);
    return r;
}

static void ref_set(void *self, const float *values)
{
    struct ref *r = self;
    memcpy(r->values, values, r->g->n_values * sizeof *values);
}

static void ref_get(void *self, float *values)
{
    const struct ref *r = self;
    for (int i = 0; i < r->g->n_slots; i++) {
        const struct nn_slot *s = &r->g->slot[i];
        if ((s->role == NN_MEAN || s->role == NN_VARIANCE) && nn_graph_tracks(r->g, s->node))
            memcpy(values + s->offset, r->values + s->offset, s->count * sizeof *values);
    }
}

static const float *ref_forward(void *self, const float *input, const struct nn_step *step)
{
    struct ref *r = self;
    memcpy(r->call[0].y, input, output_size(r, 0) * sizeof *input);
    for (nn_id id = 1; id < r->g->n_nodes; id++) {
        struct ref_call *c = &r->call[id];
        assert(OPS[c->node->op].forward && "a graph has one input, its first node");
        c->step = r->mode == NN_TRAIN ? step : NULL;
        OPS[c->node->op].forward(c);
    }
    return r->call[r->g->n_nodes - 1].y;
}

static void ref_backward(void *self, const float *grad_output, float *grads, float *grad_input)
{
    struct ref *r = self;
    nn_id last = r->g->n_nodes - 1;
    assert(r->mode == NN_TRAIN && (!grad_input || r->call[0].dy));
    memset(grads, 0, r->g->n_values * sizeof *grads);
    memset(r->grads, 0, r->n_grads * sizeof *grads);
    if (r->call[last].dy)
        memcpy(r->call[last].dy, grad_output, output_size(r, last) * sizeof *grads);
    for (nn_id id = last; id > 0; id--) {
        struct ref_call *c = &r->call[id];
        if (!c->dy)
            continue;
        for (int i = 0; i < c->node->n_slots; i++) {
            const struct nn_slot *s = &r->g->slot[c->node->slot + i];
            c->dvalue[i] = s->trainable ? grads + s->offset : NULL;
        }
        OPS[c->node->op].backward(c);
    }
    if (grad_input)
        memcpy(grad_input, r->call[0].dy, output_size(r, 0) * sizeof *grads);
}

static size_t ref_memory(const void *self)
{
    const struct ref *r = self;
    return (r->n_outputs + r->n_grads + r->n_factors) * sizeof(float) +
           (r->n_moments + r->n_scratch) * sizeof(double);
}

const struct nn_backend nn_backend_ref = {
    .name = "ref",
    .compile = ref_compile,
    .free = ref_free,
    .set = ref_set,
    .get = ref_get,
    .forward = ref_forward,
    .backward = ref_backward,
    .memory = ref_memory,
};
