#include "data/prep.h"

#include "image/regions.h"
#include "image/tone.h"
#include "image/warp.h"

#include <assert.h>
#include <math.h>
#include <string.h>
#include <strings.h>

enum { MIN_SIZE = 32, MAX_SIZE = 4096, SIZE_STEP = 32 };
enum { HALF_COVERED = 32768 }; /* of 65535, rounded up */
#define BREAST_MARGIN .02

static const char *const FIT[] = {[PREP_STRETCH] = "stretch", [PREP_PAD] = "pad"};
static const char *const VALUES[] = {[PREP_CENTRED] = "centred", [PREP_CAFFE] = "caffe"};

const char *prep_fit_name(enum prep_fit fit)
{
    return FIT[fit];
}

bool prep_fit_parse(const char *text, enum prep_fit *out)
{
    for (int i = PREP_STRETCH; i <= PREP_PAD; i++) {
        if (!strcasecmp(text, FIT[i])) {
            *out = (enum prep_fit)i;
            return true;
        }
    }
    return false;
}

const char *prep_values_name(enum prep_values values)
{
    return VALUES[values];
}

bool prep_values_parse(const char *text, enum prep_values *out)
{
    for (int i = PREP_CENTRED; i <= PREP_CAFFE; i++) {
        if (!strcasecmp(text, VALUES[i])) {
            *out = (enum prep_values)i;
            return true;
        }
    }
    return false;
}

bool prep_check(const struct prep *p, struct err *err)
{
    if (p->size < MIN_SIZE || p->size > MAX_SIZE || p->size % SIZE_STEP)
        return err_set(err, ERR_INPUT, "size %d: a multiple of %d from %d to %d is wanted", p->size,
                       SIZE_STEP, MIN_SIZE, MAX_SIZE);
    return true;
}

static int box_width(struct image_box b)
{
    return b.x1 - b.x0;
}

static int box_height(struct image_box b)
{
    return b.y1 - b.y0;
}

/* The longer side fills the square, the shorter keeps the aspect to the nearest pixel. */
static struct image_box padded(int width, int height, int size)
{
    double scale = (double)size / (width > height ? width : height);
    int w = (int)lround(width * scale), h = (int)lround(height * scale);
    struct image_box to;

    w = w < 1 ? 1 : w;
    h = h < 1 ? 1 : h;
    to.x0 = (size - w) / 2;
    to.y0 = (size - h) / 2;
    to.x1 = to.x0 + w;
    to.y1 = to.y0 + h;
    return to;
}

void prep_plan_make(struct prep_plan *plan, const struct prep *p, const struct image *grey)
{
    struct image_box box = {0, 0, grey->width, grey->height};

    /* Without memory for the search the whole image is shown: a choice of view, not of content. */
    if (p->breast_crop && !image_breast_box(&box, grey, BREAST_MARGIN, NULL))
        box = (struct image_box){0, 0, grey->width, grey->height};
    *plan = (struct prep_plan){.width = grey->width, .height = grey->height, .size = p->size, .box = box};
    plan->to = p->fit == PREP_PAD ? padded(box_width(box), box_height(box), p->size)
                                  : (struct image_box){0, 0, p->size, p->size};
}

/* The box of im, resized to where it lands in the square. */
static bool fit_box(struct image *out, const struct prep_plan *plan, const struct image *im, struct err *err)
{
    assert(im->width == plan->width && im->height == plan->height && im->channels == 1);
    return image_crop(out, im, plan->box, err) &&
           image_resize(out, out, box_width(plan->to), box_height(plan->to), err);
}

bool prep_image(uint16_t *out, const struct prep_plan *plan, const struct image *grey, struct err *err)
{
    struct image fitted = IMAGE_INIT;
    bool ok = fit_box(&fitted, plan, grey, err);

    if (ok) {
        struct image square = {plan->size, plan->size, 1, IMAGE_U16, out}; /* out, seen as an image */
        memset(out, 0, image_bytes(&square));
        image_paste(&square, &fitted, plan->to.x0, plan->to.y0);
    }
    image_release(&fitted);
    return ok;
}

