#include "report/sections.h"

#include "base/mem.h"
#include "report/chart.h"
#include "report/html.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void interval_cells(struct buf *b, const json_t *i)
{
    buf_adds(b, "<td class=\"n\">");
    html_number(b, source_number(i, "value"), 3);
    if (isfinite(source_number(i, "low"))) {
        buf_adds(b, "<br><span class=\"note\">");
        html_interval(b, source_number(i, "low"), source_number(i, "high"));
        buf_adds(b, "</span>");
    }
    buf_adds(b, "</td>");
}

struct column {
    const char *key, *name;
};
static const struct column COLUMNS[] = {{"auc", "AUC"},
                                        {"sensitivity", "sensitivity"},
                                        {"specificity", "specificity"},
                                        {"uncertain", "uncertain"},
                                        {"malignant_called_benign", "missed"},
                                        {"dice", "Dice, mean"}};
enum { N_COLUMNS = sizeof COLUMNS / sizeof *COLUMNS };

static bool has_column(const json_t *groups, size_t column)
{
    for (size_t i = 0; i < json_array_size(groups); i++)
        if (source_at(json_array_get(groups, i), COLUMNS[column].key))
            return true;
    return false;
}

static void group_row(struct buf *b, const json_t *groups, const json_t *g, const char *name)
{
    buf_adds(b, "<tr><th>");
    html_text(b, name);
    if (json_is_true(source_at(g, "few")))
        buf_adds(b, "<br><span class=\"note\">few: rough</span>");
    buf_adds(b, "</th>");
    if (!isfinite(source_number(g, "cases"))) {
        buf_adds(b, "<td class=\"note\" colspan=\"9\">not known: some image does not say which</td></tr>\n");
        return;
    }
    buf_addf(b, "<td class=\"n\">%.0f</td><td class=\"n\">%.0f</td><td class=\"n\">%.0f</td>",
             source_number(g, "cases"), source_number(g, "patients"), source_number(g, "malignant"));
    for (size_t c = 0; c < N_COLUMNS; c++)
        if (has_column(groups, c))
            interval_cells(b, source_at(g, COLUMNS[c].key));
    buf_adds(b, "</tr>\n");
}

/* "density 2", "view CC", "BI-RADS 4", "patient". */
static char *group_name(const json_t *g)
{
    const char *value = source_text(g, "value");

    if (source_at(g, "level"))
        return mem_copy_string(source_text(g, "level"));
    const char *by = source_text(g, "by");
    return mem_printf("%s %s", strcmp(by, "assessment") ? by : "BI-RADS", *value ? value : "not told");
}

static void table(struct buf *b, const json_t *groups, const char *caption)
{
    buf_addf(
        b,
        "<div class=\"wide\"><table class=\"measures tight\"><caption>%s</caption><thead><tr><th></th><th "
        "class=\"n\">cases</th><th class=\"n\">patients</th><th class=\"n\">malignant</th>",
        caption);
    for (size_t c = 0; c < N_COLUMNS; c++)
        if (has_column(groups, c))
            buf_addf(b, "<th class=\"n\">%s</th>", COLUMNS[c].name);
    buf_adds(b, "</tr></thead><tbody>\n");
    for (size_t i = 0; i < json_array_size(groups); i++) {
        char *name = group_name(json_array_get(groups, i));
        group_row(b, groups, json_array_get(groups, i), name);
        free(name);
    }
    buf_adds(b, "</tbody></table></div>\n");
}

/* The AUC of every level and stratum, with that of all images as reference. */
static void forest(struct buf *b, const json_t *result)
{
    const json_t *levels = source_at(result, "levels"), *strata = source_at(result, "strata");
    const size_t n_levels = json_array_size(levels), n = n_levels + json_array_size(strata);
    struct chart_interval *rows = mem_new(n + 1, sizeof *rows);
    char **names = mem_new(n + 1, sizeof *names);
    const double all = source_number(result, "score.auc");

    for (size_t i = 0; i < n; i++) {
        const json_t *g = i < n_levels ? json_array_get(levels, i) : json_array_get(strata, i - n_levels);
        char *name = group_name(g);
        const double cases = source_number(g, "cases");
        names[i] =
            isfinite(cases) ? mem_printf("%s (%.0f)", name, cases) : mem_printf("%s (not known)", name);
        rows[i] = (struct chart_interval){names[i],
                                          source_number(g, "auc.value"),
                                          source_number(g, "auc.low"),
                                          source_number(g, "auc.high"),
                                          isfinite(cases) ? all : NAN,
                                          i == 0 ? "all" : NULL};
        free(name);
    }
    buf_adds(b, "<figure>");
    chart_intervals(
        b, &(struct chart_forest){"AUC by level and stratum, with 95 % intervals", 700, 190, rows, n});
    buf_adds(b, "</figure>\n");
    for (size_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
    free(rows);
}

void section_groups(struct buf *b, const struct source *s)
{
    const json_t *levels = source_at(s->result, "levels"), *strata = source_at(s->result, "strata");

    if (json_array_size(levels) == 0)
        return;
    html_heading(b, "groups", "Levels and strata");
    buf_adds(
        b,
        "<p>A breast or a patient counts by its highest score and is malignant where any of its images is. "
        "Intervals draw whole patients. Many groups are looked at: one that stands out may do so by "
        "chance.</p>\n");
    if (isfinite(source_number(s->result, "score.auc")))
        forest(b, s->result);
    table(b, levels, "Levels");
    if (json_array_size(strata) > 0)
        table(b, strata, "Strata, as the data set tells them");
    else
        buf_adds(b, "<p class=\"note\">The data set tells no density, subtlety, view or assessment.</p>\n");
}
