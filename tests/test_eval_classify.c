/* Evaluation of a classifier end to end, with a network whose answers are known: every number by hand. */
#include "eval_classifier.h"

#include "base/csv.h"
#include "eval/evaluate.h"
#include "io/image_file.h"

/* The region is 40 x 40 at (20, 10), so the crop, 4 pixels larger on each side, is 48 x 48 at (16, 6). What
 * is bright is told in quarters of the crop: bit 0 left upper, 1 right upper, 2 left lower, 3 right lower:
 * a spot of 12 x 12 where the network sees that quarter. */
struct quarters {
    const char *id, *patient;
    enum data_label label;
    enum data_part part;
    int bright;
    bool region;
};

/* Validation: P(malignant) for 0, 1, 2 bright (benign), 3, 1 (malignant); the normal image has no crop. */
static const struct quarters DATA[] = {
    {"b0", "p1", LABEL_BENIGN, PART_NONE, 0, true},     {"b1", "p2", LABEL_BENIGN, PART_NONE, 1, true},
    {"b2", "p4", LABEL_BENIGN, PART_NONE, 3, true},     {"m1", "p5", LABEL_MALIGNANT, PART_NONE, 7, true},
    {"m2", "p7", LABEL_MALIGNANT, PART_NONE, 8, true},  {"n1", "p8", LABEL_NORMAL, PART_NONE, 15, false},
    {"t1", "p3", LABEL_MALIGNANT, PART_NONE, 15, true}, {"x1", "p10", LABEL_MALIGNANT, PART_TEST, 15, true},
};
enum { IMAGES = sizeof DATA / sizeof *DATA };

static const char *run, *data;
static json_t *validated;

static void write_quarters(const char *folder)
{
    const struct dataset_options options = {.command = "test", .margin = .1};
    const struct dataset_source source = {.kind = "image", .path = "made"};
    struct err err = ERR_INIT;
    struct dataset *d = dataset_begin(folder, &options, &err);

    for (int i = 0; i < IMAGES; i++) {
        struct image grey = flat(100, 80, IMAGE_U16, 0), mask = flat(100, 80, IMAGE_U8, 0);
        for (int q = 0; q < 4; q++) {
            const int x = 16 + q % 2 * 20, y = 6 + q / 2 * 20;
            if (DATA[i].bright >> q & 1)
                paint(&grey, (struct image_box){x, y, x + 12, y + 12}, 65535);
        }
        if (DATA[i].region)
            paint(&mask, (struct image_box){20, 10, 60, 50}, 255);
        const struct dataset_case c = {.id = DATA[i].id,
                                       .patient = DATA[i].patient,
                                       .part = DATA[i].part,
                                       .label = DATA[i].label,
                                       .grey = &grey,
                                       .mask = &mask,
                                       .source = &source,
                                       .source_count = 1};
        must(dataset_add(d, &c, &err), err);
        image_release(&grey);
        image_release(&mask);
    }
    must(dataset_finish(d, &err), err);
    dataset_close(d);
}

static int prepare(void **state)
{
    struct err err = ERR_INIT;

    if (make_folder(state))
        return -1;
    run = mem_copy_string(under(*state, "run"));
    data = mem_copy_string(under(*state, "data"));
    write_quarters(data);
    write_classifier(run, data);
    if (!evaluate(&(struct evaluation){.run = run, .seed = 1, .batch = 2}, &validated, &err))
        fprintf(stderr, "%s\n", err.text);
    return validated ? 0 : -1;
}

static int clear(void **state)
{
    json_decref(validated);
    free((char *)run);
    free((char *)data);
    return remove_folder(state);
}

static void test_numbers(void **state)
{
    (void)state;
    const json_t *r = validated;

    expect_text(r, "run.task", "classify");
    expect_text(r, "run.model", "resnet50");
    expect(r, "run.epoch", 3, 0);
    expect_text(r, "data.unit", "crop");
    expect(r, "data.images", 5, 0);
    expect(r, "data.normal", 0, 0);
    assert_null(json_object_get(r, "overlap"));
    expect(r, "score.auc", 4.5 / 6, 1e-12); /* m1 above all, m2 above b0, as high as b1, below b2 */
    expect_text(r, "decisions.0.name", "half");
    expect(r, "decisions.0.low", .5, 0);
    expect(r, "decisions.0.high", .5, 0);
    expect(r, "decisions.0.confusion.0.0", 2, 0);
    expect(r, "decisions.0.confusion.0.1", 1, 0);
    expect(r, "decisions.0.confusion.1.0", 1, 0);
    expect(r, "decisions.0.confusion.1.1", 1, 0);
    expect(r, "decisions.0.accuracy.value", .6, 1e-12);
    expect(r, "decisions.0.f1", .5, 1e-12);
    expect(r, "decisions.0.f1_benign", 2. / 3, 1e-12);
    expect(r, "decisions.0.f1_macro", 7. / 12, 1e-12);
    expect(r, "decisions.0.majority_class", .6, 1e-12);
    expect(r, "decisions.0.sensitivity.value", .5, 0);
    /* chosen: the lowest malignant probability, the highest benign one */
    expect_text(r, "decisions.1.name", "chosen");
    expect(r, "decisions.1.low", corner_probability(1), 1e-6);
    expect(r, "decisions.1.high", corner_probability(2), 1e-5);
    expect_text(r, "answers_by", "chosen");
    json_t *kept = json_file_read(under(run, "thresholds.json"), NULL);
    expect(kept, "low", corner_probability(1), 1e-6);
    json_decref(kept);
}

