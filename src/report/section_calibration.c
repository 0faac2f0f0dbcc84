#include "report/sections.h"

#include "base/mem.h"
#include "report/chart.h"
#include "report/html.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BINS = 10, MOST_DOTS = 3 };

static const struct {
    const char *key, *name;
} METHOD[] = {{"platt", "Platt"}, {"isotonic", "isotonic"}};
enum { METHODS = sizeof METHOD / sizeof *METHOD };

/* Each method's bins as dots, Platt's with their intervals as upright lines. */
static void reliability(struct buf *b, const json_t *calibration)
{
    double x[METHODS][MOST_BINS], y[METHODS][MOST_BINS], bar_x[MOST_BINS][2], bar_y[MOST_BINS][2];
    struct chart_series series[MOST_BINS + METHODS] = {{0}};
    struct chart c = {.title = "Reliability",
                      .x_label = "mean probability given",
                      .y_label = "malignant among them",
                      .width = 460,
                      .height = 440,
                      .x_max = 1,
                      .y_max = 1,
                      .diagonal = true,
                      .series = series};

    for (size_t m = 0; m < METHODS; m++) {
        const json_t *bins = source_at(source_at(calibration, METHOD[m].key), "reliability");
        const size_t n = json_array_size(bins) < MOST_BINS ? json_array_size(bins) : MOST_BINS;
        for (size_t i = 0; i < n; i++) {
            const json_t *bin = json_array_get(bins, i);
            x[m][i] = source_number(bin, "mean");
            y[m][i] = source_number(bin, "malignant.value");
            if (m > 0)
                continue;
            bar_x[i][0] = bar_x[i][1] = x[m][i];
            bar_y[i][0] = source_number(bin, "malignant.low");
            bar_y[i][1] = source_number(bin, "malignant.high");
            series[c.n_series++] =
                (struct chart_series){NULL, bar_x[i], bar_y[i], 2, CHART_SKY, false, false};
        }
        series[c.n_series++] = (struct chart_series){
            METHOD[m].name, x[m], y[m], n, m == 0 ? CHART_BLUE : CHART_ORANGE, false, true};
    }
    buf_adds(b, "<figure>");
    chart_lines(b, &c);
    buf_adds(b, "</figure>\n");
}

static void reliability_rows(struct buf *b, const json_t *bins, const char *name)
{
    for (size_t i = 0; i < json_array_size(bins); i++) {
        const json_t *bin = json_array_get(bins, i);
        buf_addf(b,
                 "<tr><th scope=\"row\">%s %.1f to %.1f</th><td class=\"n\">%.0f</td><td "
                 "class=\"n\">%.3f</td><td class=\"n\">%.3f</td><td class=\"n\">",
                 name, source_number(bin, "from"), source_number(bin, "to"), source_number(bin, "cases"),
                 source_number(bin, "mean"), source_number(bin, "malignant.value"));
        html_interval(b, source_number(bin, "malignant.low"), source_number(bin, "malignant.high"));
        buf_adds(b, "</td></tr>\n");
    }
}

static void reliability_table(struct buf *b, const json_t *calibration)
{
    buf_adds(b, "<div class=\"wide\"><table class=\"measures tight\"><caption>Probabilities by "
                "tenths</caption><thead><tr><th scope=\"col\">probability</th><th scope=\"col\" "
                "class=\"n\">cases</th><th scope=\"col\" class=\"n\">mean</th><th scope=\"col\" "
                "class=\"n\">malignant</th><th scope=\"col\" class=\"n\">95&nbsp;% "
                "interval</th></tr></thead><tbody>\n");
    for (size_t m = 0; m < METHODS; m++)
        reliability_rows(b, source_at(source_at(calibration, METHOD[m].key), "reliability"), METHOD[m].name);
    buf_adds(b, "</tbody></table></div>\n");
}

static void score_cell(struct buf *b, const json_t *i)
{
    buf_adds(b, "<td class=\"n\">");
    html_number(b, source_number(i, "value"), 3);
    buf_adds(b, "</td><td class=\"n\">");
    html_interval(b, source_number(i, "low"), source_number(i, "high"));
    buf_adds(b, "</td>");
}

static void scores_table(struct buf *b, const json_t *calibration)
{
    buf_adds(b, "<table class=\"measures\"><caption>How far the probabilities are off: less is "
                "better</caption><thead><tr><th></th><th class=\"n\">ECE</th><th class=\"n\">95&nbsp;% "
                "interval</th><th "
                "class=\"n\">Brier</th><th class=\"n\">95&nbsp;% interval</th></tr></thead><tbody>\n");
    for (size_t m = 0; m < METHODS; m++) {
        const json_t *of = source_at(calibration, METHOD[m].key);
        buf_addf(b, "<tr><th>%s</th>", METHOD[m].name);
        score_cell(b, source_at(of, "ece"));
        score_cell(b, source_at(of, "brier"));
        buf_adds(b, "</tr>\n");
    }
    buf_adds(b, "<tr><th>always the base rate</th><td></td><td></td><td class=\"n\">");
    html_number(b, source_number(calibration, "brier_of_base_rate"), 3);
    buf_adds(b, "</td><td></td></tr>\n</tbody></table>\n");
}

