/* eval/measures.h: what an evaluation says beyond one AUC and one pair of thresholds, for result.json
 * (doc/formats.md): precision and recall, calibration, risk against coverage, levels, strata, FROC. */
#ifndef CLEARMASS_EVAL_MEASURES_H
#define CLEARMASS_EVAL_MEASURES_H

#include "eval/calibrate.h"
#include "eval/froc.h"
#include "eval/rows.h"

#include <stdint.h>

/* Curves in JSON have at most about this many points; longer ones are thinned evenly, ends kept. */
enum { MEASURES_POINTS = 2000, MEASURES_DRAWS = 2000 };

/* A stratum or level is called small below so many cases, or so many of either class. */
enum { MEASURES_FEW_CASES = 30, MEASURES_FEW_OF_A_CLASS = 10 };

struct measures {
    const struct eval_rows *rows;
    bool crops;                                  /* rows are crops, not images */
    bool judged;                                 /* the score is an opinion on malignancy */
    bool malignant_lesions;                      /* lesions and Dice are those of malignant images alone */
    const struct marks *marks;                   /* [rows->count]; NULL: no masks */
    const struct band *band;                     /* the one in force; NULL: none */
    const struct score_calibration *calibration; /* NULL: none */
    bool same_images;                            /* it was made on these very images */
    uint64_t seed;
};

/* Sets "precision_recall", "calibration", "risk_coverage", "levels", "strata" and "froc" in json; null where
 * there is nothing to say. */
void measures_set(json_t *json, const struct measures *m);

/* [[x, y, threshold], ...] of count points by point(context, i, xyz); an infinite number is null. */
json_t *measures_curve(size_t count, void (*point)(const void *context, size_t i, double xyz[3]),
                       const void *context);

#endif
