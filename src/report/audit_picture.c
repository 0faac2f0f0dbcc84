#include "report/audit_picture.h"

#include "base/file.h"
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

bool audit_picture_marked(struct buf *b, const struct audit_picture *p, struct err *err)
{
    struct image shown = IMAGE_INIT;

    buf_adds(b, "<div class=\"shots\">");
    bool ok = read_shown(&shown, p, p->image, err) && outline(&shown, p, err) &&
              html_jpeg(b, &shown, JPEG_QUALITY, p->id, err) && put_picture(b, p, p->crop, "crop", err);
    buf_adds(b, "</div>\n");
    image_release(&shown);
    return ok;
}

bool audit_picture_triple(struct buf *b, const struct audit_picture *p, struct err *err)
{
    buf_adds(b, "<div class=\"shots\">");
    bool ok = put_picture(b, p, p->image, p->id, err) && put_picture(b, p, p->mask, "mask", err) &&
              put_picture(b, p, p->crop, "crop", err);
    buf_adds(b, "</div>\n");
    return ok;
}
