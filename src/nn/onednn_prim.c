/* Convolutions and dense layers as oneDNN primitives, with reorders where a primitive wants another layout
 * than the tensor has. */
#include "nn/onednn.h"

#include <string.h>

/* ---- descriptors ---- */

static dnnl_memory_desc_t plain_md(int rank, const int *dim)
{
    static const dnnl_format_tag_t TAGS[] = {dnnl_format_tag_undef, dnnl_a, dnnl_ab, dnnl_abc, dnnl_abcd};
    dnnl_memory_desc_t md;
    dnnl_dims_t dims = {0};
    for (int i = 0; i < rank; i++)
        dims[i] = dim[i];
    dnnl_memory_desc_init_by_tag(&md, rank, dims, dnnl_f32, TAGS[rank]);
    return md;
}

static dnnl_memory_desc_t any_md(const dnnl_memory_desc_t *like)
{
    dnnl_memory_desc_t md;
    dnnl_memory_desc_init_by_tag(&md, like->ndims, like->dims, like->data_type, dnnl_format_tag_any);
    return md;
}

dnnl_memory_desc_t onednn_tensor_md(const struct onednn *o, struct nn_shape s, int block)
{
    dnnl_memory_desc_t md;
    dnnl_dims_t dims = {o->how.batch, s.c, s.h, s.w};
    if (onednn_is_bf16(o, block))
        dnnl_memory_desc_init_by_tag(&md, 4, dims, dnnl_bf16, dnnl_nhwc);
    else
        dnnl_memory_desc_init_by_tag(&md, 4, dims, dnnl_f32,
                                     block == 16  ? dnnl_nChw16c
                                     : block == 8 ? dnnl_nChw8c
                                                  : dnnl_nchw);
    return md;
}

static const struct nn_slot *slot_of(const struct onednn *o, const struct nn_node *node, int which)
{
    return &o->graph->slot[node->slot + which];
}

/* ---- steps ---- */

bool onednn_step_primitive(struct onednn *o, const_dnnl_primitive_desc_t pd)
{
    const dnnl_memory_desc_t *scratch = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    size_t bytes = scratch ? dnnl_memory_desc_get_size(scratch) : 0;
    if (dnnl_primitive_create(&o->step[o->n_steps - 1].primitive, pd) != dnnl_success)
        return false;
    return bytes == 0 ||
           onednn_argument(o, DNNL_ARG_SCRATCHPAD, scratch, onednn_buffer(o, POOL_RUN, bytes, 0), NULL);
}

bool onednn_step_reorder(struct onednn *o, nn_id node, struct onednn_place from, struct onednn_place to)
{
    dnnl_primitive_desc_t pd;
    if (dnnl_reorder_primitive_desc_create(&pd, from.md, o->engine, to.md, o->engine, o->attr) !=
        dnnl_success)
        return false;
    onednn_step(o, node, "reorder");
    bool ok = onednn_step_primitive(o, pd) &&
              onednn_argument(o, DNNL_ARG_FROM, from.md, from.view, from.slot) &&
              onednn_argument(o, DNNL_ARG_TO, to.md, to.view, to.slot);
    dnnl_primitive_desc_destroy(pd);
    return ok;
}

struct onednn_view onednn_view_for(struct onednn *o, enum onednn_pool pool, const dnnl_memory_desc_t *md)
{
    return onednn_buffer(o, pool, dnnl_memory_desc_get_size(md), 0);
}

/* v, or a copy of it in the layout wanted. */
static bool as_wanted(struct onednn *o, nn_id node, const dnnl_memory_desc_t *have,
                      const dnnl_memory_desc_t *want, struct onednn_view *v)
{
    if (dnnl_memory_desc_equal(have, want))
        return true;
    struct onednn_view copy = onednn_view_for(o, POOL_RUN, want);
    if (!onednn_step_reorder(o, node, (struct onednn_place){have, *v, NULL},
                             (struct onednn_place){want, copy, NULL}))
        return false;
    *v = copy;
    return true;
}

/* ---- numbers in the layouts wanted ---- */

static bool same_part(const struct onednn_weights *a, const struct onednn_weights *b)
{
    return a->slot == b->slot && a->first == b->first && a->channels == b->channels && a->folded == b->folded;
}

