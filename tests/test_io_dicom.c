/* io/dicom: pixels against other readers' (tests/golden/dicom.csv, by tools/golden_dicom.py), tones against
 * numbers worked out by hand, damaged files against the message they must give. */
#include "test_io_help.h"
#include "dicom_make.h"

#include "base/csv.h"
#include "base/file.h"
#include "io/dicom_parts.h"
#include "io/image_file.h"

#include <errno.h>
#include <dirent.h>
#include <sys/wait.h>

/* A layout: width, height, bits allocated, stored, high bit, signed or not, and what else there is to say. */
#define GREY(w, h, a, s, b, sign, ...)                                                                       \
    {                                                                                                        \
        .width = (w), .height = (h), .allocated = (a), .stored = (s), .high = (b), .is_signed = (sign),      \
        __VA_ARGS__                                                                                          \
    }

static const char DATA[] = SHARED_DATA_DIR "/dicom";
static char folder[64];

/* ---- Against other readers ---- */

static uint64_t sum_of(const struct image *im)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < image_pixels(im); i++)
        sum += im->type == IMAGE_U8 ? image_u8(im)[i] : image_u16(im)[i];
    return sum;
}

struct golden {
    const struct csv *table;
    size_t row;
};

static const char *text_at(const struct golden *g, const char *column)
{
    return csv_get(g->table, g->row, csv_column(g->table, column));
}

static double number_at(const struct golden *g, const char *column)
{
    return strtod(text_at(g, column), NULL);
}

static void check_header(const struct golden *g, const struct dicom_info *i)
{
    double spacing[2] = {0, 0};

    sscanf(text_at(g, "spacing"), "%lf %lf", &spacing[0], &spacing[1]);
    assert_string_equal(i->transfer_syntax, text_at(g, "syntax"));
    assert_string_equal(i->photometric, text_at(g, "photometric"));
    assert_int_equal(i->columns, number_at(g, "width"));
    assert_int_equal(i->rows, number_at(g, "height"));
    assert_int_equal(i->frames, number_at(g, "frames"));
    assert_int_equal(i->samples, 1);
    assert_int_equal(i->bits_allocated, number_at(g, "allocated"));
    assert_int_equal(i->bits_stored, number_at(g, "stored"));
    assert_int_equal(i->high_bit, number_at(g, "high"));
    assert_int_equal(i->is_signed, number_at(g, "signed"));
    assert_true(i->window_center == number_at(g, "center") && i->window_width == number_at(g, "window"));
    assert_true(i->rescale_slope == number_at(g, "slope") &&
                i->rescale_intercept == number_at(g, "intercept"));
    assert_true(i->pixel_spacing_mm[0] == spacing[0] && i->pixel_spacing_mm[1] == spacing[1]);
}

static void check_pixels(const struct golden *g, const char *path, int frame)
{
    char hash[FILE_SHA256_TEXT];
    struct dicom_info info;
    struct image im = IMAGE_INIT;
    struct err err = ERR_INIT;

    if (!dicom_read(&im, &info, path, &(struct dicom_options){.frame = frame, .tone = DICOM_RAW}, &err))
        fail_msg("%s", err.text);
    assert_int_equal(im.width, number_at(g, "width"));
    assert_int_equal(im.height, number_at(g, "height"));
    assert_int_equal(im.type, number_at(g, "allocated") == 8 ? IMAGE_U8 : IMAGE_U16);
    file_sha256_bytes(im.data, image_bytes(&im), hash);
    if (sum_of(&im) != strtoull(text_at(g, "sum"), NULL, 10) || strcmp(hash, text_at(g, "sha256")) != 0)
        fail_msg("%s: other pixels than by %s", path, text_at(g, "reader"));
    check_header(g, &info);
    image_release(&im);
}

/* Within 1, because roundings differ. */
static void check_display(const struct golden *g, const char *path, int frame)
{
    const char *at = text_at(g, "display");
    struct image im = IMAGE_INIT;
    struct err err = ERR_INIT;
    char *end;

    if (!*at)
        return;
    if (!dicom_read(&im, NULL, path, &(struct dicom_options){.frame = frame, .tone = DICOM_DISPLAY}, &err))
        fail_msg("%s", err.text);
    assert_int_equal(im.type, IMAGE_U8);
    for (size_t i = 0; i < 16; i++, at = end) {
        const long want = strtol(at, &end, 10), got = image_u8(&im)[(2 * i + 1) * image_pixels(&im) / 32];
        if (labs(want - got) > 1)
            fail_msg("%s: sample %zu shown as %ld, not %ld", path, i, got, want);
    }
    image_release(&im);
}

static void check_refusal(const char *path)
{
    const bool cut = strstr(path, "too_short") != NULL;
    struct image im = IMAGE_INIT;
    struct err err = ERR_INIT;
    char want[600];

    snprintf(want, sizeof want, "%s: %s", path, cut ? "truncated DICOM" : "DICOM file without pixel data");
    assert_false(dicom_read(&im, NULL, path, NULL, &err));
    assert_string_equal(err.text, want);
    assert_null(im.data);
}

