/* Whole downloads: pairs, layouts, faults, strange folders, going on. */
#include "data_cbis_help.h"

#include "base/stop.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#define FILM "Mass-Training_P_00001_LEFT_CC"

/* One film of 60 x 90 with n abnormalities; files are added by the tests. */
static struct made_row row_of(int number, const char *pathology)
{
    return (struct made_row){"Mass-Training", "P_00001", "LEFT", "CC", 1, number, pathology};
}

static void add_full(const char *folder, const char *path, struct made_dicom d)
{
    struct image im = film(60, 90, 1000);

    d.patient = d.patient ? d.patient : FILM;
    d.study = "1.1.1";
    d.series = "1.1.2";
    make_dicom(in(folder, path), &d, &im);
    image_release(&im);
}

static void add_mask(const char *folder, const char *path, struct made_dicom d, struct image_box box)
{
    struct image im = masked(60, 90, box);

    make_dicom(in(folder, path), &d, &im);
    image_release(&im);
}

static void add_crop(const char *folder, const char *path, struct made_dicom d, int size)
{
    struct image im = film(size, size, 5);

    make_dicom(in(folder, path), &d, &im);
    image_release(&im);
}

/* What shared series and its two files usually look like. */
static struct made_dicom roi(int abnormality, int number)
{
    static char study[4][16], series[4][16], patient[4][48];

    snprintf(study[abnormality], sizeof study[0], "1.1.%d0.1", abnormality);
    snprintf(series[abnormality], sizeof series[0], "1.1.%d0.2", abnormality);
    snprintf(patient[abnormality], sizeof patient[0], FILM "_%d", abnormality);
    return (struct made_dicom){.patient = patient[abnormality],
                               .study = study[abnormality],
                               .series = series[abnormality],
                               .description = "ROI mask images",
                               .number = number};
}

static struct ingest_cbis_result ingest(const char *folder, const char *out, bool archive_crop)
{
    const char *const tables[] = {in(folder, "mass_train.csv")};
    const struct ingest_cbis how = {.source = in(folder, "download"),
                                    .table = tables,
                                    .tables = 1,
                                    .folder = out,
                                    .margin = .1,
                                    .archive_crop = archive_crop};
    struct ingest_cbis_result r;
    struct err err = ERR_INIT;

    must(ingest_cbis(&r, &how, &err), err);
    return r;
}

static void want_box(const char *path, int width, int height, struct image_box box)
{
    struct image im = IMAGE_INIT;
    struct err err = ERR_INIT;

    must(image_read(&im, path, &err), err);
    assert_int_equal(im.type, IMAGE_U8);
    assert_int_equal(im.width, width);
    assert_int_equal(im.height, height);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            bool inside = x >= box.x0 && x < box.x1 && y >= box.y0 && y < box.y1;
            if (image_u8(&im)[y * width + x] != (inside ? 255 : 0))
                fail_msg("%s: pixel %d, %d is %d", path, x, y, image_u8(&im)[y * width + x]);
        }
    image_release(&im);
}

/* The first pixel of a ramp tells where it was cut. */
static void want_ramp(const char *path, int width, int height, int first)
{
    struct image im = IMAGE_INIT;
    struct err err = ERR_INIT;

    must(image_read(&im, path, &err), err);
    assert_int_equal(im.type, IMAGE_U16);
    assert_int_equal(im.width, width);
    assert_int_equal(im.height, height);
    assert_int_equal(image_u16(&im)[0], first);
    image_release(&im);
}

/* Number 1 is swapped against the table, number 2 lies in two folders and its mask is called a crop. */
static void make_two(const char *folder)
{
    const struct made_row rows[] = {row_of(1, "BENIGN"), row_of(2, "MALIGNANT")};
    struct made_dicom lying = roi(2, 1), apart = roi(2, 1);

    make_table(in(folder, "mass_train.csv"), rows, 2);
    add_full(folder, "download/" FILM "/a/1-1.dcm",
             (struct made_dicom){.description = "full mammogram images"});
    add_mask(folder, "download/" FILM "_1/b/1-1.dcm", roi(1, 1), (struct image_box){10, 20, 20, 40});
    add_crop(folder, "download/" FILM "_1/b/1-2.dcm", roi(1, 2), 21);
    lying.description = "cropped images";
    add_mask(folder, "download/" FILM "_2/c/1-1.dcm", lying, (struct image_box){30, 50, 50, 60});
    apart.description = "cropped images";
    apart.series = "1.9";
    add_crop(folder, "download/" FILM "_2/d/1-1.dcm", apart, 22);
}

