/* PNG by libpng. The library leaves by longjmp: guarded() is the only place that is jumped to. */
#include "io/formats.h"

#include "base/file.h"
#include "base/mem.h"

#include <assert.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>

struct png_work {
    png_structp png;
    png_infop info;
    struct err *err;
    /* reading */
    const unsigned char *at;
    size_t left;
    bool truncated, palette;
    struct image im; /* being read, or a borrowed copy of the one being written */
    /* writing */
    struct buf *to;
};

static void on_error(png_structp png, png_const_charp text)
{
    struct png_work *w = png_get_error_ptr(png);

    if (w->truncated)
        err_set(w->err, ERR_FORMAT, "truncated PNG");
    else
        err_set(w->err, ERR_FORMAT, "damaged PNG: %s", text);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static bool guarded(struct png_work *w, void (*step)(struct png_work *))
{
    if (setjmp(png_jmpbuf(w->png)))
        return false;
    step(w);
    return true;
}

static void read_bytes(png_structp png, png_bytep to, size_t n)
{
    struct png_work *w = png_get_io_ptr(png);

    if (n > w->left) {
        w->truncated = true;
        png_error(png, "end of file");
    }
    memcpy(to, w->at, n);
    w->at += n;
    w->left -= n;
}

static uint32_t big_endian(const unsigned char *b)
{
    return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

/* The sizes stand at a fixed place: looked at before the library does, whose message would be less clear. */
static bool work_init(struct png_work *w, const void *bytes, size_t n, struct err *err)
{
    const unsigned char *b = bytes;
    enum { WIDTH = 16, HEIGHT = 20, HEADER = 24 };

    if (n >= HEADER && !format_size_ok(big_endian(b + WIDTH), big_endian(b + HEIGHT), err))
        return false;
    w->at = bytes;
    w->left = n;
    w->err = err;
    w->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, w, on_error, on_warning);
    w->info = w->png ? png_create_info_struct(w->png) : NULL;
    if (!w->info)
        return err_set(err, ERR_LIMIT, "not enough memory to read a PNG");
    png_set_read_fn(w->png, w, read_bytes);
    return true;
}

static void swap_to_host(png_structp png)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    png_set_swap(png);
#else
    (void)png;
#endif
}

/* Reads the header and asks for grey or RGB of 8 or 16 bits; alpha is laid over black. */
static void read_header(struct png_work *w)
{
    static const png_color_16 BLACK = {0, 0, 0, 0, 0};

    png_read_info(w->png, w->info);
    const bool transparent = png_get_valid(w->png, w->info, PNG_INFO_tRNS) != 0;
    const int color = png_get_color_type(w->png, w->info);
    w->palette = color == PNG_COLOR_TYPE_PALETTE; /* forgotten by the library once it is expanded */
    png_set_expand(w->png);
    png_set_gamma(w->png, 1.0, 1.0); /* whatever the file says: samples come as they are stored */
    if (transparent || color & PNG_COLOR_MASK_ALPHA)
        png_set_background(w->png, &BLACK, PNG_BACKGROUND_GAMMA_SCREEN, 0, 1.0);
    swap_to_host(w->png);
}

static struct image_info header_info(const struct png_work *w)
{
    const int color = png_get_color_type(w->png, w->info);

    return (struct image_info){.width = (int)png_get_image_width(w->png, w->info),
                               .height = (int)png_get_image_height(w->png, w->info),
                               .channels = color & PNG_COLOR_MASK_COLOR ? 3 : 1,
                               .type = png_get_bit_depth(w->png, w->info) == 16 ? IMAGE_U16 : IMAGE_U8};
}

/* Interlaced files come in passes over all rows. */
static void read_pixels(struct png_work *w)
{
    const int passes = png_set_interlace_handling(w->png);

    png_read_update_info(w->png, w->info);
    const size_t row = image_bytes(&w->im) / (size_t)w->im.height;
    assert(png_get_rowbytes(w->png, w->info) == row);
    for (int pass = 0; pass < passes; pass++)
        for (size_t y = 0; y < (size_t)w->im.height; y++)
            png_read_row(w->png, (png_bytep)w->im.data + y * row, NULL);
    png_read_end(w->png, NULL);
}

