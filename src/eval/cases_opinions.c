#include "eval/cases_opinions.h"

#include "base/mem.h"
#include "base/parallel.h"
#include "eval/explain_write.h"
#include "image/tone.h"
#include "io/image_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 8 }; /* images in memory, at their full size */

struct chunk {
    const struct consultation *c;
    struct eval_case *of;
    size_t pixels;
    uint16_t *square; /* [CHUNK, pixels] */
    float *map;       /* [CHUNK, pixels] */
    struct image grey[CHUNK];
    struct prep_plan plan[CHUNK];
    struct explanation what[CHUNK];
    struct opinions_case opinions[CHUNK];
};

static bool read_image(struct chunk *k, size_t i, struct err *err)
{
    const struct data_item *item = k->of[i].item;
    struct image *grey = &k->grey[i];
    char *path = file_join(k->c->data, item->image);
    bool ok = image_read_known(grey, path, item->image_sha256, err) && image_to_grey(grey, grey, err) &&
              image_to_u16(grey, grey, err);

    if (ok) {
        prep_plan_make(&k->plan[i], &k->c->predictor->run.prep, grey);
        ok = prep_image(k->square + i * k->pixels, &k->plan[i], grey, err);
    }
    free(path);
    return ok;
}

/* Never fails: what is wrong with one image stays with it. */
static void read_case(void *chunk, size_t i)
{
    struct chunk *k = chunk;
    struct err err = ERR_INIT;

    memset(k->square + i * k->pixels, 0, k->pixels * sizeof *k->square);
    k->of[i].read = read_image(k, i, &err);
    snprintf(k->of[i].error, sizeof k->of[i].error, "%.255s", k->of[i].read ? "" : err.text);
}

static bool judge(void *chunk, size_t i, struct err *err)
{
    struct chunk *k = chunk;

    k->opinions[i] = (struct opinions_case){.grey = &k->grey[i]};
    if (!k->of[i].read)
        return true;
    k->opinions[i].what = &k->what[i];
    return explain_map(&k->what[i], k->map + i * k->pixels, &k->plan[i], &k->c->band, err);
}

/* Both pictures of a case about which the networks disagree. */
static bool finish(void *chunk, size_t i, struct err *err)
{
    struct chunk *k = chunk;
    struct eval_case *of = &k->of[i];
    bool ok = true;

    if (of->read) {
        of->score = k->what[i].score;
        of->opinions = k->what[i].opinions;
        of->regions = k->what[i].count;
    }
    if (of->read && of->opinions.accord == ACCORD_DIFFER) {
        struct explain_file file = {of->item->image, (char *)of->id};
        const struct explain_output output = {k->c->folder, k->c->predictor, k->c->adviser, k->c->thresholds};
        const struct explain_source from = {.file = &file,
                                            .image = &k->grey[i],
                                            .sha256 = of->item->image_sha256,
                                            .plan = &k->plan[i],
                                            .map = k->map + i * k->pixels,
                                            .what = &k->what[i],
                                            .opinions = &k->opinions[i]};
        ok = explain_write(&output, &from, err);
    }
    free(k->opinions[i].cam);
    k->opinions[i].cam = NULL;
    image_release(&k->grey[i]);
    return ok;
}

static bool consult_chunk(void *chunk, struct eval_case *of, size_t n, struct err *err)
{
    struct chunk *k = chunk;

    k->of = of;
    parallel_each(n, read_case, k);
    cases_tell_unread(of, n);
    return predictor_run(k->c->predictor, k->square, n, k->map, err) &&
           parallel_for(n, judge, k, NULL, err) && opinions_ask(k->c->adviser, k->opinions, n, err) &&
           parallel_for(n, finish, k, NULL, err);
}

bool cases_consult(struct cases *cases, const struct consultation *c, struct err *err)
{
    struct chunk *k = mem_new(1, sizeof *k);

    k->c = c;
    k->pixels = predictor_pixels(c->predictor);
    k->square = mem_try(CHUNK * k->pixels, sizeof *k->square, err);
    k->map = mem_try(CHUNK * k->pixels, sizeof *k->map, err);
    const bool ok = k->square && k->map && file_make_folders(c->folder, err) &&
                    cases_each(cases, &(struct cases_walk){CHUNK, consult_chunk, k}, err);
    for (int i = 0; i < CHUNK; i++) {
        image_release(&k->grey[i]);
        free(k->opinions[i].cam);
    }
    free(k->square);
    free(k->map);
    free(k);
    return ok;
}
