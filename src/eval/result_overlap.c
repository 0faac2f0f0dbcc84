#include "eval/result_parts.h"

#include "base/mem.h"
#include "base/rng.h"

#include <math.h>
#include <stdlib.h>

static json_t *summary_json(const struct summary *s)
{
    return json_pack("{s:o, s:o, s:o, s:o, s:o}", "mean", number_json(s->mean), "median",
                     number_json(s->median), "q1", number_json(s->q1), "q3", number_json(s->q3),
                     "share_above_half", number_json(s->share_above_half));
}

/* Values in rising order, item i counting weight[at[i]] times. */
struct sorted_values {
    const double *v;
    const size_t *at; /* [n]: whose weight */
    size_t n;
};

static double weighted_mean(const void *sorted, const unsigned *weight)
{
    const struct sorted_values *x = sorted;
    double sum = 0, count = 0;

    for (size_t i = 0; i < x->n; i++) {
        sum += weight[x->at[i]] * x->v[i];
        count += weight[x->at[i]];
    }
    return count > 0 ? sum / count : NAN;
}

static double weighted_median(const void *sorted, const unsigned *weight)
{
    const struct sorted_values *x = sorted;
    uint64_t total = 0, passed = 0;
    double below = NAN;

    for (size_t i = 0; i < x->n; i++)
        total += weight[x->at[i]];
    for (size_t i = 0; i < x->n; i++) {
        passed += weight[x->at[i]];
        if (isnan(below) && 2 * passed >= total && passed > 0)
            below = x->v[i];
        if (2 * passed > total)
            return (below + x->v[i]) / 2;
    }
    return NAN;
}

struct placed {
    double v;
    size_t at;
};

static int by_value(const void *left, const void *right)
{
    const struct placed *a = left, *b = right;

    return a->v < b->v ? -1 : a->v > b->v ? 1 : a->at < b->at ? -1 : a->at > b->at;
}

/* [0] the mean, [1] the median of value[s->n], NAN where a case has none. */
static void mean_and_median(struct interval out[2], const struct sample *s, const double *value)
{
    struct placed *p = mem_new(s->n + 1, sizeof *p);
    double *v = mem_new(s->n + 1, sizeof *v);
    size_t *at = mem_new(s->n + 1, sizeof *at), n = 0;

    for (size_t i = 0; i < s->n; i++)
        if (!isnan(value[i]))
            p[n++] = (struct placed){value[i], i};
    if (n > 1)
        qsort(p, n, sizeof *p, by_value);
    for (size_t i = 0; i < n; i++) {
        v[i] = p[i].v;
        at[i] = p[i].at;
    }
    const struct sorted_values sorted = {v, at, n};
    sample_bootstrap_all(out, (const struct measured[]){{weighted_mean, &sorted}, {weighted_median, &sorted}},
                         2, s);
    free(p);
    free(v);
    free(at);
}

/* Mean with its interval, median, quartiles over the images with a non-empty truth, malignant ones only if
 * wanted. */
static json_t *overlap_summary(const struct sample *s, double (*measure)(const struct overlap_counts *),
                               bool malignant)
{
    double *value = mem_new(s->n + 1, sizeof *value), *defined = mem_new(s->n + 1, sizeof *defined);
    size_t n = 0;

    for (size_t i = 0; i < s->n; i++) {
        const bool counts = s->of[i]->overlap.truth > 0 && (!malignant || case_is_malignant(s->of[i]));
        value[i] = counts ? measure(&s->of[i]->overlap) : NAN;
        if (counts)
            defined[n++] = value[i];
    }
    /* one patient says nothing about others */
    const struct summary summary = summary_of(defined, s->groups > 1 ? n : 0);
    struct interval both[2];
    mean_and_median(both, s, value);
    const struct interval mean = both[0], median = both[1];
    const struct interval above = interval_wilson(
        (struct share){summary.n > 0 ? (size_t)lrint(summary.share_above_half * (double)n) : 0, summary.n});
    json_t *json = summary_json(&summary);
    json_object_set_new(json, "images", json_integer((json_int_t)n));
    json_object_set_new(json, "mean_low", number_json(mean.low));
    json_object_set_new(json, "mean_high", number_json(mean.high));
    json_object_set_new(json, "median_low", number_json(median.low));
    json_object_set_new(json, "median_high", number_json(median.high));
    json_object_set_new(json, "share_above_half_low", number_json(above.low));
    json_object_set_new(json, "share_above_half_high", number_json(above.high));
    free(value);
    free(defined);
    return json;
}

/* Images in batches, the last one smaller. */
struct batches {
    const struct overlap_counts *o; /* [n] */
    const size_t *at;               /* [n]: whose weight */
    size_t n, batch;
};

/* Mean over the batches, each counting by its images; an image counts weight[i] times in its batch. */
static double weighted_soft_dice(const void *batches, const unsigned *weight)
{
    const struct batches *b = batches;
    unsigned *here = mem_new(b->batch, sizeof *here);
    double sum = 0, all = 0;

    for (size_t first = 0; first < b->n; first += b->batch) {
        const size_t n = b->n - first < b->batch ? b->n - first : b->batch;
        double images = 0;
        for (size_t i = 0; i < n; i++)
            images += here[i] = weight[b->at[first + i]];
        if (images > 0)
            sum += images * overlap_soft_dice(b->o + first, here, n);
        all += images;
    }
    free(here);
    return all > 0 ? sum / all : NAN;
}

/* Over batches of images in mixed order, as training's val_dice_coef has it. In the manifest's order, which
 * often goes by label, whole batches would have no truth at all. */
static struct interval soft_batch_dice(const struct sample *s, size_t batch)
{
    struct overlap_counts *o = mem_new(s->n + 1, sizeof *o);
    size_t *order = mem_new(s->n + 1, sizeof *order);
    struct rng rng = rng_at(s->seed, RNG_SHUFFLE, UINT64_MAX, 1);

    rng_permutation(&rng, order, s->n);
    for (size_t i = 0; i < s->n; i++)
        o[i] = s->of[order[i]]->overlap;
    const struct interval dice =
        sample_bootstrap(s, weighted_soft_dice, &(struct batches){o, order, s->n, batch});
    free(order);
    free(o);
    return dice;
}

json_t *result_overlap(const struct sample *s, size_t batch)
{
    const struct interval soft = soft_batch_dice(s, batch);
    size_t empty = 0, kept_empty = 0;

    for (size_t i = 0; i < s->n; i++) {
        empty += s->of[i]->overlap.truth == 0;
        kept_empty += s->of[i]->overlap.truth == 0 && s->of[i]->overlap.predicted == 0;
    }
    return json_pack(
        "{s:f, s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:I, s:I}", "cut", OVERLAP_CUT, "nonempty_truths",
        (json_int_t)(s->n - empty), "dice", overlap_summary(s, overlap_dice, false), "iou",
        overlap_summary(s, overlap_iou, false), "dice_malignant", overlap_summary(s, overlap_dice, true),
        "soft_batch_dice", number_json(soft.value), "soft_batch_dice_low", number_json(soft.low),
        "soft_batch_dice_high", number_json(soft.high), "batch", (json_int_t)batch, "empty_truths",
        (json_int_t)empty, "empty_truths_predicted_empty", (json_int_t)kept_empty);
}
