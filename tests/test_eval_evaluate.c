/* Evaluation end to end, with a network whose answers are known beforehand: every number by hand. */
#include "eval_help.h"

#include "base/csv.h"
#include "base/rng.h"
#include "eval/evaluate.h"
#include "eval/result.h"
#include "eval/verify.h"
#include "io/image_file.h"

/* A box of w x h pixels of the square, at (x, y) of it. */
#define BOX(x, y, w, h)                                                                                      \
    {                                                                                                        \
        4 * (x), 2 * (y), 4 * ((x) + (w)), 2 * ((y) + (h))                                                   \
    }
#define NONE                                                                                                 \
    {                                                                                                        \
        0, 0, 0, 0                                                                                           \
    }

/* Patients 3, 6 ... train. Validation: scores 16, 40 (benign), 0 (normal), 200, 30 (malignant). */
static const struct boxed DATA[] = {
    {"b1", "p1", LABEL_BENIGN, PART_NONE, BOX(2, 2, 4, 4), BOX(2, 2, 4, 4)},       /* Dice 1 */
    {"b2", "p2", LABEL_BENIGN, PART_NONE, BOX(2, 2, 8, 5), BOX(2, 2, 4, 5)},       /* Dice 2*20 / 60 */
    {"m1", "p4", LABEL_MALIGNANT, PART_NONE, BOX(0, 0, 20, 10), BOX(0, 0, 20, 5)}, /* Dice 2*100 / 300 */
    {"m2", "p5", LABEL_MALIGNANT, PART_NONE, BOX(0, 0, 6, 5), BOX(10, 10, 6, 5)},  /* Dice 0 */
    {"n1", "p7", LABEL_NORMAL, PART_NONE, NONE, NONE},
    {"t1", "p3", LABEL_MALIGNANT, PART_NONE, BOX(0, 0, 3, 3), BOX(0, 0, 3, 3)},
    {"x1", "p8", LABEL_MALIGNANT, PART_TEST, BOX(1, 1, 6, 6), BOX(1, 1, 6, 6)},
    {"x2", "p8", LABEL_BENIGN, PART_TEST, BOX(1, 1, 2, 2), BOX(1, 1, 2, 2)},
};

static const char *run, *data;
static json_t *validated; /* what the validation part gave */

static int prepare(void **state)
{
    if (make_folder(state))
        return -1;
    run = mem_copy_string(under(*state, "run"));
    data = mem_copy_string(under(*state, "data"));
    write_data(data, DATA, sizeof DATA / sizeof *DATA);
    write_run(run, "black-box", "stretch", data);
    write_weights(under(run, "best.safetensors"), bright_values);
    return evaluate(&(struct evaluation){.run = run, .seed = 1, .batch = 2}, &validated, NULL) ? 0 : -1;
}

static int clear(void **state)
{
    json_decref(validated);
    free((char *)run);
    free((char *)data);
    return remove_folder(state);
}

static json_t *evaluated(const struct evaluation *e)
{
    struct err err = ERR_INIT;
    json_t *json = NULL;

    struct evaluation here = *e;

    here.allow_leak = true; /* other data sets are made of the same pictures */
    must(evaluate(&here, &json, &err), err);
    return json;
}

/* The five images in the order mixed by seed 1: a batch of four, then one alone. */
static double soft_dice_of_4_and_1(void)
{
    static const double BOTH[5] = {16, 20, 100, 0, 0}, SUM[5] = {16 + 16, 20 + 40, 100 + 200, 30 + 30, 0};
    struct rng rng = rng_at(1, RNG_SHUFFLE, UINT64_MAX, 1);
    size_t order[5];
    double both = 0, sum = 0;

    rng_permutation(&rng, order, 5);
    for (int i = 0; i < 4; i++) {
        both += BOTH[order[i]];
        sum += SUM[order[i]];
    }
    return (4 * (2 * both + 1) / (sum + 1) + (2 * BOTH[order[4]] + 1) / (SUM[order[4]] + 1)) / 5;
}

