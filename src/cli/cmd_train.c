#include "cli/cli.h"

#include "base/log.h"
#include "base/mem.h"
#include "cli/opt_input.h"
#include "cli/opt_train.h"
#include "model/weights.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_INIT = 256, KEY_NEW_SPLIT, KEY_ALLOW_LEAK, KEY_DEPTH, KEY_NARROW_POOL };

struct arguments {
    const char *data, *run, *init;
    bool new_split, allow_leak, narrow_pool;
    const struct model *model; /* classify: as --depth says; NULL where nothing was said */
    struct prep prep;          /* size 0 and fit NOT_GIVEN where nothing was said */
    struct opt_train train;
};

enum { NOT_GIVEN = -1 };

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->prep;
        state->child_inputs[1] = &a->train;
        if (a->train.task == RUN_CLASSIFY)
            state->child_inputs[2] = a;
        return 0;
    case KEY_INIT:
        a->init = arg;
        return 0;
    case KEY_NEW_SPLIT:
        a->new_split = true;
        return 0;
    case KEY_ALLOW_LEAK:
        a->allow_leak = true;
        return 0;
    case ARGP_KEY_ARG:
        if (a->run)
            argp_error(state, "a data set and a run are wanted: '%s' is one too many", arg);
        *(a->data ? &a->run : &a->data) = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->run)
            argp_error(state, "which data set, which run? DATA RUN");
        if (a->train.task == RUN_BLACK_BOX && !a->init && !a->train.resume)
            argp_error(state, "the black box goes on from a segment run: --init RUN");
        if (a->train.task == RUN_CLASSIFY && !a->init && !a->train.resume)
            argp_error(state, "which weights to begin with? --init WEIGHTS, or --init none for random ones");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option OPTIONS[] = {
    {"init", KEY_INIT, "WEIGHTS", 0,
     "begin with the best weights of a run, or a safetensors file (to classify, Keras' HDF5 too: a name in "
     ".h5); none: "
     "with random ones (Glorot)",
     0},
    {"new-split", KEY_NEW_SPLIT, NULL, 0, "split again instead of keeping the split of the run in --init", 0},
    {"allow-leak", KEY_ALLOW_LEAK, NULL, 0,
     "train although patients or pictures are both in the train and in the test part; run.json and the "
     "report say so",
     0},
    {0}};

