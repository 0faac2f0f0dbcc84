#include "eval/roc.h"

#include "base/mem.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

struct scored_case {
    double score;
    size_t at;
};

static int compare_scored(const void *left, const void *right)
{
    const struct scored_case *a = left, *b = right;

    if (a->score != b->score)
        return a->score < b->score ? -1 : 1;
    return a->at < b->at ? -1 : 1;
}

void ranking_make(struct ranking *out, const double *score, const bool *positive, size_t n)
{
    struct scored_case *s = mem_new(n + 1, sizeof *s);

    *out = (struct ranking){score, positive, mem_new(n + 1, sizeof *out->order), mem_new(n + 1, 1), n};
    for (size_t i = 0; i < n; i++)
        s[i] = (struct scored_case){score[i], i};
    qsort(s, n, sizeof *s, compare_scored);
    for (size_t i = 0; i < n; i++) {
        out->order[i] = s[i].at;
        out->kind[i] =
            (unsigned char)((positive[s[i].at] ? 1 : 0) + (i > 0 && s[i].score == s[i - 1].score ? 2 : 0));
    }
    free(s);
}

void ranking_release(struct ranking *r)
{
    free(r->order);
    free(r->kind);
    *r = (struct ranking){NULL, NULL, NULL, NULL, 0};
}

bool ranking_tells(const struct ranking *r)
{
    size_t positives = 0;

    for (size_t i = 0; i < r->n; i++)
        positives += r->positive[i];
    return positives > 0 && positives < r->n && r->score[r->order[0]] < r->score[r->order[r->n - 1]];
}

/* The end of the cases that share the score of the case at begin. */
static size_t tie_end(const struct ranking *r, size_t begin)
{
    const double score = r->score[r->order[begin]];
    size_t end = begin + 1;

    while (end < r->n && r->score[r->order[end]] == score)
        end++;
    return end;
}

/* Positives ([1]) and negatives ([0]) among the cases begin..end-1. */
static void count_classes(const struct ranking *r, const unsigned *weight, size_t begin, size_t end,
                          double n[2])
{
    n[0] = n[1] = 0;
    for (size_t k = begin; k < end; k++)
        n[r->positive[r->order[k]]] += weight ? weight[r->order[k]] : 1;
}

double ranking_auc(const void *ranking, const unsigned *weight)
{
    const struct ranking *r = ranking;
    uint64_t won_twice = 0, below[2] = {0, 0}, tied[2] = {0, 0}; /* exact up to 2^31 cases of a class */

    for (size_t k = 0; k <= r->n; k++) {
        if (k == r->n || !(r->kind[k] & 2)) {
            won_twice += tied[1] * (2 * below[0] + tied[0]);
            below[0] += tied[0];
            below[1] += tied[1];
            tied[0] = tied[1] = 0;
        }
        if (k < r->n)
            tied[r->kind[k] & 1] += weight ? weight[r->order[k]] : 1;
    }
    return below[0] > 0 && below[1] > 0 ? (double)won_twice / 2 / ((double)below[0] * (double)below[1]) : NAN;
}

/* Sum of squared differences from the mean, one value at a time (Welford). */
struct spread {
    double n, mean, squares;
};

static void spread_add(struct spread *s, double value, double times)
{
    if (times <= 0)
        return;
    const double from_mean = value - s->mean;

    s->n += times;
    s->mean += from_mean * times / s->n;
    s->squares += from_mean * (value - s->mean) * times;
}

double ranking_auc_error(const struct ranking *r)
{
    double total[2], below[2] = {0, 0};
    struct spread of[2] = {{0, 0, 0}, {0, 0, 0}};

    count_classes(r, NULL, 0, r->n, total);
    if (total[0] < 2 || total[1] < 2)
        return NAN;
    for (size_t begin = 0, end; begin < r->n; begin = end) {
        double tied[2];
        end = tie_end(r, begin);
        count_classes(r, NULL, begin, end, tied);
        /* each case's share of the other class that it is on the right side of */
        spread_add(&of[1], (below[0] + tied[0] / 2) / total[0], tied[1]);
        spread_add(&of[0], 1 - (below[1] + tied[1] / 2) / total[1], tied[0]);
        below[0] += tied[0];
        below[1] += tied[1];
    }
    return sqrt(of[0].squares / (total[0] - 1) / total[0] + of[1].squares / (total[1] - 1) / total[1]);
}

void roc_make(struct roc *out, const struct ranking *r)
{
    double total[2], above[2] = {0, 0};

    *out = (struct roc){NULL, 0};
    count_classes(r, NULL, 0, r->n, total);
    if (total[0] <= 0 || total[1] <= 0)
        return;
    out->point = mem_new(r->n + 1, sizeof *out->point);
    out->point[out->count++] = (struct roc_point){0, 0, INFINITY};
    for (size_t end = r->n, begin; end > 0; end = begin) {
        const double score = r->score[r->order[end - 1]];
        double tied[2];
        for (begin = end - 1; begin > 0 && r->score[r->order[begin - 1]] == score;)
            begin--;
        count_classes(r, NULL, begin, end, tied);
        above[0] += tied[0];
        above[1] += tied[1];
        out->point[out->count++] = (struct roc_point){above[0] / total[0], above[1] / total[1], score};
    }
}

void roc_release(struct roc *r)
{
    free(r->point);
    *r = (struct roc){NULL, 0};
}
