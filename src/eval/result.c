#include "eval/result.h"

#include "base/csv.h"
#include "base/mem.h"
#include "base/rng.h"
#include "eval/measures.h"
#include "eval/result_parts.h"
#include "eval/roc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

bool case_is_malignant(const struct eval_case *k)
{
    return k->label == LABEL_MALIGNANT;
}

void result_scores_make(struct result_scores *out, const struct cases *c)
{
    *out =
        (struct result_scores){mem_new(c->count + 1, sizeof(double)), mem_new(c->count + 1, sizeof(bool)), 0};
    for (size_t i = 0; i < c->count; i++) {
        if (!c->of[i].read)
            continue;
        out->score[out->n] = c->of[i].score;
        out->malignant[out->n++] = case_is_malignant(&c->of[i]);
    }
}

void result_scores_release(struct result_scores *s)
{
    free(s->score);
    free(s->malignant);
    *s = (struct result_scores){NULL, NULL, 0};
}

/* The cases that were read. Release it. */
static void rows_make(struct eval_rows *out, const struct result_input *in)
{
    const struct cases *c = in->cases;

    *out = (struct eval_rows){mem_new(c->count + 1, sizeof *out->of), 0, NULL, 0};
    for (size_t i = 0; i < c->count; i++) {
        const struct eval_case *k = &c->of[i];
        if (!k->read)
            continue;
        out->of[out->count++] =
            (struct eval_row){.id = k->id,
                              .image = k->item->id,
                              .patient = k->item->patient,
                              .side = k->item->side,
                              .view = k->item->view,
                              .density = k->item->density,
                              .assessment = k->item->assessment,
                              .subtlety = k->item->subtlety,
                              .label = k->label,
                              .score = k->score,
                              .dice = in->crops || k->overlap.truth == 0 ? NAN : overlap_dice(&k->overlap),
                              .answer = ANSWER_COUNT};
    }
    rows_number_patients(out);
}

void result_count(json_t *data, const struct cases *c)
{
    size_t by_label[LABEL_COUNT] = {0}, images = 0;
    struct sample s;

    sample_make(&s, c, 0);
    for (size_t i = 0; i < c->count; i++) {
        if (c->of[i].read) {
            images++;
            by_label[c->of[i].label]++;
        }
    }
    json_object_set_new(data, "images", json_integer((json_int_t)images));
    json_object_set_new(data, "patients", json_integer((json_int_t)s.groups));
    for (int l = 0; l < LABEL_COUNT; l++)
        json_object_set_new(data, data_label_name((enum data_label)l), json_integer((json_int_t)by_label[l]));
    sample_release(&s);
}

