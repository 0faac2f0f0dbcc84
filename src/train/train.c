#include "train/train.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/stop.h"
#include "base/wilson.h"
#include "train/features.h"
#include "train/feed.h"
#include "train/folder.h"
#include "train/learn.h"
#include "train/loss.h"
#include "train/metrics.h"
#include "train/network.h"
#include "train/norm.h"
#include "train/optim.h"
#include "train/state.h"
#include "train/validate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct trainer {
    const struct train_job *job;
    struct folder folder;
    struct crops crops; /* classify only */
    struct source source;
    struct feed *feed;
    struct network net;
    struct nn_exec learn, judge;
    size_t batch, steps; /* images a step, steps an epoch: as many as make whole updates */
    size_t *order;       /* [n_train]: of this epoch */
    size_t *norm_order;  /* [n_norm]: whole batches of training images, the same every time */
    size_t n_norm;
    float *values, *grads; /* [net.learnt->n_values]: being trained (in net.values); their gradients */
    float *shown;          /* [net.whole.n_values]: as validated */
    float *grads_sum;      /* of the batches of an update, or NULL */
    float *output_grad;    /* [batch, truth of an item] */
    const struct loss *loss;
    struct optim optim;
    struct train_state state;
    struct journal journal;
    struct validation validation;
    enum train_best best;
    double majority;          /* the share of validation crops that one answer for all would get right */
    bool warned_flat;         /* warn_flat */
    struct progress progress; /* over all steps still to do */
    size_t steps_done;
};

static const char *const BEST_NAMES[] = {[TRAIN_BEST_LOSS] = "val_loss",
                                         [TRAIN_BEST_DICE] = "val_dice",
                                         [TRAIN_BEST_AUC] = "val_auc",
                                         [TRAIN_BEST_ACCURACY] = "val_acc"};

static void release(struct trainer *t)
{
    feed_free(t->feed);
    source_close(&t->source);
    crops_release(&t->crops);
    nn_exec_release(&t->judge);
    nn_exec_release(&t->learn);
    network_release(&t->net);
    optim_release(&t->optim);
    journal_release(&t->journal);
    validation_release(&t->validation);
    folder_release(&t->folder);
    free(t->order);
    free(t->norm_order);
    free(t->grads);
    free(t->grads_sum);
    free(t->shown);
    free(t->output_grad);
}

static struct augment augment_of(const struct train_options *o)
{
    return (struct augment){.flip_horizontal = o->flip_horizontal,
                            .flip_vertical = o->flip_vertical,
                            .shift_x = o->shift,
                            .shift_y = o->shift,
                            .rotate = o->rotate,
                            .zoom = o->zoom,
                            .brightness = o->brightness,
                            .fill_black = o->fill == TRAIN_FILL_BLACK};
}

static bool open_ellipses(struct trainer *t, struct err *err)
{
    const struct train_job *job = t->job;
    const struct train_options *o = &job->options;
    const struct source_ellipses how = {.size = job->prep.size,
                                        .channels = job->channels,
                                        .n_train = (size_t)o->steps * (size_t)o->batch,
                                        .n_validation = (size_t)o->validation_steps * (size_t)o->batch,
                                        .seed = (uint64_t)o->seed};

    (void)err;
    source_open_ellipses(&t->source, &how);
    return true;
}

static bool open_data(struct trainer *t, struct err *err)
{
    const struct train_job *job = t->job;
    const struct source_data how = {.manifest = &t->folder.manifest,
                                    .split = &t->folder.split,
                                    .prep = job->prep,
                                    .channels = job->channels,
                                    .augment = augment_of(&job->options),
                                    .seed = (uint64_t)job->options.seed,
                                    .black_box = job->task == RUN_BLACK_BOX};

    return source_open_data(&t->source, &how, err);
}

/* The table of crops is no part of the manifest's hash. */
static bool same_crops(const struct trainer *t, struct err *err)
{
    const json_t *data_set = t->folder.fresh ? NULL : json_object_get(t->folder.run.json, "data");
    const char *then = json_string_value(json_object_get(data_set, "abnormalities_sha256"));

    return !then || !strcmp(then, t->crops.sha256) ||
           err_set(err, ERR_INPUT, "%s: abnormalities.csv of %s changed since the run was begun",
                   t->job->folder, t->job->data);
}

