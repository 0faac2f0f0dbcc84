/* Any bytes as a table. What is read has as many fields in every row as in the header, and written again it
 * is read the same. */
#include "base/csv.h"

#include <assert.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void row_put(struct buf *b, const struct csv_row *row)
{
    for (size_t i = 0; i < row->count; i++)
        csv_put(b, row->field[i]);
    csv_put_end(b);
}

static void table_put(struct buf *b, const struct csv *t)
{
    row_put(b, &t->header);
    for (size_t i = 0; i < t->count; i++)
        row_put(b, &t->row[i]);
}

/* What no writer can bring back: a row of one empty field is a blank line, which is left out when it is read
 * again, and a first field that begins with a byte order mark loses it. */
static bool is_lossy(const struct csv *t)
{
    bool lossy = strncmp(t->header.field[0], "\xef\xbb\xbf", 3) == 0;

    lossy |= t->header.count == 1 && !t->header.field[0][0];
    for (size_t i = 0; i < t->count; i++)
        lossy |= t->row[i].count == 1 && !t->row[i].field[0][0];
    return lossy;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct csv t = CSV_INIT, again = CSV_INIT;
    struct buf first = BUF_INIT, second = BUF_INIT;
    struct err err = ERR_INIT;

    if (csv_parse(&t, (const char *)bytes, n, &err)) {
        for (size_t i = 0; i < t.count; i++)
            assert(t.row[i].count == t.header.count);
        table_put(&first, &t);
        if (!is_lossy(&t)) {
            const bool ok = csv_parse(&again, first.data, first.len, NULL);
            assert(ok && again.count == t.count);
            table_put(&second, &again);
            assert(first.len == second.len && memcmp(first.data, second.data, first.len) == 0);
        }
    } else {
        assert(err.text[0] && !strchr(err.text, '\n'));
    }
    csv_release(&t);
    csv_release(&again);
    buf_release(&first);
    buf_release(&second);
    return 0;
}
