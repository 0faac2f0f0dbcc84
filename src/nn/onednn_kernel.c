/* The layers that only move numbers: all limited by memory, all on [n, c / block, h, w, block]. */
#include "nn/onednn.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define FOR_WIDTH(j, f, ...)                                                                                 \
    ((j)->block == 16 ? f(__VA_ARGS__, 16) : (j)->block == 8 ? f(__VA_ARGS__, 8) : f(__VA_ARGS__, 1))
#define INLINE static inline __attribute__((always_inline))

static size_t area(struct nn_shape s)
{
    return (size_t)s.h * (size_t)s.w;
}

/* Image n of what a role points to, or NULL. */
static float *image_at(const struct onednn_job *j, enum onednn_role role, int n)
{
    return j->at[role].at ? j->at[role].at + (size_t)n * j->at[role].item : NULL;
}

/* Channel block of an image of shape s. */
static float *plane_at(const struct onednn_job *j, enum onednn_role role, struct nn_shape s, int n, int block)
{
    float *image = image_at(j, role, n);
    return image ? image + (size_t)block * area(s) * (size_t)j->block : NULL;
}

/* ---- repack: between layouts, from one tensor into a part of another ---- */

struct strided { /* one channel of one image */
    float *at;
    size_t step;
};

/* Floats from the begin of an image to the first pixel of channel c. */
static size_t channel_offset(struct nn_shape s, int block, int c)
{
    return (size_t)(c / block) * area(s) * (size_t)block + (size_t)(c % block);
}

static struct strided channel_of(float *image, struct nn_shape s, int block, int c)
{
    return (struct strided){image + channel_offset(s, block, c), (size_t)block};
}

static void copy_strided(struct strided to, struct strided from, const struct strided *base, size_t n)
{
    for (size_t i = 0; i < n; i++)
        to.at[i * to.step] = from.at[i * from.step] + (base ? base->at[i * base->step] : 0);
}

/* Both sides keep whole channel blocks: they are copied as they lie. */
static bool keeps_blocks(const struct onednn_job *j)
{
    return j->block == j->block_out && (j->channel_in | j->channel_out | j->channels) % j->block == 0;
}

/* channels [channel_in, + channels) of `from`, laid out with block, to [channel_out, ...) of `to`, laid out
 * with block_out. BASE, where given, is laid out as `to` and added. */
static void repack(const struct onednn_job *j, const float *from, size_t from_item, struct onednn_span to)
{
    int together = keeps_blocks(j) ? j->block : 1;
#pragma omp parallel for collapse(2) schedule(static)
    for (int n = 0; n < j->batch; n++) {
        for (int c = 0; c < j->channels; c += together) {
            float *source = (float *)(uintptr_t)(from + (size_t)n * from_item),
                  *base = image_at(j, AT_BASE, n);
            struct strided a = channel_of(source, j->in, j->block, j->channel_in + c);
            struct strided y =
                channel_of(to.at + (size_t)n * to.item, j->out, j->block_out, j->channel_out + c);
            struct strided b = {NULL, 1};
            if (base)
                b = channel_of(base, j->out, j->block_out, j->channel_out + c);
            if (together > 1)
                a.step = b.step = y.step = 1;
            copy_strided(y, a, base ? &b : NULL, area(j->in) * (size_t)together);
        }
    }
}

void onednn_repack(const struct onednn_job *j, const struct onednn_run *r)
{
    (void)r;
    repack(j, j->at[AT_X].at, j->at[AT_X].item, j->at[AT_Y]);
}

/* The caller's row-major input to Y. */
void onednn_import(const struct onednn_job *j, const struct onednn_run *r)
{
    repack(j, r->input, nn_shape_size(j->in), j->at[AT_Y]);
}

/* The caller's row-major gradient of the output to Y. */
void onednn_import_grad(const struct onednn_job *j, const struct onednn_run *r)
{
    repack(j, r->grad_output, nn_shape_size(j->in), j->at[AT_Y]);
}

/* X to the caller's row-major gradient of the input, where one is wanted. */
void onednn_export_grad(const struct onednn_job *j, const struct onednn_run *r)
{
    if (r->grad_input)
        repack(j, j->at[AT_X].at, j->at[AT_X].item,
               (struct onednn_span){r->grad_input, nn_shape_size(j->out)});
}

/* ---- one number in, one number out ---- */

