/* A 1 x 1 convolution to one channel, the last layer of a network that draws masks: a product of every pixel
 * with one vector. The library has it for blocks of 16 channels only, through copies sixteen times the size
 * of the result. */
#include "nn/onednn_lower.h"

#include "nn/onednn_lanes.h"

bool onednn_is_point(const struct onednn_lowering *l, const struct onednn_unit *u)
{
    const struct nn_conv *c = &l->g->node[u->id].u.conv;
    return u->op == NN_CONV2D && c->kernel == 1 && c->stride == 1 && c->pad == 0 && c->filters == 1 &&
           u->n_in == 1 && !u->norm && !u->relu && onednn_block(l, u->in[0]) > 1;
}

/* ---- kernels: GAMMA is the vector, BETA the one number that is added ---- */

INLINE void dot_row(const struct onednn_job *j, int n, int row, int width, bool bf16)
{
    const size_t first = (size_t)row * (size_t)j->in.w;
    const float *vector = j->at[AT_GAMMA].at, *bias = j->at[AT_BETA].at;
    float *y = (float *)j->at[AT_Y].at + (size_t)n * j->at[AT_Y].item + first;
    for (size_t w = 0; w < (size_t)j->in.w; w++) {
        float sum[MAX_LANES] = {0};
        for (int block = 0; block < j->in.c / width; block++) {
            struct lanes x = lanes_at(j, AT_X, j->in, n, block, first + w);
#pragma omp simd
            for (int b = 0; b < width; b++)
                sum[b] += number_get(x.at, (size_t)b, bf16) * vector[block * width + b];
        }
        for (int half = width / 2; half > 0; half /= 2)
            for (int b = 0; b < half; b++)
                sum[b] += sum[half + b];
        y[w] = sum[0] + bias[0];
    }
}

/* Y = X . GAMMA + BETA. */
static void point(const struct onednn_job *j, const struct onednn_run *r)
{
    (void)r;
#pragma omp parallel for collapse(2) schedule(static)
    for (int n = 0; n < j->batch; n++)
        for (int row = 0; row < j->in.h; row++)
            FOR_LANES(j, dot_row, j, n, row);
}

INLINE void spread_row(const struct onednn_job *j, int n, int row, int width, bool bf16)
{
    const size_t first = (size_t)row * (size_t)j->in.w;
    const float *dy = (const float *)j->at[AT_DY].at + (size_t)n * j->at[AT_DY].item + first;
    for (int block = 0; block < j->in.c / width; block++) {
        struct lanes dx = lanes_at(j, AT_DX, j->in, n, block, first),
                     base = lanes_at(j, AT_BASE, j->in, n, block, first);
        const float *vector = (const float *)j->at[AT_GAMMA].at + block * width;
        for (size_t w = 0; w < (size_t)j->in.w; w++) {
#pragma omp simd
            for (int b = 0; b < width; b++) {
                float before = base.at ? number_get(base.at, w * base.pixel + (size_t)b, bf16) : 0;
                number_put(dx.at, w * dx.pixel + (size_t)b, before + dy[w] * vector[b], bf16);
            }
        }
    }
}

/* DX = BASE + DY GAMMA. */
static void point_data(const struct onednn_job *j, const struct onednn_run *r)
{
    (void)r;
#pragma omp parallel for collapse(2) schedule(static)
    for (int n = 0; n < j->batch; n++)
        for (int row = 0; row < j->in.h; row++)
            FOR_LANES(j, spread_row, j, n, row);
}

/* Of an image: sums of DY X for a channel block, floats along a row, rows in double. */
INLINE void weigh_block(const struct onednn_job *j, int n, int block, int width, bool bf16)
{
    const float *dy = (const float *)j->at[AT_DY].at + (size_t)n * j->at[AT_DY].item;
    double *total = (double *)j->at[AT_PART].at + (size_t)n * (size_t)(j->in.c + 1) + block * width;
    for (int b = 0; b < width; b++)
        total[b] = 0;
    for (size_t row = 0; row < (size_t)j->in.h; row++, dy += j->in.w) {
        struct lanes x = lanes_at(j, AT_X, j->in, n, block, row * (size_t)j->in.w);
        float sum[MAX_LANES] = {0};
        for (size_t w = 0; w < (size_t)j->in.w; w++) {
#pragma omp simd
            for (int b = 0; b < width; b++)
                sum[b] += dy[w] * number_get(x.at, w * x.pixel + (size_t)b, bf16);
        }
        for (int b = 0; b < width; b++)
            total[b] += (double)sum[b];
    }
}

