#include "data_help.h"

#include "base/csv.h"
#include "base/json.h"
#include "data/ingest_folder.h"
#include "io/dicom.h"
#include "io/image_file.h"

#include <sys/stat.h>

/* Runs it with what it says on standard error kept in *said (free it). */
static bool ingest(const struct ingest_folder *how, struct ingest_result *r, char **said, struct err *err)
{
    char path[] = "/tmp/clearmass-log-XXXXXX";
    int fd = mkstemp(path), saved = dup(STDERR_FILENO);

    dup2(fd, STDERR_FILENO);
    bool ok = ingest_folder(r, how, err);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(fd);
    *said = read_text(path);
    unlink(path);
    return ok;
}

static void write_png(const char *path, struct image im)
{
    struct err err = ERR_INIT;

    must(png_write(path, &im, &err), err);
    image_release(&im);
}

/* A picture of 30 x 20 of one value: the value makes its bytes its own. */
static void picture(const char *path, int value)
{
    write_png(path, flat(30, 20, IMAGE_U8, value));
}

static void mask(const char *path, struct image_box box)
{
    struct image im = flat(30, 20, IMAGE_U8, 0);

    paint(&im, box, 255);
    write_png(path, im);
}

/* The reason rejected.csv gives for a path. */
static void assert_rejected(const char *folder, const char *path, const char *reason)
{
    struct csv t = CSV_INIT;
    struct err err = ERR_INIT;
    size_t found = 0;

    must(csv_read(&t, in(folder, "rejected.csv"), &err), err);
    for (size_t i = 0; i < t.count; i++) {
        if (!strcmp(csv_get(&t, i, 0), path)) {
            assert_contains(csv_get(&t, i, 1), reason);
            found++;
        }
    }
    csv_release(&t);
    if (found != 1)
        fail_msg("%s is in rejected.csv %zu times", path, found);
}

static const struct data_item *item_of(const struct manifest *m, const char *id)
{
    const struct data_item *item = manifest_find(m, id);

    if (!item)
        fail_msg("no item '%s'", id);
    return item;
}

/* Sum of the mask's pixels / 255. */
static size_t mask_area(const struct manifest *m, const char *id)
{
    const struct data_item *item = item_of(m, id);
    struct image im = IMAGE_INIT;
    struct err err = ERR_INIT;
    size_t area = 0;

    if (!*item->mask)
        return 0;
    must(image_read(&im, in(m->folder, item->mask), &err), err);
    assert_int_equal(im.type, IMAGE_U8);
    for (size_t i = 0; i < image_pixels(&im); i++) {
        assert_true(image_u8(&im)[i] == 0 || image_u8(&im)[i] == 255);
        area += image_u8(&im)[i] != 0;
    }
    image_release(&im);
    return area;
}

static uint16_t first_pixel(const struct manifest *m, const char *id)
{
    struct image im = IMAGE_INIT;
    struct err err = ERR_INIT;

    must(image_read(&im, in(m->folder, item_of(m, id)->image), &err), err);
    uint16_t v = image_u16(&im)[0];
    image_release(&im);
    return v;
}

static void write_defects(const char *f)
{
    static const char EMPTY_PNG[] =
        "\x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\x00\x00\x00"
        "\x00\x00\x00\x08\x00\x00\x00\x00\x1e\xe0\x23\xce\x00\x00\x00\x00\x49\x45\x4e\x44\xae"
        "\x42\x60\x82";
    struct err err = ERR_INIT;
    struct image noise = flat(100, 100, IMAGE_U8, 0);
    struct buf b = BUF_INIT;

    for (size_t i = 0; i < image_pixels(&noise); i++)
        image_u8(&noise)[i] = (uint8_t)(i * i * 40503u >> 8);
    must(png_encode(&b, &noise, &err), err);
    must(file_write(in(f, "benign/cut.png"), b.data, b.len / 2, &err), err);
    must(file_write(in(f, "benign/nothing.png"), EMPTY_PNG, sizeof EMPTY_PNG - 1, &err), err);
    write_text(in(f, "benign/text.jpg"), "hello");
    picture(in(f, "benign/other size.png"), 90);
    write_png(in(f, "benign/other size_mask.png"), flat(20, 30, IMAGE_U8, 255));
    picture(in(f, "benign/broken mask.png"), 91);
    write_text(in(f, "benign/broken mask_mask.png"), "hello");
    mask(in(f, "benign/lonely_mask.png"), (struct image_box){0, 0, 1, 1});
    picture(in(f, "unknown/x.png"), 92);
    assert_int_equal(mkfifo(in(f, "malignant/pipe.png"), 0600), 0);
    assert_int_equal(symlink("..", in(f, "malignant/loop")), 0);
    assert_int_equal(symlink("gone.png", in(f, "malignant/dangling.png")), 0);
    write_text(in(f, "benign/notes.txt"), "not an image");
    write_text(in(f, "benign/windows.BMP"), "BM");
    write_text(in(f, "benign/._one.png"), "a system's own");
    buf_release(&b);
    image_release(&noise);
}