static bool in_table(const struct csv *table, const char *name)
{
    for (size_t i = 0; i < table->count; i++)
        if (!strcmp(csv_get(table, i, csv_column(table, "path")), name))
            return true;
    return false;
}

/* No file is left uncompared because the table is older. */
static void check_whole(const struct csv *table, const char *below)
{
    struct file_list names = FILE_LIST_INIT;
    char *path = file_join(DATA, below);

    assert_true(file_list_read(&names, path, NULL));
    assert_true(names.count > 0);
    for (size_t i = 0; i < names.count; i++) {
        char *name = file_join(below, names.name[i]);
        if (!in_table(table, name))
            fail_msg("%s: no other reader has seen it: tools/golden_dicom.py", name);
        free(name);
    }
    file_list_release(&names);
    free(path);
}

static void same_as_other_readers(void **state)
{
    struct csv table = CSV_INIT;
    struct dicom_info info;

    (void)state;
    if (!file_is_folder(DATA))
        skip();
    assert_true(csv_read(&table, TESTS_DIR "/golden/dicom.csv", NULL));
    check_whole(&table, "cbis-ddsm");
    check_whole(&table, "transfer-syntaxes");
    for (size_t i = 0; i < table.count; i++) {
        const struct golden g = {&table, i};
        const int frame = (int)number_at(&g, "frame");
        char *path = file_join(DATA, text_at(&g, "path"));
        if (frame >= 0) {
            check_pixels(&g, path, frame);
            check_display(&g, path, frame);
            assert_true(dicom_read_info(&info, path, NULL));
            check_header(&g, &info);
        } else {
            check_refusal(path);
        }
        free(path);
    }
    csv_release(&table);
}

/* The archive's two: what the facts about CBIS-DDSM say of crops. */
static void genuine_crops(void **state)
{
    static const struct {
        const char *path, *patient, *orientation;
        int rows, columns;
    } CASES[] = {
        {"cbis-ddsm/Calc-Training_P_00474_LEFT_MLO_1__cropped__1-207.dcm", "Calc-Training_P_00474_LEFT_MLO_1",
         "MLO", 1129, 1065},
        {"cbis-ddsm/Mass-Training_P_00004_LEFT_CC_1__cropped__000001.dcm", "Mass-Training_P_00004_LEFT_CC_1",
         "CC", 466, 423},
    };

    (void)state;
    if (!file_is_folder(DATA))
        skip();
    for (int i = 0; i < 2; i++) {
        char *path = file_join(DATA, CASES[i].path);
        struct dicom_info info;
        struct image raw = IMAGE_INIT, grey = IMAGE_INIT;
        assert_true(dicom_read(&raw, &info, path, &(struct dicom_options){.tone = DICOM_RAW}, NULL));
        assert_string_equal(info.patient_id, CASES[i].patient);
        assert_string_equal(info.patient_orientation, CASES[i].orientation);
        assert_string_equal(info.laterality, "L");
        assert_string_equal(info.view_position, "");
        assert_string_equal(info.series_description, "cropped images");
        assert_string_equal(info.modality, "MG");
        assert_int_equal(info.rows, CASES[i].rows);
        assert_int_equal(info.columns, CASES[i].columns);
        assert_int_equal(info.bits_stored, 16);
        assert_true(info.instance_number > 0 && info.study_uid[0] && info.series_uid[0]);
        assert_true(info.window_width == 0 && info.pixel_spacing_mm[0] == 0 && info.rescale_slope == 1);
        assert_true(image_read(&grey, path, NULL)); /* 16 bits stored: the data set gets the very values */
        help_same(&raw, &grey);
        image_release(&raw);
        image_release(&grey);
        free(path);
    }
}

/* ---- Files made here ---- */

