/* Each operation of a graph as steps, forward and backward. */
#include "nn/onednn_lanes.h"
#include "nn/onednn_lower.h"

/* ---- kernels as steps ---- */

/* A step for unit u; shapes are those of its first input and of its output. */
struct onednn_step *onednn_kernel_step(struct onednn_lowering *l, const struct onednn_unit *u,
                                       const char *what,
                                       void (*f)(const struct onednn_job *, const struct onednn_run *))
{
    struct onednn_step *s = onednn_step(l->o, u->id, what);
    nn_id in = u->n_in > 0 ? u->in[0] : u->out;
    s->kernel = f;
    s->job.in = onednn_shape(l, in);
    s->job.out = onednn_shape(l, u->out);
    s->job.block = onednn_block(l, in);
    s->job.block_out = onednn_block(l, u->out);
    s->job.bf16 = onednn_is_bf16(l->o, s->job.block);
    if (s->job.bf16)
        s->job.block = wide_block(s->job.in.c);
    s->job.relu = u->relu;
    return s;
}

static void step_gradient(struct onednn_lowering *l, struct onednn_step *s, struct onednn_target to)
{
    onednn_job_view(l->o, s, AT_DX, to.dx);
    onednn_job_view(l->o, s, AT_BASE, to.base);
}

/* X to Y through the kernel. */
static struct onednn_step *map_step(struct onednn_lowering *l, const struct onednn_unit *u, const char *what,
                                    void (*f)(const struct onednn_job *, const struct onednn_run *))
{
    struct onednn_view x = onednn_value(l, u->in[0]), y = onednn_value(l, u->out);
    struct onednn_step *s = onednn_kernel_step(l, u, what, f);
    onednn_job_view(l->o, s, AT_X, x);
    onednn_job_view(l->o, s, AT_Y, y);
    return s;
}

/* DY to DX through the kernel; nothing is added where no gradient is needed. */
static struct onednn_step *back_step(struct onednn_lowering *l, const struct onednn_unit *u, const char *what,
                                     void (*f)(const struct onednn_job *, const struct onednn_run *))
{
    struct onednn_target to = onednn_gradient(l, u->in[0]);
    struct onednn_step *s = onednn_kernel_step(l, u, what, f);
    onednn_job_view(l->o, s, AT_DY, l->t[u->out].grad);
    step_gradient(l, s, to);
    return s;
}

/* ---- each operation, forward and backward ---- */

static bool input_forward(struct onednn_lowering *l, struct onednn_unit *u)
{
    struct onednn_view y = onednn_value(l, u->out);
    struct onednn_step *s = onednn_kernel_step(l, u, "input", onednn_import);
    s->job.block = 1;
    s->job.channels = s->job.in.c;
    onednn_job_view(l->o, s, AT_Y, y);
    return true;
}

static bool input_backward(struct onednn_lowering *l, struct onednn_unit *u)
{
    struct onednn_step *s = onednn_kernel_step(l, u, "input dx", onednn_export_grad);
    s->job.block_out = 1;
    s->job.channels = s->job.in.c;
    onednn_job_view(l->o, s, AT_X, l->t[u->out].grad);
    return true;
}

struct onednn_layer onednn_layer_of(struct onednn_lowering *l, const struct onednn_unit *u)
{
    const struct nn_node *node = &l->g->node[u->id];
    const struct nn_slot *slot = &l->g->slot[node->slot];
    bool kernel = slot[0].trainable, bias = slot[1].trainable;
    return (struct onednn_layer){.node = node,
                                 .conv = node->u.conv,
                                 .in = onednn_shape(l, u->in[0]),
                                 .out = node->shape,
                                 .weights = {.slot = slot, .channels = slot->dim[1]},
                                 .bias = slot + 1,
                                 .block_in = onednn_block(l, u->in[0]),
                                 .block_out = onednn_block(l, u->out),
                                 .norm = u->norm,
                                 .sum = u->op == NN_CONV2D && u->n_in == 2,
                                 .relu = u->relu,
                                 .inference = onednn_is_fixed(l, u->id),
                                 .kernel_gradient = kernel,
                                 .bias_gradient = bias && !l->o->zero_grad[node->slot + 1]};
}

