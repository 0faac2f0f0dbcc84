#include "report/comparison.h"

#include "base/file.h"
#include "base/mem.h"
#include "report/chart.h"
#include "report/html.h"
#include "report/leaks.h"
#include "report/source.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_CURVES = 6 };

/* "A", "B", ...: long folder names do not fit a chart. */
static const char *letter(size_t run)
{
    static const char *const LETTER[] = {"A", "B", "C", "D", "E", "F", "G", "H",
                                         "I", "J", "K", "L", "M", "N", "O", "P"};

    return LETTER[run % (sizeof LETTER / sizeof *LETTER)];
}

static void what(struct buf *b, const json_t *json)
{
    const json_t *data = source_at(json, "data"), *runs = source_at(json, "runs");
    const double touched = source_number(data, "test_evaluations");

    buf_addf(b,
             "<div class=\"summary\"><p>%zu runs on the same <b>%.0f cases</b> of %.0f patients, %.0f "
             "malignant: the ",
             json_array_size(runs), source_number(json, "cases"), source_number(json, "patients"),
             source_number(json, "malignant"));
    html_text(b, source_text(data, "part"));
    buf_adds(b, " part of ");
    html_text(b, source_text(data, "path"));
    buf_adds(b, ". Always giving one answer would be right for ");
    html_percent(b, source_number(json, "majority_class"));
    buf_adds(b, ".</p>\n");
    for (size_t i = 0; i < json_array_size(source_at(json, "cannot_tell")); i++) {
        const char *text = json_string_value(json_array_get(source_at(json, "cannot_tell"), i));
        buf_adds(b, "<p class=\"caution\"><b>");
        html_text(b, text ? text : "");
        buf_adds(b, "</b></p>\n");
    }
    if (!strcmp(source_text(data, "part"), "test") && isfinite(touched))
        buf_addf(
            b,
            "<p class=\"caution\">The test part had been evaluated %.0f time%s with run A when its result "
            "was made; every look after the first makes it less of a test.</p>\n",
            touched, touched == 1 ? "" : "s");
    if (!strcmp(source_text(data, "part"), "validation"))
        buf_adds(
            b,
            "<p class=\"caution\">These cases also chose each run's best epoch and thresholds: the numbers "
            "are optimistic for all of them.</p>\n");
    for (size_t i = 0; i < json_array_size(runs); i++) {
        const json_t *run = json_array_get(runs, i);
        struct buf said = BUF_INIT;
        leaks_of_training(&said, source_at(run, "run.leaks"));
        leaks_of_data(&said, source_at(run, "data_leaks"));
        if (said.len > 0) {
            buf_addf(b, "<p><b>Run %s:</b></p>\n", letter(i));
            buf_add(b, said.data, said.len);
        }
        buf_release(&said);
    }
    buf_adds(b, "</div>\n");
}

static void interval_cell(struct buf *b, const json_t *i)
{
    buf_adds(b, "<td class=\"n\">");
    html_number(b, source_number(i, "value"), 3);
    buf_adds(b, "<br><span class=\"note\">");
    html_interval(b, source_number(i, "low"), source_number(i, "high"));
    buf_adds(b, "</span></td>");
}

static void runs_table(struct buf *b, const json_t *runs, double majority, const char *of)
{
    buf_adds(b, "<div class=\"wide\"><table class=\"measures\"><caption>Each run with its 95&nbsp;% "
                "intervals; the majority class alone has an accuracy of ");
    html_number(b, majority, 3);
    buf_adds(b, "</caption><thead><tr><th></th><th>run</th><th>trained for</th><th>thresholds</th><th "
                "class=\"n\">AUC</th><th class=\"n\">accuracy</th><th class=\"n\">Dice, mean</th><th "
                "class=\"n\">cases "
                "left out</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < json_array_size(runs); i++) {
        const json_t *r = json_array_get(runs, i);
        const char *by = source_text(r, "answers_by");
        buf_addf(b, "<tr><th>%s</th><td>", letter(i));
        html_text(b, source_text(r, "folder"));
        buf_adds(b, "</td><td>");
        html_text(b, source_text(r, "run.task"));
        buf_adds(b, "</td><td>");
        html_text(b, *by ? by : "none");
        buf_adds(b, "</td>");
        interval_cell(b, source_at(r, "auc"));
        interval_cell(b, source_at(r, "accuracy"));
        interval_cell(b, source_at(r, "dice"));
        buf_addf(b, "<td class=\"n\">%.0f</td></tr>\n", source_number(r, "left_out"));
    }
    buf_adds(b, "</tbody></table></div>\n");
    if (!strcmp(of, "malignant"))
        buf_adds(b,
                 "<p class=\"note\">Dice over the images with a malignant lesion: a black-box run leaves the "
                 "others black.</p>\n");
}

