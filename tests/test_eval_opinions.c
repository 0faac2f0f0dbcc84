/* Two opinions: how answers are joined; explained end to end with a U-Net that marks what is bright and a
 * classifier that sees four corners of a crop (eval_help.h, eval_classifier.h). */
#include "eval_classifier.h"

#include "base/csv.h"
#include "eval/explain_job.h"
#include "eval/opinions.h"
#include "io/image_file.h"

static const struct band BAND = {.2, .8};

static void join(enum answer map, double malignant, enum accord accord, enum answer together)
{
    const struct opinions o = opinions_join(map, &malignant, isnan(malignant) ? 0 : 1, BAND);

    assert_int_equal(o.accord, accord);
    assert_int_equal(o.together, together);
}

static void test_join(void **state)
{
    (void)state;
    join(ANSWER_MALIGNANT, .9, ACCORD_AGREE, ANSWER_MALIGNANT);
    join(ANSWER_BENIGN, .1, ACCORD_AGREE, ANSWER_BENIGN);
    join(ANSWER_MALIGNANT, .1, ACCORD_DIFFER, ANSWER_UNCERTAIN);
    join(ANSWER_BENIGN, .9, ACCORD_DIFFER, ANSWER_UNCERTAIN);
    join(ANSWER_UNCERTAIN, .9, ACCORD_UNSURE, ANSWER_UNCERTAIN);
    join(ANSWER_UNCERTAIN, .5, ACCORD_UNSURE, ANSWER_UNCERTAIN);
    join(ANSWER_MALIGNANT, .5, ACCORD_UNSURE, ANSWER_UNCERTAIN);
    for (int map = ANSWER_BENIGN; map < ANSWER_COUNT; map++)
        join((enum answer)map, NAN, ACCORD_ALONE, (enum answer)map);
    /* the most suspicious of several regions speaks */
    const struct opinions o = opinions_join(ANSWER_MALIGNANT, (const double[]){.1, .95, .5}, 3, BAND);
    assert_int_equal(o.classifier, ANSWER_MALIGNANT);
    assert_true(o.malignant == .95);
}

static void test_why(void **state)
{
    (void)state;
    char why[OPINIONS_WHY];

    opinions_why(&(struct opinions){ANSWER_MALIGNANT, ANSWER_BENIGN, ANSWER_UNCERTAIN, ACCORD_DIFFER, .1234},
                 why);
    assert_string_equal(
        why, "the networks disagree: the map says malignant, the classifier benign (malignant with "
             "probability 0.12)");
    opinions_why(&(struct opinions){ANSWER_BENIGN, ANSWER_BENIGN, ANSWER_BENIGN, ACCORD_ALONE, NAN}, why);
    assert_contains(why, "shows no region: the classifier had nothing to judge");
}

static void put_bright(const char *path, int width, int height, struct image_box bright)
{
    struct image im = flat(width, height, IMAGE_U8, 0);
    struct err err = ERR_INIT;

    paint(&im, bright, 255);
    must(png_write(path, &im, &err), err);
    image_release(&im);
}

static const json_t *region(const json_t *j, size_t i)
{
    return json_array_get(json_object_get(j, "regions"), i);
}

/* A bright square of 40 in an image of 160 is 8 x 8 of the U-Net's map. With 4 pixels of black around it a
 * crop of 48 shows the classifier black at its left upper pixel (0, 0), but bright ones at (0, 32)...: none
 * but (32, 32) is inside, as the first row and column are margin. */
