/* data/leak_picture.h: one picture on both sides of a split, or in two data sets, under whatever name. */
#ifndef CLEARMASS_DATA_LEAK_PICTURE_H
#define CLEARMASS_DATA_LEAK_PICTURE_H

#include "data/likeness.h"
#include "data/split.h"

struct leak_side {
    const struct manifest *m;
    const struct likeness *likeness; /* [m->count] */
    const bool *in;                  /* [m->count]: the items of this side; NULL: all */
};

struct leak_pair {
    const char *first, *second; /* ids, borrowed */
};

/* Pairs of an item of a and one of b that are the same file (SHA-256) or the same picture. *out is new,
 * free() it. Returns how many. */
size_t leak_pairs(struct leak_pair **out, const struct leak_side *a, const struct leak_side *b);

/* Names for split_make that keep patients together who share a picture outside the official test part, with
 * each other or by way of a third. *out is new, free() it; its names are the manifest's. Returns how many
 * patients were joined to another. */
size_t leak_groups(const char ***out, const struct manifest *m, const struct likeness *likeness);

/* The pairs between training, validation and test part that are there nonetheless, as leak_pairs gives them.
 */
size_t leak_split_pairs(struct leak_pair **out, const struct split *s, const struct manifest *m,
                        const struct likeness *likeness);

/* "a = b, c = d and 3 more": as many as a line holds; free() it. */
char *leak_pairs_text(const struct leak_pair *pair, size_t n);

#endif
