/* fuzz_seeds_dicom FOLDER: tiny DICOM files, one for every way in which pixels are coded here. */
#include "dicom_make.h"

#include "base/file.h"
#include "io/image_file.h"

#include <openjpeg.h>
#include <stdlib.h>

enum { SIDE = 9, COUNT = SIDE * SIDE };

static const char *folder;
static uint16_t samples[COUNT];

static void store(struct make *m, const char *name)
{
    char *path = file_join(folder, name);

    if (!file_make_folders(folder, NULL) || !file_write(path, m->b.data, m->b.len, NULL))
        abort();
    buf_release(&m->b);
    free(path);
}

static struct make_layout layout(unsigned allocated, unsigned stored)
{
    return (struct make_layout){
        .width = SIDE, .height = SIDE, .allocated = allocated, .stored = stored, .high = stored - 1};
}

static void write_plain(const char *syntax, const struct make_layout *l, const char *name)
{
    struct make m = make_begin(syntax);

    make_header(&m, l);
    make_pixels(&m, l, samples, COUNT);
    store(&m, name);
}

/* Pixel data in fragments: an empty offset table and one item. */
static void write_fragments(const char *syntax, const struct make_layout *l, const void *bytes, size_t n,
                            const char *name)
{
    struct make m = make_begin(syntax);

    make_header(&m, l);
    make_head(&m, 0x7fe0, 0x0010, "OB", 0xffffffffu);
    make_u32(&m, 0xe000fffe);
    make_u32(&m, 0);
    make_u32(&m, 0xe000fffe);
    make_u32(&m, (uint32_t)(n + n % 2));
    buf_add(&m.b, bytes, n);
    buf_add(&m.b, "", n % 2);
    make_u32(&m, 0xe0ddfffe);
    make_u32(&m, 0);
    store(&m, name);
}

/* PS3.5 annex G: 64 bytes of segment offsets, then high and low bytes, each one run of SIDE literal bytes a
 * row. */
static void write_rle(void)
{
    const struct make_layout l = layout(16, 12);
    struct make m = {BUF_INIT, true, false};

    make_u32(&m, 2);
    make_u32(&m, 64);
    make_u32(&m, 64 + SIDE * (SIDE + 1));
    for (int i = 0; i < 13; i++)
        make_u32(&m, 0);
    for (int high = 1; high >= 0; high--)
        for (int i = 0; i < COUNT; i++) {
            const unsigned char run = SIDE - 1, byte = (unsigned char)(samples[i] >> 8 * high);
            if (i % SIDE == 0)
                buf_add(&m.b, &run, 1);
            buf_add(&m.b, &byte, 1);
        }
    write_fragments(MAKE_RLE, &l, m.b.data, m.b.len, "rle");
    buf_release(&m.b);
}

static void write_jpeg(void)
{
    const struct make_layout l = layout(8, 8);
    struct image im = IMAGE_INIT;
    struct buf b = BUF_INIT;

    if (!image_new(&im, SIDE, SIDE, 1, IMAGE_U8, NULL))
        abort();
    for (int i = 0; i < COUNT; i++)
        image_u8(&im)[i] = (uint8_t)samples[i];
    if (!jpeg_encode(&b, &im, 90, NULL))
        abort();
    write_fragments("1.2.840.10008.1.2.4.50", &l, b.data, b.len, "jpeg");
    image_release(&im);
    buf_release(&b);
}

static OPJ_SIZE_T to_buf(void *bytes, OPJ_SIZE_T n, void *user)
{
    buf_add(user, bytes, n);
    return n;
}

static void write_jpeg2000(void)
{
    const struct make_layout l = layout(16, 12);
    opj_image_cmptparm_t component = {.dx = 1, .dy = 1, .w = SIDE, .h = SIDE, .prec = 12, .bpp = 12};
    opj_cparameters_t parameters;
    struct buf b = BUF_INIT;

    opj_set_default_encoder_parameters(&parameters);
    parameters.numresolution = 2;
    parameters.tcp_numlayers = 1;
    parameters.cp_disto_alloc = 1;
    opj_image_t *im = opj_image_create(1, &component, OPJ_CLRSPC_GRAY);
    opj_codec_t *codec = opj_create_compress(OPJ_CODEC_J2K);
    opj_stream_t *stream = opj_stream_create(1 << 16, OPJ_FALSE);
    im->x1 = im->y1 = SIDE;
    for (int i = 0; i < COUNT; i++)
        im->comps[0].data[i] = samples[i] & 0xfff;
    opj_stream_set_user_data(stream, &b, NULL);
    opj_stream_set_write_function(stream, to_buf);
    if (!opj_setup_encoder(codec, &parameters, im) || !opj_start_compress(codec, im, stream) ||
        !opj_encode(codec, stream) || !opj_end_compress(codec, stream))
        abort();
    opj_stream_destroy(stream);
    opj_destroy_codec(codec);
    opj_image_destroy(im);
    write_fragments(MAKE_J2K, &l, b.data, b.len, "jpeg2000");
    buf_release(&b);
}

int main(int argc, char **argv)
{
    struct make_layout windowed = layout(16, 12), mask = layout(8, 8), bare = layout(16, 16);
    struct make m = {BUF_INIT, true, false};

    if (argc != 2)
        return 2;
    folder = argv[1];
    for (int i = 0; i < COUNT; i++)
        samples[i] = (uint16_t)(i * 49);
    windowed.is_signed = 1;
    windowed.photometric = "MONOCHROME1";
    windowed.center = "40";
    windowed.window = "400";
    windowed.function = "SIGMOID";
    windowed.slope = "2";
    windowed.intercept = "-1024";
    write_plain(MAKE_EXPLICIT, &windowed, "explicit");
    write_plain(MAKE_IMPLICIT, &mask, "mask");
    write_plain(MAKE_BIG, &bare, "big-endian");
    make_header(&m, &bare);
    make_pixels(&m, &bare, samples, COUNT);
    store(&m, "bare");
    write_rle();
    write_jpeg();
    write_jpeg2000();
    return 0;
}
