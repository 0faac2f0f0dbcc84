#include "train/optim.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

#define BETA_1  0.9
#define BETA_2  0.999
#define EPSILON 1e-7f

void optim_init(struct optim *o)
{
    o->m = mem_new(o->graph->n_values, sizeof *o->m);
    o->v = o->kind == OPTIM_ADAM ? mem_new(o->graph->n_values, sizeof *o->v) : NULL;
}

void optim_release(struct optim *o)
{
    free(o->m);
    free(o->v);
    o->m = o->v = NULL;
}

struct update {
    float *p, *m, *v;
    const float *g;
    size_t n;
    float rate, momentum;
};

static void step_adam(const struct update *u)
{
    const float b1 = (float)BETA_1, c1 = (float)(1 - BETA_1), b2 = (float)BETA_2, c2 = (float)(1 - BETA_2);

#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < u->n; i++) {
        float m = b1 * u->m[i] + c1 * u->g[i];
        float v = b2 * u->v[i] + c2 * (u->g[i] * u->g[i]);
        u->m[i] = m;
        u->v[i] = v;
        u->p[i] -= u->rate * m / (sqrtf(v) + EPSILON);
    }
}

static void step_sgd(const struct update *u)
{
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < u->n; i++) {
        u->m[i] = u->momentum * u->m[i] - u->rate * u->g[i];
        u->p[i] += u->m[i];
    }
}

static void step_nesterov(const struct update *u)
{
#pragma omp parallel for schedule(static)
    for (size_t i = 0; i < u->n; i++) {
        float step = u->rate * u->g[i];
        u->m[i] = u->momentum * u->m[i] - step;
        u->p[i] += u->momentum * u->m[i] - step;
    }
}

static double rate_now(const struct optim *o)
{
    double rate = o->learning_rate / (1 + o->decay * (double)o->iterations);
    double t = (double)o->iterations + 1;

    return o->kind == OPTIM_SGD ? rate : rate * sqrt(1 - pow(BETA_2, t)) / (1 - pow(BETA_1, t));
}

void optim_step(struct optim *o, float *values, const float *grads)
{
    const double rate = rate_now(o);

    for (int i = 0; i < o->graph->n_slots; i++) {
        const struct nn_slot *s = &o->graph->slot[i];
        struct update u = {.p = values + s->offset,
                           .m = o->m + s->offset,
                           .v = o->v ? o->v + s->offset : NULL,
                           .g = grads + s->offset,
                           .n = s->count,
                           .rate = (float)(o->factor ? rate * o->factor[i] : rate),
                           .momentum = (float)o->momentum};
        if (!s->trainable)
            continue;
        if (o->kind == OPTIM_ADAM)
            step_adam(&u);
        else if (o->nesterov)
            step_nesterov(&u);
        else
            step_sgd(&u);
    }
    o->iterations++;
}
