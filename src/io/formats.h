/* io/formats.h: inside io only: what the readers of the formats have in common. */
#ifndef CLEARMASS_IO_FORMATS_H
#define CLEARMASS_IO_FORMATS_H

#include "io/image_file.h"

enum { FORMAT_MAGICS = 4, FORMAT_MAGIC_BYTES = 8, FORMAT_HEAD_BYTES = 256 };

/* A reader gets the whole file. decode replaces *out on success and leaves it untouched on failure; info
 * fills everything but the name. */
struct image_format {
    const char *name;
    struct {
        const char *bytes;
        size_t count;       /* 1..FORMAT_MAGIC_BYTES; 0 in unused places */
    } magic[FORMAT_MAGICS]; /* any of them at the file's beginning; none: it has a test of its own */
    bool (*decode)(struct image *out, const void *bytes, size_t n, struct err *err);
    bool (*info)(struct image_info *out, const void *bytes, size_t n, struct err *err);
};

extern const struct image_format png_format, jpeg_format, tiff_format, dicom_format;

/* ERR_LIMIT on sides of 0 or over 65535 and on more than 400 million pixels. */
bool format_size_ok(uint32_t width, uint32_t height, struct err *err);

/* No reader's compression makes more than FORMAT_MOST_RATIO bytes of one: what claims more is cut short, and
 * is refused before memory for its pixels is asked for. */
enum { FORMAT_MOST_RATIO = 4096 };

/* Makes an RGB image grey when the three channels of every pixel are equal. */
bool format_grey_if_equal(struct image *im, struct err *err);

#endif