static void pairs_are_told_by_their_pixels(void **state)
{
    const char *out = in(*state, "out");

    make_two(*state);
    struct ingest_cbis_result r = ingest(*state, out, false);
    assert_int_equal(r.counts.images, 1);
    assert_int_equal(r.lost + r.doubtful + r.repaired, 0);
    want_ramp(in(out, "full/" FILM ".tif"), 60, 90, 1000);
    want_box(in(out, "roi/" FILM "_1.tif"), 60, 90, (struct image_box){10, 20, 20, 40});
    want_box(in(out, "roi/" FILM "_2.tif"), 60, 90, (struct image_box){30, 50, 50, 60});
    /* margins of a tenth of the larger side, two pixels each */
    want_ramp(in(out, "crop/" FILM "_1.tif"), 14, 24, 1000 + 7 * (18 * 60 + 8));
    want_ramp(in(out, "crop/" FILM "_2.tif"), 24, 14, 1000 + 7 * (48 * 60 + 28));
    assert_false(file_exists(in(out, "archive/" FILM "_1.tif")));
    want_audit(out, FILM "_1/b/1-1.dcm", "settled", "bits, size, values: mask; table: crop");
    want_audit(out, FILM "_1/b/1-2.dcm", "settled", "table: mask; bits, size, values: crop");
    want_audit(out, FILM "_2/c/1-1.dcm", "settled", "description: crop; mask and crop lie in two folders");
    want_audit(out, FILM "_2/d/1-1.dcm", "settled", "two folders");
    want_audit(out, FILM "/a/1-1.dcm", "used", "full/" FILM ".tif");
}

static void tables_say_what_was_made(void **state)
{
    struct manifest m = MANIFEST_INIT;
    struct csv t = CSV_INIT;
    struct err err = ERR_INIT;
    char hash[FILE_SHA256_TEXT];
    const char *out = in(*state, "out");

    make_two(*state);
    ingest(*state, out, true);
    must(manifest_read(&m, out, &err), err);
    assert_int_equal(m.count, 1);
    assert_string_equal(m.item[0].id, FILM);
    assert_string_equal(m.item[0].patient, "P_00001");
    assert_string_equal(m.item[0].side, "left");
    assert_string_equal(m.item[0].view, "CC");
    assert_string_equal(m.item[0].density, "2");
    assert_string_equal(m.item[0].assessment, "2"); /* the larger of 1 and 2 */
    assert_string_equal(m.item[0].subtlety, "3");
    assert_int_equal(m.item[0].part, PART_TRAIN);
    assert_int_equal(m.item[0].label, LABEL_MALIGNANT); /* one of the two is */
    manifest_release(&m);
    must(csv_read(&t, in(out, "abnormalities.csv"), &err), err);
    assert_int_equal(t.count, 2);
    assert_string_equal(csv_get(&t, 1, csv_column(&t, "pathology")), "MALIGNANT");
    assert_string_equal(csv_get(&t, 1, csv_column(&t, "x0")), "30");
    assert_string_equal(csv_get(&t, 1, csv_column(&t, "y1")), "60");
    assert_string_equal(csv_get(&t, 0, csv_column(&t, "archive_crop")), "archive/" FILM "_1.tif");
    must(file_sha256(in(out, csv_get(&t, 0, csv_column(&t, "mask"))), hash, &err), err);
    assert_string_equal(csv_get(&t, 0, csv_column(&t, "mask_sha256")), hash);
    csv_release(&t);
    want_ramp(in(out, "archive/" FILM "_1.tif"), 21, 21, 5);
    char *crops = read_text(in(out, "crops.csv"));
    assert_string_equal(crops, "crop,class,part\narchive/" FILM "_1.tif,benign,train\narchive/" FILM
                               "_2.tif,malignant,train\n");
    free(crops);
    char *sources = read_text(in(out, "sources.csv"));
    assert_contains(sources, FILM ",mask," FILM "_2/c/1-1.dcm,");
    free(sources);
}

static void masks_of_another_pitch_are_scaled_or_refused(void **state)
{
    const struct made_row rows[] = {row_of(1, "BENIGN"), row_of(2, "BENIGN"), row_of(3, "BENIGN")};
    struct image half = masked(40, 60, (struct image_box){10, 20, 20, 30}),
                 off = masked(45, 64, (struct image_box){10, 20, 20, 30}),
                 all = masked(60, 90, (struct image_box){0, 0, 60, 90});
    struct made_dicom one = roi(1, 1), two = roi(2, 1), three = roi(3, 1);
    const char *out = in(*state, "out");

    make_table(in(*state, "mass_train.csv"), rows, 3);
    add_full(*state, "download/a.dcm", (struct made_dicom){.description = "full mammogram images"});
    make_dicom(in(*state, "download/b.dcm"), &one, &half);
    make_dicom(in(*state, "download/c.dcm"), &two, &off);
    make_dicom(in(*state, "download/d.dcm"), &three, &all);
    struct ingest_cbis_result r = ingest(*state, out, false);
    assert_int_equal(r.counts.with_region, 1);
    want_box(in(out, "roi/" FILM "_1.tif"), 60, 90, (struct image_box){15, 30, 30, 45});
    want_audit(out, "b.dcm", "repaired", "scaled to 60 x 90");
    want_audit(out, "c.dcm", "lost", "the aspects differ by more than 1 %");
    want_audit(out, "d.dcm", "lost", "every pixel is marked");
    want_audit(out, "", "lost", "no mask of " FILM "_2");
    want_box(in(out, "roi/" FILM ".tif"), 60, 90, (struct image_box){15, 30, 30, 45});
    image_release(&half);
    image_release(&off);
    image_release(&all);
}

