/* Explanations: regions and shares of maps made by hand; files found; folders explained end to end. */
#include "eval_help.h"

#include "base/csv.h"
#include "base/rng.h"
#include "base/stop.h"
#include "eval/explain_job.h"
#include "eval/overlay.h"
#include "eval/thresholds.h"
#include "io/image_file.h"

#include <signal.h>
#include <sys/stat.h>

static void near(double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance))
        fail_msg("%.17g instead of %.17g", a, b);
}

static void fill(float *map, struct image_box b, float v)
{
    for (int y = b.y0; y < b.y1; y++)
        for (int x = b.x0; x < b.x1; x++)
            map[y * SIZE + x] = v;
}

static struct explanation explained(const float *map, const struct prep_plan *plan, const struct band *band)
{
    struct explanation x;
    struct err err = ERR_INIT;

    must(explain_map(&x, map, plan, band, &err), err);
    return x;
}

/* A square of 32 made from the part 40..680 x 100..420 of an image of 800 x 500. */
static const struct prep_plan PLAN = {800, 500, SIZE, {40, 100, 680, 420}, {0, 0, SIZE, SIZE}};

static void test_regions_in_the_images_own_pixels(void **state)
{
    (void)state;
    float map[SIZE * SIZE];
    const struct band band = {1, 50};

    fill(map, (struct image_box){0, 0, SIZE, SIZE}, .001f);
    fill(map, (struct image_box){2, 3, 6, 5}, .9f);
    fill(map, (struct image_box){20, 10, 30, 20}, .6f);
    fill(map, (struct image_box){10, 30, 11, 31}, .51f); /* under 1 % of the score */
    const struct explanation x = explained(map, &PLAN, &band);
    assert_int_equal(x.count, 2);
    assert_int_equal(x.verdict, ANSWER_MALIGNANT);
    near(x.cut, .45, 1e-6); /* half the peak */
    near(x.peak, .9, 1e-6);
    const struct explain_region *a = &x.region[0], *b = &x.region[1];
    near(a->score, 60, 1e-4);
    near(b->score, 7.2, 1e-5);
    near(b->peak, .9, 1e-6);
    assert_int_equal(a->box.x0, 40 + 20 * 20);
    assert_int_equal(a->box.x1, 40 + 30 * 20);
    assert_int_equal(a->box.y0, 100 + 10 * 10);
    assert_int_equal(a->box.y1, 100 + 20 * 10);
    near(a->area_pixels, 100 * 200, 1e-6);
    near(a->area_share, 20000. / (800 * 500), 1e-12);
}

/* The score is a sum: without a region it is the sum of the others and the rest, and has a verdict. */
static void test_without_each_region(void **state)
{
    (void)state;
    float map[SIZE * SIZE];
    const struct band band = {9, 66};

    fill(map, (struct image_box){0, 0, SIZE, SIZE}, .001f); /* 916 pixels of it stay outside */
    fill(map, (struct image_box){2, 3, 6, 5}, .9f);
    fill(map, (struct image_box){20, 10, 30, 20}, .6f);
    const struct explanation x = explained(map, &PLAN, &band);
    assert_int_equal(x.verdict, ANSWER_MALIGNANT);
    assert_int_equal(x.count, 2);
    near(x.region[0].score_without, 7.2 + .916, 1e-5);
    near(x.region[1].score_without, 60 + .916, 1e-4);
    assert_int_equal(x.region[0].without, ANSWER_BENIGN);
    assert_int_equal(x.region[1].without, ANSWER_UNCERTAIN);
    assert_int_equal(x.rest_verdict, ANSWER_BENIGN);
    json_t *j = json_object();
    explanation_json(j, &x);
    const json_t *without = json_object_get(json_array_get(json_object_get(j, "regions"), 1), "without");
    assert_string_equal(json_string_value(json_object_get(without, "verdict")), "uncertain");
    near(json_number_value(json_object_get(without, "score")), x.region[1].score_without, 0);
    assert_string_equal(json_string_value(json_object_get(j, "rest_verdict")), "benign");
    json_decref(j);
    /* what is nearly all of a score leaves exactly what lies elsewhere, not a difference of large sums */
    fill(map, (struct image_box){0, 0, SIZE, SIZE}, 0);
    fill(map, (struct image_box){0, 0, 20, 20}, 1);
    map[SIZE * SIZE - 1] = 1e-15f;
    near(explained(map, &PLAN, &band).region[0].score_without, (double)1e-15f, 0);
    /* a run that does not judge has scores and no verdicts */
    const struct explanation y = explained(map, &PLAN, NULL);
    j = json_object();
    explanation_json(j, &y);
    without = json_object_get(json_array_get(json_object_get(j, "regions"), 0), "without");
    assert_true(json_is_null(json_object_get(without, "verdict")));
    assert_true(json_is_null(json_object_get(j, "rest_verdict")));
    json_decref(j);
}

