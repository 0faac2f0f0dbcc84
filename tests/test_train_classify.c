/* A classifier's training, small: a head on cached features against the same without the cache and against
 * two loops of softmax regression; what it learns from, what moves and what stays. */
#include "test_train_classify.h"

#include "train/source.h"

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

/* ---- what is learnt from ---- */

/* Weights and smoothing in training alone; the class of an item is its crop's. */
static void truths_weigh_and_smooth(void **state)
{
    (void)state;
    struct manifest m = MANIFEST_INIT;
    struct crops c = CROPS_INIT;
    struct split split = SPLIT_INIT;
    struct source s = SOURCE_INIT;
    struct err err = ERR_INIT;
    size_t benign = 0;

    assert_true(manifest_read(&m, data, &err) && crops_find(&c, &m, &err) &&
                split_make(&split, &m, NULL, .3, 1, &err));
    const struct source_crops how = {.crops = &c,
                                     .split = &split,
                                     .prep = {32, PREP_STRETCH, false, PREP_CAFFE},
                                     .channels = 3,
                                     .balanced = true,
                                     .smoothing = .2};
    assert_true(source_open_crops(&s, &how, &err));
    assert_int_equal(s.n_train + s.n_validation, 32);
    assert_int_equal(source_truth_size(&s), 2);
    for (size_t i = 0; i < m.count; i++)
        benign += split.part[i] == PART_TRAIN && m.item[i].label == LABEL_BENIGN;
    const double weight[2] = {(double)s.n_train / (2 * (double)benign),
                              (double)s.n_train / (2 * (double)(s.n_train - benign))};
    double sum = 0;
    for (size_t i = 0; i < s.n_train; i++) {
        float learnt[2], plain[2];
        struct source_batch b = {.pass = SOURCE_LEARN, .index = &i, .n = 1};
        s.fill(s.self, &b, NULL, learnt);
        b.pass = SOURCE_PLAIN;
        s.fill(s.self, &b, NULL, plain);
        const int class = plain[1] == 1;
        assert_true(plain[class] == 1 && plain[1 - class] == 0);
        assert_close(learnt[class], .9 * weight[class], 1e-6);
        assert_close(learnt[1 - class], .1 * weight[class], 1e-6);
        sum += learnt[0] + learnt[1];
    }
    assert_close(sum, (double)s.n_train, 1e-6); /* the weights are 1 on average */
    for (size_t i = 0; i < s.n_validation; i++) {
        const struct source_batch b = {.pass = SOURCE_VALIDATE, .index = &i, .n = 1};
        float truth[2];
        s.fill(s.self, &b, NULL, truth);
        assert_true(truth[s.item(s.self, i).malignant] == 1 && truth[0] + truth[1] == 1);
    }
    source_close(&s);
    split_release(&split);
    crops_release(&c);
    manifest_release(&m);
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
    /* what every accuracy is held against */
    static const char *const PARTS[] = {"train", "validation"};
    for (int k = 0; k < 2; k++) {
        int label[64], malignant = 0;
        const size_t n = labels_of(run, PARTS[k], label);
        for (size_t i = 0; i < n; i++)
            malignant += label[i];
        assert_int_equal(
            json_integer_value(json_object_get(d, k ? "validation_malignant" : "train_malignant")),
            malignant);
    }
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head_is_softmax_regression),        cmocka_unit_test(the_cache_changes_nothing),
        cmocka_unit_test(features_are_kept_under_their_key), cmocka_unit_test(truths_weigh_and_smooth),
        cmocka_unit_test(only_what_is_unfrozen_moves),       cmocka_unit_test(it_learns),
    };

    return cmocka_run_group_tests_name("train: a classifier", tests, make_data, drop_data);
}
