#include "eval/explain.h"

#include "base/mem.h"
#include "eval/opinions.h"
#include "eval/predict.h"
#include "image/regions.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct image_box box_in_image(struct image_box b, const struct prep_plan *plan)
{
    const double sx = (double)(plan->box.x1 - plan->box.x0) / (plan->to.x1 - plan->to.x0);
    const double sy = (double)(plan->box.y1 - plan->box.y0) / (plan->to.y1 - plan->to.y0);

    /* the small amounts keep a rounding error from adding a row */
    return (struct image_box){plan->box.x0 + (int)floor((b.x0 - plan->to.x0) * sx + 1e-6),
                              plan->box.y0 + (int)floor((b.y0 - plan->to.y0) * sy + 1e-6),
                              plan->box.x0 + (int)ceil((b.x1 - plan->to.x0) * sx - 1e-6),
                              plan->box.y0 + (int)ceil((b.y1 - plan->to.y0) * sy - 1e-6)};
}

/* Image pixels under one pixel of the map. */
static double pixel_area(const struct prep_plan *plan)
{
    return (double)(plan->box.x1 - plan->box.x0) * (plan->box.y1 - plan->box.y0) /
           ((double)(plan->to.x1 - plan->to.x0) * (plan->to.y1 - plan->to.y0));
}

/* The map where it shows the image, 0 in a border. */
static bool shown_part(struct image *out, const float *map, const struct prep_plan *plan, struct err *err)
{
    if (!image_new(out, plan->size, plan->size, 1, IMAGE_F32, err))
        return false;
    for (int y = plan->to.y0; y < plan->to.y1; y++) {
        const size_t at = (size_t)y * (size_t)plan->size + (size_t)plan->to.x0;
        memcpy(image_f32(out) + at, map + at, (size_t)(plan->to.x1 - plan->to.x0) * sizeof *map);
    }
    return true;
}

static float peak_of(const struct image *shown)
{
    float peak = 0;

    for (size_t i = 0; i < image_pixels(shown); i++)
        peak = fmaxf(peak, image_f32(shown)[i]);
    return peak;
}

static void take_regions(struct explanation *x, const struct regions *r, const struct prep_plan *plan)
{
    for (size_t k = 0; k < r->count && x->count < EXPLAIN_REGIONS; k++) {
        const struct region *g = &r->region[k]; /* largest sum first */
        if (g->sum < EXPLAIN_SMALLEST_SHARE * x->score)
            break;
        const double area = (double)g->area * pixel_area(plan);
        x->region[x->count++] =
            (struct explain_region){.box = box_in_image(g->box, plan),
                                    .area_pixels = area,
                                    .area_share = area / ((double)plan->width * plan->height),
                                    .score = g->sum,
                                    .score_share = g->sum / x->score,
                                    .peak = g->peak};
    }
}

/* Summed over its own pixels, not taken as a difference, so that it is exact where it is small. */
static double rest_of(const struct explanation *x, const struct regions *r, const float *map)
{
    const size_t n = (size_t)r->width * (size_t)r->height;
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        if (r->label[i] == 0 || r->label[i] > x->count)
            sum += map[i];
    return sum;
}

/* Added up from the rest, not subtracted: the difference of two large sums would not be exact. */
static void judge_without(struct explanation *x)
{
    for (int i = 0; i < x->count; i++) {
        struct explain_region *r = &x->region[i];
        r->score_without = x->rest_score;
        for (int k = 0; k < x->count; k++)
            r->score_without += k == i ? 0 : x->region[k].score;
        r->without = x->judged ? band_answer(x->band, r->score_without) : ANSWER_COUNT;
    }
    x->rest_verdict = x->judged ? band_answer(x->band, x->rest_score) : ANSWER_COUNT;
}