static dnnl_memory_desc_t weights_md(const struct onednn_weights *w)
{
    const int *d = w->slot->dim, folded[4] = {w->channels, d[0], ONEDNN_FOLDED, ONEDNN_FOLDED},
              slice[4] = {d[0], w->channels, d[2], d[3]};
    return plain_md(4, w->folded ? folded : slice);
}

/* Where the layer's kernel lies in layout md; the same buffer for every pass that wants that layout. */
static bool kernel_view(struct onednn *o, const struct onednn_layer *l, const dnnl_memory_desc_t *md,
                        struct onednn_view *v)
{
    for (int i = 0; i < o->n_fills; i++) {
        const dnnl_memory_desc_t *have = NULL;
        if (same_part(&o->fill[i].part, &l->weights) && o->fill[i].to_memory &&
            dnnl_memory_get_memory_desc(o->fill[i].to_memory, &have) == dnnl_success &&
            dnnl_memory_desc_equal(have, md)) {
            *v = o->fill[i].to;
            return true;
        }
    }
    dnnl_memory_desc_t flat = weights_md(&l->weights);
    dnnl_primitive_desc_t pd;
    *v = onednn_view_for(o, POOL_KEEP, md);
    struct onednn_fill *fill = onednn_fill(o, l->weights.slot, *v, l->norm);
    fill->part = l->weights;
    if (dnnl_reorder_primitive_desc_create(&pd, &flat, o->engine, md, o->engine, NULL) != dnnl_success)
        return false;
    bool ok = dnnl_primitive_create(&fill->reorder, pd) == dnnl_success &&
              dnnl_memory_create(&fill->from_memory, &flat, o->engine, DNNL_MEMORY_NONE) == dnnl_success &&
              dnnl_memory_create(&fill->to_memory, md, o->engine, DNNL_MEMORY_NONE) == dnnl_success;
    dnnl_primitive_desc_destroy(pd);
    return ok;
}

/* ---- convolution ---- */

struct conv_mds {
    dnnl_memory_desc_t in, out, kernel, bias;
};

/* What a pass multiplies is bf16; what it gives is what the tensor there wants, a kernel's gradient float. */
static void set_types(struct conv_mds *m, enum onednn_pass pass)
{
    if (pass != ONEDNN_BACKWARD_DATA)
        m->in.data_type = dnnl_bf16;
    if (pass != ONEDNN_FORWARD)
        m->out.data_type = dnnl_bf16;
    if (pass != ONEDNN_BACKWARD_WEIGHTS)
        m->kernel.data_type = dnnl_bf16;
}

static dnnl_status_t conv_desc(dnnl_convolution_desc_t *d, const struct onednn_layer *l,
                               enum onednn_pass pass, dnnl_alg_kind_t algorithm, const struct conv_mds *m)
{
    const struct nn_conv *c = &l->conv;
    dnnl_dims_t stride = {c->stride, c->stride}, pad = {c->pad, c->pad}, after;
    int sides[2] = {l->in.h, l->in.w}, outs[2] = {l->out.h, l->out.w};
    for (int i = 0; i < 2; i++) /* what the last window reaches beyond the far side */
        after[i] = (outs[i] - 1) * c->stride + c->kernel - sides[i] - c->pad;
    if (pass == ONEDNN_BACKWARD_DATA)
        return dnnl_convolution_backward_data_desc_init(d, algorithm, &m->in, &m->kernel, &m->out, stride,
                                                        pad, after);
    if (pass == ONEDNN_BACKWARD_WEIGHTS)
        return dnnl_convolution_backward_weights_desc_init(d, algorithm, &m->in, &m->kernel,
                                                           l->bias_gradient ? &m->bias : NULL, &m->out,
                                                           stride, pad, after);
    return dnnl_convolution_forward_desc_init(
        d, l->inference ? dnnl_forward_inference : dnnl_forward_training, algorithm, &m->in, &m->kernel,
        l->bias ? &m->bias : NULL, &m->out, stride, pad, after);
}

