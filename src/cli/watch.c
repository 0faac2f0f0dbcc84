#include "cli/watch.h"

#include "base/mem.h"
#include "base/progress.h"
#include "io/image_file.h"
#include "report/diary.h"
#include "report/panel.h"
#include "report/panel_crops.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* An epoch of a head on cached features takes milliseconds; the page need not be younger than this. */
#define DIARY_SECONDS 5

/* The network's input turned back into 16-bit grey, and its truth into a mask. */
static void to_squares(const struct train_case *c, int channels, size_t pixels, uint16_t *image,
                       uint8_t *truth)
{
    for (size_t i = 0; i < pixels; i++) {
        double sum = 0;
        for (int k = 0; k < channels; k++)
            sum += c->input[(size_t)k * pixels + i];
        double v = (sum / channels + 0.5) * 256 / 255 * 65535;
        image[i] = (uint16_t)lround(fmin(fmax(v, 0), 65535));
        truth[i] = c->truth[i] > 0.5f ? 255 : 0;
    }
}

static bool draw_maps(struct image *panel, const struct train_epoch *e, const char *title, struct err *err)
{
    struct panel_case cases[RUN_CASES];
    int size = e->run->prep.size;
    size_t pixels = (size_t)size * (size_t)size;
    uint16_t *image = mem_new(RUN_CASES * pixels, sizeof *image);
    uint8_t *truth = mem_new(RUN_CASES * pixels, sizeof *truth);

    for (int i = 0; i < e->n_cases; i++) {
        const struct train_case *c = &e->cases[i];
        uint16_t *im = image + (size_t)i * pixels;
        uint8_t *tr = truth + (size_t)i * pixels;
        to_squares(c, e->run->channels, pixels, im, tr);
        cases[i] = (struct panel_case){im, tr, c->prediction, size, c->id, c->label, c->dice, c->score};
    }
    bool ok = panel_draw(panel, cases, e->n_cases, title, err);
    free(image);
    free(truth);
    return ok;
}

static bool draw_crops(struct image *panel, const struct train_epoch *e, const char *title, struct err *err)
{
    struct panel_crop crops[RUN_CASES];

    for (int i = 0; i < e->n_cases; i++) {
        const struct train_case *c = &e->cases[i];
        crops[i] = (struct panel_crop){c->square, e->run->prep.size, c->id, c->label, c->score};
    }
    return panel_crops_draw(panel, crops, e->n_cases, title, err);
}

static bool write_panel(const struct train_epoch *e, struct err *err)
{
    struct image panel = IMAGE_INIT;
    char title[128], name[40];
    char *folder = run_path(e->run, "epochs");

    snprintf(title, sizeof title, "%s, epoch %d of %d, validation loss %.4f%s", run_task_name(e->run->task),
             e->epoch, e->epochs, e->metrics->val_loss, e->best ? ", best so far" : "");
    snprintf(name, sizeof name, "epoch-%03d.png", e->epoch);
    char *path = file_join(folder, name);
    bool ok = (run_is_classifier(e->run) ? draw_crops : draw_maps)(&panel, e, title, err) &&
              file_make_folders(folder, err) && png_write(path, &panel, err);
    image_release(&panel);
    free(folder);
    free(path);
    return ok;
}

bool watch_epoch(void *watch, const struct train_epoch *e, struct err *err)
{
    struct watch *w = watch;

    if (!write_panel(e, err))
        return false;
    if (w->diary_s > 0 && clock_seconds() - w->diary_s < DIARY_SECONDS)
        return true;
    if (!diary_write(e->run->folder, err))
        return false;
    w->diary_s = clock_seconds();
    return true;
}
