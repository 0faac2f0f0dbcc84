#include "report/sections.h"

#include "base/mem.h"
#include "report/chart.h"
#include "report/html.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PROBABILITY_BINS = 20, MAX_DECADES = 14, MIN_EXPONENT = -8, MAX_BINS = 60, MAX_DOTS = 3 };

static bool is_malignant(const struct prediction *p)
{
    return !strcmp(p->label, "malignant");
}

/* A cell of a matrix: the count, its share of the row, and a shade of that share. */
static void cell(struct buf *b, double count, double row_total, bool right)
{
    double share = row_total > 0 ? count / row_total : 0;

    if (!isfinite(count)) {
        buf_adds(b, "<td>&ndash;</td>");
        return;
    }
    buf_addf(b, "<td style=\"background:rgba(%s,%.2f)\"><b>%.0f</b><span>", right ? "0,114,178" : "213,94,0",
             share * .45, count);
    html_percent(b, row_total > 0 ? share : NAN);
    buf_adds(b, "</span></td>");
}

static void matrix(struct buf *b, const json_t *d)
{
    static const char *const NAMES[] = {"benign or normal", "malignant"};
    const json_t *m = source_at(d, "confusion");

    buf_adds(
        b,
        "<table class=\"matrix\"><caption>Yes-or-no answer, cut at the lower threshold</caption>\n<thead><tr>"
        "<th></th><th>predicted<br>benign</th><th>predicted<br>malignant</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < 2; i++) {
        double total = source_cell(m, i, 0) + source_cell(m, i, 1);
        buf_addf(b, "<tr><th>actual<br>%s</th>", NAMES[i]);
        for (size_t j = 0; j < 2; j++)
            cell(b, source_cell(m, i, j), total, i == j);
        buf_adds(b, "</tr>\n");
    }
    buf_adds(b, "</tbody></table>\n");
}

static void three_way(struct buf *b, const json_t *d)
{
    static const struct chart_part PARTS[CHART_PARTS] = {
        {"answer benign", CHART_BLUE}, {"uncertain", CHART_GREY}, {"answer malignant", CHART_VERMILION}};
    struct chart_strip rows[2] = {{.name = "actual benign or normal"}, {.name = "actual malignant"}};
    const json_t *t = source_at(d, "three_way");

    if (!json_is_array(t))
        return;
    for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; j < CHART_PARTS; j++)
            rows[i].count[j] = source_cell(t, i, j);
    }
    buf_adds(b, "<figure>");
    chart_strips(b, 560, PARTS, rows, 2);
    buf_adds(
        b,
        "<figcaption>Three answers: benign below the lower threshold, malignant above the upper, uncertain "
        "between.</figcaption></figure>\n");
    buf_adds(b, "<table "
                "class=\"matrix\"><thead><tr><th></th><th>benign</th><th>uncertain</th><th>malignant</th></"
                "tr></thead><tbody>\n");
    for (size_t i = 0; i < 2; i++) {
        double total = rows[i].count[0] + rows[i].count[1] + rows[i].count[2];
        buf_addf(b, "<tr><th>%s</th>", rows[i].name);
        for (size_t j = 0; j < CHART_PARTS; j++)
            cell(b, rows[i].count[j], total, j == 2 * i);
        buf_adds(b, "</tr>\n");
    }
    buf_adds(b, "</tbody></table>\n");
}

struct measure {
    const char *key, *name, *meaning;
};

