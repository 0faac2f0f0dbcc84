#include "image/regions.h"

#include "base/mem.h"
#include "image/warp.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Bright film edges are up to OPENING * 2 pixels of the small copy wide. */
enum { SMALL_SIDE = 256, BINS = 256, OPENING = 3 };
static const double LEAST_SHARE = .02; /* a smaller breast is no breast */

/* A small F32 grey copy of the square roots: they spread the dark end, where skin and film part. */
static bool small_copy(struct image *out, const struct image *im, struct err *err)
{
    const int side = im->width > im->height ? im->width : im->height;
    const double scale = side > SMALL_SIDE ? (double)SMALL_SIDE / side : 1;
    const int width = (int)fmax(1, im->width * scale), height = (int)fmax(1, im->height * scale);
    struct image sized = IMAGE_INIT, grey = IMAGE_INIT;
    bool ok = false;

    if (!image_resize(&sized, im, width, height, err) || !image_new(&grey, width, height, 1, IMAGE_F32, err))
        goto out;
    float *row = mem_new((size_t)width * (size_t)sized.channels, sizeof *row);
    for (int y = 0; y < height; y++) {
        image_get_row(&sized, y, row);
        for (int x = 0; x < width; x++)
            image_f32(&grey)[(size_t)y * (size_t)width + (size_t)x] =
                sqrtf(fmaxf(row[(size_t)x * (size_t)sized.channels], 0));
    }
    free(row);
    image_move(out, &grey);
    ok = true;
out:
    image_release(&sized);
    image_release(&grey);
    return ok;
}

/* The cut that leaves the largest variance between the two sides. */
static float otsu(const float *v, size_t n)
{
    size_t bin[BINS] = {0};
    float low = v[0], high = v[0];
    double all = 0, below = 0, best = -1;
    size_t count = 0, cut = 0;

    for (size_t i = 0; i < n; i++) {
        low = fminf(low, v[i]);
        high = fmaxf(high, v[i]);
    }
    const float step = (high - low) / BINS;
    if (!(step > 0) || !isfinite(step))
        return high;
    for (size_t i = 0; i < n; i++) {
        const size_t k = (size_t)((v[i] - low) / step);
        bin[k < BINS ? k : BINS - 1]++;
    }
    for (size_t k = 0; k < BINS; k++)
        all += (double)k * (double)bin[k];
    for (size_t k = 0; k < BINS; k++) {
        count += bin[k];
        below += (double)k * (double)bin[k];
        if (count == 0 || count == n)
            continue;
        const double apart = below / (double)count - (all - below) / (double)(n - count);
        const double between = apart * apart * (double)count * (double)(n - count);
        if (between > best) {
            best = between;
            cut = k;
        }
    }
    return low + step * (float)(cut + 1);
}

/* Each sample becomes the smallest (with sign -1 the largest) of the 3 x 3 around it. Outside lies black, so
 * that bright edges of the film are as thin as they look. */
static void erode(struct image *im, float sign)
{
    const int w = im->width, h = im->height;
    float *to = image_f32(im), *from = mem_new(image_pixels(im), sizeof *from);

    memcpy(from, to, image_bytes(im));
    for (int y = 0; y < h; y++) {
        for (int x = 0; x < w; x++) {
            float least = INFINITY;
            for (int j = y - 1; j <= y + 1; j++) {
                for (int i = x - 1; i <= x + 1; i++) {
                    const bool inside = i >= 0 && j >= 0 && i < w && j < h;
                    const float v = inside ? from[(size_t)j * (size_t)w + (size_t)i] : 0;
                    least = fminf(least, sign * v);
                }
            }
            *to++ = sign * least;
        }
    }
    free(from);
}

static const struct region *largest(const struct regions *r)
{
    const struct region *best = NULL;

    for (size_t i = 0; i < r->count; i++)
        if (!best || r->region[i].area > best->area)
            best = &r->region[i];
    return best;
}

/* The box of a small copy in the pixels of the image, outwards, with its margin. */
static struct image_box box_full(struct image_box b, const struct image *small, const struct image *im,
                                 double margin)
{
    const double sx = (double)im->width / small->width, sy = (double)im->height / small->height;
    const struct image_box box = {(int)floor(b.x0 * sx), (int)floor(b.y0 * sy), (int)ceil(b.x1 * sx),
                                  (int)ceil(b.y1 * sy)};
    const int width = box.x1 - box.x0, height = box.y1 - box.y0;

    return image_box_grow(box, (int)(margin * (width > height ? width : height)), im->width, im->height);
}

bool image_breast_box(struct image_box *out, const struct image *im, double margin, struct err *err)
{
    assert(margin >= 0);
    struct image small = IMAGE_INIT;
    struct regions found = REGIONS_INIT;
    bool ok = false;

    if (!small_copy(&small, im, err))
        goto out;
    const float cut = otsu(image_f32(&small), image_pixels(&small));
    for (int i = 0; i < 2 * OPENING; i++)
        erode(&small, i < OPENING ? 1 : -1);
    if (!regions_find(&found, &small, cut, err))
        goto out;
    const struct region *breast = largest(&found);
    if (breast && (double)breast->area >= LEAST_SHARE * (double)image_pixels(&small))
        *out = box_full(breast->box, &small, im, margin);
    else
        *out = (struct image_box){0, 0, im->width, im->height};
    ok = true;
out:
    regions_release(&found);
    image_release(&small);
    return ok;
}
