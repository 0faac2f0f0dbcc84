/* The parts of the loop: metrics, recomputed statistics, options, ellipses, the order of batches. */
#include "test_train_data.h"

#include "nn/exec.h"
#include "train/feed.h"
#include "train/metrics.h"
#include "train/norm.h"
#include "train/options.h"
#include "train/state.h"
#include "train/validate.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

/* ---- metrics ---- */

static void test_overlap_by_hand(void **state)
{
    (void)state;
    const float t[6] = {1, 1, 1, 0, 0, .4f}, p[6] = {.9f, .5f, .6f, .7f, .1f, 1e-30f};
    struct overlap o = metrics_overlap(t, p, 6); /* truth 3, output 3 (.5 itself is out), both 2 */
    assert_true(fabs(o.dice - 4.0 / 6) < 1e-12);
    assert_true(fabs(o.iou - 2.0 / 4) < 1e-12);
    assert_true(fabs(o.score - 2.8) < 1e-6);
    const float none[2] = {0, 0}, faint[2] = {1e-30f, 2e-30f};
    o = metrics_overlap(none, faint, 2);
    assert_true(isnan(o.dice) && isnan(o.iou));
    assert_true(o.score > 2.9e-30 && o.score < 3.1e-30);
}

static void test_accuracy_by_hand(void **state)
{
    (void)state;
    const float t[8] = {1, 0, .05f, .95f, 0, 2, 1, 0}, p[8] = {.6f, .4f, .6f, .4f, .1f, .9f, .5f, .5f};
    assert_true(metrics_accuracy(t, p, 8, 2) == .75); /* of equals the first counts */
}

static void test_auc_counts_pairs(void **state)
{
    (void)state;
    struct rng r = rng_at(5, RNG_TEST, 0, 0);
    for (int round = 0; round < 50; round++) {
        double score[40], wins = 0, pairs = 0;
        bool positive[40];
        for (int i = 0; i < 40; i++) {
            score[i] = rng_int(&r, 0, 12); /* many ties */
            positive[i] = rng_uniform(&r) < .3;
        }
        for (int i = 0; i < 40; i++) {
            for (int k = 0; k < 40; k++) {
                if (!positive[i] || positive[k])
                    continue;
                wins += score[i] > score[k] ? 1 : score[i] == score[k] ? .5 : 0;
                pairs++;
            }
        }
        assert_true(fabs(metrics_auc(score, positive, 40) - wins / pairs) < 1e-12);
    }
    const double one[2] = {1, 2};
    const bool all[2] = {true, true};
    assert_true(isnan(metrics_auc(one, all, 2)));
}

/* ---- a source whose images tell who they are ---- */

enum { SIDE = 4, IMAGES = 7 };

static void numbered_fill(void *self, const struct source_batch *b, float *input, float *truth)
{
    (void)self;
    for (size_t i = 0; i < b->n; i++) {
        struct rng r = rng_at(6, RNG_TEST, b->index[i], (uint64_t)b->pass);
        for (int k = 0; k < SIDE * SIDE; k++) {
            input[i * SIDE * SIDE + (size_t)k] = (float)(rng_normal(&r) + (double)b->index[i]);
            truth[i * SIDE * SIDE + (size_t)k] = (float)b->index[i];
        }
    }
}

static const struct source NUMBERED = {
    .n_train = IMAGES, .n_validation = IMAGES, .channels = 1, .size = SIDE, .fill = numbered_fill};

static void test_feed_keeps_order(void **state)
{
    (void)state;
    const size_t order[IMAGES] = {3, 1, 6, 0, 2, 5, 4};
    struct feed *f = feed_new(&NUMBERED, 3);
    for (int round = 0; round < 50; round++) {
        struct feed_batch b;
        size_t seen = 0, batches = 0;
        feed_start(f, &(struct feed_pass){SOURCE_LEARN, 0, order, IMAGES});
        while (feed_next(f, &b)) {
            for (size_t i = 0; i < b.n; i++, seen++) {
                assert_int_equal(b.index[i], order[seen]);
                assert_true(b.truth[i * SIDE * SIDE] == (float)order[seen]);
            }
            batches++;
            if (round % 5 == 4 && batches == 2)
                break; /* given up in the middle */
        }
        feed_stop(f);
        if (round % 5 != 4) {
            assert_int_equal(seen, IMAGES);
            assert_int_equal(batches, 3);
            assert_int_equal(b.n, 1);
        }
    }
    feed_free(f);
}

/* ---- batch norm ---- */

