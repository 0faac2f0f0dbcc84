/* data/cbis_audit.h: every decision about a file of the archive, written down. */
#ifndef CLEARMASS_DATA_CBIS_AUDIT_H
#define CLEARMASS_DATA_CBIS_AUDIT_H

#include "base/err.h"
#include "base/json.h"

#include <stddef.h>

enum cbis_kept {
    CBIS_USED,     /* everything agreed */
    CBIS_SETTLED,  /* names disagreed; the majority was followed, the content is sure */
    CBIS_REPAIRED, /* pixels had to be changed */
    CBIS_DOUBTFUL, /* kept, but somebody should look */
    CBIS_LOST,     /* could not be used, or is missing */
    CBIS_SKIPPED,  /* no part of what the tables name */
    CBIS_KEPT_COUNT
};
const char *cbis_kept_name(enum cbis_kept kept); /* "used", ... as in audit.csv */

struct cbis_line {
    enum cbis_kept kept;
    char *id;   /* of the film's image; "" for none */
    char *file; /* relative to the download, or a line of a table */
    char *found, *done, *why;
};

struct cbis_audit {
    struct cbis_line *line; /* [count] */
    size_t count;
};

#define CBIS_AUDIT_INIT                                                                                      \
    {                                                                                                        \
        NULL, 0                                                                                              \
    }

/* Strings are copied. The line holds until the next one is added; its why is then set with cbis_line_why. */
struct cbis_line *cbis_audit_add(struct cbis_audit *a, enum cbis_kept kept, const char *id, const char *file);
void cbis_line_found(struct cbis_line *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void cbis_line_done(struct cbis_line *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void cbis_line_why(struct cbis_line *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Moves all lines of from to the end of a. */
void cbis_audit_move(struct cbis_audit *a, struct cbis_audit *from);
/* By id, then file, then what was found. */
void cbis_audit_sort(struct cbis_audit *a);
size_t cbis_audit_count(const struct cbis_audit *a, enum cbis_kept kept);
/* FOLDER/audit.csv */
bool cbis_audit_write(const struct cbis_audit *a, const char *folder, struct err *err);
void cbis_audit_release(struct cbis_audit *a);

/* For a journal: an array of arrays; NULL when a text is no UTF-8. And back: lines are added to a. */
json_t *cbis_audit_json(const struct cbis_audit *a);
bool cbis_audit_take_json(struct cbis_audit *a, const json_t *json);

#endif
