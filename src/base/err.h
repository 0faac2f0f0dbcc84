/* base/err.h: what went wrong, told once.
 *
 * A function that can fail because of the world (a file, a value a person typed) returns bool and takes a
 * struct err on the caller's stack. The function that notices the fault calls err_set(); callers that know a
 * name the noticer did not (a path, a row) add it with err_at() while they propagate. Our own faults are
 * assert(), in every build. Only cli/ prints an error and only cli/ ends the process.
 * Messages name files and reasons, never a patient's data. */
#ifndef CLEARMASS_BASE_ERR_H
#define CLEARMASS_BASE_ERR_H

#include <stdbool.h>

enum err_kind {
    ERR_NONE = 0,
    ERR_IO,       /* the system refused: missing file, disk full, permission */
    ERR_FORMAT,   /* bytes that are not what they claim to be */
    ERR_INPUT,    /* a well-formed value that makes no sense here */
    ERR_LIMIT,    /* larger than we are willing to take */
    ERR_CANCELLED /* the user asked to stop (Ctrl-C) */
};

struct err {
    enum err_kind kind;
    char text[1024]; /* one line, no newline at the end */
};

#define ERR_INIT                                                                                             \
    {                                                                                                        \
        ERR_NONE, ""                                                                                         \
    }

/* Records a fault. Always returns false, so that "return err_set(...)" reads well. err may be NULL. */
bool err_set(struct err *err, enum err_kind kind, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Records ERR_IO with strerror(errno). Always returns false. */
bool err_errno(struct err *err);

/* Puts "name: " in front of the text already recorded, unless it begins so. Always returns false. */
bool err_at(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The text without the name err_at has put in front: borrowed from err. */
const char *err_without(const struct err *err, const char *name);

#endif
