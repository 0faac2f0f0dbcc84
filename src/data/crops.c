#include "data/crops.h"

#include "base/csv.h"
#include "base/json.h"
#include "base/mem.h"
#include "data/dataset.h"
#include "image/regions.h"
#include "image/warp.h"
#include "io/image_file.h"

#include <stdlib.h>
#include <string.h>

enum column { ID, ABNORMALITY, LABEL, CROP, CROP_SHA256, MASK, MASK_SHA256, COLUMNS };

static const char *const COLUMN[COLUMNS] = {
    [ID] = "id",
    [ABNORMALITY] = "abnormality",
    [LABEL] = "label",
    [CROP] = "crop",
    [CROP_SHA256] = "crop_sha256",
    [MASK] = "mask",
    [MASK_SHA256] = "mask_sha256",
};

void crops_release(struct crops *c)
{
    for (size_t i = 0; i < c->count; i++) {
        free(c->crop[i].id);
        free(c->crop[i].path);
        free(c->crop[i].sha256);
        free(c->crop[i].mask);
        free(c->crop[i].mask_sha256);
    }
    free(c->crop);
    *c = (struct crops)CROPS_INIT;
}

const struct data_item *crop_image(const struct crops *c, size_t i)
{
    return &c->manifest->item[c->crop[i].image];
}

static void take_images(struct crops *c)
{
    const struct manifest *m = c->manifest;

    c->crop = mem_new(m->count + 1, sizeof *c->crop);
    for (size_t i = 0; i < m->count; i++) {
        const struct data_item *item = &m->item[i];
        if (item->label == LABEL_NORMAL || !*item->crop) {
            ++*(item->label == LABEL_NORMAL ? &c->normal : &c->missing);
            continue;
        }
        c->crop[c->count++] = (struct crop){.id = mem_copy_string(item->id),
                                            .image = i,
                                            .label = item->label,
                                            .path = mem_copy_string(item->crop),
                                            .sha256 = mem_copy_string(item->crop_sha256),
                                            .mask = mem_copy_string(item->mask),
                                            .mask_sha256 = mem_copy_string(item->mask_sha256)};
    }
}

/* The rows of one image stand together, in the manifest's order or nearly so: the search begins where the
 * last one ended. */
static bool find_image(const struct manifest *m, const char *id, size_t *at)
{
    for (size_t k = 0; k < m->count; k++) {
        size_t i = (*at + k) % m->count;
        if (!strcmp(m->item[i].id, id)) {
            *at = i;
            return true;
        }
    }
    return false;
}

static bool take_row(struct crops *c, const char *const field[COLUMNS], size_t *image, struct err *err)
{
    enum data_label label;

    if (!find_image(c->manifest, field[ID], image))
        return err_set(err, ERR_FORMAT, "the manifest has no image '%.80s'", field[ID]);
    if (!data_label_parse(field[LABEL], &label) || label == LABEL_NORMAL)
        return err_set(err, ERR_FORMAT, "label '%.40s' is neither benign nor malignant", field[LABEL]);
    if (!data_id_is_good(field[ABNORMALITY]))
        return err_set(err, ERR_FORMAT, "abnormality '%.40s' is no number", field[ABNORMALITY]);
    if (!data_path_stays_inside(field[CROP]) || !data_path_stays_inside(field[MASK]))
        return err_set(err, ERR_FORMAT, "a path of '%.80s' leaves the folder", field[ID]);
    if (!*field[CROP]) {
        c->missing++;
        return true;
    }
    c->crop[c->count++] = (struct crop){.id = mem_printf("%s_%s", field[ID], field[ABNORMALITY]),
                                        .image = *image,
                                        .label = label,
                                        .path = mem_copy_string(field[CROP]),
                                        .sha256 = mem_copy_string(field[CROP_SHA256]),
                                        .mask = mem_copy_string(field[MASK]),
                                        .mask_sha256 = mem_copy_string(field[MASK_SHA256])};
    return true;
}

static bool take_rows(struct crops *c, const struct csv *t, struct err *err)
{
    const char *field[COLUMNS];
    int column[COLUMNS];
    size_t image = 0;

    for (int k = 0; k < COLUMNS; k++) {
        column[k] = csv_column(t, COLUMN[k]);
        if (column[k] < 0)
            return err_set(err, ERR_FORMAT, "column '%s' is missing", COLUMN[k]);
    }
    c->crop = mem_new(t->count + 1, sizeof *c->crop);
    for (size_t i = 0; i < t->count; i++) {
        for (int k = 0; k < COLUMNS; k++)
            field[k] = csv_get(t, i, column[k]);
        if (!take_row(c, field, &image, err))
            return err_at(err, "line %zu", t->row[i].line);
    }
    for (size_t i = 0; i < c->manifest->count; i++)
        c->normal += c->manifest->item[i].label == LABEL_NORMAL;
    return true;
}

static bool take_table(struct crops *c, const char *path, struct err *err)
{
    struct csv t = CSV_INIT;
    bool ok = csv_read(&t, path, err) && file_sha256(path, c->sha256, err);

    if (ok && !take_rows(c, &t, err))
        ok = err_at(err, "%s", path);
    csv_release(&t);
    return ok;
}

/* A folder made by hand needs no dataset.json to train. */
double crops_margin(const char *folder)
{
    char *path = file_join(folder, "dataset.json");
    struct err ignored = ERR_INIT;
    json_t *json = file_exists(path) ? json_file_read(path, &ignored) : NULL;
    const json_t *margin = json_object_get(json, "margin");
    double value = json_is_number(margin) ? json_number_value(margin) : -1;

    json_decref(json);
    free(path);
    return value >= 0 && value <= 1 ? value : -1;
}

bool crops_find(struct crops *out, const struct manifest *m, struct err *err)
{
    struct crops c = CROPS_INIT;
    char *path = file_join(m->folder, "abnormalities.csv");
    bool ok = true;

    c.manifest = m;
    c.margin = crops_margin(m->folder);
    if (file_exists(path))
        ok = take_table(&c, path, err);
    else
        take_images(&c);
    free(path);
    if (!ok) {
        crops_release(&c);
        return false;
    }
    crops_release(out);
    *out = c;
    return true;
}

bool crop_region(struct image_box *box, struct image *mask, const struct crops *c, size_t i, struct err *err)
{
    const struct crop *crop = &c->crop[i];
    struct image whole = IMAGE_INIT;
    struct image_box tight;
    bool ok = false;

    if (!*crop->mask || c->margin < 0)
        return err_set(err, ERR_INPUT, "%s: where the crop lies is not known (no %s)", crop->id,
                       *crop->mask ? "margin in dataset.json" : "mask");
    char *path = file_join(c->manifest->folder, crop->mask);
    if (!image_read_known(&whole, path, crop->mask_sha256, err))
        goto out;
    if (whole.channels != 1 || whole.type != IMAGE_U8 || !image_box_of(&tight, &whole, 0)) {
        err_set(err, ERR_FORMAT, "%s: not an 8-bit grey mask with a region", path);
        goto out;
    }
    *box = dataset_crop_box(tight, c->margin, whole.width, whole.height);
    ok = !mask || image_crop(mask, &whole, *box, err);
out:
    image_release(&whole);
    free(path);
    return ok;
}
