/* From a graph to steps, in four passes: join nodes into units (a batch norm with the ReLU after it is one
 * unit), find the tensors that can lie inside a concatenation from the start, lower every unit forward, lower
 * every unit backward in reverse. */
#include "nn/onednn_lower.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>

/* ---- units ---- */

static bool is_op(const struct onednn_lowering *l, nn_id id, enum nn_op op)
{
    return id >= 0 && l->g->node[id].op == op;
}

static void find_readers(struct onednn_lowering *l)
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

static void find_same(struct onednn_lowering *l)
{
    for (nn_id id = 0; id < l->g->n_nodes; id++) {
        const struct nn_node *node = &l->g->node[id];
        bool idle = node->op == NN_SPATIAL_DROPOUT && l->o->how.mode == NN_INFER;
        l->same[id] = idle ? l->same[node->in[0]] : id;
    }
}

static void find_needs(struct onednn_lowering *l)
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

bool onednn_is_fixed(const struct onednn_lowering *l, nn_id id)
{
    const struct nn_node *node = &l->g->node[id];
    return l->o->how.mode == NN_INFER || (!l->needs[id] && (node->op != NN_BATCHNORM || node->u.norm.frozen));
}

/* Moves the unit's end to its only reader when that is an `op`. */
static bool join(struct onednn_lowering *l, struct onednn_unit *u, enum nn_op op)
{
    nn_id next = l->reader[u->out];
    if (!is_op(l, next, op))
        return false;
    l->joined[next] = true;
    u->out = next;
    return true;
}

static void join_conv(struct onednn_lowering *l, struct onednn_unit *u)
{
    nn_id next = l->reader[u->out];
    if (is_op(l, next, NN_BATCHNORM) && onednn_is_fixed(l, next) && join(l, u, NN_BATCHNORM))
        u->norm = &l->g->node[next];
    next = l->reader[u->out];
    if (is_op(l, next, NN_RELU) && onednn_is_fixed(l, next))
        u->relu = join(l, u, NN_RELU);
}

static void join_norm(struct onednn_lowering *l, struct onednn_unit *u)
{
    u->relu = join(l, u, NN_RELU);
    if (l->o->how.mode == NN_TRAIN && join(l, u, NN_SPATIAL_DROPOUT))
        u->drop = &l->g->node[u->out];
}

/* A convolution takes over the upsampling and the concatenation before it. */
static void find_folds(struct onednn_lowering *l)
{
    for (nn_id id = 0; id < l->g->n_nodes; id++)
        if (onednn_can_fold(l, id) && onednn_fold_pays(l, id))
            l->joined[id - 1] = l->joined[id - 2] = true;
}

static void take_folded(struct onednn_lowering *l, struct onednn_unit *u)
{
    u->folded = u->in[0] == u->id - 1 && is_op(l, u->in[0], NN_CONCAT) && l->joined[u->in[0]];
    if (!u->folded)
        return;
    const struct nn_node *both = &l->g->node[u->in[0]];
    u->in[0] = l->same[l->g->node[both->in[0]].in[0]];
    u->in[1] = l->same[both->in[1]];
    u->n_in = 2;
}

static int unit_of(const struct onednn_lowering *l, nn_id out)
{
    int i = l->n_units - 1;
    while (i >= 0 && l->unit[i].out != out)
        i--;
    return i;
}

/* Does a node from `first` on, other than the sum, read x? */
static bool read_later(const struct onednn_lowering *l, nn_id x, nn_id first, nn_id sum)
{
    bool found = false;
    for (nn_id id = first; id < l->g->n_nodes; id++)
        for (int k = 0; k < l->g->node[id].n_in; k++)
            found |= id != sum && l->same[l->g->node[id].in[k]] == x;
    return found;
}

/* A sum is joined to the layer made last of its two sides: in NN_TRAIN to a norm; in NN_INFER to a
 * convolution, which then adds to the other side in its place: that must be read by nobody after. */
static bool join_sum(struct onednn_lowering *l, nn_id sum)
{
    nn_id a = l->same[l->g->node[sum].in[0]], b = l->same[l->g->node[sum].in[1]];
    int last = unit_of(l, a) > unit_of(l, b) ? unit_of(l, a) : unit_of(l, b);
    struct onednn_unit *u = &l->unit[last];
    nn_id other = u->out == a ? b : a;
    bool norm = l->o->how.mode == NN_TRAIN && u->op == NN_BATCHNORM && !u->drop && l->needs[u->id],
         conv = l->o->how.mode == NN_INFER && u->op == NN_CONV2D && u->in[0] != other &&
                !read_later(l, other, u->id, sum);
    if (a == b || u->relu || u->n_in == 2 || l->reader[u->out] != sum || !(norm || conv))
        return false;
    u->in[u->n_in++] = other;
    u->out = sum;
    u->relu = join(l, u, NN_RELU);
    return true;
}

