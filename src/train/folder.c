#include "train/folder.h"

#include "base/log.h"
#include "base/mem.h"
#include "data/leak.h"
#include "data/leak_picture.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define DISCLAIMER "Research software, not a medical device."

void folder_release(struct folder *f)
{
    if (f->made)
        rmdir(f->run.folder); /* a refusal leaves no empty folder; one that holds something stays */
    run_release(&f->run);
    manifest_release(&f->manifest);
    split_release(&f->split);
    json_decref(f->same_pictures);
    free(f->init_path);
    if (f->lock >= 0)
        close(f->lock);
    *f = (struct folder)FOLDER_INIT;
}

/* The lock goes with the process, however it ends. */
static bool lock_folder(struct folder *f, struct err *err)
{
    f->lock = open(f->run.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->lock < 0)
        return err_errno(err);
    if (flock(f->lock, LOCK_EX | LOCK_NB) == 0)
        return true;
    return errno == EWOULDBLOCK ? err_set(err, ERR_INPUT, "another process is training here")
                                : err_errno(err);
}

static bool is_partial(const char *name)
{
    return name[0] == '.' && strstr(name, ".partial-");
}

/* What a killed process left half written; only the lock's holder may. */
static void drop_partials(const char *folder, const struct file_list *names)
{
    for (size_t i = 0; i < names->count; i++) {
        if (is_partial(names->name[i])) {
            char *path = file_join(folder, names->name[i]);
            unlink(path);
            free(path);
        }
    }
}

static bool drop_partial_panels(const struct folder *f, struct err *err)
{
    struct file_list names = FILE_LIST_INIT;
    char *folder = run_path(&f->run, "epochs");
    bool ok = !file_is_folder(folder) || file_list_read(&names, folder, err);

    if (ok)
        drop_partials(folder, &names);
    file_list_release(&names);
    free(folder);
    return ok;
}

static bool has_name(const struct file_list *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        if (!strcmp(names->name[i], name))
            return true;
    }
    return false;
}

/* A folder without run.json may hold only what a killed beginning left. A run without a whole epoch has
 * nothing to lose: unless it is asked to go on, it begins anew, with other options too. */
static bool check_names(struct folder *f, const struct train_job *job, const struct file_list *names,
                        struct err *err)
{
    bool run = has_name(names, "run.json");

    for (size_t i = 0; !run && i < names->count; i++) {
        if (!is_partial(names->name[i]) && strcmp(names->name[i], "split.csv") != 0)
            return err_set(err, ERR_INPUT, "the folder is not empty and holds no run");
    }
    f->fresh = !run || (!job->resume && !has_name(names, "last.safetensors"));
    drop_partials(f->run.folder, names);
    return drop_partial_panels(f, err);
}

static bool enter(struct folder *f, const struct train_job *job, struct err *err)
{
    struct file_list names = FILE_LIST_INIT;

    f->run.folder = mem_copy_string(job->folder);
    f->made = !file_exists(job->folder);
    if (!file_make_folders(job->folder, err)) {
        f->made = false;
        return false;
    }
    bool ok =
        lock_folder(f, err) && file_list_read(&names, job->folder, err) && check_names(f, job, &names, err);
    file_list_release(&names);
    if (!ok)
        return err_at(err, "%s", job->folder);
    if (f->fresh)
        return true;
    run_release(&f->run);
    return run_read(&f->run, job->folder, err);
}

/* A run folder means its best weights. */
static bool find_init(struct folder *f, const char *init, struct err *err)
{
    if (!init)
        return true;
    f->init_path = file_is_folder(init) ? file_join(init, "best.safetensors") : mem_copy_string(init);
    if (file_exists(f->init_path))
        return file_sha256(f->init_path, f->init_sha256, err);
    if (file_is_folder(init))
        return err_set(err, ERR_INPUT, "--init %s: there is no best.safetensors in it", init);
    return err_set(err, ERR_INPUT, "--init %s: no such file or run", init);
}

/* Going on: needed again only when no epoch is whole yet, so it may be gone. */
static bool remember_init(struct folder *f, struct err *err)
{
    if (f->fresh)
        return err_set(err, ERR_INPUT, "%s: there is no run to go on with", f->run.folder);
    const char *init = json_string_value(json_object_get(json_object_get(f->run.json, "init"), "path"));
    f->init_path = init ? mem_copy_string(init) : NULL;
    return true;
}

