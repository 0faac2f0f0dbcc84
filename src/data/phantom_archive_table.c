/* The tables of an archive of phantoms, as mass_case_description_*_set.csv has them. */
#include "data/phantom_archive_parts.h"

#include "base/mem.h"

#include <stdlib.h>

static const char HEADER[] =
    "patient_id,breast_density,left or right breast,image view,abnormality id,abnormality type,mass shape,"
    "mass margins,assessment,pathology,subtlety,image file path,cropped image file path,ROI mask file path";

static const struct {
    const char *shape, *margins;
} WORDS[] = {
    [PHANTOM_ROUND] = {"ROUND", "CIRCUMSCRIBED"},          [PHANTOM_OVAL] = {"OVAL", "CIRCUMSCRIBED"},
    [PHANTOM_LOBULATED] = {"LOBULATED", "MICROLOBULATED"}, [PHANTOM_IRREGULAR] = {"IRREGULAR", "ILL_DEFINED"},
    [PHANTOM_SPICULATED] = {"IRREGULAR", "SPICULATED"},
};

const char *archive_table_name(enum data_part part)
{
    return part == PART_TEST ? "mass_case_description_test_set.csv" : "mass_case_description_train_set.csv";
}

static const char *pathology(const struct phantom_mass *m)
{
    if (m->label == LABEL_MALIGNANT)
        return "MALIGNANT";
    return m->assessment <= 2 ? "BENIGN_WITHOUT_CALLBACK" : "BENIGN";
}

/* What the tables say whatever the disk has: "NAME/STUDY/SERIES/000001.dcm", the crop numbered 0, the mask in
 * its series 1. With faults the train table ends the mask's path with a newline inside the quotes, and the
 * test table has backslashes. */
static void put_path(struct buf *b, const struct archive *a, const struct archive_film *f, int k,
                     enum cbis_role role)
{
    struct archive_place p = archive_place_of(a, f, k, role);
    const bool shared = role == CBIS_MASK && f->fault != FAULT_TWO_FOLDERS;
    const bool test = f->about.part == PART_TEST;
    char tail[8] = "";

    if (role != CBIS_FULL)
        snprintf(tail, sizeof tail, "_%d", (k + 1) % 10);
    char *text = mem_printf("%s%s/%s/%s/00000%d.dcm%s", f->name, tail, p.study, p.series, shared ? 1 : 0,
                            a->faults && !test && role == CBIS_MASK ? "\n" : "");
    for (char *at = text; *at && a->faults && test; at++)
        *at = *at == '/' ? '\\' : *at;
    csv_put(b, text);
    free(text);
    free(p.path);
}

static void put_end(struct buf *b, const struct archive *a)
{
    csv_put_end(b);
    if (a->faults) {
        b->len--;
        buf_adds(b, "\r\n");
    }
}

static void put_row(struct buf *b, const struct archive *a, const struct archive_film *f, int k)
{
    static const enum cbis_role ORDER[] = {CBIS_FULL, CBIS_CROP, CBIS_MASK};
    const struct phantom_mass *m = &f->about.mass[k];

    csv_putf(b, "P_%05zu", f->about.index + 1);
    csv_putf(b, "%d", f->about.density);
    csv_put(b, f->about.right ? "RIGHT" : "LEFT");
    csv_put(b, phantom_projection_name(f->view));
    csv_putf(b, "%d", k + 1);
    csv_put(b, "mass");
    csv_put(b, WORDS[m->kind].shape);
    csv_put(b, WORDS[m->kind].margins);
    csv_putf(b, "%d", m->assessment);
    csv_put(b, pathology(m));
    csv_putf(b, "%d", m->subtlety);
    for (int i = 0; i < 3; i++)
        put_path(b, a, f, k, ORDER[i]);
    put_end(b, a);
}

static bool write_table(const struct archive *a, enum data_part part, struct err *err)
{
    struct buf b = BUF_INIT;
    size_t rows = 0;

    buf_adds(&b, HEADER);
    buf_adds(&b, a->faults ? "\r\n" : "\n");
    for (size_t i = 0; i < a->films; i++) {
        const struct archive_film *f = &a->film[i];
        for (int k = 0; k < f->about.masses && (f->about.part == PART_TEST) == (part == PART_TEST);
             k++, rows++)
            put_row(&b, a, f, k);
    }
    char *path = file_join(a->folder, archive_table_name(part));
    bool ok = !rows || file_write(path, b.data, b.len, err);
    free(path);
    buf_release(&b);
    return ok;
}

bool archive_tables_write(const struct archive *a, struct err *err)
{
    return write_table(a, PART_TRAIN, err) && write_table(a, PART_TEST, err);
}
