/* From a graph to steps, in four passes: join nodes into units (a batch norm with the ReLU after it is one
 * unit), find the tensors that can lie inside a concatenation from the start, lower every unit forward, lower
 * every unit backward in reverse. */
#include "nn/onednn.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

/* One or more nodes done by one step or a few. */
struct unit {
    enum nn_op op; /* of the first node */
    nn_id id;      /* the first node */
    nn_id in[2];   /* tensors read */
    int n_in;
    nn_id out;                               /* tensor written: the last node of the unit */
    const struct nn_node *norm;              /* batch norm folded into this convolution, or NULL */
    const struct nn_node *drop;              /* dropout joined to this batch norm, or NULL */
    bool relu;                               /* a ReLU is joined */
    struct onednn_view saved, factor, index; /* what forward leaves for backward */
};

/* A tensor: the output of a unit, known by the id of its node. */
struct tensor {
    struct onednn_view at;   /* its numbers */
    struct onednn_view grad; /* gradient gathered so far */
    bool has_grad;
    bool owns_grad; /* false: grad is another tensor's, to be read only */
    nn_id inside;   /* the concatenation it lies in, or -1 */
    int channel;    /* first channel there */
};

struct lowering {
    struct onednn *o;
    const struct nn_graph *g;
    struct err *err;
    nn_id *same; /* [n_nodes] the tensor that stands for a node: itself, or its input (dropout in NN_INFER) */
    nn_id *reader;    /* [n_nodes] the only node that reads a node's output, or -1 */
    bool *needs;      /* [n_nodes] a gradient of its output is needed */
    bool *joined;     /* [n_nodes] part of an earlier node's unit */
    struct tensor *t; /* [n_nodes] */
    struct unit *unit;
    int n_units;
};

/* ---- units ---- */

static bool is_op(const struct lowering *l, nn_id id, enum nn_op op)
{
    return id >= 0 && l->g->node[id].op == op;
}

static void find_readers(struct lowering *l)
{
    int *count = mem_new((size_t)l->g->n_nodes, sizeof *count);
    for (nn_id id = 0; id < l->g->n_nodes; id++) {
        for (int k = 0; k < l->g->node[id].n_in; k++) {
            nn_id x = l->g->node[id].in[k];
            l->reader[x] = ++count[x] == 1 ? id : -1;
        }
    }
    free(count);
}

static void find_needs(struct lowering *l)
{
    for (nn_id id = 0; id < l->g->n_nodes && l->o->how.mode == NN_TRAIN; id++) {
        const struct nn_node *node = &l->g->node[id];
        l->needs[id] = node->op == NN_INPUT && l->o->how.input_gradient;
        for (int k = 0; k < node->n_slots; k++)
            l->needs[id] |= l->g->slot[node->slot + k].trainable;
        for (int k = 0; k < node->n_in; k++)
            l->needs[id] |= l->needs[node->in[k]];
    }
}

/* Nothing of this node is ever differentiated and its statistics stand still. */
static bool is_fixed(const struct lowering *l, nn_id id)
{
    const struct nn_node *node = &l->g->node[id];
    return l->o->how.mode == NN_INFER || (!l->needs[id] && (node->op != NN_BATCHNORM || node->u.norm.frozen));
}

/* Moves the unit's end to its only reader when that is an `op`. */
static bool join(struct lowering *l, struct unit *u, enum nn_op op)
{
    nn_id next = l->reader[u->out];
    if (!is_op(l, next, op))
        return false;
    l->joined[next] = true;
    u->out = next;
    return true;
}

static void join_conv(struct lowering *l, struct unit *u)
{
    nn_id next = l->reader[u->out];
    if (is_op(l, next, NN_BATCHNORM) && is_fixed(l, next) && join(l, u, NN_BATCHNORM))
        u->norm = &l->g->node[next];
    next = l->reader[u->out];
    if (is_op(l, next, NN_RELU) && is_fixed(l, next))
        u->relu = join(l, u, NN_RELU);
}

