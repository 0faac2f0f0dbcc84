/* base/file.h: whole files, folders, names and hashes. Every output is written beside its place and renamed,
 * so that a reader sees the old file or the new one, never half of one. Every error carries the path already.
 */
#ifndef CLEARMASS_BASE_FILE_H
#define CLEARMASS_BASE_FILE_H

#include "base/buf.h"
#include "base/err.h"

#include <stdio.h>
#include <stdint.h>

enum { FILE_SHA256_TEXT = 65, FILE_MD5_TEXT = 33 }; /* hexadecimal digits and a NUL */

/* Reads a regular file of at most limit bytes (0: no limit). *out is replaced on success and untouched on
 * failure. */
bool file_read(struct buf *out, const char *path, size_t limit, struct err *err);

/* Reads bytes begin to begin + bytes of a regular file. sha256 may be NULL; else it becomes the hash of the
 * whole file, taken while it passes, so that a file of which both are wanted is read once. A file that ends
 * before is ERR_FORMAT. */
struct file_part {
    void *to; /* [bytes] */
    size_t begin, bytes;
};
bool file_read_part(const struct file_part *part, const char *path, char *sha256, struct err *err);

/* Writes a whole file: beside, fsync, rename. */
bool file_write(const char *path, const void *bytes, size_t n, struct err *err);

/* For writers that need a FILE or a path of their own (libtiff): */
struct file_out {
    char *path;    /* the final name */
    char *partial; /* the name written to, in the same folder */
    FILE *f;       /* open for binary writing and seeking; NULL when opened by name only */
};

#define FILE_OUT_INIT                                                                                        \
    {                                                                                                        \
        NULL, NULL, NULL                                                                                     \
    }

/* Makes the partial name and opens it when open is true. */
bool file_out_begin(struct file_out *o, const char *path, bool open, struct err *err);
/* Closes (checking for a full disk), renames into place, releases. On failure the partial file is removed. */
bool file_out_commit(struct file_out *o, struct err *err);
/* Removes the partial file, releases. Harmless after a commit and on FILE_OUT_INIT. */
void file_out_discard(struct file_out *o);

bool file_exists(const char *path);
bool file_is_folder(const char *path);
bool file_make_folders(const char *path, struct err *err); /* like mkdir -p */
bool file_copy(const char *from, const char *to, struct err *err);

/* Names inside a folder, sorted by strcmp, without "." and ".."; released with file_list_free. */
struct file_list {
    char **name;
    size_t count;
};
#define FILE_LIST_INIT                                                                                       \
    {                                                                                                        \
        NULL, 0                                                                                              \
    }
bool file_list_read(struct file_list *out, const char *folder, struct err *err);
void file_list_release(struct file_list *l);

/* "folder/name", or name alone when it is absolute or folder is NULL, "" or "."; free() it. */
char *file_join(const char *folder, const char *name);
/* The part after the last '/', borrowed from path. */
const char *file_base(const char *path);
/* The last component without its last extension: "a/b (1).png" -> "b (1)"; free() it. */
char *file_stem(const char *path);
/* True when path ends in ".ext", letters compared without case. ext comes without the dot. */
bool file_has_ext(const char *path, const char *ext);

/* SHA-256 as lower-case hexadecimal text. */
void file_sha256_bytes(const void *bytes, size_t n, char text[FILE_SHA256_TEXT]);
bool file_sha256(const char *path, char text[FILE_SHA256_TEXT], struct err *err);
/* MD5 alike: for files that others have published with it. */
bool file_md5(const char *path, char text[FILE_MD5_TEXT], struct err *err);

#endif