enum { CHUNK = 1 << 14 }; /* floats a thread takes at a time */

/* The same stretch of an image for every role. */
struct stretch {
    int image;
    size_t first, count;
};

static int stretches(const struct onednn_job *j)
{
    return (int)((nn_shape_size(j->in) + CHUNK - 1) / CHUNK);
}

static struct stretch stretch_at(const struct onednn_job *j, int i)
{
    struct stretch s = {.image = i / stretches(j), .first = (size_t)(i % stretches(j)) * CHUNK};
    size_t left = nn_shape_size(j->in) - s.first;
    s.count = left < CHUNK ? left : CHUNK;
    return s;
}

static float *stretch_data(const struct onednn_job *j, enum onednn_role role, struct stretch s)
{
    float *image = image_at(j, role, s.image);
    return image ? image + s.first : NULL;
}

/* Y = X + X2 (or X alone), through a ReLU where relu is set. */
static void sum_stretch(const struct onednn_job *j, struct stretch s)
{
    const float *a = stretch_data(j, AT_X, s), *b = stretch_data(j, AT_X2, s);
    float *y = stretch_data(j, AT_Y, s);
    if (!b && !j->relu) {
        memcpy(y, a, s.count * sizeof *y);
        return;
    }
#pragma omp simd
    for (size_t i = 0; i < s.count; i++) {
        float v = b ? a[i] + b[i] : a[i];
        y[i] = j->relu && !(v > 0) ? 0 : v;
    }
}

void onednn_sum(const struct onednn_job *j, const struct onednn_run *r)
{
    (void)r;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < j->batch * stretches(j); i++)
        sum_stretch(j, stretch_at(j, i));
}

static void relu_back_stretch(const struct onednn_job *j, struct stretch s)
{
    const float *y = stretch_data(j, AT_Y, s), *dy = stretch_data(j, AT_DY, s),
                *base = stretch_data(j, AT_BASE, s);
    float *dx = stretch_data(j, AT_DX, s);
#pragma omp simd
    for (size_t i = 0; i < s.count; i++) {
        float v = dy[i];
        v = y[i] > 0 ? v : 0;
        dx[i] = base ? v + base[i] : v;
    }
}

/* DX = BASE + DY where Y > 0. */
void onednn_relu_backward(const struct onednn_job *j, const struct onednn_run *r)
{
    (void)r;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < j->batch * stretches(j); i++)
        relu_back_stretch(j, stretch_at(j, i));
}

/* In double: the smallest values are summed by a score and must not be flushed to zero. */
void onednn_sigmoid(const struct onednn_job *j, const struct onednn_run *r)
{
    (void)r;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < j->batch * stretches(j); i++) {
        struct stretch s = stretch_at(j, i);
        const float *x = stretch_data(j, AT_X, s);
        float *y = stretch_data(j, AT_Y, s);
        for (size_t k = 0; k < s.count; k++)
            y[k] = (float)(1 / (1 + exp(-(double)x[k])));
    }
}

/* DX = BASE + DY * Y * (1 - Y). */
void onednn_sigmoid_backward(const struct onednn_job *j, const struct onednn_run *r)
{
    (void)r;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < j->batch * stretches(j); i++) {
        struct stretch s = stretch_at(j, i);
        const float *y = stretch_data(j, AT_Y, s), *dy = stretch_data(j, AT_DY, s);
        const float *base = stretch_data(j, AT_BASE, s);
        float *dx = stretch_data(j, AT_DX, s);
        for (size_t k = 0; k < s.count; k++)
            dx[k] = dy[k] * y[k] * (1 - y[k]) + (base ? base[k] : 0);
    }
}

/* ---- softmax over channels ---- */

static void softmax_pixel(const struct onednn_job *j, int n, size_t pixel)
{
    const float *x = image_at(j, AT_X, n) + pixel * (size_t)j->block;
    float *y = image_at(j, AT_Y, n) + pixel * (size_t)j->block;
    double top = -INFINITY, sum = 0;
    for (int c = 0; c < j->in.c; c++)
        top = fmax(top, (double)x[channel_offset(j->in, j->block, c)]);
    for (int c = 0; c < j->in.c; c++)
        sum += exp((double)x[channel_offset(j->in, j->block, c)] - top);
    for (int c = 0; c < j->in.c; c++) {
        size_t i = channel_offset(j->in, j->block, c);
        y[i] = (float)(exp((double)x[i] - top) / sum);
    }
}

