/* Convolution (as every framework has it: the kernel is not flipped) and dense layers. */
#include "nn/ref.h"

#include <omp.h>
#include <string.h>

/* The outputs that one kernel element (ky, kx) reaches without leaving the input: output (y, x) with y0 <= y
 * < y1, x0 <= x < x1 meets input (y * stride + ky - pad, x * stride + kx - pad). */
struct tap {
    int y0, y1, x0, x1;
    int shift_y, shift_x, stride;
    int in_w, out_w;
};

static void tap_range(int *from, int *to, int size, int shift, int stride)
{
    *from = shift >= 0 ? 0 : (-shift + stride - 1) / stride;
    int end = shift < size ? (size - 1 - shift) / stride + 1 : 0;
    *to = end < *to ? end : *to;
}

static struct tap tap_at(const struct ref_call *c, int ky, int kx)
{
    struct nn_conv conv = c->node->u.conv;
    struct tap t = {.y1 = c->node->shape.h,
                    .x1 = c->node->shape.w,
                    .shift_y = ky - conv.pad,
                    .shift_x = kx - conv.pad,
                    .stride = conv.stride,
                    .in_w = c->in[0].w,
                    .out_w = c->node->shape.w};
    tap_range(&t.y0, &t.y1, c->in[0].h, t.shift_y, t.stride);
    tap_range(&t.x0, &t.x1, c->in[0].w, t.shift_x, t.stride);
    if (t.x1 <= t.x0) /* a kernel wider than the input */
        t.y1 = t.y0;
    return t;
}

/* First input and first output number that meet in row y of the output. */
static ptrdiff_t tap_in(const struct tap *t, int y)
{
    return (ptrdiff_t)(y * t->stride + t->shift_y) * t->in_w + t->x0 * t->stride + t->shift_x;
}

static ptrdiff_t tap_out(const struct tap *t, int y)
{
    return (ptrdiff_t)y * t->out_w + t->x0;
}

/* out += w * x */
static void tap_forward(double *restrict out, const float *restrict x, double w, const struct tap *t)
{
    int n = t->x1 - t->x0, stride = t->stride;
    for (int y = t->y0; y < t->y1; y++) {
        double *o = out + tap_out(t, y);
        const float *i = x + tap_in(t, y);
#pragma omp simd
        for (int k = 0; k < n; k++)
            o[k] += w * (double)i[k * stride];
    }
}

/* dx += w * dy */
static void tap_backward(double *restrict dx, const float *restrict dy, double w, const struct tap *t)
{
    int n = t->x1 - t->x0, stride = t->stride;
    for (int y = t->y0; y < t->y1; y++) {
        const float *o = dy + tap_out(t, y);
        double *i = dx + tap_in(t, y);
#pragma omp simd
        for (int k = 0; k < n; k++)
            i[k * stride] += w * (double)o[k];
    }
}

/* sum of x * dy */
static double tap_product(const float *restrict x, const float *restrict dy, const struct tap *t)
{
    int n = t->x1 - t->x0, stride = t->stride;
    double sum = 0;
    for (int y = t->y0; y < t->y1; y++) {
        const float *o = dy + tap_out(t, y);
        const float *i = x + tap_in(t, y);
#pragma omp simd reduction(+ : sum)
        for (int k = 0; k < n; k++)
            sum += (double)o[k] * (double)i[k * stride];
    }
    return sum;
}

static size_t plane_size(struct nn_shape s)
{
    return (size_t)s.h * (size_t)s.w;
}

static const float *kernel_of(const struct ref_call *c, int filter, int channel)
{
    int kernel = c->node->u.conv.kernel;
    return c->value[0] + ((size_t)filter * (size_t)c->in[0].c + (size_t)channel) * (size_t)(kernel * kernel);
}

static void forward_plane(const struct ref_call *c, int item, int filter, double *sum)
{
    int kernel = c->node->u.conv.kernel;
    size_t size = plane_size(c->node->shape);
    for (size_t i = 0; i < size; i++)
        sum[i] = c->value[1][filter];
    for (int ky = 0; ky < kernel; ky++)
        for (int kx = 0; kx < kernel; kx++) {
            struct tap t = tap_at(c, ky, kx);
            for (int ch = 0; ch < c->in[0].c; ch++)
                tap_forward(sum, c->x[0] + ref_plane(c->in[0], item, ch),
                            kernel_of(c, filter, ch)[ky * kernel + kx], &t);
        }
    float *y = c->y + ref_plane(c->node->shape, item, filter);
    for (size_t i = 0; i < size; i++)
        y[i] = (float)sum[i];
}