/* Numbers that could not be computed are null. */
json_t *number_json(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

json_t *interval_json(struct interval i)
{
    return json_pack("{s:o, s:o, s:o}", "value", number_json(i.value), "low", number_json(i.low), "high",
                     number_json(i.high));
}

void sample_make(struct sample *s, const struct cases *c, uint64_t seed)
{
    *s = (struct sample){.of = mem_new(c->count + 1, sizeof *s->of),
                         .group = mem_new(c->count + 1, sizeof *s->group),
                         .seed = seed};
    const char **patient = mem_new(c->count + 1, sizeof *patient);
    for (size_t i = 0; i < c->count; i++) {
        if (c->of[i].read) {
            patient[s->n] = c->of[i].item->patient;
            s->of[s->n++] = &c->of[i];
        }
    }
    s->groups = rows_group(s->group, patient, s->n);
    free(patient);
}

void sample_release(struct sample *s)
{
    free(s->of);
    free(s->group);
}

void sample_bootstrap_all(struct interval *out, const struct measured *of, size_t count,
                          const struct sample *s)
{
    interval_bootstrap_all(out, of, count,
                           &(struct bootstrap){.group = s->group,
                                               .n = s->n,
                                               .groups = s->groups,
                                               .draws = EVAL_BOOTSTRAP_DRAWS,
                                               .seed = s->seed});
}

struct interval sample_bootstrap(const struct sample *s, interval_statistic *statistic, const void *context)
{
    struct interval i;

    sample_bootstrap_all(&i, &(struct measured){statistic, context}, 1, s);
    return i;
}

/* A measure of one image, NAN where it has none. */
struct values {
    const double *v;
    size_t n;
};

static double weighted_mean(const void *values, const unsigned *weight)
{
    const struct values *x = values;
    double sum = 0, count = 0;

    for (size_t i = 0; i < x->n; i++) {
        if (weight[i] > 0 && !isnan(x->v[i])) {
            sum += weight[i] * x->v[i];
            count += weight[i];
        }
    }
    return count > 0 ? sum / count : NAN;
}

struct interval sample_mean(const struct sample *s, const double *value)
{
    return sample_bootstrap(s, weighted_mean, &(struct values){value, s->n});
}

static void roc_at(const void *context, size_t i, double v[3])
{
    const struct roc_point *p = &((const struct roc *)context)->point[i];

    v[0] = p->false_positive_rate;
    v[1] = p->true_positive_rate;
    v[2] = p->threshold;
}

static json_t *roc_json(const struct roc *roc)
{
    return measures_curve(roc->count, roc_at, roc);
}

/* The sensitivity at the last point of no more than each false positive rate, with Wilson's interval. */
static json_t *roc_shares(const struct roc *roc, const struct result_scores *s)
{
    static const double RATE[] = {.05, .1, .2, .3, .5};
    json_t *list = json_array();
    size_t positives = 0;

    for (size_t i = 0; i < s->n; i++)
        positives += s->malignant[i];
    for (size_t k = 0; k < sizeof RATE / sizeof *RATE && roc->count > 0; k++) {
        size_t at = 0;
        while (at + 1 < roc->count && roc->point[at + 1].false_positive_rate <= RATE[k] + 1e-12)
            at++;
        const double hits = roc->point[at].true_positive_rate * (double)positives;
        json_array_append_new(
            list, json_pack("{s:f, s:o, s:o}", "false_positive_rate", RATE[k], "sensitivity",
                            interval_json(interval_wilson((struct share){(size_t)lrint(hits), positives})),
                            "threshold", number_json(roc->point[at].threshold)));
    }
    return list;
}

static json_t *score_json(const struct sample *s, const struct result_scores *scores)
{
    struct ranking r;
    struct roc roc;

    ranking_make(&r, scores->score, scores->malignant, scores->n);
    roc_make(&roc, &r);
    const bool tells = ranking_tells(&r) && s->groups > 1;
    const struct interval auc =
        tells ? sample_bootstrap(s, ranking_auc, &r) : (struct interval){NAN, NAN, NAN};
    json_t *json = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "auc", number_json(auc.value), "auc_low",
                             number_json(auc.low), "auc_high", number_json(auc.high), "auc_standard_error",
                             number_json(tells ? ranking_auc_error(&r) : NAN), "roc", roc_json(&roc), "at",
                             roc_shares(&roc, scores));
    roc_release(&roc);
    ranking_release(&r);
    return json;
}

static void set_share(json_t *json, const char *key, struct share s)
{
    json_object_set_new(json, key, interval_json(interval_wilson(s)));
}

/* Cases of every patient by truth and answer: a draw takes patients whole. */
struct answered {
    size_t (*n)[2][2]; /* [patients][actual][answer] */
    size_t patients;
};

static struct answered answered_make(const struct decision *d, const struct result_scores *s,
                                     const struct sample *sample)
{
    struct answered a = {mem_new(sample->groups + 1, sizeof *a.n), sample->groups};

    for (size_t i = 0; i < s->n; i++)
        a.n[sample->group[i]][s->malignant[i]][s->score[i] >= d->band.low]++;
    return a;
}

static struct confusion count_answers(const void *answered, const unsigned *times)
{
    const struct answered *a = answered;
    struct confusion c = {0};