/* The split of a run this one begins from: kept when the data set is the same. *kept tells. */
static bool inherit_split(struct folder *f, const struct train_job *job, bool *kept, struct err *err)
{
    struct run from = RUN_INIT;
    bool ok = true;

    *kept = false;
    if (job->new_split || !job->init || !file_is_folder(job->init))
        return true;
    if (!run_read(&from, job->init, err))
        return false;
    if (from.task != RUN_PRETRAIN) {
        bool same = !strcmp(from.manifest_sha256, f->manifest.sha256);
        if (same)
            *kept = ok = run_split(&f->split, &from, &f->manifest, err);
        else if (job->task == RUN_BLACK_BOX)
            ok =
                err_set(err, ERR_INPUT,
                        "%s is not the data set that %s was trained on; --new-split makes a split of its own",
                        job->data, job->init);
    }
    run_release(&from);
    return ok;
}

/* A network that saw a patient's other images is no stranger to his test image. */
static bool check_leaks(const struct folder *f, const struct train_job *job, struct err *err)
{
    const char **patient;
    size_t n = leak_patients(&patient, &f->manifest);
    char *names = leak_text(patient, n);
    bool ok = !n || job->allow_leak;

    if (!ok)
        err_set(
            err, ERR_INPUT,
            "%s: %zu patient%s both in train and in test (%s), so results on the test part would flatter; "
            "--allow-leak trains all the same",
            job->data, n, n == 1 ? " is" : "s are", names);
    else if (n)
        log_warn("%zu patient%s both in train and in test: %s", n, n == 1 ? " is" : "s are", names);
    free(names);
    free(patient);
    return ok;
}

/* A split of one's own keeps patients together who share a picture. */
static bool make_split(struct folder *f, const struct train_job *job, const struct likeness *l,
                       struct err *err)
{
    const struct train_options *o = &job->options;
    const char **name = NULL;
    const size_t joined = job->allow_leak ? 0 : leak_groups(&name, &f->manifest, l);
    bool ok = split_make(&f->split, &f->manifest, name, o->validation, (uint64_t)o->seed, err) ||
              err_at(err, "%s", job->data);

    if (ok && joined)
        log_info("%zu patient%s stay%s on the side of another: they share pictures", joined,
                 joined == 1 ? "" : "s", joined == 1 ? "s" : "");
    free(name);
    return ok;
}

/* A picture that is there twice, under two names, must not be learnt from and judged as well. */
static bool check_pictures(struct folder *f, const struct train_job *job, const struct likeness *l,
                           struct err *err)
{
    struct leak_pair *pair;
    const size_t n = leak_split_pairs(&pair, &f->split, &f->manifest, l);
    char *names = leak_pairs_text(pair, n);
    bool ok = true;

    if (n && !job->allow_leak) {
        ok = err_set(
            err, ERR_INPUT,
            "%s: %zu picture%s on two sides of the split (%s), so results would flatter; --allow-leak trains "
            "all the same",
            job->data, n, n == 1 ? " is" : "s are", names);
    } else if (n) {
        log_warn("%zu picture%s on two sides of the split: %s", n, n == 1 ? " is" : "s are", names);
        f->same_pictures = json_array();
        for (size_t i = 0; i < n; i++)
            json_array_append_new(f->same_pictures, json_pack("[s, s]", pair[i].first, pair[i].second));
    }
    free(names);
    free(pair);
    return ok;
}

static bool decide_split(struct folder *f, const struct train_job *job, struct err *err)
{
    struct likeness *l = NULL;
    bool kept = false;

    if (!f->fresh)
        return run_split(&f->split, &f->run, &f->manifest, err);
    if (!check_leaks(f, job, err) || !inherit_split(f, job, &kept, err) ||
        !likeness_read(&l, &f->manifest, err))
        return false;
    if (kept)
        log_info("split of %s kept", job->init);
    bool ok = (kept || make_split(f, job, l, err)) && check_pictures(f, job, l, err);
    free(l);
    return ok;
}