static void p_cells(struct buf *b, const json_t *test)
{
    static const char *const KEYS[] = {"p", "p_holm"};

    for (int k = 0; k < 2; k++) {
        const double p = source_number(test, KEYS[k]);
        buf_adds(b, "<td class=\"n\">");
        if (p < .0005)
            buf_adds(b, "&lt; .001");
        else
            html_number(b, p, 3);
        buf_adds(b, "</td>");
    }
}

static void difference_row(struct buf *b, const json_t *pair, const json_t *test, const char *name)
{
    if (!json_is_object(test))
        return;
    buf_addf(b, "<tr><th>%s &minus; %s</th><td>%s</td><td class=\"n\">",
             letter((size_t)source_number(pair, "second")), letter((size_t)source_number(pair, "first")),
             name);
    html_number(b, source_number(test, "difference"), 3);
    buf_adds(b, "</td><td class=\"n\">");
    html_interval(b, source_number(test, "low"), source_number(test, "high"));
    buf_adds(b, "</td>");
    p_cells(b, test);
    buf_adds(b, "<td class=\"note\">");
    html_text(b, source_text(test, "test"));
    if (source_at(test, "by_patients")) {
        buf_adds(b, "; interval by patients ");
        html_interval(b, source_number(test, "by_patients.low"), source_number(test, "by_patients.high"));
    }
    buf_adds(b, "</td></tr>\n");
}

static void answers_row(struct buf *b, const json_t *pair)
{
    const json_t *test = source_at(pair, "answers");
    const char *first = letter((size_t)source_number(pair, "first")),
               *second = letter((size_t)source_number(pair, "second"));

    if (!json_is_object(test))
        return;
    buf_addf(
        b,
        "<tr><th>%s, %s</th><td>answers</td><td class=\"n\" colspan=\"2\">only %s right %.0f, only %s right "
        "%.0f of %.0f</td>",
        second, first, second, source_number(test, "only_second_right"), first,
        source_number(test, "only_first_right"), source_number(test, "cases"));
    p_cells(b, test);
    buf_adds(b, "<td class=\"note\">");
    html_text(b, source_text(test, "test"));
    buf_adds(b, "</td></tr>\n");
}

static void pairs_table(struct buf *b, const json_t *json)
{
    const json_t *pairs = source_at(json, "pairs");

    html_heading(b, "pairs", "Differences");
    buf_addf(b,
             "<p>Paired on the same cases. The %.0f p-values of this page are one family: <i>p, Holm</i> is "
             "what to "
             "read.</p>\n",
             source_number(json, "tests"));
    buf_adds(b, "<div class=\"wide\"><table class=\"measures\"><caption>Differences with their 95&nbsp;% "
                "intervals</caption><thead><tr><th></th><th></th><th class=\"n\">difference</th><th "
                "class=\"n\">interval</th><th class=\"n\">p</th><th class=\"n\">p, "
                "Holm</th><th></th></tr></thead><tbody>\n");
    for (size_t i = 0; i < json_array_size(pairs); i++) {
        const json_t *pair = json_array_get(pairs, i);
        difference_row(b, pair, source_at(pair, "auc"), "AUC");
        answers_row(b, pair);
        difference_row(b, pair, source_at(pair, "dice"), "Dice, mean");
    }
    buf_adds(
        b,
        "</tbody></table></div>\n<p class=\"note\">DeLong's and McNemar's tests take cases as independent of "
        "each other; where patients have several images, the interval by patients is the honest "
        "one.</p>\n");
}