static void join_norm(struct lowering *l, struct unit *u)
{
    u->relu = join(l, u, NN_RELU);
    if (l->o->how.mode == NN_TRAIN && join(l, u, NN_SPATIAL_DROPOUT))
        u->drop = &l->g->node[u->out];
}

static void find_units(struct lowering *l)
{
    for (nn_id id = 0; id < l->g->n_nodes; id++) {
        const struct nn_node *node = &l->g->node[id];
        l->same[id] = id;
        if (l->joined[id])
            continue;
        if (node->op == NN_SPATIAL_DROPOUT && l->o->how.mode == NN_INFER) {
            l->same[id] = l->same[node->in[0]];
            continue;
        }
        struct unit *u = &l->unit[l->n_units++];
        *u = (struct unit){.op = node->op, .id = id, .n_in = node->n_in, .out = id};
        for (int k = 0; k < node->n_in; k++)
            u->in[k] = l->same[node->in[k]];
        if (node->op == NN_CONV2D)
            join_conv(l, u);
        else if (node->op == NN_BATCHNORM)
            join_norm(l, u);
        else if (node->op == NN_ADD)
            u->relu = join(l, u, NN_RELU);
    }
}

/* ---- tensors inside concatenations ---- */

static struct nn_shape shape_of(const struct lowering *l, nn_id x)
{
    return l->g->node[x].shape;
}

static int block_of(const struct lowering *l, nn_id x)
{
    return shape_of(l, x).c % l->o->block == 0 ? l->o->block : 1;
}

/* Kernels of ours that find an image at any distance from the one before. */
static bool takes_any_distance(enum nn_op op)
{
    static const bool TAKES[NN_OP_COUNT] = {
        [NN_BATCHNORM] = true, [NN_RELU] = true, [NN_MAXPOOL] = true,        [NN_UPSAMPLE] = true,
        [NN_CONCAT] = true,    [NN_ADD] = true,  [NN_SPATIAL_DROPOUT] = true};
    return TAKES[op];
}

static bool reads(const struct unit *u, nn_id x)
{
    return (u->n_in > 0 && u->in[0] == x) || (u->n_in > 1 && u->in[1] == x);
}

/* May x be written straight into its place in concatenation `into`? That must be the last to read it:
 * gradients reach x there first. */
static bool can_lie_inside(const struct lowering *l, nn_id x, const struct unit *into)
{
    const struct unit *last = NULL;
    bool ok = l->t[x].inside < 0 && into->in[0] != into->in[1] && block_of(l, x) == block_of(l, into->out);
    for (int i = 0; i < l->n_units; i++) {
        const struct unit *u = &l->unit[i];
        if (u->out == x || reads(u, x))
            ok = ok && takes_any_distance(u->op);
        last = reads(u, x) ? u : last;
    }
    return ok && last == into && x != l->same[l->g->n_nodes - 1];
}

static void find_places(struct lowering *l)
{
    for (int i = l->n_units - 1; i >= 0; i--) {
        const struct unit *u = &l->unit[i];
        for (int k = 0, channel = 0; u->op == NN_CONCAT && k < 2; channel += shape_of(l, u->in[k++]).c)
            if (can_lie_inside(l, u->in[k], u)) {
                l->t[u->in[k]].inside = u->out;
                l->t[u->in[k]].channel = channel;
            }
    }
}

/* ---- buffers of tensors ---- */

static struct onednn_view new_tensor(struct lowering *l, nn_id x)
{
    size_t item = nn_shape_size(shape_of(l, x));
    return onednn_buffer(l->o, POOL_RUN, (size_t)l->o->how.batch * item * sizeof(float), item);
}

/* The part of a concatenation's view where x lies. */
static struct onednn_view part_of(const struct lowering *l, nn_id x, struct onednn_view whole)
{
    struct nn_shape s = shape_of(l, x);
    whole.offset += (size_t)l->t[x].channel * (size_t)s.h * (size_t)s.w;
    return whole;
}

