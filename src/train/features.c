#include "train/features.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/stop.h"
#include "io/safetensors.h"
#include "train/feed.h"

#include <stdlib.h>
#include <string.h>

struct feature_source {
    struct source images; /* owned */
    size_t width;         /* floats of an item */
    float *train, *validation;
};

static void fill(void *self, const struct source_batch *b, float *input, float *truth)
{
    const struct feature_source *f = self;
    const float *from = b->pass == SOURCE_VALIDATE ? f->validation : f->train;

    f->images.fill(f->images.self, b, NULL, truth);
    for (size_t i = 0; input && i < b->n; i++)
        memcpy(input + i * f->width, from + b->index[i] * f->width, f->width * sizeof *input);
}

static struct source_item item(void *self, size_t index)
{
    const struct feature_source *f = self;
    return f->images.item(f->images.self, index);
}

static const uint16_t *square(void *self, size_t index)
{
    const struct feature_source *f = self;
    return f->images.square(f->images.self, index);
}

static void release(void *self)
{
    struct feature_source *f = self;

    source_close(&f->images);
    free(f->train);
    free(f->validation);
    free(f);
}

/* ---- computing ---- */

struct backbone {
    struct nn_graph graph;
    struct nn_exec exec;
    struct progress progress;
    size_t batch, done;
};

static bool one_pass(struct backbone *b, const struct feature_source *f, enum source_pass pass, float *out)
{
    const struct source *s = &f->images;
    const size_t n = pass == SOURCE_VALIDATE ? s->n_validation : s->n_train;
    struct feed *feed = feed_new(s, b->batch);
    size_t *order = mem_new(n, sizeof *order), at = 0;
    struct feed_batch now;

    for (size_t i = 0; i < n; i++)
        order[i] = i;
    feed_start(feed, &(struct feed_pass){pass, 0, order, n});
    while (!stop_requested() && feed_next(feed, &now)) {
        const float *y = b->exec.backend->forward(b->exec.self, now.input, NULL);
        memcpy(out + at * f->width, y, now.n * f->width * sizeof *out);
        at += now.n;
        progress_step(&b->progress, b->done += now.n, NULL);
    }
    feed_stop(feed);
    feed_free(feed);
    free(order);
    return !stop_requested();
}

static void build(struct nn_graph *g, const struct features_job *job)
{
    const struct run *r = job->run;
    struct model_options options = r->options;

    options.classes = MODEL_NO_HEAD;
    model_build(job->model, g, (struct nn_shape){r->channels, r->prep.size, r->prep.size}, &options);
}

static bool compute(struct feature_source *f, const struct features_job *job, struct err *err)
{
    struct backbone b = {.graph = NN_GRAPH_INIT, .exec = NN_EXEC_INIT, .batch = (size_t)job->batch};
    const struct nn_compile how = {.batch = job->batch, .mode = NN_INFER, .direct = job->exact};

    build(&b.graph, job);
    bool ok = nn_exec_init(&b.exec, job->backend, &b.graph, &how, err);
    if (ok) {
        b.exec.backend->set(b.exec.self, job->values);
        progress_begin(&b.progress, "features", f->images.n_train + f->images.n_validation);
        ok = (one_pass(&b, f, SOURCE_PLAIN, f->train) && one_pass(&b, f, SOURCE_VALIDATE, f->validation)) ||
             err_set(err, ERR_CANCELLED, "stopped while computing features; the same command begins again");
        progress_end(&b.progress, NULL);
    }
    nn_exec_release(&b.exec);
    nn_graph_release(&b.graph);
    return ok;
}

/* ---- the file ---- */

/* What the features are a function of, as one hash. */
static void make_key(char key[FILE_SHA256_TEXT], const struct features_job *job)
{
    const struct run *r = job->run;
    struct nn_graph g = NN_GRAPH_INIT;
    char weights[FILE_SHA256_TEXT];
    json_t *options = json_object();
    const struct model_told told = {job->model, {r->channels, r->prep.size, r->prep.size}, r->options};

    build(&g, job);
    file_sha256_bytes(job->values, g.n_values * sizeof *job->values, weights);
    model_tell(options, &told);
    char *network = json_dumps(options, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    char *all = mem_printf("%s\n%s\n%d\n%s\n%s\n%s\n%s", weights, job->backend->name, job->exact, network,
                           prep_fit_name(r->prep.fit), prep_values_name(r->prep.values), job->items);
    file_sha256_bytes(all, strlen(all), key);
    free(all);
    free(network);
    json_decref(options);
    nn_graph_release(&g);
}

static bool take_tensor(const struct safetensors *s, const char *name, size_t n, float *out)
{
    const struct safetensors_tensor *t = safetensors_find(s, name);

    if (!t || t->count != n || !safetensors_is_real(t))
        return false;
    safetensors_floats(t, out);
    return true;
}

/* A file that is missing, damaged or of something else is made again. */
static bool read_file(struct feature_source *f, const char *path, const char *key)
{
    struct safetensors s = SAFETENSORS_INIT;
    struct err ignored = ERR_INIT;

    if (!file_exists(path) || !safetensors_open(&s, path, &ignored))
        return false;
    const char *theirs = json_string_value(json_object_get(s.metadata, "key"));
    bool ok = theirs && !strcmp(theirs, key) &&
              take_tensor(&s, "train", f->images.n_train * f->width, f->train) &&
              take_tensor(&s, "validation", f->images.n_validation * f->width, f->validation);
    safetensors_close(&s);
    return ok;
}

static bool write_file(const struct feature_source *f, const char *path, const char *key, struct err *err)
{
    const struct safetensors_entry entry[] = {
        {.name = "train", .rank = 2, .dim = {f->images.n_train, f->width}, .values = f->train},
        {.name = "validation", .rank = 2, .dim = {f->images.n_validation, f->width}, .values = f->validation},
    };
    json_t *meta = json_pack("{s:s, s:s}", "format", "clearmass-features-1", "key", key);
    bool ok = safetensors_write(path, entry, 2, meta, err);

    json_decref(meta);
    return ok;
}

static bool read_or_compute(struct feature_source *f, const struct features_job *job, struct err *err)
{
    char key[FILE_SHA256_TEXT], *path = run_path(job->run, "features.safetensors");

    make_key(key, job);
    bool ok = read_file(f, path, key);
    if (ok)
        log_info("features read from %s", path);
    else
        ok = compute(f, job, err) && write_file(f, path, key, err);
    free(path);
    return ok;
}

static int width_of(const struct features_job *job)
{
    struct nn_graph g = NN_GRAPH_INIT;

    build(&g, job);
    int width = g.node[g.n_nodes - 1].shape.c;
    nn_graph_release(&g);
    return width;
}

bool features_open(struct source *images, const struct features_job *job, struct err *err)
{
    const int width = width_of(job);
    struct feature_source *f = mem_new(1, sizeof *f);

    *f = (struct feature_source){.images = *images, .width = (size_t)width};
    f->train = mem_new(images->n_train * f->width, sizeof *f->train);
    f->validation = mem_new(images->n_validation * f->width, sizeof *f->validation);
    if (!read_or_compute(f, job, err)) {
        f->images = (struct source)SOURCE_INIT;
        release(f);
        return false;
    }
    *images = (struct source){.n_train = f->images.n_train,
                              .n_validation = f->images.n_validation,
                              .channels = width,
                              .size = 1,
                              .classes = f->images.classes,
                              .self = f,
                              .fill = fill,
                              .item = item,
                              .square = square,
                              .free = release};
    return true;
}
