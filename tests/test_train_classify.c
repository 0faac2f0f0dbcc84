/* Training a classifier as a whole, small: a head on cached features against the same without the cache and
 * against two loops of softmax regression; what stays frozen; going on after any death; what it refuses. */
#include "test_train_data.h"

#include "base/csv.h"
#include "base/stop.h"
#include "io/safetensors.h"
#include "model/checkpoint.h"
#include "model/keras.h"
#include "train/train.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>
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
static void build_small(const struct model *m, struct nn_graph *g, struct nn_shape input,
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

static const struct model SMALL = {.name = "resnet50",
                                   .title = "small",
                                   .multiple_of = 1,
                                   .build_as = build_small,
                                   .classes = 2,
                                   .epsilon = 1e-3};

static struct train_job job_of(const char *folder, int epochs)
{
    struct train_job job = {.task = RUN_CLASSIFY,
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

static struct train_job tuning_job(const char *folder, int epochs)
{
    struct train_job job = job_of(folder, epochs);

    job.options = train_options_default(RUN_CLASSIFY);
    job.options.epochs = epochs;
    job.options.batch = BATCH;
    job.options.validation = 0.3;
    return job;
}

static void train_ok(const struct train_job *job)
{
    struct err err = ERR_INIT;
    if (!train(job, &err))
        fail_msg("%s", err.text);
}

static void train_refused(const struct train_job *job, const char *message)
{
    struct err err = ERR_INIT;
    assert_false(train(job, &err));
    if (!strstr(err.text, message) || strchr(err.text, '\n'))
        fail_msg("'%s' instead of '%s'", err.text, message);
}

/* A tensor of a file of the run; free() it. */
static float *tensor(const char *run, const char *file, const char *name, size_t *count)
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

static double log_value(const char *run, size_t epoch, const char *column)
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

static void assert_close(double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance * (1 + fabs(b))))
        fail_msg("%.9g is not %.9g", a, b);
}

static bool same_bytes(const char *a, const char *b, const char *name)
{
    char x[FILE_SHA256_TEXT] = "", y[FILE_SHA256_TEXT] = "", *p = file_join(a, name), *q = file_join(b, name);
    struct err err = ERR_INIT;

    assert_true(file_sha256(p, x, &err) && file_sha256(q, y, &err));
    free(p);
    free(q);
    return !strcmp(x, y);
}

static void assert_same_run(const char *a, const char *b)
{
    static const char *const FILES[] = {"best.safetensors", "last.safetensors", "cases.csv", "split.csv"};

    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++)
        if (!same_bytes(a, b, FILES[i]))
            fail_msg("%s differs between %s and %s", FILES[i], a, b);
}

/* ---- a head on features ---- */

/* Softmax regression, one number after the other, in double. */
struct regression {
    double w[2][WIDTH], b[2], vw[2][WIDTH], vb[2]; /* and their velocities */
    int iterations;
};

static void probabilities(const struct regression *r, const float *x, double p[2])
{
    double z[2];

    for (int k = 0; k < 2; k++) {
        z[k] = r->b[k];
        for (int i = 0; i < WIDTH; i++)
            z[k] += r->w[k][i] * x[i];
    }
    for (int k = 0; k < 2; k++)
        p[k] = 1 / (1 + exp(z[1 - k] - z[k]));
}

static void nesterov(double *p, double *v, double rate, double g)
{
    *v = .9 * *v - rate * g;
    *p += .9 * *v - rate * g;
}

/* One step on BATCH items; returns the loss. */
static double regress(struct regression *r, const float *x, const int *label, const size_t *order)
{
    double gw[2][WIDTH] = {{0}}, gb[2] = {0}, loss = 0, p[2];
    double rate = 1e-4 / (1 + 1e-6 * r->iterations++);

    for (int n = 0; n < BATCH; n++) {
        const float *item = x + order[n] * WIDTH;
        probabilities(r, item, p);
        loss -= log(p[label[order[n]]]) / BATCH;
        for (int k = 0; k < 2; k++) {
            double d = (p[k] - (k == label[order[n]])) / BATCH;
            gb[k] += d;
            for (int i = 0; i < WIDTH; i++)
                gw[k][i] += d * item[i];
        }
    }
    for (int k = 0; k < 2; k++) {
        nesterov(&r->b[k], &r->vb[k], rate, gb[k]);
        for (int i = 0; i < WIDTH; i++)
            nesterov(&r->w[k][i], &r->vw[k][i], rate, gw[k][i]);
    }
    return loss;
}