static bool open_crops(struct trainer *t, struct err *err)
{
    const struct train_job *job = t->job;
    const struct train_options *o = &job->options;
    const struct source_crops how = {.crops = &t->crops,
                                     .split = &t->folder.split,
                                     .prep = job->prep,
                                     .channels = job->channels,
                                     .augment = augment_of(o),
                                     .seed = (uint64_t)o->seed,
                                     .balanced = o->class_weights == TRAIN_CLASSES_BALANCED,
                                     .smoothing = o->label_smoothing};

    if (!crops_find(&t->crops, &t->folder.manifest, err) || !same_crops(t, err))
        return false;
    if (t->crops.normal)
        log_info("%zu images labelled normal have no crop and are left out", t->crops.normal);
    if (t->crops.missing)
        log_warn("%zu lesions have no crop and are left out", t->crops.missing);
    return source_open_crops(&t->source, &how, err);
}

static bool open_source(struct trainer *t, struct err *err)
{
    static bool (*const OPEN[RUN_TASK_COUNT])(struct trainer * t, struct err * err) = {
        open_ellipses, open_data, open_data, open_crops};
    return OPEN[t->job->task](t, err);
}

static void plan_batches(struct trainer *t)
{
    const struct train_options *o = &t->job->options;
    size_t n = t->source.n_train, wanted = o->norm_images ? (size_t)o->norm_images : n;
    struct rng rng = rng_at((uint64_t)o->seed, RNG_SHUFFLE, UINT64_MAX, 0);

    t->batch = (size_t)o->batch < n ? (size_t)o->batch : n;
    t->steps = n / t->batch / (size_t)o->accumulate * (size_t)o->accumulate;
    t->order = mem_new(n, sizeof *t->order);
    t->norm_order = mem_new(n, sizeof *t->norm_order);
    rng_permutation(&rng, t->norm_order, n);
    t->n_norm = (wanted < n ? wanted : n) / t->batch * t->batch;
    if (t->n_norm == 0)
        t->n_norm = t->batch;
    t->output_grad = mem_new(t->batch * source_truth_size(&t->source), sizeof(float));
    t->feed = feed_new(&t->source, t->batch);
}

/* What the best epoch is chosen by. AUC needs both kinds of images, Dice a lesion; "auto" makes do with the
 * loss. */
static bool choose_best(struct trainer *t, struct err *err)
{
    static const enum train_best USUAL[RUN_TASK_COUNT] = {TRAIN_BEST_LOSS, TRAIN_BEST_DICE, TRAIN_BEST_AUC,
                                                          TRAIN_BEST_AUC};
    enum train_best wanted = (enum train_best)t->job->options.best;
    size_t malignant = 0, regions = 0, n = t->source.n_validation;

    for (size_t i = 0; i < n; i++) {
        struct source_item item = t->source.item(t->source.self, i);
        malignant += item.malignant;
        regions += item.region && (item.malignant || t->job->task != RUN_BLACK_BOX);
    }
    t->majority = (double)(2 * malignant > n ? malignant : n - malignant) / (double)n;
    if (wanted == (t->source.classes ? TRAIN_BEST_DICE : TRAIN_BEST_ACCURACY))
        return err_set(err, ERR_INPUT, "--best %s is not for %s", train_choice(&t->job->options, "best"),
                       run_task_name(t->job->task));
    t->best = wanted == TRAIN_BEST_AUTO ? USUAL[t->job->task] : wanted;
    bool possible = t->best == TRAIN_BEST_AUC ? malignant > 0 && malignant < n
                                              : t->best != TRAIN_BEST_DICE || regions > 0;
    if (possible)
        return true;
    const char *why = t->best == TRAIN_BEST_AUC ? "malignant and other images" : "an image with a lesion";
    if (wanted != TRAIN_BEST_AUTO)
        return err_set(err, ERR_INPUT, "--best %s needs %s in validation",
                       train_choice(&t->job->options, "best"), why);
    log_warn("validation lacks %s: the best epoch is the one of the lowest loss", why);
    t->best = TRAIN_BEST_LOSS;
    return true;
}

static bool has_file(const struct trainer *t, const char *name)
{
    char *path = run_path(&t->folder.run, name);
    bool yes = file_exists(path);

    free(path);
    return yes;
}

