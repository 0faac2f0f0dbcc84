#include "eval/opinions.h"

#include "base/mem.h"
#include "data/crops.h"
#include "data/dataset.h"
#include "base/parallel.h"
#include "image/warp.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

const char *accord_name(enum accord a)
{
    static const char *const NAME[ACCORD_COUNT] = {[ACCORD_AGREE] = "agree",
                                                   [ACCORD_DIFFER] = "differ",
                                                   [ACCORD_UNSURE] = "unsure",
                                                   [ACCORD_ALONE] = "no region"};
    return NAME[a];
}

struct opinions opinions_join(enum answer map, const double *malignant, int regions, struct band band)
{
    struct opinions o = {.map = map, .together = map, .accord = ACCORD_ALONE, .region = -1, .malignant = NAN};

    if (regions == 0)
        return o;
    o.region = 0;
    for (int i = 1; i < regions; i++)
        o.region = malignant[i] > malignant[o.region] ? i : o.region;
    o.malignant = malignant[o.region];
    o.classifier = band_answer(band, o.malignant);
    if (map == ANSWER_UNCERTAIN || o.classifier == ANSWER_UNCERTAIN)
        o.accord = ACCORD_UNSURE;
    else
        o.accord = map == o.classifier ? ACCORD_AGREE : ACCORD_DIFFER;
    o.together = o.accord == ACCORD_AGREE ? map : ANSWER_UNCERTAIN;
    return o;
}

void opinions_why(const struct opinions *o, char text[OPINIONS_WHY])
{
    static const char *const FORM[ACCORD_COUNT] = {
        [ACCORD_AGREE] = "both networks say %s (the classifier: malignant with probability %.2g)",
        [ACCORD_DIFFER] =
            "the networks disagree: the map says %s, the classifier %s (malignant with probability %.2g)",
        [ACCORD_UNSURE] = "the map says %s, the classifier %s (malignant with probability %.2g)",
        [ACCORD_ALONE] = "the map says %s and shows no region: the classifier had nothing to judge"};
    const char *map = answer_name(o->map), *classifier = answer_name(o->classifier);

    if (o->accord == ACCORD_AGREE)
        snprintf(text, OPINIONS_WHY, FORM[o->accord], map, o->malignant);
    else if (o->accord == ACCORD_ALONE)
        snprintf(text, OPINIONS_WHY, FORM[o->accord], map);
    else
        snprintf(text, OPINIONS_WHY, FORM[o->accord], map, classifier, o->malignant);
}

bool adviser_open(struct adviser *a, const char *run_folder, struct err *err)
{
    if (!predictor_open(&a->predictor, run_folder, err))
        return false;
    if (!run_is_classifier(&a->predictor.run))
        return err_set(err, ERR_INPUT, "%s is no classifier: it is a %s run", run_folder,
                       run_task_name(a->predictor.run.task));
    const double margin = crops_margin(a->predictor.run.data_path);
    a->margin = margin >= 0 ? margin : DATASET_MARGIN_PERCENT / 100.;
    return true;
}

bool adviser_load(struct adviser *a, const struct predictor_options *o, struct err *err)
{
    return predictor_load(&a->predictor, o, err) &&
           thresholds_in_force(&a->band, a->thresholds, &a->predictor, NULL, err);
}

void adviser_close(struct adviser *a)
{
    predictor_close(&a->predictor);
    *a = (struct adviser)ADVISER_INIT;
}

json_t *adviser_json(const struct adviser *a)
{
    json_t *json = predictor_json(&a->predictor);

    json_object_set_new(json, "thresholds", json_string(a->thresholds));
    json_object_set_new(json, "low", json_real(a->band.low));
    json_object_set_new(json, "high", json_real(a->band.high));
    json_object_set_new(json, "margin", json_real(a->margin));
    return json;
}

/* One crop to be cut. */
struct task {
    struct opinions_case *of;
    int region;
};

struct asking {
    const struct adviser *a;
    struct task *task; /* [n] */
    size_t n;
    uint16_t *square;  /* [n, pixels] */
    double *malignant; /* [n] */
    float *cam;        /* [n, places] */
};

static bool cut_crop(void *asking, size_t i, struct err *err)
{
    const struct asking *q = asking;
    const struct task *t = &q->task[i];
    const struct image *grey = t->of->grey;
    struct explain_region *region = &t->of->what->region[t->region];
    struct prep_plan *plan = &t->of->plan[t->region];
    struct image crop = IMAGE_INIT;

    region->crop = dataset_crop_box(region->box, q->a->margin, grey->width, grey->height);
    bool ok = image_crop(&crop, grey, region->crop, err);
    if (ok) {
        prep_plan_make(plan, &q->a->predictor.run.prep, &crop);
        ok = prep_image(q->square + i * predictor_pixels(&q->a->predictor), plan, &crop, err);
    }
    image_release(&crop);
    return ok;
}

static void list_tasks(struct asking *q, struct opinions_case *of, size_t n)
{
    q->task = mem_new(n * EXPLAIN_REGIONS + 1, sizeof *q->task);
    for (size_t i = 0; i < n; i++)
        for (int k = 0; of[i].what && k < of[i].what->count; k++)
            q->task[q->n++] = (struct task){&of[i], k};
}

/* The answers of one image, the first of which is *at; that of the next image after. */
static void take_answers(const struct asking *q, struct opinions_case *c, size_t *at)
{
    const size_t places = (size_t)q->a->predictor.output.h * (size_t)q->a->predictor.output.w;
    struct explanation *x = c->what;

    c->cam = mem_new((size_t)x->count * places + 1, sizeof *c->cam);
    for (size_t i = 0; i < (size_t)x->count * places; i++)
        c->cam[i] = q->cam[*at * places + i];
    for (int k = 0; k < x->count; k++) {
        x->region[k].malignant = q->malignant[*at + (size_t)k];
        x->region[k].answer = band_answer(q->a->band, x->region[k].malignant);
    }
    x->asked = true;
    x->opinions = opinions_join(x->verdict, q->malignant + *at, x->count, q->a->band);
    x->verdict = x->opinions.together;
    *at += (size_t)x->count;
}

bool opinions_ask(struct adviser *a, struct opinions_case *of, size_t n, struct err *err)
{
    struct predictor *p = &a->predictor;
    struct asking q = {.a = a};
    size_t at = 0;

    list_tasks(&q, of, n);
    q.square = mem_try(q.n + 1, predictor_pixels(p) * sizeof *q.square, err);
    q.malignant = mem_new(q.n + 1, sizeof *q.malignant);
    q.cam = mem_try(q.n + 1, (size_t)p->output.h * (size_t)p->output.w * sizeof *q.cam, err);
    const bool ok = q.square && q.cam && parallel_for(q.n, cut_crop, &q, NULL, err) &&
                    predictor_judge(p, q.square, q.n, q.malignant, q.cam, err);
    for (size_t i = 0; i < n && ok; i++)
        if (of[i].what)
            take_answers(&q, &of[i], &at);
    free(q.task);
    free(q.square);
    free(q.malignant);
    free(q.cam);
    return ok;
}
