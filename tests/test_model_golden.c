/* Networks against PyTorch in double precision: outputs, loss, every gradient and the moving
 * statistics.
 *
 * tools/golden_networks.py made tests/golden and tells what lies there. Parameters and inputs are computed
 * here and there from the same integer hash. Errors are normalised squares, sum (a - b)^2 / sum b^2. */
#include "model/model.h"
#include "nn/exec.h"

#include "base/csv.h"
#include "base/file.h"
#include "base/mem.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { SAMPLES = 8, INPUT = 1037, TARGET = 1001 };

struct network {
    const char *name;
    void (*build)(struct nn_graph *g, struct nn_shape input);
    struct nn_shape input;
    int batch;
    double beta_low, beta_high; /* of every batch norm */
    /* The loss of y[n] and, in grad[n], its derivatives. */
    double (*loss)(const float *y, float *grad, size_t n);
    /* Derivatives smaller than this share of the largest are what is left of sums that cancel, as those of a
     * beta that the next batch norm takes away again: they are held against the share. */
    double share;
};

struct case_ {
    const struct network *network;
    const struct nn_backend *backend;
    double tolerance;
};

struct run {
    struct nn_graph g;
    float *values, *input, *grads, *grad_input, *grad_output;
    size_t n_input, n_output;
};

/* The finaliser of splitmix64 over (stream, i), as a multiple of 2^-24 in [0, 1). */
static double uniform(uint64_t stream, uint64_t i)
{
    uint64_t z = (i + 1 + (stream << 32)) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return (double)(z >> 40) / 16777216.0;
}

static void fill(float *v, size_t n, uint64_t stream, double low, double high)
{
    for (size_t i = 0; i < n; i++)
        v[i] = (float)(low + (high - low) * uniform(stream, i));
}

static void fill_values(const struct nn_graph *g, float *values, const struct network *net)
{
    for (int i = 0; i < g->n_slots; i++) {
        const struct nn_slot *s = &g->slot[i];
        double low = -0.1, high = 0.1;
        if (s->role == NN_KERNEL) {
            high = sqrt(6.0 / (s->dim[1] * s->dim[2] * s->dim[3]));
            low = -high;
        } else if (s->role == NN_GAMMA) {
            low = 0.8;
            high = 1.2;
        } else if (s->role == NN_BETA) {
            low = net->beta_low;
            high = net->beta_high;
        } else if (s->role == NN_VARIANCE) {
            low = 0.5;
            high = 1.5;
        }
        fill(values + s->offset, s->count, (uint64_t)i, low, high);
    }
}

/* Minus the soft Dice over the whole batch, smoothing 1; truth: 3 pixels of 10. */
static double dice_loss(const float *y, float *grad, size_t n)
{
    double both = 0, sum = 1;
    for (size_t i = 0; i < n; i++) {
        double t = uniform(TARGET, i) < (double)0.3f;
        both += t * (double)y[i];
        sum += t + (double)y[i];
    }
    for (size_t i = 0; i < n; i++) {
        double t = uniform(TARGET, i) < (double)0.3f;
        grad[i] = (float)(-(2 * t * sum - (2 * both + 1)) / (sum * sum));
    }
    return -(2 * both + 1) / sum;
}

static double weighted_sum(const float *y, float *grad, size_t n)
{
    double sum = 0;
    fill(grad, n, TARGET, -1, 1);
    for (size_t i = 0; i < n; i++)
        sum += (double)y[i] * (double)grad[i];
    return sum;
}

static nn_id norm(struct nn_graph *g, nn_id x, const char *name)
{
    return nn_batchnorm(g, x, name, (struct nn_norm){.epsilon = 1e-3f});
}

