#include "report/audit.h"

#include "base/csv.h"
#include "base/file.h"
#include "base/mem.h"
#include "report/audit_picture.h"
#include "report/chart.h"
#include "report/html.h"

#include <stdlib.h>
#include <string.h>

enum { EXAMPLES = 3, MOST_REASONS = 25 };

enum kept { USED, SETTLED, REPAIRED, DOUBTFUL, LOST, SKIPPED, KEPT_COUNT };

static const struct {
    const char *name, *meaning;
} KEPT[KEPT_COUNT] = {
    {"used", "everything said of the file agreed"},
    {"settled", "names disagreed; the majority was followed and the pixels are sure"},
    {"repaired", "the pixels had to be changed: scaled, or black and white exchanged"},
    {"doubtful", "kept, but somebody should look"},
    {"lost", "could not be used, or is missing"},
    {"skipped", "no part of what the tables name"},
};

enum { BENIGN, WITHOUT_CALLBACK, MALIGNANT, PATHOLOGIES };
static const char *const PATHOLOGY[PATHOLOGIES] = {"BENIGN", "BENIGN_WITHOUT_CALLBACK", "MALIGNANT"};
static const char *const PATHOLOGY_SHOWN[PATHOLOGIES] = {"benign", "benign without callback", "malignant"};

static const char *const KIND[] = {"mass", "calc"};
static const char *const KIND_SHOWN[] = {"Masses", "Calcifications"};
static const char *const PART[] = {"train", "test"};
enum { KINDS = 2, PARTS = 2 };

struct tables {
    const char *folder;
    struct csv audit, manifest, findings, leaks;
    struct audit_pictures *pictures;
};

static const char *get(const struct csv *t, size_t row, const char *column)
{
    return csv_get(t, row, csv_column(t, column));
}

static bool read_table(struct csv *out, const char *folder, const char *name, const char *const columns[],
                       struct err *err)
{
    char *path = file_join(folder, name);
    bool ok = csv_read(out, path, err);

    for (; ok && *columns; columns++)
        if (csv_column(out, *columns) < 0)
            ok = err_set(err, ERR_FORMAT, "%s: column '%s' is missing", path, *columns);
    free(path);
    return ok;
}

static bool read_tables(struct tables *t, struct err *err)
{
    return read_table(&t->audit, t->folder, "audit.csv",
                      (const char *const[]){"file", "found", "done", "why", "id", "kept", NULL}, err) &&
           read_table(&t->manifest, t->folder, "manifest.csv",
                      (const char *const[]){"id", "part", "label", "image", "mask", "crop", NULL}, err) &&
           read_table(&t->findings, t->folder, "abnormalities.csv",
                      (const char *const[]){"id", "abnormality", "kind", "pathology", "mask", "crop", NULL},
                      err) &&
           read_table(&t->leaks, t->folder, "leaks.csv",
                      (const char *const[]){"patient", "train", "test", NULL}, err);
}

static void tables_release(struct tables *t)
{
    csv_release(&t->audit);
    csv_release(&t->manifest);
    csv_release(&t->findings);
    csv_release(&t->leaks);
}

static int find(const char *const names[], int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(names[i], name))
            return i;
    return -1;
}

static enum kept kept_of(const struct tables *t, size_t line)
{
    const char *name = get(&t->audit, line, "kept");

    for (int k = 0; k < KEPT_COUNT; k++)
        if (!strcmp(KEPT[k].name, name))
            return (enum kept)k;
    return DOUBTFUL; /* an unknown word is looked at */
}

/* Row of an image in the manifest, or -1. */
static ptrdiff_t find_image(const struct tables *t, const char *id)
{
    int column = csv_column(&t->manifest, "id");

    for (size_t i = 0; i < t->manifest.count && *id; i++)
        if (!strcmp(csv_get(&t->manifest, i, column), id))
            return (ptrdiff_t)i;
    return -1;
}

/* ---- counts ---- */

