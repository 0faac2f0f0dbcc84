/* Operations that keep the shape and look at one pixel. */
#include "nn/ref.h"

#include <math.h>

static size_t output_size(const struct ref_call *c)
{
    return (size_t)c->batch * nn_shape_size(c->node->shape);
}

void ref_relu_forward(const struct ref_call *c)
{
    for (size_t i = 0; i < output_size(c); i++)
        c->y[i] = c->x[0][i] > 0 ? c->x[0][i] : 0;
}

void ref_relu_backward(const struct ref_call *c)
{
    for (size_t i = 0; c->dx[0] && i < output_size(c); i++)
        c->dx[0][i] += c->x[0][i] > 0 ? c->dy[i] : 0;
}

static double sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

void ref_sigmoid_forward(const struct ref_call *c)
{
    for (size_t i = 0; i < output_size(c); i++)
        c->y[i] = (float)sigmoid((double)c->x[0][i]);
}

/* From x and not from y: 1 - y would be 0 from x = 17 on. */
void ref_sigmoid_backward(const struct ref_call *c)
{
    for (size_t i = 0; c->dx[0] && i < output_size(c); i++) {
        double x = c->x[0][i];
        c->dx[0][i] += (float)((double)c->dy[i] * sigmoid(x) * sigmoid(-x));
    }
}

static void softmax_pixel(const float *x, float *y, int channels, size_t step)
{
    double top = -INFINITY, sum = 0;
    for (int ch = 0; ch < channels; ch++)
        top = fmax(top, (double)x[(size_t)ch * step]);
    for (int ch = 0; ch < channels; ch++)
        sum += exp((double)x[(size_t)ch * step] - top);
    for (int ch = 0; ch < channels; ch++)
        y[(size_t)ch * step] = (float)(exp((double)x[(size_t)ch * step] - top) / sum);
}

void ref_softmax_forward(const struct ref_call *c)
{
    size_t step = (size_t)c->node->shape.h * (size_t)c->node->shape.w;
    for (int item = 0; item < c->batch; item++)
        for (size_t at = ref_plane(c->in[0], item, 0), i = 0; i < step; i++)
            softmax_pixel(c->x[0] + at + i, c->y + at + i, c->node->shape.c, step);
}

void ref_softmax_backward(const struct ref_call *c)
{
    int channels = c->node->shape.c;
    size_t step = (size_t)c->node->shape.h * (size_t)c->node->shape.w;
    for (int item = 0; c->dx[0] && item < c->batch; item++)
        for (size_t at = ref_plane(c->in[0], item, 0), i = 0; i < step; i++) {
            double dot = 0;
            for (int ch = 0; ch < channels; ch++)
                dot += (double)c->y[at + i + (size_t)ch * step] * (double)c->dy[at + i + (size_t)ch * step];
            for (int ch = 0; ch < channels; ch++) {
                size_t k = at + i + (size_t)ch * step;
                c->dx[0][k] += (float)((double)c->y[k] * ((double)c->dy[k] - dot));
            }
        }
}

void ref_add_forward(const struct ref_call *c)
{
    for (size_t i = 0; i < output_size(c); i++)
        c->y[i] = c->x[0][i] + c->x[1][i];
}

void ref_add_backward(const struct ref_call *c)
{
    for (int k = 0; k < 2; k++)
        for (size_t i = 0; c->dx[k] && i < output_size(c); i++)
            c->dx[k][i] += c->dy[i];
}