/* Where x lies; made on first use. */
static struct onednn_view value(struct lowering *l, nn_id x)
{
    struct tensor *t = &l->t[x];
    if (t->at.buffer < 0)
        t->at = t->inside >= 0 ? part_of(l, x, value(l, t->inside)) : new_tensor(l, x);
    return t->at;
}

/* Where a kernel writes the next contribution to x's gradient, and what it adds to it. */
struct target {
    struct onednn_view dx, base;
};

static struct target gradient_target(struct lowering *l, nn_id x)
{
    struct tensor *t = &l->t[x];
    struct target to = {ONEDNN_NO_VIEW, ONEDNN_NO_VIEW};
    if (t->has_grad)
        to.base = t->grad;
    to.dx = t->has_grad && t->owns_grad ? t->grad : new_tensor(l, x);
    t->grad = to.dx;
    t->has_grad = t->owns_grad = true;
    return to;
}

static void lend_gradient(struct lowering *l, nn_id x, struct onednn_view grad, bool owned)
{
    l->t[x].grad = grad;
    l->t[x].has_grad = true;
    l->t[x].owns_grad = owned;
}

/* ---- kernels as steps ---- */

typedef void (*kernel_fn)(const struct onednn_job *, const struct onednn_run *);

/* A step for unit u; shapes are those of its first input and of its output. */
static struct onednn_step *kernel_step(struct lowering *l, const struct unit *u, const char *what,
                                       kernel_fn f)
{
    struct onednn_step *s = onednn_step(l->o, u->id, what);
    nn_id in = u->n_in > 0 ? u->in[0] : u->out;
    s->kernel = f;
    s->job.in = shape_of(l, in);
    s->job.out = shape_of(l, u->out);
    s->job.block = block_of(l, in);
    s->job.block_out = block_of(l, u->out);
    s->job.relu = u->relu;
    return s;
}

static void step_gradient(struct lowering *l, struct onednn_step *s, struct target to)
{
    onednn_job_view(l->o, s, AT_DX, to.dx);
    onednn_job_view(l->o, s, AT_BASE, to.base);
}

/* X to Y through the kernel. */
static struct onednn_step *map_step(struct lowering *l, const struct unit *u, const char *what, kernel_fn f)
{
    struct onednn_view x = value(l, u->in[0]), y = value(l, u->out);
    struct onednn_step *s = kernel_step(l, u, what, f);
    onednn_job_view(l->o, s, AT_X, x);
    onednn_job_view(l->o, s, AT_Y, y);
    return s;
}

/* DY to DX through the kernel; nothing is added where no gradient is needed. */
static struct onednn_step *back_step(struct lowering *l, const struct unit *u, const char *what, kernel_fn f)
{
    struct target to = gradient_target(l, u->in[0]);
    struct onednn_step *s = kernel_step(l, u, what, f);
    onednn_job_view(l->o, s, AT_DY, l->t[u->out].grad);
    step_gradient(l, s, to);
    return s;
}

/* ---- each operation, forward and backward ---- */

static bool input_forward(struct lowering *l, struct unit *u)
{
    struct onednn_view y = value(l, u->out);
    struct onednn_step *s = kernel_step(l, u, "input", onednn_import);
    s->job.block = 1;
    s->job.channels = s->job.in.c;
    onednn_job_view(l->o, s, AT_Y, y);
    return true;
}

static bool input_backward(struct lowering *l, struct unit *u)
{
    struct onednn_step *s = kernel_step(l, u, "input dx", onednn_export_grad);
    s->job.block_out = 1;
    s->job.channels = s->job.in.c;
    onednn_job_view(l->o, s, AT_X, l->t[u->out].grad);
    return true;
}

static struct onednn_layer layer_of(struct lowering *l, const struct unit *u)
{
    const struct nn_node *node = &l->g->node[u->id];
    bool kernel = l->g->slot[node->slot].trainable, bias = l->g->slot[node->slot + 1].trainable;
    return (struct onednn_layer){.node = node,
                                 .in = shape_of(l, u->in[0]),
                                 .block_in = block_of(l, u->in[0]),
                                 .block_out = block_of(l, u->out),
                                 .norm = u->norm,
                                 .relu = u->relu,
                                 .inference = is_fixed(l, u->id),
                                 .kernel_gradient = kernel,
                                 .bias_gradient = bias && !l->o->zero_grad[node->slot + 1]};
}

