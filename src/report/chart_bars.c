#include "report/chart.h"

#include "base/mem.h"
#include "report/svg.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AXIS_COLOR "#7b8794"
#define GRID_COLOR "#e4e8ec"
#define BAND_COLOR "#f3ecd2"

enum {
    MAX_TICKS = 24,
    TEXT = 13,
    ROW_GAP = 22,
    STRIP_HEIGHT = 30,
    STRIP_GAP = 12,
    NAME_WIDTH = 175,
    SHORT_NAME_WIDTH = 95,
    LETTER = 7
};

static double place(const struct chart_histogram *h, double x)
{
    double share = (x - h->x_min) / (h->x_max - h->x_min);

    return CHART_LEFT + fmin(1, fmax(0, share)) * (h->width - CHART_LEFT - CHART_RIGHT);
}

/* The rows of bars share the height between the margins. */
static double row_bottom(const struct chart_histogram *h, size_t row)
{
    double height = (double)(h->height - CHART_TOP - CHART_BOTTOM) / (double)h->n_groups;

    return CHART_TOP + height * (double)(row + 1);
}

static size_t largest(const struct chart_group *g, size_t bins)
{
    size_t max = 0;

    for (size_t i = 0; i < bins; i++)
        max = g->count[i] > max ? g->count[i] : max;
    return max;
}

static void draw_bars(struct buf *b, const struct chart_histogram *h, size_t row)
{
    const struct chart_group *g = &h->groups[row];
    double bottom = row_bottom(h, row), step = (h->x_max - h->x_min) / (double)h->bins;
    double height = bottom - (row == 0 ? CHART_TOP : row_bottom(h, row - 1)) - ROW_GAP;
    size_t max = largest(g, h->bins), total = 0;
    char *name;

    for (size_t i = 0; i < h->bins; i++) {
        double x0 = place(h, h->x_min + step * (double)i), x1 = place(h, h->x_min + step * (double)(i + 1));
        total += g->count[i];
        if (g->count[i] > 0) {
            double tall = height * (double)g->count[i] / (double)max;
            svg_rect(b, (struct svg_line){x0 + .5, bottom - tall, x1 - .5, bottom},
                     chart_color_text(g->color), NULL);
        }
    }
    svg_line(b, (struct svg_line){CHART_LEFT, bottom, h->width - CHART_RIGHT, bottom}, AXIS_COLOR, 1.2, NULL);
    if (max > 0) {
        char label[32];
        double y = bottom - height;
        svg_line(b, (struct svg_line){CHART_LEFT - 4, y, CHART_LEFT, y}, AXIS_COLOR, 1, NULL);
        snprintf(label, sizeof label, "%zu", max);
        svg_text(b, (struct svg_text){CHART_LEFT - 7, y + 4.5, "end", TEXT, NULL}, label);
    }
    svg_text(b, (struct svg_text){CHART_LEFT - 7, bottom + 4.5, "end", TEXT, NULL}, "0");
    name = mem_printf("%s (%zu)", g->name, total);
    svg_text(b,
             (struct svg_text){CHART_LEFT + 6, bottom - height - 6, "start", TEXT,
                               "class=\"halo\" font-weight=\"600\""},
             name);
    free(name);
}

/* Two labels turn away from each other; neither leaves the picture. */
static bool label_turns_right(const struct chart_histogram *h, size_t cut)
{
    const double x = place(h, h->cuts[cut].x);

    return cut == 0 && h->n_cuts > 1 ? x < h->width * .3 : x <= h->width * .8;
}

static void draw_cuts(struct buf *b, const struct chart_histogram *h)
{
    double bottom = h->height - CHART_BOTTOM;

    for (size_t i = 0; i < h->n_cuts; i++) {
        double x = place(h, h->cuts[i].x);
        const bool right = label_turns_right(h, i);
        svg_line(b, (struct svg_line){x, CHART_TOP - 8, x, bottom}, "#1b2430", 1.5,
                 "stroke-dasharray=\"5 3\"");
        svg_text(b,
                 (struct svg_text){right ? x + 4 : x - 4, CHART_TOP - 12 - (i == 0 ? 0 : 14),
                                   right ? "start" : "end", 12, NULL},
                 h->cuts[i].label);
    }
}

