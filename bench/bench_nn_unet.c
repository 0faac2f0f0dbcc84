/* How long a step of ZF_UNET_224 takes in the oneDNN backend: milliseconds an image, medians of several runs.
 *
 *   bench_nn_unet [train|infer|all] [batch] [runs] [layers] [direct] [folded|plain]
 *
 * "layers" adds the time of every step of the network, longest first. */
#include "base/mem.h"
#include "base/progress.h"
#include "base/rng.h"
#include "nn/onednn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEVELS = 6, SIDE = 224, MAX_RUNS = 99 };

struct settings {
    bool train, infer, layers, direct;
    enum nn_folding folding;
    int batch; /* 0: 1, 4 and 16 */
    int runs;
};

static nn_id two_convs(struct nn_graph *g, nn_id x, const char *name, int filters)
{
    for (int i = 0; i < 2; i++) {
        char n[32];
        snprintf(n, sizeof n, "%s_%d", name, i + 1);
        x = nn_conv2d(g, x, n, (struct nn_conv){.filters = filters, .kernel = 3, .pad = 1});
        snprintf(n, sizeof n, "%s_%d_norm", name, i + 1);
        x = nn_relu(g, nn_batchnorm(g, x, n, (struct nn_norm){.epsilon = 1e-3f}));
    }
    return x;
}

static void build(struct nn_graph *g)
{
    nn_id skip[LEVELS], x = nn_input(g, (struct nn_shape){3, SIDE, SIDE});
    char name[16];
    for (int k = 0; k < LEVELS; k++) {
        snprintf(name, sizeof name, "down_%d", SIDE >> k);
        if (k > 0)
            x = nn_maxpool(g, x, (struct nn_pool){.kernel = 2});
        x = skip[k] = two_convs(g, x, name, 32 << k);
    }
    for (int k = LEVELS - 2; k >= 0; k--) {
        snprintf(name, sizeof name, "up_%d", SIDE >> k);
        x = two_convs(g, nn_concat(g, nn_upsample(g, x, 2), skip[k]), name, 32 << k);
    }
    x = nn_spatial_dropout(g, x, .2f);
    nn_sigmoid(g, nn_conv2d(g, x, "mask", (struct nn_conv){.filters = 1, .kernel = 1}));
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, by_value);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static int by_seconds(const void *a, const void *b)
{
    const struct onednn_step *x = a, *y = b;
    return (x->best < y->best) - (x->best > y->best);
}

static void print_layers(const struct onednn *o)
{
    struct onednn_step *copy = mem_new((size_t)o->n_steps, sizeof *copy);
    double per = 1e3 / o->how.batch, sum = 0;
    memcpy(copy, o->step, (size_t)o->n_steps * sizeof *copy);
    qsort(copy, (size_t)o->n_steps, sizeof *copy, by_seconds);
    for (int i = 0; i < o->n_steps; i++) {
        const char *how = "";
        const_dnnl_primitive_desc_t pd;
        if (copy[i].primitive && dnnl_primitive_get_primitive_desc(copy[i].primitive, &pd) == dnnl_success)
            dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, (void *)&how);
        sum += copy[i].best * per;
        printf("  %8.3f ms  %-14s %-24s %s\n", copy[i].best * per, copy[i].what,
               o->graph->node[copy[i].node].name, how);
    }
    for (int i = 0; i < o->n_steps; i++) { /* sums by kind */
        double kind = 0;
        bool seen = false;
        for (int k = 0; k < o->n_steps; k++) {
            seen |= k < i && !strcmp(copy[k].what, copy[i].what);
            kind += strcmp(copy[k].what, copy[i].what) ? 0 : copy[k].best * per;
        }
        if (!seen)
            printf("  all %-14s %8.3f ms\n", copy[i].what, kind);
    }
    printf("  all steps          %8.3f ms\n", sum);
    free(copy);
}

struct numbers {
    float *values, *grads, *input, *dy;
};

/* Seconds of set, forward and backward. */
static void run_once(struct nn_exec *x, const struct numbers *n, bool train, double seconds[3])
{
    struct nn_step step = {.momentum = .99f, .dropout = true, .seed = 1};
    double t[4];
    t[0] = clock_seconds();
    if (train)
        x->backend->set(x->self, n->values);
    t[1] = clock_seconds();
    x->backend->forward(x->self, n->input, &step);
    t[2] = clock_seconds();
    if (train)
        x->backend->backward(x->self, n->dy, n->grads, NULL);
    t[3] = clock_seconds();
    for (int i = 0; i < 3; i++)
        seconds[i] = t[i + 1] - t[i];
}

