/* Batch normalisation with ReLU and spatial dropout in the same pass, on [n, c / block, h, w, block] or, in
 * bf16, on [n, h, w, c].
 *
 * Forward: y = f * relu((x - mean) * a + beta), a = gamma / sqrt(variance + epsilon), f the dropout factor.
 * Backward (Ioffe and Szegedy 2015): with dz = dy * f where the ReLU let pass,
 *   dbeta = sum dz, dgamma = sum dz * xhat, dx = a * (dz - dbeta / m - xhat * dgamma / m), m = batch * h * w;
 * with fixed statistics dx = a * dz. What the ReLU let pass is computed again from x by the same expression.
 *
 * Sums run over pieces of a plane whose cut depends on the shape alone, and pieces are added in order, so the
 * result does not depend on the number of threads. Within a piece floats are added in short runs, runs in
 * double, relative to the channel's first pixel so that a large mean costs no digits. */
#include "nn/onednn_lanes.h"

#include <math.h>
#include <omp.h>

enum {
    MAX_BLOCK = 16,
    PIECE = 3136,          /* pixels of a channel block */
    PIECE_BF16 = 1 << 16,  /* numbers of all channels: what a core's cache holds */
    RUN = 64,              /* pixels added in float */
    SMALL = 1 << 20,       /* bytes of one channel block of the batch that a core's cache holds */
    VALUES = 2 * MAX_BLOCK /* doubles a piece leaves behind */
};

static inline int blocks(const struct onednn_job *j)
{
    return j->in.c / j->block;
}

static inline size_t pixels(const struct onednn_job *j)
{
    return plane_area(j->in);
}

static inline size_t piece_pixels(const struct onednn_job *j)
{
    if (!j->bf16)
        return PIECE;
    return j->in.c < PIECE_BF16 ? PIECE_BF16 / (size_t)j->in.c : 1;
}

static int pieces(const struct onednn_job *j)
{
    return (int)((pixels(j) + piece_pixels(j) - 1) / piece_pixels(j));
}

size_t onednn_norm_part(const struct onednn_job *j)
{
    /* the sums of every piece, then two coefficients a channel */
    return (size_t)j->batch * (size_t)pieces(j) * (size_t)blocks(j) * VALUES + 2 * (size_t)j->in.c;
}

static double *part_of(const struct onednn_job *j, int block, int item)
{
    size_t items = (size_t)j->batch * (size_t)pieces(j);
    return (double *)j->at[AT_PART].at + ((size_t)block * items + (size_t)item) * VALUES;
}

/* The two coefficients of backward, [2][c]. */
static double *coefficients(const struct onednn_job *j)
{
    return part_of(j, blocks(j), 0);
}

static float *floats_at(const struct onednn_job *j, enum onednn_role role)
{
    return j->at[role].at;
}

/* Where a piece lies: item = image * pieces + piece. */
struct piece {
    int image;
    size_t first, count; /* pixels */
};

static struct piece piece_at(const struct onednn_job *j, int item)
{
    struct piece p = {.image = item / pieces(j), .first = (size_t)(item % pieces(j)) * piece_pixels(j)};
    size_t left = pixels(j) - p.first;
    p.count = left < piece_pixels(j) ? left : piece_pixels(j);
    return p;
}

static inline struct lanes piece_lanes(const struct onednn_job *j, enum onednn_role role, int block,
                                       struct piece p)
{
    return lanes_at(j, role, j->in, p.image, block, p.first);
}

/* From the pixel `count` further on. */
INLINE struct lanes lanes_from(struct lanes x, size_t count, bool bf16)
{
    return (struct lanes){(char *)x.at + count * x.pixel * number_size(bf16), x.pixel};
}

/* Per channel of a block. */
struct channels {
    float mean[MAX_BLOCK], scale[MAX_BLOCK], beta[MAX_BLOCK], factor[MAX_BLOCK];
};

static void channels_at(struct channels *k, const struct onednn_job *j, int block, int image)
{
    const float *mean = floats_at(j, AT_SAVED), *inverse = mean + j->in.c, *factor = floats_at(j, AT_FACTOR);
    for (int b = 0; b < j->block; b++) {
        int c = block * j->block + b;
        k->mean[b] = mean[c];
        k->scale[b] = floats_at(j, AT_GAMMA)[c] * inverse[c];
        k->beta[b] = floats_at(j, AT_BETA)[c];
        k->factor[b] = factor ? factor[(size_t)image * (size_t)j->in.c + (size_t)c] : 1;
    }
}

