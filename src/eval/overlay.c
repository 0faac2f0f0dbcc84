#include "eval/overlay.h"

#include "base/buf.h"
#include "eval/predict.h"
#include "image/draw.h"
#include "image/tone.h"
#include "image/warp.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* The strongest colour is orange: the white end of the heat colours would hide the tissue. */
#define STRONGEST .6f
#define OPACITY   .35f
enum { MIN_WIDTH = 320, WIDTH_A_SCALE = 400, SIDE_A_PIXEL = 500, MARGIN = 6 };

static const struct draw_color BOX = {255, 255, 255}, DARK = {0, 0, 0}, OUTLINE = {255, 200, 60},
                               STRIP = {24, 24, 28}, TEXT = {225, 225, 225}, FAINT_TEXT = {160, 160, 165};

/* The verdict's word and colour. */
struct headline {
    const char *text;
    struct draw_color color;
};

static struct headline headline(const struct explanation *x)
{
    static const struct headline OF[ANSWER_COUNT] = {
        [ANSWER_BENIGN] = {"BENIGN", {120, 200, 255}},
        [ANSWER_UNCERTAIN] = {"UNCERTAIN - look at the marked places", {255, 210, 90}},
        [ANSWER_MALIGNANT] = {"MALIGNANT", {255, 130, 90}}};
    static const struct headline NONE = {"No verdict: this run marks lesions, it does not judge them",
                                         {225, 225, 225}};
    static const struct headline NOWHERE = {"UNCERTAIN - no place stands out", {255, 210, 90}};

    if (!x->judged)
        return NONE;
    return x->verdict == ANSWER_UNCERTAIN && x->count == 0 ? NOWHERE : OF[x->verdict];
}

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

static void describe(struct buf *b, const struct explanation *x, const char *thresholds)
{
    buf_addf(b, "Score %.6g", x->score);
    if (x->judged)
        buf_addf(b, "; benign below %.6g, malignant above %.6g (%s).", x->band.low, x->band.high, thresholds);
    else
        buf_adds(b, ".");
    for (int i = 0; i < x->count; i++)
        buf_addf(b, "%s box %d %.1f%%", i == 0 ? " Share of the score:" : ",", i + 1,
                 100 * x->region[i].score_share);
    if (x->count > 0)
        buf_addf(b, ". Strongest colour: %.3g of 1.", (double)x->peak);
}

/* The three texts of the strip, wrapped. */
struct strip {
    struct buf head, body, foot;
    int scale, height;
};

static void strip_make(struct strip *s, const struct explanation *x, const char *thresholds, int width)
{
    struct buf body = BUF_INIT;

    s->scale = width > WIDTH_A_SCALE ? width / WIDTH_A_SCALE : 1;
    const size_t columns = (size_t)((width - 2 * MARGIN * s->scale) / (DRAW_TEXT_WIDTH * s->scale));
    describe(&body, x, thresholds);
    wrap(&s->head, headline(x).text,
         columns * (size_t)s->scale / (size_t)(s->scale + 1)); /* one size larger */
    wrap(&s->body, body.data, columns);
    wrap(&s->foot, EVAL_DISCLAIMER, columns);
    s->height = 4 * MARGIN * s->scale +
                DRAW_TEXT_HEIGHT * ((s->scale + 1) * line_count(s->head.data) +
                                    s->scale * (line_count(s->body.data) + line_count(s->foot.data)));
    buf_release(&body);
}

static void strip_release(struct strip *s)
{
    buf_release(&s->head);
    buf_release(&s->body);
    buf_release(&s->foot);
}

static void strip_draw(struct image *canvas, const struct strip *s, int top, struct draw_color head)
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

/* A frame around the box, outside it where there is room, dark behind so that it shows on white, and its
 * number. */
static void draw_box(struct image *canvas, struct image_box box, int number, int pen)
{
    char text[12];
    const int grow = 3 * pen, scale = pen + 1;
    struct image_box b = {box.x0 - grow, box.y0 - grow, box.x1 + grow, box.y1 + grow};

    b.x0 = b.x0 < 0 ? 0 : b.x0;
    b.y0 = b.y0 < 0 ? 0 : b.y0;
    b.x1 = b.x1 > canvas->width ? canvas->width : b.x1;
    b.y1 = b.y1 > canvas->height ? canvas->height : b.y1;
    draw_rectangle(canvas, b, 2 * pen, DARK);
    draw_rectangle(canvas, b, pen, BOX);
    snprintf(text, sizeof text, "%d", number);
    const int w = draw_text_width(text, scale) + 2 * scale, h = DRAW_TEXT_HEIGHT * scale + scale;
    int x = b.x0, y = b.y0 - h; /* above the box, else inside it */
    y = y < 0 ? b.y0 : y;
    x = x + w > canvas->width ? canvas->width - w : x;
    draw_fill(canvas, (struct image_box){x, y, x + w, y + h}, BOX);
    draw_text(canvas, &(struct draw_text){x + scale, y + scale, scale, DARK}, text);
}

static bool draw_map(struct image *canvas, const struct explanation *x, const struct overlay_source *from,
                     struct err *err)
{
    const int longer = canvas->width > canvas->height ? canvas->width : canvas->height;
    const int pen = longer > SIDE_A_PIXEL ? longer / SIDE_A_PIXEL : 1;
    struct image map = IMAGE_INIT;

    if (x->peak < EXPLAIN_FAINTEST)
        return true;
    if (!prep_undo(&map, from->plan, from->map, err))
        return false;
    for (size_t i = 0; i < image_pixels(&map); i++)
        image_f32(&map)[i] *= STRONGEST / x->peak;
    draw_heat(canvas, &map, OPACITY);
    draw_contour(canvas, &map,
                 &(struct draw_contour){
                     .threshold = x->cut * (STRONGEST / x->peak), .thickness = pen, .color = OUTLINE});
    for (int i = x->count; i-- > 0;) /* the first on top */
        draw_box(canvas, x->region[i].box, i + 1, pen);
    image_release(&map);
    return true;
}

bool overlay_draw(struct image *out, const struct explanation *x, const struct overlay_source *from,
                  struct err *err)
{
    struct image picture = IMAGE_INIT, canvas = IMAGE_INIT;
    struct strip strip = {BUF_INIT, BUF_INIT, BUF_INIT, 0, 0};
    const int height = from->image->height;
    const int width = from->image->width > MIN_WIDTH ? from->image->width : MIN_WIDTH;
    bool ok = false;

    strip_make(&strip, x, from->thresholds, width);
    if (height > IMAGE_MAX_SIDE - strip.height) {
        err_set(err, ERR_LIMIT, "no room for the text below an image of %d rows", height);
        goto out;
    }
    if (!image_for_display(&picture, from->image, err) || !draw_map(&picture, x, from, err) ||
        !image_new(&canvas, width, height + strip.height, 3, IMAGE_U8, err))
        goto out;
    image_paste(&canvas, &picture, 0, 0);
    strip_draw(&canvas, &strip, height, headline(x).color);
    image_move(out, &canvas);
    ok = true;
out:
    strip_release(&strip);
    image_release(&picture);
    image_release(&canvas);
    return ok;
}