/* Marks the pixel a region covers most, where it covers none by half. */
static void keep_peaks(const struct image *coverage, const struct regions *r, struct image *mask)
{
    const uint16_t *covered = image_u16(coverage);

    for (size_t k = 0; k < r->count; k++) {
        struct image_box box = r->region[k].box;
        bool kept = r->region[k].peak >= HALF_COVERED;

        for (int y = box.y0; y < box.y1 && !kept; y++) {
            for (int x = box.x0; x < box.x1 && !kept; x++) {
                size_t i = (size_t)y * (size_t)coverage->width + (size_t)x;
                kept = r->label[i] == (int32_t)k + 1 && covered[i] == r->region[k].peak;
                if (kept)
                    image_u8(mask)[i] = 255;
            }
        }
    }
}

bool prep_mask(uint8_t *out, const struct prep_plan *plan, const struct image *mask, struct err *err)
{
    struct image coverage = IMAGE_INIT, fitted = IMAGE_INIT;
    struct regions regions = REGIONS_INIT;
    bool ok = false;

    /* 16 bits, so that a pixel covered to a ten-thousandth still counts as touched. */
    if (!image_to_u16(&coverage, mask, err) || !fit_box(&coverage, plan, &coverage, err) ||
        !image_new(&fitted, coverage.width, coverage.height, 1, IMAGE_U8, err) ||
        !regions_find(&regions, &coverage, 0, err))
        goto out;
    for (size_t i = 0; i < image_pixels(&coverage); i++)
        image_u8(&fitted)[i] = image_u16(&coverage)[i] >= HALF_COVERED ? 255 : 0;
    keep_peaks(&coverage, &regions, &fitted);
    struct image square = {plan->size, plan->size, 1, IMAGE_U8, out};
    memset(out, 0, image_bytes(&square));
    image_paste(&square, &fitted, plan->to.x0, plan->to.y0);
    ok = true;
out:
    image_release(&coverage);
    image_release(&fitted);
    regions_release(&regions);
    return ok;
}

bool prep_undo(struct image *out, const struct prep_plan *plan, const float *map, struct err *err)
{
    const struct image square = {plan->size, plan->size, 1, IMAGE_F32, (void *)map};
    struct image shown = IMAGE_INIT, whole = IMAGE_INIT;
    bool ok = image_crop(&shown, &square, plan->to, err) &&
              image_resize(&shown, &shown, box_width(plan->box), box_height(plan->box), err) &&
              image_new(&whole, plan->width, plan->height, 1, IMAGE_F32, err);

    if (ok) {
        image_paste(&whole, &shown, plan->box.x0, plan->box.y0);
        image_move(out, &whole);
    }
    image_release(&shown);
    image_release(&whole);
    return ok;
}

/* 65535 = 257 * 255: dividing by 257 gives widened 8-bit values back exactly. */
static void put_centred(float *out, int channels, const uint16_t *square, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (float)square[i] / 257.f / 256.f - .5f;
    for (int c = 1; c < channels; c++)
        memcpy(out + (size_t)c * n, out, n * sizeof *out);
}

static void put_caffe(float *out, int channels, const uint16_t *square, size_t n)
{
    static const float MEAN[] = {103.939f, 116.779f, 123.68f};

    for (int c = 0; c < channels; c++, out += n) {
        const float mean = c < 3 ? MEAN[c] : 0;
        for (size_t i = 0; i < n; i++)
            out[i] = (float)square[i] / 257.f - mean;
    }
}

void prep_network_input(float *out, int channels, const uint16_t *square, const struct prep *p)
{
    size_t n = (size_t)p->size * (size_t)p->size;

    (p->values == PREP_CAFFE ? put_caffe : put_centred)(out, channels, square, n);
}
