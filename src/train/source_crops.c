/* Crops: all in memory, prepared once. */
#include "train/source.h"

#include "base/mem.h"
#include "data/loader.h"

#include <stdlib.h>
#include <string.h>

enum { CLASSES = 2 }; /* benign, malignant */

struct crop_source {
    struct loader train, validation;
    struct augment augment;
    uint64_t seed;
    int channels;
    float learnt[CLASSES][CLASSES]; /* the truth of a class in SOURCE_LEARN */
};

static const struct crop *crop_of(const struct loader *l, size_t index)
{
    return &l->crops->crop[l->item[index]];
}

static int class_of(const struct crop *c)
{
    return c->label == LABEL_MALIGNANT;
}

static void fill(void *self, const struct source_batch *b, float *input, float *truth)
{
    static const float PLAIN[CLASSES][CLASSES] = {{1, 0}, {0, 1}};
    const struct crop_source *c = self;
    const struct loader *l = b->pass == SOURCE_VALIDATE ? &c->validation : &c->train;
    const struct loader_batch batch = {.index = b->index,
                                       .n = b->n,
                                       .channels = c->channels,
                                       .how = b->pass == SOURCE_LEARN ? &c->augment : NULL,
                                       .seed = c->seed,
                                       .epoch = b->epoch};

    if (input)
        loader_fill(l, &batch, input, NULL);
    for (size_t i = 0; i < b->n; i++) {
        int class = class_of(crop_of(l, b->index[i]));
        memcpy(truth + i * CLASSES, b->pass == SOURCE_LEARN ? c->learnt[class] : PLAIN[class],
               sizeof PLAIN[class]);
    }
}

static struct source_item item(void *self, size_t index)
{
    const struct crop_source *c = self;
    const struct loader *l = &c->validation;
    const struct crop *crop = crop_of(l, index);

    return (struct source_item){.id = crop->id,
                                .label = data_label_name(crop->label),
                                .patient = l->crops->manifest->item[crop->image].patient,
                                .malignant = crop->label == LABEL_MALIGNANT,
                                .region = true};
}

static const uint16_t *square(void *self, size_t index)
{
    const struct crop_source *c = self;
    return c->validation.image + index * (size_t)c->validation.prep.size * (size_t)c->validation.prep.size;
}

static void release(void *self)
{
    struct crop_source *c = self;

    loader_close(&c->train);
    loader_close(&c->validation);
    free(c);
}

static bool open_part(struct loader *l, const struct source_crops *how, enum data_part part, struct err *err)
{
    const struct crops *c = how->crops;
    size_t *at = mem_new(c->count + 1, sizeof *at), n = 0;

    for (size_t i = 0; i < c->count; i++)
        if (how->split->part[c->crop[i].image] == part)
            at[n++] = i;
    bool ok = n > 0 ? loader_open_crops(l, c, &how->prep, at, n, err)
                    : err_set(err, ERR_INPUT, "%s: no crop in the %s part", c->manifest->folder,
                              part == PART_TRAIN ? "training" : "validation");
    free(at);
    return ok;
}

static bool weigh(struct crop_source *c, const struct source_crops *how, struct err *err)
{
    size_t n[CLASSES] = {0, 0};

    for (size_t i = 0; i < c->train.count; i++)
        n[class_of(crop_of(&c->train, i))]++;
    for (int class = 0; class < CLASSES; class ++) {
        if (n[class] == 0)
            return err_set(err, ERR_INPUT, "%s: no %s crop in the training part",
                           how->crops->manifest->folder,
                           data_label_name(class ? LABEL_MALIGNANT : LABEL_BENIGN));
        double weight = how->balanced ? (double)c->train.count / (CLASSES * (double)n[class]) : 1;
        for (int k = 0; k < CLASSES; k++)
            c->learnt[class][k] =
                (float)(weight * ((k == class ? 1 - how->smoothing : 0) + how->smoothing / CLASSES));
    }
    return true;
}

bool source_open_crops(struct source *out, const struct source_crops *how, struct err *err)
{
    struct crop_source *c = mem_new(1, sizeof *c);

    *c = (struct crop_source){.train = LOADER_INIT,
                              .validation = LOADER_INIT,
                              .augment = how->augment,
                              .seed = how->seed,
                              .channels = how->channels};
    if (!open_part(&c->train, how, PART_TRAIN, err) ||
        !open_part(&c->validation, how, PART_VALIDATION, err) || !weigh(c, how, err)) {
        release(c);
        return false;
    }
    *out = (struct source){.n_train = c->train.count,
                           .n_validation = c->validation.count,
                           .channels = how->channels,
                           .size = how->prep.size,
                           .classes = CLASSES,
                           .self = c,
                           .fill = fill,
                           .item = item,
                           .square = square,
                           .free = release};
    return true;
}