static void test_validation(void **state)
{
    (void)state;
    const json_t *r = validated;

    expect_text(r, "format", "clearmass-result-1");
    expect_text(r, "run.task", "black-box");
    expect(r, "run.epoch", 7, 0);
    expect_text(r, "data.part", "validation");
    expect(r, "data.images", 5, 0);
    expect(r, "data.patients", 5, 0);
    expect(r, "data.benign", 2, 0);
    expect(r, "data.malignant", 2, 0);
    expect(r, "data.normal", 1, 0);
    expect(r, "data.test_evaluations", 0, 0);
    expect(r, "overlap.nonempty_truths", 4, 0);
    expect(r, "overlap.dice.mean", (1 + 2. / 3 + 2. / 3 + 0) / 4, 1e-12);
    expect(r, "overlap.dice.median", 2. / 3, 1e-12);
    expect(r, "overlap.dice.q1", .5, 1e-12);
    expect(r, "overlap.dice.share_above_half", .75, 0);
    expect(r, "overlap.iou.mean", (1 + .5 + .5 + 0) / 4, 1e-12);
    expect(r, "overlap.dice_malignant.mean", 1. / 3, 1e-12);
    expect(r, "overlap.dice_malignant.images", 2, 0);
    expect(r, "overlap.empty_truths", 1, 0);
    expect(r, "overlap.empty_truths_predicted_empty", 1, 0);
    expect(r, "overlap.batch", 4, 0); /* of the training; batches of 4 and 1 */
    expect(r, "overlap.soft_batch_dice", soft_dice_of_4_and_1(), 1e-5);
    assert_true(json_number_value(at(r, "overlap.soft_batch_dice_low")) <
                json_number_value(at(r, "overlap.soft_batch_dice_high")));
    assert_true(json_number_value(at(r, "overlap.dice.median_low")) <= 2. / 3);
    expect(r, "overlap.dice.median_high", 1, 0);
    expect(r, "overlap.dice.share_above_half_low", interval_wilson((struct share){3, 4}).low, 1e-15);
    /* 200 40 | 30 16 0: at no more than .1 false positives one of two is found, at .5 both */
    expect(r, "score.at.1.sensitivity.value", .5, 0);
    expect(r, "score.at.4.sensitivity.value", 1, 0);
    expect(r, "score.at.4.sensitivity.low", interval_wilson((struct share){2, 2}).low, 1e-15);
    expect(r, "score.auc", 5. / 6, 1e-12); /* of 6 pairs only 30 under 40 is wrong */
    assert_true(json_array_size(at(r, "score.roc")) == 6);
    /* malignant lesions: m1's is half of its mark, m2's is elsewhere; the benign marks are false */
    expect_text(r, "froc.lesions_of", "malignant");
    expect(r, "froc.lesions", 2, 0);
    expect(r, "froc.found", 1, 0);
    expect(r, "froc.false_marks", 3, 0);
    expect(r, "froc.images", 5, 0);
    expect(r, "froc.at.0.sensitivity.value", .5, 0); /* the largest sum is m1's */
    expect(r, "precision_recall.chance", .4, 1e-15);
    expect(r, "precision_recall.average_precision.value", (1 + 2. / 3) / 2, 1e-12);
    expect(r, "levels.0.auc.value", 5. / 6, 1e-12);
    expect(r, "decisions.1.intervals.f1.value", json_number_value(at(r, "decisions.1.f1")), 0);
}

static void test_decisions_on_validation(void **state)
{
    (void)state;
    const json_t *r = validated;
    json_t *kept = json_file_read(under(run, "thresholds.json"), NULL);

    expect_text(r, "decisions.0.name", "published");
    assert_true(json_is_null(at(r, "decisions.0.chosen_on")));
    expect(r, "decisions.0.low", .0001, 0);
    expect(r, "decisions.0.confusion.0.0", 1, 0); /* the normal image's sum is 0 */
    expect(r, "decisions.0.confusion.0.1", 2, 0);
    expect(r, "decisions.0.confusion.1.1", 2, 0);
    expect(r, "decisions.0.three_way.0.1", 2, 0);
    expect(r, "decisions.0.three_way.1.2", 1, 0);
    expect(r, "decisions.0.accuracy.value", .6, 1e-15);
    expect(r, "decisions.0.majority_class", .6, 1e-15);
    assert_true(json_is_number(at(r, "decisions.0.accuracy.low")));
    expect(r, "decisions.0.sensitivity.value", 1, 0);
    /* chosen for .9 and .9: the lowest malignant score and the highest of the others */
    expect_text(r, "decisions.1.name", "chosen");
    expect_text(r, "decisions.1.chosen_on", "validation");
    assert_true(json_is_true(at(r, "decisions.1.chosen_on_same_images")));
    expect(r, "decisions.1.wanted_sensitivity", .9, 0);
    expect(r, "decisions.1.low", 30, 1e-3);
    expect(r, "decisions.1.high", 40, 1e-3);
    expect(r, "decisions.1.three_way.0.0", 2, 0);
    expect(r, "decisions.1.three_way.0.1", 1, 0);
    expect(r, "decisions.1.uncertain.value", .4, 1e-15);
    expect_text(r, "answers_by", "chosen");
    expect(kept, "low", 30, 1e-3);
    expect(kept, "images", 5, 0);
    json_decref(kept);
}