/* A network that never sees a lesion learns to answer black, whatever it is shown. */
static bool check_lesions(const struct folder *f, const struct train_job *job, struct err *err)
{
    const bool black_box = job->task == RUN_BLACK_BOX;

    if (!black_box && job->task != RUN_SEGMENT)
        return true;
    for (size_t i = 0; i < f->manifest.count; i++) {
        const struct data_item *item = &f->manifest.item[i];
        if (f->split.part[i] == PART_TRAIN && *item->mask && (!black_box || item->label == LABEL_MALIGNANT))
            return true;
    }
    return err_set(err, ERR_INPUT, "%s: no %straining image has a mask to learn from", job->data,
                   black_box ? "malignant " : "");
}

static bool same_init(const struct folder *f, const struct train_job *job, struct err *err)
{
    const json_t *init = json_object_get(f->run.json, "init");
    const char *then = json_string_value(json_object_get(init, "sha256"));

    if (job->resume || !strcmp(then ? then : "", f->init_sha256))
        return true;
    return err_set(err, ERR_INPUT, "the run was begun with --init %s, not %s (the weights differ)",
                   then ? json_string_value(json_object_get(init, "path")) : "none",
                   job->init ? job->init : "none");
}

static bool same_input(const struct folder *f, const struct train_job *job, struct err *err)
{
    const struct prep *then = &f->run.prep, *now = &job->prep;

    if (then->size != now->size)
        return err_set(err, ERR_INPUT, "the run was begun with --size %d, not %d", then->size, now->size);
    if (then->fit != now->fit)
        return err_set(err, ERR_INPUT, "the run was begun with --fit %s, not %s", prep_fit_name(then->fit),
                       prep_fit_name(now->fit));
    if (then->breast_crop != now->breast_crop)
        return err_set(err, ERR_INPUT, "the run was begun %s --breast-crop",
                       then->breast_crop ? "with" : "without");
    return true;
}

/* Everything that must not change while a run goes on. */
static bool same_run(const struct folder *f, const struct train_job *job, struct err *err)
{
    const struct run *r = &f->run;

    if (r->task != job->task)
        return err_set(err, ERR_INPUT, "this is a run of task %s", run_task_name(r->task));
    if (strcmp(r->model->name, job->model->name) != 0 || r->channels != job->channels)
        return err_set(err, ERR_INPUT, "this is a run of another network: %s", r->model->title);
    if (job->narrow_pool && !r->options.narrow_pool)
        return err_set(err, ERR_INPUT, "the run was begun without --narrow-pool");
    if (strcmp(r->manifest_sha256, f->manifest.sha256) != 0)
        return err_set(err, ERR_INPUT, "the run was begun on another data set than %s (its manifest differs)",
                       job->data);
    return same_input(f, job, err) &&
           train_options_same(&job->options, job->task, json_object_get(r->json, "train"), err) &&
           same_init(f, job, err);
}

bool folder_open(struct folder *out, const struct train_job *job, struct err *err)
{
    struct folder f = FOLDER_INIT;
    bool ok = (!job->data || manifest_read(&f.manifest, job->data, err)) &&
              (job->resume || find_init(&f, job->init, err)) && enter(&f, job, err) &&
              (!job->resume || remember_init(&f, err));

    if (ok && !f.fresh && !same_run(&f, job, err))
        ok = err_at(err, "%s", job->folder);
    ok = ok && (!job->data || (decide_split(&f, job, err) && check_lesions(&f, job, err)));
    if (!ok) {
        folder_release(&f);
        return false;
    }
    *out = f;
    return true;
}

/* Absolute, so that a run can be asked from any folder. */
static char *absolute(const char *path)
{
    char *real = realpath(path, NULL);
    return real ? real : mem_copy_string(path);
}

static json_t *path_and(const char *path, const char *sha256)
{
    char *real = absolute(path);
    json_t *json = json_pack("{s:s, s:s}", "path", real, "sha256", sha256);

    free(real);
    return json;
}

static json_t *leaks_json(const struct manifest *m)
{
    json_t *names = json_array();
    const char **patient;
    size_t n = leak_patients(&patient, m);

    for (size_t i = 0; i < n; i++)
        json_array_append_new(names, json_string(patient[i]));
    free(patient);
    return names;
}

