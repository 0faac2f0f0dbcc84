#include "data/manifest.h"

#include "base/csv.h"
#include "base/mem.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const LABEL[LABEL_COUNT] = {
    [LABEL_BENIGN] = "benign", [LABEL_MALIGNANT] = "malignant", [LABEL_NORMAL] = "normal"};

static const char *const PART[] = {
    [PART_NONE] = "", [PART_TRAIN] = "train", [PART_VALIDATION] = "validation", [PART_TEST] = "test"};

enum { PART_COUNT = sizeof PART / sizeof *PART };

/* The columns of manifest.csv in their order; text columns say where they go. */
struct column {
    const char *name;
    size_t offset; /* of the char * in struct data_item, unless kind is another */
    enum { TEXT, IS_PART, IS_LABEL, IS_WIDTH, IS_HEIGHT } kind;
};

#define TEXT_COLUMN(member)                                                                                  \
    {                                                                                                        \
#member, offsetof(struct data_item, member), TEXT                                                    \
    }

static const struct column COLUMNS[] = {
    TEXT_COLUMN(id),           TEXT_COLUMN(patient),    TEXT_COLUMN(side),        TEXT_COLUMN(view),
    TEXT_COLUMN(density),      TEXT_COLUMN(assessment), TEXT_COLUMN(subtlety),    {"part", 0, IS_PART},
    {"label", 0, IS_LABEL},    {"width", 0, IS_WIDTH},  {"height", 0, IS_HEIGHT}, TEXT_COLUMN(image),
    TEXT_COLUMN(image_sha256), TEXT_COLUMN(mask),       TEXT_COLUMN(mask_sha256), TEXT_COLUMN(crop),
    TEXT_COLUMN(crop_sha256),
};

enum { N_COLUMNS = sizeof COLUMNS / sizeof *COLUMNS };

static char **text_of(const struct data_item *item, const struct column *c)
{
    return (char **)((char *)item + c->offset);
}

const char *data_label_name(enum data_label label)
{
    return LABEL[label];
}

bool data_label_parse(const char *text, enum data_label *out)
{
    for (int i = 0; i < LABEL_COUNT; i++) {
        if (!strcasecmp(text, LABEL[i])) {
            *out = (enum data_label)i;
            return true;
        }
    }
    return false;
}

const char *data_part_name(enum data_part part)
{
    return PART[part];
}

bool data_part_parse(const char *text, enum data_part *out)
{
    for (int i = 0; i < PART_COUNT; i++) {
        if (!strcasecmp(text, PART[i])) {
            *out = (enum data_part)i;
            return true;
        }
    }
    return false;
}