/* A norm by batch statistics takes out whatever the bias adds: the bias has no gradient. */
static bool bias_is_lost(const struct onednn_lowering *l, const struct onednn_unit *u)
{
    nn_id next = l->reader[u->out];
    return next >= 0 && l->g->node[next].op == NN_BATCHNORM && l->o->how.mode == NN_TRAIN &&
           !l->g->node[next].u.norm.frozen;
}

static bool conv_forward(struct onednn_lowering *l, struct onednn_unit *u)
{
    if (bias_is_lost(l, u))
        l->o->zero_grad[l->g->node[u->id].slot + 1] = true;
    if (u->folded)
        return onednn_folded_forward(l, u);
    if (onednn_is_point(l, u))
        return onednn_point_forward(l, u);
    struct onednn_layer layer = onednn_layer_of(l, u);
    if (layer.sum) /* the other side of the sum becomes the result in its place */
        l->t[u->out].at = onednn_value(l, u->in[1]);
    layer.x = onednn_value(l, u->in[0]);
    layer.y = onednn_value(l, u->out);
    return onednn_conv_forward(l->o, &layer, l->err);
}

static bool dense_forward(struct onednn_lowering *l, struct onednn_unit *u)
{
    struct onednn_layer layer = onednn_layer_of(l, u);
    layer.x = onednn_value(l, u->in[0]);
    layer.y = onednn_value(l, u->out);
    return onednn_dense_forward(l->o, &layer, l->err);
}

void onednn_add_contribution(struct onednn_lowering *l, const struct onednn_unit *u, nn_id x,
                             struct onednn_view part)
{
    struct onednn_tensor *t = &l->t[x];
    if (t->has_grad) {
        struct onednn_step *s = onednn_kernel_step(l, u, "sum dx", onednn_sum);
        s->job.relu = false;
        s->job.in = onednn_shape(l, x);
        onednn_job_view(l->o, s, AT_X, part);
        onednn_job_view(l->o, s, AT_X2, t->grad);
        onednn_job_view(l->o, s, AT_Y, part);
    }
    onednn_lend_gradient(l, x, part, true);
}

struct layer_passes {
    bool (*weights)(struct onednn *, const struct onednn_layer *, struct err *);
    bool (*data)(struct onednn *, const struct onednn_layer *, struct err *);
};

static bool layer_backward(struct onednn_lowering *l, struct onednn_unit *u, struct layer_passes pass)
{
    struct onednn_layer layer = onednn_layer_of(l, u);
    nn_id x = u->in[0];
    bool weights = layer.kernel_gradient || layer.bias_gradient;
    layer.dy = l->t[u->out].grad;
    if (weights)
        layer.x = onednn_value_again(l, x);
    if (weights && !pass.weights(l->o, &layer, l->err))
        return false;
    if (!l->needs[x])
        return true;
    layer.dx = onednn_new_tensor(l, x);
    if (!pass.data(l->o, &layer, l->err))
        return false;
    onednn_add_contribution(l, u, x, layer.dx);
    return true;
}

static bool conv_backward(struct onednn_lowering *l, struct onednn_unit *u)
{
    if (u->folded)
        return onednn_folded_backward(l, u);
    if (onednn_is_point(l, u))
        return onednn_point_backward(l, u);
    return layer_backward(l, u,
                          (struct layer_passes){onednn_conv_backward_weights, onednn_conv_backward_data});
}

static bool dense_backward(struct onednn_lowering *l, struct onednn_unit *u)
{
    return layer_backward(l, u,
                          (struct layer_passes){onednn_dense_backward_weights, onednn_dense_backward_data});
}

static struct onednn_view new_floats(struct onednn_lowering *l, size_t count)
{
    return onednn_buffer(l->o, POOL_RUN, count * sizeof(float), 0);
}

static void draw_factors(struct onednn_lowering *l, struct onednn_unit *u, nn_id drop)
{
    struct nn_shape s = onednn_shape(l, u->out);
    u->factor = new_floats(l, (size_t)l->o->how.batch * (size_t)s.c);
    struct onednn_step *step = onednn_kernel_step(l, u, "dropout draw", onednn_dropout_draw);
    step->job.node = drop;
    step->job.rate = l->g->node[drop].u.rate;
    onednn_job_view(l->o, step, AT_FACTOR, u->factor);
}

