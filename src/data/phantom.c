#include "data/phantom.h"

#include "base/mem.h"
#include "data/dataset.h"
#include "base/parallel.h"
#include "data/phantom_scene.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct phantom_options phantom_defaults(void)
{
    return (struct phantom_options){
        .cases = 120, .seed = 1, .height = 1024, .malignant_share = 0.5, .view = {true, true}};
}

bool phantom_check(const struct phantom_options *o, struct err *err)
{
    if (o->cases < 1 || o->cases > PHANTOM_MAX_CASES)
        return err_set(err, ERR_INPUT, "%zu cases: 1 to %d can be made", o->cases, PHANTOM_MAX_CASES);
    if (o->height < PHANTOM_MIN_HEIGHT || o->height > PHANTOM_MAX_HEIGHT)
        return err_set(err, ERR_INPUT, "height %d: %d to %d pixels can be made", o->height,
                       PHANTOM_MIN_HEIGHT, PHANTOM_MAX_HEIGHT);
    const double share[] = {o->malignant_share, o->normal_share, o->several_share, o->test_share};
    for (size_t k = 0; k < sizeof share / sizeof *share; k++)
        if (!(share[k] >= 0 && share[k] <= 1))
            return err_set(err, ERR_INPUT, "a share must lie between 0 and 1");
    if (!o->view[PHANTOM_CC] && !o->view[PHANTOM_MLO])
        return err_set(err, ERR_INPUT, "no view is asked for");
    return true;
}

const char *phantom_projection_name(enum phantom_projection view)
{
    static const char *const NAME[] = {[PHANTOM_CC] = "CC", [PHANTOM_MLO] = "MLO"};
    return NAME[view];
}

const char *phantom_side_name(const struct phantom_case *c)
{
    return c->right ? "right" : "left";
}

/* How many of the first n things of a row are marked when marks of that share are spread evenly. */
static size_t marked_before(size_t n, double share, double shift)
{
    return (size_t)floor((double)n * share + shift);
}

static bool is_marked(size_t i, double share, double shift)
{
    return marked_before(i + 1, share, shift) > marked_before(i, share, shift);
}

/* Labels are spread evenly, so that the first cases of any number have nearly the mix that was asked for;
 * test cases are spread evenly over those of one label. */
static void sort_case(struct phantom_case *c, const struct phantom_options *o)
{
    struct rng r = rng_at(o->seed, RNG_PHANTOM, UINT64_MAX, 0);
    double normal_shift = rng_uniform(&r), malignant_shift = rng_uniform(&r), test_shift = rng_uniform(&r);
    size_t normal = marked_before(c->index, o->normal_share, normal_shift), with_mass = c->index - normal;
    size_t malignant = marked_before(with_mass, o->malignant_share, malignant_shift);
    size_t before[LABEL_COUNT] = {
        [LABEL_BENIGN] = with_mass - malignant, [LABEL_MALIGNANT] = malignant, [LABEL_NORMAL] = normal};

    if (is_marked(c->index, o->normal_share, normal_shift))
        c->label = LABEL_NORMAL;
    else
        c->label = is_marked(with_mass, o->malignant_share, malignant_shift) ? LABEL_MALIGNANT : LABEL_BENIGN;
    c->part = o->test_share == 0                                       ? PART_NONE
              : is_marked(before[c->label], o->test_share, test_shift) ? PART_TEST
                                                                       : PART_TRAIN;
}

/* One of count outcomes, by their shares of 1. */
static int draw_share(struct rng *r, const double *share, int count)
{
    double u = rng_uniform(r);
    int k = 0;
    while (k + 1 < count && u >= share[k])
        u -= share[k++];
    return k;
}

/* Size, shape and visibility of a mass. */
static void make_mass(struct phantom_mass *m, enum data_label label, struct rng *r)
{
    static const double SUBTLETY[5] = {0.03, 0.07, 0.25, 0.35, 0.3};
    static const double BENIGN_KIND[3] = {0.3, 0.45, 0.25}, MALIGNANT_KIND[2] = {0.2, 0.8};
    static const double BENIGN_ASSESSMENT[3] = {0.3, 0.3, 0.4}, MALIGNANT_ASSESSMENT[2] = {0.45, 0.55};
    bool malignant = label == LABEL_MALIGNANT;

    m->label = label;
    /* Log-uniform; masses of the archive lie mostly between these. The views may differ by 12 %. */
    m->area_share = 0.0027 * pow(0.019 / 0.0027, pow(rng_uniform(r), malignant ? 0.9 : 1.2));
    m->from_nipple = rng_between(r, 0.3, 0.8);
    m->spicule_reach = rng_between(r, 1.6, 2.2);
    m->kind = malignant ? PHANTOM_IRREGULAR + (unsigned)draw_share(r, MALIGNANT_KIND, 2)
                        : PHANTOM_ROUND + (unsigned)draw_share(r, BENIGN_KIND, 3);
    m->subtlety = 1 + draw_share(r, SUBTLETY, 5);
    m->assessment =
        malignant ? 4 + draw_share(r, MALIGNANT_ASSESSMENT, 2) : 2 + draw_share(r, BENIGN_ASSESSMENT, 3);
}

static void add_mass(struct phantom_case *c, enum data_label label, struct rng *r)
{
    struct phantom_mass *m = &c->mass[c->masses++];

    make_mass(m, label, r);
    c->subtlety = m->subtlety > c->subtlety ? m->subtlety : c->subtlety;
    c->assessment = m->assessment > c->assessment ? m->assessment : c->assessment;
}