/* The labels of one part, in the order of the data set's table. */
static size_t labels_of(const char *run, const char *part, int *label)
{
    struct csv t = CSV_INIT;
    struct err err = ERR_INIT;
    char *path = file_join(run, "split.csv");
    size_t n = 0;

    assert_true(csv_read(&t, path, &err));
    for (size_t i = 0; i < t.count; i++)
        if (!strcmp(csv_get(&t, i, 2), part) && strncmp(csv_get(&t, i, 0), "normal", 6) != 0)
            label[n++] = !strncmp(csv_get(&t, i, 0), "malignant", 9);
    csv_release(&t);
    free(path);
    return n;
}

static void head_is_softmax_regression(void **state)
{
    (void)state;
    enum { EPOCHS = 4 };
    char *run = in_base("head");
    struct train_job job = job_of(run, EPOCHS);
    struct regression r = {.iterations = 0};
    struct nn_graph g = NN_GRAPH_INIT;
    int label[64], checked[64];
    size_t n, m, order[64];

    train_ok(&job);
    float *x = tensor(run, "features.safetensors", "train", &n);
    float *y = tensor(run, "features.safetensors", "validation", &m);
    n /= WIDTH;
    m /= WIDTH;
    assert_int_equal(labels_of(run, "train", label), n);
    assert_int_equal(labels_of(run, "validation", checked), m);
    build_small(&SMALL, &g, (struct nn_shape){3, 32, 32}, &(struct model_options){.classes = 2});
    float *begin = mem_new(g.n_values, sizeof *begin);
    nn_graph_init_values(&g, begin, (uint64_t)job.options.seed);
    const float *w = begin + nn_graph_slot(&g, "fc2/kernel")->offset;
    for (int k = 0; k < 2; k++)
        for (int i = 0; i < WIDTH; i++)
            r.w[k][i] = w[k * WIDTH + i];
    for (int epoch = 0; epoch < EPOCHS; epoch++) {
        struct rng rng = rng_at((uint64_t)job.options.seed, RNG_SHUFFLE, (uint64_t)epoch, 0);
        double loss = 0, val_loss = 0, right = 0, p[2];
        rng_permutation(&rng, order, n);
        for (size_t step = 0; step < n / BATCH; step++)
            loss += regress(&r, x, label, order + step * BATCH) / (double)(n / BATCH);
        for (size_t i = 0; i < m; i++) {
            probabilities(&r, y + i * WIDTH, p);
            val_loss -= log(p[checked[i]]) / (double)m;
            right += (p[1] > p[0]) == checked[i];
        }
        assert_close(log_value(run, (size_t)epoch, "loss"), loss, 1e-5);
        assert_close(log_value(run, (size_t)epoch, "val_loss"), val_loss, 1e-5);
        assert_close(log_value(run, (size_t)epoch, "val_acc"), right / (double)m, 1e-9);
    }
    float *last = tensor(run, "last.safetensors", "fc2/kernel", NULL);
    for (int i = 0; i < 2 * WIDTH; i++)
        assert_close(last[i], r.w[i / WIDTH][i % WIDTH], 1e-5);
    free(last);
    free(x);
    free(y);
    free(begin);
    nn_graph_release(&g);
    free(run);
}

