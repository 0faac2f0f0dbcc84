#include "eval/evaluate.h"

#include "base/log.h"
#include "base/mem.h"
#include "eval/evaluate_items.h"
#include "eval/machine.h"
#include "eval/result_parts.h"

#include <stdlib.h>
#include <string.h>

#define WISH .9
enum { SOFT_DICE_BATCH = 16 }; /* where the run tells no batch of its training */

/* One evaluation while it is made. */
struct job {
    const struct evaluation *e;
    struct predictor predictor;
    struct eval_items items;
    struct score_calibration calibration;
    bool calibrated;
    struct decision decision[EVAL_DECISIONS];
    size_t decisions;
};

static void job_release(struct job *j)
{
    predictor_close(&j->predictor);
    eval_items_release(&j->items);
    score_calibration_release(&j->calibration);
}

/* On the validation part: choose and store. */
static bool choose_thresholds(struct job *j, struct decision *d, bool *found, struct err *err)
{
    const double s = j->e->wish.sensitivity, p = j->e->wish.specificity;
    struct thresholds t = {.wish = {s != 0 ? s : WISH, p != 0 ? p : WISH}};
    struct result_scores scores;
    struct err why = ERR_INIT;

    result_scores_make(&scores, &j->items.cases);
    const struct referral_cases known = {scores.score, scores.malignant, scores.n};
    t.images = scores.n;
    *found = referral_choose(&t.band, &known, t.wish, &why);
    result_scores_release(&scores);
    if (!*found) {
        log_warn("no thresholds are chosen: %s", why.text);
        return true;
    }
    *d = (struct decision){"chosen", t.band, "validation", true, t.wish, {0, 0}};
    return j->e->replay || thresholds_write(&t, &j->predictor, err);
}

static bool use_thresholds(struct job *j, struct decision *d, bool *found, struct err *err)
{
    struct thresholds t;

    if (!thresholds_read(&t, &j->predictor, found, err))
        return false;
    if (*found)
        *d = (struct decision){"chosen", t.band, "validation", false, t.wish, {0, 0}};
    else
        log_info(
            "No thresholds have been chosen for this run: an evaluation of its validation part does that.");
    return true;
}

static bool read_calibration(struct job *j, struct err *err)
{
    if (j->e->uncalibrated)
        return true;
    return score_calibration_read(&j->calibration, &j->predictor.run, j->predictor.weights_sha256,
                                  &j->calibrated, err);
}

/* The last decision is in force: thresholds that were given, else guaranteed, else chosen, else fixed. */
static bool make_decisions(struct job *j, struct err *err)
{
    struct fixed_thresholds fixed;
    struct decision chosen;
    bool found = false;

    if (!thresholds_fixed(&fixed, j->predictor.run.task))
        return true;
    if (!(j->items.part == EVAL_VALIDATION ? choose_thresholds : use_thresholds)(j, &chosen, &found, err))
        return false;
    if (!j->e->given)
        j->decision[j->decisions++] = (struct decision){fixed.name, fixed.band, NULL, false, {0, 0}, {0, 0}};
    if (found)
        j->decision[j->decisions++] = chosen;
    if (!read_calibration(j, err))
        return false;
    if (j->calibration.guaranteed)
        j->decision[j->decisions++] = (struct decision){"guaranteed", j->calibration.promise.band,
                                                        "validation", j->items.part == EVAL_VALIDATION,
                                                        {0, 0},       j->calibration.wish};
    if (j->e->given) {
        struct band band;
        if (!thresholds_complete(&band, j->e->given, fixed.band, err))
            return false;
        j->decision[j->decisions++] = (struct decision){"given", band, NULL, false, {0, 0}, {0, 0}};
    }
    return true;
}

static size_t training_batch(const struct run *run)
{
    const json_int_t batch =
        json_integer_value(json_object_get(json_object_get(run->json, "train"), "batch"));

    return batch > 0 ? (size_t)batch : SOFT_DICE_BATCH;
}

/* What the caller chose, as far as numbers depend on it. */
static json_t *options_json(const struct job *j)
{
    const struct evaluation *e = j->e;
    const double s = e->wish.sensitivity, p = e->wish.specificity;

    return json_pack(
        "{s:I, s:i, s:o, s:f, s:f}", "seed", (json_int_t)e->seed, "batch", j->predictor.batch, "given",
        e->given ? json_pack("[o, o]", number_json(e->given->low), number_json(e->given->high)) : json_null(),
        "wanted_sensitivity", s != 0 ? s : WISH, "wanted_specificity", p != 0 ? p : WISH);
}

static json_t *make_result(const struct job *j, const struct result_input *in, size_t tests)
{
    json_t *json = json_pack("{s:s, s:s, s:s, s:o, s:o}", "format", "clearmass-result-1", "program",
                             EVAL_PROGRAM, "disclaimer", EVAL_DISCLAIMER, "run",
                             predictor_json(&j->predictor), "data", eval_items_json(&j->items, tests));

    json_object_set_new(json, "options", options_json(j));
    json_object_set_new(json, "machine", machine_json());
    result_measure(json, in);
    return json;
}

static bool write_results(struct job *j, const char *out, json_t **result, struct err *err)
{
    const struct result_input in = {.cases = &j->items.cases,
                                    .crops = j->items.judges_crops,
                                    .decision = j->decision,
                                    .decisions = j->decisions,
                                    .calibration = j->calibrated ? &j->calibration : NULL,
                                    .same_images = j->items.part == EVAL_VALIDATION,
                                    .batch = training_batch(&j->predictor.run),
                                    .seed = j->e->seed};
    char *predictions = file_join(out, "predictions.csv"), *path = file_join(out, "result.json"),
         *regions = file_join(out, "regions.csv");
    json_t *json = NULL;
    size_t tests;
    bool ok = eval_items_count_test(&j->items, &j->predictor, j->e->replay, &tests, err) &&
              result_write_predictions(predictions, &in, err) &&
              (in.crops || result_write_regions(regions, &in, err));

    if (ok) {
        json = make_result(j, &in, tests);
        ok = json_file_write(path, json, err);
    }
    if (ok && result)
        *result = json_incref(json);
    json_decref(json);
    free(predictions);
    free(regions);
    free(path);
    return ok;
}

/* Maps, or, for a classifier, probabilities with Grad-CAM. */
static bool predict(struct job *j, const char *out, struct err *err)
{
    struct eval_items *it = &j->items;

    if (it->judges_crops)
        return cases_judge(&it->cases, &j->predictor, &it->crops, out, err);
    char *folder = file_join(out, "masks");
    const bool ok = cases_predict(&it->cases, &j->predictor, &it->data, folder, err);
    free(folder);
    return ok;
}

bool evaluate(const struct evaluation *e, json_t **result, struct err *err)
{
    struct job j = {
        .e = e, .predictor = PREDICTOR_INIT, .items = EVAL_ITEMS_INIT, .calibration = SCORE_CALIBRATION_INIT};
    char *out = e->out ? mem_copy_string(e->out) : file_join(e->run, "evaluation");
    const struct predictor_options how = {.batch = e->batch, .backend = e->backend};
    bool ok =
        predictor_open(&j.predictor, e->run, err) && eval_items_open(&j.items, e, &j.predictor.run, err) &&
        predictor_load(&j.predictor, &how, err) && predict(&j, out, err) &&
        eval_items_any_read(&j.items, err) && make_decisions(&j, err) && write_results(&j, out, result, err);

    job_release(&j);
    free(out);
    return ok;
}
