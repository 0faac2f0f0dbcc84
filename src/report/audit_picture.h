/* report/audit_picture.h: the pictures of an audit page. */
#ifndef CLEARMASS_REPORT_AUDIT_PICTURE_H
#define CLEARMASS_REPORT_AUDIT_PICTURE_H

#include "base/buf.h"
#include "base/err.h"

/* Files of one image, relative to the folder as the tables have them; "" for none. */
struct audit_picture {
    const char *folder, *id;
    const char *image, *mask, *crop;
};

/* Appends the image with the mask's outline and the crop, side by side. */
bool audit_picture_marked(struct buf *b, const struct audit_picture *p, struct err *err);
/* Appends image, mask and crop. */
bool audit_picture_triple(struct buf *b, const struct audit_picture *p, struct err *err);

#endif
