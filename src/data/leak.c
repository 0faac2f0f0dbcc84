#include "data/leak.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_TEXT = 600 }; /* an error's line has room for the rest */

static int compare_patients(const void *a, const void *b)
{
    const struct data_item *p = *(const struct data_item *const *)a, *q = *(const struct data_item *const *)b;

    return strcmp(p->patient, q->patient);
}

size_t leak_patients(const char ***patient, const struct manifest *m)
{
    const struct data_item **sorted = mem_new(m->count, sizeof *sorted);
    size_t leaks = 0;

    *patient = mem_new(m->count, sizeof **patient);
    for (size_t i = 0; i < m->count; i++)
        sorted[i] = &m->item[i];
    if (m->count)
        qsort(sorted, m->count, sizeof *sorted, compare_patients);
    for (size_t first = 0, end; first < m->count; first = end) {
        size_t test = 0;
        for (end = first; end < m->count && !strcmp(sorted[end]->patient, sorted[first]->patient); end++)
            test += sorted[end]->part == PART_TEST;
        if (test && test < end - first)
            (*patient)[leaks++] = sorted[first]->patient;
    }
    free(sorted);
    return leaks;
}

char *leak_text(const char *const *patient, size_t n)
{
    struct buf b = BUF_INIT;
    size_t i = 0;

    for (; i < n && b.len + strlen(patient[i]) < MOST_TEXT; i++)
        buf_addf(&b, "%s%s", i ? ", " : "", patient[i]);
    if (i < n)
        buf_addf(&b, "%s%zu more", i ? " and " : "", n - i);
    return b.data ? b.data : mem_copy_string("");
}