static const char *path_of(const char *name)
{
    static char path[340];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static const char *store(struct make *m, const char *name)
{
    const char *path = path_of(name);

    assert_true(file_write(path, m->b.data, m->b.len, NULL));
    buf_release(&m->b);
    return path;
}

static const char *store_image(const char *syntax, const struct make_layout *l, const uint16_t *sample,
                               size_t n)
{
    struct make m = make_begin(syntax);

    make_header(&m, l);
    make_pixels(&m, l, sample, n);
    return store(&m, "made.dcm");
}

static void read_tone(struct image *im, const char *path, int frame, enum dicom_tone tone)
{
    struct err err = ERR_INIT;

    if (!dicom_read(im, NULL, path, &(struct dicom_options){.frame = frame, .tone = tone}, &err))
        fail_msg("%s", err.text);
}

static void samples_are(const char *path, enum dicom_tone tone, enum image_type type, const uint16_t *want)
{
    struct image im = IMAGE_INIT;

    read_tone(&im, path, 0, tone);
    assert_int_equal(im.type, type);
    for (size_t i = 0; i < image_pixels(&im); i++)
        if ((type == IMAGE_U8 ? image_u8(&im)[i] : image_u16(&im)[i]) != want[i])
            fail_msg("sample %zu is %d, not %d", i, type == IMAGE_U8 ? image_u8(&im)[i] : image_u16(&im)[i],
                     want[i]);
    image_release(&im);
}

static void bits_are_masked_and_stretched(void **state)
{
    static const struct make_layout U16 = GREY(2, 2, 16, 16, 15, 0), U12 = GREY(2, 2, 16, 12, 11, 0),
                                    HIGH12 = GREY(2, 2, 16, 12, 15, 0), S12 = GREY(2, 2, 16, 12, 11, 1),
                                    S16 = GREY(2, 2, 16, 16, 15, 1), U8 = GREY(3, 1, 8, 8, 7, 0),
                                    BIT = GREY(3, 1, 8, 1, 0, 0), EIGHT_OF_16 = GREY(2, 2, 16, 8, 7, 0),
                                    INVERSE = GREY(2, 2, 16, 12, 11, 0, .photometric = "MONOCHROME1");
    static const char *const SYNTAXES[] = {MAKE_IMPLICIT, MAKE_EXPLICIT, MAKE_BIG};
    static const uint16_t WORDS[4] = {0x0000, 0xf001, 0x7fff, 0x1800};

    (void)state;
    for (int k = 0; k < 3; k++) {
        const char *s = SYNTAXES[k], *p = store_image(s, &U16, WORDS, 4);
        samples_are(p, DICOM_RAW, IMAGE_U16, WORDS);
        samples_are(p, DICOM_GREY, IMAGE_U16, WORDS);
        p = store_image(s, &U12, WORDS, 4);
        samples_are(p, DICOM_RAW, IMAGE_U16, (uint16_t[]){0, 1, 0xfff, 0x800});
        samples_are(p, DICOM_GREY, IMAGE_U16, (uint16_t[]){0, 16, 65535, 32776}); /* v * 65535 / 4095 */
        p = store_image(s, &HIGH12, WORDS, 4);
        samples_are(p, DICOM_RAW, IMAGE_U16, (uint16_t[]){0, 0xf00, 0x7ff, 0x180});
        p = store_image(s, &S12, WORDS, 4);
        samples_are(p, DICOM_RAW, IMAGE_U16, (uint16_t[]){0, 1, 0xffff, 0xf800});
        samples_are(p, DICOM_GREY, IMAGE_U16, (uint16_t[]){32776, 32792, 32759, 0});
        p = store_image(s, &S16, WORDS, 4);
        samples_are(p, DICOM_RAW, IMAGE_U16, WORDS);
        samples_are(p, DICOM_GREY, IMAGE_U16, (uint16_t[]){0x8000, 0x7001, 0xffff, 0x9800});
        p = store_image(s, &INVERSE, WORDS, 4);
        samples_are(p, DICOM_RAW, IMAGE_U16, (uint16_t[]){0, 1, 0xfff, 0x800});
        samples_are(p, DICOM_GREY, IMAGE_U16, (uint16_t[]){65535, 65519, 0, 32759});
        p = store_image(s, &EIGHT_OF_16, WORDS, 4);
        samples_are(p, DICOM_RAW, IMAGE_U16, (uint16_t[]){0, 1, 255, 0});
        samples_are(p, DICOM_GREY, IMAGE_U8, (uint16_t[]){0, 1, 255, 0});
        p = store_image(s, &U8, (uint16_t[]){0, 7, 255}, 3); /* an odd number of bytes */
        samples_are(p, DICOM_GREY, IMAGE_U8, (uint16_t[]){0, 7, 255});
        p = store_image(s, &BIT, (uint16_t[]){0, 1, 2}, 3);
        samples_are(p, DICOM_RAW, IMAGE_U8, (uint16_t[]){0, 1, 0});
        samples_are(p, DICOM_GREY, IMAGE_U8, (uint16_t[]){0, 255, 0});
    }
}

/* Examples worked out from the formulas of PS3.3 C.11.2.1.2 and C.11.2.1.3. */
static void windows_and_rescale(void **state)
{
    static const uint16_t WORDS[6] = {0, 1, 2, 3, 4, 4095};
    struct make_layout l = GREY(6, 1, 16, 12, 11, 0, .center = "2", .window = "4");

    (void)state;
    /* (x - 1.5) / 3 + .5: .0, .333, .667, 1 */
    samples_are(store_image(MAKE_EXPLICIT, &l, WORDS, 6), DICOM_DISPLAY, IMAGE_U8,
                (uint16_t[]){0, 85, 170, 255, 255, 255});
    l.function = "LINEAR_EXACT"; /* (x - 2) / 4 + .5 */
    samples_are(store_image(MAKE_EXPLICIT, &l, WORDS, 6), DICOM_DISPLAY, IMAGE_U8,
                (uint16_t[]){0, 64, 128, 191, 255, 255});
    l.function = "SIGMOID"; /* 1 / (1 + exp(2 - x)) */
    samples_are(store_image(MAKE_EXPLICIT, &l, WORDS, 6), DICOM_DISPLAY, IMAGE_U8,
                (uint16_t[]){30, 69, 128, 186, 225, 255});
    l.function = NULL;
    l.photometric = "MONOCHROME1";
    samples_are(store_image(MAKE_EXPLICIT, &l, WORDS, 6), DICOM_DISPLAY, IMAGE_U8,
                (uint16_t[]){255, 170, 85, 0, 0, 0});
    l.photometric = NULL;
    l.slope = "0.5";
    l.intercept = "1.01"; /* 255 ((x / 2 + 1.01 - 1.5) / 3 + .5) = 42.5 x + 85.85 */
    samples_are(store_image(MAKE_EXPLICIT, &l, WORDS, 6), DICOM_DISPLAY, IMAGE_U8,
                (uint16_t[]){86, 128, 171, 213, 255, 255});
    l.window = NULL; /* smallest to largest: x / 4095 */
    samples_are(store_image(MAKE_EXPLICIT, &l, WORDS, 6), DICOM_DISPLAY, IMAGE_U8,
                (uint16_t[]){0, 0, 0, 0, 0, 255});
    l.slope = "-1";
    samples_are(store_image(MAKE_EXPLICIT, &l, WORDS, 6), DICOM_DISPLAY, IMAGE_U8,
                (uint16_t[]){255, 255, 255, 255, 255, 0});
    samples_are(store_image(MAKE_EXPLICIT, &l, (uint16_t[]){7, 7, 7, 7, 7, 7}, 6), DICOM_DISPLAY, IMAGE_U8,
                (uint16_t[]){0, 0, 0, 0, 0, 0}); /* one value only: no division by zero */
    l.window = "1";                              /* of width 1: a step at center - .5 */
    l.slope = NULL;
    samples_are(store_image(MAKE_EXPLICIT, &l, WORDS, 6), DICOM_DISPLAY, IMAGE_U8,
                (uint16_t[]){0, 0, 255, 255, 255, 255});
}

static void frames_are_chosen(void **state)
{
    static const struct make_layout L = GREY(2, 1, 16, 16, 15, 0, .frames = 3);
    static const uint16_t WORDS[6] = {1, 2, 3, 4, 5, 6};
    const char *path = store_image(MAKE_IMPLICIT, &L, WORDS, 6);
    struct image im = IMAGE_INIT;
    struct err err = ERR_INIT;

    (void)state;
    for (int k = 0; k < 3; k++) {
        read_tone(&im, path, k, DICOM_RAW);
        assert_memory_equal(im.data, &WORDS[2 * k], 4);
    }
    assert_false(dicom_read(&im, NULL, path, &(struct dicom_options){.frame = 3}, &err));
    assert_non_null(strstr(err.text, "made.dcm: no frame 4, the file has 3"));
    assert_false(dicom_read(&im, NULL, path, &(struct dicom_options){.frame = -1}, &err));
    assert_int_equal(image_u16(&im)[0], 5); /* untouched by failures */
    image_release(&im);
}

/* No 128 bytes, no group 2: the oldest files. */
static void bare_data_sets(void **state)
{
    static const struct make_layout L = GREY(2, 1, 16, 12, 11, 0);

    (void)state;
    for (int k = 0; k < 2; k++) {
        struct make m = {BUF_INIT, k == 0, false};
        struct dicom_info info;
        struct image_info told;
        make_header(&m, &L);
        make_pixels(&m, &L, (uint16_t[]){4095, 0}, 2);
        const char *path = store(&m, "bare");
        samples_are(path, DICOM_GREY, IMAGE_U16, (uint16_t[]){65535, 0});
        assert_true(dicom_read_info(&info, path, NULL));
        assert_string_equal(info.transfer_syntax, k == 0 ? MAKE_IMPLICIT : MAKE_EXPLICIT);
        assert_true(image_is_readable(path));
        assert_true(image_read_info(&told, path, NULL));
        assert_string_equal(told.format, "DICOM");
        assert_int_equal(told.width, 2);
        assert_int_equal(told.type, IMAGE_U16);
    }
}

static void texts_of_the_header(void **state)
{
    static const struct make_layout L = GREY(2, 1, 8, 8, 7, 0);
    struct make m = make_begin(MAKE_EXPLICIT);
    struct dicom_info i;

    (void)state;
    make_text(&m, 0x0008, 0x103e, "LO", "  \xec\x9c A\\B  ");
    make_text(&m, 0x0010, 0x0020, "LO", "x\ny");
    make_text(&m, 0x0018, 0x1164, "DS", "0.07\\0.08");
    make_text(&m, 0x0018, 0x5101, "CS", "MLO");
    make_text(&m, 0x0020, 0x0062, "CS", "R"); /* ImageLaterality serves where Laterality is missing */
    make_short(&m, 0x0028, 0x0010, 1);
    make_short(&m, 0x0028, 0x0011, 2);
    make_text(&m, 0x0028, 0x0030, "DS", "0.05\\0.06");
    make_text(&m, 0x0028, 0x1050, "DS", "10\\20");
    make_text(&m, 0x0028, 0x1051, "DS", "-5\\20");
    make_pixels(&m, &L, (uint16_t[]){1, 2}, 2);
    const char *path = store(&m, "texts");
    assert_true(dicom_read_info(&i, path, NULL));
    assert_string_equal(i.series_description, "\\xEC\\x9C A\\B");
    assert_string_equal(i.patient_id, "x\\x0Ay");
    assert_string_equal(i.laterality, "R");
    assert_string_equal(i.view_position, "MLO");
    assert_string_equal(i.photometric, "");
    assert_true(i.pixel_spacing_mm[0] == .05 && i.pixel_spacing_mm[1] == .06);
    assert_true(i.imager_pixel_spacing_mm[0] == .07 && i.imager_pixel_spacing_mm[1] == .08);
    assert_true(i.window_center == 10 && i.window_width == 0);
    assert_true(i.frames == 1 && i.samples == 1 && i.rescale_slope == 1);
}

/* An element out of order, here one behind the pixel data's place, does not end the header. */
static void elements_out_of_order(void **state)
{
    static const struct make_layout L = GREY(2, 1, 16, 12, 11, 0);
    struct make m = make_begin(MAKE_EXPLICIT);
    struct dicom_info i;

    (void)state;
    make_text(&m, 0xff11, 0x0020, "LO", "early");
    make_header(&m, &L);
    make_pixels(&m, &L, (uint16_t[]){4095, 0}, 2);
    const char *path = store(&m, "order");
    assert_true(dicom_read_info(&i, path, NULL));
    assert_true(i.rows == 1 && i.columns == 2 && i.bits_stored == 12);
    samples_are(path, DICOM_RAW, IMAGE_U16, (uint16_t[]){4095, 0});
}

/* ---- Damaged files ---- */

static void refused(const char *path, enum err_kind kind, const char *text)
{
    struct image im = IMAGE_INIT;
    struct err err = ERR_INIT;
    char want[600];

    snprintf(want, sizeof want, "%s: %s", path, text);
    assert_false(dicom_read(&im, NULL, path, NULL, &err));
    assert_string_equal(err.text, want);
    assert_int_equal(err.kind, kind);
    assert_null(im.data);
}

static void layouts_refused(void **state)
{
    static const struct {
        struct make_layout l;
        const char *text;
    } CASES[] = {
        {GREY(2, 1, 8, 8, 7, 0, .photometric = "RGB", .samples = 3),
         "DICOM in colour (3 samples a pixel), only grey is read"},
        {GREY(2, 1, 8, 8, 7, 0, .photometric = "PALETTE COLOR"),
         "DICOM with photometric interpretation PALETTE COLOR, only grey is read"},
        {GREY(2, 1, 32, 32, 31, 0), "DICOM with 32 bits allocated, only 8 and 16 are read"},
        {GREY(2, 1, 0, 0, 0, 0), "DICOM with 0 bits allocated, only 8 and 16 are read"},
        {GREY(0, 0, 8, 8, 7, 0), "DICOM file without an image"},
        {GREY(3, 0, 8, 8, 7, 0), "image of 3 x 0 pixels is empty"},
        {GREY(3, 3, 16, 16, 15, 0), "truncated DICOM: 12 bytes of pixel data, frame 1 ends at 18"},
        {GREY(65535, 65535, 16, 16, 15, 0),
         "image of 65535 x 65535 pixels is too large (sides to 65535, 400 million pixels)"},
    };
    static const uint16_t WORDS[6] = {0};

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        const bool limit = strncmp(CASES[i].text, "image", 5) == 0;
        refused(store_image(MAKE_EXPLICIT, &CASES[i].l, WORDS, 6), limit ? ERR_LIMIT : ERR_FORMAT,
                CASES[i].text);
    }
    struct make m = make_begin("1.2.840.10008.1.2.4.102"); /* a film */
    make_header(&m, &CASES[0].l);
    refused(store(&m, "film"), ERR_FORMAT, "DICOM with transfer syntax 1.2.840.10008.1.2.4.102 is not read");
    m = make_begin(MAKE_EXPLICIT);
    make_header(&m, &(struct make_layout)GREY(2, 1, 8, 8, 7, 0));
    refused(store(&m, "none"), ERR_FORMAT, "DICOM file without pixel data");
}

