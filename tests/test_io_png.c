/* PNG: every colour type libpng can make, round trips, and files that are not what they claim. */
#include "test_io_help.h"

#include "base/file.h"
#include "io/image_file.h"

#include <png.h>
#include <zlib.h>

struct kind {
    int width, height, bits, color, interlace;
    const unsigned char *rows; /* packed as PNG has them, big endian */
    const png_color *palette;
    int palette_count;
    const png_byte *palette_alpha;
    int palette_alpha_count;
    const png_color_16 *clear; /* the colour that is transparent */
};

static void to_buf(png_structp png, png_bytep bytes, size_t n)
{
    buf_add(png_get_io_ptr(png), bytes, n);
}

static struct buf png_of(const struct kind *k)
{
    struct buf b = BUF_INIT;
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);

    assert_int_equal(setjmp(png_jmpbuf(png)), 0);
    png_set_write_fn(png, &b, to_buf, NULL);
    png_set_IHDR(png, info, (png_uint_32)k->width, (png_uint_32)k->height, k->bits, k->color, k->interlace, 0,
                 0);
    if (k->palette)
        png_set_PLTE(png, info, k->palette, k->palette_count);
    if (k->palette_alpha)
        png_set_tRNS(png, info, k->palette_alpha, k->palette_alpha_count, NULL);
    if (k->clear)
        png_set_tRNS(png, info, NULL, 0, k->clear);
    png_set_gAMA(png, info, .45455); /* must change nothing */
    png_write_info(png, info);
    const size_t row = png_get_rowbytes(png, info);
    png_bytep rows[64];
    for (int y = 0; y < k->height; y++)
        rows[y] = (png_bytep)k->rows + (size_t)y * row;
    png_write_image(png, rows);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    return b;
}

static struct image decoded(const struct kind *k)
{
    struct buf b = png_of(k);
    struct image im = IMAGE_INIT;
    struct err err = ERR_INIT;

    if (!image_decode(&im, b.data, b.len, &err))
        fail_msg("%s", err.text);
    buf_release(&b);
    return im;
}

static struct image plain(int width, int height, int bits, int color, const char *rows)
{
    return decoded(&(struct kind){
        .width = width, .height = height, .bits = bits, .color = color, .rows = (const unsigned char *)rows});
}

static void few_bits_are_stretched(void **state)
{
    (void)state;
    struct image im = plain(4, 2, 1, PNG_COLOR_TYPE_GRAY, "\xa0\x10");
    help_grey_is(&im, 4, 2, (const uint8_t[]){255, 0, 255, 0, 0, 0, 0, 255});
    image_release(&im);
    im = plain(4, 1, 2, PNG_COLOR_TYPE_GRAY, "\x1b");
    help_grey_is(&im, 4, 1, (const uint8_t[]){0, 85, 170, 255});
    image_release(&im);
    im = plain(3, 1, 4, PNG_COLOR_TYPE_GRAY, "\x0f\x80");
    help_grey_is(&im, 3, 1, (const uint8_t[]){0, 255, 136});
    image_release(&im);
}

static void sixteen_bits_stay(void **state)
{
    (void)state;
    /* 40000 is 0x9c40, 255 is 0x00ff: stored with the high byte first */
    struct image im = plain(2, 1, 16, PNG_COLOR_TYPE_GRAY, "\x9c\x40\x00\xff");
    assert_int_equal(im.type, IMAGE_U16);
    assert_int_equal(im.channels, 1);
    assert_int_equal(image_u16(&im)[0], 40000);
    assert_int_equal(image_u16(&im)[1], 255);
    image_release(&im);
    im = plain(1, 1, 16, PNG_COLOR_TYPE_RGB, "\x9c\x40\x00\xff\xff\xfe");
    assert_int_equal(im.channels, 3);
    assert_int_equal(image_u16(&im)[0], 40000);
    assert_int_equal(image_u16(&im)[2], 65534);
    image_release(&im);
}

static void palettes(void **state)
{
    (void)state;
    const png_color color[3] = {{1, 2, 3}, {200, 100, 50}, {255, 255, 255}};
    const png_color grey[3] = {{9, 9, 9}, {80, 80, 80}, {255, 255, 255}};
    struct kind k = {3,    1, 4,   PNG_COLOR_TYPE_PALETTE, 0, (const unsigned char *)"\x12\x00", color, 3,
                     NULL, 0, NULL};

    struct image im = decoded(&k);
    assert_int_equal(im.channels, 3);
    assert_memory_equal(im.data, ((const uint8_t[]){200, 100, 50, 255, 255, 255, 1, 2, 3}), 9);
    image_release(&im);
    k.palette = grey;
    im = decoded(&k);
    help_grey_is(&im, 3, 1, (const uint8_t[]){80, 255, 9});
    image_release(&im);
    k.palette_alpha = (const png_byte[]){255, 0, 255};
    k.palette_alpha_count = 3;
    im = decoded(&k);
    help_grey_is(&im, 3, 1, (const uint8_t[]){0, 255, 9});
    image_release(&im);
}

