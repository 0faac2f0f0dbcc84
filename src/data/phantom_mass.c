#include "base/mem.h"
#include "data/phantom_scene.h"

#include <math.h>
#include <stdlib.h>

enum { ANGLES = 256, MOST_WAVES = 8, TRIES = 200, ROOMY = 6 };

static const float DISPLACED = 0.5f;

/* A mass in one view: a core whose radius depends on the direction, and lines that radiate from it. */
struct mass {
    const struct phantom_mass *about;
    double x, y;           /* centre, image heights */
    double mean_radius;    /* of a disc of the core's area */
    double largest_radius; /* of the core */
    float radius[ANGLES + 1];
    bool spiculated, ill_defined;
};

/* What a kind of mass looks like: how its outline's waves fall off and how strong they are. */
struct outline_style {
    double stretch_low, stretch_high; /* longer to shorter axis */
    int first_wave, last_wave;
    double strength; /* of the waves together, in mean radii */
};

static const struct outline_style STYLE[] = {
    [PHANTOM_ROUND] = {1, 1.12, 2, 3, 0.02},    [PHANTOM_OVAL] = {1.2, 1.6, 2, 3, 0.03},
    [PHANTOM_LOBULATED] = {1, 1.3, 3, 5, 0.1},  [PHANTOM_IRREGULAR] = {1.1, 1.5, 2, 8, 0.13},
    [PHANTOM_SPICULATED] = {1, 1.4, 2, 8, 0.1},
};

/* Radii by direction, scaled so that the outline encloses the case's area (give or take what a second view
 * shows). */
static void make_outline(struct mass *m, const struct phantom_scene *s, struct rng *r)
{
    const struct outline_style *style = &STYLE[m->about->kind];
    double stretch = rng_between(r, style->stretch_low, style->stretch_high), turn = rng_between(r, 0, M_PI);
    double height[MOST_WAVES + 1] = {0}, phase[MOST_WAVES + 1] = {0}, area = 0, share = m->about->area_share;

    for (int k = style->first_wave; k <= style->last_wave; k++) {
        height[k] = style->strength * rng_between(r, 0.6, 1.2) * pow(k - style->first_wave + 1, -0.7);
        phase[k] = rng_between(r, 0, 2 * M_PI);
    }
    for (int i = 0; i < ANGLES; i++) {
        double a = 2 * M_PI * i / ANGLES, c = cos(a - turn) / stretch, d = sin(a - turn);
        double radius = 1 / sqrt(c * c + d * d);
        for (int k = style->first_wave; k <= style->last_wave; k++)
            radius *= 1 + height[k] * cos(k * a + phase[k]);
        m->radius[i] = (float)radius;
        area += radius * radius * M_PI / ANGLES;
    }
    double wanted = share * rng_between(r, 0.88, 1.12) * s->width / s->height, scale = sqrt(wanted / area);
    for (int i = 0; i < ANGLES; i++) {
        m->radius[i] *= (float)scale;
        m->largest_radius = fmax(m->largest_radius, m->radius[i]);
    }
    m->radius[ANGLES] = m->radius[0];
    m->mean_radius = sqrt(wanted / M_PI);
}

/* How much room there is around a place before skin, chest wall, picture edge or muscle; image heights. */
static double room_at(const struct phantom_scene *s, double x, double y)
{
    double room = fmin(phantom_grid_at(&s->grid, LAYER_DEPTH, x, y) - 0.02, fmin(x, fmin(y, 1 - y)));
    return fmin(room, 0.02 - phantom_grid_at(&s->grid, LAYER_PECTORAL, x, y));
}

/* How far a core there would stay away from the masses drawn before, all[0] to m - 1; image heights. */
static double clear_of_others(const struct mass *all, const struct mass *m, double x, double y)
{
    double clear = 1;

    for (const struct mass *other = all; other < m; other++)
        clear = fmin(clear,
                     hypot(x - other->x, y - other->y) - 1.3 * (other->largest_radius + m->largest_radius));
    return clear;
}

/* At the mass's distance from the nipple if there is room, else as near to that as can be. Of the places with
 * room one with little glandular tissue is more likely to be kept: that is where masses are found. */
