#include "data/ingest_case.h"

#include "base/mem.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ingest_case *ingest_cases_add(struct ingest_cases *c, const char *image)
{
    c->item = mem_grow(c->item, c->count + 1, sizeof *c->item);
    struct ingest_case *new = &c->item[c->count++];
    *new = (struct ingest_case){.image = mem_copy_string(image)};
    return new;
}

void ingest_case_add_mask(struct ingest_case *c, const char *path)
{
    c->mask = mem_grow(c->mask, c->masks + 1, sizeof *c->mask);
    c->mask[c->masks++] = mem_copy_string(path);
}

void ingest_case_fault(struct ingest_case *c, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    if (c->fault)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    c->fault = mem_copy_string(text);
}

const char *ingest_reason(const struct err *err, const char *path)
{
    size_t n = strlen(path);

    return !strncmp(err->text, path, n) && !strncmp(err->text + n, ": ", 2) ? err->text + n + 2 : err->text;
}

void ingest_cases_release(struct ingest_cases *c)
{
    for (size_t i = 0; i < c->count; i++) {
        struct ingest_case *item = &c->item[i];
        char *const text[] = {item->image,   item->id,         item->patient,  item->side,  item->view,
                              item->density, item->assessment, item->subtlety, item->fault, item->warning};

        for (size_t k = 0; k < sizeof text / sizeof *text; k++)
            free(text[k]);
        for (size_t k = 0; k < item->masks; k++)
            free(item->mask[k]);
        free(item->mask);
    }
    free(c->item);
    free(c->root);
    *c = (struct ingest_cases)INGEST_CASES_INIT;
}

/* Runs of other characters than an id may have become one '_', none at the ends: "benign (1)" -> "benign_1".
 */
static char *id_from(const char *text)
{
    char *id = mem_new(strlen(text) + sizeof "image", 1);
    size_t n = 0;
    bool gap = false;

    for (; *text; text++) {
        bool good = isalnum((unsigned char)*text) || strchr("._-", *text);
        if (good && gap && n)
            id[n++] = '_';
        if (good)
            id[n++] = *text;
        gap = !good;
    }
    if (!n)
        strcpy(id, "image");
    return id;
}

static char *id_of_stem(const struct ingest_case *c)
{
    char *stem = file_stem(c->image), *id = id_from(stem);

    free(stem);
    return id;
}

static char *id_of_path(const struct ingest_case *c)
{
    char *path = mem_copy_string(c->image), *dot = strrchr(path, '.');

    if (dot && !strchr(dot, '/'))
        *dot = '\0';
    char *id = id_from(path);
    free(path);
    return id;
}

static int compare_ids(const void *a, const void *b)
{
    const struct ingest_case *p = *(struct ingest_case *const *)a, *q = *(struct ingest_case *const *)b;
    int by_id = strcmp(p->id, q->id);

    return by_id ? by_id : (p > q) - (p < q);
}

/* The cases that take part, sorted by id and then by their place. */
static size_t sort_by_id(struct ingest_case **sorted, const struct ingest_cases *c)
{
    size_t n = 0;

    for (size_t i = 0; i < c->count; i++)
        if (!c->item[i].fault)
            sorted[n++] = &c->item[i];
    qsort(sorted, n, sizeof *sorted, compare_ids);
    return n;
}

/* Changes runs of equal ids by what rename does to each of the run, k counting from 0; false when there is
 * none. */
static bool each_clash(const struct ingest_cases *c, void (*rename)(struct ingest_case *, size_t k))
{
    struct ingest_case **sorted = mem_new(c->count, sizeof *sorted);
    size_t n = sort_by_id(sorted, c);
    bool any = false;

    for (size_t first = 0, end; first < n; first = end) {
        for (end = first + 1; end < n && !strcmp(sorted[end]->id, sorted[first]->id);)
            end++;
        for (size_t k = 0; k < end - first && end - first > 1; k++) {
            rename(sorted[first + k], k);
            any = true;
        }
    }
    free(sorted);
    return any;
}

static void refuse_later(struct ingest_case *c, size_t k)
{
    if (k > 0)
        ingest_case_fault(c, "id '%s' is used twice", c->id);
}

static void name_by_path(struct ingest_case *c, size_t k)
{
    (void)k;
    free(c->id);
    c->id = id_of_path(c);
}

static void put_number_behind(struct ingest_case *c, size_t k)
{
    char *old = c->id;

    if (k == 0)
        return;
    c->id = mem_printf("%s-%zu", old, k + 1);
    free(old);
}

static void check_given(struct ingest_cases *c)
{
    for (size_t i = 0; i < c->count; i++)
        if (!c->item[i].fault && !data_id_is_good(c->item[i].id))
            ingest_case_fault(&c->item[i],
                              "id '%s' is empty or has other characters than letters, digits, . _ -",
                              c->item[i].id);
    each_clash(c, refuse_later);
}

void ingest_cases_name(struct ingest_cases *c)
{
    if (c->ids_given) {
        check_given(c);
        return;
    }
    for (size_t i = 0; i < c->count; i++)
        c->item[i].id = id_of_stem(&c->item[i]);
    each_clash(c, name_by_path);
    while (each_clash(c, put_number_behind))
        ;
}