/* Scratch from us, and what follows the convolution in the same pass. */
static dnnl_status_t conv_attr(dnnl_primitive_attr_t *attr, bool sum, bool relu)
{
    dnnl_post_ops_t ops = NULL;
    dnnl_status_t s = dnnl_primitive_attr_create(attr);
    if (s == dnnl_success)
        s = dnnl_primitive_attr_set_scratchpad_mode(*attr, dnnl_scratchpad_mode_user);
    if (s == dnnl_success)
        s = dnnl_post_ops_create(&ops);
    if (s == dnnl_success && sum)
        s = dnnl_post_ops_append_sum(ops, 1);
    if (s == dnnl_success && relu)
        s = dnnl_post_ops_append_eltwise(ops, 1, dnnl_eltwise_relu, 0, 0);
    if (s == dnnl_success)
        s = dnnl_primitive_attr_set_post_ops(*attr, ops);
    dnnl_post_ops_destroy(ops);
    return s;
}

dnnl_primitive_desc_t onednn_conv_try(struct onednn *o, const struct onednn_layer *l, enum onednn_pass pass,
                                      dnnl_alg_kind_t algorithm, bool any)
{
    struct conv_mds m = {onednn_tensor_md(o, l->in, l->block_in), onednn_tensor_md(o, l->out, l->block_out),
                         weights_md(&l->weights), plain_md(1, (int[1]){l->out.c})};
    dnnl_convolution_desc_t d;
    dnnl_primitive_attr_t attr = NULL;
    dnnl_primitive_desc_t pd = NULL;
    if (o->how.bf16)
        set_types(&m, pass);
    m.kernel = any_md(&m.kernel);
    if (any) {
        m.in = any_md(&m.in);
        m.out = any_md(&m.out);
    }
    if (conv_desc(&d, l, pass, algorithm, &m) != dnnl_success ||
        conv_attr(&attr, pass == ONEDNN_FORWARD && l->sum, pass == ONEDNN_FORWARD && l->relu) !=
            dnnl_success ||
        dnnl_primitive_desc_create(&pd, &d, attr, o->engine, NULL) != dnnl_success)
        pd = NULL;
    dnnl_primitive_attr_destroy(attr);
    return pd;
}

static bool conv_failed(const struct onednn_layer *l, struct err *err)
{
    return err_set(err, ERR_INPUT, "layer \"%s\": oneDNN has no convolution for this shape", l->node->name);
}

static nn_id id_of(const struct onednn *o, const struct nn_node *node)
{
    return (nn_id)(node - o->graph->node);
}

static bool add_conv_forward(struct onednn *o, const struct onednn_layer *l, const_dnnl_primitive_desc_t pd)
{
    const dnnl_memory_desc_t *src = dnnl_primitive_desc_query_md(pd, dnnl_query_src_md, 0);
    const dnnl_memory_desc_t *dst = dnnl_primitive_desc_query_md(pd, dnnl_query_dst_md, 0);
    const dnnl_memory_desc_t *wei = dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
    dnnl_memory_desc_t have_in = onednn_tensor_md(o, l->in, l->block_in),
                       bias_md = plain_md(1, (int[1]){l->out.c});
    dnnl_memory_desc_t have_out = onednn_tensor_md(o, l->out, l->block_out);
    bool direct_out = dnnl_memory_desc_equal(&have_out, dst);
    struct onednn_view x = l->x, y = direct_out ? l->y : onednn_view_for(o, POOL_RUN, dst), w;
    nn_id id = id_of(o, l->node);
    if (!as_wanted(o, id, &have_in, src, &x) || !kernel_view(o, l, wei, &w))
        return false;
    if (l->sum && !direct_out &&
        !onednn_step_reorder(o, id, (struct onednn_place){&have_out, l->y, NULL},
                             (struct onednn_place){dst, y, NULL}))
        return false;
    onednn_step(o, id, l->transposed ? "conv dx" : "conv");
    return onednn_step_primitive(o, pd) && onednn_argument(o, DNNL_ARG_SRC, src, x, NULL) &&
           onednn_argument(o, DNNL_ARG_WEIGHTS, wei, w, NULL) &&
           (!l->bias ||
            onednn_argument(o, DNNL_ARG_BIAS, &bias_md, o->param[l->bias - o->graph->slot], NULL)) &&
           onednn_argument(o, DNNL_ARG_DST, dst, y, NULL) &&
           (direct_out || onednn_step_reorder(o, id, (struct onednn_place){dst, y, NULL},
                                              (struct onednn_place){&have_out, l->y, NULL}));
}