/* The channels' first pixels: near their means. */
static void shift_at(const struct onednn_job *j, int block, float shift[MAX_BLOCK])
{
    struct lanes x = piece_lanes(j, AT_X, block, (struct piece){0});
    for (int b = 0; b < j->block; b++)
        shift[b] = number_get(x.at, (size_t)b, j->bf16);
}

/* Sums of x - shift and of its square. */
INLINE void sum_run(struct lanes x, const float *restrict shift, size_t n, double *restrict total, int width,
                    bool bf16)
{
    float s[MAX_BLOCK] = {0}, q[MAX_BLOCK] = {0};
    for (size_t p = 0; p < n; p++) {
#pragma omp simd
        for (int b = 0; b < width; b++) {
            float d = number_get(x.at, p * x.pixel + (size_t)b, bf16) - shift[b];
            s[b] += d;
            q[b] += d * d;
        }
    }
    for (int b = 0; b < width; b++) {
        total[b] += (double)s[b];
        total[MAX_BLOCK + b] += (double)q[b];
    }
}

INLINE void sum_piece(const struct onednn_job *j, int block, int item, int width, bool bf16)
{
    struct piece p = piece_at(j, item);
    struct lanes x = piece_lanes(j, AT_X, block, p);
    float shift[MAX_BLOCK];
    double *total = part_of(j, block, item);
    shift_at(j, block, shift);
    for (int i = 0; i < VALUES; i++)
        total[i] = 0;
    for (size_t i = 0; i < p.count; i += RUN)
        sum_run(lanes_from(x, i, bf16), shift, p.count - i < RUN ? p.count - i : RUN, total, width, bf16);
}

/* The totals of channel b over all pieces. */
static void total_of(const struct onednn_job *j, int block, int b, double *first, double *second)
{
    *first = *second = 0;
    for (int i = 0; i < j->batch * pieces(j); i++) {
        *first += part_of(j, block, i)[b];
        *second += part_of(j, block, i)[MAX_BLOCK + b];
    }
}

/* From sums to the statistics used, and into the moving ones. */
static void statistics(const struct onednn_job *j, const struct onednn_run *r, int block)
{
    float shift[MAX_BLOCK], *mean = floats_at(j, AT_SAVED), *inverse = mean + j->in.c;
    double m = (double)j->batch * (double)pixels(j), keep = r->step ? (double)r->step->momentum : 1;
    shift_at(j, block, shift);
    for (int b = 0; b < j->block; b++) {
        int c = block * j->block + b;
        double sum, squares;
        total_of(j, block, b, &sum, &squares);
        double centre = sum / m + (double)shift[b];
        double variance = fmax(squares / m - (sum / m) * (sum / m), 0);
        float *moving_mean = &floats_at(j, AT_MEAN)[c], *moving_variance = &floats_at(j, AT_VARIANCE)[c];
        mean[c] = (float)centre;
        inverse[c] = (float)(1 / sqrt(variance + (double)j->epsilon));
        *moving_mean = (float)(keep * (double)*moving_mean + (1 - keep) * centre);
        *moving_variance =
            (float)(keep * (double)*moving_variance + (1 - keep) * variance * (m > 1 ? m / (m - 1) : 1));
    }
}

static void moving_statistics(const struct onednn_job *j)
{
    float *mean = floats_at(j, AT_SAVED), *inverse = mean + j->in.c;
    for (int c = 0; c < j->in.c; c++) {
        mean[c] = floats_at(j, AT_MEAN)[c];
        inverse[c] = (float)(1 / sqrt((double)floats_at(j, AT_VARIANCE)[c] + (double)j->epsilon));
    }
}

INLINE void apply_piece(const struct onednn_job *j, int block, int item, int width, bool bf16)
{
    struct piece p = piece_at(j, item);
    struct channels k;
    struct lanes x = piece_lanes(j, AT_X, block, p), y = piece_lanes(j, AT_Y, block, p);
    float floor = j->relu ? 0 : -INFINITY;
    channels_at(&k, j, block, p.image);
    for (size_t i = 0; i < p.count; i++) {
#pragma omp simd
        for (int b = 0; b < width; b++) {
            float z = (number_get(x.at, i * x.pixel + (size_t)b, bf16) - k.mean[b]) * k.scale[b] + k.beta[b];
            number_put(y.at, i * y.pixel + (size_t)b, (z < floor ? floor : z) * k.factor[b], bf16);
        }
    }
}

