/* How the oneDNN backend behaves from run to run: the same bytes for the same numbers, no allocation, the
 * algorithms asked for, exact statistics, small sigmoids, and its errors. */
#include "nn/onednn.h"

#include "base/mem.h"
#include "base/rng.h"

#include <malloc.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Under AddressSanitizer memory that cannot be had is NULL, as it is without. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static void random_fill(float *v, size_t n, double low, double high, uint64_t seed)
{
    struct rng r = rng_at(seed, RNG_TEST, n, 1);
    for (size_t i = 0; i < n; i++)
        v[i] = (float)rng_between(&r, low, high);
}

static nn_id conv_norm(struct nn_graph *g, nn_id x, const char *name, int filters)
{
    char n[32];
    snprintf(n, sizeof n, "%s_norm", name);
    x = nn_conv2d(g, x, name, (struct nn_conv){.filters = filters, .kernel = 3, .pad = 1});
    return nn_relu(g, nn_batchnorm(g, x, n, (struct nn_norm){.epsilon = 1e-3f}));
}

/* Three channels in, one out, with a skip, every kind of step and a Winograd convolution. */
static void small_net(struct nn_graph *g)
{
    nn_id x = nn_input(g, (struct nn_shape){3, 24, 20});
    nn_id top = conv_norm(g, x, "a", 32);
    x = conv_norm(g, nn_maxpool(g, top, (struct nn_pool){.kernel = 2}), "b", 64);
    x = conv_norm(g, nn_concat(g, nn_upsample(g, x, 2), top), "c", 32);
    x = nn_spatial_dropout(g, x, .3f);
    nn_sigmoid(g, nn_conv2d(g, x, "mask", (struct nn_conv){.filters = 1, .kernel = 1}));
}

struct bench { /* a compiled small_net with its numbers */
    struct nn_graph g;
    struct nn_exec x;
    float *values, *input, *dy, *grads;
    size_t n_output;
    int batch;
};

static void bench_open(struct bench *b, struct nn_compile how)
{
    struct err err = ERR_INIT;
    *b = (struct bench){.g = NN_GRAPH_INIT, .x = NN_EXEC_INIT, .batch = how.batch};
    small_net(&b->g);
    size_t n_input = (size_t)how.batch * nn_shape_size(b->g.node[0].shape);
    b->n_output = (size_t)how.batch * nn_shape_size(b->g.node[b->g.n_nodes - 1].shape);
    b->values = mem_new(b->g.n_values, 4);
    b->grads = mem_new(b->g.n_values, 4);
    b->input = mem_new(n_input, 4);
    b->dy = mem_new(b->n_output, 4);
    nn_graph_init_values(&b->g, b->values, 7);
    random_fill(b->input, n_input, -1, 1, 1);
    random_fill(b->dy, b->n_output, -1, 1, 2);
    assert_true(nn_exec_init(&b->x, &nn_backend_onednn, &b->g, &how, &err));
    b->x.backend->set(b->x.self, b->values);
}

static void bench_close(struct bench *b)
{
    nn_exec_release(&b->x);
    nn_graph_release(&b->g);
    free(b->values);
    free(b->grads);
    free(b->input);
    free(b->dy);
}

static const float *bench_run(struct bench *b, uint64_t seed)
{
    struct nn_step step = {.momentum = .99f, .dropout = true, .seed = seed};
    const float *y = b->x.backend->forward(b->x.self, b->input, &step);
    b->x.backend->backward(b->x.self, b->dy, b->grads, NULL);
    return y;
}

static void test_same_bytes(void **state)
{
    struct nn_compile how = {.batch = 4, .mode = NN_TRAIN};
    struct bench a, b;
    (void)state;
    bench_open(&a, how);
    const float *ya = bench_run(&a, 3);
    float *grads = mem_new(a.g.n_values, 4), *output = mem_new(a.n_output, 4);
    memcpy(grads, a.grads, a.g.n_values * 4);
    memcpy(output, ya, a.n_output * 4);
    bench_open(&b, how); /* compiled again: the same algorithms */
    assert_memory_equal(bench_run(&b, 3), output, a.n_output * 4);
    assert_memory_equal(b.grads, grads, a.g.n_values * 4);
    assert_memory_not_equal(bench_run(&b, 4), output, a.n_output * 4); /* another dropout */
    assert_memory_equal(bench_run(&a, 3), output, a.n_output * 4); /* nothing left behind by the first run */
    assert_memory_equal(a.grads, grads, a.g.n_values * 4);
    bench_close(&a);
    bench_close(&b);
    free(grads);
    free(output);
}

