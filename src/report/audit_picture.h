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

/* The pictures of a page that is being written: noted with their place, drawn on every core at the end. */
struct audit_pictures {
    struct audit_shot *shot; /* [count], in the order of their places */
    size_t count;
};
#define AUDIT_PICTURES_INIT                                                                                  \
    {                                                                                                        \
        NULL, 0                                                                                              \
    }

/* Here goes the image with the mask's outline and the crop, side by side. What p points to lives on. */
void audit_picture_marked(struct audit_pictures *all, const struct buf *page, const struct audit_picture *p);
/* Here go image, mask and crop. */
void audit_picture_triple(struct audit_pictures *all, const struct buf *page, const struct audit_picture *p);
/* Draws them all and puts them into their places. */
bool audit_pictures_insert(struct buf *page, struct audit_pictures *all, struct err *err);
void audit_pictures_release(struct audit_pictures *all);

#endif