    for (size_t p = 0; p < a->patients; p++)
        for (int k = 0; k < 4; k++)
            c.n[k / 2][k % 2] += times[p] * a->n[p][k / 2][k % 2];
    return c;
}

static double f1_malignant(const void *answered, const unsigned *weight)
{
    const struct confusion c = count_answers(answered, weight);
    return confusion_f1(&c, 1);
}

static double f1_benign(const void *answered, const unsigned *weight)
{
    const struct confusion c = count_answers(answered, weight);
    return confusion_f1(&c, 0);
}

static double f1_macro(const void *answered, const unsigned *weight)
{
    const struct confusion c = count_answers(answered, weight);
    return confusion_f1_macro(&c);
}

static double balanced_accuracy(const void *answered, const unsigned *weight)
{
    const struct confusion c = count_answers(answered, weight);
    return confusion_balanced_accuracy(&c);
}

/* Of numbers that are no shares of cases: by patients. */
static json_t *decision_intervals(const struct answered *a, uint64_t seed)
{
    const struct measured of[] = {{f1_malignant, a}, {f1_benign, a}, {f1_macro, a}, {balanced_accuracy, a}};
    size_t *own = mem_new(a->patients + 1, sizeof *own); /* every patient is one item */
    struct interval i[4];

    for (size_t p = 0; p < a->patients; p++)
        own[p] = p;
    interval_bootstrap_all(i, of, 4,
                           &(struct bootstrap){.group = own,
                                               .n = a->patients,
                                               .groups = a->patients,
                                               .draws = EVAL_BOOTSTRAP_DRAWS,
                                               .seed = seed});
    free(own);
    return json_pack("{s:o, s:o, s:o, s:o}", "f1", interval_json(i[0]), "f1_benign", interval_json(i[1]),
                     "f1_macro", interval_json(i[2]), "balanced_accuracy", interval_json(i[3]));
}

/* Patients with an image of that class, and those of them who have one on the wrong side: the unit of a
 * promise (guarantee.h). */
static struct share wrong_patients(const struct band *band, const struct result_scores *s,
                                   const struct sample *sample, bool malignant)
{
    bool *has = mem_new(sample->groups + 1, sizeof *has), *wrong = mem_new(sample->groups + 1, sizeof *wrong);
    struct share out = {0, 0};

    for (size_t i = 0; i < s->n; i++) {
        if (s->malignant[i] != malignant)
            continue;
        has[sample->group[i]] = true;
        wrong[sample->group[i]] |= malignant ? s->score[i] < band->low : s->score[i] > band->high;
    }
    for (size_t p = 0; p < sample->groups; p++) {
        out.n += has[p];
        out.hits += wrong[p];
    }
    free(has);
    free(wrong);
    return out;
}

