/* The reference backend's gradients against central differences, op by op.
 *
 * Loss = sum(output * random), in double. The derivative by a number v comes from four evaluations (fourth
 * order): (8 (L(v+h) - L(v-h)) - (L(v+2h) - L(v-2h))) / 12h. What is compared is the largest difference
 * within a slot over the largest derivative of the slot (plus .01: a bias before a batch norm has derivative
 * 0). */
#include "nn/exec.h"

#include "base/mem.h"
#include "base/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static const double TOLERANCE = 1e-3;

enum { BATCH = 3 };

struct gradient_case {
    const char *name;
    void (*build)(struct nn_graph *g);
    /* Inputs a multiple of .1 apart and off zero, h = .02: no step crosses a kink of a ReLU or a maximum. */
    bool kinks;
    bool dropout;
};

struct probe {
    struct nn_graph g;
    struct nn_exec x;
    struct nn_step step;
    float *values, *input, *weight;
    float *grads, *grad_input;
    size_t n_input, n_output;
};

static double loss(struct probe *p)
{
    double sum = 0;
    p->x.backend->set(p->x.self, p->values); /* forward moved the statistics */
    const float *y = p->x.backend->forward(p->x.self, p->input, &p->step);
    for (size_t i = 0; i < p->n_output; i++)
        sum += (double)y[i] * (double)p->weight[i];
    return sum;
}

static double loss_at(struct probe *p, float *v, double value)
{
    float before = *v;
    *v = (float)value;
    double l = loss(p);
    *v = before;
    return l;
}

static double difference(struct probe *p, float *v, double h)
{
    double at = *v;
    return (8 * (loss_at(p, v, at + h) - loss_at(p, v, at - h)) -
            (loss_at(p, v, at + 2 * h) - loss_at(p, v, at - 2 * h))) /
           (12 * h);
}

/* Largest error of grads[n] as the derivatives by v[n]. */
static double error_of(struct probe *p, float *v, const float *grads, size_t n, double h)
{
    double worst = 0, largest = 0.01;
    for (size_t i = 0; i < n; i++) {
        double d = difference(p, v + i, h);
        worst = fmax(worst, fabs(d - (double)grads[i]));
        largest = fmax(largest, fabs(d));
    }
    return worst / largest;
}

static void fill(float *v, size_t n, double low, double high, uint64_t seed)
{
    struct rng r = rng_at(seed, RNG_TEST, 0, 0);
    for (size_t i = 0; i < n; i++)
        v[i] = (float)rng_between(&r, low, high);
}

static void fill_apart(float *v, size_t n, uint64_t seed)
{
    struct rng r = rng_at(seed, RNG_TEST, 0, 0);
    size_t *order = mem_new(n, sizeof *order);
    rng_permutation(&r, order, n);
    for (size_t i = 0; i < n; i++)
        v[i] = (float)(0.1 * ((double)order[i] - (double)(n / 2) + 0.5));
    free(order);
}

static void fill_values(struct probe *p)
{
    for (int i = 0; i < p->g.n_slots; i++) {
        const struct nn_slot *s = &p->g.slot[i];
        bool scale = s->role == NN_GAMMA || s->role == NN_VARIANCE;
        fill(p->values + s->offset, s->count, scale ? 0.5 : -0.7, scale ? 1.5 : 0.7, 100 + (uint64_t)i);
    }
}

static void open_probe(struct probe *p, const struct gradient_case *c)
{
    struct err err = ERR_INIT;
    struct nn_compile how = {.batch = BATCH, .mode = NN_TRAIN, .input_gradient = true};
    *p = (struct probe){.g = NN_GRAPH_INIT, .step = {.momentum = 0.9f, .dropout = c->dropout, .seed = 5}};
    c->build(&p->g);
    p->n_input = BATCH * nn_shape_size(p->g.node[0].shape);
    p->n_output = BATCH * nn_shape_size(p->g.node[p->g.n_nodes - 1].shape);
    p->values = mem_new(p->g.n_values + 1, sizeof(float));
    p->grads = mem_new(p->g.n_values + 1, sizeof(float));
    p->input = mem_new(p->n_input, sizeof(float));
    p->grad_input = mem_new(p->n_input, sizeof(float));
    p->weight = mem_new(p->n_output, sizeof(float));
    fill(p->weight, p->n_output, -1, 1, 1);
    if (c->kinks)
        fill_apart(p->input, p->n_input, 2);
    else
        fill(p->input, p->n_input, -1.5, 1.5, 2);
    fill_values(p);
    assert_true(nn_exec_init(&p->x, &nn_backend_ref, &p->g, &how, &err));
    loss(p);
    p->x.backend->backward(p->x.self, p->weight, p->grads, p->grad_input);
}

static void close_probe(struct probe *p)
{
    nn_exec_release(&p->x);
    nn_graph_release(&p->g);
    free(p->values);
    free(p->grads);
    free(p->input);
    free(p->grad_input);
    free(p->weight);
}

