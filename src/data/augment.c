#include "data/augment.h"

#include <math.h>
#include <string.h>

#define DEGREE (M_PI / 180)

/* What was drawn, in the words of the options. */
struct motion {
    double angle;          /* radians */
    double move_x, move_y; /* pixels */
    double zoom_x, zoom_y;
    bool flip_x, flip_y;
};

/* Every number is drawn whether its option is on or not, so that switching one leaves the others as they
 * were. */
static struct motion draw_motion(const struct augment *a, int size, struct rng *rng)
{
    struct motion m;

    m.flip_x = rng_uniform(rng) < .5 && a->flip_horizontal;
    m.flip_y = rng_uniform(rng) < .5 && a->flip_vertical;
    m.move_x = (2 * rng_uniform(rng) - 1) * a->shift_x * size;
    m.move_y = (2 * rng_uniform(rng) - 1) * a->shift_y * size;
    m.angle = (2 * rng_uniform(rng) - 1) * a->rotate * DEGREE;
    m.zoom_x = 1 + (2 * rng_uniform(rng) - 1) * a->zoom;
    m.zoom_y = 1 + (2 * rng_uniform(rng) - 1) * a->zoom;
    return m;
}

/* Keras' order, about the centre: flip, zoom, shift, rotate, from the result's place to the source's. Keras
 * counts rows first, so its rotation by +angle of (row, column) is one by -angle of (x, y). */
static void source_matrix(double m[6], const struct motion *d, int size)
{
    double centre = (size - 1) / 2.;
    double c = cos(d->angle), s = sin(d->angle);
    double zx = d->flip_x ? -d->zoom_x : d->zoom_x, zy = d->flip_y ? -d->zoom_y : d->zoom_y;

    m[0] = c * zx;
    m[1] = s * zy;
    m[2] = centre + c * (d->move_x - zx * centre) + s * (d->move_y - zy * centre);
    m[3] = -s * zx;
    m[4] = c * zy;
    m[5] = centre - s * (d->move_x - zx * centre) + c * (d->move_y - zy * centre);
}

struct augment_draw augment_draw(const struct augment *a, int size, struct rng *rng)
{
    struct motion m = draw_motion(a, size, rng);
    struct augment_draw d = {.gain = 1 + (2 * rng_uniform(rng) - 1) * a->brightness};

    source_matrix(d.to_source, &m, size);
    d.identity = !m.flip_x && !m.flip_y && m.move_x == 0 && m.move_y == 0 && m.angle == 0 && m.zoom_x == 1 &&
                 m.zoom_y == 1 && d.gain == 1;
    return d;
}

/* A place between two neighbours: at and at + step, the second with weight part. */
struct place {
    int at, step;
    float part;
};

/* The nearest place inside; at whole numbers part is 0 and the value exact. */
static inline struct place find_place(float v, int size)
{
    float inside = v < 0 ? 0 : v > (float)(size - 1) ? (float)(size - 1) : v;
    int at = (int)inside;

    return (struct place){at, at < size - 1, inside - (float)at};
}

/* Inside means within the pixels' own areas, the same for image and mask. */
static inline bool lies_inside(float x, float y, int size)
{
    float end = (float)size - .5f;

    return x >= -.5f && y >= -.5f && x < end && y < end;
}

static inline uint16_t sample(const uint16_t *in, int size, float x, float y, float gain)
{
    struct place px = find_place(x, size), py = find_place(y, size);
    const uint16_t *p = in + (ptrdiff_t)py.at * size + px.at, *q = p + (ptrdiff_t)py.step * size;
    float top = (float)p[0] + px.part * (float)(p[px.step] - p[0]);
    float bottom = (float)q[0] + px.part * (float)(q[px.step] - q[0]);
    float v = gain * (top + py.part * (bottom - top)) + .5f;

    return v < 65535 ? (uint16_t)v : 65535;
}

void augment_image(uint16_t *out, const uint16_t *in, int size, const struct augment_draw *d, bool fill_black)
{
    const double *m = d->to_source;

    if (d->identity) {
        memcpy(out, in, (size_t)size * (size_t)size * sizeof *out);
        return;
    }
    for (int y = 0; y < size; y++) {
        for (int x = 0; x < size; x++, out++) {
            float sx = (float)(m[0] * x + m[1] * y + m[2]), sy = (float)(m[3] * x + m[4] * y + m[5]);

            *out = fill_black && !lies_inside(sx, sy, size) ? 0 : sample(in, size, sx, sy, (float)d->gain);
        }
    }
}

void augment_mask(uint8_t *out, const uint8_t *in, int size, const struct augment_draw *d)
{
    const double *m = d->to_source;

    if (d->identity) {
        memcpy(out, in, (size_t)size * (size_t)size);
        return;
    }
    for (int y = 0; y < size; y++) {
        for (int x = 0; x < size; x++, out++) {
            float sx = (float)(m[0] * x + m[1] * y + m[2]), sy = (float)(m[3] * x + m[4] * y + m[5]);

            *out = lies_inside(sx, sy, size) ? in[(ptrdiff_t)(int)(sy + .5f) * size + (int)(sx + .5f)] : 0;
        }
    }
}
