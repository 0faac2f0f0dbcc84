#include "eval/strip.h"

#include "eval/predict.h"
#include "image/draw.h"

#include <string.h>

enum { WIDTH_A_SCALE = 400, MARGIN = 6 };

static const struct draw_color STRIP = {24, 24, 28}, TEXT = {225, 225, 225}, FAINT_TEXT = {160, 160, 165};

/* Copies text to out, with a line break in place of a space wherever a line would be longer than columns. */
static void wrap(struct buf *out, const char *text, size_t columns)
{
    size_t used = 0;

    while (*text) {
        const size_t word = strcspn(text, " ");
        if (used > 0) {
            const bool fits = used + 1 + word <= columns;
            buf_adds(out, fits ? " " : "\n");
            used = fits ? used + 1 : 0;
        }
        buf_add(out, text, word);
        used += word;
        text += word;
        text += strspn(text, " ");
    }
}

static int line_count(const char *text)
{
    int n = 1;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

void strip_make(struct strip *s, const char *head, const char *body, int width)
{
    *s = (struct strip){BUF_INIT, BUF_INIT, BUF_INIT, width > WIDTH_A_SCALE ? width / WIDTH_A_SCALE : 1, 0};
    const size_t columns = (size_t)((width - 2 * MARGIN * s->scale) / (DRAW_TEXT_WIDTH * s->scale));
    wrap(&s->head, head, columns * (size_t)s->scale / (size_t)(s->scale + 1)); /* one size larger */
    wrap(&s->body, body, columns);
    wrap(&s->foot, EVAL_DISCLAIMER, columns);
    s->height = 4 * MARGIN * s->scale +
                DRAW_TEXT_HEIGHT * ((s->scale + 1) * line_count(s->head.data) +
                                    s->scale * (line_count(s->body.data) + line_count(s->foot.data)));
}

void strip_release(struct strip *s)
{
    buf_release(&s->head);
    buf_release(&s->body);
    buf_release(&s->foot);
}

void strip_draw(struct image *canvas, const struct strip *s, int top, struct draw_color head)
{
    const int gap = MARGIN * s->scale, line = DRAW_TEXT_HEIGHT * s->scale;
    struct draw_text at = {gap, top + gap, s->scale + 1, head};

    draw_fill(canvas, (struct image_box){0, top, canvas->width, canvas->height}, STRIP);
    draw_text(canvas, &at, s->head.data);
    at.y += DRAW_TEXT_HEIGHT * (s->scale + 1) * line_count(s->head.data) + gap;
    at.scale = s->scale;
    at.color = TEXT;
    draw_text(canvas, &at, s->body.data);
    at.y += line * line_count(s->body.data) + gap;
    at.color = FAINT_TEXT;
    draw_text(canvas, &at, s->foot.data);
}
