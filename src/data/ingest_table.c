#include "data/ingest_case.h"

#include "base/csv.h"
#include "base/mem.h"

#include <search.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum column {
    IMAGE,
    MASK,
    LABEL,
    PATIENT,
    ID,
    SIDE,
    VIEW,
    DENSITY,
    ASSESSMENT,
    SUBTLETY,
    SOURCE_PART,
    N_COLUMNS
};

static const char *const COLUMN[N_COLUMNS] = {"image", "mask",    "label",      "patient",  "id",  "side",
                                              "view",  "density", "assessment", "subtlety", "part"};

enum { N_WANTED = PATIENT + 1 };

struct table {
    struct csv csv;
    int column[N_COLUMNS]; /* or -1 */
    bool names_patients;   /* at least one row does */
};

static const char *get(const struct table *t, size_t row, enum column c)
{
    return csv_get(&t->csv, row, t->column[c]);
}

static bool find_columns(struct table *t, struct err *err)
{
    for (int c = 0; c < N_COLUMNS; c++) {
        t->column[c] = csv_column(&t->csv, COLUMN[c]);
        if (c < N_WANTED && t->column[c] < 0)
            return err_set(err, ERR_FORMAT, "column '%s' is missing (wanted: image, mask, label, patient)",
                           COLUMN[c]);
    }
    return true;
}

/* Masks of one cell, separated by ';'. */
static void add_masks(struct ingest_case *c, const char *cell)
{
    while (*cell) {
        const char *end = cell + strcspn(cell, ";"), *next = *end ? end + 1 : end;

        while (cell < end && *cell == ' ')
            cell++;
        while (end > cell && end[-1] == ' ')
            end--;
        if (end > cell) {
            char *path = mem_printf("%.*s", (int)(end - cell), cell);
            ingest_case_add_mask(c, path);
            free(path);
        }
        cell = next;
    }
}

static char *copy_cell(const struct table *t, size_t row, enum column c)
{
    const char *text = get(t, row, c);

    return *text ? mem_copy_string(text) : NULL;
}

static void read_case(struct ingest_case *c, const struct table *t, size_t row)
{
    if (!data_label_parse(get(t, row, LABEL), &c->label))
        ingest_case_fault(c, "label '%s' is not benign, malignant or normal", get(t, row, LABEL));
    if (!data_part_parse(get(t, row, SOURCE_PART), &c->part) || c->part == PART_VALIDATION)
        ingest_case_fault(c, "part '%s' is neither train nor test", get(t, row, SOURCE_PART));
    if (t->names_patients && !*get(t, row, PATIENT))
        ingest_case_fault(c, "patient is missing");
    if (t->column[ID] >= 0)
        c->id = mem_copy_string(get(t, row, ID));
    c->patient = copy_cell(t, row, PATIENT);
    c->side = copy_cell(t, row, SIDE);
    c->view = copy_cell(t, row, VIEW);
    c->density = copy_cell(t, row, DENSITY);
    c->assessment = copy_cell(t, row, ASSESSMENT);
    c->subtlety = copy_cell(t, row, SUBTLETY);
    add_masks(c, get(t, row, MASK));
}

/* Another row of an image that is known: its masks join the others; what it says of the image must be the
 * same. */
static void read_again(struct ingest_case *c, const struct table *t, size_t first, size_t row)
{
    static const enum column SAME[] = {LABEL, PATIENT, ID, SOURCE_PART};

    for (size_t k = 0; k < sizeof SAME / sizeof *SAME; k++)
        if (strcasecmp(get(t, first, SAME[k]), get(t, row, SAME[k])))
            ingest_case_fault(c, "lines %zu and %zu differ in its %s", t->csv.row[first].line,
                              t->csv.row[row].line, COLUMN[SAME[k]]);
    add_masks(c, get(t, row, MASK));
}

static void read_rows(struct ingest_cases *c, const struct table *t)
{
    struct hsearch_data known = {0};
    size_t *row_of = mem_new(t->csv.count, sizeof *row_of); /* the first row of each case */

    if (!hcreate_r(t->csv.count + t->csv.count / 2 + 1, &known))
        abort(); /* out of memory, as in base/mem.h */
    for (size_t row = 0; row < t->csv.count; row++) {
        ENTRY entry = {(char *)get(t, row, IMAGE), (void *)(uintptr_t)c->count}, *found;

        if (!*entry.key) {
            char *name = mem_printf("line %zu", t->csv.row[row].line);
            row_of[c->count] = row;
            ingest_case_fault(ingest_cases_add(c, name), "the image is missing");
            free(name);
            continue;
        }
        if (hsearch_r(entry, FIND, &found, &known)) {
            size_t i = (uintptr_t)found->data;
            read_again(&c->item[i], t, row_of[i], row);
            continue;
        }
        hsearch_r(entry, ENTER, &found, &known);
        row_of[c->count] = row;
        read_case(ingest_cases_add(c, entry.key), t, row);
    }
    hdestroy_r(&known);
    free(row_of);
}

static char *folder_of(const char *path)
{
    size_t n = (size_t)(file_base(path) - path);

    return n ? mem_printf("%.*s", (int)n, path) : mem_copy_string(".");
}

bool ingest_table(struct ingest_cases *c, const char *path, struct err *err)
{
    struct table t = {.csv = CSV_INIT};
    bool ok = csv_read(&t.csv, path, err);

    if (ok && !find_columns(&t, err))
        ok = err_at(err, "%s", path);
    if (ok) {
        for (size_t row = 0; row < t.csv.count; row++)
            t.names_patients |= *get(&t, row, PATIENT) != '\0';
        c->root = folder_of(path);
        c->patients_unknown = !t.names_patients;
        c->ids_given = t.column[ID] >= 0;
        read_rows(c, &t);
    }
    csv_release(&t.csv);
    return ok;
}

static bool is_table(const char *path, struct err *why)
{
    struct table t = {.csv = CSV_INIT};
    bool is = csv_read(&t.csv, path, why) && (find_columns(&t, why) || err_at(why, "%s", path));

    csv_release(&t.csv);
    return is;
}

bool ingest_table_find(char **path, const char *folder, struct err *passed, struct err *err)
{
    struct file_list names = FILE_LIST_INIT;
    bool ok = file_list_read(&names, folder, err);

    *path = NULL;
    for (size_t i = 0; i < names.count && ok; i++) {
        char *candidate = file_join(folder, names.name[i]);

        if (!file_has_ext(candidate, "csv") || !is_table(candidate, passed)) {
            free(candidate);
        } else if (*path) {
            ok = err_set(err, ERR_INPUT, "%s and %s are both tables of images; name one", *path, candidate);
            free(candidate);
        } else {
            *path = candidate;
        }
    }
    file_list_release(&names);
    if (!ok) {
        free(*path);
        *path = NULL;
    }
    return ok;
}