static void check_defects(const char *out, const char *said)
{
    static const struct {
        const char *path, *reason;
    } EXPECTED[] = {
        {"benign/cut.png", "truncated PNG"},
        {"benign/nothing.png", "image of 0 x 0 pixels is empty"},
        {"benign/text.jpg", "not a PNG, JPEG, TIFF or DICOM file"},
        {"benign/other size.png",
         "benign/other size_mask.png: the mask is 20 x 30 pixels, the image 30 x 20"},
        {"benign/broken mask.png", "benign/broken mask_mask.png: "},
        {"benign/lonely_mask.png", "a mask without its image"},
        {"unknown/x.png", "no label: not below a folder named benign, malignant or normal"},
        {"malignant/pipe.png", "not a regular file"},
        {"malignant/loop", "a link to a folder that is read already"},
        {"malignant/dangling.png", "No such file"},
        {"benign/windows.BMP", "not a PNG, JPEG, TIFF or DICOM file"},
    };
    char line[512];

    for (size_t i = 0; i < sizeof EXPECTED / sizeof *EXPECTED; i++) {
        assert_rejected(out, EXPECTED[i].path, EXPECTED[i].reason);
        snprintf(line, sizeof line, "warning: left out: %s: %s", EXPECTED[i].path, EXPECTED[i].reason);
        assert_contains(said, line);
    }
}

static void label_folders_with_every_defect(void **state)
{
    const char *src = in(*state, "src"), *out = in(*state, "out");
    const struct ingest_folder how = {.source = src, .folder = out, .margin = .1};
    char *said;
    struct ingest_result r;
    struct manifest m = MANIFEST_INIT;
    struct err err = ERR_INIT;

    picture(in(src, "benign/one (1).png"), 10);
    mask(in(src, "benign/one (1)_mask.png"), (struct image_box){2, 2, 6, 5});   /* 12 */
    mask(in(src, "benign/one (1)_mask_1.png"), (struct image_box){4, 4, 8, 8}); /* 16, 2 of them met */
    mask(in(src, "benign/one (1)_MASK_2.png"), (struct image_box){20, 10, 21, 11});
    picture(in(src, "deep/er/Malignant/TWO.PNG"), 20);
    picture(in(src, "NORMAL/site/three.png"), 30);
    mask(in(src, "NORMAL/site/three_mask.png"), (struct image_box){0, 0, 0, 0});
    write_defects(src);
    must(ingest(&how, &r, &said, &err), err);
    check_defects(out, said);
    assert_contains(said, "warning: deep/er/Malignant/TWO.PNG: malignant, but it has no mask");
    assert_true(r.patients_unknown);
    assert_int_equal(r.counts.images, 3);
    assert_int_equal(r.counts.rejected, 11);
    assert_int_equal(r.counts.by_label[LABEL_BENIGN], 1);
    assert_int_equal(r.counts.by_label[LABEL_MALIGNANT], 1);
    assert_int_equal(r.counts.by_label[LABEL_NORMAL], 1);
    must(manifest_read(&m, out, &err), err);
    assert_int_equal(mask_area(&m, "one_1"), 12 + 16 - 2 + 1);
    assert_int_equal(mask_area(&m, "TWO"), 0);
    assert_int_equal(mask_area(&m, "three"), 0);
    assert_int_equal(item_of(&m, "TWO")->label, LABEL_MALIGNANT);
    assert_string_equal(item_of(&m, "TWO")->patient, "TWO");
    assert_int_equal(item_of(&m, "three")->label, LABEL_NORMAL);
    assert_int_equal(first_pixel(&m, "one_1"), 10 * 257);
    free(said);
    assert_false(ingest(&how, &r, &said, &err)); /* a second time into the same folder */
    assert_contains(err.text, "holds a data set already");
    free(said);
    manifest_release(&m);
}