static void test_predictions_and_masks(void **state)
{
    (void)state;
    const char *out = under(run, "evaluation");
    struct csv t = CSV_INIT;
    struct image mask = IMAGE_INIT;
    struct err err = ERR_INIT;

    must(csv_read(&t, under(out, "predictions.csv"), &err), err);
    assert_int_equal(t.count, 5);
    assert_string_equal(csv_get(&t, 1, csv_column(&t, "id")), "b2");
    assert_string_equal(csv_get(&t, 1, csv_column(&t, "label")), "benign");
    assert_string_equal(csv_get(&t, 1, csv_column(&t, "part")), "validation");
    assert_string_equal(csv_get(&t, 1, csv_column(&t, "answer")), "uncertain");
    assert_string_equal(csv_get(&t, 1, csv_column(&t, "truth_pixels")), "20");
    assert_string_equal(csv_get(&t, 1, csv_column(&t, "predicted_pixels")), "40");
    assert_true(fabs(atof(csv_get(&t, 1, csv_column(&t, "score"))) - 40) < 1e-4);
    assert_true(fabs(atof(csv_get(&t, 1, csv_column(&t, "dice"))) - 2. / 3) < 1e-12);
    assert_string_equal(csv_get(&t, 4, csv_column(&t, "id")), "n1");
    assert_string_equal(csv_get(&t, 4, csv_column(&t, "dice")), "");
    must(image_read(&mask, under(out, csv_get(&t, 1, csv_column(&t, "mask"))), &err), err);
    assert_int_equal(mask.width, WIDTH);
    assert_int_equal(mask.height, HEIGHT);
    assert_int_equal(image_u8(&mask)[8 * WIDTH + 20], 255); /* inside the bright box */
    assert_int_equal(image_u8(&mask)[40 * WIDTH + 100], 0);
    image_release(&mask);
    csv_release(&t);
}

/* Every image's parts add up to its score, and say what the answer would be without them. */
static void test_regions(void **state)
{
    (void)state;
    const char *out = under(run, "evaluation");
    struct csv t = CSV_INIT, p = CSV_INIT;
    struct err err = ERR_INIT;
    size_t row = 0;

    must(csv_read(&t, under(out, "regions.csv"), &err), err);
    must(csv_read(&p, under(out, "predictions.csv"), &err), err);
    for (size_t i = 0; i < p.count; i++) {
        const char *id = csv_get(&p, i, csv_column(&p, "id"));
        double sum = 0, shares = 0;
        for (bool rest = false; !rest; row++) {
            assert_true(row < t.count);
            assert_string_equal(csv_get(&t, row, csv_column(&t, "id")), id);
            assert_string_equal(csv_get(&t, row, csv_column(&t, "answer")),
                                csv_get(&p, i, csv_column(&p, "answer")));
            sum += atof(csv_get(&t, row, csv_column(&t, "score")));
            shares += atof(csv_get(&t, row, csv_column(&t, "share")));
            rest = !strcmp(csv_get(&t, row, csv_column(&t, "region")), "rest");
        }
        const double score = atof(csv_get(&p, i, csv_column(&p, "score")));
        assert_true(fabs(sum - score) <= 1e-9 * score);
        assert_true(fabs(shares - (score > 0)) < 1e-9);
    }
    assert_int_equal(row, t.count);
    /* m2: 100 pixels in one place of the network's 32 x 32: without it nothing is left */
    for (row = 0; strcmp(csv_get(&t, row, csv_column(&t, "id")), "m2") != 0; row++)
        assert_true(row + 1 < t.count);
    assert_string_equal(csv_get(&t, row, csv_column(&t, "region")), "1");
    assert_string_equal(csv_get(&t, row, csv_column(&t, "answer")), "uncertain");
    assert_string_equal(csv_get(&t, row, csv_column(&t, "answer_without")), "benign");
    assert_true(atof(csv_get(&t, row, csv_column(&t, "score_without"))) < 1e-6);
    assert_string_equal(csv_get(&t, row, csv_column(&t, "x1")), "24"); /* 6 columns, 4 pixels each */
    assert_string_equal(csv_get(&t, row + 1, csv_column(&t, "region")), "rest");
    csv_release(&p);
    csv_release(&t);
}

