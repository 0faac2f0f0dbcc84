/* data/cbis.h: CBIS-DDSM as its own tables name it: which film, which abnormality, which file should hold
 * what.
 *
 * The archive (DOI 10.7937/K9/TCIA.2016.7O02S9CY) names everything after one pattern,
 * Mass-Training_P_00001_LEFT_CC for a film and the same with _1, _2 ... behind for its abnormalities;
 * folders, patient numbers in headers and the tables' paths all use it. */
#ifndef CLEARMASS_DATA_CBIS_H
#define CLEARMASS_DATA_CBIS_H

#include "base/csv.h"
#include "data/manifest.h"

enum { CBIS_NAME_TEXT = 48, CBIS_PATIENT_TEXT = 16 };

enum cbis_kind { CBIS_MASS, CBIS_CALC, CBIS_KINDS };
const char *cbis_kind_name(enum cbis_kind kind); /* "mass", "calc" */

struct cbis_name {
    char film[CBIS_NAME_TEXT]; /* "Mass-Training_P_00001_LEFT_CC"; "" for none */
    char patient[CBIS_PATIENT_TEXT];
    enum cbis_kind kind;
    enum data_part part; /* PART_TRAIN or PART_TEST */
    bool right, mlo;
    int abnormality; /* from 1; 0: the film itself */
};

/* Reads a name at the beginning of text; what follows it must be no letter or digit. Letters of any case. */
bool cbis_name_parse(struct cbis_name *out, const char *text);
bool cbis_name_same(const struct cbis_name *a, const struct cbis_name *b);
/* "Mass-Training_P_00001_LEFT_CC_1" */
void cbis_name_text(const struct cbis_name *n, char text[CBIS_NAME_TEXT]);

/* A unique identifier as DICOM has them: numbers and dots. */
bool cbis_is_uid(const char *text);

/* The three files a row names. */
enum cbis_role { CBIS_FULL, CBIS_CROP, CBIS_MASK, CBIS_ROLES };

/* What a path of the tables tells: neither it nor its last part exists on a disk. */
struct cbis_path {
    const char *study, *series; /* unique identifiers; "" where the path has none */
    int number;                 /* of 000001.dcm: 1; -1 where it is no number */
};

/* One abnormality. Strings are borrowed from the tables. */
struct cbis_row {
    struct cbis_name name; /* abnormality >= 1 */
    const char *table;     /* the file's name without folders */
    size_t line;
    const char *density, *assessment, *subtlety, *pathology;
    const char *shape, *margins; /* of a calcification: type and distribution */
    enum data_label label;       /* of this abnormality: BENIGN and BENIGN_WITHOUT_CALLBACK are benign */
    struct cbis_path path[CBIS_ROLES];
};

/* Something odd about a row, for the audit. */
struct cbis_fault {
    char *where, *what; /* "mass.csv line 12"; what was found */
    bool lost;          /* the row is left out */
};

struct cbis_tables {
    struct csv *csv; /* [files] */
    char **text;     /* owned pieces of paths */
    size_t files, texts;
    struct cbis_row *row; /* [rows], sorted by film, then by abnormality */
    size_t rows;
    struct cbis_fault *fault;
    size_t faults;
};

#define CBIS_TABLES_INIT                                                                                     \
    {                                                                                                        \
        NULL, NULL, 0, 0, NULL, 0, NULL, 0                                                                   \
    }

/* Adds a table of masses or calcifications, known by its columns. Fails on a file that cannot be read, is no
 * such table, or has no row that can be used. Rows with a fault are noted and left out. */
bool cbis_tables_add(struct cbis_tables *t, const char *path, struct err *err);
/* Sorts the rows; of rows that name the same abnormality the first stays. Call once after the last file. */
void cbis_tables_finish(struct cbis_tables *t);
void cbis_tables_release(struct cbis_tables *t);

/* The rows of a film: *first and how many; 0 for none. */
size_t cbis_tables_find(const struct cbis_tables *t, const char *film, size_t *first);

/* What a unique identifier of a study or a series means to the tables. */
struct cbis_uid {
    const char *uid;
    struct cbis_name name;
    unsigned roles; /* bits 1 << enum cbis_role of the files it holds */
    bool series;
};

struct cbis_uids {
    struct cbis_uid *item; /* sorted by uid, each once */
    size_t count;
};

/* Identifiers used for two different names are left out: they tell nothing. */
void cbis_uids_collect(struct cbis_uids *out, const struct cbis_tables *t);
const struct cbis_uid *cbis_uids_find(const struct cbis_uids *u, const char *uid);
void cbis_uids_release(struct cbis_uids *u);

/* A patient who is in train of one kind and in test of the other (or of the same). */
struct cbis_leak {
    char patient[CBIS_PATIENT_TEXT];
    bool train[CBIS_KINDS], test[CBIS_KINDS];
};

/* Finds them among n names; sorted by patient. *out is new, free() it. Returns how many. */
size_t cbis_leaks_find(struct cbis_leak **out, const struct cbis_name *const *name, size_t n);

#endif