/* Shares with an interval, then single numbers. */
static const struct measure SHARES[] = {
    {"accuracy", "accuracy", "answers that are right"},
    {"sensitivity", "sensitivity", "malignant images called malignant"},
    {"specificity", "specificity", "other images called benign"},
    {"ppv", "PPV", "malignant calls that are malignant"},
    {"npv", "NPV", "benign calls that are not malignant"},
};
static const struct measure SINGLES[] = {
    {"f1", "F1, malignant", "PPV and sensitivity together"},
    {"f1_benign", "F1, benign", "the same for the other class"},
    {"f1_macro", "F1, macro", "mean of both"},
    {"balanced_accuracy", "balanced accuracy", "mean of sensitivity and specificity"},
};
/* Shares of the three answers, with an interval. */
static const struct measure THREE[] = {
    {"uncertain", "uncertain", "images that get no answer"},
    {"malignant_called_benign", "missed", "malignant images called benign"},
    {"specificity_at_high", "not falsely called", "other images not called malignant"},
    {"wrong_of_answered", "wrong answers", "images with an answer that is wrong"},
    {"patients_malignant_called_benign", "patients missed", "of those with a malignant image"},
    {"patients_benign_called_malignant", "patients falsely called", "of those with another image"},
};
enum {
    N_SHARES = sizeof SHARES / sizeof *SHARES,
    N_SINGLES = sizeof SINGLES / sizeof *SINGLES,
    N_THREE = sizeof THREE / sizeof *THREE
};

static double member(const json_t *d, const char *measure, const char *which)
{
    return source_number(source_at(d, measure), which);
}

static void measure_row(struct buf *b, const json_t *d, const struct measure *m, bool share)
{
    buf_addf(b, "<tr><th>%s</th><td class=\"n\">", m->name);
    html_number(b, share ? member(d, m->key, "value") : source_number(d, m->key), 3);
    const json_t *of = share ? source_at(d, m->key) : source_at(source_at(d, "intervals"), m->key);
    buf_adds(b, "</td><td class=\"n\">");
    if (of)
        html_interval(b, source_number(of, "low"), source_number(of, "high"));
    buf_addf(b, "</td><td class=\"note\">%s", m->meaning);
    if (m == SHARES) { /* accuracy never stands alone */
        buf_adds(b, "; the majority class alone: <b>");
        html_number(b, source_number(d, "majority_class"), 3);
        buf_adds(b, "</b>");
    }
    buf_adds(b, "</td></tr>\n");
}

static void measures(struct buf *b, const json_t *d)
{
    buf_adds(
        b,
        "<div class=\"wide\"><table class=\"measures\"><caption>Measures of the yes-or-no answer and, below, "
        "of "
        "the three answers</caption><thead><tr><th></th><th class=\"n\">value</th><th class=\"n\">95&nbsp;% "
        "interval</th><th></th></tr></thead><tbody>\n");
    for (size_t i = 0; i < N_SHARES; i++)
        measure_row(b, d, &SHARES[i], true);
    for (size_t i = 0; i < N_SINGLES; i++)
        measure_row(b, d, &SINGLES[i], false);
    for (size_t i = 0; i < N_THREE; i++) {
        if (source_at(d, THREE[i].key))
            measure_row(b, d, &THREE[i], true);
    }
    buf_adds(b, "</tbody></table></div>\n");
}

static void intervals(struct buf *b, const json_t *d)
{
    struct chart_interval rows[N_SHARES];

    for (size_t i = 0; i < N_SHARES; i++)
        rows[i] = (struct chart_interval){.name = SHARES[i].name,
                                          .value = member(d, SHARES[i].key, "value"),
                                          .low = member(d, SHARES[i].key, "low"),
                                          .high = member(d, SHARES[i].key, "high"),
                                          .reference = i == 0 ? source_number(d, "majority_class") : NAN,
                                          .reference_name = "majority class"};
    buf_adds(b, "<figure>");
    chart_intervals(b, &(struct chart_forest){"Shares with 95 % intervals", 500, 0, rows, N_SHARES});
    buf_adds(b, "</figure>\n");
}