void onednn_softmax(const struct onednn_job *j, const struct onednn_run *r)
{
    (void)r;
#pragma omp parallel for collapse(2) schedule(static)
    for (int n = 0; n < j->batch; n++)
        for (size_t p = 0; p < area(j->in); p++)
            softmax_pixel(j, n, p);
}

static void softmax_back_pixel(const struct onednn_job *j, int n, size_t pixel)
{
    size_t first = pixel * (size_t)j->block;
    const float *y = image_at(j, AT_Y, n) + first, *dy = image_at(j, AT_DY, n) + first;
    const float *base = image_at(j, AT_BASE, n);
    float *dx = image_at(j, AT_DX, n) + first;
    double sum = 0;
    for (int c = 0; c < j->in.c; c++) {
        size_t i = channel_offset(j->in, j->block, c);
        sum += (double)y[i] * (double)dy[i];
    }
    for (int c = 0; c < j->in.c; c++) {
        size_t i = channel_offset(j->in, j->block, c);
        dx[i] = (float)((double)y[i] * ((double)dy[i] - sum)) + (base ? base[first + i] : 0);
    }
}

/* DX = BASE + Y * (DY - sum over channels of DY * Y). */
void onednn_softmax_backward(const struct onednn_job *j, const struct onednn_run *r)
{
    (void)r;
#pragma omp parallel for collapse(2) schedule(static)
    for (int n = 0; n < j->batch; n++)
        for (size_t p = 0; p < area(j->in); p++)
            softmax_back_pixel(j, n, p);
}

/* ---- max pooling ---- */

static unsigned char *index_plane(const struct onednn_job *j, int n, int block)
{
    unsigned char *at = (unsigned char *)j->at[AT_INDEX].at;
    size_t image = nn_shape_size(j->out), plane = area(j->out) * (size_t)j->block;
    return at ? at + (size_t)n * image + (size_t)block * plane : NULL;
}

/* The window whose output is at (row, col); places outside the input count as zeros. */
INLINE void pool_window(const struct onednn_job *j, const float *x, int row, int col, float *restrict y,
                        unsigned char *restrict index, int width)
{
    static const float zeros[16] = {0};
    float best[16] = {0};
    unsigned char place[16] = {0};
    int kernel = j->pool.kernel, top = row * j->pool.stride - j->pool.pad,
        left = col * j->pool.stride - j->pool.pad;
    for (int k = 0; k < kernel * kernel; k++) {
        int h = top + k / kernel, w = left + k % kernel;
        bool inside = h >= 0 && h < j->in.h && w >= 0 && w < j->in.w;
        const float *v = inside ? x + ((size_t)h * (size_t)j->in.w + (size_t)w) * (size_t)width : zeros;
#pragma omp simd
        for (int b = 0; b < width; b++) {
            bool wins = k == 0 || v[b] > best[b];
            best[b] = wins ? v[b] : best[b];
            place[b] = wins ? (unsigned char)k : place[b];
        }
    }
    memcpy(y, best, (size_t)width * sizeof *y);
    if (index)
        memcpy(index, place, (size_t)width);
}

INLINE void pool_plane(const struct onednn_job *j, int n, int block, int width)
{
    const float *x = plane_at(j, AT_X, j->in, n, block);
    float *y = plane_at(j, AT_Y, j->out, n, block);
    unsigned char *index = index_plane(j, n, block);
    for (int row = 0; row < j->out.h; row++) {
        for (int col = 0; col < j->out.w; col++) {
            size_t at = ((size_t)row * (size_t)j->out.w + (size_t)col) * (size_t)width;
            pool_window(j, x, row, col, y + at, index ? index + at : NULL, width);
        }
    }
}

/* Y = largest of each window of X; INDEX (where given) says which place of the window it had, the first of
 * equals. */
void onednn_maxpool(const struct onednn_job *j, const struct onednn_run *r)
{
    (void)r;
#pragma omp parallel for collapse(2) schedule(static)
    for (int n = 0; n < j->batch; n++)
        for (int block = 0; block < j->in.c / j->block; block++)
            FOR_WIDTH(j, pool_plane, j, n, block);
}

