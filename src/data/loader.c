#include "data/loader.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "image/tone.h"
#include "io/image_file.h"

#include <stdlib.h>

static size_t square_pixels(const struct loader *l)
{
    return (size_t)l->prep.size * (size_t)l->prep.size;
}

/* A path of the manifest, read; errors carry it. */
static bool read_part(struct image *out, const struct loader *l, const char *name, struct err *err)
{
    char *path = file_join(l->manifest->folder, name);
    bool ok = image_read(out, path, err);

    free(path);
    return ok;
}

static bool prepare_mask(struct loader *l, size_t i, const char *name, struct err *err)
{
    const struct prep_plan *plan = &l->plan[i];
    struct image mask = IMAGE_INIT;
    bool ok = read_part(&mask, l, name, err);

    if (ok && (mask.width != plan->width || mask.height != plan->height))
        ok = err_set(err, ERR_FORMAT, "%s: the mask is %d x %d, its image %d x %d", name, mask.width,
                     mask.height, plan->width, plan->height);
    if (ok && (mask.channels != 1 || mask.type != IMAGE_U8))
        ok = err_set(err, ERR_FORMAT, "%s: a mask is 8-bit grey", name);
    ok = ok && prep_mask(l->mask + i * square_pixels(l), plan, &mask, err);
    image_release(&mask);
    return ok;
}

static bool prepare(void *loader, size_t i, struct err *err)
{
    struct loader *l = loader;
    const struct data_item *item = l->crops ? NULL : &l->manifest->item[l->item[i]];
    struct image grey = IMAGE_INIT;
    bool ok = read_part(&grey, l, item ? item->image : l->crops->crop[l->item[i]].path, err) &&
              image_to_grey(&grey, &grey, err) && image_to_u16(&grey, &grey, err);

    if (ok)
        prep_plan_make(&l->plan[i], &l->prep, &grey);
    ok = ok && prep_image(l->image + i * square_pixels(l), &l->plan[i], &grey, err);
    image_release(&grey);
    return ok && (!item || !*item->mask || prepare_mask(l, i, item->mask, err));
}

/* Takes l, on failure too. */
static bool open_all(struct loader *out, struct loader *l, const size_t *item, const char *what,
                     struct err *err)
{
    const size_t n = l->count;
    bool ok = false;

    l->item = mem_try(n, sizeof *l->item, err);
    l->plan = mem_try(n, sizeof *l->plan, err);
    l->image = mem_try(n, square_pixels(l) * sizeof *l->image, err);
    if (l->item && l->plan && l->image) {
        for (size_t i = 0; i < n; i++)
            l->item[i] = item[i];
        ok = parallel_for(n, prepare, l, what, err);
    }
    if (ok) {
        loader_close(out);
        *out = *l;
    } else {
        loader_close(l);
    }
    return ok;
}

bool loader_open(struct loader *out, const struct manifest *m, const struct prep *p, const size_t *item,
                 size_t n, const char *what, struct err *err)
{
    struct loader l = {.prep = *p, .manifest = m, .count = n};

    l.mask = prep_check(p, err) ? mem_try(n, square_pixels(&l), err) : NULL;
    return l.mask && open_all(out, &l, item, what, err);
}

bool loader_open_crops(struct loader *out, const struct crops *c, const struct prep *p, const size_t *item,
                       size_t n, struct err *err)
{
    struct loader l = {.prep = *p, .manifest = c->manifest, .crops = c, .count = n};

    return prep_check(p, err) && open_all(out, &l, item, "reading crops", err);
}

void loader_close(struct loader *l)
{
    free(l->item);
    free(l->plan);
    free(l->image);
    free(l->mask);
    *l = (struct loader)LOADER_INIT;
}

struct fill {
    const struct loader *loader;
    const struct loader_batch *batch;
    float *input, *truth; /* truth may be NULL */
};

static void put_truth(float *out, const uint8_t *mask, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (float)mask[i] / 255.f;
}

static void fill_plain(const struct fill *f, size_t i)
{
    const struct loader *l = f->loader;
    size_t n = square_pixels(l), k = f->batch->index[i];

    prep_network_input(f->input + i * (size_t)f->batch->channels * n, f->batch->channels, l->image + k * n,
                       &l->prep);
    if (f->truth)
        put_truth(f->truth + i * n, l->mask + k * n, n);
}

static void fill_augmented(const struct fill *f, size_t i)
{
    const struct loader *l = f->loader;
    const struct loader_batch *b = f->batch;
    size_t n = square_pixels(l), k = b->index[i];
    uint16_t *image = mem_new(n, sizeof *image);
    uint8_t *mask = mem_new(n, 1);
    struct rng rng = rng_at(b->seed, RNG_AUGMENT, b->epoch, l->item[k]);
    struct augment_draw d = augment_draw(b->how, l->prep.size, &rng);

    augment_image(image, l->image + k * n, l->prep.size, &d, b->how->fill_black);
    prep_network_input(f->input + i * (size_t)b->channels * n, b->channels, image, &l->prep);
    if (f->truth) {
        augment_mask(mask, l->mask + k * n, l->prep.size, &d);
        put_truth(f->truth + i * n, mask, n);
    }
    free(image);
    free(mask);
}

static void fill_one(void *fill, size_t i)
{
    const struct fill *f = fill;

    if (f->batch->how)
        fill_augmented(f, i);
    else
        fill_plain(f, i);
}

void loader_fill(const struct loader *l, const struct loader_batch *b, float *input, float *truth)
{
    parallel_each(b->n, fill_one, &(struct fill){l, b, input, truth});
}
