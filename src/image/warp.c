#include "image/warp.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t pixel_bytes(const struct image *im)
{
    return image_bytes(im) / image_pixels(im);
}

static char *pixel_at(const struct image *im, int x, int y)
{
    return (char *)im->data + ((size_t)y * (size_t)im->width + (size_t)x) * pixel_bytes(im);
}

bool image_crop(struct image *out, const struct image *im, struct image_box box, struct err *err)
{
    struct image part = IMAGE_INIT;

    if (box.x0 < 0 || box.y0 < 0 || box.x0 >= box.x1 || box.y0 >= box.y1 || box.x1 > im->width ||
        box.y1 > im->height)
        return err_set(err, ERR_INPUT, "box %d,%d-%d,%d does not lie in an image of %d x %d", box.x0, box.y0,
                       box.x1, box.y1, im->width, im->height);
    if (!image_new(&part, box.x1 - box.x0, box.y1 - box.y0, im->channels, im->type, err))
        return false;
    image_paste(&part, im, -box.x0, -box.y0);
    image_move(out, &part);
    return true;
}

void image_paste(struct image *canvas, const struct image *im, int x, int y)
{
    assert(canvas->type == im->type && canvas->channels == im->channels);
    const int x0 = x > 0 ? x : 0, y0 = y > 0 ? y : 0;
    const long x1 = (long)x + im->width < canvas->width ? (long)x + im->width : canvas->width;
    const long y1 = (long)y + im->height < canvas->height ? (long)y + im->height : canvas->height;

    for (int row = y0; row < y1 && x0 < x1; row++)
        memcpy(pixel_at(canvas, x0, row), pixel_at(im, x0 - x, row - y), (size_t)(x1 - x0) * pixel_bytes(im));
}

/* What one result sample is made of: count source samples from first on, with weights that sum to 1. */
struct taps {
    int first, count;
    const float *weight;
};

struct axis {
    struct taps *tap; /* [to] */
    float *weights;   /* all of them */
};

static void axis_release(struct axis *a)
{
    free(a->tap);
    free(a->weights);
}

/* Area [i, i + 1) * from / to, in whole multiples of 1 / to. */
static struct taps taps_of_area(int i, int from, int to, float *w)
{
    const long a = (long)i * from, b = a + from;
    struct taps t = {(int)(a / to), 0, w};

    for (long k = t.first; k * to < b; k++) {
        const long low = k * to > a ? k * to : a;
        const long high = (k + 1) * to < b ? (k + 1) * to : b;
        w[t.count++] = (float)((double)(high - low) / from);
    }
    return t;
}

static struct taps taps_of_line(int i, int from, int to, float *w)
{
    const double at = fmin(fmax((i + .5) * from / to - .5, 0), from - 1);
    struct taps t = {(int)at, 1, w};
    const double part = at - t.first;

    w[0] = (float)(1 - part);
    if (part > 0) {
        w[1] = (float)part;
        t.count = 2;
    }
    return t;
}

static void axis_init(struct axis *a, int from, int to)
{
    const size_t most = from > to ? (size_t)(from / to) + 2 : 2;
    float *w;

    a->tap = mem_new((size_t)to, sizeof *a->tap);
    w = a->weights = mem_new((size_t)to * most, sizeof *w);
    for (int i = 0; i < to; i++) {
        a->tap[i] = from > to ? taps_of_area(i, from, to, w) : taps_of_line(i, from, to, w);
        w += a->tap[i].count;
    }
}

/* sum[i] += w * source row y, without a detour over a row of floats: this loop is all the time a reduction
 * takes. */
static void row_add(float *restrict sum, const struct image *im, int y, float w)
{
    const size_t n = (size_t)im->width * (size_t)im->channels;

    if (im->type == IMAGE_U8) {
        const uint8_t *from = image_u8(im) + (size_t)y * n;
        for (size_t i = 0; i < n; i++)
            sum[i] += w * from[i];
    } else if (im->type == IMAGE_U16) {
        const uint16_t *from = image_u16(im) + (size_t)y * n;
        for (size_t i = 0; i < n; i++)
            sum[i] += w * from[i];
    } else {
        const float *from = image_f32(im) + (size_t)y * n;
        for (size_t i = 0; i < n; i++)
            sum[i] += w * from[i];
    }
}

static void row_resize(float *restrict to, const float *restrict from, const struct axis *a, int width,
                       int channels)
{
    for (int x = 0; x < width; x++) {
        const struct taps *t = &a->tap[x];
        const float *f = from + (size_t)t->first * (size_t)channels;
        for (int k = 0; k < channels; k++, f++) {
            float sum = t->weight[0] * f[0];
            for (int j = 1; j < t->count; j++)
                sum += t->weight[j] * f[(size_t)j * (size_t)channels];
            *to++ = sum;
        }
    }
}

bool image_resize(struct image *out, const struct image *im, int width, int height, struct err *err)
{
    struct image sized = IMAGE_INIT;
    struct axis across, down;

    if (width == im->width && height == im->height)
        return image_copy(out, im, err);
    if (!image_new(&sized, width, height, im->channels, im->type, err))
        return false;
    axis_init(&across, im->width, width);
    axis_init(&down, im->height, height);
    const size_t n = (size_t)im->width * (size_t)im->channels;
    float *sum = mem_new(n, sizeof *sum);
    float *row = mem_new((size_t)width * (size_t)im->channels, sizeof *row);
    for (int y = 0; y < height; y++) {
        const struct taps t = down.tap[y];
        memset(sum, 0, n * sizeof *sum);
        for (int j = 0; j < t.count; j++)
            row_add(sum, im, t.first + j, t.weight[j]);
        row_resize(row, sum, &across, width, im->channels);
        image_put_row(&sized, y, row);
    }
    free(sum);
    free(row);
    axis_release(&across);
    axis_release(&down);
    image_move(out, &sized);
    return true;
}

