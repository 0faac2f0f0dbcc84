/* io/dicom_write.c: DICOM files of our own. */
#include "io/dicom_parts.h"

#include "base/file.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A value beyond the stored bits would be another one when it is read. */
static bool bits_check(const struct image *words, int bits, struct err *err)
{
    const size_t n = image_pixels(words);
    unsigned all = 0;

    for (size_t i = 0; i < n; i++)
        all |= words->type == IMAGE_U8 ? image_u8(words)[i] : image_u16(words)[i];
    return all >> bits == 0 || err_set(err, ERR_INPUT, "the image has values over %d bits", bits);
}

static bool info_complete(struct dicom_info *i, const struct image *words, struct err *err)
{
    i->rows = words->height;
    i->columns = words->width;
    i->samples = 1;
    i->bits_allocated = words->type == IMAGE_U8 ? 8 : 16;
    if (i->bits_stored == 0)
        i->bits_stored = i->bits_allocated;
    if (i->bits_stored < 1 || i->bits_stored > i->bits_allocated)
        return err_set(err, ERR_INPUT, "%d bits stored, the image has %d", i->bits_stored, i->bits_allocated);
    i->high_bit = i->bits_stored - 1;
    if (!*i->photometric)
        strcpy(i->photometric, "MONOCHROME2");
    if (!*i->transfer_syntax)
        strcpy(i->transfer_syntax, "1.2.840.10008.1.2.1");
    return i->is_signed || bits_check(words, i->bits_stored, err);
}

bool dicom_write(const char *path, const struct image *words, const struct dicom_info *info,
                 const char *comment, struct err *err)
{
    struct dicom_info whole = *info;
    struct file_out o = FILE_OUT_INIT;

    assert(words->channels == 1 && words->type != IMAGE_F32);
    assert(*info->study_uid && *info->series_uid && *info->instance_uid);
    const bool ok = (info_complete(&whole, words, err) && file_out_begin(&o, path, false, err) &&
                     dicom_save(o.partial, words, &whole, comment, err)) ||
                    err_at(err, "%s", path);
    if (ok)
        return file_out_commit(&o, err);
    file_out_discard(&o);
    return false;
}

static unsigned digit_of(char hexadecimal)
{
    return (unsigned)(hexadecimal <= '9' ? hexadecimal - '0' : hexadecimal - 'a' + 10);
}

void dicom_uid(char uid[DICOM_UID_TEXT], const char *text)
{
    enum { DIGITS = 39, VERSION = 8 }; /* of 128 bits; of a UUID made as its maker likes (RFC 9562) */
    char hash[FILE_SHA256_TEXT], digit[DIGITS + 1] = "";
    unsigned __int128 value = 0;
    int at = DIGITS;

    file_sha256_bytes(text, strlen(text), hash);
    hash[12] = '0' + VERSION;
    hash[16] = "89ab"[digit_of(hash[16]) & 3]; /* the variant */
    for (int i = 0; i < 32; i++)
        value = value << 4 | digit_of(hash[i]);
    for (; value > 0; value /= 10)
        digit[--at] = (char)('0' + (int)(value % 10));
    snprintf(uid, DICOM_UID_TEXT, "2.25.%s", digit + at);
}
