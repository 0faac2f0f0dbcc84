/* eval/strip.h: the dark strip with words below a picture. */
#ifndef CLEARMASS_EVAL_STRIP_H
#define CLEARMASS_EVAL_STRIP_H

#include "base/buf.h"
#include "image/draw.h"

/* A headline, a text and the disclaimer, wrapped to a width. */
struct strip {
    struct buf head, body, foot;
    int scale, height; /* pixels */
};

void strip_make(struct strip *s, const char *head, const char *body, int width);
/* Over the whole width of the canvas, from row top on. */
void strip_draw(struct image *canvas, const struct strip *s, int top, struct draw_color head);
void strip_release(struct strip *s);

#endif