/* The first layer is a 1x1 convolution, so what batch norm sees can be computed here. */
static void test_statistics_of_the_first_layer(void **state)
{
    (void)state;
    const size_t order[IMAGES] = {3, 1, 6, 0, 2, 5, 4};
    struct nn_graph g = NN_GRAPH_INIT;
    struct nn_exec x = NN_EXEC_INIT;
    struct err err = ERR_INIT;
    nn_id n = nn_conv2d(&g, nn_input(&g, (struct nn_shape){1, SIDE, SIDE}), "conv",
                        (struct nn_conv){.filters = 2, .kernel = 1});
    nn_sigmoid(&g, nn_batchnorm(&g, n, "norm", (struct nn_norm){.epsilon = 1e-3f}));
    float *v = mem_new(g.n_values, sizeof *v);
    nn_graph_init_values(&g, v, 1);
    float k = v[0] = 3, bias = v[2] = -1; /* kernel [2, 1, 1, 1], bias [2] */

    assert_true(
        nn_exec_init(&x, &nn_backend_ref, &g, &(struct nn_compile){.batch = 3, .mode = NN_TRAIN}, &err));
    x.backend->set(x.self, v);
    struct feed *f = feed_new(&NUMBERED, 3);
    assert_true(norm_recompute(&x, &g, f, &(struct feed_pass){SOURCE_PLAIN, 0, order, 6}, v, &err));

    /* mean and mean square over batches, the variance of a batch being the unbiased one */
    double mean = 0, square = 0;
    for (int b = 0; b < 2; b++) {
        float input[3 * SIDE * SIDE], truth[3 * SIDE * SIDE];
        double m = 0, s = 0, count = 3 * SIDE * SIDE;
        numbered_fill(NULL, &(struct source_batch){SOURCE_PLAIN, 0, order + 3 * b, 3}, input, truth);
        for (int i = 0; i < 3 * SIDE * SIDE; i++)
            m += (double)k * input[i] + bias;
        m /= count;
        for (int i = 0; i < 3 * SIDE * SIDE; i++)
            s += pow((double)k * input[i] + bias - m, 2);
        mean += m / 2;
        square += (s / (count - 1) + m * m) / 2;
    }
    const struct nn_slot *ms = nn_graph_slot(&g, "norm/moving_mean"),
                         *vs = nn_graph_slot(&g, "norm/moving_variance");
    assert_true(fabs(v[ms->offset] - mean) < 1e-5);
    assert_true(fabs(v[vs->offset] - (square - mean * mean)) < 1e-3);
    assert_true(v[0] == 3 && v[2] == -1);
    feed_free(f);
    nn_exec_release(&x);
    nn_graph_release(&g);
    free(v);
}

/* ---- options ---- */

static const struct train_option *option(const char *name)
{
    for (int i = 0; i < TRAIN_OPTION_COUNT; i++) {
        if (!strcmp(TRAIN_OPTIONS[i].name, name))
            return &TRAIN_OPTIONS[i];
    }
    fail_msg("no option %s", name);
    return NULL;
}

static void test_option_values(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *message; /* NULL: taken */
    } CASES[] = {
        {"batch", "16", NULL},
        {"batch", "0", "--batch: '0' is no whole number from 1 to 4096"},
        {"batch", "1.5", "--batch: '1.5' is no whole number"},
        {"batch", "x", "--batch: 'x' is no whole number"},
        {"batch", "", "--batch: '' is no whole number"},
        {"learning-rate", "1e-4", NULL},
        {"learning-rate", "nan", "--learning-rate: 'nan' is no number"},
        {"learning-rate", "-1", "--learning-rate: '-1' is no number"},
        {"loss", "generalised-dice", NULL},
        {"loss", "mse", "--loss: 'mse' is none of dice, generalised-dice, bce-dice"},
        {"optimizer", "rmsprop", "--optimizer: 'rmsprop' is none of adam, sgd"},
        {"nesterov", "yes", NULL},
        {"nesterov", "perhaps", "--nesterov: 'perhaps' is neither yes nor no"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct train_options o = train_options_default(RUN_SEGMENT);
        struct err err = ERR_INIT;
        char text[TRAIN_OPTION_TEXT];
        bool ok = train_option_set(&o, option(CASES[i].name), CASES[i].text, &err);
        assert_int_equal(ok, !CASES[i].message);
        if (ok) {
            struct train_options twice = train_options_default(RUN_SEGMENT);
            train_option_text(&o, option(CASES[i].name), text);
            assert_true(train_option_set(&twice, option(CASES[i].name), text, &err));
            assert_memory_equal(&o, &twice, sizeof o);
        } else if (!strstr(err.text, CASES[i].message)) {
            fail_msg("'%s' instead of '%s'", err.text, CASES[i].message);
        }
    }
}