bool data_id_is_good(const char *id)
{
    return *id && !id[strspn(id, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")];
}

bool data_path_stays_inside(const char *path)
{
    if (*path == '/')
        return false;
    while (*path) {
        size_t n = strcspn(path, "/");
        if (n == 2 && !strncmp(path, "..", 2))
            return false;
        path += n + (path[n] == '/');
    }
    return true;
}

static bool parse_side(const char *text, int *out)
{
    char *end;
    long value = strtol(text, &end, 10);

    if (end == text || *end || value < 1 || value > INT_MAX)
        return false;
    *out = (int)value;
    return true;
}

static bool check_item(const struct data_item *item, struct err *err)
{
    if (!data_id_is_good(item->id))
        return err_set(err, ERR_FORMAT,
                       "id '%s' is empty or has other characters than letters, digits, . _ -", item->id);
    if (!*item->patient)
        return err_set(err, ERR_FORMAT, "'%s' has no patient", item->id);
    if (!*item->image)
        return err_set(err, ERR_FORMAT, "'%s' has no image", item->id);
    if (item->part == PART_VALIDATION)
        return err_set(err, ERR_FORMAT, "part of '%s' is neither train nor test nor empty", item->id);
    if (!data_path_stays_inside(item->image) || !data_path_stays_inside(item->mask) ||
        !data_path_stays_inside(item->crop))
        return err_set(err, ERR_FORMAT, "a path of '%s' leaves the folder", item->id);
    return true;
}

static bool read_item(struct data_item *item, const struct csv *t, size_t row, struct err *err)
{
    for (int k = 0; k < N_COLUMNS; k++) {
        const struct column *c = &COLUMNS[k];
        const char *text = csv_get(t, row, csv_column(t, c->name));
        bool good = true;

        switch (c->kind) {
        case TEXT:
            *text_of(item, c) = mem_copy_string(text);
            break;
        case IS_PART:
            good = data_part_parse(text, &item->part);
            break;
        case IS_LABEL:
            good = data_label_parse(text, &item->label);
            break;
        case IS_WIDTH:
            good = parse_side(text, &item->width);
            break;
        case IS_HEIGHT:
            good = parse_side(text, &item->height);
            break;
        }
        if (!good)
            return err_set(err, ERR_FORMAT, "%s '%s' is not known", c->name, text);
    }
    return check_item(item, err);
}

static int compare_ids(const void *a, const void *b)
{
    return strcmp((*(const struct data_item *const *)a)->id, (*(const struct data_item *const *)b)->id);
}

static bool check_ids_differ(const struct manifest *m, struct err *err)
{
    const struct data_item **sorted = mem_new(m->count + 1, sizeof *sorted);
    bool ok = true;

    for (size_t i = 0; i < m->count; i++)
        sorted[i] = &m->item[i];
    qsort(sorted, m->count, sizeof *sorted, compare_ids);
    for (size_t i = 1; i < m->count && ok; i++)
        if (!strcmp(sorted[i - 1]->id, sorted[i]->id))
            ok = err_set(err, ERR_FORMAT, "id '%s' is used twice", sorted[i]->id);
    free(sorted);
    return ok;
}

static bool read_items(struct manifest *m, const struct csv *t, struct err *err)
{
    for (int k = 0; k < N_COLUMNS; k++)
        if (csv_column(t, COLUMNS[k].name) < 0)
            return err_set(err, ERR_FORMAT, "column '%s' is missing", COLUMNS[k].name);
    m->item = mem_new(t->count + 1, sizeof *m->item);
    m->count = t->count;
    for (size_t i = 0; i < t->count; i++)
        if (!read_item(&m->item[i], t, i, err))
            return err_at(err, "line %zu", t->row[i].line);
    return check_ids_differ(m, err);
}

bool manifest_read(struct manifest *out, const char *folder, struct err *err)
{
    struct manifest m = MANIFEST_INIT;
    struct csv t = CSV_INIT;
    char *path = file_join(folder, "manifest.csv");
    bool ok = false;

    if (!file_exists(path)) {
        err_set(err, ERR_INPUT, "%s: no data set (manifest.csv is missing)", folder);
        goto out;
    }
    if (!csv_read(&t, path, err) || !file_sha256(path, m.sha256, err))
        goto out;
    if (!read_items(&m, &t, err)) {
        err_at(err, "%s", path);
        goto out;
    }
    m.folder = mem_copy_string(folder);
    manifest_release(out);
    *out = m;
    m = (struct manifest)MANIFEST_INIT;
    ok = true;
out:
    manifest_release(&m);
    csv_release(&t);
    free(path);
    return ok;
}

static void put_item(struct buf *b, const struct data_item *item)
{
    for (int k = 0; k < N_COLUMNS; k++) {
        const struct column *c = &COLUMNS[k];
        const char *text = c->kind == TEXT ? *text_of(item, c) : "";

        switch (c->kind) {
        case TEXT:
            csv_put(b, text ? text : "");
            break;
        case IS_PART:
            csv_put(b, data_part_name(item->part));
            break;
        case IS_LABEL:
            csv_put(b, data_label_name(item->label));
            break;
        case IS_WIDTH:
            csv_putf(b, "%d", item->width);
            break;
        case IS_HEIGHT:
            csv_putf(b, "%d", item->height);
            break;
        }
    }
    csv_put_end(b);
}

bool manifest_write(const struct manifest *m, const char *folder, struct err *err)
{
    struct buf b = BUF_INIT;
    char *path = file_join(folder, "manifest.csv");
    bool ok;

    for (int k = 0; k < N_COLUMNS; k++)
        csv_put(&b, COLUMNS[k].name);
    csv_put_end(&b);
    for (size_t i = 0; i < m->count; i++)
        put_item(&b, &m->item[i]);
    ok = file_write(path, b.data, b.len, err);
    buf_release(&b);
    free(path);
    return ok;
}

void manifest_release(struct manifest *m)
{
    for (size_t i = 0; i < m->count; i++)
        for (int k = 0; k < N_COLUMNS; k++)
            if (COLUMNS[k].kind == TEXT)
                free(*text_of(&m->item[i], &COLUMNS[k]));
    free(m->item);
    free(m->folder);
    *m = (struct manifest)MANIFEST_INIT;
}

const struct data_item *manifest_find(const struct manifest *m, const char *id)
{
    for (size_t i = 0; i < m->count; i++)
        if (!strcmp(m->item[i].id, id))
            return &m->item[i];
    return NULL;
}