static void test_set_again(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, (struct nn_compile){.batch = 2, .mode = NN_INFER});
    float *first = mem_new(b.n_output, 4), *doubled = mem_new(b.g.n_values, 4);
    memcpy(first, b.x.backend->forward(b.x.self, b.input, NULL), b.n_output * 4);
    for (size_t i = 0; i < b.g.n_values; i++)
        doubled[i] = 2 * b.values[i];
    b.x.backend->set(b.x.self, doubled);
    assert_memory_not_equal(b.x.backend->forward(b.x.self, b.input, NULL), first, b.n_output * 4);
    b.x.backend->set(b.x.self, b.values);
    assert_memory_equal(b.x.backend->forward(b.x.self, b.input, NULL), first, b.n_output * 4);
    bench_close(&b);
    free(first);
    free(doubled);
}

static void test_gradients_move(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, (struct nn_compile){.batch = 2, .mode = NN_TRAIN});
    bench_run(&b, 1);
    float *other = mem_new(b.g.n_values, 4), *kept = b.grads;
    b.grads = other; /* the caller may hand in another array each time */
    bench_run(&b, 1);
    assert_memory_equal(other, kept, b.g.n_values * 4);
    b.grads = kept;
    bench_close(&b);
    free(other);
}

/* One that predicts in the memory of one that learns, in turns. */
static void test_shared_memory(void **state)
{
    struct bench learn, alone, guest;
    (void)state;
    bench_open(&learn, (struct nn_compile){.batch = 2, .mode = NN_TRAIN});
    bench_open(&alone, (struct nn_compile){.batch = 2, .mode = NN_INFER});
    bench_open(&guest, (struct nn_compile){.batch = 2, .mode = NN_INFER, .share = &learn.x});
    const struct onednn *host = learn.x.self, *lives_in = guest.x.self;
    assert_ptr_equal(lives_in->pool[POOL_RUN].base, host->pool[POOL_RUN].base);
    bench_run(&learn, 3);
    float *grads = mem_new(learn.g.n_values, 4);
    memcpy(grads, learn.grads, learn.g.n_values * 4);
    const float *wanted = alone.x.backend->forward(alone.x.self, alone.input, NULL);
    for (int i = 0; i < 2; i++) {
        assert_memory_equal(guest.x.backend->forward(guest.x.self, guest.input, NULL), wanted,
                            guest.n_output * 4);
        bench_run(&learn, 3);
        assert_memory_equal(learn.grads, grads, learn.g.n_values * 4);
    }
    bench_close(&guest);
    bench_open(&guest, (struct nn_compile){.batch = 64, .mode = NN_INFER, .share = &learn.x});
    lives_in = guest.x.self; /* too large a guest has a house of its own */
    assert_ptr_not_equal(lives_in->pool[POOL_RUN].base, host->pool[POOL_RUN].base);
    bench_close(&guest);
    bench_close(&alone);
    bench_close(&learn);
    free(grads);
}

static void test_no_allocation(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, (struct nn_compile){.batch = 2, .mode = NN_TRAIN});
    bench_run(&b, 1);
    size_t before = mallinfo2().uordblks;
    bench_run(&b, 2);
    assert_int_equal(mallinfo2().uordblks, before);
    bench_close(&b);
}

static int count_implementations(const struct onednn *o, const char *part)
{
    int count = 0;
    for (int i = 0; i < o->n_steps; i++) {
        const_dnnl_primitive_desc_t pd;
        const char *name = "";
        if (!o->step[i].primitive)
            continue;
        assert_int_equal(dnnl_primitive_get_primitive_desc(o->step[i].primitive, &pd), dnnl_success);
        assert_int_equal(dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, (void *)&name),
                         dnnl_success);
        count += strstr(name, part) != NULL;
    }
    return count;
}

static void test_algorithms(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, (struct nn_compile){.batch = 2, .mode = NN_TRAIN, .direct = true});
    assert_int_equal(count_implementations(b.x.self, "wino"), 0);
    assert_int_equal(count_implementations(b.x.self, "ref"), 0);
    bool wide = ((struct onednn *)b.x.self)->block == 16;
    bench_close(&b);
    if (!wide)
        skip(); /* the library has Winograd for AVX-512 alone */
    bench_open(&b, (struct nn_compile){.batch = 2, .mode = NN_TRAIN});
    assert_int_equal(count_implementations(b.x.self, "wino"), 6); /* "b" and "c", three passes each */
    bench_close(&b);
    bench_open(&b, (struct nn_compile){.batch = 2, .mode = NN_INFER});
    assert_int_equal(count_implementations(b.x.self, "wino"), 2);
    bench_close(&b);
}