static void alpha_is_laid_over_black(void **state)
{
    (void)state;
    struct image im = plain(3, 1, 8, PNG_COLOR_TYPE_GRAY_ALPHA, "\xc8\xff\xc8\x80\xc8\x00");
    help_grey_is(&im, 3, 1, (const uint8_t[]){200, 100, 0});
    image_release(&im);
    im = plain(1, 1, 16, PNG_COLOR_TYPE_RGBA, "\x9c\x40\x00\x00\x10\x00\xff\xff");
    assert_int_equal(im.channels, 3);
    assert_int_equal(image_u16(&im)[0], 40000);
    assert_int_equal(image_u16(&im)[2], 4096);
    image_release(&im);
    const png_color_16 clear = {0, 0, 0, 0, 7};
    im = decoded(&(struct kind){2, 1, 8, PNG_COLOR_TYPE_GRAY, 0, (const unsigned char *)"\x07\x08", NULL, 0,
                                NULL, 0, &clear});
    help_grey_is(&im, 2, 1, (const uint8_t[]){0, 8});
    image_release(&im);
}

static void interlaced(void **state)
{
    (void)state;
    struct image want = help_pattern(13, 11, 1, IMAGE_U8);
    struct image im = decoded(&(struct kind){.width = 13,
                                             .height = 11,
                                             .bits = 8,
                                             .color = PNG_COLOR_TYPE_GRAY,
                                             .interlace = 1,
                                             .rows = want.data});

    help_same(&im, &want);
    image_release(&im);
    image_release(&want);
}

static void round_trips(void **state)
{
    (void)state;
    char folder[64], path[96];
    help_folder(folder);
    snprintf(path, sizeof path, "%s/a.jpg", folder); /* names do not matter */
    for (int i = 0; i < 4; i++) {
        struct image im = help_pattern(61, 37, i & 1 ? 3 : 1, i & 2 ? IMAGE_U16 : IMAGE_U8),
                     back = IMAGE_INIT;
        struct image_info info;
        assert_true(png_write(path, &im, NULL));
        assert_true(image_read(&back, path, NULL));
        help_same(&im, &back);
        assert_true(image_is_readable(path));
        assert_true(image_read_info(&info, path, NULL));
        assert_string_equal(info.format, "PNG");
        assert_int_equal(info.width, 61);
        assert_int_equal(info.height, 37);
        assert_int_equal(info.channels, im.channels);
        assert_int_equal(info.type, im.type);
        image_release(&im);
        image_release(&back);
    }
    unlink(path);
    rmdir(folder);
}

static void the_same_pixels_give_the_same_bytes(void **state)
{
    (void)state;
    struct image im = help_pattern(50, 50, 3, IMAGE_U8);
    struct buf a = BUF_INIT, b = BUF_INIT;

    buf_adds(&b, "kept");
    assert_true(png_encode(&a, &im, NULL));
    assert_true(png_encode(&b, &im, NULL));
    assert_int_equal(b.len, a.len + 4);
    assert_memory_equal(b.data, "kept", 4);
    assert_memory_equal(a.data, b.data + 4, a.len);
    buf_release(&a);
    buf_release(&b);
    image_release(&im);
}

static void cut_short_anywhere(void **state)
{
    (void)state;
    struct image im = help_pattern(23, 19, 3, IMAGE_U16), out = IMAGE_INIT;
    struct buf b = BUF_INIT;

    assert_true(png_encode(&b, &im, NULL));
    for (size_t n = 0; n < b.len; n++) {
        struct err err = ERR_INIT;
        assert_false(help_decode(&out, b.data, n, &err));
        assert_int_equal(err.kind, ERR_FORMAT);
        assert_string_equal(err.text, n == 0  ? "empty file"
                                      : n < 8 ? "not a PNG, JPEG, TIFF or DICOM file"
                                              : "truncated PNG");
    }
    assert_null(out.data);
    buf_release(&b);
    image_release(&im);
}

/* Writes a number into the header and makes its checksum right again. */
static void header_set(struct buf *b, size_t at, uint32_t v)
{
    unsigned char *p = (unsigned char *)b->data;

    for (int i = 0; i < 4; i++)
        p[at + (size_t)i] = (unsigned char)(v >> (24 - 8 * i));
    const uint32_t sum = (uint32_t)crc32(0, p + 12, 17);
    for (int i = 0; i < 4; i++)
        p[29 + i] = (unsigned char)(sum >> (24 - 8 * i));
}