/* A norm by batch statistics takes out whatever the bias adds: the bias has no gradient. */
static bool bias_is_lost(const struct lowering *l, const struct unit *u)
{
    nn_id next = l->reader[u->out];
    return is_op(l, next, NN_BATCHNORM) && l->o->how.mode == NN_TRAIN && !l->g->node[next].u.norm.frozen;
}

static bool conv_forward(struct lowering *l, struct unit *u)
{
    if (bias_is_lost(l, u))
        l->o->zero_grad[l->g->node[u->id].slot + 1] = true;
    struct onednn_layer layer = layer_of(l, u);
    layer.x = value(l, u->in[0]);
    layer.y = value(l, u->out);
    return onednn_conv_forward(l->o, &layer, l->err);
}

static bool dense_forward(struct lowering *l, struct unit *u)
{
    struct onednn_layer layer = layer_of(l, u);
    layer.x = value(l, u->in[0]);
    layer.y = value(l, u->out);
    return onednn_dense_forward(l->o, &layer, l->err);
}

/* After a primitive wrote a contribution to x's gradient at part: adds it to what was there. */
static void add_contribution(struct lowering *l, const struct unit *u, nn_id x, struct onednn_view part)
{
    struct tensor *t = &l->t[x];
    if (t->has_grad) {
        struct onednn_step *s = kernel_step(l, u, "sum dx", onednn_sum);
        s->job.relu = false;
        onednn_job_view(l->o, s, AT_X, part);
        onednn_job_view(l->o, s, AT_X2, t->grad);
        onednn_job_view(l->o, s, AT_Y, part);
    }
    lend_gradient(l, x, part, true);
}

typedef bool (*layer_fn)(struct onednn *, const struct onednn_layer *, struct err *);

static bool layer_backward(struct lowering *l, struct unit *u, layer_fn weights, layer_fn data)
{
    struct onednn_layer layer = layer_of(l, u);
    nn_id x = u->in[0];
    layer.x = value(l, x);
    layer.dy = l->t[u->out].grad;
    if ((layer.kernel_gradient || layer.bias_gradient) && !weights(l->o, &layer, l->err))
        return false;
    if (!l->needs[x])
        return true;
    layer.dx = new_tensor(l, x);
    if (!data(l->o, &layer, l->err))
        return false;
    add_contribution(l, u, x, layer.dx);
    return true;
}

static bool conv_backward(struct lowering *l, struct unit *u)
{
    return layer_backward(l, u, onednn_conv_backward_weights, onednn_conv_backward_data);
}

static bool dense_backward(struct lowering *l, struct unit *u)
{
    return layer_backward(l, u, onednn_dense_backward_weights, onednn_dense_backward_data);
}

static struct onednn_view new_floats(struct lowering *l, size_t count)
{
    return onednn_buffer(l->o, POOL_RUN, count * sizeof(float), 0);
}

static void draw_factors(struct lowering *l, struct unit *u, nn_id drop)
{
    struct nn_shape s = shape_of(l, u->out);
    u->factor = new_floats(l, (size_t)l->o->how.batch * (size_t)s.c);
    struct onednn_step *step = kernel_step(l, u, "dropout draw", onednn_dropout_draw);
    step->job.node = drop;
    step->job.rate = l->g->node[drop].u.rate;
    onednn_job_view(l->o, step, AT_FACTOR, u->factor);
}

