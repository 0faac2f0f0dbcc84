/* What is timed, and the operations it is divided by. */
#include "train/bench.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static double gflop(const struct model *m, enum nn_mode mode)
{
    struct nn_graph g = NN_GRAPH_INIT;
    model_build(m, &g, (struct nn_shape){3, 224, 224}, NULL);
    double sum = bench_flops(&g, mode) * 1e-9;
    nn_graph_release(&g);
    return sum;
}

/* Counted by hand from the published tables of layers: the U-Net's 26.45 and 79.26. */
static void test_flops(void **state)
{
    (void)state;
    double first = 2 * 9 * 3 * 32 * 224. * 224. * 1e-9, forward = 0;
    static const int SIDE[6] = {224, 112, 56, 28, 14, 7};
    for (int k = 0; k < 6; k++) {
        double out = 32 << k, pixels = (double)SIDE[k] * SIDE[k], in = k ? out / 2 : 3;
        forward += 18 * pixels * out * (in + out);
        if (k < 5)
            forward += 18 * pixels * out * (3 * out + out); /* [upsampled 2 out, skip out], then out */
    }
    forward = forward * 1e-9 + 2 * 32 * 224. * 224. * 1e-9;
    assert_true(fabs(forward - 26.45) < .005);
    assert_true(fabs(gflop(&model_unet_224, NN_INFER) - forward) < 1e-9);
    assert_true(fabs(gflop(&model_unet_224, NN_TRAIN) - (3 * forward - first)) < 1e-9);
    assert_true(fabs(gflop(&model_resnet50, NN_INFER) - 7.71) < .03);
}

static void run(const struct model *m, enum nn_mode mode, bool held)
{
    struct bench_result r = BENCH_RESULT_INIT;
    struct err err = ERR_INIT;
    const struct bench_job job = {.model = m,
                                  .size = 32,
                                  .channels = 3,
                                  .batch = 2,
                                  .mode = mode,
                                  .steps = 3,
                                  .exact = true,
                                  .held = held,
                                  .backend = &nn_backend_onednn};
    double conv = 0;
    assert_true(bench_run(&r, &job, &err));
    assert_true(r.best_s > 0 && r.median_s >= r.best_s && r.waited_s >= 0 && r.waited_s <= r.median_s);
    assert_true(r.memory > 0);
    for (int i = 0; i < r.n_timings; i++)
        conv += strcmp(r.timing[i].what, "conv") ? 0 : r.timing[i].seconds;
    assert_true(conv > 0 && conv < 3 * r.median_s);
    bench_release(&r);
}

static void test_run(void **state)
{
    (void)state;
    run(&model_unet_224, NN_INFER, false);
    run(&model_resnet50, NN_TRAIN, false);
    run(&model_resnet50, NN_TRAIN, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_flops),
        cmocka_unit_test(test_run),
    };
    nn_threads(2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