static void time_runs(struct nn_exec *x, const struct numbers *n, struct nn_compile how,
                      const struct settings *s)
{
    double part[3][MAX_RUNS], seconds[3];
    x->backend->set(x->self, n->values);
    run_once(x, n, how.mode == NN_TRAIN, seconds);
    ((struct onednn *)x->self)->timing = s->layers;
    for (int i = 0; i < s->runs; i++) {
        run_once(x, n, how.mode == NN_TRAIN, seconds);
        for (int k = 0; k < 3; k++)
            part[k][i] = seconds[k] * 1e3 / how.batch;
    }
    static const char *const PARTS[3] = {"set", "forward", "backward"};
    printf("%s batch %2d, %.0f MB, ms/image:", how.mode == NN_TRAIN ? "train" : "infer", how.batch,
           (double)x->backend->memory(x->self) / 1e6);
    for (int k = 0; k < 3; k++) { /* the median sorts */
        double middle = median(part[k], s->runs);
        printf("  %s %.2f (best %.2f)", PARTS[k], middle, part[k][0]);
    }
    printf("\n");
    if (s->layers)
        print_layers(x->self);
    fflush(stdout);
}

static void measure(const struct nn_graph *g, struct nn_compile how, const struct settings *s)
{
    size_t pixels = (size_t)how.batch * SIDE * SIDE;
    struct numbers n = {mem_new(g->n_values, 4), mem_new(g->n_values, 4), mem_new(3 * pixels, 4),
                        mem_new(pixels, 4)};
    struct rng r = rng_at(1, RNG_TEST, 0, 0);
    struct nn_exec x = NN_EXEC_INIT;
    struct err err = ERR_INIT;
    nn_graph_init_values(g, n.values, 1);
    for (size_t i = 0; i < 3 * pixels; i++)
        n.input[i] = (float)rng_between(&r, -.5, .5);
    for (size_t i = 0; i < pixels; i++)
        n.dy[i] = (float)rng_between(&r, -1e-4, 1e-4);
    if (nn_exec_init(&x, &nn_backend_onednn, g, &how, &err))
        time_runs(&x, &n, how, s);
    else
        fprintf(stderr, "%s\n", err.text);
    nn_exec_release(&x);
    free(n.values);
    free(n.grads);
    free(n.input);
    free(n.dy);
}

static struct settings parse(int argc, char **argv)
{
    struct settings s = {.train = true, .infer = true, .runs = 5};
    for (int i = 1, numbers = 0; i < argc; i++) {
        s.train &= strcmp(argv[i], "infer") != 0;
        s.infer &= strcmp(argv[i], "train") != 0;
        s.layers |= !strcmp(argv[i], "layers");
        s.direct |= !strcmp(argv[i], "direct");
        if (!strcmp(argv[i], "folded") || !strcmp(argv[i], "plain"))
            s.folding = *argv[i] == 'f' ? NN_FOLD_ALWAYS : NN_FOLD_NEVER;
        int v = atoi(argv[i]);
        if (v > 0 && numbers++ == 0)
            s.batch = v;
        else if (v > 0)
            s.runs = v < MAX_RUNS ? v : MAX_RUNS;
    }
    return s;
}

int main(int argc, char **argv)
{
    static const int BATCHES[] = {1, 4, 16};
    struct settings s = parse(argc, argv);
    struct nn_graph g = NN_GRAPH_INIT;
    nn_threads(0);
    build(&g);
    for (int i = 0; i < 3; i++) {
        int batch = s.batch ? s.batch : BATCHES[i];
        if (s.train)
            measure(&g,
                    (struct nn_compile){
                        .batch = batch, .mode = NN_TRAIN, .direct = s.direct, .folding = s.folding},
                    &s);
        if (s.infer)
            measure(&g,
                    (struct nn_compile){
                        .batch = batch, .mode = NN_INFER, .direct = s.direct, .folding = s.folding},
                    &s);
        if (s.batch)
            break;
    }
    nn_graph_release(&g);
    return 0;
}
