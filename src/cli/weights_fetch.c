#include "cli/weights_fetch.h"

#include "base/buf.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "io/download.h"
#include "model/published.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_NAME = 40 };

static bool unknown_name(const char *name, struct err *err)
{
    struct buf names = BUF_INIT;

    for (size_t i = 0; published_at(i); i++)
        buf_addf(&names, "%s%s", i ? ", " : "", published_at(i)->name);
    err_set(err, ERR_INPUT, "no published weights '%.*s'; there are: %s", MOST_NAME, name, names.data);
    buf_release(&names);
    return false;
}

/* A file's name of its own, in no other folder. */
static bool is_plain_name(const char *name)
{
    const size_t n = strlen(name);

    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)name[i]) && !(i > 0 && strchr("-_.", name[i])))
            return false;
    return n > 0 && n <= MOST_NAME;
}

static bool is_md5(const char *text)
{
    return strlen(text) == FILE_MD5_TEXT - 1 && strspn(text, "0123456789abcdef") == FILE_MD5_TEXT - 1;
}

bool weights_fetch_check(const struct weights_fetch *f, struct err *err)
{
    if (!f->md5)
        return published_find(f->name) || unknown_name(f->name, err);
    if (!is_md5(f->md5))
        return err_set(err, ERR_INPUT, "--md5: 32 of the digits 0-9 and a-f are wanted");
    if (!f->from)
        return err_set(err, ERR_INPUT, "--md5 is for a file of your own, which needs --from too");
    if (published_find(f->name))
        return err_set(err, ERR_INPUT, "--md5: '%s' is published, and its sum known; choose another name",
                       f->name);
    return is_plain_name(f->name) ||
           err_set(err, ERR_INPUT, "'%.*s' should be letters, digits, '-', '_' and '.', at most %d",
                   MOST_NAME, f->name, MOST_NAME);
}

/* As the XDG Base Directory Specification has it: a path that is not absolute is as none. */
static char *cache_folder(struct err *err)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");

    if (cache && cache[0] == '/')
        return mem_printf("%s/clearmass/weights", cache);
    if (home && home[0] == '/')
        return mem_printf("%s/.cache/clearmass/weights", home);
    err_set(err, ERR_INPUT, "no cache folder: neither XDG_CACHE_HOME nor HOME is set");
    return NULL;
}

/* A file that somebody placed there, or an earlier download. */
static bool check_file(const char *path, const char *md5, struct err *err)
{
    char have[FILE_MD5_TEXT];

    if (!file_md5(path, have, err))
        return false;
    return !strcmp(have, md5) ||
           err_set(err, ERR_FORMAT, "%s: its MD5 is %s, not %s; remove it to download it again", path, have,
                   md5);
}

/* Where it is the address that fails, the way round it. */
static bool by_hand(const struct download *d, struct err *err)
{
    const struct err why = *err;

    if (!strstr(why.text, d->url) || why.kind == ERR_CANCELLED)
        return false;
    return err_set(err, why.kind, "%s; by hand: save that file as %s (its MD5 is %s)", why.text, d->path,
                   d->md5);
}

static bool fetch_into(const char *folder, const struct download *d, struct err *err)
{
    if (file_exists(d->path)) {
        if (!check_file(d->path, d->md5, err))
            return false;
        log_info("%s: already there", d->path);
        return true;
    }
    return file_make_folders(folder, err) && (download_file(d, err) || by_hand(d, err));
}

bool weights_fetch(char **path, const struct weights_fetch *f, struct err *err)
{
    const struct published *p = f->md5 ? NULL : published_find(f->name);
    char *folder = cache_folder(err);

    if (!folder)
        return false;
    char *to = mem_printf("%s/%s.h5", folder, f->name);
    const struct download d = {
        .what = f->name, .url = f->from ? f->from : p->url, .path = to, .md5 = f->md5 ? f->md5 : p->md5};
    const bool ok = fetch_into(folder, &d, err);
    if (ok)
        *path = to;
    else
        free(to);
    free(folder);
    return ok;
}
