/* data/loader.h: a data set's images, prepared once and kept in memory, and batches of them, augmented. */
#ifndef CLEARMASS_DATA_LOADER_H
#define CLEARMASS_DATA_LOADER_H

#include "data/augment.h"
#include "data/crops.h"
#include "data/manifest.h"
#include "data/prep.h"

struct loader {
    struct prep prep;
    const struct manifest *manifest; /* borrowed */
    const struct crops *crops;       /* borrowed; NULL for whole images */
    size_t count;                    /* prepared images */
    size_t *item;                    /* index of each in the manifest, or in crops */
    uint16_t *image;                 /* [count, size, size] */
    uint8_t *mask;          /* [count, size, size], 0 or 255; all 0 where there is no mask; NULL for crops */
    struct prep_plan *plan; /* [count] */
};

#define LOADER_INIT                                                                                          \
    {                                                                                                        \
        {0, PREP_STRETCH, false, PREP_CENTRED}, NULL, NULL, 0, NULL, NULL, NULL, NULL                        \
    }

/* Reads and prepares n items (indices into m) on every core, showing progress when what is not NULL. The
 * files' hashes are not checked here. One unreadable file fails the whole call with its name (training must
 * not silently lose cases). */
bool loader_open(struct loader *out, const struct manifest *m, const struct prep *p, const size_t *item,
                 size_t n, const char *what, struct err *err);
/* The same for crops (indices into c), which have no masks. */
bool loader_open_crops(struct loader *out, const struct crops *c, const struct prep *p, const size_t *item,
                       size_t n, struct err *err);
void loader_close(struct loader *l);

/* One batch as the network takes it. index[n]: positions in the loader. input [n, channels, size, size],
 * truth [n, 1, size, size] in 0..1 (may be NULL, and is for crops). how may be NULL (no augmentation);
 * otherwise image and mask get the same transform, a function of (seed, epoch, index in the manifest or in
 * the crops) alone. */
struct loader_batch {
    const size_t *index;
    size_t n;
    int channels;
    const struct augment *how;
    uint64_t seed, epoch;
};
void loader_fill(const struct loader *l, const struct loader_batch *b, float *input, float *truth);

#endif
