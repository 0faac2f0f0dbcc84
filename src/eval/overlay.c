#include "eval/overlay.h"

#include "base/buf.h"
#include "base/mem.h"
#include "eval/opinions.h"
#include "eval/strip.h"
#include "image/draw.h"
#include "image/tone.h"
#include "image/warp.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* The strongest colour is orange: the white end of the heat colours would hide the tissue. */
#define STRONGEST .6f
#define OPACITY   .35f
enum { MIN_WIDTH = 320, SIDE_A_PIXEL = 500, CROP_SIDE = 448, GAP = 8 };

static const struct draw_color BOX = {255, 255, 255}, DARK = {0, 0, 0}, OUTLINE = {255, 200, 60},
                               GROUND = {24, 24, 28};

/* The verdict's word and colour. */
struct headline {
    const char *text;
    struct draw_color color;
};

static const struct headline VERDICT[ANSWER_COUNT] = {
    [ANSWER_BENIGN] = {"BENIGN", {120, 200, 255}},
    [ANSWER_UNCERTAIN] = {"UNCERTAIN - look at the marked places", {255, 210, 90}},
    [ANSWER_MALIGNANT] = {"MALIGNANT", {255, 130, 90}}};

static struct headline headline(const struct explanation *x)
{
    static const struct headline NONE = {"No verdict: this run marks lesions, it does not judge them",
                                         {225, 225, 225}};
    static const struct headline DIFFER = {"UNCERTAIN - the two networks disagree", {255, 210, 90}};
    static const struct headline NOWHERE = {"UNCERTAIN - no place stands out", {255, 210, 90}};

    if (!x->judged)
        return NONE;
    if (x->asked && x->opinions.accord == ACCORD_DIFFER)
        return DIFFER;
    return x->verdict == ANSWER_UNCERTAIN && x->count == 0 ? NOWHERE : VERDICT[x->verdict];
}

static void describe(struct buf *b, const struct explanation *x, const char *thresholds)
{
    buf_addf(b, "Score %.6g", x->score);
    if (x->judged)
        buf_addf(b, "; benign below %.6g, malignant above %.6g (%s).", x->band.low, x->band.high, thresholds);
    else
        buf_adds(b, ".");
    if (x->asked) {
        char why[OPINIONS_WHY];
        opinions_why(&x->opinions, why);
        buf_addf(b, " Two opinions: %s.", why);
    }
    for (int i = 0; i < x->count; i++) {
        buf_addf(b, "%s box %d %.1f%%", i == 0 ? " Share of the score:" : ",", i + 1,
                 100 * x->region[i].score_share);
        if (x->judged)
            buf_addf(b, " (without it%s: %s)", x->asked ? ", by the map" : "",
                     answer_name(x->region[i].without));
    }
    if (x->count > 0)
        buf_addf(b, ", elsewhere %.1f%%. Strongest colour: %.3g of 1.", 100 * x->rest_score / x->score,
                 (double)x->peak);
}

/* A frame lies outside its box where there is room. */
static struct image_box frame_around(const struct image *canvas, struct image_box box, int pen)
{
    const int grow = 3 * pen;
    struct image_box b = {box.x0 - grow, box.y0 - grow, box.x1 + grow, box.y1 + grow};

    b.x0 = b.x0 < 0 ? 0 : b.x0;
    b.y0 = b.y0 < 0 ? 0 : b.y0;
    b.x1 = b.x1 > canvas->width ? canvas->width : b.x1;
    b.y1 = b.y1 > canvas->height ? canvas->height : b.y1;
    return b;
}

/* Dark behind, so that it shows on white. */
static void draw_frame(struct image *canvas, struct image_box frame, int pen)
{
    draw_rectangle(canvas, frame, 2 * pen, DARK);
    draw_rectangle(canvas, frame, pen, BOX);
}

/* Above the frame, else inside it. */
static void draw_number(struct image *canvas, struct image_box frame, int number, int pen)
{
    char text[12];
    const int scale = pen + 1;

    snprintf(text, sizeof text, "%d", number);
    const int w = draw_text_width(text, scale) + 2 * scale, h = DRAW_TEXT_HEIGHT * scale + scale;
    const int x = frame.x0 + w > canvas->width ? canvas->width - w : frame.x0;
    const int y = frame.y0 - h < 0 ? frame.y0 : frame.y0 - h;
    draw_fill(canvas, (struct image_box){x, y, x + w, y + h}, BOX);
    draw_text(canvas, &(struct draw_text){x + scale, y + scale, scale, DARK}, text);
}

