#include "eval/measures.h"

#include "base/mem.h"
#include "eval/coverage.h"
#include "eval/interval.h"
#include "eval/measures_groups.h"
#include "eval/precision.h"
#include "eval/result_parts.h"

#include <math.h>
#include <stdlib.h>

json_t *measures_curve(size_t count, void (*point)(const void *context, size_t i, double xyz[3]),
                       const void *context)
{
    const size_t step = (count + MEASURES_POINTS - 1) / MEASURES_POINTS;
    json_t *list = json_array();
    double v[3];

    for (size_t i = 0; i < count; i++) {
        if (i % step != 0 && i + 1 != count)
            continue;
        v[0] = v[1] = v[2] = NAN;
        point(context, i, v);
        json_array_append_new(
            list, json_pack("[o, o, o]", number_json(v[0]), number_json(v[1]), number_json(v[2])));
    }
    return list;
}

static void bootstrap_all(struct interval *out, const struct measured *of, size_t count,
                          const struct measures *m)
{
    interval_bootstrap_all(out, of, count,
                           &(struct bootstrap){.group = m->rows->patient,
                                               .n = m->rows->count,
                                               .groups = m->rows->patients,
                                               .draws = MEASURES_DRAWS,
                                               .seed = m->seed});
}

static struct interval bootstrap(const struct measures *m, interval_statistic *statistic, const void *context)
{
    struct interval i;

    bootstrap_all(&i, &(struct measured){statistic, context}, 1, m);
    return i;
}

static void pr_at(const void *context, size_t i, double v[3])
{
    const struct pr_point *p = &((const struct pr_curve *)context)->point[i];

    v[0] = p->recall;
    v[1] = p->precision;
    v[2] = p->threshold;
}

/* Where a share is told at a fixed place of a curve, Wilson's interval of its counts stands beside it. */
static json_t *share_at(const char *name, double at, const char *measure, struct share s)
{
    return json_pack("{s:f, s:I, s:o}", name, at, "of", (json_int_t)s.n, measure,
                     interval_json(interval_wilson(s)));
}

/* The precision at the first point that reaches each recall. */
static json_t *precision_at(const struct pr_curve *c, size_t positives)
{
    static const double RECALL[] = {.5, .7, .8, .9, .95, 1};
    json_t *list = json_array();

    for (size_t k = 0; k < sizeof RECALL / sizeof *RECALL; k++) {
        for (size_t i = 0; i < c->count; i++) {
            const struct pr_point *p = &c->point[i];
            if (p->recall < RECALL[k] - 1e-12)
                continue;
            const double hits = p->recall * (double)positives;
            const struct share s = {(size_t)lrint(hits), (size_t)lrint(hits / p->precision)};
            json_array_append_new(list, share_at("recall", RECALL[k], "precision", s));
            break;
        }
    }
    return list;
}

static json_t *precision_json(const struct measures *m, const struct scored *s)
{
    struct ranking r;
    struct pr_curve c;
    struct share positives = {0, s->n};

    for (size_t i = 0; i < s->n; i++)
        positives.hits += s->malignant[i];
    ranking_make(&r, s->score, s->malignant, s->n);
    pr_make(&c, &r);
    json_t *json = json_pack("{s:o, s:o, s:o, s:o}", "average_precision",
                             interval_json(ranking_tells(&r) ? bootstrap(m, ranking_average_precision, &r)
                                                             : (struct interval){NAN, NAN, NAN}),
                             "chance", number_json(share_value(positives)), "curve",
                             measures_curve(c.count, pr_at, &c), "at", precision_at(&c, positives.hits));
    pr_release(&c);
    ranking_release(&r);
    return json;
}

static json_t *reliability_json(const struct forecasts *f)
{
    struct reliability_bin bin[CALIBRATION_BINS];
    json_t *list = json_array();

    reliability_make(bin, f, NULL);
    for (int b = 0; b < CALIBRATION_BINS; b++) {
        const struct share s = {(size_t)bin[b].positives, (size_t)bin[b].n};
        if (s.n > 0)
            json_array_append_new(
                list, json_pack("{s:f, s:f, s:I, s:f, s:o}", "from", (double)b / CALIBRATION_BINS, "to",
                                (double)(b + 1) / CALIBRATION_BINS, "cases", (json_int_t)s.n, "mean",
                                bin[b].mean, "malignant", interval_json(interval_wilson(s))));
    }
    return list;
}

static json_t *forecast_json(const struct measures *m, const struct forecasts *f)
{
    struct interval i[2];

    bootstrap_all(i, (const struct measured[]){{forecast_ece, f}, {forecast_brier, f}}, 2, m);
    return json_pack("{s:o, s:o, s:o}", "ece", interval_json(i[0]), "brier", interval_json(i[1]),
                     "reliability", reliability_json(f));
}

/* Brier score of always saying the share of malignant cases. */
static double brier_of_base_rate(const struct scored *s)
{
    double positives = 0;

    for (size_t i = 0; i < s->n; i++)
        positives += s->malignant[i];
    const double rate = positives / (double)s->n;
    return rate * (1 - rate);
}

/* p[n] by Platt or by the isotonic regression. */
static void probabilities(double *p, const struct scored *s, const struct score_calibration *c, bool isotonic)
{
    for (size_t i = 0; i < s->n; i++) {
        const double x = score_scaled(c->scale, s->score[i]);
        p[i] = isotonic ? isotonic_probability(&c->isotonic, x) : platt_probability(c->platt, x);
    }
}

