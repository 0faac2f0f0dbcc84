/* The oneDNN backend against the reference backend: outputs, gradients of every slot, of the input, and
 * moving statistics, on small graphs that hold every operation with channel counts on and off the vector
 * width.
 *
 * The distance of a from the truth b is sum((a - b)^2) / sum(b^2). A slot whose true gradient is (nearly)
 * nothing, such as a bias before a batch norm, is held against a share of all gradients instead. */
#include "nn/exec.h"

#include "base/mem.h"
#include "base/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Winograd's F(4x4, 3x3) adds rounding: 1e-6 relative rms a layer, so 1e-12 squared, before a chain of layers
 * and batch norms that divide by small variances grows it. */
static const double DIRECT_BOUND = 1e-8, WINOGRAD_BOUND = 1e-7;
/* A bf16 number is off by up to 1/512 of itself, 1.3e-6 squared on average, at each tensor. Where that turns
 * a ReLU or a pool's winner the gradient jumps, and what a batch norm takes out of a gradient leaves the
 * errors behind; numbers that bf16 holds exactly are compared exactly (test_bf16_exact). */
static const double BF16_BOUND = 1e-4, BF16_GRADIENT_BOUND = .2;

static void random_fill(float *v, size_t n, double low, double high, uint64_t seed)
{
    struct rng r = rng_at(seed, RNG_TEST, n, 0);
    for (size_t i = 0; i < n; i++)
        v[i] = (float)rng_between(&r, low, high);
}

/* smooth: batch norms put every channel well above or below zero. In a deep network there is else always some
 * ReLU whose input is zero but for rounding, and a gradient that jumps with it. */
static void random_values(const struct nn_graph *g, float *values, bool smooth)
{
    for (int i = 0; i < g->n_slots; i++) {
        const struct nn_slot *s = &g->slot[i];
        float *v = values + s->offset;
        double width = s->role == NN_KERNEL ? sqrt(3.0 * s->dim[0] / (double)s->count) : 0.5;
        double centre = s->role == NN_GAMMA || s->role == NN_VARIANCE ? 1 : 0;
        random_fill(v, s->count, centre - width, centre + width, (uint64_t)i + 1);
        for (size_t k = 0; smooth && k < s->count; k++) {
            if (s->role == NN_GAMMA)
                v[k] *= .1f;
            else if (s->role == NN_BETA)
                v[k] += v[k] > -.2f ? 1 : -1;
        }
    }
}

/* All a backend says about one step. */
struct answer {
    float *output, *grads, *grad_input, *values;
};

static void answer_release(struct answer *a)
{
    free(a->output);
    free(a->grads);
    free(a->grad_input);
    free(a->values);
}

struct question {
    const struct nn_graph *g;
    struct nn_compile how;
    struct nn_step step;
    const float *values, *input, *grad_output;
    size_t n_input, n_output;
    double bf16_bound; /* of gradients */
};

static struct answer ask(const struct nn_backend *b, const struct question *q)
{
    struct answer a = {mem_new(q->n_output, 4), mem_new(q->g->n_values + 1, 4), mem_new(q->n_input, 4),
                       mem_new(q->g->n_values + 1, 4)};
    struct nn_exec x = NN_EXEC_INIT;
    struct err err = ERR_INIT;
    if (!nn_exec_init(&x, b, q->g, &q->how, &err))
        fail_msg("%s", err.text);
    memcpy(a.values, q->values, q->g->n_values * sizeof(float));
    for (size_t i = 0; i < q->g->n_values; i++)
        a.grads[i] = NAN; /* backward must overwrite all */
    b->set(x.self, a.values);
    const float *y = b->forward(x.self, q->input, &q->step);
    memcpy(a.output, y, q->n_output * sizeof *y);
    if (q->how.mode == NN_TRAIN) {
        b->backward(x.self, q->grad_output, a.grads, q->how.input_gradient ? a.grad_input : NULL);
        assert_memory_equal(a.output, y, q->n_output * sizeof *y); /* borrowed until the next forward */
    }
    b->get(x.self, a.values);
    nn_exec_release(&x);
    return a;
}