/* What flows back through ReLU and dropout. */
INLINE float flow(const struct channels *k, float x, float dy, float floor, int b)
{
    float z = (x - k->mean[b]) * k->scale[b] + k->beta[b], factor = k->factor[b];
    return dy * (z > floor ? factor : 0);
}

/* Sums of dz and of dz * (x - mean). */
INLINE void back_run(struct lanes x, struct lanes dy, const struct channels *restrict k, float floor,
                     size_t n, double *restrict total, int width, bool bf16)
{
    float s[MAX_BLOCK] = {0}, q[MAX_BLOCK] = {0};
    for (size_t p = 0; p < n; p++) {
#pragma omp simd
        for (int b = 0; b < width; b++) {
            float v = number_get(x.at, p * x.pixel + (size_t)b, bf16);
            float dz = flow(k, v, number_get(dy.at, p * dy.pixel + (size_t)b, bf16), floor, b);
            s[b] += dz;
            q[b] += dz * (v - k->mean[b]);
        }
    }
    for (int b = 0; b < width; b++) {
        total[b] += (double)s[b];
        total[MAX_BLOCK + b] += (double)q[b];
    }
}

INLINE void back_sum_piece(const struct onednn_job *j, int block, int item, int width, bool bf16)
{
    struct piece p = piece_at(j, item);
    struct channels k;
    struct lanes x = piece_lanes(j, AT_X, block, p), dy = piece_lanes(j, AT_DY, block, p);
    double *total = part_of(j, block, item);
    channels_at(&k, j, block, p.image);
    for (int i = 0; i < VALUES; i++)
        total[i] = 0;
    for (size_t i = 0; i < p.count; i += RUN)
        back_run(lanes_from(x, i, bf16), lanes_from(dy, i, bf16), &k, j->relu ? 0 : -INFINITY,
                 p.count - i < RUN ? p.count - i : RUN, total, width, bf16);
}

/* From sums to gradients and to the two coefficients: dx = a * dz - c0 - c1 * (x - mean). */
static void back_totals(const struct onednn_job *j, const struct onednn_run *r, int block)
{
    const float *inverse = floats_at(j, AT_SAVED) + j->in.c;
    double m = (double)j->batch * (double)pixels(j);
    for (int b = 0; b < j->block; b++) {
        int c = block * j->block + b;
        double dbeta, dgamma;
        total_of(j, block, b, &dbeta, &dgamma);
        dgamma *= (double)inverse[c];
        if (j->beta)
            r->grads[j->beta->offset + (size_t)c] = (float)dbeta;
        if (j->gamma)
            r->grads[j->gamma->offset + (size_t)c] = (float)dgamma;
        double a = (double)floats_at(j, AT_GAMMA)[c] * (double)inverse[c];
        coefficients(j)[c] = j->frozen ? 0 : a * dbeta / m;
        coefficients(j)[j->in.c + c] = j->frozen ? 0 : a * dgamma * (double)inverse[c] / m;
    }
}

struct back_piece {
    struct lanes x, dy, base, dx; /* dx may be dy or base */
    size_t count;
    float floor, c0[MAX_BLOCK], c1[MAX_BLOCK];
};

INLINE void back_apply_run(const struct back_piece *r, const struct channels *k, bool add, int width,
                           bool bf16)
{
    for (size_t i = 0; i < r->count; i++) {
#pragma omp simd
        for (int b = 0; b < width; b++) {
            size_t lane = (size_t)b;
            float x = number_get(r->x.at, i * r->x.pixel + lane, bf16),
                  dz = flow(k, x, number_get(r->dy.at, i * r->dy.pixel + lane, bf16), r->floor, b);
            float dx = dz * k->scale[b] - r->c0[b] - r->c1[b] * (x - k->mean[b]);
            dx = add ? dx + number_get(r->base.at, i * r->base.pixel + lane, bf16) : dx;
            number_put(r->dx.at, i * r->dx.pixel + lane, dx, bf16);
        }
    }
}