/* The same epochs through the whole network, image by image. */
static void the_cache_changes_nothing(void **state)
{
    (void)state;
    char *run = in_base("head"), *slow = in_base("no-cache");
    struct train_job job = job_of(slow, 4);
    size_t n;

    job.options.cache = false;
    train_ok(&job);
    for (size_t epoch = 0; epoch < 4; epoch++) {
        assert_close(log_value(slow, epoch, "loss"), log_value(run, epoch, "loss"), 1e-5);
        assert_close(log_value(slow, epoch, "val_loss"), log_value(run, epoch, "val_loss"), 1e-5);
        assert_close(log_value(slow, epoch, "val_auc"), log_value(run, epoch, "val_auc"), 1e-9);
        assert_close(log_value(slow, epoch, "acc"), log_value(run, epoch, "acc"), 1e-9);
    }
    static const char *const SLOTS[] = {"fc2/kernel", "fc2/bias", "conv1/kernel",
                                        "bn5a_branch2a/moving_variance"};
    for (size_t i = 0; i < sizeof SLOTS / sizeof *SLOTS; i++) {
        float *a = tensor(run, "best.safetensors", SLOTS[i], &n),
              *b = tensor(slow, "best.safetensors", SLOTS[i], &n);
        for (size_t k = 0; k < n; k++)
            assert_close(a[k], b[k], i < 2 ? 1e-5 : 0); /* the backbone to the last bit */
        free(a);
        free(b);
    }
    free(run);
    free(slow);
}

static void features_are_kept_under_their_key(void **state)
{
    (void)state;
    char *run = in_base("kept"), *path = file_join(run, "features.safetensors"), *whole = in_base("head");
    struct train_job job = job_of(run, 2);
    struct err err = ERR_INIT;

    train_ok(&job);
    /* other numbers under the same key are taken for the features: they are not computed again */
    size_t n, m;
    float *x = tensor(run, "features.safetensors", "train", &n),
          *y = tensor(run, "features.safetensors", "validation", &m);
    struct safetensors s = SAFETENSORS_INIT;
    assert_true(safetensors_open(&s, path, &err));
    json_t *meta = json_deep_copy(s.metadata);
    safetensors_close(&s);
    for (size_t i = 0; i < m; i++)
        y[i] = 0;
    const struct safetensors_entry entry[] = {{"train", 2, {n / WIDTH, WIDTH}, x},
                                              {"validation", 2, {m / WIDTH, WIDTH}, y}};
    assert_true(safetensors_write(path, entry, 2, meta, &err));
    job.options.epochs = 3;
    train_ok(&job);
    assert_close(log_value(run, 2, "val_auc"), .5, 0);
    /* under another key they are */
    json_object_set_new(meta, "key", json_string("another"));
    assert_true(safetensors_write(path, entry, 2, meta, &err));
    job.options.epochs = 4;
    train_ok(&job);
    assert_close(log_value(run, 3, "val_loss"), log_value(whole, 3, "val_loss"), 1e-6);
    assert_true(same_bytes(run, whole, "features.safetensors"));
    json_decref(meta);
    free(x);
    free(y);
    free(run);
    free(path);
    free(whole);
}

/* ---- what is trained ---- */

/* Whether a slot of the best weights is what it began as, to the last bit. */
static bool unchanged(const char *run, const char *name, int seed)
{
    struct nn_graph g = NN_GRAPH_INIT;
    size_t n;
    float *now = tensor(run, "best.safetensors", name, &n);

    build_small(&SMALL, &g, (struct nn_shape){3, 32, 32}, &(struct model_options){.classes = 2});
    float *begin = mem_new(g.n_values, sizeof *begin);
    nn_graph_init_values(&g, begin, (uint64_t)seed);
    bool same = !memcmp(now, begin + nn_graph_slot(&g, name)->offset, n * sizeof *now);
    free(now);
    free(begin);
    nn_graph_release(&g);
    return same;
}