static void test_shares_add_up(void **state)
{
    (void)state;
    float map[SIZE * SIZE];
    struct rng r = rng_at(1, RNG_TEST, 0, 0);

    for (int k = 0; k < 20; k++) {
        double score = 0, shares = 0;
        for (int i = 0; i < SIZE * SIZE; i++)
            map[i] = (float)pow(rng_uniform(&r), 1 + k);
        const struct explanation x = explained(map, &PLAN, NULL);
        for (int i = 0; i < x.count; i++) {
            score += x.region[i].score;
            shares += x.region[i].score_share;
        }
        near(score + x.rest_score, x.score, 1e-12 * x.score);
        near(shares + x.rest_score / x.score, 1, 1e-12);
        assert_true(x.count <= EXPLAIN_REGIONS);
        assert_string_equal(explanation_verdict(&x), "none");
    }
}

static void test_faint_maps(void **state)
{
    (void)state;
    float map[SIZE * SIZE] = {0};
    const struct band band = {.0001, 100};

    struct explanation x = explained(map, &PLAN, &band);
    assert_int_equal(x.count, 0);
    assert_int_equal(x.verdict, ANSWER_BENIGN);
    near(x.score, 0, 0);
    near(x.rest_score, 0, 0);
    fill(map, (struct image_box){5, 5, 7, 7}, .004f); /* faint, but it stands out */
    x = explained(map, &PLAN, &band);
    assert_int_equal(x.verdict, ANSWER_UNCERTAIN);
    assert_int_equal(x.count, 1);
    near(x.region[0].score_share, 1, 0);
    fill(map, (struct image_box){0, 0, SIZE, SIZE}, .0005f); /* nowhere more than the faintest */
    x = explained(map, &PLAN, &band);
    assert_int_equal(x.verdict, ANSWER_UNCERTAIN);
    assert_int_equal(x.count, 0);
    near(x.rest_score, x.score, 0);
}

/* A padded square: what lies in its black border is counted, but no place of the image. */
static void test_border_of_a_padded_square(void **state)
{
    (void)state;
    const struct prep_plan plan = {100, 50, SIZE, {0, 0, 100, 50}, {0, 8, SIZE, 24}};
    const struct band band = {1, 50};
    float map[SIZE * SIZE] = {0};

    fill(map, (struct image_box){0, 0, 4, 10}, 1); /* 8 rows in the border, 2 in the image */
    const struct explanation x = explained(map, &plan, &band);
    assert_int_equal(x.count, 1);
    near(x.score, 40, 0);
    near(x.region[0].score, 8, 0);
    near(x.rest_score, 32, 0);
    assert_int_equal(x.region[0].box.y0, 0);
    assert_int_equal(x.region[0].box.x1, 13); /* 12.5 */
    assert_int_equal(x.region[0].box.y1, 7);  /* 6.25 */
}

static void test_json(void **state)
{
    (void)state;
    float map[SIZE * SIZE] = {0};
    const struct band band = {1, 50};
    json_t *j = json_object();

    fill(map, (struct image_box){0, 0, 2, 2}, .75f);
    const struct explanation x = explained(map, &PLAN, &band);
    explanation_json(j, &x);
    assert_string_equal(json_string_value(json_object_get(j, "verdict")), "uncertain");
    near(json_number_value(json_object_get(j, "score")), 3, 0);
    near(json_number_value(json_object_get(j, "high")), 50, 0);
    const json_t *r = json_array_get(json_object_get(j, "regions"), 0);
    near(json_number_value(json_object_get(r, "x1")), 80, 0);
    near(json_number_value(json_object_get(r, "score_share")), 1, 0);
    near(json_number_value(json_object_get(r, "peak")), .75, 0);
    near(json_number_value(json_object_get(j, "rest_score")), 0, 0);
    json_decref(j);
}

static const uint8_t *pixel(const struct image *im, int x, int y)
{
    return image_u8(im) + ((size_t)y * (size_t)im->width + (size_t)x) * 3;
}

