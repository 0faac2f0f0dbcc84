/* base/file.c: see file.h. */
#include "base/file.h"

#include "base/mem.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { COPY_BYTES = 1 << 18 };

/* Opens for reading, or -1. Without O_NONBLOCK a pipe would wait for a writer before fstat could refuse it.
 */
static int open_regular(const char *path, struct stat *st, struct err *err)
{
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0 || fstat(fd, st) != 0) {
        err_errno(err);
    } else if (S_ISREG(st->st_mode)) {
        return fd;
    } else {
        err_set(err, ERR_IO, S_ISDIR(st->st_mode) ? "this is a folder" : "not a regular file");
    }
    if (fd >= 0)
        close(fd);
    return -1;
}

static ssize_t read_some(int fd, void *to, size_t n)
{
    ssize_t got;

    do
        got = read(fd, to, n);
    while (got < 0 && errno == EINTR);
    return got;
}

/* size is what fstat said; the file may still grow or shrink while it is read. */
static bool read_all(struct buf *b, int fd, size_t size, size_t limit, struct err *err)
{
    if (limit && size > limit)
        return err_set(err, ERR_LIMIT, "larger than %zu bytes", limit);
    b->cap = size + 2; /* one byte more than promised, to see the end, and the NUL */
    b->data = mem_try(b->cap, 1, err);
    if (!b->data)
        return false;
    for (;;) {
        ssize_t got = read_some(fd, b->data + b->len, b->cap - 1 - b->len);
        if (got < 0)
            return err_errno(err);
        if (got == 0)
            break;
        b->len += (size_t)got;
        if (limit && b->len > limit)
            return err_set(err, ERR_LIMIT, "larger than %zu bytes", limit);
        if (b->len == b->cap - 1) {
            b->cap = 2 * b->cap + 4096;
            b->data = mem_grow(b->data, b->cap, 1);
        }
    }
    b->data[b->len] = '\0';
    return true;
}

bool file_read(struct buf *out, const char *path, size_t limit, struct err *err)
{
    struct buf b = BUF_INIT;
    struct stat st;
    int fd = open_regular(path, &st, err);

    if (fd < 0 || !read_all(&b, fd, (size_t)st.st_size, limit, err)) {
        err_at(err, "%s", path);
        buf_release(&b);
    } else {
        buf_release(out);
        *out = b;
    }
    if (fd >= 0)
        close(fd);
    return fd >= 0 && b.data;
}

/* The counter keeps two writers of one process apart, O_EXCL everything else. The name is cut so that the
 * longest allowed name still has a partial one. */
