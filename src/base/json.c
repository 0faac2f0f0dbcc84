/* base/json.c: see json.h. */
#include "base/json.h"

#include "base/file.h"

#include <assert.h>
#include <stdlib.h>

enum { JSON_LIMIT = 256 << 20 };

json_t *json_file_read(const char *path, struct err *err)
{
    struct buf raw = BUF_INIT;
    json_error_t fault;

    if (!file_read(&raw, path, JSON_LIMIT, err))
        return NULL;
    json_t *json = json_loadb(raw.data ? raw.data : "", raw.len, JSON_REJECT_DUPLICATES, &fault);
    if (!json) {
        err_set(err, ERR_FORMAT, "line %d: %s", fault.line, fault.text);
        err_at(err, "%s", path);
    }
    buf_release(&raw);
    return json;
}

bool json_file_write(const char *path, const json_t *json, struct err *err)
{
    assert(json_is_object(json) || json_is_array(json));
    char *text = json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    struct buf b = BUF_INIT;

    assert(text); /* fails only on a value that holds itself */
    buf_adds(&b, text);
    buf_adds(&b, "\n");
    free(text);
    bool ok = file_write(path, b.data, b.len, err);
    buf_release(&b);
    return ok;
}