static double squares(const float *b, size_t n)
{
    double s = 0;
    for (size_t i = 0; i < n; i++)
        s += (double)b[i] * (double)b[i];
    return s;
}

static double distance(const float *a, const float *b, size_t n, double least)
{
    double d = 0;
    for (size_t i = 0; i < n; i++)
        d += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    return d == 0 ? 0 : d / fmax(squares(b, n), least);
}

static double farthest; /* of the case that runs, gradients of bf16 aside */

static void near(const char *what, double d, double bound)
{
    farthest = fmax(farthest, d);
    if (!(d <= bound))
        fail_msg("%s is %g from the reference, more than %g", what, d, bound);
}

static void compare(const struct question *q, double bound)
{
    struct answer a = ask(&nn_backend_onednn, q), b = ask(&nn_backend_ref, q);
    double values_bound = q->how.bf16 ? bound : 1e-10;
    near("output", distance(a.output, b.output, q->n_output, 0), bound);
    if (q->how.bf16 && bound > 0)
        bound = q->bf16_bound;
    double all = squares(b.grads, q->how.mode == NN_TRAIN ? q->g->n_values : 0);
    for (int i = 0; i < q->g->n_slots; i++) {
        const struct nn_slot *s = &q->g->slot[i];
        if (q->how.mode == NN_TRAIN)
            near(s->name, distance(a.grads + s->offset, b.grads + s->offset, s->count, 1e-4 * all), bound);
        near("a value", distance(a.values + s->offset, b.values + s->offset, s->count, 0), values_bound);
    }
    if (q->how.input_gradient)
        near("input gradient", distance(a.grad_input, b.grad_input, q->n_input, 0), bound);
    answer_release(&a);
    answer_release(&b);
}

struct graph_case {
    const char *name;
    void (*build)(struct nn_graph *g);
    bool smooth;
    double bf16_bound; /* of gradients; 0: BF16_GRADIENT_BOUND */
};

/* Asks both backends about a graph with random numbers. */
static void check(const struct nn_graph *g, const struct graph_case *c, struct nn_compile how, double bound)
{
    struct nn_shape in = g->node[0].shape, out = g->node[g->n_nodes - 1].shape;
    struct question q = {.g = g,
                         .how = how,
                         .step = {.momentum = .9f, .dropout = true, .seed = 5},
                         .bf16_bound = c->bf16_bound > 0 ? c->bf16_bound : BF16_GRADIENT_BOUND};
    q.n_input = (size_t)how.batch * nn_shape_size(in);
    q.n_output = (size_t)how.batch * nn_shape_size(out);
    float *values = mem_new(g->n_values + 1, 4), *input = mem_new(q.n_input, 4), *dy = mem_new(q.n_output, 4);
    random_values(g, values, c->smooth);
    random_fill(input, q.n_input, -1, 1, 100);
    random_fill(dy, q.n_output, -1, 1, 101);
    q.values = values;
    q.input = input;
    q.grad_output = dy;
    compare(&q, bound);
    free(values);
    free(input);
    free(dy);
}

/* ---- graphs ---- */

static nn_id conv(struct nn_graph *g, nn_id x, const char *name, int filters, int kernel, int stride)
{
    return nn_conv2d(g, x, name, (struct nn_conv){filters, kernel, stride, (kernel - 1) / 2});
}

static nn_id norm(struct nn_graph *g, nn_id x, const char *name)
{
    return nn_batchnorm(g, x, name, (struct nn_norm){.epsilon = 1e-3f});
}

static void conv_odd(struct nn_graph *g)
{
    nn_id x = nn_input(g, (struct nn_shape){3, 11, 9});
    x = conv(g, x, "a", 20, 3, 1);
    x = conv(g, x, "b", 33, 3, 1);
    x = conv(g, x, "c", 32, 1, 1);
    conv(g, x, "d", 1, 1, 1);
}

static void conv_blocks(struct nn_graph *g)
{
    nn_id x = nn_input(g, (struct nn_shape){16, 13, 10});
    x = conv(g, x, "a", 32, 3, 1);
    x = conv(g, x, "b", 48, 1, 2);
    x = conv(g, x, "c", 32, 3, 1);
    conv(g, x, "d", 16, 3, 1);
}

