#include "report/panel.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Of a panel with squares of 224: the first square's corner, the step between columns, the step between rows.
 */
enum { SIDE = 224, LEFT = 12, TOP = 64, COLUMN = 232, ROW = 258, PIXELS = SIDE * SIDE };

struct fixture {
    uint16_t image[PIXELS];
    uint8_t truth[PIXELS];
    float prediction[PIXELS];
};

/* A gradient with a square truth at 60..119 and a square prediction, .75 inside, at 100..159. */
static void make(struct fixture *f)
{
    for (int y = 0; y < SIDE; y++) {
        for (int x = 0; x < SIDE; x++) {
            int i = y * SIDE + x;
            f->image[i] = (uint16_t)(x * 257);
            f->truth[i] = x >= 60 && x < 120 && y >= 60 && y < 120 ? 255 : 0;
            f->prediction[i] = x >= 100 && x < 160 && y >= 100 && y < 160 ? .75F : .1F;
        }
    }
}

static struct draw_color at(const struct image *im, int column, int row, int x, int y)
{
    const uint8_t *p = image_u8(im) + 3 * ((size_t)(TOP + row * ROW + y) * (size_t)im->width +
                                           (size_t)(LEFT + column * COLUMN + x));

    return (struct draw_color){p[0], p[1], p[2]};
}

static void is_color(struct draw_color c, int r, int g, int b)
{
    assert_int_equal(c.r, r);
    assert_int_equal(c.g, g);
    assert_int_equal(c.b, b);
}

static struct panel_case a_case(const struct fixture *f)
{
    return (struct panel_case){.image = f->image,
                               .truth = f->truth,
                               .prediction = f->prediction,
                               .size = SIDE,
                               .id = "case",
                               .label = "benign",
                               .dice = .5,
                               .score = 100};
}

static void the_squares_stand_in_their_columns(void **state)
{
    struct fixture *f = malloc(sizeof *f);
    struct image out = IMAGE_INIT;
    struct err err = ERR_INIT;

    (void)state;
    make(f);
    const struct panel_case cases[2] = {a_case(f), a_case(f)};
    assert_true(panel_draw(&out, cases, 2, "epoch 1", &err));
    assert_int_equal(out.width, 2 * LEFT + 3 * COLUMN + SIDE);
    assert_int_equal(out.channels, 3);
    for (int row = 0; row < 2; row++) {
        is_color(at(&out, 1, row, 90, 90), 255, 255, 255);
        is_color(at(&out, 1, row, 59, 90), 0, 0, 0);
        /* .75 and .1 as greys */
        is_color(at(&out, 2, row, 130, 130), 191, 191, 191);
        is_color(at(&out, 2, row, 20, 20), 26, 26, 26);
        /* the image gets lighter to the right */
        assert_true(at(&out, 0, row, 200, 5).r > at(&out, 0, row, 100, 5).r + 50);
    }
    image_release(&out);
    free(f);
}

static void outlines_lie_on_the_edge_of_truth_and_prediction(void **state)
{
    struct fixture *f = malloc(sizeof *f);
    const struct draw_color t = PANEL_TRUTH_COLOR, p = PANEL_PREDICTION_COLOR;
    struct image out = IMAGE_INIT;
    struct err err = ERR_INIT;

    (void)state;
    make(f);
    const struct panel_case c = a_case(f);
    assert_true(panel_draw(&out, &c, 1, "epoch 1", &err));
    is_color(at(&out, 3, 0, 60, 90), t.r, t.g, t.b);
    is_color(at(&out, 3, 0, 90, 60), t.r, t.g, t.b);
    is_color(at(&out, 3, 0, 90, 119), t.r, t.g, t.b);
    is_color(at(&out, 3, 0, 159, 130), p.r, p.g, p.b);
    is_color(at(&out, 3, 0, 100, 130), p.r, p.g, p.b);
    /* beside the edges the image shows */
    struct draw_color inside = at(&out, 3, 0, 80, 80), outside = at(&out, 3, 0, 57, 90);
    assert_int_equal(inside.r, inside.g);
    assert_int_equal(outside.r, outside.b);
    image_release(&out);
    free(f);
}

static void small_squares_are_enlarged_and_large_ones_reduced(void **state)
{
    enum { SMALL = 32, LARGE = 640 };
    uint16_t *image = calloc(LARGE * LARGE, sizeof *image);
    uint8_t *truth = calloc(LARGE * LARGE, 1);
    float *prediction = calloc(LARGE * LARGE, sizeof *prediction);
    struct panel_case c = {.image = image,
                           .truth = truth,
                           .prediction = prediction,
                           .size = SMALL,
                           .id = "a-name-that-is-far-too-long-for-a-line-of-this-picture-"
                                 "a-name-that-is-far-too-long-for-a-line-of-this-picture",
                           .label = "malignant",
                           .dice = NAN};
    struct image out = IMAGE_INIT;
    struct err err = ERR_INIT;

    (void)state;
    truth[0] = 1; /* any value but 0 is inside */
    prediction[1] = NAN;
    prediction[2] = 5;
    assert_true(panel_draw(&out, &c, 1, "", &err));
    assert_int_equal(out.width, 2 * LEFT + 3 * COLUMN + SIDE);
    is_color(at(&out, 1, 0, 0, 0), 255, 255, 255);
    is_color(at(&out, 1, 0, 6, 6), 255, 255, 255);
    is_color(at(&out, 1, 0, 7, 7), 0, 0, 0);
    c.size = LARGE;
    assert_true(panel_draw(&out, &c, 1, "", &err));
    assert_int_equal(out.width, 2 * LEFT + 4 * 320 + 3 * 8);
    image_release(&out);
    free(image);
    free(truth);
    free(prediction);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_squares_stand_in_their_columns),
        cmocka_unit_test(outlines_lie_on_the_edge_of_truth_and_prediction),
        cmocka_unit_test(small_squares_are_enlarged_and_large_ones_reduced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
