#include "eval/evaluate_opinions.h"

#include "base/csv.h"
#include "base/log.h"
#include "base/mem.h"
#include "eval/cases_opinions.h"
#include "eval/evaluate_items.h"
#include "eval/result_parts.h"
#include "eval/seen.h"

#include <stdlib.h>
#include <string.h>

struct job {
    const struct evaluation *e;
    struct predictor predictor;
    struct adviser adviser;
    struct eval_items items;
    struct band band;
    char thresholds[THRESHOLDS_TEXT];
    size_t left_out; /* images of patients that a network learned from */
};

static void job_release(struct job *j)
{
    predictor_close(&j->predictor);
    adviser_close(&j->adviser);
    eval_items_release(&j->items);
}

static bool check(const struct job *j, struct err *err)
{
    const struct run *run = &j->predictor.run;

    if (run->task != RUN_BLACK_BOX)
        return err_set(
            err, ERR_INPUT,
            "%s is a %s run: it gives no opinion that a classifier's could stand beside; a black-box "
            "run is wanted",
            run->folder, run_task_name(run->task));
    if (j->e->part == EVAL_TRAIN || j->e->part == EVAL_ALL)
        return err_set(
            err, ERR_INPUT,
            "two networks are measured on images that neither learned from: the validation part, the "
            "test part or another data set");
    return true;
}

/* Keeps the cases of patients that neither network learned from. */
static bool leave_out_seen(struct job *j, struct err *err)
{
    const struct manifest *m = &j->items.data;
    struct cases *c = &j->items.cases;
    bool *seen = mem_new(m->count + 1, sizeof *seen);
    const size_t all = c->count;
    size_t kept = 0;
    const bool ok =
        seen_mark(seen, m, &j->predictor.run, err) && seen_mark(seen, m, &j->adviser.predictor.run, err);

    for (size_t i = 0; i < all && ok; i++)
        if (!seen[c->of[i].item - m->item])
            c->of[kept++] = c->of[i];
    if (ok)
        c->count = kept;
    j->left_out = all - c->count;
    free(seen);
    if (ok && c->count == 0)
        return err_set(err, ERR_INPUT,
                       "%s: no image is left: all %zu are of patients that %s or %s learned from", m->folder,
                       all, j->predictor.run.folder, j->adviser.predictor.run.folder);
    if (ok && j->left_out > 0)
        log_info("%zu of %zu images are left out: a network learned from their patients", j->left_out, all);
    return ok;
}

/* One system's answers. */
struct system {
    const char *name;
    bool (*answer)(const struct eval_case *k, enum answer *out); /* false: it gives none */
};

static bool by_map(const struct eval_case *k, enum answer *out)
{
    *out = k->opinions.map;
    return true;
}

static bool by_classifier(const struct eval_case *k, enum answer *out)
{
    *out = k->opinions.classifier;
    return k->opinions.accord != ACCORD_ALONE;
}

static bool by_both(const struct eval_case *k, enum answer *out)
{
    *out = k->opinions.together;
    return true;
}

static const struct system SYSTEMS[] = {
    {"together", by_both}, {"map", by_map}, {"classifier", by_classifier}};

static void set_share(json_t *json, const char *key, struct share s)
{
    json_object_set_new(json, key, interval_json(interval_wilson(s)));
}

/* Two-class numbers are of the images that got an answer. */
static json_t *system_json(const struct system *s, const struct sample *sample)
{
    struct confusion decided = {0};
    size_t images[2] = {0, 0};
    enum answer a;

    for (size_t i = 0; i < sample->n; i++) {
        const bool malignant = case_is_malignant(sample->of[i]);
        if (!s->answer(sample->of[i], &a))
            continue;
        images[malignant]++;
        decided.three[malignant][a]++;
        if (a != ANSWER_UNCERTAIN)
            decided.n[malignant][a == ANSWER_MALIGNANT]++;
    }
    const size_t(*t)[ANSWER_COUNT] = decided.three, n = images[0] + images[1];
    json_t *json = json_pack("{s:s, s:I, s:[[I, I, I], [I, I, I]]}", "name", s->name, "images", (json_int_t)n,
                             "three_way", (json_int_t)t[0][0], (json_int_t)t[0][1], (json_int_t)t[0][2],
                             (json_int_t)t[1][0], (json_int_t)t[1][1], (json_int_t)t[1][2]);
    set_share(json, "uncertain", (struct share){t[0][ANSWER_UNCERTAIN] + t[1][ANSWER_UNCERTAIN], n});
    set_share(json, "accuracy_of_decided", confusion_accuracy(&decided));
    json_object_set_new(json, "majority_class_of_decided",
                        number_json(share_value(confusion_majority(&decided))));
    set_share(json, "sensitivity_of_decided", confusion_sensitivity(&decided));
    set_share(json, "specificity_of_decided", confusion_specificity(&decided));
    set_share(json, "malignant_called_benign", (struct share){t[1][ANSWER_BENIGN], images[1]});
    set_share(json, "benign_called_malignant", (struct share){t[0][ANSWER_MALIGNANT], images[0]});
    return json;
}

static json_t *accord_json(const struct sample *s)
{
    size_t n[ACCORD_COUNT] = {0};
    json_t *json = json_object();

    for (size_t i = 0; i < s->n; i++)
        n[s->of[i]->opinions.accord]++;
    for (int a = 0; a < ACCORD_COUNT; a++)
        json_object_set_new(json, accord_name((enum accord)a), json_integer((json_int_t)n[a]));
    return json;
}

