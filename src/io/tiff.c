/* TIFF by libtiff, from memory, with message handlers of our own so that nothing is printed. */
#include "io/formats.h"
#include "io/tiff_pack.h"

#include "base/file.h"
#include "base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>

enum { MOST_SAMPLES = 16, STRIP_BYTES = 1 << 18, PALETTE_MOST_BITS = 8 };
static const tmsize_t MOST_ALLOCATION = (tmsize_t)4 << 30;

struct tiff_work {
    TIFF *tiff;
    TIFFOpenOptions *options;
    char message[256]; /* the library's first */
    const unsigned char *bytes;
    size_t n, at;
    bool truncated;
};

static int on_error(TIFF *tiff, void *user, const char *module, const char *fmt, va_list ap)
{
    struct tiff_work *w = user;

    (void)tiff;
    (void)module;
    if (!w->message[0])
        vsnprintf(w->message, sizeof w->message, fmt, ap);
    return 1; /* the default handler, which prints, is not called */
}

static int on_warning(TIFF *tiff, void *user, const char *module, const char *fmt, va_list ap)
{
    (void)tiff;
    (void)user;
    (void)module;
    (void)fmt;
    (void)ap;
    return 1;
}

static bool options_init(struct tiff_work *w, struct err *err)
{
    w->options = TIFFOpenOptionsAlloc();
    if (!w->options)
        return err_set(err, ERR_LIMIT, "not enough memory for a TIFF");
    TIFFOpenOptionsSetErrorHandlerExtR(w->options, on_error, w);
    TIFFOpenOptionsSetWarningHandlerExtR(w->options, on_warning, w);
    TIFFOpenOptionsSetMaxSingleMemAlloc(w->options, MOST_ALLOCATION);
    return true;
}

static void work_release(struct tiff_work *w)
{
    if (w->tiff)
        TIFFClose(w->tiff);
    if (w->options)
        TIFFOpenOptionsFree(w->options);
}

static bool fail(const struct tiff_work *w, struct err *err)
{
    if (w->truncated)
        return err_set(err, ERR_FORMAT, "truncated TIFF");
    return err_set(err, ERR_FORMAT, "damaged TIFF: %s", w->message[0] ? w->message : "unknown reason");
}

static tmsize_t read_bytes(thandle_t h, void *to, tmsize_t wanted)
{
    struct tiff_work *w = h;
    const size_t left = w->at < w->n ? w->n - w->at : 0;
    const size_t n = (size_t)wanted < left ? (size_t)wanted : left;

    if (n < (size_t)wanted)
        w->truncated = true;
    if (n > 0)
        memcpy(to, w->bytes + w->at, n);
    w->at += n;
    return (tmsize_t)n;
}

static tmsize_t write_bytes(thandle_t h, void *from, tmsize_t n)
{
    (void)h;
    (void)from;
    (void)n;
    return 0;
}

static toff_t seek(thandle_t h, toff_t to, int whence)
{
    struct tiff_work *w = h;

    if (whence == SEEK_CUR)
        to += w->at;
    else if (whence == SEEK_END)
        to += w->n;
    w->at = to;
    return to;
}

static int close_bytes(thandle_t h)
{
    (void)h;
    return 0;
}

static toff_t size_of_bytes(thandle_t h)
{
    return ((struct tiff_work *)h)->n;
}

static bool work_open(struct tiff_work *w, const void *bytes, size_t n, struct err *err)
{
    w->bytes = bytes;
    w->n = n;
    if (!options_init(w, err))
        return false;
    w->tiff = TIFFClientOpenExt("file", "rm", w, read_bytes, write_bytes, seek, close_bytes, size_of_bytes,
                                NULL, NULL, w->options);
    return w->tiff || fail(w, err);
}

struct layout {
    uint32_t width, height;
    uint16_t bits, samples, photometric, planar;
    uint16_t colors;      /* samples of a pixel that are its colour: 1, or 3 */
    bool alpha;           /* the sample after the colours is alpha not yet multiplied in */
    uint16_t *palette[3]; /* [1 << bits], the library's; NULL without */
};

