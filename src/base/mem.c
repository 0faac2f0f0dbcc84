/* base/mem.c: see mem.h. */
#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALIGN = 64 };

static _Noreturn void exhausted(size_t count, size_t size)
{
    fprintf(stderr, "clearmass: out of memory: %zu x %zu bytes\n", count, size);
    abort();
}

static void *allocate(size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes) || bytes > PTRDIFF_MAX - ALIGN)
        return NULL;
    bytes = bytes ? (bytes + ALIGN - 1) / ALIGN * ALIGN : ALIGN;
    void *p = aligned_alloc(ALIGN, bytes);
    if (p)
        memset(p, 0, bytes);
    return p;
}

void *mem_new(size_t count, size_t size)
{
    void *p = allocate(count, size);

    if (!p)
        exhausted(count, size);
    return p;
}

void *mem_try(size_t count, size_t size, struct err *err)
{
    void *p = allocate(count, size);

    if (!p)
        err_set(err, ERR_LIMIT, "not enough memory for %zu x %zu bytes", count, size);
    return p;
}

void *mem_grow(void *p, size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes) || bytes > PTRDIFF_MAX)
        exhausted(count, size);
    void *q = realloc(p, bytes ? bytes : 1); /* realloc(p, 0) would free p */
    if (!q)
        exhausted(count, size);
    return q;
}

char *mem_copy_string(const char *s)
{
    size_t n = strlen(s) + 1;

    return memcpy(mem_grow(NULL, n, 1), s, n);
}

char *mem_printf(const char *fmt, ...)
{
    char *s = NULL;
    va_list ap;

    va_start(ap, fmt);
    int n = vasprintf(&s, fmt, ap);
    va_end(ap);
    if (n < 0)
        exhausted(1, strlen(fmt));
    return s;
}
