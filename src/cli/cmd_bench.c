#include "cli/cli.h"

#include "base/mem.h"
#include "nn/machine.h"
#include "train/bench.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { LARGEST_SIZE = 4096, MOST_IMAGES = 4096, MOST_STEPS = 10000, MOST_CHANNELS = 4, MOST_THREADS = 4096 };

struct arguments {
    struct bench_job job;
    bool train, infer, layers, csv;
    int threads; /* 0: every core */
};

/* A whole number from 1 to most; argp_error ends the program. */
static int whole(const char *text, const char *option, int most, struct argp_state *state)
{
    char *end;
    long v = strtol(text, &end, 10);
    if (end == text || *end || v < 1 || v > most)
        argp_error(state, "--%s: '%s' is not a whole number from 1 to %d", option, text, most);
    return (int)v;
}

static void check_arguments(const struct arguments *a, struct argp_state *state)
{
    const struct model *m = a->job.model;

    if (!m)
        argp_error(state, "which network? 'unet' or 'resnet50', say");
    else if (a->job.size % m->multiple_of)
        argp_error(state, "--size: %d is not a multiple of %d, as %s needs it", a->job.size, m->multiple_of,
                   m->name);
    if (!a->train && !a->infer)
        argp_error(state, "--train-only and --infer-only leave nothing to do");
}

