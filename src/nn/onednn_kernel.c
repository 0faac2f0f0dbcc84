/* The layers that only move numbers: all limited by memory, on [n, c / block, h, w, block] or, in bf16, on
 * [n, h, w, c]. */
#include "nn/onednn_lanes.h"

#include <assert.h>
#include <math.h>

/* Image n of what a role points to, or NULL. */
static void *image_at(const struct onednn_job *j, enum onednn_role role, int n)
{
    const struct onednn_span *t = &j->at[role];
    return t->at ? (char *)t->at + (size_t)n * t->item * number_size(t->bf16) : NULL;
}

/* Every row of every channel block of every image, in the order in which a tensor lies in memory. */
static void each_row(const struct onednn_job *j, int rows,
                     void (*f)(const struct onednn_job *j, int n, int block, int row))
{
    int blocks = j->in.c / j->block, outer = j->bf16 ? rows : blocks, inner = j->bf16 ? blocks : rows;
#pragma omp parallel for collapse(2) schedule(static)
    for (int n = 0; n < j->batch; n++)
        for (int i = 0; i < outer; i++)
            for (int k = 0; k < inner; k++)
                f(j, n, j->bf16 ? k : i, j->bf16 ? i : k);
}

/* ---- repack: between layouts, from one tensor into a part of another ---- */

struct strided { /* one channel of one image */
    void *at;
    size_t step;
    bool bf16;
};

/* Numbers from the begin of an image to the first pixel of channel c. */
static size_t channel_offset(struct nn_shape s, int block, bool bf16, int c)
{
    return bf16 ? (size_t)c : (size_t)(c / block) * plane_area(s) * (size_t)block + (size_t)(c % block);
}

/* t: of the image's numbers. */
static struct strided channel_of(struct onednn_span t, struct nn_shape s, int block, int c)
{
    size_t offset = channel_offset(s, block, t.bf16, c);
    return (struct strided){(char *)t.at + offset * number_size(t.bf16), t.bf16 ? t.pixel : (size_t)block,
                            t.bf16};
}

INLINE void copy_numbers(struct strided to, struct strided from, const struct strided *base, size_t n,
                         bool to_bf16, bool from_bf16)
{
    for (size_t i = 0; i < n; i++) {
        float v = number_get(from.at, i * from.step, from_bf16);
        number_put(to.at, i * to.step, base ? v + number_get(base->at, i * base->step, to_bf16) : v, to_bf16);
    }
}

static void copy_strided(struct strided to, struct strided from, const struct strided *base, size_t n)
{
    if (to.bf16)
        copy_numbers(to, from, base, n, true, false);
    else if (from.bf16)
        copy_numbers(to, from, base, n, false, true);
    else
        copy_numbers(to, from, base, n, false, false);
}

/* Both sides keep whole channel blocks: they are copied as they lie. */
static bool keeps_blocks(const struct onednn_job *j, bool bf16)
{
    return !bf16 && j->block == j->block_out &&
           (j->channel_in | j->channel_out | j->channels) % j->block == 0;
}

static struct onednn_span image_of(struct onednn_span t, int n)
{
    if (t.at)
        t.at = (char *)t.at + (size_t)n * t.item * number_size(t.bf16);
    return t;
}

/* Between bf16 tensors the channels of a pixel lie side by side. */
static void repack_pixels(const struct onednn_job *j, struct onednn_span from, struct onednn_span to,
                          struct onednn_span base)
{
    struct strided a = channel_of(from, j->in, j->block, j->channel_in),
                   y = channel_of(to, j->out, j->block_out, j->channel_out), b = a;
    if (base.at)
        b = channel_of(base, j->out, j->block_out, j->channel_out);
    const uint16_t *in = a.at, *more = b.at;
    uint16_t *out = y.at;
    for (size_t p = 0; p < plane_area(j->in); p++, in += a.step, out += y.step, more += b.step)
        for (int c = 0; c < j->channels; c++)
            number_put(out, (size_t)c,
                       number_get(in, (size_t)c, true) + (base.at ? number_get(more, (size_t)c, true) : 0),
                       true);
}

/* channels [channel_in, + channels) of `from`, laid out with block, to [channel_out, ...) of `to`, laid out
 * with block_out. BASE, where given, is laid out as `to` and added. */
