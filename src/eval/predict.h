/* eval/predict.h: a trained run as something that turns prepared squares into maps, or, a classifier's, into
 * probabilities and where they come from. */
#ifndef CLEARMASS_EVAL_PREDICT_H
#define CLEARMASS_EVAL_PREDICT_H

#include "base/json.h"
#include "eval/cam.h"
#include "nn/exec.h"
#include "run/run.h"

#define EVAL_PROGRAM "clearmass " CLEARMASS_VERSION
#define EVAL_DISCLAIMER                                                                                      \
    "Research software, not a medical device. Not for diagnosis or any other clinical use."

struct predictor {
    struct run run;
    struct nn_graph graph; /* a classifier's ends with its last activation */
    struct nn_exec exec;
    struct nn_shape
        output;           /* [1, size, size]: the map, or [features, h, w]: a classifier's last activation */
    struct cam_head head; /* of a classifier; its numbers are owned */
    int batch;
    float *input;                          /* [batch, channels, size, size] */
    int epoch;                             /* of the weights, from 1; 0 when unknown */
    char weights_sha256[FILE_SHA256_TEXT]; /* of best.safetensors */
};

#define PREDICTOR_INIT                                                                                       \
    {                                                                                                        \
        .run = RUN_INIT, .graph = NN_GRAPH_INIT, .exec = NN_EXEC_INIT                                        \
    }

struct predictor_options {
    int batch;                        /* images a pass of the network; 0 means 16 */
    const struct nn_backend *backend; /* NULL means nn_backend_onednn */
};

/* Reads the description of a run: out->run. Fails with one line on a folder that is no run. */
bool predictor_open(struct predictor *out, const char *run_folder, struct err *err);
/* Then its best weights, and compiles the network; once, and p must stay where it is from then on. Fails
 * where no epoch is finished and on a network that is no classifier and has no map of its input's size as
 * output. */
bool predictor_load(struct predictor *p, const struct predictor_options *o, struct err *err);
/* Harmless on PREDICTOR_INIT and after any failure. */
void predictor_close(struct predictor *p);

/* Pixels of a square and of a map: size * size. */
size_t predictor_pixels(const struct predictor *p);

/* squares [n, size, size] as prep_image makes them -> maps [n, size, size], numbers in 0..1. n may be any; a
 * last batch that is not full is filled with black. Fails when the network gives something that is no number.
 * Not of a classifier (asserted). */
bool predictor_run(struct predictor *p, const uint16_t *squares, size_t n, float *maps, struct err *err);

/* The same by a classifier (asserted): malignant[n], the probability of that class by the softmax, and
 * cams [n, output.h, output.w], the Grad-CAM of malignant (cam.h). */
bool predictor_judge(struct predictor *p, const uint16_t *squares, size_t n, double *malignant, float *cams,
                     struct err *err);

/* The score: the sum of a map in double, so that the smallest values count. */
double map_score(const float *map, size_t n);

/* A JSON string of any bytes: those above 127 become '?' where they are no UTF-8. A new reference. */
json_t *json_text(const char *text);

/* {"path", "task", "model", "epoch", "weights_sha256"}: a new reference. */
json_t *predictor_json(const struct predictor *p);

#endif
