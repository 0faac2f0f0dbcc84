// io/dicom.cc: DCMTK behind three C functions. The one file in C++, because DCMTK is.
#include <dcmtk/config/osconfig.h>
#include <dcmtk/dcmdata/dctk.h>
#include <dcmtk/dcmdata/dccodec.h>
#include <dcmtk/dcmdata/dcistrmb.h>
#include <dcmtk/dcmdata/dcpixel.h>
#include <dcmtk/dcmdata/dcpixseq.h>
#include <dcmtk/dcmdata/dcpxitem.h>
#include <dcmtk/dcmdata/dcrledrg.h>
#include <dcmtk/dcmdata/dcrleerg.h>
#include <dcmtk/dcmjpeg/djdecode.h>
#include <dcmtk/dcmjpls/djdecode.h>
#include <dcmtk/oflog/oflog.h>

#include "io/dicom_parts.h"
#include "io/jpeg2000.h"
extern "C" {
#include "io/formats.h"
}

#include <climits>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>

namespace
{

enum field_kind { TEXT, INTEGER, REAL };

// In the order they are tried: a field that has a value keeps it.
struct field {
    Uint16 group, element;
    field_kind kind;
    size_t offset;
    unsigned position; // which of several values, for numbers
    bool deep;         // also inside sequences (the functional groups of multi-frame images)
};

#define AT(member) offsetof(struct dicom_info, member)
const field FIELDS[] = {
    {0x0002, 0x0010, TEXT, AT(transfer_syntax), 0, false},
    {0x0008, 0x0018, TEXT, AT(instance_uid), 0, false},
    {0x0008, 0x0060, TEXT, AT(modality), 0, false},
    {0x0008, 0x103e, TEXT, AT(series_description), 0, false},
    {0x0010, 0x0020, TEXT, AT(patient_id), 0, false},
    {0x0018, 0x1164, REAL, AT(imager_pixel_spacing_mm[0]), 0, true},
    {0x0018, 0x1164, REAL, AT(imager_pixel_spacing_mm[1]), 1, true},
    {0x0018, 0x5101, TEXT, AT(view_position), 0, false},
    {0x0020, 0x000d, TEXT, AT(study_uid), 0, false},
    {0x0020, 0x000e, TEXT, AT(series_uid), 0, false},
    {0x0020, 0x0013, INTEGER, AT(instance_number), 0, false},
    {0x0020, 0x0020, TEXT, AT(patient_orientation), 0, false},
    {0x0020, 0x0060, TEXT, AT(laterality), 0, false},
    {0x0020, 0x0062, TEXT, AT(laterality), 0, false},
    {0x0020, 0x9072, TEXT, AT(laterality), 0, true},
    {0x0028, 0x0002, INTEGER, AT(samples), 0, false},
    {0x0028, 0x0004, TEXT, AT(photometric), 0, false},
    {0x0028, 0x0008, INTEGER, AT(frames), 0, false},
    {0x0028, 0x0010, INTEGER, AT(rows), 0, false},
    {0x0028, 0x0011, INTEGER, AT(columns), 0, false},
    {0x0028, 0x0030, REAL, AT(pixel_spacing_mm[0]), 0, true},
    {0x0028, 0x0030, REAL, AT(pixel_spacing_mm[1]), 1, true},
    {0x0028, 0x0100, INTEGER, AT(bits_allocated), 0, false},
    {0x0028, 0x0101, INTEGER, AT(bits_stored), 0, false},
    {0x0028, 0x0102, INTEGER, AT(high_bit), 0, false},
    {0x0028, 0x0103, INTEGER, AT(is_signed), 0, false},
    {0x0028, 0x1050, REAL, AT(window_center), 0, true},
    {0x0028, 0x1051, REAL, AT(window_width), 0, true},
    {0x0028, 0x1052, REAL, AT(rescale_intercept), 0, true},
    {0x0028, 0x1053, REAL, AT(rescale_slope), 0, true},
    {0x0028, 0x1056, TEXT, AT(voi_function), 0, true},
};
#undef AT

enum coding { NATIVE, ENCAPSULATED, JPEG2000 };

const struct {
    const char *uid;
    enum coding coding;
} SYNTAXES[] = {
    {UID_LittleEndianImplicitTransferSyntax, NATIVE},
    {UID_LittleEndianExplicitTransferSyntax, NATIVE},
    {UID_BigEndianExplicitTransferSyntax, NATIVE},
    {UID_DeflatedExplicitVRLittleEndianTransferSyntax, NATIVE},
    {UID_RLELosslessTransferSyntax, ENCAPSULATED},
    {UID_JPEGProcess1TransferSyntax, ENCAPSULATED},
    {UID_JPEGProcess2_4TransferSyntax, ENCAPSULATED},
    {UID_JPEGProcess14TransferSyntax, ENCAPSULATED},
    {UID_JPEGProcess14SV1TransferSyntax, ENCAPSULATED},
    {UID_JPEGLSLosslessTransferSyntax, ENCAPSULATED},
    {UID_JPEGLSLossyTransferSyntax, ENCAPSULATED},
    {UID_JPEG2000LosslessOnlyTransferSyntax, JPEG2000}, // never given to DCMTK's codecs
    {UID_JPEG2000TransferSyntax, JPEG2000},
};

bool fail(const OFCondition &c, struct err *err)
{
    if (c == EC_MemoryExhausted)
        return err_set(err, ERR_LIMIT, "DICOM file asks for more memory than it may have");
    if (c == EC_InvalidStream || c == EC_EndOfStream || c == EC_StreamNotifyClient ||
        c == EC_SequDelimitationItemMissing || c == EC_ItemDelimitationItemMissing)
        return err_set(err, ERR_FORMAT, "truncated DICOM");
    return err_set(err, ERR_FORMAT, "damaged DICOM: %s", c.text());
}

// DICOM pads texts with a space or a NUL.
void text_set(char *to, const OFString &from)
{
    size_t begin = 0, end = from.length(), used = 0;

    while (end > 0 && (from[end - 1] == ' ' || from[end - 1] == '\0'))
        end--;
    while (begin < end && from[begin] == ' ')
        begin++;
    for (size_t i = begin; i < end; i++) {
        const unsigned char c = (unsigned char)from[i];
        char piece[8];
        const int n = snprintf(piece, sizeof piece, c >= ' ' && c < 0x7f ? "%c" : "\\x%02X", c);
        if (used + (size_t)n >= DICOM_TEXT)
            break;
        memcpy(to + used, piece, (size_t)n);
        used += (size_t)n;
    }
    to[used] = '\0';
}

// Numbers by way of their text: any VR will do, and a missing element is no zero.
void field_read(struct dicom_info *info, const field &f, DcmItem *from)
{
    const DcmTagKey key(f.group, f.element);
    void *to = (char *)info + f.offset;
    OFString text;

    if (f.kind == TEXT) {
        if (!*(char *)to && from->findAndGetOFStringArray(key, text, f.deep).good())
            text_set((char *)to, text);
        return;
    }
    if (from->findAndGetOFString(key, text, f.position, f.deep).bad() || text.empty())
        return;
    const double value =
        strtod(text.c_str(), NULL); // not-a-number where the text is nonsense cannot come of DICOM
    if (f.kind == REAL && value > -1e30 && value < 1e30)
        *(double *)to = value;
    else if (f.kind == INTEGER && value >= -2147483647. && value <= 2147483647.)
        *(int *)to = (int)value;
}

void info_read(struct dicom_info *info, DcmFileFormat &file)
{
    memset(info, 0, sizeof *info);
    info->frames = info->samples = 1;
    info->rescale_slope = 1;
    for (const field &f : FIELDS) {
        DcmItem *from = f.group == 2 ? (DcmItem *)file.getMetaInfo() : (DcmItem *)file.getDataset();
        if (from)
            field_read(info, f, from);
    }
    if (!info->transfer_syntax[0])
        text_set(info->transfer_syntax, DcmXfer(file.getDataset()->getOriginalXfer()).getXferID());
    if (info->frames < 1)
        info->frames = 1;
    if (info->window_width < 0)
        info->window_width = 0;
}

// With end only up to the pixel data: *end is then behind their tag and length.
bool load(DcmFileFormat &file, const struct dicom_bytes *from, size_t *end, struct err *err)
{
    DcmInputBufferStream stream;

    stream.setBuffer(from->data, (offile_off_t)from->n);
    stream.setEos();
    file.transferInit();
    const OFCondition c =
        end ? file.readUntilTag(stream, EXS_Unknown, EGL_noChange, DCM_MaxReadLength, DcmTagKey(0x7fe0, 0))
            : file.read(stream, EXS_Unknown, EGL_noChange, DCM_MaxReadLength);
    file.transferEnd();
    if (end)
        *end = (size_t)stream.tell();
    return c.good() || fail(c, err);
}

bool size_check(const struct dicom_info *info, struct err *err)
{
    if (info->rows == 0 && info->columns == 0)
        return err_set(err, ERR_FORMAT, "DICOM file without an image");
    return format_size_ok((uint32_t)info->columns, (uint32_t)info->rows, err);
}

// Repairs what old files get wrong, refuses what is not a grey image of at most 16 bits.
bool layout_check(struct dicom_info *info, int frame, struct err *err)
{
    if (info->samples != 1)
        return err_set(err, ERR_FORMAT, "DICOM in colour (%d samples a pixel), only grey is read",
                       info->samples);
    if (info->photometric[0] && strncmp(info->photometric, "MONOCHROME", 10) != 0)
        return err_set(err, ERR_FORMAT, "DICOM with photometric interpretation %s, only grey is read",
                       info->photometric);
    if (info->bits_allocated != 8 && info->bits_allocated != 16)
        return err_set(err, ERR_FORMAT, "DICOM with %d bits allocated, only 8 and 16 are read",
                       info->bits_allocated);
    if (info->bits_stored < 1 || info->bits_stored > info->bits_allocated)
        info->bits_stored = info->bits_allocated;
    if (info->high_bit < info->bits_stored - 1 || info->high_bit >= info->bits_allocated)
        info->high_bit = info->bits_stored - 1;
    if (frame < 0 || frame >= info->frames)
        return err_set(err, ERR_INPUT, "no frame %d, the file has %d", frame + 1, info->frames);
    return true;
}

bool coding_of(enum coding *out, const struct dicom_info *info, struct err *err)
{
    for (const auto &s : SYNTAXES) {
        if (strcmp(s.uid, info->transfer_syntax) == 0) {
            *out = s.coding;
            return true;
        }
    }
    return err_set(err, ERR_FORMAT, "DICOM with transfer syntax %s is not read", info->transfer_syntax);
}

// An image around bytes from malloc.
void words_set(struct image *words, const struct dicom_info *info, void *bytes)
{
    words->width = info->columns;
    words->height = info->rows;
    words->channels = 1;
    words->type = info->bits_allocated == 8 ? IMAGE_U8 : IMAGE_U16;
    words->data = bytes;
}

// A frame among fragments that no table tells apart is found by way of all before it.
OFCondition frame_get(DcmElement *element, DcmDataset *data, int frame, void *buffer, Uint32 room)
{
    Uint32 fragment = 0;
    OFString color;

    OFCondition c = element->getUncompressedFrame(data, (Uint32)frame, fragment, buffer, room, color);
    if (c.good() || frame == 0)
        return c;
    fragment = 0;
    c = EC_Normal;
    for (int i = 0; i <= frame && c.good(); i++)
        c = element->getUncompressedFrame(data, (Uint32)i, fragment, buffer, room, color);
    return c;
}

bool frame_by_dcmtk(struct image *words, const struct dicom_info *info, DcmDataset *data, int frame,
                    struct err *err)
{
    const size_t wanted = (size_t)info->rows * (size_t)info->columns * (size_t)(info->bits_allocated / 8);
    const size_t room = wanted + (wanted & 1); // the pad byte to an even length
    DcmElement *element = NULL;
    Uint32 bytes = 0;