static json_t *data_json(const struct folder *f, const struct train_job *job, const struct folder_plan *plan)
{
    char *real = absolute(job->data ? job->data : "");
    json_t *json = json_pack("{s:s, s:s, s:s, s:I, s:I, s:b, s:o}", "path", job->data ? real : "",
                             "manifest_sha256", f->manifest.sha256, "split_sha256", f->split_sha256, "train",
                             (json_int_t)plan->train, "validation", (json_int_t)plan->validation,
                             "allow_leak", (int)job->allow_leak, "leaks", leaks_json(&f->manifest));
    if (f->same_pictures)
        json_object_set(json, "same_pictures", f->same_pictures);
    free(real);
    return json;
}

/* How many crops of either part are malignant: what every accuracy of the run has to be held against. */
static void tell_classes(json_t *data, const struct split *split, const struct folder_plan *plan)
{
    size_t malignant[2] = {0, 0};

    for (size_t i = 0; i < plan->crops->count; i++) {
        const struct crop *c = &plan->crops->crop[i];
        const enum data_part part = split->part[c->image];
        if (c->label == LABEL_MALIGNANT && (part == PART_TRAIN || part == PART_VALIDATION))
            malignant[part == PART_VALIDATION]++;
    }
    json_object_set_new(data, "train_malignant", json_integer((json_int_t)malignant[0]));
    json_object_set_new(data, "validation_malignant", json_integer((json_int_t)malignant[1]));
    if (plan->validation > 0) {
        const double share = (double)malignant[1] / (double)plan->validation;
        log_info(
            "always answering %s would be right for %.3f of the %zu validation crops: the accuracy to beat",
            share > .5 ? "malignant" : "benign", fmax(share, 1 - share), plan->validation);
    }
}

/* The network's options, and what of the data set could not be judged. */
static void tell_classifier(json_t *json, const struct folder *f, const struct train_job *job,
                            const struct folder_plan *plan)
{
    const struct model_told told = {
        job->model, {job->channels, job->prep.size, job->prep.size}, *plan->options};
    json_t *told_json = json_object(), *data = json_object_get(json, "data");

    model_tell(told_json, &told);
    json_object_set(json, "options", json_object_get(told_json, "options"));
    json_object_set_new(data, "abnormalities_sha256", json_string(plan->crops->sha256));
    json_object_set_new(data, "normal", json_integer((json_int_t)plan->crops->normal));
    json_object_set_new(data, "without_crop", json_integer((json_int_t)plan->crops->missing));
    tell_classes(data, &f->split, plan);
    json_decref(told_json);
}

static json_t *run_json(const struct folder *f, const struct train_job *job, const struct folder_plan *plan)
{
    const struct prep *p = &job->prep;
    json_t *cases = json_array();

    for (int i = 0; i < plan->n_cases; i++)
        json_array_append_new(cases, json_string(plan->cases[i]));
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:{s:i, s:i, s:s, s:b, s:s}, s:o, s:o, s:o, s:o}", "format",
                  "clearmass-run-1", "program", "clearmass " CLEARMASS_VERSION, "disclaimer", DISCLAIMER,
                  "task", run_task_name(job->task), "model", job->model->name, "input", "size", p->size,
                  "channels", job->channels, "fit", prep_fit_name(p->fit), "breast_crop", p->breast_crop,
                  "preprocessing", prep_values_name(p->values), "data", data_json(f, job, plan), "init",
                  f->init_path ? path_and(f->init_path, f->init_sha256) : json_null(), "train",
                  train_options_json(&job->options, job->task), "cases", cases);
    assert(json);
    if (plan->options)
        tell_classifier(json, f, job, plan);
    json_object_set_new(json, "state",
                        json_pack("{s:i, s:i, s:s, s:n, s:b, s:s, s:s}", "epochs_done", 0, "best_epoch", 0,
                                  "best_metric", plan->best_metric, "best_value", "finished", false,
                                  "stopped", "", "best_sha256", ""));
    return json;
}

bool folder_begin(struct folder *f, const struct train_job *job, const struct folder_plan *plan,
                  struct err *err)
{
    char *path = run_path(&f->run, "split.csv"), *folder = mem_copy_string(f->run.folder);
    bool ok = !job->data || split_write(&f->split, &f->manifest, path, f->split_sha256, err);

    if (ok) {
        f->run.json = run_json(f, job, plan);
        ok = run_write(&f->run, err);
    }
    if (ok) {
        run_release(&f->run);
        ok = run_read(&f->run, folder, err); /* as everybody else will see it */
    }
    free(path);
    free(folder);
    return ok;
}
