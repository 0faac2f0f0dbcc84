/* data/ingest_case.h: what is known of a case before its files are opened; inside data/ingest_*.c only. */
#ifndef CLEARMASS_DATA_INGEST_CASE_H
#define CLEARMASS_DATA_INGEST_CASE_H

#include "data/manifest.h"

struct ingest_case {
    char *image; /* path relative to the root, or as the table has it; where the table has none, "line 7" */
    char **mask; /* [masks] in the same way */
    size_t masks;
    char *id, *patient, *side, *view, *density, *assessment, *subtlety; /* NULL where unknown */
    enum data_part part;
    enum data_label label;
    char *fault;   /* why it is left out; NULL: it is not */
    char *warning; /* what to tell of one that is kept, or NULL */
    size_t bytes;  /* of the image's file */
    char sha256[FILE_SHA256_TEXT];
};

struct ingest_cases {
    char *root; /* folder that paths are relative to */
    struct ingest_case *item;
    size_t count;
    bool patients_unknown;
    bool ids_given; /* by the source: every case without fault has one */
};

#define INGEST_CASES_INIT                                                                                    \
    {                                                                                                        \
        NULL, NULL, 0, false, false                                                                          \
    }

/* A new case at the end; the pointer holds until the next one. image is copied. */
struct ingest_case *ingest_cases_add(struct ingest_cases *c, const char *image);
void ingest_case_add_mask(struct ingest_case *c, const char *path);
/* The first fault of a case stays. */
void ingest_case_fault(struct ingest_case *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The reason alone, without the path that reading a file puts in front. */
const char *ingest_reason(const struct err *err, const char *path);
void ingest_cases_release(struct ingest_cases *c);

/* Gives every case without fault an id of its own: the file's stem, the whole path where stems meet, a number
 * behind where those meet too. Given ids are only checked; the later of two that are equal is at fault. */
void ingest_cases_name(struct ingest_cases *c);

/* Fills c from folders named by label. Fails when there is no such folder. */
bool ingest_scan(struct ingest_cases *c, const char *folder, struct err *err);

/* Fills c from a table. Fails on a table that cannot be read or lacks a column. */
bool ingest_table(struct ingest_cases *c, const char *path, struct err *err);
/* The folder's one table with the columns of one; NULL in *path when there is none. passed: why a CSV file
 * that is there is no table of ours. Fails when there are several. */
bool ingest_table_find(char **path, const char *folder, struct err *passed, struct err *err);

#endif