static void test_overlay(void **state)
{
    (void)state;
    struct image grey = flat(400, 300, IMAGE_U8, 80), out = IMAGE_INIT;
    const struct prep_plan plan = {400, 300, SIZE, {0, 0, 400, 300}, {0, 0, SIZE, SIZE}};
    const struct band band = {1, 5};
    float map[SIZE * SIZE] = {0};
    struct err err = ERR_INIT;

    fill(map, (struct image_box){8, 8, 16, 16}, .8f);
    const struct explanation x = explained(map, &plan, &band);
    must(overlay_draw(&out, &x, &(struct overlay_source){&grey, map, &plan, "published"}, &err), err);
    assert_int_equal(out.width, 400);
    assert_true(out.height > 300 + 20 && out.channels == 3);
    /* far from the region the picture is what it was, in the middle of it it is warm and still shows the
     * tissue */
    assert_int_equal(pixel(&out, 350, 250)[0], 80);
    assert_int_equal(pixel(&out, 350, 250)[2], 80);
    const uint8_t *warm = pixel(&out, 150, 112);
    assert_true(warm[0] > 120 && warm[0] > warm[1] && warm[1] > warm[2] && warm[2] > 20);
    /* the box, three pixels outside the region's own */
    assert_int_equal(pixel(&out, 100 - 3, 110)[0], 255);
    /* the strip is dark with light letters */
    int light = 0;
    for (int y = 300; y < out.height; y++)
        for (int i = 0; i < out.width; i++)
            light += pixel(&out, i, y)[0] > 200;
    assert_true(light > 200);
    assert_true(pixel(&out, 399, out.height - 1)[0] < 60);
    image_release(&grey);
    image_release(&out);
}

/* Two places so near that the frame of the first crosses the number of the second, which must stay whole. */
static void test_overlay_numbers(void **state)
{
    (void)state;
    enum { GROWN = 3, TAG = 20 };
    struct image grey = flat(400, 400, IMAGE_U8, 80), out = IMAGE_INIT;
    const struct prep_plan plan = {400, 400, SIZE, {0, 0, 400, 400}, {0, 0, SIZE, SIZE}};
    float map[SIZE * SIZE] = {0};
    struct err err = ERR_INIT;

    fill(map, (struct image_box){4, 4, 20, 14}, .9f);
    fill(map, (struct image_box){8, 15, 16, 20}, .8f);
    const struct explanation x = explained(map, &plan, NULL);
    assert_int_equal(x.count, 2);
    const struct image_box first = x.region[0].box, second = x.region[1].box;
    assert_true(first.y1 + GROWN > second.y0 - GROWN - TAG && first.y1 + GROWN < second.y0 - GROWN);
    must(overlay_draw(&out, &x, &(struct overlay_source){&grey, map, &plan, NULL}, &err), err);
    for (int y = second.y0 - GROWN - TAG; y < second.y0 - GROWN; y++) /* left of the digit */
        assert_int_equal(pixel(&out, second.x0 - GROWN, y)[0], 255);
    image_release(&grey);
    image_release(&out);
}

static void test_overlay_of_a_narrow_image(void **state)
{
    (void)state;
    struct image grey = flat(7, 500, IMAGE_U16, 1000), out = IMAGE_INIT;
    const struct prep_plan plan = {7, 500, SIZE, {0, 0, 7, 500}, {0, 0, SIZE, SIZE}};
    float map[SIZE * SIZE] = {0};
    struct err err = ERR_INIT;

    fill(map, (struct image_box){0, 0, SIZE, SIZE}, 1);
    const struct explanation x = explained(map, &plan, NULL);
    must(overlay_draw(&out, &x, &(struct overlay_source){&grey, map, &plan, NULL}, &err), err);
    assert_true(out.width >= 300 && out.height > 500);
    image_release(&grey);
    image_release(&out);
}

static void put_png(const char *path, int width, int height, struct image_box bright)
{
    struct image im = flat(width, height, IMAGE_U8, 0);
    struct err err = ERR_INIT;

    paint(&im, bright, 255);
    must(png_write(path, &im, &err), err);
    image_release(&im);
}