static void norm_views(struct onednn_lowering *l, const struct onednn_unit *u, struct onednn_step *s)
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

static bool norm_forward(struct onednn_lowering *l, struct onednn_unit *u)
{
    u->factor = ONEDNN_NO_VIEW;
    if (u->drop)
        draw_factors(l, u, u->out);
    u->saved = new_floats(l, 2 * (size_t)onednn_shape(l, u->out).c);
    struct onednn_view second = u->n_in == 2 ? onednn_value(l, u->in[1]) : ONEDNN_NO_VIEW;
    struct onednn_step *s = map_step(l, u, "norm", onednn_norm);
    onednn_job_view(l->o, s, AT_X2, second);
    norm_views(l, u, s);
    return true;
}

struct onednn_view onednn_value_again(struct onednn_lowering *l, nn_id x)
{
    const struct onednn_unit *u = l->unit;
    struct onednn_tensor *t = &l->t[x];
    while (u->out != x)
        u++;
    if (u->op != NN_BATCHNORM || u->n_in == 2 || t->inside >= 0)
        return onednn_value(l, x);
    if (t->again.buffer < 0) {
        struct onednn_view from = onednn_value(l, u->in[0]);
        t->again = onednn_new_tensor(l, x);
        struct onednn_step *s = onednn_kernel_step(l, u, "norm again", onednn_norm_again);
        onednn_job_view(l->o, s, AT_X, from);
        onednn_job_view(l->o, s, AT_Y, t->again);
        norm_views(l, u, s);
    }
    return t->again;
}

/* The gradient of a norm's input takes the place of that of its output, where nobody else reads it. */
static struct onednn_target norm_target(struct onednn_lowering *l, const struct onednn_unit *u)
{
    struct onednn_tensor *in = &l->t[u->in[0]], *out = &l->t[u->out];
    if (!l->needs[u->in[0]])
        return (struct onednn_target){ONEDNN_NO_VIEW, ONEDNN_NO_VIEW};
    if (!in->has_grad && out->owns_grad && out->grad.item == nn_shape_size(onednn_shape(l, u->out)))
        onednn_lend_gradient(l, u->in[0], out->grad, true);
    else
        return onednn_gradient(l, u->in[0]);
    return (struct onednn_target){out->grad, ONEDNN_NO_VIEW};
}

/* x, an input of the sum in u, reads the sum's gradient; where it has one already, that is added. */
static void sum_backward(struct onednn_lowering *l, const struct onednn_unit *u, nn_id x)
{
    struct onednn_view grad = l->t[u->out].grad;
    if (!l->needs[x])
        return;
    if (!l->t[x].has_grad && grad.item == nn_shape_size(onednn_shape(l, x))) {
        onednn_lend_gradient(l, x, grad, false);
        return;
    }
    struct onednn_target to = onednn_gradient(l, x);
    struct onednn_step *s = onednn_kernel_step(l, u, "sum dx", onednn_sum);
    s->job.relu = false;
    onednn_job_view(l->o, s, AT_X, grad);
    onednn_job_view(l->o, s, AT_X2, to.base);
    onednn_job_view(l->o, s, AT_Y, to.dx);
}

/* Where the gradient of u's output goes once it has passed the ReLU: in its place, if that may be written. */
static struct onednn_view gated_gradient(struct onednn_lowering *l, const struct onednn_unit *u)
{
    const struct onednn_tensor *out = &l->t[u->out];
    return out->owns_grad ? out->grad : onednn_new_tensor(l, u->out);
}