static void repack(const struct onednn_job *j, struct onednn_span from, struct onednn_span to)
{
    bool bf16 = from.bf16 || to.bf16;
    int together = keeps_blocks(j, bf16) ? j->block : 1, each = from.bf16 && to.bf16 ? j->channels : together;
#pragma omp parallel for collapse(2) schedule(static)
    for (int n = 0; n < j->batch; n++) {
        for (int c = 0; c < j->channels; c += each) {
            struct onednn_span source = image_of(from, n), target = image_of(to, n),
                               base = image_of(j->at[AT_BASE], n);
            if (from.bf16 && to.bf16) {
                repack_pixels(j, source, target, base);
                continue;
            }
            struct strided a = channel_of(source, j->in, j->block, j->channel_in + c),
                           y = channel_of(target, j->out, j->block_out, j->channel_out + c),
                           b = {NULL, 1, false};
            if (base.at)
                b = channel_of(base, j->out, j->block_out, j->channel_out + c);
            if (together > 1)
                a.step = b.step = y.step = 1;
            copy_strided(y, a, base.at ? &b : NULL, plane_area(j->in) * (size_t)together);
        }
    }
}

void onednn_repack(const struct onednn_job *j, const struct onednn_run *r)
{
    (void)r;
    repack(j, j->at[AT_X], j->at[AT_Y]);
}

/* The caller's row-major input to Y. */
void onednn_import(const struct onednn_job *j, const struct onednn_run *r)
{
    void *at = (void *)(uintptr_t)r->input; /* only read */
    repack(j, (struct onednn_span){at, nn_shape_size(j->in), 1, false}, j->at[AT_Y]);
}

/* The caller's row-major gradient of the output to Y. */
void onednn_import_grad(const struct onednn_job *j, const struct onednn_run *r)
{
    void *at = (void *)(uintptr_t)r->grad_output; /* only read */
    repack(j, (struct onednn_span){at, nn_shape_size(j->in), 1, false}, j->at[AT_Y]);
}

/* X to the caller's row-major gradient of the input, where one is wanted. */
void onednn_export_grad(const struct onednn_job *j, const struct onednn_run *r)
{
    if (r->grad_input)
        repack(j, j->at[AT_X], (struct onednn_span){r->grad_input, nn_shape_size(j->out), 1, false});
}

/* ---- one number in, one number out ---- */

enum { CHUNK = 1 << 14 }; /* numbers a thread takes at a time */

/* The same numbers of an image for every role. */
struct stretch {
    const struct onednn_job *j;
    int image;
    size_t first, count;
    bool apart; /* one pixel, and not all roles have the next one after it */
};

/* Does the next pixel of a role follow at once? */
static bool is_dense(const struct onednn_job *j, enum onednn_role role)
{
    return !j->at[role].at || !j->at[role].bf16 || j->at[role].pixel == (size_t)j->in.c;
}

static bool all_dense(const struct onednn_job *j)
{
    static const enum onednn_role ROLES[] = {AT_X, AT_X2, AT_Y, AT_DY, AT_DX, AT_BASE};
    for (size_t i = 0; i < sizeof ROLES / sizeof *ROLES; i++)
        if (!is_dense(j, ROLES[i]))
            return false;
    return true;
}

static void *stretch_data(const struct stretch *s, enum onednn_role role)
{
    const struct onednn_span *t = &s->j->at[role];
    size_t offset = s->apart ? s->first / (size_t)s->j->in.c * t->pixel : s->first;
    void *image = image_at(s->j, role, s->image);
    return image ? (char *)image + offset * number_size(t->bf16) : NULL;
}

static void each_stretch(const struct onednn_job *j, void (*f)(const struct stretch *s))
{
    size_t size = nn_shape_size(j->in), chunk = all_dense(j) ? CHUNK : (size_t)j->in.c;
    int count = (int)((size + chunk - 1) / chunk);
#pragma omp parallel for schedule(static)
    for (int i = 0; i < j->batch * count; i++) {
        struct stretch s = {
            .j = j, .image = i / count, .first = (size_t)(i % count) * chunk, .apart = !all_dense(j)};
        s.count = size - s.first < chunk ? size - s.first : chunk;
        f(&s);
    }
}

