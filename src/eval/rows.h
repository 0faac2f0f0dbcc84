/* eval/rows.h: measured images as a table: what statistics are made of, whether they come from an evaluation
 * that is being made or from the predictions.csv of one that was. */
#ifndef CLEARMASS_EVAL_ROWS_H
#define CLEARMASS_EVAL_ROWS_H

#include "base/csv.h"
#include "base/json.h"
#include "data/manifest.h"
#include "eval/confusion.h"

/* One image, or one crop of it. Strings are borrowed; "" where unknown. */
struct eval_row {
    const char *id, *patient, *side, *view, *density, *assessment, *subtlety;
    const char *image; /* the id of a crop's image; an image's own */
    enum data_label label;
    double score;       /* finite */
    double dice;        /* NAN where the truth is empty or there is no mask */
    enum answer answer; /* ANSWER_COUNT where there is none */
};

struct eval_rows {
    struct eval_row *of; /* [count] */
    size_t count;
    size_t *patient; /* [count]: 0..patients-1 */
    size_t patients;
};
#define EVAL_ROWS_INIT                                                                                       \
    {                                                                                                        \
        NULL, 0, NULL, 0                                                                                     \
    }

/* Numbers the distinct names: group[n], 0..result-1. */
size_t rows_group(size_t *group, const char *const *name, size_t n);
/* Fills patient and patients of rows whose of and count are set. */
void rows_number_patients(struct eval_rows *r);
void rows_release(struct eval_rows *r);

/* Scores and truths of the rows as arrays of their own, in their order; patient is borrowed from the rows. */
struct scored {
    double *score;
    bool *malignant;
    const size_t *patient;
    size_t n, patients;
};
void scored_make(struct scored *out, const struct eval_rows *r);
void scored_release(struct scored *s);

/* An evaluation that was made. */
struct predictions {
    char *folder;
    json_t *result;   /* result.json */
    struct csv table; /* predictions.csv, which the rows' strings are borrowed from */
    struct eval_rows rows;
};
#define PREDICTIONS_INIT                                                                                     \
    {                                                                                                        \
        NULL, NULL, CSV_INIT, EVAL_ROWS_INIT                                                                 \
    }

/* folder: an evaluation, or a run folder whose evaluation/ is meant. Fails, naming file and line, when a file
 * or a column is missing, on an id that is there twice, an unknown label, an empty patient and a score that
 * is no finite number, and when there is no row. */
bool predictions_read(struct predictions *out, const char *folder, struct err *err);
void predictions_release(struct predictions *p);

#endif