/* No folder and no patient number says anything: only identifiers do. */
static void identifiers_alone_are_enough(void **state)
{
    const struct made_row rows[] = {row_of(1, "BENIGN")};
    struct made_dicom mask = roi(1, 2), crop = roi(1, 1);
    const char *out = in(*state, "out");

    make_table(in(*state, "mass_train.csv"), rows, 1);
    mask.patient = crop.patient = "ANONYMOUS";
    add_full(*state, "download/1.1.1/1.1.2/x", (struct made_dicom){.patient = "ANONYMOUS"});
    add_mask(*state, "download/1.1.10.1/1.1.10.2/y", mask, (struct image_box){1, 2, 9, 8});
    add_crop(*state, "download/1.1.10.1/1.1.10.2/z", crop, 9);
    struct ingest_cbis_result r = ingest(*state, out, false);
    assert_int_equal(r.counts.with_region, 1);
    assert_int_equal(r.settled + r.lost + r.doubtful, 0);
    want_box(in(out, "roi/" FILM "_1.tif"), 60, 90, (struct image_box){1, 2, 9, 8});
}

static void add_jpeg(const char *folder, const char *path, const struct image *im)
{
    struct buf b = BUF_INIT;
    struct err err = ERR_INIT;

    must(jpeg_encode(&b, im, 90, &err), err);
    write_quickly(in(folder, path), b.data, b.len);
    buf_release(&b);
}

/* Of 8 bits all of them, masks frayed, and no header but the folder's name. */
static void a_repack_of_jpegs_is_read(void **state)
{
    const struct made_row rows[] = {row_of(1, "BENIGN")};
    const struct image_box box = {14, 22, 40, 60};
    struct image whole = flat(60, 90, IMAGE_U8, 90), mask = masked(60, 90, box),
                 crop = flat(30, 42, IMAGE_U8, 200), made = IMAGE_INIT;
    const char *out = in(*state, "out");
    struct err err = ERR_INIT;

    paint(&whole, box, 150);
    paint(&crop, (struct image_box){5, 5, 20, 30}, 60);
    make_table(in(*state, "mass_train.csv"), rows, 1);
    add_jpeg(*state, "download/jpeg/1.1.2/1-1.jpg", &whole);
    add_jpeg(*state, "download/jpeg/1.1.10.2/2-204.jpg", &mask);
    add_jpeg(*state, "download/jpeg/1.1.10.2/1-241.jpg", &crop);
    add_jpeg(*state, "download/holiday.jpg", &crop);
    write_quickly(in(*state, "download/jpeg/1.1.2/cut.jpg"), "\xff\xd8\xff\xe0", 4);
    struct ingest_cbis_result r = ingest(*state, out, false);
    assert_int_equal(r.counts.images, 1);
    assert_int_equal(r.counts.with_region, 1);
    assert_int_equal(r.doubtful + r.repaired, 0);
    must(image_read(&made, in(out, "roi/" FILM "_1.tif"), &err), err);
    for (int y = 0; y < 90; y++) /* an edge may fray by a pixel */
        for (int x = 0; x < 60; x++) {
            const bool inside = x > box.x0 && x < box.x1 - 1 && y > box.y0 && y < box.y1 - 1;
            const bool outside = x < box.x0 - 1 || x > box.x1 || y < box.y0 - 1 || y > box.y1;
            if (inside || outside)
                assert_int_equal(image_u8(&made)[y * 60 + x], inside ? 255 : 0);
        }
    want_audit(out, "jpeg/1.1.2/1-1.jpg", "settled", "only 8 bits, widened");
    want_audit(out, "jpeg/1.1.10.2/2-204.jpg", "used",
               "JPEG, 8 bits, 60 x 90 | roi/" FILM "_1.tif | size, values: mask");
    want_audit(out, "jpeg/1.1.10.2/1-241.jpg", "used", "size, values: crop");
    want_audit(out, "holiday.jpg", "skipped", "a JPEG of something else");
    want_audit(out, "jpeg/1.1.2/cut.jpg", "lost", "a file that cannot be read");
    image_release(&whole);
    image_release(&mask);
    image_release(&crop);
    image_release(&made);
}