static void test_files(void **state)
{
    const char *top = under(*state, "files");
    struct explain_files f = EXPLAIN_FILES_INIT;
    struct err err = ERR_INIT;

    put_png(under(top, "b/one.png"), 4, 4, (struct image_box){0, 0, 1, 1});
    put_png(under(top, "a/one.png"), 4, 4, (struct image_box){0, 0, 1, 1});
    put_png(under(top, "b/x/1.2.34"), 4, 4, (struct image_box){0, 0, 1, 1});
    put_png(under(top, "b/x/1.2.35"), 4, 4, (struct image_box){0, 0, 1, 1});
    put_png(under(top, "c/one-2.png"), 4, 4, (struct image_box){0, 0, 1, 1});
    put_png(under(top, "c/two.png"), 4, 4, (struct image_box){0, 0, 1, 1});
    put_png(under(top, "c/two.tif"), 4, 4, (struct image_box){0, 0, 1, 1});
    put_png(under(top, "c/two-2.jpg"), 4, 4, (struct image_box){0, 0, 1, 1});
    put_png(under(top, "c/nameless"), 4, 4, (struct image_box){0, 0, 1, 1});
    put_png(under(top, "out/one-overlay.png"), 4, 4, (struct image_box){0, 0, 1, 1});
    put_png(under(top, "a/.hidden.png"), 4, 4, (struct image_box){0, 0, 1, 1});
    write_text(under(top, "a/notes.txt"), "no image");
    write_text(under(top, "a/broken.png"), "no image");
    write_text(under(top, "a/empty.dcm"), "");
    assert_int_equal(mkfifo(under(top, "a/pipe.png"), 0600), 0);
    assert_int_equal(symlink("..", under(top, "a/loop")), 0);
    assert_int_equal(symlink("nowhere", under(top, "a/dangling.png")), 0);
    char *const paths[] = {(char *)top};
    must(explain_files_find(&f, paths, 1, under(top, "out"), &err), err);
    const char *const names[][2] = {
        {"a/broken.png", "broken"}, {"a/empty.dcm", "empty"}, {"a/one.png", "a-one"},
        {"b/one.png", "b-one"},     {"b/x/1.2.34", "1.2.34"}, {"b/x/1.2.35", "1.2.35"},
        {"c/nameless", "nameless"}, {"c/one-2.png", "one-2"}, {"c/two-2.jpg", "two-2"},
        {"c/two.png", "two"},       {"c/two.tif", "two-3"}}; /* two-2 is another file's */
    assert_int_equal(f.count, 11);
    for (size_t i = 0; i < f.count; i++) {
        assert_string_equal(f.file[i].path, under(top, names[i][0]));
        assert_string_equal(f.file[i].stem, names[i][1]);
    }
    explain_files_release(&f);
    file_make_folders(under(*state, "empty/x"), NULL);
    char *const none[] = {(char *)under(*state, "empty")};
    assert_false(explain_files_find(&f, none, 1, NULL, &err));
    assert_contains(err.text, "empty: no image in it");
}

static void test_files_of_any_bytes(void **state)
{
    struct explain_files f = EXPLAIN_FILES_INIT;
    struct err err = ERR_INIT;
    char *const paths[] = {(char *)"x/\xff.png", (char *)"y/\xff.png", (char *)"z/\xc3\xa4.png"};

    (void)state;
    must(explain_files_find(&f, paths, 3, NULL, &err), err);
    assert_string_equal(f.file[0].stem, "x-_");
    assert_string_equal(f.file[1].stem, "y-_");
    assert_string_equal(f.file[2].stem, "\xc3\xa4");
    explain_files_release(&f);
}

static const char *summary_of(const struct csv *t, size_t row, const char *column)
{
    return csv_get(t, row, csv_column(t, column));
}

