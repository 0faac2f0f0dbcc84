/* Any bytes given to the DICOM reader, in this very process (the program gives them to a child). What is read
 * must be a whole image of the size and the bits the header tells, in all tones; what is not must be told in
 * one line. (The header read alone may differ: in a file whose elements are out of order it ends earlier.) */
#include "io/dicom_parts.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static void check_told(const struct err *err)
{
    assert(err->kind != ERR_NONE && err->text[0] && !strchr(err->text, '\n'));
}

static void check_tone(const struct image *words, const struct dicom_info *info, enum dicom_tone tone)
{
    struct image im = IMAGE_INIT;
    const bool narrow = tone == DICOM_DISPLAY || (tone == DICOM_GREY && info->bits_stored <= 8);

    assert(image_copy(&im, words, NULL));
    dicom_tone_apply(&im, info, tone);
    assert(im.type == (narrow ? IMAGE_U8 : words->type));
    image_release(&im);
}

/* What is found without being parsed must be what parsing gives. */
static void check_found(const struct dicom_bytes *file, const struct image *words,
                        const struct dicom_info *info)
{
    struct dicom_place place;
    struct dicom_info found;

    if (!dicom_find(&found, &place, file, 0))
        return;
    assert(words->data && !memcmp(&found, info, sizeof found) && place.bytes == image_bytes(words));
    assert(!memcmp((const char *)file->data + place.begin, words->data, place.bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    const struct dicom_bytes file = {bytes, n};
    struct dicom_info info, told;
    struct image im = IMAGE_INIT;
    struct err err = ERR_INIT;

    if (!dicom_parse(&told, NULL, &file, 0, &err))
        check_told(&err);
    err = (struct err)ERR_INIT;
    if (dicom_parse(&info, &im, &file, 0, &err)) {
        assert(im.width == info.columns && im.height == info.rows && im.channels == 1);
        assert(info.bits_stored >= 1 && info.bits_stored <= info.bits_allocated);
        assert(info.high_bit >= info.bits_stored - 1 && info.high_bit < info.bits_allocated);
        check_tone(&im, &info, DICOM_GREY);
        check_tone(&im, &info, DICOM_RAW);
        check_tone(&im, &info, DICOM_DISPLAY);
    } else {
        assert(!im.data);
        check_told(&err);
    }
    check_found(&file, &im, &info);
    image_release(&im);
    return 0;
}
