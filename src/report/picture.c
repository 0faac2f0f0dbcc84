#include "report/picture.h"

#include "base/file.h"
#include "base/mem.h"
#include "image/draw.h"
#include "image/regions.h"
#include "image/tone.h"
#include "image/warp.h"
#include "io/image_file.h"
#include "report/html.h"
#include "report/panel.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Pixels of a picture's longer side; it is shown at about half of that, so that outlines stay fine. */
enum { SIDE = 480, JPEG_QUALITY = 82, CUT = 127 };

/* What is narrower than this share of the image, on both axes, is shown enlarged. */
#define DETAIL_SHARE .34

/* A case, all of one size. */
struct views {
    struct image shown;             /* U8 RGB */
    struct image truth, prediction; /* U8 grey */
};

#define VIEWS_INIT                                                                                           \
    {                                                                                                        \
        IMAGE_INIT, IMAGE_INIT, IMAGE_INIT                                                                   \
    }

static void views_release(struct views *v)
{
    image_release(&v->shown);
    image_release(&v->truth);
    image_release(&v->prediction);
}

bool picture_id_is_safe(const char *id)
{
    if (*id == '\0' || *id == '.')
        return false;
    for (; *id; id++) {
        if (!isalnum((unsigned char)*id) && !strchr("._-", *id))
            return false;
    }
    return true;
}

bool picture_path_is_safe(const char *path)
{
    char name[256];

    for (size_t n; *path; path += n + (path[n] == '/')) {
        n = strcspn(path, "/");
        if (n >= sizeof name)
            return false;
        memcpy(name, path, n);
        name[n] = '\0';
        if (!picture_id_is_safe(name))
            return false;
    }
    return true;
}

static bool read_map(struct image *out, const char *path, const struct image *like, struct err *err)
{
    struct image map = IMAGE_INIT;
    bool ok = false;

    if (!file_exists(path))
        return image_new(out, like->width, like->height, 1, IMAGE_U8, err);
    if (!image_read(&map, path, err))
        goto out;
    if (map.width != like->width || map.height != like->height) {
        err_set(err, ERR_FORMAT, "%s: %d x %d pixels, its image has %d x %d", path, map.width, map.height,
                like->width, like->height);
        goto out;
    }
    if (map.type != IMAGE_U8 && !image_window_apply(&map, &map, (struct image_window){0, 65535}, err))
        goto out;
    if (!image_to_grey(&map, &map, err))
        goto out;
    image_move(out, &map);
    ok = true;
out:
    image_release(&map);
    return ok;
}

static bool read_views(struct views *v, const struct picture_place *where, bool *found, struct err *err)
{
    *found = file_exists(where->image);
    return !*found ||
           (image_read(&v->shown, where->image, err) && image_for_display(&v->shown, &v->shown, err) &&
            read_map(&v->truth, where->truth, &v->shown, err) &&
            read_map(&v->prediction, where->prediction, &v->shown, err));
}

/* All three brought to a longer side of SIDE. A region that vanishes on the way is taken wherever it has a
 * trace. */
static bool views_fit(struct views *v, struct err *err)
{
    int longer = v->shown.width > v->shown.height ? v->shown.width : v->shown.height;
    int width = (int)lrint(fmax(1, (double)v->shown.width * SIDE / longer));
    int height = (int)lrint(fmax(1, (double)v->shown.height * SIDE / longer));

    return image_resize(&v->shown, &v->shown, width, height, err) &&
           image_resize(&v->truth, &v->truth, width, height, err) &&
           image_resize(&v->prediction, &v->prediction, width, height, err);
}

static float cut_of(const struct image *map)
{
    struct image_box box;

    return image_box_of(&box, map, CUT) ? CUT : 0;
}

/* heat: the enlarged part goes without, so that a margin can be judged. */
static void draw_marks(struct views *v, bool heat, bool outline)
{
    const struct draw_contour truth = {cut_of(&v->truth), 3, PANEL_TRUTH_COLOR};
    const struct draw_contour prediction = {CUT, 2, PANEL_PREDICTION_COLOR};

    if (heat)
        draw_heat(&v->shown, &v->prediction, .25F);
    draw_contour(&v->shown, &v->truth, &truth);
    if (outline)
        draw_contour(&v->shown, &v->prediction, &prediction);
}

