#include "image/draw.h"

#include "base/mem.h"
#include "image/tone.h"
#include "image/warp.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

static uint8_t *at(struct image *canvas, int x, int y)
{
    return image_u8(canvas) + ((size_t)y * (size_t)canvas->width + (size_t)x) * 3;
}

static void put(uint8_t *pixel, struct draw_color c)
{
    pixel[0] = c.r;
    pixel[1] = c.g;
    pixel[2] = c.b;
}

void draw_fill(struct image *canvas, struct image_box box, struct draw_color c)
{
    assert(canvas->channels == 3);
    const int x0 = box.x0 > 0 ? box.x0 : 0, x1 = box.x1 < canvas->width ? box.x1 : canvas->width;
    const int y0 = box.y0 > 0 ? box.y0 : 0, y1 = box.y1 < canvas->height ? box.y1 : canvas->height;

    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++)
            put(at(canvas, x, y), c);
}

/* A round pen: every pixel whose centre lies within thickness / 2 of the pen's centre. An even pen has its
 * centre on the corner between pixels. */
static void dot(struct image *canvas, int x, int y, int thickness, struct draw_color c)
{
    const int low = -(thickness - 1) / 2, high = thickness / 2;
    const double centre = (low + high) / 2.0, reach = thickness * thickness / 4.0;

    for (int j = low; j <= high; j++) {
        for (int i = low; i <= high; i++) {
            if ((i - centre) * (i - centre) + (j - centre) * (j - centre) > reach)
                continue;
            if (x + i >= 0 && y + j >= 0 && x + i < canvas->width && y + j < canvas->height)
                put(at(canvas, x + i, y + j), c);
        }
    }
}

void draw_line(struct image *canvas, struct draw_line line, int thickness, struct draw_color c)
{
    assert(canvas->channels == 3 && thickness >= 1);
    const double dx = (double)line.x1 - line.x0, dy = (double)line.y1 - line.y0;
    const int steps = (int)fmax(fabs(dx), fabs(dy));

    for (int i = 0; i <= steps; i++) {
        const double part = steps > 0 ? (double)i / steps : 0;
        dot(canvas, (int)lround(line.x0 + part * dx), (int)lround(line.y0 + part * dy), thickness, c);
    }
}

void draw_rectangle(struct image *canvas, struct image_box box, int thickness, struct draw_color c)
{
    const int t = thickness;

    draw_fill(canvas, (struct image_box){box.x0, box.y0, box.x1, box.y0 + t}, c);
    draw_fill(canvas, (struct image_box){box.x0, box.y1 - t, box.x1, box.y1}, c);
    draw_fill(canvas, (struct image_box){box.x0, box.y0, box.x0 + t, box.y1}, c);
    draw_fill(canvas, (struct image_box){box.x1 - t, box.y0, box.x1, box.y1}, c);
}

bool draw_image(struct image *canvas, const struct image *im, struct image_box box, struct err *err)
{
    assert(canvas->channels == 3 && im->type == IMAGE_U8);
    struct image sized = IMAGE_INIT;
    bool ok = false;

    if (box.x0 >= box.x1 || box.y0 >= box.y1) {
        err_set(err, ERR_INPUT, "empty box to draw an image in");
        goto out;
    }
    if (!image_resize(&sized, im, box.x1 - box.x0, box.y1 - box.y0, err) ||
        !image_to_rgb(&sized, &sized, err))
        goto out;
    image_paste(canvas, &sized, box.x0, box.y0);
    ok = true;
out:
    image_release(&sized);
    return ok;
}

static void blend(uint8_t *pixel, struct draw_color c, float part)
{
    const float over[3] = {c.r, c.g, c.b};

    for (int k = 0; k < 3; k++)
        pixel[k] = (uint8_t)(pixel[k] + part * (over[k] - pixel[k]) + .5f);
}

static struct draw_color heat_color(float v)
{
    /* Four legs of equal length. Not up to white: over grey tissue it would look like no colour at all. */
    static const struct draw_color STOP[] = {
        {80, 0, 0}, {200, 0, 0}, {255, 90, 0}, {255, 170, 0}, {255, 235, 60}};
    const int leg = v < 1 ? (int)(v * 4) : 3;
    const float part = v * 4 - (float)leg;
    const struct draw_color a = STOP[leg], b = STOP[leg + 1];

    return (struct draw_color){(uint8_t)((float)a.r + part * (float)(b.r - a.r)),
                               (uint8_t)((float)a.g + part * (float)(b.g - a.g)),
                               (uint8_t)((float)a.b + part * (float)(b.b - a.b))};
}

/* Lays map over the canvas, in one colour or, where c is NULL, in heat colours. */
static void lay_over(struct image *canvas, const struct image *map, const struct draw_color *c, float opacity)
{
    assert(canvas->channels == 3 && map->channels == 1);
    assert(map->width == canvas->width && map->height == canvas->height);
    assert(opacity >= 0 && opacity <= 1);
    const float full = map->type == IMAGE_U8 ? 255 : map->type == IMAGE_U16 ? 65535 : 1;
    float *row = mem_new((size_t)map->width, sizeof *row);

    for (int y = 0; y < map->height; y++) {
        image_get_row(map, y, row);
        for (int x = 0; x < map->width; x++) {
            float v = row[x] / full;
            v = v > 0 ? v : 0; /* in this order: not-a-number becomes 0 */
            v = v < 1 ? v : 1;
            if (v <= 0)
                continue;
            if (c)
                blend(at(canvas, x, y), *c, opacity * v);
            else /* half strength is as opaque as it gets: the colour says the rest */
                blend(at(canvas, x, y), heat_color(v), opacity * fminf(1, 2 * v));
        }
    }
    free(row);
}

void draw_overlay(struct image *canvas, const struct image *map, struct draw_color c, float opacity)
{
    lay_over(canvas, map, &c, opacity);
}

void draw_heat(struct image *canvas, const struct image *map, float opacity)
{
    lay_over(canvas, map, NULL, opacity);
}

void draw_contour(struct image *canvas, const struct image *map, const struct draw_contour *how)
{
    assert(canvas->channels == 3 && map->channels == 1 && how->thickness >= 1);
    assert(map->width == canvas->width && map->height == canvas->height);
    const int w = map->width, h = map->height;
    float *rows = mem_new((size_t)w * 3, sizeof *rows); /* above, here, below */
    const float t = how->threshold;

    for (int y = 0; y < h; y++) {
        float *above = rows, *here = rows + w, *below = rows + 2 * w;
        image_get_row(map, y, here);
        image_get_row(map, y > 0 ? y - 1 : 0, above);
        image_get_row(map, y + 1 < h ? y + 1 : y, below);
        for (int x = 0; x < w; x++) {
            if (!(here[x] > t))
                continue;
            const bool rim = x == 0 || y == 0 || x == w - 1 || y == h - 1;
            if (rim || !(here[x - 1] > t && here[x + 1] > t && above[x] > t && below[x] > t))
                dot(canvas, x, y, how->thickness, how->color);
        }
    }
    free(rows);
}