static int used_samples(const struct layout *l)
{
    return l->colors + l->alpha;
}

/* The compressions whose worst ratio is known, so that a small file cannot ask for much memory. */
static bool compression_ok(TIFF *t, struct err *err)
{
    static const uint16_t KNOWN[] = {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_PACKBITS,
                                     COMPRESSION_ADOBE_DEFLATE, COMPRESSION_DEFLATE};
    uint16_t c = COMPRESSION_NONE;

    TIFFGetFieldDefaulted(t, TIFFTAG_COMPRESSION, &c);
    for (size_t i = 0; i < sizeof KNOWN / sizeof KNOWN[0]; i++)
        if (c == KNOWN[i])
            return true;
    return err_set(err, ERR_FORMAT, "TIFF with compression %u, only none, LZW, PackBits and deflate are read",
                   c);
}

static bool samples_ok(TIFF *t, struct layout *l, struct err *err)
{
    uint16_t format = SAMPLEFORMAT_UINT;

    TIFFGetFieldDefaulted(t, TIFFTAG_BITSPERSAMPLE, &l->bits);
    TIFFGetFieldDefaulted(t, TIFFTAG_SAMPLESPERPIXEL, &l->samples);
    TIFFGetFieldDefaulted(t, TIFFTAG_PLANARCONFIG, &l->planar);
    TIFFGetFieldDefaulted(t, TIFFTAG_SAMPLEFORMAT, &format);
    if (format != SAMPLEFORMAT_UINT && format != SAMPLEFORMAT_VOID)
        return err_set(err, ERR_FORMAT, "TIFF with signed or floating-point samples is not read");
    if (l->bits != 1 && l->bits != 2 && l->bits != 4 && l->bits != 8 && l->bits != 16)
        return err_set(err, ERR_FORMAT, "TIFF with %u bits a sample, only 1, 2, 4, 8 and 16 are read",
                       l->bits);
    if (l->samples < 1 || l->samples > MOST_SAMPLES)
        return err_set(err, ERR_FORMAT, "TIFF with %u samples a pixel", l->samples);
    return true;
}

static bool colors_ok(TIFF *t, struct layout *l, struct err *err)
{
    uint16_t *extra = NULL, extras = 0;

    if (!TIFFGetField(t, TIFFTAG_PHOTOMETRIC, &l->photometric))
        l->photometric = l->samples >= 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK;
    l->colors = l->photometric == PHOTOMETRIC_RGB ? 3 : 1;
    switch (l->photometric) {
    case PHOTOMETRIC_MINISBLACK:
    case PHOTOMETRIC_MINISWHITE:
    case PHOTOMETRIC_RGB:
        break;
    case PHOTOMETRIC_PALETTE:
        if (l->bits > PALETTE_MOST_BITS ||
            !TIFFGetField(t, TIFFTAG_COLORMAP, &l->palette[0], &l->palette[1], &l->palette[2]))
            return err_set(err, ERR_FORMAT, "damaged TIFF: no palette");
        break;
    case PHOTOMETRIC_SEPARATED:
        return err_set(err, ERR_FORMAT, "TIFF in CMYK colours, only grey and RGB are read");
    default:
        return err_set(err, ERR_FORMAT,
                       "TIFF with photometric interpretation %u, only grey, palette and RGB are read",
                       l->photometric);
    }
    if (l->samples < l->colors)
        return err_set(err, ERR_FORMAT, "damaged TIFF: RGB with %u samples a pixel", l->samples);
    TIFFGetFieldDefaulted(t, TIFFTAG_EXTRASAMPLES, &extras, &extra);
    /* Associated alpha is multiplied in already. */
    l->alpha = extras > 0 && l->samples > l->colors && extra[0] == EXTRASAMPLE_UNASSALPHA;
    return true;
}

