/* model/published.h: weights that others have published for the networks here, as Keras HDF5 files. */
#ifndef CLEARMASS_MODEL_PUBLISHED_H
#define CLEARMASS_MODEL_PUBLISHED_H

#include <stddef.h>

struct published {
    const char *name; /* "resnet50" */
    const char *url;
    const char *md5; /* as its publishers tell it */
    const char *what;
};

/* NULL when there is none of that name. */
const struct published *published_find(const char *name);
/* The i-th, or NULL past the last. */
const struct published *published_at(size_t i);

#endif
