#include "cli/opt_train.h"

#include "base/log.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "io/image_file.h"
#include "report/diary.h"
#include "report/panel.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Keys of the table's options follow KEY_FIRST: the value or yes, then no. */
enum { KEY_NO_FLIP = 0x3001, KEY_RECIPE, KEY_RESUME, KEY_THREADS, KEY_BACKEND, KEY_FIRST = 0x3100 };

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

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct opt_train *o = state->input;

    switch (key) {
    case KEY_NO_FLIP:
        set_by_name(o, "flip-horizontal", "no", state);
        set_by_name(o, "flip-vertical", "no", state);
        return 0;
    case KEY_RECIPE:
        o->published = !strcmp(arg, "published");
        if (!o->published && strcmp(arg, "short") != 0)
            argp_error(state, "--recipe: '%s' is none of short, published", arg);
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
    static const struct argp_option RECIPE = {
        "recipe",
        KEY_RECIPE,
        "short|published",
        0,
        "short: a few minutes of Adam (default); published: 200 epochs of 200 steps, as ZF_UNET_224 was made",
        1};
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
    if (task == RUN_PRETRAIN)
        *next++ = RECIPE;
    for (int i = 0; i < TRAIN_OPTION_COUNT; i++) {
        if (!train_option_applies(&TRAIN_OPTIONS[i], task))
            continue;
        add_option(o, &next, i);
        if (!strcmp(TRAIN_OPTIONS[i].name, "flip-vertical"))
            *next++ = NO_FLIP;
    }
    for (size_t i = 0; i < sizeof COMMON / sizeof *COMMON; i++)
        *next++ = COMMON[i];
    o->argp = (struct argp){.options = o->option, .parser = parse};
}

bool opt_train_resolve(const struct opt_train *o, const struct run *going_on, struct train_options *out,
                       struct err *err)
{
    *out = o->published ? train_options_published() : train_options_default(o->task);
    if (going_on && !train_options_read(out, o->task, json_object_get(going_on->json, "train"), err))
        return err_at(err, "%s", going_on->folder);
    for (int i = 0; i < TRAIN_OPTION_COUNT; i++) {
        if (o->text[i] && !train_option_set(out, &TRAIN_OPTIONS[i], o->text[i], err))
            return false;
    }
    return true;
}

/* The network's input turned back into 16-bit grey, and its truth into a mask. */
static void to_squares(const struct train_case *c, int channels, size_t pixels, uint16_t *image,
                       uint8_t *truth)
{
    for (size_t i = 0; i < pixels; i++) {
        double sum = 0;
        for (int k = 0; k < channels; k++)
            sum += c->input[(size_t)k * pixels + i];
        double v = (sum / channels + 0.5) * 256 / 255 * 65535;
        image[i] = (uint16_t)lround(fmin(fmax(v, 0), 65535));
        truth[i] = c->truth[i] > 0.5f ? 255 : 0;
    }
}

static bool write_panel(const struct train_epoch *e, const struct panel_case *cases, struct err *err)
{
    struct image panel = IMAGE_INIT;
    char title[128], name[40];
    char *folder = run_path(e->run, "epochs");

    snprintf(title, sizeof title, "%s, epoch %d of %d, validation loss %.4f%s", run_task_name(e->run->task),
             e->epoch, e->epochs, e->metrics->val_loss, e->best ? ", best so far" : "");
    snprintf(name, sizeof name, "epoch-%03d.png", e->epoch);
    char *path = file_join(folder, name);
    bool ok = panel_draw(&panel, cases, e->n_cases, title, err) && file_make_folders(folder, err) &&
              png_write(path, &panel, err);
    image_release(&panel);
    free(folder);
    free(path);
    return ok;
}

static bool show_epoch(void *self, const struct train_epoch *e, struct err *err)
{
    struct panel_case cases[RUN_CASES];
    int size = e->run->prep.size;
    size_t pixels = (size_t)size * (size_t)size;
    uint16_t *image = mem_new(RUN_CASES * pixels, sizeof *image);
    uint8_t *truth = mem_new(RUN_CASES * pixels, sizeof *truth);

    (void)self;
    for (int i = 0; i < e->n_cases; i++) {
        const struct train_case *c = &e->cases[i];
        uint16_t *im = image + (size_t)i * pixels;
        uint8_t *tr = truth + (size_t)i * pixels;
        to_squares(c, e->run->channels, pixels, im, tr);
        cases[i] = (struct panel_case){im, tr, c->prediction, size, c->id, c->label, c->dice, c->score};
    }
    bool ok = write_panel(e, cases, err) && diary_write(e->run->folder, err);
    free(image);
    free(truth);
    return ok;
}

int opt_train_run(const struct train_job *job)
{
    struct train_job watched = *job;
    struct err err = ERR_INIT, ignored = ERR_INIT;

    watched.watcher.epoch = show_epoch;
    if (train(&watched, &err)) {
        printf("%s/diary.html\n", job->folder);
        return CLI_DONE;
    }
    if (err.kind == ERR_CANCELLED && !diary_write(job->folder, &ignored))
        log_warn("%s", ignored.text);
    return cli_fail(&err);
}
