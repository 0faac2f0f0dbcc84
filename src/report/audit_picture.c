#include "report/audit_picture.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/parallel.h"
#include "image/draw.h"
#include "image/regions.h"
#include "image/tone.h"
#include "image/warp.h"
#include "io/image_file.h"
#include "report/html.h"
#include "report/panel.h"

#include <math.h>
#include <stdlib.h>

/* Pixels of the longer side; a crop is shown smaller than the image it was cut from. */
enum { SIDE = 420, JPEG_QUALITY = 80, CUT = 127 };

/* A picture of the folder, reduced. */
static bool read_small(struct image *out, const struct audit_picture *p, const char *name, struct err *err)
{
    char *path = file_join(p->folder, name);
    struct image im = IMAGE_INIT;
    bool ok = image_read(&im, path, err);

    if (ok) {
        double scale = fmin(1, (double)SIDE / (im.width > im.height ? im.width : im.height));
        ok = image_resize(out, &im, (int)fmax(1, lrint(im.width * scale)),
                          (int)fmax(1, lrint(im.height * scale)), err);
    }
    image_release(&im);
    free(path);
    return ok;
}

static bool read_shown(struct image *out, const struct audit_picture *p, const char *name, struct err *err)
{
    return read_small(out, p, name, err) && image_for_display(out, out, err);
}

static bool put_picture(struct buf *b, const struct audit_picture *p, const char *name, const char *alt,
                        struct err *err)
{
    struct image im = IMAGE_INIT;
    bool ok = !*name || (read_shown(&im, p, name, err) && html_jpeg(b, &im, JPEG_QUALITY, alt, err));

    image_release(&im);
    return ok;
}

/* A region that vanishes on the way is taken wherever it has a trace. */
static bool outline(struct image *shown, const struct audit_picture *p, struct err *err)
{
    struct image mask = IMAGE_INIT;
    struct image_box box;
    bool ok = !*p->mask || read_small(&mask, p, p->mask, err);

    if (ok && mask.data && mask.width == shown->width && mask.height == shown->height) {
        const struct draw_contour how = {image_box_of(&box, &mask, CUT) ? CUT : 0, 2, PANEL_TRUTH_COLOR};
        draw_contour(shown, &mask, &how);
    }
    image_release(&mask);
    return ok;
}

static bool draw_marked(struct buf *b, const struct audit_picture *p, struct err *err)
{
    struct image shown = IMAGE_INIT;

    bool ok = read_shown(&shown, p, p->image, err) && outline(&shown, p, err) &&
              html_jpeg(b, &shown, JPEG_QUALITY, p->id, err) && put_picture(b, p, p->crop, "crop", err);
    image_release(&shown);
    return ok;
}

static bool draw_triple(struct buf *b, const struct audit_picture *p, struct err *err)
{
    return put_picture(b, p, p->image, p->id, err) && put_picture(b, p, p->mask, "mask", err) &&
           put_picture(b, p, p->crop, "crop", err);
}

/* ---- all of a page ---- */

struct audit_shot {
    struct audit_picture picture;
    bool (*draw)(struct buf *, const struct audit_picture *, struct err *);
    size_t place; /* in the page without pictures */
    struct buf html;
};

static void note(struct audit_pictures *all, const struct buf *page, const struct audit_shot *s)
{
    all->shot = mem_grow(all->shot, all->count + 1, sizeof *all->shot);
    all->shot[all->count] = *s;
    all->shot[all->count++].place = page->len;
}

void audit_picture_marked(struct audit_pictures *all, const struct buf *page, const struct audit_picture *p)
{
    note(all, page, &(struct audit_shot){.picture = *p, .draw = draw_marked});
}

void audit_picture_triple(struct audit_pictures *all, const struct buf *page, const struct audit_picture *p)
{
    note(all, page, &(struct audit_shot){.picture = *p, .draw = draw_triple});
}

static bool draw_one(void *pictures, size_t i, struct err *err)
{
    struct audit_shot *s = &((struct audit_pictures *)pictures)->shot[i];

    buf_adds(&s->html, "<div class=\"shots\">");
    if (!s->draw(&s->html, &s->picture, err))
        return false;
    buf_adds(&s->html, "</div>\n");
    return true;
}

bool audit_pictures_insert(struct buf *page, struct audit_pictures *all, struct err *err)
{
    struct buf whole = BUF_INIT;
    size_t at = 0;

    if (!parallel_for(all->count, draw_one, all, NULL, err))
        return false;
    for (size_t i = 0; i < all->count; i++) {
        const struct audit_shot *s = &all->shot[i];
        buf_add(&whole, page->data + at, s->place - at);
        buf_add(&whole, s->html.data, s->html.len);
        at = s->place;
    }
    buf_add(&whole, page->data + at, page->len - at);
    buf_release(page);
    *page = whole;
    return true;
}

void audit_pictures_release(struct audit_pictures *all)
{
    for (size_t i = 0; i < all->count; i++)
        buf_release(&all->shot[i].html);
    free(all->shot);
    *all = (struct audit_pictures)AUDIT_PICTURES_INIT;
}
