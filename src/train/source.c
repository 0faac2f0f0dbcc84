#include "train/source.h"

#include "base/log.h"
#include "base/mem.h"
#include "data/loader.h"
#include "train/ellipses.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t source_input_size(const struct source *s)
{
    return (size_t)s->channels * (size_t)s->size * (size_t)s->size;
}

size_t source_truth_size(const struct source *s)
{
    return s->classes ? (size_t)s->classes : (size_t)s->size * (size_t)s->size;
}

void source_close(struct source *s)
{
    if (s->free)
        s->free(s->self);
    *s = (struct source)SOURCE_INIT;
}

/* A data set: all images in memory, prepared once. */
struct data_source {
    struct loader train, validation;
    struct augment augment;
    uint64_t seed;
    int channels;
    bool black_box;
};

static const struct data_item *item_of(const struct loader *l, size_t index)
{
    return &l->manifest->item[l->item[index]];
}

static void data_fill(void *self, const struct source_batch *b, float *input, float *truth)
{
    const struct data_source *d = self;
    const struct loader *l = b->pass == SOURCE_VALIDATE ? &d->validation : &d->train;
    const struct loader_batch batch = {.index = b->index,
                                       .n = b->n,
                                       .channels = d->channels,
                                       .how = b->pass == SOURCE_LEARN ? &d->augment : NULL,
                                       .seed = d->seed,
                                       .epoch = b->epoch};
    size_t pixels = (size_t)l->prep.size * (size_t)l->prep.size;

    loader_fill(l, &batch, input, truth);
    for (size_t i = 0; d->black_box && i < b->n; i++) {
        if (item_of(l, b->index[i])->label != LABEL_MALIGNANT)
            memset(truth + i * pixels, 0, pixels * sizeof *truth);
    }
}

static struct source_item data_item(void *self, size_t index)
{
    const struct data_source *d = self;
    const struct data_item *item = item_of(&d->validation, index);
    size_t pixels = (size_t)d->validation.prep.size * (size_t)d->validation.prep.size;

    return (struct source_item){.id = item->id,
                                .label = data_label_name(item->label),
                                .patient = item->patient,
                                .malignant = item->label == LABEL_MALIGNANT,
                                .region = memchr(d->validation.mask + index * pixels, 255, pixels) != NULL};
}

static void data_free(void *self)
{
    struct data_source *d = self;

    loader_close(&d->train);
    loader_close(&d->validation);
    free(d);
}

/* A lesion that nobody outlined would be taught as healthy tissue; a benign one is black to the black box
 * anyway. */
static bool teaches_wrong(const struct data_item *item, bool black_box)
{
    return !*item->mask && (item->label == LABEL_MALIGNANT || (item->label == LABEL_BENIGN && !black_box));
}

static bool open_part(struct loader *l, const struct source_data *how, enum data_part part, struct err *err)
{
    size_t *item = mem_new(how->split->count + 1, sizeof *item), n = 0, left_out = 0;
    const char *what = part == PART_TRAIN ? "reading training images" : "reading validation images";

    for (size_t i = 0; i < how->split->count; i++) {
        if (how->split->part[i] != part)
            continue;
        if (part == PART_TRAIN && teaches_wrong(&how->manifest->item[i], how->black_box))
            left_out++;
        else
            item[n++] = i;
    }
    if (left_out)
        log_warn("%zu training image%s left out: a lesion by the label, but no mask of it", left_out,
                 left_out == 1 ? " is" : "s are");
    bool ok = loader_open(l, how->manifest, &how->prep, item, n, what, err);
    free(item);
    return ok;
}

bool source_open_data(struct source *out, const struct source_data *how, struct err *err)
{
    struct data_source *d = mem_new(1, sizeof *d);

    *d = (struct data_source){.train = LOADER_INIT,
                              .validation = LOADER_INIT,
                              .augment = how->augment,
                              .seed = how->seed,
                              .channels = how->channels,
                              .black_box = how->black_box};
    if (!open_part(&d->train, how, PART_TRAIN, err) ||
        !open_part(&d->validation, how, PART_VALIDATION, err)) {
        data_free(d);
        return false;
    }
    *out = (struct source){.n_train = d->train.count,
                           .n_validation = d->validation.count,
                           .channels = how->channels,
                           .size = how->prep.size,
                           .self = d,
                           .fill = data_fill,
                           .item = data_item,
                           .free = data_free};
    return true;
}

/* Ellipses: nothing is kept. Validation and batch norm draw from epochs no training ever reaches. */
enum { NAME_BYTES = 32 };
static const uint64_t PLAIN_EPOCH = UINT64_MAX, VALIDATION_EPOCH = UINT64_MAX - 1;

struct ellipse_source {
    struct source_ellipses how;
    char (*name)[NAME_BYTES]; /* [n_validation] */
};

static void ellipse_fill(void *self, const struct source_batch *b, float *input, float *truth)
{
    const struct ellipse_source *e = self;
    size_t pixels = (size_t)e->how.size * (size_t)e->how.size;
    uint64_t epoch = b->pass == SOURCE_LEARN   ? b->epoch
                     : b->pass == SOURCE_PLAIN ? PLAIN_EPOCH
                                               : VALIDATION_EPOCH;

    for (size_t i = 0; i < b->n; i++) {
        struct rng rng = rng_at(e->how.seed, RNG_ELLIPSE, epoch, b->index[i]);
        struct ellipse_image out = {input + i * pixels * (size_t)e->how.channels, truth + i * pixels};
        ellipse_draw(&out, e->how.size, e->how.channels, &rng);
    }
}

static struct source_item ellipse_item(void *self, size_t index)
{
    const struct ellipse_source *e = self;
    return (struct source_item){.id = e->name[index], .label = "", .region = true};
}

static void ellipse_free(void *self)
{
    struct ellipse_source *e = self;

    free(e->name);
    free(e);
}

void source_open_ellipses(struct source *out, const struct source_ellipses *how)
{
    struct ellipse_source *e = mem_new(1, sizeof *e);

    e->how = *how;
    e->name = mem_new(how->n_validation + 1, sizeof *e->name);
    for (size_t i = 0; i < how->n_validation; i++)
        snprintf(e->name[i], sizeof e->name[i], "ellipse-%zu", i + 1);
    *out = (struct source){.n_train = how->n_train,
                           .n_validation = how->n_validation,
                           .channels = how->channels,
                           .size = how->size,
                           .self = e,
                           .fill = ellipse_fill,
                           .item = ellipse_item,
                           .free = ellipse_free};
}
