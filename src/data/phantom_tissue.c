#include "base/mem.h"
#include "data/phantom_scene.h"

#include <math.h>
#include <stdlib.h>

/* How one breast looks, the same in both views. */
struct tissue {
    float fat, gland, muscle; /* light of full thickness */
    float margin;             /* width of the rim where the compressed breast thins out, image heights */
    float grainy;             /* strength of the texture */
    float fibrous;            /* strength of the strands */
    float lacy;               /* how many holes fat leaves in the glandular tissue, 0 to 1 */
};

/* The fields read for every pixel. */
struct fine {
    struct phantom_field texture[2]; /* power-law, one sample a pixel */
    struct phantom_field ridge[2];   /* smooth; their zero lines are the strands */
};

static struct tissue tissue_of(const struct phantom_scene *s)
{
    struct rng r = rng_at(s->options->seed, RNG_PHANTOM, s->about->index, SCENE_TISSUE);

    /* One statement a number: within an initialiser the order of calls is the compiler's. */
    struct tissue t;
    t.fat = (float)rng_between(&r, 0.25, 0.35);
    t.gland = (float)(rng_between(&r, 0.25, 0.35) * (1.1 - 0.07 * s->about->density));
    t.muscle = (float)rng_between(&r, 0.15, 0.42);
    t.margin = (float)rng_between(&r, 0.08, 0.14);
    t.grainy = (float)rng_between(&r, 0.8, 1.25);
    t.fibrous = (float)rng_between(&r, 0.5, 1.3);
    t.lacy = (float)rng_between(&r, 0.2, 1);
    return t;
}

static float step_smooth(float from, float to, float v)
{
    float t = (v - from) / (to - from);
    t = t < 0 ? 0 : t > 1 ? 1 : t;
    return t * t * (3 - 2 * t);
}

/* A bright line where a smooth field crosses zero; about 0 to 1. */
static float line_of(float v, float width)
{
    float q = v / width;
    q = 1 + q * q;
    return 1 / (q * q);
}

/* Thickness of the compressed breast, 0 at the skin to 1, and the skin's own thin line. */
static float thickness(float depth, float margin, float *skin)
{
    *skin = 0;
    if (depth <= 0)
        return 0;
    float q = (depth - 0.0035f) / 0.0022f;
    *skin = 1 / (1 + q * q * q * q);
    if (depth >= margin)
        return 1;
    float t = 1 - depth / margin;
    return sqrtf(1 - t * t);
}

/* Light of one place from its layers; texture holds the two fields' values there. */
static float light_at(const struct tissue *t, const float layer[LAYERS], const float texture[2],
                      const struct fine *f)
{
    float skin, thick = thickness(layer[LAYER_DEPTH], t->margin, &skin);
    float along = layer[LAYER_ALONG], across = layer[LAYER_ACROSS];
    float net = phantom_field_at(&f->ridge[0], 1.1f * along, 2.3f * across);
    float fine = phantom_field_at(&f->ridge[1], 2.2f * along, 5.0f * across);
    float under_skin = step_smooth(0.01f, 0.06f, layer[LAYER_DEPTH]);
    float muscle = step_smooth(-0.006f, 0.012f, layer[LAYER_PECTORAL]);

    /* Lobules: the edge is ragged by the texture, fat leaves holes where the net is far from its lines. */
    float holes = t->lacy * 0.2f * (fabsf(net) - 0.6f);
    float gland = step_smooth(-0.3f, 0.42f, layer[LAYER_GLAND] + 0.045f * texture[0] - holes);
    gland *= under_skin * (1 - muscle);
    float strands = line_of(net, 0.26f) * (0.35f + 0.5f * fabsf(fine)) + 0.7f * line_of(fine, 0.28f);
    strands *= (0.5f + 0.5f * gland) * (0.75f + 0.25f * texture[1]) * under_skin;

    float light = t->fat * (1 + 0.05f * t->grainy * texture[0] + 0.04f * texture[1]);
    light += gland * t->gland * (0.75f + 0.11f * t->grainy * texture[0] + 0.09f * texture[1]);
    light += 0.12f * t->fibrous * strands * (1 - 0.85f * muscle);
    light += muscle * t->muscle * (0.8f + 0.06f * texture[1] + 2.0f * layer[LAYER_PECTORAL]);
    return light * thick + 0.03f * skin;
}