static void conv_strides(struct nn_graph *g)
{
    nn_id x = nn_input(g, (struct nn_shape){3, 30, 31});
    x = nn_conv2d(g, x, "a", (struct nn_conv){64, 7, 2, 3});
    x = nn_conv2d(g, x, "b", (struct nn_conv){16, 3, 2, 0}); /* the last row and column are never read */
    nn_conv2d(g, x, "c", (struct nn_conv){32, 1, 2, 0});
}

static void norms(struct nn_graph *g)
{
    nn_id x = nn_input(g, (struct nn_shape){3, 9, 8});
    x = nn_relu(g, norm(g, conv(g, x, "a", 32, 3, 1), "na"));
    x = norm(g, conv(g, x, "b", 20, 3, 1), "nb");
    x = nn_relu(g, conv(g, x, "c", 16, 3, 1));
    x = nn_spatial_dropout(g, nn_relu(g, norm(g, x, "nc")), .4f);
    nn_spatial_dropout(g, norm(g, x, "nd"), .4f);
}

static void norm_large(struct nn_graph *g) /* several pieces a plane, one channel block at a time */
{
    nn_id x = nn_input(g, (struct nn_shape){3, 80, 90});
    nn_relu(g, norm(g, conv(g, x, "a", 16, 3, 1), "na"));
}

static void frozen_norm(struct nn_graph *g)
{
    nn_id x = nn_input(g, (struct nn_shape){3, 9, 8});
    x = conv(g, x, "a", 32, 3, 1);
    x = nn_relu(g, nn_batchnorm(g, x, "na", (struct nn_norm){.epsilon = 1e-3f, .frozen = true}));
    conv(g, x, "b", 16, 3, 1);
}

static void frozen_part(struct nn_graph *g) /* nothing below "c" is trained */
{
    frozen_norm(g);
    for (int i = 0; i < g->n_slots; i++)
        g->slot[i].trainable = false;
    nn_id x = nn_relu(g, conv(g, g->n_nodes - 1, "c", 32, 3, 1));
    conv(g, x, "d", 2, 1, 1);
    g->slot[g->n_slots - 1].trainable = false;
}

static void kernel_only_bias(struct nn_graph *g)
{
    nn_id x = nn_input(g, (struct nn_shape){16, 5, 6});
    x = conv(g, x, "a", 16, 3, 1);
    x = nn_dense(g, nn_global_avgpool(g, x), "b", 3);
    g->slot[0].trainable = false;
    g->slot[2].trainable = false;
}

static void pools(struct nn_graph *g)
{
    nn_id x = nn_input(g, (struct nn_shape){3, 23, 21});
    x = nn_maxpool(g, x, (struct nn_pool){2, 0, 0});
    x = conv(g, x, "a", 32, 3, 1);
    x = nn_maxpool(g, x, (struct nn_pool){3, 2, 1});
    nn_maxpool(g, x, (struct nn_pool){3, 1, 1});
}

static void upsamples(struct nn_graph *g)
{
    nn_id x = nn_input(g, (struct nn_shape){3, 5, 4});
    x = nn_upsample(g, x, 2);
    x = conv(g, x, "a", 16, 3, 1);
    nn_upsample(g, x, 3);
}

static void head(struct nn_graph *g)
{
    nn_id x = nn_input(g, (struct nn_shape){3, 6, 7});
    x = nn_relu(g, conv(g, x, "a", 48, 3, 1));
    x = nn_relu(g, nn_dense(g, nn_global_avgpool(g, x), "b", 33));
    nn_softmax(g, nn_dense(g, x, "c", 2));
}

static void head_odd(struct nn_graph *g)
{
    nn_id x = nn_input(g, (struct nn_shape){1, 6, 7});
    x = nn_global_avgpool(g, conv(g, x, "a", 20, 3, 1));
    nn_softmax(g, nn_dense(g, x, "c", 16));
}

static void softmax_pixels(struct nn_graph *g)
{
    nn_id x = nn_input(g, (struct nn_shape){16, 4, 3});
    nn_softmax(g, conv(g, x, "a", 32, 1, 1));
}