static void build_residual(struct nn_graph *g, struct nn_shape input)
{
    nn_id x = nn_input(g, input);
    x = nn_conv2d(g, x, "stem", (struct nn_conv){.filters = 8, .kernel = 7, .stride = 2, .pad = 3});
    x = nn_relu(g, norm(g, x, "stem_bn"));
    x = nn_maxpool(g, x, (struct nn_pool){.kernel = 3, .stride = 2, .pad = 1});
    nn_id y = nn_conv2d(g, x, "a", (struct nn_conv){.filters = 4, .kernel = 1, .stride = 2});
    y = nn_relu(g, norm(g, y, "a_bn"));
    y = nn_conv2d(g, y, "b", (struct nn_conv){.filters = 4, .kernel = 3, .pad = 1});
    y = nn_relu(g, norm(g, y, "b_bn"));
    y = norm(g, nn_conv2d(g, y, "c", (struct nn_conv){.filters = 16, .kernel = 1}), "c_bn");
    x = nn_conv2d(g, x, "short", (struct nn_conv){.filters = 16, .kernel = 1, .stride = 2});
    x = nn_relu(g, nn_add(g, y, norm(g, x, "short_bn")));
    x = nn_conv2d(g, x, "d", (struct nn_conv){.filters = 6, .kernel = 3, .stride = 2, .pad = 1});
    x = nn_dense(g, nn_global_avgpool(g, nn_relu(g, x)), "head", 3);
    nn_softmax(g, x);
}

static void build_unet(struct nn_graph *g, struct nn_shape input)
{
    model_find("unet")->build(g, input);
}

static void build_resnet50(struct nn_graph *g, struct nn_shape input)
{
    model_build(&model_resnet50, g, input, &(struct model_options){.classes = MODEL_NO_HEAD});
}

static void build_resnet50_2018(struct nn_graph *g, struct nn_shape input)
{
    model_build(&model_resnet50, g, input,
                &(struct model_options){.classes = MODEL_NO_HEAD, .epsilon = 1.001e-5});
}

static void run_begin(struct run *r, const struct network *n)
{
    *r = (struct run){.g = NN_GRAPH_INIT};
    n->build(&r->g, n->input);
    r->n_input = (size_t)n->batch * nn_shape_size(n->input);
    r->n_output = (size_t)n->batch * nn_shape_size(r->g.node[r->g.n_nodes - 1].shape);
    r->values = mem_new(r->g.n_values, sizeof(float));
    r->grads = mem_new(r->g.n_values, sizeof(float));
    r->input = mem_new(r->n_input, sizeof(float));
    r->grad_input = mem_new(r->n_input, sizeof(float));
    r->grad_output = mem_new(r->n_output, sizeof(float));
    fill_values(&r->g, r->values, n);
    fill(r->input, r->n_input, INPUT, -0.5, 0.5);
}

static void run_end(struct run *r)
{
    nn_graph_release(&r->g);
    free(r->values);
    free(r->grads);
    free(r->input);
    free(r->grad_input);
    free(r->grad_output);
}

static void read_table(struct csv *t, const char *name, const char *end)
{
    struct err err = ERR_INIT;
    char *path = mem_printf("%s/golden/%s_%s.csv", TESTS_DIR, name, end);
    if (!csv_read(t, path, &err))
        fail_msg("%s", err.text);
    free(path);
}

/* The error of y[n] against NAME_MODE.f32. */
static double output_error(const char *name, const char *mode, const float *y, size_t n)
{
    struct err err = ERR_INIT;
    struct buf want = BUF_INIT;
    char *path = mem_printf("%s/golden/%s_%s.f32", TESTS_DIR, name, mode);
    double error = 0, size = 0;
    if (!file_read(&want, path, 0, &err))
        fail_msg("%s", err.text);
    assert_int_equal(want.len, n * sizeof(float));
    for (size_t i = 0; i < n; i++) {
        float v;
        memcpy(&v, want.data + i * sizeof v, sizeof v);
        error += ((double)y[i] - (double)v) * ((double)y[i] - (double)v);
        size += (double)v * (double)v;
    }
    buf_release(&want);
    free(path);
    return error / size;
}

static double field(const struct csv *t, size_t row, size_t column)
{
    char *end;
    double v = strtod(t->row[row].field[column], &end);
    assert_true(*end == 0 && end != t->row[row].field[column]);
    return v;
}

static double square(double x)
{
    return x * x;
}

/* Of the numbers v[n] against a row: the worst of sum, norm and samples. largest is the largest norm of the
 * table, the measure for derivatives that are 0 (a bias before a batch norm). */