static int count_steps(const struct onednn *o, const char *what)
{
    int count = 0;
    for (int i = 0; i < o->n_steps; i++)
        count += !strcmp(o->step[i].what, what);
    return count;
}

/* What is fused costs no step: a concatenation its inputs write into, norms in inference, sums of a residual.
 */
static void test_fusion(void **state)
{
    struct bench b;
    struct nn_graph g = NN_GRAPH_INIT;
    struct nn_exec x = NN_EXEC_INIT;
    struct err err = ERR_INIT;
    (void)state;
    bench_open(&b, (struct nn_compile){.batch = 2, .mode = NN_TRAIN});
    assert_int_equal(count_steps(b.x.self, "concat") + count_steps(b.x.self, "concat dx"), 0);
    assert_int_equal(count_steps(b.x.self, "relu") + count_steps(b.x.self, "dropout"), 0);
    assert_int_equal(count_steps(b.x.self, "norm"), 3);
    assert_int_equal(count_steps(b.x.self, "norm again"), 1); /* "mask" reads one; nobody else needs them */
    bench_close(&b);
    bench_open(&b, (struct nn_compile){.batch = 2, .mode = NN_INFER});
    assert_int_equal(count_steps(b.x.self, "norm") + count_steps(b.x.self, "relu"), 0);
    bench_close(&b);
    nn_id in = nn_input(&g, (struct nn_shape){16, 8, 8});
    nn_relu(&g, nn_add(&g, nn_conv2d(&g, in, "a", (struct nn_conv){.filters = 16, .kernel = 1}), in));
    assert_true(
        nn_exec_init(&x, &nn_backend_onednn, &g, &(struct nn_compile){.batch = 1, .mode = NN_INFER}, &err));
    assert_int_equal(count_steps(x.self, "add"), 1); /* the convolution reads what it would add to */
    nn_exec_release(&x);
    nn_graph_release(&g);
    in = nn_conv2d(&g, nn_input(&g, (struct nn_shape){3, 8, 8}), "first",
                   (struct nn_conv){.filters = 16, .kernel = 1});
    nn_id side = nn_conv2d(&g, nn_relu(&g, in), "a", (struct nn_conv){.filters = 16, .kernel = 1});
    nn_relu(&g, nn_add(&g, side, in));
    assert_true(
        nn_exec_init(&x, &nn_backend_onednn, &g, &(struct nn_compile){.batch = 1, .mode = NN_INFER}, &err));
    assert_int_equal(count_steps(x.self, "add"), 0);
    nn_exec_release(&x);
    nn_graph_release(&g);
}

/* Batch norm alone, momentum 0: the moving slots hold this batch's mean and n / (n - 1) times its variance.
 */
static void check_statistics(int channels, double centre, double width)
{
    enum { BATCH = 3, H = 70, W = 60, N = BATCH * H * W };
    struct nn_graph g = NN_GRAPH_INIT;
    struct nn_exec x = NN_EXEC_INIT;
    struct nn_step step = {.momentum = 0};
    struct err err = ERR_INIT;
    nn_batchnorm(&g, nn_input(&g, (struct nn_shape){channels, H, W}), "n",
                 (struct nn_norm){.epsilon = 1e-3f});
    float *values = mem_new(g.n_values, 4), *input = mem_new((size_t)N * (size_t)channels, 4);
    nn_graph_init_values(&g, values, 1);
    random_fill(input, (size_t)N * (size_t)channels, centre - width, centre + width, 3);
    assert_true(nn_exec_init(&x, &nn_backend_onednn, &g,
                             &(struct nn_compile){.batch = BATCH, .mode = NN_TRAIN}, &err));
    x.backend->set(x.self, values);
    x.backend->forward(x.self, input, &step);
    x.backend->get(x.self, values);
    for (int c = 0; c < channels; c++) {
        double mean = 0, variance = 0;
        for (int i = 0; i < N; i++)
            mean += (double)input[((size_t)(i / (H * W)) * (size_t)channels + (size_t)c) * H * W +
                                  (size_t)(i % (H * W))] /
                    N;
        for (int i = 0; i < N; i++) {
            double d = (double)input[((size_t)(i / (H * W)) * (size_t)channels + (size_t)c) * H * W +
                                     (size_t)(i % (H * W))] -
                       mean;
            variance += d * d / (N - 1);
        }
        assert_true(fabs((double)values[2 * channels + c] - mean) <= 2e-7 * fabs(mean) + 1e-7 * width);
        assert_true(fabs((double)values[3 * channels + c] - variance) <= 1e-6 * variance);
    }
    nn_exec_release(&x);
    nn_graph_release(&g);
    free(values);
    free(input);
}