static void branches(struct nn_graph *g) /* skips, concatenations and sums of every kind */
{
    nn_id x = nn_input(g, (struct nn_shape){3, 12, 10});
    nn_id a = nn_relu(g, norm(g, conv(g, x, "a", 32, 3, 1), "na")); /* lies inside "ab" */
    nn_id down = nn_maxpool(g, a, (struct nn_pool){2, 0, 0});
    nn_id b = nn_relu(g, norm(g, conv(g, down, "b", 48, 3, 1), "nb"));
    nn_id ab = nn_concat(g, nn_upsample(g, b, 2), a);
    nn_id c = nn_relu(g, conv(g, ab, "c", 20, 3, 1)); /* off the vector width */
    nn_id d = conv(g, ab, "d", 20, 1, 1);
    nn_id sum = nn_relu(g, nn_add(g, c, d));
    nn_id cd = nn_concat(g, sum, c); /* c again, after its last gradient */
    nn_id e = conv(g, cd, "e", 32, 3, 1);
    nn_id twice = nn_concat(g, e, e);
    nn_id f = conv(g, twice, "f", 32, 1, 1);
    nn_concat(g, nn_add(g, f, e), nn_relu(g, nn_add(g, e, e)));
}

static void nested_concat(struct nn_graph *g)
{
    nn_id x = nn_input(g, (struct nn_shape){16, 6, 6});
    nn_id a = nn_relu(g, conv(g, x, "a", 16, 3, 1));
    nn_id b = nn_upsample(g, nn_maxpool(g, a, (struct nn_pool){2, 0, 0}), 2);
    nn_id ab = nn_concat(g, a, b);
    nn_id c = nn_relu(g, nn_add(g, ab, ab));
    nn_id all = nn_concat(g, c, ab);
    nn_id d = nn_add(g, all, conv(g, all, "d", 64, 1, 1));
    nn_sigmoid(g, conv(g, d, "e", 1, 1, 1));
}

static nn_id bottleneck(struct nn_graph *g, nn_id x, const char *name, int width, bool widen)
{
    char n[6][24];
    for (int i = 0; i < 6; i++)
        snprintf(n[i], sizeof n[i], "%s_%d", name, i);
    int stride = widen ? 2 : 1;
    nn_id y = nn_relu(g, norm(g, conv(g, x, n[0], width, 1, stride), n[1]));
    y = nn_relu(g, norm(g, conv(g, y, n[2], width, 3, 1), n[3]));
    y = norm(g, conv(g, y, n[4], 4 * width, 1, 1), n[5]);
    char shortcut[32], shortcut_norm[32];
    snprintf(shortcut, sizeof shortcut, "%s_short", name);
    snprintf(shortcut_norm, sizeof shortcut_norm, "%s_short_norm", name);
    if (widen)
        x = norm(g, conv(g, x, shortcut, 4 * width, 1, stride), shortcut_norm);
    return nn_relu(g, nn_add(g, y, x));
}

static void norms_in_sums(struct nn_graph *g)
{
    static const struct nn_norm STILL = {.epsilon = 1e-3f, .frozen = true};
    nn_id x = nn_input(g, (struct nn_shape){64, 7, 6});
    nn_id a = nn_relu(g, nn_add(g, norm(g, conv(g, x, "a", 64, 1, 1), "na"), x)); /* x may need no gradient */
    nn_id b = nn_relu(g, nn_add(g, norm(g, a, "nb"), a));                         /* the norm's own input */
    nn_id c = nn_relu(g, nn_add(g, nn_batchnorm(g, conv(g, b, "c", 64, 1, 1), "nc", STILL), b));
    nn_id d = nn_add(g, norm(g, conv(g, c, "d", 64, 1, 1), "nd"), c); /* no ReLU */
    nn_id e = nn_relu(g, nn_add(g, d, norm(g, conv(g, d, "e", 64, 3, 1), "ne")));
    nn_id de = nn_concat(g, d, e); /* e lies inside, and d has a gradient before its sum has */
    nn_id f = norm(g, conv(g, de, "f", 20, 1, 1), "nf"); /* off the vector width */
    nn_id h = nn_relu(g, nn_add(g, f, norm(g, conv(g, de, "g", 20, 1, 1), "ng")));
    nn_id i = norm(g, conv(g, h, "h", 544, 1, 1), "nh"); /* several stripes */
    nn_relu(g, nn_add(g, norm(g, conv(g, de, "i", 544, 1, 1), "ni"), i));
}

