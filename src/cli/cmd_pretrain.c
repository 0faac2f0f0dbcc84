#include "cli/cli.h"

#include "cli/opt_train.h"

#include <stdlib.h>

enum { KEY_SIZE = 256 };

struct arguments {
    const char *run;
    struct prep prep;
    bool size_given;
    struct opt_train train;
};

static void set_size(struct arguments *a, const char *text, struct argp_state *state)
{
    struct err err = ERR_INIT;
    char *end;
    long size = strtol(text, &end, 10);

    if (end == text || *end || size < 0 || size > IMAGE_MAX_SIDE)
        argp_error(state, "--size '%s': a whole number of pixels is wanted", text);
    a->prep.size = (int)size;
    a->size_given = true;
    if (!prep_check(&a->prep, &err))
        argp_error(state, "--%s", err.text);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &a->train;
        return 0;
    case KEY_SIZE:
        set_size(a, arg, state);
        return 0;
    case ARGP_KEY_ARG:
        if (a->run)
            argp_error(state, "one run at a time: '%s' is one too many", arg);
        a->run = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->run)
            argp_error(state, "which run?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option OPTIONS[] = {
    {"size", KEY_SIZE, "N", 0,
     "side of the images in pixels, a multiple of 32 (default 224); the weights serve every size", 0},
    {0}};

static int run_pretrain(struct arguments *a)
{
    struct train_job job = {.task = RUN_PRETRAIN,
                            .folder = a->run,
                            .model = model_find("unet"),
                            .backend = a->train.backend,
                            .channels = 3,
                            .resume = a->train.resume};
    struct run going_on = RUN_INIT;
    struct err err = ERR_INIT;
    bool ok = !job.resume || run_read(&going_on, a->run, &err);

    if (ok && job.resume && !a->size_given)
        a->prep = going_on.prep;
    job.prep = a->prep;
    ok = ok && opt_train_resolve(&a->train, job.resume ? &going_on : NULL, &job.options, &err);
    run_release(&going_on);
    return ok ? opt_train_run(&job) : cli_fail(&err);
}

int cmd_pretrain(int argc, char **argv)
{
    struct arguments a = {.prep = {.size = 224, .fit = PREP_STRETCH}};

    opt_train_init(&a.train, RUN_PRETRAIN);
    const struct argp_child children[] = {{&a.train.argp, 0, "How it learns:", 1}, {0}};
    const struct argp argp = {OPTIONS,
                              parse,
                              "RUN",
                              "Trains the U-Net on synthetic ellipses, fresh ones in every step, so that "
                              "'train segment --init RUN' begins with a "
                              "network that already finds light shapes under noise."
                              "\vThe images are those ZF_UNET_224 was published with. After every epoch "
                              "RUN/diary.html, log.csv and the weights "
                              "are brought up to date; the same command goes on with a run that was stopped "
                              "or killed.\n" CLI_DISCLAIMER,
                              children,
                              NULL,
                              NULL};
    argp_err_exit_status = CLI_USAGE;
    return argp_parse(&argp, argc, argv, 0, NULL, &a) ? CLI_USAGE : run_pretrain(&a);
}
