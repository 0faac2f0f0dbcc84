/* data/split.h: which images train, which validate. Patients never meet in both.
 *
 * Items of official part test stay PART_TEST, even where their patient has others (training asks about that).
 * The others are grouped by patient, or into larger groups on request; these are put in an order that is a
 * function of the seed and the group's name alone, and validation takes them, label by label, until each
 * label's share of images is met as nearly as whole groups allow. */
#ifndef CLEARMASS_DATA_SPLIT_H
#define CLEARMASS_DATA_SPLIT_H

#include "data/manifest.h"

#include <stdint.h>

struct split {
    enum data_part
        *part; /* one an item of the manifest, in its order: PART_TRAIN, PART_VALIDATION or PART_TEST */
    size_t count;
};

#define SPLIT_INIT                                                                                           \
    {                                                                                                        \
        NULL, 0                                                                                              \
    }

/* name: [m->count], the group each item must stay with, no patient in two (leak_groups); NULL: its patient.
 * share: of the images wanted in validation, in (0, 1). Fails when train or validation would be empty. */
bool split_make(struct split *out, const struct manifest *m, const char *const *name, double share,
                uint64_t seed, struct err *err);
/* Reads id,patient,part. Fails unless it names exactly the manifest's items with their patients, and when one
 * patient is in two parts, images of the official test part aside. sha256 (of the file) may be NULL. */
bool split_read(struct split *out, const struct manifest *m, const char *path, char sha256[FILE_SHA256_TEXT],
                struct err *err);
bool split_write(const struct split *s, const struct manifest *m, const char *path,
                 char sha256[FILE_SHA256_TEXT], struct err *err);
void split_release(struct split *s);
size_t split_count(const struct split *s, enum data_part part);

#endif
