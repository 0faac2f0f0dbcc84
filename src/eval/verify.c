#include "eval/verify.h"

#include "base/csv.h"
#include "base/file.h"
#include "base/mem.h"
#include "eval/machine.h"
#include "eval/rows.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Says where things are or who made them, not what came out. */
static bool is_left_out(const char *where)
{
    static const char *const LEFT_OUT[] = {"program",  "disclaimer", "machine",
                                           "run.path", "data.path",  "data.test_evaluations"};

    for (size_t i = 0; i < sizeof LEFT_OUT / sizeof *LEFT_OUT; i++)
        if (!strcmp(where, LEFT_OUT[i]))
            return true;
    return false;
}

static void note_difference(struct verified *v, const char *where, const char *before, const char *now)
{
    if (v->differences < VERIFY_LISTED)
        snprintf(v->difference[v->differences], sizeof *v->difference, "%.80s: %.70s, now %.70s", where,
                 before, now);
    v->differences++;
}

static char *short_text(const json_t *value)
{
    char *text = value ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;

    return text ? text : mem_copy_string("missing");
}

static bool same_number(double a, double b, double tolerance)
{
    return a == b || fabs(a - b) <= tolerance * fmax(fabs(a), fabs(b));
}

struct comparing {
    struct verified *v;
    double tolerance;
};

static void compare_values(const struct comparing *c, const char *where, const json_t *a, const json_t *b);

static void compare_objects(const struct comparing *c, const char *where, const json_t *a, const json_t *b)
{
    const char *key;
    json_t *value, *mutable_a = (json_t *)(uintptr_t)a, *mutable_b = (json_t *)(uintptr_t)b;

    json_object_foreach(mutable_a, key, value)
    {
        char *inside = *where ? mem_printf("%s.%s", where, key) : mem_copy_string(key);
        compare_values(c, inside, value, json_object_get(b, key));
        free(inside);
    }
    json_object_foreach(mutable_b, key, value)
    {
        char *inside = *where ? mem_printf("%s.%s", where, key) : mem_copy_string(key);
        if (!json_object_get(a, key))
            compare_values(c, inside, NULL, value);
        free(inside);
    }
}

static void compare_arrays(const struct comparing *c, const char *where, const json_t *a, const json_t *b)
{
    const size_t n = json_array_size(a) > json_array_size(b) ? json_array_size(a) : json_array_size(b);

    for (size_t i = 0; i < n; i++) {
        char *inside = mem_printf("%s.%zu", where, i);
        compare_values(c, inside, json_array_get(a, i), json_array_get(b, i));
        free(inside);
    }
}

static void compare_values(const struct comparing *c, const char *where, const json_t *a, const json_t *b)
{
    if (is_left_out(where))
        return;
    if (json_is_object(a) && json_is_object(b)) {
        compare_objects(c, where, a, b);
    } else if (json_is_array(a) && json_is_array(b)) {
        compare_arrays(c, where, a, b);
    } else {
        c->v->values++;
        const bool numbers = json_is_number(a) && json_is_number(b);
        if (numbers ? same_number(json_number_value(a), json_number_value(b), c->tolerance)
                    : a && b && json_equal((json_t *)(uintptr_t)a, (json_t *)(uintptr_t)b))
            return;
        char *before = short_text(a), *now = short_text(b);
        note_difference(c->v, where, before, now);
        free(before);
        free(now);
    }
}

static bool same_field(const char *a, const char *b, double tolerance)
{
    char *end_a, *end_b;
    const double x = strtod(a, &end_a), y = strtod(b, &end_b);

    if (end_a != a && end_b != b && !*end_a && !*end_b)
        return same_number(x, y, tolerance);
    return strcmp(a, b) == 0;
}

static void compare_tables(const struct comparing *c, const char *name, const struct csv *a,
                           const struct csv *b)
{
    char count[2][32];

    if (a->count != b->count) {
        snprintf(count[0], sizeof count[0], "%zu rows", a->count);
        snprintf(count[1], sizeof count[1], "%zu", b->count);
        note_difference(c->v, name, count[0], count[1]);
        return;
    }
    for (size_t i = 0; i < a->count; i++) {
        for (size_t k = 0; k < a->header.count; k++) {
            const char *before = a->row[i].field[k], *now = csv_get(b, i, csv_column(b, a->header.field[k]));
            c->v->values++;
            if (same_field(before, now, c->tolerance))
                continue;
            char *where = mem_printf("%s of %s", a->header.field[k], a->row[i].field[0]);
            note_difference(c->v, where, before, now);
            free(where);
        }
    }
}

/* Where the result has one: older programs, and evaluations of crops, have none. */
static bool compare_regions(const struct comparing *c, const char *before, const char *now, struct err *err)
{
    char *a = file_join(before, "regions.csv"), *b = file_join(now, "regions.csv");
    struct csv was = CSV_INIT, is = CSV_INIT;
    bool ok = true;

    if (file_exists(a)) {
        ok = csv_read(&was, a, err) && csv_read(&is, b, err);
        if (ok)
            compare_tables(c, "regions.csv", &was, &is);
    }
    csv_release(&was);
    csv_release(&is);
    free(a);
    free(b);
    return ok;
}

static const char *text_at(const json_t *json, const char *object, const char *key)
{
    const char *text = json_string_value(json_object_get(json_object_get(json, object), key));

    return text ? text : "";
}