static void test_looks_at_the_test_part_are_counted(void **state)
{
    (void)state;
    for (int look = 1; look <= 2; look++) {
        json_t *r = evaluated(&(struct evaluation){.run = run, .part = EVAL_TEST, .seed = 1, .batch = 2});
        expect_text(r, "data.part", "test");
        expect(r, "data.images", 2, 0);
        expect(r, "data.patients", 1, 0);
        expect(r, "data.test_evaluations", look, 0);
        /* thresholds come from validation and are not chosen anew */
        expect(r, "decisions.1.low", 30, 1e-3);
        assert_true(json_is_false(at(r, "decisions.1.chosen_on_same_images")));
        expect(r, "decisions.1.confusion.1.1", 1, 0);
        json_decref(r);
    }
    json_t *r = evaluated(&(struct evaluation){.run = run, .part = EVAL_TRAIN, .seed = 1, .batch = 2});
    expect(r, "data.images", 1, 0);
    expect(r, "data.test_evaluations", 2, 0);
    assert_true(json_is_null(at(r, "score.auc")));
    assert_true(json_is_null(at(r, "decisions.0.specificity.value")));
    json_decref(r);
}

static void test_another_data_set_is_an_external_test(void **state)
{
    const char *other = under(*state, "other");
    struct err err = ERR_INIT;

    write_data(other, DATA, 3);
    json_t *r = evaluated(&(struct evaluation){.run = run, .data = other, .seed = 1, .batch = 2});
    expect_text(r, "data.part", "external");
    assert_true(json_is_true(at(r, "data.external")));
    expect(r, "data.images", 3, 0);
    expect(r, "data.test_evaluations", 1, 0);
    assert_true(json_is_true(at(r, "data.leaks.checked")));
    assert_true(json_array_size(at(r, "data.leaks.patients")) == 3);
    assert_true(json_array_size(at(r, "data.leaks.same_pictures")) >= 3);
    json_decref(r);
    assert_false(evaluate(&(struct evaluation){.run = run, .data = other}, NULL, &err));
    assert_contains(err.text, "that the run learnt from are here too");
    assert_contains(err.text, "3 patients (p1, p2, p4) and ");
    assert_contains(err.text, "--allow-leak");
    assert_false(
        evaluate(&(struct evaluation){.run = run, .data = other, .part = EVAL_VALIDATION}, NULL, &err));
    assert_contains(err.text, "it has no validation part");
}

static void test_thresholds_of_other_weights_are_not_used(void **state)
{
    const char *again = under(*state, "again");
    struct err err = ERR_INIT;

    write_run(again, "black-box", "stretch", data);
    must(symlink(under(run, "best.safetensors"), under(again, "best.safetensors")) == 0, err);
    write_text(
        under(again, "thresholds.json"),
        "{\"format\": \"clearmass-thresholds-1\", \"low\": 1, \"high\": 2, \"weights_sha256\": \"00\"}");
    json_t *r = evaluated(&(struct evaluation){.run = again, .part = EVAL_TEST, .seed = 1, .batch = 2});
    assert_int_equal(json_array_size(at(r, "decisions")), 1);
    json_decref(r);
    write_text(under(again, "thresholds.json"),
               "{\"format\": \"clearmass-thresholds-1\", \"low\": 3, \"high\": 2}");
    assert_false(evaluate(&(struct evaluation){.run = again, .part = EVAL_TEST}, NULL, &err));
    assert_contains(err.text, "thresholds.json: low and high must be numbers, low no larger than high");
}

static void test_a_segment_run_makes_no_decisions(void **state)
{
    const char *seg = under(*state, "segment");
    struct err err = ERR_INIT;

    write_run(seg, "segment", "stretch", data);
    must(symlink(under(run, "best.safetensors"), under(seg, "best.safetensors")) == 0, err);
    json_t *r = evaluated(&(struct evaluation){.run = seg, .seed = 1, .batch = 2});
    assert_int_equal(json_array_size(at(r, "decisions")), 0);
    expect(r, "score.auc", 5. / 6, 1e-12);
    assert_false(file_exists(under(seg, "thresholds.json")));
    json_decref(r);
}