static void impossible_sizes(void **state)
{
    (void)state;
    static const struct {
        uint32_t width, height;
        enum err_kind kind;
        const char *text;
    } CASE[] = {
        {0, 4, ERR_LIMIT, "image of 0 x 4 pixels is empty"},
        {0, 0, ERR_LIMIT, "image of 0 x 0 pixels is empty"},
        {60000, 60000, ERR_LIMIT,
         "image of 60000 x 60000 pixels is too large (sides to 65535, 400 million pixels)"},
        {70000, 1, ERR_LIMIT, "image of 70000 x 1 pixels is too large (sides to 65535, 400 million pixels)"},
        {4294967295u, 4294967295u, ERR_LIMIT,
         "image of 4294967295 x 4294967295 pixels is too large (sides to 65535, 400 million pixels)"},
        {20000, 20000, ERR_FORMAT, "truncated PNG"},
        {5, 4, ERR_FORMAT, NULL}, /* too many rows' worth of pixels promised */
        {4, 5, ERR_FORMAT, NULL},
    };
    struct image im = help_pattern(4, 4, 1, IMAGE_U8), out = IMAGE_INIT;
    const long before = help_resident_mb();

    for (size_t i = 0; i < sizeof CASE / sizeof CASE[0]; i++) {
        struct buf b = BUF_INIT;
        struct err err = ERR_INIT;
        assert_true(png_encode(&b, &im, NULL));
        header_set(&b, 16, CASE[i].width);
        header_set(&b, 20, CASE[i].height);
        assert_false(help_decode(&out, b.data, b.len, &err));
        assert_int_equal(err.kind, CASE[i].kind);
        if (CASE[i].text)
            assert_string_equal(err.text, CASE[i].text);
        buf_release(&b);
    }
    assert_true(help_resident_mb() - before < 64);
    image_release(&im);
}

static void damage_is_named_with_its_path(void **state)
{
    (void)state;
    char folder[64], path[96], want[256];
    struct image im = help_pattern(40, 40, 1, IMAGE_U8), out = IMAGE_INIT;
    struct buf b = BUF_INIT;
    struct err err = ERR_INIT;

    help_folder(folder);
    snprintf(path, sizeof path, "%s/bad one.png", folder);
    assert_true(png_encode(&b, &im, NULL));
    b.data[200] ^= 1;
    assert_true(file_write(path, b.data, b.len, NULL));
    assert_false(image_read(&out, path, &err));
    snprintf(want, sizeof want, "%s: damaged PNG: ", path);
    assert_memory_equal(err.text, want, strlen(want));
    assert_null(strchr(err.text, '\n'));

    assert_true(file_write(path, b.data, 100, NULL));
    assert_false(image_read(&out, path, &err));
    snprintf(want, sizeof want, "%s: truncated PNG", path);
    assert_string_equal(err.text, want);

    assert_true(file_write(path, "P5 1 1 255 x", 12, NULL));
    assert_false(image_is_readable(path));
    assert_false(image_read(&out, path, &err));
    snprintf(want, sizeof want, "%s: not a PNG, JPEG, TIFF or DICOM file", path);
    assert_string_equal(err.text, want);
    unlink(path);

    assert_false(image_read(&out, path, &err));
    assert_int_equal(err.kind, ERR_IO);
    snprintf(want, sizeof want, "%s: No such file or directory", path);
    assert_string_equal(err.text, want);
    assert_false(image_is_readable(path));
    assert_false(image_is_readable(folder));
    assert_null(out.data);
    rmdir(folder);
    buf_release(&b);
    image_release(&im);
}

static void cannot_write(void **state)
{
    (void)state;
    struct image im = help_pattern(4, 4, 1, IMAGE_U8);
    struct err err = ERR_INIT;

    assert_false(png_write("/nonexistent/folder/a.png", &im, &err));
    assert_int_equal(err.kind, ERR_IO);
    assert_string_equal(err.text, "/nonexistent/folder/a.png: No such file or directory");
    image_release(&im);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_bits_are_stretched),
        cmocka_unit_test(sixteen_bits_stay),
        cmocka_unit_test(palettes),
        cmocka_unit_test(alpha_is_laid_over_black),
        cmocka_unit_test(interlaced),
        cmocka_unit_test(round_trips),
        cmocka_unit_test(the_same_pixels_give_the_same_bytes),
        cmocka_unit_test(cut_short_anywhere),
        cmocka_unit_test(impossible_sizes),
        cmocka_unit_test(damage_is_named_with_its_path),
        cmocka_unit_test(cannot_write),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
