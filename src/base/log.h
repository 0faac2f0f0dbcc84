/* base/log.h: lines for the person at the terminal, on standard error. */
#ifndef CLEARMASS_BASE_LOG_H
#define CLEARMASS_BASE_LOG_H

#include "base/err.h"

void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));  /* "warning: ..." */
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* "clearmass: ..." */

#endif
