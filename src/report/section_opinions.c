#include "report/sections.h"

#include "base/file.h"
#include "base/mem.h"
#include "image/warp.h"
#include "io/image_file.h"
#include "report/chart.h"
#include "report/html.h"
#include "report/picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SIDE = 640, JPEG_QUALITY = 80, MAX_SHOWN = 4 };

struct named {
    const char *key, *name;
};

static const char *system_name(const json_t *system)
{
    static const struct named NAMES[] = {{"together", "both together"},
                                         {"map", "black-box network alone"},
                                         {"classifier", "classifier alone"}};
    const char *key = source_text(system, "name");

    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++)
        if (!strcmp(NAMES[i].key, key))
            return NAMES[i].name;
    return key;
}

static void accord(struct buf *b, const struct source *s)
{
    static const struct named ROWS[] = {
        {"agree", "both answer, and the same"},
        {"differ", "they disagree: one says benign, the other malignant"},
        {"unsure", "one of them, or both, are uncertain themselves"},
        {"no region", "the black-box network shows no region: its answer stands alone"}};

    buf_adds(b, "<table><caption>How the two opinions stand to each other</caption><tbody>\n");
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        buf_addf(b, "<tr><th>%s</th><td class=\"n\">", ROWS[i].name);
        html_number(b, source_number(source_at(s->opinions, "accord"), ROWS[i].key), 0);
        buf_adds(b, "</td></tr>\n");
    }
    buf_adds(b, "</tbody></table>\n");
}

static void three_way(struct buf *b, const json_t *system)
{
    static const char *const ACTUAL[] = {"actual benign or normal", "actual malignant"};
    static const struct chart_part PARTS[CHART_PARTS] = {
        {"answer benign", CHART_BLUE}, {"uncertain", CHART_GREY}, {"answer malignant", CHART_VERMILION}};
    struct chart_strip rows[2] = {{.name = ACTUAL[0]}, {.name = ACTUAL[1]}};

    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < CHART_PARTS; j++)
            rows[i].count[j] = source_cell(source_at(system, "three_way"), i, j);
    buf_addf(b, "<figure><figcaption><b>%s</b>, ", system_name(system));
    html_number(b, source_number(system, "images"), 0);
    buf_adds(b, " images</figcaption>");
    chart_strips(b, 560, PARTS, rows, 2);
    buf_adds(b, "</figure>\n");
}

static void measures(struct buf *b, const json_t *systems)
{
    static const struct named ROWS[] = {
        {"uncertain", "uncertain"},
        {"accuracy_of_decided", "accuracy among the decided"},
        {"majority_class_of_decided", "&nbsp;&nbsp;majority class of these alone"},
        {"sensitivity_of_decided", "sensitivity among the decided"},
        {"specificity_of_decided", "specificity among the decided"},
        {"malignant_called_benign", "malignant called benign, of all malignant"},
        {"benign_called_malignant", "others called malignant, of all others"}};

    buf_adds(b, "<div class=\"wide\"><table class=\"measures\"><caption>With 95&nbsp;% "
                "intervals</caption><thead><tr><th></th>");
    for (size_t k = 0; k < json_array_size(systems); k++)
        buf_addf(b, "<th class=\"n\">%s</th>", system_name(json_array_get(systems, k)));
    buf_adds(b, "</tr></thead><tbody>\n");
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        buf_addf(b, "<tr><th>%s</th>", ROWS[i].name);
        for (size_t k = 0; k < json_array_size(systems); k++) {
            const json_t *v = source_at(json_array_get(systems, k), ROWS[i].key);
            buf_adds(b, "<td class=\"n\">");
            html_number(b, json_is_number(v) ? json_number_value(v) : source_number(v, "value"), 3);
            if (json_is_object(v)) {
                buf_adds(b, "<br><span class=\"note\">");
                html_interval(b, source_number(v, "low"), source_number(v, "high"));
                buf_adds(b, "</span>");
            }
            buf_adds(b, "</td>");
        }
        buf_adds(b, "</tr>\n");
    }
    buf_adds(b, "</tbody></table></div>\n");
}

static void images(struct buf *b, const struct source *s)
{
    const json_t *data = source_at(s->opinions, "data");
    double left_out = source_number(data, "left_out");

    buf_adds(b, "<p>Measured on ");
    html_number(b, source_number(data, "images"), 0);
    buf_adds(b, " images of ");
    html_number(b, source_number(data, "patients"), 0);
    buf_adds(b, " patients (part: ");
    html_text(b, source_text(data, "part"));
    buf_adds(b, ") that neither network learned from; ");
    html_number(b, left_out, 0);
    buf_adds(b, " more were left out because one of them did.");
    if (!strcmp(source_text(data, "part"), "validation"))
        buf_adds(
            b, " These images also chose the best epochs and the thresholds of the networks: the numbers are "
               "<b>optimistic</b>.");
    buf_adds(b, "</p>\n<p class=\"note\">Black-box network: benign below ");
    html_textf(b, "%.4g", source_number(s->opinions, "run.low"));
    buf_adds(b, ", malignant above ");
    html_textf(b, "%.4g (%s)", source_number(s->opinions, "run.high"),
               source_text(s->opinions, "run.thresholds"));
    buf_adds(b, ". Classifier ");
    html_textf(b, "%s: benign below %.4g, malignant above %.4g (%s)",
               source_text(s->opinions, "classifier.path"), source_number(s->opinions, "classifier.low"),
               source_number(s->opinions, "classifier.high"),
               source_text(s->opinions, "classifier.thresholds"));
    buf_adds(b, ".</p>\n");
}

