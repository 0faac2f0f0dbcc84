/* tests/test_train_classify.h: crops of discs, a ResNet in miniature, and questions to a classifier's run
 * folder. */
#ifndef CLEARMASS_TEST_TRAIN_CLASSIFY_H
#define CLEARMASS_TEST_TRAIN_CLASSIFY_H

#include "test_train_data.h"

#include "base/csv.h"
#include "io/safetensors.h"
#include "train/train.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

enum { WIDTH = 12, BATCH = 5 };

static char base[] = "/tmp/clearmass-classify-XXXXXX";
static char *data;

static char *in_base(const char *name)
{
    return file_join(base, name);
}

/* A ResNet in miniature, of three stages; it goes by ResNet-50's name so that runs can be read back. */
static inline void build_small(const struct model *m, struct nn_graph *g, struct nn_shape input,
                               const struct model_options *o)
{
    const struct nn_norm norm = {.epsilon = (float)(o->epsilon > 0 ? o->epsilon : m->epsilon)};
    nn_id x = nn_input(g, input);

    x = nn_conv2d(g, x, "conv1", (struct nn_conv){.filters = 8, .kernel = 3, .stride = 2, .pad = 1});
    x = nn_relu(g, nn_batchnorm(g, x, "bn_conv1", norm));
    x = nn_conv2d(g, x, "res4a_branch2a", (struct nn_conv){.filters = 8, .kernel = 3, .stride = 2, .pad = 1});
    x = nn_relu(g, nn_batchnorm(g, x, "bn4a_branch2a", norm));
    x = nn_conv2d(g, x, "res5a_branch2a",
                  (struct nn_conv){.filters = WIDTH, .kernel = 3, .stride = 2, .pad = 1});
    x = nn_relu(g, nn_batchnorm(g, x, "bn5a_branch2a", norm));
    x = nn_global_avgpool(g, x);
    if (o->classes != MODEL_NO_HEAD)
        nn_softmax(g, nn_dense(g, x, "fc2", 2));
}

__attribute__((unused)) static const struct model SMALL = {.name = "resnet50",
                                                           .title = "small",
                                                           .multiple_of = 1,
                                                           .build_as = build_small,
                                                           .classes = 2,
                                                           .epsilon = 1e-3};

static inline struct train_job job_of(const char *folder, int epochs)
{
    struct train_job job = {.task = RUN_CLASSIFY,
                            .allow_leak = true, /* the images are much alike */
                            .folder = folder,
                            .data = data,
                            .model = &SMALL,
                            .backend = &nn_backend_onednn,
                            .channels = 3,
                            .prep = {32, PREP_STRETCH, false, PREP_CAFFE},
                            .options = train_options_published(RUN_CLASSIFY)};
    job.options.epochs = epochs;
    job.options.batch = BATCH;
    job.options.learning_rate = 1e-4; /* features of random layers on 0..255 are large */
    job.options.validation = 0.3;
    return job;
}

static inline struct train_job tuning_job(const char *folder, int epochs)
{
    struct train_job job = job_of(folder, epochs);

    job.options = train_options_default(RUN_CLASSIFY);
    job.options.epochs = epochs;
    job.options.batch = BATCH;
    job.options.validation = 0.3;
    return job;
}

static inline void train_ok(const struct train_job *job)
{
    struct err err = ERR_INIT;
    if (!train(job, &err))
        fail_msg("%s", err.text);
}

static inline void train_refused(const struct train_job *job, const char *message)
{
    struct err err = ERR_INIT;
    assert_false(train(job, &err));
    if (!strstr(err.text, message) || strchr(err.text, '\n'))
        fail_msg("'%s' instead of '%s'", err.text, message);
}

/* A tensor of a file of the run; free() it. */
static inline float *tensor(const char *run, const char *file, const char *name, size_t *count)
{
    struct safetensors s = SAFETENSORS_INIT;
    struct err err = ERR_INIT;
    char *path = file_join(run, file);

    if (!safetensors_open(&s, path, &err))
        fail_msg("%s", err.text);
    const struct safetensors_tensor *t = safetensors_find(&s, name);
    if (!t)
        fail_msg("%s has no %s", path, name);
    float *v = mem_new(t->count, sizeof *v);
    safetensors_floats(t, v);
    if (count)
        *count = t->count;
    safetensors_close(&s);
    free(path);
    return v;
}

static inline double log_value(const char *run, size_t epoch, const char *column)
{
    struct csv t = CSV_INIT;
    struct err err = ERR_INIT;
    char *path = file_join(run, "log.csv");

    if (!csv_read(&t, path, &err))
        fail_msg("%s", err.text);
    double v = atof(csv_get(&t, epoch, csv_column(&t, column)));
    csv_release(&t);
    free(path);
    return v;
}

static inline void assert_close(double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance * (1 + fabs(b))))
        fail_msg("%.9g is not %.9g", a, b);
}

static inline bool same_bytes(const char *a, const char *b, const char *name)
{
    char x[FILE_SHA256_TEXT] = "", y[FILE_SHA256_TEXT] = "", *p = file_join(a, name), *q = file_join(b, name);
    struct err err = ERR_INIT;

    assert_true(file_sha256(p, x, &err) && file_sha256(q, y, &err));
    free(p);
    free(q);
    return !strcmp(x, y);
}

static inline void assert_same_run(const char *a, const char *b)
{
    static const char *const FILES[] = {"best.safetensors", "last.safetensors", "cases.csv", "split.csv"};

    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++)
        if (!same_bytes(a, b, FILES[i]))
            fail_msg("%s differs between %s and %s", FILES[i], a, b);
}

/* ---- set-up ---- */

/* Discs, each image its own crop. */
static inline int make_data(void **state)
{
    static const int PATIENTS[LABEL_COUNT] = {18, 14, 4};
    struct manifest m = MANIFEST_INIT;
    struct err err = ERR_INIT;

    (void)state;
    if (!mkdtemp(base))
        return -1;
    data = in_base("data");
    if (!make_discs(data, PATIENTS, 0, &err) || !manifest_read(&m, data, &err))
        return -1;
    for (size_t i = 0; i < m.count; i++) {
        if (m.item[i].label == LABEL_NORMAL)
            continue;
        free(m.item[i].crop);
        m.item[i].crop = mem_copy_string(m.item[i].image);
    }
    bool ok = manifest_write(&m, data, &err);
    manifest_release(&m);
    return ok ? 0 : -1;
}

static inline int drop_data(void **state)
{
    (void)state;
    free(data);
    return remove_tree(base) ? 0 : -1;
}

#endif