static error_t parse_classify(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case KEY_DEPTH: {
        char *name = mem_printf("resnet%s", arg);
        a->model = model_find(name);
        free(name);
        if (!a->model)
            argp_error(state, "--depth: '%s' is none of 50, 101, 152", arg);
        return 0;
    }
    case KEY_NARROW_POOL:
        a->narrow_pool = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option CLASSIFY_OPTIONS[] = {
    {"depth", KEY_DEPTH, "50|101|152", 0, "layers of the ResNet (default 50, or as the weights in --init)",
     0},
    {"narrow-pool", KEY_NARROW_POOL, NULL, 0,
     "no border of zeros before the first pooling, as Keras had it until August 2018 (55 x 55 places instead "
     "of 56 x 56)",
     0},
    {0}};
static const struct argp CLASSIFY = {.options = CLASSIFY_OPTIONS, .parser = parse_classify};

static const char *const ABOUT[RUN_TASK_COUNT] = {
    [RUN_SEGMENT] = "Trains the U-Net to outline masses. DATA is a data set folder, RUN the folder to make; "
                    "whole patients are "
                    "kept for validation.",
    [RUN_BLACK_BOX] = "Trains the U-Net on, with an all-black truth for everything that is not malignant, so "
                      "that the sum of "
                      "the mask becomes a score. DATA is a data set folder, RUN the folder to make.",
    [RUN_CLASSIFY] =
        "Trains a ResNet to tell malignant from benign crops, one lesion each. DATA is a data set folder, "
        "RUN the folder to make; whole patients are kept for validation. Images labelled normal have no "
        "crop and are left out."};

#define AFTER                                                                                                \
    "\vAfter every epoch the four cases in RUN/epochs, RUN/diary.html, log.csv and the weights are brought " \
    "up "                                                                                                    \
    "to date. The same command goes on with a run that was stopped or killed; a larger --epochs prolongs a " \
    "finished one.\n" CLI_DISCLAIMER

/* What the run in --init was trained on, where nothing else was said. Pre-training has an input of its own.
 */
static bool inherit_input(struct arguments *a, const struct run *from, struct err *err)
{
    const struct prep *p = &from->prep;

    if (a->prep.size && a->prep.size != p->size)
        return err_set(err, ERR_INPUT, "--size %d: %s was trained at %d", a->prep.size, from->folder,
                       p->size);
    if ((int)a->prep.fit != NOT_GIVEN && a->prep.fit != p->fit)
        return err_set(err, ERR_INPUT, "--fit %s: %s was trained with %s", prep_fit_name(a->prep.fit),
                       from->folder, prep_fit_name(p->fit));
    if (a->prep.breast_crop && !p->breast_crop)
        return err_set(err, ERR_INPUT, "--breast-crop: %s was trained without", from->folder);
    a->prep = *p;
    return true;
}

static bool inherit_from(struct arguments *a, const struct run *from, struct err *err)
{
    if (run_is_classifier(from) != (a->train.task == RUN_CLASSIFY))
        return err_set(err, ERR_INPUT, "--init %s: a run of task %s has another network", from->folder,
                       run_task_name(from->task));
    return from->task == RUN_PRETRAIN || inherit_input(a, from, err);
}

/* The ResNet whose weights these are: a run's or a file's; NULL where they are of none. */
static const struct model *find_resnet(const char *weights)
{
    struct run from = RUN_INIT;
    struct model_told told;
    struct err ignored = ERR_INIT;
    const struct model *m = NULL;

    if (file_is_folder(weights))
        m = run_read(&from, weights, &ignored) ? from.model : NULL;
    else
        m = model_weights_told(&told, weights, &ignored) ? told.model : NULL;
    run_release(&from);
    return m && m->classes ? m : NULL;
}

/* A classifier is as deep as it was told, or as the weights are that it begins with. */
static void resolve_network(const struct arguments *a, const struct run *going_on, struct train_job *job)
{
    job->model = model_find("unet");
    if (job->task != RUN_CLASSIFY)
        return;
    job->narrow_pool = a->narrow_pool;
    job->prep.values = PREP_CAFFE;
    job->model = a->model ? a->model : going_on ? going_on->model : NULL;
    if (!job->model && a->init)
        job->model = find_resnet(a->init);
    if (!job->model)
        job->model = &model_resnet50;
}

static bool resolve_input(struct arguments *a, const struct run *going_on, struct err *err)
{
    static const struct prep USUAL = OPT_INPUT_DEFAULT;
    struct run from = RUN_INIT;
    bool ok = true;

    if (going_on)
        ok = inherit_input(a, going_on, err);
    else if (a->init && file_is_folder(a->init))
        ok = run_read(&from, a->init, err) && inherit_from(a, &from, err);
    run_release(&from);
    if (!a->prep.size)
        a->prep.size = USUAL.size;
    if ((int)a->prep.fit == NOT_GIVEN)
        a->prep.fit = USUAL.fit;
    return ok;
}

static int run_task(struct arguments *a)
{
    struct train_job job = {.task = a->train.task,
                            .folder = a->run,
                            .data = a->data,
                            .backend = a->train.backend,
                            .channels = 3,
                            .new_split = a->new_split,
                            .allow_leak = a->allow_leak,
                            .resume = a->train.resume};
    struct run going_on = RUN_INIT;
    struct err err = ERR_INIT;
    int code = CLI_FAILED;

    if (a->init && !strcmp(a->init, "none"))
        a->init = NULL;
    job.init = a->init;
    if ((job.resume && !run_read(&going_on, a->run, &err)) ||
        !resolve_input(a, job.resume ? &going_on : NULL, &err) ||
        !opt_train_resolve(&a->train, job.resume ? &going_on : NULL, &job.options, &err)) {
        cli_fail(&err);
        goto out;
    }
    job.prep = a->prep;
    resolve_network(a, job.resume ? &going_on : NULL, &job);
    code = opt_train_run(&job);
out:
    run_release(&going_on);
    return code;
}

static void print_help(FILE *f)
{
    fprintf(f, "Usage: clearmass train segment DATA RUN --init WEIGHTS [OPTION...]\n"
               "  or:  clearmass train black-box DATA RUN --init SEGMENT_RUN [OPTION...]\n"
               "  or:  clearmass train classify DATA RUN --init WEIGHTS [OPTION...]\n\n"
               "'clearmass train segment --help' tells the options.\n" CLI_DISCLAIMER "\n");
}

int cmd_train(int argc, char **argv)
{
    struct arguments a = {.prep = {.fit = (enum prep_fit)NOT_GIVEN}};
    enum run_task task = RUN_PRETRAIN;
    char name[64];

    if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-?"))) {
        print_help(stdout);
        return CLI_DONE;
    }
    if (argc < 2 || !run_task_parse(argv[1], &task) || task == RUN_PRETRAIN) {
        print_help(stderr);
        return CLI_USAGE;
    }
    opt_train_init(&a.train, task);
    char *about = mem_printf("%s%s", ABOUT[task], AFTER);
    const bool classify = task == RUN_CLASSIFY;
    const struct argp_child children[] = {
        {classify ? &OPT_INPUT_CROPS : &OPT_INPUT, 0, "What the network sees:", 1},
        {&a.train.argp, 0, "How it learns:", 2},
        {classify ? &CLASSIFY : NULL, 0, "The network:", 3},
        {0}};
    const struct argp argp = {OPTIONS, parse, "DATA RUN", about, children, NULL, NULL};
    snprintf(name, sizeof name, "clearmass train %s", argv[1]);
    argv[1] = name;
    argp_err_exit_status = CLI_USAGE;
    int code = argp_parse(&argp, argc - 1, argv + 1, 0, NULL, &a) ? CLI_USAGE : run_task(&a);
    free(about);
    return code;
}
