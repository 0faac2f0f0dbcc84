#include "train/options.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) offsetof(struct train_options, field)

enum {
    PRE = 1u << RUN_PRETRAIN,
    MAP = PRE | 1u << RUN_SEGMENT | 1u << RUN_BLACK_BOX,
    CLASS = 1u << RUN_CLASSIFY,
    DATA = 1u << RUN_SEGMENT | 1u << RUN_BLACK_BOX | CLASS,
    ALL = PRE | DATA
};

static const char *const OPTIMIZERS[] = {"adam", "sgd", NULL};
static const char *const LOSSES[] = {"dice", "generalised-dice", "bce-dice", NULL};
static const char *const SCHEDULES[] = {"none", "plateau", NULL};
static const char *const FILLS[] = {"nearest", "black", NULL};
static const char *const BESTS[] = {"auto", "loss", "dice", "auc", "accuracy", NULL};
static const char *const NORMS[] = {"precise", "keras", NULL};
static const char *const STAGES[] = {"none", "5", "4", "3", "2", "all", NULL};
static const char *const FROZEN_NORMS[] = {"inference", "keras224", NULL};
static const char *const CLASS_WEIGHTS[] = {"none", "balanced", NULL};

#define INT_OPTION(name, field, low, high)  name, TRAIN_OPTION_INT, AT(field), low, high, NULL
#define REAL_OPTION(name, field, low, high) name, TRAIN_OPTION_REAL, AT(field), low, high, NULL
#define FLAG_OPTION(name, field)            name, TRAIN_OPTION_FLAG, AT(field), 0, 1, NULL
#define CHOICE_OPTION(name, field, names)   name, TRAIN_OPTION_CHOICE, AT(field), 0, 0, names

