#include "eval/calibrate.h"

#include "base/log.h"
#include "base/mem.h"
#include "eval/predict.h"
#include "eval/rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT    "clearmass-calibration-1"
#define FILE_NAME "calibration.json"
#define SMALLEST  1e-12

static const char *const SCALE[] = {[SCORE_LOG] = "log", [SCORE_LOGIT] = "logit"};

double score_scaled(enum score_scale scale, double score)
{
    if (scale == SCORE_LOG)
        return log(fmax(score, SMALLEST));
    const double p = fmin(fmax(score, SMALLEST), 1 - SMALLEST);
    return log(p) - log1p(-p);
}

void score_calibration_release(struct score_calibration *c)
{
    isotonic_release(&c->isotonic);
    *c = (struct score_calibration)SCORE_CALIBRATION_INIT;
}

static const char *text_at(const json_t *json, const char *first, const char *second)
{
    const char *text = json_string_value(json_object_get(json_object_get(json, first), second));

    return text ? text : "";
}

/* The evaluation must be of this run's validation part and best weights. */
static bool check_evaluation(const struct predictions *p, const struct run *run, const char *weights,
                             struct err *err)
{
    const char *part = text_at(p->result, "data", "part");

    if (run->task != RUN_BLACK_BOX && run->task != RUN_CLASSIFY)
        return err_set(err, ERR_INPUT, "%s: the score of a %s run is no opinion on malignancy", run->folder,
                       run_task_name(run->task));
    if (strcmp(text_at(p->result, "data", "manifest_sha256"), run->manifest_sha256) != 0 ||
        strcmp(part, "validation") != 0)
        return err_set(err, ERR_INPUT,
                       "%s holds the %s part of %s; thresholds are chosen on the run's own validation part: "
                       "'clearmass evaluate %s --part validation' first",
                       p->folder, part, text_at(p->result, "data", "path"), run->folder);
    if (strcmp(text_at(p->result, "run", "weights_sha256"), weights) != 0)
        return err_set(err, ERR_INPUT, "%s was made with other weights than %s has now: evaluate again",
                       p->folder, run->folder);
    return true;
}

static bool fit(struct score_calibration *c, const struct scored *s, struct err *err)
{
    double *x = mem_new(s->n + 1, sizeof *x);
    const struct calibration_cases cases = {x, s->malignant, s->n};

    for (size_t i = 0; i < s->n; i++) {
        x[i] = score_scaled(c->scale, s->score[i]);
        c->malignant += s->malignant[i];
    }
    c->fitted = platt_fit(&c->platt, &cases) && isotonic_fit(&c->isotonic, &cases);
    free(x);
    if (c->fitted)
        return true;
    if (c->malignant == 0 || c->malignant == s->n)
        return err_set(err, ERR_INPUT, "nothing to calibrate on: no image that is %smalignant",
                       c->malignant == 0 ? "" : "not ");
    return err_set(err, ERR_INPUT, "nothing to calibrate on: all %zu images have the same score", s->n);
}

static json_t *side_json(const struct guarantee_side *s)
{
    return json_pack("{s:I, s:I, s:I, s:f}", "patients", (json_int_t)s->patients, "allowed",
                     (json_int_t)s->allowed, "wrong", (json_int_t)s->wrong, "bound", s->bound);
}

static json_t *promise_json(const struct score_calibration *c)
{
    if (!c->guaranteed)
        return json_null();
    return json_pack("{s:f, s:f, s:f, s:f, s:o, s:o}", "low", c->promise.band.low, "high",
                     c->promise.band.high, "miss_rate", c->wish.miss_rate, "confidence", c->wish.confidence,
                     "malignant", side_json(&c->promise.malignant), "benign", side_json(&c->promise.benign));
}