void ref_conv_forward(const struct ref_call *c)
{
#pragma omp parallel for collapse(2) num_threads(c->threads)
    for (int item = 0; item < c->batch; item++)
        for (int filter = 0; filter < c->node->shape.c; filter++)
            forward_plane(c, item, filter, c->scratch + (size_t)omp_get_thread_num() * c->scratch_stride);
}

static void backward_plane(const struct ref_call *c, int item, int channel, double *sum)
{
    int kernel = c->node->u.conv.kernel;
    size_t size = plane_size(c->in[0]);
    memset(sum, 0, size * sizeof *sum);
    for (int ky = 0; ky < kernel; ky++)
        for (int kx = 0; kx < kernel; kx++) {
            struct tap t = tap_at(c, ky, kx);
            for (int f = 0; f < c->node->shape.c; f++)
                tap_backward(sum, c->dy + ref_plane(c->node->shape, item, f),
                             kernel_of(c, f, channel)[ky * kernel + kx], &t);
        }
    float *dx = c->dx[0] + ref_plane(c->in[0], item, channel);
    for (size_t i = 0; i < size; i++)
        dx[i] += (float)sum[i];
}

/* Gradient of the kernel elements between one channel and one filter. */
static void backward_kernel(const struct ref_call *c, int filter, int channel)
{
    int kernel = c->node->u.conv.kernel;
    float *dk = c->dvalue[0] + (kernel_of(c, filter, channel) - c->value[0]);
    for (int ky = 0; ky < kernel; ky++)
        for (int kx = 0; kx < kernel; kx++) {
            struct tap t = tap_at(c, ky, kx);
            double sum = 0;
            for (int item = 0; item < c->batch; item++)
                sum += tap_product(c->x[0] + ref_plane(c->in[0], item, channel),
                                   c->dy + ref_plane(c->node->shape, item, filter), &t);
            dk[ky * kernel + kx] = (float)sum;
        }
}

static void backward_bias(const struct ref_call *c, int filter)
{
    double sum = 0;
    for (int item = 0; item < c->batch; item++) {
        const float *dy = c->dy + ref_plane(c->node->shape, item, filter);
        for (size_t i = 0; i < plane_size(c->node->shape); i++)
            sum += (double)dy[i];
    }
    c->dvalue[1][filter] = (float)sum;
}

void ref_conv_backward(const struct ref_call *c)
{
    if (c->dx[0]) {
#pragma omp parallel for collapse(2) num_threads(c->threads)
        for (int item = 0; item < c->batch; item++)
            for (int ch = 0; ch < c->in[0].c; ch++)
                backward_plane(c, item, ch, c->scratch + (size_t)omp_get_thread_num() * c->scratch_stride);
    }
    if (c->dvalue[0]) {
#pragma omp parallel for collapse(2) num_threads(c->threads)
        for (int f = 0; f < c->node->shape.c; f++)
            for (int ch = 0; ch < c->in[0].c; ch++)
                backward_kernel(c, f, ch);
    }
    for (int f = 0; c->dvalue[1] && f < c->node->shape.c; f++)
        backward_bias(c, f);
}

void ref_dense_forward(const struct ref_call *c)
{
    int units = c->node->shape.c, inputs = c->in[0].c;
    for (int item = 0; item < c->batch; item++)
        for (int u = 0; u < units; u++) {
            double sum = c->value[1][u];
            for (int i = 0; i < inputs; i++)
                sum += (double)c->value[0][u * inputs + i] * (double)c->x[0][item * inputs + i];
            c->y[item * units + u] = (float)sum;
        }
}

static void dense_backward_input(const struct ref_call *c)
{
    int units = c->node->shape.c, inputs = c->in[0].c;
    for (int item = 0; item < c->batch; item++)
        for (int i = 0; i < inputs; i++) {
            double sum = 0;
            for (int u = 0; u < units; u++)
                sum += (double)c->value[0][u * inputs + i] * (double)c->dy[item * units + u];
            c->dx[0][item * inputs + i] += (float)sum;
        }
}

static void dense_backward_kernel(const struct ref_call *c)
{
    int units = c->node->shape.c, inputs = c->in[0].c;
    for (int u = 0; u < units; u++)
        for (int i = 0; i < inputs; i++) {
            double sum = 0;
            for (int item = 0; item < c->batch; item++)
                sum += (double)c->x[0][item * inputs + i] * (double)c->dy[item * units + u];
            c->dvalue[0][u * inputs + i] = (float)sum;
        }
}

void ref_dense_backward(const struct ref_call *c)
{
    if (c->dx[0])
        dense_backward_input(c);
    if (c->dvalue[0])
        dense_backward_kernel(c);
    for (int u = 0; c->dvalue[1] && u < c->node->shape.c; u++)
        backward_bias(c, u);
}
