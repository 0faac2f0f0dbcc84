#include "model/weights.h"

#include "base/file.h"
#include "base/mem.h"
#include "model/checkpoint.h"
#include "model/keras.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void model_weights_release(struct model_weights *w)
{
    nn_graph_release(&w->graph);
    free(w->values);
    *w = (struct model_weights)MODEL_WEIGHTS_INIT;
}

static bool read_keras(struct model_weights *w, const char *path, const struct model *wanted, struct err *err)
{
    const struct keras_options options = {.network = wanted};
    struct hdf5_weights from = HDF5_WEIGHTS_INIT;
    struct keras_fit fit = KERAS_FIT_INIT;
    bool ok = hdf5_read(&from, path, err);

    if (ok && !keras_fit(&fit, &from, &options, err))
        ok = err_at(err, "%s", path);
    if (ok) {
        *w = (struct model_weights){fit.told, fit.graph, fit.values};
        fit = (struct keras_fit)KERAS_FIT_INIT;
    }
    keras_release(&fit);
    hdf5_release(&from);
    return ok;
}

static bool is_keras(const char *path)
{
    return file_has_ext(path, "h5") || file_has_ext(path, "hdf5");
}

static bool read_own(struct model_weights *w, const char *path, const struct model *wanted, struct err *err)
{
    if (!checkpoint_read_told(&w->told, path, err))
        return false;
    if (wanted && w->told.model != wanted)
        return err_set(err, ERR_INPUT, "%s: weights of %s, not of %s", path, w->told.model->title,
                       wanted->title);
    model_build(w->told.model, &w->graph, w->told.input, &w->told.options);
    w->values = mem_new(w->graph.n_values, sizeof *w->values);
    return checkpoint_read(path, &w->graph, w->values, NULL, 0, NULL, err);
}

bool model_weights_told(struct model_told *out, const char *path, struct err *err)
{
    struct model_weights w = MODEL_WEIGHTS_INIT;

    if (!is_keras(path))
        return checkpoint_read_told(out, path, err);
    bool ok = read_keras(&w, path, NULL, err);
    *out = w.told;
    model_weights_release(&w);
    return ok;
}

bool model_weights_read(struct model_weights *out, const char *path, const struct model *wanted,
                        struct err *err)
{
    struct model_weights w = MODEL_WEIGHTS_INIT;

    if (!(is_keras(path) ? read_keras : read_own)(&w, path, wanted, err)) {
        model_weights_release(&w);
        return false;
    }
    model_weights_release(out);
    *out = w;
    return true;
}

int model_weights_copy(const struct model_weights *w, const struct nn_graph *g, float *values)
{
    int missing = 0;

    for (int i = 0; i < g->n_slots; i++) {
        const struct nn_slot *to = &g->slot[i], *from = nn_graph_slot(&w->graph, to->name);
        if (!from) {
            missing++;
            continue;
        }
        assert(from->count == to->count);
        memcpy(values + to->offset, w->values + from->offset, to->count * sizeof *values);
    }
    return missing;
}
