/* data/leak.h: patients whose images are both in the official test part of a data set and outside of it: what
 * is learnt from the one flatters the results on the other. */
#ifndef CLEARMASS_DATA_LEAK_H
#define CLEARMASS_DATA_LEAK_H

#include "data/manifest.h"

/* Their names, sorted, each once, borrowed from the manifest; *patient is new, free() it. Returns how many.
 */
size_t leak_patients(const char ***patient, const struct manifest *m);
/* "P_00016, P_00041": as many names as a line of text holds, "and 12 more" behind; free() it. */
char *leak_text(const char *const *patient, size_t n);

#endif
