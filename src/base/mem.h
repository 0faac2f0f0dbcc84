/* base/mem.h: allocation that need not be checked, and allocation that must be. */
#ifndef CLEARMASS_BASE_MEM_H
#define CLEARMASS_BASE_MEM_H

#include "base/err.h"

#include <stddef.h>

/* count * size zeroed bytes, 64-byte aligned, released with free(). Never NULL: for sizes we chose ourselves;
 * when memory runs out the program says so in one line and aborts. */
void *mem_new(size_t count, size_t size);

/* The same for sizes that come from a file or a user: NULL and ERR_LIMIT when it overflows or cannot be had.
 */
void *mem_try(size_t count, size_t size, struct err *err);

/* Grows p (from malloc family, or NULL) to hold count elements of size bytes; aborts when out of memory. */
void *mem_grow(void *p, size_t count, size_t size);

/* Copies of strings, released with free(). */
char *mem_copy_string(const char *s);
char *mem_printf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
