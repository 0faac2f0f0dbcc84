/* io/dicom: files of our own, read back by ourselves, byte by byte, and by pydicom where it is installed. */
#include "test_io_help.h"

#include "base/file.h"
#include "io/dicom.h"

#include <errno.h>

#define IMPLICIT "1.2.840.10008.1.2"
#define EXPLICIT "1.2.840.10008.1.2.1"
#define BIG      "1.2.840.10008.1.2.2"
#define DEFLATED "1.2.840.10008.1.2.1.99"
#define RLE      "1.2.840.10008.1.2.5"

static const char *const SYNTAXES[] = {IMPLICIT, EXPLICIT, BIG, DEFLATED, RLE};
enum { N_SYNTAXES = sizeof SYNTAXES / sizeof *SYNTAXES };

static char folder[64];

static const char *path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static struct dicom_info example(const char *syntax)
{
    struct dicom_info i = {.modality = "MG",
                           .patient_id = "Mass-Test_P_00001_RIGHT_MLO_1",
                           .series_description = "ROI mask images",
                           .study_uid = "1.2.3.4",
                           .series_uid = "1.2.3.4.5",
                           .instance_uid = "1.2.3.4.5.6",
                           .laterality = "R",
                           .patient_orientation = "MLO",
                           .instance_number = 2,
                           .rescale_slope = 1};

    strcpy(i.transfer_syntax, syntax);
    return i;
}

static void must_write(const char *path, const struct image *im, const struct dicom_info *info)
{
    struct err err = ERR_INIT;

    if (!dicom_write(path, im, info, "drawn, nobody's breast", &err))
        fail_msg("%s", err.text);
}

static void reads_back(const struct image *im, const struct dicom_info *info)
{
    const char *path = path_of("back.dcm");
    struct dicom_info got;
    struct image back = IMAGE_INIT;
    struct err err = ERR_INIT;

    must_write(path, im, info);
    if (!dicom_read(&back, &got, path, &(struct dicom_options){.tone = DICOM_RAW}, &err))
        fail_msg("%s: %s", info->transfer_syntax, err.text);
    help_same(&back, im);
    image_release(&back);
    assert_memory_equal(&got, info, sizeof got);
}

/* What the writer fills in. */
static void complete(struct dicom_info *i, const struct image *im)
{
    i->rows = im->height;
    i->columns = im->width;
    i->frames = i->samples = 1;
    i->bits_allocated = im->type == IMAGE_U8 ? 8 : 16;
    i->bits_stored = i->bits_stored ? i->bits_stored : i->bits_allocated;
    i->high_bit = i->bits_stored - 1;
    if (!*i->photometric)
        strcpy(i->photometric, "MONOCHROME2");
}

static void every_syntax_keeps_pixels_and_header(void **state)
{
    static const int SIZE[][2] = {{1, 1}, {3, 1}, {7, 5}, {64, 33}};

    (void)state;
    for (int s = 0; s < N_SYNTAXES; s++) {
        for (int k = 0; k < 8; k++) {
            struct image im = help_pattern(SIZE[k / 2][0], SIZE[k / 2][1], 1, k % 2 ? IMAGE_U8 : IMAGE_U16);
            struct dicom_info info = example(SYNTAXES[s]);
            complete(&info, &im);
            reads_back(&im, &info);
            image_release(&im);
        }
    }
}