/* By ".dcm" or by what is in them; masks beside them by name, of any format. */
static void folders_of_dicom_files(void **state)
{
    const char *src = in(*state, "dicom"), *out = in(*state, "dicom-out");
    const struct ingest_folder how = {.source = src, .folder = out, .margin = .1};
    struct dicom_info info = {.study_uid = "1.2.3", .series_uid = "1.2.3.4", .instance_uid = "1.2.3.4.5"};
    struct image words = flat(30, 20, IMAGE_U16, 1000);
    char *said;
    struct ingest_result r;
    struct manifest m = MANIFEST_INIT;
    struct err err = ERR_INIT;

    mask(in(src, "benign/a_mask.png"), (struct image_box){2, 2, 6, 5});
    must(dicom_write(in(src, "benign/a.dcm"), &words, &info, NULL, &err), err);
    image_u16(&words)[0] = 1001;
    must(file_make_folders(in(src, "malignant"), &err), err);
    must(dicom_write(in(src, "malignant/IM0001"), &words, &info, NULL, &err), err);
    must(ingest(&how, &r, &said, &err), err);
    must(manifest_read(&m, out, &err), err);
    assert_int_equal(m.count, 2);
    assert_int_equal(item_of(&m, "a")->label, LABEL_BENIGN);
    assert_int_equal(mask_area(&m, "a"), 12);
    assert_int_equal(item_of(&m, "IM0001")->label, LABEL_MALIGNANT);
    image_release(&words);
    free(said);
    manifest_release(&m);
}

static void names_that_meet_are_told_apart(void **state)
{
    const char *src = in(*state, "src"), *out = in(*state, "out");
    const struct ingest_folder how = {.source = src, .folder = out, .margin = .1};
    char *said;
    struct ingest_result r;
    struct manifest m = MANIFEST_INIT;
    struct err err = ERR_INIT;

    picture(in(src, "benign/1.png"), 1);
    picture(in(src, "malignant/1.png"), 2);
    picture(in(src, "malignant/1 .png"), 3);
    picture(in(src, "malignant/2.png"), 4);
    must(ingest(&how, &r, &said, &err), err);
    must(manifest_read(&m, out, &err), err);
    assert_int_equal(m.count, 4);
    assert_int_equal(first_pixel(&m, "benign_1"), 1 * 257);
    assert_int_equal(first_pixel(&m, "2"), 4 * 257);
    assert_int_equal(first_pixel(&m, "malignant_1") + first_pixel(&m, "malignant_1-2"), 5 * 257);
    free(said);
    manifest_release(&m);
}