static json_t *calibration_json(const struct measures *m, const struct scored *s)
{
    double *p = mem_new(s->n + 1, sizeof *p);
    const struct forecasts f = {p, s->malignant, s->n};
    json_t *json =
        json_pack("{s:s, s:b, s:s, s:o}", "chosen_on", "validation", "same_images", m->same_images, "sha256",
                  m->calibration->sha256, "brier_of_base_rate", number_json(brier_of_base_rate(s)));

    probabilities(p, s, m->calibration, false);
    json_object_set_new(json, "platt", forecast_json(m, &f));
    probabilities(p, s, m->calibration, true);
    json_object_set_new(json, "isotonic", forecast_json(m, &f));
    free(p);
    return json;
}

static void coverage_at(const void *context, size_t i, double v[3])
{
    const struct coverage_point *p = &((const struct coverage_curve *)context)->point[i];

    v[0] = p->coverage;
    v[1] = p->risk;
}

/* The risk at the first point that covers each share of the cases. */
static json_t *coverage_shares(const struct coverage_curve *c, size_t cases)
{
    static const double COVERAGE[] = {.25, .5, .75, .9, 1};
    json_t *list = json_array();

    for (size_t k = 0; k < sizeof COVERAGE / sizeof *COVERAGE; k++) {
        for (size_t i = 0; i < c->count; i++) {
            const struct coverage_point *p = &c->point[i];
            if (p->coverage < COVERAGE[k] - 1e-12)
                continue;
            const double answered = p->coverage * (double)cases;
            const struct share s = {(size_t)lrint(p->risk * answered), (size_t)lrint(answered)};
            json_array_append_new(list, share_at("coverage", COVERAGE[k], "risk", s));
            break;
        }
    }
    return list;
}

/* The answer is malignant from a probability of one half on; the surest are furthest from it. */
static json_t *coverage_json(const struct measures *m, const struct scored *s)
{
    double *p = mem_new(s->n + 1, sizeof *p);
    bool *wrong = mem_new(s->n + 1, sizeof *wrong);
    struct coverage_curve c;

    probabilities(p, s, m->calibration, false);
    for (size_t i = 0; i < s->n; i++) {
        wrong[i] = (p[i] >= .5) != s->malignant[i];
        p[i] = fabs(p[i] - .5);
    }
    coverage_make(&c, &(struct coverage_cases){p, wrong, s->n});
    json_t *json = json_pack("{s:o, s:o, s:o}", "area", number_json(c.area), "curve",
                             measures_curve(c.count, coverage_at, &c), "at", coverage_shares(&c, s->n));
    coverage_release(&c);
    free(p);
    free(wrong);
    return json;
}

static void froc_at(const void *context, size_t i, double v[3])
{
    const struct froc_point *p = (const struct froc_point *)context + i;

    v[0] = p->false_per_image;
    v[1] = p->sensitivity;
    v[2] = p->threshold;
}

static json_t *froc_json(const struct measures *m)
{
    enum { RATES = 7 };
    static const double RATE[RATES] = {.125, .25, .5, 1, 2, 4, 8};
    struct froc f;
    struct froc_at place[RATES];
    struct measured of[RATES];
    struct interval sensitivity[RATES];
    size_t count;
    json_t *at = json_array();

    froc_make(&f, m->marks, m->rows->count);
    const struct froc_count n = froc_count(&f);
    struct froc_point *point = froc_curve(&f, &count);
    for (size_t i = 0; i < RATES; i++) {
        place[i] = (struct froc_at){&f, RATE[i]};
        of[i] = (struct measured){froc_sensitivity, &place[i]};
    }
    bootstrap_all(sensitivity, of, RATES, m);
    for (size_t i = 0; i < RATES; i++)
        json_array_append_new(at, json_pack("{s:f, s:o}", "false_per_image", RATE[i], "sensitivity",
                                            interval_json(sensitivity[i])));
    json_t *json =
        json_pack("{s:f, s:f, s:s, s:I, s:I, s:I, s:I, s:o, s:o}", "cut", FROC_CUT, "overlap", FROC_OVERLAP,
                  "lesions_of", m->malignant_lesions ? "malignant" : "all", "lesions", (json_int_t)n.lesions,
                  "found", (json_int_t)n.found, "false_marks", (json_int_t)n.wrong, "images",
                  (json_int_t)f.images, "at", at, "curve", measures_curve(count, froc_at, point));
    free(point);
    froc_release(&f);
    return json;
}

void measures_set(json_t *json, const struct measures *m)
{
    const bool calibrated = m->judged && m->calibration;
    struct scored s;

    scored_make(&s, m->rows);
    json_object_set_new(json, "precision_recall", precision_json(m, &s));
    json_object_set_new(json, "calibration", calibrated ? calibration_json(m, &s) : json_null());
    json_object_set_new(json, "risk_coverage", calibrated ? coverage_json(m, &s) : json_null());
    json_object_set_new(json, "levels", measures_levels(m));
    json_object_set_new(json, "strata", measures_strata(m));
    json_object_set_new(json, "froc", m->marks ? froc_json(m) : json_null());
    scored_release(&s);
}
