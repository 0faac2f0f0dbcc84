/* data/phantom_archive_parts.h: an archive of phantoms while it is made; inside data/phantom_archive*.c only.
 */
#ifndef CLEARMASS_DATA_PHANTOM_ARCHIVE_PARTS_H
#define CLEARMASS_DATA_PHANTOM_ARCHIVE_PARTS_H

#include "data/cbis.h"
#include "data/phantom_archive.h"
#include "io/dicom.h"

/* What is wrong with a film, or with its first abnormality. */
enum archive_fault {
    FAULT_NONE,
    FAULT_SWAPPED,         /* the mask where the table has the crop; of other abnormalities, too */
    FAULT_MISNAMED,        /* the series is called after the crop and holds the mask, too */
    FAULT_TWO_FOLDERS,     /* mask and crop in two series of two studies */
    FAULT_PIXEL_PITCH,     /* the mask is of another scanner's pitch */
    FAULT_OTHER_ASPECT,    /* the mask cannot be laid over the image */
    FAULT_MISSING_MASK,    /* no file */
    FAULT_MISSING_IMAGE,   /* no file */
    FAULT_TRUNCATED_IMAGE, /* cut off in its pixels */
    FAULT_MONOCHROME1,     /* the image has black and white exchanged */
    FAULT_SECOND_COPY,     /* the image lies in a second folder once more */
    FAULT_COUNT
};

struct archive_film {
    char name[CBIS_NAME_TEXT]; /* "Mass-Training_P_00001_LEFT_CC" */
    struct phantom_case about;
    enum phantom_projection view;
    enum archive_fault fault;
    bool swapped[PHANTOM_MOST_MASSES];
};

struct archive {
    const char *folder;
    const struct phantom_options *options;
    bool faults;
    struct archive_film *film; /* [films], by patient, then by view */
    size_t films;
};

/* Where a file lies and what its header says of that. */
struct archive_place {
    char study[DICOM_UID_TEXT], series[DICOM_UID_TEXT];
    const char *description; /* of the series */
    int number;              /* of the instance */
    char *path;              /* relative to ARCHIVE_ROOT; free() it */
};

#define ARCHIVE_ROOT "CBIS-DDSM"

/* The file of that role; k is the mass, any for CBIS_FULL. */
struct archive_place archive_place_of(const struct archive *a, const struct archive_film *f, int k,
                                      enum cbis_role role);
/* Where the image of a film with FAULT_SECOND_COPY lies once more. */
struct archive_place archive_second_place(const struct archive *a, const struct archive_film *f);

/* phantom_archive_fault.c: gives films their faults, and tells them in faults.csv. */
void archive_faults_plan(struct archive *a);
bool archive_faults_write(const struct archive *a, struct err *err);

/* phantom_archive_table.c: the archive's tables. */
const char *archive_table_name(enum data_part part);
bool archive_tables_write(const struct archive *a, struct err *err);

#endif