/* The network marks what is bright; 16 x 16 squares of 64 x 64 images are 8 x 8 of the map. */
static void test_a_folder_end_to_end(void **state)
{
    const char *run = under(*state, "run"), *images = under(*state, "images"), *out = under(*state, "out");
    struct explain_results r = EXPLAIN_RESULTS_INIT;
    struct image mask = IMAGE_INIT, overlay = IMAGE_INIT;
    struct csv t = CSV_INIT;
    struct err err = ERR_INIT;
    char *const paths[] = {(char *)images, (char *)under(*state, "missing.png")};
    const struct band band = {10, 50};

    put_png(under(images, "black.png"), 64, 64, (struct image_box){0, 0, 0, 0});
    put_png(under(images, "bright.png"), 64, 64, (struct image_box){16, 32, 32, 48});
    put_png(under(images, "dot.png"), 64, 64, (struct image_box){8, 8, 16, 16});
    write_text(under(images, "junk.png"), "junk");
    must(explain(&r,
                 &(struct explain_request){.run = run, .out = out, .path = paths, .paths = 2, .given = &band},
                 &err),
         err);
    assert_int_equal(r.files.count, 5);
    assert_int_equal(r.failed, 2);
    assert_string_equal(r.thresholds, "given");
    assert_int_equal(r.of[0].what.verdict, ANSWER_BENIGN);
    assert_int_equal(r.of[1].what.verdict, ANSWER_MALIGNANT);
    assert_int_equal(r.of[2].what.verdict, ANSWER_UNCERTAIN);
    near(r.of[1].what.score, 64, 1e-4);
    assert_int_equal(r.of[1].what.region[0].box.x0, 16);
    assert_int_equal(r.of[1].what.region[0].box.y1, 48);
    assert_contains(r.of[3].error, "junk.png: not a PNG, JPEG, TIFF or DICOM file");
    assert_contains(r.of[4].error, "missing.png: No such file");
    must(csv_read(&t, under(out, "summary.csv"), &err), err);
    assert_int_equal(t.count, 5);
    assert_string_equal(summary_of(&t, 0, "verdict"), "benign");
    assert_string_equal(summary_of(&t, 0, "regions"), "0");
    assert_string_equal(summary_of(&t, 1, "error"), "");
    assert_string_equal(summary_of(&t, 3, "verdict"), "");
    assert_contains(summary_of(&t, 3, "error"), "not a PNG");
    must(image_read(&mask, under(out, "bright-mask.png"), &err), err);
    assert_true(mask.width == 64 && mask.height == 64 && mask.channels == 1 && mask.type == IMAGE_U8);
    assert_int_equal(image_u8(&mask)[40 * 64 + 24], 255);
    assert_int_equal(image_u8(&mask)[10 * 64 + 10], 0);
    must(image_read(&overlay, under(out, "bright-overlay.png"), &err), err);
    assert_true(overlay.channels == 3 && overlay.height > 64);
    image_release(&mask);
    image_release(&overlay);
    csv_release(&t);
    explain_results_release(&r);
}

static void test_the_json_file(void **state)
{
    const char *out = under(*state, "out");
    struct err err = ERR_INIT;
    char sha256[FILE_SHA256_TEXT];
    json_t *j = json_file_read(under(out, "bright.json"), &err);

    if (!j)
        fail_msg("%s", err.text);
    must(file_sha256(under(*state, "images/bright.png"), sha256, &err), err);
    const json_t *im = json_object_get(j, "image"), *run = json_object_get(j, "run");
    assert_string_equal(json_string_value(json_object_get(j, "format")), "clearmass-explanation-1");
    assert_contains(json_string_value(json_object_get(j, "disclaimer")), "not a medical device");
    assert_string_equal(json_string_value(json_object_get(im, "sha256")), sha256);
    assert_int_equal(json_integer_value(json_object_get(im, "width")), 64);
    assert_string_equal(json_string_value(json_object_get(run, "task")), "black-box");
    assert_int_equal(json_integer_value(json_object_get(run, "epoch")), 7);
    assert_string_equal(json_string_value(json_object_get(j, "thresholds")), "given");
    json_decref(j);
    assert_false(file_exists(under(out, "junk.json")));
}

static void test_thresholds_of_the_run(void **state)
{
    const char *run = under(*state, "run");
    struct predictor p = PREDICTOR_INIT;
    struct explain_results r = EXPLAIN_RESULTS_INIT;
    struct err err = ERR_INIT;
    char *const paths[] = {(char *)under(*state, "images/dot.png")};
    const struct explain_request request = {
        .run = run, .out = under(*state, "out2"), .path = paths, .paths = 1, .given = NULL};

    must(explain(&r, &request, &err), err);
    assert_contains(r.thresholds, "published");
    near(r.band.low, .0001, 0);
    must(predictor_open(&p, run, &err), err);
    must(file_sha256(under(run, "best.safetensors"), p.weights_sha256, &err), err);
    must(thresholds_write(&(struct thresholds){{3, 7}, {.9, .9}, 5}, &p, &err), err);
    predictor_close(&p);
    must(explain(&r, &request, &err), err);
    assert_contains(r.thresholds, "chosen");
    near(r.band.high, 7, 0);
    assert_int_equal(r.of[0].what.verdict, ANSWER_MALIGNANT); /* 16 pixels */
    explain_results_release(&r);
}

