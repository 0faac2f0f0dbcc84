#include "data/cbis.h"

#include "base/file.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum column {
    PATIENT,
    DENSITY,
    SIDE,
    VIEW,
    ABNORMALITY,
    TYPE,
    SHAPE,
    MARGINS,
    ASSESSMENT,
    PATHOLOGY,
    SUBTLETY,
    FULL_PATH,
    CROP_PATH,
    MASK_PATH,
    N_COLUMNS
};

/* Masses and calcifications name three columns differently; '_' and ' ' are the same here. */
static const char *const COLUMN[N_COLUMNS][2] = {{"patient id", NULL},
                                                 {"breast density", NULL},
                                                 {"left or right breast", NULL},
                                                 {"image view", NULL},
                                                 {"abnormality id", NULL},
                                                 {"abnormality type", NULL},
                                                 {"mass shape", "calc type"},
                                                 {"mass margins", "calc distribution"},
                                                 {"assessment", NULL},
                                                 {"pathology", NULL},
                                                 {"subtlety", NULL},
                                                 {"image file path", NULL},
                                                 {"cropped image file path", NULL},
                                                 {"ROI mask file path", NULL}};

static const enum column PATH_OF[CBIS_ROLES] = {FULL_PATH, CROP_PATH, MASK_PATH};

static const struct {
    const char *text;
    enum data_label label;
} PATHOLOGIES[] = {
    {"MALIGNANT", LABEL_MALIGNANT}, {"BENIGN", LABEL_BENIGN}, {"BENIGN_WITHOUT_CALLBACK", LABEL_BENIGN}};

struct table {
    struct cbis_tables *all;
    const struct csv *csv;
    const char *name; /* of the file */
    int column[N_COLUMNS];
    size_t row; /* being read */
};

static char *keep(struct cbis_tables *t, char *text)
{
    t->text = mem_grow(t->text, t->texts + 1, sizeof *t->text);
    return t->text[t->texts++] = text;
}

static const char *get(const struct table *t, enum column c)
{
    return csv_get(t->csv, t->row, t->column[c]);
}

static void __attribute__((format(printf, 3, 4))) note(const struct table *t, bool lost, const char *fmt, ...)
{
    struct cbis_tables *all = t->all;
    struct cbis_fault f = {.where = mem_printf("%s line %zu", t->name, t->csv->row[t->row].line),
                           .lost = lost};
    va_list ap;

    va_start(ap, fmt);
    if (vasprintf(&f.what, fmt, ap) < 0)
        abort();
    va_end(ap);
    all->fault = mem_grow(all->fault, all->faults + 1, sizeof *all->fault);
    all->fault[all->faults++] = f;
}

static bool same_name(const char *a, const char *b)
{
    for (; *a && *b; a++, b++) {
        int x = *a == '_' ? ' ' : tolower((unsigned char)*a), y = tolower((unsigned char)*b);
        if (x != y)
            return false;
    }
    return *a == *b;
}

static int find_column(const struct csv *t, const char *const names[2])
{
    for (int k = 0; k < 2 && names[k]; k++)
        for (size_t i = 0; i < t->header.count; i++)
            if (same_name(t->header.field[i], names[k]))
                return (int)i;
    return -1;
}

static bool find_columns(struct table *t, struct err *err)
{
    for (int c = 0; c < N_COLUMNS; c++) {
        t->column[c] = find_column(t->csv, COLUMN[c]);
        if (t->column[c] < 0)
            return err_set(err, ERR_FORMAT, "no table of CBIS-DDSM: column '%s' is missing", COLUMN[c][0]);
    }
    return true;
}

bool cbis_is_uid(const char *text)
{
    return strchr(text, '.') && text[strspn(text, "0123456789.")] == '\0' && isdigit((unsigned char)*text);
}

/* Takes the part after the last '/' off. */
static char *take_last(char **text)
{
    char *slash = strrchr(*text, '/'), *last = slash ? slash + 1 : *text;

    if (slash)
        *slash = '\0';
    else
        *text = *text + strlen(*text);
    return last;
}