/* Adds to row `h` of DX what windows of output row `row` send there. */
INLINE void unpool_row(const struct onednn_job *j, float *dx, const float *dy, const unsigned char *index,
                       int h, int row, int width)
{
    int kernel = j->pool.kernel, above = h - (row * j->pool.stride - j->pool.pad);
    for (int col = 0; col < j->out.w; col++) {
        size_t from = ((size_t)row * (size_t)j->out.w + (size_t)col) * (size_t)width;
        for (int k = 0; k < kernel; k++) {
            int w = col * j->pool.stride - j->pool.pad + k, place = above * kernel + k;
            if (w < 0 || w >= j->in.w)
                continue;
            float *to = dx + (size_t)w * (size_t)width;
#pragma omp simd
            for (int b = 0; b < width; b++) {
                float share = dy[from + (size_t)b];
                to[b] += index[from + (size_t)b] == place ? share : 0;
            }
        }
    }
}

INLINE void unpool_plane(const struct onednn_job *j, int n, int block, int width)
{
    float *dx = plane_at(j, AT_DX, j->in, n, block);
    const float *dy = plane_at(j, AT_DY, j->out, n, block), *base = plane_at(j, AT_BASE, j->in, n, block);
    const unsigned char *index = index_plane(j, n, block);
    size_t line = (size_t)j->in.w * (size_t)width;
    for (int h = 0; h < j->in.h; h++) {
        float *to = dx + (size_t)h * line;
        if (!base)
            memset(to, 0, line * sizeof *to);
        else if (base != dx)
            memcpy(to, base + (size_t)h * line, line * sizeof *to);
        int last = (h + j->pool.pad) / j->pool.stride, before = h + j->pool.pad - j->pool.kernel;
        int first = before < 0 ? 0 : before / j->pool.stride + 1;
        for (int row = first; row <= last && row < j->out.h; row++)
            unpool_row(j, to, dy, index, h, row, width);
    }
}

/* DX = BASE + DY where INDEX says it came from. */
void onednn_maxpool_backward(const struct onednn_job *j, const struct onednn_run *r)
{
    (void)r;
#pragma omp parallel for collapse(2) schedule(static)
    for (int n = 0; n < j->batch; n++)
        for (int block = 0; block < j->in.c / j->block; block++)
            FOR_WIDTH(j, unpool_plane, j, n, block);
}

/* ---- nearest neighbour upsampling ---- */

INLINE void upsample_plane(const struct onednn_job *j, int n, int block, int width)
{
    const float *x = plane_at(j, AT_X, j->in, n, block);
    float *y = plane_at(j, AT_Y, j->out, n, block);
    size_t line = (size_t)j->out.w * (size_t)width;
    for (int h = 0; h < j->out.h; h++) {
        float *to = y + (size_t)h * line;
        if (h % j->factor) {
            memcpy(to, to - line, line * sizeof *to);
            continue;
        }
        const float *from = x + (size_t)(h / j->factor) * (size_t)j->in.w * (size_t)width;
        for (int w = 0; w < j->in.w; w++, from += width)
            for (int k = 0; k < j->factor; k++, to += width)
                memcpy(to, from, (size_t)width * sizeof *to);
    }
}

/* Y = rows and columns of X repeated. */
void onednn_upsample(const struct onednn_job *j, const struct onednn_run *r)
{
    (void)r;
#pragma omp parallel for collapse(2) schedule(static)
    for (int n = 0; n < j->batch; n++)
        for (int block = 0; block < j->in.c / j->block; block++)
            FOR_WIDTH(j, upsample_plane, j, n, block);
}

/* One row of DX: factor rows of DY summed, `factor` pixels at a time. */
INLINE void downsum_row(const struct onednn_job *j, const float *dy, const float *base, float *dx, int width)
{
    size_t line = (size_t)j->out.w * (size_t)width;
    for (int w = 0; w < j->in.w; w++, dx += width) {
        float sum[16] = {0};
        if (base)
            memcpy(sum, base + (size_t)w * (size_t)width, (size_t)width * sizeof *sum);
        for (int i = 0; i < j->factor; i++, dy += width) {
            for (int k = 0; k < j->factor; k++) {
#pragma omp simd
                for (int b = 0; b < width; b++)
                    sum[b] += dy[(size_t)k * line + (size_t)b];
            }
        }
        memcpy(dx, sum, (size_t)width * sizeof *sum);
    }
}

