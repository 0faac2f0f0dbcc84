#include "eval/froc.h"

#include "base/mem.h"
#include "image/regions.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct froc_event {
    double confidence;
    size_t image;
    bool wrong; /* a false mark; else a lesion found */
};

static bool find_regions(struct regions *out, const void *pixels, enum image_type type, int size,
                         struct err *err)
{
    struct image im = IMAGE_INIT;
    bool ok = image_new(&im, size, size, 1, type, err);

    if (ok) {
        memcpy(im.data, pixels, image_bytes(&im));
        ok = regions_find(out, &im, type == IMAGE_F32 ? (float)FROC_CUT : 0, err);
    }
    image_release(&im);
    return ok;
}

/* both[mark * lesions + lesion]: pixels of the intersection. */
static size_t *intersections(const struct regions *mark, const struct regions *lesion)
{
    size_t *both = mem_new(mark->count * lesion->count + 1, sizeof *both);

    for (size_t i = 0; i < (size_t)mark->width * (size_t)mark->height; i++)
        if (mark->label[i] > 0 && lesion->label[i] > 0)
            both[(size_t)(mark->label[i] - 1) * lesion->count + (size_t)(lesion->label[i] - 1)]++;
    return both;
}

static void match(struct marks *out, const struct regions *mark, const struct regions *lesion)
{
    size_t *both = intersections(mark, lesion);

    *out = (struct marks){mem_new(lesion->count + 1, sizeof(double)), lesion->count,
                          mem_new(mark->count + 1, sizeof(double)), 0};
    for (size_t l = 0; l < lesion->count; l++)
        out->lesion[l] = -INFINITY;
    for (size_t m = 0; m < mark->count; m++) {
        bool finds = false;
        for (size_t l = 0; l < lesion->count; l++) {
            const size_t common = both[m * lesion->count + l];
            const double either = (double)(mark->region[m].area + lesion->region[l].area - common);
            if ((double)common < FROC_OVERLAP * either)
                continue;
            finds = true;
            out->lesion[l] = fmax(out->lesion[l], mark->region[m].sum);
        }
        if (!finds)
            out->wrong[out->wrongs++] = mark->region[m].sum;
    }
    free(both);
}

bool marks_find(struct marks *out, const float *map, const uint8_t *truth, int size, struct err *err)
{
    struct regions mark = REGIONS_INIT, lesion = REGIONS_INIT;
    const bool ok =
        find_regions(&mark, map, IMAGE_F32, size, err) && find_regions(&lesion, truth, IMAGE_U8, size, err);

    if (ok) {
        marks_release(out);
        match(out, &mark, &lesion);
    }
    regions_release(&mark);
    regions_release(&lesion);
    return ok;
}

void marks_release(struct marks *m)
{
    free(m->lesion);
    free(m->wrong);
    *m = (struct marks)MARKS_INIT;
}

static int by_confidence(const void *left, const void *right)
{
    const struct froc_event *a = left, *b = right;

    if (a->confidence != b->confidence)
        return a->confidence > b->confidence ? -1 : 1;
    return a->image != b->image ? (a->image < b->image ? -1 : 1) : a->wrong - b->wrong;
}

void froc_make(struct froc *out, const struct marks *marks, size_t images)
{
    size_t n = 0;

    for (size_t i = 0; i < images; i++)
        n += marks[i].lesions + marks[i].wrongs;
    *out = (struct froc){mem_new(n + 1, sizeof *out->event), 0, images,
                         mem_new(images + 1, sizeof *out->lesions)};
    for (size_t i = 0; i < images; i++) {
        out->lesions[i] = marks[i].lesions;
        for (size_t k = 0; k < marks[i].lesions; k++)
            if (marks[i].lesion[k] > -INFINITY)
                out->event[out->events++] = (struct froc_event){marks[i].lesion[k], i, false};
        for (size_t k = 0; k < marks[i].wrongs; k++)
            out->event[out->events++] = (struct froc_event){marks[i].wrong[k], i, true};
    }
    if (out->events > 1)
        qsort(out->event, out->events, sizeof *out->event, by_confidence);
}

void froc_release(struct froc *f)
{
    free(f->event);
    free(f->lesions);
    *f = (struct froc){NULL, 0, 0, NULL};
}

struct froc_count froc_count(const struct froc *f)
{
    struct froc_count c = {0, 0, 0};

    for (size_t i = 0; i < f->images; i++)
        c.lesions += f->lesions[i];
    for (size_t k = 0; k < f->events; k++) {
        c.wrong += f->event[k].wrong;
        c.found += !f->event[k].wrong;
    }
    return c;
}

/* Adds the events that share one confidence; returns the index after them. */
static size_t add_ties(const struct froc *f, const unsigned *weight, size_t k, double n[2])
{
    const double confidence = f->event[k].confidence;

    for (; k < f->events && f->event[k].confidence == confidence; k++)
        n[f->event[k].wrong] += weight ? weight[f->event[k].image] : 1;
    return k;
}

struct froc_point *froc_curve(const struct froc *f, size_t *count)
{
    const double lesions = (double)froc_count(f).lesions, images = (double)f->images;
    double n[2] = {0, 0};

    *count = 0;
    if (lesions < 1)
        return NULL;
    struct froc_point *p = mem_new(f->events + 1, sizeof *p);
    p[(*count)++] = (struct froc_point){0, 0, INFINITY};
    for (size_t k = 0; k < f->events;) {
        const double confidence = f->event[k].confidence;
        k = add_ties(f, NULL, k, n);
        p[(*count)++] = (struct froc_point){n[1] / images, n[0] / lesions, confidence};
    }
    return p;
}

double froc_sensitivity(const void *at, const unsigned *weight)
{
    const struct froc_at *a = at;
    const struct froc *f = a->froc;
    double images = 0, lesions = 0, n[2] = {0, 0}, found = 0;

    for (size_t i = 0; i < f->images; i++) {
        const double times = weight ? weight[i] : 1;
        images += times;
        lesions += times * (double)f->lesions[i];
    }
    if (lesions <= 0)
        return NAN;
    for (size_t k = 0; k < f->events;) {
        k = add_ties(f, weight, k, n);
        if (n[1] > a->false_per_image * images)
            break;
        found = n[0];
    }
    return found / lesions;
}