bool onednn_conv_forward(struct onednn *o, const struct onednn_layer *l, struct err *err)
{
    dnnl_primitive_desc_t pd = onednn_conv_choose(o, l, ONEDNN_FORWARD);
    bool ok = pd && add_conv_forward(o, l, pd);
    dnnl_primitive_desc_destroy(pd);
    return ok || conv_failed(l, err);
}

/* The gradient of the layer's kernel from the layout md to where the caller has it. */
static bool step_kernel_gradient(struct onednn *o, const struct onednn_layer *l, const dnnl_memory_desc_t *md,
                                 struct onednn_view dw)
{
    dnnl_memory_desc_t flat = weights_md(&l->weights);
    struct onednn_view part = ONEDNN_NO_VIEW;
    nn_id id = id_of(o, l->node);
    if (onednn_weights_whole(&l->weights))
        return onednn_step_reorder(o, id, (struct onednn_place){md, dw, NULL},
                                   (struct onednn_place){&flat, ONEDNN_NO_VIEW, l->weights.slot});
    part = onednn_view_for(o, POOL_RUN, &flat);
    if (!onednn_step_reorder(o, id, (struct onednn_place){md, dw, NULL},
                             (struct onednn_place){&flat, part, NULL}))
        return false;
    struct onednn_step *s = onednn_step(o, id, "fold dw");
    s->kernel = onednn_weights_gradient;
    s->job.weights = l->weights;
    onednn_job_view(o, s, AT_X, part);
    return true;
}

static bool add_conv_weights(struct onednn *o, const struct onednn_layer *l, const_dnnl_primitive_desc_t pd)
{
    const dnnl_memory_desc_t *src = dnnl_primitive_desc_query_md(pd, dnnl_query_src_md, 0);
    const dnnl_memory_desc_t *dst = dnnl_primitive_desc_query_md(pd, dnnl_query_diff_dst_md, 0);
    const dnnl_memory_desc_t *wei = dnnl_primitive_desc_query_md(pd, dnnl_query_diff_weights_md, 0);
    dnnl_memory_desc_t have_in = onednn_tensor_md(o, l->in, l->block_in),
                       bias_md = plain_md(1, (int[1]){l->out.c});
    dnnl_memory_desc_t have_out = onednn_tensor_md(o, l->out, l->block_out);
    struct onednn_view x = l->x, dy = l->dy, w = onednn_view_for(o, POOL_RUN, wei);
    nn_id id = id_of(o, l->node);
    if (!as_wanted(o, id, &have_in, src, &x) || !as_wanted(o, id, &have_out, dst, &dy))
        return false;
    onednn_step(o, id, "conv dw");
    return onednn_step_primitive(o, pd) && onednn_argument(o, DNNL_ARG_SRC, src, x, NULL) &&
           onednn_argument(o, DNNL_ARG_DIFF_DST, dst, dy, NULL) &&
           onednn_argument(o, DNNL_ARG_DIFF_WEIGHTS, wei, w, NULL) &&
           (!l->bias_gradient || onednn_argument(o, DNNL_ARG_DIFF_BIAS, &bias_md, ONEDNN_NO_VIEW, l->bias)) &&
           (!l->kernel_gradient || step_kernel_gradient(o, l, wei, w));
}

bool onednn_conv_backward_weights(struct onednn *o, const struct onednn_layer *l, struct err *err)
{
    dnnl_primitive_desc_t product = onednn_product_try(o, l),
                          pd = product ? product : onednn_conv_choose(o, l, ONEDNN_BACKWARD_WEIGHTS);
    bool ok = pd && (product ? onednn_product(o, l, pd) : add_conv_weights(o, l, pd));
    dnnl_primitive_desc_destroy(pd);
    return ok || conv_failed(l, err);
}

