#include "report/panel.h"

#include "base/mem.h"
#include "image/tone.h"
#include "image/warp.h"
#include "report/html.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Pixels. A square is shown one to one between these sides, and brought to the nearer of them outside. */
enum { CELL_MIN = 224, CELL_MAX = 320, GAP = 8, MARGIN = 12, LINE = 26, TEXT_SCALE = 2, COLUMNS = 4 };

static const struct draw_color GROUND = {20, 22, 26}, INK = {235, 238, 242}, FAINT = {165, 172, 182};

static int cell_side(const struct panel_case *cases, int n)
{
    int side = CELL_MIN;

    for (int i = 0; i < n; i++)
        side = cases[i].size > side ? cases[i].size : side;
    return side < CELL_MAX ? side : CELL_MAX;
}

static int column_x(int column, int side)
{
    return MARGIN + column * (side + GAP);
}

static void write_text(struct image *canvas, int x, int y, struct draw_color color, const char *text)
{
    const struct draw_text where = {.x = x, .y = y, .scale = TEXT_SCALE, .color = color};

    draw_text(canvas, &where, text);
}

static void headings(struct image *canvas, int y, int side)
{
    static const char *const NAMES[] = {"image", "truth", "prediction"};
    int x = column_x(3, side);

    for (int i = 0; i < 3; i++)
        write_text(canvas, column_x(i, side), y, FAINT, NAMES[i]);
    write_text(canvas, x, y, PANEL_TRUTH_COLOR, "truth");
    write_text(canvas, x + draw_text_width("truth ", TEXT_SCALE), y, PANEL_PREDICTION_COLOR, "prediction");
}

/* The id, cut with dots where it would push the numbers off the picture. */
static char *caption(const struct panel_case *c, int width)
{
    char dice[32] = "truth empty", score[HTML_SCORE_TEXT];
    char *tail, *all;
    int room;

    if (!isnan(c->dice))
        snprintf(dice, sizeof dice, "Dice %.3f", c->dice);
    html_score_text(c->score, score);
    tail = mem_printf("  %s  %s  score %s", c->label, dice, score);
    room = width / (DRAW_TEXT_WIDTH * TEXT_SCALE) - (int)strlen(tail);
    if (room < 8)
        room = 8;
    if ((int)strlen(c->id) <= room)
        all = mem_printf("%s%s", c->id, tail);
    else
        all = mem_printf("%.*s...%s", room - 3, c->id, tail);
    free(tail);
    return all;
}

/* The three squares as pictures: shown (U8 RGB) and the two maps (U8 grey), all side x side. */
struct squares {
    struct image shown, truth, prediction;
};

static bool squares_make(struct squares *s, const struct panel_case *c, int side, struct err *err)
{
    size_t n = (size_t)c->size * (size_t)c->size;

    if (!image_new(&s->shown, c->size, c->size, 1, IMAGE_U16, err) ||
        !image_new(&s->truth, c->size, c->size, 1, IMAGE_U8, err) ||
        !image_new(&s->prediction, c->size, c->size, 1, IMAGE_U8, err))
        return false;
    memcpy(image_u16(&s->shown), c->image, n * sizeof *c->image);
    for (size_t i = 0; i < n; i++) {
        float p = c->prediction[i];

        image_u8(&s->truth)[i] = c->truth[i] ? 255 : 0;
        image_u8(&s->prediction)[i] = p >= 1 ? 255 : p > 0 ? (uint8_t)lrintf(p * 255) : 0;
    }
    return image_for_display(&s->shown, &s->shown, err) &&
           image_resize(&s->shown, &s->shown, side, side, err) &&
           image_resize_nearest(&s->truth, &s->truth, side, side, err) &&
           image_resize(&s->prediction, &s->prediction, side, side, err);
}

static bool draw_case(struct image *canvas, const struct panel_case *c, int y, int side, struct err *err)
{
    struct squares s = {IMAGE_INIT, IMAGE_INIT, IMAGE_INIT};
    struct image both = IMAGE_INIT;
    const struct draw_contour truth = {127.5F, 1, PANEL_TRUTH_COLOR};
    const struct draw_contour prediction = {127.5F, 1, PANEL_PREDICTION_COLOR};
    char *text = caption(c, canvas->width - 2 * MARGIN);
    bool ok = false;

    if (!squares_make(&s, c, side, err) || !image_copy(&both, &s.shown, err))
        goto out;
    draw_contour(&both, &s.truth, &truth);
    draw_contour(&both, &s.prediction, &prediction);
    if (!image_to_rgb(&s.truth, &s.truth, err) || !image_to_rgb(&s.prediction, &s.prediction, err))
        goto out;
    image_paste(canvas, &s.shown, column_x(0, side), y);
    image_paste(canvas, &s.truth, column_x(1, side), y);
    image_paste(canvas, &s.prediction, column_x(2, side), y);
    image_paste(canvas, &both, column_x(3, side), y);
    write_text(canvas, MARGIN, y + side + 5, INK, text);
    ok = true;
out:
    free(text);
    image_release(&s.shown);
    image_release(&s.truth);
    image_release(&s.prediction);
    image_release(&both);
    return ok;
}

bool panel_draw(struct image *out, const struct panel_case *cases, int n, const char *title, struct err *err)
{
    struct image canvas = IMAGE_INIT;
    int side = cell_side(cases, n);
    int width = 2 * MARGIN + COLUMNS * side + (COLUMNS - 1) * GAP;
    int top = MARGIN + 2 * LINE, row = side + LINE + GAP;
    bool ok = false;

    assert(n > 0);
    if (!image_new(&canvas, width, top + n * row + MARGIN - GAP, 3, IMAGE_U8, err))
        goto out;
    draw_fill(&canvas, (struct image_box){0, 0, canvas.width, canvas.height}, GROUND);
    write_text(&canvas, MARGIN, MARGIN, INK, title);
    headings(&canvas, MARGIN + LINE, side);
    for (int i = 0; i < n; i++) {
        if (!draw_case(&canvas, &cases[i], top + i * row, side, err))
            goto out;
    }
    image_move(out, &canvas);
    ok = true;
out:
    image_release(&canvas);
    return ok;
}