static void place(struct mass *m, const struct mass *all, const struct phantom_scene *s, struct rng *r)
{
    const struct phantom_shape *p = &s->shape;
    double best = -1e9;
    int roomy = 0;

    for (int i = 0; i < TRIES && roomy < ROOMY; i++) {
        double loosening = (double)i / TRIES, angle = rng_between(r, -1, 1) * (0.8 + 0.4 * loosening);
        double away = (m->about->from_nipple + loosening * rng_between(r, -0.4, 0.4)) * p->depth;
        double x = p->nipple_x - away * cos(angle), y = p->nipple_y + away * sin(angle);
        double room = fmin(room_at(s, x, y) - m->largest_radius, 0);
        room = fmin(room, clear_of_others(all, m, x, y));
        double gland = fmin(fmax(phantom_grid_at(&s->grid, LAYER_GLAND, x, y), -0.3), 0.4);
        double merit = 100 * room - gland;
        roomy += room == 0;
        if (merit > best) {
            best = merit;
            m->x = x;
            m->y = y;
        }
    }
}

/* Distance from the centre in radii of that direction: 1 on the outline. */
static float radii_at(const struct mass *m, float dx, float dy)
{
    float turn = atan2f(dy, dx) * (float)(ANGLES / (2 * M_PI));
    turn = turn < 0 ? turn + ANGLES : turn;
    int i = turn < ANGLES ? (int)turn : ANGLES - 1;
    float f = turn - (float)i;

    return sqrtf(dx * dx + dy * dy) / (m->radius[i] * (1 - f) + m->radius[i + 1] * f);
}

/* Light of the mass alone, about 1 in its middle. Circumscribed masses end within a few pixels, ill-defined
 * ones fade. */
static float profile(const struct mass *m, float radii)
{
    float body = radii < 1 ? sqrtf(1 - radii * radii) : 0;

    if (!m->ill_defined)
        return powf(body, 0.7f);
    float halo = expf(-radii * radii * 0.55f);
    return 0.3f * body + 0.45f / (1 + expf((radii - 0.95f) / 0.085f)) + 0.25f * halo;
}

/* The box of pixels that a circle of some radius about the centre touches. */
static struct image_box box_around(const struct phantom_scene *s, const struct mass *m, double radius)
{
    double px = s->height;
    struct image_box b = {(int)((m->x - radius) * px), (int)((m->y - radius) * px),
                          (int)((m->x + radius) * px) + 2, (int)((m->y + radius) * px) + 2};

    b.x0 = b.x0 < 0 ? 0 : b.x0;
    b.y0 = b.y0 < 0 ? 0 : b.y0;
    b.x1 = b.x1 > s->width ? s->width : b.x1;
    b.y1 = b.y1 > s->height ? s->height : b.y1;
    return b;
}

/* Means over the core and over the ring around it, of the light that is there and of the mass's own profile.
 */
struct contrast {
    double light[2], shape[2];
};

static struct contrast measure(const struct phantom_scene *s, const struct mass *m)
{
    struct image_box b = box_around(s, m, 1.7 * m->largest_radius);
    struct contrast c = {.light = {0}};
    double pixels[2] = {1e-9, 1e-9};

    for (int y = b.y0; y < b.y1; y++)
        for (int x = b.x0; x < b.x1; x++) {
            float fx = ((float)x + 0.5f) / (float)s->height, fy = ((float)y + 0.5f) / (float)s->height;
            float radii = radii_at(m, fx - (float)m->x, fy - (float)m->y);
            float light = s->light[(size_t)y * (size_t)s->width + (size_t)x];
            int ring = radii >= 1.15f;
            if ((radii >= 1 && !ring) || radii > 1.7f || light <= 0)
                continue;
            c.light[ring] += light;
            c.shape[ring] += profile(m, radii);
            pixels[ring]++;
        }
    for (int k = 0; k < 2; k++) {
        c.light[k] /= pixels[k];
        c.shape[k] /= pixels[k];
    }
    return c;
}

/* What the mass adds, so that the core gets the contrast its subtlety asks for as far as what lies beneath
 * allows: in uneven tissue it may come out weaker or stronger. */
static double amplitude(const struct mass *m, const struct contrast *c, struct rng *r)
{
    static const double WANTED[6] = {0, 0.05, 0.08, 0.12, 0.17, 0.22};
    double wanted = WANTED[m->about->subtlety] * rng_between(r, 0.9, 1.1);
    double gain = c->shape[0] - c->shape[1], usual = wanted / gain;

    return fmin(fmax((wanted - c->light[0] + c->light[1]) / gain, 0.6 * usual), 2.2 * usual);
}

