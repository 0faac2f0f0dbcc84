/* From an evaluation's files to a run's calibration, and what is refused on the way. */
#include "eval_help.h"

#include "base/buf.h"
#include "base/rng.h"
#include "eval/calibrate.h"
#include "eval/rows.h"

static const char *run, *weights_sha;
static char sha[FILE_SHA256_TEXT];

/* PATIENTS of each class, two images each; the malignant are higher but not all. */
enum { PATIENTS = 60 };

static void write_result(const char *folder, const char *part, const char *weights)
{
    struct run r = RUN_INIT;
    struct err err = ERR_INIT;

    must(run_read(&r, run, &err), err);
    json_t *json = json_pack("{s:s, s:{s:s}, s:{s:s, s:s, s:s}}", "format", "clearmass-result-1", "run",
                             "weights_sha256", weights, "data", "path", "data", "part", part,
                             "manifest_sha256", r.manifest_sha256);
    must(file_make_folders(folder, &err) && json_file_write(under(folder, "result.json"), json, &err), err);
    json_decref(json);
    run_release(&r);
}

#define HEADER "id,patient,label,part,score,answer,dice,iou,truth_pixels,predicted_pixels,mask\n"

static void write_predictions(const char *folder, double malignant_factor)
{
    struct buf b = BUF_INIT;
    struct rng r = rng_at(5, RNG_TEST, 0, 0);

    buf_adds(&b, HEADER);
    for (int i = 0; i < 4 * PATIENTS; i++) {
        const bool malignant = i % 4 < 2;
        const double score = exp(rng_normal(&r)) * (malignant ? malignant_factor : 1);
        buf_addf(&b, "i%d,p%d,%s,validation,%.17g,uncertain,,,0,0,masks/i%d.png\n", i, i / 2,
                 malignant ? "malignant" : "benign", score, i);
    }
    write_text(under(folder, "predictions.csv"), b.data);
    buf_release(&b);
}

static int prepare(void **state)
{
    static const struct boxed ONE[] = {{"a", "p1", LABEL_BENIGN, PART_NONE, {0, 0, 0, 0}, {0, 0, 0, 0}}};

    if (make_folder(state))
        return -1;
    run = mem_copy_string(under(*state, "run"));
    write_data(under(*state, "data"), ONE, 1);
    write_run(run, "black-box", "stretch", under(*state, "data"));
    write_text(under(run, "best.safetensors"), "weights");
    file_sha256_bytes("weights", 7, sha);
    weights_sha = sha;
    write_result(under(run, "evaluation"), "validation", weights_sha);
    write_predictions(under(run, "evaluation"), 30);
    return 0;
}

static int clear(void **state)
{
    free((char *)run);
    return remove_folder(state);
}

static void test_what_is_written_is_read(void **state)
{
    (void)state;
    struct score_calibration made = SCORE_CALIBRATION_INIT, read = SCORE_CALIBRATION_INIT;
    struct run r = RUN_INIT;
    struct err err = ERR_INIT;
    bool found = false;

    must(calibrate(&made, &(struct calibrate){.run = run, .wish = {.05, .95}}, &err), err);
    assert_true(made.guaranteed);
    assert_int_equal(made.images, 4 * PATIENTS);
    assert_int_equal(made.patients, 2 * PATIENTS);
    assert_int_equal(made.malignant, 2 * PATIENTS);
    assert_int_equal(made.promise.malignant.patients, PATIENTS);
    assert_int_equal(made.promise.malignant.allowed, 0);
    assert_true(made.platt.slope > .5);
    must(run_read(&r, run, &err) && score_calibration_read(&read, &r, weights_sha, &found, &err), err);
    assert_true(found && read.guaranteed && read.fitted);
    assert_true(read.promise.band.low == made.promise.band.low &&
                read.promise.band.high == made.promise.band.high);
    assert_true(read.wish.miss_rate == .05 && read.wish.confidence == .95);
    assert_true(read.platt.slope == made.platt.slope && read.platt.offset == made.platt.offset);
    assert_int_equal(read.isotonic.count, made.isotonic.count);
    for (double score = .01; score < 1000; score *= 3) {
        const double x = score_scaled(read.scale, score);
        assert_true(isotonic_probability(&read.isotonic, x) == isotonic_probability(&made.isotonic, x));
    }
    must(score_calibration_read(&read, &r, "other weights", &found, &err), err);
    assert_false(found);
    score_calibration_release(&made);
    score_calibration_release(&read);
    run_release(&r);
}

static void test_too_few_for_the_promise(void **state)
{
    (void)state;
    struct score_calibration made = SCORE_CALIBRATION_INIT;
    struct err err = ERR_INIT;

    must(calibrate(&made, &(struct calibrate){.run = run, .wish = {.01, .95}}, &err), err);
    assert_false(made.guaranteed);
    assert_string_equal(made.why_not,
                        "too few patients with a malignant image: 60, and a share of at most 0.01 "
                        "with a confidence of 0.95 takes at least 299");
    assert_true(made.fitted);
    score_calibration_release(&made);
}