const struct train_option TRAIN_OPTIONS[TRAIN_OPTION_COUNT] = {
    {INT_OPTION("epochs", epochs, 1, 100000), ALL, true, "rounds over the training images"},
    {INT_OPTION("batch", batch, 1, 4096), ALL, false,
     "images a step (all, where there are fewer); the rest of an epoch that fills no batch is dropped"},
    {INT_OPTION("accumulate", accumulate, 1, 4096), ALL, false,
     "batches whose gradients are averaged for one update: a large batch in the memory of a small one; batch "
     "norm and loss see each batch for itself"},
    {INT_OPTION("seed", seed, 0, INT_MAX), ALL, false, "start of every random choice"},
    {INT_OPTION("steps", steps, 1, 1000000), PRE, false, "batches an epoch"},
    {INT_OPTION("validation-steps", validation_steps, 1, 1000000), PRE, false, "batches of a validation"},
    {CHOICE_OPTION("optimizer", optimizer, OPTIMIZERS), ALL, false, "how weights move (as in Keras 2.2.4)"},
    {REAL_OPTION("learning-rate", learning_rate, 1e-12, 1e3), ALL, false, "size of a step"},
    {REAL_OPTION("momentum", momentum, 0, 0.9999), ALL, false, "of sgd"},
    {FLAG_OPTION("nesterov", nesterov), ALL, false, "momentum of sgd as Nesterov has it"},
    {REAL_OPTION("decay", decay, 0, 1), ALL, false, "step i has the rate / (1 + decay i)"},
    {CHOICE_OPTION("loss", loss, LOSSES), MAP, false, "what is made small; dice is the published one"},
    {CHOICE_OPTION("schedule", schedule, SCHEDULES), ALL, false,
     "plateau lowers the rate when the validation loss stops falling"},
    {REAL_OPTION("plateau-factor", plateau_factor, 1e-6, 0.999999), ALL, false,
     "the rate is multiplied by it"},
    {INT_OPTION("plateau-patience", plateau_patience, 1, 100000), ALL, false,
     "epochs without a lower loss before"},
    {REAL_OPTION("plateau-epsilon", plateau_epsilon, 0, 1e3), ALL, false, "lower means by more than this"},
    {REAL_OPTION("plateau-min-rate", plateau_min_rate, 0, 1e3), ALL, false, "the rate never falls below"},
    {INT_OPTION("early-stop", early_stop, 0, 100000), ALL, true,
     "stop after so many epochs without a better one; 0: never"},
    {FLAG_OPTION("flip-horizontal", flip_horizontal), DATA, false, "mirror left and right at random"},
    {FLAG_OPTION("flip-vertical", flip_vertical), DATA, false, "mirror top and bottom at random"},
    {REAL_OPTION("shift", shift, 0, 0.9), DATA, false, "move by up to this share of the side, both axes"},
    {REAL_OPTION("rotate", rotate, 0, 180), DATA, false, "turn by up to so many degrees"},
    {REAL_OPTION("zoom", zoom, 0, 0.9), DATA, false, "scale by 1 - X to 1 + X"},
    {REAL_OPTION("brightness", brightness, 0, 0.9), DATA, false, "multiply grey values by 1 - X to 1 + X"},
    {CHOICE_OPTION("fill", fill, FILLS), DATA, false, "what a moved image shows beyond its border"},
    {REAL_OPTION("validation", validation, 0.01, 0.9), DATA, false,
     "share of images, by whole patients, kept for validation"},
    {CHOICE_OPTION("best", best, BESTS), ALL, false,
     "what makes an epoch the best: validation loss, mean Dice over lesions, AUC of malignant or accuracy; "
     "auto: loss "
     "to pretrain, dice to segment, auc for the black box and the classifier. A tie goes to the lower loss"},
    {CHOICE_OPTION("norm", norm, NORMS), ALL, false,
     "batch norm statistics to validate and save: precise recomputes them over training images before every "
     "validation, keras keeps the moving ones"},
    {INT_OPTION("norm-images", norm_images, 0, INT_MAX), ALL, false, "images for --norm precise; 0: all"},
    {FLAG_OPTION("exact", exact), ALL, false,
     "sums in their plain order: no Winograd, nothing folded, no bf16; slower, and closer to other programs' "
     "numbers"},
    {FLAG_OPTION("bf16", bf16), ALL, false,
     "activations and the factors of products in bf16, everything that is added up and the weights in float: "
     "faster where the processor multiplies bf16 (AVX-512 BF16, AMX), in half the memory"},
    {CHOICE_OPTION("unfreeze", unfreeze, STAGES), CLASS, false,
     "what is trained besides the head: nothing, the stages from this one on, or all"},
    {REAL_OPTION("backbone-learning-rate", backbone_learning_rate, 0, 1e3), CLASS, false,
     "size of a step of everything but the head"},
    {CHOICE_OPTION("frozen-norm", frozen_norm, FROZEN_NORMS), CLASS, false,
     "how the batch norms that are not trained see training images: inference as all others, by their moving "
     "statistics; keras224 by those of the batch, as Keras 2.1.3 to 2.2.4 did (with --norm keras)"},
    {CHOICE_OPTION("class-weights", class_weights, CLASS_WEIGHTS), CLASS, false,
     "balanced: both classes weigh the same in the training loss, however many crops they have"},
    {REAL_OPTION("label-smoothing", label_smoothing, 0, 0.5), CLASS, false,
     "the truth is 1 - X/2 and X/2 instead of 1 and 0 in training"},
    {FLAG_OPTION("cache", cache), CLASS, false,
     "compute the backbone's features once where every epoch would give the same: nothing but the head is "
     "trained, "
     "nothing augments, --frozen-norm inference"},
};

static void default_classify(struct train_options *o)
{
    o->epochs = 30;
    o->batch = 32;
    o->learning_rate = 1e-3;
    o->backbone_learning_rate = 1e-4;
    o->unfreeze = 1;
    o->early_stop = 10;
    o->class_weights = TRAIN_CLASSES_BALANCED;
    o->label_smoothing = 0.1;
    o->shift = o->zoom = o->brightness = 0.1;
    o->rotate = 15;
    o->cache = true;
}

struct train_options train_options_default(enum run_task task)
{
    bool pre = task == RUN_PRETRAIN;
    struct train_options o = {
        .epochs = pre ? 4 : 50,
        .batch = 16,
        .accumulate = 1,
        .seed = 1,
        .steps = 60,
        .validation_steps = 4,
        .learning_rate = 0.001,
        .momentum = 0.9,
        .plateau_factor = 0.5,
        .plateau_patience = 5,
        .plateau_epsilon = 1e-5,
        .plateau_min_rate = 1e-9,
        .flip_horizontal = !pre,
        .flip_vertical = !pre,
        .shift = pre ? 0 : 0.1,
        .validation = 0.2,
        .norm_images = 256,
    };