static void draw_band(struct buf *b, const struct chart_histogram *h)
{
    double x0 = place(h, h->cuts[0].x), x1 = place(h, h->cuts[1].x);
    const bool left = !label_turns_right(h, 0); /* the low cut's label leaves the room above the band free */

    if (!(x1 > x0))
        return;
    svg_rect(b, (struct svg_line){x0, CHART_TOP - 8, x1, h->height - CHART_BOTTOM}, BAND_COLOR, NULL);
    if (x1 - x0 > (left ? 70 : 200))
        svg_text(b,
                 (struct svg_text){left ? (x0 + x1) / 2 : x1 - 6, CHART_TOP - 12, left ? "middle" : "end", 12,
                                   "font-style=\"italic\""},
                 "uncertain");
}

static void draw_x_axis(struct buf *b, const struct chart_histogram *h)
{
    double ticks[MAX_TICKS], bottom = h->height - CHART_BOTTOM;
    int n = chart_ticks(h->x_min, h->x_max, h->log10, h->log10 ? 15 : 11, ticks);

    for (int i = 0; i < n; i++) {
        double x = place(h, ticks[i]);
        struct svg_text where = {x, bottom + 18, "middle", TEXT, NULL};
        char label[32];

        svg_line(b, (struct svg_line){x, bottom, x, bottom + 4}, AXIS_COLOR, 1, NULL);
        snprintf(label, sizeof label, "%.6g", ticks[i]);
        if (h->log10)
            svg_power(b, where, (int)lrint(ticks[i]));
        else
            svg_text(b, where, label);
    }
    if (h->first)
        svg_text(b, (struct svg_text){CHART_LEFT, h->height - 8, "start", 12, "font-style=\"italic\""},
                 h->first);
    svg_text(
        b,
        (struct svg_text){(CHART_LEFT + h->width - CHART_RIGHT) / 2.0, h->height - 8, "middle", TEXT, NULL},
        h->x_label);
}

void chart_histogram(struct buf *b, const struct chart_histogram *h)
{
    svg_begin(b, h->width, h->height, h->title);
    svg_text(b, (struct svg_text){CHART_LEFT, 16, "start", 15, "font-weight=\"600\""}, h->title);
    if (h->band && h->n_cuts >= 2)
        draw_band(b, h);
    for (size_t i = 0; i < h->n_groups; i++)
        draw_bars(b, h, i);
    draw_cuts(b, h);
    draw_x_axis(b, h);
    svg_end(b);
}

/* Between the names, left pixels wide, and the right margin. */
static double place_share(int left, int width, double share)
{
    return left + fmin(1, fmax(0, share)) * (width - left - CHART_RIGHT - 4);
}

static void draw_interval(struct buf *b, const struct chart_forest *f, double y,
                          const struct chart_interval *r)
{
    const char *color = chart_color_text(CHART_BLUE);
    const int left = f->name_width;
    double x0 = place_share(left, f->width, r->low), x1 = place_share(left, f->width, r->high);

    svg_text(b, (struct svg_text){left - 12, y + 4.5, "end", TEXT, NULL}, r->name);
    if (isfinite(r->reference)) {
        double x = place_share(left, f->width, r->reference);
        bool turned = x > f->width * .7;
        svg_line(b, (struct svg_line){x, y - 11, x, y + 11}, chart_color_text(CHART_VERMILION), 2.5, NULL);
        if (r->reference_name)
            svg_text(b, (struct svg_text){turned ? x - 5 : x + 5, y - 8, turned ? "end" : "start", 11, NULL},
                     r->reference_name);
    }
    if (isfinite(r->low) && isfinite(r->high)) {
        svg_line(b, (struct svg_line){x0, y, x1, y}, color, 2, NULL);
        svg_line(b, (struct svg_line){x0, y - 5, x0, y + 5}, color, 2, NULL);
        svg_line(b, (struct svg_line){x1, y - 5, x1, y + 5}, color, 2, NULL);
    }
    if (isfinite(r->value))
        svg_circle(b, place_share(left, f->width, r->value), y, 5, color);
}

