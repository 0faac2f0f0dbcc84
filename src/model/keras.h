/* model/keras.h: weights between Keras' files (io/hdf5.h) and the networks here.
 *
 * ResNets are matched by name, in both namings Keras has published, from which the epsilon of batch norm
 * follows: res2a_branch2a (1e-3) and conv2_block1_1_conv (1.001e-5). The head may be missing, have any number
 * of classes and any name. The U-Net is matched by order, as Keras itself does it for layers with numbers for
 * names. Kernels are [kh, kw, in, out] there and [out, in, kh, kw] here; those in Theano's order of axes are
 * seen by their shape; those of Theano are turned round, for it convolves where others correlate. What Keras
 * 1 calls running_std is the variance. */
#ifndef CLEARMASS_MODEL_KERAS_H
#define CLEARMASS_MODEL_KERAS_H

#include "io/hdf5.h"
#include "model/model.h"

struct keras_options {
    const struct model *network; /* what the file must hold; NULL: whatever is recognised */
    bool partial;                /* layers the file lacks get initial values; only where names tell */
};

/* A network with numbers, and what had to be done to get them. */
struct keras_fit {
    struct model_told told; /* input: 224 x 224 with the channels of the first kernel */
    struct nn_graph graph;
    float *values;         /* [graph.n_values] */
    size_t missing_layers; /* that have initial values */
    bool flipped;          /* kernels were turned round */
    bool folded; /* the batch norm that ended the U-Net until 2018 became part of its last convolution */
};

#define KERAS_FIT_INIT                                                                                       \
    {                                                                                                        \
        {NULL, {0, 0, 0}, {0, 0, false}}, NN_GRAPH_INIT, NULL, 0, false, false                               \
    }

/* out is replaced on success and untouched on failure. Fails with one line where the layers are those of no
 * network here, where one is missing, too many or of another shape, and on numbers that are not finite or
 * variances below 0. options may be NULL. Errors come without a path. */
bool keras_fit(struct keras_fit *out, const struct hdf5_weights *w, const struct keras_options *options,
               struct err *err);
void keras_release(struct keras_fit *f);

/* Writes a file that Keras' load_weights takes, by order and, but for the U-Net, by name: layers with weights
 * only, in Keras' order; the naming of a ResNet follows from its epsilon. */
bool keras_write(const char *path, const struct model_told *told, const struct nn_graph *g,
                 const float *values, struct err *err);

#endif
