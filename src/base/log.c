/* base/log.c: see log.h. */
#include "base/log.h"

#include "base/progress.h"

#include <stdarg.h>
#include <stdio.h>

/* The lock keeps lines of several threads whole. */
static void line(const char *prefix, const char *fmt, va_list ap)
{
    flockfile(stderr);
    progress_clear();
    fputs(prefix, stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    funlockfile(stderr);
}

void log_info(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    line("", fmt, ap);
    va_end(ap);
}

void log_warn(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    line("warning: ", fmt, ap);
    va_end(ap);
}

void log_error(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    line("clearmass: ", fmt, ap);
    va_end(ap);
}