static void test_given_thresholds_are_in_force(void **state)
{
    const char *out = under(*state, "out/given");
    const struct band given = {20, 35};
    json_t *r =
        evaluated(&(struct evaluation){.run = run, .out = out, .given = &given, .seed = 1, .batch = 2});

    expect_text(r, "decisions.1.name", "given");
    expect_text(r, "answers_by", "given");
    expect(r, "decisions.1.three_way.0.2", 1, 0);
    assert_true(file_exists(under(out, "masks/m1.png")));
    json_decref(r);
}

static void test_one_unreadable_image(void **state)
{
    const char *bad = under(*state, "bad");
    const struct evaluation e = {.run = run, .data = bad, .seed = 1, .batch = 2, .allow_leak = true};
    struct err err = ERR_INIT;

    write_data(bad, DATA, 2);
    write_text(under(bad, "full/b1.tif"), "II*");
    json_t *r = evaluated(&e);
    expect(r, "data.images", 1, 0);
    expect_text(r, "unreadable.0.id", "b1");
    assert_contains(json_string_value(at(r, "unreadable.0.error")), "full/b1.tif: ");
    json_decref(r);
    write_text(under(bad, "full/b2.tif"), "not an image");
    assert_false(evaluate(&e, NULL, &err));
    assert_contains(err.text, "not one image could be read; the first: ");
}

/* A file that is a good image, but not the one the manifest names. */
static void test_a_file_that_was_changed(void **state)
{
    const char *bad = under(*state, "changed");
    struct err err = ERR_INIT;

    write_data(bad, DATA, 4);
    must(file_copy(under(bad, "full/b2.tif"), under(bad, "full/b1.tif"), &err), err);
    must(file_copy(under(bad, "roi/m1.tif"), under(bad, "roi/m2.tif"), &err), err);
    json_t *r = evaluated(&(struct evaluation){.run = run, .data = bad, .seed = 1, .batch = 2});
    expect(r, "data.images", 2, 0);
    expect_text(r, "unreadable.0.id", "b1");
    assert_contains(json_string_value(at(r, "unreadable.0.error")),
                    "full/b1.tif: changed: its SHA-256 is not the one noted for it");
    assert_contains(json_string_value(at(r, "unreadable.1.error")), "roi/m2.tif: changed");
    json_decref(r);
}

static void test_a_mask_of_another_size(void **state)
{
    const char *bad = under(*state, "size");
    struct manifest m = MANIFEST_INIT;
    struct image small = flat(5, 4, IMAGE_U8, 255);
    struct err err = ERR_INIT;

    write_data(bad, DATA, 2);
    must(tiff_write(under(bad, "roi/b2.tif"), &small, &err), err);
    must(manifest_read(&m, bad, &err) && file_sha256(under(bad, "roi/b2.tif"), m.item[1].mask_sha256, &err) &&
             manifest_write(&m, bad, &err),
         err);
    manifest_release(&m);
    json_t *r = evaluated(&(struct evaluation){.run = run, .data = bad, .seed = 1, .batch = 2});
    expect_text(r, "unreadable.0.error", "roi/b2.tif: the mask is 5 x 4, its image 128 x 64");
    json_decref(r);
    image_release(&small);
}

static float *not_numbers(const struct nn_graph *g)
{
    float *v = bright_values(g);

    *slot_at(g, v, "mask/bias", 0) = NAN;
    return v;
}

static void refuse(const struct evaluation *e, const char *message)
{
    struct err err = ERR_INIT;

    assert_false(evaluate(e, NULL, &err));
    assert_contains(err.text, message);
}

static void test_refused(void **state)
{
    const char *broken = under(*state, "broken");

    refuse(&(struct evaluation){.run = under(*state, "nowhere")}, "no such run");
    refuse(&(struct evaluation){.run = data}, "not a run: there is no run.json in it");
    write_run(broken, "black-box", "stretch", data);
    refuse(&(struct evaluation){.run = broken}, "no epoch is finished yet");
    refuse(&(struct evaluation){.run = run, .data = under(*state, "nowhere")}, "nowhere");
    write_weights(under(broken, "best.safetensors"), not_numbers);
    refuse(&(struct evaluation){.run = broken}, "the network gives values that are no numbers");
    write_run(broken, "pretrain", "stretch", NULL);
    refuse(&(struct evaluation){.run = broken}, "a pretrain run has no data set of its own; name one");
}

