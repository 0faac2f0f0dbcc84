#include "report/sections.h"

#include "report/chart.h"
#include "report/html.h"

#include <math.h>

enum { BINS = 20 };

/* The figure as a table. */
static void tenths(struct buf *b, const size_t counts[BINS], size_t n)
{
    buf_adds(b, "<table class=\"measures tight\"><caption>Images by their Dice</caption><thead><tr><th "
                "scope=\"col\">Dice</th><th scope=\"col\" class=\"n\">images</th><th scope=\"col\" "
                "class=\"n\">share</th></tr></thead><tbody>\n");
    for (int k = 0; k < BINS; k += 2) {
        const size_t here = counts[k] + counts[k + 1];
        buf_addf(b, "<tr><th scope=\"row\">%.1f to %.1f</th><td class=\"n\">%zu</td><td class=\"n\">",
                 (double)k / BINS, (double)(k + 2) / BINS, here);
        html_percent(b, (double)here / (double)n);
        buf_adds(b, "</td></tr>\n");
    }
    buf_adds(b, "</tbody></table>\n");
}

static void histogram(struct buf *b, const struct source *s)
{
    size_t counts[BINS] = {0}, n = 0;
    const struct chart_group group = {"images with a lesion", counts, CHART_GREEN};
    const struct chart_cut half = {.5, "0.5"};

    for (size_t i = 0; i < s->table.count; i++) {
        double d = s->prediction[i].dice;
        if (d >= 0 && d <= 1) {
            counts[d < 1 ? (int)(d * BINS) : BINS - 1]++;
            n++;
        }
    }
    if (n == 0)
        return;
    buf_adds(b, "<figure>");
    chart_histogram(b, &(struct chart_histogram){.title = "Dice of single images",
                                                 .x_label = "Dice, cut at .5",
                                                 .width = 500,
                                                 .height = 280,
                                                 .x_min = 0,
                                                 .x_max = 1,
                                                 .bins = BINS,
                                                 .groups = &group,
                                                 .n_groups = 1,
                                                 .cuts = &half,
                                                 .n_cuts = 1});
    buf_adds(b, "</figure>\n");
    tenths(b, counts, n);
}

/* What the table's columns are summaries of. */
static const struct {
    const char *key, *name;
} COLUMNS[] = {{"dice", "Dice"}, {"iou", "IoU"}, {"dice_malignant", "Dice, malignant only"}};

static void table_head(struct buf *b, const json_t *overlap)
{
    buf_adds(b, "<table class=\"measures\"><caption>Single images with a lesion (");
    html_number(b, source_number(overlap, "nonempty_truths"), 0);
    buf_adds(b, "), mask cut at ");
    html_number(b, source_number(overlap, "cut"), 2);
    buf_adds(b, "</caption><thead><tr><th></th>");
    for (size_t k = 0; k < sizeof COLUMNS / sizeof *COLUMNS; k++) {
        if (source_at(overlap, COLUMNS[k].key))
            buf_addf(b, "<th class=\"n\">%s</th>", COLUMNS[k].name);
    }
    buf_adds(b, "</tr></thead><tbody>\n");
}

static void table(struct buf *b, const json_t *overlap)
{
    static const struct {
        const char *key, *name;
        int decimals;
    } ROWS[] = {
        {"images", "images", 0},
        {"mean", "mean", 3},
        {"mean_low", "95&nbsp;% interval from", 3},
        {"mean_high", "to", 3},
        {"median", "median", 3},
        {"median_low", "95&nbsp;% interval from", 3},
        {"median_high", "to", 3},
        {"q1", "lower quartile", 3},
        {"q3", "upper quartile", 3},
        {"share_above_half", "share above .5", 3},
        {"share_above_half_low", "95&nbsp;% interval from", 3},
        {"share_above_half_high", "to", 3},
    };

    table_head(b, overlap);
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        if (!source_at(source_at(overlap, "dice"), ROWS[i].key))
            continue;
        buf_addf(b, "<tr><th>%s</th>", ROWS[i].name);
        for (size_t k = 0; k < sizeof COLUMNS / sizeof *COLUMNS; k++) {
            if (!source_at(overlap, COLUMNS[k].key))
                continue;
            buf_adds(b, "<td class=\"n\">");
            html_number(b, source_number(source_at(overlap, COLUMNS[k].key), ROWS[i].key), ROWS[i].decimals);
            buf_adds(b, "</td>");
        }
        buf_adds(b, "</tr>\n");
    }
    buf_adds(b, "</tbody></table>\n");
}

void section_overlap(struct buf *b, const struct source *s)
{
    const json_t *overlap = source_at(s->result, "overlap");

    if (!overlap)
        return;
    html_heading(b, "overlap", "Outlines");
    buf_adds(b, "<div class=\"pair\"><div>\n");
    table(b, overlap);
    buf_adds(b, "<p>Counted apart: of ");
    html_number(b, source_number(overlap, "empty_truths"), 0);
    buf_adds(b, " images with nothing to outline, ");
    html_number(b, source_number(overlap, "empty_truths_predicted_empty"), 0);
    buf_adds(b, " were left empty.</p>\n<p>Soft Dice over batches of ");
    html_number(b, source_number(overlap, "batch"), 0);
    buf_adds(b, ": <b>");
    html_number(b, source_number(overlap, "soft_batch_dice"), 3);
    buf_adds(b, "</b> (95&nbsp;% interval ");
    html_interval(b, source_number(overlap, "soft_batch_dice_low"),
                  source_number(overlap, "soft_batch_dice_high"));
    buf_adds(b,
             "). This is the measure training curves are drawn in; it pools the images of a batch and is not "
             "comparable with the table.</p>\n</div><div>\n");
    histogram(b, s);
    buf_adds(b, "</div></div>\n");
}
