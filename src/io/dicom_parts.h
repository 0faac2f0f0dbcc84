/* io/dicom_parts.h: inside io only (and for its tests): the parts of the DICOM reader and writer, in this
 * very process. */
#ifndef CLEARMASS_IO_DICOM_PARTS_H
#define CLEARMASS_IO_DICOM_PARTS_H

#include "io/dicom.h"

#ifdef __cplusplus
extern "C" {
#endif

struct dicom_bytes {
    const void *data;
    size_t n;
};

/* Loads DCMTK's dictionary and codecs, if that has not happened yet. */
void dicom_library_start(void);

/* Parses a file. With words, the frame's samples, too: U8 for 8 bits allocated and U16 for 16, as they lie in
 * the file (bits that are not stored ones are still there), in this machine's byte order. Without (NULL),
 * parsing ends before the pixel data. info->bits_stored and high_bit are those of a JPEG 2000 stream where it
 * says otherwise than the header. Both outputs are untouched on failure. */
bool dicom_parse(struct dicom_info *info, struct image *words, const struct dicom_bytes *file, int frame,
                 struct err *err);

/* Words that lie in the file as they are in memory. */
struct dicom_place {
    size_t begin, bytes;
};
/* Where a frame's words lie, and what the header says, without touching them. False, with nothing told, where
 * it is not so plain: another coding or order of bytes, a layout dicom_parse refuses, anything behind
 * the pixels or missing of them. Only dicom_parse tells then. */
bool dicom_find(struct dicom_info *info, struct dicom_place *place, const struct dicom_bytes *file,
                int frame);

/* Writes a file of words with everything info says, which is complete and agrees with them. */
bool dicom_save(const char *path, const struct image *words, const struct dicom_info *info,
                const char *comment, struct err *err);

/* Turns words as dicom_parse gives them into tones, in place. */
void dicom_tone_apply(struct image *words, const struct dicom_info *info, enum dicom_tone tone);
/* True when that would change no word, whatever the words are. */
bool dicom_tone_keeps(const struct dicom_info *info, enum dicom_tone tone);

#ifdef __cplusplus
}
#endif
#endif
