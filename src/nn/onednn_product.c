/* In bf16 the kernel gradient of a 1 x 1 convolution is a product of matrices, dw = dy^T x, with dy [pixels,
 * filters] and x [pixels, channels]. The library multiplies several times faster than its convolution's pass
 * runs, but only matrices with their rows in one piece: so dy is turned over first, and x copied where the
 * convolution does not read every pixel. */
#include "nn/onednn.h"

#include <string.h>

struct product {
    dnnl_memory_desc_t dy, dy_turned, x, x_rows; /* [n, h, w, c] as they lie and as they are multiplied */
    dnnl_memory_desc_t a, b, dw;                 /* the matrices */
    bool x_copied;
};

static dnnl_memory_desc_t strided_md(int rank, const dnnl_dims_t dims, const dnnl_dims_t strides,
                                     dnnl_data_type_t type)
{
    dnnl_memory_desc_t md;
    dnnl_memory_desc_init_by_strides(&md, rank, dims, type, strides);
    return md;
}

static struct product product_of(const struct onednn *o, const struct onednn_layer *l)
{
    dnnl_dim_t n = o->how.batch, h = l->out.h, w = l->out.w, filters = l->out.c, channels = l->in.c,
               m = n * h * w, step = l->conv.stride, pixel = (dnnl_dim_t)l->x.pixel,
               item = (dnnl_dim_t)l->x.item, row = pixel * l->in.w, pixel_dy = (dnnl_dim_t)l->dy.pixel;
    dnnl_dims_t y = {n, h, w, filters}, x = {n, h, w, channels};
    struct product p = {.x_copied = step > 1 || item != row * l->in.h};
    p.dy = strided_md(4, y, (dnnl_dims_t){(dnnl_dim_t)l->dy.item, w * pixel_dy, pixel_dy, 1}, dnnl_bf16);
    p.dy_turned = strided_md(4, y, (dnnl_dims_t){h * w, w, 1, m}, dnnl_bf16);
    p.x = strided_md(4, x, (dnnl_dims_t){item, step * row, step * pixel, 1}, dnnl_bf16);
    p.x_rows = strided_md(4, x, (dnnl_dims_t){h * w * channels, w * channels, channels, 1}, dnnl_bf16);
    p.a = strided_md(2, (dnnl_dims_t){filters, m}, (dnnl_dims_t){m, 1}, dnnl_bf16);
    p.b =
        strided_md(2, (dnnl_dims_t){m, channels}, (dnnl_dims_t){p.x_copied ? channels : pixel, 1}, dnnl_bf16);
    p.dw = strided_md(2, (dnnl_dims_t){filters, channels}, (dnnl_dims_t){channels, 1}, dnnl_f32);
    return p;
}

/* Whole strides only: the library takes no matrix whose rows would reach into the next image. */
static bool is_product(const struct onednn *o, const struct onednn_layer *l)
{
    const struct nn_conv *c = &l->conv;
    bool whole = l->in.h % c->stride == 0 && l->in.w % c->stride == 0;
    return o->how.bf16 && onednn_is_bf16(o, l->block_in) && onednn_is_bf16(o, l->block_out) &&
           c->kernel == 1 && c->pad == 0 && whole && onednn_weights_whole(&l->weights) &&
           l->kernel_gradient && !l->bias_gradient;
}

dnnl_primitive_desc_t onednn_product_try(struct onednn *o, const struct onednn_layer *l)
{
    const char *name = NULL;
    dnnl_matmul_desc_t d;
    dnnl_primitive_desc_t pd = NULL;
    if (!is_product(o, l))
        return NULL;
    struct product p = product_of(o, l);
    if (dnnl_matmul_desc_init(&d, &p.a, &p.b, NULL, &p.dw) != dnnl_success ||
        dnnl_primitive_desc_create(&pd, &d, o->attr, o->engine, NULL) != dnnl_success)
        return NULL;
    if (dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, (void *)&name) == dnnl_success &&
        !strstr(name, "ref"))
        return pd;
    dnnl_primitive_desc_destroy(pd);
    return NULL;
}

bool onednn_product(struct onednn *o, const struct onednn_layer *l, const_dnnl_primitive_desc_t pd)
{
    struct product p = product_of(o, l);
    struct onednn_view turned = onednn_view_for(o, POOL_RUN, &p.dy_turned), x = l->x;
    nn_id id = (nn_id)(l->node - o->graph->node);
    if (!onednn_step_reorder(o, id, (struct onednn_place){&p.dy, l->dy, NULL},
                             (struct onednn_place){&p.dy_turned, turned, NULL}))
        return false;
    if (p.x_copied) {
        x = onednn_view_for(o, POOL_RUN, &p.x_rows);
        if (!onednn_step_reorder(o, id, (struct onednn_place){&p.x, l->x, NULL},
                                 (struct onednn_place){&p.x_rows, x, NULL}))
            return false;
    }
    onednn_step(o, id, "conv dw");
    return onednn_step_primitive(o, pd) && onednn_argument(o, DNNL_ARG_SRC, &p.a, turned, NULL) &&
           onednn_argument(o, DNNL_ARG_WEIGHTS, &p.b, x, NULL) &&
           onednn_argument(o, DNNL_ARG_DST, &p.dw, ONEDNN_NO_VIEW, l->weights.slot);
}
