#include "report/source.h"

#include "base/file.h"
#include "base/mem.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool check_format(const json_t *json, const char *wanted, const char *what, struct err *err)
{
    const char *format = source_text(json, "format");

    if (!strcmp(format, wanted))
        return true;
    if (*format)
        return err_set(err, ERR_FORMAT, "format is '%.60s', this program reads '%s'", format, wanted);
    return err_set(err, ERR_FORMAT, "this is no %s: it has no \"format\"", what);
}

static json_t *read_checked(const char *path, const char *wanted, const char *what, struct err *err)
{
    json_t *json = json_file_read(path, err);

    if (json && !check_format(json, wanted, what, err)) {
        err_at(err, "%s", path);
        json_decref(json);
        json = NULL;
    }
    return json;
}

json_t *source_read_run(const char *run_folder, struct err *err)
{
    char *path = file_join(run_folder, "run.json");
    json_t *run = NULL;

    if (!file_is_folder(run_folder))
        err_set(err, ERR_INPUT, "%s: no such run folder", run_folder);
    else if (!file_exists(path))
        err_set(err, ERR_INPUT, "%s: not a run folder: it has no run.json", run_folder);
    else
        run = read_checked(path, "clearmass-run-1", "run", err);
    free(path);
    return run;
}

/* Empty is NAN. */
static bool field_number(const struct csv *t, size_t row, const char *column, double *out, struct err *err)
{
    const char *text = csv_get(t, row, csv_column(t, column));
    char *end;
    double v = strtod(text, &end);

    if (*end || (end != text && !isfinite(v)))
        return err_set(err, ERR_FORMAT, "line %zu: %s: '%.40s' is no number", t->row[row].line, column, text);
    *out = end == text ? NAN : v;
    return true;
}

/* The text columns by name. */
static void text_fields(struct prediction *p, const struct csv *t, size_t row)
{
    p->id = csv_get(t, row, csv_column(t, "id"));
    p->label = csv_get(t, row, csv_column(t, "label"));
    p->answer = csv_get(t, row, csv_column(t, "answer"));
    p->crop = csv_get(t, row, csv_column(t, "crop"));
    p->cam = csv_get(t, row, csv_column(t, "cam"));
    p->roi = csv_get(t, row, csv_column(t, "roi"));
}

static bool number_fields(struct prediction *p, const struct csv *t, size_t row, struct err *err)
{
    return field_number(t, row, "score", &p->score, err) && field_number(t, row, "dice", &p->dice, err) &&
           field_number(t, row, "cam_hit", &p->cam_hit, err) &&
           field_number(t, row, "cam_energy", &p->cam_energy, err) &&
           field_number(t, row, "region_share", &p->region_share, err);
}

static bool read_predictions(struct source *s, struct err *err)
{
    const char *const needed[] = {"id", "label", "score", s->crops ? "crop" : "dice"};
    const struct csv *t = &s->table;

    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++) {
        if (csv_column(t, needed[i]) < 0)
            return err_set(err, ERR_FORMAT, "no column '%s'", needed[i]);
    }
    s->prediction = mem_new(t->count + 1, sizeof *s->prediction);
    for (size_t i = 0; i < t->count; i++) {
        text_fields(&s->prediction[i], t, i);
        if (!number_fields(&s->prediction[i], t, i, err))
            return false;
    }
    return true;
}

static bool read_evaluation(struct source *s, struct err *err)
{
    char *result = file_join(s->folder, "evaluation/result.json");
    char *predictions = file_join(s->folder, "evaluation/predictions.csv");
    char *regions = file_join(s->folder, "evaluation/regions.csv");
    bool ok = true;

    if (file_exists(result)) {
        s->result = read_checked(result, "clearmass-result-1", "result of an evaluation", err);
        ok = s->result != NULL;
        s->crops = !strcmp(source_text(s->result, "data.unit"), "crop");
    }
    if (ok && s->result && file_exists(predictions)) {
        ok = csv_read(&s->table, predictions, err);
        if (ok && !read_predictions(s, err))
            ok = err_at(err, "%s", predictions);
    }
    if (ok && s->result && !s->crops && file_exists(regions))
        ok = csv_read(&s->regions, regions, err);
    free(result);
    free(predictions);
    free(regions);
    return ok;
}

static bool read_opinions(struct source *s, struct err *err)
{
    char *path = file_join(s->folder, "opinions/result.json");
    bool ok = true;

    if (file_exists(path)) {
        s->opinions = read_checked(path, "clearmass-opinions-1", "result of two networks", err);
        ok = s->opinions != NULL;
    }
    free(path);
    return ok;
}

bool source_read(struct source *out, const char *run_folder, struct err *err)
{
    struct source s = {0};
    bool ok;

    s.folder = mem_copy_string(run_folder);
    s.run = source_read_run(run_folder, err);
    ok = s.run && read_evaluation(&s, err) && read_opinions(&s, err) &&
         history_read(&s.history, run_folder, err);
    if (ok) {
        source_release(out);
        *out = s;
    } else {
        source_release(&s);
    }
    return ok;
}

