/* JPEG by libjpeg-turbo. The library leaves by longjmp: the functions named guarded are the only places
 * jumped to. */
#include "io/formats.h"

#include "base/mem.h"

#include <assert.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

enum { MOST_SCANS = 100 }; /* a progressive file has about ten; thousands are an attack */

/* Beside the library's own error struct, which comes first so that one is found from the other. */
struct failure {
    struct jpeg_error_mgr manager;
    jmp_buf back;
    struct err *err;
};

static void on_fatal(j_common_ptr c)
{
    struct failure *f = (struct failure *)c->err;
    char text[JMSG_LENGTH_MAX];

    if (c->err->msg_code == JWRN_JPEG_EOF || c->err->msg_code == JERR_INPUT_EOF ||
        c->err->msg_code == JERR_INPUT_EMPTY) {
        err_set(f->err, ERR_FORMAT, "truncated JPEG");
    } else {
        c->err->format_message(c, text);
        err_set(f->err, ERR_FORMAT, "damaged JPEG: %s", text);
    }
    longjmp(f->back, 1);
}

/* What the library takes for a warning (level -1) is mostly lost pixels: an error here. The exceptions leave
 * every pixel right. */
static void on_message(j_common_ptr c, int level)
{
    if (level < 0 && c->err->msg_code != JWRN_EXTRANEOUS_DATA && c->err->msg_code != JWRN_ADOBE_XFORM &&
        c->err->msg_code != JWRN_JFIF_MAJOR && c->err->msg_code != JWRN_BOGUS_ICC)
        on_fatal(c);
}

static void on_output(j_common_ptr c)
{
    (void)c;
}

static struct jpeg_error_mgr *failure_init(struct failure *f, struct err *err)
{
    f->err = err;
    jpeg_std_error(&f->manager);
    f->manager.error_exit = on_fatal;
    f->manager.emit_message = on_message;
    f->manager.output_message = on_output;
    return &f->manager;
}

struct reader {
    struct jpeg_decompress_struct d;
    struct jpeg_progress_mgr progress;
    struct failure failure;
    const unsigned char *bytes;
    size_t n;
    struct image im;
};

static bool guarded(struct reader *r, void (*step)(struct reader *))
{
    if (setjmp(r->failure.back))
        return false;
    step(r);
    return true;
}

static void on_progress(j_common_ptr c)
{
    j_decompress_ptr d = (j_decompress_ptr)c;

    if (d->input_scan_number > MOST_SCANS)
        ERREXIT1(c, JERR_BAD_PROGRESSION, d->input_scan_number);
}

static void read_header(struct reader *r)
{
    jpeg_create_decompress(&r->d);
    r->progress.progress_monitor = on_progress;
    r->d.progress = &r->progress;
    jpeg_mem_src(&r->d, r->bytes, r->n);
    jpeg_read_header(&r->d, TRUE);
}

static bool header_info(struct image_info *out, const struct reader *r, struct err *err)
{
    const struct jpeg_decompress_struct *d = &r->d;

    if (d->num_components == 4)
        return err_set(err, ERR_FORMAT, "JPEG in CMYK colours, only grey and RGB are read");
    if (d->num_components != 1 && d->num_components != 3)
        return err_set(err, ERR_FORMAT, "JPEG with %d colour channels, only grey and RGB are read",
                       d->num_components);
    if (!format_size_ok(d->image_width, d->image_height, err))
        return false;
    *out = (struct image_info){.width = (int)d->image_width,
                               .height = (int)d->image_height,
                               .channels = d->num_components,
                               .type = IMAGE_U8};
    return true;
}

static void read_pixels(struct reader *r)
{
    const size_t row = image_bytes(&r->im) / (size_t)r->im.height;

    r->d.out_color_space = r->im.channels == 3 ? JCS_RGB : JCS_GRAYSCALE;
    jpeg_start_decompress(&r->d);
    while (r->d.output_scanline < r->d.output_height) {
        JSAMPROW to = image_u8(&r->im) + r->d.output_scanline * row;
        jpeg_read_scanlines(&r->d, &to, 1);
    }
    jpeg_finish_decompress(&r->d);
}

static void reader_init(struct reader *r, const void *bytes, size_t n, struct err *err)
{
    *r = (struct reader){.bytes = bytes, .n = n, .im = IMAGE_INIT};
    r->d.err = failure_init(&r->failure, err);
}

static bool decode(struct image *out, const void *bytes, size_t n, struct err *err)
{
    struct reader r;
    struct image_info i = {0};
    bool ok = false;

    reader_init(&r, bytes, n, err);
    if (!guarded(&r, read_header) || !header_info(&i, &r, err))
        goto out;
    if ((double)i.width * i.height > (double)n * FORMAT_MOST_RATIO) {
        err_set(err, ERR_FORMAT, "truncated JPEG");
        goto out;
    }
    if (!image_new(&r.im, i.width, i.height, i.channels, IMAGE_U8, err) || !guarded(&r, read_pixels))
        goto out;
    image_move(out, &r.im);
    ok = true;
out:
    image_release(&r.im);
    jpeg_destroy_decompress(&r.d);
    return ok;
}

static bool info(struct image_info *out, const void *bytes, size_t n, struct err *err)
{
    struct reader r;

    reader_init(&r, bytes, n, err);
    const bool ok = guarded(&r, read_header) && header_info(out, &r, err);
    jpeg_destroy_decompress(&r.d);
    return ok;
}

const struct image_format jpeg_format = {"JPEG", {{"\xff\xd8\xff", 3}}, decode, info};

struct writer {
    struct jpeg_compress_struct c;
    struct failure failure;
    unsigned char *bytes; /* the library's, from malloc */
    unsigned long n;
};

static void write_all(struct writer *w, const struct image *im, int quality)
{
    const size_t row = image_bytes(im) / (size_t)im->height;

    jpeg_create_compress(&w->c);
    jpeg_mem_dest(&w->c, &w->bytes, &w->n);
    w->c.image_width = (JDIMENSION)im->width;
    w->c.image_height = (JDIMENSION)im->height;
    w->c.input_components = im->channels;
    w->c.in_color_space = im->channels == 3 ? JCS_RGB : JCS_GRAYSCALE;
    jpeg_set_defaults(&w->c);
    jpeg_set_quality(&w->c, quality, TRUE);
    /* Full colour resolution: thin coloured outlines are what these pictures are for. */
    w->c.comp_info[0].h_samp_factor = 1;
    w->c.comp_info[0].v_samp_factor = 1;
    w->c.optimize_coding = TRUE;
    jpeg_start_compress(&w->c, TRUE);
    while (w->c.next_scanline < w->c.image_height) {
        JSAMPROW from = image_u8(im) + w->c.next_scanline * row;
        jpeg_write_scanlines(&w->c, &from, 1);
    }
    jpeg_finish_compress(&w->c);
}

static bool write_guarded(struct writer *w, const struct image *im, int quality)
{
    if (setjmp(w->failure.back))
        return false;
    write_all(w, im, quality);
    return true;
}

bool jpeg_encode(struct buf *b, const struct image *im, int quality, struct err *err)
{
    assert(im->type == IMAGE_U8 && quality >= 1 && quality <= 100);
    struct writer w = {.bytes = NULL};

    w.c.err = failure_init(&w.failure, err);
    const bool ok = write_guarded(&w, im, quality);
    if (ok)
        buf_add(b, w.bytes, w.n);
    jpeg_destroy_compress(&w.c);
    free(w.bytes);
    return ok;
}
