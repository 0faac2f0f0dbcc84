#include "eval/cam.h"

#include "base/mem.h"
#include "image/tone.h"
#include "image/warp.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>

void cam_logits(double *logit, const struct cam_head *head, const float *activation, size_t places)
{
    for (int c = 0; c < head->classes; c++)
        logit[c] = head->bias[c];
    for (int k = 0; k < head->features; k++) {
        const float *a = activation + (size_t)k * places;
        double sum = 0;
        for (size_t i = 0; i < places; i++)
            sum += a[i];
        for (int c = 0; c < head->classes; c++)
            logit[c] += head->kernel[(size_t)c * (size_t)head->features + (size_t)k] * sum / (double)places;
    }
}

void cam_softmax(double *share, const double *logit, int n)
{
    double most = logit[0], sum = 0;

    for (int i = 1; i < n; i++)
        most = fmax(most, logit[i]);
    for (int i = 0; i < n; i++)
        sum += share[i] = exp(logit[i] - most);
    for (int i = 0; i < n; i++)
        share[i] /= sum;
}

/* What feature k speaks for the class, and not for the others as well. */
static double contrast(const struct cam_head *head, int class, int k)
{
    const float *weight = head->kernel + k;
    double others = 0;

    for (int c = 0; c < head->classes; c++)
        others += c == class ? 0 : weight[(size_t)c * (size_t)head->features];
    return weight[(size_t) class * (size_t)head->features] - others / (head->classes - 1);
}

void cam_map(float *map, const struct cam_head *head, int class, const float *activation, size_t places)
{
    double *weight = mem_new((size_t)head->features, sizeof *weight);

    assert(head->classes >= 2);
    for (int k = 0; k < head->features; k++)
        weight[k] = contrast(head, class, k);
    for (size_t i = 0; i < places; i++) {
        double sum = 0;
        for (int k = 0; k < head->features; k++)
            sum += weight[k] * activation[(size_t)k * places + i];
        map[i] = (float)fmax(0, sum / (double)places);
    }
    free(weight);
}

bool cam_undo(struct image *out, const struct cam *cam, struct err *err)
{
    const struct image cells = {cam->w, cam->h, 1, IMAGE_F32, (void *)cam->map};
    struct image square = IMAGE_INIT;
    const bool ok = image_resize(&square, &cells, cam->plan->size, cam->plan->size, err) &&
                    prep_undo(out, cam->plan, image_f32(&square), err);

    image_release(&square);
    return ok;
}

bool cam_picture(struct image *out, const struct image *whole, struct err *err)
{
    float peak = 0;

    for (size_t i = 0; i < image_pixels(whole); i++)
        peak = fmaxf(peak, image_f32(whole)[i]);
    return image_window_apply(out, whole, (struct image_window){0, peak > 0 ? peak : 1}, err);
}

/* From the centre of a cell, along one axis, to a pixel of the original: -1 or less, or size or more, where
 * the cell lies in a border. */
static int pixel_of(double cell, int cells, int square, const int to[2], const int box[2])
{
    const double at = (cell + .5) * square / cells;

    return (int)floor(box[0] + (at - to[0]) * (box[1] - box[0]) / (to[1] - to[0]));
}

static bool points_inside(const struct cam *cam, const struct image *truth)
{
    const struct prep_plan *p = cam->plan;
    int best = 0;

    for (int i = 1; i < cam->h * cam->w; i++)
        best = cam->map[i] > cam->map[best] ? i : best;
    const int x = pixel_of(best % cam->w, cam->w, p->size, (const int[]){p->to.x0, p->to.x1},
                           (const int[]){p->box.x0, p->box.x1});
    const int y = pixel_of(best / cam->w, cam->h, p->size, (const int[]){p->to.y0, p->to.y1},
                           (const int[]){p->box.y0, p->box.y1});
    return x >= p->box.x0 && x < p->box.x1 && y >= p->box.y0 && y < p->box.y1 &&
           image_u8(truth)[(size_t)y * (size_t)truth->width + (size_t)x] != 0;
}

struct cam_agreement cam_agree(const struct cam *cam, const struct image *whole, const struct image *truth)
{
    const size_t n = image_pixels(truth);
    double all = 0, inside = 0;
    size_t region = 0;

    assert(whole->width == truth->width && whole->height == truth->height && truth->channels == 1);
    for (size_t i = 0; i < n; i++) {
        const double v = image_f32(whole)[i];
        all += v;
        inside += image_u8(truth)[i] ? v : 0;
        region += image_u8(truth)[i] != 0;
    }
    if (region == 0 || !(all > 0))
        return (struct cam_agreement){.somewhere = false};
    return (struct cam_agreement){true, points_inside(cam, truth), inside / all, (double)region / (double)n};
}
