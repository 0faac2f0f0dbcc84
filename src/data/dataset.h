/* data/dataset.h: makes a data set folder (doc/formats.md), whatever the images come from.
 *
 *     dataset_begin -> dataset_add (from any number of threads) and dataset_reject -> dataset_finish ->
 * dataset_close
 *
 * The folder has no manifest.csv until dataset_finish has written everything else, so a folder with a
 * manifest is whole. A call that was interrupted leaves a folder that dataset_begin clears and begins again,
 * or goes on with: see struct dataset_options. */
#ifndef CLEARMASS_DATA_DATASET_H
#define CLEARMASS_DATA_DATASET_H

#include "base/json.h"
#include "data/manifest.h"
#include "image/image.h"

/* Writes a page about the folder, whose tables are all there. */
typedef bool dataset_page(const char *folder, struct err *err);

struct dataset_options {
    const char *command;   /* what makes it, "ingest folder": stored in dataset.json */
    double margin;         /* around a crop, as a share of the larger side of the mask's box; 0 to 1 */
    bool patients_unknown; /* the source names no patients: dataset.json says so */
    const json_t
        *options; /* the command's other options as a JSON object, stored as it is; may be NULL; borrowed */
    /* Keep what an interrupted call of the same version, command, margin and options has written, for
     * dataset_restore. */
    bool resume;
    dataset_page *page; /* called by dataset_finish before the folder counts as finished; may be NULL */
};

enum { DATASET_MARGIN_PERCENT = 10 }; /* the usual margin */

/* A file that was read to make a case. */
struct dataset_source {
    const char *kind; /* "image" or "mask" */
    const char *path; /* relative to the source; no machine's absolute path */
    size_t bytes;
    char sha256[FILE_SHA256_TEXT];
};

/* A file of the data set. */
struct dataset_file {
    char *path; /* relative to the folder */
    char sha256[FILE_SHA256_TEXT];
};

/* One image. Everything is borrowed for the call. Strings may be NULL where unknown; patient NULL means id.
 */
struct dataset_case {
    const char *id; /* letters, digits, '.', '_', '-'; not used before */
    const char *patient, *side, *view, *density, *assessment, *subtlety;
    enum data_part part; /* PART_NONE, PART_TRAIN or PART_TEST */
    enum data_label label;
    const struct image *grey; /* 1 channel, U16 (asserted) */
    const struct image
        *mask; /* 1 channel, U8, 0 or 255, the same size (asserted); NULL or all black: no region */
    /* Files of dataset_write_image with the pixels of this very mask, which is not black, and of its crop:
     * their bytes serve again. NULL for both where there are none. */
    const struct dataset_file *mask_twin, *crop_twin;
    const struct dataset_source *source;
    size_t source_count;
    /* What follows lets an interrupted call go on. */
    const char *key;     /* of everything the case is made from; NULL: it is always made again */
    const json_t *note;  /* the caller's own words on the case, given back by dataset_restore; may be NULL */
    const json_t *files; /* array of the other files written for it, relative to the folder; may be NULL */
};

struct dataset;

/* Makes the folder. Fails when it exists and holds something, unless that is an unfinished data set: its
 * files are removed, or kept where options say so. Returns NULL on failure; otherwise free with
 * dataset_close. */
struct dataset *dataset_begin(const char *folder, const struct dataset_options *o, struct err *err);

/* Writes the case's three images on the calling thread and notes its row; safe to call from several threads
 * at once (see base/parallel.h). Fails on an id that is used or malformed (ERR_INPUT), and when a file cannot
 * be written. */
bool dataset_add(struct dataset *d, const struct dataset_case *c, struct err *err);
/* True when an interrupted call wrote a case of this id and key (and options.resume is true): its row is
 * taken over and *note is what was noted, a new reference, NULL for none. From any thread. */
bool dataset_restore(struct dataset *d, const char *id, const char *key, json_t **note);
/* Writes FOLDER/SUB/NAME.tif for a case about to be added: beside and renamed. sub is one of full, roi, crop,
 * archive. out's path is new on success; free() it. From any thread. */
bool dataset_write_image(const struct dataset *d, struct dataset_file *out, const char *sub, const char *name,
                         const struct image *im, struct err *err);
/* A mask's box with a margin (dataset_options) around, within an image of width x height: what a crop shows.
 */
struct image_box dataset_crop_box(struct image_box box, double margin, int width, int height);
/* Cuts the box of a region with the data set's margin out of grey. ERR_LIMIT only. */
bool dataset_cut(const struct dataset *d, struct image *out, const struct image *grey, struct image_box box,
                 struct err *err);
/* Notes a file or case that is left out, and why. From any thread. */
void dataset_reject(struct dataset *d, const char *path, const char *reason);
/* Notes something the data set's user should know; listed in dataset.json under "warnings". From any thread.
 */
void dataset_warn(struct dataset *d, const char *text);

/* SHA-256 of a case's full/ID.tif, borrowed until dataset_close; the same pixels give the same. NULL for
 * none. */
const char *dataset_image_sha256(const struct dataset *d, const char *id);
/* Sets a key of dataset.json; value is taken. */
void dataset_tell(struct dataset *d, const char *key, json_t *value);

struct dataset_counts {
    size_t images, patients, by_label[LABEL_COUNT], with_region, rejected, warnings;
};
struct dataset_counts dataset_count(struct dataset *d);

/* Writes the tables and, last, manifest.csv; rows come in the order of their ids, numbers in them by value
 * ("a2" before "a10"), so the result does not depend on threads. Fails with ERR_INPUT when there is no case.
 */
bool dataset_finish(struct dataset *d, struct err *err);
/* Frees. Without dataset_finish the folder stays unfinished. NULL is harmless. */
void dataset_close(struct dataset *d);

#endif
