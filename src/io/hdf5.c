/* io/hdf5.c: see hdf5.h. The caller's side: asks a worker, checks what it says. */
#include "io/hdf5.h"

#include "base/mem.h"
#include "base/sandbox.h"
#include "io/hdf5_parts.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static const size_t MEMORY_BYTES = (size_t)3 << 30;
static const double SECONDS = 120;

/* The path is the request's body; the answer's head is a struct hdf5_weights without pointers. */
static bool work(struct sandbox_message *answer, const struct sandbox_message *request, struct err *err)
{
    struct hdf5_weights w = HDF5_WEIGHTS_INIT;
    size_t bytes;

    if (!hdf5_parse(&w, &bytes, request->body, err))
        return false;
    answer->body = w.block;
    answer->body_bytes = bytes;
    w.layer = NULL;
    w.array = NULL;
    w.values = NULL;
    w.block = NULL;
    memcpy(answer->head, &w, sizeof w);
    return true;
}

/* It ends somewhere and every character has its place on one line. */
static bool is_text(const char *s, size_t size)
{
    const char *end = memchr(s, 0, size);

    for (const char *c = s; end && c < end; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            return false;
    return end != NULL;
}

static bool layer_is_sound(const struct hdf5_layer *l, size_t n_arrays)
{
    return is_text(l->name, sizeof l->name) && l->first <= n_arrays && l->count <= n_arrays - l->first;
}

static bool array_is_sound(const struct hdf5_array *a, size_t n_values)
{
    size_t count = 1;

    if (!is_text(a->name, sizeof a->name) || a->rank < 0 || a->rank > HDF5_MAX_RANK)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (__builtin_mul_overflow(count, a->dim[i], &count))
            return false;
    return a->count == count && a->at <= n_values && count <= n_values - a->at;
}

bool hdf5_is_sound(const struct hdf5_weights *w, size_t bytes)
{
    unsigned char truth;

    memcpy(&truth, &w->whole_model, 1);
    if (truth > 1 || w->n_layers < 1 || w->n_layers > HDF5_MOST_LAYERS || w->n_arrays > HDF5_MOST_ARRAYS ||
        w->n_values > HDF5_MOST_VALUES || bytes != hdf5_block_bytes(w) ||
        !is_text(w->backend, sizeof w->backend) || !is_text(w->keras_version, sizeof w->keras_version))
        return false;
    for (size_t i = 0; i < w->n_layers; i++)
        if (!layer_is_sound(&w->layer[i], w->n_arrays))
            return false;
    for (size_t i = 0; i < w->n_arrays; i++)
        if (!array_is_sound(&w->array[i], w->n_values))
            return false;
    return true;
}

size_t hdf5_block_bytes(const struct hdf5_weights *w)
{
    return w->n_layers * sizeof *w->layer + w->n_arrays * sizeof *w->array + w->n_values * sizeof *w->values;
}

void hdf5_lay_out(struct hdf5_weights *w)
{
    char *at = w->block;

    w->layer = (struct hdf5_layer *)(void *)at;
    at += w->n_layers * sizeof *w->layer;
    w->array = (struct hdf5_array *)(void *)at;
    at += w->n_arrays * sizeof *w->array;
    w->values = (float *)(void *)at;
}

void hdf5_release(struct hdf5_weights *w)
{
    free(w->block);
    *w = (struct hdf5_weights)HDF5_WEIGHTS_INIT;
}

bool hdf5_read(struct hdf5_weights *out, const char *path, struct err *err)
{
    static const size_t MOST_BODY = HDF5_MOST_LAYERS * sizeof(struct hdf5_layer) +
                                    HDF5_MOST_ARRAYS * sizeof(struct hdf5_array) +
                                    HDF5_MOST_VALUES * sizeof(float);
    const struct sandbox_spec spec = {.what = "HDF5 reader",
                                      .work = work,
                                      .memory_bytes = MEMORY_BYTES,
                                      .most_body_bytes = MOST_BODY,
                                      .seconds = SECONDS};
    struct sandbox *s = sandbox_new(&spec);
    struct hdf5_weights w = HDF5_WEIGHTS_INIT;
    struct sandbox_message answer = {.head = &w, .head_bytes = sizeof w};
    struct sandbox_message request = {.body = mem_copy_string(path), .body_bytes = strlen(path) + 1};
    bool ok = sandbox_call(s, &answer, &request, err);

    if (ok) {
        w.block = answer.body;
        hdf5_lay_out(&w);
        ok = hdf5_is_sound(&w, answer.body_bytes) ||
             err_set(err, ERR_FORMAT, "the HDF5 reader answered nonsense");
    }
    if (ok) {
        hdf5_release(out);
        *out = w;
        w = (struct hdf5_weights)HDF5_WEIGHTS_INIT;
    } else {
        err_at(err, "%s", path);
    }
    hdf5_release(&w);
    sandbox_free(s);
    free(request.body);
    return ok;
}