/* The decades that hold the scores and both thresholds. */
static void exponents(const struct source *s, const double cut[2], double *low, double *high)
{
    double min = INFINITY, max = -INFINITY;

    for (size_t i = 0; i < s->table.count + 2; i++) {
        double v = i < s->table.count ? s->prediction[i].score : cut[i - s->table.count];
        if (v > 0 && isfinite(v)) {
            min = fmin(min, log10(v));
            max = fmax(max, log10(v));
        }
    }
    *high = max >= min ? ceil(max + 1e-9) : 1;
    *low = fmax(floor(fmin(min, *high - 1)), fmax(MIN_EXPONENT, *high - MAX_DECADES));
    if (*low >= *high)
        *low = *high - 1;
}

/* The axis of a sum of many pixels is one of decades, that of a probability runs from 0 to 1. */
static void find_axis(struct chart_histogram *h, const struct source *s, const double cut[2])
{
    if (s->crops) {
        h->x_label = "probability of malignant";
        h->x_max = 1;
        h->bins = PROBABILITY_BINS;
        return;
    }
    exponents(s, cut, &h->x_min, &h->x_max);
    h->x_label = "score: sum of the mask, log axis";
    h->log10 = true;
    h->first = "and less";
    /* about as many bins, whether the scores span one decade or fourteen */
    const double decades = h->x_max - h->x_min;
    h->bins = (size_t)lrint(decades * (decades <= 2 ? 12 : decades <= 5 ? 6 : decades <= 8 ? 4 : 2));
}

static double on_axis(const struct chart_histogram *h, double score)
{
    return !h->log10 ? score : score > 0 ? log10(score) : h->x_min;
}

static void distribution(struct buf *b, const struct source *s, const json_t *d)
{
    size_t counts[2][MAX_BINS] = {{0}};
    const double cut[2] = {source_number(d, "low"), source_number(d, "high")};
    char *names[2] = {mem_printf("low %.4g", cut[0]), mem_printf("high %.4g", cut[1])};
    struct chart_group groups[2] = {{"benign and normal", counts[0], CHART_BLUE},
                                    {"malignant", counts[1], CHART_VERMILION}};
    struct chart_histogram h = {.title = "Scores by actual class",
                                .width = 560,
                                .height = 340,
                                .groups = groups,
                                .n_groups = 2,
                                .n_cuts = cut[0] > 0 && cut[1] > 0 ? 2 : 0,
                                .band = true};

    find_axis(&h, s, cut);
    const struct chart_cut cuts[2] = {{on_axis(&h, cut[0]), names[0]}, {on_axis(&h, cut[1]), names[1]}};
    h.cuts = cuts;
    for (size_t i = 0; i < s->table.count; i++) {
        const double v = s->prediction[i].score;
        if (!isfinite(v))
            continue;
        const double at = (on_axis(&h, v) - h.x_min) / (h.x_max - h.x_min) * (double)h.bins;
        counts[is_malignant(&s->prediction[i])][at <= 0                ? 0
                                                : at >= (double)h.bins ? h.bins - 1
                                                                       : (size_t)at]++;
    }
    if (s->table.count > 0) {
        buf_adds(b, "<figure>");
        chart_histogram(b, &h);
        buf_adds(b, "</figure>\n");
    }
    free(names[0]);
    free(names[1]);
}

static void promise(struct buf *b, const json_t *d)
{
    double confidence = source_number(d, "confidence");

    if (!isfinite(confidence))
        return;
    buf_adds(b, " so that, with a confidence of ");
    html_percent(b, confidence);
    buf_adds(b, ", among new patients like those at most ");
    html_percent(b, source_number(d, "miss_rate"));
    buf_adds(b,
             " of the patients with a malignant image have one called benign, and, with the same confidence, "
             "at most as many of those with another image have one called malignant");
}

