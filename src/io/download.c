/* io/download.c: see download.h. The only file that knows libcurl. */
#include "io/download.h"

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/stop.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONNECT_S = 30, STILL_S = 60, MOST_REDIRECTIONS = 10, MB = 1000000 };

static const size_t MOST_BYTES = (size_t)2000 * MB;

struct transfer {
    const struct download *d;
    char *part;      /* PATH.part */
    FILE *f;         /* that file, locked */
    size_t had, got; /* bytes in it before, and bytes that came */
    bool too_long;
    bool bar_begun;
    struct progress bar;
};

enum outcome { CAME, FAILED, CANNOT_GO_ON };

static size_t take_bytes(char *bytes, size_t size, size_t n, void *to)
{
    struct transfer *t = to;

    n *= size;
    t->too_long = t->had + t->got + n > MOST_BYTES;
    if (t->too_long || fwrite(bytes, 1, n, t->f) != n)
        return 0;
    t->got += n;
    return n;
}

static int tell_progress(void *to, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up)
{
    struct transfer *t = to;
    char what[64];

    (void)up_total;
    (void)up;
    if (!t->bar_begun && t->got > 0 && total >= MB) {
        snprintf(what, sizeof what, "%.40s, MB", t->d->what);
        progress_begin(&t->bar, what, (size_t)total / MB);
        t->bar_begun = true;
    }
    if (t->bar_begun)
        progress_step(&t->bar, (size_t)now / MB, NULL);
    return stop_requested();
}

static void set_up(CURL *curl, struct transfer *t, char *reason)
{
    curl_easy_setopt(curl, CURLOPT_URL, t->d->url);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https,file");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, (long)MOST_REDIRECTIONS);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "clearmass/" CLEARMASS_VERSION);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long)CONNECT_S);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, (long)STILL_S);
    curl_easy_setopt(curl, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)t->had);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, t);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, tell_progress);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, t);
}

/* err gets the line for a transfer that ended with code. */
static enum outcome judge(CURLcode code, CURL *curl, const struct transfer *t, const char *reason,
                          struct err *err)
{
    const char *url = t->d->url, *why = reason[0] ? reason : curl_easy_strerror(code);
    const size_t kept = t->had + t->got;
    long status = 0;

    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_OK)
        return CAME;
    if (t->had > 0 && t->got == 0 &&
        (code == CURLE_RANGE_ERROR || code == CURLE_BAD_DOWNLOAD_RESUME || status == 416))
        return CANNOT_GO_ON;
    if (code == CURLE_ABORTED_BY_CALLBACK)
        err_set(err, ERR_CANCELLED, "stopped after %zu bytes; the same command goes on from there", kept);
    else if (t->too_long)
        err_set(err, ERR_LIMIT, "%s gives more than %zu bytes", url, MOST_BYTES);
    else if (code == CURLE_WRITE_ERROR)
        err_set(err, ERR_IO, "%s: cannot be written (disk full?)", t->part);
    else if (code == CURLE_HTTP_RETURNED_ERROR)
        err_set(err, ERR_IO, "%s: the server answers %ld", url, status);
    else if (t->got > 0)
        err_set(err, ERR_IO, "%s broke off after %zu bytes (%s); the same command goes on from there", url,
                kept, why);
    else
        err_set(err, ERR_IO, "%s cannot be reached (%s)", url, why);
    return FAILED;
}

/* One request for what is missing, appended to the part. */
static enum outcome request(struct transfer *t, struct err *err)
{
    char reason[CURL_ERROR_SIZE] = "";
    CURL *curl = curl_easy_init();

    if (!curl) {
        err_set(err, ERR_IO, "libcurl cannot start");
        return FAILED;
    }
    t->got = 0;
    t->bar_begun = false;
    set_up(curl, t, reason);
    if (t->had > 0)
        log_info("%s: going on after %zu bytes", t->d->what, t->had);
    const CURLcode code = curl_easy_perform(curl);
    const bool written = fflush(t->f) == 0;
    if (t->bar_begun)
        progress_end(&t->bar, NULL);
    const enum outcome outcome = judge(written ? code : CURLE_WRITE_ERROR, curl, t, reason, err);
    curl_easy_cleanup(curl);
    return outcome;
}

static bool begin_anew(struct transfer *t, struct err *err)
{
    t->had = t->got = 0;
    return ftruncate(fileno(t->f), 0) == 0 || err_errno(err);
}

/* Another MD5 than the right one is left in md5. */
static bool is_right(const struct transfer *t, char md5[FILE_MD5_TEXT])
{
    return file_md5(t->part, md5, NULL) && !strcmp(md5, t->d->md5);
}

/* Until the part has the right sum; at most one beginning anew. */
static bool fill_part(struct transfer *t, struct err *err)
{
    char md5[FILE_MD5_TEXT] = "";

    if (t->had > 0 && is_right(t, md5))
        return true;
    for (;;) {
        const bool went_on = t->had > 0;
        const enum outcome outcome = request(t, err);
        if (outcome == FAILED)
            return false;
        if (outcome == CAME && is_right(t, md5))
            return true;
        if (!begin_anew(t, err))
            return false;
        if (!went_on)
            return err_set(err, ERR_FORMAT, "what %s gives has the MD5 %s, not %s: not kept", t->d->url, md5,
                           t->d->md5);
    }
}

/* Opened for appending and locked. */
static bool open_part(struct transfer *t, struct err *err)
{
    struct stat st;
    const int fd = open(t->part, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0666);

    if (fd < 0) {
        err_errno(err);
        return err_at(err, "%s", t->part);
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        return err_set(err, ERR_IO, "another process is downloading %s", t->d->path);
    }
    t->f = fdopen(fd, "a+b");
    if (!t->f || fstat(fd, &st) != 0)
        return err_errno(err);
    t->had = (size_t)st.st_size;
    return true;
}

bool download_file(const struct download *d, struct err *err)
{
    struct transfer t = {.d = d, .part = mem_printf("%s.part", d->path)};
    bool ok = false;

    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (open_part(&t, err) && fill_part(&t, err)) {
        ok = fsync(fileno(t.f)) == 0 && rename(t.part, d->path) == 0;
        if (!ok) {
            err_errno(err);
            err_at(err, "%s", d->path);
        }
    }
    if (!ok && t.f && t.had + t.got == 0)
        unlink(t.part);
    if (t.f)
        fclose(t.f);
    curl_global_cleanup();
    free(t.part);
    return ok;
}
