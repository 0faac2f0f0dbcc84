#include "model/weights.h"

#include "base/file.h"
#include "base/mem.h"
#include "io/safetensors.h"
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

static bool read_told(struct model_told *told, const char *path, const struct model *wanted, struct err *err)
{
    struct safetensors s = SAFETENSORS_INIT;

    if (!safetensors_open(&s, path, err))
        return false;
    bool ok = s.metadata ? model_read_told(told, s.metadata, err)
                         : err_set(err, ERR_INPUT, "it has no metadata that names a network");
    safetensors_close(&s);
    if (ok && wanted && told->model != wanted)
        ok = err_set(err, ERR_INPUT, "weights of %s, not of %s", told->model->title, wanted->title);
    return ok || err_at(err, "%s", path);
}

static bool read_own(struct model_weights *w, const char *path, const struct model *wanted, struct err *err)
{
    if (!read_told(&w->told, path, wanted, err))
        return false;
    model_build(w->told.model, &w->graph, w->told.input, &w->told.options);
    w->values = mem_new(w->graph.n_values, sizeof *w->values);
    return checkpoint_read(path, &w->graph, w->values, NULL, 0, NULL, err);
}

bool model_weights_read(struct model_weights *out, const char *path, const struct model *wanted,
                        struct err *err)
{
    struct model_weights w = MODEL_WEIGHTS_INIT;
    bool keras = file_has_ext(path, "h5") || file_has_ext(path, "hdf5");

    if (!(keras ? read_keras : read_own)(&w, path, wanted, err)) {
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