/* Reads "NAME/STUDY/SERIES/000001.dcm" from its end, backslashes for slashes too; returns NAME. */
static const char *split_path(const struct table *t, enum cbis_role role, struct cbis_path *out)
{
    char *text = keep(t->all, mem_copy_string(get(t, PATH_OF[role]))), *end;

    for (char *p = text; *p; p++)
        if (*p == '\\')
            *p = '/';
    char *last = take_last(&text), *series = take_last(&text), *study = take_last(&text);
    long number = strtol(last, &end, 10);
    *out = (struct cbis_path){.study = cbis_is_uid(study) ? study : "",
                              .series = cbis_is_uid(series) ? series : "",
                              .number = end != last && number >= 0 && number < 1000000 ? (int)number : -1};
    return take_last(&text);
}

/* Kind and part as the file's own name has them, "mass_case_description_train_set.csv"; what says nothing
 * stays. */
static void name_from_table(struct cbis_name *n, const struct table *t, bool *kind_known)
{
    const char *type = get(t, TYPE);

    *kind_known = !strncasecmp(type, "mass", 4) || !strncasecmp(type, "calc", 4);
    n->kind = !strncasecmp(type, "calc", 4) ? CBIS_CALC : CBIS_MASS;
    n->part = strcasestr(t->name, "test") ? PART_TEST : strcasestr(t->name, "train") ? PART_TRAIN : PART_NONE;
}

/* What the row's own columns say of the film, in the archive's pattern. */
static bool name_from_columns(struct cbis_name *out, const struct cbis_name *known, const struct table *t)
{
    char *text = mem_printf("%s%s%s_%s_%s", known->kind == CBIS_CALC ? "Calc-" : "Mass-",
                            known->part == PART_TEST ? "Test_" : "Training_", get(t, PATIENT), get(t, SIDE),
                            get(t, VIEW));
    bool ok = cbis_name_parse(out, text) && !out->abnormality;

    free(text);
    return ok;
}

/* Columns tell patient, side and view; the paths' first folder tells kind and part, where it has none the
 * type's column and the table's name. */
static bool read_name(struct cbis_row *r, const struct table *t, const char *const folder[CBIS_ROLES])
{
    struct cbis_name known, named;
    bool kind_known, has_folder = false;
    char *end;

    name_from_table(&known, t, &kind_known);
    for (int role = 0; role < CBIS_ROLES && !has_folder; role++)
        has_folder = cbis_name_parse(&named, folder[role]);
    if (has_folder) {
        if ((kind_known && known.kind != named.kind) || (known.part != PART_NONE && known.part != named.part))
            note(t, false, "the path begins with %s, type and table say %s-%s; the path is followed",
                 named.film, cbis_kind_name(known.kind), data_part_name(known.part));
        known = named;
    } else if (!kind_known || known.part == PART_NONE) {
        note(t, true, "neither path nor table tell mass or calcification, train or test");
        return false;
    }
    if (!name_from_columns(&r->name, &known, t)) {
        note(t, true, "patient '%s', breast '%s', view '%s' make no film's name", get(t, PATIENT),
             get(t, SIDE), get(t, VIEW));
        return false;
    }
    if (has_folder && strcmp(r->name.film, named.film))
        note(t, false, "the path says %s, the columns say %s; the columns are followed", named.film,
             r->name.film);
    long abnormality = strtol(get(t, ABNORMALITY), &end, 10);
    if (*end || abnormality < 1 || abnormality > 999) {
        note(t, true, "abnormality '%s' is no number from 1", get(t, ABNORMALITY));
        return false;
    }
    r->name.abnormality = (int)abnormality;
    return true;
}

static bool read_pathology(struct cbis_row *r, const struct table *t)
{
    for (size_t i = 0; i < sizeof PATHOLOGIES / sizeof *PATHOLOGIES; i++) {
        if (!strcasecmp(r->pathology, PATHOLOGIES[i].text)) {
            r->label = PATHOLOGIES[i].label;
            return true;
        }
    }
    note(t, true, "pathology '%s' is none of MALIGNANT, BENIGN, BENIGN_WITHOUT_CALLBACK", r->pathology);
    return false;
}