static void norm_views(struct lowering *l, const struct unit *u, struct onednn_step *s)
{
    const struct nn_node *node = &l->g->node[u->id];
    s->job.epsilon = node->u.norm.epsilon;
    s->job.frozen = node->u.norm.frozen || l->o->how.mode == NN_INFER;
    for (int k = 0; k < 4; k++)
        onednn_job_view(l->o, s, (enum onednn_role)(AT_GAMMA + k), l->o->param[node->slot + k]);
    onednn_job_view(l->o, s, AT_SAVED, u->saved);
    onednn_job_view(l->o, s, AT_FACTOR, u->factor);
    struct onednn_view part = onednn_buffer(l->o, POOL_RUN, onednn_norm_part(&s->job) * sizeof(double), 0);
    onednn_job_view(l->o, s, AT_PART, part);
}

static bool norm_forward(struct lowering *l, struct unit *u)
{
    u->factor = ONEDNN_NO_VIEW;
    if (u->drop)
        draw_factors(l, u, u->out);
    u->saved = new_floats(l, 2 * (size_t)shape_of(l, u->out).c);
    struct onednn_step *s = map_step(l, u, "norm", onednn_norm);
    norm_views(l, u, s);
    return true;
}

/* The gradient of a norm's input takes the place of that of its output, where nobody else reads it. */
static struct target norm_target(struct lowering *l, const struct unit *u)
{
    struct tensor *in = &l->t[u->in[0]], *out = &l->t[u->out];
    if (!l->needs[u->in[0]])
        return (struct target){ONEDNN_NO_VIEW, ONEDNN_NO_VIEW};
    if (!in->has_grad && out->owns_grad && out->grad.item == nn_shape_size(shape_of(l, u->out)))
        lend_gradient(l, u->in[0], out->grad, true);
    else
        return gradient_target(l, u->in[0]);
    return (struct target){out->grad, ONEDNN_NO_VIEW};
}

static bool norm_backward(struct lowering *l, struct unit *u)
{
    const struct nn_slot *slot = &l->g->slot[l->g->node[u->id].slot];
    struct target to = norm_target(l, u);
    struct onednn_step *s = kernel_step(l, u, "norm dx", onednn_norm_backward);
    onednn_job_view(l->o, s, AT_X, value(l, u->in[0]));
    onednn_job_view(l->o, s, AT_DY, l->t[u->out].grad);
    step_gradient(l, s, to);
    norm_views(l, u, s);
    s->job.gamma = slot[0].trainable ? &slot[0] : NULL;
    s->job.beta = slot[1].trainable ? &slot[1] : NULL;
    s->job.sums = !s->job.frozen || s->job.gamma || s->job.beta;
    return true;
}

static bool relu_forward(struct lowering *l, struct unit *u)
{
    map_step(l, u, "relu", onednn_sum)->job.relu = true;
    return true;
}

static bool relu_backward(struct lowering *l, struct unit *u)
{
    struct onednn_step *s = back_step(l, u, "relu dx", onednn_relu_backward);
    onednn_job_view(l->o, s, AT_Y, value(l, u->out));
    return true;
}

static bool sigmoid_forward(struct lowering *l, struct unit *u)
{
    map_step(l, u, "sigmoid", onednn_sigmoid);
    return true;
}

static bool sigmoid_backward(struct lowering *l, struct unit *u)
{
    struct onednn_step *s = back_step(l, u, "sigmoid dx", onednn_sigmoid_backward);
    onednn_job_view(l->o, s, AT_Y, value(l, u->out));
    return true;
}

static bool softmax_forward(struct lowering *l, struct unit *u)
{
    map_step(l, u, "softmax", onednn_softmax);
    return true;
}

static bool softmax_backward(struct lowering *l, struct unit *u)
{
    struct onednn_step *s = back_step(l, u, "softmax dx", onednn_softmax_backward);
    onednn_job_view(l->o, s, AT_Y, value(l, u->out));
    return true;
}

enum { LARGEST_WINDOW = 15 }; /* a place in a window is kept in a byte */