static bool compile_both(struct trainer *t, struct nn_choices *choices, struct err *err)
{
    const struct nn_backend *backend = t->job->backend;
    const struct train_options *o = &t->job->options;
    struct nn_compile how = {.batch = (int)t->batch,
                             .mode = NN_TRAIN,
                             .direct = o->exact,
                             .bf16 = o->bf16 && !o->exact,
                             .choices = choices};

    if (!nn_exec_init(&t->learn, backend, t->net.learnt, &how, err))
        return false;
    how.mode = NN_INFER;
    how.bf16 = false; /* as whoever uses the weights will compute */
    how.share = &t->learn;
    return nn_exec_init(&t->judge, backend, t->net.learnt, &how, err);
}

/* A run that goes on is computed as it was begun; a new one as is fastest here. */
static bool compile_chosen(struct trainer *t, struct err *err)
{
    const bool begun = !t->folder.fresh && has_file(t, "last.safetensors");
    struct nn_choices choices = NN_CHOICES_INIT;
    struct nn_choice_cache cache;
    bool exact, ok = !begun || run_kernels(&choices, &exact, &t->folder.run, err);

    if (!begun)
        nn_choice_cache_open(&cache, &choices);
    ok = ok && compile_both(t, &choices, err);
    if (!begun) {
        char *path = run_path(&t->folder.run, "kernels.json");
        nn_choice_cache_close(&cache, &choices);
        ok = ok && nn_choices_write(&choices, path, err);
        free(path);
    }
    nn_choices_release(&choices);
    return ok;
}

static bool compile(struct trainer *t, struct err *err)
{
    const struct nn_graph *g = t->net.learnt;

    if (!compile_chosen(t, err))
        return false;
    t->grads = mem_new(g->n_values, sizeof *t->grads);
    if (t->job->options.accumulate > 1)
        t->grads_sum = mem_new(g->n_values, sizeof *t->grads_sum);
    t->shown = mem_new(t->net.whole.n_values, sizeof *t->shown);
    memcpy(t->shown, t->net.values, t->net.whole.n_values * sizeof *t->shown);
    return true;
}

static void begin_optimiser(struct trainer *t)
{
    const struct train_options *o = &t->job->options;

    t->loss = loss_find(t->source.classes ? "cross-entropy" : train_choice(o, "loss"));
    t->optim = (struct optim){.kind = (enum optim_kind)o->optimizer,
                              .learning_rate = o->learning_rate,
                              .decay = o->decay,
                              .momentum = o->momentum,
                              .nesterov = o->nesterov,
                              .factor = t->net.factor,
                              .graph = t->net.learnt};
    optim_init(&t->optim);
}

/* The numbers the run begins with. Going on, last.safetensors tells them, but for a backbone that never
 * changes.
 */
static bool open_network(struct trainer *t, struct err *err)
{
    const bool fresh = t->folder.fresh, begun = !fresh && has_file(t, "last.safetensors");
    const bool cached = t->job->task == RUN_CLASSIFY && train_caches(&t->job->options);
    char *best = begun && cached ? run_path(&t->folder.run, "best.safetensors") : NULL;
    const struct network_start start = {.init = begun ? NULL : t->folder.init_path,
                                        .own = best,
                                        .options = fresh ? NULL : &t->folder.run.options};
    bool ok = network_open(&t->net, t->job, &start, err);

    t->values = ok ? network_learnt(&t->net) : NULL;
    free(best);
    return ok;
}

/* From the last whole epoch, if there is one. */
static bool go_on(struct trainer *t, struct err *err)
{
    if (has_file(t, "last.safetensors"))
        return state_read_last(&t->folder.run, &t->optim, t->values, &t->state, err) &&
               journal_read(&t->journal, &t->folder.run, t->state.epochs_done, err);
    t->state = state_begin(&t->job->options);
    journal_begin(&t->journal, t->job->task);
    return true;
}

static bool write_folder(struct trainer *t, struct err *err)
{
    const bool classify = t->job->task == RUN_CLASSIFY;
    const char *ids[RUN_CASES];

    for (int i = 0; i < t->validation.n_cases; i++)
        ids[i] = t->validation.cases[i].id;
    const struct folder_plan plan = {.cases = ids,
                                     .n_cases = t->validation.n_cases,
                                     .train = t->source.n_train,
                                     .validation = t->source.n_validation,
                                     .best_metric = BEST_NAMES[t->best],
                                     .options = classify ? &t->net.options : NULL,
                                     .crops = &t->crops};
    return folder_begin(&t->folder, t->job, &plan, err);
}

/* A text of every crop that trains or validates, in order. */
static void tell_crops(struct buf *b, const struct trainer *t)
{
    for (size_t i = 0; i < t->crops.count; i++) {
        const struct crop *c = &t->crops.crop[i];
        buf_addf(b, "%d %s %s\n", (int)t->folder.split.part[c->image], c->id, c->sha256);
    }
}