static void only_what_is_unfrozen_moves(void **state)
{
    (void)state;
    static const char *const LAYERS[] = {"conv1/kernel",
                                         "bn_conv1/gamma",
                                         "bn_conv1/moving_mean",
                                         "res4a_branch2a/kernel",
                                         "bn4a_branch2a/moving_variance",
                                         "res5a_branch2a/kernel",
                                         "bn5a_branch2a/moving_mean",
                                         "fc2/kernel"};
    /* from the first layer that moves; choices none, 5, 4, all, and how frozen norms see a batch */
    static const struct {
        int unfreeze, frozen_norm, first;
    } CASES[] = {{0, TRAIN_FROZEN_KERAS224, 7},
                 {1, TRAIN_FROZEN_INFERENCE, 5},
                 {1, TRAIN_FROZEN_KERAS224, 5},
                 {2, TRAIN_FROZEN_INFERENCE, 3},
                 {5, TRAIN_FROZEN_INFERENCE, 0}};

    for (size_t c = 0; c < sizeof CASES / sizeof *CASES; c++) {
        char name[20];
        snprintf(name, sizeof name, "unfrozen-%zu", c);
        char *run = in_base(name);
        struct train_job job = tuning_job(run, 1);
        job.options.unfreeze = CASES[c].unfreeze;
        job.options.frozen_norm = CASES[c].frozen_norm;
        train_ok(&job);
        for (int i = 0; i < 8; i++)
            if (unchanged(run, LAYERS[i], job.options.seed) != (i < CASES[c].first))
                fail_msg("case %zu: %s", c, LAYERS[i]);
        free(run);
    }
}

/* Discs with a bright core and discs without: a small network must learn them. */
static void it_learns(void **state)
{
    (void)state;
    char *run = in_base("learns");
    struct train_job job = tuning_job(run, 12);

    job.options.unfreeze = 5;
    job.options.backbone_learning_rate = job.options.learning_rate = 5e-3;
    job.options.early_stop = 0;
    train_ok(&job);
    struct run r = RUN_INIT;
    struct err err = ERR_INIT;
    assert_true(run_read(&r, run, &err));
    const json_t *s = json_object_get(r.json, "state"), *d = json_object_get(r.json, "data");
    assert_true(json_real_value(json_object_get(s, "best_value")) > .9);
    assert_string_equal(json_string_value(json_object_get(s, "best_metric")), "val_auc");
    assert_int_equal(json_integer_value(json_object_get(d, "normal")), 4);
    assert_int_equal(json_integer_value(json_object_get(d, "train")) +
                         json_integer_value(json_object_get(d, "validation")),
                     32);
    assert_int_equal(r.prep.values, PREP_CAFFE);
    assert_true(r.options.classes == 2 && r.options.epsilon == 1e-3 && !r.options.narrow_pool);
    run_release(&r);
    /* two cases of each class, the same after every epoch */
    struct csv t = CSV_INIT;
    char *path = file_join(run, "cases.csv");
    assert_true(csv_read(&t, path, &err));
    assert_int_equal(t.count, 12 * RUN_CASES);
    for (size_t i = 0; i < t.count; i++) {
        assert_string_equal(csv_get(&t, i, 2), csv_get(&t, i % RUN_CASES, 2));
        assert_string_equal(csv_get(&t, i, 3), i % RUN_CASES < 2 ? "benign" : "malignant");
        assert_true(atof(csv_get(&t, i, 4)) >= 0 && atof(csv_get(&t, i, 4)) <= 1);
    }
    csv_release(&t);
    free(path);
    free(run);
}

/* ---- going on ---- */

/* argv: child DATA RUN EPOCHS CACHED */
static int child(char **argv)
{
    struct err err = ERR_INIT;
    data = argv[2];
    struct train_job job = (atoi(argv[5]) ? job_of : tuning_job)(argv[3], atoi(argv[4]));
    stop_install();
    return train(&job, &err) ? 0 : err.kind == ERR_CANCELLED ? 3 : 1;
}

