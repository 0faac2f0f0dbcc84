#include "report/curves.h"

#include "base/mem.h"
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
    struct chart_series accuracy[] = {column(h, HISTORY_ACC, "training", CHART_BLUE),
                                      column(h, HISTORY_VAL_ACC, "validation", CHART_VERMILION)};
    const bool classes = history_is_classifier(h);

    dice[1].dashed = accuracy[1].dashed = true;
    draw(b,
         (struct chart){.title = classes ? "Accuracy" : "Dice",
                        .y_label = classes ? "accuracy" : "Dice",
                        .y_min = 0,
                        .y_max = 1,
                        .series = classes ? accuracy : dice,
                        .n_series = classes ? 2 : 3},
         run, cursor);
}

static const char *explain(const struct history *h)
{
    return history_is_classifier(h)
               ? "Accuracy in training is that of the images as they were augmented, while the weights "
                 "moved; loss in "
                 "training has the weights of the classes and the smoothed labels, where asked for. An "
                 "accuracy says "
                 "little without the share of the larger class beside it: see the report. "
               : "The Dice of training and validation is soft, as published: taken over "
                 "the whole batch from the network's shades of grey. Dice cut at .5 is the mean over single "
                 "images "
                 "with a lesion, another measure. ";
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
    buf_addf(b, "</div>\n<p class=\"note\">%s", explain(h));
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