INLINE void downsum_plane(const struct onednn_job *j, int n, int block, int width)
{
    float *dx = plane_at(j, AT_DX, j->in, n, block);
    const float *dy = plane_at(j, AT_DY, j->out, n, block), *base = plane_at(j, AT_BASE, j->in, n, block);
    size_t line = (size_t)j->in.w * (size_t)width, above = line * (size_t)j->factor * (size_t)j->factor;
    for (int h = 0; h < j->in.h; h++)
        downsum_row(j, dy + (size_t)h * above, base ? base + (size_t)h * line : NULL, dx + (size_t)h * line,
                    width);
}

/* DX = BASE + sum of DY over the repeats. */
void onednn_upsample_backward(const struct onednn_job *j, const struct onednn_run *r)
{
    (void)r;
#pragma omp parallel for collapse(2) schedule(static)
    for (int n = 0; n < j->batch; n++)
        for (int block = 0; block < j->in.c / j->block; block++)
            FOR_WIDTH(j, downsum_plane, j, n, block);
}

/* ---- global average ---- */

void onednn_avgpool(const struct onednn_job *j, const struct onednn_run *r)
{
    (void)r;
#pragma omp parallel for collapse(2) schedule(static)
    for (int n = 0; n < j->batch; n++) {
        for (int block = 0; block < j->in.c / j->block; block++) {
            const float *x = plane_at(j, AT_X, j->in, n, block);
            double sum[16] = {0};
            for (size_t i = 0; i < area(j->in) * (size_t)j->block; i++)
                sum[i % (size_t)j->block] += (double)x[i];
            for (int b = 0; b < j->block; b++)
                image_at(j, AT_Y, n)[block * j->block + b] = (float)(sum[b] / (double)area(j->in));
        }
    }
}

void onednn_avgpool_backward(const struct onednn_job *j, const struct onednn_run *r)
{
    (void)r;
    float share = 1 / (float)area(j->in);
#pragma omp parallel for collapse(2) schedule(static)
    for (int n = 0; n < j->batch; n++) {
        for (int block = 0; block < j->in.c / j->block; block++) {
            float *dx = plane_at(j, AT_DX, j->in, n, block);
            const float *dy = image_at(j, AT_DY, n) + block * j->block;
            const float *base = plane_at(j, AT_BASE, j->in, n, block);
            for (size_t i = 0; i < area(j->in) * (size_t)j->block; i++)
                dx[i] = dy[i % (size_t)j->block] * share + (base ? base[i] : 0);
        }
    }
}

/* ---- spatial dropout ---- */

/* FACTOR [n][c] = this step's factors, or 1 where the step wants no dropout. */
void onednn_dropout_draw(const struct onednn_job *j, const struct onednn_run *r)
{
    for (int n = 0; n < j->batch; n++) {
        float *factor = j->at[AT_FACTOR].at + (size_t)n * (size_t)j->in.c;
        if (r->step->dropout)
            nn_dropout_factors(factor, j->in.c, j->rate, r->step->seed, j->node, n);
        else
            for (int c = 0; c < j->in.c; c++)
                factor[c] = 1;
    }
}

static void scale_plane(const struct onednn_job *j, enum onednn_role from, enum onednn_role to, int n,
                        int block)
{
    const float *x = plane_at(j, from, j->in, n, block), *base = plane_at(j, AT_BASE, j->in, n, block);
    const float *factor =
        j->at[AT_FACTOR].at + (size_t)n * (size_t)j->in.c + (size_t)block * (size_t)j->block;
    float *y = plane_at(j, to, j->in, n, block);
    for (size_t i = 0; i < area(j->in) * (size_t)j->block; i++)
        y[i] = x[i] * factor[i % (size_t)j->block] + (base ? base[i] : 0);
}

/* Y = X * FACTOR. */
void onednn_dropout(const struct onednn_job *j, const struct onednn_run *r)
{
    (void)r;
#pragma omp parallel for collapse(2) schedule(static)
    for (int n = 0; n < j->batch; n++)
        for (int block = 0; block < j->in.c / j->block; block++)
            scale_plane(j, AT_X, AT_Y, n, block);
}

/* DX = BASE + DY * FACTOR. */
void onednn_dropout_backward(const struct onednn_job *j, const struct onednn_run *r)
{
    (void)r;
#pragma omp parallel for collapse(2) schedule(static)
    for (int n = 0; n < j->batch; n++)
        for (int block = 0; block < j->in.c / j->block; block++)
            scale_plane(j, AT_DY, AT_DX, n, block);
}