static void test_parts(void **state)
{
    (void)state;
    enum eval_part p = EVAL_DEFAULT;

    assert_true(eval_part_parse("all", &p) && p == EVAL_ALL);
    assert_false(eval_part_parse("", &p));
    assert_false(eval_part_parse("testing", &p));
}

static json_t *evaluated_of(void **state, const char *name, const struct boxed *of, size_t n)
{
    const char *folder = under(*state, name);

    write_data(folder, of, n);
    return evaluated(&(struct evaluation){.run = run, .data = folder, .seed = 1, .batch = 2});
}

static void expect_null(const json_t *r, const char *keys)
{
    if (!json_is_null(at(r, keys)))
        fail_msg("%s is not null", keys);
}

/* What cannot be said is said, and is no number. */
static void test_nothing_to_tell(void **state)
{
    static const struct boxed BENIGN[] = {
        {"b1", "p1", LABEL_BENIGN, PART_NONE, BOX(2, 2, 4, 4), BOX(2, 2, 4, 4)},
        {"b2", "p2", LABEL_BENIGN, PART_NONE, BOX(2, 2, 8, 5), BOX(2, 2, 4, 5)}};
    static const struct boxed DARK[] = {{"b1", "p1", LABEL_BENIGN, PART_NONE, NONE, BOX(2, 2, 4, 4)},
                                        {"m1", "p2", LABEL_MALIGNANT, PART_NONE, NONE, BOX(2, 2, 4, 5)},
                                        {"m2", "p4", LABEL_MALIGNANT, PART_NONE, NONE, BOX(2, 2, 4, 5)}};
    static const struct boxed ONE[] = {
        {"b1", "p1", LABEL_BENIGN, PART_NONE, BOX(2, 2, 4, 4), BOX(2, 2, 4, 4)},
        {"m1", "p1", LABEL_MALIGNANT, PART_NONE, BOX(0, 0, 20, 10), BOX(0, 0, 20, 5)}};
    json_t *r = evaluated_of(state, "no-malignant", BENIGN, 2);

    assert_contains(json_string_value(at(r, "cannot_tell.0")), "No image is malignant: how well");
    assert_int_equal(json_array_size(at(r, "cannot_tell")), 1);
    expect_null(r, "score.auc");
    expect_null(r, "score.auc_low");
    expect_null(r, "precision_recall.average_precision.value");
    expect_null(r, "overlap.dice_malignant.mean");
    expect_null(r, "overlap.dice_malignant.share_above_half");
    expect_null(r, "decisions.0.sensitivity.value");
    expect_null(r, "decisions.0.patients_malignant_called_benign.value");
    expect_null(r, "froc.at.3.sensitivity.value");
    expect_null(r, "levels.0.auc.value");
    json_decref(r);

    r = evaluated_of(state, "dark", DARK, 3);
    assert_contains(json_string_value(at(r, "cannot_tell.0")), "All 3 images have the same score");
    expect_null(r, "score.auc");
    expect_null(r, "score.auc_standard_error");
    expect_null(r, "precision_recall.average_precision.value");
    expect_null(r, "levels.2.auc.value");
    json_decref(r);

    r = evaluated_of(state, "one-patient", ONE, 2);
    assert_contains(json_string_value(at(r, "cannot_tell.0")), "All images are of one patient");
    expect_null(r, "score.auc");
    expect_null(r, "overlap.dice.mean_low");
    expect_null(r, "overlap.dice.median_low");
    expect_null(r, "overlap.soft_batch_dice");
    expect_null(r, "decisions.0.intervals.f1.value");
    json_decref(r);
    assert_int_equal(json_array_size(at(validated, "cannot_tell")), 0);
}

/* The promise is about patients: one wrong image of two makes a wrong patient. */
static void test_wrong_patients(void **state)
{
    static const struct boxed OF[] = {
        {"m1", "p1", LABEL_MALIGNANT, PART_NONE, BOX(0, 0, 20, 10), BOX(0, 0, 20, 5)},
        {"m2", "p1", LABEL_MALIGNANT, PART_NONE, NONE, BOX(0, 0, 20, 5)},
        {"m3", "p2", LABEL_MALIGNANT, PART_NONE, BOX(0, 0, 20, 10), BOX(0, 0, 20, 5)},
        {"b1", "p2", LABEL_BENIGN, PART_NONE, BOX(0, 0, 20, 10), NONE},
        {"b2", "p4", LABEL_BENIGN, PART_NONE, NONE, NONE}};
    json_t *r = evaluated_of(state, "patients", OF, 5);

    expect(r, "decisions.0.malignant_called_benign.value", 1. / 3, 1e-15);
    expect(r, "decisions.0.patients_malignant_called_benign.value", 1. / 2, 0);
    expect(r, "decisions.0.patients_benign_called_malignant.value", 1. / 2, 0);
    assert_true(json_number_value(at(r, "decisions.0.patients_benign_called_malignant.high")) > .9);
    json_decref(r);
}

