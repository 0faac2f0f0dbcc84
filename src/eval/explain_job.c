#include "eval/explain_job.h"

#include "base/csv.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/progress.h"
#include "base/stop.h"
#include "data/parallel.h"
#include "eval/calibrate.h"
#include "eval/cases.h"
#include "eval/overlay.h"
#include "eval/thresholds.h"
#include "image/tone.h"
#include "io/image_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK = 8 }; /* images in memory */
#define FILE_LIMIT ((size_t)4 << 30)

/* An image between reading and writing. */
struct opened {
    struct image image;
    struct prep_plan plan;
    char sha256[FILE_SHA256_TEXT];
};

struct chunk {
    const struct explain_request *request;
    struct explain_results *r;
    const struct predictor *p;
    const struct band *band; /* NULL: no verdict */
    size_t first, n, pixels;
    struct opened opened[CHUNK];
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

/* OUT/STEM and what follows; free() it. */
static char *output(const struct chunk *c, size_t i, const char *ending)
{
    return mem_printf("%s/%s%s", c->request->out, c->r->files.file[c->first + i].stem, ending);
}

static bool write_json(const struct chunk *c, size_t i, struct err *err)
{
    const struct opened *o = &c->opened[i];
    char *path = output(c, i, ".json");
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:{s:o, s:s, s:i, s:i}, s:o, s:o}", "format", "clearmass-explanation-1",
                  "program", EVAL_PROGRAM, "disclaimer", EVAL_DISCLAIMER, "image", "path",
                  json_text(c->r->files.file[c->first + i].path), "sha256", o->sha256, "width",
                  o->image.width, "height", o->image.height, "run", predictor_json(c->p), "thresholds",
                  c->band ? json_string(c->r->thresholds) : json_null());

    explanation_json(json, &c->r->of[c->first + i].what);
    if (!c->band)
        json_object_set_new(
            json, "note",
            json_string("This run was trained to mark lesions, not to judge them: its masks are no "
                        "opinion on malignancy."));
    const bool ok = json_file_write(path, json, err);
    json_decref(json);
    free(path);
    return ok;
}

static bool write_pictures(const struct chunk *c, size_t i, struct err *err)
{
    const struct opened *o = &c->opened[i];
    const struct overlay_source from = {&o->image, c->map + i * c->pixels, &o->plan,
                                        c->band ? c->r->thresholds : NULL};
    char *mask_path = output(c, i, "-mask.png"), *overlay_path = output(c, i, "-overlay.png");
    struct image im = IMAGE_INIT;
    const bool ok = map_image(&im, &o->plan, from.map, err) && png_write(mask_path, &im, err) &&
                    overlay_draw(&im, &c->r->of[c->first + i].what, &from, err) &&
                    png_write(overlay_path, &im, err);

    image_release(&im);
    free(mask_path);
    free(overlay_path);
    return ok;
}

static void write_one(void *chunk, size_t i)
{
    struct chunk *c = chunk;
    struct explained *e = &c->r->of[c->first + i];
    struct err err = ERR_INIT;

    if (e->ok && !(explain_map(&e->what, c->map + i * c->pixels, &c->opened[i].plan, c->band, &err) &&
                   write_pictures(c, i, &err) && write_json(c, i, &err)))
        note_failure(e, &err);
    image_release(&c->opened[i].image);
}

static bool explain_chunk(struct chunk *c, struct predictor *p, struct err *err)
{
    if (stop_requested())
        return err_set(err, ERR_CANCELLED, "interrupted");
    parallel_each(c->n, read_one, c);
    if (!predictor_run(p, c->square, c->n, c->map, err))
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
    for (size_t i = 0; i < CHUNK; i++)
        image_release(&c->opened[i].image);
    free(c->square);
    free(c->map);
    return ok;
}

static bool write_summary(const struct explain_results *r, const char *out, struct err *err)
{
    char *path = file_join(out, "summary.csv");
    struct buf b = BUF_INIT;

    buf_adds(&b, "path,verdict,score,regions,error\n");
    for (size_t i = 0; i < r->done; i++) {
        const struct explained *e = &r->of[i];
        csv_put(&b, r->files.file[i].path);
        csv_put(&b, e->ok ? explanation_verdict(&e->what) : "");
        if (e->ok)
            csv_putf(&b, "%.17g", e->what.score);
        else
            csv_put(&b, "");
        if (e->ok)
            csv_putf(&b, "%d", e->what.count);
        else
            csv_put(&b, "");
        csv_put(&b, e->ok ? "" : e->error);
        csv_put_end(&b);
    }
    const bool ok = file_write(path, b.data, b.len, err);
    buf_release(&b);
    free(path);
    return ok;
}

/* After a stop too the summary lists what was done. */
static bool explain_and_list(struct chunk *c, struct predictor *p, struct err *err)
{
    const char *out = c->request->out;
    const bool all = explain_all(c, p, err);

    if (!all && (!err || err->kind != ERR_CANCELLED))
        return false;
    if (!write_summary(c->r, out, err))
        return false;
    if (!all)
        err_set(err, ERR_CANCELLED, "interrupted: %zu of %zu images are done, %s/summary.csv lists them",
                c->r->done, c->r->files.count, out);
    return all;
}

/* Given, else guaranteed or chosen for these very weights, else published. */
static bool find_thresholds(struct explain_results *r, const struct predictor *p, const struct band *given,
                            struct err *err)
{
    struct score_calibration c = SCORE_CALIBRATION_INIT;
    struct thresholds t;
    bool calibrated = false, found = false;

    if (p->run.task != RUN_BLACK_BOX)
        return true;
    if (!given && (!score_calibration_read(&c, &p->run, p->weights_sha256, &calibrated, err) ||
                   !thresholds_read(&t, p, &found, err)))
        return false;
    r->band = given          ? *given
              : c.guaranteed ? c.promise.band
              : found        ? t.band
                             : (struct band){PUBLISHED_LOW, PUBLISHED_HIGH};
    snprintf(r->thresholds, sizeof r->thresholds, "%s",
             given          ? "given"
             : c.guaranteed ? "guaranteed by the run's validation part"
             : found        ? "chosen on the run's validation part"
                            : "published; none were chosen for this run");
    score_calibration_release(&c);
    return true;
}

bool explain(struct explain_results *out, const struct explain_request *request, struct err *err)
{
    struct explain_results r = EXPLAIN_RESULTS_INIT;
    struct predictor p = PREDICTOR_INIT;
    struct chunk *c = mem_new(1, sizeof *c);
    bool ok = false;

    if (!predictor_open(&p, request->run, err) ||
        !explain_files_find(&r.files, request->path, request->paths, request->out, err) ||
        !file_make_folders(request->out, err))
        goto out;
    r.of = mem_new(r.files.count, sizeof *r.of);
    const int batch = r.files.count < CHUNK ? (int)r.files.count : CHUNK;
    if (!predictor_load(&p, &(struct predictor_options){.batch = batch, .backend = request->backend}, err) ||
        !find_thresholds(&r, &p, request->given, err))
        goto out;
    *c = (struct chunk){.request = request,
                        .r = &r,
                        .p = &p,
                        .band = *r.thresholds ? &r.band : NULL,
                        .pixels = predictor_pixels(&p)};
    if (!explain_and_list(c, &p, err))
        goto out;
    explain_results_release(out);
    *out = r;
    r = (struct explain_results)EXPLAIN_RESULTS_INIT;
    ok = true;
out:
    free(c);
    predictor_close(&p);
    explain_results_release(&r);
    return ok;
}
