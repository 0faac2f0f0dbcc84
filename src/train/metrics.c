#include "train/metrics.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

struct overlap metrics_overlap(const float *truth, const float *output, size_t n)
{
    struct overlap o = {NAN, NAN, 0};
    size_t in_truth = 0, in_output = 0, in_both = 0;

    for (size_t i = 0; i < n; i++) {
        bool t = truth[i] > 0.5f, p = output[i] > 0.5f;
        in_truth += t;
        in_output += p;
        in_both += t && p;
        o.score += output[i];
    }
    if (in_truth) {
        o.dice = 2 * (double)in_both / (double)(in_truth + in_output);
        o.iou = (double)in_both / (double)(in_truth + in_output - in_both);
    }
    return o;
}

static int largest(const float *v, int n)
{
    int at = 0;

    for (int i = 1; i < n; i++)
        at = v[i] > v[at] ? i : at;
    return at;
}

double metrics_accuracy(const float *truth, const float *output, size_t n, int classes)
{
    const size_t each = (size_t)classes;
    size_t right = 0;

    for (size_t i = 0; i < n; i += each)
        right += largest(truth + i, classes) == largest(output + i, classes);
    return (double)right / (double)(n / each);
}

struct scored {
    double score;
    bool positive;
};

static int by_score(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;
    return (x->score > y->score) - (x->score < y->score);
}

double metrics_auc(const double *score, const bool *positive, size_t n)
{
    struct scored *s = mem_new(n + 1, sizeof *s);
    double wins = 0, below = 0, total_positive = 0;

    for (size_t i = 0; i < n; i++)
        s[i] = (struct scored){score[i], positive[i]};
    qsort(s, n, sizeof *s, by_score);
    for (size_t i = 0, next; i < n; i = next) {
        double here[2] = {0, 0}; /* others and positives of one score */
        for (next = i; next < n && s[next].score == s[i].score; next++)
            here[s[next].positive]++;
        wins += here[1] * (below + here[0] / 2);
        below += here[0];
        total_positive += here[1];
    }
    free(s);
    return total_positive > 0 && below > 0 ? wins / (total_positive * below) : NAN;
}