void chart_intervals(struct buf *b, const struct chart_forest *forest)
{
    const int row = 32, top = 46;
    struct chart_forest f = *forest;
    int bottom = top + (int)f.n * row;
    char label[16];

    f.name_width = f.name_width > 0 ? f.name_width : SHORT_NAME_WIDTH;
    svg_begin(b, f.width, bottom + 26, f.title);
    svg_text(b, (struct svg_text){f.name_width, 16, "start", 15, "font-weight=\"600\""}, f.title);
    for (int i = 0; i <= 5; i++) {
        double x = place_share(f.name_width, f.width, i / 5.0);
        svg_line(b, (struct svg_line){x, top - 8, x, bottom}, GRID_COLOR, 1, NULL);
        snprintf(label, sizeof label, "%.1f", i / 5.0);
        svg_text(b, (struct svg_text){x, bottom + 17, "middle", 12, NULL}, label);
    }
    for (size_t i = 0; i < f.n; i++)
        draw_interval(b, &f, top + row * ((double)i + .5) - 4, &f.rows[i]);
    svg_end(b);
}

static void draw_strip(struct buf *b, int width, double y, const struct chart_part *parts,
                       const struct chart_strip *r)
{
    double total = 0, at = 0;
    char label[32];

    for (int k = 0; k < CHART_PARTS; k++)
        total += isfinite(r->count[k]) ? r->count[k] : 0;
    svg_text(b, (struct svg_text){NAME_WIDTH - 12, y + STRIP_HEIGHT * .66, "end", TEXT, NULL}, r->name);
    for (int k = 0; k < CHART_PARTS && total > 0; k++) {
        double count = isfinite(r->count[k]) ? r->count[k] : 0;
        double x0 = place_share(NAME_WIDTH, width, at / total),
               x1 = place_share(NAME_WIDTH, width, (at + count) / total);

        at += count;
        if (count <= 0)
            continue;
        svg_rect(b, (struct svg_line){x0, y, x1, y + STRIP_HEIGHT}, chart_color_text(parts[k].color),
                 "stroke=\"#fff\" stroke-width=\"1.5\"");
        snprintf(label, sizeof label, "%.0f", count);
        if (x1 - x0 > 9.0 * (double)strlen(label))
            svg_text(b,
                     (struct svg_text){(x0 + x1) / 2, y + STRIP_HEIGHT * .66, "middle", TEXT,
                                       "class=\"on\" font-weight=\"600\""},
                     label);
    }
}

void chart_strips(struct buf *b, int width, const struct chart_part parts[CHART_PARTS],
                  const struct chart_strip *rows, size_t n)
{
    double x = NAME_WIDTH;

    svg_begin(b, width, 26 + (int)n * (STRIP_HEIGHT + STRIP_GAP), "answers by actual class");
    for (int k = 0; k < CHART_PARTS; k++) {
        svg_rect(b, (struct svg_line){x, 4, x + 13, 17}, chart_color_text(parts[k].color), NULL);
        svg_text(b, (struct svg_text){x + 19, 15, "start", TEXT, NULL}, parts[k].name);
        x += 19 + LETTER * (double)strlen(parts[k].name) + 18;
    }
    for (size_t i = 0; i < n; i++)
        draw_strip(b, width, 28 + (double)i * (STRIP_HEIGHT + STRIP_GAP), parts, &rows[i]);
    svg_end(b);
}
