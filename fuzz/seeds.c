/* fuzz_seeds FOLDER: tiny files in the formats' many ways, as a start for the fuzzers. */
#include "base/file.h"
#include "io/hdf5.h"
#include "io/image_file.h"

#include <assert.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <png.h>
#include <tiffio.h>
#include <jpeglib.h>

enum { SIDE = 9 };

static const char *folder;

static char *path_of(const char *format, const char *name)
{
    char *sub = file_join(folder, format), *path = file_join(sub, name);

    if (!file_make_folders(sub, NULL))
        abort();
    free(sub);
    return path;
}

static void write_bytes(const char *format, const char *name, const void *bytes, size_t n)
{
    char *path = path_of(format, name);

    if (!file_write(path, bytes, n, NULL))
        abort();
    free(path);
}

/* What our own writers make. */
static void write_own(int channels, enum image_type type, const char *name)
{
    struct image im = IMAGE_INIT;
    struct buf b = BUF_INIT;

    if (!image_new(&im, SIDE, SIDE, channels, type, NULL))
        abort();
    for (size_t i = 0; i < image_bytes(&im); i++)
        ((unsigned char *)im.data)[i] = (unsigned char)(i * 7);
    char *path = path_of("tiff", name);
    if (!png_encode(&b, &im, NULL) || !tiff_write(path, &im, NULL))
        abort();
    write_bytes("png", name, b.data, b.len);
    b.len = 0;
    if (type == IMAGE_U8 && jpeg_encode(&b, &im, 80, NULL))
        write_bytes("jpeg", name, b.data, b.len);
    free(path);
    buf_release(&b);
    image_release(&im);
}

static void to_buf(png_structp png, png_bytep bytes, size_t n)
{
    buf_add(png_get_io_ptr(png), bytes, n);
}

static void write_png(int bits, int color, int interlace, const char *name)
{
    static const png_color PALETTE[2] = {{10, 20, 30}, {200, 200, 200}};
    static const png_byte ALPHA[2] = {0, 128};
    struct buf b = BUF_INIT;
    png_byte line[SIDE * 8];
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);

    memset(line, 0x51, sizeof line);
    png_set_write_fn(png, &b, to_buf, NULL);
    png_set_IHDR(png, info, SIDE, SIDE, bits, color, interlace, 0, 0);
    if (color == PNG_COLOR_TYPE_PALETTE) {
        png_set_PLTE(png, info, PALETTE, 2);
        png_set_tRNS(png, info, ALPHA, 2, NULL);
    }
    png_set_gAMA(png, info, .45455);
    png_write_info(png, info);
    png_bytep rows[SIDE];
    for (int y = 0; y < SIDE; y++)
        rows[y] = line;
    png_write_image(png, rows);
    png_write_end(png, info);
    png_destroy_write_struct(&png, &info);
    write_bytes("png", name, b.data, b.len);
    buf_release(&b);
}

struct tiff_kind {
    const char *name, *mode;
    int bits, samples, photometric, planar, compression, tile, extra;
};

static void write_tiff(const struct tiff_kind *k)
{
    char *path = path_of("tiff", k->name), bytes[16 * 16 * 8];
    TIFF *t = TIFFOpen(path, k->mode);
    uint16_t map[256] = {0, 0x1234, 0xffff}, extra = (uint16_t)k->extra;

    if (!t)
        abort();
    memset(bytes, 0x51, sizeof bytes);
    TIFFSetField(t, TIFFTAG_IMAGEWIDTH, SIDE);
    TIFFSetField(t, TIFFTAG_IMAGELENGTH, SIDE);
    TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, k->bits);
    TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, k->samples);
    TIFFSetField(t, TIFFTAG_PHOTOMETRIC, k->photometric);
    TIFFSetField(t, TIFFTAG_PLANARCONFIG, k->planar);
    TIFFSetField(t, TIFFTAG_COMPRESSION, k->compression);
    if (k->extra)
        TIFFSetField(t, TIFFTAG_EXTRASAMPLES, 1, &extra);
    if (k->photometric == PHOTOMETRIC_PALETTE)
        TIFFSetField(t, TIFFTAG_COLORMAP, map, map, map);
    if (k->tile) {
        TIFFSetField(t, TIFFTAG_TILEWIDTH, 16);
        TIFFSetField(t, TIFFTAG_TILELENGTH, 16);
        TIFFWriteTile(t, bytes, 0, 0, 0, 0);
    } else {
        TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, 4);
    }
    for (int p = 0; p < (k->planar == PLANARCONFIG_SEPARATE ? k->samples : 1) && !k->tile; p++)
        for (uint32_t y = 0; y < SIDE; y++)
            TIFFWriteScanline(t, bytes, y, (uint16_t)p);
    TIFFClose(t);
    free(path);
}