static void residual(struct nn_graph *g)
{
    nn_id x = nn_input(g, (struct nn_shape){3, 32, 32});
    x = nn_relu(g, norm(g, nn_conv2d(g, x, "first", (struct nn_conv){32, 7, 2, 3}), "first_norm"));
    x = nn_maxpool(g, x, (struct nn_pool){3, 2, 1});
    x = bottleneck(g, x, "a", 16, true);
    x = bottleneck(g, x, "b", 16, false);
    nn_softmax(g, nn_dense(g, nn_global_avgpool(g, x), "head", 2));
}

static nn_id two_convs(struct nn_graph *g, nn_id x, const char *name, int level, int filters)
{
    for (int i = 0; i < 2; i++) {
        char n[32], m[32];
        snprintf(n, sizeof n, "%s_%d_%d", name, level, i);
        snprintf(m, sizeof m, "%s_%d_%d_norm", name, level, i);
        x = nn_relu(g, norm(g, conv(g, x, n, filters, 3, 1), m));
    }
    return x;
}

static void unet(struct nn_graph *g, int side, int levels)
{
    nn_id skip[8], x = nn_input(g, (struct nn_shape){3, side, side});
    for (int k = 0; k < levels; k++) {
        if (k > 0)
            x = nn_maxpool(g, x, (struct nn_pool){2, 0, 0});
        x = skip[k] = two_convs(g, x, "down", k, 32 << k);
    }
    for (int k = levels - 2; k >= 0; k--)
        x = two_convs(g, nn_concat(g, nn_upsample(g, x, 2), skip[k]), "up", k, 32 << k);
    x = nn_spatial_dropout(g, x, .2f);
    nn_sigmoid(g, conv(g, x, "mask", 1, 1, 1));
}

static void unet_small(struct nn_graph *g)
{
    unet(g, 32, 4);
}

static const struct graph_case CASES[] = {
    {"convolutions, odd channels", conv_odd, false, 0},
    {"convolutions, channels in blocks", conv_blocks, false, 0},
    {"convolutions with strides", conv_strides, false, 0},
    {"batch norms", norms, false, 0},
    {"batch norm of a large plane", norm_large, false, 0},
    {"frozen norm", frozen_norm, false, 0},
    {"frozen part", frozen_part, false, 0},
    {"bias trained without its kernel", kernel_only_bias, false, 0},
    {"pools", pools, false, 0},
    {"upsampling", upsamples, false, 0},
    {"dense head", head, false, 0},
    {"dense head, odd", head_odd, false, 0},
    {"softmax of pixels", softmax_pixels, false, 0},
    {"branches", branches, false, 0},
    {"norms in sums", norms_in_sums, false, 0},
    {"nested concatenations", nested_concat, false, 0},
    {"residual blocks", residual, true,
     .4}, /* numbers near 1 that differ by .1: bf16 blurs the differences */
    {"small U-Net", unet_small, true, 5e-3},
};

/* Prints the distances measured too, so that a slow drift is seen before it meets the bound. */
static void check_mode(const struct nn_graph *g, const struct graph_case *c, struct nn_compile how,
                       double bound)
{
    farthest = 0;
    check(g, c, how, bound);
    print_message("             %s, %-8s %s %.1e\n", how.mode == NN_TRAIN ? "train" : "infer",
                  how.bf16     ? "bf16"
                  : how.direct ? "direct"
                               : "Winograd",
                  how.folding == NN_FOLD_ALWAYS ? "folded" : "", farthest);
}

static bool has_upsampling(const struct nn_graph *g)
{
    bool any = false;
    for (int i = 0; i < g->n_nodes; i++)
        any |= g->node[i].op == NN_UPSAMPLE;
    return any;
}