static void refused(const char *evaluation, const char *reason)
{
    struct score_calibration made = SCORE_CALIBRATION_INIT;
    struct err err = ERR_INIT;

    assert_false(calibrate(
        &made, &(struct calibrate){.run = run, .evaluation = evaluation, .wish = {.05, .95}}, &err));
    if (!strstr(err.text, reason))
        fail_msg("'%s' is not in '%s'", reason, err.text);
}

static void test_refused(void **state)
{
    const char *other = under(*state, "other");

    refused(other, "no evaluation: 'clearmass evaluate' makes one");
    write_result(other, "test", weights_sha);
    write_predictions(other, 30);
    refused(other, "holds the test part of data; thresholds are chosen on the run's own validation part");
    write_result(other, "validation", "others");
    refused(other, "made with other weights than");
    write_result(other, "validation", weights_sha);
    write_text(under(other, "predictions.csv"), HEADER "a,p,benign,validation,3,,,,0,0,\n");
    refused(other, "nothing to calibrate on: no image that is malignant");
    write_text(under(other, "predictions.csv"), HEADER "a,p,malignant,validation,3,,,,0,0,\n");
    refused(other, "nothing to calibrate on: no image that is not malignant");
    write_text(under(other, "predictions.csv"),
               HEADER "a,p,malignant,validation,3,,,,0,0,\nb,q,benign,validation,3,,,,0,0,\n");
    refused(other, "nothing to calibrate on: all 2 images have the same score");
}

/* A line that is no prediction, and what is said of it. */
static void test_bad_predictions(void **state)
{
    static const struct {
        const char *line, *reason;
    } BAD[] = {
        {"a,p,benign,validation,nan,,,,0,0,\n", "predictions.csv: line 2: score 'nan' is no finite number"},
        {"a,p,benign,validation,inf,,,,0,0,\n", "line 2: score 'inf' is no finite number"},
        {"a,p,benign,validation,,,,,0,0,\n", "line 2: score '' is no finite number"},
        {"a,p,benign,validation,3x,,,,0,0,\n", "line 2: score '3x' is no finite number"},
        {"a,p,benign,validation,3,,nan,,0,0,\n", "line 2: dice 'nan' is no finite number"},
        {"a,p,benign,validation,3,maybe,,,0,0,\n", "line 2: unknown answer 'maybe'"},
        {"a,p,bengin,validation,3,,,,0,0,\n", "line 2: unknown label 'bengin'"},
        {"a,,benign,validation,3,,,,0,0,\n", "line 2: no patient"},
        {",p,benign,validation,3,,,,0,0,\n", "line 2: no id"},
        {"a,p,benign,validation,3,,,,0,0,\na,p,benign,validation,4,,,,0,0,\n", "id 'a' is there twice"},
        {"", "predictions.csv: not one image"},
    };
    const char *folder = under(*state, "bad");

    write_result(folder, "validation", weights_sha);
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        struct buf b = BUF_INIT;
        buf_adds(&b, HEADER);
        buf_adds(&b, BAD[i].line);
        write_text(under(folder, "predictions.csv"), b.data);
        buf_release(&b);
        refused(folder, BAD[i].reason);
    }
    write_text(under(folder, "predictions.csv"), "id,patient,label,part,score\n");
    refused(folder, "no column 'answer'");
}

static void test_a_broken_calibration(void **state)
{
    (void)state;
    static const char *const BAD[][2] = {
        {"{}", "not the calibration of a run"},
        {"{\"format\": \"clearmass-calibration-1\"}", "scale: log or logit is wanted"},
        {"{\"format\": \"clearmass-calibration-1\", \"scale\": \"log\"}",
         "platt: slope and offset must be numbers"},
        {"{\"format\": \"clearmass-calibration-1\", \"scale\": \"log\", \"platt\": {\"slope\": 1, "
         "\"offset\": 0}, "
         "\"isotonic\": [[2, 0.5], [1, 0.6]]}",
         "isotonic: pairs of rising x and rising probabilities"},
        {"{\"format\": \"clearmass-calibration-1\", \"scale\": \"log\", \"platt\": {\"slope\": 1, "
         "\"offset\": 0}, "
         "\"guaranteed\": {\"low\": 3, \"high\": 2}, \"isotonic\": [[1, 0.5]]}",
         "low and high must be numbers, low no larger than high"},
    };
    struct run r = RUN_INIT;
    struct err err = ERR_INIT;

    must(run_read(&r, run, &err), err);
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        struct score_calibration c = SCORE_CALIBRATION_INIT;
        bool found;
        write_text(under(run, "calibration.json"), BAD[i][0]);
        assert_false(score_calibration_read(&c, &r, weights_sha, &found, &err));
        if (!strstr(err.text, BAD[i][1]) || !strstr(err.text, "calibration.json"))
            fail_msg("'%s' is not in '%s'", BAD[i][1], err.text);
        score_calibration_release(&c);
    }
    run_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_is_read),
        cmocka_unit_test(test_too_few_for_the_promise),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_bad_predictions),
        cmocka_unit_test(test_a_broken_calibration),
    };
    return cmocka_run_group_tests(tests, prepare, clear);
}