static void names_that_disagree_are_settled_or_refused(void **state)
{
    const struct made_row rows[] = {row_of(1, "BENIGN")};
    struct made_dicom stray = roi(1, 2), unknown = roi(1, 2);
    const char *out = in(*state, "out");

    make_table(in(*state, "mass_train.csv"), rows, 1);
    /* two against one */
    add_full(*state, "download/Mass-Training_P_00077_LEFT_CC/a.dcm", (struct made_dicom){.number = 1});
    add_mask(*state, "download/" FILM "_1/b.dcm", roi(1, 1), (struct image_box){1, 2, 9, 8});
    /* one against one */
    stray.series = stray.study = "7.7";
    stray.patient = "Mass-Training_P_00099_LEFT_MLO_1";
    add_mask(*state, "download/" FILM "_1/c.dcm", stray, (struct image_box){30, 30, 50, 50});
    /* one against one, and the header's side and view speak for the patient number */
    unknown.series = unknown.study = "7.7";
    unknown.laterality = "L";
    unknown.orientation = "CC";
    add_crop(*state, "download/Mass-Training_P_00001_RIGHT_MLO_1/d.dcm", unknown, 9);
    /* nobody's */
    unknown.patient = "somebody";
    add_crop(*state, "download/e.dcm", unknown, 9);
    ingest(*state, out, false);
    want_audit(out, "Mass-Training_P_00077_LEFT_CC/a.dcm", "settled", "taken as " FILM);
    want_audit(out, FILM "_1/c.dcm", "lost", "names that disagree");
    want_audit(out, "Mass-Training_P_00001_RIGHT_MLO_1/d.dcm", "settled", "taken as " FILM "_1");
    want_audit(out, "e.dcm", "skipped", "nothing names it");
    want_box(in(out, "roi/" FILM "_1.tif"), 60, 90, (struct image_box){1, 2, 9, 8});
}

static void copies_and_broken_files_cost_nothing_else(void **state)
{
    const struct made_row rows[] = {row_of(1, "BENIGN")};
    struct made_dicom turned = {.description = "full mammogram images", .photometric = "MONOCHROME1"};
    const char *out = in(*state, "out"), *cut = in(*state, "download/a/1.dcm");

    make_table(in(*state, "mass_train.csv"), rows, 1);
    add_full(*state, "download/a/1.dcm", (struct made_dicom){.instance = "4.1"});
    assert_int_equal(truncate(cut, 4000), 0);
    add_full(*state, "download/b/1.dcm", turned);
    add_full(*state, "download/c/1.dcm", turned);
    add_mask(*state, "download/d/1.dcm", roi(1, 2), (struct image_box){1, 2, 9, 8});
    add_mask(*state, "download/d/2.dcm", roi(1, 2), (struct image_box){1, 2, 9, 8});
    struct ingest_cbis_result r = ingest(*state, out, false);
    assert_int_equal(r.counts.with_region, 1);
    want_audit(out, "a/1.dcm", "lost", "truncated");
    want_audit(out, "b/1.dcm", "repaired",
               "black and white exchanged | name and series, description; stored as MONOCHROME1");
    want_audit(out, "c/1.dcm", "settled", "a copy of b/1.dcm");
    want_audit(out, "d/2.dcm", "settled", "a copy of d/1.dcm");
    want_ramp(in(out, "full/" FILM ".tif"), 60, 90, 65535 - 1000);
    char *rejected = read_text(in(out, "rejected.csv"));
    assert_contains(rejected, "a/1.dcm,\"whole image, 16 bits, 60 x 90: truncated");
    free(rejected);
}

