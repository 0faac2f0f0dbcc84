/* base/parallel.h: many independent items on every core. */
#ifndef CLEARMASS_BASE_PARALLEL_H
#define CLEARMASS_BASE_PARALLEL_H

#include "base/err.h"

#include <stddef.h>

/* One item's work, called from several threads at once; i from 0 to n-1, begun in that order. */
typedef bool parallel_work(void *context, size_t i, struct err *err);

/* Calls work for n items on one thread a core, showing progress as what unless it is NULL. The first failure
 * (the lowest item's, where several fail together) ends the rest and is the call's; ERR_CANCELLED when a stop
 * is requested. */
bool parallel_for(size_t n, parallel_work *work, void *context, const char *what, struct err *err);

/* The same for work that cannot fail; it is neither shown nor stopped. */
typedef void parallel_sure_work(void *context, size_t i);
void parallel_each(size_t n, parallel_sure_work *work, void *context);

#endif
