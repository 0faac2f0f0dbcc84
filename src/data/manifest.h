/* data/manifest.h: the table of a data set folder (doc/formats.md). */
#ifndef CLEARMASS_DATA_MANIFEST_H
#define CLEARMASS_DATA_MANIFEST_H

#include "base/err.h"
#include "base/file.h"

#include <stddef.h>

enum data_label { LABEL_BENIGN, LABEL_MALIGNANT, LABEL_NORMAL, LABEL_COUNT };
enum data_part { PART_NONE, PART_TRAIN, PART_VALIDATION, PART_TEST };

/* One image. Strings are owned by the manifest; "" where unknown or missing. */
struct data_item {
    char *id, *patient, *side, *view, *density, *assessment, *subtlety;
    enum data_part part; /* the source's official part: PART_NONE, PART_TRAIN or PART_TEST */
    enum data_label label;
    int width, height;                                                    /* of the full image */
    char *image, *image_sha256, *mask, *mask_sha256, *crop, *crop_sha256; /* paths relative to the folder */
};

struct manifest {
    char *folder;
    struct data_item *item;
    size_t count;
    char sha256[FILE_SHA256_TEXT]; /* of manifest.csv */
};

#define MANIFEST_INIT                                                                                        \
    {                                                                                                        \
        NULL, NULL, 0, ""                                                                                    \
    }

const char *data_label_name(enum data_label label);
bool data_label_parse(const char *text, enum data_label *out);
const char *data_part_name(enum data_part part); /* "" for PART_NONE */
bool data_part_parse(const char *text, enum data_part *out);
/* Not empty, and letters, digits, '.', '_' and '-' only, so that it can be a file's name and a table's field.
 */
bool data_id_is_good(const char *id);
/* A relative path without "..", so that a table cannot make us read outside its folder. */
bool data_path_stays_inside(const char *path);

/* Reads FOLDER/manifest.csv. Fails, naming file and line, on a missing column, an unknown label, an id that
 * is empty, used twice or has other characters than letters, digits, '.', '_', '-', and on a path that leaves
 * the folder. */
bool manifest_read(struct manifest *out, const char *folder, struct err *err);
bool manifest_write(const struct manifest *m, const char *folder, struct err *err);
void manifest_release(struct manifest *m);

/* The item of that id, or NULL. */
const struct data_item *manifest_find(const struct manifest *m, const char *id);

#endif
