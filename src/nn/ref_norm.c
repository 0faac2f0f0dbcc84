/* Batch normalisation (Ioffe and Szegedy 2015) and spatial dropout (Tompson et al. 2015). */
#include "nn/ref.h"

#include <math.h>

static size_t plane_size(const struct ref_call *c)
{
    return (size_t)c->node->shape.h * (size_t)c->node->shape.w;
}

/* Mean and biased variance of one channel over the batch. */
static void channel_moments(const struct ref_call *c, int channel, double *mean, double *variance)
{
    size_t size = plane_size(c);
    double n = (double)size * c->batch, sum = 0, squares = 0;
    for (int item = 0; item < c->batch; item++) {
        const float *x = c->x[0] + ref_plane(c->in[0], item, channel);
        for (size_t i = 0; i < size; i++)
            sum += (double)x[i];
    }
    *mean = sum / n;
    for (int item = 0; item < c->batch; item++) {
        const float *x = c->x[0] + ref_plane(c->in[0], item, channel);
        for (size_t i = 0; i < size; i++)
            squares += ((double)x[i] - *mean) * ((double)x[i] - *mean);
    }
    *variance = squares / n;
}

static void track(float *moving, double batch, double momentum)
{
    *moving = (float)(momentum * (double)*moving + (1 - momentum) * batch);
}

static void norm_forward_channel(const struct ref_call *c, int channel)
{
    double mean = c->value[2][channel], variance = c->value[3][channel];
    double n = (double)plane_size(c) * c->batch;
    if (c->batch_statistics) {
        channel_moments(c, channel, &mean, &variance);
        track(&c->value[2][channel], mean, (double)c->step->momentum);
        track(&c->value[3][channel], n > 1 ? variance * n / (n - 1) : variance, (double)c->step->momentum);
    }
    double scale = 1 / sqrt(variance + (double)c->node->u.norm.epsilon);
    double gamma = c->value[0][channel], beta = c->value[1][channel];
    c->moments[channel] = mean;
    c->moments[c->node->shape.c + channel] = scale;
    for (int item = 0; item < c->batch; item++) {
        size_t at = ref_plane(c->in[0], item, channel);
        for (size_t i = at; i < at + plane_size(c); i++)
            c->y[i] = (float)(gamma * ((double)c->x[0][i] - mean) * scale + beta);
    }
}

void ref_norm_forward(const struct ref_call *c)
{
#pragma omp parallel for num_threads(c->threads)
    for (int channel = 0; channel < c->node->shape.c; channel++)
        norm_forward_channel(c, channel);
}

/* With x^ = (x - mean) * scale: d gamma = sum dy x^, d beta = sum dy, and, where mean and variance are the
 * batch's own, dx = gamma scale (dy - mean(dy) - x^ mean(dy x^)). */
static void norm_backward_channel(const struct ref_call *c, int channel)
{
    double mean = c->moments[channel], scale = c->moments[c->node->shape.c + channel];
    double n = (double)plane_size(c) * c->batch, sum_dy = 0, sum_dy_x = 0;
    for (int item = 0; item < c->batch; item++) {
        size_t at = ref_plane(c->in[0], item, channel);
        for (size_t i = at; i < at + plane_size(c); i++) {
            sum_dy += (double)c->dy[i];
            sum_dy_x += (double)c->dy[i] * ((double)c->x[0][i] - mean) * scale;
        }
    }
    if (c->dvalue[0])
        c->dvalue[0][channel] = (float)sum_dy_x;
    if (c->dvalue[1])
        c->dvalue[1][channel] = (float)sum_dy;
    double mean_dy = c->batch_statistics ? sum_dy / n : 0;
    double mean_dy_x = c->batch_statistics ? sum_dy_x / n : 0;
    double gamma = c->value[0][channel];
    for (int item = 0; c->dx[0] && item < c->batch; item++) {
        size_t at = ref_plane(c->in[0], item, channel);
        for (size_t i = at; i < at + plane_size(c); i++) {
            double normal = ((double)c->x[0][i] - mean) * scale;
            c->dx[0][i] += (float)(gamma * scale * ((double)c->dy[i] - mean_dy - normal * mean_dy_x));
        }
    }
}

void ref_norm_backward(const struct ref_call *c)
{
#pragma omp parallel for num_threads(c->threads)
    for (int channel = 0; channel < c->node->shape.c; channel++)
        norm_backward_channel(c, channel);
}

void ref_dropout_forward(const struct ref_call *c)
{
    int channels = c->node->shape.c;
    for (int plane = 0; plane < c->batch * channels; plane++)
        c->factor[plane] = 1;
    for (int item = 0; c->step && c->step->dropout && item < c->batch; item++)
        nn_dropout_factors(c->factor + item * channels, channels, c->node->u.rate, c->step->seed, c->id,
                           item);
    for (int plane = 0; plane < c->batch * channels; plane++)
        for (size_t i = 0, at = (size_t)plane * plane_size(c); i < plane_size(c); i++)
            c->y[at + i] = c->factor[plane] * c->x[0][at + i];
}

void ref_dropout_backward(const struct ref_call *c)
{
    for (int plane = 0; c->dx[0] && plane < c->batch * c->node->shape.c; plane++)
        for (size_t i = 0, at = (size_t)plane * plane_size(c); i < plane_size(c); i++)
            c->dx[0][at + i] += c->factor[plane] * c->dy[at + i];
}