static bool maxpool_forward(struct lowering *l, struct unit *u)
{
    const struct nn_node *node = &l->g->node[u->id];
    if (node->u.pool.kernel > LARGEST_WINDOW)
        return err_set(l->err, ERR_INPUT, "layer \"%s\": windows larger than %d are not supported",
                       node->name, LARGEST_WINDOW);
    u->index = ONEDNN_NO_VIEW;
    if (l->needs[u->id])
        u->index = onednn_buffer(l->o, POOL_RUN, (size_t)l->o->how.batch * nn_shape_size(node->shape), 0);
    struct onednn_step *s = map_step(l, u, "pool", onednn_maxpool);
    s->job.pool = node->u.pool;
    onednn_job_view(l->o, s, AT_INDEX, u->index);
    return true;
}

static bool maxpool_backward(struct lowering *l, struct unit *u)
{
    struct onednn_step *s = back_step(l, u, "pool dx", onednn_maxpool_backward);
    s->job.pool = l->g->node[u->id].u.pool;
    onednn_job_view(l->o, s, AT_INDEX, u->index);
    return true;
}

static bool upsample_forward(struct lowering *l, struct unit *u)
{
    map_step(l, u, "upsample", onednn_upsample)->job.factor = l->g->node[u->id].u.factor;
    return true;
}

static bool upsample_backward(struct lowering *l, struct unit *u)
{
    back_step(l, u, "upsample dx", onednn_upsample_backward)->job.factor = l->g->node[u->id].u.factor;
    return true;
}

static bool concat_forward(struct lowering *l, struct unit *u)
{
    for (int k = 0, channel = 0; k < 2; channel += shape_of(l, u->in[k++]).c) {
        nn_id x = u->in[k];
        if (l->t[x].inside == u->out)
            continue;
        struct onednn_view from = value(l, x), to = value(l, u->out);
        struct onednn_step *s = kernel_step(l, u, "concat", onednn_repack);
        s->job.in = shape_of(l, x);
        s->job.block = block_of(l, x);
        s->job.channels = s->job.in.c;
        s->job.channel_out = channel;
        onednn_job_view(l->o, s, AT_X, from);
        onednn_job_view(l->o, s, AT_Y, to);
    }
    return true;
}

/* A copy of x's channels out of the concatenation's gradient, added to what x has. */
static void concat_part_backward(struct lowering *l, const struct unit *u, nn_id x, int channel)
{
    struct target to = gradient_target(l, x);
    struct onednn_step *s = kernel_step(l, u, "concat dx", onednn_repack);
    s->job.in = shape_of(l, u->out);
    s->job.block = block_of(l, u->out);
    s->job.out = shape_of(l, x);
    s->job.block_out = block_of(l, x);
    s->job.channels = s->job.out.c;
    s->job.channel_in = channel;
    onednn_job_view(l->o, s, AT_X, l->t[u->out].grad);
    onednn_job_view(l->o, s, AT_Y, to.dx);
    onednn_job_view(l->o, s, AT_BASE, to.base);
}

static bool concat_backward(struct lowering *l, struct unit *u)
{
    struct tensor *whole = &l->t[u->out];
    for (int k = 0, channel = 0; k < 2; channel += shape_of(l, u->in[k++]).c) {
        nn_id x = u->in[k];
        if (!l->needs[x])
            continue;
        if (l->t[x].inside == u->out && whole->owns_grad)
            lend_gradient(l, x, part_of(l, x, whole->grad), true);
        else
            concat_part_backward(l, u, x, channel);
    }
    return true;
}

static bool add_forward(struct lowering *l, struct unit *u)
{
    struct onednn_view second = value(l, u->in[1]);
    struct onednn_step *s = map_step(l, u, "add", onednn_sum);
    onednn_job_view(l->o, s, AT_X2, second);
    return true;
}

