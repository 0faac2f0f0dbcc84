/* data/ingest_cbis.h: CBIS-DDSM from the downloaded folder to a data set.
 *
 * The download may have any layout: as the NBIA Data Retriever saves it (old or new), by unique identifiers,
 * a series a folder, at any depth; or the JPEGs of a repack in folders named by series. Files are found by
 * their headers and told by names, identifiers and content together. ZIP files are told, not unpacked. Every
 * decision is in audit.csv; doc/formats.md has the files. */
#ifndef CLEARMASS_DATA_INGEST_CBIS_H
#define CLEARMASS_DATA_INGEST_CBIS_H

#include "data/dataset.h"

struct ingest_cbis {
    const char *source;       /* the download */
    const char *const *table; /* [tables] the archive's CSV files */
    size_t tables;
    const char *folder; /* of the data set to make, or to go on with */
    double margin;      /* as in struct dataset_options */
    bool archive_crop;  /* keep the archive's own crops too, in archive/, and list them in crops.csv */
    dataset_page *page; /* called last, so that an interrupted call makes it too; may be NULL */
};

struct ingest_cbis_result {
    struct dataset_counts counts;
    size_t films, abnormalities;                       /* in the tables */
    size_t resumed;                                    /* films an interrupted call had written */
    size_t settled, repaired, doubtful, lost, skipped; /* lines of the audit */
    size_t leaks;                                      /* patients in train and in test */
};

/* Fails when a table or the download cannot be read, the folder cannot be written, nothing is found, or the
 * whole is interrupted: the same call then goes on. */
bool ingest_cbis(struct ingest_cbis_result *out, const struct ingest_cbis *in, struct err *err);

#endif