/* A mass displaces tissue: beneath its core the texture is pulled towards its mean. */
static void draw_core(struct phantom_scene *s, const struct mass *m, double light, float mean)
{
    const uint8_t bit = (uint8_t)(1 << (m->about - s->about->mass));
    struct image_box b = box_around(s, m, (m->ill_defined ? 2.4 : 1.1) * m->largest_radius);

    for (int y = b.y0; y < b.y1; y++)
        for (int x = b.x0; x < b.x1; x++) {
            float fx = ((float)x + 0.5f) / (float)s->height, fy = ((float)y + 0.5f) / (float)s->height;
            float radii = radii_at(m, fx - (float)m->x, fy - (float)m->y), shape = profile(m, radii);
            size_t at = (size_t)y * (size_t)s->width + (size_t)x;
            float depth = phantom_grid_at(&s->grid, LAYER_DEPTH, fx, fy);
            if (depth <= 0)
                continue;
            s->light[at] += DISPLACED * fminf(shape, 1) * (mean - s->light[at]);
            s->light[at] += (float)light * shape * fminf(1, depth / 0.02f);
            if (radii <= 1)
                s->core[at] |= bit;
        }
}

/* One spicule: three pieces that bend a little, thinning and fading towards the tip. */
static void draw_spicule(float *plane, const struct phantom_scene *s, const struct mass *m, struct rng *r)
{
    double angle = rng_between(r, 0, 2 * M_PI), bend = rng_normal(r) * 0.2;
    double root = m->radius[(int)(angle / (2 * M_PI) * ANGLES) % ANGLES];
    double reach = m->about->spicule_reach * m->mean_radius * rng_between(r, 0.75, 1.2);
    double width = m->mean_radius * rng_between(r, 0.06, 0.13), light = rng_between(r, 0.4, 1);
    double x = m->x + 0.6 * root * cos(angle), y = m->y + 0.6 * root * sin(angle);
    double length = fmax(reach - 0.6 * root, 0.6 * root) / 3;

    for (int k = 0; k < 3; k++) {
        double nx = x + length * cos(angle), ny = y + length * sin(angle), from = 1 - k / 3.0,
               to = 1 - (k + 1) / 3.0;
        struct phantom_stroke piece = {.ax = (float)x,
                                       .ay = (float)y,
                                       .bx = (float)nx,
                                       .by = (float)ny,
                                       .a_width = (float)(width * (0.3 + 0.7 * from)),
                                       .b_width = (float)(width * (0.3 + 0.7 * to)),
                                       .a_light = (float)(light * sqrt(from)),
                                       .b_light = (float)(light * sqrt(to))};
        phantom_stroke_draw(plane, s, &piece);
        x = nx;
        y = ny;
        angle += bend;
    }
}

/* The dense core takes the roots up: they show only where it thins out, or it would wear a crown. */
static void draw_spicules(struct phantom_scene *s, const struct mass *m, double light, struct rng *r)
{
    size_t pixels = (size_t)s->width * (size_t)s->height;
    float *plane = mem_new(pixels, sizeof *plane);
    int count = rng_int(r, 12, 24);

    for (int i = 0; i < count; i++)
        draw_spicule(plane, s, m, r);
    for (size_t i = 0; i < pixels; i++)
        if (plane[i] > 0 && s->light[i] > 0) {
            float fx = ((float)(i % (size_t)s->width) + 0.5f) / (float)s->height;
            float fy = ((float)(i / (size_t)s->width) + 0.5f) / (float)s->height;
            float core = fminf(profile(m, radii_at(m, fx - (float)m->x, fy - (float)m->y)), 1);
            s->light[i] += (float)light * plane[i] * (1 - core);
        }
    free(plane);
}

static void draw_mass(struct phantom_scene *s, struct mass *m, const struct mass *all, struct rng *r)
{
    make_outline(m, s, r);
    place(m, all, s, r);
    struct contrast before = measure(s, m);
    double light = amplitude(m, &before, r);
    draw_core(s, m, light, (float)before.light[0]);
    if (m->spiculated)
        draw_spicules(s, m, 0.85 * light, r);
}

void phantom_mass_draw(struct phantom_scene *s)
{
    struct rng r = phantom_rng(s, SCENE_MASS);
    struct mass all[PHANTOM_MOST_MASSES];

    for (int k = 0; k < s->about->masses; k++) {
        const struct phantom_mass *about = &s->about->mass[k];
        all[k] = (struct mass){.about = about,
                               .spiculated = about->kind == PHANTOM_SPICULATED,
                               .ill_defined =
                                   about->kind == PHANTOM_IRREGULAR || about->kind == PHANTOM_SPICULATED};
        draw_mass(s, &all[k], all, &r);
    }
}
