#include "train/state.h"

#include "model/checkpoint.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct train_state state_begin(const struct train_options *o)
{
    return (struct train_state){
        .learning_rate = o->learning_rate, .plateau_best = INFINITY, .best_value = NAN, .best_loss = NAN};
}

bool state_is_better(const struct train_state *s, double value, double loss, bool higher)
{
    if (s->best_epoch == 0 || isnan(value) || isnan(s->best_value))
        return s->best_epoch == 0 || (!isnan(value) && isnan(s->best_value));
    if (value != s->best_value)
        return higher ? value > s->best_value : value < s->best_value;
    return loss < s->best_loss;
}

/* null where it is no finite number, which JSON cannot say. */
static json_t *number(double v)
{
    return isfinite(v) ? json_real(v) : json_null();
}

static double number_or(const json_t *object, const char *key, double otherwise)
{
    const json_t *v = json_object_get(object, key);
    return json_is_number(v) ? json_number_value(v) : otherwise;
}

static json_t *state_json(const struct train_state *s)
{
    return json_pack("{s:i, s:I, s:o, s:o, s:i, s:i, s:o, s:o}", "epochs_done", s->epochs_done, "iterations",
                     (json_int_t)s->iterations, "learning_rate", number(s->learning_rate), "plateau_best",
                     number(s->plateau_best), "plateau_wait", s->plateau_wait, "best_epoch", s->best_epoch,
                     "best_value", number(s->best_value), "best_loss", number(s->best_loss));
}

static bool state_parse(struct train_state *s, const json_t *meta, struct err *err)
{
    const char *text = json_string_value(json_object_get(meta, "state"));
    json_t *json = text ? json_loads(text, 0, NULL) : NULL;

    if (!json)
        return err_set(err, ERR_FORMAT, "not a checkpoint to go on from");
    *s = (struct train_state){
        .epochs_done = (int)json_integer_value(json_object_get(json, "epochs_done")),
        .iterations = (uint64_t)json_integer_value(json_object_get(json, "iterations")),
        .learning_rate = number_or(json, "learning_rate", NAN),
        .plateau_best = number_or(json, "plateau_best", INFINITY),
        .plateau_wait = (int)json_integer_value(json_object_get(json, "plateau_wait")),
        .best_epoch = (int)json_integer_value(json_object_get(json, "best_epoch")),
        .best_value = number_or(json, "best_value", NAN),
        .best_loss = number_or(json, "best_loss", NAN),
    };
    json_decref(json);
    if (s->epochs_done < 1 || !(s->learning_rate >= 0))
        return err_set(err, ERR_FORMAT, "damaged counters");
    return true;
}

static json_t *meta_of(const struct run *r, int epoch)
{
    json_t *meta =
        json_pack("{s:s, s:s, s:s, s:O, s:i}", "format", "clearmass-weights-1", "model", r->model->name,
                  "task", run_task_name(r->task), "input", json_object_get(r->json, "input"), "epoch", epoch);
    json_t *options = json_object_get(r->json, "options");

    if (options)
        json_object_set(meta, "options", options);
    return meta;
}

bool state_write_best(const struct run *r, const struct nn_graph *g, const float *weights,
                      struct train_state *s, struct err *err)
{
    json_t *meta = meta_of(r, s->best_epoch);
    char *path = run_path(r, "best.safetensors");
    bool ok =
        checkpoint_write(path, g, weights, NULL, 0, meta, err) && file_sha256(path, s->best_sha256, err);

    free(path);
    json_decref(meta);
    return ok;
}

/* The moments an optimiser has; the number of them. */
static int extras_of(const struct optim *o, struct checkpoint_extra extra[2])
{
    extra[0] = (struct checkpoint_extra){"optimizer/m", o->m};
    extra[1] = (struct checkpoint_extra){"optimizer/v", o->v};
    return o->v ? 2 : 1;
}

bool state_write_last(const struct run *r, const struct optim *o, const float *values,
                      const struct train_state *s, struct err *err)
{
    struct checkpoint_extra extra[2];
    int n = extras_of(o, extra);
    json_t *meta = meta_of(r, s->epochs_done);
    char *path = run_path(r, "last.safetensors");

    json_object_set_new(meta, "state", state_json(s));
    bool ok = checkpoint_write(path, o->graph, values, extra, n, meta, err);
    free(path);
    json_decref(meta);
    return ok;
}

bool state_read_last(const struct run *r, struct optim *o, float *values, struct train_state *s,
                     struct err *err)
{
    struct checkpoint_extra extra[2];
    int n = extras_of(o, extra);
    json_t *meta = NULL;
    char *path = run_path(r, "last.safetensors");
    bool ok = checkpoint_read(path, o->graph, values, extra, n, &meta, err);

    if (ok && !state_parse(s, meta, err))
        ok = err_at(err, "%s", path);
    if (ok) {
        o->iterations = s->iterations;
        o->learning_rate = s->learning_rate;
    }
    free(path);
    json_decref(meta);
    return ok;
}

bool state_note(struct run *r, struct train_state *s, const struct state_note *note, struct err *err)
{
    char *path = run_path(r, "best.safetensors");
    bool ok = !s->best_epoch || *s->best_sha256 || file_sha256(path, s->best_sha256, err);

    free(path);
    if (!ok)
        return false;
    json_object_set_new(r->json, "state",
                        json_pack("{s:i, s:i, s:s, s:o, s:b, s:s, s:s}", "epochs_done", s->epochs_done,
                                  "best_epoch", s->best_epoch, "best_metric", note->best_metric, "best_value",
                                  number(s->best_value), "finished", note->finished, "stopped", note->stopped,
                                  "best_sha256", s->best_sha256));
    return run_write(r, err);
}
