/* io/jpeg2000.c: OpenJPEG, from memory, printing nothing. */
#include "io/jpeg2000.h"

#include <openjpeg.h>
#include <stdlib.h>
#include <string.h>

struct source {
    const unsigned char *bytes;
    size_t n, at;
    char message[160]; /* the library's first complaint */
};

static OPJ_SIZE_T source_read(void *to, OPJ_SIZE_T wanted, void *user)
{
    struct source *s = user;
    const size_t left = s->n - s->at, n = wanted < left ? wanted : left;

    if (n == 0)
        return (OPJ_SIZE_T)-1;
    memcpy(to, s->bytes + s->at, n);
    s->at += n;
    return n;
}

static OPJ_OFF_T source_skip(OPJ_OFF_T count, void *user)
{
    struct source *s = user;

    if (count < 0 || (size_t)count > s->n - s->at)
        return -1;
    s->at += (size_t)count;
    return count;
}

static OPJ_BOOL source_seek(OPJ_OFF_T to, void *user)
{
    struct source *s = user;

    if (to < 0 || (size_t)to > s->n)
        return OPJ_FALSE;
    s->at = (size_t)to;
    return OPJ_TRUE;
}

static void on_error(const char *message, void *user)
{
    struct source *s = user;

    if (!s->message[0]) {
        strncpy(s->message, message, sizeof s->message - 1);
        s->message[strcspn(s->message, "\n")] = '\0';
    }
}

static void on_message(const char *message, void *user)
{
    (void)message;
    (void)user;
}

static opj_stream_t *stream_new(struct source *s)
{
    opj_stream_t *stream = opj_stream_create(1 << 16, OPJ_TRUE);

    if (!stream)
        return NULL;
    opj_stream_set_user_data(stream, s, NULL);
    opj_stream_set_user_data_length(stream, s->n);
    opj_stream_set_read_function(stream, source_read);
    opj_stream_set_skip_function(stream, source_skip);
    opj_stream_set_seek_function(stream, source_seek);
    return stream;
}

static opj_codec_t *codec_new(struct source *s)
{
    static const unsigned char JP2[12] = {0, 0, 0, 12, 'j', 'P', ' ', ' ', '\r', '\n', 0x87, '\n'};
    const bool boxed = s->n >= sizeof JP2 && memcmp(s->bytes, JP2, sizeof JP2) == 0;
    opj_codec_t *codec = opj_create_decompress(boxed ? OPJ_CODEC_JP2 : OPJ_CODEC_J2K);
    opj_dparameters_t parameters;

    if (!codec)
        return NULL;
    opj_set_error_handler(codec, on_error, s);
    opj_set_warning_handler(codec, on_message, s);
    opj_set_info_handler(codec, on_message, s);
    opj_set_default_decoder_parameters(&parameters);
    if (!opj_setup_decoder(codec, &parameters) || !opj_decoder_set_strict_mode(codec, OPJ_TRUE)) {
        opj_destroy_codec(codec);
        return NULL;
    }
    return codec;
}

static bool samples_take(struct jpeg2000 *out, const opj_image_t *im, struct err *err)
{
    const opj_image_comp_t *c = im->numcomps > 0 ? &im->comps[0] : NULL;

    if (!c || !c->data || c->w < 1 || c->h < 1 || c->w > 65535 || c->h > 65535)
        return err_set(err, ERR_FORMAT, "damaged JPEG 2000: no samples");
    if (c->prec < 1 || c->prec > 16)
        return err_set(err, ERR_FORMAT, "JPEG 2000 with %u bits a sample, at most 16 are read", c->prec);
    const size_t n = (size_t)c->w * c->h;
    uint16_t *samples = malloc(n * sizeof *samples);
    if (!samples)
        return err_set(err, ERR_LIMIT, "not enough memory for a JPEG 2000 image of %u x %u pixels", c->w,
                       c->h);
    for (size_t i = 0; i < n; i++)
        samples[i] = (uint16_t)c->data[i];
    *out = (struct jpeg2000){(int)c->w, (int)c->h, (int)c->prec, c->sgnd != 0, (int)im->numcomps, samples};
    return true;
}

bool jpeg2000_decode(struct jpeg2000 *out, const void *bytes, size_t n, struct err *err)
{
    struct source s = {.bytes = bytes, .n = n};
    opj_stream_t *stream = stream_new(&s);
    opj_codec_t *codec = codec_new(&s);
    opj_image_t *im = NULL;
    bool ok = false;

    if (!stream || !codec) {
        err_set(err, ERR_LIMIT, "not enough memory for JPEG 2000");
        goto out;
    }
    if (!opj_read_header(stream, codec, &im) || !opj_decode(codec, stream, im) ||
        !opj_end_decompress(codec, stream)) {
        err_set(err, ERR_FORMAT, "damaged JPEG 2000: %s", s.message[0] ? s.message : "cut short");
        goto out;
    }
    ok = samples_take(out, im, err);
out:
    if (im)
        opj_image_destroy(im);
    if (codec)
        opj_destroy_codec(codec);
    if (stream)
        opj_stream_destroy(stream);
    return ok;
}
