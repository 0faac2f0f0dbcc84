#include "data/cbis_audit.h"

#include "base/csv.h"
#include "base/file.h"
#include "base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const KEPT[CBIS_KEPT_COUNT] = {"used",     "settled", "repaired",
                                                  "doubtful", "lost",    "skipped"};

const char *cbis_kept_name(enum cbis_kept kept)
{
    return KEPT[kept];
}

struct cbis_line *cbis_audit_add(struct cbis_audit *a, enum cbis_kept kept, const char *id, const char *file)
{
    a->line = mem_grow(a->line, a->count + 1, sizeof *a->line);
    struct cbis_line *l = &a->line[a->count++];
    *l = (struct cbis_line){kept,
                            mem_copy_string(id),
                            mem_copy_string(file),
                            mem_copy_string(""),
                            mem_copy_string(""),
                            mem_copy_string("")};
    return l;
}

static void set(char **text, const char *fmt, va_list ap)
{
    free(*text);
    if (vasprintf(text, fmt, ap) < 0)
        abort(); /* out of memory, as in base/mem.h */
}

void cbis_line_found(struct cbis_line *l, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    set(&l->found, fmt, ap);
    va_end(ap);
}

void cbis_line_done(struct cbis_line *l, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    set(&l->done, fmt, ap);
    va_end(ap);
}

void cbis_line_why(struct cbis_line *l, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    set(&l->why, fmt, ap);
    va_end(ap);
}

void cbis_audit_move(struct cbis_audit *a, struct cbis_audit *from)
{
    a->line = mem_grow(a->line, a->count + from->count + 1, sizeof *a->line);
    for (size_t i = 0; i < from->count; i++)
        a->line[a->count++] = from->line[i];
    free(from->line);
    *from = (struct cbis_audit)CBIS_AUDIT_INIT;
}

static int compare(const void *a, const void *b)
{
    const struct cbis_line *p = a, *q = b;
    int by_id = strverscmp(p->id, q->id), by_file = strverscmp(p->file, q->file);

    return by_id ? by_id : by_file ? by_file : strcmp(p->found, q->found);
}

void cbis_audit_sort(struct cbis_audit *a)
{
    if (a->count)
        qsort(a->line, a->count, sizeof *a->line, compare);
}

size_t cbis_audit_count(const struct cbis_audit *a, enum cbis_kept kept)
{
    size_t n = 0;

    for (size_t i = 0; i < a->count; i++)
        n += a->line[i].kept == kept;
    return n;
}

bool cbis_audit_write(const struct cbis_audit *a, const char *folder, struct err *err)
{
    struct buf b = BUF_INIT;
    char *path = file_join(folder, "audit.csv");

    buf_adds(&b, "file,found,done,why,id,kept\n");
    for (size_t i = 0; i < a->count; i++) {
        const struct cbis_line *l = &a->line[i];
        const char *const field[] = {l->file, l->found, l->done, l->why, l->id, KEPT[l->kept]};
        for (size_t k = 0; k < sizeof field / sizeof *field; k++)
            csv_put(&b, field[k]);
        csv_put_end(&b);
    }
    bool ok = file_write(path, b.data, b.len, err);
    free(path);
    buf_release(&b);
    return ok;
}

void cbis_audit_release(struct cbis_audit *a)
{
    for (size_t i = 0; i < a->count; i++) {
        struct cbis_line *l = &a->line[i];
        free(l->id);
        free(l->file);
        free(l->found);
        free(l->done);
        free(l->why);
    }
    free(a->line);
    *a = (struct cbis_audit)CBIS_AUDIT_INIT;
}

json_t *cbis_audit_json(const struct cbis_audit *a)
{
    json_t *all = json_array();

    for (size_t i = 0; i < a->count; i++) {
        const struct cbis_line *l = &a->line[i];
        json_t *one =
            json_pack("[i, s, s, s, s, s]", (int)l->kept, l->id, l->file, l->found, l->done, l->why);
        if (!one) {
            json_decref(all);
            return NULL;
        }
        json_array_append_new(all, one);
    }
    return all;
}

bool cbis_audit_take_json(struct cbis_audit *a, const json_t *json)
{
    json_t *one;
    size_t i;

    if (!json_is_array(json))
        return false;
    json_array_foreach(json, i, one)
    {
        const char *id, *file, *found, *done, *why;
        int kept;
        if (json_unpack(one, "[i, s, s, s, s, s]", &kept, &id, &file, &found, &done, &why) || kept < 0 ||
            kept >= CBIS_KEPT_COUNT)
            return false;
        struct cbis_line *l = cbis_audit_add(a, (enum cbis_kept)kept, id, file);
        cbis_line_found(l, "%s", found);
        cbis_line_done(l, "%s", done);
        cbis_line_why(l, "%s", why);
    }
    return true;
}