static void every_field_comes_back(void **state)
{
    struct image im = help_pattern(4, 3, 1, IMAGE_U16);
    struct dicom_info info = example(EXPLICIT);

    (void)state;
    for (size_t i = 0; i < 12; i++)
        image_u16(&im)[i] &= 0xfff;
    strcpy(info.photometric, "MONOCHROME1");
    strcpy(info.view_position, "MLO");
    strcpy(info.voi_function, "SIGMOID");
    info.bits_stored = 12;
    info.pixel_spacing_mm[0] = info.imager_pixel_spacing_mm[1] = 0.0435;
    info.pixel_spacing_mm[1] = info.imager_pixel_spacing_mm[0] = 0.05;
    info.window_center = 2047.5;
    info.window_width = 4096;
    info.rescale_slope = 0.25;
    info.rescale_intercept = -1024;
    complete(&info, &im);
    reads_back(&im, &info);
    for (size_t i = 0; i < 12; i++) /* the sign carried on, as DICOM_RAW gives it */
        image_u16(&im)[i] |= image_u16(&im)[i] & 0x800 ? 0xf000 : 0;
    info.is_signed = 1;
    reads_back(&im, &info);
    image_release(&im);
}

/* In the plain syntaxes the samples are the last bytes of the file, a byte more where they are odd. */
static void samples_lie_at_the_end(void **state)
{
    struct image im = help_pattern(5, 3, 1, IMAGE_U8), wide = help_pattern(5, 3, 1, IMAGE_U16);
    const struct dicom_info info = example(EXPLICIT);
    const char *path = path_of("end.dcm");
    struct buf b = BUF_INIT;
    struct err err = ERR_INIT;

    (void)state;
    must_write(path, &im, &info);
    assert_true(file_read(&b, path, 0, &err));
    assert_memory_equal(b.data + 128, "DICM", 4);
    assert_memory_equal(b.data + b.len - 16, im.data, 15);
    must_write(path, &wide, &info);
    assert_true(file_read(&b, path, 0, &err));
    for (size_t i = 0; i < 15; i++) {
        const unsigned char *at = (const unsigned char *)b.data + b.len - 30 + 2 * i;
        assert_int_equal(at[0] | at[1] << 8, image_u16(&wide)[i]);
    }
    buf_release(&b);
    image_release(&im);
    image_release(&wide);
}

static void the_same_again_gives_the_same_bytes(void **state)
{
    struct image im = help_pattern(20, 10, 1, IMAGE_U16);
    char hash[2][FILE_SHA256_TEXT];

    (void)state;
    for (int s = 0; s < N_SYNTAXES; s++) {
        const struct dicom_info info = example(SYNTAXES[s]);
        for (int k = 0; k < 2; k++) {
            must_write(path_of("again.dcm"), &im, &info);
            assert_true(file_sha256(path_of("again.dcm"), hash[k], NULL));
        }
        assert_string_equal(hash[0], hash[1]);
    }
    image_release(&im);
}

static void refused(const char *path, const struct image *im, const struct dicom_info *info, const char *text)
{
    struct err err = ERR_INIT;
    char want[256];

    snprintf(want, sizeof want, "%s: %s", path, text);
    assert_false(dicom_write(path, im, info, NULL, &err));
    assert_string_equal(err.text, want);
    assert_false(file_exists(path));
}

static void what_cannot_be_written_is_refused(void **state)
{
    struct image im = help_pattern(4, 4, 1, IMAGE_U16);
    struct dicom_info info = example("1.2.840.10008.1.2.4.50");

    (void)state;
    refused(path_of("no.dcm"), &im, &info,
            "DICOM with transfer syntax 1.2.840.10008.1.2.4.50 is not written");
    strcpy(info.transfer_syntax, "1.2.3");
    refused(path_of("no.dcm"), &im, &info, "DICOM with transfer syntax 1.2.3 is not written");
    info = example(EXPLICIT);
    info.bits_stored = 12;
    refused(path_of("no.dcm"), &im, &info, "the image has values over 12 bits");
    info.bits_stored = 17;
    refused(path_of("no.dcm"), &im, &info, "17 bits stored, the image has 16");
    info.bits_stored = 0;
    refused(path_of("none/no.dcm"), &im, &info, "No such file or directory");
    image_release(&im);
}

