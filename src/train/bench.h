/* train/bench.h: how long this machine takes for a network: whole training steps as train.h makes them
 * (images augmented in another thread, forward, loss, backward, Adam), or inference, on images that are made
 * up. */
#ifndef CLEARMASS_TRAIN_BENCH_H
#define CLEARMASS_TRAIN_BENCH_H

#include "model/model.h"
#include "nn/exec.h"

struct bench_job {
    const struct model *model;
    int size, channels, batch;
    enum nn_mode mode;
    int steps;  /* that count, >= 1; one more comes before them */
    bool exact; /* as training's --exact */
    bool bf16;  /* as training's --bf16; inference is in float */
    bool cpu;   /* processor seconds of all threads instead of the clock's: for a busy machine */
    bool held;  /* the same batch in memory again and again: nothing to wait for */
    const struct nn_backend *backend;
};

struct bench_result {
    double median_s, best_s; /* of a step */
    double waited_s;         /* of the median step, for images */
    double
        flops; /* an image: 2 for each product of the layers' definitions, whatever way they are computed */
    size_t memory;            /* planned for a step, bytes */
    struct nn_timing *timing; /* [n_timings]: the parts of a step, where the backend takes times; owned */
    int n_timings;
    struct nn_graph graph; /* that the timings are of; owned */
};

#define BENCH_RESULT_INIT                                                                                    \
    {                                                                                                        \
        .graph = NN_GRAPH_INIT                                                                               \
    }

/* Fails where the backend cannot do the network, and with ERR_CANCELLED where the user stops it. */
bool bench_run(struct bench_result *out, const struct bench_job *job, struct err *err);
void bench_release(struct bench_result *r);

/* Operations of one image: forward, and in training backward too, without a gradient of the input. */
double bench_flops(const struct nn_graph *g, enum nn_mode mode);

#endif
