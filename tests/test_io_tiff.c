/* TIFF: the layouts libtiff can make, round trips, and files that are not what they claim. */
#include "test_io_help.h"

#include "base/file.h"
#include "io/image_file.h"

#include <errno.h>
#include <signal.h>
#include <tiffio.h>

static char folder[64], path[96];

static int folder_make(void **state)
{
    (void)state;
    help_folder(folder);
    snprintf(path, sizeof path, "%s/a.png", folder); /* names do not matter */
    return 0;
}

static int folder_remove(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

struct kind {
    const char *mode; /* NULL: "w" */
    int width, height, bits, samples;
    int photometric, planar, compression, predictor, tile, extra, format;
    const void *rows; /* as libtiff takes them: host order; planes one after the other */
};

/* Samples as bytes of one row of one strip. */
static size_t row_bytes(const struct kind *k)
{
    const int samples = k->planar == PLANARCONFIG_SEPARATE ? 1 : k->samples;

    return ((size_t)k->width * (size_t)samples * (size_t)k->bits + 7) / 8;
}

static void tags_set(TIFF *t, const struct kind *k)
{
    const uint16_t extra = (uint16_t)k->extra;

    TIFFSetField(t, TIFFTAG_IMAGEWIDTH, k->width);
    TIFFSetField(t, TIFFTAG_IMAGELENGTH, k->height);
    TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, k->bits);
    TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, k->samples);
    TIFFSetField(t, TIFFTAG_PHOTOMETRIC, k->photometric);
    TIFFSetField(t, TIFFTAG_PLANARCONFIG, k->planar ? k->planar : PLANARCONFIG_CONTIG);
    TIFFSetField(t, TIFFTAG_COMPRESSION, k->compression ? k->compression : COMPRESSION_NONE);
    TIFFSetField(t, TIFFTAG_ORIENTATION, ORIENTATION_BOTRIGHT); /* not applied */
    if (k->predictor)
        TIFFSetField(t, TIFFTAG_PREDICTOR, k->predictor);
    if (k->format)
        TIFFSetField(t, TIFFTAG_SAMPLEFORMAT, k->format);
    if (k->extra >= 0 && k->samples > (k->photometric == PHOTOMETRIC_RGB ? 3 : 1) && k->photometric <= 2)
        TIFFSetField(t, TIFFTAG_EXTRASAMPLES, 1, &extra);
    if (k->photometric == PHOTOMETRIC_PALETTE) {
        uint16_t r[256] = {0, 0x1100, 0xff00}, g[256] = {0, 0x2200, 0xff00}, b[256] = {0, 0x3300, 0xff00};
        TIFFSetField(t, TIFFTAG_COLORMAP, r, g, b);
    }
    if (k->tile) {
        TIFFSetField(t, TIFFTAG_TILEWIDTH, k->tile);
        TIFFSetField(t, TIFFTAG_TILELENGTH, k->tile);
    } else {
        TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, 2);
    }
}

static void tiles_write(TIFF *t, const struct kind *k)
{
    const size_t pixel = (size_t)(k->samples * k->bits / 8);
    char *tile = calloc((size_t)k->tile * (size_t)k->tile, pixel);

    for (int y0 = 0; y0 < k->height; y0 += k->tile) {
        for (int x0 = 0; x0 < k->width; x0 += k->tile) {
            for (int y = y0; y < k->height && y < y0 + k->tile; y++) {
                const int n = k->width - x0 < k->tile ? k->width - x0 : k->tile;
                memcpy(tile + (size_t)(y - y0) * (size_t)k->tile * pixel,
                       (const char *)k->rows + ((size_t)y * (size_t)k->width + (size_t)x0) * pixel,
                       (size_t)n * pixel);
            }
            assert_true(TIFFWriteTile(t, tile, (uint32_t)x0, (uint32_t)y0, 0, 0) > 0);
        }
    }
    free(tile);
}

static void file_make(const struct kind *k)
{
    TIFFErrorHandler warn = TIFFSetWarningHandler(NULL); /* the old name of deflate brings a warning */
    TIFF *t = TIFFOpen(path, k->mode ? k->mode : "w");
    const size_t row = row_bytes(k);
    const int planes = k->planar == PLANARCONFIG_SEPARATE ? k->samples : 1;
    char *line = malloc(row);

    assert_non_null(t);
    tags_set(t, k);
    if (k->tile)
        tiles_write(t, k);
    for (int p = 0; p < planes && !k->tile; p++) {
        for (int y = 0; y < k->height; y++) {
            memcpy(line, (const char *)k->rows + ((size_t)p * (size_t)k->height + (size_t)y) * row, row);
            assert_int_equal(TIFFWriteScanline(t, line, (uint32_t)y, (uint16_t)p), 1);
        }
    }
    TIFFClose(t);
    TIFFSetWarningHandler(warn);
    free(line);
}

