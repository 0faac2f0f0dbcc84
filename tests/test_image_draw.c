/* What is drawn, pixel by pixel. */
#include "image/draw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const struct draw_color WHITE = {255, 255, 255}, RED = {255, 0, 0};

static struct image canvas_of(int width, int height)
{
    struct image im = IMAGE_INIT;

    assert_true(image_new(&im, width, height, 3, IMAGE_U8, NULL));
    return im;
}

/* The canvas' red channel as text: '#' where it is set. */
static void looks_like(const struct image *im, const char *want)
{
    assert_int_equal(strlen(want), image_pixels(im));
    char *got = calloc(image_pixels(im) + 1, 1);
    for (size_t i = 0; i < image_pixels(im); i++)
        got[i] = image_u8(im)[3 * i] ? '#' : '.';
    assert_string_equal(got, want);
    free(got);
}

static void fill_and_rectangle(void **state)
{
    (void)state;
    struct image im = canvas_of(6, 5);

    draw_fill(&im, (struct image_box){-5, 3, 2, 100}, RED);
    looks_like(&im, "......"
                    "......"
                    "......"
                    "##...."
                    "##....");
    assert_int_equal(image_u8(&im)[(3 * 6) * 3 + 1], 0);
    image_release(&im);
    im = canvas_of(6, 5);
    draw_rectangle(&im, (struct image_box){1, 0, 6, 4}, 1, WHITE);
    looks_like(&im, ".#####"
                    ".#...#"
                    ".#...#"
                    ".#####"
                    "......");
    draw_rectangle(&im, (struct image_box){-50, -50, 500, 500}, 2, WHITE); /* wholly outside */
    image_release(&im);
}

static void lines(void **state)
{
    (void)state;
    struct image im = canvas_of(6, 4);

    draw_line(&im, (struct draw_line){0, 0, 5, 3}, 1, WHITE);
    assert_int_equal(image_u8(&im)[0], 255);
    assert_int_equal(image_u8(&im)[(3 * 6 + 5) * 3], 255);
    size_t set = 0;
    for (size_t i = 0; i < 24; i++)
        set += image_u8(&im)[3 * i] == 255;
    assert_int_equal(set, 6); /* one pixel a column */
    image_release(&im);

    im = canvas_of(6, 4);
    draw_line(&im, (struct draw_line){1, 1, 3, 1}, 2, WHITE);
    looks_like(&im, "......"
                    ".####."
                    ".####."
                    "......");
    draw_line(&im, (struct draw_line){-30, -20, 60, 40}, 3, WHITE); /* ends outside */
    draw_line(&im, (struct draw_line){2, 2, 2, 2}, 1, WHITE);
    image_release(&im);
}

static void pictures_are_resized_into_boxes(void **state)
{
    (void)state;
    struct image im = canvas_of(6, 4), dot = IMAGE_INIT;
    struct err err = ERR_INIT;

    assert_true(image_new(&dot, 1, 1, 1, IMAGE_U8, NULL));
    image_u8(&dot)[0] = 9;
    assert_true(draw_image(&im, &dot, (struct image_box){4, 2, 8, 4}, NULL));
    looks_like(&im, "......"
                    "......"
                    "....##"
                    "....##");
    assert_int_equal(image_u8(&im)[(2 * 6 + 4) * 3 + 2], 9);
    assert_false(draw_image(&im, &dot, (struct image_box){4, 2, 4, 4}, &err));
    assert_string_equal(err.text, "empty box to draw an image in");
    image_release(&im);
    image_release(&dot);
}

static void overlay_blends(void **state)
{
    (void)state;
    struct image im = canvas_of(3, 1), map = IMAGE_INIT;

    memset(im.data, 100, 9);
    assert_true(image_new(&map, 3, 1, 1, IMAGE_F32, NULL));
    image_f32(&map)[1] = .5f;
    image_f32(&map)[2] = 1;
    draw_overlay(&im, &map, (struct draw_color){200, 0, 100}, .5f);
    assert_memory_equal(im.data, ((const uint8_t[]){100, 100, 100, 125, 75, 100, 150, 50, 100}), 9);
    image_release(&map);

    assert_true(image_new(&map, 3, 1, 1, IMAGE_U8, NULL));
    image_u8(&map)[0] = 255;
    draw_overlay(&im, &map, RED, 1);
    assert_memory_equal(im.data, ((const uint8_t[]){255, 0, 0, 125, 75, 100, 150, 50, 100}), 9);
    image_release(&map);
    image_release(&im);
}