/* By Python's uuid: UUID(bytes=sha256(b"clearmass").digest()[:16], version 8 set by hand).int */
static void identifiers_follow_from_texts(void **state)
{
    char uid[DICOM_UID_TEXT], other[DICOM_UID_TEXT];

    (void)state;
    dicom_uid(uid, "clearmass");
    assert_string_equal(uid, "2.25.81485100692890801347759931414440137927");
    dicom_uid(other, "clearmass 2");
    assert_string_not_equal(uid, other);
}

/* pydicom prints what it finds, the samples as a hash of little-endian words. */
static const char PYDICOM[] =
    "import sys, hashlib, pydicom\n"
    "for path in sys.argv[1:]:\n"
    "    d = pydicom.dcmread(path)\n"
    "    a = d.pixel_array\n"
    "    print(d.SOPClassUID.name, d.file_meta.TransferSyntaxUID, d.PatientID, d.PatientName, d.Modality,"
    " d.SeriesDescription, d.PatientOrientation, d.Laterality, d.InstanceNumber, d.Rows, d.Columns,"
    " d.BitsStored, d.HighBit, d.PixelRepresentation, d.PhotometricInterpretation, d.ConversionType,"
    " d.BodyPartExamined, d.ImageComments,"
    " hashlib.sha256(a.astype('<u%d' % a.itemsize).tobytes()).hexdigest(), sep='|')\n";

/* Writes the k-th file, 16 bits and 8 in turn, and says what pydicom should. */
static void make_for_pydicom(int k, struct buf *command, char *want, size_t room)
{
    const struct dicom_info info = example(SYNTAXES[k / 2]);
    struct image im = help_pattern(37, 21, 1, k % 2 ? IMAGE_U8 : IMAGE_U16);
    const int bits = k % 2 ? 8 : 16;
    char hash[FILE_SHA256_TEXT], name[16];

    snprintf(name, sizeof name, "%d.dcm", k);
    must_write(path_of(name), &im, &info);
    buf_addf(command, " '%s'", path_of(name));
    file_sha256_bytes(im.data, image_bytes(&im), hash);
    snprintf(want, room,
             "Secondary Capture Image Storage|%s|Mass-Test_P_00001_RIGHT_MLO_1|"
             "Mass-Test_P_00001_RIGHT_MLO_1|MG|ROI mask images|MLO|R|2|21|37|%d|%d|0|MONOCHROME2|WSD|"
             "BREAST|drawn, nobody's breast|%s\n",
             info.transfer_syntax, bits, bits - 1, hash);
    image_release(&im);
}

static void pydicom_reads_the_same(void **state)
{
    struct buf command = BUF_INIT;
    char want[2 * N_SYNTAXES][512], line[1024] = "";

    (void)state;
    if (system("/usr/bin/python3 -c 'import pydicom, numpy' >/dev/null 2>&1") != 0)
        skip();
    assert_true(file_write(path_of("look.py"), PYDICOM, sizeof PYDICOM - 1, NULL));
    buf_addf(&command, "/usr/bin/python3 '%s'", path_of("look.py"));
    for (int k = 0; k < 2 * N_SYNTAXES; k++)
        make_for_pydicom(k, &command, want[k], sizeof want[k]);
    FILE *f = popen(command.data, "r");
    assert_non_null(f);
    for (int k = 0; k < 2 * N_SYNTAXES; k++) {
        assert_non_null(fgets(line, sizeof line, f));
        assert_string_equal(line, want[k]);
    }
    assert_int_equal(pclose(f), 0);
    buf_release(&command);
}

static int make_folder(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/test-dicom-write-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    char command[96];

    (void)state;
    dicom_stop();
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_syntax_keeps_pixels_and_header),
        cmocka_unit_test(every_field_comes_back),
        cmocka_unit_test(samples_lie_at_the_end),
        cmocka_unit_test(the_same_again_gives_the_same_bytes),
        cmocka_unit_test(what_cannot_be_written_is_refused),
        cmocka_unit_test(identifiers_follow_from_texts),
        cmocka_unit_test(pydicom_reads_the_same),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