static json_t *decision_json(const struct decision *d, const struct result_scores *s,
                             const struct sample *sample)
{
    struct confusion c = {0};

    for (size_t i = 0; i < s->n; i++)
        confusion_add(&c, d->band, s->score[i], s->malignant[i]);
    json_t *json = json_pack("{s:s, s:f, s:f, s:s?}", "name", d->name, "low", d->band.low, "high",
                             d->band.high, "chosen_on", d->chosen_on);
    if (d->chosen_on) {
        json_object_set_new(json, "chosen_on_same_images", json_boolean(d->same_images));
    }
    if (d->promise.confidence > 0) {
        json_object_set_new(json, "miss_rate", json_real(d->promise.miss_rate));
        json_object_set_new(json, "confidence", json_real(d->promise.confidence));
    } else if (d->chosen_on) {
        json_object_set_new(json, "wanted_sensitivity", json_real(d->wish.sensitivity));
        json_object_set_new(json, "wanted_specificity", json_real(d->wish.specificity));
    }
    json_object_set_new(json, "confusion",
                        json_pack("[[I, I], [I, I]]", (json_int_t)c.n[0][0], (json_int_t)c.n[0][1],
                                  (json_int_t)c.n[1][0], (json_int_t)c.n[1][1]));
    json_object_set_new(json, "three_way",
                        json_pack("[[I, I, I], [I, I, I]]", (json_int_t)c.three[0][0],
                                  (json_int_t)c.three[0][1], (json_int_t)c.three[0][2],
                                  (json_int_t)c.three[1][0], (json_int_t)c.three[1][1],
                                  (json_int_t)c.three[1][2]));
    set_share(json, "accuracy", confusion_accuracy(&c));
    json_object_set_new(json, "majority_class", number_json(share_value(confusion_majority(&c))));
    set_share(json, "sensitivity", confusion_sensitivity(&c));
    set_share(json, "specificity", confusion_specificity(&c));
    set_share(json, "ppv", confusion_ppv(&c));
    set_share(json, "npv", confusion_npv(&c));
    json_object_set_new(json, "f1", number_json(confusion_f1(&c, 1)));
    json_object_set_new(json, "f1_benign", number_json(confusion_f1(&c, 0)));
    json_object_set_new(json, "f1_macro", number_json(confusion_f1_macro(&c)));
    json_object_set_new(json, "balanced_accuracy", number_json(confusion_balanced_accuracy(&c)));
    struct answered answered = answered_make(d, s, sample);
    json_object_set_new(json, "intervals", decision_intervals(&answered, sample->seed));
    free(answered.n);
    set_share(json, "specificity_at_high", confusion_specificity_at_high(&c));
    set_share(json, "uncertain", confusion_uncertain(&c));
    set_share(json, "malignant_called_benign", confusion_missed(&c));
    set_share(json, "benign_called_malignant", confusion_called(&c));
    set_share(json, "wrong_of_answered", confusion_wrong_of_answered(&c));
    set_share(json, "patients_malignant_called_benign", wrong_patients(&d->band, s, sample, true));
    set_share(json, "patients_benign_called_malignant", wrong_patients(&d->band, s, sample, false));
    return json;
}

json_t *result_unreadable(const struct cases *c)
{
    json_t *list = json_array();

    for (size_t i = 0; i < c->count; i++)
        if (!c->of[i].read)
            json_array_append_new(
                list, json_pack("{s:s, s:o}", "id", c->of[i].id, "error", json_text(c->of[i].error)));
    return list;
}

/* What the paper reports for the same task, to stand beside; the intervals are Wilson's for its accuracies.
 */
static json_t *paper_json(bool crops)
{
    if (crops)
        return json_pack("{s:s, s:i, s:{s:f, s:f, s:f}, s:f, s:n}", "what", "lesion crops, frozen ResNet50",
                         "cases", 238, "accuracy", "value", .51, "low", .447, "high", .573, "majority_class",
                         .618, "dice");
    return json_pack("{s:s, s:i, s:{s:f, s:f, s:f}, s:f, s:f}", "what",
                     "whole mammograms at 224 pixels, black-box U-Net", "cases", 275, "accuracy", "value",
                     .58, "low", .521, "high", .637, "majority_class", .607, "dice", .54);
}

static void measure_more(json_t *json, const struct result_input *in)
{
    struct eval_rows rows;
    struct marks *marks = mem_new(in->cases->count + 1, sizeof *marks);
    size_t n = 0;

    rows_make(&rows, in);
    for (size_t i = 0; i < in->cases->count; i++)
        if (in->cases->of[i].read)
            marks[n++] = in->cases->of[i].marks; /* borrowed */
    measures_set(json,
                 &(struct measures){.rows = &rows,
                                    .crops = in->crops,
                                    .judged = in->decisions > 0,
                                    .malignant_lesions = in->decisions > 0,
                                    .marks = in->crops ? NULL : marks,
                                    .band = in->decisions > 0 ? &in->decision[in->decisions - 1].band : NULL,
                                    .calibration = in->calibration,
                                    .same_images = in->same_images,
                                    .seed = in->seed});
    free(marks);
    rows_release(&rows);
}