static void small_input(struct nn_graph *g, int c, int h, int w)
{
    nn_input(g, (struct nn_shape){c, h, w});
}

static void conv_same(struct nn_graph *g)
{
    small_input(g, 2, 4, 5);
    nn_conv2d(g, 0, "c", (struct nn_conv){.filters = 3, .kernel = 3, .pad = 1});
}

static void conv_valid(struct nn_graph *g)
{
    small_input(g, 2, 5, 4);
    nn_conv2d(g, 0, "c", (struct nn_conv){.filters = 2, .kernel = 3});
}

static void conv_1x1(struct nn_graph *g)
{
    small_input(g, 3, 3, 4);
    nn_conv2d(g, 0, "c", (struct nn_conv){.filters = 2, .kernel = 1});
}

static void conv_1x1_strided(struct nn_graph *g)
{
    small_input(g, 3, 5, 4);
    nn_conv2d(g, 0, "c", (struct nn_conv){.filters = 2, .kernel = 1, .stride = 2});
}

static void conv_strided(struct nn_graph *g)
{
    small_input(g, 2, 6, 5);
    nn_conv2d(g, 0, "c", (struct nn_conv){.filters = 2, .kernel = 3, .stride = 2, .pad = 1});
}

static void conv_7x7_strided(struct nn_graph *g)
{
    small_input(g, 1, 8, 7);
    nn_conv2d(g, 0, "c", (struct nn_conv){.filters = 2, .kernel = 7, .stride = 2, .pad = 3});
}

static void conv_wider_than_input(struct nn_graph *g)
{
    small_input(g, 2, 2, 1);
    nn_conv2d(g, 0, "c", (struct nn_conv){.filters = 2, .kernel = 7, .pad = 3});
}

static void norm(struct nn_graph *g)
{
    small_input(g, 3, 3, 2);
    nn_batchnorm(g, 0, "b", (struct nn_norm){.epsilon = 1e-3f});
}

static void norm_frozen(struct nn_graph *g)
{
    small_input(g, 3, 3, 2);
    nn_batchnorm(g, 0, "b", (struct nn_norm){.epsilon = 1e-3f, .frozen = true});
}

static void relu(struct nn_graph *g)
{
    small_input(g, 2, 3, 3);
    nn_relu(g, 0);
}

static void sigmoid(struct nn_graph *g)
{
    small_input(g, 2, 3, 3);
    nn_sigmoid(g, 0);
}

static void softmax(struct nn_graph *g)
{
    small_input(g, 4, 2, 2);
    nn_softmax(g, 0);
}

static void maxpool(struct nn_graph *g)
{
    small_input(g, 2, 4, 5);
    nn_maxpool(g, 0, (struct nn_pool){.kernel = 2});
}

static void maxpool_overlapping(struct nn_graph *g)
{
    small_input(g, 2, 6, 5);
    nn_maxpool(g, 0, (struct nn_pool){.kernel = 3, .stride = 2, .pad = 1});
}

static void upsample_2(struct nn_graph *g)
{
    small_input(g, 2, 3, 2);
    nn_upsample(g, 0, 2);
}

static void upsample_3(struct nn_graph *g)
{
    small_input(g, 1, 2, 2);
    nn_upsample(g, 0, 3);
}

static void concat(struct nn_graph *g)
{
    small_input(g, 2, 3, 3);
    nn_id a = nn_conv2d(g, 0, "a", (struct nn_conv){.filters = 3, .kernel = 1});
    nn_concat(g, a, 0);
}

static void add(struct nn_graph *g)
{
    small_input(g, 2, 3, 3);
    nn_id a = nn_conv2d(g, 0, "a", (struct nn_conv){.filters = 2, .kernel = 3, .pad = 1});
    nn_add(g, 0, a);
}

static void add_to_itself(struct nn_graph *g)
{
    small_input(g, 2, 2, 2);
    nn_concat(g, nn_add(g, 0, 0), 0);
}

static void global_avgpool(struct nn_graph *g)
{
    small_input(g, 3, 4, 3);
    nn_global_avgpool(g, 0);
}

static void dense(struct nn_graph *g)
{
    small_input(g, 5, 1, 1);
    nn_dense(g, 0, "d", 3);
}

static void dropout(struct nn_graph *g)
{
    small_input(g, 6, 2, 2);
    nn_spatial_dropout(g, 0, 0.4f);
}

