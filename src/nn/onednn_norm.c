/* Batch normalisation with what follows it in the same pass, ReLU and spatial dropout, or a sum and ReLU, on
 * [n, c / block, h, w, block] or, in bf16, on [n, h, w, c].
 *
 * Forward: y = f * relu((x - mean) * a + beta + x2), a = gamma / sqrt(variance + epsilon), f the dropout
 * factor, x2 the other side of the sum.
 * Backward (Ioffe and Szegedy 2015): with dz = dy * f where the ReLU let pass,
 *   dbeta = sum dz, dgamma = sum dz * xhat, dx = a * (dz - dbeta / m - xhat * dgamma / m), m = batch * h * w;
 * with fixed statistics dx = a * dz. What the ReLU let pass is computed again from x by the same expression;
 * that of a sum is read off y, and dz, which is the gradient of x2 too, is written down.
 *
 * Channels are cut into stripes, the innermost loops of every kernel: a channel block, or in bf16 all
 * channels of a pixel up to STRIPE, so that memory is read in the order it lies in.
 *
 * Sums run over pieces of a plane whose cut depends on the shape alone, and pieces are added in order, so the
 * result does not depend on the number of threads. Within a piece floats are added in short runs, runs in
 * double, relative to the channel's first pixel so that a large mean costs no digits. */
#include "nn/onednn_lanes.h"

#include <math.h>
#include <omp.h>

enum {
    STRIPE = 512,         /* channels, at most */
    PIECE = 3136,         /* pixels of a channel block */
    PIECE_BF16 = 1 << 16, /* numbers of all channels: what a core's cache holds */
    RUN = 64,             /* pixels added in float */
    SMALL = 1 << 20       /* bytes of one channel block of the batch that a core's cache holds */
};

/* ---- stripes of channels, pieces of planes ---- */

/* The last stripe may hold fewer. */
static inline int stripe_channels(const struct onednn_job *j)
{
    return !j->bf16 ? j->block : j->in.c < STRIPE ? j->in.c : STRIPE;
}

static inline int stripes(const struct onednn_job *j)
{
    return (j->in.c + stripe_channels(j) - 1) / stripe_channels(j);
}

static inline int stripe_first(const struct onednn_job *j, int stripe)
{
    return stripe * stripe_channels(j);
}