static bool layout_read(struct layout *l, struct tiff_work *w, struct err *err)
{
    if (!TIFFGetField(w->tiff, TIFFTAG_IMAGEWIDTH, &l->width) ||
        !TIFFGetField(w->tiff, TIFFTAG_IMAGELENGTH, &l->height))
        return err_set(err, ERR_FORMAT, "damaged TIFF: no width or height");
    return format_size_ok(l->width, l->height, err) && samples_ok(w->tiff, l, err) &&
           colors_ok(w->tiff, l, err) && compression_ok(w->tiff, err);
}

/* Samples as they are stored, [height, width, used]: a byte each up to 8 bits, else two. */
struct raw {
    const struct layout *layout;
    size_t used, bytes; /* samples a pixel, bytes a sample */
    char *data;
};

/* A strip or a tile as the library gives it, and where it lies in the picture. */
struct chunk {
    uint32_t x, y, width, height; /* width may go past the picture's right side */
    size_t row_bytes;
    unsigned plane; /* in planar files, else 0 */
    unsigned char *data;
};

static unsigned sample_at(const unsigned char *row, size_t i, unsigned bits)
{
    if (bits == 8)
        return row[i];
    if (bits == 16) {
        uint16_t v;
        memcpy(&v, row + 2 * i, sizeof v);
        return v;
    }
    const size_t bit = i * bits;
    return row[bit / 8] >> (8 - bits - bit % 8) & ((1u << bits) - 1);
}

static void chunk_row_unpack(struct raw *r, const struct chunk *c, uint32_t y, uint32_t width)
{
    const struct layout *l = r->layout;
    const bool planar = l->planar == PLANARCONFIG_SEPARATE;
    const unsigned char *from = c->data + (size_t)y * c->row_bytes;
    char *to = r->data + (((size_t)c->y + y) * l->width + c->x) * r->used * r->bytes;

    if (l->bits >= 8 && r->used == l->samples && (!planar || r->used == 1)) {
        memcpy(to, from, (size_t)width * r->used * r->bytes);
        return;
    }
    const size_t first = planar ? c->plane : 0, last = planar ? c->plane + 1 : r->used;
    for (size_t x = 0; x < width; x++) {
        for (size_t k = first; k < last; k++) {
            const unsigned v = sample_at(from, planar ? x : x * l->samples + k, l->bits);
            if (r->bytes == 2)
                ((uint16_t *)to)[x * r->used + k] = (uint16_t)v;
            else
                ((uint8_t *)to)[x * r->used + k] = (uint8_t)v;
        }
    }
}

static void chunk_unpack(struct raw *r, const struct chunk *c)
{
    const struct layout *l = r->layout;
    const uint32_t width = c->width < l->width - c->x ? c->width : l->width - c->x;
    const uint32_t height = c->height < l->height - c->y ? c->height : l->height - c->y;

    for (uint32_t y = 0; y < height; y++)
        chunk_row_unpack(r, c, y, width);
}

static bool strips_read(struct raw *r, struct tiff_work *w, struct chunk *c, struct err *err)
{
    const struct layout *l = r->layout;
    uint32_t rows = 0;

    TIFFGetFieldDefaulted(w->tiff, TIFFTAG_ROWSPERSTRIP, &rows);
    rows = rows < l->height ? rows : l->height;
    if (rows < 1)
        return err_set(err, ERR_FORMAT, "damaged TIFF: no rows in a strip");
    const tmsize_t size = TIFFStripSize(w->tiff);
    c->row_bytes = (size_t)TIFFScanlineSize(w->tiff);
    c->width = l->width;
    for (c->y = 0; c->y < l->height; c->y += rows) {
        c->height = rows < l->height - c->y ? rows : l->height - c->y;
        const uint32_t strip = TIFFComputeStrip(w->tiff, c->y, (uint16_t)c->plane);
        const tmsize_t got = TIFFReadEncodedStrip(w->tiff, strip, c->data, size);
        if (got < 0 || (size_t)got < c->height * c->row_bytes)
            return fail(w, err);
        chunk_unpack(r, c);
    }
    return true;
}

