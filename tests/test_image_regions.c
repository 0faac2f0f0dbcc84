/* Connected regions and boxes on masks made by hand. */
#include "image/regions.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* One letter a pixel: '.' is 0, a digit is itself. */
static struct image drawn(int width, int height, const char *rows)
{
    struct image im = IMAGE_INIT;

    assert_int_equal(strlen(rows), width * height);
    assert_true(image_new(&im, width, height, 1, IMAGE_F32, NULL));
    for (int i = 0; i < width * height; i++)
        image_f32(&im)[i] = rows[i] == '.' ? 0 : (float)(rows[i] - '0');
    return im;
}

static void box_is(struct image_box b, int x0, int y0, int x1, int y1)
{
    assert_int_equal(b.x0, x0);
    assert_int_equal(b.y0, y0);
    assert_int_equal(b.x1, x1);
    assert_int_equal(b.y1, y1);
}

static void three_regions(void **state)
{
    (void)state;
    struct image im = drawn(8, 5,
                            "1..1...9"
                            ".1.1...."
                            "..1....."
                            ".....22."
                            "1....2..");
    struct regions r = REGIONS_INIT;

    assert_true(regions_find(&r, &im, 0, NULL));
    assert_int_equal(r.count, 4);
    assert_float_equal(r.region[0].sum, 9, 0);
    box_is(r.region[0].box, 7, 0, 8, 1);
    assert_float_equal(r.region[1].sum, 6, 0);
    assert_float_equal(r.region[1].peak, 2, 0);
    assert_int_equal(r.region[1].area, 3);
    box_is(r.region[1].box, 5, 3, 7, 5);
    assert_int_equal(r.region[2].area, 5); /* the V: two branches that meet below */
    box_is(r.region[2].box, 0, 0, 4, 3);
    assert_int_equal(r.region[3].area, 1);
    assert_int_equal(r.label[0], 3);
    assert_int_equal(r.label[3], 3);
    assert_int_equal(r.label[7], 1);
    assert_int_equal(r.label[1], 0);
    assert_int_equal(r.label[32], 4);
    regions_release(&r);
    image_release(&im);
}

static void threshold_is_exclusive(void **state)
{
    (void)state;
    struct image im = drawn(3, 1, "123");
    struct regions r = REGIONS_INIT;

    assert_true(regions_find(&r, &im, 2, NULL));
    assert_int_equal(r.count, 1);
    assert_int_equal(r.region[0].area, 1);
    assert_true(regions_find(&r, &im, 3, NULL)); /* replaces */
    assert_int_equal(r.count, 0);
    regions_release(&r);
    image_release(&im);
}

/* A spiral and a comb: many provisional labels, one region. */
static void winding_shapes_are_one(void **state)
{
    (void)state;
    struct image im = drawn(9, 7,
                            "1.1.1.1.1"
                            "1.1.1.1.1"
                            "1.1.1.1.1"
                            "111111111"
                            "........."
                            "1111111.1"
                            "1.....111");
    struct regions r = REGIONS_INIT;

    assert_true(regions_find(&r, &im, 0, NULL));
    assert_int_equal(r.count, 2);
    assert_int_equal(r.region[0].area, 24);
    assert_int_equal(r.region[1].area, 12);
    regions_release(&r);
    image_release(&im);
}

/* Against a flood fill over random dots, an independent way to count. */
static int flood(const struct image *im, char *seen, int x, int y)
{
    const int w = im->width, h = im->height;

    if (x < 0 || y < 0 || x >= w || y >= h || seen[y * w + x] || image_u8(im)[y * w + x] == 0)
        return 0;
    seen[y * w + x] = 1;
    int n = 1;
    for (int j = -1; j <= 1; j++)
        for (int i = -1; i <= 1; i++)
            n += flood(im, seen, x + i, y + j);
    return n;
}