static void curves(struct buf *b, const json_t *runs)
{
    static const enum chart_color COLORS[MOST_CURVES] = {CHART_BLUE,   CHART_VERMILION, CHART_GREEN,
                                                         CHART_PURPLE, CHART_ORANGE,    CHART_GREY};
    struct chart_series series[MOST_CURVES] = {{0}};
    struct chart c = {.title = "ROC",
                      .x_label = "false positive rate (1 - specificity)",
                      .y_label = "true positive rate (sensitivity)",
                      .width = 460,
                      .height = 484,
                      .x_max = 1,
                      .y_max = 1,
                      .diagonal = true,
                      .series = series};
    double *v[MOST_CURVES][2];

    for (size_t i = 0; i < json_array_size(runs) && i < MOST_CURVES; i++) {
        const json_t *points = source_at(json_array_get(runs, i), "roc");
        const size_t n = json_array_size(points);
        for (size_t k = 0; k < 2; k++) {
            v[i][k] = mem_new(n + 1, sizeof(double));
            for (size_t p = 0; p < n; p++)
                v[i][k][p] = source_cell(points, p, k);
        }
        series[c.n_series++] =
            (struct chart_series){letter(i), v[i][0], v[i][1], n, COLORS[i], i % 2 == 1, false};
    }
    buf_adds(b, "<figure>");
    chart_lines(b, &c);
    buf_adds(b, "</figure>\n");
    for (size_t i = 0; i < c.n_series; i++) {
        free(v[i][0]);
        free(v[i][1]);
    }
}

static void intervals(struct buf *b, const json_t *json, const char *measure, const char *title)
{
    const json_t *runs = source_at(json, "runs");
    const size_t n = json_array_size(runs);
    struct chart_interval *rows = mem_new(n + 1, sizeof *rows);

    for (size_t i = 0; i < n; i++) {
        const json_t *m = source_at(json_array_get(runs, i), measure);
        rows[i] = (struct chart_interval){
            letter(i), source_number(m, "value"), source_number(m, "low"), source_number(m, "high"), NAN,
            NULL};
    }
    buf_adds(b, "<figure>");
    chart_intervals(b, &(struct chart_forest){title, 500, 0, rows, n});
    buf_adds(b, "</figure>\n");
    free(rows);
}

/* The curves as a table: sensitivities at the last point of no more than some false positive rates. */
static void curves_table(struct buf *b, const json_t *runs)
{
    static const double RATE[] = {.05, .1, .2, .3, .5};
    enum { RATES = sizeof RATE / sizeof *RATE };

    buf_adds(b, "<table class=\"measures tight\"><caption>Sensitivity at a false positive rate of at "
                "most</caption><thead><tr><th scope=\"col\"></th>");
    for (size_t k = 0; k < RATES; k++)
        buf_addf(b, "<th scope=\"col\" class=\"n\">%.2f</th>", RATE[k]);
    buf_adds(b, "</tr></thead><tbody>\n");
    for (size_t i = 0; i < json_array_size(runs) && i < MOST_CURVES; i++) {
        const json_t *points = source_at(json_array_get(runs, i), "roc");
        buf_addf(b, "<tr><th scope=\"row\">%s</th>", letter(i));
        for (size_t k = 0; k < RATES; k++) {
            double sensitivity = NAN;
            for (size_t p = 0; p < json_array_size(points); p++)
                if (source_cell(points, p, 0) <= RATE[k] + 1e-12)
                    sensitivity = source_cell(points, p, 1);
            buf_adds(b, "<td class=\"n\">");
            html_number(b, sensitivity, 3);
            buf_adds(b, "</td>");
        }
        buf_adds(b, "</tr>\n");
    }
    buf_adds(b, "</tbody></table>\n");
}

static void write_page(struct buf *b, const json_t *json)
{
    html_begin(b, "Comparison", source_text(json, "program"));
    what(b, json);
    runs_table(b, source_at(json, "runs"), source_number(json, "majority_class"),
               source_text(json, "dice_of"));
    buf_adds(b, "<div class=\"pair\"><div>\n");
    curves(b, source_at(json, "runs"));
    curves_table(b, source_at(json, "runs"));
    buf_adds(b, "</div><div>\n");
    intervals(b, json, "auc", "AUC with 95 % intervals");
    intervals(b, json, "dice", "Mean Dice with 95 % intervals");
    buf_adds(b, "</div></div>\n");
    pairs_table(b, json);
    html_end(b);
}

bool comparison_write(const char *folder, struct err *err)
{
    char *in = file_join(folder, "comparison.json"), *out = file_join(folder, "comparison.html");
    struct buf page = BUF_INIT;
    json_t *json = json_file_read(in, err);
    bool ok = json != NULL;

    if (ok && strcmp(source_text(json, "format"), "clearmass-comparison-1") != 0)
        ok = err_set(err, ERR_FORMAT, "%s: not a comparison", in);
    if (ok) {
        write_page(&page, json);
        ok = file_write(out, page.data, page.len, err);
    }
    json_decref(json);
    buf_release(&page);
    free(in);
    free(out);
    return ok;
}