    OFCondition c = data->findAndGetElement(DCM_PixelData, element);
    if (c.good())
        c = element->getUncompressedFrameSize(data, bytes);
    if (c.bad())
        return fail(c, err);
    if (bytes != wanted)
        return err_set(err, ERR_FORMAT, "damaged DICOM: frames of %u bytes instead of %zu", (unsigned)bytes,
                       wanted);
    void *buffer = calloc(room, 1);
    if (!buffer)
        return fail(EC_MemoryExhausted, err);
    c = frame_get(element, data, frame, buffer, (Uint32)room);
    if (c.bad()) {
        free(buffer);
        return fail(c, err);
    }
    words_set(words, info, buffer);
    return true;
}

bool frame_native(struct image *words, const struct dicom_info *info, DcmDataset *data, int frame,
                  struct err *err)
{
    const size_t one = (size_t)info->rows * (size_t)info->columns * (size_t)(info->bits_allocated / 8);
    DcmElement *element = NULL;

    const OFCondition c = data->findAndGetElement(DCM_PixelData, element);
    if (c.bad())
        return fail(c, err);
    if (element->getLengthField() / one <= (size_t)frame)
        return err_set(err, ERR_FORMAT, "truncated DICOM: %u bytes of pixel data, frame %d ends at %zu",
                       (unsigned)element->getLengthField(), frame + 1, one * ((size_t)frame + 1));
    return frame_by_dcmtk(words, info, data, frame, err);
}

// The frame's fragments [*begin, *end) in the sequence of pixel items; item 0 is the offset table.
OFCondition fragments_find(DcmPixelSequence *items, const struct dicom_info *info, int frame, Uint32 *begin,
                           Uint32 *end)
{
    OFCondition c = DcmCodec::determineStartFragment((Uint32)frame, info->frames, items, *begin);

    *end = (Uint32)items->card();
    if (c.good() && frame + 1 < info->frames)
        c = DcmCodec::determineStartFragment((Uint32)frame + 1, info->frames, items, *end);
    return c;
}

// One run of bytes from malloc out of the frame's fragments; NULL with a message on failure.
unsigned char *fragments_join(DcmPixelSequence *items, const Uint32 range[2], size_t *n, struct err *err)
{
    unsigned char *joined = NULL;

    *n = 0;
    for (Uint32 i = range[0]; i < range[1]; i++) {
        DcmPixelItem *item = NULL;
        Uint8 *bytes = NULL;
        OFCondition c = items->getItem(item, i);
        if (c.good())
            c = item->getUint8Array(bytes);
        const size_t length = c.good() && bytes ? item->getLength() : 0;
        void *more = realloc(joined, *n + length + 1);
        if (c.bad() || !more) {
            fail(c.bad() ? c : EC_MemoryExhausted, err);
            free(more ? more : joined);
            return NULL;
        }
        joined = (unsigned char *)more;
        if (length > 0)
            memcpy(joined + *n, bytes, length);
        *n += length;
    }
    if (!joined)
        err_set(err, ERR_FORMAT, "damaged DICOM: a frame without data");
    return joined;
}

// Samples of 8 bits allocated are narrowed in place. Takes j's samples.
bool words_from_jpeg2000(struct image *words, struct dicom_info *info, struct jpeg2000 *j, struct err *err)
{
    if (j->components != 1 || j->width != info->columns || j->height != info->rows ||
        j->bits > info->bits_allocated) {
        free(j->samples);
        return err_set(
            err, ERR_FORMAT,
            "damaged DICOM: its JPEG 2000 image has %d x %d pixels of %d x %d bits, the header says %d x %d "
            "of 1 x %d",
            j->width, j->height, j->components, j->bits, info->columns, info->rows, info->bits_allocated);
    }
    info->bits_stored = j->bits;
    info->high_bit = j->bits - 1;
    if (info->bits_allocated == 8) {
        unsigned char *narrow = (unsigned char *)j->samples;
        const size_t n = (size_t)j->width * (size_t)j->height;
        for (size_t i = 0; i < n; i++)
            narrow[i] = (unsigned char)j->samples[i];
    }
    words_set(words, info, j->samples);
    return true;
}

bool frame_jpeg2000(struct image *words, struct dicom_info *info, DcmDataset *data, int frame,
                    struct err *err)
{
    DcmElement *element = NULL;
    DcmPixelSequence *items = NULL;
    E_TransferSyntax syntax = EXS_Unknown;
    const DcmRepresentationParameter *parameter = NULL;
    Uint32 range[2] = {0, 0};
    struct jpeg2000 j = {};
    size_t n = 0;