/* A picture that explain wrote, rows and columns from width and height on cut off; nothing where there is
 * none. */
static bool shot(struct buf *b, const char *path, double width, double height, struct err *err)
{
    struct image im = IMAGE_INIT;
    bool ok = true;

    if (!file_exists(path))
        return true;
    ok = image_read(&im, path, err);
    if (ok && width >= 1 && width <= im.width && height >= 1 && height <= im.height)
        ok = image_crop(&im, &im, (struct image_box){0, 0, (int)width, (int)height}, err);
    if (ok && (im.width > SIDE || im.height > SIDE)) {
        const int longer = im.width > im.height ? im.width : im.height;
        ok = image_resize(&im, &im, (int)fmax(1, (double)im.width * SIDE / longer),
                          (int)fmax(1, (double)im.height * SIDE / longer), err);
    }
    ok = ok && html_jpeg(b, &im, JPEG_QUALITY, "explanation", err);
    image_release(&im);
    return ok;
}

/* Where an explanation's files begin: OPINIONS/disagreements/ID. */
static bool shots(struct buf *b, const char *stem, long region, struct err *err)
{
    char *overlay = mem_printf("%s-overlay.png", stem), *crop = mem_printf("%s-crop-%ld.png", stem, region);
    char *told = mem_printf("%s.json", stem);
    json_t *json = file_exists(told) ? json_file_read(told, NULL) : NULL;
    /* the words below the overlay are told in the caption */
    const bool ok =
        shot(b, overlay, source_number(json, "image.width"), source_number(json, "image.height"), err) &&
        shot(b, crop, NAN, NAN, err);

    json_decref(json);
    free(overlay);
    free(crop);
    free(told);
    return ok;
}

static bool disagreement(struct buf *b, const struct source *s, const struct csv *t, size_t row,
                         struct err *err)
{
    const char *id = csv_get(t, row, csv_column(t, "id"));
    char *stem = mem_printf("%s/opinions/disagreements/%s", s->folder, id);

    buf_adds(b, "<figure style=\"margin-bottom:18px\"><div class=\"shots\">");
    const bool ok = shots(b, stem, strtol(csv_get(t, row, csv_column(t, "region")), NULL, 10), err);
    buf_adds(b, "</div><figcaption><b>");
    html_text(b, id);
    buf_adds(b, "</b><br>actual: ");
    html_text(b, csv_get(t, row, csv_column(t, "label")));
    buf_adds(b, " &middot; ");
    html_text(b, csv_get(t, row, csv_column(t, "why")));
    buf_adds(b, "</figcaption></figure>\n");
    free(stem);
    return ok;
}

static bool disagreements(struct buf *b, const struct source *s, struct err *err)
{
    char *path = file_join(s->folder, "opinions/predictions.csv");
    struct csv t = CSV_INIT;
    bool ok = !file_exists(path) || csv_read(&t, path, err);
    size_t shown = 0;

    for (size_t i = 0; i < t.count && ok && shown < MAX_SHOWN; i++) {
        if (strcmp(csv_get(&t, i, csv_column(&t, "accord")), "differ") != 0 ||
            !picture_id_is_safe(csv_get(&t, i, csv_column(&t, "id"))))
            continue;
        if (shown++ == 0)
            buf_adds(b,
                     "<h3>Cases about which they disagree</h3>\n<p class=\"note\">Left: what the black-box "
                     "network shows. Right: the region that the classifier suspects most, and its "
                     "Grad-CAM.</p>\n");
        ok = disagreement(b, s, &t, i, err);
    }
    csv_release(&t);
    free(path);
    return ok;
}

bool section_opinions(struct buf *b, const struct source *s, struct err *err)
{
    const json_t *systems = source_at(s->opinions, "systems");

    if (!s->opinions)
        return true;
    html_heading(b, "opinions", "Two opinions");
    buf_adds(b, "<p>The black-box network looks at the whole image; a classifier judges, on crops of the "
                "full image, every "
                "region that it shows. Together they answer only where both say the same; where they "
                "disagree, or one is "
                "uncertain, the case is <i>uncertain</i> and a doctor looks.</p>\n");
    images(b, s);
    buf_adds(b, "<div class=\"pair\"><div>\n");
    for (size_t i = 0; i < json_array_size(systems); i++)
        three_way(b, json_array_get(systems, i));
    buf_adds(b, "</div><div>\n");
    accord(b, s);
    buf_adds(b, "</div></div>\n");
    measures(b, systems);
    buf_adds(b, "<p class=\"note\">The classifier's answer on an image is that on the region it suspects "
                "most; it has none "
                "where no region was shown.</p>\n");
    return disagreements(b, s, err);
}
