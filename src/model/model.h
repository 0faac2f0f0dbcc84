/* model/model.h: the networks by name. One file a network. */
#ifndef CLEARMASS_MODEL_MODEL_H
#define CLEARMASS_MODEL_MODEL_H

#include "nn/graph.h"

struct model {
    const char *name;  /* "unet" */
    const char *title; /* "ZF_UNET_224" */
    int multiple_of;   /* input sides must be a multiple of this */
    /* Records the network for inputs of [c, h, w]. */
    void (*build)(struct nn_graph *g, struct nn_shape input);
};

extern const struct model model_unet_224; /* 31,466,753 parameters for 3 x 224 x 224 */

/* NULL when there is none of that name. */
const struct model *model_find(const char *name);

#endif
