/* eval/explain_files.h: which files an explanation is asked for, and how their outputs are called. */
#ifndef CLEARMASS_EVAL_EXPLAIN_FILES_H
#define CLEARMASS_EVAL_EXPLAIN_FILES_H

#include "base/err.h"

#include <stddef.h>

struct explain_file {
    char *path; /* as it was named, or folder/.../name */
    char *stem; /* of its outputs: unique in the list */
};

struct explain_files {
    struct explain_file *file; /* [count] */
    size_t count;
};

#define EXPLAIN_FILES_INIT                                                                                   \
    {                                                                                                        \
        NULL, 0                                                                                              \
    }

/* A file is taken as it is named, whatever it is: what is wrong with it shows when it is read. A folder gives
 * the images below it (names that end in .png, .jpg, .jpeg, .tif, .tiff or .dcm, and other regular files that
 * begin like one), sorted; hidden names, links to folders and the folder skip (may be NULL: the outputs' own)
 * are passed over. A stem is the name without one of these endings; files of the same stem become
 * FOLDER-STEM, by the first folder in which their paths differ, and where that is not enough STEM, STEM-2,
 * ... Fails when a folder cannot be listed and when there is no image. */
bool explain_files_find(struct explain_files *out, char *const *path, size_t n, const char *skip,
                        struct err *err);
void explain_files_release(struct explain_files *f);

#endif