static bool add_conv_data(struct onednn *o, const struct onednn_layer *l, const_dnnl_primitive_desc_t pd)
{
    const dnnl_memory_desc_t *src = dnnl_primitive_desc_query_md(pd, dnnl_query_diff_src_md, 0);
    const dnnl_memory_desc_t *dst = dnnl_primitive_desc_query_md(pd, dnnl_query_diff_dst_md, 0);
    const dnnl_memory_desc_t *wei = dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
    dnnl_memory_desc_t have_in = onednn_tensor_md(o, l->in, l->block_in);
    dnnl_memory_desc_t have_out = onednn_tensor_md(o, l->out, l->block_out);
    bool direct_in = dnnl_memory_desc_equal(&have_in, src);
    struct onednn_view dx = direct_in ? l->dx : onednn_view_for(o, POOL_RUN, src), dy = l->dy, w;
    nn_id id = id_of(o, l->node);
    if (!as_wanted(o, id, &have_out, dst, &dy) || !kernel_view(o, l, wei, &w))
        return false;
    onednn_step(o, id, l->transposed ? "conv" : "conv dx");
    return onednn_step_primitive(o, pd) && onednn_argument(o, DNNL_ARG_DIFF_DST, dst, dy, NULL) &&
           onednn_argument(o, DNNL_ARG_WEIGHTS, wei, w, NULL) &&
           onednn_argument(o, DNNL_ARG_DIFF_SRC, src, dx, NULL) &&
           (direct_in || onednn_step_reorder(o, id, (struct onednn_place){src, dx, NULL},
                                             (struct onednn_place){&have_in, l->dx, NULL}));
}

bool onednn_conv_backward_data(struct onednn *o, const struct onednn_layer *l, struct err *err)
{
    dnnl_primitive_desc_t pd = onednn_conv_choose(o, l, ONEDNN_BACKWARD_DATA);
    bool ok = pd && add_conv_data(o, l, pd);
    dnnl_primitive_desc_destroy(pd);
    return ok || conv_failed(l, err);
}

/* ---- dense, in float: [n, inputs] x [units, inputs]^T; tensors of 1 x 1 pixels are [n, c] in every layout
 * ---- */

struct dense_mds {
    dnnl_memory_desc_t in, out, kernel, bias;
};

static struct dense_mds dense_mds(const struct onednn *o, const struct onednn_layer *l)
{
    const struct nn_slot *kernel = slot_of(o, l->node, 0), *bias = slot_of(o, l->node, 1);
    return (struct dense_mds){plain_md(2, (int[2]){o->how.batch, l->in.c}),
                              plain_md(2, (int[2]){o->how.batch, l->node->shape.c}), plain_md(2, kernel->dim),
                              plain_md(1, bias->dim)};
}

/* A new step for the layer from its operation descriptor. */
static bool dense_step(struct onednn *o, const struct onednn_layer *l, const char *what,
                       const dnnl_inner_product_desc_t *d)
{
    dnnl_primitive_desc_t pd;
    if (dnnl_primitive_desc_create(&pd, d, o->attr, o->engine, NULL) != dnnl_success)
        return false;
    onednn_step(o, id_of(o, l->node), what);
    bool ok = onednn_step_primitive(o, pd);
    dnnl_primitive_desc_destroy(pd);
    return ok;
}

static bool dense_failed(const struct onednn_layer *l, struct err *err)
{
    return err_set(err, ERR_INPUT, "layer \"%s\": oneDNN has no inner product for this shape", l->node->name);
}

/* The tensor [n, c] as it lies. */
static dnnl_memory_desc_t dense_have(const struct onednn *o, dnnl_memory_desc_t md, int block)
{
    md.data_type = onednn_is_bf16(o, block) ? dnnl_bf16 : dnnl_f32;
    return md;
}

/* In float, through a buffer of its own where need be. */
static struct onednn_view dense_target(struct onednn *o, const dnnl_memory_desc_t *md, int block,
                                       struct onednn_view v)
{
    return onednn_is_bf16(o, block) ? onednn_view_for(o, POOL_RUN, md) : v;
}

/* A result to where it belongs, if it is not there. */
static bool put_back(struct onednn *o, const struct onednn_layer *l, struct onednn_place from,
                     struct onednn_place to)
{
    return dnnl_memory_desc_equal(from.md, to.md) || onednn_step_reorder(o, id_of(o, l->node), from, to);
}

