#include "eval/evaluate.h"

#include "base/csv.h"
#include "base/log.h"
#include "base/mem.h"
#include "eval/result.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WISH .9
enum { SOFT_DICE_BATCH = 16 }; /* where the run tells no batch of its training */

static const char *const PART[EVAL_PART_COUNT] = {[EVAL_DEFAULT] = "",
                                                  [EVAL_VALIDATION] = "validation",
                                                  [EVAL_TRAIN] = "train",
                                                  [EVAL_TEST] = "test",
                                                  [EVAL_ALL] = "all"};

bool eval_part_parse(const char *text, enum eval_part *out)
{
    for (int i = EVAL_VALIDATION; i < EVAL_PART_COUNT; i++) {
        if (!strcmp(text, PART[i])) {
            *out = (enum eval_part)i;
            return true;
        }
    }
    return false;
}

/* One evaluation while it is made. */
struct job {
    const struct evaluation *e;
    struct predictor predictor;
    struct manifest data;
    struct split split; /* of the run's own data set; empty for another */
    struct crops crops; /* of the data set, for a classifier */
    bool judges_crops, external;
    enum eval_part part;
    struct cases cases;
    bool has_test; /* images of the test part, or external ones, are among the cases */
    struct score_calibration calibration;
    bool calibrated;
    struct decision decision[EVAL_DECISIONS];
    size_t decisions;
};

static void job_release(struct job *j)
{
    predictor_close(&j->predictor);
    manifest_release(&j->data);
    split_release(&j->split);
    crops_release(&j->crops);
    cases_release(&j->cases);
    score_calibration_release(&j->calibration);
}

static bool open_data(struct job *j, struct err *err)
{
    const struct run *run = &j->predictor.run;
    const char *folder = j->e->data ? j->e->data : run->data_path;

    if (!*folder)
        return err_set(err, ERR_INPUT, "%s: a %s run has no data set of its own; name one", run->folder,
                       run_task_name(run->task));
    j->judges_crops = run_is_classifier(run);
    if (!manifest_read(&j->data, folder, err) || (j->judges_crops && !crops_find(&j->crops, &j->data, err)))
        return false;
    j->external = strcmp(j->data.sha256, run->manifest_sha256) != 0;
    j->part = j->e->part != EVAL_DEFAULT ? j->e->part : j->external ? EVAL_ALL : EVAL_VALIDATION;
    if (j->external && j->part == EVAL_VALIDATION)
        return err_set(err, ERR_INPUT,
                       "%s is not the data set that %s was trained on: it has no validation part", folder,
                       run->folder);
    return j->external || run_split(&j->split, run, &j->data, err);
}

/* The part of item i: the run's own split, or, on another data set, its official part. */
static enum data_part part_of(const struct job *j, size_t i)
{
    if (!j->external)
        return j->split.part[i];
    return j->data.item[i].part == PART_TEST ? PART_TEST : PART_TRAIN;
}

/* Item i of the data set, and in *image the row of its image. */
static struct eval_case item_at(const struct job *j, size_t i, size_t *image)
{
    if (!j->judges_crops) {
        *image = i;
        return (struct eval_case){
            .id = j->data.item[i].id, .item = &j->data.item[i], .label = j->data.item[i].label};
    }
    *image = j->crops.crop[i].image;
    return (struct eval_case){.id = j->crops.crop[i].id,
                              .item = crop_image(&j->crops, i),
                              .label = j->crops.crop[i].label,
                              .crop = i};
}

static bool choose_cases(struct job *j, struct err *err)
{
    const size_t count = j->judges_crops ? j->crops.count : j->data.count;
    size_t image;

    j->cases.of = mem_try(count + 1, sizeof *j->cases.of, err);
    if (!j->cases.of)
        return false;
    for (size_t i = 0; i < count; i++) {
        struct eval_case k = item_at(j, i, &image);
        k.part = data_part_name(part_of(j, image));
        if (j->part != EVAL_ALL && strcmp(k.part, PART[j->part]) != 0)
            continue;
        j->has_test |= j->external || part_of(j, image) == PART_TEST;
        k.part = j->external ? "external" : k.part;
        j->cases.of[j->cases.count++] = k;
    }
    if (j->cases.count == 0)
        return err_set(err, ERR_INPUT, "%s: no %s in the %s part", j->data.folder,
                       j->judges_crops ? "crop" : "image", PART[j->part]);
    return true;
}