/* A little of everything behind one another, smooth. */
static void network(struct nn_graph *g)
{
    small_input(g, 2, 6, 6);
    nn_id x = nn_conv2d(g, 0, "c1", (struct nn_conv){.filters = 3, .kernel = 3, .stride = 2, .pad = 1});
    nn_id skip = nn_sigmoid(g, nn_batchnorm(g, x, "b1", (struct nn_norm){.epsilon = 1e-3f}));
    x = nn_upsample(g, skip, 2);
    x = nn_concat(g, x, 0);
    x = nn_conv2d(g, x, "c2", (struct nn_conv){.filters = 3, .kernel = 3, .stride = 2, .pad = 1});
    x = nn_spatial_dropout(g, nn_add(g, x, skip), 0.3f);
    x = nn_dense(g, nn_global_avgpool(g, x), "d", 3);
    nn_softmax(g, x);
}

static const struct gradient_case CASES[] = {
    {"conv 3x3 same", conv_same, false, false},
    {"conv 3x3 valid", conv_valid, false, false},
    {"conv 1x1", conv_1x1, false, false},
    {"conv 1x1 stride 2", conv_1x1_strided, false, false},
    {"conv 3x3 stride 2", conv_strided, false, false},
    {"conv 7x7 stride 2", conv_7x7_strided, false, false},
    {"conv wider than its input", conv_wider_than_input, false, false},
    {"batch norm", norm, false, false},
    {"batch norm, frozen", norm_frozen, false, false},
    {"relu", relu, true, false},
    {"sigmoid", sigmoid, false, false},
    {"softmax", softmax, false, false},
    {"max pool 2", maxpool, true, false},
    {"max pool 3/2", maxpool_overlapping, true, false},
    {"upsample 2", upsample_2, false, false},
    {"upsample 3", upsample_3, false, false},
    {"concat", concat, false, false},
    {"add", add, false, false},
    {"add to itself", add_to_itself, false, false},
    {"global average pool", global_avgpool, false, false},
    {"dense", dense, false, false},
    {"dropout", dropout, false, true},
    {"network", network, false, true},
};

enum { N_CASES = sizeof CASES / sizeof *CASES };

static double worst_error(struct probe *p, double h)
{
    double worst = error_of(p, p->input, p->grad_input, p->n_input, h);
    for (int i = 0; i < p->g.n_slots; i++) {
        const struct nn_slot *s = &p->g.slot[i];
        if (s->trainable)
            worst = fmax(worst, error_of(p, p->values + s->offset, p->grads + s->offset, s->count, h));
    }
    return worst;
}

static void test_gradients(void **state)
{
    (void)state;
    for (int i = 0; i < N_CASES; i++) {
        struct probe p;
        open_probe(&p, &CASES[i]);
        double e = worst_error(&p, CASES[i].kinks ? 0.02 : 0.05);
        if (e > TOLERANCE)
            fail_msg("%s: gradient off by %g", CASES[i].name, e);
        close_probe(&p);
    }
}

static size_t index_of_largest(const float *v, size_t n)
{
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        best = fabsf(v[i]) > fabsf(v[best]) ? i : best;
    return best;
}

/* The comparison itself: one number of the gradient wrong by 1 %, or two swapped, must be seen. */
static void test_wrong_gradients_are_seen(void **state)
{
    (void)state;
    for (int i = 0; i < N_CASES; i++) {
        struct probe p;
        double h = CASES[i].kinks ? 0.02 : 0.05;
        open_probe(&p, &CASES[i]);
        size_t k = index_of_largest(p.grad_input, p.n_input);
        float right = p.grad_input[k];
        p.grad_input[k] = right * 1.01f;
        assert_true(error_of(&p, p.input, p.grad_input, p.n_input, h) > TOLERANCE);
        p.grad_input[k] = -right;
        assert_true(error_of(&p, p.input, p.grad_input, p.n_input, h) > TOLERANCE);
        close_probe(&p);
    }
}

/* Nothing trainable in "c1": its gradients are 0, all others as before. */
static void test_frozen_slots_get_zero(void **state)
{
    (void)state;
    struct probe p, q;
    struct gradient_case c = CASES[N_CASES - 1];
    open_probe(&p, &c);
    open_probe(&q, &c);
    nn_exec_release(&q.x);
    for (int i = 0; i < 2; i++)
        q.g.slot[i].trainable = false;
    struct err err = ERR_INIT;
    struct nn_compile how = {.batch = BATCH, .mode = NN_TRAIN};
    assert_true(nn_exec_init(&q.x, &nn_backend_ref, &q.g, &how, &err));
    loss(&q);
    q.x.backend->backward(q.x.self, q.weight, q.grads, NULL);
    for (int i = 0; i < q.g.n_slots; i++)
        for (size_t k = q.g.slot[i].offset; k < q.g.slot[i].offset + q.g.slot[i].count; k++)
            assert_true(q.grads[k] == (q.g.slot[i].trainable ? p.grads[k] : 0));
    assert_true(q.x.backend->memory(q.x.self) < p.x.backend->memory(p.x.self));
    close_probe(&p);
    close_probe(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_wrong_gradients_are_seen),
        cmocka_unit_test(test_frozen_slots_get_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