static json_t *make_result(const struct job *j, size_t tests)
{
    struct sample s;
    json_t *data = eval_items_json(&j->items, tests), *systems = json_array();
    json_t *run = predictor_json(&j->predictor);
    size_t malignant = 0;

    sample_make(&s, &j->items.cases, 1);
    for (size_t i = 0; i < s.n; i++)
        malignant += case_is_malignant(s.of[i]);
    for (size_t i = 0; i < sizeof SYSTEMS / sizeof *SYSTEMS; i++)
        json_array_append_new(systems, system_json(&SYSTEMS[i], &s));
    json_object_set_new(data, "left_out", json_integer((json_int_t)j->left_out));
    json_object_set_new(run, "thresholds", json_string(j->thresholds));
    json_object_set_new(run, "low", json_real(j->band.low));
    json_object_set_new(run, "high", json_real(j->band.high));
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "format", "clearmass-opinions-1",
                  "program", EVAL_PROGRAM, "disclaimer", EVAL_DISCLAIMER, "run", run, "classifier",
                  adviser_json(&j->adviser), "data", data, "accord", accord_json(&s), "majority_class",
                  number_json(share_value(
                      (struct share){malignant > s.n - malignant ? malignant : s.n - malignant, s.n})),
                  "systems", systems, "unreadable", result_unreadable(&j->items.cases));
    sample_release(&s);
    return json;
}

static void put_case(struct buf *b, const struct eval_case *k)
{
    const struct opinions *o = &k->opinions;
    char why[OPINIONS_WHY];

    opinions_why(o, why);
    csv_put(b, k->id);
    csv_put(b, k->item->patient);
    csv_put(b, data_label_name(k->label));
    csv_put(b, k->part);
    csv_put(b, answer_name(o->together));
    csv_put(b, accord_name(o->accord));
    csv_putf(b, "%.17g", k->score);
    csv_put(b, answer_name(o->map));
    csv_putf(b, "%d", k->regions);
    if (o->accord == ACCORD_ALONE) {
        for (int i = 0; i < 3; i++)
            csv_put(b, "");
    } else {
        csv_putf(b, "%d", o->region + 1);
        csv_putf(b, "%.17g", o->malignant);
        csv_put(b, answer_name(o->classifier));
    }
    csv_put(b, why);
    csv_put_end(b);
}

static bool write_predictions(const struct job *j, const char *out, struct err *err)
{
    const struct cases *c = &j->items.cases;
    char *path = file_join(out, "predictions.csv");
    struct buf b = BUF_INIT;

    buf_adds(&b, "id,patient,label,part,answer,accord,score,map,regions,region,malignant,classifier,why\n");
    for (size_t i = 0; i < c->count; i++)
        if (c->of[i].read)
            put_case(&b, &c->of[i]);
    const bool ok = file_write(path, b.data, b.len, err);
    buf_release(&b);
    free(path);
    return ok;
}

static bool write_results(const struct job *j, const char *out, json_t **result, struct err *err)
{
    char *path = file_join(out, "result.json");
    json_t *json = NULL;
    size_t tests, tests_of_classifier;
    bool ok =
        eval_items_count_test(&j->items, &j->predictor, j->e->replay, &tests, err) &&
        eval_items_count_test(&j->items, &j->adviser.predictor, j->e->replay, &tests_of_classifier, err) &&
        write_predictions(j, out, err);

    if (ok) {
        json = make_result(j, tests > tests_of_classifier ? tests : tests_of_classifier);
        ok = json_file_write(path, json, err);
    }
    if (ok && result)
        *result = json_incref(json);
    json_decref(json);
    free(path);
    return ok;
}

static bool load_networks(struct job *j, struct err *err)
{
    const struct predictor_options how = {.batch = j->e->batch, .backend = j->e->backend};

    return predictor_load(&j->predictor, &how, err) && adviser_load(&j->adviser, &how, err) &&
           thresholds_in_force(&j->band, j->thresholds, &j->predictor, j->e->given, err);
}

static bool consult(struct job *j, const char *out, struct err *err)
{
    char *folder = file_join(out, "disagreements");
    const struct consultation c = {.predictor = &j->predictor,
                                   .adviser = &j->adviser,
                                   .band = j->band,
                                   .thresholds = j->thresholds,
                                   .data = j->items.data.folder,
                                   .folder = folder};
    const bool ok = cases_consult(&j->items.cases, &c, err);

    free(folder);
    return ok;
}

bool evaluate_opinions(const struct evaluation *e, json_t **result, struct err *err)
{
    struct job j = {.e = e, .predictor = PREDICTOR_INIT, .adviser = ADVISER_INIT, .items = EVAL_ITEMS_INIT};
    char *out = e->out ? mem_copy_string(e->out) : file_join(e->run, "opinions");
    const bool ok = predictor_open(&j.predictor, e->run, err) && check(&j, err) &&
                    adviser_open(&j.adviser, e->classifier, err) &&
                    eval_items_open(&j.items, e, &j.predictor.run, err) && leave_out_seen(&j, err) &&
                    load_networks(&j, err) && consult(&j, out, err) && eval_items_any_read(&j.items, err) &&
                    write_results(&j, out, result, err);

    job_release(&j);
    free(out);
    return ok;
}