/* Y = X + X2 (or X alone), through a ReLU where relu is set. */
INLINE void sum_numbers(const struct stretch *s, bool bf16)
{
    const void *a = stretch_data(s, AT_X), *b = stretch_data(s, AT_X2);
    void *y = stretch_data(s, AT_Y);
    bool relu = s->j->relu;
#pragma omp simd
    for (size_t i = 0; i < s->count; i++) {
        float v = number_get(a, i, bf16);
        v += b ? number_get(b, i, bf16) : 0;
        number_put(y, i, relu && !(v > 0) ? 0 : v, bf16);
    }
}

static void sum_stretch(const struct stretch *s)
{
    bool copy = !s->j->at[AT_X2].at && !s->j->relu;
    if (copy)
        memcpy(stretch_data(s, AT_Y), stretch_data(s, AT_X), s->count * number_size(s->j->bf16));
    else if (s->j->bf16)
        sum_numbers(s, true);
    else
        sum_numbers(s, false);
}

void onednn_sum(const struct onednn_job *j, const struct onednn_run *r)
{
    (void)r;
    each_stretch(j, sum_stretch);
}

INLINE void relu_back_numbers(const struct stretch *s, bool bf16)
{
    const void *y = stretch_data(s, AT_Y), *dy = stretch_data(s, AT_DY), *base = stretch_data(s, AT_BASE);
    void *dx = stretch_data(s, AT_DX);
#pragma omp simd
    for (size_t i = 0; i < s->count; i++) {
        float v = number_get(dy, i, bf16);
        v = number_get(y, i, bf16) > 0 ? v : 0;
        number_put(dx, i, base ? v + number_get(base, i, bf16) : v, bf16);
    }
}

static void relu_back_stretch(const struct stretch *s)
{
    if (s->j->bf16)
        relu_back_numbers(s, true);
    else
        relu_back_numbers(s, false);
}

/* DX = BASE + DY where Y > 0. */
void onednn_relu_backward(const struct onednn_job *j, const struct onednn_run *r)
{
    (void)r;
    each_stretch(j, relu_back_stretch);
}

static void sigmoid_stretch(const struct stretch *s)
{
    const void *x = stretch_data(s, AT_X);
    void *y = stretch_data(s, AT_Y);
    bool bf16 = s->j->bf16;
    for (size_t k = 0; k < s->count; k++)
        number_put(y, k, (float)(1 / (1 + exp(-(double)number_get(x, k, bf16)))), bf16);
}

/* In double: the smallest values are summed by a score and must not be flushed to zero. */
void onednn_sigmoid(const struct onednn_job *j, const struct onednn_run *r)
{
    (void)r;
    each_stretch(j, sigmoid_stretch);
}

static void sigmoid_back_stretch(const struct stretch *s)
{
    const void *y = stretch_data(s, AT_Y), *dy = stretch_data(s, AT_DY), *base = stretch_data(s, AT_BASE);
    void *dx = stretch_data(s, AT_DX);
    bool bf16 = s->j->bf16;
    for (size_t k = 0; k < s->count; k++) {
        float p = number_get(y, k, bf16), d = number_get(dy, k, bf16) * p * (1 - p);
        number_put(dx, k, d + (base ? number_get(base, k, bf16) : 0), bf16);
    }
}

/* DX = BASE + DY * Y * (1 - Y). */
void onednn_sigmoid_backward(const struct onednn_job *j, const struct onednn_run *r)
{
    (void)r;
    each_stretch(j, sigmoid_back_stretch);
}

/* ---- softmax over channels ---- */

/* Channel c of a pixel. */
static struct strided softmax_at(const struct onednn_job *j, enum onednn_role role, int n, size_t pixel,
                                 int c)
{
    struct strided s = channel_of(image_of(j->at[role], n), j->in, j->block, c);
    s.at = (char *)s.at + pixel * s.step * number_size(s.bf16);
    return s;
}

static double softmax_get(const struct onednn_job *j, enum onednn_role role, int n, size_t pixel, int c)
{
    struct strided s = softmax_at(j, role, n, pixel, c);
    return (double)number_get(s.at, 0, s.bf16);
}

