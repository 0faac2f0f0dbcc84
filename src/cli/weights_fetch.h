/* cli/weights_fetch.h: 'weights fetch': published weights from the web into the cache folder. */
#ifndef CLEARMASS_CLI_WEIGHTS_FETCH_H
#define CLEARMASS_CLI_WEIGHTS_FETCH_H

#include "base/err.h"

struct weights_fetch {
    const char *name; /* of model/published.h, or the user's own where md5 is told */
    const char *from; /* another address; NULL: the published one */
    const char *md5;  /* of a file that is not published; NULL: the published one */
};

/* False, with one line, for an unknown name, a sum that is none, and options that do not fit each other. */
bool weights_fetch_check(const struct weights_fetch *f, struct err *err);

/* *path: the file, downloaded now or before; free() it. It lies in $XDG_CACHE_HOME/clearmass/weights or
 * ~/.cache/clearmass/weights as NAME.h5. Errors say how to place it by hand. */
bool weights_fetch(char **path, const struct weights_fetch *f, struct err *err);

#endif
