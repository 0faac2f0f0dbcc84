/* eval/explain.h: what a map says about one image: a verdict, and the places it comes from. */
#ifndef CLEARMASS_EVAL_EXPLAIN_H
#define CLEARMASS_EVAL_EXPLAIN_H

#include "base/json.h"
#include "data/prep.h"
#include "eval/confusion.h"

/* A map whose brightest pixel is darker than this shows no place. */
#define EXPLAIN_FAINTEST .001f
/* Regions that hold less than this share of the score are left in the rest. */
#define EXPLAIN_SMALLEST_SHARE .01

enum { EXPLAIN_REGIONS = 9 }; /* at most: the ones with the largest score */

/* How two opinions on an image stand to each other (opinions.h). */
enum accord {
    ACCORD_AGREE,  /* both answer, and the same */
    ACCORD_DIFFER, /* one says benign, the other malignant */
    ACCORD_UNSURE, /* one or both are uncertain themselves */
    ACCORD_ALONE,  /* the map shows no region: there was nothing for the classifier to judge */
    ACCORD_COUNT
};

struct opinions {
    enum answer map, classifier, together; /* classifier means nothing with ACCORD_ALONE */
    enum accord accord;
    int region;       /* the most suspicious one, by index; -1 with ACCORD_ALONE */
    double malignant; /* the classifier's probability there; NAN with ACCORD_ALONE */
};

struct explain_region {
    struct image_box box; /* in the image's own pixels, whole pixels that the region touches */
    double area_pixels;   /* in the image's own pixels, from the area in the map */
    double area_share;    /* of the image */
    double score;         /* sum of the map inside */
    double score_share;   /* of the score */
    float peak;           /* largest value inside */
    double score_without; /* what the score would be without this region: exact, as the score is a sum */
    enum answer without;  /* the map's verdict on that, when judged */
    /* of a classifier that was asked */
    struct image_box crop; /* what it saw */
    double malignant;      /* its probability */
    enum answer answer;
};

struct explanation {
    bool judged; /* false: the run's score is no opinion on malignancy; verdict and band mean nothing */
    bool asked;  /* a classifier was asked too */
    struct opinions opinions; /* when asked */
    enum answer verdict;      /* of the map, or, when asked, of both */
    struct band band;
    double score;             /* sum of the whole map */
    double rest_score;        /* of what lies outside every region: score = rest + regions */
    enum answer rest_verdict; /* the map's verdict on the rest alone, when judged */
    float peak;               /* of the map, where it shows the image */
    float cut;                /* regions are what lies above; 0 when there are none */
    struct explain_region region[EXPLAIN_REGIONS]; /* largest score first */
    int count;
};

/* map [size, size] of the plan; band NULL: no verdict. Regions are connected (by sides or corners) pixels
 * above min(.5, peak / 2), so a faint map still shows where it is least faint. What the map holds in the
 * black border of a padded square belongs to the rest. Fails with ERR_LIMIT only. */
bool explain_map(struct explanation *out, const float *map, const struct prep_plan *plan,
                 const struct band *band, struct err *err);

/* "benign", "uncertain", "malignant", or "none" without a judgement. */
const char *explanation_verdict(const struct explanation *x);

/* Sets verdict, score, low, high, cut, peak, regions, rest_score, rest_share, rest_verdict, and opinions when
 * asked. */
void explanation_json(json_t *json, const struct explanation *x);

#endif
