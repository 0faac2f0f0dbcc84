#include "data/phantom_scene.h"

#include <math.h>

static int clamp_int(float v, int high)
{
    return v < 0 ? 0 : v > (float)high ? high : (int)v;
}

static float max_float(float a, float b)
{
    return a > b ? a : b;
}

static float min_float(float a, float b)
{
    return a < b ? a : b;
}

/* The stroke's light at a place in image heights. */
static float stroke_light(const struct phantom_stroke *k, float x, float y)
{
    float dx = k->bx - k->ax, dy = k->by - k->ay, length2 = dx * dx + dy * dy;
    float t = length2 > 0 ? ((x - k->ax) * dx + (y - k->ay) * dy) / length2 : 0;

    t = max_float(0, min_float(1, t));
    float ex = x - k->ax - t * dx, ey = y - k->ay - t * dy;
    float w = k->a_width + t * (k->b_width - k->a_width), q = (ex * ex + ey * ey) / (w * w);

    return q > 6 ? 0 : expf(-q) * (k->a_light + t * (k->b_light - k->a_light));
}

void phantom_stroke_draw(float *plane, const struct phantom_scene *s, const struct phantom_stroke *k)
{
    float px = (float)s->height, margin = 2.5f * max_float(k->a_width, k->b_width);
    int x0 = clamp_int((min_float(k->ax, k->bx) - margin) * px, s->width - 1);
    int x1 = clamp_int((max_float(k->ax, k->bx) + margin) * px + 1, s->width - 1);
    int y0 = clamp_int((min_float(k->ay, k->by) - margin) * px, s->height - 1);
    int y1 = clamp_int((max_float(k->ay, k->by) + margin) * px + 1, s->height - 1);

    for (int y = y0; y <= y1; y++)
        for (int x = x0; x <= x1; x++) {
            float *at = plane + (size_t)y * (size_t)s->width + (size_t)x;
            *at = max_float(*at, stroke_light(k, ((float)x + 0.5f) / px, ((float)y + 0.5f) / px));
        }
}