/* In every mode, with and without Winograd and folding. */
static void test_graph(void **state)
{
    const struct graph_case *c = *state;
    struct nn_graph g = NN_GRAPH_INIT;
    c->build(&g);
    check_mode(&g, c,
               (struct nn_compile){.batch = 3, .mode = NN_TRAIN, .direct = true, .input_gradient = true},
               DIRECT_BOUND);
    check_mode(&g, c, (struct nn_compile){.batch = 2, .mode = NN_TRAIN}, WINOGRAD_BOUND);
    check_mode(&g, c, (struct nn_compile){.batch = 1, .mode = NN_INFER, .direct = true}, DIRECT_BOUND);
    struct nn_compile folded = {
        .batch = 3, .mode = NN_TRAIN, .direct = true, .folding = NN_FOLD_ALWAYS, .input_gradient = true};
    if (has_upsampling(&g)) {
        check_mode(&g, c, folded, DIRECT_BOUND);
        folded.direct = folded.input_gradient = false;
        check_mode(&g, c, folded, WINOGRAD_BOUND);
        folded.mode = NN_INFER;
        check_mode(&g, c, folded, WINOGRAD_BOUND);
    }
    check_mode(&g, c, (struct nn_compile){.batch = 3, .mode = NN_INFER}, WINOGRAD_BOUND);
    check_mode(&g, c, (struct nn_compile){.batch = 2, .mode = NN_INFER, .brief = true}, DIRECT_BOUND);
    struct nn_compile bf16 = {.batch = 3, .mode = NN_TRAIN, .bf16 = true, .input_gradient = true};
    if (nn_has_bf16()) {
        check_mode(&g, c, bf16, BF16_BOUND);
        bf16.folding = NN_FOLD_ALWAYS;
        if (has_upsampling(&g))
            check_mode(&g, c, bf16, BF16_BOUND);
        check_mode(&g, c, (struct nn_compile){.batch = 3, .mode = NN_INFER, .bf16 = true}, BF16_BOUND);
    }
    nn_graph_release(&g);
}

/* The whole network, one step; its deepest planes are one pixel, where the items make a batch's statistics.
 */
static void test_whole_unet(void **state)
{
    static const struct graph_case CASE = {"whole U-Net", NULL, true, 5e-3};
    struct nn_graph g = NN_GRAPH_INIT;
    (void)state;
    unet(&g, 32, 6);
    assert_int_equal(nn_graph_count(&g), 31466753);
    check_mode(&g, &CASE, (struct nn_compile){.batch = 4, .mode = NN_TRAIN}, WINOGRAD_BOUND);
    if (nn_has_bf16())
        check_mode(&g, &CASE, (struct nn_compile){.batch = 4, .mode = NN_TRAIN, .bf16 = true}, BF16_BOUND);
    nn_graph_release(&g);
}

/* Numbers -1, 0 and 1, of every filter about two that are not 0: sums stay small whole numbers. */
static void whole_numbers(const struct nn_graph *g, float *values)
{
    for (int i = 0; i < g->n_slots; i++) {
        const struct nn_slot *s = &g->slot[i];
        double share = s->rank == 4 ? 2.0 * s->dim[0] / (double)s->count : .5;
        for (size_t k = 0; k < s->count; k++) {
            struct rng r = rng_at(7, RNG_TEST, s->offset + k, 0);
            double v = rng_between(&r, -1, 1);
            values[s->offset + k] = fabs(v) > share ? 0 : v < 0 ? -1 : 1;
        }
    }
}

static void small_whole_fill(float *v, size_t n, uint64_t seed)
{
    random_fill(v, n, -1.5, 1.5, seed);
    for (size_t i = 0; i < n; i++)
        v[i] = rintf(v[i]);
}

static void whole_pools(struct nn_graph *g)
{
    nn_id x = nn_input(g, (struct nn_shape){3, 23, 21});
    x = conv(g, nn_maxpool(g, x, (struct nn_pool){2, 0, 0}), "a", 32, 3, 1);
    x = nn_maxpool(g, x, (struct nn_pool){3, 2, 1});
    nn_upsample(g, nn_maxpool(g, x, (struct nn_pool){3, 1, 1}), 3);
}