static void test_options_through_json(void **state)
{
    (void)state;
    struct train_options o = train_options_published(RUN_PRETRAIN),
                         back = train_options_default(RUN_PRETRAIN);
    struct err err = ERR_INIT;
    json_t *json = train_options_json(&o, RUN_PRETRAIN);
    assert_true(json_real_value(json_object_get(json, "learning_rate")) == .001);
    assert_true(json_real_value(json_object_get(json, "decay")) == 1e-6);
    assert_string_equal(json_string_value(json_object_get(json, "optimizer")), "sgd");
    assert_null(json_object_get(json, "flip_horizontal"));
    assert_false(train_options_same(&back, RUN_PRETRAIN, json, &err));
    assert_true(train_options_read(&back, RUN_PRETRAIN, json, &err));
    assert_true(train_options_same(&back, RUN_PRETRAIN, json, &err));
    assert_int_equal(back.steps, 200);
    assert_true(back.nesterov);
    back.epochs++; /* free to change */
    assert_true(train_options_same(&back, RUN_PRETRAIN, json, &err));
    json_object_set_new(json, "batch", json_integer(-3));
    assert_false(train_options_read(&back, RUN_PRETRAIN, json, &err));
    json_decref(json);
}

static void test_defaults_are_allowed(void **state)
{
    (void)state;
    for (int task = 0; task < RUN_TASK_COUNT; task++) {
        for (int i = 0; i < TRAIN_OPTION_COUNT; i++) {
            struct train_options o = train_options_default((enum run_task)task);
            struct err err = ERR_INIT;
            char text[TRAIN_OPTION_TEXT];
            train_option_text(&o, &TRAIN_OPTIONS[i], text);
            assert_true(train_option_set(&o, &TRAIN_OPTIONS[i], text, &err));
        }
    }
}

/* ---- the best epoch ---- */

static void test_which_epoch_is_better(void **state)
{
    (void)state;
    struct train_state s = {.best_epoch = 0, .best_value = NAN, .best_loss = NAN};
    assert_true(state_is_better(&s, NAN, 1, true)); /* the first one always */
    s = (struct train_state){.best_epoch = 1, .best_value = NAN, .best_loss = 1};
    assert_true(state_is_better(&s, .1, 2, true));
    assert_false(state_is_better(&s, NAN, .5, true));
    s = (struct train_state){.best_epoch = 1, .best_value = .5, .best_loss = 1};
    assert_true(state_is_better(&s, .6, 2, true));
    assert_false(state_is_better(&s, .6, 2, false));
    assert_true(state_is_better(&s, .4, 2, false));
    assert_true(state_is_better(&s, .5, .9, true));
    assert_false(state_is_better(&s, .5, 1, true));
    assert_false(state_is_better(&s, NAN, 0, true));
}

/* ---- ellipses ---- */

/* Without the noise pixels one image has two colours, and the light one fills an axis-aligned ellipse. */
static void test_ellipses(void **state)
{
    (void)state;
    enum { S = 224, N = 24 };
    struct source s = SOURCE_INIT;
    struct source_ellipses how = {.size = S, .channels = 3, .n_train = N, .n_validation = 2, .seed = 3};
    float *input = mem_new(3 * S * S, sizeof *input), *truth = mem_new(S * S, sizeof *truth);
    double noisy_share = 0;

    source_open_ellipses(&s, &how);
    for (size_t i = 0; i < N; i++) {
        int x0 = S, x1 = -1, y0 = S, y1 = -1;
        size_t area = 0, same = 0, outside = 0;
        s.fill(s.self, &(struct source_batch){SOURCE_LEARN, 2, &i, 1}, input, truth);
        for (int p = 0; p < S * S; p++) {
            assert_true(truth[p] == 0 || truth[p] == 1);
            assert_true(input[p] >= -.5f && input[p] < .5f && roundf(input[p] * 256) == input[p] * 256);
            if (truth[p] == 0)
                continue;
            area++;
            x0 = p % S < x0 ? p % S : x0;
            x1 = p % S > x1 ? p % S : x1;
            y0 = p / S < y0 ? p / S : y0;
            y1 = p / S > y1 ? p / S : y1;
        }
        assert_true(x1 - x0 <= 112 && y1 - y0 <= 112 && area >= 50);
        if (x0 > 0 && x1 < S - 1 && y0 > 0 && y1 < S - 1) { /* all of it shows */
            double a = (x1 - x0) / 2.0, b = (y1 - y0) / 2.0;
            assert_true(a >= 10 && a <= 56 && b >= 10 && b <= 56);
            assert_true(fabs((double)area - M_PI * a * b) < .05 * M_PI * a * b + 10);
        }
        /* the ground's commonest first channel */
        int histogram[257] = {0}, dark = 0;
        for (int p = 0; p < S * S; p++) {
            if (truth[p] == 0)
                histogram[(int)(input[p] * 256 + 128)]++;
        }
        for (int v = 0; v < 256; v++)
            dark = histogram[v] > histogram[dark] ? v : dark;
        assert_true(dark <= 100);
        for (int p = 0; p < S * S; p++) {
            outside += truth[p] == 0;
            same += truth[p] == 0 && (int)(input[p] * 256 + 128) == dark;
        }
        double noisy = 1 - (double)same / (double)outside;
        assert_true(noisy < .105);
        noisy_share += noisy / N;
    }
    assert_true(noisy_share > .03 && noisy_share < .07); /* .05 less what noise hits by chance */
    source_close(&s);
    free(input);
    free(truth);
}