static bool tiles_read(struct raw *r, struct tiff_work *w, struct chunk *c, struct err *err)
{
    const struct layout *l = r->layout;
    const tmsize_t size = TIFFTileSize(w->tiff);

    TIFFGetField(w->tiff, TIFFTAG_TILEWIDTH, &c->width);
    TIFFGetField(w->tiff, TIFFTAG_TILELENGTH, &c->height);
    c->row_bytes = (size_t)TIFFTileRowSize(w->tiff);
    for (c->y = 0; c->y < l->height; c->y += c->height) {
        for (c->x = 0; c->x < l->width; c->x += c->width) {
            const uint32_t tile = TIFFComputeTile(w->tiff, c->x, c->y, 0, (uint16_t)c->plane);
            if (TIFFReadEncodedTile(w->tiff, tile, c->data, size) != size)
                return fail(w, err);
            chunk_unpack(r, c);
        }
    }
    return true;
}

/* The library reads on where a strip is not listed or lies behind the end of the file, and gives what it
 * finds. */
static bool chunks_present(struct tiff_work *w, struct err *err)
{
    const bool tiled = TIFFIsTiled(w->tiff);
    const uint32_t count = tiled ? TIFFNumberOfTiles(w->tiff) : TIFFNumberOfStrips(w->tiff);

    for (uint32_t i = 0; i < count; i++) {
        const uint64_t offset = TIFFGetStrileOffset(w->tiff, i), bytes = TIFFGetStrileByteCount(w->tiff, i);
        if (offset == 0 || bytes == 0)
            return err_set(err, ERR_FORMAT, "damaged TIFF: %s %u of %u is missing", tiled ? "tile" : "strip",
                           i + 1, count);
        if (offset > w->n || bytes > w->n - offset)
            return err_set(err, ERR_FORMAT, "truncated TIFF");
    }
    return true;
}

static bool raw_read(struct raw *r, struct tiff_work *w, struct err *err)
{
    const bool tiled = TIFFIsTiled(w->tiff);
    const tmsize_t size = tiled ? TIFFTileSize(w->tiff) : TIFFStripSize(w->tiff);
    struct chunk c = {0};
    bool ok = true;

    if (size <= 0)
        return fail(w, err);
    if ((double)size > (double)w->n * FORMAT_MOST_RATIO)
        return err_set(err, ERR_FORMAT, "truncated TIFF");
    c.data = mem_try((size_t)size, 1, err);
    if (!c.data)
        return false;
    const unsigned planes = r->layout->planar == PLANARCONFIG_SEPARATE ? (unsigned)r->used : 1;
    for (c.plane = 0; ok && c.plane < planes; c.plane++) {
        c.x = 0;
        ok = tiled ? tiles_read(r, w, &c, err) : strips_read(r, w, &c, err);
    }
    free(c.data);
    return ok;
}

/* A palette entry in 8 bits. Its values have 16, but old writers left 8 in them. */
static void palette_8(uint8_t to[3][256], const struct layout *l)
{
    const int n = 1 << l->bits;
    unsigned largest = 0;

    for (int k = 0; k < 3; k++)
        for (int i = 0; i < n; i++)
            largest = l->palette[k][i] > largest ? l->palette[k][i] : largest;
    for (int k = 0; k < 3; k++)
        for (int i = 0; i < n; i++)
            to[k][i] = (uint8_t)(largest > 255 ? l->palette[k][i] >> 8 : l->palette[k][i]);
}

static void palette_apply(struct image *im, const struct raw *r)
{
    uint8_t color[3][256];
    uint8_t *to = image_u8(im);

    palette_8(color, r->layout);
    for (size_t i = 0; i < image_pixels(im); i++)
        for (int k = 0; k < 3; k++)
            *to++ = color[k][(uint8_t)r->data[i * r->used]];
}

