/* train/optim.h: Adam and SGD as Keras 2.2.4 has them (keras/optimizers.py), over the flat array of a
 * network. */
#ifndef CLEARMASS_TRAIN_OPTIM_H
#define CLEARMASS_TRAIN_OPTIM_H

#include "nn/graph.h"

enum optim_kind { OPTIM_ADAM, OPTIM_SGD };

struct optim {
    enum optim_kind kind;
    double learning_rate;         /* a schedule may change it between steps */
    double decay;                 /* the rate of update i (from 0) is learning_rate / (1 + decay * i) */
    double momentum;              /* SGD */
    bool nesterov;                /* SGD */
    uint64_t iterations;          /* updates done */
    const struct nn_graph *graph; /* borrowed */
    const double *factor;         /* [graph->n_slots] of each slot's rate, borrowed; NULL: 1 */
    float *m, *v;                 /* [graph->n_values]: SGD keeps its velocity in m and has no v (NULL) */
};

/* Allocates the moments; kind, rates and graph are set by the caller before. */
void optim_init(struct optim *o);
void optim_release(struct optim *o);

/* One update of every trainable slot. Each number is computed alone, so results do not depend on threads.
 *   Adam  t = iterations + 1, lr_t = lr sqrt(1 - .999^t) / (1 - .9^t), m = .9 m + .1 g, v = .999 v + .001
 * g^2, p -= lr_t m / (sqrt(v) + 1e-7) SGD   m = momentum m - lr g; p += m, or with nesterov p += momentum m -
 * lr g */
void optim_step(struct optim *o, float *values, const float *grads);

#endif