static void choose_model(struct arguments *a, const char *name, struct argp_state *state)
{
    if (a->job.model)
        argp_error(state, "one network at a time: '%s' is one too many", name);
    a->job.model = model_find(name);
    if (!a->job.model)
        argp_error(state, "no network '%s'; 'clearmass model' lists them", name);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
    case 'b':
        a->job.batch = whole(arg, "batch", MOST_IMAGES, state);
        return 0;
    case 's':
        a->job.size = whole(arg, "size", LARGEST_SIZE, state);
        return 0;
    case 'c':
        a->job.channels = whole(arg, "channels", MOST_CHANNELS, state);
        return 0;
    case 'n':
        a->job.steps = whole(arg, "steps", MOST_STEPS, state);
        return 0;
    case 't':
        a->infer = false;
        return 0;
    case 'i':
        a->train = false;
        return 0;
    case 'p':
        a->threads = whole(arg, "threads", MOST_THREADS, state);
        return 0;
    case 'l':
        a->layers = true;
        return 0;
    case 'e':
        a->job.exact = true;
        return 0;
    case 'f':
        a->job.bf16 = true;
        return 0;
    case 'h':
        a->job.held = true;
        return 0;
    case 'u':
        a->job.cpu = true;
        return 0;
    case 'v':
        a->csv = true;
        return 0;
    case ARGP_KEY_ARG:
        choose_model(a, arg, state);
        return 0;
    case ARGP_KEY_END:
        check_arguments(a, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option OPTIONS[] = {
    {"batch", 'b', "IMAGES", 0, "a step: 16 unless told otherwise", 0},
    {"size", 's', "PIXELS", 0, "width and height of the input: 224 unless told otherwise", 0},
    {"channels", 'c', "N", 0, "of the input: 3 unless told otherwise", 0},
    {"steps", 'n', "N", 0, "that are timed, after one that is not: 5 unless told otherwise", 0},
    {"threads", 'p', "N", 0, "every core unless told otherwise", 0},
    {"train-only", 't', NULL, 0, "no inference", 0},
    {"infer-only", 'i', NULL, 0, "no training", 0},
    {"layers", 'l', NULL, 0, "the time of every part of a step too, longest first", 0},
    {"exact", 'e', NULL, 0, "neither Winograd nor folding nor bf16, as training with --exact", 0},
    {"bf16", 'f', NULL, 0, "training in bf16, as training with --bf16; inference stays in float", 0},
    {"held", 'h', NULL, 0, "one batch held in memory instead of augmented ones made beside the steps", 0},
    {"cpu-time", 'u', NULL, 0,
     "processor time of all threads instead of the clock's: with --threads 1 on a machine that others use",
     0},
    {"csv", 'v', NULL, 0,
     "for programs: network,mode,batch,size,median_ms,best_ms,waited_ms,gflop,peak_gflops,memory_mb", 0},
    {0}};

static const struct argp ARGP = {
    OPTIONS,
    parse,
    "NETWORK",
    "Times a network on this machine: whole training steps (augmented images, loss, backward, Adam) and "
    "inference, on images "
    "that are made up. NETWORK is unet (ZF_UNET_224), resnet50, resnet101 or resnet152.\v"
    "The number of operations is that of the layers as they are defined; Winograd and folding need fewer, so "
    "that the share "
    "of the peak may pass 100 %.\n" CLI_DISCLAIMER,
    NULL,
    NULL,
    NULL};

static const char *mode_name(enum nn_mode mode)
{
    return mode == NN_TRAIN ? "training" : "inference";
}

static int by_seconds(const void *a, const void *b)
{
    const struct nn_timing *x = a, *y = b;
    return (x->seconds < y->seconds) - (x->seconds > y->seconds);
}

static void print_layers(const struct bench_result *r, const struct bench_job *job)
{
    qsort(r->timing, (size_t)r->n_timings, sizeof *r->timing, by_seconds);
    for (int i = 0; i < r->n_timings; i++) {
        const struct nn_timing *t = &r->timing[i];
        printf("  %8.3f ms  %-14s %-8s %-8s %s\n", t->seconds * 1e3 / job->batch, t->what,
               t->forward ? "forward" : "backward", t->how, r->graph.node[t->node].name);
    }
}

static void print_result(const struct bench_result *r, const struct arguments *a, double peak)
{
    const struct bench_job *j = &a->job;
    const double per = 1e3 / j->batch, speed = r->flops * j->batch / r->median_s;

    if (a->csv) {
        printf("%s,%s,%d,%d,%.3f,%.3f,%.3f,%.3f,%.1f,%.1f\n", j->model->name, mode_name(j->mode), j->batch,
               j->size, r->median_s * per, r->best_s * per, r->waited_s * per, r->flops * 1e-9, peak * 1e-9,
               (double)r->memory * 1e-6);
    } else {
        printf(
            "%-9s %8.1f ms an image (best %.1f, waiting for images %.1f)  %.2f GFLOP an image  %.0f GFLOP/s"
            "  %.0f %% of the peak  %.0f MB planned\n",
            mode_name(j->mode), r->median_s * per, r->best_s * per, r->waited_s * per, r->flops * 1e-9,
            speed * 1e-9, 100 * speed / peak, (double)r->memory * 1e-6);
        if (a->layers)
            print_layers(r, j);
    }
    fflush(stdout);
}

static bool run_mode(struct arguments *a, enum nn_mode mode, double peak, struct err *err)
{
    struct bench_result r = BENCH_RESULT_INIT;

    a->job.mode = mode;
    if (!bench_run(&r, &a->job, err))
        return false;
    print_result(&r, a, peak);
    bench_release(&r);
    return true;
}

static double peak_memory_mb(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_maxrss * 1024e-6;
}

int cmd_bench(int argc, char **argv)
{
    struct arguments a = {
        .job = {.size = 224, .channels = 3, .batch = 16, .steps = 5, .backend = &nn_backend_onednn},
        .train = true,
        .infer = true};
    struct err err = ERR_INIT;
    char machine[NN_MACHINE_TEXT];

    argp_err_exit_status = CLI_USAGE;
    if (argp_parse(&ARGP, argc, argv, 0, NULL, &a))
        return CLI_USAGE;
    nn_threads(a.threads);
    nn_machine(machine);
    bool bf16 = a.job.bf16 && !a.job.exact;
    double peak = nn_peak(false), train_peak = bf16 ? nn_peak(true) : peak;
    if (!a.csv) {
        printf("%s\npeak, a product of large matrices: %.0f GFLOP/s\n", machine, peak * 1e-9);
        if (bf16)
            printf("the same in bf16: %.0f GFLOP/s\n", train_peak * 1e-9);
        printf("%s, %d images of %d x %d, median of %d steps\n", a.job.model->title, a.job.batch, a.job.size,
               a.job.size, a.job.steps);
    }
    if ((a.train && !run_mode(&a, NN_TRAIN, train_peak, &err)) ||
        (a.infer && !run_mode(&a, NN_INFER, peak, &err)))
        return cli_fail(&err);
    if (!a.csv)
        printf("memory of the whole program at most: %.0f MB\n", peak_memory_mb());
    return CLI_DONE;
}
