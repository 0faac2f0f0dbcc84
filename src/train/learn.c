#include "train/learn.h"

#include "base/rng.h"

#include <math.h>

/* Keras' default for the moving statistics. */
#define MOMENTUM 0.99f

/* Adds this batch's gradients to those of the update; what the last one leaves in grads is their mean. */
static void gather(const struct learner *l)
{
    const size_t n = l->optim->graph->n_values;
    const bool first = l->step == 0, last = l->step == l->accumulate - 1;
    const float share = 1 / (float)l->accumulate;

#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < n; i++) {
        float sum = first ? l->grads[i] : l->sum[i] + l->grads[i];
        l->sum[i] = sum;
        l->grads[i] = last ? sum * share : l->grads[i];
    }
}

double learner_step(const struct learner *l, const struct feed_batch *b, const float **output)
{
    const struct nn_backend *nn = l->exec->backend;
    struct rng rng = rng_at(l->seed, RNG_DROPOUT, l->optim->iterations, (uint64_t)l->step);
    const struct nn_step step = {.momentum = MOMENTUM, .dropout = true, .seed = rng_u64(&rng)};

    nn->set(l->exec->self, l->values);
    *output = nn->forward(l->exec->self, b->input, &step);
    double loss = l->loss->measure(b->truth, *output, b->n * l->truth, l->output_grad);
    if (!isfinite(loss))
        return loss;
    nn->backward(l->exec->self, l->output_grad, l->grads, NULL);
    nn->get(l->exec->self, l->values);
    if (l->accumulate > 1)
        gather(l);
    if (l->step == l->accumulate - 1)
        optim_step(l->optim, l->values, l->grads);
    return loss;
}