static void softmax_put(const struct onednn_job *j, enum onednn_role role, int n, size_t pixel, int c,
                        double v)
{
    struct strided s = softmax_at(j, role, n, pixel, c);
    number_put(s.at, 0, (float)v, s.bf16);
}

static void softmax_pixel(const struct onednn_job *j, int n, size_t pixel)
{
    double top = -INFINITY, sum = 0;
    for (int c = 0; c < j->in.c; c++)
        top = fmax(top, softmax_get(j, AT_X, n, pixel, c));
    for (int c = 0; c < j->in.c; c++)
        sum += exp(softmax_get(j, AT_X, n, pixel, c) - top);
    for (int c = 0; c < j->in.c; c++)
        softmax_put(j, AT_Y, n, pixel, c, exp(softmax_get(j, AT_X, n, pixel, c) - top) / sum);
}

void onednn_softmax(const struct onednn_job *j, const struct onednn_run *r)
{
    (void)r;
#pragma omp parallel for collapse(2) schedule(static)
    for (int n = 0; n < j->batch; n++)
        for (size_t p = 0; p < plane_area(j->in); p++)
            softmax_pixel(j, n, p);
}

static void softmax_back_pixel(const struct onednn_job *j, int n, size_t pixel)
{
    double sum = 0;
    for (int c = 0; c < j->in.c; c++)
        sum += softmax_get(j, AT_Y, n, pixel, c) * softmax_get(j, AT_DY, n, pixel, c);
    for (int c = 0; c < j->in.c; c++) {
        float dx = (float)(softmax_get(j, AT_Y, n, pixel, c) * (softmax_get(j, AT_DY, n, pixel, c) - sum));
        float base = j->at[AT_BASE].at ? (float)softmax_get(j, AT_BASE, n, pixel, c) : 0;
        softmax_put(j, AT_DX, n, pixel, c, (double)(dx + base));
    }
}

/* DX = BASE + Y * (DY - sum over channels of DY * Y). */
void onednn_softmax_backward(const struct onednn_job *j, const struct onednn_run *r)
{
    (void)r;
#pragma omp parallel for collapse(2) schedule(static)
    for (int n = 0; n < j->batch; n++)
        for (size_t p = 0; p < plane_area(j->in); p++)
            softmax_back_pixel(j, n, p);
}

/* ---- max pooling ---- */

/* Bytes laid out as the output's numbers, or NULL. */
static struct lanes index_at(const struct onednn_job *j, int n, int block, int row)
{
    char *at = j->at[AT_INDEX].at;
    size_t pixel = (size_t)(j->bf16 ? j->in.c : j->block),
           plane = (size_t)j->block * (j->bf16 ? 1 : plane_area(j->out));
    size_t offset =
        (size_t)n * nn_shape_size(j->out) + (size_t)block * plane + (size_t)row * (size_t)j->out.w * pixel;
    return (struct lanes){at ? at + offset : NULL, pixel};
}

enum { PADDING = 255 }; /* no place of a window */

/* The window whose output is at (row, col). Places outside the input count as zeros, which win no tie. */
INLINE void pool_window(const struct onednn_job *j, struct nn_pool pool, struct lanes x, int row, int col,
                        void *y, unsigned char *index, int width, bool bf16)
{
    float best[MAX_LANES];
    unsigned char place[MAX_LANES];
    bool padded = false, any = false;
    int kernel = pool.kernel, top = row * pool.stride - pool.pad, left = col * pool.stride - pool.pad;
    for (int k = 0; k < kernel * kernel; k++) {
        int h = top + k / kernel, w = left + k % kernel;
        if (h < 0 || h >= j->in.h || w < 0 || w >= j->in.w) {
            padded = true;
            continue;
        }
        size_t at = ((size_t)h * (size_t)j->in.w + (size_t)w) * x.pixel;
#pragma omp simd
        for (int b = 0; b < width; b++) {
            float v = number_get(x.at, at + (size_t)b, bf16);
            bool wins = !any || v > best[b];
            best[b] = wins ? v : best[b];
            place[b] = wins ? (unsigned char)k : place[b];
        }
        any = true;
    }
    for (int b = 0; b < width; b++) {
        bool zero = !any || (padded && best[b] < 0);
        number_put(y, (size_t)b, zero ? 0 : best[b], bf16);
        place[b] = zero ? PADDING : place[b];
    }
    if (index)
        memcpy(index, place, (size_t)width);
}

