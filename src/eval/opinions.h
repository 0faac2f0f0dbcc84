/* eval/opinions.h: two opinions on one image: the map of a network that saw the whole image, and a classifier
 * that judges crops around the regions the map shows.
 *
 *     explain_map -> opinions_ask -> what->verdict is that of both
 *
 * The classifier's answer on an image is that on its most suspicious region. Together they answer only where
 * both give the same answer; where they differ, or one is uncertain itself, the image is uncertain. Where the
 * map shows no region there is nothing for the classifier to judge, and the map's answer stands alone. */
#ifndef CLEARMASS_EVAL_OPINIONS_H
#define CLEARMASS_EVAL_OPINIONS_H

#include "eval/explain.h"
#include "eval/predict.h"
#include "eval/thresholds.h"

struct opinions opinions_join(enum answer map, const double *malignant, int regions, struct band band);

/* "agree", "differ", "unsure", "no region" */
const char *accord_name(enum accord a);
/* Why the verdict is what it is, as half a sentence. */
enum { OPINIONS_WHY = 160 };
void opinions_why(const struct opinions *o, char text[OPINIONS_WHY]);

/* A classifier that is asked. */
struct adviser {
    struct predictor predictor;
    struct band band;
    char thresholds[THRESHOLDS_TEXT]; /* where the band comes from */
    double margin; /* around a region's box, a share of its larger side: as in the data set the classifier
                      learned from, or, where that is not at hand, the usual one */
};

#define ADVISER_INIT                                                                                         \
    {                                                                                                        \
        .predictor = PREDICTOR_INIT                                                                          \
    }

/* Reads the run's description; fails with one line on a run that is no classifier's. */
bool adviser_open(struct adviser *a, const char *run_folder, struct err *err);
/* Then its weights and thresholds; once, and a must stay where it is from then on. */
bool adviser_load(struct adviser *a, const struct predictor_options *o, struct err *err);
/* Harmless on ADVISER_INIT and after a failure. */
void adviser_close(struct adviser *a);
/* predictor_json with "low", "high", "thresholds" and "margin". */
json_t *adviser_json(const struct adviser *a);

/* One image that is asked about. */
struct opinions_case {
    struct explanation *what;               /* judged, by explain_map; NULL: passed over */
    const struct image *grey;               /* the image, U16 grey; its own pixels are those of the regions */
    struct prep_plan plan[EXPLAIN_REGIONS]; /* out: of each region's crop */
    float *cam; /* out: [regions, h, w] of the adviser's output, the Grad-CAM of each crop; free() it */
};

/* Judges every region of n images: crop, malignant and answer of the regions, opinions and verdict of what.
 * On failure what is as it was. */
bool opinions_ask(struct adviser *a, struct opinions_case *of, size_t n, struct err *err);

#endif