static void what_is_no_file(void **state)
{
    (void)state;
    refused(path_of("missing"), ERR_IO, "No such file or directory");
    refused(folder, ERR_IO, "not a regular file");
    assert_int_equal(mkfifo(path_of("pipe"), 0600), 0);
    refused(path_of("pipe"), ERR_IO, "not a regular file");
    assert_false(image_is_readable(path_of("pipe")));
    assert_true(file_write(path_of("empty"), "", 0, NULL));
    refused(path_of("empty"), ERR_FORMAT, "empty file");
    assert_true(file_write(path_of("text"), "What is this?\n", 14, NULL));
    refused(path_of("text"), ERR_FORMAT, "not a DICOM file");
}

/* 3 GB of pixels in some hundred bytes, as an element's length and as an image's size. */
static void huge_claims(void **state)
{
    const struct make_layout l = GREY(20000, 19000, 16, 16, 15, 0);
    struct make m = make_begin(MAKE_EXPLICIT);

    (void)state;
#ifdef __SANITIZE_ADDRESS__
    buf_release(&m.b);
    skip(); /* it ends the process instead of returning NULL */
#endif
    make_header(&m, &(struct make_layout)GREY(2, 1, 16, 16, 15, 0));
    make_head(&m, 0x7fe0, 0x0010, "OW", 3000000000u);
    make_u32(&m, 0);
    refused(store(&m, "claim"), ERR_LIMIT, "DICOM file asks for more memory than it may have");
    m = make_begin(MAKE_EXPLICIT);
    make_header(&m, &l);
    make_head(&m, 0x7fe0, 0x0010, "OW", 20000u * 19000u * 2u);
    make_u32(&m, 0);
    refused(store(&m, "claim"), ERR_FORMAT, "truncated DICOM");
    m = make_begin(MAKE_RLE);
    make_header(&m, &l);
    make_head(&m, 0x7fe0, 0x0010, "OB", 0xffffffffu);
    const unsigned char items[] = {0xfe, 0xff, 0, 0xe0, 0, 0,    0,    0,    0xfe, 0xff, 0, 0xe0, 2,
                                   0,    0,    0, 1,    0, 0xfe, 0xff, 0xdd, 0xe0, 0,    0, 0,    0};
    buf_add(&m.b, items, sizeof items);
    const char *path = store(&m, "claim");
    struct image im = IMAGE_INIT;
    struct err err = ERR_INIT;
    assert_false(dicom_read(&im, NULL, path, NULL, &err));
    assert_non_null(strstr(err.text, "claim: damaged DICOM: "));
}