    if (task == RUN_CLASSIFY)
        default_classify(&o);
    return o;
}

/* The Kaggle notebook that the classifier goes back to (keras 2.2, 2018), its epochs as published. */
static void published_classify(struct train_options *o)
{
    o->epochs = 75;
    o->batch = 100;
    o->learning_rate = o->backbone_learning_rate = 0.01;
    o->unfreeze = 0;
    o->early_stop = 0;
    o->best = TRAIN_BEST_LOSS;
    o->class_weights = TRAIN_CLASSES_EQUAL;
    o->label_smoothing = 0;
    o->flip_horizontal = o->flip_vertical = false;
    o->shift = o->rotate = o->zoom = o->brightness = 0;
}

struct train_options train_options_published(enum run_task task)
{
    struct train_options o = train_options_default(task);

    o.optimizer = 1;
    o.nesterov = true;
    o.decay = 1e-6;
    o.norm = TRAIN_NORM_KERAS;
    if (task == RUN_CLASSIFY) {
        published_classify(&o);
    } else {
        o.epochs = o.steps = o.validation_steps = 200;
        o.schedule = TRAIN_SCHEDULE_PLATEAU;
    }
    return o;
}

int train_unfreeze(const struct train_options *o)
{
    return 6 - o->unfreeze;
}

bool train_augments(const struct train_options *o)
{
    return o->flip_horizontal || o->flip_vertical || o->shift > 0 || o->rotate > 0 || o->zoom > 0 ||
           o->brightness > 0;
}

bool train_caches(const struct train_options *o)
{
    return o->cache && o->unfreeze == 0 && o->frozen_norm == TRAIN_FROZEN_INFERENCE && !train_augments(o);
}

bool train_option_applies(const struct train_option *which, enum run_task task)
{
    return (which->tasks & 1u << task) != 0;
}

static void *field_of(const struct train_options *o, const struct train_option *which)
{
    return (char *)o + which->offset;
}

static bool set_number(struct train_options *o, const struct train_option *which, const char *text,
                       struct err *err)
{
    char *end;
    bool whole = which->type == TRAIN_OPTION_INT;

    errno = 0;
    double v = strtod(text, &end);
    if (end == text || *end || errno == ERANGE || !(v >= which->low && v <= which->high) ||
        (whole && v != floor(v)))
        return err_set(err, ERR_INPUT, "--%s: '%.40s' is no %s from %g to %g", which->name, text,
                       whole ? "whole number" : "number", which->low, which->high);
    if (whole)
        *(int *)field_of(o, which) = (int)v;
    else
        *(double *)field_of(o, which) = v;
    return true;
}

static bool set_flag(struct train_options *o, const struct train_option *which, const char *text,
                     struct err *err)
{
    bool yes = !strcmp(text, "yes");

    if (!yes && strcmp(text, "no") != 0)
        return err_set(err, ERR_INPUT, "--%s: '%.40s' is neither yes nor no", which->name, text);
    *(bool *)field_of(o, which) = yes;
    return true;
}

static bool set_choice(struct train_options *o, const struct train_option *which, const char *text,
                       struct err *err)
{
    char names[200] = "";

    for (int i = 0; which->choice[i]; i++) {
        if (!strcmp(which->choice[i], text)) {
            *(int *)field_of(o, which) = i;
            return true;
        }
        size_t at = strlen(names);
        snprintf(names + at, sizeof names - at, "%s%s", i ? ", " : "", which->choice[i]);
    }
    return err_set(err, ERR_INPUT, "--%s: '%.40s' is none of %s", which->name, text, names);
}

bool train_option_set(struct train_options *o, const struct train_option *which, const char *text,
                      struct err *err)
{
    switch (which->type) {
    case TRAIN_OPTION_FLAG:
        return set_flag(o, which, text, err);
    case TRAIN_OPTION_CHOICE:
        return set_choice(o, which, text, err);
    default:
        return set_number(o, which, text, err);
    }
}