static void a_table_with_every_defect(void **state)
{
    const char *src = in(*state, "src"), *out = in(*state, "out");
    char *said;
    const struct ingest_folder how = {.source = src, .folder = out, .margin = .1};
    struct ingest_result r;
    struct manifest m = MANIFEST_INIT;
    struct err err = ERR_INIT;

    picture(in(src, "a.png"), 1);
    picture(in(src, "sub/b.png"), 2);
    picture(in(src, "c.png"), 3);
    picture(in(src, "d.png"), 4);
    picture(in(src, "e.png"), 5);
    mask(in(src, "m1.png"), (struct image_box){0, 0, 3, 1});
    mask(in(src, "m2.png"), (struct image_box){2, 0, 5, 1});
    mask(in(src, "m3.png"), (struct image_box){10, 10, 12, 12});
    write_text(in(src, "cases.csv"), "image,Label,mask,patient,side,view,density,part\n"
                                     "a.png,benign,m1.png; m2.png,P1,left,CC,2,train\n"
                                     "sub/b.png,MALIGNANT,m1.png,P2,,,,test\n"
                                     ",benign,m1.png,P3,,,,\n"
                                     "sub/b.png,malignant,m3.png,P2,,,,test\n"
                                     "c.png,bening,,P4,,,,\n"
                                     "d.png,normal,,P5,,,,\n"
                                     "gone.png,normal,,P6,,,,\n"
                                     "e.png,normal,,,,,,\n"
                                     "m1.png,normal,,P7,,,,dev\n"
                                     "m2.png,normal,,P8,,,,\n"
                                     "m2.png,normal,,P9,,,,\n");
    write_text(in(src, "readme.csv"), "some,thing\nelse,here\n");
    must(ingest(&how, &r, &said, &err), err);
    assert_rejected(out, "line 4", "the image is missing");
    assert_contains(said, "warning: left out: line 4: the image is missing");
    assert_rejected(out, "c.png", "label 'bening' is not benign, malignant or normal");
    assert_rejected(out, "gone.png", "No such file");
    assert_rejected(out, "e.png", "patient is missing");
    assert_rejected(out, "m1.png", "part 'dev' is neither train nor test");
    assert_rejected(out, "m2.png", "lines 11 and 12 differ in its patient");
    assert_false(r.patients_unknown);
    assert_int_equal(r.counts.images, 3);
    assert_int_equal(r.counts.rejected, 6);
    must(manifest_read(&m, out, &err), err);
    assert_int_equal(mask_area(&m, "a"), 5);
    assert_int_equal(mask_area(&m, "b"), 3 + 4);
    assert_string_equal(item_of(&m, "a")->patient, "P1");
    assert_string_equal(item_of(&m, "a")->side, "left");
    assert_string_equal(item_of(&m, "a")->view, "CC");
    assert_string_equal(item_of(&m, "a")->density, "2");
    assert_int_equal(item_of(&m, "a")->part, PART_TRAIN);
    assert_int_equal(item_of(&m, "b")->part, PART_TEST);
    assert_int_equal(item_of(&m, "b")->label, LABEL_MALIGNANT);
    free(said);
    manifest_release(&m);
}

static void ids_of_a_table_are_kept(void **state)
{
    const char *src = in(*state, "src/t.csv"), *out = in(*state, "out");
    char *said;
    const struct ingest_folder how = {.source = src, .folder = out, .margin = .1};
    struct ingest_result r;
    struct manifest m = MANIFEST_INIT;
    struct err err = ERR_INIT;

    for (int i = 0; i < 4; i++) {
        char name[32];
        snprintf(name, sizeof name, "src/%d.png", i);
        picture(in(*state, name), i);
    }
    write_text(
        src,
        "id,image,mask,label,patient\nA-1,0.png,,benign,\nA 2,1.png,,benign,\nA-1,2.png,,benign,\nB,3.png,,"
        "normal,\n");
    must(ingest(&how, &r, &said, &err), err);
    assert_true(r.patients_unknown);
    assert_rejected(out, "1.png", "id 'A 2' is empty or has other characters");
    assert_rejected(out, "2.png", "id 'A-1' is used twice");
    must(manifest_read(&m, out, &err), err);
    assert_int_equal(m.count, 2);
    assert_int_equal(first_pixel(&m, "A-1"), 0);
    assert_string_equal(item_of(&m, "B")->patient, "B");
    free(said);
    manifest_release(&m);
}