void source_release(struct source *s)
{
    free(s->folder);
    json_decref(s->run);
    json_decref(s->result);
    json_decref(s->opinions);
    csv_release(&s->table);
    csv_release(&s->regions);
    free(s->prediction);
    history_release(&s->history);
    *s = (struct source){0};
}

json_t *source_at(const json_t *json, const char *keys)
{
    char key[64];

    while (json && *keys) {
        size_t n = strcspn(keys, ".");

        if (n >= sizeof key)
            return NULL;
        memcpy(key, keys, n);
        key[n] = '\0';
        json = json_object_get(json, key);
        keys += n + (keys[n] == '.');
    }
    return (json_t *)(uintptr_t)json; /* borrowed, as jansson's own getters give it */
}

const char *source_text(const json_t *json, const char *keys)
{
    const char *text = json_string_value(source_at(json, keys));

    return text ? text : "";
}

double source_number(const json_t *json, const char *keys)
{
    const json_t *value = source_at(json, keys);

    return json_is_number(value) ? json_number_value(value) : NAN;
}

double source_cell(const json_t *rows, size_t i, size_t j)
{
    const json_t *value = json_array_get(json_array_get(rows, i), j);

    return json_is_number(value) ? json_number_value(value) : NAN;
}

char *source_line(const json_t *value)
{
    char *dump, *copy;

    if (!value || json_is_null(value))
        return mem_copy_string("");
    if (json_is_string(value))
        return mem_copy_string(json_string_value(value));
    if (json_is_boolean(value))
        return mem_copy_string(json_is_true(value) ? "yes" : "no");
    if (json_is_real(value))
        return mem_printf("%.6g", json_real_value(value));
    dump = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
    copy = mem_copy_string(dump ? dump : "");
    free(dump);
    return copy;
}

char *source_folder_name(const char *folder)
{
    size_t n = strlen(folder);
    char *whole, *name;

    while (n > 1 && folder[n - 1] == '/')
        n--;
    whole = mem_printf("%.*s", (int)n, folder);
    name = mem_copy_string(file_base(whole));
    free(whole);
    return name;
}

struct words {
    const char *name, *words;
};

static const char *look_up(const struct words *table, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++) {
        if (!strcmp(table[i].name, name))
            return table[i].words;
    }
    return name;
}

const char *source_task(const json_t *run)
{
    static const struct words TASKS[] = {
        {"pretrain", "pre-training: outlining synthetic ellipses"},
        {"segment", "segmentation: outlining lesions, benign and malignant alike"},
        {"black-box", "black-box classification: outlining malignant lesions, with an all-black truth for "
                      "every other image"},
        {"classify", "classification: telling malignant from benign crops"},
    };

    return look_up(TASKS, sizeof TASKS / sizeof *TASKS, source_text(run, "task"));
}

const char *source_trained(const json_t *run)
{
    static const struct words PARTS[] = {
        {"none", "the last layer alone; the backbone stays as it began."},
        {"5", "the last layer and stage 5; the stages before stay as they began."},
        {"4", "the last layer and stages 4 and 5; the stages before stay as they began."},
        {"3", "the last layer and stages 3 to 5; the first two stay as they began."},
        {"2", "all but the first convolution."},
        {"all", "the whole network."},
    };

    return look_up(PARTS, sizeof PARTS / sizeof *PARTS, source_text(run, "train.unfreeze"));
}

const char *source_norm(const json_t *run)
{
    static const struct words NORMS[] = {
        {"precise", "Precise batch norm: the statistics of each epoch's weights were recomputed over "
                    "training images before the "
                    "validation shown here, and are the ones stored with the best weights."},
        {"keras",
         "Keras' moving batch norm statistics (momentum .99), as published: they lag behind the weights, and "
         "on "
         "small sets the validation of early epochs is then lower and less steady than the network is."},
        {"", "Which batch norm statistics were used is not recorded."},
    };

    static const struct words FROZEN[] = {
        {"inference", "Layers that were not trained normalised by the statistics they began with."},
        {"keras224", "Layers that were not trained normalised by the statistics of the batch in training, "
                     "and by those they began "
                     "with in the validation shown here, as Keras 2.1.3 to 2.2.4 did: the last layer is "
                     "validated on other "
                     "features than it learnt from."},
    };
    const char *frozen = source_text(run, "train.frozen_norm"),
               *unfreeze = source_text(run, "train.unfreeze");
    const bool all = !*frozen || !strcmp(unfreeze, "all");

    if (!all && (!strcmp(unfreeze, "none") || !strcmp(frozen, "keras224")))
        return look_up(FROZEN, sizeof FROZEN / sizeof *FROZEN, frozen);
    return look_up(NORMS, sizeof NORMS / sizeof *NORMS, source_text(run, "train.norm"));
}
