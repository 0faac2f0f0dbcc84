#include "eval/coverage.h"

#include "base/mem.h"
#include "eval/roc.h"

#include <math.h>
#include <stdlib.h>

void coverage_make(struct coverage_curve *out, const struct coverage_cases *c)
{
    struct ranking r;
    double answered = 0, wrong = 0, area = 0;

    ranking_make(&r, c->confidence, c->wrong, c->n);
    *out = (struct coverage_curve){mem_new(c->n + 1, sizeof *out->point), 0, NAN};
    for (size_t left = c->n; left > 0;) {
        const double confidence = c->confidence[r.order[left - 1]], before = answered;
        for (; left > 0 && c->confidence[r.order[left - 1]] == confidence; left--) {
            answered++;
            wrong += c->wrong[r.order[left - 1]];
        }
        out->point[out->count++] = (struct coverage_point){answered / (double)c->n, wrong / answered};
        area += wrong / answered * (answered - before);
    }
    if (c->n > 0)
        out->area = area / (double)c->n;
    ranking_release(&r);
}

void coverage_release(struct coverage_curve *c)
{
    free(c->point);
    *c = (struct coverage_curve){NULL, 0, NAN};
}