/* Copies cut at many lengths: whole pixels or one line, never a crash. */
static void cut_copies(void **state)
{
    static const char *const NAMES[] = {
        "1.2.840.10008.1.2__16a16ss_MONOCHROME2__MR_small_implicit.dcm",
        "1.2.840.10008.1.2.5__16a16ss_MONOCHROME2__MR_small_RLE.dcm",
        "1.2.840.10008.1.2.4.50__8a8su_MONOCHROME2__JPEGBaseline_1s_1f_u_08_08.dcm",
        "1.2.840.10008.1.2.4.91__16a12su_MONOCHROME2__MR4_J2KI"};
    enum { CUTS = 25 };

    (void)state;
    if (!file_is_folder(DATA))
        skip();
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        char from[600];
        struct buf whole = BUF_INIT;
        struct image im = IMAGE_INIT, good = IMAGE_INIT;
        snprintf(from, sizeof from, "%s/transfer-syntaxes/%s", DATA, NAMES[i]);
        assert_true(file_read(&whole, from, 0, NULL));
        read_tone(&good, from, 0, DICOM_RAW);
        for (size_t k = 0; k < CUTS; k++) {
            const size_t n = k < 5 ? whole.len - 1 - k * k * 7 : whole.len * (k - 5) / (CUTS - 5);
            struct err err = ERR_INIT;
            assert_true(file_write(path_of("cut"), whole.data, n, NULL));
            if (dicom_read(&im, NULL, path_of("cut"), &(struct dicom_options){.tone = DICOM_RAW}, &err))
                help_same(&im, &good); /* what is cut off comes after the pixels */
            else if (!strstr(err.text, "/cut: ") || strstr(err.text, "crash") || strchr(err.text, '\n'))
                fail_msg("%s of %zu bytes: %s", NAMES[i], n, err.text);
            image_release(&im);
        }
        image_release(&good);
        buf_release(&whole);
    }
}