/* Where the two thresholds come from, and what that is worth. */
static void origin(struct buf *b, const json_t *d, const json_t *data)
{
    const char *chosen_on = source_text(d, "chosen_on");
    double sensitivity = source_number(d, "wanted_sensitivity"),
           specificity = source_number(d, "wanted_specificity");

    buf_addf(b,
             "<p>Benign below <b>%.6g</b>, malignant above <b>%.6g</b>, uncertain between (shaded among the "
             "scores); the "
             "yes-or-no answer is cut at the lower. ",
             source_number(d, "low"), source_number(d, "high"));
    if (!*chosen_on) {
        buf_adds(b, "These thresholds were fixed beforehand.");
    } else {
        buf_adds(b, "They were chosen on the <b>");
        html_text(b, chosen_on);
        buf_adds(b, "</b> part");
        promise(b, d);
        if (isfinite(sensitivity)) {
            buf_adds(b, " so that no less than ");
            html_percent(b, sensitivity);
            buf_adds(b, " of the malignant there reach the lower");
        }
        if (isfinite(specificity)) {
            buf_adds(b, " and no less than ");
            html_percent(b, specificity);
            buf_adds(b, " of the others stay at or below the upper");
        }
        buf_adds(b, ".");
        if (json_is_true(source_at(d, "chosen_on_same_images")) ||
            !strcmp(chosen_on, source_text(data, "part")))
            buf_adds(b, " <b>Optimistic:</b> these are the same images as those measured here.");
    }
    buf_adds(b, "</p>\n");
}

static void decision(struct buf *b, const struct source *s, const json_t *d)
{
    buf_adds(b, "<h3>With the ");
    html_text(b, source_text(d, "name"));
    buf_adds(b, " thresholds</h3>\n");
    origin(b, d, source_at(s->result, "data"));
    buf_adds(b, "<div class=\"pair\"><div>\n");
    matrix(b, d);
    buf_adds(b, "</div><div>\n");
    three_way(b, d);
    buf_adds(b, "</div><div>\n");
    intervals(b, d);
    buf_adds(b, "</div><div>\n");
    distribution(b, s, d);
    buf_adds(b, "</div></div>\n");
    measures(b, d);
}

static void overview_row(struct buf *b, const json_t *decisions, const char *name, const char *measure)
{
    buf_addf(b, "<tr><th>%s</th>", name);
    for (size_t i = 0; i < json_array_size(decisions); i++) {
        const json_t *m = source_at(json_array_get(decisions, i), measure);
        buf_adds(b, "<td class=\"n\">");
        if (json_is_number(m)) {
            html_number(b, json_number_value(m), 3);
        } else {
            html_number(b, source_number(m, "value"), 3);
            buf_adds(b, "<br><span class=\"note\">");
            html_interval(b, source_number(m, "low"), source_number(m, "high"));
            buf_adds(b, "</span>");
        }
        buf_adds(b, "</td>");
    }
    buf_adds(b, "</tr>\n");
}

/* The paper's column: it reports an accuracy alone, with the majority class beside it. */
static void paper(struct buf *b, const json_t *paper)
{
    if (!json_is_object(paper))
        return;
    buf_adds(b, "<p class=\"note\">The paper, on ");
    html_number(b, source_number(paper, "cases"), 0);
    buf_adds(b, " other images (");
    html_text(b, source_text(paper, "what"));
    buf_adds(b, "): accuracy ");
    html_number(b, source_number(paper, "accuracy.value"), 3);
    buf_adds(b, " (");
    html_interval(b, source_number(paper, "accuracy.low"), source_number(paper, "accuracy.high"));
    buf_adds(b, "), majority class ");
    html_number(b, source_number(paper, "majority_class"), 3);
    buf_adds(b, ".</p>\n");
}

