#include "data/cbis_mask.h"

#include "image/warp.h"

#include <assert.h>
#include <string.h>

/* Pieces in which a third value is looked for: the loop over one has no exit, so that it is done in vectors.
 */
enum { PIECE = 4096 };

#define COUNT_VALUES(name, type)                                                                             \
    static int name(const type *v, size_t n)                                                                 \
    {                                                                                                        \
        const type first = v[0];                                                                             \
        type other = first;                                                                                  \
        size_t at = 0;                                                                                       \
                                                                                                             \
        while (at < n && v[at] == first)                                                                     \
            at++;                                                                                            \
        if (at == n)                                                                                         \
            return 1;                                                                                        \
        other = v[at];                                                                                       \
        while (at < n) {                                                                                     \
            const size_t end = n - at < PIECE ? n : at + PIECE;                                              \
            type third = 0;                                                                                  \
            for (; at < end; at++)                                                                           \
                third |= (type)((v[at] != first) & (v[at] != other));                                        \
            if (third)                                                                                       \
                return 3;                                                                                    \
        }                                                                                                    \
        return 2;                                                                                            \
    }

COUNT_VALUES(count_u8, uint8_t)
COUNT_VALUES(count_u16, uint16_t)

int cbis_count_values(const struct image *im)
{
    const size_t n = image_pixels(im);

    assert(im->channels == 1);
    return im->type == IMAGE_U8 ? count_u8(image_u8(im), n) : count_u16(image_u16(im), n);
}

int cbis_count_jpeg_values(const struct image *im)
{
    enum { NEAR = 32, FRAYED_SHARE = 200 }; /* one in so many */
    const size_t n = image_pixels(im);
    const uint8_t *v = image_u8(im);
    size_t between = 0;

    for (size_t i = 0; i < n; i++)
        between += v[i] > NEAR && v[i] < 255 - NEAR;
    return between <= n / FRAYED_SHARE ? 2 : 3;
}

#define LARGEST(name, type)                                                                                  \
    static type name(const type *v, size_t n)                                                                \
    {                                                                                                        \
        type most = 0;                                                                                       \
                                                                                                             \
        for (size_t i = 0; i < n; i++)                                                                       \
            most = v[i] > most ? v[i] : most;                                                                \
        return most;                                                                                         \
    }

LARGEST(largest_u8, uint8_t)
LARGEST(largest_u16, uint16_t)

static unsigned largest(const struct image *im)
{
    const size_t n = image_pixels(im);

    return im->type == IMAGE_U8 ? largest_u8(image_u8(im), n) : largest_u16(image_u16(im), n);
}

/* 16 bits become 8 by the same cut. */
static bool narrow(struct image *mask, unsigned cut, struct err *err)
{
    struct image small = IMAGE_INIT;
    const size_t n = image_pixels(mask);

    if (!image_new(&small, mask->width, mask->height, 1, IMAGE_U8, err))
        return false;
    const uint16_t *from = image_u16(mask);
    uint8_t *to = image_u8(&small);
    for (size_t i = 0; i < n; i++)
        to[i] = from[i] >= cut ? 255 : 0;
    image_move(mask, &small);
    return true;
}

/* Cuts a row in place; returns how many pixels are marked, counted in bytes, as many as one holds at a time.
 */
static size_t cut_row(uint8_t *row, int width, uint8_t cut)
{
    size_t marked = 0;

    for (int x = 0; x < width;) {
        const int end = width - x < UINT8_MAX ? width : x + UINT8_MAX;
        uint8_t few = 0;
        for (; x < end; x++) {
            row[x] = row[x] >= cut ? 255 : 0;
            few += row[x] & 1;
        }
        marked += few;
    }
    return marked;
}

static void widen_box(struct image_box *box, const uint8_t *row, int width, int y)
{
    const int x0 = (int)((const uint8_t *)memchr(row, 255, (size_t)width) - row);
    const int x1 = (int)((const uint8_t *)memrchr(row, 255, (size_t)width) - row) + 1;

    if (box->y1 == 0)
        *box = (struct image_box){x0, y, x1, y + 1};
    box->x0 = x0 < box->x0 ? x0 : box->x0;
    box->x1 = x1 > box->x1 ? x1 : box->x1;
    box->y1 = y + 1;
}

bool cbis_mask_cut(struct image *mask, struct cbis_area *area, int width, int height, struct err *err)
{
    const unsigned most = largest(mask);
    unsigned cut = most ? (most + 1) / 2 : 1;
    struct cbis_area a = {.of = (size_t)width * (size_t)height};

    if (mask->type == IMAGE_U16) {
        if (!narrow(mask, cut, err))
            return false;
        cut = 128;
    }
    if ((mask->width != width || mask->height != height) &&
        !image_resize_nearest(mask, mask, width, height, err))
        return false;
    for (int y = 0; y < height; y++) {
        uint8_t *row = image_u8(mask) + (size_t)y * (size_t)width;
        const size_t marked = cut_row(row, width, (uint8_t)cut);
        if (marked)
            widen_box(&a.box, row, width, y);
        a.pixels += marked;
    }
    *area = a;
    return true;
}

bool cbis_mask_unite(struct image *united, const struct image *mask, struct err *err)
{
    const size_t n = image_pixels(mask);

    if (!united->data)
        return image_copy(united, mask, err);
    assert(united->width == mask->width && united->height == mask->height);
    uint8_t *to = image_u8(united);
    const uint8_t *from = image_u8(mask);
    for (size_t i = 0; i < n; i++)
        to[i] |= from[i];
    return true;
}
