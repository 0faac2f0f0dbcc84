#include "eval/explain_job.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/stop.h"
#include "base/parallel.h"
#include "eval/explain_write.h"
#include "image/tone.h"
#include "io/image_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 8 }; /* images in memory */
#define FILE_LIMIT ((size_t)4 << 30)

/* An image between reading and writing. */
struct opened {
    struct image image; /* as it was read */
    struct image grey;  /* the same as U16, for a classifier */
    struct prep_plan plan;
    char sha256[FILE_SHA256_TEXT];
};

struct chunk {
    const struct explain_request *request;
    struct explain_results *r;
    const struct predictor *p;
    struct adviser *adviser; /* NULL: none is asked */
    const struct band *band; /* NULL: no verdict */
    size_t first, n, pixels;
    struct opened opened[CHUNK];
    struct opinions_case opinions[CHUNK];
    uint16_t *square; /* [CHUNK, pixels] */
    float *map;       /* [CHUNK, pixels] */
};

void explain_results_release(struct explain_results *r)
{
    explain_files_release(&r->files);
    free(r->of);
    *r = (struct explain_results)EXPLAIN_RESULTS_INIT;
}

static bool read_image(struct chunk *c, size_t i, const char *path, struct err *err)
{
    struct opened *o = &c->opened[i];
    struct image grey = IMAGE_INIT;
    struct buf bytes = BUF_INIT;
    bool ok = file_read(&bytes, path, FILE_LIMIT, err) &&
              (image_decode(&o->image, bytes.data, bytes.len, err) || err_at(err, "%s", path));

    if (ok) {
        file_sha256_bytes(bytes.data, bytes.len, o->sha256);
        buf_release(&bytes);
        ok = image_to_grey(&grey, &o->image, err) && image_to_u16(&grey, &grey, err);
    }
    if (ok) {
        prep_plan_make(&o->plan, &c->p->run.prep, &grey);
        ok = prep_image(c->square + i * c->pixels, &o->plan, &grey, err);
    }
    if (ok && c->adviser)
        image_move(&o->grey, &grey);
    buf_release(&bytes);
    image_release(&grey);
    return ok;
}

static void note_failure(struct explained *e, const struct err *err)
{
    e->ok = false;
    snprintf(e->error, sizeof e->error, "%.511s", err->text);
}

static void read_one(void *chunk, size_t i)
{
    struct chunk *c = chunk;
    struct explained *e = &c->r->of[c->first + i];
    struct err err = ERR_INIT;

    memset(c->square + i * c->pixels, 0, c->pixels * sizeof *c->square);
    e->ok = read_image(c, i, c->r->files.file[c->first + i].path, &err);
    if (!e->ok)
        note_failure(e, &err);
}

/* The verdict of the map; the next step may ask a classifier. */
static void judge_one(void *chunk, size_t i)
{
    struct chunk *c = chunk;
    struct explained *e = &c->r->of[c->first + i];
    struct err err = ERR_INIT;

    if (e->ok && !explain_map(&e->what, c->map + i * c->pixels, &c->opened[i].plan, c->band, &err))
        note_failure(e, &err);
}

static bool ask(struct chunk *c, struct err *err)
{
    for (size_t i = 0; i < c->n; i++) {
        struct explained *e = &c->r->of[c->first + i];
        c->opinions[i] = (struct opinions_case){.what = e->ok ? &e->what : NULL, .grey = &c->opened[i].grey};
    }
    return !c->adviser || opinions_ask(c->adviser, c->opinions, c->n, err);
}

static void write_one(void *chunk, size_t i)
{
    struct chunk *c = chunk;
    struct opened *o = &c->opened[i];
    struct explained *e = &c->r->of[c->first + i];
    const struct explain_output output = {.folder = c->request->out,
                                          .p = c->p,
                                          .adviser = c->adviser,
                                          .thresholds = c->band ? c->r->thresholds : NULL};
    const struct explain_source from = {.file = &c->r->files.file[c->first + i],
                                        .image = &o->image,
                                        .sha256 = o->sha256,
                                        .plan = &o->plan,
                                        .map = c->map + i * c->pixels,
                                        .what = &e->what,
                                        .opinions = &c->opinions[i]};
    struct err err = ERR_INIT;

    if (e->ok && !explain_write(&output, &from, &err))
        note_failure(e, &err);
    image_release(&o->image);
    image_release(&o->grey);
    free(c->opinions[i].cam);
    c->opinions[i].cam = NULL;
}

