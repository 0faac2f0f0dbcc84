#include "eval/thresholds.h"

#include "base/log.h"
#include "eval/calibrate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT "clearmass-thresholds-1"

bool thresholds_fixed(struct fixed_thresholds *out, enum run_task task)
{
    static const struct fixed_thresholds OF[RUN_TASK_COUNT] = {
        [RUN_BLACK_BOX] = {"published", {PUBLISHED_LOW, PUBLISHED_HIGH}},
        [RUN_CLASSIFY] = {"half", {.5, .5}},
    };

    if (!OF[task].name)
        return false;
    *out = OF[task];
    return true;
}

bool thresholds_write(const struct thresholds *t, const struct predictor *p, struct err *err)
{
    char *path = run_path(&p->run, "thresholds.json");
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:f, s:f, s:f, s:f, s:s, s:I, s:s, s:s}", "format", FORMAT, "program",
                  EVAL_PROGRAM, "disclaimer", EVAL_DISCLAIMER, "low", t->band.low, "high", t->band.high,
                  "wanted_sensitivity", t->wish.sensitivity, "wanted_specificity", t->wish.specificity,
                  "chosen_on", "validation", "images", (json_int_t)t->images, "manifest_sha256",
                  p->run.manifest_sha256, "weights_sha256", p->weights_sha256);
    bool ok = json_file_write(path, json, err);

    json_decref(json);
    free(path);
    return ok;
}

static bool parse(struct thresholds *out, const json_t *json, struct err *err)
{
    const char *format = json_string_value(json_object_get(json, "format"));
    const json_t *low = json_object_get(json, "low"), *high = json_object_get(json, "high");
    struct thresholds t = {{json_number_value(low), json_number_value(high)},
                           {json_number_value(json_object_get(json, "wanted_sensitivity")),
                            json_number_value(json_object_get(json, "wanted_specificity"))},
                           (size_t)json_integer_value(json_object_get(json, "images"))};

    if (!format || strcmp(format, FORMAT) != 0)
        return err_set(err, ERR_FORMAT, "not the thresholds of a run");
    if (!json_is_number(low) || !json_is_number(high) || t.band.low > t.band.high)
        return err_set(err, ERR_FORMAT, "low and high must be numbers, low no larger than high");
    *out = t;
    return true;
}

bool thresholds_read(struct thresholds *out, const struct predictor *p, bool *found, struct err *err)
{
    char *path = run_path(&p->run, "thresholds.json");
    json_t *json = NULL;
    bool ok = true;

    *found = false;
    if (!file_exists(path))
        goto out;
    json = json_file_read(path, err);
    ok = json && (parse(out, json, err) || err_at(err, "%s", path));
    if (!ok)
        goto out;
    const char *weights = json_string_value(json_object_get(json, "weights_sha256"));
    *found = weights && !strcmp(weights, p->weights_sha256);
    if (!*found)
        log_warn(
            "%s was chosen for other weights and is not used; 'clearmass evaluate' on the validation part "
            "makes it anew",
            path);
out:
    json_decref(json);
    free(path);
    return ok;
}

bool thresholds_complete(struct band *out, const struct band *given, struct band fixed, struct err *err)
{
    const struct band b = {isnan(given->low) ? fixed.low : given->low,
                           isnan(given->high) ? fixed.high : given->high};

    if (b.low > b.high)
        return err_set(err, ERR_INPUT, "the low threshold %g lies above the high one %g", b.low, b.high);
    *out = b;
    return true;
}

/* Guaranteed, else chosen, else fixed. */
static bool find_band(struct band *band, const char **words, const struct predictor *p, struct err *err)
{
    struct score_calibration c = SCORE_CALIBRATION_INIT;
    struct thresholds t;
    bool calibrated, found;
    const bool ok = score_calibration_read(&c, &p->run, p->weights_sha256, &calibrated, err) &&
                    thresholds_read(&t, p, &found, err);

    if (ok && c.guaranteed) {
        *band = c.promise.band;
        *words = "guaranteed by the run's validation part";
    } else if (ok && found) {
        *band = t.band;
        *words = "chosen on the run's validation part";
    }
    score_calibration_release(&c);
    return ok;
}

bool thresholds_in_force(struct band *band, char text[THRESHOLDS_TEXT], const struct predictor *p,
                         const struct band *given, struct err *err)
{
    struct fixed_thresholds fixed;
    const char *words = "given";

    *text = '\0';
    if (!thresholds_fixed(&fixed, p->run.task))
        return true;
    if (given) {
        if (!thresholds_complete(band, given, fixed.band, err))
            return false;
    } else {
        *band = fixed.band;
        words = NULL;
        if (!find_band(band, &words, p, err))
            return false;
    }
    if (words)
        snprintf(text, THRESHOLDS_TEXT, "%s", words);
    else
        snprintf(text, THRESHOLDS_TEXT, "%s; none were chosen for this run", fixed.name);
    return true;
}
