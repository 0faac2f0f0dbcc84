/* Crop, resize, flip, affine warp: where pixels go. */
#include "image/warp.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct image made(int width, int height, int channels, enum image_type type)
{
    struct image im = IMAGE_INIT;

    assert_true(image_new(&im, width, height, channels, type, NULL));
    return im;
}

/* A picture without any symmetry, full range, the same for the same sizes. */
static struct image pattern(int width, int height, int channels, enum image_type type)
{
    struct image im = made(width, height, channels, type);
    float row[3 * 512];
    uint32_t v = 12345;

    assert_in_range(width * channels, 1, 3 * 512);
    for (int y = 0; y < height; y++) {
        for (int i = 0; i < width * channels; i++) {
            v = v * 1664525 + 1013904223;
            row[i] = (float)(v >> 16) / (type == IMAGE_U16 ? 1 : type == IMAGE_U8 ? 257 : 65535);
        }
        image_put_row(&im, y, row);
    }
    return im;
}

static double mean(const struct image *im)
{
    float row[3 * 512];
    double sum = 0;

    for (int y = 0; y < im->height; y++) {
        image_get_row(im, y, row);
        for (int i = 0; i < im->width * im->channels; i++)
            sum += row[i];
    }
    return sum / ((double)im->width * im->height * im->channels);
}

static void same(const struct image *a, const struct image *b)
{
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    assert_int_equal(a->channels, b->channels);
    assert_int_equal(a->type, b->type);
    assert_memory_equal(a->data, b->data, image_bytes(a));
}

static const enum image_type TYPES[] = {IMAGE_U8, IMAGE_U16, IMAGE_F32};

static void crop_cuts_and_refuses(void **state)
{
    (void)state;
    struct image im = pattern(7, 5, 3, IMAGE_U16), part = IMAGE_INIT;
    struct err err = ERR_INIT;

    assert_true(image_crop(&part, &im, (struct image_box){2, 1, 5, 5}, NULL));
    assert_int_equal(part.width, 3);
    assert_int_equal(part.height, 4);
    assert_memory_equal(image_u16(&part) + 3 * 3, image_u16(&im) + (2 * 7 + 2) * 3, 3 * 3 * 2);
    assert_false(image_crop(&part, &im, (struct image_box){2, 1, 8, 5}, &err));
    assert_int_equal(err.kind, ERR_INPUT);
    assert_string_equal(err.text, "box 2,1-8,5 does not lie in an image of 7 x 5");
    assert_false(image_crop(&part, &im, (struct image_box){3, 1, 3, 5}, &err));
    assert_false(image_crop(&part, &im, (struct image_box){-1, 1, 3, 5}, &err));
    assert_int_equal(part.width, 3); /* untouched */
    image_release(&im);
    image_release(&part);
}

static void paste_is_cut_at_edges(void **state)
{
    (void)state;
    struct image canvas = made(4, 3, 1, IMAGE_U8), im = made(3, 3, 1, IMAGE_U8);

    memcpy(im.data, "\1\2\3\4\5\6\7\10\11", 9);
    image_paste(&canvas, &im, -1, -2);
    assert_memory_equal(canvas.data,
                        "\10\11\0\0"
                        "\0\0\0\0"
                        "\0\0\0\0",
                        12);
    image_paste(&canvas, &im, 3, 2);
    assert_memory_equal(canvas.data,
                        "\10\11\0\0"
                        "\0\0\0\0"
                        "\0\0\0\1",
                        12);
    image_paste(&canvas, &im, 4, 0);
    image_paste(&canvas, &im, 0, -3);
    image_paste(&canvas, &im, INT32_MAX - 1, INT32_MAX - 1);
    image_paste(&canvas, &im, INT32_MIN / 2, 0);
    assert_memory_equal(canvas.data,
                        "\10\11\0\0"
                        "\0\0\0\0"
                        "\0\0\0\1",
                        12);
    image_release(&canvas);
    image_release(&im);
}

static void shrinking_takes_area_means(void **state)
{
    (void)state;
    struct image im = made(4, 2, 1, IMAGE_U8), out = IMAGE_INIT;

    memcpy(im.data, (const uint8_t[]){10, 20, 0, 0, 30, 40, 0, 255}, 8);
    assert_true(image_resize(&out, &im, 2, 1, NULL));
    assert_int_equal(image_u8(&out)[0], 25);
    assert_int_equal(image_u8(&out)[1], 64); /* 63.75 */
    image_release(&im);

    /* 3 to 2: each result is one whole pixel and half of the middle one. */
    im = made(3, 1, 1, IMAGE_F32);
    memcpy(im.data, (const float[]){3, 6, 9}, 12);
    assert_true(image_resize(&out, &im, 2, 1, NULL));
    assert_float_equal(image_f32(&out)[0], (3 + 6 / 2.0) / 1.5, 1e-6);
    assert_float_equal(image_f32(&out)[1], (9 + 6 / 2.0) / 1.5, 1e-6);
    image_release(&im);
    image_release(&out);
}