static void test_a_segment_run_gives_no_verdict(void **state)
{
    const char *run = under(*state, "segment");
    struct explain_results r = EXPLAIN_RESULTS_INIT;
    struct err err = ERR_INIT;
    char *const paths[] = {(char *)under(*state, "images/bright.png")};

    write_run(run, "segment", "pad", NULL);
    assert_int_equal(symlink(under(*state, "run/best.safetensors"), under(run, "best.safetensors")), 0);
    json_t *j = json_file_read(under(run, "run.json"), &err), *data = json_object_get(j, "data");
    const char *hash = "0123456789012345678901234567890123456789012345678901234567890123";
    json_object_set_new(data, "manifest_sha256", json_string(hash));
    json_object_set_new(data, "split_sha256", json_string(hash));
    must(json_file_write(under(run, "run.json"), j, &err), err);
    json_decref(j);
    must(explain(
             &r,
             &(struct explain_request){.run = run, .out = under(*state, "out3"), .path = paths, .paths = 1},
             &err),
         err);
    assert_int_equal(r.of[0].what.count, 1);
    j = json_file_read(under(*state, "out3/bright.json"), &err);
    assert_string_equal(json_string_value(json_object_get(j, "verdict")), "none");
    assert_contains(json_string_value(json_object_get(j, "note")), "no opinion on malignancy");
    assert_true(json_is_null(json_object_get(j, "low")));
    json_decref(j);
    explain_results_release(&r);
}

static void test_refused(void **state)
{
    struct explain_results r = EXPLAIN_RESULTS_INIT;
    struct err err = ERR_INIT;
    char *const paths[] = {(char *)under(*state, "images")};
    struct explain_request q = {
        .run = under(*state, "none"), .out = under(*state, "out4"), .path = paths, .paths = 1};

    assert_false(explain(&r, &q, &err));
    assert_contains(err.text, "none: no such run");
    assert_false(file_exists(q.out));
    q.run = under(*state, "run");
    q.out = under(*state, "images/junk.png"); /* a file stands there */
    err = (struct err)ERR_INIT;
    assert_false(explain(&r, &q, &err));
    assert_contains(err.text, "junk.png");
}

static const float *stopped_forward(void *self, const float *input, const struct nn_step *step)
{
    raise(SIGINT);
    return nn_backend_onednn.forward(self, input, step);
}

/* Ctrl-C while the first images are judged: they are written and listed. Last: a stop stays requested. */
static void test_a_stop_lists_what_is_done(void **state)
{
    const char *images = under(*state, "many"), *out = under(*state, "out5");
    struct nn_backend stopped = nn_backend_onednn;
    struct explain_results r = EXPLAIN_RESULTS_INIT;
    struct csv t = CSV_INIT;
    struct err err = ERR_INIT;
    char *const paths[] = {(char *)images};
    char name[16];

    for (int i = 0; i < 11; i++) {
        snprintf(name, sizeof name, "%02d.png", i);
        put_png(under(images, name), 64, 64, (struct image_box){0, 0, 4, 4});
    }
    stop_install();
    stopped.forward = stopped_forward;
    assert_false(
        explain(&r,
                &(struct explain_request){
                    .run = under(*state, "run"), .out = out, .path = paths, .paths = 1, .backend = &stopped},
                &err));
    assert_int_equal(err.kind, ERR_CANCELLED);
    assert_contains(err.text, "interrupted: 8 of 11 images are done");
    must(csv_read(&t, under(out, "summary.csv"), &err), err);
    assert_int_equal(t.count, 8);
    assert_contains(summary_of(&t, 7, "path"), "07.png");
    assert_string_equal(summary_of(&t, 7, "error"), "");
    assert_true(file_exists(under(out, "07.json")));
    csv_release(&t);
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
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_regions_in_the_images_own_pixels),
        cmocka_unit_test(test_without_each_region),
        cmocka_unit_test(test_shares_add_up),
        cmocka_unit_test(test_faint_maps),
        cmocka_unit_test(test_border_of_a_padded_square),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_overlay),
        cmocka_unit_test(test_overlay_numbers),
        cmocka_unit_test(test_overlay_of_a_narrow_image),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_files_of_any_bytes),
        cmocka_unit_test(test_a_folder_end_to_end),
        cmocka_unit_test(test_the_json_file),
        cmocka_unit_test(test_thresholds_of_the_run),
        cmocka_unit_test(test_a_segment_run_gives_no_verdict),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_a_stop_lists_what_is_done),
    };
    return cmocka_run_group_tests(tests, prepare, remove_folder);
}