/* Bytes changed here and there. Whatever happens in the child, the parent gets pixels or one line. */
static void changed_copies(void **state)
{
    struct buf whole = BUF_INIT;
    char from[600];
    uint32_t v = 1;

    (void)state;
    if (!file_is_folder(DATA))
        skip();
    snprintf(from, sizeof from, "%s/transfer-syntaxes/%s", DATA,
             "1.2.840.10008.1.2.5__16a16ss_MONOCHROME2__MR_small_RLE.dcm");
    assert_true(file_read(&whole, from, 0, NULL));
    for (int k = 0; k < 60; k++) {
        struct buf b = BUF_INIT;
        struct image im = IMAGE_INIT;
        struct err err = ERR_INIT;
        buf_add(&b, whole.data, whole.len);
        for (int c = 0; c < 1 + k / 4; c++) {
            v = v * 1664525 + 1013904223;
            b.data[132 + (v >> 8) % (b.len - 132)] ^= (char)(1 << (v >> 29));
        }
        assert_true(file_write(path_of("changed"), b.data, b.len, NULL));
        if (!dicom_read(&im, NULL, path_of("changed"), NULL, &err))
            assert_true(err.kind != ERR_NONE && err.text[0] && !strchr(err.text, '\n'));
        image_release(&im);
        buf_release(&b);
    }
    buf_release(&whole);
}

