#include "train/network.h"

#include "base/log.h"
#include "base/mem.h"
#include "model/checkpoint.h"
#include "model/weights.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD_ALONE = 6 }; /* train_unfreeze: after the last stage */

void network_release(struct network *n)
{
    nn_graph_release(&n->whole);
    nn_graph_release(&n->head);
    free(n->values);
    free(n->factor);
    *n = (struct network)NETWORK_INIT;
}

float *network_learnt(const struct network *n)
{
    return n->values + n->first;
}

static nn_id find_dense(const struct nn_graph *g)
{
    nn_id id = 0;

    while (g->node[id].op != NN_DENSE)
        id++;
    return id;
}

/* The first node of a ResNet's stage (1: the network, HEAD_ALONE: the dense layer). */
static nn_id find_stage(const struct nn_graph *g, int stage)
{
    char name[NN_NAME];
    nn_id id = 0;

    if (stage == 1)
        return 0;
    if (stage == HEAD_ALONE)
        return find_dense(g);
    int n = snprintf(name, sizeof name, "res%da_", stage);
    while (strncmp(g->node[id].name, name, (size_t)n) != 0)
        id++;
    return id;
}

/* The dense layer by itself, on features. */
static void build_head(struct network *n)
{
    const struct nn_node *dense = &n->whole.node[find_dense(&n->whole)];

    nn_id x = nn_input(&n->head, n->whole.node[dense->in[0]].shape);
    nn_softmax(&n->head, nn_dense(&n->head, x, dense->name, dense->shape.c));
    n->learnt = &n->head;
    n->first = n->whole.slot[dense->slot].offset;
    assert(n->first + n->head.n_values == n->whole.n_values);
}

static void rate_parts(struct network *n, const struct train_options *o)
{
    const nn_id head = find_dense(n->learnt);

    n->factor = mem_new((size_t)n->learnt->n_slots, sizeof *n->factor);
    for (int i = 0; i < n->learnt->n_slots; i++)
        n->factor[i] = n->learnt->slot[i].node == head ? 1 : o->backbone_learning_rate / o->learning_rate;
}

static void build(struct network *n, const struct train_job *job)
{
    const struct train_options *o = &job->options;
    const struct nn_shape input = {job->channels, job->prep.size, job->prep.size};

    n->learnt = &n->whole;
    if (job->task != RUN_CLASSIFY) {
        job->model->build(&n->whole, input);
    } else {
        model_build(job->model, &n->whole, input, &n->options);
        nn_graph_freeze(&n->whole, find_stage(&n->whole, train_unfreeze(o)),
                        o->frozen_norm == TRAIN_FROZEN_INFERENCE);
        if (train_caches(o))
            build_head(n);
        rate_parts(n, o);
    }
    n->values = mem_new(n->whole.n_values, sizeof *n->values);
    nn_graph_init_values(&n->whole, n->values, (uint64_t)o->seed);
}

static bool check_channels(const struct model_weights *w, const struct train_job *job, const char *path,
                           struct err *err)
{
    return w->told.input.c == job->channels ||
           err_set(err, ERR_INPUT, "%s: weights for images of %d channels, not %d", path, w->told.input.c,
                   job->channels);
}

static bool open_classifier(struct network *n, const struct train_job *job, const struct network_start *start,
                            struct err *err)
{
    struct model_weights w = MODEL_WEIGHTS_INIT;
    const char *init = start->own ? NULL : start->init;

    if (init && (!model_weights_read(&w, init, job->model, err) || !check_channels(&w, job, init, err))) {
        model_weights_release(&w);
        return false;
    }
    n->options = start->options ? *start->options : w.told.options;
    n->options.classes = RUN_CLASSES;
    n->options.narrow_pool |= job->narrow_pool;
    build(n, job);
    if (init && model_weights_copy(&w, &n->whole, n->values) > 0)
        log_info("%s: the head begins with initial values", init);
    model_weights_release(&w);
    return true;
}

bool network_open(struct network *n, const struct train_job *job, const struct network_start *start,
                  struct err *err)
{
    const char *path = start->own;

    if (job->task == RUN_CLASSIFY) {
        if (!open_classifier(n, job, start, err))
            return false;
    } else {
        build(n, job);
        path = path ? path : start->init;
    }
    return !path || checkpoint_read(path, &n->whole, n->values, NULL, 0, NULL, err);
}
