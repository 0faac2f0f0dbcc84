/* train/options.h: how to train: every choice with its name, range and default in one table. The command
 * line, run.json and the comparison on resume are loops over it. */
#ifndef CLEARMASS_TRAIN_OPTIONS_H
#define CLEARMASS_TRAIN_OPTIONS_H

#include "run/run.h"

enum train_best { TRAIN_BEST_AUTO, TRAIN_BEST_LOSS, TRAIN_BEST_DICE, TRAIN_BEST_AUC, TRAIN_BEST_ACCURACY };
enum train_norm { TRAIN_NORM_PRECISE, TRAIN_NORM_KERAS };
enum train_schedule { TRAIN_SCHEDULE_NONE, TRAIN_SCHEDULE_PLATEAU };
/* Of layers that are not trained: the moving statistics; or those of the batch while training and the moving
 * ones, which stay, in validation (Keras 2.1.3 to 2.2). */
enum train_frozen_norm { TRAIN_FROZEN_INFERENCE, TRAIN_FROZEN_KERAS224 };
enum train_class_weights { TRAIN_CLASSES_EQUAL, TRAIN_CLASSES_BALANCED };
enum train_fill { TRAIN_FILL_NEAREST, TRAIN_FILL_BLACK };

struct train_options {
    int epochs, batch, seed;
    int steps, validation_steps; /* batches an epoch; pretrain only: synthetic images have no end */
    int optimizer;               /* enum optim_kind */
    double learning_rate, momentum, decay;
    bool nesterov;
    int loss;     /* index in the choices of "loss" */
    int schedule; /* enum train_schedule */
    double plateau_factor, plateau_epsilon, plateau_min_rate;
    int plateau_patience;
    int early_stop; /* epochs without a better best; 0: never */
    bool flip_horizontal, flip_vertical;
    double shift, rotate, zoom, brightness;
    int fill; /* enum train_fill */
    double validation;
    int best;         /* enum train_best */
    int norm;         /* enum train_norm */
    int norm_images;  /* 0: all */
    bool exact, bf16; /* bf16: unless exact */
    int accumulate;   /* batches an update, >= 1 */
    /* of classify only: */
    int unfreeze;                  /* index in the choices of "unfreeze": train_unfreeze() */
    double backbone_learning_rate; /* of everything but the head */
    int frozen_norm;               /* enum train_frozen_norm */
    int class_weights;             /* enum train_class_weights */
    double label_smoothing;
    bool cache;
};

enum train_option_type { TRAIN_OPTION_INT, TRAIN_OPTION_REAL, TRAIN_OPTION_FLAG, TRAIN_OPTION_CHOICE };

struct train_option {
    const char *name; /* as on the command line; run.json has '_' for '-' */
    enum train_option_type type;
    size_t offset;             /* in struct train_options */
    double low, high;          /* both allowed */
    const char *const *choice; /* NULL at the end */
    unsigned tasks;            /* bit 1 << enum run_task where it means something */
    bool free;                 /* may change when a run goes on */
    const char *help;
};

enum { TRAIN_OPTION_COUNT = 37, TRAIN_OPTION_TEXT = 40 };
extern const struct train_option TRAIN_OPTIONS[TRAIN_OPTION_COUNT];

/* The defaults of a task. pretrain: a short useful run. */
struct train_options train_options_default(enum run_task task);
/* The published recipes.
 * pretrain (ZF_UNET_224, train_infinite_generator.py, 2018): SGD .001 with decay 1e-6 and nesterov momentum
 * .9, 200 epochs of 200 steps, plateau on the validation loss, moving statistics of batch norm. classify: a
 * frozen backbone and no augmentation, SGD .01 with decay 1e-6 and nesterov momentum .9, 75 epochs in batches
 * of 100, the best by validation loss. */
struct train_options train_options_published(enum run_task task);

/* The first stage that is trained: 2 to 5, 1 for all of the network, 6 for the head alone. */
int train_unfreeze(const struct train_options *o);
bool train_augments(const struct train_options *o);
/* Whether the backbone gives an image the same features in every epoch, so that they are computed once. */
bool train_caches(const struct train_options *o);

/* Takes a value as typed ("yes" or "no" for flags); an error names the option and what it takes. */
bool train_option_set(struct train_options *o, const struct train_option *which, const char *text,
                      struct err *err);
/* The value as train_option_set would take it. */
void train_option_text(const struct train_options *o, const struct train_option *which,
                       char text[TRAIN_OPTION_TEXT]);
bool train_option_applies(const struct train_option *which, enum run_task task);
/* The name of a choice's value: train_choice(o, "loss"). */
const char *train_choice(const struct train_options *o, const char *name);

/* A new object with every option of the task. */
json_t *train_options_json(const struct train_options *o, enum run_task task);
/* Takes over those options the object has. Fails on values out of range. */
bool train_options_read(struct train_options *o, enum run_task task, const json_t *json, struct err *err);
/* Fails when an option of the task differs from the object's, except those that are free to change. */
bool train_options_same(const struct train_options *o, enum run_task task, const json_t *json,
                        struct err *err);

#endif