static void coverage_row(struct buf *b, double answered, const json_t *wrong)
{
    buf_adds(b, "</th><td class=\"n\">");
    html_percent(b, answered);
    buf_adds(b, "</td><td class=\"n\">");
    html_number(b, source_number(wrong, "value"), 3);
    buf_adds(b, "<br><span class=\"note\">");
    html_interval(b, source_number(wrong, "low"), source_number(wrong, "high"));
    buf_adds(b, "</span></td></tr>\n");
}

static void coverage_table(struct buf *b, const json_t *decisions, const json_t *at)
{
    buf_adds(b,
             "<div class=\"wide\"><table class=\"measures\"><caption>Wrong among the cases that get an "
             "answer, with 95&nbsp;% intervals</caption><thead><tr><th scope=\"col\"></th><th scope=\"col\" "
             "class=\"n\">answered</th><th scope=\"col\" class=\"n\">wrong of "
             "them</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < json_array_size(decisions); i++) {
        const json_t *d = json_array_get(decisions, i);
        buf_adds(b, "<tr><th scope=\"row\">");
        html_text(b, source_text(d, "name"));
        buf_adds(b, " thresholds");
        coverage_row(b, 1 - source_number(d, "uncertain.value"), source_at(d, "wrong_of_answered"));
    }
    for (size_t i = 0; i < json_array_size(at); i++) {
        const json_t *p = json_array_get(at, i);
        buf_adds(b, "<tr><th scope=\"row\">the surest");
        coverage_row(b, source_number(p, "coverage"), source_at(p, "risk"));
    }
    buf_adds(b, "</tbody></table></div>\n");
}

static void coverage(struct buf *b, const json_t *result)
{
    static const enum chart_color COLORS[MOST_DOTS] = {CHART_VERMILION, CHART_GREEN, CHART_PURPLE};
    const json_t *points = source_at(result, "risk_coverage.curve"),
                 *decisions = source_at(result, "decisions");
    const size_t n = json_array_size(points);
    double *x = mem_new(n + 1, sizeof *x), *y = mem_new(n + 1, sizeof *y), dot[MOST_DOTS][2];
    struct chart_series series[1 + MOST_DOTS] = {{.x = x, .y = y, .n = n, .color = CHART_BLUE}};
    struct chart c = {.title = "Risk against coverage",
                      .x_label = "share of cases that get an answer",
                      .y_label = "wrong among them",
                      .width = 460,
                      .height = 440,
                      .x_max = 1,
                      .y_max = 0,
                      .series = series,
                      .n_series = 1};

    for (size_t i = 0; i < n; i++) {
        x[i] = source_cell(points, i, 0);
        y[i] = source_cell(points, i, 1);
        c.y_max = fmax(c.y_max, y[i]);
    }
    for (size_t i = 0; i < json_array_size(decisions) && i < MOST_DOTS; i++) {
        const json_t *d = json_array_get(decisions, i);
        dot[i][0] = 1 - source_number(d, "uncertain.value");
        dot[i][1] = source_number(d, "wrong_of_answered.value");
        c.y_max = isfinite(dot[i][1]) ? fmax(c.y_max, dot[i][1]) : c.y_max;
        series[c.n_series++] =
            (struct chart_series){source_text(d, "name"), &dot[i][0], &dot[i][1], 1, COLORS[i], false, true};
    }
    c.y_max = fmin(1, ceil(10 * c.y_max + 1e-9) / 10);
    buf_adds(b, "<figure>");
    chart_lines(b, &c);
    buf_adds(b, "</figure>\n");
    coverage_table(b, decisions, source_at(result, "risk_coverage.at"));
    free(x);
    free(y);
}

void section_calibration(struct buf *b, const struct source *s)
{
    const json_t *calibration = source_at(s->result, "calibration");
    const bool judged = json_array_size(source_at(s->result, "decisions")) > 0;

    if (!s->result || !judged)
        return;
    html_heading(b, "calibration", "Probabilities, and what is left unanswered");
    if (!json_is_object(calibration)) {
        buf_adds(
            b,
            "<p>This result was made without a calibration of the score: there are no probabilities to show. "
            "After <code>clearmass calibrate ");
        html_text(b, s->folder);
        buf_adds(b, "</code>, evaluate again.</p>\n");
        return;
    }
    buf_adds(
        b,
        "<p>The score was turned into a probability of malignancy on the validation part, by Platt&rsquo;s "
        "sigmoid and by isotonic regression.");
    if (json_is_true(source_at(calibration, "same_images")))
        buf_adds(b, " <b>Optimistic:</b> these are the same images as those measured here.");
    buf_adds(b, "</p>\n<div class=\"pair\"><div>\n");
    reliability(b, calibration);
    reliability_table(b, calibration);
    buf_adds(b, "</div><div>\n");
    coverage(b, s->result);
    buf_adds(b, "</div></div>\n");
    scores_table(b, calibration);
    buf_adds(
        b,
        "<p class=\"note\">On the dotted line probabilities are what they say; upright lines are 95&nbsp;% "
        "intervals of Platt&rsquo;s. ECE: expected calibration error, ten bins; it cannot "
        "fall below 0 and drawing patients adds noise, so its interval lies high. Brier: mean squared error. "
        "The "
        "curve on the right answers the surest cases first, malignant from a probability of one half on; the "
        "dots are the three-answer thresholds.</p>\n");
}