static struct image read_back(const struct kind *k)
{
    struct image im = IMAGE_INIT;
    struct err err = ERR_INIT;

    file_make(k);
    if (!image_read(&im, path, &err))
        fail_msg("%s", err.text);
    return im;
}

static void few_bits(void **state)
{
    (void)state;
    struct kind k = {.width = 10,
                     .height = 2,
                     .bits = 1,
                     .samples = 1,
                     .photometric = PHOTOMETRIC_MINISBLACK,
                     .compression = COMPRESSION_PACKBITS,
                     .rows = "\xa0\x40\x01\x80"};
    const uint8_t want[20] = {255, 0, 255, 0, 0, 0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 0, 255, 255, 0};
    struct image im = read_back(&k);

    help_grey_is(&im, 10, 2, want);
    image_release(&im);
    k.photometric = PHOTOMETRIC_MINISWHITE;
    im = read_back(&k);
    for (int i = 0; i < 20; i++)
        assert_int_equal(image_u8(&im)[i], 255 - want[i]);
    image_release(&im);
    im = read_back(&(struct kind){.width = 3,
                                  .height = 1,
                                  .bits = 4,
                                  .samples = 1,
                                  .photometric = PHOTOMETRIC_MINISBLACK,
                                  .rows = "\x0f\x80"});
    help_grey_is(&im, 3, 1, (const uint8_t[]){0, 255, 136});
    image_release(&im);
    im = read_back(&(struct kind){.width = 4,
                                  .height = 1,
                                  .bits = 2,
                                  .samples = 1,
                                  .photometric = PHOTOMETRIC_MINISBLACK,
                                  .rows = "\x1b"});
    help_grey_is(&im, 4, 1, (const uint8_t[]){0, 85, 170, 255});
    image_release(&im);
}

static void sixteen_bits_stay(void **state)
{
    (void)state;
    static const char *const MODE[] = {"wl", "wb", "w8"};
    const uint16_t rows[6] = {40000, 255, 65535, 0, 1, 256};
    struct kind k = {.width = 3,
                     .height = 2,
                     .bits = 16,
                     .samples = 1,
                     .photometric = PHOTOMETRIC_MINISBLACK,
                     .rows = rows};

    for (int i = 0; i < 3; i++) {
        k.mode = MODE[i];
        struct image im = read_back(&k);
        assert_int_equal(im.type, IMAGE_U16);
        assert_memory_equal(im.data, rows, sizeof rows);
        image_release(&im);
    }
    k.photometric = PHOTOMETRIC_MINISWHITE;
    struct image im = read_back(&k);
    assert_int_equal(image_u16(&im)[0], 25535);
    assert_int_equal(image_u16(&im)[3], 65535);
    image_release(&im);
}

/* One picture in every way of storing it. */
static void strips_tiles_planes_compressions(void **state)
{
    (void)state;
    static const int COMPRESSION[] = {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE,
                                      COMPRESSION_DEFLATE, COMPRESSION_PACKBITS};

    for (int i = 0; i < 2 * 2 * 2 * 5; i++) {
        const int channels = i & 1 ? 3 : 1, bits = i & 2 ? 16 : 8, tile = i & 4 ? 16 : 0;
        struct image want = help_pattern(37, 35, channels, bits == 16 ? IMAGE_U16 : IMAGE_U8);
        struct kind k = {.width = 37,
                         .height = 35,
                         .bits = bits,
                         .samples = channels,
                         .photometric = channels == 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK,
                         .tile = tile,
                         .compression = COMPRESSION[i / 8],
                         .rows = want.data};
        k.predictor = k.compression == COMPRESSION_LZW || k.compression == COMPRESSION_DEFLATE ? 2 : 0;
        struct image im = read_back(&k);
        help_same(&im, &want);
        image_release(&im);
        image_release(&want);
    }
}

