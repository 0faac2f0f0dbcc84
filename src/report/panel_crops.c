#include "report/panel_crops.h"

#include "image/draw.h"
#include "image/tone.h"
#include "image/warp.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* Pixels. */
enum { SIDE = 240, GAP = 12, MARGIN = 12, LINE = 22, TEXT_SCALE = 2, BAR = 10, LINES = 4 };

static const struct draw_color GROUND = {20, 22, 26}, INK = {235, 238, 242}, FAINT = {165, 172, 182},
                               TRACK = {58, 63, 71}, RIGHT = {0, 200, 150}, WRONG = {255, 140, 0};

static void write_text(struct image *canvas, int x, int y, struct draw_color color, const char *text)
{
    const struct draw_text where = {.x = x, .y = y, .scale = TEXT_SCALE, .color = color};
    char cut[SIDE / (DRAW_TEXT_WIDTH * TEXT_SCALE) + 1];
    const size_t room = sizeof cut - 1;

    if (strlen(text) <= room)
        snprintf(cut, sizeof cut, "%s", text);
    else
        snprintf(cut, sizeof cut, "%.*s...", (int)room - 3, text);
    draw_text(canvas, &where, cut);
}

static bool draw_square(struct image *canvas, const struct panel_crop *c, int x, int y, struct err *err)
{
    struct image shown = IMAGE_INIT;
    bool ok = image_new(&shown, c->size, c->size, 1, IMAGE_U16, err);

    if (ok) {
        memcpy(image_u16(&shown), c->image, (size_t)c->size * (size_t)c->size * sizeof *c->image);
        ok = image_for_display(&shown, &shown, err) &&
             draw_image(canvas, &shown, (struct image_box){x, y, x + SIDE, y + SIDE}, err);
    }
    image_release(&shown);
    return ok;
}

static void draw_bar(struct image *canvas, int x, int y, double share, struct draw_color c)
{
    const int to = x + (int)(share * SIDE + .5), half = x + SIDE / 2;

    draw_fill(canvas, (struct image_box){x, y, x + SIDE, y + BAR}, TRACK);
    draw_fill(canvas, (struct image_box){x, y, to, y + BAR}, c);
    draw_fill(canvas, (struct image_box){half - 1, y - 3, half + 1, y + BAR + 3}, INK);
}

static bool draw_crop(struct image *canvas, const struct panel_crop *c, int x, int y, struct err *err)
{
    const bool said = c->malignant > .5, right = said == !strcmp(c->label, "malignant");
    const struct draw_color color = right ? RIGHT : WRONG;
    char text[48];

    if (!draw_square(canvas, c, x, y, err))
        return false;
    y += SIDE + 6;
    write_text(canvas, x, y, INK, c->id);
    snprintf(text, sizeof text, "truth: %s", c->label);
    write_text(canvas, x, y + LINE, FAINT, text);
    snprintf(text, sizeof text, "P(malignant) %.3f", c->malignant);
    write_text(canvas, x, y + 2 * LINE, INK, text);
    write_text(canvas, x, y + 3 * LINE, color, right ? "right" : "wrong");
    draw_bar(canvas, x, y + LINES * LINE + 2, c->malignant, color);
    return true;
}

bool panel_crops_draw(struct image *out, const struct panel_crop *crops, int n, const char *title,
                      struct err *err)
{
    const struct draw_text where = {.x = MARGIN, .y = MARGIN, .scale = TEXT_SCALE, .color = INK};
    const int top = MARGIN + LINE + 8, title_width = 2 * MARGIN + draw_text_width(title, TEXT_SCALE);
    const int crops_width = 2 * MARGIN + n * SIDE + (n - 1) * GAP;
    const int height = top + SIDE + 6 + LINES * LINE + 2 + BAR + MARGIN;
    struct image canvas = IMAGE_INIT;
    bool ok;

    assert(n > 0);
    ok = image_new(&canvas, crops_width > title_width ? crops_width : title_width, height, 3, IMAGE_U8, err);
    if (ok) {
        draw_fill(&canvas, (struct image_box){0, 0, canvas.width, canvas.height}, GROUND);
        draw_text(&canvas, &where, title);
    }
    for (int i = 0; i < n && ok; i++)
        ok = draw_crop(&canvas, &crops[i], MARGIN + i * (SIDE + GAP), top, err);
    if (ok)
        image_move(out, &canvas);
    image_release(&canvas);
    return ok;
}
