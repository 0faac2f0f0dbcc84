#include "train/learn.h"

#include "base/rng.h"

#include <math.h>

/* Keras' default for the moving statistics. */
#define MOMENTUM 0.99f

double learner_step(const struct learner *l, const struct feed_batch *b, const float **output)
{
    const struct nn_backend *nn = l->exec->backend;
    struct rng rng = rng_at(l->seed, RNG_DROPOUT, l->optim->iterations, 0);
    const struct nn_step step = {.momentum = MOMENTUM, .dropout = true, .seed = rng_u64(&rng)};

    nn->set(l->exec->self, l->values);
    *output = nn->forward(l->exec->self, b->input, &step);
    double loss = l->loss->measure(b->truth, *output, b->n * l->truth, l->output_grad);
    if (!isfinite(loss))
        return loss;
    nn->backward(l->exec->self, l->output_grad, l->grads, NULL);
    nn->get(l->exec->self, l->values);
    optim_step(l->optim, l->values, l->grads);
    return loss;
}
