#include "report/parts.h"

#include "base/mem.h"
#include "report/html.h"
#include "report/sections.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *field(const struct csv *t, size_t row, const char *column)
{
    return csv_get(t, row, csv_column(t, column));
}

static double number(const struct csv *t, size_t row, const char *column)
{
    const char *text = field(t, row, column);
    char *end;
    const double v = strtod(text, &end);

    return end == text || *end ? NAN : v;
}

static bool is_rest(const struct csv *t, size_t row)
{
    return strcmp(field(t, row, "region"), "rest") == 0;
}

/* The rows of one image follow each other. */
static size_t rows_from(const struct csv *t, size_t first)
{
    size_t n = 1;

    while (first + n < t->count && strcmp(field(t, first + n, "id"), field(t, first, "id")) == 0)
        n++;
    return n;
}

struct parts parts_of(const struct source *s, const char *id)
{
    const struct csv *t = &s->regions;
    const int column = csv_column(t, "id");

    for (size_t i = 0; i < t->count; i++)
        if (strcmp(csv_get(t, i, column), id) == 0)
            return (struct parts){t, i, rows_from(t, i)};
    return (struct parts){t, 0, 0};
}

static bool whole(int *out, double v)
{
    const bool ok = v >= 0 && v <= INT_MAX && v == floor(v);

    *out = ok ? (int)v : 0;
    return ok;
}

size_t parts_boxes(struct image_box box[PARTS_MOST], const struct parts *p)
{
    size_t n = 0;

    for (size_t i = p->first; i < p->first + p->count && n < PARTS_MOST && !is_rest(p->table, i); i++, n++) {
        struct image_box *x = &box[n];
        if (!whole(&x->x0, number(p->table, i, "x0")) || !whole(&x->y0, number(p->table, i, "y0")) ||
            !whole(&x->x1, number(p->table, i, "x1")) || !whole(&x->y1, number(p->table, i, "y1")) ||
            x->x1 <= x->x0 || x->y1 <= x->y0)
            break;
    }
    return n;
}

static void part_row(struct buf *b, const struct csv *t, size_t i, bool answers)
{
    char text[HTML_SCORE_TEXT];
    const char *answer = field(t, i, "answer"), *without = field(t, i, "answer_without");

    buf_adds(b, "<tr><th scope=\"row\">");
    html_textf(b, is_rest(t, i) ? "elsewhere" : "place %s", field(t, i, "region"));
    buf_adds(b, "</th><td class=\"n\">");
    html_percent(b, number(t, i, "share"));
    html_score_text(number(t, i, "score_without"), text);
    buf_addf(b, "</td><td class=\"n\">%s</td>", text);
    if (answers) {
        buf_adds(b, strcmp(answer, without) != 0 ? "<td><b>" : "<td>");
        html_text(b, without);
        buf_adds(b, strcmp(answer, without) != 0 ? "</b></td>" : "</td>");
    }
    buf_adds(b, "</tr>\n");
}

void parts_table(struct buf *b, const struct parts *p)
{
    if (p->count == 0)
        return;
    const bool answers = *field(p->table, p->first, "answer");
    buf_addf(b,
             "<table class=\"parts\"><caption>What the score is made of</caption><thead><tr><th "
             "scope=\"col\"></th><th scope=\"col\" class=\"n\">share</th><th scope=\"col\" class=\"n\">score "
             "without it</th>%s</tr></thead><tbody>\n",
             answers ? "<th scope=\"col\">answer without it</th>" : "");
    for (size_t i = p->first; i < p->first + p->count; i++)
        part_row(b, p->table, i, answers);
    buf_adds(b, "</tbody></table>\n");
}

/* Images of one answer. */
struct tally {
    size_t images, nowhere, turned; /* turned: another answer without the largest place */
    double *largest, *rest;         /* [images]: shares of the score */
};

static void count_image(struct tally *y, const struct csv *t, size_t first, size_t n)
{
    const char *answer = field(t, first, "answer");
    const size_t rest = first + n - 1;

    y->nowhere += n == 1;
    y->largest[y->images] = n > 1 ? number(t, first, "share") : 0;
    y->rest[y->images++] = number(t, rest, "share");
    y->turned += n > 1 && strcmp(answer, field(t, first, "answer_without")) != 0;
}

static int ascending(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;

    return a < b ? -1 : a > b;
}

static double median(double *v, size_t n)
{
    if (n == 0)
        return NAN;
    qsort(v, n, sizeof *v, ascending);
    return (v[(n - 1) / 2] + v[n / 2]) / 2;
}

static void tally_row(struct buf *b, struct tally *y, const char *answer)
{
    buf_addf(b,
             "<tr><th scope=\"row\">%s</th><td class=\"n\">%zu</td><td class=\"n\">%zu</td><td class=\"n\">",
             *answer ? answer : "all", y->images, y->nowhere);
    html_percent(b, median(y->largest, y->images));
    buf_adds(b, "</td><td class=\"n\">");
    html_percent(b, median(y->rest, y->images));
    buf_adds(b, "</td>");
    if (*answer)
        buf_addf(b, "<td class=\"n\">%zu of %zu</td>", y->turned, y->images);
    buf_adds(b, "</tr>\n");
}

static void tally(struct buf *b, const struct csv *t, const char *answer)
{
    struct tally y = {.largest = mem_new(t->count + 1, sizeof(double)),
                      .rest = mem_new(t->count + 1, sizeof(double))};

    for (size_t i = 0, n; i < t->count; i += n) {
        n = rows_from(t, i);
        if (strcmp(field(t, i, "answer"), answer) == 0)
            count_image(&y, t, i, n);
    }
    if (y.images > 0)
        tally_row(b, &y, answer);
    free(y.largest);
    free(y.rest);
}

void section_parts(struct buf *b, const struct source *s)
{
    static const char *const ANSWERS[] = {"benign", "uncertain", "malignant", ""};
    const struct csv *t = &s->regions;

    if (t->count == 0)
        return;
    const bool answers = *field(t, 0, "answer");
    html_heading(b, "parts", "What the scores are made of");
    buf_adds(b, "<p>The score is the sum of the predicted mask over all pixels. Each place&rsquo;s share of "
                "it is therefore a fact and no estimate, and so is the score, and the answer, that would be "
                "left without it. Places are connected pixels above half of the brightest (at most .5) that "
                "hold 1&nbsp;% of the score or more.</p>\n");
    buf_addf(b,
             "<div class=\"wide\"><table class=\"measures\"><caption>Images by their answer; shares are "
             "medians</caption><thead><tr><th scope=\"col\">answer</th><th scope=\"col\" "
             "class=\"n\">images</th><th scope=\"col\" class=\"n\">without a place</th><th scope=\"col\" "
             "class=\"n\">largest place</th><th scope=\"col\" class=\"n\">outside all places</th>%s"
             "</tr></thead><tbody>\n",
             answers ? "<th scope=\"col\" class=\"n\">another answer without the largest</th>" : "");
    for (size_t i = 0; i < sizeof ANSWERS / sizeof *ANSWERS; i++)
        tally(b, t, ANSWERS[i]);
    buf_adds(b, "</tbody></table></div>\n<p class=\"note\">The examples below show it place by place; "
                "<code>evaluation/regions.csv</code> has it for every image.</p>\n");
}
