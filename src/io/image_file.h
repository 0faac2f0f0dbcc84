/* io/image_file.h: pictures in files: PNG, JPEG, TIFF and DICOM (grey, as DICOM_GREY of dicom.h has it).
 *
 * Formats are told by their first bytes, never by a name. What comes out is grey or RGB, 8 or 16 bits, 0
 * black: 16 bits keep every value; 1, 2 and 4 bits are stretched to 0..255; palettes become RGB, or grey
 * where every entry used is grey; alpha is dropped (what shows is the picture over black: colour times
 * alpha); white-is-zero TIFFs are turned round; tiled, striped and planar TIFFs are the same to the caller;
 * the first page of a TIFF. Gamma, colour profiles and orientation (EXIF or TIFF) are not applied: samples
 * come as they are stored. Refused with a clear message: CMYK, TIFFs with other compressions than none, LZW,
 * PackBits and deflate, samples of other widths or of floating point, sides over 65535, more than 400 million
 * pixels, files over 4 GiB. Sizes are checked before memory is asked for.
 *
 * Errors are one line; with a path in front where there was one: "a/b.png: truncated PNG". Nothing is ever
 * printed. */
#ifndef CLEARMASS_IO_IMAGE_FILE_H
#define CLEARMASS_IO_IMAGE_FILE_H

#include "base/buf.h"
#include "image/image.h"

/* out is replaced on success and untouched on failure. ERR_IO, ERR_FORMAT, ERR_LIMIT. */
bool image_read(struct image *out, const char *path, struct err *err);
/* The same for a file whose SHA-256 is known ("": it is not): ERR_INPUT where it is another one now. */
bool image_read_known(struct image *out, const char *path, const char *sha256, struct err *err);
/* The same from memory. */
bool image_decode(struct image *out, const void *bytes, size_t n, struct err *err);

/* What image_read would give, without decoding pixels. Palettes count as RGB. */
struct image_info {
    const char *format; /* "PNG", "JPEG", "TIFF" or "DICOM" */
    int width, height, channels;
    enum image_type type;
};
bool image_read_info(struct image_info *out, const char *path, struct err *err);
/* True when the first bytes of the file are those of a format we read. */
bool image_is_readable(const char *path);

/* Writers take U8 and U16 (JPEG: U8), grey or RGB. Files are written beside and renamed; the same pixels give
 * the same bytes (TIFF: nearly always, on the same kind of processor). */
bool png_write(const char *path, const struct image *im, struct err *err);
/* Appends to b. */
bool png_encode(struct buf *b, const struct image *im, struct err *err);
/* Deflate, strips, horizontal predictor; no resolution, no date. */
bool tiff_write(const char *path, const struct image *im, struct err *err);
/* Appends to b. */
bool tiff_encode(struct buf *b, const struct image *im, struct err *err);
/* Appends to b. quality 1..100. For pages only: it loses. */
bool jpeg_encode(struct buf *b, const struct image *im, int quality, struct err *err);

#endif