static unsigned raw_sample(const struct raw *r, size_t i)
{
    return r->bytes == 2 ? ((const uint16_t *)r->data)[i] : ((const uint8_t *)r->data)[i];
}

/* Stretches to full range, turns white-is-zero round, multiplies by alpha. im's samples may be raw's own. */
static void colors_apply(struct image *im, const struct raw *r)
{
    const struct layout *l = r->layout;
    const unsigned top = (1u << l->bits) - 1, full = r->bytes == 2 ? 65535 : 255;
    const size_t colors = l->colors, n = image_pixels(im);

    for (size_t i = 0; i < n; i++) {
        const unsigned alpha = l->alpha ? raw_sample(r, i * r->used + colors) : top;
        for (size_t k = 0; k < colors; k++) {
            unsigned v = raw_sample(r, i * r->used + k);
            if (l->photometric == PHOTOMETRIC_MINISWHITE)
                v = top - v;
            v = (unsigned)(((uint64_t)v * alpha + top / 2) / top) * (full / top);
            if (r->bytes == 2)
                image_u16(im)[i * colors + k] = (uint16_t)v;
            else
                image_u8(im)[i * colors + k] = (uint8_t)v;
        }
    }
}

static struct image_info layout_info(const struct layout *l)
{
    return (struct image_info){.width = (int)l->width,
                               .height = (int)l->height,
                               .channels = l->palette[0] ? 3 : l->colors,
                               .type = l->bits == 16 ? IMAGE_U16 : IMAGE_U8};
}

/* Samples are read straight into the image where they can stay; palettes and alpha need more room. */
static bool pixels_read(struct image *im, const struct layout *l, struct tiff_work *w, struct err *err)
{
    const struct image_info i = layout_info(l);
    struct raw r = {.layout = l, .used = (size_t)used_samples(l), .bytes = l->bits == 16 ? 2 : 1};
    const bool in_place = !l->palette[0] && !l->alpha;
    bool ok = false;

    if ((double)l->width * l->height * l->bits / 8 > (double)w->n * FORMAT_MOST_RATIO)
        return err_set(err, ERR_FORMAT, "truncated TIFF");
    if (!chunks_present(w, err))
        return false;
    if (!image_new(im, i.width, i.height, i.channels, i.type, err))
        return false;
    r.data = in_place ? im->data : mem_try(image_pixels(im) * r.used, r.bytes, err);
    if (!r.data || !raw_read(&r, w, err))
        goto out;
    if (l->palette[0])
        palette_apply(im, &r);
    else if (!in_place || l->bits < 8 || l->photometric == PHOTOMETRIC_MINISWHITE)
        colors_apply(im, &r);
    ok = !l->palette[0] || format_grey_if_equal(im, err);
out:
    if (!in_place)
        free(r.data);
    return ok;
}

static bool decode(struct image *out, const void *bytes, size_t n, struct err *err)
{
    struct tiff_work w = {.tiff = NULL};
    struct layout l = {0};
    struct image im = IMAGE_INIT;
    const bool ok = work_open(&w, bytes, n, err) && layout_read(&l, &w, err) && pixels_read(&im, &l, &w, err);

    if (ok)
        image_move(out, &im);
    image_release(&im);
    work_release(&w);
    return ok;
}

static bool info(struct image_info *out, const void *bytes, size_t n, struct err *err)
{
    struct tiff_work w = {.tiff = NULL};
    struct layout l = {0};
    const bool ok = work_open(&w, bytes, n, err) && layout_read(&l, &w, err);

    if (ok)
        *out = layout_info(&l);
    work_release(&w);
    return ok;
}

const struct image_format tiff_format = {
    "TIFF", {{"II*\0", 4}, {"MM\0*", 4}, {"II+\0", 4}, {"MM\0+", 4}}, decode, info};

