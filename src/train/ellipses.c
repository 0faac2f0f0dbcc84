#include "train/ellipses.h"

#include <assert.h>
#include <stdbool.h>

enum { MOST_CHANNELS = 4, PUBLISHED_SIZE = 224, DARKEST = 100, LEAST_AXIS = 10, MOST_AXIS = 56 };

static float network_value(int x)
{
    return (float)x / 256 - 0.5f;
}

struct ellipse {
    double x, y, half_x, half_y;
};

static struct ellipse draw_ellipse(int size, struct rng *rng)
{
    double scale = (double)size / PUBLISHED_SIZE;
    struct ellipse e;

    e.x = scale * rng_int(rng, 0, PUBLISHED_SIZE);
    e.y = scale * rng_int(rng, 0, PUBLISHED_SIZE);
    e.half_x = scale * rng_int(rng, LEAST_AXIS, MOST_AXIS);
    e.half_y = scale * rng_int(rng, LEAST_AXIS, MOST_AXIS);
    return e;
}

static bool inside(const struct ellipse *e, int x, int y)
{
    double dx = (x - e->x) / e->half_x, dy = (y - e->y) / e->half_y;
    return dx * dx + dy * dy <= 1;
}

void ellipse_draw(struct ellipse_image *out, int size, int channels, struct rng *rng)
{
    int dark[MOST_CHANNELS], light[MOST_CHANNELS];
    size_t pixels = (size_t)size * (size_t)size;

    assert(channels <= MOST_CHANNELS);
    for (int c = 0; c < channels; c++) {
        dark[c] = rng_int(rng, 0, DARKEST);
        light[c] = rng_int(rng, dark[c] + 1, 255);
    }
    struct ellipse e = draw_ellipse(size, rng);
    double noise = rng_between(rng, 0, 0.1);
    for (size_t i = 0; i < pixels; i++) {
        bool in = inside(&e, (int)(i % (size_t)size), (int)(i / (size_t)size));
        bool noisy = rng_uniform(rng) < noise;
        out->truth[i] = in;
        for (int c = 0; c < channels; c++)
            out->input[(size_t)c * pixels + i] = network_value(noisy ? rng_int(rng, 0, 255)
                                                               : in  ? light[c]
                                                                     : dark[c]);
    }
}