/* The first on top; numbers above all frames, so that each can be read. */
static void draw_regions(struct image *canvas, const struct explanation *x, int pen)
{
    for (int i = x->count; i-- > 0;)
        draw_frame(canvas, frame_around(canvas, x->region[i].box, pen), pen);
    for (int i = x->count; i-- > 0;)
        draw_number(canvas, frame_around(canvas, x->region[i].box, pen), i + 1, pen);
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
    draw_regions(canvas, x, pen);
    image_release(&map);
    return true;
}

bool overlay_draw(struct image *out, const struct explanation *x, const struct overlay_source *from,
                  struct err *err)
{
    struct image picture = IMAGE_INIT, canvas = IMAGE_INIT;
    struct buf body = BUF_INIT;
    struct strip strip;
    const int height = from->image->height;
    const int width = from->image->width > MIN_WIDTH ? from->image->width : MIN_WIDTH;
    bool ok = false;

    describe(&body, x, from->thresholds);
    strip_make(&strip, headline(x).text, body.data, width);
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
    buf_release(&body);
    strip_release(&strip);
    image_release(&picture);
    image_release(&canvas);
    return ok;
}

/* The crop's two pictures, both of side pixels on their longer side. */
static bool crop_views(struct image view[2], const struct overlay_crop *from, int side, struct err *err)
{
    struct image map = IMAGE_INIT;
    bool ok = cam_undo(&map, &from->cam, err) && cam_picture(&map, &map, err);
    const int longer = from->crop->width > from->crop->height ? from->crop->width : from->crop->height;
    const int width = (int)lrint(fmax(1, (double)from->crop->width * side / longer));
    const int height = (int)lrint(fmax(1, (double)from->crop->height * side / longer));

    ok = ok && image_resize(&view[0], from->crop, width, height, err) &&
         image_resize(&map, &map, width, height, err) && image_copy(&view[1], &view[0], err);
    if (ok) {
        for (size_t i = 0; i < image_pixels(&map); i++) /* as strong as the strongest of a mask's map */
            image_u8(&map)[i] = (uint8_t)((float)image_u8(&map)[i] * STRONGEST);
        draw_heat(&view[1], &map, OPACITY);
    }
    image_release(&map);
    return ok;
}

static bool is_dark(const struct cam *cam)
{
    for (int i = 0; i < cam->h * cam->w; i++)
        if (cam->map[i] > 0)
            return false;
    return true;
}

char *overlay_crop_text(const struct overlay_crop *from)
{
    return mem_printf("The classifier calls this crop malignant with probability %.3g; benign below %.3g, "
                      "malignant above %.3g (%s). %s",
                      from->region->malignant, from->band.low, from->band.high, from->thresholds,
                      is_dark(&from->cam) ? "No Grad-CAM: nothing in the crop speaks for malignant."
                                          : "Right: where that comes from (Grad-CAM).");
}

bool overlay_draw_crop(struct image *out, const struct overlay_crop *from, struct err *err)
{
    struct image view[2] = {IMAGE_INIT, IMAGE_INIT}, canvas = IMAGE_INIT;
    struct strip strip;
    char *head = mem_printf("Box %d: %s", from->number, answer_name(from->region->answer));
    char *body = overlay_crop_text(from);
    bool ok = false;

    strip_make(&strip, head, body, 2 * CROP_SIDE + GAP);
    if (!crop_views(view, from, CROP_SIDE, err) ||
        !image_new(&canvas, 2 * CROP_SIDE + GAP, view[0].height + strip.height, 3, IMAGE_U8, err))
        goto out;
    draw_fill(&canvas, (struct image_box){0, 0, canvas.width, canvas.height}, GROUND);
    image_paste(&canvas, &view[0], (CROP_SIDE - view[0].width) / 2, 0);
    image_paste(&canvas, &view[1], CROP_SIDE + GAP + (CROP_SIDE - view[1].width) / 2, 0);
    strip_draw(&canvas, &strip, view[0].height, VERDICT[from->region->answer].color);
    image_move(out, &canvas);
    ok = true;
out:
    free(head);
    free(body);
    strip_release(&strip);
    image_release(&view[0]);
    image_release(&view[1]);
    image_release(&canvas);
    return ok;
}