static void test_ellipses_by_pass_and_epoch(void **state)
{
    (void)state;
    enum { S = 32, FLOATS = 3 * S * S };
    static float in[5][FLOATS], truth[S * S];
    struct source s = SOURCE_INIT;
    const size_t two[2] = {1, 0}, one = 0;
    static float pair[2 * FLOATS], pair_truth[2 * S * S];

    source_open_ellipses(
        &s, &(struct source_ellipses){.size = S, .channels = 3, .n_train = 2, .n_validation = 2, .seed = 3});
    const struct source_batch batch[5] = {{SOURCE_LEARN, 0, &one, 1},
                                          {SOURCE_LEARN, 1, &one, 1},
                                          {SOURCE_PLAIN, 0, &one, 1},
                                          {SOURCE_VALIDATE, 0, &one, 1},
                                          {SOURCE_LEARN, 0, &two[0], 1}};
    for (int i = 0; i < 5; i++)
        s.fill(s.self, &batch[i], in[i], truth);
    for (int i = 0; i < 5; i++) {
        for (int k = 0; k < i; k++)
            assert_memory_not_equal(in[i], in[k], sizeof in[0]);
    }
    s.fill(s.self, &(struct source_batch){SOURCE_LEARN, 0, two, 2}, pair, pair_truth);
    assert_memory_equal(pair, in[4], sizeof in[4]); /* whatever stands beside it */
    assert_memory_equal(pair + FLOATS, in[0], sizeof in[0]);
    source_close(&s);
}

/* ---- the cases shown ---- */

/* Three benign patients with two views each, then two malignant ones, then a normal one. */
static struct source_item view_item(void *self, size_t index)
{
    static const char *const PATIENT[] = {"a", "b", "c", "d", "e", "f"};
    static const char *const ID[] = {"a1", "a2", "b1", "b2", "c1", "c2", "d1", "d2", "e1", "e2", "f1", "f2"};
    static const char *const LABEL[] = {"benign", "malignant", "normal"};
    const size_t label = index < 6 ? 0 : index < 10 ? 1 : 2;

    (void)self;
    return (struct source_item){.id = ID[index],
                                .label = LABEL[label],
                                .patient = PATIENT[index / 2],
                                .malignant = label == 1,
                                .region = label != 2};
}

static void test_cases_of_different_patients(void **state)
{
    (void)state;
    struct source s = {.n_validation = 12, .size = 32, .classes = 2, .item = view_item};
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct validation v;
        validation_init(&v, &s, seed);
        assert_int_equal(v.n_cases, 4);
        for (int i = 0; i < 4; i++) {
            assert_string_equal(v.cases[i].label, i < 2 ? "benign" : "malignant");
            for (int k = 0; k < i; k++)
                assert_int_not_equal(v.cases[i].id[0], v.cases[k].id[0]);
        }
        validation_release(&v);
    }
    s.n_validation = 4; /* of two patients */
    struct validation v;
    validation_init(&v, &s, 1);
    assert_int_equal(v.n_cases, 4);
    assert_int_not_equal(v.cases[0].id[0], v.cases[1].id[0]);
    validation_release(&v);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overlap_by_hand),
        cmocka_unit_test(test_accuracy_by_hand),
        cmocka_unit_test(test_auc_counts_pairs),
        cmocka_unit_test(test_feed_keeps_order),
        cmocka_unit_test(test_statistics_of_the_first_layer),
        cmocka_unit_test(test_option_values),
        cmocka_unit_test(test_options_through_json),
        cmocka_unit_test(test_defaults_are_allowed),
        cmocka_unit_test(test_which_epoch_is_better),
        cmocka_unit_test(test_ellipses),
        cmocka_unit_test(test_cases_of_different_patients),
        cmocka_unit_test(test_ellipses_by_pass_and_epoch),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