static json_t *calibration_json(const struct score_calibration *c)
{
    json_t *steps = json_array();

    for (size_t i = 0; i < c->isotonic.count; i++)
        json_array_append_new(steps, json_pack("[f, f]", c->isotonic.x[i], c->isotonic.y[i]));
    return json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:o, s:o, s:s, s:{s:f, s:f}, s:o}", "format",
                     FORMAT, "program", EVAL_PROGRAM, "disclaimer", EVAL_DISCLAIMER, "chosen_on",
                     "validation", "images", (json_int_t)c->images, "patients", (json_int_t)c->patients,
                     "malignant", (json_int_t)c->malignant, "guaranteed", promise_json(c), "why_not",
                     c->guaranteed ? json_null() : json_string(c->why_not), "scale", SCALE[c->scale], "platt",
                     "slope", c->platt.slope, "offset", c->platt.offset, "isotonic", steps);
}

static bool write_calibration(const struct score_calibration *c, const struct run *run, const char *weights,
                              struct err *err)
{
    char *path = run_path(run, FILE_NAME);
    json_t *json = calibration_json(c);

    json_object_set_new(json, "manifest_sha256", json_string(run->manifest_sha256));
    json_object_set_new(json, "weights_sha256", json_string(weights));
    const bool ok = json_file_write(path, json, err);
    json_decref(json);
    free(path);
    return ok;
}

static bool learn(struct score_calibration *c, const struct predictions *p, struct err *err)
{
    struct scored s;
    struct err why = ERR_INIT;

    scored_make(&s, &p->rows);
    c->images = s.n;
    c->patients = s.patients;
    c->guaranteed = guarantee_choose(
        &c->promise, &(struct guarantee_cases){s.score, s.malignant, s.patient, s.n, s.patients}, c->wish,
        &why);
    snprintf(c->why_not, sizeof c->why_not, "%.255s", c->guaranteed ? "" : why.text);
    const bool ok = fit(c, &s, err) || err_at(err, "%s", p->folder);
    scored_release(&s);
    return ok;
}

bool calibrate(struct score_calibration *out, const struct calibrate *c, struct err *err)
{
    struct run run = RUN_INIT;
    struct predictions p = PREDICTIONS_INIT;
    struct score_calibration made = SCORE_CALIBRATION_INIT;
    char weights[FILE_SHA256_TEXT], *best = file_join(c->run, "best.safetensors");
    const bool ok = run_read(&run, c->run, err) &&
                    predictions_read(&p, c->evaluation ? c->evaluation : c->run, err) &&
                    file_sha256(best, weights, err) && check_evaluation(&p, &run, weights, err);

    made.wish = c->wish;
    made.scale = run.task == RUN_CLASSIFY ? SCORE_LOGIT : SCORE_LOG;
    const bool written = ok && learn(&made, &p, err) && write_calibration(&made, &run, weights, err);
    if (written) {
        score_calibration_release(out);
        *out = made;
    } else {
        score_calibration_release(&made);
    }
    run_release(&run);
    predictions_release(&p);
    free(best);
    return written;
}

static double number_at(const json_t *json, const char *key)
{
    const json_t *v = json_object_get(json, key);

    return json_is_number(v) ? json_number_value(v) : NAN;
}

static struct guarantee_side parse_side(const json_t *json)
{
    return (struct guarantee_side){(size_t)json_integer_value(json_object_get(json, "patients")),
                                   (size_t)json_integer_value(json_object_get(json, "allowed")),
                                   (size_t)json_integer_value(json_object_get(json, "wrong")),
                                   number_at(json, "bound")};
}

static bool parse_promise(struct score_calibration *c, const json_t *json, struct err *err)
{
    const json_t *g = json_object_get(json, "guaranteed");
    const char *why = json_string_value(json_object_get(json, "why_not"));

    c->guaranteed = json_is_object(g);
    snprintf(c->why_not, sizeof c->why_not, "%.255s", why ? why : "");
    c->promise = (struct guarantee){{number_at(g, "low"), number_at(g, "high")},
                                    parse_side(json_object_get(g, "malignant")),
                                    parse_side(json_object_get(g, "benign"))};
    c->wish = (struct guarantee_wish){number_at(g, "miss_rate"), number_at(g, "confidence")};
    if (c->guaranteed && !(c->promise.band.low <= c->promise.band.high))
        return err_set(err, ERR_FORMAT, "low and high must be numbers, low no larger than high");
    return true;
}

