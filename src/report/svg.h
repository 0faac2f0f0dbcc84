/* report/svg.h: the strokes charts are drawn with; only chart*.c use it. Coordinates are pixels from the left
 * upper corner, written with two decimals. */
#ifndef CLEARMASS_REPORT_SVG_H
#define CLEARMASS_REPORT_SVG_H

#include "base/buf.h"

/* label is what a screen reader says. */
void svg_begin(struct buf *b, int width, int height, const char *label);
void svg_end(struct buf *b);

struct svg_line {
    double x0, y0, x1, y1;
};
/* more: further attributes, our own words, such as "stroke-dasharray=\"4 3\"". */
void svg_line(struct buf *b, struct svg_line l, const char *color, double thickness, const char *more);
void svg_rect(struct buf *b, struct svg_line corners, const char *color, const char *more);
void svg_circle(struct buf *b, double x, double y, double radius, const char *color);

/* anchor: "start", "middle" or "end" of the text lies at x. The text is escaped. */
struct svg_text {
    double x, y;
    const char *anchor;
    int size;
    const char *more;
};
void svg_text(struct buf *b, struct svg_text where, const char *text);
/* Ten to the power of exponent, as a tick label. */
void svg_power(struct buf *b, struct svg_text where, int exponent);

#endif
