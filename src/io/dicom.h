/* io/dicom.h: grey images in DICOM files, read and written.
 *
 * Read are all transfer syntaxes a mammogram comes in: implicit and explicit little endian, explicit big
 * endian, deflated (1.2.840.10008.1.2, .1, .2, .1.99), RLE (.5), JPEG with 8 and 12 bits (.4.50, .4.51),
 * lossless JPEG
 * (.4.57, .4.70), JPEG-LS (.4.80, .4.81) and JPEG 2000 (.4.90, .4.91), with or without the 128 bytes and
 * "DICM" in front; 8 or 16 bits allocated, 1 to 16 stored, unsigned or signed; one frame of many. Colour,
 * palettes and packed bits are refused with a message that says so. Files without pixel data are refused by
 * dicom_read and told by dicom_read_info if they have a size.
 *
 * Every file is parsed in a child process (base/sandbox.h) with a limit of 2 GiB and 60 s: what crashes or
 * starves it fails alone. Uncompressed words that need no change are only found by the child, and copied from
 * the file by the caller. Not to be called in a process whose other threads use DCMTK themselves. */
#ifndef CLEARMASS_IO_DICOM_H
#define CLEARMASS_IO_DICOM_H

#ifdef __cplusplus
extern "C" {
#endif

#include "image/image.h"

enum { DICOM_TEXT = 264 };

/* What a file says of itself. Texts are "" and numbers 0 where it says nothing, unless told otherwise. Texts
 * are trimmed; several values keep the backslash between them; bytes outside printable ASCII become \xNN. */
struct dicom_info {
    char transfer_syntax[DICOM_TEXT]; /* UID */
    char modality[DICOM_TEXT];        /* "MG" */
    char patient_id[DICOM_TEXT];
    char series_description[DICOM_TEXT];
    char study_uid[DICOM_TEXT], series_uid[DICOM_TEXT], instance_uid[DICOM_TEXT];
    char laterality[DICOM_TEXT];          /* Laterality, else ImageLaterality, else FrameLaterality */
    char patient_orientation[DICOM_TEXT]; /* CBIS-DDSM has the view here: "CC" */
    char view_position[DICOM_TEXT];
    char photometric[DICOM_TEXT];  /* "MONOCHROME1", "MONOCHROME2", ... */
    char voi_function[DICOM_TEXT]; /* "LINEAR", "LINEAR_EXACT", "SIGMOID" or "" */
    int instance_number;
    int rows, columns, frames; /* frames is at least 1 */
    int samples;               /* of a pixel; 1 where not told */
    int bits_allocated, bits_stored, high_bit;
    int is_signed;                      /* PixelRepresentation */
    double pixel_spacing_mm[2];         /* between rows, between columns */
    double imager_pixel_spacing_mm[2];  /* at the detector */
    double window_center, window_width; /* the first of several; width 0: none */
    double rescale_slope;               /* 1 where not told */
    double rescale_intercept;
};

enum dicom_tone {
    /* For data sets, 0 black: the range the bits stored allow becomes the full range of the type, value by
     * value and alike for all files of those bits: U8 for up to 8 bits stored, else U16. 16 and 8 bits stay
     * as they are; 12 bits are multiplied by 65535 / 4095 and rounded. Signed values are moved up by half the
     * range first. MONOCHROME1 is turned round. Rescale and window are not applied. */
    DICOM_GREY,
    /* The stored values themselves, as two's complement where they are signed: U8 for 8 bits allocated, else
     * U16. Bits above and below the stored ones are gone. */
    DICOM_RAW,
    /* As a screen shows it: U8 after rescale and window (DICOM PS3.3 C.11.1 and C.11.2.1.2, C.11.2.1.3), the
     * smallest and largest value of the frame where there is no window; MONOCHROME1 turned round. Look-up
     * tables in the file (Modality LUT and VOI LUT sequences) are not applied. */
    DICOM_DISPLAY
};

struct dicom_options {
    int frame; /* from 0 */
    enum dicom_tone tone;
    char *sha256; /* NULL, or [FILE_SHA256_TEXT]: becomes the hash of the file when dicom_read succeeds */
};

/* out is replaced on success and untouched on failure; info may be NULL, options too (frame 0, DICOM_GREY).
 * The path is opened by another process: relative ones count from the folder the program was in when it made
 * the first worker. Errors carry the path. */
bool dicom_read(struct image *out, struct dicom_info *info, const char *path,
                const struct dicom_options *options, struct err *err);
/* What dicom_read tells, read up to the pixel data only. */
bool dicom_read_info(struct dicom_info *info, const char *path, struct err *err);

/* True when these first bytes of a file (256 are enough) are DICOM's: "DICM" at 128, or elements of group 2
 * or 8 at the very beginning in little endian. */
bool dicom_is_likely(const void *bytes, size_t n);
/* True when they have "DICM" at 128, which no other format's beginning in the 128 bytes before it changes:
 * DICOM leaves those to others, and some writers put a TIFF header there. */
bool dicom_is_marked(const void *bytes, size_t n);

/* Writes one frame: stored values as DICOM_RAW gives them, U8 or U16. What dicom_read then tells is what info
 * has, its texts, spacings, window, rescale and instance number; rows, columns, samples and bits_allocated
 * come from the image, high_bit is bits_stored - 1. bits_stored 0 means all bits, photometric "" MONOCHROME2,
 * transfer_syntax "" explicit little endian; the uncompressed ones (1.2.840.10008.1.2, .1, .2, .1.99) and RLE
 * (.5) are written. The three UIDs must be there (asserted); laterality goes to Laterality. The rest is as in
 * the archive's digitised films: a Secondary Capture, ConversionType WSD, BodyPartExamined BREAST,
 * PatientName as patient_id. comment becomes ImageComments; NULL for none. The same arguments give the same
 * bytes. From any thread, in this very process: not while another thread makes the first child process. */
bool dicom_write(const char *path, const struct image *words, const struct dicom_info *info,
                 const char *comment, struct err *err);

enum { DICOM_UID_TEXT = 65 };
/* A unique identifier that follows from a text: 2.25 and a UUID of its SHA-256 (DICOM PS3.5 B.2). */
void dicom_uid(char uid[DICOM_UID_TEXT], const char *text);

/* Makes child processes before they are needed; see sandbox_start. Never needed, but good before much memory
 * is taken. */
bool dicom_start(int workers, struct err *err);
/* Ends them; later calls make new ones. No call may be going on. */
void dicom_stop(void);

#ifdef __cplusplus
}
#endif
#endif