    OFCondition c = data->findAndGetElement(DCM_PixelData, element);
    if (c.bad())
        return fail(c, err);
    DcmPixelData *pixels = OFdynamic_cast(DcmPixelData *, element);
    if (!pixels)
        return err_set(err, ERR_FORMAT, "damaged DICOM: pixel data of another kind");
    pixels->getOriginalRepresentationKey(syntax, parameter);
    c = pixels->getEncapsulatedRepresentation(syntax, parameter, items);
    if (c.good() && items)
        c = fragments_find(items, info, frame, &range[0], &range[1]);
    if (c.bad() || !items)
        return fail(c.bad() ? c : EC_CannotChangeRepresentation, err);
    unsigned char *stream = fragments_join(items, range, &n, err);
    if (!stream)
        return false;
    const bool ok = jpeg2000_decode(&j, stream, n, err) && words_from_jpeg2000(words, info, &j, err);
    free(stream);
    return ok;
}

bool pixels_read(struct image *words, struct dicom_info *info, DcmDataset *data, int frame, struct err *err)
{
    enum coding coding = NATIVE;

    if (!coding_of(&coding, info, err) || !layout_check(info, frame, err))
        return false;
    if (!data->tagExists(DCM_PixelData))
        return err_set(err, ERR_FORMAT, "DICOM file without pixel data");
    switch (coding) {
    case NATIVE:
        return frame_native(words, info, data, frame, err);
    case ENCAPSULATED:
        return frame_by_dcmtk(words, info, data, frame, err);
    default:
        return frame_jpeg2000(words, info, data, frame, err);
    }
}

bool parse(struct dicom_info *out, struct image *words, const struct dicom_bytes *from, int frame,
           struct err *err)
{
    DcmFileFormat file, whole;
    struct dicom_info info;
    struct image im = IMAGE_INIT;
    size_t end;