/* Beside a malignant mass a second one is often malignant, too; beside a benign one it is benign. */
static void add_second(struct phantom_case *c, const struct phantom_options *o)
{
    struct rng r = rng_at(o->seed, RNG_PHANTOM, c->index, 1);
    bool wanted = rng_uniform(&r) < o->several_share, malignant = rng_uniform(&r) < 0.7;

    if (wanted)
        add_mass(c, c->label == LABEL_MALIGNANT && malignant ? LABEL_MALIGNANT : LABEL_BENIGN, &r);
}

void phantom_case_make(struct phantom_case *c, const struct phantom_options *o, size_t index)
{
    static const double DENSITY[4] = {0.2, 0.4, 0.28, 0.12};
    struct rng r = rng_at(o->seed, RNG_PHANTOM, index, 0);

    *c = (struct phantom_case){.index = index, .assessment = 1};
    sort_case(c, o);
    snprintf(c->patient, sizeof c->patient, "P%04zu", index + 1);
    c->right = rng_uniform(&r) < 0.5;
    c->density = 1 + draw_share(&r, DENSITY, 4);
    c->depth = rng_between(&r, 0.33, 0.53);
    c->reach = fmin(0.46, c->depth * rng_between(&r, 0.8, 1.08));
    if (c->label != LABEL_NORMAL) {
        add_mass(c, c->label, &r);
        add_second(c, o);
    }
}

void phantom_picture_release(struct phantom_picture *p)
{
    image_release(&p->grey);
    image_release(&p->mask);
    image_release(&p->core);
}

bool phantom_render(struct phantom_picture *out, const struct phantom_options *o,
                    const struct phantom_case *c, enum phantom_projection view, struct err *err)
{
    struct phantom_scene s = {
        .options = o, .about = c, .view = view, .height = o->height, .width = o->height * 5 / 8};
    size_t pixels = (size_t)s.width * (size_t)s.height;
    bool ok = false;

    s.light = mem_try(pixels, sizeof *s.light, err);
    s.strand = mem_try(pixels, sizeof *s.strand, err);
    s.core = mem_try(pixels, sizeof *s.core, err);
    if (!s.light || !s.strand || !s.core)
        goto out;
    phantom_shape_make(&s);
    if (!phantom_grid_make(&s, err) || !phantom_tissue_draw(&s, err))
        goto out;
    phantom_mass_draw(&s);
    ok = phantom_film_expose(out, &s, err);
out:
    phantom_grid_release(&s.grid);
    free(s.light);
    free(s.strand);
    free(s.core);
    return ok;
}

/* What the threads share; only read, but for the data set, which looks after itself. */
struct job {
    const struct phantom_options *options;
    struct dataset *set;
    enum phantom_projection view[PHANTOM_PROJECTIONS];
    size_t views;
};

static bool write_view(void *context, size_t i, struct err *err)
{
    const struct job *job = context;
    enum phantom_projection view = job->view[i % job->views];
    struct phantom_case c;
    struct phantom_picture p = PHANTOM_PICTURE_INIT;
    char id[32], density[4], subtlety[4], assessment[4];

    phantom_case_make(&c, job->options, i / job->views);
    snprintf(id, sizeof id, "%s_%s_%s", c.patient, c.right ? "RIGHT" : "LEFT", phantom_projection_name(view));
    snprintf(density, sizeof density, "%d", c.density);
    snprintf(subtlety, sizeof subtlety, "%d", c.subtlety);
    snprintf(assessment, sizeof assessment, "%d", c.assessment);
    struct dataset_case row = {.id = id,
                               .patient = c.patient,
                               .side = phantom_side_name(&c),
                               .view = phantom_projection_name(view),
                               .density = density,
                               .assessment = assessment,
                               .subtlety = c.subtlety ? subtlety : NULL,
                               .part = c.part,
                               .label = c.label,
                               .grey = &p.grey,
                               .mask = &p.mask};
    bool ok = phantom_render(&p, job->options, &c, view, err) && dataset_add(job->set, &row, err);
    phantom_picture_release(&p);
    return ok;
}

bool phantom_write(struct phantom_counts *counts, const char *folder, const struct phantom_options *o,
                   struct err *err)
{
    struct job job = {.options = o};
    bool ok = false;

    if (!phantom_check(o, err))
        return false;
    for (int k = 0; k < PHANTOM_PROJECTIONS; k++)
        if (o->view[k])
            job.view[job.views++] = (enum phantom_projection)k;
    json_t *options =
        json_pack("{s:I, s:I, s:i, s:f, s:f, s:f, s:f, s:b, s:b}", "cases", (json_int_t)o->cases, "seed",
                  (json_int_t)o->seed, "height", o->height, "malignant_share", o->malignant_share,
                  "normal_share", o->normal_share, "several_share", o->several_share, "test_share",
                  o->test_share, "cc", o->view[PHANTOM_CC], "mlo", o->view[PHANTOM_MLO]);
    assert(options);
    job.set =
        dataset_begin(folder,
                      &(struct dataset_options){
                          .command = "phantom", .margin = DATASET_MARGIN_PERCENT / 100.0, .options = options},
                      err);
    if (!job.set || !parallel_for(o->cases * job.views, write_view, &job, "phantoms", err) ||
        !dataset_finish(job.set, err))
        goto out;
    struct dataset_counts made = dataset_count(job.set);
    *counts = (struct phantom_counts){.images = made.images};
    memcpy(counts->by_label, made.by_label, sizeof counts->by_label);
    ok = true;
out:
    dataset_close(job.set);
    json_decref(options);
    return ok;
}