bool image_resize_nearest(struct image *out, const struct image *im, int width, int height, struct err *err)
{
    struct image sized = IMAGE_INIT;
    const size_t bytes = pixel_bytes(im);

    if (!image_new(&sized, width, height, im->channels, im->type, err))
        return false;
    for (int y = 0; y < height; y++) {
        const int from_y = (int)((2L * y + 1) * im->height / (2L * height));
        char *to = pixel_at(&sized, 0, y);
        for (int x = 0; x < width; x++, to += bytes)
            memcpy(to, pixel_at(im, (int)((2L * x + 1) * im->width / (2L * width)), from_y), bytes);
    }
    image_move(out, &sized);
    return true;
}

static void bytes_swap(char *a, char *b, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const char c = a[i];
        a[i] = b[i];
        b[i] = c;
    }
}

void image_flip_horizontal(struct image *im)
{
    const size_t bytes = pixel_bytes(im);

    for (int y = 0; y < im->height; y++) {
        char *a = pixel_at(im, 0, y), *b = pixel_at(im, im->width - 1, y);
        for (; a < b; a += bytes, b -= bytes)
            bytes_swap(a, b, bytes);
    }
}

void image_flip_vertical(struct image *im)
{
    for (int a = 0, b = im->height - 1; a < b; a++, b--)
        bytes_swap(pixel_at(im, 0, a), pixel_at(im, 0, b), (size_t)im->width * pixel_bytes(im));
}

struct image_affine image_affine_about_centre(const struct image_motion *motion, int width, int height)
{
    const double angle = motion->rotation_deg * acos(-1) / 180, c = cos(angle), s = sin(angle);
    const double zoom_x = motion->zoom_x != 0 ? motion->zoom_x : 1;
    const double zoom_y = motion->zoom_y != 0 ? motion->zoom_y : 1;
    const double cx = (width - 1) / 2.0, cy = (height - 1) / 2.0;
    const double tx = cx + motion->shift_x, ty = cy + motion->shift_y;
    const double a = c / zoom_x, b = s / zoom_x, d = -s / zoom_y, e = c / zoom_y;

    return (struct image_affine){{a, b, cx - a * tx - b * ty, d, e, cy - d * tx - e * ty}};
}

/* A source image and how it is read between and beside its pixels. */
struct sampler {
    const struct image *im;
    const struct image_warp *how;
};

static float value_at(const struct image *im, size_t i)
{
    switch (im->type) {
    case IMAGE_U8:
        return ((const uint8_t *)im->data)[i];
    case IMAGE_U16:
        return ((const uint16_t *)im->data)[i];
    default:
        return ((const float *)im->data)[i];
    }
}

/* x and y lie at most one pixel outside. */
static float pixel_value(const struct sampler *s, int x, int y, int k)
{
    const struct image *im = s->im;
    const bool inside = x >= 0 && y >= 0 && x < im->width && y < im->height;

    if (!inside && s->how->fill == IMAGE_FILL_CONSTANT)
        return s->how->value;
    x = x < 0 ? 0 : x < im->width ? x : im->width - 1;
    y = y < 0 ? 0 : y < im->height ? y : im->height - 1;
    return value_at(im, ((size_t)y * (size_t)im->width + (size_t)x) * (size_t)im->channels + (size_t)k);
}

static double held(double v, double high)
{
    v = v < -1 ? -1 : v;
    return v > high ? high : v;
}

static void pixel_sample(const struct sampler *s, double x, double y, float *to)
{
    const int channels = s->im->channels;

    /* More than a pixel outside everything is fill; no whole number needs to be larger than that. */
    x = held(x, s->im->width);
    y = held(y, s->im->height);
    if (s->how->sampling == IMAGE_NEAREST) {
        for (int k = 0; k < channels; k++)
            to[k] = pixel_value(s, (int)floor(x + .5), (int)floor(y + .5), k);
        return;
    }
    const int x0 = (int)floor(x), y0 = (int)floor(y);
    const float fx = (float)(x - x0), fy = (float)(y - y0);
    for (int k = 0; k < channels; k++) {
        const float a = pixel_value(s, x0, y0, k), b = pixel_value(s, x0 + 1, y0, k);
        const float c = pixel_value(s, x0, y0 + 1, k), d = pixel_value(s, x0 + 1, y0 + 1, k);
        const float top = a + fx * (b - a), bottom = c + fx * (d - c);
        to[k] = top + fy * (bottom - top);
    }
}

bool image_warp(struct image *out, const struct image *im, const struct image_warp *how, struct err *err)
{
    const double *m = how->from.m;
    const struct sampler s = {im, how};
    struct image moved = IMAGE_INIT;

    for (int i = 0; i < 6; i++)
        assert(isfinite(m[i]));
    if (!image_new(&moved, im->width, im->height, im->channels, im->type, err))
        return false;
    float *row = mem_new((size_t)im->width * (size_t)im->channels, sizeof *row);
    for (int y = 0; y < im->height; y++) {
        for (int x = 0; x < im->width; x++)
            pixel_sample(&s, m[0] * x + m[1] * y + m[2], m[3] * x + m[4] * y + m[5],
                         row + (size_t)x * (size_t)im->channels);
        image_put_row(&moved, y, row);
    }
    free(row);
    image_move(out, &moved);
    return true;
}