    if (!load(file, from, words ? NULL : &end, err))
        return false;
    info_read(&info, file);
    // Where elements are not in order, the header may go on behind what looks like its end.
    if (!words && info.rows == 0 && info.columns == 0 && load(whole, from, NULL, NULL))
        info_read(&info, whole);
    if (!size_check(&info, err) || (words && !pixels_read(&im, &info, file.getDataset(), frame, err)))
        return false;
    if (words)
        image_move(words, &im);
    *out = info;
    return true;
}

size_t u32_at(const unsigned char *p)
{
    return p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
}

// True when the value that begins at at is pixel data of this many bytes and the last of the file.
bool is_last_pixels(const struct dicom_bytes *file, size_t at, size_t head, size_t bytes)
{
    const unsigned char *p = (const unsigned char *)file->data + at;

    return head <= at && at <= file->n && file->n - at == bytes && u32_at(p - 4) == bytes &&
           memcmp(p - head, "\xe0\x7f\x10\0", 4) == 0 &&
           (head == 8 || memcmp(p - 8, "OW\0\0", 4) == 0 || memcmp(p - 8, "OB\0\0", 4) == 0);
}

// What DCMTK wants to see before it gives pixels, and info_read could do without.
bool is_complete(DcmDataset *data)
{
    const DcmTagKey numbers[] = {DCM_SamplesPerPixel,    DCM_Rows,       DCM_Columns,
                                 DCM_BitsAllocated,      DCM_BitsStored, DCM_HighBit,
                                 DCM_PixelRepresentation};
    OFString photometric;
    Uint16 number;

    for (const DcmTagKey &key : numbers)
        if (data->findAndGetUint16(key, number).bad())
            return false;
    return data->findAndGetOFString(DCM_PhotometricInterpretation, photometric).good();
}

// Elements of one byte order that lie open in the file.
bool is_open(const struct dicom_info *info, bool *is_implicit)
{
    *is_implicit = strcmp(info->transfer_syntax, UID_LittleEndianImplicitTransferSyntax) == 0;
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ &&
           (*is_implicit || strcmp(info->transfer_syntax, UID_LittleEndianExplicitTransferSyntax) == 0);
}

bool find(struct dicom_info *out, struct dicom_place *place, const struct dicom_bytes *from, int frame)
{
    DcmFileFormat file;
    struct dicom_info info;
    size_t at = 0;
    bool is_implicit = false;

    if (!load(file, from, &at, NULL))
        return false;
    info_read(&info, file);
    if (!is_open(&info, &is_implicit) || !is_complete(file.getDataset()) || !size_check(&info, NULL) ||
        !layout_check(&info, frame, NULL))
        return false;
    const size_t one = (size_t)info.rows * (size_t)info.columns * (size_t)(info.bits_allocated / 8);
    const size_t all = one * (size_t)info.frames;
    if (!is_last_pixels(from, at, is_implicit ? 8 : 12, all + (all & 1)))
        return false;
    *place = (struct dicom_place){at + one * (size_t)frame, one};
    *out = info;
    return true;
}

// ---- writing ----

// What every file of ours says: (0008,0016) SOP class and so on, empty where the standard wants the element.
const struct {
    Uint16 group, element;
    const char *value;
} FIXED[] = {
    {0x0008, 0x0005, "ISO_IR 100"}, {0x0008, 0x0016, UID_SecondaryCaptureImageStorage},
    {0x0008, 0x0020, "20160720"}, // study and content dates as the archive has them, the same for all
    {0x0008, 0x0023, "20160426"},   {0x0008, 0x0030, ""},
    {0x0008, 0x0050, ""},           {0x0008, 0x0064, "WSD"},
    {0x0008, 0x0090, ""},           {0x0010, 0x0030, ""},
    {0x0010, 0x0040, ""},           {0x0018, 0x0015, "BREAST"},
    {0x0020, 0x0010, "DDSM"},       {0x0020, 0x0011, "1"},
};

// The element's value as text; false where there is nothing to write.
bool field_text(char text[DICOM_TEXT], const struct dicom_info *info, const field &f)
{
    const char *from = (const char *)info + f.offset;
    const bool is_pair = f.offset == offsetof(struct dicom_info, pixel_spacing_mm[0]) ||
                         f.offset == offsetof(struct dicom_info, imager_pixel_spacing_mm[0]);
    const bool is_window = f.element == 0x1050 || f.element == 0x1051;
    const bool is_rescale = f.element == 0x1052 || f.element == 0x1053;

    if (f.kind == TEXT) {
        snprintf(text, DICOM_TEXT, "%s", from);
        return *text != '\0';
    }
    if (f.kind == INTEGER) {
        snprintf(text, DICOM_TEXT, "%d", *(const int *)from);
        return f.offset != offsetof(struct dicom_info, frames) && (f.group == 0x0028 || *(const int *)from);
    }
    const double *value = (const double *)from;
    snprintf(text, DICOM_TEXT, is_pair ? "%.10g\\%.10g" : "%.10g", value[0], is_pair ? value[1] : 0.);
    if (is_rescale)
        return info->rescale_slope != 0 && (info->rescale_slope != 1 || info->rescale_intercept != 0);
    return is_window ? info->window_width > 0 : is_pair && value[0] > 0;
}

// Alternative places of a field and second values of a pair are left to the first.
OFCondition fields_write(DcmDataset *data, const struct dicom_info *info)
{
    OFCondition c = EC_Normal;
    char text[DICOM_TEXT];

    for (const auto &f : FIXED)
        if (c.good())
            c = data->putAndInsertString(DcmTag(f.group, f.element), f.value);
    for (const field &f : FIELDS) {
        const DcmTag tag(f.group, f.element);
        const bool taken = &f != FIELDS && f.offset == (&f - 1)->offset;
        if (c.good() && f.group != 2 && f.position == 0 && !taken && field_text(text, info, f))
            c = data->putAndInsertString(tag, text);
    }
    return c.good() ? data->putAndInsertString(DCM_PatientName, info->patient_id) : c;
}

OFCondition pixels_write(DcmDataset *data, const struct image *words)
{
    const unsigned long n = (unsigned long)image_pixels(words);

    return words->type == IMAGE_U8 ? data->putAndInsertUint8Array(DCM_PixelData, image_u8(words), n)
                                   : data->putAndInsertUint16Array(DCM_PixelData, image_u16(words), n);
}

bool save(const char *path, const struct image *words, const struct dicom_info *info, const char *comment,
          struct err *err)
{
    const E_TransferSyntax syntax = DcmXfer(info->transfer_syntax).getXfer();
    enum coding coding = NATIVE;
    DcmFileFormat file;
    DcmDataset *data = file.getDataset();

