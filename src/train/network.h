/* train/network.h: the network a run trains: all of it, or the last layers of one whose first stages are
 * frozen, or a head alone on features computed before. */
#ifndef CLEARMASS_TRAIN_NETWORK_H
#define CLEARMASS_TRAIN_NETWORK_H

#include "train/options.h"
#include "train/train.h"

/* Must stay where it is once made. */
struct network {
    struct nn_graph whole;         /* as it is saved */
    float *values;                 /* [whole.n_values]: begin, and are trained in place */
    struct nn_graph head;          /* of cached features only */
    const struct nn_graph *learnt; /* whole or head */
    size_t first;                  /* the number of whole with which learnt's begin */
    double *factor;                /* [learnt->n_slots] of the learning rate, or NULL */
    struct model_options options;  /* as built */
};

#define NETWORK_INIT                                                                                         \
    {                                                                                                        \
        NN_GRAPH_INIT, NULL, NN_GRAPH_INIT, NULL, 0, NULL,                                                   \
        {                                                                                                    \
            0, 0, false                                                                                      \
        }                                                                                                    \
    }

struct network_start {
    const char *init;                    /* weights of any kind; NULL: Keras' initial values */
    const char *own;                     /* a checkpoint of the run itself, instead of init; NULL: none */
    const struct model_options *options; /* of a run that goes on; NULL: those that init tells */
};

/* Builds the network, freezes what is not trained, and gives it its first numbers. A classifier takes
 * safetensors and Keras' files, with a head of two classes or without one; another head is dropped. Fails
 * with one line on weights of another network. */
bool network_open(struct network *n, const struct train_job *job, const struct network_start *start,
                  struct err *err);
void network_release(struct network *n);
/* The numbers of learnt: [learnt->n_values], in n->values. */
float *network_learnt(const struct network *n);

#endif
