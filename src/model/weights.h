/* model/weights.h: a network with its weights from a file, whichever kind it is. */
#ifndef CLEARMASS_MODEL_WEIGHTS_H
#define CLEARMASS_MODEL_WEIGHTS_H

#include "model/model.h"

struct model_weights {
    struct model_told told;
    struct nn_graph graph; /* as told */
    float *values;         /* [graph.n_values] */
};

#define MODEL_WEIGHTS_INIT                                                                                   \
    {                                                                                                        \
        {NULL, {0, 0, 0}, {0, 0, false}}, NN_GRAPH_INIT, NULL                                                \
    }

/* Reads Keras' HDF5 (a name in .h5 or .hdf5, model/keras.h) or safetensors whose metadata names its network.
 * Fails with one line, the path in it, where it holds another network than `wanted` (NULL: any), or a damaged
 * one. */
bool model_weights_read(struct model_weights *out, const char *path, const struct model *wanted,
                        struct err *err);
/* Only which network that is: of safetensors the metadata alone is read. */
bool model_weights_told(struct model_told *out, const char *path, struct err *err);
void model_weights_release(struct model_weights *w);

/* Copies every slot of g that w has too, by name; those of one name must have one shape. Returns the number
 * of slots of g that w lacks. */
int model_weights_copy(const struct model_weights *w, const struct nn_graph *g, float *values);

#endif
