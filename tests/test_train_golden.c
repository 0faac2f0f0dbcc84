/* Fine-tuning against PyTorch in double precision: frozen layers by their own statistics and as Keras 2.2.4
 * has them, class weights, smoothed labels, Keras' SGD with a rate of its own for the backbone.
 *
 * tools/golden_finetune.py made tests/golden/finetune* and tells what lies there; numbers begin as an integer
 * hash. */
#include "train/loss.h"
#include "train/norm.h"
#include "train/optim.h"

#include "base/csv.h"
#include "base/file.h"
#include "base/mem.h"
#include "nn/exec.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BATCH = 6, SIDE = 8, STEPS = 3, INPUT = 1037, ITEM = 3 * SIDE * SIDE };

/* The finaliser of splitmix64 over (stream, i), as a multiple of 2^-24 in [0, 1). */
static double uniform(uint64_t stream, uint64_t i)
{
    uint64_t z = (i + 1 + (stream << 32)) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return (double)(z >> 40) / 16777216.0;
}

static void fill_values(const struct nn_graph *g, float *values)
{
    for (int i = 0; i < g->n_slots; i++) {
        const struct nn_slot *s = &g->slot[i];
        const double limit = s->role == NN_KERNEL ? sqrt(6.0 / (s->dim[1] * s->dim[2] * s->dim[3])) : .1;
        const double low = s->role == NN_GAMMA ? .8 : s->role == NN_VARIANCE ? .5 : -limit;
        const double high = s->role == NN_GAMMA ? 1.2 : s->role == NN_VARIANCE ? 1.5 : limit;
        for (size_t k = 0; k < s->count; k++)
            values[s->offset + k] = (float)(low + (high - low) * uniform((uint64_t)i, k));
    }
}

static void build(struct nn_graph *g, bool fixed)
{
    const struct nn_norm norm = {.epsilon = 1e-3f};
    nn_id x = nn_input(g, (struct nn_shape){3, SIDE, SIDE});

    x = nn_conv2d(g, x, "first", (struct nn_conv){.filters = 8, .kernel = 3, .stride = 2, .pad = 1});
    x = nn_relu(g, nn_batchnorm(g, x, "first_bn", norm));
    nn_id second = nn_conv2d(g, x, "second", (struct nn_conv){.filters = 6, .kernel = 3, .pad = 1});
    x = nn_relu(g, nn_batchnorm(g, second, "second_bn", norm));
    nn_softmax(g, nn_dense(g, nn_global_avgpool(g, x), "head", 2));
    nn_graph_freeze(g, second, fixed);
}

static double expected_loss(const char *mode, int step)
{
    struct csv t = CSV_INIT;
    struct err err = ERR_INIT;
    double loss = NAN;

    assert_true(csv_read(&t, TESTS_DIR "/golden/finetune.csv", &err));
    for (size_t i = 0; i < t.count; i++)
        if (!strcmp(csv_get(&t, i, 0), mode) && atoi(csv_get(&t, i, 1)) == step)
            loss = atof(csv_get(&t, i, 2));
    csv_release(&t);
    return loss;
}

static const int LABEL[BATCH] = {0, 1, 0, 0, 1, 0};

/* Weight x (smoothed label), as the source of crops makes it; plain: as in validation. */
static void make_truth(float truth[2 * BATCH], bool plain)
{
    static const double WEIGHT[2] = {.5, 2};

    for (int i = 0; i < BATCH; i++)
        for (int k = 0; k < 2; k++)
            truth[2 * i + k] =
                plain ? k == LABEL[i] : (float)(WEIGHT[LABEL[i]] * (k == LABEL[i] ? .95 : .05));
}

struct tuning {
    const char *mode;
    const struct nn_backend *backend;
    struct nn_graph g;
    struct nn_exec learn, judge;
    float *values, *grads;
    float input[STEPS * BATCH * ITEM];
};

static void take_step(struct tuning *t, struct optim *o, int step)
{
    const struct nn_step how = {.momentum = .99f};
    float truth[2 * BATCH], grad[2 * BATCH];

    make_truth(truth, false);
    t->backend->set(t->learn.self, t->values);
    const float *y = t->backend->forward(t->learn.self, t->input + step * BATCH * ITEM, &how);
    double loss = loss_find("cross-entropy")->measure(truth, y, 2 * BATCH, grad);
    assert_float_equal(loss, expected_loss(t->mode, step), 2e-6);
    t->backend->backward(t->learn.self, grad, t->grads, NULL);
    t->backend->get(t->learn.self, t->values);
    optim_step(o, t->values, t->grads);
}

