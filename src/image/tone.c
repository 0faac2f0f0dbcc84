#include "image/tone.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BINS = 65536 };

/* Thousandths of red, green and blue. */
static unsigned luma(unsigned r, unsigned g, unsigned b)
{
    return (299 * r + 587 * g + 114 * b + 500) / 1000;
}

bool image_to_grey(struct image *out, const struct image *im, struct err *err)
{
    struct image grey = IMAGE_INIT;
    const size_t n = image_pixels(im);

    if (im->channels == 1)
        return image_copy(out, im, err);
    if (!image_new(&grey, im->width, im->height, 1, im->type, err))
        return false;
    if (im->type == IMAGE_U8) {
        const uint8_t *from = image_u8(im);
        uint8_t *to = image_u8(&grey);
        for (size_t i = 0; i < n; i++)
            to[i] = (uint8_t)luma(from[3 * i], from[3 * i + 1], from[3 * i + 2]);
    } else if (im->type == IMAGE_U16) {
        const uint16_t *from = image_u16(im);
        uint16_t *to = image_u16(&grey);
        for (size_t i = 0; i < n; i++)
            to[i] = (uint16_t)luma(from[3 * i], from[3 * i + 1], from[3 * i + 2]);
    } else {
        const float *from = image_f32(im);
        float *to = image_f32(&grey);
        for (size_t i = 0; i < n; i++)
            to[i] = (float)(.299 * from[3 * i] + .587 * from[3 * i + 1] + .114 * from[3 * i + 2]);
    }
    image_move(out, &grey);
    return true;
}

bool image_to_rgb(struct image *out, const struct image *im, struct err *err)
{
    struct image rgb = IMAGE_INIT;
    const size_t n = image_pixels(im);

    if (im->channels == 3)
        return image_copy(out, im, err);
    if (!image_new(&rgb, im->width, im->height, 3, im->type, err))
        return false;
    if (im->type == IMAGE_U8) {
        const uint8_t *from = image_u8(im);
        uint8_t *to = image_u8(&rgb);
        for (size_t i = 0; i < n; i++)
            to[3 * i] = to[3 * i + 1] = to[3 * i + 2] = from[i];
    } else if (im->type == IMAGE_U16) {
        const uint16_t *from = image_u16(im);
        uint16_t *to = image_u16(&rgb);
        for (size_t i = 0; i < n; i++)
            to[3 * i] = to[3 * i + 1] = to[3 * i + 2] = from[i];
    } else {
        const float *from = image_f32(im);
        float *to = image_f32(&rgb);
        for (size_t i = 0; i < n; i++)
            to[3 * i] = to[3 * i + 1] = to[3 * i + 2] = from[i];
    }
    image_move(out, &rgb);
    return true;
}

bool image_to_u16(struct image *out, const struct image *im, struct err *err)
{
    struct image wide = IMAGE_INIT;
    const size_t n = image_pixels(im) * (size_t)im->channels;

    if (im->type == IMAGE_U16)
        return image_copy(out, im, err);
    assert(im->type == IMAGE_U8);
    if (!image_new(&wide, im->width, im->height, im->channels, IMAGE_U16, err))
        return false;
    const uint8_t *from = image_u8(im);
    uint16_t *to = image_u16(&wide);
    for (size_t i = 0; i < n; i++)
        to[i] = (uint16_t)(from[i] * 257);
    image_move(out, &wide);
    return true;
}

bool image_to_f32(struct image *out, const struct image *im, struct err *err)
{
    struct image real = IMAGE_INIT;
    const size_t n = (size_t)im->width * (size_t)im->channels;

    if (im->type == IMAGE_F32)
        return image_copy(out, im, err);
    if (!image_new(&real, im->width, im->height, im->channels, IMAGE_F32, err))
        return false;
    const float white = im->type == IMAGE_U8 ? 255 : 65535;
    for (int y = 0; y < im->height; y++) {
        float *row = image_f32(&real) + (size_t)y * n;
        image_get_row(im, y, row);
        for (size_t i = 0; i < n; i++)
            row[i] /= white;
    }
    image_move(out, &real);
    return true;
}

/* How often each value occurs: bin k stands for low + k * step. Samples that are no numbers are left out. */
struct histogram {
    float low, step;
    size_t bin[BINS];
    size_t first, last, total; /* occupied bins; samples */
};

