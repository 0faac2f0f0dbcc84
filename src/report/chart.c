#include "report/chart.h"

#include "report/svg.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define AXIS_COLOR "#7b8794"
#define GRID_COLOR "#e4e8ec"

enum { MAX_TICKS = 12, TEXT = 13, LEGEND_Y = 38, LETTER = 7 };

static const char *const COLORS[CHART_COLORS] = {"#0072b2", "#d55e00", "#009e73", "#e69f00",
                                                 "#cc79a7", "#56b4e9", "#6b7280"};

const char *chart_color_text(enum chart_color c)
{
    assert((unsigned)c < CHART_COLORS);
    return COLORS[c];
}

int chart_ticks(double low, double high, bool whole, int max, double *out)
{
    static const double STEPS[] = {1, 2, 5, 10};
    double rough = (high - low) / (max - 1), power, step = 0;
    int n = 0;

    if (!(high > low) || max < 2)
        return 0;
    power = pow(10, floor(log10(rough)));
    for (int i = 0; i < 4 && step < rough * (1 - 1e-9); i++)
        step = STEPS[i] * power;
    if (whole && step < 1)
        step = 1;
    for (double k = ceil(low / step - 1e-9); k * step <= high + step * 1e-9 && n < max; k++)
        out[n++] = fabs(k * step) < step * 1e-9 ? 0 : k * step;
    return n;
}

/* Where the data lies: ranges filled in, ready to place. */
static double place_x(const struct chart *c, double x)
{
    return CHART_LEFT + (x - c->x_min) / (c->x_max - c->x_min) * (c->width - CHART_LEFT - CHART_RIGHT);
}

static double place_y(const struct chart *c, double y)
{
    return c->height - CHART_BOTTOM -
           (y - c->y_min) / (c->y_max - c->y_min) * (c->height - CHART_TOP - CHART_BOTTOM);
}

struct range {
    double low, high;
};

/* Widened to round numbers, so that no line runs along the frame; a single value gets room on both sides. */
static struct range range_round(struct range r)
{
    double ticks[MAX_TICKS];
    int n;

    if (!(r.low <= r.high))
        return (struct range){0, 1};
    if (r.low == r.high) {
        double room = r.low == 0 ? 1 : fabs(r.low) * .5;
        r = (struct range){r.low - room, r.high + room};
    }
    n = chart_ticks(r.low, r.high, false, 6, ticks);
    if (n >= 2) {
        double step = ticks[1] - ticks[0];
        r.low = floor(r.low / step + 1e-9) * step;
        r.high = ceil(r.high / step - 1e-9) * step;
    }
    return r;
}

static struct range range_of(const struct chart *c, bool of_y)
{
    struct range r = {INFINITY, -INFINITY};

    for (size_t s = 0; s < c->n_series; s++) {
        const double *v = of_y ? c->series[s].y : c->series[s].x;
        for (size_t i = 0; i < c->series[s].n; i++) {
            if (isfinite(v[i])) {
                r.low = fmin(r.low, v[i]);
                r.high = fmax(r.high, v[i]);
            }
        }
    }
    return r;
}

static void find_ranges(struct chart *c)
{
    if (c->x_min == c->x_max) {
        struct range r = range_of(c, false);
        if (!c->x_whole || !(r.low <= r.high))
            r = range_round(r);
        else if (r.low == r.high)
            r.high = r.low + 1;
        c->x_min = r.low;
        c->x_max = r.high;
    }
    if (c->y_min == c->y_max) {
        struct range r = range_round(range_of(c, true));
        c->y_min = r.low;
        c->y_max = r.high;
    }
}

static void axes(struct buf *b, const struct chart *c)
{
    double ticks[MAX_TICKS];
    char label[32];
    double left = CHART_LEFT, right = c->width - CHART_RIGHT, top = CHART_TOP,
           bottom = c->height - CHART_BOTTOM;
    int n = chart_ticks(c->y_min, c->y_max, false, 6, ticks);

    for (int i = 0; i < n; i++) {
        double y = place_y(c, ticks[i]);
        svg_line(b, (struct svg_line){left, y, right, y}, GRID_COLOR, 1, NULL);
        snprintf(label, sizeof label, "%.6g", ticks[i]);
        svg_text(b, (struct svg_text){left - 7, y + 4.5, "end", TEXT, NULL}, label);
    }
    n = chart_ticks(c->x_min, c->x_max, c->x_whole, 10, ticks);
    for (int i = 0; i < n; i++) {
        double x = place_x(c, ticks[i]);
        svg_line(b, (struct svg_line){x, bottom, x, bottom + 4}, AXIS_COLOR, 1, NULL);
        snprintf(label, sizeof label, "%.6g", ticks[i]);
        svg_text(b, (struct svg_text){x, bottom + 18, "middle", TEXT, NULL}, label);
    }
    svg_line(b, (struct svg_line){left, bottom, right, bottom}, AXIS_COLOR, 1.2, NULL);
    svg_line(b, (struct svg_line){left, top, left, bottom}, AXIS_COLOR, 1.2, NULL);
    svg_text(b, (struct svg_text){(left + right) / 2, c->height - 8, "middle", TEXT, NULL}, c->x_label);
    snprintf(label, sizeof label, "transform=\"rotate(-90 14 %d)\"", (int)((top + bottom) / 2));
    svg_text(b, (struct svg_text){14, (int)((top + bottom) / 2), "middle", TEXT, label}, c->y_label);
}