static void shrinking_keeps_the_mean(void **state)
{
    (void)state;
    static const int SIZE[][2] = {{224, 224}, {300, 7}, {1, 1}, {299, 199}, {13, 100}};

    for (size_t t = 0; t < 3; t++) {
        struct image im = pattern(300, 200, t == 0 ? 3 : 1, TYPES[t]), out = IMAGE_INIT;
        const double before = mean(&im), full = t == 0 ? 255 : t == 1 ? 65535 : 1;
        for (size_t i = 0; i < sizeof SIZE / sizeof SIZE[0]; i++) {
            if (SIZE[i][1] > 200)
                continue; /* the taller ones grow */
            assert_true(image_resize(&out, &im, SIZE[i][0], SIZE[i][1], NULL));
            /* One pixel is off by half a step of its integer type at most, many are not. */
            const double step = TYPES[t] == IMAGE_F32 ? 0 : .5 / sqrt((double)image_pixels(&out));
            assert_float_equal(mean(&out), before, 1e-6 * full + step);
        }
        image_release(&im);
        image_release(&out);
    }
}

static void growing_is_linear_between_centres(void **state)
{
    (void)state;
    struct image im = made(2, 1, 1, IMAGE_F32), out = IMAGE_INIT;
    const double want[4] = {0, .25, .75, 1};

    image_f32(&im)[1] = 1;
    assert_true(image_resize(&out, &im, 4, 3, NULL));
    for (int i = 0; i < 12; i++)
        assert_float_equal(image_f32(&out)[i], want[i % 4], 1e-7);
    image_release(&im);
    image_release(&out);
}

static void flat_images_stay_flat(void **state)
{
    (void)state;
    static const int SIZE[][2] = {{224, 224}, {100, 90}, {511, 3}, {37, 509}};

    for (size_t i = 0; i < sizeof SIZE / sizeof SIZE[0]; i++) {
        struct image im = made(317, 111, 1, IMAGE_U16);
        memset(im.data, 0xff, image_bytes(&im));
        assert_true(image_resize(&im, &im, SIZE[i][0], SIZE[i][1], NULL));
        for (size_t k = 0; k < image_pixels(&im); k++)
            assert_int_equal(image_u16(&im)[k], 65535);
        image_release(&im);
    }
}

static void resize_to_the_same_size_is_exact(void **state)
{
    (void)state;
    for (size_t t = 0; t < 3; t++) {
        struct image im = pattern(31, 17, 3, TYPES[t]), out = IMAGE_INIT;
        assert_true(image_resize(&out, &im, 31, 17, NULL));
        same(&im, &out);
        assert_true(image_resize_nearest(&out, &im, 31, 17, NULL));
        same(&im, &out);
        image_release(&im);
        image_release(&out);
    }
}

static void nearest_repeats_and_picks(void **state)
{
    (void)state;
    struct image im = made(2, 2, 1, IMAGE_U8), out = IMAGE_INIT;

    memcpy(im.data, "\1\2\3\4", 4);
    assert_true(image_resize_nearest(&out, &im, 4, 3, NULL));
    assert_memory_equal(out.data,
                        "\1\1\2\2"
                        "\3\3\4\4"
                        "\3\3\4\4",
                        12);
    assert_true(image_resize_nearest(&out, &out, 2, 2, NULL));
    assert_int_equal(image_u8(&out)[0], 1);
    assert_int_equal(image_u8(&out)[3], 4);
    image_release(&im);
    image_release(&out);
}