/* Before memory is asked for: can that many pixels be in there? */
static bool file_is_long_enough(const struct png_work *w, size_t n, struct err *err)
{
    const double stored = (double)png_get_rowbytes(w->png, w->info) * png_get_image_height(w->png, w->info);

    return stored <= (double)n * FORMAT_MOST_RATIO || err_set(err, ERR_FORMAT, "truncated PNG");
}

static bool decode(struct image *out, const void *bytes, size_t n, struct err *err)
{
    struct png_work w = {.im = IMAGE_INIT};
    bool ok = false;

    if (!work_init(&w, bytes, n, err) || !guarded(&w, read_header) || !file_is_long_enough(&w, n, err))
        goto out;
    const struct image_info i = header_info(&w);
    if (!image_new(&w.im, i.width, i.height, i.channels, i.type, err) || !guarded(&w, read_pixels))
        goto out;
    if (w.palette && !format_grey_if_equal(&w.im, err))
        goto out;
    image_move(out, &w.im);
    ok = true;
out:
    image_release(&w.im);
    png_destroy_read_struct(&w.png, &w.info, NULL);
    return ok;
}

static bool info(struct image_info *out, const void *bytes, size_t n, struct err *err)
{
    struct png_work w = {.im = IMAGE_INIT};
    const bool ok = work_init(&w, bytes, n, err) && guarded(&w, read_header);

    if (ok)
        *out = header_info(&w);
    png_destroy_read_struct(&w.png, &w.info, NULL);
    return ok;
}

const struct image_format png_format = {"PNG", {{"\x89PNG\r\n\x1a\n", 8}}, decode, info};

static void write_bytes(png_structp png, png_bytep from, size_t n)
{
    struct png_work *w = png_get_io_ptr(png);

    buf_add(w->to, from, n);
}

static void write_flush(png_structp png)
{
    (void)png;
}

/* Of zlib: an overlay takes less than half the time of level 6, and a sixteenth more bytes. */
enum { LEVEL = 4 };

static void write_all(struct png_work *w)
{
    const struct image *im = &w->im;
    const size_t row = image_bytes(im) / (size_t)im->height;

    png_set_write_fn(w->png, w, write_bytes, write_flush);
    png_set_IHDR(w->png, w->info, (png_uint_32)im->width, (png_uint_32)im->height,
                 im->type == IMAGE_U16 ? 16 : 8, im->channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_GRAY,
                 PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_compression_level(w->png, LEVEL);
    png_write_info(w->png, w->info);
    swap_to_host(w->png);
    for (size_t y = 0; y < (size_t)im->height; y++)
        png_write_row(w->png, (png_const_bytep)im->data + y * row);
    png_write_end(w->png, w->info);
}

bool png_encode(struct buf *b, const struct image *im, struct err *err)
{
    assert(im->type != IMAGE_F32);
    struct buf bytes = BUF_INIT;
    struct png_work w = {.im = *im, .to = &bytes, .err = err};
    bool ok = false;

    w.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &w, on_error, on_warning);
    w.info = w.png ? png_create_info_struct(w.png) : NULL;
    if (!w.info)
        err_set(err, ERR_LIMIT, "not enough memory to write a PNG");
    else
        ok = guarded(&w, write_all);
    if (ok)
        buf_add(b, bytes.data, bytes.len);
    png_destroy_write_struct(&w.png, &w.info);
    buf_release(&bytes);
    return ok;
}

bool png_write(const char *path, const struct image *im, struct err *err)
{
    struct buf b = BUF_INIT;
    bool ok = png_encode(&b, im, err);

    if (!ok)
        err_at(err, "%s", path);
    else
        ok = file_write(path, b.data, b.len, err);
    buf_release(&b);
    return ok;
}
