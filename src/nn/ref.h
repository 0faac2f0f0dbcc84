/* nn/ref.h: inside the reference backend: one node of a graph bound to its memory, and the operations on it.
 *
 * Every tensor is plain row-major [batch, c, h, w]. Sums are doubles. Each sum is made by one thread in one
 * order, so results do not depend on the number of threads. */
#ifndef CLEARMASS_NN_REF_H
#define CLEARMASS_NN_REF_H

#include "nn/exec.h"

struct ref_call {
    const struct nn_node *node;
    nn_id id;
    int batch, threads;
    struct nn_shape in[2]; /* of the inputs; the output's is node->shape */
    bool batch_statistics; /* a batch norm that normalises with them */

    const float *x[2]; /* inputs */
    float *y;          /* output */
    float *value[NN_SLOTS_A_NODE];
    const struct nn_step *step; /* NULL in NN_INFER */

    float *dy;                      /* d loss / d output; NULL where nobody needs it */
    float *dx[2];                   /* the inputs' dy: backward adds to them; NULL where nobody needs it */
    float *dvalue[NN_SLOTS_A_NODE]; /* zeroed before; NULL where not trainable */

    double *moments; /* batch norm, from forward to backward: mean [c], 1 / sqrt(variance + epsilon) [c] */
    float *factor;   /* spatial dropout, from forward to backward: [batch, c] */
    double *scratch; /* convolution: [threads][scratch_stride] */
    size_t scratch_stride;
};

/* Plane (item, channel) of a tensor [batch, s.c, s.h, s.w] begins here. */
static inline size_t ref_plane(struct nn_shape s, int item, int channel)
{
    return ((size_t)item * (size_t)s.c + (size_t)channel) * (size_t)s.h * (size_t)s.w;
}

void ref_conv_forward(const struct ref_call *c);
void ref_conv_backward(const struct ref_call *c);
void ref_dense_forward(const struct ref_call *c);
void ref_dense_backward(const struct ref_call *c);

void ref_norm_forward(const struct ref_call *c);
void ref_norm_backward(const struct ref_call *c);
void ref_dropout_forward(const struct ref_call *c);
void ref_dropout_backward(const struct ref_call *c);

void ref_relu_forward(const struct ref_call *c);
void ref_relu_backward(const struct ref_call *c);
void ref_sigmoid_forward(const struct ref_call *c);
void ref_sigmoid_backward(const struct ref_call *c);
void ref_softmax_forward(const struct ref_call *c);
void ref_softmax_backward(const struct ref_call *c);
void ref_add_forward(const struct ref_call *c);
void ref_add_backward(const struct ref_call *c);

void ref_maxpool_forward(const struct ref_call *c);
void ref_maxpool_backward(const struct ref_call *c);
void ref_upsample_forward(const struct ref_call *c);
void ref_upsample_backward(const struct ref_call *c);
void ref_concat_forward(const struct ref_call *c);
void ref_concat_backward(const struct ref_call *c);
void ref_avgpool_forward(const struct ref_call *c);
void ref_avgpool_backward(const struct ref_call *c);

#endif
