/* model/keras_layers.h: the layers of a Keras file that have weights, each weight in its place; and the names
 * Keras gives to a ResNet's layers. */
#ifndef CLEARMASS_MODEL_KERAS_LAYERS_H
#define CLEARMASS_MODEL_KERAS_LAYERS_H

#include "io/hdf5.h"
#include "nn/graph.h"

enum keras_kind { KERAS_CONV, KERAS_DENSE, KERAS_NORM, KERAS_OTHER };

struct keras_layer {
    char name[HDF5_NAME];
    enum keras_kind kind;
    size_t n_parts;
    const struct hdf5_array *part[NN_SLOTS_A_NODE]; /* in the order of our slots: kernel, bias; gamma, beta,
                                                       mean, variance */
    bool used;
};

struct keras_layers {
    struct keras_layer *layer; /* [count], in the file's order */
    size_t count;
};

/* free(out->layer). A model inside a model, which Keras saves as one layer, is taken apart. Never fails: a
 * layer with other weights than these is KERAS_OTHER. w must outlive it. */
void keras_layers_read(struct keras_layers *out, const struct hdf5_weights *w);
struct keras_layer *keras_layers_find(const struct keras_layers *l, const char *name);

/* "res3b2_branch2c" -> "conv3_block3_3_conv", "bn_conv1" -> "conv1_bn"; other names stay. */
void keras_name_2018(char out[NN_NAME], const char *name);

#endif
