#include "eval/explain_write.h"

#include "base/csv.h"
#include "base/mem.h"
#include "eval/cases.h"
#include "eval/overlay.h"
#include "image/tone.h"
#include "image/warp.h"
#include "io/image_file.h"

#include <stdlib.h>

/* OUT/STEM and what follows; free() it. */
static char *output(const struct explain_output *o, const struct explain_source *s, const char *ending)
{
    return mem_printf("%s/%s%s", o->folder, s->file->stem, ending);
}

/* Every region's picture by name. */
static void name_crops(json_t *json, const struct explain_source *s)
{
    json_t *region;
    size_t i;

    json_array_foreach(json_object_get(json, "regions"), i, region)
    {
        char *name = mem_printf("%s-crop-%zu.png", s->file->stem, i + 1);
        json_object_set_new(json_object_get(region, "classifier"), "picture", json_text(name));
        free(name);
    }
}

static bool write_json(const struct explain_output *o, const struct explain_source *s, struct err *err)
{
    char *path = output(o, s, ".json");
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:{s:o, s:s, s:i, s:i}, s:o, s:s?}", "format", "clearmass-explanation-1",
                  "program", EVAL_PROGRAM, "disclaimer", EVAL_DISCLAIMER, "image", "path",
                  json_text(s->file->path), "sha256", s->sha256, "width", s->image->width, "height",
                  s->image->height, "run", predictor_json(o->p), "thresholds", o->thresholds);

    if (o->adviser)
        json_object_set_new(json, "classifier", adviser_json(o->adviser));
    explanation_json(json, s->what);
    if (o->adviser)
        name_crops(json, s);
    if (!o->thresholds)
        json_object_set_new(
            json, "note",
            json_string("This run was trained to mark lesions, not to judge them: its masks are no "
                        "opinion on malignancy."));
    const bool ok = json_file_write(path, json, err);
    json_decref(json);
    free(path);
    return ok;
}

static bool write_pictures(const struct explain_output *o, const struct explain_source *s, struct err *err)
{
    const struct overlay_source from = {s->image, s->map, s->plan, o->thresholds};
    char *mask_path = output(o, s, "-mask.png"), *overlay_path = output(o, s, "-overlay.png");
    struct image im = IMAGE_INIT;
    const bool ok = map_image(&im, s->plan, s->map, err) && png_write(mask_path, &im, err) &&
                    overlay_draw(&im, s->what, &from, err) && png_write(overlay_path, &im, err);

    image_release(&im);
    free(mask_path);
    free(overlay_path);
    return ok;
}

/* shown: the whole image as it is shown. */
static bool write_crop(const struct explain_output *o, const struct explain_source *s,
                       const struct image *shown, int k, struct err *err)
{
    const struct nn_shape size = o->adviser->predictor.output;
    const struct explain_region *region = &s->what->region[k];
    struct image crop = IMAGE_INIT;
    char *ending = mem_printf("-crop-%d.png", k + 1), *path = output(o, s, ending);
    bool ok = image_crop(&crop, shown, region->crop, err);

    if (ok) {
        const struct overlay_crop from = {
            .region = region,
            .number = k + 1,
            .crop = &crop,
            .cam = {s->opinions->cam + (size_t)k * (size_t)size.h * (size_t)size.w, size.h, size.w,
                    &s->opinions->plan[k]},
            .band = o->adviser->band,
            .thresholds = o->adviser->thresholds};
        ok = overlay_draw_crop(&crop, &from, err) && png_write(path, &crop, err);
    }
    image_release(&crop);
    free(ending);
    free(path);
    return ok;
}

/* Through the whole image's window, so that a crop looks as it does in the overlay. */
static bool write_crops(const struct explain_output *o, const struct explain_source *s, struct err *err)
{
    struct image shown = IMAGE_INIT;
    bool ok = s->what->count == 0 || image_for_display(&shown, s->image, err);

    for (int k = 0; k < s->what->count && ok; k++)
        ok = write_crop(o, s, &shown, k, err);
    image_release(&shown);
    return ok;
}

bool explain_write(const struct explain_output *o, const struct explain_source *s, struct err *err)
{
    return write_pictures(o, s, err) && (!o->adviser || write_crops(o, s, err)) && write_json(o, s, err);
}

static void put_opinions(struct buf *b, const struct explained *e)
{
    const struct opinions *o = &e->what.opinions;
    const bool two = e->ok && o->accord != ACCORD_ALONE;
    char why[OPINIONS_WHY] = "";

    if (e->ok)
        opinions_why(o, why);
    csv_put(b, e->ok ? answer_name(o->map) : "");
    csv_put(b, two ? answer_name(o->classifier) : "");
    if (two)
        csv_putf(b, "%.17g", o->malignant);
    else
        csv_put(b, "");
    csv_put(b, why);
}

static void put_explained(struct buf *b, const struct explained *e)
{
    csv_put(b, e->ok ? explanation_verdict(&e->what) : "");
    if (e->ok) {
        csv_putf(b, "%.17g", e->what.score);
        csv_putf(b, "%d", e->what.count);
    } else {
        csv_put(b, "");
        csv_put(b, "");
    }
    csv_put(b, e->ok ? "" : e->error);
}

bool explain_write_summary(const struct explain_results *r, const char *folder, struct err *err)
{
    const bool asked = *r->classifier_thresholds;
    char *path = file_join(folder, "summary.csv");
    struct buf b = BUF_INIT;

    buf_addf(&b, "path,verdict,score,regions,error%s\n", asked ? ",map,classifier,malignant,why" : "");
    for (size_t i = 0; i < r->done; i++) {
        csv_put(&b, r->files.file[i].path);
        put_explained(&b, &r->of[i]);
        if (asked)
            put_opinions(&b, &r->of[i]);
        csv_put_end(&b);
    }
    const bool ok = file_write(path, b.data, b.len, err);
    buf_release(&b);
    free(path);
    return ok;
}
