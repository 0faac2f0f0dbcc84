/* data/ingest_cbis_parts.h: what is known of a download; inside data/ingest_cbis*.c only. */
#ifndef CLEARMASS_DATA_INGEST_CBIS_PARTS_H
#define CLEARMASS_DATA_INGEST_CBIS_PARTS_H

#include "data/cbis.h"
#include "data/cbis_audit.h"
#include "data/dataset.h"
#include "data/ingest_cbis.h"

#include <sys/types.h>

/* A DICOM file, by its header; or a JPEG of a repacked download, of which its folder alone tells the series.
 * Strings are owned. */
struct cbis_file {
    char *path; /* relative to the download */
    bool jpeg;
    off_t bytes;
    long long modified_ns;
    char *patient_id, *description, *study, *series, *instance, *photometric;
    char *laterality, *orientation;
    int number; /* of the instance in its series; 0 for none */
    int width, height, bits, frames;
    char *fault;           /* why its header could not be read; NULL: it could */
    struct cbis_name name; /* film "" until one is found */
};

struct cbis_files {
    char *root;
    struct cbis_file *item; /* [count] */
    size_t count;
};

#define CBIS_FILES_INIT                                                                                      \
    {                                                                                                        \
        NULL, NULL, 0                                                                                        \
    }

/* Walks folder and everything below, links followed but no folder twice, and reads the headers of DICOM and
 * JPEG files on every core. What is neither, or cannot be read, goes to the audit. out, the folder being
 * written, is left out. Fails when folder itself cannot be read, or when interrupted. */
bool cbis_files_scan(struct cbis_files *files, const char *folder, const char *out, struct cbis_audit *audit,
                     struct err *err);
void cbis_files_release(struct cbis_files *files);

/* A film of the tables with the files that claim to be its own. */
struct cbis_film {
    const struct cbis_row *row; /* [rows], by abnormality */
    size_t rows;
    const struct cbis_file *file; /* [files], by abnormality (0: the whole image), then by path */
    size_t files;
};

/* Finds each file's name by the votes of folder, patient number and identifiers, sorts the files by it, and
 * joins them to the tables' films. Films without any file and files without a row go to the audit. *out is
 * new, free() it; it borrows from both. Returns how many. */
size_t cbis_films_join(struct cbis_film **out, struct cbis_files *files, const struct cbis_tables *t,
                       struct cbis_audit *audit);

/* One abnormality as abnormalities.csv has it. Paths are owned, NULL for none. */
struct cbis_finding {
    const struct cbis_row *row;
    struct dataset_file mask, crop, archive;
    struct image_box box; /* of the mask in the film's pixels */
};

/* What became of a film. */
struct cbis_result {
    bool whole;                   /* it is in the data set */
    struct cbis_finding *finding; /* [rows] */
    size_t findings;
    struct cbis_audit audit;
};

/* Reads, judges and writes one film. Fails only when the data set cannot be written; what is wrong with the
 * files goes to the result's audit. From any thread. */
struct cbis_convert {
    struct dataset *dataset;
    const char *root;
    bool archive_crop;
};
bool cbis_film_convert(struct cbis_result *out, const struct cbis_convert *c, const struct cbis_film *film,
                       const char *key, struct err *err);
/* Takes over what an interrupted call made of it. */
bool cbis_film_restore(struct cbis_result *out, const struct cbis_convert *c, const struct cbis_film *film,
                       const char *key);
/* A hash of everything a film is made from: names, sizes and times of its files, its rows. */
void cbis_film_key(const struct cbis_film *film, char key[FILE_SHA256_TEXT]);
void cbis_result_release(struct cbis_result *r);

/* A film while it is being converted. */
struct cbis_work {
    const struct cbis_convert *c;
    const struct cbis_film *film;
    struct cbis_result *out;
    struct image full;               /* U16 */
    struct image united;             /* U8; empty while there is no region */
    const struct cbis_finding *only; /* the region, where there is one */
    struct dataset_source *source;   /* [film's files], paths borrowed */
    size_t sources;
    json_t *files; /* written besides the three of the data set */
};
/* A line about one of its files, "left out" until told otherwise. */
struct cbis_line *cbis_work_tell(struct cbis_work *w, enum cbis_kept kept, const struct cbis_file *f);
/* "mask, 8 bits, 3024 x 4808" */
void cbis_line_file(struct cbis_line *l, const char *what, const struct cbis_file *f);
/* What a file holds: its pixels, 0 black, and the hash of the whole of it. */
struct cbis_pixels {
    struct image image;
    const struct cbis_file *file; /* NULL while there is none */
    char sha256[FILE_SHA256_TEXT];
};
#define CBIS_PIXELS_INIT                                                                                     \
    {                                                                                                        \
        IMAGE_INIT, NULL, ""                                                                                 \
    }
/* out is replaced on success; why comes without the path. */
bool cbis_work_read(struct cbis_pixels *out, const struct cbis_work *w, const struct cbis_file *f,
                    struct err *why);
void cbis_pixels_move(struct cbis_pixels *out, struct cbis_pixels *p);
/* Notes a file that is used. */
void cbis_work_source(struct cbis_work *w, const char *kind, const struct cbis_pixels *p);
/* Judges the files of row k, writes mask and crops, unites the mask. Fails only when writing fails. */
bool cbis_region_add(struct cbis_work *w, size_t k, struct err *err);

/* abnormalities.csv and crops.csv. */
bool cbis_findings_write(const struct cbis_result *result, size_t n, const char *folder, struct err *err);

#endif
