#include "eval/precision.h"

#include "base/mem.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

/* Walks from the highest score down, ties together; called once a distinct score. */
struct walk {
    const struct ranking *r;
    size_t left; /* cases not yet passed */
    double n[2]; /* negatives and positives passed so far */
};

static bool step(struct walk *w)
{
    if (w->left == 0)
        return false;
    const double score = w->r->score[w->r->order[w->left - 1]];

    for (; w->left > 0 && w->r->score[w->r->order[w->left - 1]] == score; w->left--)
        w->n[w->r->positive[w->r->order[w->left - 1]]]++;
    return true;
}

static double precision(const struct walk *w)
{
    return w->n[1] / (w->n[0] + w->n[1]);
}

double ranking_average_precision(const void *ranking, const unsigned *weight)
{
    const struct ranking *r = ranking;
    uint64_t negatives = 0, positives = 0, here = 0; /* from the highest score down; here: of one score */
    double sum = 0;

    for (size_t k = r->n; k-- > 0;) {
        const unsigned times = weight ? weight[r->order[k]] : 1;
        if (r->kind[k] & 1)
            here += times;
        else
            negatives += times;
        if (r->kind[k] & 2) /* the next one has the same score */
            continue;
        positives += here;
        if (here > 0)
            sum += (double)here * (double)positives / (double)(positives + negatives);
        here = 0;
    }
    return positives > 0 ? sum / (double)positives : NAN;
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