/* Around every region, numbered from 1; the frame lies outside of it where there is room. */
static void draw_regions(struct image *canvas, const struct picture_place *where, const struct image *own)
{
    enum { GAP = 4 };
    static const struct draw_color LIGHT = {255, 255, 255}, DARK = {0, 0, 0};
    const double sx = (double)canvas->width / own->width, sy = (double)canvas->height / own->height;

    for (size_t i = where->regions; i-- > 0;) {
        const struct image_box r = where->region[i];
        const struct image_box box = {(int)floor(r.x0 * sx) - GAP, (int)floor(r.y0 * sy) - GAP,
                                      (int)ceil(r.x1 * sx) + GAP, (int)ceil(r.y1 * sy) + GAP};
        char text[24];
        snprintf(text, sizeof text, "%zu", i + 1);
        const int wide = draw_text_width(text, 2) + 4, high = 2 * DRAW_TEXT_HEIGHT;
        const int x = box.x0 < 0 ? 0 : box.x0 + wide > canvas->width ? canvas->width - wide : box.x0;
        const int y = box.y0 - high < 0 ? (box.y0 < 0 ? 0 : box.y0) : box.y0 - high;
        draw_rectangle(canvas, box, 1, LIGHT);
        draw_fill(canvas, (struct image_box){x, y, x + wide, y + high}, LIGHT);
        draw_text(canvas, &(struct draw_text){x + 2, y + 2, 2, DARK}, text);
    }
}

static bool is_small(struct image_box box, const struct image *im)
{
    return box.x1 - box.x0 <= im->width * DETAIL_SHARE && box.y1 - box.y0 <= im->height * DETAIL_SHARE;
}

static struct image_box box_around(struct image_box a, struct image_box b)
{
    return (struct image_box){a.x0 < b.x0 ? a.x0 : b.x0, a.y0 < b.y0 ? a.y0 : b.y0, a.x1 > b.x1 ? a.x1 : b.x1,
                              a.y1 > b.y1 ? a.y1 : b.y1};
}

/* A square, as far as the image allows, with room around truth and prediction, or around the truth alone
 * where the prediction is everywhere; false where there is nothing small. */
static bool detail_box(struct image_box *out, const struct views *v)
{
    struct image_box truth, prediction, box;
    bool has_truth = image_box_of(&truth, &v->truth, CUT);
    bool has_prediction = image_box_of(&prediction, &v->prediction, CUT);
    int side, cx, cy;

    if (!has_truth && !has_prediction)
        return false;
    box = has_truth ? truth : prediction;
    if (has_truth && has_prediction && is_small(box_around(truth, prediction), &v->shown))
        box = box_around(truth, prediction);
    if (!is_small(box, &v->shown))
        return false;
    side = box.x1 - box.x0 > box.y1 - box.y0 ? box.x1 - box.x0 : box.y1 - box.y0;
    cx = (box.x0 + box.x1) / 2;
    cy = (box.y0 + box.y1) / 2;
    *out =
        image_box_grow((struct image_box){cx, cy, cx, cy}, side * 4 / 5 + 8, v->shown.width, v->shown.height);
    return true;
}

static bool write_jpeg(struct buf *b, const struct views *v, const char *alt, struct err *err)
{
    return html_jpeg(b, &v->shown, JPEG_QUALITY, alt, err);
}

/* The box of v, made as large as a picture is; out is a fresh set. */
static bool views_cut(struct views *out, const struct views *v, struct image_box box, struct err *err)
{
    return image_crop(&out->shown, &v->shown, box, err) && image_crop(&out->truth, &v->truth, box, err) &&
           image_crop(&out->prediction, &v->prediction, box, err) && views_fit(out, err);
}

static bool write_pictures(struct buf *b, const struct views *v, const struct picture_place *where,
                           struct err *err)
{
    struct views whole = VIEWS_INIT, part = VIEWS_INIT;
    struct image_box box = {0, 0, v->shown.width, v->shown.height};
    bool ok = views_cut(&whole, v, box, err) && write_jpeg(b, &whole, where->id, err);

    if (ok) {
        draw_marks(&whole, true, !where->heat_only);
        draw_regions(&whole.shown, where, &v->shown);
        ok = write_jpeg(b, &whole, "with marks", err);
    }
    if (ok && !where->heat_only && detail_box(&box, v)) {
        ok = views_cut(&part, v, box, err);
        if (ok) {
            draw_marks(&part, false, true);
            ok = write_jpeg(b, &part, "enlarged, with outlines", err);
        }
    }
    views_release(&whole);
    views_release(&part);
    return ok;
}

bool picture_write(struct buf *b, const struct picture_place *where, bool *found, struct err *err)
{
    struct views v = VIEWS_INIT;
    bool ok = read_views(&v, where, found, err);

    if (ok && *found) {
        buf_adds(b, "<div class=\"shots\">");
        ok = write_pictures(b, &v, where, err);
        buf_adds(b, "</div>\n");
    }
    views_release(&v);
    return ok;
}