static bool parse_isotonic(struct isotonic *out, const json_t *list, struct err *err)
{
    const size_t n = json_array_size(list);

    isotonic_release(out);
    *out = (struct isotonic){mem_new(n + 1, sizeof(double)), mem_new(n + 1, sizeof(double)), n};
    for (size_t i = 0; i < n; i++) {
        const json_t *x = json_array_get(json_array_get(list, i), 0),
                     *y = json_array_get(json_array_get(list, i), 1);
        out->x[i] = json_number_value(x);
        out->y[i] = json_number_value(y);
        const bool good = json_is_number(x) && json_is_number(y) && out->y[i] >= 0 && out->y[i] <= 1 &&
                          (i == 0 || (out->x[i] > out->x[i - 1] && out->y[i] >= out->y[i - 1]));
        if (!good)
            return err_set(err, ERR_FORMAT, "isotonic: pairs of rising x and rising probabilities");
    }
    return n > 0 || err_set(err, ERR_FORMAT, "isotonic: at least one pair");
}

static bool parse(struct score_calibration *c, const json_t *json, struct err *err)
{
    const char *format = json_string_value(json_object_get(json, "format"));
    const char *scale = json_string_value(json_object_get(json, "scale"));
    const json_t *platt = json_object_get(json, "platt");

    if (!format || strcmp(format, FORMAT) != 0)
        return err_set(err, ERR_FORMAT, "not the calibration of a run");
    if (!scale || (strcmp(scale, "log") != 0 && strcmp(scale, "logit") != 0))
        return err_set(err, ERR_FORMAT, "scale: log or logit is wanted");
    c->scale = strcmp(scale, "log") == 0 ? SCORE_LOG : SCORE_LOGIT;
    c->platt = (struct platt){number_at(platt, "slope"), number_at(platt, "offset")};
    if (!isfinite(c->platt.slope) || !isfinite(c->platt.offset))
        return err_set(err, ERR_FORMAT, "platt: slope and offset must be numbers");
    c->fitted = true;
    c->images = (size_t)json_integer_value(json_object_get(json, "images"));
    c->patients = (size_t)json_integer_value(json_object_get(json, "patients"));
    c->malignant = (size_t)json_integer_value(json_object_get(json, "malignant"));
    return parse_promise(c, json, err) &&
           parse_isotonic(&c->isotonic, json_object_get(json, "isotonic"), err);
}

bool score_calibration_read(struct score_calibration *out, const struct run *run, const char *weights_sha256,
                            bool *found, struct err *err)
{
    char *path = run_path(run, FILE_NAME);
    struct score_calibration c = SCORE_CALIBRATION_INIT;
    json_t *json = NULL;
    bool ok = true;

    *found = false;
    if (!file_exists(path))
        goto out;
    json = json_file_read(path, err);
    ok = json && (parse(&c, json, err) || err_at(err, "%s", path)) && file_sha256(path, c.sha256, err);
    if (!ok)
        goto out;
    const char *weights = json_string_value(json_object_get(json, "weights_sha256"));
    *found = weights && !strcmp(weights, weights_sha256);
    if (*found) {
        score_calibration_release(out);
        *out = c;
        c = (struct score_calibration)SCORE_CALIBRATION_INIT;
    } else {
        log_warn("%s was made for other weights and is not used; 'clearmass calibrate' makes it anew", path);
    }
out:
    score_calibration_release(&c);
    json_decref(json);
    free(path);
    return ok;
}