static void resize_refuses_empty(void **state)
{
    (void)state;
    struct image im = made(2, 2, 1, IMAGE_U8), out = IMAGE_INIT;
    struct err err = ERR_INIT;

    assert_false(image_resize(&out, &im, 0, 3, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    assert_null(out.data);
    image_release(&im);
}

static void flips_move_and_undo(void **state)
{
    (void)state;
    for (size_t t = 0; t < 3; t++) {
        for (int width = 4; width <= 5; width++) {
            struct image im = pattern(width, width - 1, 3, TYPES[t]), was = IMAGE_INIT;
            const size_t pixel = image_bytes(&im) / image_pixels(&im), row = pixel * (size_t)width;
            assert_true(image_copy(&was, &im, NULL));
            image_flip_horizontal(&im);
            assert_memory_equal(im.data, (char *)was.data + row - pixel, pixel);
            image_flip_horizontal(&im);
            same(&im, &was);
            image_flip_vertical(&im);
            assert_memory_equal(im.data, (char *)was.data + row * (size_t)(width - 2), row);
            image_flip_vertical(&im);
            same(&im, &was);
            image_release(&im);
            image_release(&was);
        }
    }
}

static struct image warped(const struct image *im, const struct image_motion *motion, enum image_sampling s,
                           enum image_fill fill)
{
    struct image out = IMAGE_INIT;
    const struct image_warp how = {.from = image_affine_about_centre(motion, im->width, im->height),
                                   .sampling = s,
                                   .fill = fill,
                                   .value = 7};

    assert_true(image_warp(&out, im, &how, NULL));
    return out;
}

static void no_motion_is_exact(void **state)
{
    (void)state;
    const struct image_motion still = {0};

    for (size_t t = 0; t < 3; t++) {
        for (int s = 0; s < 4; s++) {
            struct image im = pattern(30, 21, s < 2 ? 1 : 3, TYPES[t]);
            struct image out =
                warped(&im, &still, s % 2 ? IMAGE_NEAREST : IMAGE_BILINEAR, IMAGE_FILL_CONSTANT);
            same(&im, &out);
            image_release(&im);
            image_release(&out);
        }
    }
}

static void a_shift_moves_a_pixel(void **state)
{
    (void)state;
    struct image im = made(9, 7, 1, IMAGE_U16);

    image_u16(&im)[3 * 9 + 2] = 40000;
    struct image out =
        warped(&im, &(struct image_motion){.shift_x = 4, .shift_y = -2}, IMAGE_BILINEAR, IMAGE_FILL_EDGE);
    for (int i = 0; i < 63; i++)
        assert_int_equal(image_u16(&out)[i], i == 1 * 9 + 6 ? 40000 : 0);
    image_release(&out);
    out = warped(&im, &(struct image_motion){.shift_x = .25}, IMAGE_BILINEAR, IMAGE_FILL_EDGE);
    assert_int_equal(image_u16(&out)[3 * 9 + 2], 30000);
    assert_int_equal(image_u16(&out)[3 * 9 + 3], 10000);
    image_release(&out);
    image_release(&im);
}

static void fill_beside_the_edge(void **state)
{
    (void)state;
    struct image im = made(3, 1, 1, IMAGE_U8);
    const struct image_motion right = {.shift_x = 2}, far = {.shift_x = -1e12};

    memcpy(im.data, "\12\24\36", 3); /* 10 20 30 */
    struct image out = warped(&im, &right, IMAGE_BILINEAR, IMAGE_FILL_EDGE);
    assert_memory_equal(out.data, "\12\12\12", 3);
    image_release(&out);
    out = warped(&im, &right, IMAGE_NEAREST, IMAGE_FILL_CONSTANT);
    assert_memory_equal(out.data, "\7\7\12", 3);
    image_release(&out);
    out = warped(&im, &far, IMAGE_BILINEAR, IMAGE_FILL_EDGE);
    assert_memory_equal(out.data, "\36\36\36", 3);
    image_release(&out);
    out = warped(&im, &far, IMAGE_BILINEAR, IMAGE_FILL_CONSTANT);
    assert_memory_equal(out.data, "\7\7\7", 3);
    image_release(&out);
    image_release(&im);
}

/* A quarter turn clockwise sends the right side to the bottom. */
static void quarter_turns(void **state)
{
    (void)state;
    struct image im = pattern(11, 11, 1, IMAGE_U16);
    struct image out =
        warped(&im, &(struct image_motion){.rotation_deg = 90}, IMAGE_BILINEAR, IMAGE_FILL_EDGE);

    for (int y = 0; y < 11; y++)
        for (int x = 0; x < 11; x++)
            assert_int_equal(image_u16(&out)[x * 11 + 10 - y], image_u16(&im)[y * 11 + x]);
    image_release(&im);
    image_release(&out);
}

static void zoom_enlarges_about_the_centre(void **state)
{
    (void)state;
    struct image im = made(9, 9, 1, IMAGE_U8);

    memset(image_u8(&im) + 4 * 9 + 3, 255, 3); /* a bar of 3 x 1 in the middle */
    struct image out =
        warped(&im, &(struct image_motion){.zoom_x = 2, .zoom_y = 3}, IMAGE_NEAREST, IMAGE_FILL_EDGE);
    for (int y = 0; y < 9; y++)
        for (int x = 0; x < 9; x++) {
            const bool inside = abs(y - 4) <= 1 && abs(x - 4) <= 2;
            /* At the border of 3 pixels times 2 the sample falls on a corner. */
            if (abs(x - 4) != 3)
                assert_int_equal(image_u8(&out)[y * 9 + x], inside ? 255 : 0);
        }
    image_release(&im);
    image_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crop_cuts_and_refuses),
        cmocka_unit_test(paste_is_cut_at_edges),
        cmocka_unit_test(shrinking_takes_area_means),
        cmocka_unit_test(shrinking_keeps_the_mean),
        cmocka_unit_test(growing_is_linear_between_centres),
        cmocka_unit_test(flat_images_stay_flat),
        cmocka_unit_test(resize_to_the_same_size_is_exact),
        cmocka_unit_test(nearest_repeats_and_picks),
        cmocka_unit_test(resize_refuses_empty),
        cmocka_unit_test(flips_move_and_undo),
        cmocka_unit_test(no_motion_is_exact),
        cmocka_unit_test(a_shift_moves_a_pixel),
        cmocka_unit_test(fill_beside_the_edge),
        cmocka_unit_test(quarter_turns),
        cmocka_unit_test(zoom_enlarges_about_the_centre),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
