/* cli/weights_file.h: what the verbs of 'clearmass weights' work on: a network with its numbers, from a run
 * or a file. */
#ifndef CLEARMASS_CLI_WEIGHTS_FILE_H
#define CLEARMASS_CLI_WEIGHTS_FILE_H

#include "base/err.h"
#include "base/json.h"
#include "model/model.h"

struct weights {
    struct model_told told;
    struct nn_graph graph;
    float *values; /* [graph.n_values] */
    json_t *meta;  /* the file's metadata */
};

#define WEIGHTS_INIT                                                                                         \
    {                                                                                                        \
        {NULL, {0, 0, 0}, {0, 0, false}}, NN_GRAPH_INIT, NULL, NULL                                          \
    }

/* A safetensors file whose metadata names its network; out is untouched on failure. */
bool weights_read_file(struct weights *out, const char *path, struct err *err);
/* The same, or a run's best weights. */
bool weights_read(struct weights *out, const char *path, struct err *err);
void weights_release(struct weights *w);

/* "ResNet-50, 3 channels, 2 classes, epsilon 0.001", without a newline. */
void weights_print_network(const struct model_told *t);

#endif
