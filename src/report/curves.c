#include "report/curves.h"

#include "base/mem.h"
#include "report/accuracy.h"
#include "report/chart.h"
#include "report/html.h"
#include "report/source.h"

#include <math.h>
#include <stdlib.h>

enum { WIDTH = 500, HEIGHT = 300 };

static void draw(struct buf *b, struct chart c, const json_t *run, bool cursor)
{
    double best = source_number(run, "state.best_epoch");
    char *mark = isfinite(best) && best >= 1 ? mem_printf("best: %.0f", best) : NULL;

    c.width = WIDTH;
    c.height = HEIGHT;
    c.x_label = "epoch";
    c.x_whole = true;
    c.mark_x = best;
    c.mark = mark;
    c.cursor = cursor;
    buf_adds(b, "<figure>");
    chart_lines(b, &c);
    buf_adds(b, "</figure>\n");
    free(mark);
}

static struct chart_series column(const struct history *h, enum history_column c, const char *name,
                                  enum chart_color color)
{
    return (struct chart_series){
        .name = name, .x = h->epoch, .y = h->value[c], .n = h->epochs, .color = color};
}

/* Of the cases shown: their Dice, or a classifier's probabilities. */
static const double *case_values(const struct history *h, const struct history_case *c)
{
    return history_is_classifier(h) ? c->score : c->dice;
}

static bool any_number(const double *v, size_t n)
{
    bool any = false;

    for (size_t i = 0; i < n; i++)
        any = any || isfinite(v[i]);
    return any;
}

static void draw_cases(struct buf *b, const struct history *h, const json_t *run, bool cursor)
{
    struct chart_series series[HISTORY_MAX_CASES] = {{0}};
    const bool classes = history_is_classifier(h);
    char *name[HISTORY_MAX_CASES] = {NULL};
    size_t n = 0;

    for (size_t i = 0; i < h->n_cases; i++) {
        const struct history_case *c = &h->cases[i];
        if (!c->id || !any_number(case_values(h, c), c->n))
            continue;
        name[n] = classes ? mem_printf("%zu %s", i + 1, c->label) : mem_printf("case %zu", i + 1);
        series[n] = (struct chart_series){.name = name[n],
                                          .x = c->epoch,
                                          .y = case_values(h, c),
                                          .n = c->n,
                                          .color = (enum chart_color)(i % CHART_COLORS),
                                          .dashed = i % 2 == 1};
        n++;
    }
    if (n > 0)
        draw(b,
             (struct chart){.title = classes ? "P(malignant) of each case shown" : "Dice of each case shown",
                            .y_label = classes ? "P(malignant)" : "Dice, cut at .5",
                            .y_min = 0,
                            .y_max = 1,
                            .series = series,
                            .n_series = n},
             run, cursor);
    for (size_t i = 0; i < n; i++)
        free(name[i]);
}

static void draw_agreement(struct buf *b, const struct history *h, const json_t *run, bool cursor)
{
    struct chart_series dice[] = {column(h, HISTORY_DICE_COEF, "training", CHART_BLUE),
                                  column(h, HISTORY_VAL_DICE_COEF, "validation", CHART_VERMILION),
                                  column(h, HISTORY_VAL_DICE, "validation, cut at .5", CHART_GREEN)};
    const bool classes = history_is_classifier(h);
    const double majority = accuracy_majority(run, "validation");
    const double ends[2] = {h->epoch[0], h->epoch[h->epochs - 1]}, level[2] = {majority, majority};
    struct chart_series accuracy[] = {
        column(h, HISTORY_ACC, "training", CHART_BLUE),
        column(h, HISTORY_VAL_ACC, "validation", CHART_VERMILION),
        {.name = "majority class", .x = ends, .y = level, .n = 2, .color = CHART_GREY}};

    dice[1].dashed = accuracy[1].dashed = true;
    draw(b,
         (struct chart){.title = classes ? "Accuracy" : "Dice",
                        .y_label = classes ? "accuracy" : "Dice",
                        .y_min = 0,
                        .y_max = 1,
                        .series = classes ? accuracy : dice,
                        .n_series = classes ? (isfinite(majority) ? 3 : 2) : 3},
         run, cursor);
}

static const char *explain(const struct history *h)
{
    return history_is_classifier(h)
               ? "In brackets behind an accuracy: its 95&nbsp;% interval, and what always giving the "
                 "commoner "
                 "answer would reach. Accuracy in training is that of the images as they were augmented, "
                 "while the weights "
                 "moved; loss in "
                 "training has the weights of the classes and the smoothed labels, where asked for. "
               : "The Dice of training and validation is soft, as published: taken over "
                 "the whole batch from the network's shades of grey. Dice cut at .5 is the mean over single "
                 "images "
                 "with a lesion, another measure. ";
}

struct shown_column {
    enum history_column column;
    const char *name;
};

static const struct shown_column MAP_COLUMNS[] = {
    {HISTORY_LOSS, "training loss"},      {HISTORY_VAL_LOSS, "validation loss"},
    {HISTORY_DICE_COEF, "training Dice"}, {HISTORY_VAL_DICE_COEF, "validation Dice"},
    {HISTORY_VAL_DICE, "Dice cut at .5"}, {HISTORY_VAL_AUC, "AUC"},
};
static const struct shown_column CLASS_COLUMNS[] = {
    {HISTORY_LOSS, "training loss"},    {HISTORY_VAL_LOSS, "validation loss"},
    {HISTORY_ACC, "training accuracy"}, {HISTORY_VAL_ACC, "validation accuracy"},
    {HISTORY_VAL_AUC, "AUC"},
};

