/* eval/explain_job.h: explanations of any number of image files, written to a folder (doc/formats.md,
 * Explanation). */
#ifndef CLEARMASS_EVAL_EXPLAIN_JOB_H
#define CLEARMASS_EVAL_EXPLAIN_JOB_H

#include "eval/explain.h"
#include "eval/explain_files.h"
#include "eval/thresholds.h"

struct explain_request {
    const char *run, *out;
    const char *classifier; /* run of a classifier that is asked too; NULL: none */
    char *const *path;      /* [paths]: files and folders */
    size_t paths;
    const struct band *given;         /* NULL: the run's own thresholds, else the published ones */
    const struct nn_backend *backend; /* NULL: onednn */
};

struct explained {
    bool ok;
    struct explanation what; /* when ok */
    char error[512];         /* when not: one line with the path */
};

struct explain_results {
    struct explain_files files;
    struct explained *of; /* [files.count] */
    size_t done;          /* the first of them: all, unless a stop was requested */
    size_t failed;
    char thresholds[THRESHOLDS_TEXT]; /* where band comes from; "" for a run that does not judge */
    struct band band;
    char classifier_thresholds[THRESHOLDS_TEXT]; /* the classifier's; "" where none was asked */
    struct band classifier_band;
};

#define EXPLAIN_RESULTS_INIT                                                                                 \
    {                                                                                                        \
        .files = EXPLAIN_FILES_INIT                                                                          \
    }

/* Writes OUT/STEM.json, OUT/STEM-overlay.png, OUT/STEM-mask.png and, with a classifier, OUT/STEM-crop-N.png
 * for every image and, last, OUT/summary.csv. A few images are in memory at a time. A file that cannot be
 * read or judged is told on the log, counted in failed, and the others go on; the call itself fails when a
 * run cannot be used, when there is no image, when OUT cannot be made and when a stop is requested;
 * summary.csv then lists what was done. out is replaced on success. */
bool explain(struct explain_results *out, const struct explain_request *request, struct err *err);
void explain_results_release(struct explain_results *r);

#endif