/* On the validation part: choose and store. */
static bool choose_thresholds(struct job *j, struct decision *d, bool *found, struct err *err)
{
    const double s = j->e->wish.sensitivity, p = j->e->wish.specificity;
    struct thresholds t = {.wish = {s != 0 ? s : WISH, p != 0 ? p : WISH}};
    struct result_scores scores;
    struct err why = ERR_INIT;

    result_scores_make(&scores, &j->cases);
    const struct referral_cases known = {scores.score, scores.malignant, scores.n};
    t.images = scores.n;
    *found = referral_choose(&t.band, &known, t.wish, &why);
    result_scores_release(&scores);
    if (!*found) {
        log_warn("no thresholds are chosen: %s", why.text);
        return true;
    }
    *d = (struct decision){"chosen", t.band, "validation", true, t.wish, {0, 0}};
    return thresholds_write(&t, &j->predictor, err);
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
    if (!(j->part == EVAL_VALIDATION ? choose_thresholds : use_thresholds)(j, &chosen, &found, err))
        return false;
    if (!j->e->given)
        j->decision[j->decisions++] = (struct decision){fixed.name, fixed.band, NULL, false, {0, 0}, {0, 0}};
    if (found)
        j->decision[j->decisions++] = chosen;
    if (!read_calibration(j, err))
        return false;
    if (j->calibration.guaranteed)
        j->decision[j->decisions++] = (struct decision){"guaranteed", j->calibration.promise.band,
                                                        "validation", j->part == EVAL_VALIDATION,
                                                        {0, 0},       j->calibration.wish};
    if (j->e->given) {
        const struct band *g = j->e->given;
        const struct band band = {isnan(g->low) ? fixed.band.low : g->low,
                                  isnan(g->high) ? fixed.band.high : g->high};
        if (band.low > band.high)
            return err_set(err, ERR_INPUT, "the low threshold %g lies above the high one %g", band.low,
                           band.high);
        j->decision[j->decisions++] = (struct decision){"given", band, NULL, false, {0, 0}, {0, 0}};
    }
    return true;
}

/* Adds a row for this look at test images; *count becomes the looks at this data set. */
static bool count_test(const struct job *j, size_t *count, struct err *err)
{
    static const char HEADER[] = "time,program,part,manifest_sha256,images,weights_sha256\n";
    char *path = run_path(&j->predictor.run, "test_evaluations.csv");
    struct csv old = CSV_INIT;
    struct buf b = BUF_INIT;
    char now[32];
    const time_t seconds = time(NULL);
    struct tm utc;
    bool ok = true;

    *count = 0;
    buf_adds(&b, HEADER);
    if (file_exists(path)) {
        ok = csv_read(&old, path, err);
        const int manifest = csv_column(&old, "manifest_sha256");
        for (size_t i = 0; i < old.count; i++) {
            *count += !strcmp(csv_get(&old, i, manifest), j->data.sha256);
            for (size_t k = 0; k < old.row[i].count; k++)
                csv_put(&b, old.row[i].field[k]);
            csv_put_end(&b);
        }
    }
    gmtime_r(&seconds, &utc);
    strftime(now, sizeof now, "%Y-%m-%dT%H:%M:%SZ", &utc);
    if (j->has_test) {
        ++*count;
        csv_put(&b, now);
        csv_put(&b, EVAL_PROGRAM);
        csv_put(&b, j->external ? "external" : PART[j->part]);
        csv_put(&b, j->data.sha256);
        csv_putf(&b, "%zu", j->cases.count);
        csv_put(&b, j->predictor.weights_sha256);
        csv_put_end(&b);
        ok = ok && file_write(path, b.data, b.len, err);
    }
    csv_release(&old);
    buf_release(&b);
    free(path);
    return ok;
}