/* Both inputs read the sum's gradient; who has one already adds it. */
static bool add_backward(struct lowering *l, struct unit *u)
{
    struct tensor *out = &l->t[u->out];
    if (u->relu) {
        struct onednn_view masked = out->owns_grad ? out->grad : new_tensor(l, u->out);
        struct onednn_step *s = kernel_step(l, u, "add dx", onednn_relu_backward);
        onednn_job_view(l->o, s, AT_Y, value(l, u->out));
        onednn_job_view(l->o, s, AT_DY, out->grad);
        onednn_job_view(l->o, s, AT_DX, masked);
        lend_gradient(l, u->out, masked, true);
    }
    for (int k = 0; k < 2; k++) {
        nn_id x = u->in[k];
        if (!l->needs[x])
            continue;
        if (!l->t[x].has_grad && out->grad.item == nn_shape_size(shape_of(l, x))) {
            lend_gradient(l, x, out->grad, false);
            continue;
        }
        struct target to = gradient_target(l, x);
        struct onednn_step *s = kernel_step(l, u, "sum dx", onednn_sum);
        s->job.relu = false;
        onednn_job_view(l->o, s, AT_X, out->grad);
        onednn_job_view(l->o, s, AT_X2, to.base);
        onednn_job_view(l->o, s, AT_Y, to.dx);
    }
    return true;
}

static bool avgpool_forward(struct lowering *l, struct unit *u)
{
    map_step(l, u, "average", onednn_avgpool);
    return true;
}

static bool avgpool_backward(struct lowering *l, struct unit *u)
{
    back_step(l, u, "average dx", onednn_avgpool_backward);
    return true;
}

static bool dropout_forward(struct lowering *l, struct unit *u)
{
    draw_factors(l, u, u->id);
    struct onednn_step *s = map_step(l, u, "dropout", onednn_dropout);
    onednn_job_view(l->o, s, AT_FACTOR, u->factor);
    return true;
}

static bool dropout_backward(struct lowering *l, struct unit *u)
{
    struct onednn_step *s = back_step(l, u, "dropout dx", onednn_dropout_backward);
    onednn_job_view(l->o, s, AT_FACTOR, u->factor);
    return true;
}

static const struct {
    bool (*forward)(struct lowering *, struct unit *);
    bool (*backward)(struct lowering *, struct unit *);
} OPS[NN_OP_COUNT] = {
    [NN_INPUT] = {input_forward, input_backward},
    [NN_CONV2D] = {conv_forward, conv_backward},
    [NN_BATCHNORM] = {norm_forward, norm_backward},
    [NN_RELU] = {relu_forward, relu_backward},
    [NN_SIGMOID] = {sigmoid_forward, sigmoid_backward},
    [NN_SOFTMAX] = {softmax_forward, softmax_backward},
    [NN_MAXPOOL] = {maxpool_forward, maxpool_backward},
    [NN_UPSAMPLE] = {upsample_forward, upsample_backward},
    [NN_CONCAT] = {concat_forward, concat_backward},
    [NN_ADD] = {add_forward, add_backward},
    [NN_DENSE] = {dense_forward, dense_backward},
    [NN_GLOBAL_AVGPOOL] = {avgpool_forward, avgpool_backward},
    [NN_SPATIAL_DROPOUT] = {dropout_forward, dropout_backward},
};

/* ---- the whole graph ---- */

/* Numbers every kernel reads as they are; convolution kernels are laid out where they are used. */
static void keep_params(struct lowering *l)
{
    for (int i = 0; i < l->g->n_slots; i++) {
        const struct nn_slot *s = &l->g->slot[i];
        l->o->zero_grad[i] = !s->trainable || !l->needs[s->node];
        l->o->param[i] = ONEDNN_NO_VIEW;
        if (s->rank == 4)
            continue;
        l->o->param[i] = onednn_buffer(l->o, POOL_KEEP, s->count * sizeof(float), 0);
        onednn_fill(l->o, s, l->o->param[i], NULL);
    }
}

/* Tells the fills of a convolution's bias and kernel about the norm folded into them. */
static void fold_norms(struct lowering *l)
{
    size_t largest = 0;
    for (int i = 0; i < l->n_units; i++) {
        const struct unit *u = &l->unit[i];
        if (!u->norm)
            continue;
        const struct nn_slot *kernel = &l->g->slot[l->g->node[u->id].slot];
        largest = kernel->count > largest ? kernel->count : largest;
        for (int k = 0; k < l->o->n_fills; k++)
            if (l->o->fill[k].slot == kernel + 1)
                l->o->fill[k].norm = u->norm;
    }
    l->o->stage = largest ? onednn_buffer(l->o, POOL_KEEP, largest * sizeof(float), 0) : ONEDNN_NO_VIEW;
}

