/* base/err.c: see err.h. */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Texts may quote a stranger's file: no control character reaches the terminal, and a message stays one line.
 */
static void tidy(char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 0x7f)
            *s = ' ';
}

bool err_set(struct err *err, enum err_kind kind, const char *fmt, ...)
{
    char text[sizeof err->text]; /* an argument may be err->text itself */
    va_list ap;

    if (!err)
        return false;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    tidy(text);
    err->kind = kind;
    memcpy(err->text, text, sizeof text);
    return false;
}

bool err_errno(struct err *err)
{
    char text[128];

    return err_set(err, ERR_IO, "%s", strerror_r(errno, text, sizeof text));
}

bool err_at(struct err *err, const char *fmt, ...)
{
    char name[sizeof err->text], both[2 * sizeof err->text + 2];
    va_list ap;

    if (!err)
        return false;
    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    tidy(name);
    size_t n = strlen(name);
    if (strncmp(err->text, name, n) == 0 && err->text[n] == ':')
        return false; /* the noticer knew the name, too */
    snprintf(both, sizeof both, "%s: %s", name, err->text);
    both[sizeof err->text - 1] = '\0';
    memcpy(err->text, both, sizeof err->text);
    return false;
}

const char *err_without(const struct err *err, const char *name)
{
    struct err bare = ERR_INIT;

    err_at(&bare, "%s", name); /* tidied alike: "name: " */
    const size_t n = strlen(bare.text);
    return strncmp(err->text, bare.text, n) == 0 ? err->text + n : err->text;
}