static void planes_apart(void **state)
{
    (void)state;
    struct image im = read_back(&(struct kind){.width = 2,
                                               .height = 3,
                                               .bits = 8,
                                               .samples = 3,
                                               .photometric = PHOTOMETRIC_RGB,
                                               .planar = PLANARCONFIG_SEPARATE,
                                               .rows = "ABCDEFabcdef123456"});

    assert_int_equal(im.channels, 3);
    assert_memory_equal(im.data, "Aa1Bb2Cc3Dd4Ee5Ff6", 18);
    image_release(&im);
    const uint16_t rows[4] = {40000, 30000, 65535, 0}; /* a plane of grey, one of alpha */
    im = read_back(&(struct kind){.width = 2,
                                  .height = 1,
                                  .bits = 16,
                                  .samples = 2,
                                  .photometric = PHOTOMETRIC_MINISBLACK,
                                  .planar = PLANARCONFIG_SEPARATE,
                                  .extra = EXTRASAMPLE_UNASSALPHA,
                                  .rows = rows});
    assert_int_equal(im.channels, 1);
    assert_int_equal(image_u16(&im)[0], 40000);
    assert_int_equal(image_u16(&im)[1], 0);
    image_release(&im);
}

static void alpha_and_other_extras(void **state)
{
    (void)state;
    struct kind k = {.width = 2,
                     .height = 1,
                     .bits = 8,
                     .samples = 4,
                     .photometric = PHOTOMETRIC_RGB,
                     .extra = EXTRASAMPLE_UNASSALPHA,
                     .rows = "\xc8\x64\x00\x80\x0a\x14\x1e\xff"};
    struct image im = read_back(&k);

    assert_int_equal(im.channels, 3);
    assert_memory_equal(im.data, "\x64\x32\x00\x0a\x14\x1e", 6);
    image_release(&im);
    k.extra = EXTRASAMPLE_ASSOCALPHA; /* multiplied in already */
    im = read_back(&k);
    assert_memory_equal(im.data, "\xc8\x64\x00\x0a\x14\x1e", 6);
    image_release(&im);
    k.extra = EXTRASAMPLE_UNSPECIFIED; /* something else: ignored */
    im = read_back(&k);
    assert_memory_equal(im.data, "\xc8\x64\x00\x0a\x14\x1e", 6);
    image_release(&im);
}

static void palettes(void **state)
{
    (void)state;
    struct image im = read_back(&(struct kind){.width = 3,
                                               .height = 1,
                                               .bits = 8,
                                               .samples = 1,
                                               .photometric = PHOTOMETRIC_PALETTE,
                                               .rows = "\2\1\0"});

    assert_int_equal(im.channels, 3);
    assert_memory_equal(im.data, "\xff\xff\xff\x11\x22\x33\0\0\0", 9);
    image_release(&im);
    im = read_back(&(struct kind){.width = 3,
                                  .height = 1,
                                  .bits = 4,
                                  .samples = 1,
                                  .photometric = PHOTOMETRIC_PALETTE,
                                  .rows = "\x20\x20"});
    help_grey_is(&im, 3, 1, (const uint8_t[]){255, 0, 255});
    image_release(&im);
}

static void refused(void **state)
{
    (void)state;
    static const struct {
        struct kind kind;
        const char *text;
    } CASE[] = {
        {{.samples = 4, .bits = 8, .photometric = PHOTOMETRIC_SEPARATED},
         "TIFF in CMYK colours, only grey and RGB are read"},
        {{.samples = 1, .bits = 32, .photometric = PHOTOMETRIC_MINISBLACK, .format = SAMPLEFORMAT_IEEEFP},
         "TIFF with signed or floating-point samples is not read"},
        {{.samples = 1, .bits = 16, .photometric = PHOTOMETRIC_MINISBLACK, .format = SAMPLEFORMAT_INT},
         "TIFF with signed or floating-point samples is not read"},
        {{.samples = 1, .bits = 32, .photometric = PHOTOMETRIC_MINISBLACK},
         "TIFF with 32 bits a sample, only 1, 2, 4, 8 and 16 are read"},
        {{.samples = 1,
          .bits = 1,
          .photometric = PHOTOMETRIC_MINISBLACK,
          .compression = COMPRESSION_CCITTFAX4},
         "TIFF with compression 4, only none, LZW, PackBits and deflate are read"},
        {{.samples = 3, .bits = 8, .photometric = PHOTOMETRIC_CIELAB},
         "TIFF with photometric interpretation 8, only grey, palette and RGB are read"},
    };
    static const char NOTHING[256];
    char want[256];

    for (size_t i = 0; i < sizeof CASE / sizeof CASE[0]; i++) {
        struct kind k = CASE[i].kind;
        struct image im = IMAGE_INIT;
        struct err err = ERR_INIT;
        k.width = k.height = 4;
        k.rows = NOTHING;
        file_make(&k);
        assert_false(image_read(&im, path, &err));
        assert_int_equal(err.kind, ERR_FORMAT);
        snprintf(want, sizeof want, "%s: %s", path, CASE[i].text);
        assert_string_equal(err.text, want);
    }
}

