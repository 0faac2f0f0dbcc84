/* image/draw.h: drawing on a picture. A canvas is a U8 image of 3 channels (asserted); whatever lies outside
 * is cut. */
#ifndef CLEARMASS_IMAGE_DRAW_H
#define CLEARMASS_IMAGE_DRAW_H

#include "image/image.h"

struct draw_color {
    uint8_t r, g, b;
};

void draw_fill(struct image *canvas, struct image_box box, struct draw_color c);
/* A line of round pen of thickness pixels (>= 1), both ends drawn. */
struct draw_line {
    int x0, y0, x1, y1;
};
void draw_line(struct image *canvas, struct draw_line line, int thickness, struct draw_color c);
/* The frame of thickness pixels that lies inside the box. */
void draw_rectangle(struct image *canvas, struct image_box box, int thickness, struct draw_color c);

/* A U8 picture (grey or RGB) resized to fill the box. Fails with ERR_LIMIT, and ERR_INPUT on an empty box. */
bool draw_image(struct image *canvas, const struct image *im, struct image_box box, struct err *err);

/* A mask or a map of strengths laid over the canvas in one colour. map: grey, the canvas' size (asserted),
 * any type, full strength at 255, 65535 or 1; opacity in [0, 1] at full strength. */
void draw_overlay(struct image *canvas, const struct image *map, struct draw_color c, float opacity);
/* A map of strengths in heat colours (dark red, red, orange, yellow); weak places stay clear.
 * Otherwise like draw_overlay. */
void draw_heat(struct image *canvas, const struct image *map, float opacity);

/* The outline of samples > threshold of a grey map of the canvas' size (asserted): a pen of thickness pixels
 * along the outermost pixels inside. */
struct draw_contour {
    float threshold;
    int thickness;
    struct draw_color color;
};
void draw_contour(struct image *canvas, const struct image *map, const struct draw_contour *how);

/* Text in a fixed bitmap font; letters are 5 x 7 in cells of DRAW_TEXT_WIDTH x DRAW_TEXT_HEIGHT, times scale
 * (>= 1). (x, y) is the left upper corner of the first cell. Newline begins a new line. Other bytes than
 * ASCII 32..126 show as a box. */
enum { DRAW_TEXT_WIDTH = 6, DRAW_TEXT_HEIGHT = 9 };
struct draw_text {
    int x, y, scale;
    struct draw_color color;
};
void draw_text(struct image *canvas, const struct draw_text *where, const char *text);
/* Pixels from the left of the first cell to the right of the last of the widest line. */
int draw_text_width(const char *text, int scale);

#endif