static void heat_goes_from_clear_to_yellow(void **state)
{
    (void)state;
    struct image im = canvas_of(3, 1), map = IMAGE_INIT;

    memset(im.data, 100, 9);
    assert_true(image_new(&map, 3, 1, 1, IMAGE_F32, NULL));
    image_f32(&map)[1] = .5f;
    image_f32(&map)[2] = 7; /* held at 1 */
    draw_heat(&im, &map, 1);
    assert_memory_equal(im.data, ((const uint8_t[]){100, 100, 100, 255, 90, 0, 255, 235, 60}), 9);
    image_release(&map);
    image_release(&im);
}

static void contours(void **state)
{
    (void)state;
    struct image im = canvas_of(7, 6), map = IMAGE_INIT;

    assert_true(image_new(&map, 7, 6, 1, IMAGE_U8, NULL));
    for (int y = 1; y < 6; y++)
        memset(image_u8(&map) + y * 7 + 1, 255, 5);
    draw_contour(&im, &map, &(struct draw_contour){.threshold = 127, .thickness = 1, .color = WHITE});
    looks_like(&im, "......."
                    ".#####."
                    ".#...#."
                    ".#...#."
                    ".#...#."
                    ".#####.");
    draw_contour(&im, &map, &(struct draw_contour){.threshold = 127, .thickness = 3, .color = WHITE});
    looks_like(&im, "#######"
                    "#######"
                    "#######"
                    "###.###"
                    "#######"
                    "#######");
    image_release(&map);
    image_release(&im);
}

static void text_in_our_font(void **state)
{
    (void)state;
    struct image im = canvas_of(12, 9);

    draw_text(&im, &(struct draw_text){.x = 0, .y = 0, .scale = 1, .color = WHITE}, "1p");
    looks_like(&im, "..#........."
                    ".##........."
                    "#.#...####.."
                    "..#...#...#."
                    "..#...#...#."
                    "..#...####.."
                    "#####.#....."
                    "......#....."
                    "............");
    image_release(&im);
    assert_int_equal(draw_text_width("ab\nabcd", 2), 48);
    assert_int_equal(draw_text_width("", 3), 0);
}

static void text_scales_and_breaks_lines(void **state)
{
    (void)state;
    struct image im = canvas_of(12, 36);

    draw_text(&im, &(struct draw_text){.x = 0, .y = 0, .scale = 2, .color = WHITE}, "-\n-");
    for (int y = 0; y < 36; y++)
        for (int x = 0; x < 12; x++) {
            const bool bar = (y == 6 || y == 7 || y == 24 || y == 25) && x < 10;
            assert_int_equal(image_u8(&im)[(y * 12 + x) * 3], bar ? 255 : 0);
        }
    draw_text(&im, &(struct draw_text){.x = -3, .y = -3, .scale = 5, .color = WHITE}, "cut off");
    image_release(&im);
}

static void every_character_differs(void **state)
{
    (void)state;
    struct image glyph[96];

    for (int i = 0; i < 96; i++) { /* the last, 127, is the box for the unknown */
        const char text[2] = {(char)(32 + i), 0};
        glyph[i] = canvas_of(DRAW_TEXT_WIDTH, DRAW_TEXT_HEIGHT);
        draw_text(&glyph[i], &(struct draw_text){.scale = 1, .color = WHITE}, text);
        for (int k = 0; k < i; k++)
            assert_memory_not_equal(glyph[i].data, glyph[k].data, image_bytes(&glyph[i]));
    }
    for (int i = 0; i < 96; i++)
        image_release(&glyph[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fill_and_rectangle),
        cmocka_unit_test(lines),
        cmocka_unit_test(pictures_are_resized_into_boxes),
        cmocka_unit_test(overlay_blends),
        cmocka_unit_test(heat_goes_from_clear_to_yellow),
        cmocka_unit_test(contours),
        cmocka_unit_test(text_in_our_font),
        cmocka_unit_test(text_scales_and_breaks_lines),
        cmocka_unit_test(every_character_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
