#include "report/svg.h"

#include "report/html.h"

void svg_begin(struct buf *b, int width, int height, const char *label)
{
    buf_addf(b, "<svg viewBox=\"0 0 %d %d\" width=\"%d\" height=\"%d\" role=\"img\" aria-label=\"", width,
             height, width, height);
    html_text(b, label);
    buf_adds(b, "\">\n");
}

void svg_end(struct buf *b)
{
    buf_adds(b, "</svg>\n");
}

void svg_line(struct buf *b, struct svg_line l, const char *color, double thickness, const char *more)
{
    buf_addf(
        b, "<line x1=\"%.2f\" y1=\"%.2f\" x2=\"%.2f\" y2=\"%.2f\" stroke=\"%s\" stroke-width=\"%.1f\" %s/>\n",
        l.x0, l.y0, l.x1, l.y1, color, thickness, more ? more : "");
}

void svg_rect(struct buf *b, struct svg_line corners, const char *color, const char *more)
{
    buf_addf(b, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"%s\" %s/>\n", corners.x0,
             corners.y0, corners.x1 - corners.x0, corners.y1 - corners.y0, color, more ? more : "");
}

void svg_circle(struct buf *b, double x, double y, double radius, const char *color)
{
    buf_addf(b, "<circle cx=\"%.2f\" cy=\"%.2f\" r=\"%.1f\" fill=\"%s\"/>\n", x, y, radius, color);
}

static void text_begin(struct buf *b, const struct svg_text *w)
{
    buf_addf(b, "<text x=\"%.2f\" y=\"%.2f\" text-anchor=\"%s\" font-size=\"%d\" %s>", w->x, w->y, w->anchor,
             w->size, w->more ? w->more : "");
}

void svg_text(struct buf *b, struct svg_text where, const char *text)
{
    text_begin(b, &where);
    html_text(b, text);
    buf_adds(b, "</text>\n");
}

void svg_power(struct buf *b, struct svg_text where, int exponent)
{
    text_begin(b, &where);
    if (exponent == 0)
        buf_adds(b, "1");
    else if (exponent == 1)
        buf_adds(b, "10");
    else
        buf_addf(b, "10<tspan dy=\"-5\" font-size=\"%d\">%s%d</tspan>", where.size - 3,
                 exponent < 0 ? "&#8722;" : "", exponent < 0 ? -exponent : exponent);
    buf_adds(b, "</text>\n");
}