static int open_partial(struct file_out *o)
{
    static atomic_uint counter;
    const char *base = file_base(o->path);
    int fd;

    do {
        free(o->partial);
        o->partial = mem_printf("%.*s.%.200s.partial-%ld-%u", (int)(base - o->path), o->path, base,
                                (long)getpid(), atomic_fetch_add(&counter, 1));
        fd = open(o->partial, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    } while (fd < 0 && errno == EEXIST);
    return fd;
}

static void release(struct file_out *o)
{
    free(o->path);
    free(o->partial);
    *o = (struct file_out)FILE_OUT_INIT;
}

bool file_out_begin(struct file_out *o, const char *path, bool open_it, struct err *err)
{
    struct file_out new = {.path = mem_copy_string(path)};
    int fd = open_partial(&new);

    if (fd < 0) {
        err_errno(err);
        err_at(err, "%s", path);
        release(&new);
        return false;
    }
    if (open_it) {
        new.f = fdopen(fd, "w+b");
        assert(new.f);
    } else {
        close(fd);
    }
    *o = new;
    return true;
}

/* A full disk may show only here. */
static bool reach_disk(struct file_out *o, struct err *err)
{
    if (o->f) {
        bool lost = ferror(o->f) != 0; /* a write the caller did not check; its errno is gone */
        bool ok = fflush(o->f) == 0 && fsync(fileno(o->f)) == 0;
        if (!ok)
            err_errno(err);
        else if (lost)
            ok = err_set(err, ERR_IO, "not all could be written; is the disk full?");
        if (fclose(o->f) != 0 && ok)
            ok = err_errno(err);
        o->f = NULL;
        return ok;
    }
    int fd = open(o->partial, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    if (!ok)
        err_errno(err);
    if (fd >= 0)
        close(fd);
    return ok;
}

bool file_out_commit(struct file_out *o, struct err *err)
{
    assert(o->partial);
    bool ok = reach_disk(o, err) && (rename(o->partial, o->path) == 0 || err_errno(err));

    if (ok) {
        release(o);
    } else {
        err_at(err, "%s", o->path);
        file_out_discard(o);
    }
    return ok;
}

void file_out_discard(struct file_out *o)
{
    if (o->f)
        fclose(o->f);
    if (o->partial)
        unlink(o->partial);
    release(o);
}

bool file_write(const char *path, const void *bytes, size_t n, struct err *err)
{
    struct file_out o = FILE_OUT_INIT;

    if (!file_out_begin(&o, path, true, err))
        return false;
    if (n && fwrite(bytes, 1, n, o.f) != n) {
        err_errno(err);
        err_at(err, "%s", path);
        file_out_discard(&o);
        return false;
    }
    return file_out_commit(&o, err);
}

/* Hands a file's bytes to use() piece by piece. Errors carry the path. */
static bool each_piece(const char *path, bool (*use)(void *, const void *, size_t), void *with,
                       struct err *err)
{
    struct stat st;
    int fd = open_regular(path, &st, err);

    if (fd < 0)
        return err_at(err, "%s", path);
    char *piece = mem_new(COPY_BYTES, 1);
    ssize_t got;
    while ((got = read_some(fd, piece, COPY_BYTES)) > 0)
        if (!use(with, piece, (size_t)got))
            break;
    if (got != 0) {
        err_errno(err);
        err_at(err, "%s", path);
    }
    free(piece);
    close(fd);
    return got == 0;
}

static bool piece_write(void *f, const void *bytes, size_t n)
{
    return fwrite(bytes, 1, n, f) == n;
}

bool file_copy(const char *from, const char *to, struct err *err)
{
    struct file_out o = FILE_OUT_INIT;

    if (!file_out_begin(&o, to, true, err))
        return false;
    if (!each_piece(from, piece_write, o.f, err)) {
        file_out_discard(&o);
        return err_at(err, "%s", to);
    }
    return file_out_commit(&o, err);
}

static void hexadecimal(const unsigned char *bytes, unsigned n, char *text)
{
    for (unsigned i = 0; i < n; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

void file_sha256_bytes(const void *bytes, size_t n, char text[FILE_SHA256_TEXT])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length;
    int done = EVP_Digest(bytes, n, digest, &length, EVP_sha256(), NULL);

    assert(done == 1);
    (void)done;
    hexadecimal(digest, length, text);
}

static bool piece_hash(void *context, const void *bytes, size_t n)
{
    return EVP_DigestUpdate(context, bytes, n) == 1;
}

static EVP_MD_CTX *hash_begin(const EVP_MD *kind)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    assert(context);
    int started = EVP_DigestInit_ex(context, kind, NULL);
    assert(started == 1);
    (void)started;
    return context;
}

/* text has room for the digits of this kind of hash and a NUL. */
static void hash_end(EVP_MD_CTX *context, char *text)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length;

    if (EVP_DigestFinal_ex(context, digest, &length) == 1)
        hexadecimal(digest, length, text);
}

static bool hash_file(const char *path, const EVP_MD *kind, char *text, struct err *err)
{
    EVP_MD_CTX *context = hash_begin(kind);
    bool ok = each_piece(path, piece_hash, context, err);

    if (ok)
        hash_end(context, text);
    EVP_MD_CTX_free(context);
    return ok;
}

/* Where the bytes from at on go, and how many at most: into the part, or past it. */
static void *part_place(const struct file_part *p, size_t at, void *past, size_t *most)
{
    const size_t end = p->begin + p->bytes;
    const bool inside = at >= p->begin && at < end;
    const size_t left = inside ? end - at : at < p->begin ? p->begin - at : COPY_BYTES;

    *most = left < COPY_BYTES ? left : COPY_BYTES;
    return inside ? (char *)p->to + (at - p->begin) : past;
}

/* Returns where it ended; hash may be NULL. */
static size_t part_pass(const struct file_part *p, int fd, EVP_MD_CTX *hash, struct err *err)
{
    char *past = mem_new(COPY_BYTES, 1);
    size_t at = hash ? 0 : p->begin, most;
    ssize_t got = 1;

    while (got > 0 && (hash || at < p->begin + p->bytes)) {
        void *to = part_place(p, at, past, &most);
        do
            got = pread(fd, to, most, (off_t)at);
        while (got < 0 && errno == EINTR);
        if (got < 0)
            err_errno(err);
        if (got > 0 && hash)
            piece_hash(hash, to, (size_t)got);
        at += got > 0 ? (size_t)got : 0;
    }
    free(past);
    return got < 0 ? SIZE_MAX : at;
}

bool file_read_part(const struct file_part *part, const char *path, char *sha256, struct err *err)
{
    EVP_MD_CTX *hash = sha256 ? hash_begin(EVP_sha256()) : NULL;
    struct stat st;
    const int fd = open_regular(path, &st, err);
    const size_t end = fd < 0 ? SIZE_MAX : part_pass(part, fd, hash, err);
    const bool whole = end != SIZE_MAX && end >= part->begin + part->bytes;

    if (end != SIZE_MAX && !whole)
        err_set(err, ERR_FORMAT, "ends after %lld bytes, %zu are wanted", (long long)st.st_size,
                part->begin + part->bytes);
    if (whole && hash)
        hash_end(hash, sha256);
    EVP_MD_CTX_free(hash);
    if (fd >= 0)
        close(fd);
    return whole || err_at(err, "%s", path);
}

bool file_sha256(const char *path, char text[FILE_SHA256_TEXT], struct err *err)
{
    return hash_file(path, EVP_sha256(), text, err);
}

bool file_md5(const char *path, char text[FILE_MD5_TEXT], struct err *err)
{
    return hash_file(path, EVP_md5(), text, err);
}

bool file_exists(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0;
}

bool file_is_folder(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

bool file_make_folders(const char *path, struct err *err)
{
    char *part = mem_copy_string(path);
    bool ok = true;

    for (char *s = part; ok && *s; s++) {
        if (s[0] == '/' || (s[1] != '/' && s[1] != '\0'))
            continue; /* not the last letter of a component */
        char next = s[1];
        s[1] = '\0';
        if (mkdir(part, 0777) != 0 && !file_is_folder(part)) {
            ok = errno == EEXIST ? err_set(err, ERR_IO, "not a folder") : err_errno(err);
            err_at(err, "%s", part);
        }
        s[1] = next;
    }
    free(part);
    return ok;
}

static int keep_name(const struct dirent *e)
{
    return strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
}

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

bool file_list_read(struct file_list *out, const char *folder, struct err *err)
{
    struct dirent **entry = NULL;
    int n = scandir(folder, &entry, keep_name, by_bytes);

    if (n < 0) {
        err_errno(err);
        return err_at(err, "%s", folder);
    }
    file_list_release(out);
    out->name = mem_new((size_t)n, sizeof *out->name);
    out->count = (size_t)n;
    for (int i = 0; i < n; i++) {
        out->name[i] = mem_copy_string(entry[i]->d_name);
        free(entry[i]);
    }
    free(entry);
    return true;
}

void file_list_release(struct file_list *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->name[i]);
    free(l->name);
    *l = (struct file_list)FILE_LIST_INIT;
}

char *file_join(const char *folder, const char *name)
{
    if (name[0] == '/' || !folder || folder[0] == '\0' || strcmp(folder, ".") == 0)
        return mem_copy_string(name);
    return mem_printf("%s%s%s", folder, folder[strlen(folder) - 1] == '/' ? "" : "/", name);
}

const char *file_base(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

char *file_stem(const char *path)
{
    char *stem = mem_copy_string(file_base(path));
    char *dot = strrchr(stem, '.');

    if (dot && dot != stem) /* ".profile" is a name, not an extension */
        *dot = '\0';
    return stem;
}

bool file_has_ext(const char *path, const char *ext)
{
    size_t n = strlen(path), m = strlen(ext);

    return n > m && path[n - m - 1] == '.' && strcasecmp(path + n - m, ext) == 0;
}
