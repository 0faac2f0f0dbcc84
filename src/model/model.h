/* model/model.h: the networks by name. One file a network. */
#ifndef CLEARMASS_MODEL_MODEL_H
#define CLEARMASS_MODEL_MODEL_H

#include "base/err.h"
#include "base/json.h"
#include "nn/graph.h"

enum { MODEL_NO_HEAD = -1 };

/* What can be told about a network besides its name. Zero is the network as it stands in its table row. */
struct model_options {
    int classes;      /* of a classifier's head; MODEL_NO_HEAD: it ends with the pooled features [c, 1, 1] */
    double epsilon;   /* of batch norm */
    bool narrow_pool; /* ResNet: no border of zeros before the first pooling (56 x 56 become 55 x 55) */
};

struct model {
    const char *name;  /* "unet" */
    const char *title; /* "ZF_UNET_224" */
    int multiple_of;   /* input sides must be a multiple of this */
    /* Records the network for inputs of [c, h, w]. */
    void (*build)(struct nn_graph *g, struct nn_shape input);
    /* The same with options; NULL for a network that has none. */
    void (*build_as)(const struct model *m, struct nn_graph *g, struct nn_shape input,
                     const struct model_options *o);
    int classes;    /* of the usual head; 0: no classifier */
    double epsilon; /* the usual one; 0 for a network without options */
    int blocks[4];  /* ResNet: bottlenecks of each stage */
};

extern const struct model model_unet_224; /* 31,466,753 parameters for 3 x 224 x 224 */
extern const struct model model_resnet50, model_resnet101, model_resnet152;

/* NULL when there is none of that name. */
const struct model *model_find(const char *name);
/* The i-th network, or NULL past the last. */
const struct model *model_at(size_t i);

/* Records the network; options may be NULL, and must be zero for a network that has none. A head's slots are
 * the last: the values of the network without one are the first values of the network with one. */
void model_build(const struct model *m, struct nn_graph *g, struct nn_shape input,
                 const struct model_options *o);

/* What a weights file's metadata tells: the network, its input and its options (doc/formats.md). */
struct model_told {
    const struct model *model;
    struct nn_shape input;
    struct model_options options;
};

/* Puts "model", "input" and, for a network that has options, "options" into meta. */
void model_tell(json_t *meta, const struct model_told *t);
/* The other way round. False, with one line, where meta tells of no network known here or of an input it
 * cannot take. Metadata in which all is text (from a safetensors file) is read too; an input without "size"
 * is taken as 224. */
bool model_read_told(struct model_told *out, const json_t *meta, struct err *err);

#endif
