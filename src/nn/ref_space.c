/* Operations that move pixels: pooling, upsampling, concatenation. */
#include "nn/ref.h"

#include <string.h>

enum { PADDING = -1 };

/* Where the maximum of the window of output (oy, ox) lies in the plane x: an index, or PADDING when it is a
 * padded zero. The first in reading order wins a tie; a padded zero wins none. */
static ptrdiff_t window_maximum(const struct ref_call *c, const float *x, int oy, int ox)
{
    struct nn_pool pool = c->node->u.pool;
    int y0 = oy * pool.stride - pool.pad, x0 = ox * pool.stride - pool.pad;
    ptrdiff_t best = PADDING;
    bool padded = false;
    for (int iy = y0; iy < y0 + pool.kernel; iy++)
        for (int ix = x0; ix < x0 + pool.kernel; ix++) {
            if (iy < 0 || iy >= c->in[0].h || ix < 0 || ix >= c->in[0].w) {
                padded = true;
                continue;
            }
            ptrdiff_t at = (ptrdiff_t)iy * c->in[0].w + ix;
            if (best == PADDING || x[at] > x[best])
                best = at;
        }
    return padded && best != PADDING && x[best] < 0 ? PADDING : best;
}

void ref_maxpool_forward(const struct ref_call *c)
{
    struct nn_shape out = c->node->shape;
#pragma omp parallel for collapse(2) num_threads(c->threads)
    for (int item = 0; item < c->batch; item++)
        for (int ch = 0; ch < out.c; ch++) {
            const float *x = c->x[0] + ref_plane(c->in[0], item, ch);
            float *y = c->y + ref_plane(out, item, ch);
            for (int oy = 0; oy < out.h; oy++)
                for (int ox = 0; ox < out.w; ox++) {
                    ptrdiff_t at = window_maximum(c, x, oy, ox);
                    *y++ = at == PADDING ? 0 : x[at];
                }
        }
}

void ref_maxpool_backward(const struct ref_call *c)
{
    struct nn_shape out = c->node->shape;
    if (!c->dx[0])
        return;
#pragma omp parallel for collapse(2) num_threads(c->threads)
    for (int item = 0; item < c->batch; item++)
        for (int ch = 0; ch < out.c; ch++) {
            const float *x = c->x[0] + ref_plane(c->in[0], item, ch);
            const float *dy = c->dy + ref_plane(out, item, ch);
            float *dx = c->dx[0] + ref_plane(c->in[0], item, ch);
            for (int oy = 0; oy < out.h; oy++)
                for (int ox = 0; ox < out.w; ox++, dy++) {
                    ptrdiff_t at = window_maximum(c, x, oy, ox);
                    if (at != PADDING)
                        dx[at] += *dy;
                }
        }
}

void ref_upsample_forward(const struct ref_call *c)
{
    struct nn_shape in = c->in[0], out = c->node->shape;
    int factor = c->node->u.factor;
    for (int plane = 0; plane < c->batch * out.c; plane++) {
        const float *x = c->x[0] + (size_t)plane * (size_t)in.h * (size_t)in.w;
        float *y = c->y + (size_t)plane * (size_t)out.h * (size_t)out.w;
        for (int oy = 0; oy < out.h; oy++)
            for (int ox = 0; ox < out.w; ox++)
                y[oy * out.w + ox] = x[oy / factor * in.w + ox / factor];
    }
}

void ref_upsample_backward(const struct ref_call *c)
{
    struct nn_shape in = c->in[0], out = c->node->shape;
    int factor = c->node->u.factor;
    for (int plane = 0; c->dx[0] && plane < c->batch * out.c; plane++) {
        float *dx = c->dx[0] + (size_t)plane * (size_t)in.h * (size_t)in.w;
        const float *dy = c->dy + (size_t)plane * (size_t)out.h * (size_t)out.w;
        for (int iy = 0; iy < in.h; iy++)
            for (int ix = 0; ix < in.w; ix++) {
                double sum = 0;
                for (int k = 0; k < factor * factor; k++)
                    sum += (double)dy[(iy * factor + k / factor) * out.w + ix * factor + k % factor];
                dx[iy * in.w + ix] += (float)sum;
            }
    }
}

void ref_concat_forward(const struct ref_call *c)
{
    size_t first = nn_shape_size(c->in[0]), second = nn_shape_size(c->in[1]);
    for (int item = 0; item < c->batch; item++) {
        float *y = c->y + (size_t)item * (first + second);
        memcpy(y, c->x[0] + (size_t)item * first, first * sizeof *y);
        memcpy(y + first, c->x[1] + (size_t)item * second, second * sizeof *y);
    }
}

void ref_concat_backward(const struct ref_call *c)
{
    size_t size[2] = {nn_shape_size(c->in[0]), nn_shape_size(c->in[1])};
    for (int item = 0; item < c->batch; item++)
        for (int k = 0; k < 2; k++) {
            const float *dy = c->dy + (size_t)item * (size[0] + size[1]) + (k ? size[0] : 0);
            for (size_t i = 0; c->dx[k] && i < size[k]; i++)
                c->dx[k][(size_t)item * size[k] + i] += dy[i];
        }
}

void ref_avgpool_forward(const struct ref_call *c)
{
    size_t size = (size_t)c->in[0].h * (size_t)c->in[0].w;
    for (int plane = 0; plane < c->batch * c->in[0].c; plane++) {
        double sum = 0;
        for (size_t i = 0; i < size; i++)
            sum += (double)c->x[0][(size_t)plane * size + i];
        c->y[plane] = (float)(sum / (double)size);
    }
}

void ref_avgpool_backward(const struct ref_call *c)
{
    size_t size = (size_t)c->in[0].h * (size_t)c->in[0].w;
    for (int plane = 0; c->dx[0] && plane < c->batch * c->in[0].c; plane++)
        for (size_t i = 0; i < size; i++)
            c->dx[0][(size_t)plane * size + i] += (float)((double)c->dy[plane] / (double)size);
}
