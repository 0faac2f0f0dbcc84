/* base/buf.h: a growing run of bytes, always followed by a NUL that is not counted. */
#ifndef CLEARMASS_BASE_BUF_H
#define CLEARMASS_BASE_BUF_H

#include <stddef.h>

struct buf {
    char *data; /* NULL while empty */
    size_t len, cap;
};

#define BUF_INIT                                                                                             \
    {                                                                                                        \
        NULL, 0, 0                                                                                           \
    }

void buf_add(struct buf *b, const void *bytes, size_t n);
void buf_adds(struct buf *b, const char *s);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Appends bytes as base64 (RFC 4648), without line breaks. */
void buf_add_base64(struct buf *b, const void *bytes, size_t n);

void buf_release(struct buf *b);

#endif