/* 200 files of noise, a loop, a pipe, names nobody should give. */
static void make_mess(const char *folder)
{
    char noise[2000], name[64];

    for (int i = 0; i < 200; i++) {
        for (size_t k = 0; k < sizeof noise; k++)
            noise[k] = (char)(rand() >> 7);
        snprintf(name, sizeof name, "download/mess/%d%s", i, i % 3 ? ".bin" : ".dcm");
        write_quickly(in(folder, name), noise, (size_t)i * 10);
    }
    write_text(in(folder, "download/mess/a \"b\",\nc.txt"), "DICM");
    memset(noise, 0, 128);
    memcpy(noise + 128, "DICM", 4);
    write_quickly(in(folder, "download/mess/liar.dcm"), noise, sizeof noise);
    write_text(in(folder, "download/mess/series.zip"), "PK\3\4 and so on");
    assert_int_equal(symlink(".", in(folder, "download/mess/loop")), 0);
    assert_int_equal(symlink("../..", in(folder, "download/mess/up")), 0);
    assert_int_equal(symlink("nowhere", in(folder, "download/mess/dangling")), 0);
    assert_int_equal(symlink("/dev/zero", in(folder, "download/mess/endless.dcm")), 0);
    assert_int_equal(symlink("/proc/self/mem", in(folder, "download/mess/fails.dcm")), 0);
    assert_int_equal(mkfifo(in(folder, "download/mess/pipe.dcm"), 0600), 0);
    write_text(in(folder, "download/mess/\xff\xfe .txt"), "not even UTF-8");
    write_text(in(folder, "download/secret/inside.dcm"), "x");
    write_text(in(folder, "download/mess/secret.dcm"), "x");
    assert_int_equal(chmod(in(folder, "download/mess/secret.dcm"), 0), 0);
    assert_int_equal(chmod(in(folder, "download/secret"), 0), 0);
}

