/* tests/data_help.h: folders, files and pictures for the tests of data/. */
#ifndef TESTS_DATA_HELP_H
#define TESTS_DATA_HELP_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/manifest.h"
#include "image/image.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define must(call, err)                                                                                      \
    do {                                                                                                     \
        if (!(call))                                                                                         \
            fail_msg("%s: %s", #call, (err).text);                                                           \
    } while (0)

#define assert_contains(text, part)                                                                          \
    do {                                                                                                     \
        if (!strstr(text, part))                                                                             \
            fail_msg("'%s' does not contain '%s'", text, part);                                              \
    } while (0)

static inline int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st, (void)kind, (void)where;
    return remove(path);
}

/* Paths made by in(), freed with the test's folder. */
static char **made_path;
static size_t made_paths;

/* Setup and teardown: *state is a new folder's path. */
static inline int make_folder(void **state)
{
    char *path = mem_copy_string("/tmp/clearmass-test-XXXXXX");

    *state = path;
    return mkdtemp(path) ? 0 : -1;
}

static inline int remove_folder(void **state)
{
    int rc = nftw(*state, remove_one, 16, FTW_DEPTH | FTW_PHYS);

    while (made_paths)
        free(made_path[--made_paths]);
    free(made_path);
    made_path = NULL;
    free(*state);
    return rc;
}

/* FOLDER/name with its folders made; lives as long as the test. */
static inline const char *in(const char *folder, const char *name)
{
    char *path = mem_printf("%s/%s", folder, name), *slash = strrchr(path, '/');

    *slash = '\0';
    file_make_folders(path, NULL);
    *slash = '/';
    made_path = mem_grow(made_path, made_paths + 1, sizeof *made_path);
    made_path[made_paths++] = path;
    return path;
}

/* The whole file as text; free() it. */
static inline char *read_text(const char *path)
{
    struct buf b = BUF_INIT;
    struct err err = ERR_INIT;

    must(file_read(&b, path, 0, &err), err);
    return b.data ? b.data : mem_copy_string("");
}

static inline void write_text(const char *path, const char *text)
{
    struct err err = ERR_INIT;

    must(file_write(path, text, strlen(text), &err), err);
}

/* A picture of one value. */
static inline struct image flat(int width, int height, enum image_type type, int value)
{
    struct image im = IMAGE_INIT;
    struct err err = ERR_INIT;

    must(image_new(&im, width, height, 1, type, &err), err);
    for (size_t i = 0; i < image_pixels(&im); i++) {
        if (type == IMAGE_U8)
            image_u8(&im)[i] = (uint8_t)value;
        else
            image_u16(&im)[i] = (uint16_t)value;
    }
    return im;
}

/* Sets a box of a grey picture to a value. */
static inline void paint(struct image *im, struct image_box box, int value)
{
    for (int y = box.y0; y < box.y1; y++) {
        for (int x = box.x0; x < box.x1; x++) {
            size_t i = (size_t)y * (size_t)im->width + (size_t)x;
            if (im->type == IMAGE_U8)
                image_u8(im)[i] = (uint8_t)value;
            else
                image_u16(im)[i] = (uint16_t)value;
        }
    }
}

/* A manifest of n items in memory: item i is "c<i>" of patient "p<patient[i]>". */
static inline struct manifest made_manifest(size_t n, const int *patient, const enum data_label *label)
{
    struct manifest m = {.folder = mem_copy_string("."), .item = mem_new(n, sizeof *m.item), .count = n};

    for (size_t i = 0; i < n; i++) {
        m.item[i] = (struct data_item){.id = mem_printf("c%zu", i),
                                       .patient = mem_printf("p%d", patient[i]),
                                       .side = mem_copy_string(""),
                                       .view = mem_copy_string(""),
                                       .density = mem_copy_string(""),
                                       .assessment = mem_copy_string(""),
                                       .subtlety = mem_copy_string(""),
                                       .label = label[i],
                                       .width = 10,
                                       .height = 20,
                                       .image = mem_printf("full/c%zu.tif", i),
                                       .image_sha256 = mem_copy_string(""),
                                       .mask = mem_copy_string(""),
                                       .mask_sha256 = mem_copy_string(""),
                                       .crop = mem_copy_string(""),
                                       .crop_sha256 = mem_copy_string("")};
    }
    return m;
}

#endif