static bool write_strips(TIFF *t, const struct image *im, int rows)
{
    struct tiff_pack *pack = tiff_pack_new();
    bool ok = true;

    for (int y = 0, strip = 0; ok && y < im->height; y += rows, strip++) {
        size_t n;
        void *bytes = tiff_pack_rows(pack, im, y, rows < im->height - y ? rows : im->height - y, &n);
        ok = bytes && TIFFWriteRawStrip(t, (uint32_t)strip, bytes, (tmsize_t)n) >= 0;
    }
    tiff_pack_free(pack);
    return ok;
}

static bool write_all(TIFF *t, const struct image *im)
{
    const size_t row = image_bytes(im) / (size_t)im->height;
    const size_t rows = row < STRIP_BYTES ? STRIP_BYTES / row : 1;

    return TIFFSetField(t, TIFFTAG_IMAGEWIDTH, (uint32_t)im->width) &&
           TIFFSetField(t, TIFFTAG_IMAGELENGTH, (uint32_t)im->height) &&
           TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, im->type == IMAGE_U16 ? 16 : 8) &&
           TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, im->channels) &&
           TIFFSetField(t, TIFFTAG_PHOTOMETRIC,
                        im->channels == 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK) &&
           TIFFSetField(t, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) &&
           TIFFSetField(t, TIFFTAG_COMPRESSION, COMPRESSION_ADOBE_DEFLATE) &&
           TIFFSetField(t, TIFFTAG_PREDICTOR, PREDICTOR_HORIZONTAL) &&
           TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, (uint32_t)rows) && write_strips(t, im, (int)rows) &&
           TIFFWriteDirectory(t);
}

/* A file being written in memory. */
struct tiff_memory {
    struct buf *to;
    size_t begin, at; /* where the file begins in the buffer; where the library writes next */
};

static tmsize_t memory_write(thandle_t h, void *from, tmsize_t n)
{
    struct tiff_memory *m = h;
    struct buf *b = m->to;
    const size_t place = m->begin + m->at, end = place + (size_t)n;

    while (b->len < place) /* the library leaves a byte out where it wants an even place */
        buf_add(b, "", 1);
    const size_t over = end < b->len ? (size_t)n : b->len - place;
    if (over > 0)
        memcpy(b->data + place, from, over);
    buf_add(b, (const char *)from + over, (size_t)n - over);
    m->at += (size_t)n;
    return n;
}

static tmsize_t memory_read(thandle_t h, void *to, tmsize_t n)
{
    (void)h;
    (void)to;
    (void)n;
    return 0;
}

static toff_t memory_seek(thandle_t h, toff_t to, int whence)
{
    struct tiff_memory *m = h;

    if (whence == SEEK_CUR)
        to += m->at;
    else if (whence == SEEK_END)
        to += m->to->len - m->begin;
    m->at = to;
    return to;
}

static toff_t memory_size(thandle_t h)
{
    const struct tiff_memory *m = h;

    return m->to->len - m->begin;
}

bool tiff_encode(struct buf *b, const struct image *im, struct err *err)
{
    assert(im->type != IMAGE_F32);
    struct tiff_work w = {.tiff = NULL};
    struct tiff_memory m = {b, b->len, 0};
    bool ok = false;

    if (!options_init(&w, err))
        return false;
    w.tiff = TIFFClientOpenExt("file", "w", &m, memory_read, memory_write, memory_seek, close_bytes,
                               memory_size, NULL, NULL, w.options);
    ok = w.tiff && write_all(w.tiff, im);
    if (w.tiff)
        TIFFClose(w.tiff); /* the last bytes are written here: look for messages after it only */
    w.tiff = NULL;
    ok = ok && !w.message[0];
    if (!ok)
        err_set(err, ERR_LIMIT, "cannot make a TIFF: %s", w.message[0] ? w.message : "unknown reason");
    work_release(&w);
    return ok;
}

bool tiff_write(const char *path, const struct image *im, struct err *err)
{
    struct buf b = BUF_INIT;
    bool ok = tiff_encode(&b, im, err);

    ok = ok ? file_write(path, b.data, b.len, err) : err_at(err, "%s", path);
    buf_release(&b);
    return ok;
}
