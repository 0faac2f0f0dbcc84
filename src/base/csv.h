/* base/csv.h: comma separated values as RFC 4180 has them: quoted fields may hold commas, quotes ("") and
 * newlines; LF, CRLF and a missing last newline are all read; a byte order mark is skipped. Fields are
 * trimmed of surrounding white space (the archive's files end quoted paths with a newline). */
#ifndef CLEARMASS_BASE_CSV_H
#define CLEARMASS_BASE_CSV_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>

struct csv_row {
    char **field; /* fields[count], borrowed from the table */
    size_t count;
    size_t line; /* where the row begins in the file, from 1 */
};

struct csv {
    struct csv_row header; /* the first row */
    struct csv_row *row;   /* the others; blank lines are left out */
    size_t count;
    char *text; /* owns every field */
};

#define CSV_INIT                                                                                             \
    {                                                                                                        \
        {NULL, 0, 0}, NULL, 0, NULL                                                                          \
    }

/* Parses n bytes. Fails on an unclosed quote, on a NUL byte, on columns separated by semicolons or tabs, and
 * on a row with another number of fields than the header; the message names the line. */
bool csv_parse(struct csv *out, const char *bytes, size_t n, struct err *err);
/* Reads a file of at most 256 MiB; errors carry the path. */
bool csv_read(struct csv *out, const char *path, struct err *err);
void csv_release(struct csv *t);

/* Column of that name (letters compared without case), or -1. */
int csv_column(const struct csv *t, const char *name);
/* The field, or "" when column is -1. */
const char *csv_get(const struct csv *t, size_t row, int column);

/* Appends one field, quoted only where it must be; then csv_put_end ends the row. */
void csv_put(struct buf *b, const char *field);
void csv_putf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void csv_put_end(struct buf *b);

#endif