static inline int stripe_width(const struct onednn_job *j, int stripe)
{
    int left = j->in.c - stripe_first(j, stripe);
    return left < stripe_channels(j) ? left : stripe_channels(j);
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

static inline int items(const struct onednn_job *j)
{
    return j->batch * pieces(j);
}

size_t onednn_norm_part(const struct onednn_job *j)
{
    /* two sums a channel of every piece, then two coefficients a channel */
    return 2 * (size_t)stripe_channels(j) * (size_t)stripes(j) * (size_t)items(j) + 2 * (size_t)j->in.c;
}

/* The two sums of a piece, [2][channels of a stripe]. */
static double *part_of(const struct onednn_job *j, int stripe, int item)
{
    size_t place = (size_t)stripe * (size_t)items(j) + (size_t)item;
    return (double *)j->at[AT_PART].at + place * 2 * (size_t)stripe_channels(j);
}

/* The two coefficients of backward, [2][c]. */
static double *coefficients(const struct onednn_job *j)
{
    return part_of(j, stripes(j), 0);
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

static inline struct lanes piece_lanes(const struct onednn_job *j, enum onednn_role role, int stripe,
                                       struct piece p)
{
    return lanes_at(j, role, j->in, p.image, stripe_first(j, stripe) / j->block, p.first);
}

/* From the pixel `count` further on. */
INLINE struct lanes lanes_from(struct lanes x, size_t count, bool bf16)
{
    if (x.at)
        x.at = (char *)x.at + count * x.pixel * number_size(bf16);
    return x;
}

/* ---- forward ---- */

/* Per channel of a stripe. */
struct channels {
    float mean[STRIPE], scale[STRIPE], beta[STRIPE], factor[STRIPE];
};

static void channels_at(struct channels *k, const struct onednn_job *j, int stripe, int image)
{
    const float *mean = floats_at(j, AT_SAVED), *inverse = mean + j->in.c, *factor = floats_at(j, AT_FACTOR);
    for (int b = 0; b < stripe_width(j, stripe); b++) {
        int c = stripe_first(j, stripe) + b;
        k->mean[b] = mean[c];
        k->scale[b] = floats_at(j, AT_GAMMA)[c] * inverse[c];
        k->beta[b] = floats_at(j, AT_BETA)[c];
        k->factor[b] = factor ? factor[(size_t)image * (size_t)j->in.c + (size_t)c] : 1;
    }
}

/* The channels' first pixels: near their means. */
static void shift_at(const struct onednn_job *j, int stripe, float shift[STRIPE])
{
    struct lanes x = piece_lanes(j, AT_X, stripe, (struct piece){0});
    for (int b = 0; b < stripe_width(j, stripe); b++)
        shift[b] = number_get(x.at, (size_t)b, j->bf16);
}

/* Adds the sums of a run to those of its piece. */
INLINE void add_run(double *restrict total, const float *restrict s, const float *restrict q, int width)
{
    for (int b = 0; b < width; b++) {
        total[b] += (double)s[b];
        total[width + b] += (double)q[b];
    }
}

/* Sums of x - shift and of its square. */
INLINE void sum_run(struct lanes x, const float *restrict shift, size_t n, double *restrict total, int width,
                    bool bf16)
{
    float s[STRIPE], q[STRIPE];
    for (int b = 0; b < width; b++)
        s[b] = q[b] = 0;
    for (size_t p = 0; p < n; p++) {
#pragma omp simd
        for (int b = 0; b < width; b++) {
            float d = number_get(x.at, p * x.pixel + (size_t)b, bf16) - shift[b];
            s[b] += d;
            q[b] += d * d;
        }
    }
    add_run(total, s, q, width);
}

INLINE void sum_piece(const struct onednn_job *j, int stripe, int item, int width, bool bf16)
{
    struct piece p = piece_at(j, item);
    struct lanes x = piece_lanes(j, AT_X, stripe, p);
    float shift[STRIPE];
    double *total = part_of(j, stripe, item);
    shift_at(j, stripe, shift);
    for (int i = 0; i < 2 * width; i++)
        total[i] = 0;
    for (size_t i = 0; i < p.count; i += RUN)
        sum_run(lanes_from(x, i, bf16), shift, p.count - i < RUN ? p.count - i : RUN, total, width, bf16);
}

/* The totals over all pieces, [2][width]. */
static void totals_of(const struct onednn_job *j, int stripe, double total[2 * STRIPE])
{
    int n = 2 * stripe_width(j, stripe);
    for (int b = 0; b < n; b++)
        total[b] = 0;
    for (int i = 0; i < items(j); i++) {
        const double *part = part_of(j, stripe, i);
        for (int b = 0; b < n; b++)
            total[b] += part[b];
    }
}

/* From sums to the statistics used, and into the moving ones. */
static void statistics(const struct onednn_job *j, const struct onednn_run *r, int stripe)
{
    float shift[STRIPE], *mean = floats_at(j, AT_SAVED), *inverse = mean + j->in.c;
    double total[2 * STRIPE], m = (double)j->batch * (double)pixels(j),
                              keep = r->step ? (double)r->step->momentum : 1;
    int width = stripe_width(j, stripe);
    shift_at(j, stripe, shift);
    totals_of(j, stripe, total);
    for (int b = 0; b < width; b++) {
        int c = stripe_first(j, stripe) + b;
        double off = total[b] / m, centre = off + (double)shift[b];
        double variance = fmax(total[width + b] / m - off * off, 0);
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

struct apply_piece {
    struct lanes x, x2, y;
    size_t count;
    float floor;
};

INLINE void apply_pixels(const struct apply_piece *r, const struct channels *k, bool add, int width,
                         bool bf16)
{
    for (size_t i = 0; i < r->count; i++) {
#pragma omp simd
        for (int b = 0; b < width; b++) {
            size_t lane = (size_t)b;
            float z =
                (number_get(r->x.at, i * r->x.pixel + lane, bf16) - k->mean[b]) * k->scale[b] + k->beta[b];
            z = add ? z + number_get(r->x2.at, i * r->x2.pixel + lane, bf16) : z;
            number_put(r->y.at, i * r->y.pixel + lane, (z < r->floor ? r->floor : z) * k->factor[b], bf16);
        }
    }
}

INLINE void apply_piece(const struct onednn_job *j, int stripe, int item, int width, bool bf16)
{
    struct piece p = piece_at(j, item);
    struct channels k;
    struct apply_piece r = {.x = piece_lanes(j, AT_X, stripe, p),
                            .x2 = piece_lanes(j, AT_X2, stripe, p),
                            .y = piece_lanes(j, AT_Y, stripe, p),
                            .count = p.count,
                            .floor = j->relu ? 0 : -INFINITY};
    channels_at(&k, j, stripe, p.image);
    if (r.x2.at)
        apply_pixels(&r, &k, true, width, bf16);
    else
        apply_pixels(&r, &k, false, width, bf16);
}

/* ---- backward ---- */

/* What flows back through ReLU and dropout. */
INLINE float flow(const struct channels *k, float x, float dy, float floor, int b)
{
    float z = (x - k->mean[b]) * k->scale[b] + k->beta[b], factor = k->factor[b];
    return dy * (z > floor ? factor : 0);
}

/* DZ = DY where Y > 0. */
INLINE void gate_run(struct lanes y, struct lanes dy, struct lanes dz, size_t n, int width, bool bf16)
{
    for (size_t p = 0; p < n; p++) {
#pragma omp simd
        for (int b = 0; b < width; b++) {
            size_t lane = (size_t)b;
            float v = number_get(dy.at, p * dy.pixel + lane, bf16);
            number_put(dz.at, p * dz.pixel + lane, number_get(y.at, p * y.pixel + lane, bf16) > 0 ? v : 0,
                       bf16);
        }
    }
}

/* Sums of dz and of dz * (x - mean). */
INLINE void back_run(struct lanes x, struct lanes dy, const struct channels *restrict k, float floor,
                     size_t n, double *restrict total, int width, bool bf16)
{
    float s[STRIPE], q[STRIPE];
    for (int b = 0; b < width; b++)
        s[b] = q[b] = 0;
    for (size_t p = 0; p < n; p++) {
#pragma omp simd
        for (int b = 0; b < width; b++) {
            float v = number_get(x.at, p * x.pixel + (size_t)b, bf16);
            float dz = flow(k, v, number_get(dy.at, p * dy.pixel + (size_t)b, bf16), floor, b);
            s[b] += dz;
            q[b] += dz * (v - k->mean[b]);
        }
    }
    add_run(total, s, q, width);
}

/* Behind a sum the ReLU's gate is applied once, here. */
static inline bool is_gated(const struct onednn_job *j)
{
    return j->at[AT_DX2].at != NULL;
}

static inline float floor_of(const struct onednn_job *j)
{
    return j->relu && !is_gated(j) ? 0 : -INFINITY;
}

INLINE void back_sum_piece(const struct onednn_job *j, int stripe, int item, int width, bool bf16)
{
    struct piece p = piece_at(j, item);
    struct channels k;
    struct lanes x = piece_lanes(j, AT_X, stripe, p), dy = piece_lanes(j, AT_DY, stripe, p),
                 y = piece_lanes(j, AT_Y, stripe, p), dz = piece_lanes(j, AT_DX2, stripe, p);
    double *total = part_of(j, stripe, item);
    channels_at(&k, j, stripe, p.image);
    for (int i = 0; i < 2 * width; i++)
        total[i] = 0;
    for (size_t i = 0; i < p.count; i += RUN) {
        size_t n = p.count - i < RUN ? p.count - i : RUN;
        struct lanes from = lanes_from(dy, i, bf16);
        if (dz.at) {
            gate_run(lanes_from(y, i, bf16), from, lanes_from(dz, i, bf16), n, width, bf16);
            from = lanes_from(dz, i, bf16);
        }
        back_run(lanes_from(x, i, bf16), from, &k, floor_of(j), n, total, width, bf16);
    }
}

/* From sums to gradients and to the two coefficients: dx = a * dz - c0 - c1 * (x - mean). */
static void back_totals(const struct onednn_job *j, const struct onednn_run *r, int stripe)
{
    const float *inverse = floats_at(j, AT_SAVED) + j->in.c;
    double total[2 * STRIPE], m = (double)j->batch * (double)pixels(j);
    int width = stripe_width(j, stripe);
    totals_of(j, stripe, total);
    for (int b = 0; b < width; b++) {
        int c = stripe_first(j, stripe) + b;
        double dbeta = total[b], dgamma = total[width + b] * (double)inverse[c];
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
    float floor, c0[STRIPE], c1[STRIPE];
};

INLINE void back_apply_pixels(const struct back_piece *r, const struct channels *k, bool add, int width,
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

INLINE void back_apply_piece(const struct onednn_job *j, int stripe, int item, int width, bool bf16)
{
    struct piece p = piece_at(j, item);
    struct channels k;
    struct back_piece r;
    r.x = piece_lanes(j, AT_X, stripe, p);
    r.dy = piece_lanes(j, is_gated(j) ? AT_DX2 : AT_DY, stripe, p);
    r.base = piece_lanes(j, AT_BASE, stripe, p);
    r.dx = piece_lanes(j, AT_DX, stripe, p);
    r.count = p.count;
    r.floor = floor_of(j);
    channels_at(&k, j, stripe, p.image);
    for (int b = 0; b < width; b++) {
        int c = stripe_first(j, stripe) + b;
        r.c0[b] = j->sums ? (float)coefficients(j)[c] : 0;
        r.c1[b] = j->sums ? (float)coefficients(j)[j->in.c + c] : 0;
    }
    if (r.base.at)
        back_apply_pixels(&r, &k, true, width, bf16);
    else
        back_apply_pixels(&r, &k, false, width, bf16);
}

/* ---- stages ---- */

/* Calls f(j, stripe, item, width, bf16), with constants where the stripe is narrow. */
#define FOR_STRIPE(f, j, stripe, item)                                                                       \
    (!(j)->bf16                      ? FOR_FLOATS(j, f, j, stripe, item)                                     \
     : stripe_width(j, stripe) == 32 ? f(j, stripe, item, 32, true)                                          \
     : stripe_width(j, stripe) == 64 ? f(j, stripe, item, 64, true)                                          \
                                     : f(j, stripe, item, stripe_width(j, stripe), true))

static void forward_sum(const struct onednn_job *j, int stripe, int item)
{
    FOR_STRIPE(sum_piece, j, stripe, item);
}

static void forward_apply(const struct onednn_job *j, int stripe, int item)
{
    FOR_STRIPE(apply_piece, j, stripe, item);
}

static void backward_sum(const struct onednn_job *j, int stripe, int item)
{
    FOR_STRIPE(back_sum_piece, j, stripe, item);
}

static void backward_apply(const struct onednn_job *j, int stripe, int item)
{
    FOR_STRIPE(back_apply_piece, j, stripe, item);
}

/* One direction of a norm as three stages for every stripe; any may be NULL. */
struct stages {
    void (*sum)(const struct onednn_job *j, int stripe, int item);
    void (*total)(const struct onednn_job *j, const struct onednn_run *r, int stripe);
    void (*apply)(const struct onednn_job *j, int stripe, int item);
};

/* Which of them, and in which order: backwards, a pass begins with what the one before left in the cache. */
struct tour {
    int stripe, end; /* stripes [stripe, end) of every item */
    bool backwards;
};

/* Every thread takes the same items in every pass; in a parallel region its thread takes all of them. */
static void all_items(const struct onednn_job *j, void (*f)(const struct onednn_job *, int, int),
                      const struct tour *t)
{
#pragma omp parallel if (!omp_in_parallel())
    {
        int64_t n = items(j), me = omp_get_thread_num(), all = omp_get_num_threads();
        int first = (int)(n * me / all), end = (int)(n * (me + 1) / all);
        for (int i = first; i < end; i++)
            for (int stripe = t->stripe; stripe < t->end; stripe++)
                f(j, stripe, t->backwards ? end - 1 - (i - first) : i);
    }
}

static void run_stripes(const struct onednn_job *j, const struct onednn_run *r, const struct stages *s,
                        struct tour t)
{
    if (s->sum)
        all_items(j, s->sum, &t);
    for (int stripe = t.stripe; stripe < t.end && s->total; stripe++)
        s->total(j, r, stripe);
    t.backwards = s->sum != NULL;
    if (s->apply)
        all_items(j, s->apply, &t);
}

/* Stripe after stripe, so that the second pass finds the first one's data in the cache, small ones a thread
 * each; all of them together in bf16, where they lie in each other. */
static void run_stages(const struct onednn_job *j, const struct onednn_run *r, const struct stages *s)
{
    size_t bytes = (size_t)j->batch * pixels(j) * (size_t)j->block * sizeof(float);
    if (j->bf16) {
        run_stripes(j, r, s, (struct tour){0, stripes(j), false});
    } else if (bytes <= SMALL && stripes(j) >= omp_get_max_threads()) {
#pragma omp parallel for schedule(static)
        for (int stripe = 0; stripe < stripes(j); stripe++)
            run_stripes(j, r, s, (struct tour){stripe, stripe + 1, false});
    } else {
        for (int stripe = 0; stripe < stripes(j); stripe++)
            run_stripes(j, r, s, (struct tour){stripe, stripe + 1, false});
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
    bool sums = j->sums || is_gated(j);
    run_stages(j, r,
               &(struct stages){sums ? backward_sum : NULL, j->sums ? back_totals : NULL,
                                j->at[AT_DX].at ? backward_apply : NULL});
}
