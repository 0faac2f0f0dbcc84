#include "report/sections.h"

#include "base/mem.h"
#include "report/chart.h"
#include "report/html.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Columns x and y of a JSON curve. */
struct curve {
    double *x, *y;
    size_t n;
};

static struct curve curve_of(const json_t *points)
{
    const size_t n = json_array_size(points);
    struct curve c = {mem_new(n + 1, sizeof(double)), mem_new(n + 1, sizeof(double)), n};

    for (size_t i = 0; i < n; i++) {
        c.x[i] = source_cell(points, i, 0);
        c.y[i] = source_cell(points, i, 1);
    }
    return c;
}

static void curve_release(struct curve *c)
{
    free(c->x);
    free(c->y);
}

static void draw(struct buf *b, struct chart *c, const struct curve *curve, const char *note)
{
    const struct chart_series series = {.x = curve->x, .y = curve->y, .n = curve->n, .color = CHART_BLUE};

    c->width = 460;
    c->height = 400;
    c->y_max = 1;
    c->series = &series;
    c->n_series = 1;
    c->note = note;
    buf_adds(b, "<figure>");
    chart_lines(b, c);
    buf_adds(b, "</figure>\n");
}

static void interval_row(struct buf *b, const json_t *interval)
{
    buf_adds(b, "<td class=\"n\">");
    html_number(b, source_number(interval, "value"), 3);
    buf_adds(b, "</td><td class=\"n\">");
    html_interval(b, source_number(interval, "low"), source_number(interval, "high"));
    buf_adds(b, "</td></tr>\n");
}

static void precision_recall(struct buf *b, const json_t *pr)
{
    const json_t *at = source_at(pr, "at");
    struct curve c = curve_of(source_at(pr, "curve"));
    char *note = mem_printf("average precision %.3f, chance %.3f",
                            source_number(pr, "average_precision.value"), source_number(pr, "chance"));

    draw(b,
         &(struct chart){.title = "Precision and recall",
                         .x_label = "recall (sensitivity)",
                         .y_label = "precision (PPV)",
                         .x_max = 1},
         &c, note);
    buf_adds(b,
             "<table class=\"measures\"><caption>Average precision, and the precision where a recall is "
             "reached</caption><thead><tr><th></th><th class=\"n\">precision</th><th class=\"n\">95&nbsp;% "
             "interval</th></tr></thead><tbody>\n<tr><th>average</th>");
    interval_row(b, source_at(pr, "average_precision"));
    for (size_t i = 0; i < json_array_size(at); i++) {
        const json_t *p = json_array_get(at, i);
        buf_addf(b, "<tr><th>recall %.2f</th>", source_number(p, "recall"));
        interval_row(b, source_at(p, "precision"));
    }
    buf_adds(b, "</tbody></table>\n");
    free(note);
    curve_release(&c);
}

static void froc(struct buf *b, const json_t *f)
{
    const json_t *at = source_at(f, "at");
    const bool malignant = !strcmp(source_text(f, "lesions_of"), "malignant");
    struct curve c = curve_of(source_at(f, "curve"));
    char *note =
        mem_printf("%.0f of %.0f lesions found", source_number(f, "found"), source_number(f, "lesions"));

    draw(b,
         &(struct chart){.title = "FROC: lesions found",
                         .x_label = "false marks an image",
                         .y_label = "sensitivity, by lesions",
                         .x_max = c.n > 0 ? fmax(1, ceil(4 * c.x[c.n - 1]) / 4) : 1},
         &c, note);
    buf_addf(b,
             "<table class=\"measures\"><caption>Lesion sensitivity at a rate of false marks: %.0f "
             "lesions%s, %.0f "
             "images</caption><thead><tr><th>false marks an image</th><th class=\"n\">sensitivity</th><th "
             "class=\"n\">95&nbsp;%% interval</th></tr></thead><tbody>\n",
             source_number(f, "lesions"), malignant ? " of malignant images" : "",
             source_number(f, "images"));
    for (size_t i = 0; i < json_array_size(at); i++) {
        const json_t *point = json_array_get(at, i);
        buf_addf(b, "<tr><th>%g</th>", source_number(point, "false_per_image"));
        interval_row(b, source_at(point, "sensitivity"));
    }
    buf_addf(
        b,
        "</tbody></table>\n<p class=\"note\">A mark is a region of the map above %g; it finds a lesion when "
        "their intersection over union is %g or more. A mark's confidence is the sum of the map over it; "
        "marks "
        "that find nothing are false.%s</p>\n",
        source_number(f, "cut"), source_number(f, "overlap"),
        malignant ? " Benign lesions are not to be marked by this network." : "");
    free(note);
    curve_release(&c);
}

void section_curves(struct buf *b, const struct source *s)
{
    const json_t *pr = source_at(s->result, "precision_recall"), *f = source_at(s->result, "froc");
    const bool ranked = json_array_size(source_at(pr, "curve")) > 0,
               lesions = json_array_size(source_at(f, "curve")) > 0;

    if (!ranked && !lesions)
        return;
    html_heading(b, "found", "Precision, and lesions found");
    buf_adds(b, "<div class=\"pair\">\n");
    if (ranked) {
        buf_adds(b, "<div>\n");
        precision_recall(b, pr);
        buf_adds(b, "</div>\n");
    }
    if (lesions) {
        buf_adds(b, "<div>\n");
        froc(b, f);
        buf_adds(b, "</div>\n");
    }
    buf_adds(b, "</div>\n");
}