static void find_units(struct onednn_lowering *l)
{
    for (nn_id id = 0; id < l->g->n_nodes; id++) {
        const struct nn_node *node = &l->g->node[id];
        if (l->joined[id] || l->same[id] != id || (node->op == NN_ADD && join_sum(l, id)))
            continue;
        struct onednn_unit *u = &l->unit[l->n_units++];
        *u = (struct onednn_unit){.op = node->op, .id = id, .n_in = node->n_in, .out = id};
        for (int k = 0; k < node->n_in; k++)
            u->in[k] = l->same[node->in[k]];
        if (node->op == NN_CONV2D) {
            take_folded(l, u);
            join_conv(l, u);
        } else if (node->op == NN_BATCHNORM)
            join_norm(l, u);
        else if (node->op == NN_ADD)
            u->relu = join(l, u, NN_RELU);
    }
}

/* ---- tensors inside concatenations ---- */

struct nn_shape onednn_shape(const struct onednn_lowering *l, nn_id x)
{
    return l->g->node[x].shape;
}

int onednn_block(const struct onednn_lowering *l, nn_id x)
{
    return onednn_shape(l, x).c % l->o->block == 0 ? l->o->block : 1;
}

/* Kernels of ours that find an image at any distance from the one before. */
static bool takes_any_distance(enum nn_op op)
{
    static const bool TAKES[NN_OP_COUNT] = {
        [NN_BATCHNORM] = true, [NN_RELU] = true, [NN_MAXPOOL] = true,        [NN_UPSAMPLE] = true,
        [NN_CONCAT] = true,    [NN_ADD] = true,  [NN_SPATIAL_DROPOUT] = true};
    return TAKES[op];
}

static bool reads(const struct onednn_unit *u, nn_id x)
{
    return (u->n_in > 0 && u->in[0] == x) || (u->n_in > 1 && u->in[1] == x);
}

/* May x be written straight into its place in concatenation `into`? That must be the last to read it:
 * gradients reach x there first. */
static bool can_lie_inside(const struct onednn_lowering *l, nn_id x, const struct onednn_unit *into)
{
    const struct onednn_unit *last = NULL;
    bool ok =
        l->t[x].inside < 0 && into->in[0] != into->in[1] && onednn_block(l, x) == onednn_block(l, into->out);
    for (int i = 0; i < l->n_units; i++) {
        const struct onednn_unit *u = &l->unit[i];
        if (u->out == x || reads(u, x))
            ok = ok && takes_any_distance(u->op);
        last = reads(u, x) ? u : last;
    }
    return ok && last == into && x != l->same[l->g->n_nodes - 1];
}

static void find_places(struct onednn_lowering *l)
{
    for (int i = l->n_units - 1; i >= 0; i--) {
        const struct onednn_unit *u = &l->unit[i];
        for (int k = 0, channel = 0; u->op == NN_CONCAT && k < 2; channel += onednn_shape(l, u->in[k++]).c)
            if (can_lie_inside(l, u->in[k], u)) {
                l->t[u->in[k]].inside = u->out;
                l->t[u->in[k]].channel = channel;
            }
    }
}

/* ---- buffers of tensors ---- */

struct onednn_view onednn_new_tensor(struct onednn_lowering *l, nn_id x)
{
    struct nn_shape s = onednn_shape(l, x);
    int block = onednn_block(l, x);
    bool bf16 = onednn_is_bf16(l->o, block);
    size_t item = nn_shape_size(s), size = bf16 ? sizeof(uint16_t) : sizeof(float);
    struct onednn_view v = onednn_buffer(l->o, POOL_RUN, (size_t)l->o->how.batch * item * size, item);
    v.pixel = (size_t)(bf16 ? s.c : block);
    v.bf16 = bf16;
    return v;
}

struct onednn_view onednn_part(const struct onednn_lowering *l, nn_id x, struct onednn_view whole)
{
    struct nn_shape s = onednn_shape(l, x);
    whole.offset += (size_t)l->t[x].channel * (whole.bf16 ? 1 : (size_t)s.h * (size_t)s.w);
    return whole;
}

struct onednn_view onednn_value(struct onednn_lowering *l, nn_id x)
{
    struct onednn_tensor *t = &l->t[x];
    if (t->at.buffer < 0)
        t->at = t->inside >= 0 ? onednn_part(l, x, onednn_value(l, t->inside)) : onednn_new_tensor(l, x);
    return t->at;
}

struct onednn_target onednn_gradient(struct onednn_lowering *l, nn_id x)
{
    struct onednn_tensor *t = &l->t[x];
    struct onednn_target to = {ONEDNN_NO_VIEW, ONEDNN_NO_VIEW};
    if (t->has_grad)
        to.base = t->grad;
    to.dx = t->has_grad && t->owns_grad ? t->grad : onednn_new_tensor(l, x);
    t->grad = to.dx;
    t->has_grad = t->owns_grad = true;
    return to;
}

void onednn_lend_gradient(struct onednn_lowering *l, nn_id x, struct onednn_view grad, bool owned)
{
    l->t[x].grad = grad;
    l->t[x].has_grad = true;
    l->t[x].owns_grad = owned;
}

/* ---- the whole graph ---- */

/* Numbers every kernel reads as they are; convolution kernels are laid out where they are used. */
static void keep_params(struct onednn_lowering *l)
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