void result_measure(json_t *json, const struct result_input *in)
{
    struct result_scores scores;
    struct sample s;
    json_t *decisions = json_array();

    result_scores_make(&scores, in->cases);
    sample_make(&s, in->cases, in->seed);
    if (in->crops)
        json_object_set_new(json, "cam", result_cam(&s));
    else
        json_object_set_new(json, "overlap", result_overlap(&s, in->batch));
    json_object_set_new(json, "score", score_json(&s, &scores));
    for (size_t i = 0; i < in->decisions; i++)
        json_array_append_new(decisions, decision_json(&in->decision[i], &scores, &s));
    json_object_set_new(json, "decisions", decisions);
    json_object_set_new(json, "answers_by",
                        in->decisions > 0 ? json_string(in->decision[in->decisions - 1].name) : json_null());
    measure_more(json, in);
    json_object_set_new(json, "unreadable", result_unreadable(in->cases));
    json_object_set_new(json, "paper", paper_json(in->crops));
    json_object_set_new(json, "cannot_tell", result_cannot_tell(&s, in->crops ? "crop" : "image"));
    sample_release(&s);
    result_scores_release(&scores);
}

static void put_measure(struct buf *b, bool measured, double value)
{
    if (measured)
        csv_putf(b, "%.17g", value);
    else
        csv_put(b, "");
}

static void put_overlap(struct buf *b, const struct eval_case *k)
{
    const bool measured = k->overlap.truth > 0;

    put_measure(b, measured, overlap_dice(&k->overlap));
    put_measure(b, measured, overlap_iou(&k->overlap));
    csv_putf(b, "%zu", k->overlap.truth);
    csv_putf(b, "%zu", k->overlap.predicted);
    csv_putf(b, "masks/%s.png", k->id);
}

static void put_cam(struct buf *b, const struct eval_case *k)
{
    csv_put(b, !k->cam.somewhere ? "" : k->cam.hit ? "1" : "0");
    put_measure(b, k->cam.somewhere, k->cam.energy);
    put_measure(b, k->cam.somewhere, k->cam.region_share);
    csv_putf(b, "cam/%s.png", k->id);
    if (k->has_roi)
        csv_putf(b, "roi/%s.png", k->id);
    else
        csv_put(b, "");
    csv_put(b, k->crop_path);
}

/* What follows the columns that every kind of case has. */
struct columns {
    const char *names;
    void (*put)(struct buf *b, const struct eval_case *k);
};
static const struct columns MAPS = {"dice,iou,truth_pixels,predicted_pixels,mask", put_overlap};
static const struct columns CROPS = {"cam_hit,cam_energy,region_share,cam,roi,crop", put_cam};

static void put_case(struct buf *b, const struct eval_case *k, const struct decision *in_force,
                     const struct columns *more)
{
    csv_put(b, k->id);
    csv_put(b, k->item->patient);
    csv_put(b, data_label_name(k->label));
    csv_put(b, k->part);
    csv_putf(b, "%.17g", k->score);
    csv_put(b, in_force ? answer_name(band_answer(in_force->band, k->score)) : "");
    more->put(b, k);
    csv_put(b, k->item->id);
    csv_put(b, k->item->side);
    csv_put(b, k->item->view);
    csv_put(b, k->item->density);
    csv_put(b, k->item->assessment);
    csv_put(b, k->item->subtlety);
    csv_put_end(b);
}

bool result_write_predictions(const char *path, const struct result_input *in, struct err *err)
{
    const struct columns *more = in->crops ? &CROPS : &MAPS;
    struct buf b = BUF_INIT;

    buf_addf(&b, "id,patient,label,part,score,answer,%s,image,side,view,density,assessment,subtlety\n",
             more->names);
    for (size_t i = 0; i < in->cases->count; i++)
        if (in->cases->of[i].read)
            put_case(&b, &in->cases->of[i], in->decisions > 0 ? &in->decision[in->decisions - 1] : NULL,
                     more);
    bool ok = file_write(path, b.data, b.len, err);
    buf_release(&b);
    return ok;
}