static const char *dashes(const struct chart_series *s)
{
    return s->dashed ? "stroke-dasharray=\"7 4\"" : NULL;
}

static void legend(struct buf *b, const struct chart *c)
{
    double x = CHART_LEFT;

    for (size_t i = 0; i < c->n_series; i++) {
        const struct chart_series *s = &c->series[i];
        if (!s->name)
            continue;
        if (s->dots)
            svg_circle(b, x + 11, LEGEND_Y - 4, 4.5, chart_color_text(s->color));
        else
            svg_line(b, (struct svg_line){x, LEGEND_Y - 4, x + 22, LEGEND_Y - 4}, chart_color_text(s->color),
                     2.4, dashes(s));
        svg_text(b, (struct svg_text){x + 28, LEGEND_Y, "start", TEXT, NULL}, s->name);
        x += 28 + LETTER * (double)strlen(s->name) + 14;
    }
}

/* Points from begin to end (exclusive) as one line, or as a dot where there is one alone. */
static void draw_run(struct buf *b, const struct chart *c, const struct chart_series *s, size_t begin,
                     size_t end)
{
    if (end - begin == 1) {
        svg_circle(b, place_x(c, s->x[begin]), place_y(c, s->y[begin]), 3, chart_color_text(s->color));
        return;
    }
    buf_addf(
        b, "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" stroke-linejoin=\"round\" %s points=\"",
        chart_color_text(s->color), s->dashed ? dashes(s) : "");
    for (size_t i = begin; i < end; i++)
        buf_addf(b, "%s%.2f,%.2f", i > begin ? " " : "", place_x(c, s->x[i]), place_y(c, s->y[i]));
    buf_adds(b, "\"/>\n");
}

static void draw_series(struct buf *b, const struct chart *c, const struct chart_series *s)
{
    size_t begin = 0;

    for (size_t i = 0; i <= s->n; i++) {
        bool there = i < s->n && isfinite(s->x[i]) && isfinite(s->y[i]);
        if (s->dots && there)
            svg_circle(b, place_x(c, s->x[i]), place_y(c, s->y[i]), 4.5, chart_color_text(s->color));
        if (!there) {
            if (i > begin && !s->dots)
                draw_run(b, c, s, begin, i);
            begin = i + 1;
        }
    }
}

static void draw_mark(struct buf *b, const struct chart *c)
{
    double x = place_x(c, c->mark_x);
    const char *anchor = x > c->width - 45 ? "end" : x < CHART_LEFT + 25 ? "start" : "middle";

    svg_line(b, (struct svg_line){x, CHART_TOP, x, c->height - CHART_BOTTOM}, "#374151", 1.2,
             "stroke-dasharray=\"2 3\"");
    svg_text(b, (struct svg_text){x, CHART_TOP - 4, anchor, 12, "class=\"halo\""}, c->mark);
}

void chart_lines(struct buf *b, const struct chart *chart)
{
    struct chart c = *chart;
    double bottom = c.height - CHART_BOTTOM;

    find_ranges(&c);
    svg_begin(b, c.width, c.height, c.title);
    svg_text(b, (struct svg_text){CHART_LEFT, 18, "start", 15, "font-weight=\"600\""}, c.title);
    axes(b, &c);
    if (c.diagonal)
        svg_line(b, (struct svg_line){CHART_LEFT, bottom, c.width - CHART_RIGHT, CHART_TOP}, AXIS_COLOR, 1.2,
                 "stroke-dasharray=\"3 4\"");
    if (c.cursor)
        buf_addf(b,
                 "<line class=\"cursor\" data-x=\"%.4f\" data-step=\"%.6f\" x1=\"-9\" x2=\"-9\" y1=\"%d\" "
                 "y2=\"%.0f\" "
                 "stroke=\"#1b2430\" stroke-width=\"1.5\"/>\n",
                 place_x(&c, 0), place_x(&c, 1) - place_x(&c, 0), CHART_TOP, bottom);
    for (size_t i = 0; i < c.n_series; i++)
        draw_series(b, &c, &c.series[i]);
    if (c.mark)
        draw_mark(b, &c);
    legend(b, &c);
    if (c.note)
        svg_text(b,
                 (struct svg_text){c.width - CHART_RIGHT - 8, bottom - 12, "end", 14, "font-weight=\"600\""},
                 c.note);
    svg_end(b);
}
