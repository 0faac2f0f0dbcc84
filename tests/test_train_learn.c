/* One update: gradients of several batches averaged are the gradient of all of them. */
#include "train/learn.h"

#include "base/mem.h"
#include "base/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SIDE = 6, IMAGES = 6, PIXELS = SIDE * SIDE };

/* No norm: nothing depends on who is in a batch. */
static void build(struct nn_graph *g)
{
    nn_id x = nn_input(g, (struct nn_shape){1, SIDE, SIDE});
    x = nn_relu(g, nn_conv2d(g, x, "conv", (struct nn_conv){4, 3, 1, 1}));
    nn_softmax(g, nn_dense(g, nn_global_avgpool(g, x), "dense", 2));
}

/* values after one update, from IMAGES images taken in `parts` batches. */
static void update(const struct nn_graph *g, int parts, float *values)
{
    const size_t batch = IMAGES / (size_t)parts, n = g->n_values;
    float input[IMAGES * PIXELS], truth[IMAGES * 2], output_grad[IMAGES * 2];
    float *grads = mem_new(n, sizeof *grads), *sum = mem_new(n, sizeof *sum);
    struct nn_exec x = NN_EXEC_INIT;
    struct err err = ERR_INIT;
    struct optim o = {.kind = OPTIM_SGD, .learning_rate = .5, .graph = g};
    struct rng r = rng_at(3, RNG_TEST, 0, 0);

    nn_graph_init_values(g, values, 1);
    optim_init(&o);
    for (size_t i = 0; i < IMAGES * PIXELS; i++)
        input[i] = (float)rng_normal(&r);
    for (size_t i = 0; i < IMAGES; i++) {
        truth[2 * i] = (float)(i % 3 == 0);
        truth[2 * i + 1] = 1 - truth[2 * i];
    }
    assert_true(nn_exec_init(&x, &nn_backend_ref, g,
                             &(struct nn_compile){.batch = (int)batch, .mode = NN_TRAIN}, &err));
    struct learner l = {.exec = &x,
                        .loss = loss_find("cross-entropy"),
                        .optim = &o,
                        .values = values,
                        .grads = grads,
                        .output_grad = output_grad,
                        .truth = 2,
                        .sum = parts > 1 ? sum : NULL,
                        .accumulate = parts};
    for (l.step = 0; l.step < parts; l.step++) {
        const size_t first = (size_t)l.step * batch;
        const struct feed_batch b = {.input = input + first * PIXELS, .truth = truth + 2 * first, .n = batch};
        const float *output;
        assert_int_equal(o.iterations, 0); /* until the last of them is seen */
        assert_true(isfinite(learner_step(&l, &b, &output)));
    }
    assert_int_equal(o.iterations, 1);
    nn_exec_release(&x);
    optim_release(&o);
    free(grads);
    free(sum);
}

static void test_parts_of_a_batch(void **state)
{
    struct nn_graph g = NN_GRAPH_INIT;

    (void)state;
    build(&g);
    float *begin = mem_new(g.n_values, sizeof *begin), *whole = mem_new(g.n_values, sizeof *whole),
          *parts = mem_new(g.n_values, sizeof *parts);
    nn_graph_init_values(&g, begin, 1);
    update(&g, 1, whole);
    double moved = 0;
    for (size_t i = 0; i < g.n_values; i++)
        moved = fmax(moved, fabs((double)whole[i] - (double)begin[i]));
    assert_true(moved > .01);
    for (int n = 2; n <= 3; n++) {
        update(&g, n, parts);
        for (size_t i = 0; i < g.n_values; i++)
            assert_true(fabs((double)whole[i] - (double)parts[i]) < 1e-6 * moved + 1e-7);
    }
    nn_graph_release(&g);
    free(begin);
    free(whole);
    free(parts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_parts_of_a_batch)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
