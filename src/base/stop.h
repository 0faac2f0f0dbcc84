/* base/stop.h: Ctrl-C as a request that long work asks about, so that what is done so far stays usable. */
#ifndef CLEARMASS_BASE_STOP_H
#define CLEARMASS_BASE_STOP_H

#include <stdbool.h>

/* Installs handlers for SIGINT and SIGTERM. The first signal makes stop_requested() true, the second ends the
 * process at once (files are still whole: they are written beside and renamed). */
void stop_install(void);
bool stop_requested(void);

#endif
