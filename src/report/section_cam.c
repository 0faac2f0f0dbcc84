#include "report/sections.h"

#include "report/chart.h"
#include "report/html.h"

#include <math.h>

struct column {
    const char *key, *name;
};
static const struct column COLUMNS[] = {{"all", "all crops"}, {"malignant", "malignant crops"}};

struct row {
    const char *key, *name;
};
static const struct row ROWS[] = {
    {"pointing_game", "strongest place inside the lesion (pointing game)"},
    {"energy_inside", "share of the map inside the lesion (energy)"},
    {"region_share", "the lesion's share of the crop: what chance gives"},
};
enum { N_COLUMNS = sizeof COLUMNS / sizeof *COLUMNS, N_ROWS = sizeof ROWS / sizeof *ROWS };

static void table(struct buf *b, const json_t *cam)
{
    buf_adds(b, "<table class=\"measures\"><caption>Agreement with the true outline, with 95&nbsp;% "
                "intervals</caption><thead><tr><th></th>");
    for (int c = 0; c < N_COLUMNS; c++)
        buf_addf(b, "<th class=\"n\">%s</th>", COLUMNS[c].name);
    buf_adds(b, "</tr></thead><tbody>\n<tr><th>crops with a map and an outline</th>");
    for (int c = 0; c < N_COLUMNS; c++) {
        buf_adds(b, "<td class=\"n\">");
        html_number(b, source_number(source_at(cam, COLUMNS[c].key), "crops"), 0);
        buf_adds(b, "</td>");
    }
    buf_adds(b, "</tr>\n");
    for (int r = 0; r < N_ROWS; r++) {
        buf_addf(b, "<tr><th>%s</th>", ROWS[r].name);
        for (int c = 0; c < N_COLUMNS; c++) {
            const json_t *v = source_at(source_at(cam, COLUMNS[c].key), ROWS[r].key);
            buf_adds(b, "<td class=\"n\">");
            html_number(b, source_number(v, "value"), 3);
            buf_adds(b, "<br><span class=\"note\">");
            html_interval(b, source_number(v, "low"), source_number(v, "high"));
            buf_adds(b, "</span></td>");
        }
        buf_adds(b, "</tr>\n");
    }
    buf_adds(b, "</tbody></table>\n");
}

void section_cam(struct buf *b, const struct source *s)
{
    const json_t *cam = source_at(s->result, "cam");
    double without = source_number(cam, "without");

    if (!cam)
        return;
    html_heading(b, "cam", "Where it looks");
    buf_adds(b, "<p>Grad-CAM shows which places of a crop raise the network's score for <i>malignant</i>. It "
                "is coarse (one cell "
                "of the network's last layer covers 32 of its input's pixels) and says where, not why. A "
                "network that "
                "judges the lesion itself should look inside its outline more often than chance.</p>\n"
                "<div class=\"wide\">");
    table(b, cam);
    buf_adds(b, "</div>\n");
    if (without > 0)
        buf_addf(b,
                 "<p class=\"note\">%.0f crops are left out: nothing in them speaks for malignant, or the "
                 "lesion's "
                 "place is not known.</p>\n",
                 without);
}
