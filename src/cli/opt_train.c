#include "cli/opt_train.h"

#include "base/log.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/watch.h"
#include "report/diary.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Keys of the table's options follow KEY_FIRST: the value or yes, then no. */
enum {
    KEY_NO_FLIP = 0x3001,
    KEY_NO_AUGMENT,
    KEY_RECIPE,
    KEY_RESUME,
    KEY_THREADS,
    KEY_BACKEND,
    KEY_FIRST = 0x3100
};

static void set_text(struct opt_train *o, int which, const char *text, struct argp_state *state)
{
    struct train_options scratch = train_options_default(o->task);
    struct err err = ERR_INIT;

    if (!train_option_set(&scratch, &TRAIN_OPTIONS[which], text, &err))
        argp_error(state, "%s", err.text);
    o->text[which] = text;
}

static void set_by_name(struct opt_train *o, const char *name, const char *text, struct argp_state *state)
{
    for (int i = 0; i < TRAIN_OPTION_COUNT; i++) {
        if (!strcmp(TRAIN_OPTIONS[i].name, name))
            set_text(o, i, text, state);
    }
}

static void set_threads(const char *text, struct argp_state *state)
{
    char *end;
    long n = strtol(text, &end, 10);

    if (end == text || *end || n < 1 || n > 4096)
        argp_error(state, "--threads: '%s' is no whole number from 1 to 4096", text);
    nn_threads((int)n);
}

static void set_backend(struct opt_train *o, const char *text, struct argp_state *state)
{
    static const struct nn_backend *const BACKENDS[] = {&nn_backend_onednn, &nn_backend_ref};

    for (size_t i = 0; i < sizeof BACKENDS / sizeof *BACKENDS; i++) {
        if (!strcmp(BACKENDS[i]->name, text)) {
            o->backend = BACKENDS[i];
            return;
        }
    }
    argp_error(state, "--backend: '%s' is none of onednn, ref", text);
}

static const char *usual_recipe(enum run_task task)
{
    return task == RUN_CLASSIFY ? "fine-tune" : "short";
}

static void set_still(struct opt_train *o, struct argp_state *state)
{
    static const char *const WORDS[][2] = {
        {"flip-horizontal", "no"}, {"flip-vertical", "no"}, {"shift", "0"},
        {"rotate", "0"},           {"zoom", "0"},           {"brightness", "0"}};

    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        set_by_name(o, WORDS[i][0], WORDS[i][1], state);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct opt_train *o = state->input;

    switch (key) {
    case KEY_NO_FLIP:
        set_by_name(o, "flip-horizontal", "no", state);
        set_by_name(o, "flip-vertical", "no", state);
        return 0;
    case KEY_NO_AUGMENT:
        set_still(o, state);
        return 0;
    case KEY_RECIPE:
        o->published = !strcmp(arg, "published");
        if (!o->published && strcmp(arg, usual_recipe(o->task)) != 0)
            argp_error(state, "--recipe: '%s' is none of %s, published", arg, usual_recipe(o->task));
        return 0;
    case KEY_RESUME:
        o->resume = true;
        return 0;
    case KEY_THREADS:
        set_threads(arg, state);
        return 0;
    case KEY_BACKEND:
        set_backend(o, arg, state);
        return 0;
    default:
        if (key < KEY_FIRST || key >= KEY_FIRST + 2 * TRAIN_OPTION_COUNT)
            return ARGP_ERR_UNKNOWN;
        set_text(o, (key - KEY_FIRST) / 2, arg ? arg : (key - KEY_FIRST) % 2 ? "no" : "yes", state);
        return 0;
    }
}