static void section_counts(struct buf *b, const struct tables *t)
{
    size_t count[KEPT_COUNT] = {0}, masks = 0;

    for (size_t i = 0; i < t->audit.count; i++)
        count[kept_of(t, i)]++;
    for (size_t i = 0; i < t->findings.count; i++)
        masks += *get(&t->findings, i, "mask") != '\0';
    buf_addf(b,
             "<div class=\"summary\"><p><b>%zu images</b> with %zu abnormalities, %zu of them outlined, are "
             "in the "
             "data set.</p>\n",
             t->manifest.count, t->findings.count, masks);
    if (count[LOST] + count[DOUBTFUL])
        buf_addf(
            b,
            "<p class=\"caution\">%zu lines tell of something lost and %zu of something doubtful; they are "
            "shown below.</p>\n",
            count[LOST], count[DOUBTFUL]);
    if (t->leaks.count)
        buf_addf(
            b,
            "<p class=\"caution\">%zu patients are in the training and in the test part. Training refuses "
            "this data set unless told otherwise.</p>\n",
            t->leaks.count);
    buf_adds(b,
             "</div>\n<table><thead><tr><th>what became of it</th><th class=\"n\">lines</th><th>meaning</th>"
             "</tr></thead><tbody>\n");
    for (int k = 0; k < KEPT_COUNT; k++)
        buf_addf(b, "<tr><th>%s</th><td class=\"n\">%zu</td><td>%s</td></tr>\n", KEPT[k].name, count[k],
                 KEPT[k].meaning);
    buf_adds(
        b,
        "</tbody></table>\n<p class=\"note\">A line is a file, or something that is missing. All of them are "
        "in <code>audit.csv</code>.</p>\n");
}

/* ---- classes ---- */

struct classes {
    size_t findings[KINDS][PARTS][PATHOLOGIES];
    size_t images[KINDS][PARTS][2]; /* [benign, malignant] */
};

static void count_classes(struct classes *c, const struct tables *t)
{
    const char *last = "";

    *c = (struct classes){0};
    for (size_t i = 0; i < t->findings.count; i++) {
        const char *id = get(&t->findings, i, "id");
        ptrdiff_t image = find_image(t, id);
        if (image < 0)
            continue;
        int kind = find(KIND, KINDS, get(&t->findings, i, "kind"));
        int part = find(PART, PARTS, get(&t->manifest, (size_t)image, "part"));
        int pathology = find(PATHOLOGY, PATHOLOGIES, get(&t->findings, i, "pathology"));
        if (kind < 0 || part < 0 || pathology < 0)
            continue;
        c->findings[kind][part][pathology]++;
        if (strcmp(id, last))
            c->images[kind][part][!strcmp(get(&t->manifest, (size_t)image, "label"), "malignant")]++;
        last = id;
    }
}

static size_t sum(const size_t *n, size_t count)
{
    size_t all = 0;

    for (size_t i = 0; i < count; i++)
        all += n[i];
    return all;
}

static void class_row(struct buf *b, const char *name, const size_t *n, const size_t *images)
{
    buf_addf(b, "<tr><th>%s</th>", name);
    for (int p = 0; p < PATHOLOGIES; p++)
        buf_addf(b, "<td class=\"n\">%zu</td>", n[p]);
    buf_addf(b, "<td class=\"n\">%zu</td><td class=\"n\">%zu</td><td class=\"n\">%zu</td></tr>\n",
             sum(n, PATHOLOGIES), images[0], images[1]);
}

static void class_table(struct buf *b, const struct classes *c, int kind)
{
    static const struct chart_part COLORS[CHART_PARTS] = {
        {"benign", CHART_BLUE}, {"benign without callback", CHART_SKY}, {"malignant", CHART_VERMILION}};
    struct chart_strip strip[PARTS];
    size_t all[PATHOLOGIES] = {0}, images[2] = {0};

    if (!sum(&c->findings[kind][0][0], PARTS * PATHOLOGIES))
        return;
    buf_addf(b, "<h3>%s</h3>\n<div class=\"wide\"><table><thead><tr><th>part</th>", KIND_SHOWN[kind]);
    for (int p = 0; p < PATHOLOGIES; p++)
        buf_addf(b, "<th class=\"n\">%s</th>", PATHOLOGY_SHOWN[p]);
    buf_adds(b,
             "<th class=\"n\">abnormalities</th><th class=\"n\">benign images</th><th class=\"n\">malignant "
             "images</th></tr></thead><tbody>\n");
    for (int part = 0; part < PARTS; part++) {
        class_row(b, PART[part], c->findings[kind][part], c->images[kind][part]);
        strip[part] = (struct chart_strip){.name = PART[part]};
        for (int p = 0; p < PATHOLOGIES; p++) {
            all[p] += c->findings[kind][part][p];
            strip[part].count[p] = (double)c->findings[kind][part][p];
        }
        for (int k = 0; k < 2; k++)
            images[k] += c->images[kind][part][k];
    }
    class_row(b, "both", all, images);
    buf_adds(b, "</tbody></table></div>\n<figure>");
    chart_strips(b, 760, COLORS, strip, PARTS);
    buf_adds(b, "</figure>\n");
}

