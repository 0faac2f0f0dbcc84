#include "data_help.h"

#include "data/prep.h"

#include <math.h>

enum { S = 64 };

static struct prep_plan planned(const struct prep *p, const struct image *im)
{
    struct prep_plan plan;

    prep_plan_make(&plan, p, im);
    return plan;
}

static void stretch_means_areas(void **state)
{
    const struct prep p = {S, PREP_STRETCH, false, PREP_CENTRED};
    struct image im = flat(2 * S, 3 * S, IMAGE_U16, 0);
    struct err err = ERR_INIT;
    uint16_t out[S * S];

    (void)state;
    for (size_t i = 0; i < image_pixels(&im); i++)
        image_u16(&im)[i] = (uint16_t)(i * 2654435761u >> 7);
    struct prep_plan plan = planned(&p, &im);
    must(prep_image(out, &plan, &im, &err), err);
    for (int y = 0; y < S; y++) {
        for (int x = 0; x < S; x++) {
            double sum = 0;
            for (int k = 0; k < 6; k++)
                sum += image_u16(&im)[(3 * y + k / 2) * 2 * S + 2 * x + k % 2];
            assert_true(fabs(out[y * S + x] - sum / 6) <= .501);
        }
    }
    image_release(&im);
}

static void pad_keeps_the_aspect(void **state)
{
    const struct prep p = {S, PREP_PAD, false, PREP_CENTRED};
    struct image im = flat(4 * S, 2 * S, IMAGE_U16, 40000), mask = flat(4 * S, 2 * S, IMAGE_U8, 255);
    struct err err = ERR_INIT;
    uint16_t out[S * S];
    uint8_t out_mask[S * S];

    (void)state;
    struct prep_plan plan = planned(&p, &im);
    assert_int_equal(plan.to.x0, 0);
    assert_int_equal(plan.to.x1, S);
    assert_int_equal(plan.to.y0, S / 4);
    assert_int_equal(plan.to.y1, 3 * S / 4);
    must(prep_image(out, &plan, &im, &err), err);
    must(prep_mask(out_mask, &plan, &mask, &err), err);
    for (int i = 0; i < S * S; i++) {
        bool inside = i / S >= S / 4 && i / S < 3 * S / 4;
        assert_int_equal(out[i], inside ? 40000 : 0);
        assert_int_equal(out_mask[i], inside ? 255 : 0);
    }
    image_release(&im);
    image_release(&mask);
    /* a needle still has a pixel */
    im = flat(1, 1000, IMAGE_U16, 1);
    plan = planned(&p, &im);
    assert_int_equal(plan.to.x1 - plan.to.x0, 1);
    assert_int_equal(plan.to.y1 - plan.to.y0, S);
    image_release(&im);
}

/* A breast at the left, black at the right, a label far off. */
static void breast_crop_cuts_the_black(void **state)
{
    const struct prep p = {S, PREP_PAD, true, PREP_CENTRED};
    struct image im = flat(400, 600, IMAGE_U16, 500), mask = flat(400, 600, IMAGE_U8, 0);
    struct err err = ERR_INIT;
    uint8_t square[S * S];
    float map[S * S];
    struct image back = IMAGE_INIT;

    (void)state;
    paint(&im, (struct image_box){0, 100, 180, 500}, 30000);
    paint(&im, (struct image_box){350, 20, 380, 40}, 60000);
    paint(&mask, (struct image_box){60, 250, 110, 310}, 255);
    struct prep_plan plan = planned(&p, &im);
    assert_true(plan.box.x0 == 0 && plan.box.x1 >= 180 && plan.box.x1 < 215);
    assert_true(plan.box.y0 > 65 && plan.box.y0 <= 100 && plan.box.y1 >= 500 && plan.box.y1 < 535);
    must(prep_mask(square, &plan, &mask, &err), err);
    for (int i = 0; i < S * S; i++)
        map[i] = square[i] ? 1 : 0;
    must(prep_undo(&back, &plan, map, &err), err);
    assert_int_equal(back.width, 400);
    assert_int_equal(back.height, 600);
    double both = 0, either = 0;
    for (size_t i = 0; i < image_pixels(&back); i++) {
        bool a = image_f32(&back)[i] > .5f, b = image_u8(&mask)[i] != 0;
        both += a && b;
        either += a || b;
    }
    assert_true(both / either > .85); /* a pixel of the square is 6.5 of the image */
    image_release(&im);
    image_release(&mask);
    image_release(&back);
}

/* Undoing brings a mask back where it was, whatever the fit and the size. */
static void undo_returns_a_rectangle(void **state)
{
    static const struct {
        int width, height;
        enum prep_fit fit;
    } CASES[] = {
        {640, 480, PREP_STRETCH}, {640, 480, PREP_PAD}, {480, 1000, PREP_PAD}, {90, 70, PREP_STRETCH}};

    (void)state;
    for (size_t k = 0; k < sizeof CASES / sizeof *CASES; k++) {
        const struct prep p = {224, CASES[k].fit, false, PREP_CENTRED};
        int w = CASES[k].width, h = CASES[k].height;
        struct image mask = flat(w, h, IMAGE_U8, 0), back = IMAGE_INIT;
        uint8_t *square = mem_new(224 * 224, 1);
        float *map = mem_new(224 * 224, sizeof *map);
        struct err err = ERR_INIT;
        double both = 0, either = 0;

        paint(&mask, (struct image_box){w / 5, h / 4, w / 2, h * 3 / 4}, 255);
        struct prep_plan plan = planned(&p, &mask);
        must(prep_mask(square, &plan, &mask, &err), err);
        for (int i = 0; i < 224 * 224; i++)
            map[i] = (float)square[i] / 255;
        must(prep_undo(&back, &plan, map, &err), err);
        for (size_t i = 0; i < image_pixels(&back); i++) {
            bool a = image_f32(&back)[i] >= .5f, b = image_u8(&mask)[i] != 0;
            both += a && b;
            either += a || b;
        }
        assert_true(both / either > .96);
        free(square);
        free(map);
        image_release(&mask);
        image_release(&back);
    }
}