INLINE void pool_lanes(const struct onednn_job *j, struct nn_pool pool, int n, int block, int row, int width,
                       bool bf16)
{
    struct lanes x = lanes_at(j, AT_X, j->in, n, block, 0),
                 y = lanes_at(j, AT_Y, j->out, n, block, (size_t)row * (size_t)j->out.w),
                 index = index_at(j, n, block, row);
    for (int col = 0; col < j->out.w; col++) {
        void *to = (char *)y.at + (size_t)col * y.pixel * number_size(bf16);
        unsigned char *place = index.at ? (unsigned char *)index.at + (size_t)col * index.pixel : NULL;
        pool_window(j, pool, x, row, col, to, place, width, bf16);
    }
}

/* The usual pool: constants of it make its loops short. */
static const struct nn_pool HALVING = {.kernel = 2, .stride = 2, .pad = 0};

static inline bool is_halving(const struct nn_pool *p)
{
    return p->kernel == HALVING.kernel && p->stride == HALVING.stride && p->pad == HALVING.pad;
}

static void pool_row(const struct onednn_job *j, int n, int block, int row)
{
    if (is_halving(&j->pool))
        FOR_LANES(j, pool_lanes, j, HALVING, n, block, row);
    else
        FOR_LANES(j, pool_lanes, j, j->pool, n, block, row);
}

/* Y = largest of each window of X; INDEX (where given) says which place of the window it had, the first of
 * equals, or PADDING. */
void onednn_maxpool(const struct onednn_job *j, const struct onednn_run *r)
{
    (void)r;
    each_row(j, j->out.h, pool_row);
}

/* Windows along one axis that hold a position: [first, end). */
struct range {
    int first, end;
};

/* Moves on from the windows of the position before. */
static inline void next_windows(struct range *r, const struct nn_pool *p, int position, int count)
{
    while (r->first < count && r->first * p->stride - p->pad + p->kernel <= position)
        r->first++;
    while (r->end < count && r->end * p->stride - p->pad <= position)
        r->end++;
}

/* What a row of windows that holds row h sends there. */
struct sender {
    struct lanes dy, index;
    int place; /* of the window's first pixel in row h */
};

/* What windows `cols` send to column w, added to sum. */
INLINE void unpool_pixel(const struct nn_pool *p, const struct sender *from, struct range cols, int w,
                         float *restrict sum, int width, bool bf16)
{
    for (int col = cols.first; col < cols.end; col++) {
        int place = from->place + w + p->pad - col * p->stride;
        const unsigned char *index = (const unsigned char *)from->index.at + (size_t)col * from->index.pixel;
#pragma omp simd
        for (int b = 0; b < width; b++) {
            float share = number_get(from->dy.at, (size_t)col * from->dy.pixel + (size_t)b, bf16);
            sum[b] += index[b] == place ? share : 0;
        }
    }
}

INLINE void unpool_lanes(const struct onednn_job *j, struct nn_pool pool, int n, int block, int h, int width,
                         bool bf16)
{
    size_t first = (size_t)h * (size_t)j->in.w;
    struct lanes dx = lanes_at(j, AT_DX, j->in, n, block, first),
                 base = lanes_at(j, AT_BASE, j->in, n, block, first);
    struct sender sender[ONEDNN_WINDOW];
    struct range rows = {0, 0}, cols = {0, 0};
    int senders = 0;
    next_windows(&rows, &pool, h, j->out.h);
    for (int row = rows.first; row < rows.end; row++)
        sender[senders++] =
            (struct sender){lanes_at(j, AT_DY, j->out, n, block, (size_t)row * (size_t)j->out.w),
                            index_at(j, n, block, row), (h + pool.pad - row * pool.stride) * pool.kernel};
    for (int w = 0; w < j->in.w; w++) {
        float sum[MAX_LANES] = {0};
        for (int b = 0; b < width && base.at; b++)
            sum[b] = number_get(base.at, (size_t)w * base.pixel + (size_t)b, bf16);
        next_windows(&cols, &pool, w, j->out.w);
        for (int k = 0; k < senders; k++)
            unpool_pixel(&pool, &sender[k], cols, w, sum, width, bf16);
        for (int b = 0; b < width; b++)
            number_put(dx.at, (size_t)w * dx.pixel + (size_t)b, sum[b], bf16);
    }
}