static void overview(struct buf *b, const json_t *decisions)
{
    if (json_array_size(decisions) == 0)
        return;
    buf_adds(b, "<table class=\"measures tight\"><caption>Sets of thresholds side by side, with 95&nbsp;% "
                "intervals</caption><thead><tr><th></th>");
    for (size_t i = 0; i < json_array_size(decisions); i++) {
        buf_adds(b, "<th class=\"n\">");
        html_text(b, source_text(json_array_get(decisions, i), "name"));
        buf_adds(b, "</th>");
    }
    buf_adds(b, "</tr></thead><tbody>\n");
    overview_row(b, decisions, "accuracy", "accuracy");
    overview_row(b, decisions, "majority class", "majority_class");
    overview_row(b, decisions, "sensitivity", "sensitivity");
    overview_row(b, decisions, "specificity", "specificity");
    overview_row(b, decisions, "uncertain", "uncertain");
    overview_row(b, decisions, "missed", "malignant_called_benign");
    buf_adds(b, "</tbody></table>\n");
}

static void roc(struct buf *b, const json_t *result)
{
    static const enum chart_color COLORS[MAX_DOTS] = {CHART_VERMILION, CHART_GREEN, CHART_PURPLE};
    const json_t *points = source_at(result, "score.roc"), *decisions = source_at(result, "decisions");
    size_t n = json_array_size(points), n_decisions = json_array_size(decisions);
    double *x = mem_new(n + 1, sizeof *x), *y = mem_new(n + 1, sizeof *y), at[MAX_DOTS][2];
    struct chart_series series[1 + MAX_DOTS] = {{.x = x, .y = y, .n = n, .color = CHART_BLUE}};
    struct chart c = {.title = "ROC",
                      .x_label = "false positive rate (1 - specificity)",
                      .y_label = "true positive rate (sensitivity)",
                      .width = 460,
                      .height = 484,
                      .x_max = 1,
                      .y_max = 1,
                      .diagonal = true,
                      .series = series,
                      .n_series = 1};
    char *note = mem_printf("AUC %.3f [%.3f, %.3f]", source_number(result, "score.auc"),
                            source_number(result, "score.auc_low"), source_number(result, "score.auc_high"));

    for (size_t i = 0; i < n; i++) {
        x[i] = source_cell(points, i, 0);
        y[i] = source_cell(points, i, 1);
    }
    for (size_t i = 0; i < n_decisions && i < MAX_DOTS; i++) {
        const json_t *d = json_array_get(decisions, i);
        at[i][0] = 1 - source_number(d, "specificity.value");
        at[i][1] = source_number(d, "sensitivity.value");
        series[c.n_series++] = (struct chart_series){.name = source_text(d, "name"),
                                                     .x = &at[i][0],
                                                     .y = &at[i][1],
                                                     .n = 1,
                                                     .color = COLORS[i],
                                                     .dots = true};
    }
    c.note = note;
    buf_adds(b, "<figure>");
    chart_lines(b, &c);
    buf_adds(b, "</figure>\n");
    free(note);
    free(x);
    free(y);
}

static void roc_table(struct buf *b, const json_t *at)
{
    if (json_array_size(at) == 0)
        return;
    buf_adds(b, "<table class=\"measures\"><caption>Read off the ROC</caption><thead><tr><th "
                "scope=\"col\">false positive rate</th><th scope=\"col\" class=\"n\">sensitivity</th><th "
                "scope=\"col\" class=\"n\">95&nbsp;% interval</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < json_array_size(at); i++) {
        const json_t *p = json_array_get(at, i);
        buf_addf(b, "<tr><th scope=\"row\">at most %.2f</th><td class=\"n\">",
                 source_number(p, "false_positive_rate"));
        html_number(b, source_number(p, "sensitivity.value"), 3);
        buf_adds(b, "</td><td class=\"n\">");
        html_interval(b, source_number(p, "sensitivity.low"), source_number(p, "sensitivity.high"));
        buf_adds(b, "</td></tr>\n");
    }
    buf_adds(b, "</tbody></table>\n");
}

