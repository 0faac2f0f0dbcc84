#include "run/run.h"

#include "base/log.h"
#include "base/mem.h"
#include "model/checkpoint.h"

#include <stdlib.h>
#include <string.h>

#define FORMAT "clearmass-run-1"

static const char *const TASK_NAMES[RUN_TASK_COUNT] = {[RUN_PRETRAIN] = "pretrain",
                                                       [RUN_SEGMENT] = "segment",
                                                       [RUN_BLACK_BOX] = "black-box",
                                                       [RUN_CLASSIFY] = "classify"};

const char *run_task_name(enum run_task task)
{
    return TASK_NAMES[task];
}

bool run_task_parse(const char *text, enum run_task *out)
{
    for (int i = 0; i < RUN_TASK_COUNT; i++) {
        if (!strcmp(TASK_NAMES[i], text)) {
            *out = (enum run_task)i;
            return true;
        }
    }
    return false;
}

void run_release(struct run *r)
{
    free(r->folder);
    free(r->data_path);
    json_decref(r->json);
    *r = (struct run)RUN_INIT;
}

char *run_path(const struct run *r, const char *name)
{
    return file_join(r->folder, name);
}

/* The text of that key, or "" where it is missing. */
static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static bool read_sha256(char out[FILE_SHA256_TEXT], const json_t *data, const char *key, struct err *err)
{
    const char *text = text_of(data, key);

    if (strlen(text) != FILE_SHA256_TEXT - 1)
        return err_set(err, ERR_FORMAT, "data: no %s", key);
    memcpy(out, text, FILE_SHA256_TEXT);
    return true;
}

static bool read_data(struct run *r, struct err *err)
{
    const json_t *data = json_object_get(r->json, "data");

    r->data_path = mem_copy_string(text_of(data, "path"));
    return r->task == RUN_PRETRAIN || (read_sha256(r->manifest_sha256, data, "manifest_sha256", err) &&
                                       read_sha256(r->split_sha256, data, "split_sha256", err));
}

static bool read_input(struct run *r, struct err *err)
{
    const json_t *input = json_object_get(r->json, "input");
    json_int_t size = json_integer_value(json_object_get(input, "size"));
    json_int_t channels = json_integer_value(json_object_get(input, "channels"));

    if (size < 1 || size > IMAGE_MAX_SIDE || channels < 1 || channels > 4)
        return err_set(err, ERR_FORMAT, "input: bad size or number of channels");
    if (!prep_fit_parse(text_of(input, "fit"), &r->prep.fit))
        return err_set(err, ERR_FORMAT, "input: unknown fit '%.40s'", text_of(input, "fit"));
    if (*text_of(input, "preprocessing") &&
        !prep_values_parse(text_of(input, "preprocessing"), &r->prep.values))
        return err_set(err, ERR_FORMAT, "input: unknown preprocessing '%.40s'",
                       text_of(input, "preprocessing"));
    r->prep.size = (int)size;
    r->prep.breast_crop = json_is_true(json_object_get(input, "breast_crop"));
    r->channels = (int)channels;
    return prep_check(&r->prep, err);
}

/* A classifier's two outputs are the classes of a verdict; a network with a map has no options. */
static bool read_options(struct run *r, struct err *err)
{
    struct model_told told;

    if ((r->task == RUN_CLASSIFY) != run_is_classifier(r))
        return err_set(err, ERR_FORMAT, "task %s by the network %s", run_task_name(r->task), r->model->name);
    if (!run_is_classifier(r))
        return true;
    if (!model_read_told(&told, r->json, err))
        return false;
    r->options = told.options;
    if (told.options.classes && told.options.classes != RUN_CLASSES)
        return err_set(err, ERR_FORMAT, "options: %d classes are wanted", RUN_CLASSES);
    return true;
}

static bool read_fields(struct run *r, struct err *err)
{
    const char *format = text_of(r->json, "format");

    if (strcmp(format, FORMAT) != 0) {
        if (!strncmp(format, "clearmass-run-", 14))
            return err_set(err, ERR_FORMAT, "format '%.40s' is not known to this version of the program",
                           format);
        return err_set(err, ERR_FORMAT, "not the description of a run");
    }
    if (!run_task_parse(text_of(r->json, "task"), &r->task))
        return err_set(err, ERR_FORMAT, "unknown task '%.40s'", text_of(r->json, "task"));
    r->model = model_find(text_of(r->json, "model"));
    if (!r->model)
        return err_set(err, ERR_FORMAT, "unknown network '%.40s'", text_of(r->json, "model"));
    return read_options(r, err) && read_input(r, err) && read_data(r, err);
}

