#include "eval/precision.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

/* Walks from the highest score down, ties together; called once a distinct score. */
struct walk {
    const struct ranking *r;
    const unsigned *weight;
    size_t left;     /* cases not yet passed */
    double n[2];     /* negatives and positives passed so far */
    double positive; /* positives in this step */
};

static bool step(struct walk *w)
{
    if (w->left == 0)
        return false;
    const double score = w->r->score[w->r->order[w->left - 1]];

    w->positive = 0;
    for (; w->left > 0 && w->r->score[w->r->order[w->left - 1]] == score; w->left--) {
        const size_t i = w->r->order[w->left - 1];
        const double times = w->weight ? w->weight[i] : 1;
        w->n[w->r->positive[i]] += times;
        w->positive += w->r->positive[i] ? times : 0;
    }
    return true;
}

static double precision(const struct walk *w)
{
    return w->n[1] / (w->n[0] + w->n[1]);
}

double ranking_average_precision(const void *ranking, const unsigned *weight)
{
    const struct ranking *r = ranking;
    struct walk w = {.r = r, .weight = weight, .left = r->n};
    double sum = 0;

    while (step(&w))
        if (w.positive > 0)
            sum += w.positive * precision(&w);
    return w.n[1] > 0 ? sum / w.n[1] : NAN;
}

void pr_make(struct pr_curve *out, const struct ranking *r)
{
    struct walk w = {.r = r, .left = r->n};
    double positives = 0;

    *out = (struct pr_curve){NULL, 0};
    for (size_t i = 0; i < r->n; i++)
        positives += r->positive[i];
    if (positives <= 0)
        return;
    out->point = mem_new(r->n + 1, sizeof *out->point);
    while (step(&w)) {
        const double score = r->score[r->order[w.left]];
        out->point[out->count++] = (struct pr_point){w.n[1] / positives, precision(&w), score};
    }
}

void pr_release(struct pr_curve *c)
{
    free(c->point);
    *c = (struct pr_curve){NULL, 0};
}