static bool norm_backward(struct onednn_lowering *l, struct onednn_unit *u)
{
    const struct nn_slot *slot = &l->g->slot[l->g->node[u->id].slot];
    struct onednn_view dy = l->t[u->out].grad, y = ONEDNN_NO_VIEW, gated = ONEDNN_NO_VIEW;
    if (u->n_in == 2 && u->relu) {
        y = onednn_value(l, u->out);
        gated = gated_gradient(l, u);
    }
    if (u->n_in == 2)
        onednn_lend_gradient(l, u->out, u->relu ? gated : dy, false);
    struct onednn_target to = norm_target(l, u);
    struct onednn_step *s = onednn_kernel_step(l, u, "norm dx", onednn_norm_backward);
    onednn_job_view(l->o, s, AT_X, onednn_value(l, u->in[0]));
    onednn_job_view(l->o, s, AT_Y, y);
    onednn_job_view(l->o, s, AT_DY, dy);
    onednn_job_view(l->o, s, AT_DX2, gated);
    step_gradient(l, s, to);
    norm_views(l, u, s);
    s->job.gamma = slot[0].trainable ? &slot[0] : NULL;
    s->job.beta = slot[1].trainable ? &slot[1] : NULL;
    s->job.sums = !s->job.frozen || s->job.gamma || s->job.beta;
    if (u->n_in == 2)
        sum_backward(l, u, u->in[1]);
    return true;
}

static bool relu_forward(struct onednn_lowering *l, struct onednn_unit *u)
{
    map_step(l, u, "relu", onednn_sum)->job.relu = true;
    return true;
}

static bool relu_backward(struct onednn_lowering *l, struct onednn_unit *u)
{
    struct onednn_step *s = back_step(l, u, "relu dx", onednn_relu_backward);
    onednn_job_view(l->o, s, AT_Y, onednn_value(l, u->out));
    return true;
}

static bool sigmoid_forward(struct onednn_lowering *l, struct onednn_unit *u)
{
    map_step(l, u, "sigmoid", onednn_sigmoid);
    return true;
}

static bool sigmoid_backward(struct onednn_lowering *l, struct onednn_unit *u)
{
    struct onednn_step *s = back_step(l, u, "sigmoid dx", onednn_sigmoid_backward);
    onednn_job_view(l->o, s, AT_Y, onednn_value(l, u->out));
    return true;
}

static bool softmax_forward(struct onednn_lowering *l, struct onednn_unit *u)
{
    map_step(l, u, "softmax", onednn_softmax);
    return true;
}

static bool softmax_backward(struct onednn_lowering *l, struct onednn_unit *u)
{
    struct onednn_step *s = back_step(l, u, "softmax dx", onednn_softmax_backward);
    onednn_job_view(l->o, s, AT_Y, onednn_value(l, u->out));
    return true;
}

static bool maxpool_forward(struct onednn_lowering *l, struct onednn_unit *u)
{
    const struct nn_node *node = &l->g->node[u->id];
    if (node->u.pool.kernel > ONEDNN_WINDOW)
        return err_set(l->err, ERR_INPUT, "layer \"%s\": windows larger than %d are not supported",
                       node->name, ONEDNN_WINDOW);
    u->index = ONEDNN_NO_VIEW;
    if (l->needs[u->id])
        u->index = onednn_buffer(l->o, POOL_RUN, (size_t)l->o->how.batch * nn_shape_size(node->shape), 0);
    struct onednn_step *s = map_step(l, u, "pool", onednn_maxpool);
    s->job.pool = node->u.pool;
    onednn_job_view(l->o, s, AT_INDEX, u->index);
    return true;
}

static bool maxpool_backward(struct onednn_lowering *l, struct onednn_unit *u)
{
    struct onednn_step *s = back_step(l, u, "pool dx", onednn_maxpool_backward);
    s->job.pool = l->g->node[u->id].u.pool;
    onednn_job_view(l->o, s, AT_INDEX, u->index);
    return true;
}

static bool upsample_forward(struct onednn_lowering *l, struct onednn_unit *u)
{
    map_step(l, u, "upsample", onednn_upsample)->job.factor = l->g->node[u->id].u.factor;
    return true;
}

static bool upsample_backward(struct onednn_lowering *l, struct onednn_unit *u)
{
    back_step(l, u, "upsample dx", onednn_upsample_backward)->job.factor = l->g->node[u->id].u.factor;
    return true;
}