static void section_classes(struct buf *b, const struct tables *t)
{
    struct classes c;

    count_classes(&c, t);
    html_heading(b, "classes", "Classes by part");
    for (int kind = 0; kind < KINDS; kind++)
        class_table(b, &c, kind);
    buf_adds(
        b,
        "<p class=\"note\">Abnormalities as the archive's pathology has them. An image counts as malignant "
        "when any of its abnormalities is.</p>\n");
}

/* ---- examples ---- */

static struct audit_picture finding_picture(const struct tables *t, size_t i, ptrdiff_t image)
{
    return (struct audit_picture){t->folder, get(&t->findings, i, "id"),
                                  get(&t->manifest, (size_t)image, "image"), get(&t->findings, i, "mask"),
                                  get(&t->findings, i, "crop")};
}

static void put_example(struct buf *b, const struct tables *t, size_t i, ptrdiff_t image)
{
    struct audit_picture p = finding_picture(t, i, image);

    buf_adds(b, "<figure>\n");
    audit_picture_triple(t->pictures, b, &p);
    buf_adds(b, "<figcaption><b>");
    html_textf(b, "%s, abnormality %s", p.id, get(&t->findings, i, "abnormality"));
    int pathology = find(PATHOLOGY, PATHOLOGIES, get(&t->findings, i, "pathology"));
    buf_addf(b, "</b><br>%s: image, mask, and the crop cut from the image",
             pathology < 0 ? "of unknown pathology" : PATHOLOGY_SHOWN[pathology]);
    buf_adds(b, "</figcaption></figure>\n");
}

/* The first few of each class, malignant ones first, each image once. */
static void section_examples(struct buf *b, const struct tables *t)
{
    html_heading(b, "examples", "Image, mask and crop");
    buf_adds(b, "<div class=\"cards\">\n");
    for (int malignant = 1; malignant >= 0; malignant--) {
        const char *last = "";
        int shown = 0;
        for (size_t i = 0; i < t->findings.count && shown < EXAMPLES; i++) {
            const char *id = get(&t->findings, i, "id");
            ptrdiff_t image = find_image(t, id);
            bool is = !strcmp(get(&t->findings, i, "pathology"), PATHOLOGY[MALIGNANT]);
            if (image < 0 || is != malignant || !*get(&t->findings, i, "mask") || !strcmp(id, last))
                continue;
            put_example(b, t, i, image);
            last = id;
            shown++;
        }
    }
    buf_adds(b, "</div>\n");
}

/* ---- what to look at ---- */

static bool wants_a_look(enum kept k)
{
    return k == REPAIRED || k == DOUBTFUL || k == LOST;
}

static void put_line(struct buf *b, const struct tables *t, size_t i)
{
    static const char *const FIELDS[] = {"found", "done", "why"};

    buf_addf(b, "<tr><th>%s</th><td>", KEPT[kept_of(t, i)].name);
    html_text(b, get(&t->audit, i, "file"));
    buf_adds(b, "</td>");
    for (size_t k = 0; k < sizeof FIELDS / sizeof *FIELDS; k++) {
        buf_adds(b, "<td>");
        html_text(b, get(&t->audit, i, FIELDS[k]));
        buf_adds(b, "</td>");
    }
    buf_adds(b, "</tr>\n");
}

