#include "data/phantom_scene.h"
#include "image/draw.h"
#include "image/warp.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What one film got on its way. */
struct film {
    double gain, fog; /* of the light; level of the unexposed film */
    double grain;     /* standard deviation of the grain at middle grey */
    double label_light;
    double border[4]; /* width of the bright strip at top, right, bottom, left; image heights; usually 0 */
    double border_light;
};

static struct film film_of(struct rng *r)
{
    struct film f;

    f.gain = rng_between(r, 0.95, 1.25);
    f.fog = rng_between(r, 0.015, 0.04);
    f.grain = rng_between(r, 0.005, 0.011);
    f.label_light = rng_between(r, 0.55, 1);
    f.border_light = rng_between(r, 0.7, 1);
    for (int k = 0; k < 4; k++) {
        double width = rng_between(r, 0.004, 0.018);
        f.border[k] = rng_uniform(r) < 0.18 ? width : 0;
    }
    return f;
}

/* The film's shoulder: linear in the dark, never above 1. */
static float curve(float light)
{
    float square = light * light;
    return light / sqrtf(sqrtf(1 + square * square));
}

/* Letters as a grey picture, seen from above: rotated about the label's middle while they are laid on the
 * film. */
struct label {
    struct image letters; /* U8 RGB */
    double x, y;          /* middle, pixels */
    double turn, scale;   /* radians; film pixels a letter's pixel */
};

static double letter_at(const struct image *im, double x, double y)
{
    int ix = (int)floor(x), iy = (int)floor(y);
    double fx = x - ix, fy = y - iy, sum = 0;

    for (int k = 0; k < 4; k++) {
        int px = ix + k % 2, py = iy + k / 2;
        if (px >= 0 && py >= 0 && px < im->width && py < im->height)
            sum += image_u8(im)[((size_t)py * (size_t)im->width + (size_t)px) * 3] * (k % 2 ? fx : 1 - fx) *
                   (k / 2 ? fy : 1 - fy);
    }
    return sum / 255;
}

static void lay_label(float *film, const struct phantom_scene *s, const struct label *l, double light)
{
    double c = cos(l->turn) / l->scale, d = sin(l->turn) / l->scale,
           reach = hypot(l->letters.width, l->letters.height);
    int radius = (int)(reach * l->scale / 2) + 1, cx = (int)l->x, cy = (int)l->y;

    for (int y = cy - radius; y <= cy + radius; y++)
        for (int x = cx - radius; x <= cx + radius; x++) {
            if (x < 0 || y < 0 || x >= s->width || y >= s->height)
                continue;
            double dx = x - l->x, dy = y - l->y;
            double shine = letter_at(&l->letters, c * dx + d * dy + l->letters.width / 2.0 - 0.5,
                                     c * dy - d * dx + l->letters.height / 2.0 - 0.5);
            float *at = film + (size_t)y * (size_t)s->width + (size_t)x;
            *at += (float)(shine * (light - *at));
        }
}

/* "RCC" near the upper corner away from the chest wall, as lead letters lie: seldom straight. */
static bool add_label(float *film, const struct phantom_scene *s, double light, struct rng *r,
                      struct err *err)
{
    enum { LETTER_SCALE = 2 };
    char text[8];
    struct label l = {.letters = IMAGE_INIT};

    snprintf(text, sizeof text, "%c%s", s->about->right ? 'R' : 'L', phantom_projection_name(s->view));
    int width = draw_text_width(text, LETTER_SCALE);
    if (!image_new(&l.letters, width, DRAW_TEXT_HEIGHT * LETTER_SCALE, 3, IMAGE_U8, err))
        return false;
    draw_text(&l.letters, &(struct draw_text){0, 0, LETTER_SCALE, {255, 255, 255}}, text);
    l.scale = rng_between(r, 0.026, 0.04) * s->height / (DRAW_TEXT_HEIGHT * LETTER_SCALE);
    double slant = rng_uniform(r) < 0.5 ? 0.05 : 0.5;
    l.turn = slant * rng_normal(r);
    double inward = rng_between(r, 0.055, 0.085) * s->height;
    l.x = s->about->right ? inward : s->width - inward;
    l.y = rng_between(r, 0.05, 0.12) * s->height;
    lay_label(film, s, &l, light);
    image_release(&l.letters);
    return true;
}

static void add_borders(float *film, const struct phantom_scene *s, const struct film *f)
{
    for (int y = 0; y < s->height; y++)
        for (int x = 0; x < s->width; x++) {
            double px = s->height;
            bool bright = y < f->border[0] * px || s->width - x <= f->border[1] * px ||
                          s->height - y <= f->border[2] * px || x < f->border[3] * px;
            if (bright)
                film[(size_t)y * (size_t)s->width + (size_t)x] = (float)f->border_light;
        }
}

/* Sum of four 16-bit numbers, mean 0, variance 1: near enough to normal for grain, and fast. */
static float quick_normal(struct rng *r)
{
    uint64_t b = rng_u64(r);
    float sum = (float)((b & 0xffff) + (b >> 16 & 0xffff) + (b >> 32 & 0xffff) + (b >> 48));
    return (sum - 2 * 65535) * (float)(1.7320508 / 65536);
}

/* Grain is strongest in the middle greys, and a little wider than a pixel. */
static void develop(uint16_t *out, const float *film, const struct phantom_scene *s, double grain)
{
    struct rng r = phantom_rng(s, SCENE_GRAIN);
    float before = 0;

    for (size_t i = 0; i < (size_t)s->width * (size_t)s->height; i++) {
        float fresh = quick_normal(&r), v = film[i];
        v += (float)grain * (0.35f + 1.6f * v * (1.25f - v)) * (0.8f * fresh + 0.6f * before);
        before = fresh;
        v = v < 0 ? 0 : v > 1 ? 1 : v;
        out[i] = (uint16_t)(v * 65535 + 0.5f);
    }
}

bool phantom_film_expose(struct phantom_picture *out, struct phantom_scene *s, struct err *err)
{
    struct rng r = phantom_rng(s, SCENE_FILM);
    struct film f = film_of(&r);
    struct phantom_picture p = PHANTOM_PICTURE_INIT;
    size_t pixels = (size_t)s->width * (size_t)s->height;
    float *film = s->light;
    bool ok = false;

    if (!image_new(&p.grey, s->width, s->height, 1, IMAGE_U16, err) ||
        !image_new(&p.core, s->width, s->height, 1, IMAGE_U8, err))
        goto out;
    memcpy(image_u8(&p.core), s->core, pixels);
    for (size_t i = 0; i < pixels; i++)
        film[i] = (float)f.fog + (1 - (float)f.fog) * curve((float)f.gain * film[i]);
    if (s->about->right) {
        struct image whole = {s->width, s->height, 1, IMAGE_F32, film};
        image_flip_horizontal(&whole);
        image_flip_horizontal(&p.core);
    }
    if (!image_copy(&p.mask, &p.core, err))
        goto out;
    for (size_t i = 0; i < pixels; i++)
        image_u8(&p.mask)[i] = image_u8(&p.mask)[i] ? 255 : 0;
    if (!add_label(film, s, f.label_light, &r, err))
        goto out;
    add_borders(film, s, &f);
    develop(image_u16(&p.grey), film, s, f.grain);
    image_move(&out->grey, &p.grey);
    image_move(&out->mask, &p.mask);
    image_move(&out->core, &p.core);
    ok = true;
out:
    phantom_picture_release(&p);
    return ok;
}