static void unpool_row(const struct onednn_job *j, int n, int block, int h)
{
    if (is_halving(&j->pool))
        FOR_LANES(j, unpool_lanes, j, HALVING, n, block, h);
    else
        FOR_LANES(j, unpool_lanes, j, j->pool, n, block, h);
}

/* DX = BASE + DY where INDEX says it came from. */
void onednn_maxpool_backward(const struct onednn_job *j, const struct onednn_run *r)
{
    (void)r;
    each_row(j, j->in.h, unpool_row);
}

/* ---- nearest neighbour upsampling ---- */

INLINE void upsample_lanes(const struct onednn_job *j, int n, int block, int h, int width, bool bf16)
{
    struct lanes x = lanes_at(j, AT_X, j->in, n, block, (size_t)h * (size_t)j->in.w);
    size_t size = number_size(bf16);
    for (int k = 0; k < j->factor; k++) {
        size_t row = (size_t)h * (size_t)j->factor + (size_t)k;
        struct lanes y = lanes_at(j, AT_Y, j->out, n, block, row * (size_t)j->out.w);
        const char *from = x.at;
        char *to = y.at;
        for (int w = 0; w < j->in.w; w++, from += x.pixel * size)
            for (int i = 0; i < j->factor; i++, to += y.pixel * size)
                memcpy(to, from, (size_t)width * size);
    }
}

static void upsample_row(const struct onednn_job *j, int n, int block, int h)
{
    FOR_LANES(j, upsample_lanes, j, n, block, h);
}

/* Y = rows and columns of X repeated. */
void onednn_upsample(const struct onednn_job *j, const struct onednn_run *r)
{
    (void)r;
    each_row(j, j->in.h, upsample_row);
}

/* One row of DX: factor rows of DY summed, `factor` pixels at a time. */
INLINE void downsum_lanes(const struct onednn_job *j, int n, int block, int h, int width, bool bf16)
{
    size_t first = (size_t)h * (size_t)j->in.w, factor = (size_t)j->factor;
    struct lanes dx = lanes_at(j, AT_DX, j->in, n, block, first),
                 base = lanes_at(j, AT_BASE, j->in, n, block, first),
                 dy = lanes_at(j, AT_DY, j->out, n, block, first * factor * factor);
    for (size_t w = 0; w < (size_t)j->in.w; w++) {
        float sum[MAX_LANES] = {0};
        for (int b = 0; b < width && base.at; b++)
            sum[b] = number_get(base.at, w * base.pixel + (size_t)b, bf16);
        for (size_t i = 0; i < factor; i++) {
            for (size_t k = 0; k < factor; k++) {
                size_t from = (k * (size_t)j->out.w + w * factor + i) * dy.pixel;
#pragma omp simd
                for (int b = 0; b < width; b++)
                    sum[b] += number_get(dy.at, from + (size_t)b, bf16);
            }
        }
        for (int b = 0; b < width; b++)
            number_put(dx.at, w * dx.pixel + (size_t)b, sum[b], bf16);
    }
}

static void downsum_row(const struct onednn_job *j, int n, int block, int h)
{
    FOR_LANES(j, downsum_lanes, j, n, block, h);
}

/* DX = BASE + sum of DY over the repeats. */
void onednn_upsample_backward(const struct onednn_job *j, const struct onednn_run *r)
{
    (void)r;
    each_row(j, j->in.h, downsum_row);
}

/* ---- global average ---- */

static void average_block(const struct onednn_job *j, int n, int block)
{
    struct lanes x = lanes_at(j, AT_X, j->in, n, block, 0), y = lanes_at(j, AT_Y, j->out, n, block, 0);
    double sum[MAX_LANES] = {0};
    for (size_t p = 0; p < plane_area(j->in); p++)
        for (int b = 0; b < j->block; b++)
            sum[b] += (double)number_get(x.at, p * x.pixel + (size_t)b, j->bf16);
    for (int b = 0; b < j->block; b++)
        number_put(y.at, (size_t)b, (float)(sum[b] / (double)plane_area(j->in)), j->bf16);
}