bool explain_map(struct explanation *out, const float *map, const struct prep_plan *plan,
                 const struct band *band, struct err *err)
{
    struct explanation x = {.judged = band != NULL};
    struct image shown = IMAGE_INIT;
    struct regions regions = REGIONS_INIT;
    bool ok = false;

    x.score = x.rest_score = map_score(map, (size_t)plan->size * (size_t)plan->size);
    if (band) {
        x.band = *band;
        x.verdict = band_answer(*band, x.score);
    }
    if (!shown_part(&shown, map, plan, err))
        goto out;
    x.peak = peak_of(&shown);
    if (x.peak >= EXPLAIN_FAINTEST) {
        x.cut = fminf(.5f, x.peak / 2);
        if (!regions_find(&regions, &shown, x.cut, err))
            goto out;
        take_regions(&x, &regions, plan);
        x.rest_score = rest_of(&x, &regions, map);
    }
    judge_without(&x);
    *out = x;
    ok = true;
out:
    image_release(&shown);
    regions_release(&regions);
    return ok;
}

const char *explanation_verdict(const struct explanation *x)
{
    return x->judged ? answer_name(x->verdict) : "none";
}

/* NULL where there is no verdict. */
static const char *verdict_name(enum answer a)
{
    return a < ANSWER_COUNT ? answer_name(a) : NULL;
}

static json_t *region_json(const struct explain_region *g, bool asked)
{
    json_t *json =
        json_pack("{s:i, s:i, s:i, s:i, s:f, s:f, s:f, s:f, s:f, s:{s:f, s:s?}}", "x0", g->box.x0, "y0",
                  g->box.y0, "x1", g->box.x1, "y1", g->box.y1, "area_pixels", g->area_pixels, "area_share",
                  g->area_share, "score", g->score, "score_share", g->score_share, "peak", (double)g->peak,
                  "without", "score", g->score_without, "verdict", verdict_name(g->without));

    if (asked)
        json_object_set_new(json, "classifier",
                            json_pack("{s:f, s:s, s:{s:i, s:i, s:i, s:i}}", "malignant", g->malignant,
                                      "answer", answer_name(g->answer), "crop", "x0", g->crop.x0, "y0",
                                      g->crop.y0, "x1", g->crop.x1, "y1", g->crop.y1));
    return json;
}

static json_t *opinions_json(const struct opinions *o)
{
    const bool alone = o->accord == ACCORD_ALONE;
    char why[OPINIONS_WHY];

    opinions_why(o, why);
    return json_pack("{s:s, s:s, s:s?, s:o, s:o, s:s}", "accord", accord_name(o->accord), "map",
                     answer_name(o->map), "classifier", alone ? NULL : answer_name(o->classifier), "region",
                     alone ? json_null() : json_integer(o->region + 1), "malignant",
                     alone ? json_null() : json_real(o->malignant), "why", why);
}

void explanation_json(json_t *json, const struct explanation *x)
{
    json_t *regions = json_array();

    for (int i = 0; i < x->count; i++)
        json_array_append_new(regions, region_json(&x->region[i], x->asked));
    json_object_set_new(json, "verdict", json_string(explanation_verdict(x)));
    if (x->asked)
        json_object_set_new(json, "opinions", opinions_json(&x->opinions));
    json_object_set_new(json, "score", json_real(x->score));
    json_object_set_new(json, "low", x->judged ? json_real(x->band.low) : json_null());
    json_object_set_new(json, "high", x->judged ? json_real(x->band.high) : json_null());
    json_object_set_new(json, "peak", json_real((double)x->peak));
    json_object_set_new(json, "cut", json_real((double)x->cut));
    json_object_set_new(json, "regions", regions);
    json_object_set_new(json, "rest_score", json_real(x->rest_score));
    json_object_set_new(json, "rest_share", x->score > 0 ? json_real(x->rest_score / x->score) : json_null());
    json_object_set_new(json, "rest_verdict",
                        x->judged ? json_string(answer_name(x->rest_verdict)) : json_null());
}
