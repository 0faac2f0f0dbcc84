/* report/picture.h: one case of an evaluation as pictures for a page. */
#ifndef CLEARMASS_REPORT_PICTURE_H
#define CLEARMASS_REPORT_PICTURE_H

#include "base/buf.h"
#include "base/err.h"
#include "image/image.h"

/* Whether the id is made of letters, digits, '.', '_' and '-' only and does not begin with a dot: such an id
 * cannot lead out of a folder. */
bool picture_id_is_safe(const char *id);
/* The same for a path of such names below a folder. */
bool picture_path_is_safe(const char *path);

/* The files of a case. */
struct picture_place {
    const char *image;      /* missing: nothing is shown */
    const char *truth;      /* mask of the true region; missing: none */
    const char *prediction; /* map; missing: nothing predicted */
    const char *id;
    bool heat_only; /* the map is one of strengths that has no outline: it is not cut, and nothing is enlarged
                     */
    const struct image_box *region; /* [regions]: framed and numbered on the picture with the marks */
    size_t regions;
};

/* Appends the <img> of a case, as JPEG: the image as it is; the image with the predicted heat, the truth's
 * outline and the prediction's (cut at .5); and, where the lesion is small, that part enlarged, with the
 * outlines alone. *found is false, and nothing is appended, where there is no image. Fails on a file that is
 * there but broken, and on a mask of another size than its image. */
bool picture_write(struct buf *b, const struct picture_place *where, bool *found, struct err *err);

#endif