static void round_trips(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct image im = help_pattern(301, 499, i & 1 ? 3 : 1, i & 2 ? IMAGE_U16 : IMAGE_U8),
                     back = IMAGE_INIT;
        struct image_info info;
        assert_true(tiff_write(path, &im, NULL));
        assert_true(image_read(&back, path, NULL));
        help_same(&im, &back);
        assert_true(image_is_readable(path));
        assert_true(image_read_info(&info, path, NULL));
        assert_string_equal(info.format, "TIFF");
        assert_int_equal(info.width, 301);
        assert_int_equal(info.height, 499);
        assert_int_equal(info.channels, im.channels);
        assert_int_equal(info.type, im.type);
        image_release(&im);
        image_release(&back);
    }
}

static void written_files_are_plain_and_reproducible(void **state)
{
    (void)state;
    struct image im = help_pattern(200, 100, 1, IMAGE_U16);
    struct buf a = BUF_INIT, b = BUF_INIT;
    uint16_t v = 0;
    float resolution;
    char *date;

    assert_true(tiff_write(path, &im, NULL));
    assert_true(file_read(&a, path, 0, NULL));
    TIFF *t = TIFFOpen(path, "r");
    assert_int_equal(TIFFGetField(t, TIFFTAG_COMPRESSION, &v), 1);
    assert_int_equal(v, COMPRESSION_ADOBE_DEFLATE);
    assert_int_equal(TIFFGetField(t, TIFFTAG_PREDICTOR, &v), 1);
    assert_int_equal(v, PREDICTOR_HORIZONTAL);
    assert_int_equal(TIFFGetField(t, TIFFTAG_XRESOLUTION, &resolution), 0);
    assert_int_equal(TIFFGetField(t, TIFFTAG_DATETIME, &date), 0);
    TIFFClose(t);
    assert_true(tiff_write(path, &im, NULL));
    assert_true(file_read(&b, path, 0, NULL));
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.data, b.data, a.len);
    buf_release(&a);
    buf_release(&b);
    image_release(&im);
}

static void cut_short_anywhere(void **state)
{
    (void)state;
    struct image im = help_pattern(23, 19, 1, IMAGE_U16), out = IMAGE_INIT;
    struct buf b = BUF_INIT;

    assert_true(tiff_write(path, &im, NULL));
    assert_true(file_read(&b, path, 0, NULL));
    for (size_t n = 0; n < b.len; n++) {
        struct err err = ERR_INIT;
        if (help_decode(&out, b.data, n, &err)) {
            help_same(&out, &im); /* cut off after the last pixel and the last tag */
            assert_true(n + 16 > b.len);
        } else {
            assert_int_equal(err.kind, ERR_FORMAT);
            assert_null(strchr(err.text, '\n'));
        }
    }
    buf_release(&b);
    image_release(&out);
    image_release(&im);
}

/* A TIFF written by hand, byte by byte: 8-bit grey, one strip of 4 bytes. */
static struct buf by_hand(uint32_t width, uint32_t height, uint16_t compression)
{
    const struct {
        uint16_t tag;
        uint32_t value;
    } field[] = {{256, width}, {257, height}, {258, 8}, {259, compression},
                 {262, 1},     {273, 8},      {277, 1}, {278, height ? height : 1},
                 {279, 4}};
    const uint16_t count = sizeof field / sizeof field[0], type = 4;
    const uint32_t one = 1, none = 0, directory = 12;
    struct buf b = BUF_INIT;

    buf_add(&b, "II*\0", 4);
    buf_add(&b, &directory, 4);
    buf_add(&b, "\1\2\3\4", 4);
    buf_add(&b, &count, 2);
    for (uint16_t i = 0; i < count; i++) {
        buf_add(&b, &field[i].tag, 2);
        buf_add(&b, &type, 2);
        buf_add(&b, &one, 4);
        buf_add(&b, &field[i].value, 4);
    }
    buf_add(&b, &none, 4);
    return b;
}

