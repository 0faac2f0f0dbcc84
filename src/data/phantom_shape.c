#include "base/mem.h"
#include "data/phantom_scene.h"

#include <math.h>
#include <stdlib.h>

enum { GRID_ROWS = 192, NODES = 9, CLOSING = 2 };

static double clamp(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

struct rng phantom_rng(const struct phantom_scene *s, enum phantom_part part)
{
    return rng_at(s->options->seed, RNG_PHANTOM, s->about->index,
                  (uint64_t)(1 + (int)s->view) * SCENE_PARTS + part);
}

/* A half-ellipse whose two halves differ, more or less pointed. */
static void outline_cc(struct phantom_shape *p, const struct phantom_case *c, struct rng *r)
{
    double centre = rng_between(r, 0.46, 0.54), up = c->reach * rng_between(r, 0.92, 1.1);
    double down = c->reach * rng_between(r, 0.92, 1.1), blunt = rng_between(r, 1.9, 2.4);
    double lift = rng_between(r, -0.05, 0.05), pointed = rng_between(r, 0.5, 0.8);
    int n = OUTLINE_POINTS - CLOSING;

    p->depth = c->depth;
    p->nipple_x = c->depth;
    p->nipple_y = centre;
    for (int i = 0; i < n; i++) {
        double t = sin(M_PI * ((double)i / (n - 1) - 0.5));
        double x = c->depth * pow(1 - pow(fabs(t), blunt), pointed);
        p->x[i] = (float)(x - (fabs(t) == 1 ? 0.1 : 0));
        p->y[i] = (float)(centre + t * (t < 0 ? up : down) + lift * (1 - t * t) * (1 - x / c->depth));
    }
}

static double catmull_rom(const double v[4], double t)
{
    return 0.5 * (2 * v[1] + (v[2] - v[0]) * t + (2 * v[0] - 5 * v[1] + 4 * v[2] - v[3]) * t * t +
                  (3 * v[1] - v[0] - 3 * v[2] + v[3]) * t * t * t);
}

/* From the armpit at the top over the nipple to the fold below and on to the belly: a smooth curve through
 * nodes. */
static void outline_mlo(struct phantom_shape *p, const struct phantom_case *c, struct rng *r)
{
    double d = c->depth * rng_between(r, 0.98, 1.06), top = d * rng_between(r, 0.45, 0.75);
    double low = rng_between(r, 0.54, 0.64), below = c->reach * rng_between(r, 0.8, 0.95),
           belly = rng_between(r, 0, 0.2);
    double sag = rng_between(r, 0.6, 0.75);
    double y_end = low + below;
    double x[NODES] = {top * 0.98,
                       top,
                       top + 0.3 * (d - top),
                       top + sag * (d - top) + 0.05 * d,
                       d,
                       0.82 * d,
                       0.46 * d,
                       (0.1 + 0.4 * belly) * d,
                       (0.02 + belly) * d};
    double y[NODES] = {-0.3,  -0.08,       0.33 * low, 0.68 * low, low, low + 0.5 * below, low + 0.86 * below,
                       y_end, y_end + 0.25};
    int n = OUTLINE_POINTS - CLOSING;

    p->depth = d;
    p->nipple_x = d;
    p->nipple_y = low;
    for (int i = 0; i < n; i++) {
        double at = (double)i / (n - 1) * (NODES - 3) + 1;
        int k = at < NODES - 2 ? (int)at : NODES - 3;
        p->x[i] = (float)catmull_rom(x + k - 1, at - k);
        p->y[i] = (float)catmull_rom(y + k - 1, at - k);
    }
    p->pectoral = true;
    p->pectoral_x = clamp(top * rng_between(r, 0.35, 0.85), 0.08, 0.3);
    p->pectoral_y = low * rng_between(r, 0.7, 1.15);
    p->pectoral_bow = rng_between(r, 0, 0.04);
}

/* The nipple stands out a little, in most pictures. */
static void add_nipple(struct phantom_shape *p, struct rng *r)
{
    double height = rng_between(r, 0.002, 0.014), width = rng_between(r, 0.014, 0.022);

    for (int i = 0; i < OUTLINE_POINTS - CLOSING; i++) {
        double dy = (p->y[i] - p->nipple_y) / width;
        if (p->x[i] > 0.8 * p->nipple_x)
            p->x[i] += (float)(height * exp(-dy * dy));
    }
}

void phantom_shape_make(struct phantom_scene *s)
{
    struct rng r = phantom_rng(s, SCENE_SHAPE);
    struct phantom_shape *p = &s->shape;

    *p = (struct phantom_shape){.pectoral = false};
    if (s->view == PHANTOM_CC)
        outline_cc(p, s->about, &r);
    else
        outline_mlo(p, s->about, &r);
    add_nipple(p, &r);
    int last = OUTLINE_POINTS - CLOSING - 1;
    p->x[last + 1] = p->x[last + 2] = -0.4f;
    p->y[last + 1] = p->y[last] + 0.2f;
    p->y[last + 2] = p->y[0] - 0.2f;
}

/* Distance to the outline, positive inside (even-odd rule). */
static float skin_distance(const struct phantom_shape *p, float x, float y)
{
    float best = 1e9f;
    bool inside = false;

    for (int i = 0, j = OUTLINE_POINTS - 1; i < OUTLINE_POINTS; j = i++) {
        float ex = p->x[j] - p->x[i], ey = p->y[j] - p->y[i], vx = x - p->x[i], vy = y - p->y[i];
        float t = (vx * ex + vy * ey) / (ex * ex + ey * ey + 1e-12f);
        t = t < 0 ? 0 : t > 1 ? 1 : t;
        float dx = vx - t * ex, dy = vy - t * ey, d = dx * dx + dy * dy;
        best = d < best ? d : best;
        if ((p->y[i] > y) != (p->y[j] > y) && vx < ex * vy / ey)
            inside = !inside;
    }
    return inside ? sqrtf(best) : -sqrtf(best);
}

static double pectoral_distance(const struct phantom_shape *p, double x, double y)
{
    if (!p->pectoral)
        return -1;
    double along = clamp(y / p->pectoral_y, 0, 1), slope = 1 / hypot(1 / p->pectoral_x, 1 / p->pectoral_y);
    return (1 - x / p->pectoral_x - y / p->pectoral_y) * slope + p->pectoral_bow * sin(M_PI * along);
}

/* The four slow random fields that bend and vary everything. */
struct slow {
    struct phantom_field bend[2], vary[2];
};

/* Glandular tissue lies like a fan behind the nipple, reaches towards the armpit, and leaves fat below the
 * skin and in front of the chest wall. */
static double gland_at(const struct phantom_scene *s, const struct slow *f, double x, double y)
{
    static const double CUT[5] = {0, 0.86, 0.62, 0.38, 0.14}; /* by density */
    const struct phantom_shape *p = &s->shape;
    double dx = p->nipple_x - x, dy = y - p->nipple_y;
    double tilt = s->view == PHANTOM_MLO ? -0.35 : -0.08;
    double away = hypot(dx, dy) / p->depth, angle = atan2(dy, dx + 0.05) - tilt;
    double fan = (away - 0.42) / (away < 0.42 ? 0.46 : 0.36), wide = angle / (angle < 0 ? 0.85 : 0.7);
    double chest = clamp((x - 0.01) / (0.25 * p->depth), 0, 1);

    return exp(-fan * fan - wide * wide) * (0.45 + 0.55 * chest) +
           0.24 * phantom_field_at(&f->vary[0], (float)x, (float)y) - CUT[s->about->density];
}

static void fill_node(struct phantom_scene *s, const struct slow *f, size_t at, double x, double y)
{
    struct phantom_grid *g = &s->grid;
    const struct phantom_shape *p = &s->shape;
    double bend_x = phantom_field_at(&f->bend[0], (float)x, (float)y);
    double bend_y = phantom_field_at(&f->bend[1], (float)x, (float)y);
    double dx = p->nipple_x + 0.03 - x, dy = y - p->nipple_y;
    double away = hypot(dx, dy), angle = atan2(dy, dx);

    g->layer[LAYER_DEPTH][at] = skin_distance(p, (float)x, (float)y);
    g->layer[LAYER_GLAND][at] = (float)gland_at(s, f, x, y);
    g->layer[LAYER_ALONG][at] = (float)(away + 0.022 * bend_x);
    g->layer[LAYER_ACROSS][at] = (float)(angle * (0.16 + 0.75 * away) + 0.022 * bend_y);
    g->layer[LAYER_PECTORAL][at] = (float)(pectoral_distance(p, x, y) + 0.004 * bend_x);
}

bool phantom_grid_make(struct phantom_scene *s, struct err *err)
{
    struct rng r = phantom_rng(s, SCENE_TISSUE);
    struct phantom_grid *g = &s->grid;
    struct slow f = {{PHANTOM_FIELD_INIT, PHANTOM_FIELD_INIT}, {PHANTOM_FIELD_INIT, PHANTOM_FIELD_INIT}};
    bool ok = false;

    if (!phantom_field_pair(f.bend, 64, (struct phantom_spectrum){3.5, 2, 16}, &r, err) ||
        !phantom_field_pair(f.vary, 128, (struct phantom_spectrum){3.3, 2, 40}, &r, err))
        goto out;
    g->step = 1.0 / GRID_ROWS;
    g->height = GRID_ROWS + 2;
    g->width = (int)((double)s->width / s->height * GRID_ROWS) + 2;
    for (int k = 0; k < LAYERS; k++)
        g->layer[k] = mem_new((size_t)g->width * (size_t)g->height, sizeof(float));
    for (int y = 0; y < g->height; y++)
        for (int x = 0; x < g->width; x++)
            fill_node(s, &f, (size_t)y * (size_t)g->width + (size_t)x, x * g->step, y * g->step);
    ok = true;
out:
    for (int k = 0; k < 2; k++) {
        phantom_field_release(&f.bend[k]);
        phantom_field_release(&f.vary[k]);
    }
    return ok;
}

void phantom_grid_release(struct phantom_grid *g)
{
    for (int k = 0; k < LAYERS; k++)
        free(g->layer[k]);
    *g = (struct phantom_grid){.width = 0};
}

float phantom_grid_at(const struct phantom_grid *g, enum phantom_layer layer, double x, double y)
{
    double px = clamp(x / g->step, 0, g->width - 1.001), py = clamp(y / g->step, 0, g->height - 1.001);
    int ix = (int)px, iy = (int)py;
    float fx = (float)(px - ix), fy = (float)(py - iy);
    const float *top = g->layer[layer] + (size_t)iy * (size_t)g->width + ix, *low = top + g->width;

    return (top[0] * (1 - fx) + top[1] * fx) * (1 - fy) + (low[0] * (1 - fx) + low[1] * fx) * fy;
}

void phantom_grid_row(const struct phantom_scene *s, enum phantom_layer layer, int row, float *out)
{
    const struct phantom_grid *g = &s->grid;
    float scale = (float)(1 / (g->step * s->height)), py = ((float)row + 0.5f) * scale;
    int iy = (int)py;
    float fy = py - (float)iy;
    const float *top = g->layer[layer] + (size_t)iy * (size_t)g->width, *low = top + g->width;

    for (int x = 0; x < s->width; x++) {
        float px = ((float)x + 0.5f) * scale;
        int ix = (int)px;
        float fx = px - (float)ix;
        out[x] =
            (top[ix] * (1 - fx) + top[ix + 1] * fx) * (1 - fy) + (low[ix] * (1 - fx) + low[ix + 1] * fx) * fy;
    }
}