/* In this very process, so that the sanitizers see our side. */
static void parsed_here(void **state)
{
    static const struct make_layout L = GREY(3, 1, 8, 8, 7, 0);
    struct make m = make_begin(MAKE_EXPLICIT);
    struct dicom_info info;
    struct image im = IMAGE_INIT;
    struct csv table = CSV_INIT;

    (void)state;
    make_header(&m, &L);
    make_pixels(&m, &L, (uint16_t[]){1, 2, 3}, 3);
    const struct dicom_bytes bytes = {m.b.data, m.b.len};
    assert_true(dicom_parse(&info, &im, &bytes, 0, NULL));
    assert_memory_equal(im.data, "\1\2\3", 3);
    assert_string_equal(info.study_uid, "1.2.3.4");
    assert_int_equal(info.instance_number, 2);
    for (size_t n = 0; n < m.b.len; n++) {
        const struct dicom_bytes cut = {m.b.data, n};
        struct err err = ERR_INIT;
        if (!dicom_parse(&info, &im, &cut, 0, &err))
            assert_true(err.text[0]);
    }
    image_release(&im);
    buf_release(&m.b);
    if (!file_is_folder(DATA))
        return;
    assert_true(csv_read(&table, TESTS_DIR "/golden/dicom.csv", NULL));
    for (size_t i = 0; i < table.count; i++) {
        const struct golden g = {&table, i};
        char *path = file_join(DATA, text_at(&g, "path"));
        struct buf b = BUF_INIT;
        assert_true(file_read(&b, path, 0, NULL));
        const struct dicom_bytes file = {b.data, b.len};
        const int frame = (int)number_at(&g, "frame");
        assert_int_equal(dicom_parse(&info, &im, &file, frame < 0 ? 0 : frame, NULL), frame >= 0);
        buf_release(&b);
        free(path);
    }
    image_release(&im);
    csv_release(&table);
}

/* What is found without being parsed is what parsing gives. True when it was found. */
static bool found_as_parsed(const void *data, size_t n)
{
    const struct dicom_bytes file = {data, n};
    struct dicom_info found, parsed;
    struct dicom_place place;
    struct image im = IMAGE_INIT;

    if (!dicom_find(&found, &place, &file, 0))
        return false;
    assert_true(dicom_parse(&parsed, &im, &file, 0, NULL));
    assert_memory_equal(&found, &parsed, sizeof found);
    assert_int_equal(place.bytes, image_bytes(&im));
    assert_true(place.begin <= n && place.bytes <= n - place.begin);
    assert_memory_equal((const char *)data + place.begin, im.data, place.bytes);
    image_release(&im);
    return true;
}

/* Copies with bits changed in the header: now and then one is found all the same. */
static void find_in_changed_copies(const struct buf *whole, size_t header)
{
    uint32_t v = 1;

    for (int k = 0; k < 300; k++) {
        v = v * 1664525 + 1013904223;
        char *at = whole->data + 132 + (v >> 8) % (header - 132), kept = *at;
        *at ^= (char)(1 << (v >> 29));
        found_as_parsed(whole->data, whole->len);
        *at = kept;
    }
}

static void words_that_lie_open_are_found(void **state)
{
    static const struct make_layout L = GREY(3, 1, 16, 16, 15, 0), TWO = GREY(2, 1, 8, 8, 7, 0, .frames = 2);
    static const char *const OPEN[] = {MAKE_IMPLICIT, MAKE_EXPLICIT};
    struct dicom_place place;
    struct dicom_info info;

    (void)state;
    for (int k = 0; k < 2; k++) {
        struct make m = make_begin(OPEN[k]);
        make_header(&m, &L);
        const size_t header = m.b.len;
        make_pixels(&m, &L, (uint16_t[]){1, 2, 3}, 3);
        assert_true(found_as_parsed(m.b.data, m.b.len));
        for (size_t n = 0; n < m.b.len; n++)
            assert_false(found_as_parsed(m.b.data, n));
        find_in_changed_copies(&m.b, header);
        buf_add(&m.b, "\xfc\xff\xfc\xff\0\0\0\0\0\0\0\0", 12);
        assert_false(found_as_parsed(m.b.data, m.b.len));
        buf_release(&m.b);
    }
    struct make m = make_begin(MAKE_EXPLICIT);
    make_header(&m, &TWO);
    make_pixels(&m, &TWO, (uint16_t[]){5, 6, 7, 8}, 4);
    assert_true(dicom_find(&info, &place, &(struct dicom_bytes){m.b.data, m.b.len}, 1));
    assert_int_equal(place.bytes, 2);
    assert_memory_equal(m.b.data + place.begin, "\7\10", 2);
    assert_false(dicom_find(&info, &place, &(struct dicom_bytes){m.b.data, m.b.len}, 2));
    buf_release(&m.b);
}

/* The archive's own files are of the kind that is found, big-endian and coded ones are not. */
static void genuine_words_are_found(void **state)
{
    struct csv table = CSV_INIT;
    size_t found = 0;

    (void)state;
    if (!file_is_folder(DATA))
        skip();
    assert_true(csv_read(&table, TESTS_DIR "/golden/dicom.csv", NULL));
    for (size_t i = 0; i < table.count; i++) {
        const struct golden g = {&table, i};
        char *path = file_join(DATA, text_at(&g, "path"));
        const bool archive = !strncmp(text_at(&g, "path"), "cbis-ddsm/", 10);
        struct buf b = BUF_INIT;
        assert_true(file_read(&b, path, 0, NULL));
        const bool is = found_as_parsed(b.data, b.len);
        found += is;
        assert_true(is || !archive);
        assert_true(!is || !strcmp(text_at(&g, "syntax"), "1.2.840.10008.1.2") ||
                    !strcmp(text_at(&g, "syntax"), "1.2.840.10008.1.2.1"));
        buf_release(&b);
        free(path);
    }
    assert_true(found >= 2);
    csv_release(&table);
}