void train_option_text(const struct train_options *o, const struct train_option *which,
                       char text[TRAIN_OPTION_TEXT])
{
    const void *at = field_of(o, which);

    switch (which->type) {
    case TRAIN_OPTION_INT:
        snprintf(text, TRAIN_OPTION_TEXT, "%d", *(const int *)at);
        break;
    case TRAIN_OPTION_REAL:
        snprintf(text, TRAIN_OPTION_TEXT, "%.15g", *(const double *)at);
        break;
    case TRAIN_OPTION_FLAG:
        snprintf(text, TRAIN_OPTION_TEXT, "%s", *(const bool *)at ? "yes" : "no");
        break;
    case TRAIN_OPTION_CHOICE:
        snprintf(text, TRAIN_OPTION_TEXT, "%s", which->choice[*(const int *)at]);
        break;
    }
}

const char *train_choice(const struct train_options *o, const char *name)
{
    for (int i = 0; i < TRAIN_OPTION_COUNT; i++) {
        if (!strcmp(TRAIN_OPTIONS[i].name, name))
            return TRAIN_OPTIONS[i].choice[*(const int *)field_of(o, &TRAIN_OPTIONS[i])];
    }
    assert(!"no such option");
    return NULL;
}

/* "learning-rate" -> "learning_rate" */
static char *key_of(const struct train_option *which)
{
    char *key = mem_copy_string(which->name);

    for (char *c = key; *c; c++)
        *c = *c == '-' ? '_' : *c;
    return key;
}

static json_t *value_json(const struct train_options *o, const struct train_option *which)
{
    const void *at = field_of(o, which);

    switch (which->type) {
    case TRAIN_OPTION_INT:
        return json_integer(*(const int *)at);
    case TRAIN_OPTION_REAL:
        return json_real(*(const double *)at);
    case TRAIN_OPTION_FLAG:
        return json_boolean(*(const bool *)at);
    default:
        return json_string(which->choice[*(const int *)at]);
    }
}

json_t *train_options_json(const struct train_options *o, enum run_task task)
{
    json_t *json = json_object();

    for (int i = 0; i < TRAIN_OPTION_COUNT; i++) {
        const struct train_option *which = &TRAIN_OPTIONS[i];
        if (!train_option_applies(which, task))
            continue;
        char *key = key_of(which);
        json_object_set_new(json, key, value_json(o, which));
        free(key);
    }
    return json;
}

/* A JSON value as it would be typed; false when it is missing or of a kind no option has. */
static bool typed_text(const json_t *json, const struct train_option *which, char text[TRAIN_OPTION_TEXT])
{
    char *key = key_of(which);
    const json_t *value = json_object_get(json, key);

    free(key);
    if (json_is_number(value))
        snprintf(text, TRAIN_OPTION_TEXT, "%.15g", json_number_value(value));
    else if (json_is_boolean(value))
        snprintf(text, TRAIN_OPTION_TEXT, "%s", json_is_true(value) ? "yes" : "no");
    else if (json_is_string(value))
        snprintf(text, TRAIN_OPTION_TEXT, "%s", json_string_value(value));
    else
        return false;
    return true;
}

bool train_options_read(struct train_options *o, enum run_task task, const json_t *json, struct err *err)
{
    struct train_options new = *o;
    char text[TRAIN_OPTION_TEXT];

    for (int i = 0; i < TRAIN_OPTION_COUNT; i++) {
        const struct train_option *which = &TRAIN_OPTIONS[i];
        if (train_option_applies(which, task) && typed_text(json, which, text) &&
            !train_option_set(&new, which, text, err))
            return false;
    }
    *o = new;
    return true;
}

bool train_options_same(const struct train_options *o, enum run_task task, const json_t *json,
                        struct err *err)
{
    char now[TRAIN_OPTION_TEXT], then[TRAIN_OPTION_TEXT];

    for (int i = 0; i < TRAIN_OPTION_COUNT; i++) {
        const struct train_option *which = &TRAIN_OPTIONS[i];
        if (which->free || !train_option_applies(which, task) || !typed_text(json, which, then))
            continue;
        train_option_text(o, which, now);
        if (strcmp(now, then) != 0)
            return err_set(err, ERR_INPUT, "the run was begun with --%s %s, not %s", which->name, then, now);
    }
    return true;
}