/* "adam|sgd" for choices, otherwise a letter. */
static const char *argument_of(const struct train_option *t, char *text, size_t size)
{
    size_t at = 0;

    if (t->type == TRAIN_OPTION_FLAG)
        return NULL;
    if (t->type != TRAIN_OPTION_CHOICE)
        return t->type == TRAIN_OPTION_INT ? "N" : "X";
    for (int i = 0; t->choice[i] && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%s", i ? "|" : "", t->choice[i]);
    return text;
}

/* One or two words of the table; help and names live in o. */
static void add_option(struct opt_train *o, struct argp_option **next, int i)
{
    const struct train_option *t = &TRAIN_OPTIONS[i];
    struct train_options usual = train_options_default(o->task);
    char value[TRAIN_OPTION_TEXT];
    int written;

    train_option_text(&usual, t, value);
    written = snprintf(o->help[i], sizeof o->help[i], "%s (default %s)", t->help, value) + 1;
    char *room = o->help[i] + written;
    const char *arg = argument_of(t, room, sizeof o->help[i] - (size_t)written);
    *(*next)++ = (struct argp_option){
        .name = t->name, .key = KEY_FIRST + 2 * i, .arg = arg, .doc = o->help[i], .group = 1};
    if (t->type == TRAIN_OPTION_FLAG) {
        snprintf(o->no_name[i], sizeof o->no_name[i], "no-%s", t->name);
        *(*next)++ = (struct argp_option){
            .name = o->no_name[i], .key = KEY_FIRST + 2 * i + 1, .flags = OPTION_ALIAS, .group = 1};
    }
}

void opt_train_init(struct opt_train *o, enum run_task task)
{
    static const struct argp_option NO_FLIP = {"no-flip", KEY_NO_FLIP, NULL, 0, "neither of the two", 1};
    static const struct argp_option NO_AUGMENT = {
        "no-augment", KEY_NO_AUGMENT, NULL, 0, "no flips, shifts, turns, zooms or changes of brightness", 1};
    static const struct argp_option RECIPE[RUN_TASK_COUNT] = {
        [RUN_PRETRAIN] = {"recipe", KEY_RECIPE, "short|published", 0,
                          "short: a few minutes of Adam (default); published: 200 epochs of 200 steps, as "
                          "ZF_UNET_224 was made",
                          1},
        [RUN_CLASSIFY] = {
            "recipe", KEY_RECIPE, "fine-tune|published", 0,
            "fine-tune: the last stage and the head, with augmentation (default); published: a frozen "
            "backbone, no augmentation, sgd .01 with decay 1e-6 and nesterov momentum .9, 75 epochs in "
            "batches of 100. The defaults below are those of fine-tune",
            1}};
    static const struct argp_option COMMON[] = {
        {"resume", KEY_RESUME, NULL, 0,
         "go on with the run in RUN; options not given are those it was begun with (the whole command again "
         "does the same)",
         2},
        {"threads", KEY_THREADS, "N", 0, "threads (default: every core)", 2},
        {"backend", KEY_BACKEND, "NAME", OPTION_HIDDEN, "onednn or ref", 2},
    };

    *o = (struct opt_train){.task = task, .backend = &nn_backend_onednn};
    struct argp_option *next = o->option;
    if (RECIPE[task].name)
        *next++ = RECIPE[task];
    for (int i = 0; i < TRAIN_OPTION_COUNT; i++) {
        if (!train_option_applies(&TRAIN_OPTIONS[i], task))
            continue;
        add_option(o, &next, i);
        if (!strcmp(TRAIN_OPTIONS[i].name, "flip-vertical"))
            *next++ = NO_FLIP;
        if (!strcmp(TRAIN_OPTIONS[i].name, "fill"))
            *next++ = NO_AUGMENT;
    }
    for (size_t i = 0; i < sizeof COMMON / sizeof *COMMON; i++)
        *next++ = COMMON[i];
    o->argp = (struct argp){.options = o->option, .parser = parse};
}

bool opt_train_resolve(const struct opt_train *o, const struct run *going_on, struct train_options *out,
                       struct err *err)
{
    *out = o->published ? train_options_published(o->task) : train_options_default(o->task);
    if (going_on && !train_options_read(out, o->task, json_object_get(going_on->json, "train"), err))
        return err_at(err, "%s", going_on->folder);
    for (int i = 0; i < TRAIN_OPTION_COUNT; i++) {
        if (o->text[i] && !train_option_set(out, &TRAIN_OPTIONS[i], o->text[i], err))
            return false;
    }
    return true;
}

int opt_train_run(const struct train_job *job)
{
    struct train_job watched = *job;
    struct watch watch = {0};
    struct err err = ERR_INIT, ignored = ERR_INIT;

    watched.watcher = (struct train_watcher){&watch, watch_epoch};
    if (train(&watched, &err) && diary_write(job->folder, &err)) {
        printf("%s/diary.html\n", job->folder);
        return CLI_DONE;
    }
    if (err.kind == ERR_CANCELLED && !diary_write(job->folder, &ignored))
        log_warn("%s", ignored.text);
    return cli_fail(&err);
}