static void sixteen_bits_colour_and_odd_masks(void **state)
{
    const char *src = in(*state, "src"), *out = in(*state, "out");
    char *said;
    const struct ingest_folder how = {.source = src, .folder = out, .margin = .1};
    struct ingest_result r;
    struct manifest m = MANIFEST_INIT;
    struct err err = ERR_INIT;
    struct image rgb = IMAGE_INIT, ones = flat(30, 20, IMAGE_U8, 0), wide = flat(30, 20, IMAGE_U16, 3000);
    struct image deep = flat(30, 20, IMAGE_U16, 12345);

    must(tiff_write(in(src, "benign/deep.tif"), &deep, &err), err);
    paint(&ones, (struct image_box){0, 0, 2, 2}, 1);
    paint(&ones, (struct image_box){4, 0, 6, 2}, 3);
    write_png(in(src, "benign/deep_mask.png"), ones); /* numbers of regions, not grey */
    must(image_new(&rgb, 30, 20, 3, IMAGE_U8, &err), err);
    for (size_t i = 0; i < 600; i++)
        memcpy(image_u8(&rgb) + 3 * i, (const uint8_t[]){100, 200, 50}, 3);
    write_png(in(src, "benign/rgb.png"), rgb);
    paint(&wide, (struct image_box){3, 3, 6, 4}, 65535);
    write_png(in(src, "benign/rgb_mask.png"), wide); /* 3000 is below half */
    must(ingest(&how, &r, &said, &err), err);
    must(manifest_read(&m, out, &err), err);
    assert_int_equal(first_pixel(&m, "deep"), 12345);
    assert_int_equal(mask_area(&m, "deep"), 8);
    assert_int_equal(first_pixel(&m, "rgb"), 257 * 153); /* .299 100 + .587 200 + .114 50 = 153.0 */
    assert_int_equal(mask_area(&m, "rgb"), 3);
    image_release(&deep);
    free(said);
    manifest_release(&m);
}

static void copies_are_counted_or_dropped(void **state)
{
    const char *src = in(*state, "src"), *out = in(*state, "out");
    char *said;
    const char *second = in(*state, "second");
    struct ingest_folder how = {.source = src, .folder = out, .margin = .1};
    struct ingest_result r;
    struct manifest m = MANIFEST_INIT;
    struct err err = ERR_INIT;

    picture(in(src, "benign/a.png"), 1);
    picture(in(src, "benign/b.png"), 2);
    picture(in(src, "benign/c.png"), 1);
    picture(in(src, "malignant/d.png"), 1);
    must(ingest(&how, &r, &said, &err), err);
    assert_int_equal(r.duplicates, 2);
    assert_int_equal(r.counts.images, 4);
    assert_contains(said, "2 images are copies of others");
    must(manifest_read(&m, out, &err), err);
    assert_string_equal(item_of(&m, "d")->patient, "a"); /* never trained on and validated with */
    assert_string_equal(item_of(&m, "b")->patient, "b");
    free(said);
    how.folder = second;
    how.drop_duplicates = true;
    must(ingest(&how, &r, &said, &err), err);
    assert_int_equal(r.counts.images, 2);
    assert_rejected(second, "benign/c.png", "the same bytes as benign/a.png");
    assert_rejected(second, "malignant/d.png", "the same bytes as benign/a.png");
    free(said);
    manifest_release(&m);
}

static void refuses(const struct ingest_folder *how, const char *message)
{
    struct ingest_result r;
    struct err err = ERR_INIT;
    char *said;

    assert_false(ingest(how, &r, &said, &err));
    assert_contains(err.text, message);
    free(said);
}

static void sources_that_make_no_sense_are_told(void **state)
{
    const char *src = in(*state, "src"), *out = in(*state, "out");
    const struct ingest_folder how = {.source = src, .folder = out, .margin = .1};

    refuses(&how, "src: no such file or folder");
    picture(in(src, "cats/a.png"), 1);
    refuses(&how, "src: no folder named benign, malignant or normal in it, and no table (CSV)");
    write_text(in(src, "t.csv"), "image,label\na.png,benign\n");
    refuses(&how, "t.csv: column 'mask' is missing");
    write_text(in(src, "t.csv"), "image,mask,label,patient\na.png,benign\n");
    refuses(&how, "t.csv: line 2");
    write_text(in(src, "t.csv"), "image,mask,label,patient\nx.png,,benign,\n");
    refuses(&how, "no case could be used");
    write_text(in(src, "u.csv"), "image,mask,label,patient\n");
    refuses(&how, "are both tables of images; name one");
    assert_false(file_exists(in(out, "manifest.csv")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(label_folders_with_every_defect, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(folders_of_dicom_files, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(names_that_meet_are_told_apart, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_table_with_every_defect, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(ids_of_a_table_are_kept, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(sixteen_bits_colour_and_odd_masks, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(copies_are_counted_or_dropped, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(sources_that_make_no_sense_are_told, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