static bool explain_chunk(struct chunk *c, struct predictor *p, struct err *err)
{
    if (stop_requested())
        return err_set(err, ERR_CANCELLED, "interrupted");
    parallel_each(c->n, read_one, c);
    if (!predictor_run(p, c->square, c->n, c->map, err))
        return false;
    parallel_each(c->n, judge_one, c);
    if (!ask(c, err))
        return false;
    parallel_each(c->n, write_one, c);
    for (size_t i = c->first; i < c->first + c->n; i++) {
        if (!c->r->of[i].ok) {
            c->r->failed++;
            log_error("%s", c->r->of[i].error);
        }
    }
    return true;
}

static bool explain_all(struct chunk *c, struct predictor *p, struct err *err)
{
    const size_t count = c->r->files.count;
    struct progress progress;
    bool ok = true;

    c->square = mem_try(CHUNK * c->pixels, sizeof *c->square, err);
    c->map = mem_try(CHUNK * c->pixels, sizeof *c->map, err);
    ok = c->square && c->map;
    if (count > 1)
        progress_begin(&progress, "explain", count);
    for (c->first = 0; c->first < count && ok; c->first += c->n) {
        c->n = count - c->first < CHUNK ? count - c->first : CHUNK;
        ok = explain_chunk(c, p, err);
        if (ok)
            c->r->done = c->first + c->n;
        if (count > 1)
            progress_step(&progress, c->r->done, NULL);
    }
    if (count > 1)
        progress_end(&progress, ok ? NULL : "stopped");
    for (size_t i = 0; i < CHUNK; i++) {
        image_release(&c->opened[i].image);
        image_release(&c->opened[i].grey);
        free(c->opinions[i].cam);
    }
    free(c->square);
    free(c->map);
    return ok;
}

/* After a stop too the summary lists what was done. */
static bool explain_and_list(struct chunk *c, struct predictor *p, struct err *err)
{
    const char *out = c->request->out;
    const bool all = explain_all(c, p, err);

    if (!all && (!err || err->kind != ERR_CANCELLED))
        return false;
    if (!explain_write_summary(c->r, out, err))
        return false;
    if (!all)
        err_set(err, ERR_CANCELLED, "interrupted: %zu of %zu images are done, %s/summary.csv lists them",
                c->r->done, c->r->files.count, out);
    return all;
}

/* The networks, and what their answers are cut at. */
static bool load_networks(struct chunk *c, struct predictor *p, struct adviser *adviser, struct err *err)
{
    const struct explain_request *q = c->request;
    const size_t images = c->r->files.count;
    const struct predictor_options how = {.batch = images < CHUNK ? (int)images : CHUNK,
                                          .backend = q->backend};

    if (!predictor_load(p, &how, err) ||
        !thresholds_in_force(&c->r->band, c->r->thresholds, p, q->given, err))
        return false;
    c->band = *c->r->thresholds ? &c->r->band : NULL;
    if (!q->classifier)
        return true;
    if (!adviser_load(adviser, &how, err))
        return false;
    c->adviser = adviser;
    c->r->classifier_band = adviser->band;
    snprintf(c->r->classifier_thresholds, THRESHOLDS_TEXT, "%s", adviser->thresholds);
    return true;
}

static bool check_runs(const struct explain_request *q, const struct predictor *p, struct err *err)
{
    if (run_is_classifier(&p->run))
        return err_set(
            err, ERR_INPUT,
            "%s is a classify run: it judges crops; a run with masks is wanted, and this one may be "
            "asked for a second opinion (--classifier)",
            q->run);
    if (q->classifier && p->run.task != RUN_BLACK_BOX)
        return err_set(
            err, ERR_INPUT,
            "%s is a %s run: it gives no opinion that a classifier's could stand beside; a black-box "
            "run is wanted",
            q->run, run_task_name(p->run.task));
    return true;
}

bool explain(struct explain_results *out, const struct explain_request *request, struct err *err)
{
    struct explain_results r = EXPLAIN_RESULTS_INIT;
    struct predictor p = PREDICTOR_INIT;
    struct adviser adviser = ADVISER_INIT;
    struct chunk *c = mem_new(1, sizeof *c);
    bool ok = false;

    if (!predictor_open(&p, request->run, err) || !check_runs(request, &p, err) ||
        (request->classifier && !adviser_open(&adviser, request->classifier, err)) ||
        !explain_files_find(&r.files, request->path, request->paths, request->out, err) ||
        !file_make_folders(request->out, err))
        goto out;
    r.of = mem_new(r.files.count, sizeof *r.of);
    *c = (struct chunk){.request = request, .r = &r, .p = &p, .pixels = predictor_pixels(&p)};
    if (!load_networks(c, &p, &adviser, err) || !explain_and_list(c, &p, err))
        goto out;
    explain_results_release(out);
    *out = r;
    r = (struct explain_results)EXPLAIN_RESULTS_INIT;
    ok = true;
out:
    free(c);
    predictor_close(&p);
    adviser_close(&adviser);
    explain_results_release(&r);
    return ok;
}
