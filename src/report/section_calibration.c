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

static void reliability_table(struct buf *b, const json_t *calibration)
{
    const json_t *bins = source_at(calibration, "platt.reliability");

    buf_adds(
        b, "<table class=\"measures\"><caption>Platt&rsquo;s probabilities by tenths</caption><thead><tr><th>"
           "probability</th><th class=\"n\">cases</th><th class=\"n\">mean</th><th "
           "class=\"n\">malignant</th><th "
           "class=\"n\">95&nbsp;% interval</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < json_array_size(bins); i++) {
        const json_t *bin = json_array_get(bins, i);
        buf_addf(b,
                 "<tr><th>%.1f to %.1f</th><td class=\"n\">%.0f</td><td class=\"n\">%.3f</td><td "
                 "class=\"n\">%.3f</td><td "
                 "class=\"n\">%.3f to %.3f</td></tr>\n",
                 source_number(bin, "from"), source_number(bin, "to"), source_number(bin, "cases"),
                 source_number(bin, "mean"), source_number(bin, "malignant.value"),
                 source_number(bin, "malignant.low"), source_number(bin, "malignant.high"));
    }
    buf_adds(b, "</tbody></table>\n");
}

static void score_cell(struct buf *b, const json_t *i)
{
    buf_adds(b, "<td class=\"n\">");
    html_number(b, source_number(i, "value"), 3);
    buf_adds(b, "</td><td class=\"n\">");
    html_range(b, source_number(i, "low"), source_number(i, "high"), 3);
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

/* The risk at the first point that covers so much. */
static double risk_at(const double *x, const double *y, size_t n, double coverage)
{
    for (size_t i = 0; i < n; i++)
        if (x[i] >= coverage - 1e-12)
            return y[i];
    return NAN;
}

static void coverage_table(struct buf *b, const json_t *decisions, const double *x, const double *y, size_t n)
{
    static const double COVERAGE[] = {.25, .5, .75, .9, 1};

    buf_adds(b, "<div class=\"wide\"><table class=\"measures\"><caption>Wrong among the cases that get an "
                "answer</caption><thead><tr><th></th><th class=\"n\">answered</th><th class=\"n\">wrong of "
                "them</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < json_array_size(decisions); i++) {
        const json_t *d = json_array_get(decisions, i);
        buf_adds(b, "<tr><th>");
        html_text(b, source_text(d, "name"));
        buf_adds(b, " thresholds</th><td class=\"n\">");
        html_percent(b, 1 - source_number(d, "uncertain.value"));
        buf_adds(b, "</td><td class=\"n\">");
        html_number(b, source_number(d, "wrong_of_answered.value"), 3);
        buf_adds(b, "<br><span class=\"note\">");
        html_range(b, source_number(d, "wrong_of_answered.low"), source_number(d, "wrong_of_answered.high"),
                   3);
        buf_adds(b, "</span></td></tr>\n");
    }
    for (size_t i = 0; i < sizeof COVERAGE / sizeof *COVERAGE; i++) {
        buf_adds(b, "<tr><th>the surest</th><td class=\"n\">");
        html_percent(b, COVERAGE[i]);
        buf_adds(b, "</td><td class=\"n\">");
        html_number(b, risk_at(x, y, n, COVERAGE[i]), 3);
        buf_adds(b, "</td></tr>\n");
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
    coverage_table(b, decisions, x, y, n);
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