static size_t count(const uint8_t *mask)
{
    size_t n = 0;

    for (int i = 0; i < S * S; i++)
        n += mask[i] == 255;
    return n;
}

static void no_truth_vanishes(void **state)
{
    const struct prep p = {S, PREP_STRETCH, false, PREP_CENTRED};
    struct image mask = flat(40 * S, 50 * S, IMAGE_U8, 0);
    struct err err = ERR_INIT;
    uint8_t out[S * S];

    (void)state;
    struct prep_plan plan = planned(&p, &mask);
    must(prep_mask(out, &plan, &mask, &err), err);
    assert_int_equal(count(out), 0);
    /* one single pixel, 1 of 2000 that share a place in the square */
    paint(&mask, (struct image_box){40 * 7 + 3, 50 * 9 + 20, 40 * 7 + 4, 50 * 9 + 21}, 255);
    /* a spot over four places: the most covered is kept */
    paint(&mask, (struct image_box){40 * 30 - 5, 50 * 20 - 4, 40 * 30 + 9, 50 * 20 + 6}, 255);
    must(prep_mask(out, &plan, &mask, &err), err);
    assert_int_equal(count(out), 2);
    assert_int_equal(out[9 * S + 7], 255);
    assert_int_equal(out[20 * S + 30], 255);
    image_release(&mask);
}

static void half_covered_counts(void **state)
{
    const struct prep p = {S, PREP_STRETCH, false, PREP_CENTRED};
    struct image mask = flat(10 * S, 10 * S, IMAGE_U8, 0);
    struct err err = ERR_INIT;
    uint8_t out[S * S];

    (void)state;
    /* columns 100..204: tenths of the squares' columns 10 to 19 in full and half of 20 */
    paint(&mask, (struct image_box){100, 200, 205, 304}, 255);
    struct prep_plan plan = planned(&p, &mask);
    must(prep_mask(out, &plan, &mask, &err), err);
    for (int i = 0; i < S * S; i++)
        assert_int_equal(out[i], i % S >= 10 && i % S <= 20 && i / S >= 20 && i / S < 30 ? 255 : 0);
    image_release(&mask);
}

static void network_input_is_the_published_one(void **state)
{
    uint16_t square[32 * 32];
    float *out = mem_new(3 * 32 * 32, sizeof *out);

    (void)state;
    for (int i = 0; i < 32 * 32; i++)
        square[i] = (uint16_t)(257 * (i % 256));
    prep_network_input(out, 3, square, &(struct prep){.size = 32});
    for (int i = 0; i < 3 * 32 * 32; i++)
        assert_true(out[i] == (float)(i % 256) / 256.f - .5f);
    free(out);
}

/* Keras' imagenet_utils, mode "caffe": RGB to BGR, then minus 103.939, 116.779, 123.68. */
static void network_input_in_caffes_way(void **state)
{
    static const float BGR[] = {103.939f, 116.779f, 123.68f};
    uint16_t square[32 * 32];
    float *out = mem_new(3 * 32 * 32, sizeof *out);
    const struct prep p = {.size = 32, .values = PREP_CAFFE};

    (void)state;
    for (int i = 0; i < 32 * 32; i++)
        square[i] = (uint16_t)(257 * (i % 256));
    square[0] = 128; /* 16 bits are not cut to 8 */
    prep_network_input(out, 3, square, &p);
    for (int c = 0; c < 3; c++) {
        assert_float_equal(out[c * 1024], 128 / 257.f - BGR[c], 1e-5);
        for (int i = 1; i < 1024; i++)
            assert_true(out[c * 1024 + i] == (float)(i % 256) - BGR[c]);
    }
    free(out);
}

static void sizes_are_checked(void **state)
{
    static const int BAD[] = {0, -32, 16, 100, 225, 4128};

    (void)state;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        struct err err = ERR_INIT;
        char text[32];
        snprintf(text, sizeof text, "size %d", BAD[i]);
        assert_false(prep_check(&(struct prep){BAD[i], PREP_PAD, false, PREP_CENTRED}, &err));
        assert_contains(err.text, text);
    }
    assert_true(prep_check(&(struct prep){224, PREP_PAD, false, PREP_CENTRED}, NULL));
    assert_true(prep_check(&(struct prep){4096, PREP_PAD, false, PREP_CENTRED}, NULL));
}

static void fits_have_names(void **state)
{
    enum prep_fit fit = PREP_STRETCH;

    (void)state;
    assert_true(prep_fit_parse("pad", &fit));
    assert_int_equal(fit, PREP_PAD);
    assert_string_equal(prep_fit_name(PREP_STRETCH), "stretch");
    assert_false(prep_fit_parse("crop", &fit));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stretch_means_areas),
        cmocka_unit_test(pad_keeps_the_aspect),
        cmocka_unit_test(breast_crop_cuts_the_black),
        cmocka_unit_test(undo_returns_a_rectangle),
        cmocka_unit_test(no_truth_vanishes),
        cmocka_unit_test(half_covered_counts),
        cmocka_unit_test(network_input_is_the_published_one),
        cmocka_unit_test(network_input_in_caffes_way),
        cmocka_unit_test(sizes_are_checked),
        cmocka_unit_test(fits_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
