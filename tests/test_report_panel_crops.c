/* The picture of a classifier's cases: crops in their places, the bar as long as the probability. */
#include "report/panel_crops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* As report/panel_crops.c lays it out. */
enum { SIDE = 240, LEFT = 12, STEP = 252, TOP = 42, BAR = 42 + 240 + 6 + 4 * 22 + 2, SIZE = 32 };

static const uint8_t *at(const struct image *im, int x, int y)
{
    return image_u8(im) + 3 * ((size_t)y * (size_t)im->width + (size_t)x);
}

static bool is_color(const uint8_t *p, int r, int g, int b)
{
    return p[0] == r && p[1] == g && p[2] == b;
}

/* Pixels from the left of crop k's bar in its colour. */
static int bar_length(const struct image *im, int k, int r, int g, int b)
{
    int n = 0;

    while (n < SIDE && (is_color(at(im, LEFT + k * STEP + n, BAR + 5), r, g, b) ||
                        (n >= SIDE / 2 - 1 && n <= SIDE / 2))) /* the mark at .5 */
        n++;
    return n;
}

static void bars_tell_the_probability(void **state)
{
    uint16_t left[SIZE * SIZE], right[SIZE * SIZE];
    struct image out = IMAGE_INIT;
    struct err err = ERR_INIT;

    (void)state;
    for (int i = 0; i < SIZE * SIZE; i++) {
        right[i] = (uint16_t)(2000 * (i % SIZE));
        left[i] = (uint16_t)(62000 - right[i]);
    }
    const struct panel_crop crops[] = {
        {left, SIZE, "a", "malignant", .75},
        {right, SIZE, "a name far too long to fit below a crop", "malignant", .25},
        {left, SIZE, "c", "benign", .125}};
    assert_true(panel_crops_draw(&out, crops, 3, "epoch 1", &err));
    assert_int_equal(out.width, 2 * LEFT + 2 * STEP + SIDE);
    assert_true(at(&out, LEFT + 10, TOP + 100)[0] > 200 && at(&out, LEFT + SIDE - 10, TOP + 100)[0] < 50);
    assert_true(at(&out, LEFT + STEP + 10, TOP + 100)[0] < 50 &&
                at(&out, LEFT + STEP + SIDE - 10, TOP + 100)[0] > 200);
    assert_int_equal(bar_length(&out, 0, 0, 200, 150), 180);
    assert_int_equal(bar_length(&out, 1, 255, 140, 0), 60); /* wrong: orange */
    assert_int_equal(bar_length(&out, 2, 0, 200, 150), 30);
    /* a long name ends before the next crop */
    for (int y = TOP + SIDE + 4; y < TOP + SIDE + 24; y++)
        for (int x = LEFT + STEP + SIDE; x < LEFT + 2 * STEP; x++)
            assert_true(is_color(at(&out, x, y), 20, 22, 26));
    image_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bars_tell_the_probability)};
    return cmocka_run_group_tests_name("report: panel of crops", tests, NULL, NULL);
}