static bool cache_features(struct trainer *t, struct err *err)
{
    enum { IMAGES = 16 }; /* a pass of the backbone */
    struct buf items = BUF_INIT;

    if (t->net.learnt == &t->net.whole)
        return true;
    tell_crops(&items, t);
    const struct features_job job = {.run = &t->folder.run,
                                     .model = t->job->model,
                                     .values = t->net.values,
                                     .items = items.data,
                                     .backend = t->job->backend,
                                     .batch = IMAGES,
                                     .exact = t->job->options.exact};
    bool ok = features_open(&t->source, &job, err);
    buf_release(&items);
    return ok;
}

static bool prepare(struct trainer *t, struct err *err)
{
    if (!open_network(t, err) || !open_source(t, err) || !choose_best(t, err))
        return false;
    validation_init(&t->validation, &t->source, (uint64_t)t->job->options.seed);
    if ((t->folder.fresh && !write_folder(t, err)) || !cache_features(t, err))
        return false;
    plan_batches(t);
    if (!compile(t, err))
        return false;
    begin_optimiser(t);
    return go_on(t, err);
}

static void show_step(struct trainer *t, size_t step, double loss)
{
    char note[40];

    snprintf(t->progress.what, sizeof t->progress.what, "epoch %d/%d step %zu/%zu", t->state.epochs_done + 1,
             t->job->options.epochs, step, t->steps);
    snprintf(note, sizeof note, "loss %.4f", loss);
    progress_step(&t->progress, ++t->steps_done, note);
}

static bool has_slope(const float *output_grad, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (output_grad[i] != 0)
            return true;
    return false;
}

/* Cross-entropy is flat where the probabilities are clipped: such an epoch changes nothing, nor will the
 * next. */
static void warn_flat(struct trainer *t)
{
    if (t->warned_flat)
        return;
    log_warn(
        "epoch %d taught nothing: every probability is within 1e-7 of 0 or 1, where the loss is flat; begin "
        "again with a smaller --learning-rate",
        t->state.epochs_done + 1);
    t->warned_flat = true;
}

static double take_step(struct trainer *t, size_t step, const struct feed_batch *b, double *agreement)
{
    const int accumulate = t->job->options.accumulate;
    const struct learner l = {.exec = &t->learn,
                              .loss = t->loss,
                              .optim = &t->optim,
                              .values = t->values,
                              .grads = t->grads,
                              .output_grad = t->output_grad,
                              .sum = t->grads_sum,
                              .accumulate = accumulate,
                              .step = (int)(step % (size_t)accumulate),
                              .truth = source_truth_size(&t->source),
                              .seed = (uint64_t)t->job->options.seed};
    const float *output;
    double loss = learner_step(&l, b, &output);

    *agreement = t->source.classes ? metrics_accuracy(b->truth, output, b->n * l.truth, t->source.classes)
                                   : loss_soft_dice(b->truth, output, b->n * l.truth);
    return loss;
}

static bool cancelled(struct err *err)
{
    return err_set(err, ERR_CANCELLED, "stopped");
}

static bool not_a_number(const struct trainer *t, const char *what, struct err *err)
{
    return err_set(
        err, ERR_INPUT,
        "%s of epoch %d is not a number; a smaller --learning-rate may help (%d whole epochs are kept)", what,
        t->state.epochs_done + 1, t->state.epochs_done);
}

static bool learn_epoch(struct trainer *t, struct train_metrics *m, struct err *err)
{
    uint64_t epoch = (uint64_t)t->state.epochs_done;
    struct rng rng = rng_at((uint64_t)t->job->options.seed, RNG_SHUFFLE, epoch, 0);
    const struct feed_pass pass = {SOURCE_LEARN, epoch, t->order, t->steps * t->batch};
    struct feed_batch b;
    double loss = 0, agreement;
    size_t step = 0;
    bool flat = true;

    rng_permutation(&rng, t->order, t->source.n_train);
    feed_start(t->feed, &pass);
    while (isfinite(loss) && !stop_requested() && feed_next(t->feed, &b)) {
        loss = take_step(t, step, &b, &agreement);
        flat = flat && !has_slope(t->output_grad, b.n * source_truth_size(&t->source));
        m->loss += loss;
        m->agreement += agreement;
        show_step(t, ++step, loss);
    }
    feed_stop(t->feed);
    if (!isfinite(loss))
        return not_a_number(t, "the loss", err);
    if (stop_requested())
        return cancelled(err);
    if (flat)
        warn_flat(t);
    m->loss /= (double)t->steps;
    m->agreement /= (double)t->steps;
    return true;
}