static double number_of(const json_t *value)
{
    return json_is_number(value) ? json_number_value(value) : NAN;
}

/* What the result was made from, against what is there now; true where all is the same. */
static bool check_sources(struct verified *v, const json_t *result, const struct run *run, const char *data,
                          struct err *err, bool *same)
{
    struct manifest m = MANIFEST_INIT;
    char *best = run_path(run, "best.safetensors"), *calibration = run_path(run, "calibration.json");
    char weights[FILE_SHA256_TEXT] = "", calibrated[FILE_SHA256_TEXT] = "";
    const json_t *used = json_object_get(result, "calibration");
    bool ok =
        manifest_read(&m, data, err) && file_sha256(best, weights, err) &&
        (!json_is_object(used) || !file_exists(calibration) || file_sha256(calibration, calibrated, err));

    if (ok) {
        const char *const now[] = {m.sha256, weights, json_is_object(used) ? calibrated : ""};
        const char *const before[] = {text_at(result, "data", "manifest_sha256"),
                                      text_at(result, "run", "weights_sha256"),
                                      text_at(result, "calibration", "sha256")};
        static const char *const what[] = {"the data set's manifest.csv", "the weights", "calibration.json"};
        for (size_t i = 0; i < 3; i++) {
            v->values++;
            if (strcmp(now[i], before[i]) != 0)
                note_difference(v, what[i], before[i], *now[i] ? now[i] : "missing");
        }
        *same = v->differences == 0;
    }
    manifest_release(&m);
    free(best);
    free(calibration);
    return ok;
}

static void explain_differences(struct verified *v, const json_t *result)
{
    const char *program = json_string_value(json_object_get(result, "program"));
    json_t *here = machine_json();

    if (v->differences > 0 && program && strcmp(program, EVAL_PROGRAM) != 0)
        snprintf(v->note, sizeof v->note, "made by %.80s, replayed by %s", program, EVAL_PROGRAM);
    else if (v->differences > 0 && !json_equal(here, json_object_get(result, "machine")))
        snprintf(v->note, sizeof v->note, "made on another machine, whose last digits may differ: %.120s",
                 text_at(result, "machine", "processor"));
    json_decref(here);
}

static bool replay(struct verified *v, const struct verify *cfg, const struct predictions *before,
                   const char *run, const char *data, struct err *err)
{
    const json_t *options = json_object_get(before->result, "options"),
                 *given = json_object_get(options, "given");
    const struct band band = {number_of(json_array_get(given, 0)), number_of(json_array_get(given, 1))};
    struct evaluation e = {.run = run,
                           .data = data,
                           .out = cfg->out,
                           .given = json_is_array(given) ? &band : NULL,
                           .wish = {number_of(json_object_get(options, "wanted_sensitivity")),
                                    number_of(json_object_get(options, "wanted_specificity"))},
                           .seed = (uint64_t)json_integer_value(json_object_get(options, "seed")),
                           .batch = (int)json_integer_value(json_object_get(options, "batch")),
                           .backend = cfg->backend,
                           .replay = true,
                           .allow_leak = true, /* or it would not have been made */
                           .uncalibrated = !json_is_object(json_object_get(before->result, "calibration"))};
    struct predictions now = PREDICTIONS_INIT;

    if (!json_is_object(options))
        return err_set(err, ERR_INPUT, "%s: result.json has no options: an older program made it",
                       before->folder);
    if (!eval_part_parse(text_at(before->result, "data", "part"), &e.part))
        e.part = EVAL_ALL; /* external */
    if (!evaluate(&e, NULL, err) || !predictions_read(&now, cfg->out, err))
        return false;
    const struct comparing c = {v, cfg->tolerance};
    compare_values(&c, "", before->result, now.result);
    compare_tables(&c, "predictions.csv", &before->table, &now.table);
    const bool ok = compare_regions(&c, before->folder, cfg->out, err);
    predictions_release(&now);
    return ok;
}

/* Where the run is: told, or where the result says, or the folder above the result. free() it. */
static char *find_run(const struct verify *cfg, const struct predictions *p)
{
    const char *said = cfg->run ? cfg->run : text_at(p->result, "run", "path");
    char *path = file_join(said, "run.json");
    const bool there = cfg->run || file_exists(path);

    free(path);
    return there ? mem_copy_string(said) : file_join(p->folder, "..");
}

bool verify(struct verified *out, const struct verify *cfg, struct err *err)
{
    struct predictions before = PREDICTIONS_INIT;
    struct run run = RUN_INIT;
    struct verified v = {0};
    char *folder = mem_copy_string(cfg->result), *run_folder = NULL;
    char *slash = strrchr(folder, '/');
    bool same = false, ok;

    if (slash && !strcmp(slash, "/result.json"))
        *slash = '\0';
    ok = predictions_read(&before, strcmp(folder, "result.json") == 0 ? "." : folder, err);
    if (ok) {
        run_folder = find_run(cfg, &before);
        const char *data = cfg->data ? cfg->data : text_at(before.result, "data", "path");
        ok = run_read(&run, run_folder, err) && check_sources(&v, before.result, &run, data, err, &same) &&
             (!same || replay(&v, cfg, &before, run_folder, data, err));
    }
    if (ok) {
        explain_differences(&v, before.result);
        *out = v;
    }
    run_release(&run);
    predictions_release(&before);
    free(folder);
    free(run_folder);
    return ok;
}
