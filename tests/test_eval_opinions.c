/* Two opinions: how answers are joined; explained end to end with a U-Net that marks what is bright and a
 * classifier that sees four corners of a crop (eval_help.h, eval_classifier.h). */
#include "eval_classifier.h"

#include "base/csv.h"
#include "eval/evaluate_opinions.h"
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
    assert_true(o.malignant == .95 && o.region == 1);
}

static void test_why(void **state)
{
    (void)state;
    char why[OPINIONS_WHY];

    opinions_why(
        &(struct opinions){ANSWER_MALIGNANT, ANSWER_BENIGN, ANSWER_UNCERTAIN, ACCORD_DIFFER, 0, .1234}, why);
    assert_string_equal(
        why, "the networks disagree: the map says malignant, the classifier benign (malignant with "
             "probability 0.12)");
    opinions_why(&(struct opinions){ANSWER_BENIGN, ANSWER_BENIGN, ANSWER_BENIGN, ACCORD_ALONE, -1, NAN}, why);
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
    assert_true(json_is_null(at(j, "opinions.region")));
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

/* Every third patient trains. A region of 32 x 32 with room around it is judged benign by the classifier (its
 * margin is black), one in the corner malignant. */
static const struct boxed DATA[] = {
    {"agree", "p1", LABEL_MALIGNANT, PART_NONE, {0, 0, 64, 32}, {0, 0, 64, 32}},
    {"differ", "p2", LABEL_BENIGN, PART_NONE, {40, 16, 104, 48}, {40, 16, 104, 48}},
    {"differ2", "p2", LABEL_MALIGNANT, PART_NONE, {40, 16, 104, 48}, {40, 16, 104, 48}},
    {"alone", "p4", LABEL_NORMAL, PART_NONE, {0, 0, 0, 0}, {0, 0, 0, 0}},
    {"train", "p3", LABEL_MALIGNANT, PART_NONE, {0, 0, 32, 32}, {0, 0, 32, 32}},
    {"test", "p10", LABEL_BENIGN, PART_TEST, {0, 0, 64, 32}, {0, 0, 64, 32}},
};
enum { IMAGES = sizeof DATA / sizeof *DATA };

static json_t *measured(const struct evaluation *e)
{
    struct err err = ERR_INIT;
    json_t *json = NULL;

    struct evaluation here = *e;

    here.allow_leak = true; /* a copy under other names */
    must(evaluate_opinions(&here, &json, &err), err);
    return json;
}

static void test_one_system(void **state)
{
    const struct band given = {10, 50};
    const char *run = under(*state, "own"), *out = under(run, "opinions");
    struct csv t = CSV_INIT;
    struct err err = ERR_INIT;
    json_t *r = measured(&(struct evaluation){
        .run = run, .classifier = under(*state, "classifier"), .given = &given, .batch = 4});

    expect_text(r, "format", "clearmass-opinions-1");
    expect_text(r, "data.part", "validation");
    expect(r, "data.images", 4, 0);
    expect(r, "data.left_out", 0, 0);
    expect(r, "majority_class", .5, 0);
    expect(r, "accord.agree", 1, 0);
    expect(r, "accord.differ", 2, 0);
    expect(r, "accord.no region", 1, 0);
    expect_text(r, "systems.0.name", "together");
    expect(r, "systems.0.three_way.0.0", 1, 0); /* alone */
    expect(r, "systems.0.three_way.0.1", 1, 0); /* differ */
    expect(r, "systems.0.three_way.1.1", 1, 0);
    expect(r, "systems.0.three_way.1.2", 1, 0);
    expect(r, "systems.0.accuracy_of_decided.value", 1, 0);
    assert_true(json_number_value(at(r, "systems.0.accuracy_of_decided.low")) < .5);
    expect(r, "systems.0.majority_class_of_decided", .5, 0);
    expect(r, "systems.0.uncertain.value", .5, 0);
    expect(r, "systems.1.three_way.0.2", 1, 0); /* the map alone calls "differ" malignant */
    expect(r, "systems.1.accuracy_of_decided.value", .75, 0);
    expect(r, "systems.1.benign_called_malignant.value", .5, 0);
    expect(r, "systems.2.images", 3, 0);
    expect(r, "systems.2.three_way.1.0", 1, 0); /* the classifier alone misses "differ2" */
    expect(r, "systems.2.malignant_called_benign.value", .5, 0);
    json_decref(r);
    must(csv_read(&t, under(out, "predictions.csv"), &err), err);
    assert_int_equal(t.count, 4);
    assert_string_equal(csv_get(&t, 2, csv_column(&t, "id")), "differ");
    assert_string_equal(csv_get(&t, 2, csv_column(&t, "answer")), "uncertain");
    assert_string_equal(csv_get(&t, 2, csv_column(&t, "map")), "malignant");
    assert_string_equal(csv_get(&t, 2, csv_column(&t, "classifier")), "benign");
    assert_string_equal(csv_get(&t, 2, csv_column(&t, "region")), "1");
    assert_string_equal(csv_get(&t, 1, csv_column(&t, "malignant")), "");
    csv_release(&t);
    assert_true(file_exists(under(out, "disagreements/differ-overlay.png")));
    assert_true(file_exists(under(out, "disagreements/differ2-crop-1.png")));
    assert_false(file_exists(under(out, "disagreements/agree-overlay.png")));
}

static void rewrite_split(const char *run, const char *from, const char *to)
{
    char *text = read_text(under(run, "split.csv")), *at = strstr(text, from), hash[FILE_SHA256_TEXT];
    struct err err = ERR_INIT;

    assert_non_null(at);
    char *changed = mem_printf("%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
    write_text(under(run, "split.csv"), changed);
    must(file_sha256(under(run, "split.csv"), hash, &err), err);
    json_t *json = json_file_read(under(run, "run.json"), &err);
    json_object_set_new(json_object_get(json, "data"), "split_sha256", json_string(hash));
    must(json_file_write(under(run, "run.json"), json, &err), err);
    json_decref(json);
    free(changed);
    free(text);
}

/* What the classifier learned from is left out: by its own split, and, in another data set, by the files. */
static void test_leaks(void **state)
{
    const char *other = under(*state, "leaky"), *copy = under(*state, "copy");
    struct boxed more[IMAGES];
    const struct evaluation e = {.run = under(*state, "own"), .classifier = other, .batch = 4};

    write_run_of_classifier(other, under(*state, "data"));
    assert_int_equal(symlink(under(*state, "classifier/best.safetensors"), under(other, "best.safetensors")),
                     0);
    rewrite_split(other, "agree,p1,validation", "agree,p1,train");
    json_t *r = measured(&e);
    expect(r, "data.images", 3, 0);
    expect(r, "data.left_out", 1, 0);
    json_decref(r);
    /* the same images under other names are still the same: p1 is left out, and so is all of a patient p9 one
     * of whose images is that of "train"; p2 is called as a patient that trained nowhere */
    memcpy(more, DATA, sizeof more);
    more[0].id = "renamed", more[0].patient = "x";
    more[4].id = "also", more[4].patient = "p9";
    more[5].id = "his", more[5].patient = "p9";
    write_data(copy, more, IMAGES);
    r = measured(&(struct evaluation){.run = e.run, .classifier = other, .data = copy, .batch = 4});
    expect_text(r, "data.part", "external");
    expect(r, "data.left_out", 3, 0);
    expect(r, "data.images", 3, 0);
    expect(r, "data.test_evaluations", 1, 0);
    json_decref(r);
    assert_true(file_exists(under(other, "test_evaluations.csv")));
}

static void refuse_to_measure(const struct evaluation *e, const char *message)
{
    struct err err = ERR_INIT;

    assert_false(evaluate_opinions(e, NULL, &err));
    assert_contains(err.text, message);
}

static void test_measuring_refused(void **state)
{
    struct evaluation e = {
        .run = under(*state, "own"), .classifier = under(*state, "classifier"), .part = EVAL_TRAIN};

    refuse_to_measure(&e, "two networks are measured on images that neither learned from");
    e.part = EVAL_ALL;
    refuse_to_measure(&e, "two networks are measured on images that neither learned from");
    e.part = EVAL_DEFAULT;
    e.run = under(*state, "segment");
    refuse_to_measure(&e, "segment is a segment run");
    e.run = under(*state, "own");
    e.classifier = e.run;
    refuse_to_measure(&e, "own is no classifier");
    /* all validation patients trained the classifier */
    const char *all = under(*state, "all");
    write_run_of_classifier(all, under(*state, "data"));
    assert_int_equal(symlink(under(*state, "classifier/best.safetensors"), under(all, "best.safetensors")),
                     0);
    for (int i = 0; i < 4; i++) {
        char *from = mem_printf("%s,%s,validation", DATA[i].id, DATA[i].patient);
        char *to = mem_printf("%s,%s,train", DATA[i].id, DATA[i].patient);
        rewrite_split(all, from, to);
        free(from);
        free(to);
    }
    e.classifier = all;
    refuse_to_measure(&e, "no image is left: all 4 are of patients that");
}

static int prepare(void **state)
{
    if (make_folder(state))
        return -1;
    const char *run = under(*state, "run"), *data = under(*state, "data");

    write_data(data, DATA, IMAGES);
    write_run(run, "black-box", "stretch", data);
    write_weights(under(run, "best.safetensors"), bright_values);
    write_run(under(*state, "own"), "black-box", "stretch", data);
    if (symlink(under(run, "best.safetensors"), under(*state, "own/best.safetensors")))
        return -1;
    write_classifier(under(*state, "classifier"), data);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_join),
        cmocka_unit_test(test_why),
        cmocka_unit_test(test_disagreement),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_one_system),
        cmocka_unit_test(test_leaks),
        cmocka_unit_test(test_measuring_refused),
    };
    return cmocka_run_group_tests(tests, prepare, remove_folder);
}
