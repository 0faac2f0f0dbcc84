#include "io/tiff_pack.h"

#include "base/mem.h"

#include <isa-l/igzip_lib.h>
#include <stdlib.h>

enum { LEVEL = 1 };

struct tiff_pack {
    struct isal_zstream stream;
    uint8_t level[ISAL_DEF_LVL1_DEFAULT];
    struct buf_space {
        uint8_t *at;
        size_t room;
    } predicted, packed;
};

struct tiff_pack *tiff_pack_new(void)
{
    return mem_new(1, sizeof(struct tiff_pack));
}

void tiff_pack_free(struct tiff_pack *p)
{
    if (!p)
        return;
    free(p->predicted.at);
    free(p->packed.at);
    free(p);
}

static void make_room(struct buf_space *s, size_t bytes)
{
    if (s->room >= bytes)
        return;
    free(s->at);
    s->at = mem_new(bytes, 1);
    s->room = bytes;
}

/* Predictor 2 (TIFF 6.0, section 14): each sample less the one of the same channel before it. */
#define PREDICT(name, type)                                                                                  \
    static void name(type *restrict to, const type *restrict from, size_t samples, size_t channels)          \
    {                                                                                                        \
        for (size_t i = 0; i < channels; i++)                                                                \
            to[i] = from[i];                                                                                 \
        for (size_t i = channels; i < samples; i++)                                                          \
            to[i] = (type)(from[i] - from[i - channels]);                                                    \
    }

PREDICT(predict_u8, uint8_t)
PREDICT(predict_u16, uint16_t)

static void predict(uint8_t *to, const struct image *im, int y, int rows)
{
    const size_t channels = (size_t)im->channels, samples = (size_t)im->width * channels;

    for (int k = 0; k < rows; k++) {
        const size_t from = (size_t)(y + k) * samples, at = (size_t)k * samples;
        if (im->type == IMAGE_U8)
            predict_u8(to + at, image_u8(im) + from, samples, channels);
        else
            predict_u16((uint16_t *)(void *)to + at, image_u16(im) + from, samples, channels);
    }
}

void *tiff_pack_rows(struct tiff_pack *p, const struct image *im, int y, int rows, size_t *n)
{
    const size_t bytes = image_bytes(im) / (size_t)im->height * (size_t)rows;
    struct isal_zstream *s = &p->stream;

    make_room(&p->predicted, bytes);
    make_room(&p->packed,
              bytes + bytes / 8 + 1024); /* what does not shrink is stored, with a little around */
    predict(p->predicted.at, im, y, rows);
    isal_deflate_stateless_init(s);
    s->level = LEVEL;
    s->level_buf = p->level;
    s->level_buf_size = sizeof p->level;
    s->gzip_flag = IGZIP_ZLIB;
    s->end_of_stream = 1;
    s->flush = NO_FLUSH;
    s->next_in = p->predicted.at;
    s->avail_in = (uint32_t)bytes;
    s->next_out = p->packed.at;
    s->avail_out = (uint32_t)p->packed.room;
    if (isal_deflate_stateless(s) != COMP_OK)
        return NULL;
    *n = s->total_out;
    return p->packed.at;
}
