#include "data/crop.h"

#include "base/file.h"
#include "data/dataset.h"
#include "image/regions.h"
#include "image/warp.h"

#include <stdlib.h>

double crop_margin(const char *data_folder)
{
    char *path = file_join(data_folder, "dataset.json");
    json_t *json = file_exists(path) ? json_file_read(path, NULL) : NULL;
    const json_t *margin = json_object_get(json, "margin");
    const double value = json_is_number(margin) ? json_number_value(margin) : DATASET_MARGIN_PERCENT / 100.;

    json_decref(json);
    free(path);
    return value;
}

struct image_box crop_box(struct image_box region, double margin, int width, int height)
{
    const int w = region.x1 - region.x0, h = region.y1 - region.y0;

    return image_box_grow(region, (int)(margin * (w > h ? w : h) + .5), width, height);
}

bool crop_mask(struct image *out, const struct image *mask, double margin, struct err *err)
{
    struct image_box box;

    if (!image_box_of(&box, mask, 0))
        return err_set(err, ERR_INPUT, "an empty mask has no crop");
    return image_crop(out, mask, crop_box(box, margin, mask->width, mask->height), err);
}