static void weigh_ones(const struct onednn_job *j, int n)
{
    const float *dy = (const float *)j->at[AT_DY].at + (size_t)n * j->at[AT_DY].item;
    double *total = (double *)j->at[AT_PART].at + (size_t)n * (size_t)(j->in.c + 1) + j->in.c;
    *total = 0;
    for (size_t i = 0; i < plane_area(j->in); i++)
        *total += (double)dy[i];
}

/* The gradients of the vector and the number that is added, where they are wanted: sums over PART. */
static void point_weights(const struct onednn_job *j, const struct onednn_run *r)
{
    const double *part = j->at[AT_PART].at;
    const int blocks = j->in.c / j->block;
#pragma omp parallel for collapse(2) schedule(static)
    for (int n = 0; n < j->batch; n++) {
        for (int block = 0; block <= blocks; block++) {
            if (block == blocks)
                weigh_ones(j, n);
            else
                FOR_LANES(j, weigh_block, j, n, block);
        }
    }
    for (int c = 0; c <= j->in.c; c++) {
        const struct nn_slot *slot = c < j->in.c ? j->gamma : j->beta;
        double sum = 0;
        for (int n = 0; n < j->batch; n++)
            sum += part[(size_t)n * (size_t)(j->in.c + 1) + (size_t)c];
        if (slot)
            r->grads[slot->offset + (size_t)(c < j->in.c ? c : 0)] = (float)sum;
    }
}

/* ---- steps ---- */

/* Where the vector lies; kept once. */
static struct onednn_view vector_view(struct onednn_lowering *l, const struct onednn_unit *u)
{
    const int slot = l->g->node[u->id].slot;
    struct onednn_view *v = &l->o->param[slot];
    if (v->buffer < 0) {
        *v = onednn_buffer(l->o, POOL_KEEP, l->g->slot[slot].count * sizeof(float), 0);
        onednn_fill(l->o, &l->g->slot[slot], *v, NULL);
    }
    return *v;
}

bool onednn_point_forward(struct onednn_lowering *l, struct onednn_unit *u)
{
    struct onednn_view x = onednn_value(l, u->in[0]), y = onednn_value(l, u->out), vector = vector_view(l, u);
    struct onednn_step *s = onednn_kernel_step(l, u, "point", point);
    onednn_job_view(l->o, s, AT_X, x);
    onednn_job_view(l->o, s, AT_Y, y);
    onednn_job_view(l->o, s, AT_GAMMA, vector);
    onednn_job_view(l->o, s, AT_BETA, l->o->param[l->g->node[u->id].slot + 1]);
    return true;
}

static void weights_step(struct onednn_lowering *l, const struct onednn_unit *u)
{
    const struct onednn_layer layer = onednn_layer_of(l, u);
    if (!layer.kernel_gradient && !layer.bias_gradient)
        return;
    struct onednn_view x = onednn_value_again(l, u->in[0]),
                       part = onednn_buffer(
                           l->o, POOL_RUN,
                           (size_t)l->o->how.batch * (size_t)(layer.in.c + 1) * sizeof(double), 0);
    struct onednn_step *s = onednn_kernel_step(l, u, "point dw", point_weights);
    onednn_job_view(l->o, s, AT_X, x);
    onednn_job_view(l->o, s, AT_DY, l->t[u->out].grad);
    onednn_job_view(l->o, s, AT_PART, part);
    s->job.gamma = layer.kernel_gradient ? layer.weights.slot : NULL;
    s->job.beta = layer.bias_gradient ? layer.bias : NULL;
}

bool onednn_point_backward(struct onednn_lowering *l, struct onednn_unit *u)
{
    weights_step(l, u);
    if (!l->needs[u->in[0]])
        return true;
    struct onednn_target to = onednn_gradient(l, u->in[0]);
    struct onednn_step *s = onednn_kernel_step(l, u, "point dx", point_data);
    onednn_job_view(l->o, s, AT_DY, l->t[u->out].grad);
    onednn_job_view(l->o, s, AT_DX, to.dx);
    onednn_job_view(l->o, s, AT_BASE, to.base);
    onednn_job_view(l->o, s, AT_GAMMA, vector_view(l, u));
    return true;
}
