#include "train/validate.h"

#include "base/mem.h"
#include "base/stop.h"
#include "train/metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_benign(const struct source_item *i)
{
    return i->region && !strcmp(i->label, data_label_name(LABEL_BENIGN));
}

static bool is_malignant(const struct source_item *i)
{
    return i->region && i->malignant;
}

static bool has_region(const struct source_item *i)
{
    return i->region;
}

static bool is_any(const struct source_item *i)
{
    return i->id != NULL;
}

/* Tried in this order until there are enough cases. */
static const struct wish {
    bool (*fits)(const struct source_item *i);
    int most;
} WISHES[] = {{is_benign, 2}, {is_malignant, 2}, {has_region, RUN_CASES}, {is_any, RUN_CASES}};

static bool is_taken(const struct validation *v, size_t place)
{
    for (int i = 0; i < v->n_cases; i++) {
        if (v->place[i] == place)
            return true;
    }
    return false;
}

/* Whether a case of the same patient is shown already. */
static bool is_known(const struct validation *v, const struct source_item *item)
{
    const struct source *s = v->source;

    for (int i = 0; item->patient && i < v->n_cases; i++) {
        if (!strcmp(s->item(s->self, v->place[i]).patient, item->patient))
            return true;
    }
    return false;
}

/* Patients who are not shown yet first: two views of one lesion tell little more than one. */
static void grant(struct validation *v, const struct wish *wish, const size_t *order)
{
    const struct source *s = v->source;
    const size_t n = s->n_validation;
    int granted = 0;

    for (size_t k = 0; k < 2 * n && granted < wish->most && v->n_cases < RUN_CASES; k++) {
        const size_t at = order[k % n];
        struct source_item item = s->item(s->self, at);
        if (!wish->fits(&item) || is_taken(v, at) || (k < n && is_known(v, &item)))
            continue;
        v->cases[v->n_cases] = (struct train_case){.id = item.id, .label = item.label};
        v->place[v->n_cases++] = at;
        granted++;
    }
}

/* Pictures that never change. */
static void find_squares(struct validation *v)
{
    const struct source *s = v->source;

    for (int i = 0; s->square && i < v->n_cases; i++)
        v->cases[i].square = s->square(s->self, v->place[i]);
}

static size_t pixels_of(const struct source *s)
{
    return (size_t)s->size * (size_t)s->size;
}

/* Inputs and truths never change; predictions are copied in by every validation. */
static void fill_cases(struct validation *v)
{
    const struct source *s = v->source;
    size_t pixels = pixels_of(s), input = (size_t)s->channels * pixels, each = input + 2 * pixels;

    v->squares = mem_new((size_t)RUN_CASES * each, sizeof *v->squares);
    for (int i = 0; i < v->n_cases; i++) {
        float *at = v->squares + (size_t)i * each;
        const struct source_batch b = {.pass = SOURCE_VALIDATE, .index = &v->place[i], .n = 1};
        s->fill(s->self, &b, at, at + input);
        v->cases[i].input = at;
        v->cases[i].truth = at + input;
        v->cases[i].prediction = at + input + pixels;
    }
}

void validation_init(struct validation *v, const struct source *s, uint64_t seed)
{
    struct rng rng = rng_at(seed, RNG_SHUFFLE, UINT64_MAX, 1);
    size_t n = s->n_validation;

    *v = (struct validation){.source = s,
                             .order = mem_new(n, sizeof *v->order),
                             .score = mem_new(n, sizeof *v->score),
                             .malignant = mem_new(n, sizeof *v->malignant)};
    rng_permutation(&rng, v->order, n);
    for (size_t w = 0; w < sizeof WISHES / sizeof *WISHES; w++)
        grant(v, &WISHES[w], v->order);
    find_squares(v);
    if (!s->classes)
        fill_cases(v);
    for (size_t i = 0; i < n; i++)
        v->malignant[i] = s->item(s->self, i).malignant;
}

void validation_release(struct validation *v)
{
    free(v->order);
    free(v->squares);
    free(v->score);
    free(v->malignant);
    *v = (struct validation){.source = NULL};
}

static void note_case(struct validation *v, size_t place, const struct overlap *o)
{
    for (int i = 0; i < v->n_cases; i++) {
        if (v->place[i] == place) {
            v->cases[i].dice = o->dice;
            v->cases[i].score = o->score;
        }
    }
}

static void show_case(struct validation *v, size_t place, const float *output)
{
    size_t pixels = pixels_of(v->source), each = ((size_t)v->source->channels + 2) * pixels;

    for (int i = 0; i < v->n_cases; i++) {
        if (v->place[i] == place)
            memcpy(v->squares + ((size_t)i + 1) * each - pixels, output, pixels * sizeof *output);
    }
}

struct totals {
    double loss, agreement; /* times images */
    double dice, iou;
    size_t truths;
};

static void measure_maps(struct validation *v, const struct feed_batch *b, const float *output,
                         struct totals *sum)
{
    size_t pixels = pixels_of(v->source);

    sum->agreement += (double)b->n * loss_soft_dice(b->truth, output, b->n * pixels);
    for (size_t i = 0; i < b->n; i++) {
        struct overlap o = metrics_overlap(b->truth + i * pixels, output + i * pixels, pixels);
        v->score[b->index[i]] = o.score;
        note_case(v, b->index[i], &o);
        show_case(v, b->index[i], output + i * pixels);
        if (isnan(o.dice))
            continue;
        sum->dice += o.dice;
        sum->iou += o.iou;
        sum->truths++;
    }
}

/* The score is the probability of the last class, malignant. */
static void measure_classes(struct validation *v, const struct feed_batch *b, const float *output,
                            struct totals *sum)
{
    const int classes = v->source->classes;
    const size_t each = (size_t)classes;

    sum->agreement += (double)b->n * metrics_accuracy(b->truth, output, b->n * each, classes);
    for (size_t i = 0; i < b->n; i++) {
        const struct overlap o = {NAN, NAN, output[i * each + each - 1]};
        v->score[b->index[i]] = o.score;
        note_case(v, b->index[i], &o);
    }
}

static void measure_batch(struct validation *v, const struct feed_batch *b, const float *output,
                          const struct loss *loss, struct totals *sum)
{
    const size_t n = b->n * source_truth_size(v->source);

    sum->loss += (double)b->n * loss->measure(b->truth, output, n, NULL);
    (v->source->classes ? measure_classes : measure_maps)(v, b, output, sum);
}

bool validation_measure(struct validation *v, const struct nn_exec *x, struct feed *feed,
                        const struct loss *loss, struct train_metrics *m, struct err *err)
{
    size_t n = v->source->n_validation;
    const struct feed_pass pass = {SOURCE_VALIDATE, 0, v->order, n};
    struct totals sum = {0, 0, 0, 0, 0};
    struct feed_batch b;

    feed_start(feed, &pass);
    while (!stop_requested() && feed_next(feed, &b))
        measure_batch(v, &b, x->backend->forward(x->self, b.input, NULL), loss, &sum);
    feed_stop(feed);
    if (stop_requested())
        return err_set(err, ERR_CANCELLED, "stopped");
    m->val_loss = sum.loss / (double)n;
    m->val_agreement = sum.agreement / (double)n;
    m->val_dice = sum.truths ? sum.dice / (double)sum.truths : NAN;
    m->val_iou = sum.truths ? sum.iou / (double)sum.truths : NAN;
    m->val_auc = metrics_auc(v->score, v->malignant, n);
    return true;
}
