/* JPEG: what we write, what others write, and files that are not what they claim. */
#include "test_io_help.h"

#include "io/image_file.h"

#include <jpeglib.h>

/* A smooth picture, which JPEG keeps nearly. */
static struct image smooth(int width, int height, int channels)
{
    struct image im = IMAGE_INIT;

    assert_true(image_new(&im, width, height, channels, IMAGE_U8, NULL));
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int k = 0; k < channels; k++)
                image_u8(&im)[(y * width + x) * channels + k] = (uint8_t)(40 + x + k * 30 + y / 2);
    return im;
}

static void nearly_same(const struct image *a, const struct image *b, int most)
{
    assert_int_equal(a->width, b->width);
    assert_int_equal(a->height, b->height);
    assert_int_equal(a->channels, b->channels);
    for (size_t i = 0; i < image_bytes(a); i++)
        assert_true(abs(image_u8(a)[i] - image_u8(b)[i]) <= most);
}

static void round_trips(void **state)
{
    (void)state;
    for (int channels = 1; channels <= 3; channels += 2) {
        struct image im = smooth(61, 35, channels), back = IMAGE_INIT;
        struct buf b = BUF_INIT, again = BUF_INIT;
        assert_true(jpeg_encode(&b, &im, 95, NULL));
        assert_true(jpeg_encode(&again, &im, 95, NULL));
        assert_int_equal(b.len, again.len);
        assert_memory_equal(b.data, again.data, b.len);
        assert_true(image_decode(&back, b.data, b.len, NULL));
        nearly_same(&im, &back, 4);
        buf_release(&b);
        buf_release(&again);
        image_release(&im);
        image_release(&back);
    }
}

static void a_thin_red_line_stays_red(void **state)
{
    (void)state;
    struct image im = IMAGE_INIT, back = IMAGE_INIT;
    struct buf b = BUF_INIT;

    assert_true(image_new(&im, 32, 32, 3, IMAGE_U8, NULL));
    for (int y = 0; y < 32; y++)
        image_u8(&im)[(y * 32 + 13) * 3] = 255;
    assert_true(jpeg_encode(&b, &im, 90, NULL));
    assert_true(image_decode(&back, b.data, b.len, NULL));
    const uint8_t *p = image_u8(&back) + (10 * 32 + 13) * 3;
    assert_true(p[0] > 220 && p[1] < 40 && p[2] < 40);
    buf_release(&b);
    image_release(&im);
    image_release(&back);
}

struct kind {
    int components;
    J_COLOR_SPACE color;
    bool progressive;
};

static struct buf made_by_the_library(const struct kind *k, const struct image *im)
{
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr e;
    unsigned char *bytes = NULL;
    unsigned long n = 0;
    struct buf b = BUF_INIT;

    c.err = jpeg_std_error(&e);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &bytes, &n);
    c.image_width = (JDIMENSION)im->width;
    c.image_height = (JDIMENSION)im->height;
    c.input_components = k->components;
    c.in_color_space = k->color;
    jpeg_set_defaults(&c);
    jpeg_set_quality(&c, 95, TRUE);
    if (k->progressive)
        jpeg_simple_progression(&c);
    jpeg_start_compress(&c, TRUE);
    JSAMPLE *row = calloc((size_t)im->width, 4);
    while (c.next_scanline < c.image_height) {
        if (k->components == im->channels)
            memcpy(row, image_u8(im) + c.next_scanline * (size_t)im->width * (size_t)im->channels,
                   (size_t)im->width * (size_t)im->channels);
        jpeg_write_scanlines(&c, &row, 1);
    }
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    buf_add(&b, bytes, n);
    free(bytes);
    free(row);
    return b;
}

static void progressive_and_reduced_colors(void **state)
{
    (void)state;
    struct image im = smooth(50, 41, 3), back = IMAGE_INIT;

    for (int i = 0; i < 2; i++) {
        struct buf b = made_by_the_library(&(struct kind){3, JCS_RGB, i == 1}, &im);
        assert_true(image_decode(&back, b.data, b.len, NULL));
        nearly_same(&im, &back, 6);
        buf_release(&b);
    }
    image_release(&im);
    image_release(&back);
}

static void cmyk_is_refused(void **state)
{
    (void)state;
    struct image im = smooth(16, 16, 3), back = IMAGE_INIT;
    struct err err = ERR_INIT;
    struct buf b = made_by_the_library(&(struct kind){4, JCS_CMYK, false}, &im);

    assert_false(help_decode(&back, b.data, b.len, &err));
    assert_int_equal(err.kind, ERR_FORMAT);
    assert_string_equal(err.text, "JPEG in CMYK colours, only grey and RGB are read");
    assert_null(back.data);
    buf_release(&b);
    image_release(&im);
}

static void cut_short_anywhere(void **state)
{
    (void)state;
    struct image im = help_pattern(40, 33, 1, IMAGE_U8), out = IMAGE_INIT;

    for (int i = 0; i < 2; i++) {
        struct buf b = made_by_the_library(&(struct kind){1, JCS_GRAYSCALE, i == 1}, &im);
        for (size_t n = 3; n < b.len; n++) {
            struct err err = ERR_INIT;
            assert_false(help_decode(&out, b.data, n, &err));
            assert_int_equal(err.kind, ERR_FORMAT);
            assert_string_equal(err.text, "truncated JPEG");
        }
        buf_release(&b);
    }
    assert_null(out.data);
    image_release(&im);
}

/* Where the frame header keeps height and width. */
static unsigned char *frame_size(struct buf *b)
{
    unsigned char *p = (unsigned char *)b->data;

    for (size_t i = 0; i + 9 < b->len; i++)
        if (p[i] == 0xff && p[i + 1] == 0xc0)
            return p + i + 5;
    fail();
    return NULL;
}

static void sizes_that_cannot_be(void **state)
{
    (void)state;
    static const struct {
        unsigned width, height;
        const char *text;
    } CASE[] = {
        {0, 0, "damaged JPEG: Empty JPEG image (DNL not supported)"},
        {60000, 60000, "image of 60000 x 60000 pixels is too large (sides to 65535, 400 million pixels)"},
        {20000, 20000, "truncated JPEG"},
        {32, 64, NULL}, /* half of it is missing */
    };
    const long before = help_resident_mb();
    struct image im = help_pattern(32, 32, 1, IMAGE_U8), out = IMAGE_INIT;

    for (size_t i = 0; i < sizeof CASE / sizeof CASE[0]; i++) {
        struct err err = ERR_INIT;
        struct buf b = BUF_INIT;
        assert_true(jpeg_encode(&b, &im, 80, NULL));
        unsigned char *size = frame_size(&b);
        size[0] = (unsigned char)(CASE[i].height >> 8);
        size[1] = (unsigned char)CASE[i].height;
        size[2] = (unsigned char)(CASE[i].width >> 8);
        size[3] = (unsigned char)CASE[i].width;
        assert_false(help_decode(&out, b.data, b.len, &err));
        if (CASE[i].text)
            assert_string_equal(err.text, CASE[i].text);
        buf_release(&b);
    }
    assert_true(help_resident_mb() - before < 64);
    image_release(&im);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trips),
        cmocka_unit_test(a_thin_red_line_stays_red),
        cmocka_unit_test(progressive_and_reduced_colors),
        cmocka_unit_test(cmyk_is_refused),
        cmocka_unit_test(cut_short_anywhere),
        cmocka_unit_test(sizes_that_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
