/* io/hdf5.h: the named arrays in a Keras weights file.
 *
 * The layout is that of Keras 1 and 2 (engine/saving.py, save_weights_to_hdf5_group): an attribute
 * "layer_names" at the root, or at /model_weights in a file that holds a whole model; a group for each layer
 * with an attribute "weight_names"; a data set for each of those names. Attributes of more than 64 kB are
 * split into NAME0, NAME1, and so on. A file is parsed by the HDF5 library in a child process
 * (base/sandbox.h), whose answer is checked: a damaged file costs one line. */
#ifndef CLEARMASS_IO_HDF5_H
#define CLEARMASS_IO_HDF5_H

#include "base/err.h"

#include <stddef.h>

enum { HDF5_NAME = 192, HDF5_MAX_RANK = 5, HDF5_VERSION = 32 };

struct hdf5_array {
    char name[HDF5_NAME]; /* as in weight_names: "conv1/kernel:0", "conv1_W:0" */
    int rank;
    size_t dim[HDF5_MAX_RANK];
    size_t count; /* numbers: the product of dim */
    size_t at;    /* its first one in hdf5_weights.values */
};

struct hdf5_layer {
    char name[HDF5_NAME];
    size_t first, count; /* its arrays, in the order of weight_names; count 0 for a layer without weights */
};

struct hdf5_weights {
    struct hdf5_layer *layer; /* [n_layers], in the order of layer_names */
    struct hdf5_array *array; /* [n_arrays] */
    float *values;            /* [n_values] */
    size_t n_layers, n_arrays, n_values;
    char backend[HDF5_VERSION];       /* "tensorflow", "theano"; "" where not told */
    char keras_version[HDF5_VERSION]; /* "2.1.2"; "" where not told, as Keras 1 did */
    bool whole_model;                 /* the weights lie under /model_weights */
    void *block;                      /* what layer, array and values lie in; owned */
};

#define HDF5_WEIGHTS_INIT                                                                                    \
    {                                                                                                        \
        NULL, NULL, NULL, 0, 0, 0, "", "", false, NULL                                                       \
    }

/* Reads layers and numbers, the latter as float whatever their precision there. Errors carry the path. out is
 * replaced on success and untouched on failure. Limits: 20,000 layers, 80,000 arrays, 256 M numbers, 120 s.
 */
bool hdf5_read(struct hdf5_weights *out, const char *path, struct err *err);
void hdf5_release(struct hdf5_weights *w);

/* What is written besides what Keras' save_weights writes by default; zero is the default. */
struct hdf5_write_options {
    bool whole_model;   /* under /model_weights */
    size_t split_bytes; /* attributes longer than this are split; 0: Keras' 64,512 */
};

/* Writes w, block aside; backend and keras_version only where they are not "". An array's values lie at
 * values + at. Beside and renamed. options may be NULL. This runs in the caller's process: the HDF5 library
 * sees none but our own data here. */
bool hdf5_write(const char *path, const struct hdf5_weights *w, const struct hdf5_write_options *options,
                struct err *err);

#endif
