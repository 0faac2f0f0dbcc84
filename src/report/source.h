/* report/source.h: the JSON files a page is made from, and how to ask them. */
#ifndef CLEARMASS_REPORT_SOURCE_H
#define CLEARMASS_REPORT_SOURCE_H

#include "base/csv.h"
#include "base/json.h"
#include "report/history.h"

/* A row of predictions.csv. Text is borrowed from the table. */
struct prediction {
    const char *id, *label, *answer;
    double score;
    double dice; /* NAN where the truth is empty, and for crops */
    /* of a classifier's crops, else "" and NAN */
    const char *crop, *cam, *roi; /* files: of the data set, of the evaluation */
    double cam_hit, cam_energy, region_share;
};

/* A run folder as far as it is there. */
struct source {
    char *folder;
    json_t *run;                   /* run.json */
    json_t *result;                /* evaluation/result.json; NULL when not evaluated */
    json_t *opinions;              /* opinions/result.json; NULL when the run was not measured with another */
    bool crops;                    /* the result is of a classifier's crops, not of images */
    struct csv table;              /* evaluation/predictions.csv; empty when not evaluated */
    struct prediction *prediction; /* [table.count] */
    struct csv regions;            /* evaluation/regions.csv; empty where there is none */
    struct history history;
};

/* Fails with one line when run.json is missing or is no run's, and when another file is there but broken. */
bool source_read(struct source *out, const char *run_folder, struct err *err);
void source_release(struct source *s);

/* run.json alone, checked to be a run's; a new reference, or NULL. */
json_t *source_read_run(const char *run_folder, struct err *err);

/* Where keys are joined by dots ("overlap.dice.mean"). What is missing, null or of another type is NULL, "",
 * NAN. */
json_t *source_at(const json_t *json, const char *keys);
const char *source_text(const json_t *json, const char *keys);
double source_number(const json_t *json, const char *keys);
/* Element i, j of an array of arrays of numbers, or NAN. */
double source_cell(const json_t *rows, size_t i, size_t j);
/* Any value as one line of text: strings as they are, numbers short, true as "yes"; free() it. */
char *source_line(const json_t *value);

/* The last part of a folder's name, whatever slashes follow it; free() it. */
char *source_folder_name(const char *folder);

/* What the run learns, in words. */
const char *source_task(const json_t *run);
/* Which batch norm statistics the validation used, as a sentence. */
const char *source_norm(const json_t *run);
/* What of a classifier's network was trained, in words. */
const char *source_trained(const json_t *run);

#endif