static double row_error(const struct csv *t, size_t row, const float *v, size_t n, double largest)
{
    double sum = 0, squares = 0, wrong = 0, size = 0;
    double want_norm = field(t, row, 3);
    assert_int_equal((size_t)field(t, row, 1), n);
    for (size_t i = 0; i < n; i++) {
        sum += (double)v[i];
        squares += square((double)v[i]);
    }
    if (want_norm < 1e-12 * largest)
        return squares / square(largest);
    for (size_t k = 0; k < SAMPLES; k++) {
        double want = field(t, row, 5 + 2 * k);
        wrong += square((double)v[(size_t)field(t, row, 4 + 2 * k)] - want);
        size += square(want);
    }
    /* eight samples may all be small by chance */
    double samples = wrong / fmax(size, square(want_norm) / (double)n);
    double norms = square(sqrt(squares) / want_norm - 1);
    double sums = square((sum - field(t, row, 2)) / want_norm) / (double)n;
    return fmax(samples, fmax(norms, sums));
}

static double largest_norm(const struct csv *t)
{
    double largest = 0;
    for (size_t row = 0; row < t->count; row++)
        if (!strstr(t->row[row].field[0], "/moving_"))
            largest = fmax(largest, field(t, row, 3));
    return largest;
}

static void check_row(const struct case_ *c, const struct csv *t, size_t row, const float *v, size_t n)
{
    double largest = largest_norm(t), e = row_error(t, row, v, n, largest);
    double size = field(t, row, 3) / largest;
    if (size > 1e-12 && size < c->network->share && !strstr(t->row[row].field[0], "/moving_"))
        e *= square(size / c->network->share);
    if (!(e <= c->tolerance))
        fail_msg("%s, %s: %s off by %g", c->network->name, c->backend->name, t->row[row].field[0], e);
}

/* Gradients of every slot, moving statistics after the step, gradient of the input. */
static void check_slots(const struct case_ *c, const struct run *r)
{
    struct csv t = CSV_INIT;
    read_table(&t, c->network->name, "slots");
    assert_int_equal(t.count, r->g.n_slots + 1);
    for (int i = 0; i < r->g.n_slots; i++) {
        const struct nn_slot *s = &r->g.slot[i];
        assert_string_equal(t.row[i].field[0], s->name);
        check_row(c, &t, (size_t)i, (s->trainable ? r->grads : r->values) + s->offset, s->count);
    }
    check_row(c, &t, t.count - 1, r->grad_input, r->n_input);
    csv_release(&t);
}

static void check_output(const struct case_ *c, const char *mode, const float *y, size_t n)
{
    double e = output_error(c->network->name, mode, y, n);
    if (!(e <= c->tolerance))
        fail_msg("%s, %s: %s output off by %g", c->network->name, c->backend->name, mode, e);
}

static void check_loss(const struct case_ *c, double loss)
{
    struct csv t = CSV_INIT;
    read_table(&t, c->network->name, "totals");
    assert_string_equal(t.row[0].field[0], "loss");
    double want = field(&t, 0, 1);
    if (!(square(loss / want - 1) <= c->tolerance))
        fail_msg("%s, %s: loss %.12g, not %.12g", c->network->name, c->backend->name, loss, want);
    csv_release(&t);
}

static void train(const struct case_ *c, struct run *r)
{
    struct err err = ERR_INIT;
    struct nn_exec x = NN_EXEC_INIT;
    struct nn_compile how = {
        .batch = c->network->batch, .mode = NN_TRAIN, .direct = true, .input_gradient = true};
    struct nn_step step = {.momentum = 0.99f, .dropout = false};
    assert_true(nn_exec_init(&x, c->backend, &r->g, &how, &err));
    x.backend->set(x.self, r->values);
    const float *y = x.backend->forward(x.self, r->input, &step);
    check_output(c, "train", y, r->n_output);
    check_loss(c, c->network->loss(y, r->grad_output, r->n_output));
    x.backend->backward(x.self, r->grad_output, r->grads, r->grad_input);
    x.backend->get(x.self, r->values);
    check_slots(c, r);
    step.momentum = 0; /* this batch's statistics, for infer() */
    x.backend->forward(x.self, r->input, &step);
    x.backend->get(x.self, r->values);
    nn_exec_release(&x);
}