/* Frozen norms that see the batch's statistics (keras224) go with moving ones in the others. */
static bool recomputes_norm(const struct trainer *t)
{
    const struct train_options *o = &t->job->options;
    return o->norm == TRAIN_NORM_PRECISE && o->frozen_norm == TRAIN_FROZEN_INFERENCE &&
           norm_tracks(t->net.learnt);
}

/* The weights as they are validated: with statistics of their own, or with the moving ones. */
static bool make_shown(struct trainer *t, struct err *err)
{
    const struct feed_pass pass = {SOURCE_PLAIN, 0, t->norm_order, t->n_norm};
    float *shown = t->shown + t->net.first;

    memcpy(shown, t->values, t->net.learnt->n_values * sizeof *shown);
    if (!recomputes_norm(t))
        return true;
    t->learn.backend->set(t->learn.self, t->values);
    return norm_recompute(&t->learn, t->net.learnt, t->feed, &pass, shown, err);
}

static double value_of(const struct train_metrics *m, enum train_best best)
{
    const double value[] = {[TRAIN_BEST_LOSS] = m->val_loss,
                            [TRAIN_BEST_DICE] = m->val_dice,
                            [TRAIN_BEST_AUC] = m->val_auc,
                            [TRAIN_BEST_ACCURACY] = m->val_agreement};
    return value[best];
}

static void log_epoch(const struct trainer *t, const struct train_metrics *m, bool best)
{
    const char *agreement = t->source.classes ? "accuracy" : "dice";
    char own[80] = "", auc[32] = "";

    if (t->source.classes) {
        double n = (double)t->source.n_validation;
        struct wilson w = wilson_bounds(m->val_agreement * n, n);
        snprintf(own, sizeof own, "  val accuracy %.3f [%.3f, %.3f], majority class %.3f", m->val_agreement,
                 w.low, w.high, t->majority);
    } else if (isfinite(m->val_dice)) {
        snprintf(own, sizeof own, "  val dice %.3f", m->val_dice);
    }
    if (isfinite(m->val_auc))
        snprintf(auc, sizeof auc, "  auc %.3f", m->val_auc);
    log_info("epoch %d/%d  loss %.4f  %s %.3f  val loss %.4f%s%s  %.0f s%s", t->state.epochs_done,
             t->job->options.epochs, m->loss, agreement, m->agreement, m->val_loss, own, auc, m->seconds,
             best ? "  best" : "");
}

static bool tell_watcher(struct trainer *t, const struct train_metrics *m, bool best, struct err *err)
{
    const struct train_watcher *w = &t->job->watcher;
    const struct train_epoch e = {.run = &t->folder.run,
                                  .epoch = t->state.epochs_done,
                                  .epochs = t->job->options.epochs,
                                  .best = best,
                                  .metrics = m,
                                  .cases = t->validation.cases,
                                  .n_cases = t->validation.n_cases};

    return !w->epoch || w->epoch(w->self, &e, err);
}

static bool stopped_early(const struct trainer *t)
{
    int patience = t->job->options.early_stop;
    return patience && t->state.epochs_done - t->state.best_epoch >= patience;
}

static bool finished(const struct trainer *t)
{
    return t->state.epochs_done >= t->job->options.epochs || stopped_early(t);
}

static bool note_state(struct trainer *t, const char *stopped, struct err *err)
{
    const struct state_note note = {.best_metric = BEST_NAMES[t->best],
                                    .finished = finished(t),
                                    .stopped = *stopped           ? stopped
                                               : stopped_early(t) ? "early"
                                                                  : ""};

    json_object_set_new(t->folder.run.json, "train", train_options_json(&t->job->options, t->job->task));
    return state_note(&t->folder.run, &t->state, &note, err);
}