void onednn_avgpool(const struct onednn_job *j, const struct onednn_run *r)
{
    (void)r;
#pragma omp parallel for collapse(2) schedule(static)
    for (int n = 0; n < j->batch; n++)
        for (int block = 0; block < j->in.c / j->block; block++)
            average_block(j, n, block);
}

INLINE void spread_lanes(const struct onednn_job *j, int n, int block, int h, int width, bool bf16)
{
    size_t first = (size_t)h * (size_t)j->in.w;
    struct lanes dx = lanes_at(j, AT_DX, j->in, n, block, first),
                 dy = lanes_at(j, AT_DY, j->out, n, block, 0),
                 base = lanes_at(j, AT_BASE, j->in, n, block, first);
    float share = 1 / (float)plane_area(j->in);
    for (size_t w = 0; w < (size_t)j->in.w; w++) {
        for (size_t b = 0; b < (size_t)width; b++) {
            float v = number_get(dy.at, b, bf16) * share;
            number_put(dx.at, w * dx.pixel + b,
                       v + (base.at ? number_get(base.at, w * base.pixel + b, bf16) : 0), bf16);
        }
    }
}

static void spread_row(const struct onednn_job *j, int n, int block, int h)
{
    FOR_LANES(j, spread_lanes, j, n, block, h);
}

/* DX = BASE + DY / pixels. */
void onednn_avgpool_backward(const struct onednn_job *j, const struct onednn_run *r)
{
    (void)r;
    each_row(j, j->in.h, spread_row);
}

/* ---- spatial dropout ---- */

/* FACTOR [n][c] = this step's factors, or 1 where the step wants no dropout. */
void onednn_dropout_draw(const struct onednn_job *j, const struct onednn_run *r)
{
    for (int n = 0; n < j->batch; n++) {
        float *factor = (float *)j->at[AT_FACTOR].at + (size_t)n * (size_t)j->in.c;
        if (r->step->dropout)
            nn_dropout_factors(factor, j->in.c, j->rate, r->step->seed, j->node, n);
        else
            for (int c = 0; c < j->in.c; c++)
                factor[c] = 1;
    }
}

/* What a role has in row h times FACTOR, to where another one lies. */
INLINE void scale_lanes(const struct onednn_job *j, enum onednn_role from, enum onednn_role to, int n,
                        int block, int h, int width, bool bf16)
{
    size_t first = (size_t)h * (size_t)j->in.w, lane = (size_t)block * (size_t)width;
    struct lanes x = lanes_at(j, from, j->in, n, block, first), y = lanes_at(j, to, j->in, n, block, first),
                 base = lanes_at(j, AT_BASE, j->in, n, block, first);
    const float *factor = (const float *)j->at[AT_FACTOR].at + (size_t)n * (size_t)j->in.c + lane;
    for (size_t w = 0; w < (size_t)j->in.w; w++) {
        for (size_t b = 0; b < (size_t)width; b++) {
            float v = number_get(x.at, w * x.pixel + b, bf16) * factor[b];
            number_put(y.at, w * y.pixel + b,
                       v + (base.at ? number_get(base.at, w * base.pixel + b, bf16) : 0), bf16);
        }
    }
}

static void dropout_row(const struct onednn_job *j, int n, int block, int h)
{
    FOR_LANES(j, scale_lanes, j, AT_X, AT_Y, n, block, h);
}

static void dropout_back_row(const struct onednn_job *j, int n, int block, int h)
{
    FOR_LANES(j, scale_lanes, j, AT_DY, AT_DX, n, block, h);
}

/* Y = X * FACTOR. */
void onednn_dropout(const struct onednn_job *j, const struct onednn_run *r)
{
    (void)r;
    each_row(j, j->in.h, dropout_row);
}

/* DX = BASE + DY * FACTOR. */
void onednn_dropout_backward(const struct onednn_job *j, const struct onednn_run *r)
{
    (void)r;
    each_row(j, j->in.h, dropout_back_row);
}
