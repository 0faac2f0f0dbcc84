#include "image/image.h"

#include "base/mem.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static const size_t SAMPLE_BYTES[] = {
    [IMAGE_U8] = sizeof(uint8_t), [IMAGE_U16] = sizeof(uint16_t), [IMAGE_F32] = sizeof(float)};

bool image_new(struct image *out, int width, int height, int channels, enum image_type type, struct err *err)
{
    assert(channels == 1 || channels == 3);
    if (width < 1 || height < 1 || width > IMAGE_MAX_SIDE || height > IMAGE_MAX_SIDE)
        return err_set(err, ERR_LIMIT, "image of %d x %d pixels (sides must be 1 to %d)", width, height,
                       IMAGE_MAX_SIDE);
    struct image im = {width, height, channels, type, NULL};
    im.data = mem_try(image_pixels(&im) * (size_t)channels, SAMPLE_BYTES[type], err);
    if (!im.data)
        return false;
    image_move(out, &im);
    return true;
}

void image_release(struct image *im)
{
    free(im->data);
    *im = (struct image)IMAGE_INIT;
}

void image_move(struct image *out, struct image *im)
{
    struct image taken = *im;

    *im = (struct image)IMAGE_INIT;
    free(out->data);
    *out = taken;
}

bool image_copy(struct image *out, const struct image *im, struct err *err)
{
    struct image copy = IMAGE_INIT;

    if (out == im)
        return true;
    if (!image_new(&copy, im->width, im->height, im->channels, im->type, err))
        return false;
    memcpy(copy.data, im->data, image_bytes(im));
    image_move(out, &copy);
    return true;
}

size_t image_bytes(const struct image *im)
{
    return image_pixels(im) * (size_t)im->channels * SAMPLE_BYTES[im->type];
}

size_t image_pixels(const struct image *im)
{
    return (size_t)im->width * (size_t)im->height;
}

uint8_t *image_u8(const struct image *im)
{
    assert(im->type == IMAGE_U8);
    return im->data;
}

uint16_t *image_u16(const struct image *im)
{
    assert(im->type == IMAGE_U16);
    return im->data;
}

float *image_f32(const struct image *im)
{
    assert(im->type == IMAGE_F32);
    return im->data;
}

void image_get_row(const struct image *im, int y, float *row)
{
    const size_t n = (size_t)im->width * (size_t)im->channels;

    assert(y >= 0 && y < im->height);
    if (im->type == IMAGE_U8) {
        const uint8_t *from = image_u8(im) + (size_t)y * n;
        for (size_t i = 0; i < n; i++)
            row[i] = from[i];
    } else if (im->type == IMAGE_U16) {
        const uint16_t *from = image_u16(im) + (size_t)y * n;
        for (size_t i = 0; i < n; i++)
            row[i] = from[i];
    } else {
        memcpy(row, image_f32(im) + (size_t)y * n, n * sizeof *row);
    }
}

/* Comparisons in this order send not-a-number to 0. */
static float held(float v, float top)
{
    v = v > 0 ? v : 0;
    return v < top ? v : top;
}

void image_put_row(struct image *im, int y, const float *row)
{
    const size_t n = (size_t)im->width * (size_t)im->channels;

    assert(y >= 0 && y < im->height);
    if (im->type == IMAGE_U8) {
        uint8_t *to = image_u8(im) + (size_t)y * n;
        for (size_t i = 0; i < n; i++)
            to[i] = (uint8_t)(held(row[i], 255) + .5f);
    } else if (im->type == IMAGE_U16) {
        uint16_t *to = image_u16(im) + (size_t)y * n;
        for (size_t i = 0; i < n; i++)
            to[i] = (uint16_t)(held(row[i], 65535) + .5f);
    } else {
        memcpy(image_f32(im) + (size_t)y * n, row, n * sizeof *row);
    }
}
