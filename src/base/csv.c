/* base/csv.c: see csv.h. */
#include "base/csv.h"

#include "base/file.h"
#include "base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_LIMIT = 256 << 20, CELL_LIMIT = 32 << 20 };

/* Fields are cut out of text in place: a field never grows, so writing stays behind reading. */
struct parser {
    char *text; /* n bytes and a NUL */
    size_t n, pos, line;
    char **cell; /* every field of every row so far, the header's first */
    size_t cells, cells_cap;
    size_t *row_line; /* where each row begins */
    size_t rows, rows_cap;
    size_t columns; /* of the header; 0 before it is read */
};

static bool is_space(char c)
{
    return c != '\0' && strchr(" \t\r\n\v\f", c);
}

static void skip_blanks(struct parser *p)
{
    while (p->text[p->pos] == ' ' || p->text[p->pos] == '\t')
        p->pos++;
}

/* From the opening quote to behind the closing one. *end is where the content ends. */
static bool read_quoted(struct parser *p, char **begin, char **end, struct err *err)
{
    size_t opened = p->line;
    char *w = p->text + ++p->pos;

    *begin = w;
    for (;; p->pos++) {
        char c = p->text[p->pos];
        if (c == '\0')
            return err_set(err, ERR_FORMAT, "line %zu: quote is never closed", opened);
        if (c == '"' && p->text[++p->pos] != '"')
            break;
        p->line += c == '\n';
        *w++ = c;
    }
    *end = w;
    skip_blanks(p);
    if (p->text[p->pos] == '\r' && (p->text[p->pos + 1] == '\n' || p->text[p->pos + 1] == '\0'))
        p->pos++;
    if (!strchr(",\n", p->text[p->pos])) /* finds the NUL at the end, too */
        return err_set(err, ERR_FORMAT, "line %zu: text behind a closing quote", p->line);
    return true;
}

/* Reads one field and the comma, newline or end behind it, which is given in *stop. */
static bool read_field(struct parser *p, char **field, char *stop, struct err *err)
{
    char *begin, *end = NULL;

    skip_blanks(p);
    if (p->text[p->pos] == '"') {
        if (!read_quoted(p, &begin, &end, err))
            return false;
    } else {
        begin = p->text + p->pos;
        p->pos += strcspn(begin, ",\n");
        end = p->text + p->pos;
    }
    *stop = p->text[p->pos];
    if (*stop != '\0')
        p->pos++;
    p->line += *stop == '\n';
    while (begin < end && is_space(*begin))
        begin++;
    while (begin < end && is_space(end[-1]))
        end--;
    *end = '\0';
    *field = begin;
    return true;
}

static bool add_cell(struct parser *p, char *field, struct err *err)
{
    if (p->cells == CELL_LIMIT)
        return err_set(err, ERR_LIMIT, "more than %d fields", CELL_LIMIT);
    if (p->cells == p->cells_cap) {
        p->cells_cap = p->cells_cap ? 2 * p->cells_cap : 64;
        p->cell = mem_grow(p->cell, p->cells_cap, sizeof *p->cell);
    }
    p->cell[p->cells++] = field;
    return true;
}

static void add_row(struct parser *p, size_t line)
{
    if (p->rows == p->rows_cap) {
        p->rows_cap = p->rows_cap ? 2 * p->rows_cap : 16;
        p->row_line = mem_grow(p->row_line, p->rows_cap, sizeof *p->row_line);
    }
    p->row_line[p->rows++] = line;
}

/* Spreadsheets of many countries write semicolons. */
static bool check_header(const char *header, size_t columns, size_t line, struct err *err)
{
    if (columns == 1 && strchr(header, ';'))
        return err_set(err, ERR_FORMAT, "line %zu: columns are separated by semicolons, commas are wanted",
                       line);
    if (columns == 1 && strchr(header, '\t'))
        return err_set(err, ERR_FORMAT, "line %zu: columns are separated by tabs, commas are wanted", line);
    return true;
}

