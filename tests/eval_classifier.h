/* tests/eval_classifier.h: a classifier whose answer is known: of a square of 64 x 64 it sees the four pixels
 * (0 or 32, 0 or 32), and k bright ones of them give malignant the logit 5 k - 9. Its last activation is
 * those four, so that is its Grad-CAM too. */
#ifndef TESTS_EVAL_CLASSIFIER_H
#define TESTS_EVAL_CLASSIFIER_H

#include "eval_help.h"

enum { CROP_SIZE = 64 };

/* Channel 0 is handed on by the first convolution's centre and every shortcut; all other paths are zero. */
static inline float *corner_values(const struct nn_graph *g)
{
    static const char *const PASS[] = {"res2a_branch1", "res3a_branch1", "res4a_branch1", "res5a_branch1"};
    const float norm = sqrtf(1.001f); /* undoes a batch norm's division by sqrt(1 + epsilon) */
    const float below = 1e-3f;        /* how far black lies below 0, so that no rounding lifts it above */
    float *v = mem_new(g->n_values, sizeof *v);
    char name[64];

    for (int i = 0; i < g->n_slots; i++)
        if (g->slot[i].role == NN_GAMMA || g->slot[i].role == NN_VARIANCE)
            for (size_t k = 0; k < g->slot[i].count; k++)
                v[g->slot[i].offset + k] = 1;
    *slot_at(g, v, "conv1/kernel", 3 * 7 + 3) = (norm + below) / 255;
    /* undoes the mean of the first channel */
    *slot_at(g, v, "conv1/bias", 0) = 103.939f * (norm + below) / 255 - below;
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%s/kernel", PASS[i]);
        *slot_at(g, v, name, 0) = norm;
    }
    *slot_at(g, v, "fc2/kernel", 2048) = 20;
    *slot_at(g, v, "fc2/bias", 1) = -9;
    return v;
}

/* What k bright corners give. */
static inline double corner_probability(int k)
{
    return 1 / (1 + exp(9. - 5 * k));
}

static const struct model_told CLASSIFIER = {&model_resnet50, {3, CROP_SIZE, CROP_SIZE}, {.classes = 2}};

/* Like write_run, with the same split; no weights. */
static inline void write_run_of_classifier(const char *folder, const char *data)
{
    struct err err = ERR_INIT;

    write_run(folder, "classify", "stretch", data);
    json_t *run = json_file_read(under(folder, "run.json"), &err);
    model_tell(run, &CLASSIFIER);
    json_object_set_new(run, "input",
                        json_pack("{s:i, s:i, s:s, s:b, s:s}", "size", CROP_SIZE, "channels", 3, "fit",
                                  "stretch", "breast_crop", 0, "preprocessing", "caffe"));
    must(json_file_write(under(folder, "run.json"), run, &err), err);
    json_decref(run);
}

static inline void write_classifier(const char *folder, const char *data)
{
    struct nn_graph g = NN_GRAPH_INIT;
    struct err err = ERR_INIT;
    json_t *meta = json_pack("{s:i}", "epoch", 3);

    write_run_of_classifier(folder, data);
    nn_threads(1);
    model_build(CLASSIFIER.model, &g, CLASSIFIER.input, &CLASSIFIER.options);
    float *v = corner_values(&g);
    model_tell(meta, &CLASSIFIER);
    must(checkpoint_write(under(folder, "best.safetensors"), &g, v, NULL, 0, meta, &err), err);
    json_decref(meta);
    free(v);
    nn_graph_release(&g);
}

#endif