INLINE void back_apply_piece(const struct onednn_job *j, int block, int item, int width, bool bf16)
{
    struct piece p = piece_at(j, item);
    struct channels k;
    struct back_piece r = {.x = piece_lanes(j, AT_X, block, p),
                           .dy = piece_lanes(j, AT_DY, block, p),
                           .base = piece_lanes(j, AT_BASE, block, p),
                           .dx = piece_lanes(j, AT_DX, block, p),
                           .count = p.count,
                           .floor = j->relu ? 0 : -INFINITY};
    channels_at(&k, j, block, p.image);
    for (int b = 0; b < width && j->sums; b++) {
        r.c0[b] = (float)coefficients(j)[block * width + b];
        r.c1[b] = (float)coefficients(j)[j->in.c + block * width + b];
    }
    if (r.base.at)
        back_apply_run(&r, &k, true, width, bf16);
    else
        back_apply_run(&r, &k, false, width, bf16);
}

static void forward_sum(const struct onednn_job *j, int block, int item)
{
    FOR_LANES(j, sum_piece, j, block, item);
}

static void forward_apply(const struct onednn_job *j, int block, int item)
{
    FOR_LANES(j, apply_piece, j, block, item);
}

static void backward_sum(const struct onednn_job *j, int block, int item)
{
    FOR_LANES(j, back_sum_piece, j, block, item);
}

static void backward_apply(const struct onednn_job *j, int block, int item)
{
    FOR_LANES(j, back_apply_piece, j, block, item);
}

/* One direction of a norm as three stages for every channel block; any may be NULL. */
struct stages {
    void (*sum)(const struct onednn_job *j, int block, int item);
    void (*total)(const struct onednn_job *j, const struct onednn_run *r, int block);
    void (*apply)(const struct onednn_job *j, int block, int item);
};

static void all_items(const struct onednn_job *j, void (*f)(const struct onednn_job *, int, int), int block)
{
    for (int i = 0; f && i < j->batch * pieces(j); i++)
        f(j, block, i);
}

static void all_items_parallel(const struct onednn_job *j, void (*f)(const struct onednn_job *, int, int),
                               int block)
{
    if (!f)
        return;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < j->batch * pieces(j); i++)
        f(j, block, i);
}

/* Piece after piece, each with all its channel blocks: where the channels of a pixel lie side by side. */
static void all_pieces(const struct onednn_job *j, void (*f)(const struct onednn_job *, int, int))
{
    if (!f)
        return;
#pragma omp parallel for schedule(static)
    for (int i = 0; i < j->batch * pieces(j); i++)
        for (int block = 0; block < blocks(j); block++)
            f(j, block, i);
}

static void run_stages_bf16(const struct onednn_job *j, const struct onednn_run *r, const struct stages *s)
{
    all_pieces(j, s->sum);
#pragma omp parallel for schedule(static)
    for (int block = 0; block < blocks(j); block++)
        if (s->total)
            s->total(j, r, block);
    all_pieces(j, s->apply);
}

/* Channel block after channel block, so that the second pass finds the first one's data in the cache: small
 * ones a thread each, large ones shared by all threads. */
static void run_stages(const struct onednn_job *j, const struct onednn_run *r, const struct stages *s)
{
    size_t bytes = (size_t)j->batch * pixels(j) * (size_t)j->block * sizeof(float);
    if (j->bf16) {
        run_stages_bf16(j, r, s);
        return;
    }
    bool small = bytes <= SMALL && blocks(j) >= omp_get_max_threads();
#pragma omp parallel for schedule(static) if (small)
    for (int block = 0; block < blocks(j); block++) {
        void (*all)(const struct onednn_job *, void (*)(const struct onednn_job *, int, int), int) =
            small ? all_items : all_items_parallel;
        all(j, s->sum, block);
        if (s->total)
            s->total(j, r, block);
        all(j, s->apply, block);
    }
}

void onednn_norm(const struct onednn_job *j, const struct onednn_run *r)
{
    if (j->frozen)
        moving_statistics(j);
    run_stages(
        j, r, &(struct stages){j->frozen ? NULL : forward_sum, j->frozen ? NULL : statistics, forward_apply});
}

void onednn_norm_again(const struct onednn_job *j, const struct onednn_run *r)
{
    run_stages(j, r, &(struct stages){NULL, NULL, forward_apply});
}

void onednn_norm_backward(const struct onednn_job *j, const struct onednn_run *r)
{
    run_stages(j, r,
               &(struct stages){j->sums ? backward_sum : NULL, j->sums ? back_totals : NULL,
                                j->at[AT_DX].at ? backward_apply : NULL});
}
