/* tests/eval_help.h: a run whose network is known: its map is sigmoid(1000 x - 500) of the pixel x in 0..1,
 * so a mask is what is bright in the image, and the score counts those pixels. And a data set of bright
 * boxes. */
#ifndef TESTS_EVAL_HELP_H
#define TESTS_EVAL_HELP_H

#include "data_help.h"

#include "base/json.h"
#include "data/dataset.h"
#include "data/split.h"
#include "model/checkpoint.h"
#include "nn/exec.h"
#include "run/run.h"

#include <math.h>

enum { SIZE = 32, LAST_SKIP = 64 }; /* of up_conv_224_1's inputs, the first that comes over the skip */

/* Like in(), for many more names at a time. */
static inline const char *under(const char *folder, const char *name)
{
    static char path[256][512];
    static int next;

    return strcpy(path[next++ % 256], in(folder, name));
}

static inline float *slot_at(const struct nn_graph *g, float *values, const char *name, size_t index)
{
    const struct nn_slot *s = nn_graph_slot(g, name);

    if (!s || index >= s->count)
        fail_msg("no %s[%zu]", name, index);
    return values + s->offset + index;
}

/* Everything is zero but one path, over the uppermost skip, that hands one channel on. */
static inline float *bright_values(const struct nn_graph *g)
{
    static const char *const PASS[] = {"conv_224_1", "conv_224_2", "up_conv_224_1", "up_conv_224_2"};
    const float norm = sqrtf(1.001f); /* undoes a batch norm's division by sqrt(1 + epsilon) */
    float *v = mem_new(g->n_values, sizeof *v);
    char name[64];

    for (int i = 0; i < g->n_slots; i++)
        if (g->slot[i].role == NN_GAMMA || g->slot[i].role == NN_VARIANCE)
            for (size_t k = 0; k < g->slot[i].count; k++)
                v[g->slot[i].offset + k] = 1;
    for (int i = 0; i < 4; i++) {
        snprintf(name, sizeof name, "%s/kernel", PASS[i]);
        /* filter 0, its centre */
        *slot_at(g, v, name, (i == 2 ? LAST_SKIP : 0) * 9 + 4) = norm;
    }
    *slot_at(g, v, "conv_224_1/bias", 0) = .5f * norm; /* input x * 255 / 256 - .5 becomes x * 255 / 256 */
    *slot_at(g, v, "mask/kernel", 0) = 1000 * 256 / 255.f;
    *slot_at(g, v, "mask/bias", 0) = -500;
    return v;
}

static inline void write_weights(const char *path, float *(*make)(const struct nn_graph *))
{
    struct nn_graph g = NN_GRAPH_INIT;
    struct err err = ERR_INIT;
    nn_threads(1); /* tests run beside others: no waiting for a core */
    json_t *meta = json_pack("{s:s, s:i}", "model", "unet", "epoch", 7);

    model_find("unet")->build(&g, (struct nn_shape){3, SIZE, SIZE});
    float *v = make(&g);
    must(checkpoint_write(path, &g, v, NULL, 0, meta, &err), err);
    json_decref(meta);
    free(v);
    nn_graph_release(&g);
}

/* run.json and split.csv; every third patient of the data set validates. data may be NULL. */
static inline void write_run(const char *folder, const char *task, const char *fit, const char *data)
{
    struct manifest m = MANIFEST_INIT;
    struct err err = ERR_INIT;
    char split_sha[FILE_SHA256_TEXT] = "";

    file_make_folders(folder, NULL);
    if (data) {
        must(manifest_read(&m, data, &err), err);
        struct split s = {mem_new(m.count, sizeof *s.part), m.count};
        for (size_t i = 0; i < m.count; i++)
            s.part[i] = m.item[i].part == PART_TEST            ? PART_TEST
                        : atoi(m.item[i].patient + 1) % 3 == 0 ? PART_TRAIN
                                                               : PART_VALIDATION;
        must(split_write(&s, &m, under(folder, "split.csv"), split_sha, &err), err);
        split_release(&s);
    }
    json_t *json = json_pack("{s:s, s:s, s:s, s:{s:i, s:i, s:s, s:b}, s:{s:s, s:s, s:s}, s:{s:i}}", "format",
                             "clearmass-run-1", "task", task, "model", "unet", "input", "size", SIZE,
                             "channels", 3, "fit", fit, "breast_crop", 0, "data", "path", data ? data : "",
                             "manifest_sha256", m.sha256, "split_sha256", split_sha, "train", "batch", 4);
    must(json_file_write(under(folder, "run.json"), json, &err), err);
    json_decref(json);
    manifest_release(&m);
}

/* The value at keys joined by dots, numbers indexing arrays. */
static inline const json_t *at(const json_t *json, const char *keys)
{
    char text[128], *rest = text;

    snprintf(text, sizeof text, "%s", keys);
    for (char *key; json && (key = strsep(&rest, "."));)
        json = json_is_array(json) ? json_array_get(json, (size_t)atoi(key)) : json_object_get(json, key);
    if (!json)
        fail_msg("no %s", keys);
    return json;
}

static inline void expect(const json_t *json, const char *keys, double value, double tolerance)
{
    const double v = json_number_value(at(json, keys));

    if (!json_is_number(at(json, keys)) || !(fabs(v - value) <= tolerance))
        fail_msg("%s is %.17g instead of %.17g", keys, v, value);
}

static inline void expect_text(const json_t *json, const char *keys, const char *text)
{
    assert_string_equal(json_string_value(at(json, keys)), text);
}

/* One image of the data set: a bright box, and a mask that may be another box. */
struct boxed {
    const char *id, *patient;
    enum data_label label;
    enum data_part part;
    struct image_box bright, mask; /* x1 == 0: none */
};

enum { WIDTH = 128, HEIGHT = 64 }; /* 4 x 2 pixels of an image are one of the square */

static inline void write_data(const char *folder, const struct boxed *b, size_t n)
{
    const struct dataset_options options = {.command = "test", .margin = .1};
    const struct dataset_source source = {.kind = "image", .path = "made"};
    struct err err = ERR_INIT;
    struct dataset *d = dataset_begin(folder, &options, &err);

    if (!d)
        fail_msg("%s", err.text);
    for (size_t i = 0; i < n; i++) {
        struct image grey = flat(WIDTH, HEIGHT, IMAGE_U16, 0), mask = flat(WIDTH, HEIGHT, IMAGE_U8, 0);
        paint(&grey, b[i].bright, 65535);
        paint(&mask, b[i].mask, 255);
        const struct dataset_case c = {.id = b[i].id,
                                       .patient = b[i].patient,
                                       .part = b[i].part,
                                       .label = b[i].label,
                                       .grey = &grey,
                                       .mask = &mask,
                                       .source = &source,
                                       .source_count = 1};
        must(dataset_add(d, &c, &err), err);
        image_release(&grey);
        image_release(&mask);
    }
    must(dataset_finish(d, &err), err);
    dataset_close(d);
}

#endif