static bool read_row(struct cbis_row *r, const struct table *t)
{
    const char *folder[CBIS_ROLES];

    *r = (struct cbis_row){.table = t->name,
                           .line = t->csv->row[t->row].line,
                           .density = get(t, DENSITY),
                           .assessment = get(t, ASSESSMENT),
                           .subtlety = get(t, SUBTLETY),
                           .pathology = get(t, PATHOLOGY),
                           .shape = get(t, SHAPE),
                           .margins = get(t, MARGINS)};
    for (int role = 0; role < CBIS_ROLES; role++)
        folder[role] = split_path(t, (enum cbis_role)role, &r->path[role]);
    return read_name(r, t, folder) && read_pathology(r, t);
}

bool cbis_tables_add(struct cbis_tables *all, const char *path, struct err *err)
{
    struct csv csv = CSV_INIT;
    struct table t = {.all = all, .csv = &csv};
    size_t before = all->rows;

    if (!csv_read(&csv, path, err))
        return false;
    if (!find_columns(&t, err)) {
        csv_release(&csv);
        return err_at(err, "%s", path);
    }
    t.name = keep(all, mem_copy_string(file_base(path)));
    all->csv = mem_grow(all->csv, all->files + 1, sizeof *all->csv);
    all->csv[all->files++] = csv; /* rows borrow its fields */
    all->row = mem_grow(all->row, all->rows + csv.count, sizeof *all->row);
    for (t.row = 0; t.row < csv.count; t.row++)
        if (read_row(&all->row[all->rows], &t))
            all->rows++;
    return all->rows > before || err_set(err, ERR_FORMAT, "%s: no row of it can be used", path);
}

static int compare_rows(const void *a, const void *b)
{
    const struct cbis_row *p = a, *q = b;
    int by_film = strcmp(p->name.film, q->name.film);

    if (by_film)
        return by_film;
    if (p->name.abnormality != q->name.abnormality)
        return p->name.abnormality - q->name.abnormality;
    int by_table = strcmp(p->table, q->table);
    return by_table ? by_table : (p->line > q->line) - (p->line < q->line);
}

static void note_repeated(struct cbis_tables *t, const struct cbis_row *r, const struct cbis_row *first)
{
    char name[CBIS_NAME_TEXT];
    struct cbis_fault f = {.where = mem_printf("%s line %zu", r->table, r->line)};

    cbis_name_text(&r->name, name);
    f.lost = r->label != first->label;
    f.what = mem_printf("%s stands in %s line %zu already%s", name, first->table, first->line,
                        f.lost ? " with another pathology" : "");
    t->fault = mem_grow(t->fault, t->faults + 1, sizeof *t->fault);
    t->fault[t->faults++] = f;
}

void cbis_tables_finish(struct cbis_tables *t)
{
    size_t kept = 0;

    if (t->rows)
        qsort(t->row, t->rows, sizeof *t->row, compare_rows);
    for (size_t i = 0; i < t->rows; i++) {
        if (kept && cbis_name_same(&t->row[kept - 1].name, &t->row[i].name))
            note_repeated(t, &t->row[i], &t->row[kept - 1]);
        else
            t->row[kept++] = t->row[i];
    }
    t->rows = kept;
}

size_t cbis_tables_find(const struct cbis_tables *t, const char *film, size_t *first)
{
    size_t low = 0, high = t->rows, n = 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(t->row[middle].name.film, film) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    while (low + n < t->rows && !strcmp(t->row[low + n].name.film, film))
        n++;
    *first = low;
    return n;
}

void cbis_tables_release(struct cbis_tables *t)
{
    for (size_t i = 0; i < t->files; i++)
        csv_release(&t->csv[i]);
    for (size_t i = 0; i < t->texts; i++)
        free(t->text[i]);
    for (size_t i = 0; i < t->faults; i++) {
        free(t->fault[i].where);
        free(t->fault[i].what);
    }
    free(t->csv);
    free(t->text);
    free(t->row);
    free(t->fault);
    *t = (struct cbis_tables)CBIS_TABLES_INIT;
}