static void advance(struct trainer *t, const struct train_metrics *m, bool *best)
{
    const struct train_options *o = &t->job->options;
    struct train_state *s = &t->state;
    struct plateau plateau = {.factor = o->plateau_factor,
                              .patience = o->plateau_patience,
                              .epsilon = o->plateau_epsilon,
                              .min_rate = o->plateau_min_rate,
                              .best = s->plateau_best,
                              .wait = s->plateau_wait};

    s->epochs_done++;
    s->iterations = t->optim.iterations;
    *best = state_is_better(s, value_of(m, t->best), m->val_loss, t->best != TRAIN_BEST_LOSS);
    if (*best) {
        s->best_epoch = s->epochs_done;
        s->best_value = value_of(m, t->best);
        s->best_loss = m->val_loss;
    }
    if (o->schedule == TRAIN_SCHEDULE_PLATEAU)
        s->learning_rate = plateau_next(&plateau, m->val_loss, s->learning_rate);
    s->plateau_best = plateau.best;
    s->plateau_wait = plateau.wait;
    t->optim.learning_rate = s->learning_rate;
}

/* The files of a whole epoch; last.safetensors, the last of them, makes it count. */
static bool commit(struct trainer *t, const struct train_metrics *m, struct err *err)
{
    const struct run *r = &t->folder.run;
    bool best;

    advance(t, m, &best);
    journal_add(&t->journal, t->state.epochs_done - 1, m, t->validation.cases, t->validation.n_cases);
    if (!journal_write(&t->journal, r, err) ||
        (best && !state_write_best(r, &t->net.whole, t->shown, &t->state, err)) || !note_state(t, "", err) ||
        !tell_watcher(t, m, best, err) || !state_write_last(r, &t->optim, t->values, &t->state, err))
        return false;
    log_epoch(t, m, best);
    return true;
}

static bool run_epoch(struct trainer *t, struct err *err)
{
    struct train_metrics m = {.learning_rate = t->optim.learning_rate};
    double began = clock_seconds();

    if (!learn_epoch(t, &m, err) || !make_shown(t, err))
        return false;
    t->judge.backend->set(t->judge.self, t->shown + t->net.first);
    if (!validation_measure(&t->validation, &t->judge, t->feed, t->loss, &m, err))
        return false;
    if (!isfinite(m.val_loss))
        return not_a_number(t, "the validation loss", err);
    m.seconds = clock_seconds() - began;
    return commit(t, &m, err);
}

static void log_norm(const struct trainer *t)
{
    if (t->net.learnt == &t->net.head)
        log_info("the head alone is trained, on features that are computed once");
    else if (recomputes_norm(t))
        log_info("batch norm: validated and saved with statistics recomputed over %zu training images",
                 t->n_norm);
    else
        log_info("batch norm: validated and saved with the moving statistics, as published");
}

static void log_start(const struct trainer *t)
{
    log_info("%s: %zu training and %zu validation %s, batch %zu, %zu steps an epoch", t->job->folder,
             t->source.n_train, t->source.n_validation, t->source.classes ? "crops" : "images", t->batch,
             t->steps);
    log_norm(t);
    if (t->state.epochs_done)
        log_info("going on after epoch %d of %d", t->state.epochs_done, t->job->options.epochs);
}

static bool run_epochs(struct trainer *t, struct err *err)
{
    struct err ignored = ERR_INIT;
    bool ok = true;

    log_start(t);
    progress_begin(&t->progress, "training",
                   (size_t)(t->job->options.epochs - t->state.epochs_done) * t->steps);
    while (ok && !finished(t))
        ok = run_epoch(t, err);
    progress_clear();
    if (!ok && err->kind == ERR_CANCELLED) {
        if (!note_state(t, "interrupted", &ignored))
            log_warn("%s", ignored.text);
        err_set(err, ERR_CANCELLED, "stopped after epoch %d of %d; the same command goes on",
                t->state.epochs_done, t->job->options.epochs);
    }
    if (ok)
        log_info("finished %safter epoch %d; best: epoch %d, %s %.4f", stopped_early(t) ? "early " : "",
                 t->state.epochs_done, t->state.best_epoch, BEST_NAMES[t->best], t->state.best_value);
    return ok;
}

bool train(const struct train_job *job, struct err *err)
{
    struct trainer t = {.job = job, .folder = FOLDER_INIT, .crops = CROPS_INIT, .net = NETWORK_INIT};
    bool ok = folder_open(&t.folder, job, err) && prepare(&t, err);

    if (ok && !t.folder.fresh)
        ok = note_state(&t, "", err); /* run.json may be an epoch ahead of last.safetensors after a kill */
    if (ok && finished(&t))
        log_info("%s is finished: %d epochs, the best is epoch %d", job->folder, t.state.epochs_done,
                 t.state.best_epoch);
    else
        ok = ok && run_epochs(&t, err);
    release(&t);
    return ok;
}
