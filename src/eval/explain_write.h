/* eval/explain_write.h: the files of explanations (doc/formats.md, Explanation). Inside eval/ only. */
#ifndef CLEARMASS_EVAL_EXPLAIN_WRITE_H
#define CLEARMASS_EVAL_EXPLAIN_WRITE_H

#include "eval/explain_job.h"
#include "eval/opinions.h"

/* What all images share; borrowed. */
struct explain_output {
    const char *folder;
    const struct predictor *p;
    const struct adviser *adviser; /* NULL: no classifier was asked */
    const char *thresholds;        /* where the map's band comes from; NULL: no verdict */
};

/* One image; borrowed. */
struct explain_source {
    const struct explain_file *file;
    const struct image *image; /* as it was read */
    const char *sha256;
    const struct prep_plan *plan;
    const float *map;
    const struct explanation *what;
    const struct opinions_case *opinions; /* with an adviser */
};

/* STEM-mask.png, STEM-overlay.png, with an adviser STEM-crop-N.png, and STEM.json. */
bool explain_write(const struct explain_output *o, const struct explain_source *s, struct err *err);

/* summary.csv of the files that are done. */
bool explain_write_summary(const struct explain_results *r, const char *folder, struct err *err);

#endif