/* The crop's quarters are the cells; a cell's centre lies inside the region, which leaves out a twelfth on
 * each side. */
static void test_where_it_looks(void **state)
{
    (void)state;
    const json_t *cam = at(validated, "cam");

    expect_text(cam, "class", "malignant");
    expect(cam, "without", 1, 0); /* b0 is black: nothing speaks for malignant */
    expect(cam, "all.crops", 4, 0);
    expect(cam, "all.pointing_game.value", 1, 0);
    assert_true(json_number_value(at(cam, "all.pointing_game.low")) < 1);
    expect(cam, "all.region_share.value", 40. * 40 / (48 * 48), 1e-12);
    expect(cam, "malignant.crops", 2, 0);
    const double energy = json_number_value(at(cam, "malignant.energy_inside.value"));
    assert_true(energy > .5 && energy < 40. * 40 / (48 * 48) + .1);
}

static void test_predictions_and_maps(void **state)
{
    (void)state;
    const char *out = under(run, "evaluation");
    struct csv t = CSV_INIT;
    struct image cam = IMAGE_INIT;
    struct err err = ERR_INIT;

    must(csv_read(&t, under(out, "predictions.csv"), &err), err);
    assert_int_equal(t.count, 5);
    for (size_t i = 0; i < t.count; i++) {
        const struct quarters *q = &DATA[i];
        const int k = (q->bright & 1) + (q->bright >> 1 & 1) + (q->bright >> 2 & 1) + (q->bright >> 3 & 1);
        assert_string_equal(csv_get(&t, i, csv_column(&t, "id")), q->id);
        assert_true(fabs(atof(csv_get(&t, i, csv_column(&t, "score"))) - corner_probability(k)) < 1e-5);
        assert_string_equal(csv_get(&t, i, csv_column(&t, "cam_hit")), k ? "1" : "");
    }
    assert_string_equal(csv_get(&t, 3, csv_column(&t, "answer")), "malignant");
    assert_string_equal(csv_get(&t, 0, csv_column(&t, "answer")), "benign");
    assert_string_equal(csv_get(&t, 4, csv_column(&t, "cam")), "cam/m2.png");
    must(image_read(&cam, under(out, "cam/m2.png"), &err), err);
    assert_true(cam.width == 48 && cam.height == 48 && cam.type == IMAGE_U8 && cam.channels == 1);
    assert_true(image_u8(&cam)[40 * 48 + 40] > 250); /* the right lower quarter */
    assert_true(image_u8(&cam)[8 * 48 + 8] == 0);
    image_release(&cam);
    csv_release(&t);
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

/* One crop is torn, one mask is another one's size, one threshold is given. */
static void test_another_data_set(void **state)
{
    const char *other = under(*state, "other");
    struct image small = flat(5, 4, IMAGE_U8, 255);
    const struct band given = {NAN, .999};
    struct err err = ERR_INIT;

    write_quarters(other);
    write_text(under(other, "crop/b1.tif"), "II*");
    must(tiff_write(under(other, "roi/b2.tif"), &small, &err), err);
    image_release(&small);
    json_t *r =
        evaluated(&(struct evaluation){.run = run, .data = other, .given = &given, .seed = 1, .batch = 2});
    expect_text(r, "unreadable.0.id", "b1");
    assert_contains(json_string_value(at(r, "unreadable.0.error")), "crop/b1.tif: changed");
    expect_text(r, "unreadable.1.id", "b2");
    expect_text(r, "answers_by", "given");
    expect(r, "decisions.1.low", .5, 0);
    expect(r, "decisions.1.high", .999, 0);
    json_decref(r);
}

static void test_refused(void **state)
{
    const char *none = under(*state, "none"), *u_net = under(*state, "u-net");
    const struct boxed normal[] = {{"n", "p1", LABEL_NORMAL, PART_NONE, {0, 0, 4, 4}, {0, 0, 0, 0}}};
    struct err err = ERR_INIT;

    write_data(none, normal, 1);
    assert_false(evaluate(&(struct evaluation){.run = run, .data = none, .allow_leak = true}, NULL, &err));
    assert_contains(err.text, "none: no crop in the all part");
    write_run(u_net, "classify", "stretch", data); /* says unet */
    assert_false(evaluate(&(struct evaluation){.run = u_net}, NULL, &err));
    assert_contains(err.text, "run.json: task classify by the network unet");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_where_it_looks),
        cmocka_unit_test(test_predictions_and_maps),
        cmocka_unit_test(test_another_data_set),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, prepare, clear);
}