/* In a child that is not root, from whom nothing is secret. */
static void ingest_as_nobody(const char *folder, const char *out)
{
    enum { NOBODY = 65534 };
    const char *tables[] = {in(folder, "mass_train.csv")};
    const struct ingest_cbis how = {
        .source = in(folder, "download"), .table = tables, .tables = 1, .folder = out, .margin = .1};
    const bool root = geteuid() == 0;
    int status;

    if (root)
        assert_int_equal(chown(folder, NOBODY, NOBODY) | chown(in(folder, "download"), NOBODY, NOBODY), 0);
    pid_t child = fork();
    if (child == 0) {
        struct ingest_cbis_result r;
        struct err err = ERR_INIT;
        bool ok = (!root || !setuid(NOBODY)) && ingest_cbis(&r, &how, &err);
        if (!ok)
            fprintf(stderr, "%s\n", err.text);
        _exit(!ok || r.counts.images != 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(chmod(in(folder, "download/secret"), 0700), 0);
}

static void a_mess_is_listed_and_harms_nothing(void **state)
{
    const char *odd = "download/an \"odd\",\nfolder/1-1.dcm", *out = in(*state, "download/out");
    const struct made_row rows[] = {row_of(1, "BENIGN")};

    make_mess(*state);
    make_table(in(*state, "mass_train.csv"), rows, 1);
    add_full(*state, odd, (struct made_dicom){.description = "full mammogram images"});
    add_mask(*state, "download/" FILM "_1/1-2.dcm", roi(1, 2), (struct image_box){1, 2, 9, 8});
    ingest_as_nobody(*state, out);
    want_box(in(out, "roi/" FILM "_1.tif"), 60, 90, (struct image_box){1, 2, 9, 8});
    want_audit(out, "mess/secret.dcm", "lost", "Permission denied");
    want_audit(out, "secret", "lost", "Permission denied");
    want_audit(out, "mess/endless.dcm", "skipped", "");
    want_audit(out, "mess/fails.dcm", "lost", "a file that cannot be read");
    want_audit(out, "mess/\xff\xfe .txt", "skipped", "neither DICOM nor JPEG");
    want_audit(out, "mess/a \"b\",\nc.txt", "skipped", "neither DICOM nor JPEG");
    want_audit(out, "an \"odd\",\nfolder/1-1.dcm", "used", "full/" FILM ".tif");
    want_audit(out, "mess/series.zip", "lost", "unpack it first");
    want_audit(out, "mess/pipe.dcm", "skipped", "a pipe");
    want_audit(out, "mess/dangling", "skipped", "cannot be looked at");
    want_audit(out, "mess/loop", "skipped", "read already");
    want_audit(out, "mess/0.dcm", "lost", "an empty file");
    want_audit(out, "mess/3.dcm", "lost", "no DICOM file");
    want_audit(out, "mess/1.bin", "skipped", "neither DICOM nor JPEG");
    want_audit(out, "mess/liar.dcm", "lost", "a file that cannot be read | left out");
}

static void patients_in_two_parts_are_named(void **state)
{
    const struct made_row rows[] = {
        {"Mass-Training", "P_00001", "LEFT", "CC", 1, 1, "BENIGN"},
        {"Calc-Test", "P_00001", "LEFT", "CC", 2, 1, "MALIGNANT"},
        {"Calc-Test", "P_00002", "LEFT", "CC", 3, 1, "BENIGN"},
        {"Mass-Training", "P_00002", "LEFT", "CC", 4, 1, "BENIGN"}, /* not in the download */
    };
    static const char *const NAMES[] = {FILM, "Calc-Test_P_00001_LEFT_CC", "Calc-Test_P_00002_LEFT_CC"};
    struct err err = ERR_INIT;
    const char *out = in(*state, "out");

    make_table(in(*state, "mass_train.csv"), rows, 4);
    for (int i = 0; i < 3; i++) {
        struct image im = film(30 + i / 2, 40, 3); /* the first two are one picture */
        char path[64];
        snprintf(path, sizeof path, "download/%d.dcm", i);
        make_dicom(in(*state, path), &(struct made_dicom){.patient = NAMES[i]}, &im);
        image_release(&im);
    }
    struct ingest_cbis_result r = ingest(*state, out, false);
    assert_int_equal(r.leaks, 1);
    char *leaks = read_text(in(out, "leaks.csv"));
    assert_string_equal(leaks, "patient,train,test\nP_00001,mass,calc\n");
    free(leaks);
    json_t *story = json_file_read(in(out, "dataset.json"), &err);
    assert_int_equal(json_integer_value(json_object_get(story, "leaks")), 1);
    json_decref(story);
    want_audit(out, "", "doubtful", "patient P_00001 is in train and in test");
    want_audit(out, "", "settled", "the same picture as Calc-Test_P_00001_LEFT_CC");
    want_audit(out, "", "lost", "the download has none of its files");
}

/* ---- going on ---- */

enum { FILMS = 6 };

/* The last film is noise: its file is larger than the first try may write. */
static void make_films(const char *folder)
{
    struct made_row rows[FILMS];
    char patient[FILMS][16], path[64];

    for (int i = 0; i < FILMS; i++) {
        struct image im = film(200, 200, i);
        snprintf(patient[i], sizeof patient[i], "P_%05d", i);
        rows[i] = (struct made_row){"Mass-Training", patient[i], "LEFT", "CC", i, 1, "BENIGN"};
        for (size_t k = 0; i == FILMS - 1 && k < image_pixels(&im); k++)
            image_u16(&im)[k] = (uint16_t)(rand() >> 5);
        char *name = mem_printf("Mass-Training_%s_LEFT_CC", patient[i]);
        snprintf(path, sizeof path, "download/%d.dcm", i);
        make_dicom(in(folder, path), &(struct made_dicom){.patient = name, .series = "8.8"}, &im);
        free(name);
        image_release(&im);
    }
    make_table(in(folder, "mass_train.csv"), rows, FILMS);
}

/* In a child, whose files may not grow beyond 50 kB. */
static void fail_at_the_last(const char *folder, const char *out)
{
    const char *const tables[] = {in(folder, "mass_train.csv")};
    const struct ingest_cbis how = {
        .source = in(folder, "download"), .table = tables, .tables = 1, .folder = out, .margin = .1};
    int status;
    pid_t child = fork();

    if (child == 0) {
        struct ingest_cbis_result r;
        struct err err = ERR_INIT;
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){50000, 50000});
        bool ok = ingest_cbis(&r, &how, &err);
        _exit(ok ? 2 : strstr(err.text, "P_00005") ? 0 : 3);
    }
    waitpid(child, &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static ino_t inode(const char *path)
{
    struct stat st;

    assert_int_equal(stat(path, &st), 0);
    return st.st_ino;
}

static void an_interrupted_call_goes_on(void **state)
{
    const char *out = in(*state, "out"), *first = in(out, "full/Mass-Training_P_00000_LEFT_CC.tif"),
               *second = in(out, "full/Mass-Training_P_00001_LEFT_CC.tif");

    make_films(*state);
    rmdir(in(out, "full"));
    rmdir(out);
    fail_at_the_last(*state, out);
    assert_false(file_exists(in(out, "manifest.csv")));
    write_text(in(out, "full/.x.tif.partial-1-1"), "half");
    const ino_t kept = inode(first), stale = inode(second);
    /* a file that was touched is read again */
    struct image other = film(200, 200, 77);
    make_dicom(in(*state, "download/1.dcm"), &(struct made_dicom){.patient = "Mass-Training_P_00001_LEFT_CC"},
               &other);
    image_release(&other);
    struct ingest_cbis_result r = ingest(*state, out, false);
    assert_int_equal(r.resumed, FILMS - 2);
    assert_int_equal(r.counts.images, FILMS);
    assert_int_equal(inode(first), kept);
    assert_int_not_equal(inode(second), stale);
    want_ramp(second, 200, 200, 77);
    want_audit(out, "0.dcm", "settled",
               "the tables have another series"); /* told again, though not read again */
    assert_false(file_exists(in(out, "journal.jsonl")));
    assert_false(file_exists(in(out, "full/.x.tif.partial-1-1")));
    assert_false(file_exists(in(out, "unfinished.txt")));
}

/* Where a child is told to end while it works; SIGINT as a user sends it. */
static void interrupt(const char *folder, const char *out, int signal_number, useconds_t after)
{
    const char *const tables[] = {in(folder, "mass_train.csv")};
    const struct ingest_cbis how = {
        .source = in(folder, "download"), .table = tables, .tables = 1, .folder = out, .margin = .1};
    int status;
    pid_t child = fork();

    if (child == 0) {
        struct ingest_cbis_result r;
        struct err err = ERR_INIT;
        const int nowhere = open("/dev/null", O_WRONLY);
        dup2(nowhere, STDERR_FILENO);
        stop_install();
        bool ok = ingest_cbis(&r, &how, &err);
        /* killed after the end: there is a data set already */
        _exit(ok || err.kind == ERR_CANCELLED || strstr(err.text, "already") ? 0 : 1);
    }
    usleep(after);
    kill(child, signal_number);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == signal_number : WEXITSTATUS(status) == 0);
}

static double seconds_now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Wherever it is cut, as often as it is, the same bytes come out in the end. */
static void a_call_killed_at_any_moment_goes_on(void **state)
{
    enum { TIMES = 16 };
    const char *whole = in(*state, "whole"), *cut = in(*state, "cut");
    int unfinished = 0;

    make_films(*state);
    const double begin = seconds_now();
    ingest(*state, whole, false);
    const double took = seconds_now() - begin;
    for (int i = 0; i < TIMES; i++) {
        nftw(cut, remove_one, 16, FTW_DEPTH | FTW_PHYS);
        for (int again = 0; again < 2; again++)
            interrupt(*state, cut, i % 2 ? SIGINT : SIGKILL,
                      (useconds_t)(1e6 * took * (i + .5 + again * .25) / TIMES));
        if (!file_exists(in(cut, "manifest.csv")) || file_exists(in(cut, "unfinished.txt"))) {
            unfinished++;
            ingest(*state, cut, false);
        }
        char *command = mem_printf("diff -r '%s' '%s'", whole, cut);
        assert_int_equal(system(command), 0);
        free(command);
    }
    assert_in_range(unfinished, TIMES / 4, TIMES);
}

/* Other options make everything anew. */
static void another_call_begins_again(void **state)
{
    const char *out = in(*state, "out");

    make_films(*state);
    rmdir(out);
    fail_at_the_last(*state, out);
    struct ingest_cbis_result r = ingest(*state, out, true);
    assert_int_equal(r.resumed, 0);
    assert_int_equal(r.counts.images, FILMS);
}

static void calls_that_make_no_sense_are_told(void **state)
{
    const struct made_row rows[] = {row_of(1, "BENIGN")};
    const char *const tables[] = {in(*state, "mass_train.csv")};
    struct ingest_cbis how = {.source = in(*state, "download"),
                              .table = tables,
                              .tables = 1,
                              .folder = in(*state, "out"),
                              .margin = .1};
    struct ingest_cbis_result r;
    struct err err = ERR_INIT;

    make_table(tables[0], rows, 1);
    assert_false(ingest_cbis(&r, &how, &err));
    assert_contains(err.text, "download: No such file");
    write_text(in(*state, "download/readme.txt"), "nothing here");
    assert_false(ingest_cbis(&r, &how, &err));
    assert_contains(err.text, "no case could be used");
    how.folder = how.source;
    assert_false(ingest_cbis(&r, &how, &err));
    assert_contains(err.text, "is not empty");
}

/* ---- genuine files of the archive ---- */

static void copy_file(const char *from, const char *to)
{
    struct buf b = BUF_INIT;
    struct err err = ERR_INIT;

    must(file_read(&b, from, 0, &err), err);
    write_quickly(to, b.data, b.len);
    buf_release(&b);
}

static void want_same_picture(const char *dicom, const char *tiff)
{
    struct image a = IMAGE_INIT, b = IMAGE_INIT;
    struct err err = ERR_INIT;

    must(image_read(&a, dicom, &err), err);
    must(image_read(&b, tiff, &err), err);
    assert_int_equal(image_bytes(&a), image_bytes(&b));
    assert_memory_equal(a.data, b.data, image_bytes(&a));
    image_release(&a);
    image_release(&b);
}

/* Two crops. By the official table the one of the mass, 000001.dcm, would be the mask. Films and the second
 * table are made here. */
static void genuine_files_are_recognised(void **state)
{
    static const char MASS[] =
        SHARED_DATA_DIR "/dicom/cbis-ddsm/Mass-Training_P_00004_LEFT_CC_1__cropped__000001.dcm",
                      CALC[] = SHARED_DATA_DIR
                      "/dicom/cbis-ddsm/Calc-Training_P_00474_LEFT_MLO_1__cropped__1-207.dcm",
                      OFFICIAL[] = SHARED_DATA_DIR "/cbis-ddsm-mass/mass_case_description_train_set.csv";
    const struct made_row row = {"Calc-Training", "P_00474", "LEFT", "MLO", 9, 1, "BENIGN"};
    const char *const tables[] = {OFFICIAL, in(*state, "calc_train.csv")};
    const char *out = in(*state, "out");
    const struct ingest_cbis how = {.source = in(*state, "download"),
                                    .table = tables,
                                    .tables = 2,
                                    .folder = out,
                                    .margin = .1,
                                    .archive_crop = true};
    struct image whole = film(1400, 1500, 3);
    struct ingest_cbis_result r;
    struct err err = ERR_INIT;

    if (!file_exists(MASS) || !file_exists(CALC) || !file_exists(OFFICIAL)) {
        image_release(&whole);
        skip();
    }
    make_table(tables[1], &row, 1);
    copy_file(MASS, in(*state, "download/000001.dcm"));
    copy_file(CALC, in(*state, "download/1-207.dcm"));
    make_dicom(in(*state, "download/a.dcm"), &(struct made_dicom){.patient = "Mass-Training_P_00004_LEFT_CC"},
               &whole);
    make_dicom(in(*state, "download/b.dcm"),
               &(struct made_dicom){.patient = "Calc-Training_P_00474_LEFT_MLO"}, &whole);
    must(ingest_cbis(&r, &how, &err), err);
    assert_int_equal(r.counts.images, 2);
    assert_int_equal(r.counts.with_region, 0);
    want_audit(out, "000001.dcm", "used", "crop, 16 bits, 423 x 466");
    want_audit(out, "1-207.dcm", "used", "crop, 16 bits, 1065 x 1129");
    want_same_picture(MASS, in(out, "archive/Mass-Training_P_00004_LEFT_CC_1.tif"));
    want_same_picture(CALC, in(out, "archive/Calc-Training_P_00474_LEFT_MLO_1.tif"));
    image_release(&whole);
}

/* ---- real pictures in the archive's layout ---- */

#define LAYOUT_TOOL SHARED_DATA_DIR "/../tools/make-cbis-tree"
#define PICTURES    SHARED_DATA_DIR "/cbis-ddsm-mass"

static int run(const char *fmt, ...)
{
    char command[2000];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(command, sizeof command, fmt, ap);
    va_end(ap);
    return system(command);
}

/* Seed 2604 has every fault among its first 14 images. */
static void check_tree(void **state, const char *faults)
{
    const char *tree = in(*state, "tree"), *out = in(*state, "out");
    const char *const tables[] = {in(*state, "tree/mass_case_description_train_set.csv")};
    const struct ingest_cbis how = {
        .source = tree, .table = tables, .tables = 1, .folder = out, .margin = .1};
    struct ingest_cbis_result r;
    struct err err = ERR_INIT;

    if (!file_exists(LAYOUT_TOOL) || run("/usr/bin/python3 -c 'import pydicom, PIL, numpy' 2>/dev/null"))
        skip();
    assert_int_equal(run("/usr/bin/python3 " LAYOUT_TOOL
                         " %s --images 14 --seed 2604 --scale .1 %s >/dev/null",
                         tree, faults),
                     0);
    must(ingest_cbis(&r, &how, &err), err);
    assert_int_equal(run("/usr/bin/python3 " TESTS_DIR "/test_data_cbis_truth.py " LAYOUT_TOOL " " PICTURES
                         " %s %s 14 2604 %s",
                         tree, out, faults),
                     0);
}

static void a_tree_with_faults_is_right(void **state)
{
    check_tree(state, "");
}

static void a_clean_tree_is_right(void **state)
{
    check_tree(state, "--clean");
}

static void a_corrupt_tree_loses_what_is_broken_only(void **state)
{
    check_tree(state, "--corrupt");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pairs_are_told_by_their_pixels),
        TEST(tables_say_what_was_made),
        TEST(masks_of_another_pitch_are_scaled_or_refused),
        TEST(identifiers_alone_are_enough),
        TEST(a_repack_of_jpegs_is_read),
        TEST(names_that_disagree_are_settled_or_refused),
        TEST(copies_and_broken_files_cost_nothing_else),
        TEST(a_mess_is_listed_and_harms_nothing),
        TEST(patients_in_two_parts_are_named),
        TEST(an_interrupted_call_goes_on),
        TEST(a_call_killed_at_any_moment_goes_on),
        TEST(another_call_begins_again),
        TEST(calls_that_make_no_sense_are_told),
        TEST(genuine_files_are_recognised),
        TEST(a_tree_with_faults_is_right),
        TEST(a_clean_tree_is_right),
        TEST(a_corrupt_tree_loses_what_is_broken_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