static bool read_row(struct parser *p, struct err *err)
{
    size_t first = p->cells, line = p->line, start = p->pos;
    char stop;

    do {
        char *field;
        if (!read_field(p, &field, &stop, err) || !add_cell(p, field, err))
            return false;
    } while (stop == ',');

    size_t count = p->cells - first;
    bool quoted = p->text[start] == '"';
    if (count == 1 && p->cell[first][0] == '\0' && !quoted) {
        p->cells = first; /* a blank line */
        return true;
    }
    if (p->columns == 0) {
        p->columns = count;
        if (!check_header(p->cell[first], count, line, err))
            return false;
    }
    if (count != p->columns)
        return err_set(err, ERR_FORMAT, "line %zu: %zu fields, the header has %zu", line, count, p->columns);
    add_row(p, line);
    return true;
}

static bool begin(struct parser *p, const char *bytes, size_t n, struct err *err)
{
    const char *nul = n ? memchr(bytes, '\0', n) : NULL;

    if (nul) {
        size_t line = 1;
        for (const char *q = bytes; q < nul; q++)
            line += *q == '\n';
        return err_set(err, ERR_FORMAT, "line %zu: a NUL byte, this is not text", line);
    }
    if (n >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
        bytes += 3;
        n -= 3;
    }
    *p = (struct parser){.text = mem_try(n + 1, 1, err), .n = n, .line = 1};
    if (p->text && n)
        memcpy(p->text, bytes, n);
    return p->text != NULL;
}

/* Gives the parser's arrays to the table. */
static void take(struct csv *out, struct parser *p)
{
    struct csv t = {.count = p->rows - 1, .text = p->text};

    t.row = mem_new(t.count, sizeof *t.row);
    t.header = (struct csv_row){p->cell, p->columns, p->row_line[0]};
    for (size_t i = 0; i < t.count; i++)
        t.row[i] = (struct csv_row){p->cell + (i + 1) * p->columns, p->columns, p->row_line[i + 1]};
    p->text = NULL;
    p->cell = NULL;
    csv_release(out);
    *out = t;
}

bool csv_parse(struct csv *out, const char *bytes, size_t n, struct err *err)
{
    struct parser p = {0};
    bool ok = false;

    if (!begin(&p, bytes, n, err))
        goto out;
    while (p.pos < p.n)
        if (!read_row(&p, err))
            goto out;
    if (p.rows == 0) {
        err_set(err, ERR_FORMAT, "no header row, the table is empty");
        goto out;
    }
    take(out, &p);
    ok = true;
out:
    free(p.text);
    free(p.cell);
    free(p.row_line);
    return ok;
}

bool csv_read(struct csv *out, const char *path, struct err *err)
{
    struct buf raw = BUF_INIT;

    if (!file_read(&raw, path, FILE_LIMIT, err))
        return false;
    bool ok = csv_parse(out, raw.data, raw.len, err);
    if (!ok)
        err_at(err, "%s", path);
    buf_release(&raw);
    return ok;
}

void csv_release(struct csv *t)
{
    free(t->header.field); /* the one block that holds every row's fields */
    free(t->row);
    free(t->text);
    *t = (struct csv)CSV_INIT;
}

int csv_column(const struct csv *t, const char *name)
{
    for (size_t i = 0; i < t->header.count; i++)
        if (strcasecmp(t->header.field[i], name) == 0)
            return (int)i;
    return -1;
}

const char *csv_get(const struct csv *t, size_t row, int column)
{
    assert(row < t->count && column < (int)t->header.count);
    return column < 0 ? "" : t->row[row].field[column];
}

/* Every field ends with a comma; csv_put_end turns the last one into a newline. */
void csv_put(struct buf *b, const char *field)
{
    size_t n = strlen(field);

    if (!strpbrk(field, ",\"\r\n") && !(n && (is_space(field[0]) || is_space(field[n - 1])))) {
        buf_add(b, field, n);
        buf_add(b, ",", 1);
        return;
    }
    buf_add(b, "\"", 1);
    for (const char *s = field; *s; s++)
        buf_add(b, *s == '"' ? "\"\"" : s, *s == '"' ? 2 : 1);
    buf_add(b, "\",", 2);
}

void csv_putf(struct buf *b, const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;

    va_start(ap, fmt);
    int n = vasprintf(&text, fmt, ap);
    va_end(ap);
    assert(n >= 0);
    csv_put(b, text);
    free(text);
}

void csv_put_end(struct buf *b)
{
    assert(b->len > 0 && b->data[b->len - 1] == ',');
    b->data[--b->len] = '\0';
    if (b->len == 0 || b->data[b->len - 1] == '\n')
        buf_adds(b, "\"\""); /* one empty field: a blank line would be left out when read */
    buf_adds(b, "\n");
}
