/* Pixels in memory, grey values and windows. */
#include "image/tone.h"

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

static void new_refuses_sides(void **state)
{
    (void)state;
    struct image im = IMAGE_INIT;
    struct err err = ERR_INIT;

    assert_false(image_new(&im, 0, 5, 1, IMAGE_U8, &err));
    assert_int_equal(err.kind, ERR_LIMIT);
    assert_string_equal(err.text, "image of 0 x 5 pixels (sides must be 1 to 65535)");
    assert_false(image_new(&im, 5, 65536, 1, IMAGE_U8, &err));
    assert_false(image_new(&im, -1, 5, 1, IMAGE_U8, &err));
    assert_null(im.data);
}

static void move_and_copy(void **state)
{
    (void)state;
    struct image a = made(3, 2, 1, IMAGE_U16), b = made(9, 9, 3, IMAGE_U8), c = IMAGE_INIT;

    image_u16(&a)[5] = 40000;
    assert_int_equal(image_bytes(&a), 12);
    assert_true(image_copy(&c, &a, NULL));
    image_u16(&a)[5] = 1;
    image_move(&b, &a);
    assert_null(a.data);
    assert_int_equal(b.width, 3);
    assert_int_equal(image_u16(&b)[5], 1);
    assert_int_equal(image_u16(&c)[5], 40000);
    image_release(&b);
    image_release(&c);
}

static void rows_round_and_hold(void **state)
{
    (void)state;
    struct image im = made(6, 1, 1, IMAGE_U8);
    const float row[6] = {-3, .49f, .5f, 254.6f, 300, NAN};
    const uint8_t want[6] = {0, 0, 1, 255, 255, 0};
    float back[6];

    image_put_row(&im, 0, row);
    assert_memory_equal(im.data, want, 6);
    image_get_row(&im, 0, back);
    assert_float_equal(back[3], 255, 0);
    image_release(&im);
    im = made(2, 1, 1, IMAGE_U16);
    image_put_row(&im, 0, (const float[2]){40000.4f, 70000});
    assert_int_equal(image_u16(&im)[0], 40000);
    assert_int_equal(image_u16(&im)[1], 65535);
    image_release(&im);
}

static void luma_of_known_colors(void **state)
{
    (void)state;
    const uint8_t rgb[] = {255, 0, 0, 0, 255, 0, 0, 0, 255, 77, 77, 77, 255, 255, 255, 1, 2, 3};
    const uint8_t want[] = {76, 150, 29, 77, 255, 2}; /* 76.245, 149.685, 29.07, ..., 1.815 */
    struct image im = made(6, 1, 3, IMAGE_U8);

    memcpy(im.data, rgb, sizeof rgb);
    assert_true(image_to_grey(&im, &im, NULL));
    assert_int_equal(im.channels, 1);
    assert_memory_equal(im.data, want, sizeof want);
    image_release(&im);

    im = made(2, 1, 3, IMAGE_U16);
    memcpy(im.data, (const uint16_t[]){65535, 0, 0, 40000, 40000, 40000}, 12);
    assert_true(image_to_grey(&im, &im, NULL));
    assert_int_equal(image_u16(&im)[0], 19595); /* 19594.965 */
    assert_int_equal(image_u16(&im)[1], 40000);
    image_release(&im);
}

static void every_equal_color_is_its_own_grey(void **state)
{
    (void)state;
    struct image im = made(65536 / 16, 16, 1, IMAGE_U16);

    for (int i = 0; i < 65536; i++)
        image_u16(&im)[i] = (uint16_t)i;
    assert_true(image_to_rgb(&im, &im, NULL));
    assert_int_equal(im.channels, 3);
    assert_int_equal(image_u16(&im)[3 * 40000 + 2], 40000);
    assert_true(image_to_grey(&im, &im, NULL));
    for (int i = 0; i < 65536; i++)
        assert_int_equal(image_u16(&im)[i], i);
    image_release(&im);
}

static void widening_and_reals(void **state)
{
    (void)state;
    struct image im = made(3, 1, 1, IMAGE_U8), real = IMAGE_INIT;

    memcpy(im.data, "\x00\x80\xff", 3);
    assert_true(image_to_f32(&real, &im, NULL));
    assert_float_equal(image_f32(&real)[1], 128 / 255.0, 1e-7);
    assert_true(image_to_u16(&im, &im, NULL));
    assert_int_equal(image_u16(&im)[1], 128 * 257);
    assert_int_equal(image_u16(&im)[2], 65535);
    assert_true(image_to_f32(&real, &im, NULL));
    assert_float_equal(image_f32(&real)[1], 128 / 255.0, 1e-7);
    assert_float_equal(image_f32(&real)[2], 1, 0);
    image_release(&im);
    image_release(&real);
}

/* 1000 pixels of nothing and 1000 of 20001..21000. */
static struct image half_black(void)
{
    struct image im = made(100, 20, 1, IMAGE_U16);

    for (int i = 0; i < 1000; i++)
        image_u16(&im)[2 * i] = (uint16_t)(20001 + i);
    return im;
}

static void window_leaves_background_out(void **state)
{
    (void)state;
    struct image im = half_black();
    struct image_window w = image_window_find(&im, .005, .995);

    assert_float_equal(w.black, 20005, 1.5);
    assert_float_equal(w.white, 20995, 1.5);
    w = image_window_find(&im, 0, 1);
    assert_float_equal(w.black, 20001, 0);
    assert_float_equal(w.white, 21000, 0);
    assert_true(image_for_display(&im, &im, NULL));
    assert_int_equal(im.type, IMAGE_U8);
    assert_int_equal(im.channels, 3);
    assert_int_equal(image_u8(&im)[3], 0);
    assert_int_equal(image_u8(&im)[3 * 1998], 255);
    assert_in_range(image_u8(&im)[3 * 1000], 126, 129);
    image_release(&im);
}

static void window_of_flat_and_strange_images(void **state)
{
    (void)state;
    struct image im = made(4, 4, 1, IMAGE_F32);
    struct image_window w = image_window_find(&im, .005, .995);

    assert_true(w.black < w.white);
    for (int i = 0; i < 16; i++)
        image_f32(&im)[i] = NAN;
    w = image_window_find(&im, .005, .995);
    assert_true(w.black < w.white);
    image_f32(&im)[3] = 1e9f;
    w = image_window_find(&im, .005, .995);
    assert_true(w.black < w.white);
    image_f32(&im)[4] = -INFINITY;
    image_f32(&im)[5] = 1.9e9f;
    image_f32(&im)[6] = 2e9f;
    w = image_window_find(&im, 0, 1);
    assert_float_equal(w.black, 1.9e9f, 1e5);
    assert_float_equal(w.white, 2e9f, 1e5);
    image_release(&im);
}

static void display_keeps_8_bits(void **state)
{
    (void)state;
    struct image im = made(2, 1, 1, IMAGE_U8);

    memcpy(im.data, "\x10\x20", 2);
    assert_true(image_for_display(&im, &im, NULL));
    assert_memory_equal(im.data, "\x10\x10\x10\x20\x20\x20", 6);
    image_release(&im);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_refuses_sides),
        cmocka_unit_test(move_and_copy),
        cmocka_unit_test(rows_round_and_hold),
        cmocka_unit_test(luma_of_known_colors),
        cmocka_unit_test(every_equal_color_is_its_own_grey),
        cmocka_unit_test(widening_and_reals),
        cmocka_unit_test(window_leaves_background_out),
        cmocka_unit_test(window_of_flat_and_strange_images),
        cmocka_unit_test(display_keeps_8_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
