/* eval/cases.h: every item of an evaluation, read, predicted and measured. An item is an image, or, for a
 * classifier, a crop. */
#ifndef CLEARMASS_EVAL_CASES_H
#define CLEARMASS_EVAL_CASES_H

#include "data/crops.h"
#include "eval/explain.h"
#include "eval/froc.h"
#include "eval/overlap.h"
#include "eval/predict.h"

struct eval_case {
    const char *id;                /* of the item; borrowed, as the next ones are */
    const struct data_item *item;  /* the image, or the one the crop was cut from */
    enum data_label label;         /* of the item */
    const char *part;              /* "train", "validation", "test" or "external" */
    size_t crop;                   /* index in the crops, for a classifier */
    const char *crop_path;         /* relative to the data set; NULL for an image */
    bool read;                     /* false: error says why, and the numbers below mean nothing */
    double score;                  /* sum of the map, or the probability of malignant */
    struct overlap_counts overlap; /* of a map, against the true mask, at the network's size */
    struct marks marks;            /* owned: marks and lesions of a map; of a run that judges, only malignant
                                      images have lesions */
    bool has_roi;                  /* the lesion's place in the crop is known */
    struct cam_agreement cam;      /* then: of a classifier's Grad-CAM */
    struct opinions opinions;      /* of two networks, where two were asked */
    int regions;                   /* that the map shows (explain.h) */
    struct explain_region *region; /* [regions], owned: of a map; without verdicts. NULL for two networks */
    double rest_score;             /* then: what lies outside of them */
    char error[256];
};

struct cases {
    struct eval_case *of; /* [count] */
    size_t count;
};

#define CASES_INIT                                                                                           \
    {                                                                                                        \
        NULL, 0                                                                                              \
    }

void cases_release(struct cases *c);

/* Fills every case and writes FOLDER/ID.png, the map in the original image's own pixels, 8 bits. A few images
 * are in memory at a time. A file that cannot be read, or is not the one the manifest names, is noted in its
 * case and told on the log; the call fails when a mask cannot be written, when the network gives no numbers,
 * and when a stop is requested. */
bool cases_predict(struct cases *c, struct predictor *p, const struct manifest *m, const char *folder,
                   struct err *err);

/* The same for the crops of a classifier; FOLDER/cam/ID.png is the Grad-CAM in the crop's own pixels, 255 at
 * its own largest value, FOLDER/roi/ID.png the lesion in the crop, where its place is known. */
bool cases_judge(struct cases *c, struct predictor *p, const struct crops *crops, const char *folder,
                 struct err *err);

/* A map over an image's own pixels: U8, 255 where the map is 1. */
bool map_image(struct image *out, const struct prep_plan *plan, const float *map, struct err *err);

/* Calls step for at most at_a_time cases after each other, showing progress. Fails where step does, and with
 * ERR_CANCELLED when a stop is requested. */
struct cases_walk {
    size_t at_a_time;
    bool (*step)(void *context, struct eval_case *of, size_t n, struct err *err);
    void *context;
};
bool cases_each(struct cases *c, const struct cases_walk *walk, struct err *err);
/* Tells on the log which of n cases could not be read. */
void cases_tell_unread(const struct eval_case *of, size_t n);

#endif