#define LINES_HEAD                                                                                           \
    "<div class=\"wide\"><table "                                                                            \
    "class=\"lines\"><thead><tr><th></th><th>file</th><th>found</th><th>done</th>"                           \
    "<th>why</th></tr></thead><tbody>\n"
#define LINES_END "</tbody></table></div>\n"

/* The lines of one image, which follow each other, begin at first. */
static void put_case(struct buf *b, const struct tables *t, size_t first, size_t end)
{
    const char *id = get(&t->audit, first, "id");
    ptrdiff_t image = find_image(t, id);
    const struct csv *m = &t->manifest;

    buf_adds(b, "<section class=\"case\"><h3>");
    html_text(b, id);
    buf_adds(b, "</h3>\n");
    if (image >= 0) {
        struct audit_picture p = {t->folder, id, get(m, (size_t)image, "image"),
                                  get(m, (size_t)image, "mask"), get(m, (size_t)image, "crop")};
        audit_picture_marked(t->pictures, b, &p);
    }
    buf_adds(b, "<div>");
    if (image < 0)
        buf_adds(b, "<p class=\"note\">The image is not in the data set.</p>\n");
    buf_adds(b, LINES_HEAD);
    for (size_t i = first; i < end; i++)
        if (wants_a_look(kept_of(t, i)))
            put_line(b, t, i);
    buf_adds(b, LINES_END "</div></section>\n");
}

static void put_nameless(struct buf *b, const struct tables *t, size_t end)
{
    bool any = false;

    for (size_t i = 0; i < end; i++) {
        if (!wants_a_look(kept_of(t, i)))
            continue;
        if (!any)
            buf_adds(b, "<h3>Of no image</h3>\n" LINES_HEAD);
        any = true;
        put_line(b, t, i);
    }
    if (any)
        buf_adds(b, LINES_END);
}

/* Lines are sorted by id; those without one come first. */
static void section_looks(struct buf *b, const struct tables *t)
{
    bool any = false;

    html_heading(b, "look", "To look at");
    buf_adds(b, "<p class=\"note\">Every image with a line that is repaired, doubtful or lost: with the "
                "outline of the "
                "mask as it was used, and the crop.</p>\n");
    for (size_t first = 0, end; first < t->audit.count; first = end) {
        const char *id = get(&t->audit, first, "id");
        bool wanted = false;
        for (end = first; end < t->audit.count && !strcmp(get(&t->audit, end, "id"), id); end++)
            wanted = wanted || wants_a_look(kept_of(t, end));
        any = any || wanted;
        if (wanted && *id)
            put_case(b, t, first, end);
        else if (wanted)
            put_nameless(b, t, end);
    }
    if (!any)
        buf_adds(b, "<p>There is nothing.</p>\n");
}

/* ---- what was settled, and what was left aside ---- */

struct reason {
    const char *text;
    size_t count;
};

static int compare_text(const void *a, const void *b)
{
    return strcmp(((const struct reason *)a)->text, ((const struct reason *)b)->text);
}

static int compare_count(const void *a, const void *b)
{
    const struct reason *p = a, *q = b;

    return p->count != q->count ? (p->count < q->count) - (p->count > q->count) : strcmp(p->text, q->text);
}

/* The different reasons of a kind of line, most frequent first; free() it. */
static struct reason *count_reasons(const struct tables *t, enum kept kept, size_t *n)
{
    struct reason *r = mem_new(t->audit.count + 1, sizeof *r);
    size_t lines = 0;

    for (size_t i = 0; i < t->audit.count; i++)
        if (kept_of(t, i) == kept)
            r[lines++] = (struct reason){get(&t->audit, i, "why"), 1};
    qsort(r, lines, sizeof *r, compare_text);
    *n = 0;
    for (size_t i = 0; i < lines; i++) {
        if (*n && !strcmp(r[*n - 1].text, r[i].text))
            r[*n - 1].count++;
        else
            r[(*n)++] = r[i];
    }
    qsort(r, *n, sizeof *r, compare_count);
    return r;
}

