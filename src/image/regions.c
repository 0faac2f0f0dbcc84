#include "image/regions.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void regions_release(struct regions *r)
{
    free(r->region);
    free(r->label);
    *r = (struct regions)REGIONS_INIT;
}

/* Sets of provisional labels: parent[i] <= i, equal at a set's root. */
struct sets {
    int32_t *parent;
    int32_t count;
    size_t cap;
};

static int32_t sets_root(struct sets *s, int32_t i)
{
    while (s->parent[i] != i)
        i = s->parent[i] = s->parent[s->parent[i]];
    return i;
}

static int32_t sets_add(struct sets *s)
{
    if ((size_t)s->count == s->cap) {
        s->cap = s->cap ? 2 * s->cap : 1024;
        s->parent = mem_grow(s->parent, s->cap, sizeof *s->parent);
    }
    s->parent[s->count] = s->count;
    return s->count++;
}

/* The joined set of a and b; 0 is no set. */
static int32_t sets_join(struct sets *s, int32_t a, int32_t b)
{
    if (a == 0 || b == 0)
        return a ? a : b;
    a = sets_root(s, a);
    b = sets_root(s, b);
    if (a < b)
        return s->parent[b] = a;
    return s->parent[a] = b;
}

/* First pass: every pixel gets a label of the set its neighbours above and to the left are in. Neighbours
 * that touch each other are in one set already. */
static void label_provisionally(int32_t *label, struct sets *s, const struct image *im, float threshold)
{
    const int w = im->width;
    float *row = mem_new((size_t)w, sizeof *row);

    for (int y = 0; y < im->height; y++) {
        int32_t *here = label + (size_t)y * (size_t)w;
        image_get_row(im, y, row);
        for (int x = 0; x < w; x++) {
            const int32_t *above = y > 0 ? here + x - w : NULL;
            if (!(row[x] > threshold))
                continue;
            int32_t set = above ? above[0] : 0;
            if (set == 0) {
                set = x > 0 ? here[x - 1] : 0;
                if (set == 0 && above && x > 0)
                    set = above[-1];
                if (above && x + 1 < w)
                    set = sets_join(s, set, above[1]);
            }
            here[x] = set ? set : sets_add(s);
        }
    }
    free(row);
}

/* Adds the pixels x0..x1-1 of row y. */
static void region_add(struct region *g, int y, int x0, int x1, const float *row)
{
    if (g->area == 0) {
        g->box = (struct image_box){x0, y, x1, y + 1};
        g->peak = row[x0];
    }
    g->box.x0 = x0 < g->box.x0 ? x0 : g->box.x0;
    g->box.x1 = x1 > g->box.x1 ? x1 : g->box.x1;
    g->box.y1 = y + 1;
    g->area += (size_t)(x1 - x0);
    for (int x = x0; x < x1; x++) {
        g->sum += row[x];
        g->peak = row[x] > g->peak ? row[x] : g->peak;
    }
}

/* Second pass: sets become regions 1..count in the order of their first pixel. */
static void regions_collect(struct regions *r, struct sets *s, const struct image *im)
{
    int32_t *number = mem_new((size_t)s->count, sizeof *number);
    float *row = mem_new((size_t)im->width, sizeof *row);

    for (int32_t i = 1; i < s->count; i++)
        number[i] = s->parent[i] == i ? (int32_t)++r->count : number[s->parent[i]];
    r->region = mem_new(r->count + 1, sizeof *r->region);
    for (int y = 0; y < im->height; y++) {
        int32_t *label = r->label + (size_t)y * (size_t)im->width;
        image_get_row(im, y, row);
        for (int x = 0, end; x < im->width; x = end) {
            for (end = x; end < im->width && label[end] != 0; end++)
                label[end] = number[label[end]];
            if (end > x) /* what lies side by side is one region */
                region_add(&r->region[label[x] - 1], y, x, end, row);
            else
                end = x + 1;
        }
    }
    free(number);
    free(row);
}

struct ranked {
    struct region region;
    int32_t was;
};

static int ranked_compare(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;

    if (a->region.sum != b->region.sum)
        return a->region.sum > b->region.sum ? -1 : 1;
    return a->was < b->was ? -1 : 1;
}

static void regions_sort(struct regions *r)
{
    struct ranked *order = mem_new(r->count + 1, sizeof *order);
    int32_t *now = mem_new(r->count + 1, sizeof *now);

    for (size_t i = 0; i < r->count; i++)
        order[i] = (struct ranked){r->region[i], (int32_t)i + 1};
    qsort(order, r->count, sizeof *order, ranked_compare);
    for (size_t i = 0; i < r->count; i++) {
        r->region[i] = order[i].region;
        now[order[i].was] = (int32_t)i + 1;
    }
    for (size_t i = 0, n = (size_t)r->width * (size_t)r->height; r->count > 1 && i < n; i++)
        r->label[i] = now[r->label[i]];
    free(order);
    free(now);
}

bool regions_find(struct regions *out, const struct image *im, float threshold, struct err *err)
{
    assert(im->channels == 1);
    struct regions r = {NULL, 0, im->width, im->height, NULL};
    struct sets s = {NULL, 0, 0};

    if (image_pixels(im) > INT32_MAX)
        return err_set(err, ERR_LIMIT, "image too large to look for regions: %d x %d", im->width, im->height);
    r.label = mem_try(image_pixels(im), sizeof *r.label, err);
    if (!r.label)
        return false;
    sets_add(&s); /* 0: outside */
    label_provisionally(r.label, &s, im, threshold);
    regions_collect(&r, &s, im);
    regions_sort(&r);
    free(s.parent);
    regions_release(out);
    *out = r;
    return true;
}

/* First and last pixel above the threshold of a row, as *x0 and *x1 - 1; false where there is none. */
static bool row_span(const float *row, int width, float threshold, int *x0, int *x1)
{
    int first = 0, last = width;

    while (first < width && !(row[first] > threshold))
        first++;
    while (last > first && !(row[last - 1] > threshold))
        last--;
    *x0 = first;
    *x1 = last;
    return last > first;
}

/* A mask's row without a pixel needs no look at each. */
static bool row_is_black(const struct image *im, int y)
{
    const uint8_t *row = image_u8(im) + (size_t)y * (size_t)im->width;

    return row[0] == 0 && !memcmp(row, row + 1, (size_t)im->width - 1);
}

bool image_box_of(struct image_box *out, const struct image *im, float threshold)
{
    assert(im->channels == 1);
    struct image_box box = {im->width, 0, 0, 0};
    float *row = mem_new((size_t)im->width, sizeof *row);
    bool any = false;

    for (int y = 0; y < im->height; y++) {
        int x0, x1;
        if (im->type == IMAGE_U8 && threshold >= 0 && row_is_black(im, y))
            continue;
        image_get_row(im, y, row);
        if (!row_span(row, im->width, threshold, &x0, &x1))
            continue;
        if (!any)
            box.y0 = y;
        any = true;
        box.y1 = y + 1;
        box.x0 = x0 < box.x0 ? x0 : box.x0;
        box.x1 = x1 > box.x1 ? x1 : box.x1;
    }
    free(row);
    if (any)
        *out = box;
    return any;
}

struct image_box image_box_grow(struct image_box box, int margin, int width, int height)
{
    box.x0 = box.x0 > margin ? box.x0 - margin : 0;
    box.y0 = box.y0 > margin ? box.y0 - margin : 0;
    box.x1 = box.x1 < width - margin ? box.x1 + margin : width;
    box.y1 = box.y1 < height - margin ? box.y1 + margin : height;
    return box;
}