/* The ROC, and beside it the sets of thresholds compared. */
static void ranking(struct buf *b, const json_t *result, bool ranked)
{
    const json_t *decisions = source_at(result, "decisions");

    buf_adds(b, "<div class=\"pair\"><div>\n");
    if (ranked)
        roc(b, result);
    buf_adds(b, "</div><div>\n");
    overview(b, decisions);
    paper(b, source_at(result, "paper"));
    if (ranked)
        roc_table(b, source_at(result, "score.at"));
    if (ranked)
        buf_adds(
            b,
            "<p class=\"note\">The ROC shows every threshold at once: the higher and the further left, the "
            "better; the dotted line is guessing.</p>\n");
    if (ranked && json_array_size(decisions) > 0)
        buf_adds(b, "<p class=\"note\">Each dot is the yes-or-no answer of one set of thresholds.</p>\n");
    buf_adds(b, "</div></div>\n");
}

static int ascending(const void *left, const void *right)
{
    const double a = *(const double *)left, b = *(const double *)right;

    return a < b ? -1 : a > b;
}

/* Linear between neighbours, as the program's other quartiles. */
static double quantile(const double *sorted, size_t n, double p)
{
    const double at = p * (double)(n - 1);
    const size_t k = (size_t)at;

    return k + 1 < n ? sorted[k] + (at - (double)k) * (sorted[k + 1] - sorted[k]) : sorted[n - 1];
}

static void score_row(struct buf *b, const struct source *s, bool malignant, const char *name)
{
    static const double P[] = {0, .25, .5, .75, 1};
    double *v = mem_new(s->table.count + 1, sizeof *v);
    char text[HTML_SCORE_TEXT];
    size_t n = 0;

    for (size_t i = 0; i < s->table.count; i++)
        if (is_malignant(&s->prediction[i]) == malignant && isfinite(s->prediction[i].score))
            v[n++] = s->prediction[i].score;
    qsort(v, n, sizeof *v, ascending);
    buf_addf(b, "<tr><th scope=\"row\">%s</th><td class=\"n\">%zu</td>", name, n);
    for (size_t k = 0; k < sizeof P / sizeof *P; k++) {
        html_score_text(n > 0 ? quantile(v, n, P[k]) : 0, text);
        buf_addf(b, "<td class=\"n\">%s</td>", n > 0 ? text : "&ndash;");
    }
    buf_adds(b, "</tr>\n");
    free(v);
}

/* The table of every figure of scores: the bands' own counts stand in the three-answer matrices. */
static void score_table(struct buf *b, const struct source *s)
{
    if (s->table.count == 0)
        return;
    buf_adds(b, "<div class=\"wide\"><table class=\"measures\"><caption>Scores by actual "
                "class</caption><thead><tr><th scope=\"col\"></th>");
    static const char *const HEAD[] = {"cases",  "lowest",         "lower quartile",
                                       "median", "upper quartile", "highest"};
    for (size_t k = 0; k < sizeof HEAD / sizeof *HEAD; k++)
        buf_addf(b, "<th scope=\"col\" class=\"n\">%s</th>", HEAD[k]);
    buf_adds(b, "</tr></thead><tbody>\n");
    score_row(b, s, false, "benign and normal");
    score_row(b, s, true, "malignant");
    buf_adds(b, "</tbody></table></div>\n");
}

void section_decisions(struct buf *b, const struct source *s)
{
    const json_t *decisions = source_at(s->result, "decisions");
    bool ranked = json_array_size(source_at(s->result, "score.roc")) > 0;

    if (!s->result)
        return;
    html_heading(b, "decisions", "Benign or malignant");
    if (!ranked && json_array_size(decisions) == 0) {
        buf_adds(b, "<p>This evaluation holds no decisions: they need malignant images and others.</p>\n");
        return;
    }
    buf_adds(b, s->crops
                    ? "<p>The score of a crop is the network's probability of malignant.</p>\n"
                    : "<p>The score of an image is the sum of its predicted mask. Normal images count as "
                      "benign in every two-class number.</p>\n");
    ranking(b, s->result, ranked);
    score_table(b, s);
    for (size_t i = 0; i < json_array_size(decisions); i++)
        decision(b, s, json_array_get(decisions, i));
}