static void whole_joins(struct nn_graph *g) /* tensors inside others, sums of gradients at a distance */
{
    nn_id x = nn_input(g, (struct nn_shape){16, 6, 8});
    nn_id a = nn_relu(g, conv(g, x, "a", 16, 3, 1));
    nn_id b = nn_upsample(g, nn_maxpool(g, a, (struct nn_pool){2, 0, 0}), 2);
    nn_id ab = nn_concat(g, a, b);
    nn_id c = nn_relu(g, nn_add(g, ab, ab));
    nn_id d = nn_concat(g, nn_concat(g, c, ab), conv(g, ab, "d", 20, 1, 1)); /* 84 channels: off the width */
    nn_id e = conv(g, d, "e", 32, 1, 2);
    nn_concat(g, conv(g, e, "f", 8, 1, 1), nn_concat(g, e, conv(g, e, "g", 24, 3, 1))); /* 64 of 8, 32, 24 */
}

static void whole_upsampling(struct nn_graph *g)
{
    nn_id x = nn_relu(g, conv(g, nn_input(g, (struct nn_shape){3, 8, 6}), "a", 32, 3, 1));
    nn_id down = nn_relu(g, conv(g, nn_maxpool(g, x, (struct nn_pool){2, 0, 0}), "b", 16, 3, 1));
    conv(g, nn_concat(g, nn_upsample(g, down, 2), x), "c", 48, 3, 1);
}

/* Kernel gradients of 1 x 1 convolutions as products: without a bias to learn, as before a norm. */
static void whole_products(struct nn_graph *g)
{
    nn_id x = nn_relu(g, conv(g, nn_input(g, (struct nn_shape){3, 8, 14}), "a", 32, 3, 1));
    nn_id b = conv(g, x, "b", 48, 1, 1);
    nn_id c = conv(g, nn_concat(g, x, b), "c", 16, 1, 2); /* 4 x 7 */
    nn_id d = conv(g, c, "d", 32, 1, 2);                  /* an odd row: the convolution's own pass */
    for (nn_id id = b; id <= d; id++)
        if (g->node[id].op == NN_CONV2D)
            g->slot[g->node[id].slot + 1].trainable = false;
}

/* Where bf16 holds every number exactly, everything that copies, adds and chooses must be right to the bit.
 */
static void test_bf16_exact(void **state)
{
    static void (*const BUILD[])(struct nn_graph *) = {whole_pools, whole_joins, whole_upsampling,
                                                       whole_products};
    (void)state;
    if (!nn_has_bf16())
        skip();
    for (size_t i = 0; i < sizeof BUILD / sizeof *BUILD; i++) {
        struct nn_graph g = NN_GRAPH_INIT;
        BUILD[i](&g);
        struct question q = {.g = &g,
                             .how = {.batch = 2, .mode = NN_TRAIN, .bf16 = true, .input_gradient = true},
                             .step = {.momentum = .9f},
                             .n_input = 2 * nn_shape_size(g.node[0].shape),
                             .n_output = 2 * nn_shape_size(g.node[g.n_nodes - 1].shape)};
        float *values = mem_new(g.n_values, 4), *input = mem_new(q.n_input, 4), *dy = mem_new(q.n_output, 4);
        whole_numbers(&g, values);
        small_whole_fill(input, q.n_input, 100);
        small_whole_fill(dy, q.n_output, 101);
        q.values = values;
        q.input = input;
        q.grad_output = dy;
        compare(&q, 0);
        q.how.folding = NN_FOLD_ALWAYS;
        compare(&q, 0);
        free(values);
        free(input);
        free(dy);
        nn_graph_release(&g);
    }
}

int main(void)
{
    enum { N = sizeof CASES / sizeof *CASES };
    struct CMUnitTest tests[N + 2];
    nn_threads(2);
    tests[N] = (struct CMUnitTest)cmocka_unit_test(test_whole_unet);
    tests[N + 1] = (struct CMUnitTest)cmocka_unit_test(test_bf16_exact);
    for (int i = 0; i < N; i++)
        tests[i] = (struct CMUnitTest){
            .name = CASES[i].name, .test_func = test_graph, .initial_state = (void *)(uintptr_t)&CASES[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