static void infer(const struct case_ *c, struct run *r)
{
    struct err err = ERR_INIT;
    struct nn_exec x = NN_EXEC_INIT;
    struct nn_compile how = {.batch = c->network->batch, .mode = NN_INFER, .direct = true};
    assert_true(nn_exec_init(&x, c->backend, &r->g, &how, &err));
    x.backend->set(x.self, r->values);
    check_output(c, "infer", x.backend->forward(x.self, r->input, NULL), r->n_output);
    nn_exec_release(&x);
}

static const struct network UNET = {"unet", build_unet, {3, 64, 64}, 2, 3, 4, dice_loss, 0};
static const struct network RESIDUAL = {"residual", build_residual, {3, 45, 38}, 3, -0.1, 0.1, weighted_sum,
                                        0};

static const struct network RESNET50 = {"resnet50", build_resnet50, {3, 64, 64}, 3, 3, 4, weighted_sum, 1e-3};
static const struct network RESNET50_2018 = {
    "resnet50_2018", build_resnet50_2018, {3, 64, 64}, 3, 3, 4, weighted_sum, 1e-3};

static void check(void **state)
{
    const struct case_ *c = *state;
    struct run r;
    run_begin(&r, c->network);
    train(c, &r);
    infer(c, &r);
    run_end(&r);
}

/* What is compared would see one wrong number of eight, and a wrong sum. */
static void test_errors_are_seen(void **state)
{
    (void)state;
    struct csv t = CSV_INIT;
    const char *text =
        "name,count,sum,norm,p,n,p,n,p,n,p,n,p,n,p,n,p,n,p,n\n"
        "x,3,2,2.449489743,0,1,1,2,2,-1,0,1,1,2,2,-1,0,1,1,2\nzero,3,0,0,0,0,1,0,2,0,0,0,1,0,2,0,0,0,1,0\n";
    struct err err = ERR_INIT;
    assert_true(csv_parse(&t, text, strlen(text), &err));
    const float right[3] = {1, 2, -1}, wrong[3] = {1, 2.001f, -1}, swapped[3] = {2, 1, -1},
                none[3] = {0, 0, 0};
    assert_true(row_error(&t, 0, right, 3, 3) < 1e-15);
    assert_true(row_error(&t, 0, wrong, 3, 3) > 1e-7);
    assert_true(row_error(&t, 0, swapped, 3, 3) > 0.1);
    assert_true(row_error(&t, 1, none, 3, 3) == 0);
    assert_true(row_error(&t, 1, right, 3, 3) > 0.1);
    csv_release(&t);
}

/* Measured: ref at most 5e-12, onednn 5e-11; one ReLU on the wrong side of 0 gives 1e-6 and more. */
static const struct case_ CASES[] = {
    {&RESIDUAL, &nn_backend_ref, 1e-10},        {&UNET, &nn_backend_ref, 1e-10},
    {&RESIDUAL, &nn_backend_onednn, 1e-8},      {&UNET, &nn_backend_onednn, 1e-8},
    {&RESNET50, &nn_backend_ref, 1e-10},        {&RESNET50, &nn_backend_onednn, 1e-8},
    {&RESNET50_2018, &nn_backend_onednn, 1e-8},
};

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors_are_seen),
        {"residual, ref", check, NULL, NULL, (void *)&CASES[0]},
        {"unet, ref", check, NULL, NULL, (void *)&CASES[1]},
        {"residual, onednn", check, NULL, NULL, (void *)&CASES[2]},
        {"unet, onednn", check, NULL, NULL, (void *)&CASES[3]},
        {"resnet50, ref", check, NULL, NULL, (void *)&CASES[4]},
        {"resnet50, onednn", check, NULL, NULL, (void *)&CASES[5]},
        {"resnet50 of 2018, onednn", check, NULL, NULL, (void *)&CASES[6]},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