static void check_values(const struct tuning *t, const float *before)
{
    struct buf golden = BUF_INIT;
    struct err err = ERR_INIT;
    char *path = mem_printf("%s/golden/finetune_%s.f32", TESTS_DIR, t->mode);

    assert_true(file_read(&golden, path, 0, &err));
    assert_int_equal(golden.len, t->g.n_values * sizeof(float));
    for (int i = 0; i < t->g.n_slots; i++) {
        const struct nn_slot *s = &t->g.slot[i];
        const float *e = (const float *)(const void *)golden.data + s->offset, *v = t->values + s->offset;
        for (size_t k = 0; k < s->count; k++)
            if (fabsf(e[k] - v[k]) > 3e-6f)
                fail_msg("%s %s: %s[%zu] is %g, PyTorch has %g", t->mode, t->backend->name, s->name, k, v[k],
                         e[k]);
        if (i < 6) /* the frozen ones, statistics and all, to the last bit */
            assert_memory_equal(v, before + s->offset, s->count * sizeof *v);
    }
    buf_release(&golden);
    free(path);
}

static void tune(const char *mode, const struct nn_backend *backend)
{
    struct tuning *t = mem_new(1, sizeof *t);
    struct err err = ERR_INIT;
    struct nn_compile how = {.batch = BATCH, .mode = NN_TRAIN};
    double factor[14];
    float truth[2 * BATCH];

    *t = (struct tuning){.mode = mode, .backend = backend, .g = NN_GRAPH_INIT};
    build(&t->g, !strcmp(mode, "inference"));
    assert_int_equal(t->g.n_slots, 14);
    assert_true(norm_tracks(&t->g));
    for (int i = 0; i < 14; i++)
        factor[i] = i < 12 ? .1 : 1;
    for (size_t i = 0; i < STEPS * BATCH * ITEM; i++)
        t->input[i] = (float)(uniform(INPUT, i) - .5);
    t->values = mem_new(t->g.n_values, sizeof *t->values);
    t->grads = mem_new(t->g.n_values, sizeof *t->grads);
    fill_values(&t->g, t->values);
    float *before = mem_new(t->g.n_values, sizeof *before);
    memcpy(before, t->values, t->g.n_values * sizeof *before);
    struct optim o = {.kind = OPTIM_SGD,
                      .learning_rate = .05,
                      .decay = .01,
                      .momentum = .9,
                      .nesterov = true,
                      .graph = &t->g,
                      .factor = factor};
    optim_init(&o);
    assert_true(nn_exec_init(&t->learn, backend, &t->g, &how, &err));
    for (int step = 0; step < STEPS; step++)
        take_step(t, &o, step);
    check_values(t, before);
    how.mode = NN_INFER;
    assert_true(nn_exec_init(&t->judge, backend, &t->g, &how, &err));
    backend->set(t->judge.self, t->values);
    make_truth(truth, true);
    const float *y = backend->forward(t->judge.self, t->input, NULL);
    assert_float_equal(loss_find("cross-entropy")->measure(truth, y, 2 * BATCH, NULL),
                       expected_loss(mode, STEPS), 2e-6);
    optim_release(&o);
    nn_exec_release(&t->learn);
    nn_exec_release(&t->judge);
    nn_graph_release(&t->g);
    free(before);
    free(t->values);
    free(t->grads);
    free(t);
}

static void frozen_layers_by_their_own_statistics(void **state)
{
    (void)state;
    tune("inference", &nn_backend_ref);
    tune("inference", &nn_backend_onednn);
}

static void frozen_layers_by_those_of_the_batch(void **state)
{
    (void)state;
    tune("keras224", &nn_backend_ref);
    tune("keras224", &nn_backend_onednn);
    /* the two ways differ, or this would show nothing */
    assert_true(fabs(expected_loss("keras224", 0) - expected_loss("inference", 0)) > 1e-3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(frozen_layers_by_their_own_statistics),
                                       cmocka_unit_test(frozen_layers_by_those_of_the_batch)};
    return cmocka_run_group_tests_name("train: fine-tuning", tests, NULL, NULL);
}