static bool concat_forward(struct onednn_lowering *l, struct onednn_unit *u)
{
    for (int k = 0, channel = 0; k < 2; channel += onednn_shape(l, u->in[k++]).c) {
        nn_id x = u->in[k];
        if (l->t[x].inside == u->out)
            continue;
        struct onednn_view from = onednn_value(l, x), to = onednn_value(l, u->out);
        struct onednn_step *s = onednn_kernel_step(l, u, "concat", onednn_repack);
        s->job.in = onednn_shape(l, x);
        s->job.block = onednn_block(l, x);
        s->job.channels = s->job.in.c;
        s->job.channel_out = channel;
        onednn_job_view(l->o, s, AT_X, from);
        onednn_job_view(l->o, s, AT_Y, to);
    }
    return true;
}

/* A copy of x's channels out of the concatenation's gradient, added to what x has. */
static void concat_part_backward(struct onednn_lowering *l, const struct onednn_unit *u, nn_id x, int channel)
{
    struct onednn_target to = onednn_gradient(l, x);
    struct onednn_step *s = onednn_kernel_step(l, u, "concat dx", onednn_repack);
    s->job.in = onednn_shape(l, u->out);
    s->job.block = onednn_block(l, u->out);
    s->job.out = onednn_shape(l, x);
    s->job.block_out = onednn_block(l, x);
    s->job.channels = s->job.out.c;
    s->job.channel_in = channel;
    onednn_job_view(l->o, s, AT_X, l->t[u->out].grad);
    onednn_job_view(l->o, s, AT_Y, to.dx);
    onednn_job_view(l->o, s, AT_BASE, to.base);
}

static bool concat_backward(struct onednn_lowering *l, struct onednn_unit *u)
{
    struct onednn_tensor *whole = &l->t[u->out];
    for (int k = 0, channel = 0; k < 2; channel += onednn_shape(l, u->in[k++]).c) {
        nn_id x = u->in[k];
        if (!l->needs[x])
            continue;
        if (l->t[x].inside == u->out && whole->owns_grad)
            onednn_lend_gradient(l, x, onednn_part(l, x, whole->grad), true);
        else
            concat_part_backward(l, u, x, channel);
    }
    return true;
}

static bool add_forward(struct onednn_lowering *l, struct onednn_unit *u)
{
    struct onednn_view second = onednn_value(l, u->in[1]);
    struct onednn_step *s = map_step(l, u, "add", onednn_sum);
    onednn_job_view(l->o, s, AT_X2, second);
    return true;
}

static bool add_backward(struct onednn_lowering *l, struct onednn_unit *u)
{
    if (u->relu) {
        struct onednn_view gated = gated_gradient(l, u);
        struct onednn_step *s = onednn_kernel_step(l, u, "add dx", onednn_relu_backward);
        onednn_job_view(l->o, s, AT_Y, onednn_value(l, u->out));
        onednn_job_view(l->o, s, AT_DY, l->t[u->out].grad);
        onednn_job_view(l->o, s, AT_DX, gated);
        onednn_lend_gradient(l, u->out, gated, true);
    }
    sum_backward(l, u, u->in[0]);
    sum_backward(l, u, u->in[1]);
    return true;
}

static bool avgpool_forward(struct onednn_lowering *l, struct onednn_unit *u)
{
    map_step(l, u, "average", onednn_avgpool);
    return true;
}

static bool avgpool_backward(struct onednn_lowering *l, struct onednn_unit *u)
{
    back_step(l, u, "average dx", onednn_avgpool_backward);
    return true;
}

static bool dropout_forward(struct onednn_lowering *l, struct onednn_unit *u)
{
    draw_factors(l, u, u->id);
    struct onednn_step *s = map_step(l, u, "dropout", onednn_dropout);
    onednn_job_view(l->o, s, AT_FACTOR, u->factor);
    return true;
}

static bool dropout_backward(struct onednn_lowering *l, struct onednn_unit *u)
{
    struct onednn_step *s = back_step(l, u, "dropout dx", onednn_dropout_backward);
    onednn_job_view(l->o, s, AT_FACTOR, u->factor);
    return true;
}

static const struct {
    bool (*forward)(struct onednn_lowering *, struct onednn_unit *);
    bool (*backward)(struct onednn_lowering *, struct onednn_unit *);
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

bool onednn_unit_forward(struct onednn_lowering *l, struct onednn_unit *u)
{
    return OPS[u->op].forward(l, u);
}

bool onednn_unit_backward(struct onednn_lowering *l, struct onednn_unit *u)
{
    return OPS[u->op].backward(l, u);
}
