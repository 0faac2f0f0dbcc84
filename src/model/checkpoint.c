#include "model/checkpoint.h"

#include "base/mem.h"
#include "io/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = NN_NAME + 64 };

/* "PREFIX/SLOT", or the slot's own name without a prefix. */
static void tensor_name(char name[NAME_BYTES], const char *prefix, const struct nn_slot *slot)
{
    snprintf(name, NAME_BYTES, "%s%s%s", prefix ? prefix : "", prefix ? "/" : "", slot->name);
}

/* Texts as they are, everything else as compact JSON. */
static json_t *as_strings(const json_t *meta)
{
    json_t *strings = json_object(), *value;
    const char *key;

    json_object_foreach((json_t *)meta, key, value)
    {
        char *text = json_is_string(value)
                         ? NULL
                         : json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(17));
        json_object_set_new(strings, key, json_string(text ? text : json_string_value(value)));
        free(text);
    }
    return strings;
}

struct writing {
    struct safetensors_entry *entry;
    char (*name)[NAME_BYTES];
    size_t count;
};

static void put_slots(struct writing *w, const struct nn_graph *g, const char *prefix, const float *values)
{
    for (int i = 0; i < g->n_slots; i++) {
        const struct nn_slot *slot = &g->slot[i];
        if (prefix && !slot->trainable)
            continue;
        struct safetensors_entry *e = &w->entry[w->count];
        tensor_name(w->name[w->count], prefix, slot);
        *e = (struct safetensors_entry){
            .name = w->name[w->count], .rank = slot->rank, .values = values + slot->offset};
        for (int k = 0; k < slot->rank; k++)
            e->dim[k] = (size_t)slot->dim[k];
        w->count++;
    }
}

bool checkpoint_write(const char *path, const struct nn_graph *g, const float *values,
                      const struct checkpoint_extra *extra, int n_extra, const json_t *meta, struct err *err)
{
    size_t most = (size_t)g->n_slots * (size_t)(n_extra + 1);
    struct writing w = {mem_new(most, sizeof *w.entry), mem_new(most, sizeof *w.name), 0};
    json_t *strings = meta ? as_strings(meta) : NULL;

    put_slots(&w, g, NULL, values);
    for (int i = 0; i < n_extra; i++)
        put_slots(&w, g, extra[i].prefix, extra[i].values);
    bool ok = safetensors_write(path, w.entry, w.count, strings, err);
    json_decref(strings);
    free(w.entry);
    free(w.name);
    return ok;
}

static void shape_text(char *text, size_t size, int rank, const size_t *dim)
{
    size_t at = (size_t)snprintf(text, size, "[");
    for (int i = 0; i < rank && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%zu", i ? ", " : "", dim[i]);
    if (at < size)
        snprintf(text + at, size - at, "]");
}

static bool same_shape(const struct safetensors_tensor *t, const struct nn_slot *slot, struct err *err)
{
    size_t wanted[4];
    bool same = t->rank == slot->rank;
    char have[96], want[96];

    for (int i = 0; i < slot->rank; i++) {
        wanted[i] = (size_t)slot->dim[i];
        same = same && t->dim[i] == wanted[i];
    }
    if (same)
        return true;
    shape_text(have, sizeof have, t->rank, t->dim);
    shape_text(want, sizeof want, slot->rank, wanted);
    return err_set(err, ERR_INPUT, "weights of another network: '%s' is %s here, %s there", slot->name, want,
                   have);
}

/* Checks, and with values also copies, all slots under one prefix. */
static bool take_slots(const struct safetensors *s, const struct nn_graph *g, const char *prefix,
                       float *values, struct err *err)
{
    char name[NAME_BYTES];

    for (int i = 0; i < g->n_slots; i++) {
        const struct nn_slot *slot = &g->slot[i];
        if (prefix && !slot->trainable)
            continue;
        tensor_name(name, prefix, slot);
        const struct safetensors_tensor *t = safetensors_find(s, name);
        if (!t)
            return err_set(err, ERR_INPUT, "weights of another network: no '%s' in it", name);
        if (!same_shape(t, slot, err))
            return false;
        if (!safetensors_is_real(t))
            return err_set(err, ERR_INPUT, "'%s' holds numbers of type %s", name, t->dtype);
        if (values)
            safetensors_floats(t, values + slot->offset);
    }
    return true;
}

/* "optimizer/m/conv/kernel" is somebody's extra; an unknown "conv_9/kernel" means another network. */
static bool nothing_unknown(const struct safetensors *s, const struct nn_graph *g, struct err *err)
{
    for (size_t i = 0; i < s->count; i++) {
        const char *name = s->tensor[i].name;
        if (strncmp(name, "optimizer/", 10) != 0 && !nn_graph_slot(g, name))
            return err_set(err, ERR_INPUT, "weights of another network: it has '%.80s'", name);
    }
    return true;
}

bool checkpoint_read_told(struct model_told *out, const char *path, struct err *err)
{
    struct safetensors s = SAFETENSORS_INIT;

    if (!safetensors_open(&s, path, err))
        return false;
    bool ok = s.metadata ? model_read_told(out, s.metadata, err)
                         : err_set(err, ERR_INPUT, "it has no metadata that names a network");
    safetensors_close(&s);
    return ok || err_at(err, "%s", path);
}

bool checkpoint_read(const char *path, const struct nn_graph *g, float *values,
                     const struct checkpoint_extra *extra, int n_extra, json_t **meta, struct err *err)
{
    struct safetensors s = SAFETENSORS_INIT;

    if (!safetensors_open(&s, path, err))
        return false;
    bool ok = take_slots(&s, g, NULL, NULL, err);
    for (int i = 0; ok && i < n_extra; i++)
        ok = take_slots(&s, g, extra[i].prefix, NULL, err);
    ok = ok && nothing_unknown(&s, g, err);
    if (ok) {
        take_slots(&s, g, NULL, values, NULL);
        for (int i = 0; i < n_extra; i++)
            take_slots(&s, g, extra[i].prefix, extra[i].values, NULL);
        if (meta)
            *meta = s.metadata ? json_deep_copy(s.metadata) : json_object();
    } else {
        err_at(err, "%s", path);
    }
    safetensors_close(&s);
    return ok;
}