/* At most about so many epochs, evenly, with the best and the last. */
enum { MOST_ROWS = 15 };

/* The curves as a table. */
static void epochs_table(struct buf *b, const struct history *h, const json_t *run)
{
    const bool classes = history_is_classifier(h);
    const struct shown_column *c = classes ? CLASS_COLUMNS : MAP_COLUMNS;
    const size_t n = classes ? sizeof CLASS_COLUMNS / sizeof *c : sizeof MAP_COLUMNS / sizeof *c,
                 step = (h->epochs + MOST_ROWS - 1) / MOST_ROWS;
    const double best = source_number(run, "state.best_epoch");

    buf_addf(b,
             "<div class=\"wide\"><table class=\"measures tight\"><caption>The curves in numbers%s</caption>"
             "<thead><tr><th scope=\"col\">epoch</th>",
             step > 1 ? ", some of the epochs" : "");
    for (size_t k = 0; k < n; k++)
        if (history_has(h, c[k].column))
            buf_addf(b, "<th scope=\"col\" class=\"n\">%s</th>", c[k].name);
    buf_adds(b, "</tr></thead><tbody>\n");
    for (size_t i = 0; i < h->epochs; i++) {
        if (i % step != 0 && i + 1 != h->epochs && h->epoch[i] != best)
            continue;
        buf_addf(b, "<tr><th scope=\"row\">%.0f%s</th>", h->epoch[i], h->epoch[i] == best ? " (best)" : "");
        for (size_t k = 0; k < n; k++) {
            if (!history_has(h, c[k].column))
                continue;
            buf_adds(b, "<td class=\"n\">");
            if (c[k].column == HISTORY_ACC || c[k].column == HISTORY_VAL_ACC)
                accuracy_write(b, run, c[k].column == HISTORY_ACC ? "train" : "validation",
                               h->value[c[k].column][i]);
            else
                html_number(b, h->value[c[k].column][i], 3);
            buf_adds(b, "</td>");
        }
        buf_adds(b, "</tr>\n");
    }
    buf_adds(b, "</tbody></table></div>\n");
}

void curves_write(struct buf *b, const struct history *h, const json_t *run, bool cursor)
{
    struct chart_series loss[] = {column(h, HISTORY_LOSS, "training", CHART_BLUE),
                                  column(h, HISTORY_VAL_LOSS, "validation", CHART_VERMILION)};
    struct chart_series auc[] = {column(h, HISTORY_VAL_AUC, "validation", CHART_VERMILION)};

    if (h->epochs == 0) {
        buf_adds(b, "<p>No epoch is finished yet: there are no curves.</p>\n");
        return;
    }
    loss[1].dashed = true;
    buf_adds(b, "<div class=\"pair\">\n");
    draw(b, (struct chart){.title = "Loss", .y_label = "loss", .series = loss, .n_series = 2}, run, cursor);
    draw_agreement(b, h, run, cursor);
    if (history_has(h, HISTORY_VAL_AUC))
        draw(b,
             (struct chart){.title = history_is_classifier(h) ? "AUC of malignant"
                                                              : "AUC of malignant by the sum of the mask",
                            .y_label = "AUC",
                            .y_min = 0,
                            .y_max = 1,
                            .series = auc,
                            .n_series = 1},
             run, cursor);
    draw_cases(b, h, run, cursor);
    buf_adds(b, "</div>\n");
    epochs_table(b, h, run);
    buf_addf(b, "<p class=\"note\">%s", explain(h));
    html_text(b, source_norm(run));
    buf_adds(b, "</p>\n");
}

/* Every member of an object as a row; nested objects are followed, their names joined. */
static void rows(struct buf *b, json_t *object, const char *prefix)
{
    const char *key;
    json_t *value;

    json_object_foreach(object, key, value)
    {
        char *name = mem_printf("%s%s", prefix, key);
        if (json_is_object(value)) {
            char *deeper = mem_printf("%s ", name);
            rows(b, value, deeper);
            free(deeper);
        } else {
            char *text = source_line(value);
            html_row(b, name, text);
            free(text);
        }
        free(name);
    }
}

static void table(struct buf *b, const char *title, json_t *object)
{
    if (!json_is_object(object))
        return;
    buf_addf(b, "<section><h3>%s</h3>\n<table class=\"facts\"><tbody>\n", title);
    rows(b, object, "");
    buf_adds(b, "</tbody></table></section>\n");
}

void curves_write_settings(struct buf *b, const json_t *run)
{
    const json_t *init = source_at(run, "init");

    buf_adds(b, "<div class=\"wide\"><table class=\"facts\"><tbody>\n");
    html_row(b, "task", source_task(run));
    html_row(b, "network", source_text(run, "model"));
    html_row(b, "program", source_text(run, "program"));
    if (json_is_object(init)) {
        html_row(b, "began from", source_text(init, "path"));
        html_row(b, "SHA-256 of those weights", source_text(init, "sha256"));
    } else {
        html_row(b, "began from", "random weights");
    }
    buf_adds(b, "</tbody></table></div>\n");
    buf_adds(b, "<div class=\"columns\">\n");
    table(b, "Data", source_at(run, "data"));
    table(b, "Input", source_at(run, "input"));
    table(b, "Options of the training", source_at(run, "train"));
    table(b, "State", source_at(run, "state"));
    buf_adds(b, "</div>\n");
}
