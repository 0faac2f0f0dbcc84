/* data/likeness.h: whether two images are one picture, whatever became of it: written again with another
 * compression, size, depth or contrast.
 *
 * A picture is known by its 16 x 16 means and their second differences (each times 4, less its four
 * neighbours), as a vector of length 1; two are the same from a correlation of LIKENESS_SAME on. Measured:
 * the same ultrasound or mammogram at 70 % of its size as a JPEG of quality 40 gives .997 and more; two drawn
 * mammograms of different breasts at most .69; of 624 ultrasound images of a public set, whose known
 * near-duplicates lie above .9, every other pair below .6. */
#ifndef CLEARMASS_DATA_LIKENESS_H
#define CLEARMASS_DATA_LIKENESS_H

#include "data/manifest.h"
#include "image/image.h"

#include <stdint.h>

enum { LIKENESS_SIDE = 16, LIKENESS_SIZE = LIKENESS_SIDE * LIKENESS_SIDE };
#define LIKENESS_SAME .95

struct likeness {
    int8_t v[LIKENESS_SIZE]; /* its largest is 127 or -127 */
    float length;            /* 0: a picture without detail, or not readable, is like none */
};

/* Of an image of one channel. */
void likeness_make(struct likeness *out, const struct image *grey);
double likeness_of(const struct likeness *a, const struct likeness *b);

/* One an item of the manifest, read on every core and kept in FOLDER/likeness.csv (id,image_sha256,values),
 * where what is there already is not read again. Images that cannot be read are left out here: what reads
 * them for their sake tells. A file that cannot be written is no fault. The array is the caller's to free.
 * Fails with ERR_CANCELLED when a stop is requested. */
bool likeness_read(struct likeness **out, const struct manifest *m, struct err *err);

#endif