static void test_disagreement(void **state)
{
    const char *out = under(*state, "out"), *images = under(*state, "images");
    struct explain_results r = EXPLAIN_RESULTS_INIT;
    const struct band given = {10, 50};
    char *const paths[] = {(char *)images};
    struct image crop = IMAGE_INIT;
    struct csv t = CSV_INIT;
    struct err err = ERR_INIT;

    put_bright(under(images, "black.png"), 160, 160, (struct image_box){0, 0, 0, 0});
    put_bright(under(images, "corner.png"), 160, 160, (struct image_box){0, 0, 40, 40});
    put_bright(under(images, "middle.png"), 160, 160, (struct image_box){60, 60, 100, 100});
    must(explain(&r,
                 &(struct explain_request){.run = under(*state, "run"),
                                           .classifier = under(*state, "classifier"),
                                           .out = out,
                                           .path = paths,
                                           .paths = 1,
                                           .given = &given},
                 &err),
         err);
    assert_int_equal(r.files.count, 3);
    const struct explanation *black = &r.of[0].what, *corner = &r.of[1].what, *middle = &r.of[2].what;
    assert_true(black->asked && black->opinions.accord == ACCORD_ALONE);
    assert_int_equal(black->verdict, ANSWER_BENIGN);
    /* at the image's corner there is no margin above and on the left: the crop is 44 x 44 and all four places
     * are bright */
    assert_int_equal(corner->count, 1);
    assert_int_equal(corner->region[0].crop.x0, 0);
    assert_int_equal(corner->region[0].crop.x1, 44);
    assert_true(fabs(corner->region[0].malignant - corner_probability(4)) < 1e-5);
    assert_int_equal(corner->opinions.accord, ACCORD_AGREE);
    assert_int_equal(corner->verdict, ANSWER_MALIGNANT);
    /* elsewhere the margin is black: only (32, 32) is bright */
    assert_int_equal(middle->region[0].crop.x0, 56);
    assert_int_equal(middle->region[0].crop.y1, 104);
    assert_true(fabs(middle->region[0].malignant - corner_probability(1)) < 1e-5);
    assert_int_equal(middle->opinions.map, ANSWER_MALIGNANT);
    assert_int_equal(middle->opinions.accord, ACCORD_DIFFER);
    assert_int_equal(middle->verdict, ANSWER_UNCERTAIN);

    json_t *j = json_file_read(under(out, "middle.json"), &err);
    expect_text(j, "verdict", "uncertain");
    expect_text(j, "opinions.accord", "differ");
    expect_text(j, "opinions.map", "malignant");
    expect_text(j, "opinions.classifier", "benign");
    assert_contains(json_string_value(at(j, "opinions.why")), "the networks disagree");
    expect(region(j, 0), "classifier.malignant", corner_probability(1), 1e-5);
    expect_text(region(j, 0), "classifier.picture", "middle-crop-1.png");
    expect(region(j, 0), "classifier.crop.x0", 56, 0);
    expect_text(j, "classifier.task", "classify");
    expect(j, "classifier.margin", .1, 0);
    expect(j, "classifier.low", .5, 0);
    assert_contains(json_string_value(at(j, "classifier.thresholds")), "half; none were chosen");
    json_decref(j);
    j = json_file_read(under(out, "black.json"), &err);
    expect_text(j, "opinions.accord", "no region");
    assert_true(json_is_null(at(j, "opinions.malignant")));
    json_decref(j);

    must(image_read(&crop, under(out, "middle-crop-1.png"), &err), err);
    assert_true(crop.channels == 3 && crop.width > 2 * crop.height / 3 && crop.height > 448);
    /* the right lower quarter of the right picture is warm, its left upper one grey */
    const uint8_t *warm = image_u8(&crop) + ((size_t)360 * (size_t)crop.width + 456 + 380) * 3;
    const uint8_t *grey = image_u8(&crop) + ((size_t)60 * (size_t)crop.width + 456 + 60) * 3;
    assert_true(warm[0] > warm[2] + 20);
    assert_true(grey[0] == grey[2]);
    image_release(&crop);
    assert_false(file_exists(under(out, "black-crop-1.png")));
    assert_true(file_exists(under(out, "middle-overlay.png")));

    must(csv_read(&t, under(out, "summary.csv"), &err), err);
    assert_string_equal(csv_get(&t, 2, csv_column(&t, "verdict")), "uncertain");
    assert_string_equal(csv_get(&t, 2, csv_column(&t, "map")), "malignant");
    assert_string_equal(csv_get(&t, 2, csv_column(&t, "classifier")), "benign");
    assert_contains(csv_get(&t, 2, csv_column(&t, "why")), "disagree");
    assert_string_equal(csv_get(&t, 0, csv_column(&t, "classifier")), "");
    csv_release(&t);
    explain_results_release(&r);
}

static void refuse(const struct explain_request *q, const char *message)
{
    struct explain_results r = EXPLAIN_RESULTS_INIT;
    struct err err = ERR_INIT;

    assert_false(explain(&r, q, &err));
    assert_contains(err.text, message);
}

static void test_refused(void **state)
{
    char *const paths[] = {(char *)under(*state, "images")};
    struct explain_request q = {
        .run = under(*state, "classifier"), .out = under(*state, "out2"), .path = paths, .paths = 1};

    refuse(&q, "classifier is a classify run: it judges crops; a run with masks is wanted");
    q.run = under(*state, "segment");
    q.classifier = under(*state, "classifier");
    write_run(q.run, "segment", "stretch", under(*state, "data"));
    refuse(&q, "segment is a segment run: it gives no opinion that a classifier's could stand beside");
    q.run = q.classifier = under(*state, "run");
    refuse(&q, "run is no classifier: it is a black-box run");
    q.classifier = under(*state, "nowhere");
    refuse(&q, "nowhere: no such run");
}

static int prepare(void **state)
{
    if (make_folder(state))
        return -1;
    const char *run = under(*state, "run"), *data = under(*state, "data");
    const struct boxed some[] = {{"a", "p1", LABEL_BENIGN, PART_NONE, {0, 0, 8, 8}, {0, 0, 8, 8}},
                                 {"b", "p3", LABEL_BENIGN, PART_NONE, {0, 0, 8, 8}, {0, 0, 8, 8}}};

    write_data(data, some, 2);
    write_run(run, "black-box", "stretch", data);
    write_weights(under(run, "best.safetensors"), bright_values);
    write_classifier(under(*state, "classifier"), "stretch", data);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_why),
        cmocka_unit_test(test_disagreement),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, prepare, remove_folder);
}