/* Tells the fill of a convolution's bias about the norm folded into it. */
static void fold_norms(struct onednn_lowering *l)
{
    for (int i = 0; i < l->n_units; i++) {
        const struct onednn_unit *u = &l->unit[i];
        if (!u->norm)
            continue;
        const struct nn_slot *kernel = &l->g->slot[l->g->node[u->id].slot];
        for (int k = 0; k < l->o->n_fills; k++)
            if (l->o->fill[k].slot == kernel + 1)
                l->o->fill[k].norm = u->norm;
    }
}

/* Room for what set() makes of a kernel on the way to its layout. */
static void make_stages(struct onednn_lowering *l)
{
    size_t largest[2] = {0, 0};
    for (int i = 0; i < l->o->n_fills; i++) {
        const struct onednn_fill *f = &l->o->fill[i];
        size_t whole = f->reorder && f->norm ? f->slot->count : 0,
               part = f->reorder && !onednn_weights_whole(&f->part) ? onednn_weights_count(&f->part) : 0;
        largest[0] = whole > largest[0] ? whole : largest[0];
        largest[1] = part > largest[1] ? part : largest[1];
    }
    for (int i = 0; i < 2; i++)
        if (largest[i])
            l->o->stage[i] = onednn_buffer(l->o, POOL_KEEP, largest[i] * sizeof(float), 0);
}

/* The last tensor row-major: itself, or a copy. */
static void lower_output(struct onednn_lowering *l)
{
    nn_id last = l->same[l->g->n_nodes - 1];
    struct onednn_unit as_unit = {.id = last, .in = {last, -1}, .n_in = 1, .out = last};
    l->o->output = onednn_value(l, last);
    bool pixel = onednn_shape(l, last).h == 1 && onednn_shape(l, last).w == 1;
    if (!l->o->output.bf16 && (onednn_block(l, last) == 1 || pixel))
        return;
    size_t item = nn_shape_size(onednn_shape(l, last));
    struct onednn_view plain =
        onednn_buffer(l->o, POOL_RUN, (size_t)l->o->how.batch * item * sizeof(float), item);
    struct onednn_step *s = onednn_kernel_step(l, &as_unit, "output", onednn_repack);
    s->job.block_out = 1;
    s->job.channels = s->job.in.c;
    onednn_job_view(l->o, s, AT_X, l->o->output);
    onednn_job_view(l->o, s, AT_Y, plain);
    l->o->output = plain;
}

static void lower_output_gradient(struct onednn_lowering *l)
{
    nn_id last = l->same[l->g->n_nodes - 1];
    struct onednn_unit as_unit = {.id = last, .in = {last, -1}, .n_in = 1, .out = last};
    struct onednn_target to = onednn_gradient(l, last);
    struct onednn_step *s = onednn_kernel_step(l, &as_unit, "output dy", onednn_import_grad);
    s->job.block = 1;
    s->job.channels = s->job.in.c;
    onednn_job_view(l->o, s, AT_Y, to.dx);
}

/* A part of the graph that the output does not read gets no gradient. */
static void zero_unreached(struct onednn_lowering *l, const struct onednn_unit *u)
{
    const struct nn_node *node = &l->g->node[u->id];
    for (int k = 0; k < node->n_slots; k++)
        l->o->zero_grad[node->slot + k] = true;
}

static bool lower_backward(struct onednn_lowering *l)
{
    lower_output_gradient(l);
    for (int i = l->n_units - 1; i >= 0; i--) {
        struct onednn_unit *u = &l->unit[i];
        if (!l->needs[u->out])
            continue;
        if (!l->t[u->out].has_grad)
            zero_unreached(l, u);
        else if (!onednn_unit_backward(l, u))
            return false;
    }
    return true;
}

static bool lower_units(struct onednn_lowering *l)
{
    for (int i = 0; i < l->n_units; i++)
        if (!onednn_unit_forward(l, &l->unit[i]))
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
    struct onednn_lowering l = {.o = o, .g = o->graph, .err = err};
    l.same = mem_new(n, sizeof *l.same);
    l.reader = mem_new(n, sizeof *l.reader);
    l.needs = mem_new(n, sizeof *l.needs);
    l.joined = mem_new(n, sizeof *l.joined);
    l.t = mem_new(n, sizeof *l.t);
    l.unit = mem_new(n, sizeof *l.unit);
    for (size_t i = 0; i < n; i++) {
        l.reader[i] = -1;
        l.t[i] = (struct onednn_tensor){
            .at = ONEDNN_NO_VIEW, .grad = ONEDNN_NO_VIEW, .again = ONEDNN_NO_VIEW, .inside = -1};
    }
    find_same(&l);
    find_readers(&l);
    find_needs(&l);
    find_folds(&l);
    find_units(&l);
    find_places(&l);
    keep_params(&l);
    fold_norms(&l);
    bool ok = lower_units(&l);
    make_stages(&l);
    free(l.same);
    free(l.reader);
    free(l.needs);
    free(l.joined);
    free(l.t);
    free(l.unit);
    return ok;
}