bool run_read(struct run *out, const char *folder, struct err *err)
{
    struct run r = RUN_INIT;
    bool ok = false;
    char *path = file_join(folder, "run.json");

    if (!file_exists(path)) {
        err_set(err, ERR_INPUT, "%s: %s", folder,
                file_is_folder(folder) ? "not a run: there is no run.json in it" : "no such run");
        goto out;
    }
    r.folder = mem_copy_string(folder);
    r.json = json_file_read(path, err);
    if (!r.json)
        goto out;
    if (!read_fields(&r, err)) {
        err_at(err, "%s", path);
        goto out;
    }
    *out = r;
    r = (struct run)RUN_INIT;
    ok = true;
out:
    run_release(&r);
    free(path);
    return ok;
}

bool run_write(const struct run *r, struct err *err)
{
    char *path = run_path(r, "run.json");
    bool ok = json_file_write(path, r->json, err);
    free(path);
    return ok;
}

bool run_kernels(struct nn_choices *out, bool *exact, const struct run *r, struct err *err)
{
    char *path = run_path(r, "kernels.json");
    bool ok = !file_exists(path) || nn_choices_read(out, path, err);

    *exact = json_is_true(json_object_get(json_object_get(r->json, "train"), "exact"));
    free(path);
    return ok;
}

bool run_is_classifier(const struct run *r)
{
    return r->model->classes > 0;
}

bool run_split(struct split *out, const struct run *r, const struct manifest *m, struct err *err)
{
    struct split s = SPLIT_INIT;
    char sha256[FILE_SHA256_TEXT];

    if (strcmp(m->sha256, r->manifest_sha256) != 0)
        return err_set(err, ERR_INPUT, "%s is not the data set that %s was trained on (its manifest differs)",
                       m->folder, r->folder);
    char *path = run_path(r, "split.csv");
    bool ok = split_read(&s, m, path, sha256, err);
    if (ok && strcmp(sha256, r->split_sha256) != 0)
        ok = err_set(err, ERR_INPUT, "%s: changed since the run was made", path);
    free(path);
    if (!ok) {
        split_release(&s);
        return false;
    }
    split_release(out);
    *out = s;
    return true;
}

/* The epoch a checkpoint's metadata tells, or 0. */
static int epoch_of(const json_t *meta)
{
    long epoch = strtol(text_of(meta, "epoch"), NULL, 10);
    return epoch > 0 && epoch < 1000000 ? (int)epoch : 0;
}

/* Damaged numbers still are numbers: only the hash can tell. No fault, as a kill between the two files does
 * it too. */
static bool compare_hash(const struct run *r, const char *path, char sha256[FILE_SHA256_TEXT],
                         struct err *err)
{
    const char *noted = json_string_value(json_object_get(json_object_get(r->json, "state"), "best_sha256"));

    if (!file_sha256(path, sha256, err))
        return false;
    if (noted && *noted && strcmp(noted, sha256) != 0)
        log_warn("%s: not the weights that run.json tells of: changed since, or the run was stopped between "
                 "the two",
                 path);
    return true;
}

bool run_load_best(const struct run *r, struct nn_graph *graph, float **values, int *epoch,
                   char sha256[FILE_SHA256_TEXT], struct err *err)
{
    struct nn_graph g = NN_GRAPH_INIT;
    json_t *meta = NULL;
    float *v = NULL;
    bool ok = false;
    char *path = run_path(r, "best.safetensors"), found[FILE_SHA256_TEXT];

    if (!file_exists(path)) {
        err_set(err, ERR_INPUT, "%s: no epoch is finished yet", r->folder);
        goto out;
    }
    model_build(r->model, &g, (struct nn_shape){r->channels, r->prep.size, r->prep.size}, &r->options);
    v = mem_new(g.n_values, sizeof *v);
    if (!checkpoint_read(path, &g, v, NULL, 0, &meta, err) ||
        !compare_hash(r, path, sha256 ? sha256 : found, err))
        goto out;
    if (epoch)
        *epoch = epoch_of(meta);
    *graph = g;
    *values = v;
    g = (struct nn_graph)NN_GRAPH_INIT;
    v = NULL;
    ok = true;
out:
    nn_graph_release(&g);
    json_decref(meta);
    free(v);
    free(path);
    return ok;
}