    if (!coding_of(&coding, info, NULL) || (coding != NATIVE && syntax != EXS_RLELossless))
        return err_set(err, ERR_INPUT, "DICOM with transfer syntax %s is not written", info->transfer_syntax);
    OFCondition c = fields_write(data, info);
    if (c.good() && comment)
        c = data->putAndInsertString(DCM_ImageComments, comment);
    if (c.good())
        c = pixels_write(data, words);
    if (c.good())
        c = data->chooseRepresentation(syntax, NULL);
    if (c.good())
        c = file.saveFile(path, syntax);
    return c.good() || err_set(err, ERR_IO, "DICOM file cannot be written: %s", c.text());
}

} // namespace

void dicom_library_start(void)
{
    static const bool started = [] { // once, whichever thread comes first
        OFLog::configure(OFLogger::OFF_LOG_LEVEL);
        dcmDataDict.rdlock(); // loads it
        dcmDataDict.rdunlock();
        DcmRLEDecoderRegistration::registerCodecs();
        DcmRLEEncoderRegistration::registerCodecs();
        DJDecoderRegistration::registerCodecs();
        DJLSDecoderRegistration::registerCodecs();
        return true;
    }();
    (void)started;
}

bool dicom_save(const char *path, const struct image *words, const struct dicom_info *info,
                const char *comment, struct err *err)
{
    dicom_library_start();
    try {
        return save(path, words, info, comment, err);
    } catch (const std::bad_alloc &) {
        return err_set(err, ERR_LIMIT, "not enough memory to write a DICOM file");
    }
}

bool dicom_find(struct dicom_info *info, struct dicom_place *place, const struct dicom_bytes *file, int frame)
{
    dicom_library_start();
    try {
        return dicom_is_likely(file->data, file->n) && find(info, place, file, frame);
    } catch (...) {
        return false;
    }
}

bool dicom_parse(struct dicom_info *info, struct image *words, const struct dicom_bytes *file, int frame,
                 struct err *err)
{
    dicom_library_start();
    if (!dicom_is_likely(file->data, file->n))
        return err_set(err, ERR_FORMAT, file->n > 0 ? "not a DICOM file" : "empty file");
    try {
        return parse(info, words, file, frame, err);
    } catch (const std::bad_alloc &) {
        return fail(EC_MemoryExhausted, err);
    } catch (...) {
        return err_set(err, ERR_FORMAT, "damaged DICOM");
    }
}
