#include "eval/cases.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "image/tone.h"
#include "io/image_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 32 }; /* crops in memory */

struct chunk {
    struct eval_case *of;
    struct predictor *p;
    const struct crops *crops;
    const char *folder;
    size_t pixels, places;
    uint16_t *square; /* [CHUNK, pixels] */
    float *cam;       /* [CHUNK, places] */
    double malignant[CHUNK];
    struct prep_plan plan[CHUNK];
    struct image truth[CHUNK]; /* the lesion in the crop; IMAGE_INIT where its place is not known */
};

static bool read_crop(struct chunk *c, size_t i, struct err *err)
{
    const struct crop *crop = &c->crops->crop[c->of[i].crop];
    struct image grey = IMAGE_INIT;
    char *path = file_join(c->crops->manifest->folder, crop->path);
    bool ok = image_read_known(&grey, path, crop->sha256, err) && image_to_grey(&grey, &grey, err) &&
              image_to_u16(&grey, &grey, err);

    if (ok) {
        prep_plan_make(&c->plan[i], &c->p->run.prep, &grey);
        ok = prep_image(c->square + i * c->pixels, &c->plan[i], &grey, err);
    }
    free(path);
    image_release(&grey);
    return ok;
}

static bool read_truth(struct chunk *c, size_t i, struct err *err)
{
    const struct prep_plan *plan = &c->plan[i];
    struct image *truth = &c->truth[i];
    struct image_box box;

    image_release(truth);
    if (!*c->crops->crop[c->of[i].crop].mask || c->crops->margin < 0)
        return true;
    if (!crop_region(&box, truth, c->crops, c->of[i].crop, err))
        return false;
    return (truth->width == plan->width && truth->height == plan->height) ||
           err_set(err, ERR_FORMAT, "%s: the crop is %d x %d, its mask's box with the margin %d x %d",
                   c->of[i].id, plan->width, plan->height, truth->width, truth->height);
}

/* Never fails: what is wrong with one crop stays with it. */
static void read_case(void *chunk, size_t i)
{
    struct chunk *c = chunk;
    struct eval_case *k = &c->of[i];
    struct err err = ERR_INIT;

    memset(c->square + i * c->pixels, 0, c->pixels * sizeof *c->square);
    k->read = read_crop(c, i, &err) && read_truth(c, i, &err);
    snprintf(k->error, sizeof k->error, "%.255s", k->read ? "" : err.text);
}

static bool write_picture(const struct chunk *c, const char *sub, const char *id, const struct image *im,
                          struct err *err)
{
    char *name = mem_printf("%s/%s/%s.png", c->folder, sub, id);
    const bool ok = png_write(name, im, err);

    free(name);
    return ok;
}

static bool finish_case(void *chunk, size_t i, struct err *err)
{
    struct chunk *c = chunk;
    struct eval_case *k = &c->of[i];
    const struct image *truth = &c->truth[i];
    const struct cam cam = {c->cam + i * c->places, c->p->output.h, c->p->output.w, &c->plan[i]};
    struct image whole = IMAGE_INIT;

    if (!k->read)
        return true;
    k->score = c->malignant[i];
    bool ok = cam_undo(&whole, &cam, err);
    if (ok && truth->data) {
        k->cam = cam_agree(&cam, &whole, truth);
        k->has_roi = true;
        ok = write_picture(c, "roi", k->id, truth, err);
    }
    ok = ok && cam_picture(&whole, &whole, err) && write_picture(c, "cam", k->id, &whole, err);
    image_release(&whole);
    return ok;
}

static bool judge_chunk(void *chunk, struct eval_case *of, size_t n, struct err *err)
{
    struct chunk *c = chunk;

    c->of = of;
    parallel_each(n, read_case, c);
    cases_tell_unread(of, n);
    return predictor_judge(c->p, c->square, n, c->malignant, c->cam, err) &&
           parallel_for(n, finish_case, c, NULL, err);
}

bool cases_judge(struct cases *cases, struct predictor *p, const struct crops *crops, const char *folder,
                 struct err *err)
{
    struct chunk *c = mem_new(1, sizeof *c);

    *c = (struct chunk){.p = p,
                        .crops = crops,
                        .folder = folder,
                        .pixels = predictor_pixels(p),
                        .places = (size_t)p->output.h * (size_t)p->output.w};
    c->square = mem_try(CHUNK * c->pixels, sizeof *c->square, err);
    c->cam = mem_try(CHUNK * c->places, sizeof *c->cam, err);
    char *cams = file_join(folder, "cam"), *rois = file_join(folder, "roi");
    const bool ok = c->square && c->cam && file_make_folders(cams, err) && file_make_folders(rois, err) &&
                    cases_each(cases, &(struct cases_walk){CHUNK, judge_chunk, c}, err);
    for (int i = 0; i < CHUNK; i++)
        image_release(&c->truth[i]);
    free(cams);
    free(rois);
    free(c->square);
    free(c->cam);
    free(c);
    return ok;
}