/* Whichever way the words come. */
static void hashes_come_with_the_words(void **state)
{
    static const struct make_layout PLAIN = GREY(2, 1, 16, 16, 15, 0), TWELVE = GREY(2, 1, 16, 12, 11, 0);
    const struct make_layout *layouts[] = {&PLAIN, &TWELVE};

    (void)state;
    for (int k = 0; k < 2; k++) {
        const char *path = store_image(MAKE_IMPLICIT, layouts[k], (uint16_t[]){1, 4095}, 2);
        struct image im = IMAGE_INIT;
        char hash[FILE_SHA256_TEXT] = "", want[FILE_SHA256_TEXT];
        assert_true(dicom_read(&im, NULL, path, &(struct dicom_options){.sha256 = hash}, NULL));
        assert_true(file_sha256(path, want, NULL));
        assert_string_equal(hash, want);
        assert_int_equal(image_u16(&im)[1], k ? 65535 : 4095);
        image_release(&im);
    }
}

static void as_one_of_the_formats(void **state)
{
    static const struct make_layout L = GREY(2, 1, 8, 8, 7, 0);
    const char *path = store_image(MAKE_IMPLICIT, &L, (uint16_t[]){0, 255}, 2);
    struct image im = IMAGE_INIT;
    struct image_info info;

    (void)state;
    assert_true(image_is_readable(path));
    assert_true(image_read(&im, path, NULL));
    help_grey_is(&im, 2, 1, (const uint8_t[]){0, 255});
    assert_true(image_read_info(&info, path, NULL));
    assert_string_equal(info.format, "DICOM");
    assert_int_equal(info.width, 2);
    assert_int_equal(info.height, 1);
    assert_int_equal(info.channels, 1);
    assert_int_equal(info.type, IMAGE_U8);
    image_release(&im);
    assert_false(dicom_is_likely("", 0));
    assert_false(dicom_is_likely("\x08\0\0\0\0\0\0\0", 8));
    assert_false(dicom_is_likely("MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff\0\0", 16));
}

/* What some writers put before the mark: such a file is DICOM, not a TIFF cut short. */
static void with_a_tiff_header_before(void **state)
{
    static const char *const HEADER[] = {"II*\0\xe8\x05\x08\0", "MM\0*\0\x08\x05\xe8"};
    static const struct make_layout L = GREY(2, 1, 8, 8, 7, 0);
    const char *path = store_image(MAKE_IMPLICIT, &L, (uint16_t[]){0, 255}, 2);
    struct buf b = BUF_INIT;

    (void)state;
    assert_true(file_read(&b, path, 0, NULL));
    for (int i = 0; i < 2; i++) {
        struct image im = IMAGE_INIT;
        memcpy(b.data, HEADER[i], 8);
        assert_true(file_write(path, b.data, b.len, NULL));
        assert_true(image_is_readable(path));
        assert_true(image_read(&im, path, NULL));
        help_grey_is(&im, 2, 1, (const uint8_t[]){0, 255});
        image_release(&im);
    }
    buf_release(&b);
}

/* Workers come and go without a trace. */
static void workers_end(void **state)
{
    struct dicom_info info;

    (void)state;
    assert_true(dicom_start(2, NULL));
    assert_false(dicom_read_info(&info, path_of("missing"), NULL));
    dicom_stop();
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_false(dicom_read_info(&info, path_of("missing"), NULL));
    dicom_stop();
    dicom_stop();
}

static int begin(void **state)
{
    (void)state;
    help_folder(folder);
    return 0;
}

static int end(void **state)
{
    DIR *d = opendir(folder);
    struct dirent *e;

    (void)state;
    while ((e = readdir(d)))
        unlink(path_of(e->d_name));
    closedir(d);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_as_other_readers),
        cmocka_unit_test(genuine_crops),
        cmocka_unit_test(bits_are_masked_and_stretched),
        cmocka_unit_test(windows_and_rescale),
        cmocka_unit_test(frames_are_chosen),
        cmocka_unit_test(bare_data_sets),
        cmocka_unit_test(texts_of_the_header),
        cmocka_unit_test(elements_out_of_order),
        cmocka_unit_test(layouts_refused),
        cmocka_unit_test(what_is_no_file),
        cmocka_unit_test(huge_claims),
        cmocka_unit_test(cut_copies),
        cmocka_unit_test(changed_copies),
        cmocka_unit_test(parsed_here),
        cmocka_unit_test(words_that_lie_open_are_found),
        cmocka_unit_test(genuine_words_are_found),
        cmocka_unit_test(hashes_come_with_the_words),
        cmocka_unit_test(as_one_of_the_formats),
        cmocka_unit_test(with_a_tiff_header_before),
        cmocka_unit_test(workers_end),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