static void put_reasons(struct buf *b, const struct tables *t, enum kept kept, const char *title)
{
    size_t n;
    struct reason *r = count_reasons(t, kept, &n);

    if (n) {
        buf_addf(
            b, "<h3>%s</h3>\n<table><thead><tr><th class=\"n\">lines</th><th>why</th></tr></thead><tbody>\n",
            title);
        for (size_t i = 0; i < n && i < MOST_REASONS; i++) {
            buf_addf(b, "<tr><td class=\"n\">%zu</td><td>", r[i].count);
            html_text(b, r[i].text);
            buf_adds(b, "</td></tr>\n");
        }
        buf_adds(b, "</tbody></table>\n");
        if (n > MOST_REASONS)
            buf_addf(b, "<p class=\"note\">and %zu more reasons, see audit.csv</p>\n", n - MOST_REASONS);
    }
    free(r);
}

static void section_rest(struct buf *b, const struct tables *t)
{
    html_heading(b, "rest", "Settled and skipped");
    put_reasons(b, t, SETTLED, "Settled: who said what");
    put_reasons(b, t, SKIPPED, "Skipped");
}

static void section_leaks(struct buf *b, const struct tables *t)
{
    if (!t->leaks.count)
        return;
    html_heading(b, "leaks", "Patients in two parts");
    buf_adds(b,
             "<p>A network that has seen one image of a patient knows something of the others. Leave these "
             "patients out of training, or use masses and calcifications apart.</p>\n"
             "<div class=\"wide\"><table><thead><tr><th>patient</th><th>train</th><th>test</th></tr></thead>"
             "<tbody>\n");
    for (size_t i = 0; i < t->leaks.count; i++) {
        buf_adds(b, "<tr><td>");
        html_text(b, get(&t->leaks, i, "patient"));
        buf_adds(b, "</td><td>");
        html_text(b, get(&t->leaks, i, "train"));
        buf_adds(b, "</td><td>");
        html_text(b, get(&t->leaks, i, "test"));
        buf_adds(b, "</td></tr>\n");
    }
    buf_adds(b, "</tbody></table></div>\n");
}

static const char STYLE[] =
    ".shots{background:none;align-items:flex-start}.shots img{border:1px solid "
    "var(--line)}.lines{font-size:13px}.lines td{overflow-wrap:anywhere;min-width:110px}"
    ".case{display:grid;grid-template-columns:300px 1fr;gap:4px 20px;align-items:start;margin:14px 0;"
    "border-top:1px solid var(--line);padding-top:4px;break-inside:avoid}.case "
    "h3{grid-column:1/-1;margin:6px 0}"
    ".case>*{min-width:0}.case>div:last-child{grid-column:2}"
    "@media (max-width:640px){.case{grid-template-columns:1fr}.case>div:last-child{grid-column:1}}\n";

static char *folder_name(const char *folder)
{
    char *path = realpath(folder, NULL), *name = mem_copy_string(file_base(path ? path : folder));

    free(path);
    return name;
}

static bool write_page(struct buf *b, const struct tables *t, struct err *err)
{
    char *name = folder_name(t->folder), *title = mem_printf("Audit: %s", name);

    html_begin_styled(b, title, "CBIS-DDSM, from the download to the data set; clearmass " CLEARMASS_VERSION,
                      STYLE);
    section_counts(b, t);
    section_classes(b, t);
    section_examples(b, t);
    section_looks(b, t);
    section_leaks(b, t);
    section_rest(b, t);
    html_end(b);
    free(name);
    free(title);
    return audit_pictures_insert(b, t->pictures, err);
}

bool audit_write(const char *folder, const char *out_path, struct err *err)
{
    struct audit_pictures pictures = AUDIT_PICTURES_INIT;
    struct tables t = {folder, CSV_INIT, CSV_INIT, CSV_INIT, CSV_INIT, &pictures};
    struct buf page = BUF_INIT;
    char *path = out_path ? mem_copy_string(out_path) : file_join(folder, "audit.html");
    bool ok =
        read_tables(&t, err) && write_page(&page, &t, err) && file_write(path, page.data, page.len, err);

    tables_release(&t);
    audit_pictures_release(&pictures);
    buf_release(&page);
    free(path);
    return ok;
}
