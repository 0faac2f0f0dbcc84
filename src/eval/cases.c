#include "eval/cases.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/stop.h"
#include "base/parallel.h"
#include "image/tone.h"
#include "io/image_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 32 }; /* images in memory */

struct chunk {
    struct eval_case *of;
    struct predictor *p;
    size_t pixels;
    const struct prep *prep;
    const char *data, *folder;
    uint16_t *square;       /* [CHUNK, pixels] */
    uint8_t *truth;         /* [CHUNK, pixels] */
    float *map;             /* [CHUNK, pixels] */
    struct prep_plan *plan; /* [CHUNK] */
};

void cases_release(struct cases *c)
{
    for (size_t i = 0; i < c->count; i++) {
        marks_release(&c->of[i].marks);
        free(c->of[i].region);
    }
    free(c->of);
    *c = (struct cases)CASES_INIT;
}

static bool read_image(const struct chunk *c, size_t i, const struct data_item *item, struct err *err)
{
    struct image grey = IMAGE_INIT;
    char *path = file_join(c->data, item->image);
    bool ok = image_read_known(&grey, path, item->image_sha256, err) && image_to_grey(&grey, &grey, err) &&
              image_to_u16(&grey, &grey, err);

    if (ok) {
        prep_plan_make(&c->plan[i], c->prep, &grey);
        ok = prep_image(c->square + i * c->pixels, &c->plan[i], &grey, err);
    }
    free(path);
    image_release(&grey);
    return ok;
}

static bool read_truth(const struct chunk *c, size_t i, const struct data_item *item, struct err *err)
{
    const struct prep_plan *plan = &c->plan[i];
    const char *name = item->mask;
    struct image mask = IMAGE_INIT;
    char *path = file_join(c->data, name);
    bool ok = image_read_known(&mask, path, item->mask_sha256, err);

    if (ok && (mask.width != plan->width || mask.height != plan->height))
        ok = err_set(err, ERR_FORMAT, "%s: the mask is %d x %d, its image %d x %d", name, mask.width,
                     mask.height, plan->width, plan->height);
    if (ok && (mask.channels != 1 || mask.type != IMAGE_U8))
        ok = err_set(err, ERR_FORMAT, "%s: a mask is 8-bit grey", name);
    ok = ok && prep_mask(c->truth + i * c->pixels, plan, &mask, err);
    free(path);
    image_release(&mask);
    return ok;
}

/* Never fails: what is wrong with one image stays with it. */
static void read_case(void *chunk, size_t i)
{
    struct chunk *c = chunk;
    struct eval_case *k = &c->of[i];
    struct err err = ERR_INIT;

    memset(c->square + i * c->pixels, 0, c->pixels * sizeof *c->square);
    memset(c->truth + i * c->pixels, 0, c->pixels);
    k->read = read_image(c, i, k->item, &err) && (!*k->item->mask || read_truth(c, i, k->item, &err));
    snprintf(k->error, sizeof k->error, "%.255s", k->read ? "" : err.text);
}

bool map_image(struct image *out, const struct prep_plan *plan, const float *map, struct err *err)
{
    static const struct image_window FULL = {0, 1};
    struct image whole = IMAGE_INIT;
    bool ok = prep_undo(&whole, plan, map, err) && image_window_apply(out, &whole, FULL, err);

    image_release(&whole);
    return ok;
}

/* What the score is made of. */
static bool keep_regions(struct eval_case *k, const float *map, const struct prep_plan *plan, struct err *err)
{
    struct explanation x;

    if (!explain_map(&x, map, plan, NULL, err))
        return false;
    k->regions = x.count;
    k->region = mem_new((size_t)x.count + 1, sizeof *k->region);
    memcpy(k->region, x.region, (size_t)x.count * sizeof *k->region);
    k->rest_score = x.rest_score;
    return true;
}

static bool finish_case(void *chunk, size_t i, struct err *err)
{
    struct chunk *c = chunk;
    struct eval_case *k = &c->of[i];
    const float *map = c->map + i * c->pixels;
    uint8_t *truth = c->truth + i * c->pixels;
    struct image mask = IMAGE_INIT;

    if (!k->read)
        return true;
    k->score = map_score(map, c->pixels);
    k->overlap = overlap_measure(map, truth, c->pixels);
    if (c->p->run.task == RUN_BLACK_BOX && k->label != LABEL_MALIGNANT)
        memset(truth, 0, c->pixels); /* as it was taught */
    if (!marks_find(&k->marks, map, truth, c->prep->size, err) || !keep_regions(k, map, &c->plan[i], err))
        return false;
    char *name = mem_printf("%s/%s.png", c->folder, k->id);
    bool ok = map_image(&mask, &c->plan[i], map, err) && png_write(name, &mask, err);
    free(name);
    image_release(&mask);
    return ok;
}

void cases_tell_unread(const struct eval_case *of, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!of[i].read)
            log_warn("%s is left out: %s", of[i].id, of[i].error);
}

bool cases_each(struct cases *c, const struct cases_walk *walk, struct err *err)
{
    struct progress progress;
    bool ok = true;

    progress_begin(&progress, "predict", c->count);
    for (size_t done = 0; done < c->count && ok;) {
        const size_t n = c->count - done < walk->at_a_time ? c->count - done : walk->at_a_time;
        ok = stop_requested() ? err_set(err, ERR_CANCELLED, "interrupted")
                              : walk->step(walk->context, c->of + done, n, err);
        done += n;
        progress_step(&progress, done, NULL);
    }
    progress_end(&progress, ok ? NULL : "stopped");
    return ok;
}

static bool predict_chunk(void *chunk, struct eval_case *of, size_t n, struct err *err)
{
    struct chunk *c = chunk;

    c->of = of;
    parallel_each(n, read_case, c);
    cases_tell_unread(of, n);
    return predictor_run(c->p, c->square, n, c->map, err) && parallel_for(n, finish_case, c, NULL, err);
}

bool cases_predict(struct cases *cases, struct predictor *p, const struct manifest *m, const char *folder,
                   struct err *err)
{
    const size_t pixels = predictor_pixels(p);
    struct chunk c = {.p = p, .pixels = pixels, .prep = &p->run.prep, .data = m->folder, .folder = folder};

    c.square = mem_try(CHUNK * pixels, sizeof *c.square, err);
    c.truth = mem_try(CHUNK * pixels, sizeof *c.truth, err);
    c.map = mem_try(CHUNK * pixels, sizeof *c.map, err);
    c.plan = mem_new(CHUNK, sizeof *c.plan);
    const bool ok = c.square && c.truth && c.map && file_make_folders(folder, err) &&
                    cases_each(cases, &(struct cases_walk){CHUNK, predict_chunk, &c}, err);
    free(c.square);
    free(c.truth);
    free(c.map);
    free(c.plan);
    return ok;
}
