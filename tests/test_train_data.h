/* tests/test_train_data.h: a small data set of discs, made by hand, and a small network to train on it. */
#ifndef CLEARMASS_TEST_TRAIN_DATA_H
#define CLEARMASS_TEST_TRAIN_DATA_H

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "data/manifest.h"
#include "io/image_file.h"
#include "model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DISC_SIDE = 64 };

/* A disc on noise; malignant ones have a bright core. The mask is NULL for a normal image. */
static inline void draw_disc(struct image *image, struct image *mask, enum data_label label, uint64_t number)
{
    struct rng r = rng_at(77, RNG_TEST, number, 0);
    int cx = rng_int(&r, 18, 45), cy = rng_int(&r, 18, 45), radius = rng_int(&r, 8, 14);

    for (int y = 0; y < DISC_SIDE; y++) {
        for (int x = 0; x < DISC_SIDE; x++) {
            int d2 = (x - cx) * (x - cx) + (y - cy) * (y - cy), at = y * DISC_SIDE + x;
            bool in = mask && d2 <= radius * radius,
                 core = label == LABEL_MALIGNANT && 4 * d2 <= radius * radius;
            image_u16(image)[at] = (uint16_t)(rng_int(&r, 5000, 15000) + (in ? core ? 45000 : 25000 : 0));
            if (mask)
                image_u8(mask)[at] = in ? 255 : 0;
        }
    }
}

static inline bool write_disc(const char *folder, const struct data_item *item, uint64_t number,
                              struct err *err)
{
    struct image image = IMAGE_INIT, mask = IMAGE_INIT;
    char *to = file_join(folder, item->image), *mask_to = file_join(folder, item->mask);
    bool ok = image_new(&image, DISC_SIDE, DISC_SIDE, 1, IMAGE_U16, err) &&
              image_new(&mask, DISC_SIDE, DISC_SIDE, 1, IMAGE_U8, err);

    if (ok)
        draw_disc(&image, *item->mask ? &mask : NULL, item->label, number);
    ok = ok && tiff_write(to, &image, err) && (!*item->mask || tiff_write(mask_to, &mask, err));
    image_release(&image);
    image_release(&mask);
    free(to);
    free(mask_to);
    return ok;
}

/* patients of each label, one image each; the first image's number makes data sets differ. */
static inline bool make_discs(const char *folder, const int patients[LABEL_COUNT], uint64_t first,
                              struct err *err)
{
    struct manifest m = MANIFEST_INIT;
    char *full = file_join(folder, "full"), *roi = file_join(folder, "roi");
    bool ok = file_make_folders(full, err) && file_make_folders(roi, err);

    m.folder = mem_copy_string(folder);
    for (int label = 0; label < LABEL_COUNT; label++) {
        for (int i = 0; i < patients[label]; i++) {
            m.item = mem_grow(m.item, m.count + 1, sizeof *m.item);
            struct data_item *item = &m.item[m.count];
            char *id = mem_printf("%s-%d", data_label_name((enum data_label)label), i);
            *item = (struct data_item){.id = id,
                                       .patient = mem_copy_string(id),
                                       .side = mem_copy_string(""),
                                       .view = mem_copy_string(""),
                                       .density = mem_copy_string(""),
                                       .assessment = mem_copy_string(""),
                                       .subtlety = mem_copy_string(""),
                                       .label = (enum data_label)label,
                                       .width = DISC_SIDE,
                                       .height = DISC_SIDE,
                                       .image = mem_printf("full/%s.tif", id),
                                       .image_sha256 = mem_copy_string("0"),
                                       .mask = label == LABEL_NORMAL ? mem_copy_string("")
                                                                     : mem_printf("roi/%s.tif", id),
                                       .mask_sha256 = mem_copy_string(label == LABEL_NORMAL ? "" : "0"),
                                       .crop = mem_copy_string(""),
                                       .crop_sha256 = mem_copy_string("")};
            ok = ok && write_disc(folder, item, first + m.count, err);
            m.count++;
        }
    }
    ok = ok && manifest_write(&m, folder, err);
    manifest_release(&m);
    free(full);
    free(roi);
    return ok;
}

/* Everything the U-Net has, in miniature; it goes by the U-Net's name so that runs can be read back. */
static inline void build_tiny(struct nn_graph *g, struct nn_shape input)
{
    nn_id x = nn_input(g, input), skip;

    x = nn_conv2d(g, x, "first", (struct nn_conv){.filters = 8, .kernel = 3, .pad = 1});
    skip = x = nn_relu(g, nn_batchnorm(g, x, "first_bn", (struct nn_norm){.epsilon = 1e-3f}));
    x = nn_maxpool(g, x, (struct nn_pool){.kernel = 2});
    x = nn_conv2d(g, x, "second", (struct nn_conv){.filters = 16, .kernel = 3, .pad = 1});
    x = nn_relu(g, nn_batchnorm(g, x, "second_bn", (struct nn_norm){.epsilon = 1e-3f}));
    x = nn_concat(g, nn_upsample(g, x, 2), skip);
    x = nn_conv2d(g, x, "third", (struct nn_conv){.filters = 8, .kernel = 3, .pad = 1});
    x = nn_relu(g, nn_batchnorm(g, x, "third_bn", (struct nn_norm){.epsilon = 1e-3f}));
    x = nn_spatial_dropout(g, x, 0.2f);
    x = nn_conv2d(g, x, "mask", (struct nn_conv){.filters = 1, .kernel = 1});
    nn_sigmoid(g, x);
}

__attribute__((unused)) static const struct model TINY = {
    .name = "unet", .title = "tiny", .multiple_of = 32, .build = build_tiny};

static inline bool remove_tree(const char *path)
{
    char *command = mem_printf("rm -rf '%s'", path);
    bool ok = system(command) == 0;
    free(command);
    return ok;
}

#endif