/* Whole numbers have bins of their own. */
static void histogram_count(struct histogram *h, const struct image *im)
{
    const size_t n = image_pixels(im) * (size_t)im->channels;
    const uint8_t *u8 = im->data;
    const uint16_t *u16 = im->data;

    h->low = 0;
    h->step = 1;
    if (im->type == IMAGE_U8)
        for (size_t i = 0; i < n; i++)
            h->bin[u8[i]]++;
    else
        for (size_t i = 0; i < n; i++)
            h->bin[u16[i]]++;
}

static void histogram_count_reals(struct histogram *h, const struct image *im)
{
    const size_t n = image_pixels(im) * (size_t)im->channels;
    const float *v = image_f32(im);
    float low = INFINITY, high = -INFINITY;

    for (size_t i = 0; i < n; i++) {
        if (!isfinite(v[i]))
            continue;
        low = v[i] < low ? v[i] : low;
        high = v[i] > high ? v[i] : high;
    }
    h->low = low <= high ? low : 0;
    h->step = low < high ? (float)(((double)high - low) / (BINS - 1)) : 0;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(v[i]))
            continue;
        const double k = h->step > 0 ? ((double)v[i] - low) / h->step : 0;
        h->bin[k < BINS - 1 ? (size_t)k : BINS - 1]++;
    }
}

static struct histogram *histogram_new(const struct image *im)
{
    struct histogram *h = mem_new(1, sizeof *h);

    if (im->type == IMAGE_F32)
        histogram_count_reals(h, im);
    else
        histogram_count(h, im);
    h->first = BINS;
    for (size_t k = 0; k < BINS; k++) {
        if (h->bin[k] == 0)
            continue;
        h->first = k < h->first ? k : h->first;
        h->last = k;
        h->total += h->bin[k];
    }
    h->first = h->first < BINS ? h->first : 0;
    return h;
}

/* The value of the first bin by which a share of the samples from bin first on are passed. */
static float histogram_value_at(const struct histogram *h, size_t first, size_t samples, double share)
{
    size_t passed = 0, k = first;

    for (; k < h->last; k++) {
        passed += h->bin[k];
        if (passed > 0 && (double)passed >= share * (double)samples)
            break;
    }
    return (float)(h->low + (double)k * h->step);
}

struct image_window image_window_find(const struct image *im, double low, double high)
{
    assert(0 <= low && low < high && high <= 1);
    struct histogram *h = histogram_new(im);
    size_t first = h->first + (h->last - h->first) / 50 + 1, seen = h->total;

    for (size_t k = h->first; k < first; k++)
        seen -= h->bin[k];
    if (seen == 0 || (double)seen < .01 * (double)h->total) {
        first = h->first;
        seen = h->total;
    }
    struct image_window w = {histogram_value_at(h, first, seen, low),
                             histogram_value_at(h, first, seen, high)};
    if (!(w.white > w.black))
        w.white = w.black + fmaxf(h->step, fmaxf(fabsf(w.black) * 1e-3f, 1e-6f));
    free(h);
    return w;
}

bool image_window_apply(struct image *out, const struct image *im, struct image_window w, struct err *err)
{
    assert(w.black < w.white);
    struct image shown = IMAGE_INIT;
    const size_t n = (size_t)im->width * (size_t)im->channels;

    if (!image_new(&shown, im->width, im->height, im->channels, IMAGE_U8, err))
        return false;
    float *row = mem_new(n, sizeof *row);
    const float scale = 255 / (w.white - w.black);
    for (int y = 0; y < im->height; y++) {
        image_get_row(im, y, row);
        for (size_t i = 0; i < n; i++)
            row[i] = (row[i] - w.black) * scale;
        image_put_row(&shown, y, row);
    }
    free(row);
    image_move(out, &shown);
    return true;
}

bool image_for_display(struct image *out, const struct image *im, struct err *err)
{
    struct image grey = IMAGE_INIT;
    bool ok = false;

    if (!image_to_grey(&grey, im, err))
        goto out;
    if (grey.type != IMAGE_U8 && !image_window_apply(&grey, &grey, image_window_find(&grey, .005, .995), err))
        goto out;
    ok = image_to_rgb(out, &grey, err);
out:
    image_release(&grey);
    return ok;
}