/* A height of 40 with strips of 2 rows, of which one is listed. */
static void strips_that_are_not_listed(void **state)
{
    (void)state;
    struct image im = IMAGE_INIT;
    struct err err = ERR_INIT;
    struct buf b = by_hand(2, 40, 1);
    unsigned char *rows_per_strip = (unsigned char *)b.data + 12 + 2 + 7 * 12 + 8;

    assert_int_equal(*rows_per_strip, 40);
    *rows_per_strip = 2;
    assert_false(help_decode(&im, b.data, b.len, &err));
    assert_string_equal(err.text, "damaged TIFF: strip 2 of 20 is missing");
    buf_release(&b);
}

static void sizes_that_cannot_be(void **state)
{
    (void)state;
    static const struct {
        uint32_t width, height;
        uint16_t compression;
        const char *text;
    } CASE[] = {
        {0, 0, 1, "damaged TIFF: "}, /* the library sees these first */
        {2, 0, 1, "damaged TIFF: "},
        {0, 2, 1, "damaged TIFF: "},
        {60000, 60000, 8, "image of 60000 x 60000 pixels is too large (sides to 65535, 400 million pixels)"},
        {4294967295u, 1, 1,
         "image of 4294967295 x 1 pixels is too large (sides to 65535, 400 million pixels)"},
        {20000, 20000, 8, "truncated TIFF"},
        {20000, 20000, 1, "truncated TIFF"},
    };
    const long before = help_resident_mb();
    struct image im = IMAGE_INIT;
    struct buf b = by_hand(2, 2, 1);

    assert_true(image_decode(&im, b.data, b.len, NULL)); /* the hand-made file itself is right */
    assert_memory_equal(im.data, "\1\2\3\4", 4);
    image_release(&im);
    buf_release(&b);
    for (size_t i = 0; i < sizeof CASE / sizeof CASE[0]; i++) {
        struct err err = ERR_INIT;
        b = by_hand(CASE[i].width, CASE[i].height, CASE[i].compression);
        assert_false(help_decode(&im, b.data, b.len, &err));
        assert_memory_equal(err.text, CASE[i].text, strlen(CASE[i].text));
        buf_release(&b);
    }
    assert_true(help_resident_mb() - before < 64);
}

/* A limit on file sizes stands in for a full disk. */
static void full_disk_leaves_nothing(void **state)
{
    (void)state;
    struct image im = help_pattern(300, 300, 1, IMAGE_U16), old = help_pattern(2, 2, 1, IMAGE_U8),
                 back = IMAGE_INIT;
    struct err err = ERR_INIT;
    struct rlimit was, small = {20000, 0};
    struct file_list list = FILE_LIST_INIT;

    assert_true(tiff_write(path, &old, NULL));
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &was);
    small.rlim_max = was.rlim_max;
    setrlimit(RLIMIT_FSIZE, &small);
    const bool tiff = tiff_write(path, &im, &err);
    setrlimit(RLIMIT_FSIZE, &was);
    assert_false(tiff);
    assert_int_equal(err.kind, ERR_IO);
    assert_memory_equal(err.text, path, strlen(path));
    assert_true(file_list_read(&list, folder, NULL));
    assert_int_equal(list.count, 1);
    assert_true(image_read(&back, path, NULL));
    help_same(&back, &old);
    file_list_release(&list);
    image_release(&im);
    image_release(&old);
    image_release(&back);
}

static void cannot_write(void **state)
{
    (void)state;
    struct image im = help_pattern(4, 4, 1, IMAGE_U8);
    struct err err = ERR_INIT;

    assert_false(tiff_write("/nonexistent/folder/a.tif", &im, &err));
    assert_string_equal(err.text, "/nonexistent/folder/a.tif: No such file or directory");
    image_release(&im);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_bits),
        cmocka_unit_test(sixteen_bits_stay),
        cmocka_unit_test(strips_tiles_planes_compressions),
        cmocka_unit_test(planes_apart),
        cmocka_unit_test(alpha_and_other_extras),
        cmocka_unit_test(palettes),
        cmocka_unit_test(refused),
        cmocka_unit_test(round_trips),
        cmocka_unit_test(written_files_are_plain_and_reproducible),
        cmocka_unit_test(cut_short_anywhere),
        cmocka_unit_test(strips_that_are_not_listed),
        cmocka_unit_test(sizes_that_cannot_be),
        cmocka_unit_test(full_disk_leaves_nothing),
        cmocka_unit_test(cannot_write),
    };
    return cmocka_run_group_tests(tests, folder_make, folder_remove);
}