/* The last tensor row-major: itself, or a copy. */
static void lower_output(struct lowering *l)
{
    nn_id last = l->same[l->g->n_nodes - 1];
    struct unit as_unit = {.id = last, .in = {last, -1}, .n_in = 1, .out = last};
    l->o->output = value(l, last);
    if (block_of(l, last) == 1 || (shape_of(l, last).h == 1 && shape_of(l, last).w == 1))
        return;
    struct onednn_view plain = new_tensor(l, last);
    struct onednn_step *s = kernel_step(l, &as_unit, "output", onednn_repack);
    s->job.block_out = 1;
    s->job.channels = s->job.in.c;
    onednn_job_view(l->o, s, AT_X, l->o->output);
    onednn_job_view(l->o, s, AT_Y, plain);
    l->o->output = plain;
}

static void lower_output_gradient(struct lowering *l)
{
    nn_id last = l->same[l->g->n_nodes - 1];
    struct unit as_unit = {.id = last, .in = {last, -1}, .n_in = 1, .out = last};
    struct target to = gradient_target(l, last);
    struct onednn_step *s = kernel_step(l, &as_unit, "output dy", onednn_import_grad);
    s->job.block = 1;
    s->job.channels = s->job.in.c;
    onednn_job_view(l->o, s, AT_Y, to.dx);
}

/* A part of the graph that the output does not read gets no gradient. */
static void zero_unreached(struct lowering *l, const struct unit *u)
{
    const struct nn_node *node = &l->g->node[u->id];
    for (int k = 0; k < node->n_slots; k++)
        l->o->zero_grad[node->slot + k] = true;
}

static bool lower_backward(struct lowering *l)
{
    lower_output_gradient(l);
    for (int i = l->n_units - 1; i >= 0; i--) {
        struct unit *u = &l->unit[i];
        if (!l->needs[u->out])
            continue;
        if (!l->t[u->out].has_grad)
            zero_unreached(l, u);
        else if (!OPS[u->op].backward(l, u))
            return false;
    }
    return true;
}

static bool lower_units(struct lowering *l)
{
    for (int i = 0; i < l->n_units; i++)
        if (!OPS[l->unit[i].op].forward(l, &l->unit[i]))
            return false;
    lower_output(l);
    l->o->n_forward = l->o->n_steps;
    if (l->o->how.mode == NN_TRAIN && l->needs[l->g->n_nodes - 1] && !lower_backward(l))
        return false;
    onednn_touch(l->o, l->o->output); /* borrowed until the next forward */
    return true;
}

bool onednn_lower(struct onednn *o, struct err *err)
{
    size_t n = (size_t)o->graph->n_nodes;
    struct lowering l = {.o = o, .g = o->graph, .err = err};
    l.same = mem_new(n, sizeof *l.same);
    l.reader = mem_new(n, sizeof *l.reader);
    l.needs = mem_new(n, sizeof *l.needs);
    l.joined = mem_new(n, sizeof *l.joined);
    l.t = mem_new(n, sizeof *l.t);
    l.unit = mem_new(n, sizeof *l.unit);
    for (size_t i = 0; i < n; i++) {
        l.reader[i] = -1;
        l.t[i] = (struct tensor){.at = ONEDNN_NO_VIEW, .grad = ONEDNN_NO_VIEW, .inside = -1};
    }
    find_readers(&l);
    find_needs(&l);
    find_units(&l);
    find_places(&l);
    keep_params(&l);
    fold_norms(&l);
    bool ok = lower_units(&l);
    free(l.same);
    free(l.reader);
    free(l.needs);
    free(l.joined);
    free(l.t);
    free(l.unit);
    return ok;
}