static void test_statistics(void **state)
{
    (void)state;
    check_statistics(16, 0, 1);
    check_statistics(3, 0, 1);
    check_statistics(32, 1000, 1); /* a mean that dwarfs the deviation */
}

static void test_small_sigmoid(void **state)
{
    struct nn_graph g = NN_GRAPH_INIT;
    struct nn_exec x = NN_EXEC_INIT;
    struct err err = ERR_INIT;
    float input[4] = {-100, -30, 0, 40};
    (void)state;
    nn_sigmoid(&g, nn_input(&g, (struct nn_shape){1, 2, 2}));
    assert_true(
        nn_exec_init(&x, &nn_backend_onednn, &g, &(struct nn_compile){.batch = 1, .mode = NN_INFER}, &err));
    const float *y = x.backend->forward(x.self, input, NULL);
    assert_true(y[0] == 3.783505853677006e-44f); /* 1 / (1 + e^100), a denormal */
    assert_true(fabs((double)y[1] / 9.357622968839299e-14 - 1) < 1e-7);
    assert_true(y[2] == .5f && y[3] == 1);
    nn_exec_release(&x);
    nn_graph_release(&g);
}

static void test_unreached(void **state)
{
    struct nn_graph g = NN_GRAPH_INIT;
    struct nn_exec x = NN_EXEC_INIT;
    struct err err = ERR_INIT;
    struct nn_step step = {.momentum = .9f};
    float input[3 * 4] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, dy[4] = {1, 1, 1, 1}, values[8], grads[8];
    (void)state;
    nn_id in = nn_input(&g, (struct nn_shape){3, 2, 2});
    nn_conv2d(&g, in, "lost", (struct nn_conv){.filters = 1, .kernel = 1});
    nn_conv2d(&g, in, "used", (struct nn_conv){.filters = 1, .kernel = 1});
    assert_int_equal(g.n_values, 8);
    random_fill(values, 8, -1, 1, 1);
    random_fill(grads, 8, 5, 6, 1);
    assert_true(
        nn_exec_init(&x, &nn_backend_onednn, &g, &(struct nn_compile){.batch = 1, .mode = NN_TRAIN}, &err));
    x.backend->set(x.self, values);
    x.backend->forward(x.self, input, &step);
    x.backend->backward(x.self, dy, grads, NULL);
    static const float TRUTH[8] = {0, 0, 0, 0, 10, 26, 42, 4};
    for (int i = 0; i < 8; i++)
        assert_true(grads[i] == TRUTH[i]);
    nn_exec_release(&x);
    nn_graph_release(&g);
}

static void test_errors(void **state)
{
    struct nn_graph g = NN_GRAPH_INIT;
    struct nn_exec x = NN_EXEC_INIT;
    struct err err = ERR_INIT;
    (void)state;
    nn_maxpool(&g, nn_input(&g, (struct nn_shape){1, 16, 16}), (struct nn_pool){.kernel = 16});
    assert_false(
        nn_exec_init(&x, &nn_backend_onednn, &g, &(struct nn_compile){.batch = 1, .mode = NN_TRAIN}, &err));
    assert_string_equal(err.text, "layer \"max_pool_1\": windows larger than 15 are not supported");
    nn_graph_release(&g);
    nn_relu(&g, nn_input(&g, (struct nn_shape){16, 4096, 4096}));
    err = (struct err)ERR_INIT;
    assert_false(nn_exec_init(&x, &nn_backend_onednn, &g,
                              &(struct nn_compile){.batch = 1 << 16, .mode = NN_INFER}, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    assert_non_null(strstr(err.text, "memory for a batch of 65536"));
    nn_graph_release(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_bytes),     cmocka_unit_test(test_set_again),
        cmocka_unit_test(test_gradients_move), cmocka_unit_test(test_no_allocation),
        cmocka_unit_test(test_algorithms),     cmocka_unit_test(test_fusion),
        cmocka_unit_test(test_statistics),     cmocka_unit_test(test_small_sigmoid),
        cmocka_unit_test(test_unreached),      cmocka_unit_test(test_errors),
        cmocka_unit_test(test_shared_memory),
    };
    nn_threads(2);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