/* FOLDER/predictions.csv with one score another. */
static void change_a_score(const char *folder)
{
    struct err err = ERR_INIT;
    char *text = read_text(under(folder, "predictions.csv")),
         *at = strstr(text, "m1,p4,malignant,validation,2");

    assert_non_null(at);
    at[strlen("m1,p4,malignant,validation,")] = '3';
    must(file_write(under(folder, "predictions.csv"), text, strlen(text), &err), err);
    free(text);
}

/* FOLDER/regions.csv with the answer without one place another. */
static void change_a_region(const char *folder)
{
    struct err err = ERR_INIT;
    char *text = read_text(under(folder, "regions.csv")), *at = strstr(text, "malignant,benign");

    assert_non_null(at);
    memcpy(at + strlen("malignant,"), "BENIGN", 6);
    must(file_write(under(folder, "regions.csv"), text, strlen(text), &err), err);
    free(text);
}

static void test_a_result_comes_out_again(void **state)
{
    const char *out = under(*state, "kept"), *replay = under(*state, "replay");
    const struct verify cfg = {.result = out, .out = replay};
    struct verified v;
    struct err err = ERR_INIT;

    json_decref(
        evaluated(&(struct evaluation){.run = run, .out = out, .seed = 3, .batch = 2, .part = EVAL_TEST}));
    char *looks = read_text(under(run, "test_evaluations.csv"));
    must(verify(&v, &cfg, &err), err);
    assert_int_equal(v.differences, 0);
    assert_true(v.values > 100);
    char *after = read_text(under(run, "test_evaluations.csv"));
    assert_string_equal(looks, after); /* no look is counted */
    free(looks);
    free(after);
    json_decref(evaluated(&(struct evaluation){.run = run, .out = out, .seed = 1, .batch = 2}));
    change_a_score(out);
    must(verify(&v, &cfg, &err), err);
    assert_int_equal(v.differences, 1);
    assert_contains(v.difference[0], "score of m1: 3");
    change_a_region(out);
    must(verify(&v, &cfg, &err), err);
    assert_int_equal(v.differences, 2);
    assert_contains(v.difference[1], "answer_without of m1: BENIGN, now benign");
    json_t *result = json_file_read(under(out, "result.json"), NULL);
    json_object_set_new(json_object_get(result, "data"), "manifest_sha256", json_string("beef"));
    must(json_file_write(under(out, "result.json"), result, &err), err);
    json_decref(result);
    must(verify(&v, &cfg, &err), err); /* other data: nothing is replayed */
    assert_int_equal(v.differences, 1);
    assert_contains(v.difference[0], "the data set's manifest.csv: beef, now ");
    assert_false(verify(&v, &(struct verify){.result = under(*state, "nowhere"), .out = replay}, &err));
    assert_contains(err.text, "nowhere: no evaluation");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_validation),
        cmocka_unit_test(test_decisions_on_validation),
        cmocka_unit_test(test_predictions_and_masks),
        cmocka_unit_test(test_regions),
        cmocka_unit_test(test_nothing_to_tell),
        cmocka_unit_test(test_wrong_patients),
        cmocka_unit_test(test_looks_at_the_test_part_are_counted),
        cmocka_unit_test(test_another_data_set_is_an_external_test),
        cmocka_unit_test(test_thresholds_of_other_weights_are_not_used),
        cmocka_unit_test(test_a_segment_run_makes_no_decisions),
        cmocka_unit_test(test_given_thresholds_are_in_force),
        cmocka_unit_test(test_one_unreadable_image),
        cmocka_unit_test(test_a_file_that_was_changed),
        cmocka_unit_test(test_a_mask_of_another_size),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_a_result_comes_out_again),
        cmocka_unit_test(test_parts),
    };
    return cmocka_run_group_tests(tests, prepare, clear);
}