static void write_progressive_jpeg(void)
{
    struct jpeg_compress_struct c;
    struct jpeg_error_mgr e;
    unsigned char *bytes = NULL;
    unsigned long n = 0;
    JSAMPLE line[3 * SIDE];
    JSAMPROW row = line;

    memset(line, 0x51, sizeof line);
    c.err = jpeg_std_error(&e);
    jpeg_create_compress(&c);
    jpeg_mem_dest(&c, &bytes, &n);
    c.image_width = c.image_height = SIDE;
    c.input_components = 3;
    c.in_color_space = JCS_RGB;
    jpeg_set_defaults(&c);
    jpeg_simple_progression(&c);
    c.restart_interval = 1;
    jpeg_start_compress(&c, TRUE);
    while (c.next_scanline < c.image_height)
        jpeg_write_scanlines(&c, &row, 1);
    jpeg_finish_compress(&c);
    jpeg_destroy_compress(&c);
    write_bytes("jpeg", "progressive", bytes, n);
    free(bytes);
}

static void write_csv(void)
{
    static const char *const TEXT[] = {"a,b\n1,2\n", "\xef\xbb\xbfid,\"p\"\"q\"\r\n\" x\n\",\r\n\r\n3,4",
                                       "a\n\"b\n", "image,mask\na/b (1).png,\"c,d\n\"\n"};

    for (int i = 0; i < 4; i++) {
        const char name[2] = {(char)('1' + i), 0};
        write_bytes("csv", name, TEXT[i], strlen(TEXT[i]));
    }
}

/* Two layers, as small as Keras' layout can be. */
static void write_hdf5(const char *name, const char *kernel, const struct hdf5_write_options *options)
{
    float values[4] = {1, -2, .5f, 0};
    struct hdf5_array arrays[2] = {{"", 4, {1, 1, 1, 2}, 2, 0}, {"c_b:0", 1, {2}, 2, 2}};
    struct hdf5_layer layers[2] = {{"i", 0, 0}, {"c", 0, 2}};
    struct hdf5_weights w = {
        .layer = layers, .array = arrays, .values = values, .n_layers = 2, .n_arrays = 2, .n_values = 4};
    struct err err = ERR_INIT;
    char *sub = file_join(folder, "hdf5"), *path = file_join(sub, name);

    snprintf(arrays[0].name, sizeof arrays[0].name, "%s", kernel);
    snprintf(w.backend, sizeof w.backend, "theano");
    if (!file_make_folders(sub, &err) || !hdf5_write(path, &w, options, &err)) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    free(path);
    free(sub);
}

int main(int argc, char **argv)
{
    static const struct tiff_kind TIFFS[] = {
        {"one-bit", "w", 1, 1, PHOTOMETRIC_MINISWHITE, 1, COMPRESSION_PACKBITS, 0, 0},
        {"four-bits", "wb", 4, 1, PHOTOMETRIC_MINISBLACK, 1, COMPRESSION_LZW, 0, 0},
        {"palette", "w", 8, 1, PHOTOMETRIC_PALETTE, 1, COMPRESSION_NONE, 0, 0},
        {"planes", "w", 16, 3, PHOTOMETRIC_RGB, 2, COMPRESSION_ADOBE_DEFLATE, 0, 0},
        {"tiles-alpha", "w", 16, 4, PHOTOMETRIC_RGB, 1, COMPRESSION_ADOBE_DEFLATE, 1, EXTRASAMPLE_UNASSALPHA},
        {"big", "w8", 8, 2, PHOTOMETRIC_MINISBLACK, 1, COMPRESSION_NONE, 0, EXTRASAMPLE_ASSOCALPHA},
    };

    if (argc != 2)
        return 2;
    folder = argv[1];
    write_own(1, IMAGE_U8, "grey-8");
    write_own(3, IMAGE_U8, "rgb-8");
    write_own(1, IMAGE_U16, "grey-16");
    write_own(3, IMAGE_U16, "rgb-16");
    write_png(1, PNG_COLOR_TYPE_GRAY, 0, "one-bit");
    write_png(1, PNG_COLOR_TYPE_PALETTE, 0, "palette");
    write_png(8, PNG_COLOR_TYPE_GRAY_ALPHA, 1, "interlaced-alpha");
    write_png(16, PNG_COLOR_TYPE_RGBA, 0, "rgba-16");
    for (size_t i = 0; i < sizeof TIFFS / sizeof TIFFS[0]; i++)
        write_tiff(&TIFFS[i]);
    write_progressive_jpeg();
    write_csv();
    write_hdf5("keras-1", "c_W_1:0", NULL);
    write_hdf5("whole-model", "c/kernel:0", &(struct hdf5_write_options){.whole_model = true});
    write_hdf5("split", "m/c/kernel:0", &(struct hdf5_write_options){.split_bytes = 1});
    return 0;
}
