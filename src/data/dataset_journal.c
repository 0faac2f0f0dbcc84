#include "data/dataset_journal.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const size_t MOST_BYTES = (size_t)1 << 30;

/* Calls use for every whole line that is JSON, the first with first = true, until it says false. */
static void each_line(const char *folder, bool (*use)(void *with, json_t *line, bool first), void *with)
{
    struct buf text = BUF_INIT;
    struct err ignored = ERR_INIT;
    char *path = file_join(folder, DATASET_JOURNAL);
    bool going = file_read(&text, path, MOST_BYTES, &ignored), first = true;

    for (char *at = text.data, *end; going && at && (end = strchr(at, '\n')); at = end + 1) {
        json_t *line = json_loadb(at, (size_t)(end - at), 0, NULL);
        going = line && use(with, line, first);
        json_decref(line);
        first = false;
    }
    buf_release(&text);
    free(path);
}

struct match {
    const json_t *head;
    bool same;
};

static bool compare_head(void *with, json_t *line, bool first)
{
    struct match *m = with;

    (void)first;
    m->same = json_equal(line, m->head);
    return false;
}

bool dataset_journal_matches(const char *folder, const json_t *head)
{
    struct match m = {head, false};

    each_line(folder, compare_head, &m);
    return m.same;
}

static bool take_record(void *records, json_t *line, bool first)
{
    const char *id = json_string_value(json_object_get(line, "id"));

    if (!first && id)
        json_object_set(records, id, line);
    return true;
}

static void put_line(struct buf *b, const json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT | JSON_REAL_PRECISION(17));

    if (text) {
        buf_adds(b, text);
        buf_adds(b, "\n");
    }
    free(text);
}

bool dataset_journal_open(struct dataset_journal *out, const char *folder, const json_t *head, bool take_over,
                          struct err *err)
{
    struct dataset_journal j = {mem_copy_string(folder), json_object(), -1};
    struct buf text = BUF_INIT;
    char *path = file_join(folder, DATASET_JOURNAL);
    const char *id;
    json_t *record;

    if (take_over)
        each_line(folder, take_record, j.records);
    put_line(&text, head);
    json_object_foreach(j.records, id, record) put_line(&text, record);
    bool ok = file_write(path, text.data, text.len, err);
    if (ok) {
        j.fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
        ok = j.fd >= 0 || err_errno(err);
        if (!ok)
            err_at(err, "%s", path);
    }
    buf_release(&text);
    free(path);
    if (ok)
        *out = j;
    else
        dataset_journal_close(&j);
    return ok;
}

static bool has_size(const char *folder, const json_t *file)
{
    struct stat st;
    const char *name = json_string_value(json_array_get(file, 0));
    char *path = file_join(folder, name ? name : "");
    bool has = name && !stat(path, &st) && S_ISREG(st.st_mode) &&
               st.st_size == (off_t)json_integer_value(json_array_get(file, 1));

    free(path);
    return has;
}

json_t *dataset_journal_claim(struct dataset_journal *j, const char *id, const char *key)
{
    json_t *record = json_object_get(j->records, id), *file;
    const char *then = json_string_value(json_object_get(record, "key"));
    size_t i;

    if (!then || strcmp(then, key))
        return NULL;
    json_array_foreach(json_object_get(record, "files"), i, file) if (!has_size(j->folder, file)) return NULL;
    json_incref(record);
    json_object_del(j->records, id);
    return record;
}

static json_t *measure(const char *folder, const json_t *files)
{
    json_t *sizes = json_array(), *name;
    size_t i;

    json_array_foreach(files, i, name)
    {
        struct stat st = {0};
        char *path = file_join(folder, json_string_value(name));
        if (!stat(path, &st))
            json_array_append_new(sizes, json_pack("[O, I]", name, (json_int_t)st.st_size));
        free(path);
    }
    return sizes;
}

bool dataset_journal_append(struct dataset_journal *j, json_t *record, const json_t *files, struct err *err)
{
    struct buf line = BUF_INIT;
    bool ok = true;

    json_object_set_new(record, "files", measure(j->folder, files));
    put_line(&line, record);
    if (write(j->fd, line.data, line.len) != (ssize_t)line.len) {
        ok = err_errno(err);
        err_at(err, "%s/%s", j->folder, DATASET_JOURNAL);
    }
    json_object_del(j->records, json_string_value(json_object_get(record, "id")));
    buf_release(&line);
    return ok;
}

static void drop_files(const char *folder, const json_t *record)
{
    json_t *file;
    size_t i;

    json_array_foreach(json_object_get(record, "files"), i, file)
    {
        const char *name = json_string_value(json_array_get(file, 0));
        char *path = file_join(folder, name ? name : "");
        if (name && !strstr(name, ".."))
            unlink(path);
        free(path);
    }
}

void dataset_journal_finish(struct dataset_journal *j)
{
    const char *id;
    json_t *record;
    char *path = file_join(j->folder, DATASET_JOURNAL);

    json_object_foreach(j->records, id, record) drop_files(j->folder, record);
    unlink(path);
    free(path);
    dataset_journal_close(j);
}

void dataset_journal_close(struct dataset_journal *j)
{
    if (j->fd >= 0)
        close(j->fd);
    json_decref(j->records);
    free(j->folder);
    *j = (struct dataset_journal)DATASET_JOURNAL_INIT;
}