static size_t training_batch(const struct run *run)
{
    const json_int_t batch =
        json_integer_value(json_object_get(json_object_get(run->json, "train"), "batch"));

    return batch > 0 ? (size_t)batch : SOFT_DICE_BATCH;
}

static json_t *make_result(const struct job *j, const struct result_input *in, size_t tests)
{
    json_t *data = json_pack(
        "{s:o, s:s, s:s, s:b}", "path", json_text(j->data.folder), "manifest_sha256", j->data.sha256, "part",
        j->external && j->part == EVAL_ALL ? "external" : PART[j->part], "external", j->external);
    json_t *json = json_pack("{s:s, s:s, s:s, s:o}", "format", "clearmass-result-1", "program", EVAL_PROGRAM,
                             "disclaimer", EVAL_DISCLAIMER, "run", predictor_json(&j->predictor));

    result_count(data, &j->cases);
    json_object_set_new(data, "unit", json_string(j->judges_crops ? "crop" : "image"));
    json_object_set_new(data, "test_evaluations", json_integer((json_int_t)tests));
    json_object_set_new(json, "data", data);
    result_measure(json, in);
    return json;
}

static bool any_read(const struct job *j, struct err *err)
{
    for (size_t i = 0; i < j->cases.count; i++)
        if (j->cases.of[i].read)
            return true;
    return err_set(err, ERR_INPUT, "not one image could be read; the first: %s", j->cases.of[0].error);
}

static bool write_results(struct job *j, const char *out, json_t **result, struct err *err)
{
    const struct result_input in = {.cases = &j->cases,
                                    .crops = j->judges_crops,
                                    .decision = j->decision,
                                    .decisions = j->decisions,
                                    .calibration = j->calibrated ? &j->calibration : NULL,
                                    .batch = training_batch(&j->predictor.run),
                                    .seed = j->e->seed};
    char *predictions = file_join(out, "predictions.csv"), *path = file_join(out, "result.json");
    json_t *json = NULL;
    size_t tests;
    bool ok = count_test(j, &tests, err) && result_write_predictions(predictions, &in, err);

    if (ok) {
        json = make_result(j, &in, tests);
        ok = json_file_write(path, json, err);
    }
    if (ok && result)
        *result = json_incref(json);
    json_decref(json);
    free(predictions);
    free(path);
    return ok;
}

/* Maps, or, for a classifier, probabilities with Grad-CAM. */
static bool predict(struct job *j, const char *out, struct err *err)
{
    char *folder = file_join(out, j->judges_crops ? "cam" : "masks");
    const bool ok = j->judges_crops ? cases_judge(&j->cases, &j->predictor, &j->crops, folder, err)
                                    : cases_predict(&j->cases, &j->predictor, &j->data, folder, err);

    free(folder);
    return ok;
}

bool evaluate(const struct evaluation *e, json_t **result, struct err *err)
{
    struct job j = {.e = e,
                    .predictor = PREDICTOR_INIT,
                    .data = MANIFEST_INIT,
                    .split = SPLIT_INIT,
                    .crops = CROPS_INIT,
                    .cases = CASES_INIT,
                    .calibration = SCORE_CALIBRATION_INIT};
    char *out = e->out ? mem_copy_string(e->out) : file_join(e->run, "evaluation");
    const struct predictor_options how = {.batch = e->batch, .backend = e->backend};
    bool ok = predictor_open(&j.predictor, e->run, err) && open_data(&j, err) && choose_cases(&j, err) &&
              predictor_load(&j.predictor, &how, err) && predict(&j, out, err) && any_read(&j, err) &&
              make_decisions(&j, err) && write_results(&j, out, result, err);

    job_release(&j);
    free(out);
    return ok;
}
