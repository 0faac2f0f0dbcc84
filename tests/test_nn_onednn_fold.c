/* Upsampling folded into the convolution after it, against the plain graph in the reference backend. With
 * numbers that are small integers every sum is exact in float, so the two must agree to the last bit: output,
 * gradients of kernels, biases and of the input, borders included. */
#include "nn/onednn.h"

#include "base/mem.h"
#include "base/rng.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void integers(float *v, size_t n, uint64_t seed)
{
    struct rng r = rng_at(seed, RNG_TEST, n, 2);
    for (size_t i = 0; i < n; i++)
        v[i] = (float)((int)rng_between(&r, 0, 7) - 3);
}

struct size {
    int up, skip, filters, h, w; /* channels, then the side of what is upsampled */
};

/* Both branches come from the input through layers whose numbers are learnt too. */
static void build(struct nn_graph *g, struct size s)
{
    nn_id in = nn_input(g, (struct nn_shape){16, 2 * s.h, 2 * s.w});
    nn_id x = nn_conv2d(g, in, "x", (struct nn_conv){.filters = s.up, .kernel = 1, .stride = 2});
    nn_id skip = nn_conv2d(g, in, "skip", (struct nn_conv){.filters = s.skip, .kernel = 1});
    x = nn_concat(g, nn_upsample(g, x, 2), skip);
    nn_conv2d(g, x, "both", (struct nn_conv){.filters = s.filters, .kernel = 3, .pad = 1});
}

struct answer {
    float *output, *grads, *grad_input;
    size_t n_output, n_grads, n_input;
};

static void answer_release(struct answer *a)
{
    free(a->output);
    free(a->grads);
    free(a->grad_input);
}

static struct answer ask(const struct nn_backend *b, const struct nn_graph *g, struct nn_compile how)
{
    size_t batch = (size_t)how.batch, n_in = batch * nn_shape_size(g->node[0].shape),
           n_out = batch * nn_shape_size(g->node[g->n_nodes - 1].shape);
    struct answer a = {
        mem_new(n_out, 4), mem_new(g->n_values, 4), mem_new(n_in, 4), n_out, g->n_values, n_in};
    float *values = mem_new(g->n_values, 4), *input = mem_new(n_in, 4), *dy = mem_new(n_out, 4);
    struct nn_step step = {.momentum = .9f};
    struct nn_exec x = NN_EXEC_INIT;
    struct err err = ERR_INIT;
    integers(values, g->n_values, 1);
    integers(input, n_in, 2);
    integers(dy, n_out, 3);
    if (!nn_exec_init(&x, b, g, &how, &err))
        fail_msg("%s", err.text);
    b->set(x.self, values);
    memcpy(a.output, b->forward(x.self, input, &step), n_out * sizeof *dy);
    if (how.mode == NN_TRAIN)
        b->backward(x.self, dy, a.grads, a.grad_input);
    nn_exec_release(&x);
    free(values);
    free(input);
    free(dy);
    return a;
}

static void check(struct size s, struct nn_compile how)
{
    struct nn_graph g = NN_GRAPH_INIT;
    build(&g, s);
    struct answer a = ask(&nn_backend_onednn, &g, how), b = ask(&nn_backend_ref, &g, how);
    for (size_t i = 0; i < a.n_output; i++)
        assert_true(a.output[i] == b.output[i]);
    for (size_t i = 0; i < a.n_grads; i++)
        assert_true(a.grads[i] == b.grads[i]);
    for (size_t i = 0; i < a.n_input; i++)
        assert_true(a.grad_input[i] == b.grad_input[i]);
    answer_release(&a);
    answer_release(&b);
    nn_graph_release(&g);
}

static void test_exact(void **state)
{
    static const struct size SIZES[] = {
        {16, 16, 16, 1, 1}, {16, 32, 16, 1, 3}, {32, 16, 48, 3, 2}, {64, 32, 32, 7, 5}, {32, 16, 16, 14, 17},
    };
    struct nn_compile how = {
        .mode = NN_TRAIN, .direct = true, .folding = NN_FOLD_ALWAYS, .input_gradient = true};
    (void)state;
    for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++)
        for (how.batch = 1; how.batch <= 3; how.batch += 2)
            check(SIZES[i], how);
    how.mode = NN_INFER;
    how.input_gradient = false;
    check(SIZES[2], how);
}

/* Steps of that name, or all. */
static int steps(struct size s, struct nn_compile how, const char *what)
{
    struct nn_graph g = NN_GRAPH_INIT;
    struct nn_exec x = NN_EXEC_INIT;
    struct err err = ERR_INIT;
    int count = 0;
    build(&g, s);
    assert_true(nn_exec_init(&x, &nn_backend_onednn, &g, &how, &err));
    const struct onednn *o = x.self;
    for (int i = 0; i < o->n_steps; i++)
        count += !strcmp(o->step[i].what, what);
    nn_exec_release(&x);
    nn_graph_release(&g);
    return count;
}

static void test_which(void **state)
{
    const struct size small = {32, 16, 16, 7, 7}, odd = {32, 20, 16, 7, 7};
    struct nn_compile how = {.batch = 1, .mode = NN_TRAIN, .folding = NN_FOLD_ALWAYS};
    (void)state;
    assert_int_equal(steps(small, how, "upsample") + steps(small, how, "concat"), 0);
    assert_int_equal(steps(small, how, "fold dw"), 2);
    assert_int_equal(steps(odd, how, "upsample"), 1); /* channels off the vector width */
    how.folding = NN_FOLD_NEVER;
    assert_int_equal(steps(small, how, "upsample"), 1);
    how.folding = NN_FOLD_AUTO;
    how.direct = true;
    assert_int_equal(steps(small, how, "upsample"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exact),
        cmocka_unit_test(test_which),
    };
    nn_threads(2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