bool onednn_dense_forward(struct onednn *o, const struct onednn_layer *l, struct err *err)
{
    struct dense_mds m = dense_mds(o, l);
    dnnl_memory_desc_t have_in = dense_have(o, m.in, l->block_in),
                       have_out = dense_have(o, m.out, l->block_out);
    dnnl_inner_product_desc_t d;
    const struct onednn_view *param = &o->param[l->node->slot];
    struct onednn_view x = l->x, y = dense_target(o, &m.out, l->block_out, l->y);
    bool ok =
        as_wanted(o, id_of(o, l->node), &have_in, &m.in, &x) &&
        dnnl_inner_product_forward_desc_init(&d, dnnl_forward_training, &m.in, &m.kernel, &m.bias, &m.out) ==
            dnnl_success &&
        dense_step(o, l, "dense", &d) && onednn_argument(o, DNNL_ARG_SRC, &m.in, x, NULL) &&
        onednn_argument(o, DNNL_ARG_WEIGHTS, &m.kernel, param[0], NULL) &&
        onednn_argument(o, DNNL_ARG_BIAS, &m.bias, param[1], NULL) &&
        onednn_argument(o, DNNL_ARG_DST, &m.out, y, NULL) &&
        put_back(o, l, (struct onednn_place){&m.out, y, NULL}, (struct onednn_place){&have_out, l->y, NULL});
    return ok || dense_failed(l, err);
}

bool onednn_dense_backward_weights(struct onednn *o, const struct onednn_layer *l, struct err *err)
{
    struct dense_mds m = dense_mds(o, l);
    dnnl_inner_product_desc_t d;
    const struct nn_slot *kernel = slot_of(o, l->node, 0), *bias = slot_of(o, l->node, 1);
    dnnl_memory_desc_t have_in = dense_have(o, m.in, l->block_in),
                       have_out = dense_have(o, m.out, l->block_out);
    struct onednn_view unwanted = ONEDNN_NO_VIEW, x = l->x, dy = l->dy;
    nn_id id = id_of(o, l->node);
    if (!l->kernel_gradient)
        unwanted = onednn_view_for(o, POOL_RUN, &m.kernel);
    bool ok =
        as_wanted(o, id, &have_in, &m.in, &x) && as_wanted(o, id, &have_out, &m.out, &dy) &&
        dnnl_inner_product_backward_weights_desc_init(&d, &m.in, &m.kernel, l->bias_gradient ? &m.bias : NULL,
                                                      &m.out) == dnnl_success &&
        dense_step(o, l, "dense dw", &d) && onednn_argument(o, DNNL_ARG_SRC, &m.in, x, NULL) &&
        onednn_argument(o, DNNL_ARG_DIFF_DST, &m.out, dy, NULL) &&
        onednn_argument(o, DNNL_ARG_DIFF_WEIGHTS, &m.kernel, unwanted, l->kernel_gradient ? kernel : NULL) &&
        (!l->bias_gradient || onednn_argument(o, DNNL_ARG_DIFF_BIAS, &m.bias, ONEDNN_NO_VIEW, bias));
    return ok || dense_failed(l, err);
}

bool onednn_dense_backward_data(struct onednn *o, const struct onednn_layer *l, struct err *err)
{
    struct dense_mds m = dense_mds(o, l);
    dnnl_memory_desc_t have_in = dense_have(o, m.in, l->block_in),
                       have_out = dense_have(o, m.out, l->block_out);
    dnnl_inner_product_desc_t d;
    struct onednn_view dy = l->dy, dx = dense_target(o, &m.in, l->block_in, l->dx);
    bool ok =
        as_wanted(o, id_of(o, l->node), &have_out, &m.out, &dy) &&
        dnnl_inner_product_backward_data_desc_init(&d, &m.in, &m.kernel, &m.out) == dnnl_success &&
        dense_step(o, l, "dense dx", &d) && onednn_argument(o, DNNL_ARG_DIFF_DST, &m.out, dy, NULL) &&
        onednn_argument(o, DNNL_ARG_WEIGHTS, &m.kernel, o->param[l->node->slot], NULL) &&
        onednn_argument(o, DNNL_ARG_DIFF_SRC, &m.in, dx, NULL) &&
        put_back(o, l, (struct onednn_place){&m.in, dx, NULL}, (struct onednn_place){&have_in, l->dx, NULL});
    return ok || dense_failed(l, err);
}