static void kill_after(const char *folder, int epochs, bool cached, double seconds)
{
    char words[2][12];
    const struct timespec t = {(time_t)seconds, (long)((seconds - (double)(time_t)seconds) * 1e9)};

    snprintf(words[0], sizeof words[0], "%d", epochs);
    snprintf(words[1], sizeof words[1], "%d", cached);
    pid_t pid = fork();
    if (pid == 0) {
        freopen("/dev/null", "w", stderr);
        execl("/proc/self/exe", "child", "child", data, folder, words[0], words[1], (char *)NULL);
        _exit(127);
    }
    nanosleep(&t, NULL);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void goes_on_bit_for_bit(void **state)
{
    (void)state;
    enum { EPOCHS = 8 };
    for (int cached = 0; cached < 2; cached++) {
        char *whole = in_base(cached ? "whole-cached" : "whole"),
             *parts = in_base(cached ? "parts-cached" : "parts");
        struct train_job job = (cached ? job_of : tuning_job)(whole, EPOCHS);
        double began = (double)clock() / CLOCKS_PER_SEC;
        train_ok(&job);
        double took = (double)clock() / CLOCKS_PER_SEC - began;
        for (int i = 1; i <= 4; i++)
            kill_after(parts, EPOCHS, cached, .02 + took * i / 5);
        job.folder = parts;
        for (int epochs = 3; epochs <= EPOCHS; epochs++) { /* and in pieces */
            job.options.epochs = epochs;
            train_ok(&job);
        }
        assert_same_run(whole, parts);
        free(whole);
        free(parts);
    }
}

static void a_run_of_another_network(void **state)
{
    (void)state;
    char *whole = in_base("whole"), *run = in_base("from-run");
    struct train_job job = job_of(run, 1);

    /* the miniature's weights go by ResNet-50's name but are none */
    job.init = whole;
    train_refused(&job, "weights of ResNet-50, not of small");
    job.model = &model_resnet50;
    train_refused(&job, "best.safetensors: weights of another network: 'conv1/kernel' is [64, 3, 7, 7] here, "
                        "[8, 3, 3, 3] there");
    free(whole);
    free(run);
}

/* ---- weights from elsewhere; ResNet-50 itself ---- */

static void write_keras(const char *path, const struct model *m, int classes, double epsilon)
{
    const struct model_told told = {m, {3, 224, 224}, {.classes = classes, .epsilon = epsilon}};
    struct nn_graph g = NN_GRAPH_INIT;
    struct err err = ERR_INIT;

    model_build(m, &g, told.input, &told.options);
    float *values = mem_new(g.n_values, sizeof *values);
    nn_graph_init_values(&g, values, 7);
    assert_true(keras_write(path, &told, &g, values, &err));
    free(values);
    nn_graph_release(&g);
}

static void begins_with_keras_weights(void **state)
{
    (void)state;
    char *file = in_base("imagenet.h5"), *run = in_base("imagenet"), *again = in_base("again");
    struct train_job job = job_of(run, 1);
    struct nn_graph g = NN_GRAPH_INIT;
    struct run r = RUN_INIT;
    struct err err = ERR_INIT;
    float *best = NULL;

    write_keras(file, &model_resnet50, 1000, 1.001e-5);
    job.model = &model_resnet50;
    job.init = file;
    job.options.learning_rate = 1e-9;
    train_ok(&job);
    assert_true(run_read(&r, run, &err) && run_load_best(&r, &g, &best, NULL, NULL, &err));
    assert_true(r.options.epsilon == 1.001e-5); /* by the names of the layers */
    assert_int_equal(g.n_values, 23587712 + 4098);
    float *expected = mem_new(g.n_values, sizeof *expected);
    nn_graph_init_values(&g, expected, 7); /* the numbers of the backbone are those of the file */
    assert_memory_equal(best, expected, 23587712 * sizeof *best);
    /* a run goes on from it with its head */
    job.folder = again;
    job.init = run;
    train_ok(&job);
    size_t n;
    float *head = tensor(again, "best.safetensors", "fc2/kernel", &n);
    for (size_t i = 0; i < n; i++)
        assert_close(head[i], best[23587712 + i], 1e-4);
    assert_true(same_bytes(run, again, "split.csv"));
    assert_true(same_bytes(run, again, "features.safetensors"));
    free(head);
    free(expected);
    free(best);
    nn_graph_release(&g);
    run_release(&r);
    free(file);
    free(run);
    free(again);
}

static void wrong_weights(void **state)
{
    (void)state;
    char *run = in_base("wrong"), *json = file_join(run, "run.json"), *unet = in_base("unet.safetensors");
    char *text = in_base("text.h5"), *plain = in_base("plain.safetensors");
    struct nn_graph g = NN_GRAPH_INIT;
    struct err err = ERR_INIT;
    struct train_job job = job_of(run, 1);

    job.model = &model_resnet50;
    nn_dense(&g, nn_input(&g, (struct nn_shape){3, 1, 1}), "fc2", 2);
    float values[8] = {0};
    json_t *meta = json_pack("{s:s, s:{s:i}}", "model", "unet", "input", "channels", 3);
    assert_true(checkpoint_write(unet, &g, values, NULL, 0, meta, &err));
    json_decref(meta);
    job.init = unet;
    train_refused(&job, "unet.safetensors: weights of ZF_UNET_224, not of ResNet-50");
    assert_true(file_write(text, "no HDF5", 7, &err));
    job.init = text;
    train_refused(&job, "text.h5");
    assert_true(checkpoint_write(plain, &g, values, NULL, 0, NULL, &err));
    job.init = plain;
    train_refused(&job, "plain.safetensors: it has no metadata that names a network");
    job.init = "/nowhere.h5";
    train_refused(&job, "--init /nowhere.h5: no such file or run");
    assert_false(file_exists(json));
    nn_graph_release(&g);
    free(run);
    free(json);
    free(unet);
    free(text);
    free(plain);
}

static void refusals(void **state)
{
    (void)state;
    char *run = in_base("refused"), *whole = in_base("whole");
    struct train_job job = tuning_job(run, 1);
    job.options.best = TRAIN_BEST_DICE;
    train_refused(&job, "--best dice is not for classify");
    job = tuning_job(whole, 9);
    job.options.unfreeze = 2;
    train_refused(&job, "the run was begun with --unfreeze 5, not 4");
    job = tuning_job(whole, 9);
    job.narrow_pool = true;
    train_refused(&job, "the run was begun without --narrow-pool");
    job = tuning_job(whole, 9);
    job.task = RUN_SEGMENT;
    train_refused(&job, "this is a run of task classify");
    free(run);
    free(whole);
}

/* Crops of one class cannot be told apart. */
static void one_class_is_not_enough(void **state)
{
    (void)state;
    char *folder = in_base("benign-only"), *run = in_base("one-class"),
         *path = file_join(folder, "manifest.csv");
    struct manifest m = MANIFEST_INIT;
    struct err err = ERR_INIT;

    assert_true(make_discs(folder, (const int[LABEL_COUNT]){8, 0, 2}, 500, &err));
    struct train_job job = tuning_job(run, 1);
    job.data = folder;
    train_refused(&job, "no crop in the training part");
    assert_true(manifest_read(&m, folder, &err));
    for (size_t i = 0; i < m.count; i++) {
        free(m.item[i].crop);
        m.item[i].crop = mem_copy_string(m.item[i].image);
    }
    assert_true(manifest_write(&m, folder, &err));
    train_refused(&job, "no malignant crop in the training part");
    manifest_release(&m);
    free(folder);
    free(run);
    free(path);
}

/* ---- set-up ---- */

/* Discs, each image its own crop. */
static int make_data(void **state)
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

static int drop_data(void **state)
{
    (void)state;
    free(data);
    return remove_tree(base) ? 0 : -1;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head_is_softmax_regression),
        cmocka_unit_test(the_cache_changes_nothing),
        cmocka_unit_test(features_are_kept_under_their_key),
        cmocka_unit_test(only_what_is_unfrozen_moves),
        cmocka_unit_test(it_learns),
        cmocka_unit_test(goes_on_bit_for_bit),
        cmocka_unit_test(a_run_of_another_network),
        cmocka_unit_test(begins_with_keras_weights),
        cmocka_unit_test(wrong_weights),
        cmocka_unit_test(refusals),
        cmocka_unit_test(one_class_is_not_enough),
    };

    if (argc == 6 && !strcmp(argv[1], "child"))
        return child(argv);
    return cmocka_run_group_tests_name("train: a classifier", tests, make_data, drop_data);
}
