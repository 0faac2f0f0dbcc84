/* data/ingest_folder.h: a data set from images with masks and labels, in the two layouts people have.
 *
 * (a) folders named by label, at any depth, letters of any case: DIR/.../benign/NAME.png with NAME_mask.png,
 *     NAME_mask_1.png ... united. No patients are named: each image is a patient of its own.
 * (b) a table: DIR is a CSV file, or a folder with exactly one CSV file that has the columns image, mask,
 * label and patient. Also read where they are there: id, side, view, density, assessment, subtlety, part.
 * Paths are relative to the table; a mask may be empty; several masks are separated by ';' or given as
 * several rows of the same image.
 *
 * PNG, JPEG and TIFF, 8 or 16 bits, grey or RGB. A mask's pixels count when they are at least half of its
 * brightest value (anything but 0 where that is below 16); an all-black mask means no region. A case with a
 * fault is left out and listed, the others go on; a finding without a region is kept, with a warning. */
#ifndef CLEARMASS_DATA_INGEST_FOLDER_H
#define CLEARMASS_DATA_INGEST_FOLDER_H

#include "data/dataset.h"

struct ingest_folder {
    const char *source;   /* DIR */
    const char *folder;   /* of the data set to make */
    double margin;        /* as in struct dataset_options */
    bool drop_duplicates; /* leave out images whose bytes came before; otherwise they are only counted */
};

struct ingest_result {
    struct dataset_counts counts;
    size_t duplicates; /* images whose bytes came before */
    bool patients_unknown;
};

/* Each fault is told on a line of the log. Fails when nothing could be read, the folder cannot
 * be written, or the whole was interrupted. */
bool ingest_folder(struct ingest_result *out, const struct ingest_folder *in, struct err *err);

#endif