static void draw_light(struct phantom_scene *s, const struct fine *f)
{
    struct tissue t = tissue_of(s);
    float *row[LAYERS];
    int n = f->texture[0].n;

    for (int k = 0; k < LAYERS; k++)
        row[k] = mem_new((size_t)s->width, sizeof(float));
    for (int y = 0; y < s->height; y++) {
        float *out = s->light + (size_t)y * (size_t)s->width;
        const float *strand = s->strand + (size_t)y * (size_t)s->width;
        for (int k = 0; k < LAYERS; k++)
            phantom_grid_row(s, k, y, row[k]);
        for (int x = 0; x < s->width; x++) {
            if (row[LAYER_DEPTH][x] <= 0)
                continue;
            float layer[LAYERS], texture[2];
            for (int k = 0; k < LAYERS; k++)
                layer[k] = row[k][x];
            for (int k = 0; k < 2; k++)
                texture[k] = f->texture[k].value[(size_t)y * (size_t)n + (size_t)x];
            out[x] =
                light_at(&t, layer, texture, f) + strand[x] * step_smooth(0.004f, 0.04f, row[LAYER_DEPTH][x]);
        }
    }
    for (int k = 0; k < LAYERS; k++)
        free(row[k]);
}

/* A line that wanders: where it is, where it heads (radians), how wide it is and how bright. */
struct wander {
    double x, y, heading, turn, width, light;
    int steps;
};

static void draw_wander(struct phantom_scene *s, struct wander w, struct rng *r)
{
    enum { STEP_PER_MILLE = 9 };
    double step = STEP_PER_MILLE / 1000.0, curl = 0;

    for (int i = 0; i < w.steps; i++) {
        double left = 1 - (double)i / w.steps, next = 1 - (double)(i + 1) / w.steps;
        double x = w.x + step * cos(w.heading), y = w.y + step * sin(w.heading);
        struct phantom_stroke k = {.ax = (float)w.x,
                                   .ay = (float)w.y,
                                   .bx = (float)x,
                                   .by = (float)y,
                                   .a_width = (float)(w.width * (0.4 + 0.6 * left)),
                                   .b_width = (float)(w.width * (0.4 + 0.6 * next)),
                                   .a_light = (float)(w.light * sqrt(left)),
                                   .b_light = (float)(w.light * sqrt(next))};
        phantom_stroke_draw(s->strand, s, &k);
        curl = 0.8 * curl + w.turn * rng_normal(r);
        w.heading += curl;
        w.x = x;
        w.y = y;
    }
}

/* Vessels run from the chest wall or the armpit towards the nipple; Cooper's ligaments are short arcs from
 * the glandular tissue to the skin. */
static void draw_strands(struct phantom_scene *s)
{
    struct rng r = phantom_rng(s, SCENE_STRANDS);
    const struct phantom_shape *p = &s->shape;
    int vessels = rng_int(&r, 1, 4), ligaments = rng_int(&r, 14, 30);

    for (int i = 0; i < vessels; i++) {
        struct wander w = {.turn = 0.05};
        w.x = rng_between(&r, 0, 0.5) * p->depth;
        w.y = p->nipple_y + rng_between(&r, -0.8, 0.7) * s->about->reach;
        w.width = rng_between(&r, 0.0014, 0.0026);
        w.light = rng_between(&r, 0.05, 0.1);
        w.steps = rng_int(&r, 25, 55);
        w.heading = atan2(p->nipple_y - w.y, p->nipple_x - w.x) + rng_between(&r, -0.35, 0.35);
        draw_wander(s, w, &r);
    }
    for (int i = 0; i < ligaments; i++) {
        double angle = rng_between(&r, -1.2, 1.2), away = rng_between(&r, 0.35, 0.9) * p->depth;
        struct wander w = {
            .x = p->nipple_x - away * cos(angle), .y = p->nipple_y + away * sin(angle), .turn = 0.07};
        w.width = rng_between(&r, 0.0009, 0.0018);
        w.light = rng_between(&r, 0.03, 0.085);
        w.steps = rng_int(&r, 6, 22);
        w.heading = atan2(w.y - p->nipple_y, p->nipple_x - w.x) * -0.4 + rng_between(&r, -0.7, 0.7);
        draw_wander(s, w, &r);
    }
}

bool phantom_tissue_draw(struct phantom_scene *s, struct err *err)
{
    struct rng r = phantom_rng(s, SCENE_TEXTURE);
    struct fine f = {{PHANTOM_FIELD_INIT, PHANTOM_FIELD_INIT}, {PHANTOM_FIELD_INIT, PHANTOM_FIELD_INIT}};
    int n = 16;
    bool ok = false;

    while (n < s->height)
        n *= 2;
    if (!phantom_field_pair(f.texture, n, (struct phantom_spectrum){3, 5, n / 2.0}, &r, err) ||
        !phantom_field_pair(f.ridge, 256, (struct phantom_spectrum){3.2, 5, 26}, &r, err))
        goto out;
    draw_strands(s);
    draw_light(s, &f);
    ok = true;
out:
    for (int k = 0; k < 2; k++) {
        phantom_field_release(&f.texture[k]);
        phantom_field_release(&f.ridge[k]);
    }
    return ok;
}
