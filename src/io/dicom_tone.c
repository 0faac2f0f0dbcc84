/* io/dicom_tone.c: stored samples into tones. Every tone is a table over all samples there can be. */
#include "io/dicom_parts.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WHITE_8 = 255, WHITE_16 = 65535 };

/* What a screen is to show, in values after rescale. */
struct window {
    double center, width;
    enum { LINEAR, EXACT, SIGMOID } curve;
};

/* The value stored in a word: the bits high_bit .. high_bit - bits_stored + 1. */
static int stored_value(const struct dicom_info *info, unsigned word)
{
    const int bits = info->bits_stored;
    const int v = (int)(word >> (info->high_bit + 1 - bits)) & ((1 << bits) - 1);

    return info->is_signed && v >> (bits - 1) ? v - (1 << bits) : v;
}

static bool is_inverse(const struct dicom_info *info)
{
    return strcmp(info->photometric, "MONOCHROME1") == 0;
}

/* 0..white, the range of the bits stored stretched over it. */
static int grey_value(const struct dicom_info *info, int v, int white)
{
    const int64_t most = (1 << info->bits_stored) - 1;
    int64_t u = info->is_signed ? v + (1 << (info->bits_stored - 1)) : v;

    if (is_inverse(info))
        u = most - u;
    return (int)((u * white + most / 2) / most);
}

/* DICOM PS3.3 C.11.2.1.2 and C.11.2.1.3; 0..1. */
static double window_share(const struct window *w, double x)
{
    if (w->curve == SIGMOID)
        return 1 / (1 + exp(-4 * (x - w->center) / w->width));
    const double c = w->curve == LINEAR ? w->center - .5 : w->center;
    const double width = w->curve == LINEAR ? w->width - 1 : w->width;
    if (x <= c - width / 2)
        return 0;
    return x > c + width / 2 ? 1 : (x - c) / width + .5;
}

static int display_value(const struct dicom_info *info, int v, const struct window *w)
{
    const double share = window_share(w, v * info->rescale_slope + info->rescale_intercept);

    return (int)lrint(WHITE_8 * (is_inverse(info) ? 1 - share : share));
}

static unsigned word_at(const struct image *im, size_t i)
{
    return im->type == IMAGE_U8 ? ((const uint8_t *)im->data)[i] : ((const uint16_t *)im->data)[i];
}

static struct window window_of_frame(const struct image *words, const struct dicom_info *info)
{
    const size_t n = image_pixels(words);
    int low = stored_value(info, word_at(words, 0)), high = low;

    for (size_t i = 1; i < n; i++) {
        const int v = stored_value(info, word_at(words, i));
        low = v < low ? v : low;
        high = v > high ? v : high;
    }
    const double a = low * info->rescale_slope + info->rescale_intercept;
    const double b = high * info->rescale_slope + info->rescale_intercept;
    return (struct window){(a + b) / 2, fabs(b - a), EXACT};
}

static struct window window_of(const struct image *words, const struct dicom_info *info)
{
    struct window w = {info->window_center, info->window_width, LINEAR};

    if (w.width <= 0)
        return window_of_frame(words, info);
    if (strcmp(info->voi_function, "SIGMOID") == 0)
        w.curve = SIGMOID;
    else if (strcmp(info->voi_function, "LINEAR_EXACT") == 0)
        w.curve = EXACT;
    return w;
}

static void table_fill(uint16_t *table, size_t n, const struct image *words, const struct dicom_info *info,
                       enum dicom_tone tone)
{
    const int white = info->bits_stored <= 8 ? WHITE_8 : WHITE_16;
    const struct window w = tone == DICOM_DISPLAY ? window_of(words, info) : (struct window){0};

    for (size_t i = 0; i < n; i++) {
        const int v = stored_value(info, (unsigned)i);
        if (tone == DICOM_RAW)
            table[i] = (uint16_t)v;
        else
            table[i] =
                (uint16_t)(tone == DICOM_GREY ? grey_value(info, v, white) : display_value(info, v, &w));
    }
}

/* In place; never from 8 to 16 bits. */
static void words_map(struct image *words, const uint16_t *table, enum image_type to)
{
    const size_t n = image_pixels(words);
    uint8_t *u8 = words->data;
    uint16_t *u16 = words->data;

    if (words->type == IMAGE_U8)
        for (size_t i = 0; i < n; i++)
            u8[i] = (uint8_t)table[u8[i]];
    else if (to == IMAGE_U16)
        for (size_t i = 0; i < n; i++)
            u16[i] = table[u16[i]];
    else
        for (size_t i = 0; i < n; i++)
            u8[i] = (uint8_t)table[u16[i]];
    words->type = to;
}

/* Nothing to do: the usual case of 8 or 16 bits stored, grey, 0 black. */
static bool changes_nothing(const uint16_t *table, size_t n)
{
    size_t i = 0;

    while (i < n && table[i] == i)
        i++;
    return i == n;
}

bool dicom_tone_keeps(const struct dicom_info *info, enum dicom_tone tone)
{
    const size_t n = info->bits_allocated == 8 ? 1 << 8 : 1 << 16;
    const bool narrows = info->bits_allocated == 16 && tone == DICOM_GREY && info->bits_stored <= 8;

    if (tone == DICOM_DISPLAY || narrows)
        return false;
    uint16_t *table = mem_new(n, sizeof *table);
    table_fill(table, n, NULL, info, tone);
    const bool keeps = changes_nothing(table, n);
    free(table);
    return keeps;
}

void dicom_tone_apply(struct image *words, const struct dicom_info *info, enum dicom_tone tone)
{
    const bool narrow = tone == DICOM_DISPLAY || (tone == DICOM_GREY && info->bits_stored <= 8);
    const size_t n = words->type == IMAGE_U8 ? 1 << 8 : 1 << 16;
    uint16_t *table = mem_new(n, sizeof *table);

    assert(words->channels == 1 && words->type != IMAGE_F32);
    table_fill(table, n, words, info, tone);
    const enum image_type to = narrow ? IMAGE_U8 : words->type;
    if (to != words->type || !changes_nothing(table, n))
        words_map(words, table, to);
    free(table);
}