static void random_dots(void **state)
{
    (void)state;
    struct image im = IMAGE_INIT;
    struct regions r = REGIONS_INIT;
    char seen[60 * 40];
    uint32_t v = 99;

    assert_true(image_new(&im, 60, 40, 1, IMAGE_U8, NULL));
    for (unsigned percent = 5; percent < 60; percent += 10) {
        for (int i = 0; i < 60 * 40; i++) {
            v = v * 1664525 + 1013904223;
            image_u8(&im)[i] = (v >> 16) % 100 < percent;
        }
        assert_true(regions_find(&r, &im, 0, NULL));
        memset(seen, 0, sizeof seen);
        size_t count = 0;
        for (int i = 0; i < 60 * 40; i++) {
            const int32_t label = r.label[i];
            assert_int_equal(label != 0, image_u8(&im)[i] != 0);
            const int area = flood(&im, seen, i % 60, i / 60);
            if (area == 0)
                continue;
            count++;
            assert_int_equal(r.region[label - 1].area, area);
        }
        assert_int_equal(r.count, count);
    }
    regions_release(&r);
    image_release(&im);
}

static void boxes(void **state)
{
    (void)state;
    struct image im = drawn(5, 4,
                            "....."
                            ".1..."
                            "..13."
                            ".....");
    struct image_box b = {-1, -1, -1, -1};

    assert_true(image_box_of(&b, &im, 0));
    box_is(b, 1, 1, 4, 3);
    assert_true(image_box_of(&b, &im, 1));
    box_is(b, 3, 2, 4, 3);
    assert_false(image_box_of(&b, &im, 3));
    box_is(b, 3, 2, 4, 3);
    box_is(image_box_grow(b, 1, 5, 4), 2, 1, 5, 4);
    box_is(image_box_grow(b, 1000000, 5, 4), 0, 0, 5, 4);
    image_release(&im);
}

/* Half an ellipse at the left side, a small bright label at the right, a bright film edge below. */
static struct image mammogram(int width, int height)
{
    struct image im = IMAGE_INIT;

    assert_true(image_new(&im, width, height, 1, IMAGE_U16, NULL));
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            const double dx = (double)x / (width * .5), dy = (y - height * .5) / (height * .3);
            const bool label = x > width * .8 && x < width * .9 && y > height * .1 && y < height * .15;
            const bool edge = y >= height * .99;
            unsigned v = dx * dx + dy * dy < 1 ? 20000 + (unsigned)(x * 7 + y * 13) % 9000 : 300;
            v = label || edge ? 65000 : v;
            image_u16(&im)[(size_t)y * (size_t)width + (size_t)x] = (uint16_t)v;
        }
    }
    return im;
}

static void breast_box(void **state)
{
    (void)state;
    struct image im = mammogram(600, 1000);
    struct image_box b;

    assert_true(image_breast_box(&b, &im, 0, NULL));
    assert_int_equal(b.x0, 0);
    assert_in_range(b.x1, 280, 310);
    assert_in_range(b.y0, 190, 215);
    assert_in_range(b.y1, 785, 810);
    struct image_box wide;
    assert_true(image_breast_box(&wide, &im, .1, NULL));
    const int margin = (b.y1 - b.y0) / 10;
    box_is(wide, 0, b.y0 - margin, b.x1 + margin, b.y1 + margin);
    image_release(&im);
}

static void breast_box_without_a_breast(void **state)
{
    (void)state;
    struct image im = IMAGE_INIT;
    struct image_box b;

    assert_true(image_new(&im, 50, 30, 3, IMAGE_U8, NULL));
    assert_true(image_breast_box(&b, &im, .02, NULL));
    box_is(b, 0, 0, 50, 30);
    memset(im.data, 200, image_bytes(&im));
    assert_true(image_breast_box(&b, &im, .02, NULL));
    box_is(b, 0, 0, 50, 30);
    image_release(&im);
    assert_true(image_new(&im, 1, 1, 1, IMAGE_F32, NULL));
    image_f32(&im)[0] = NAN;
    assert_true(image_breast_box(&b, &im, .02, NULL));
    box_is(b, 0, 0, 1, 1);
    image_release(&im);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_regions),
        cmocka_unit_test(threshold_is_exclusive),
        cmocka_unit_test(winding_shapes_are_one),
        cmocka_unit_test(random_dots),
        cmocka_unit_test(boxes),
        cmocka_unit_test(breast_box),
        cmocka_unit_test(breast_box_without_a_breast),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
