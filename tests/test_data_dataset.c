#include "data_help.h"

#include "base/csv.h"
#include "base/json.h"
#include "base/parallel.h"
#include "data/dataset.h"
#include "io/image_file.h"

#include <signal.h>
#include <sys/resource.h>

static struct dataset *begun(const char *folder)
{
    const struct dataset_options o = {.command = "test", .margin = .25};
    struct err err = ERR_INIT;
    struct dataset *d = dataset_begin(folder, &o, &err);

    if (!d)
        fail_msg("%s", err.text);
    return d;
}

/* Adds case "cI" of patient "pI/2": 50 x 40 with value I, a mask at columns 10..29, rows 5..14 when I is odd.
 */
static bool add(void *dataset, size_t i, struct err *err)
{
    struct image im = flat(50, 40, IMAGE_U16, (int)i), mask = flat(50, 40, IMAGE_U8, 0);
    const struct dataset_source source = {.kind = "image", .path = "a, b.png", .bytes = 12, .sha256 = "0123"};
    char id[32], patient[32];

    snprintf(id, sizeof id, "c%zu", i);
    snprintf(patient, sizeof patient, "p%zu", i / 2);
    if (i % 2)
        paint(&mask, (struct image_box){10, 5, 30, 15}, 255);
    bool ok = dataset_add(dataset,
                          &(struct dataset_case){.id = id,
                                                 .patient = patient,
                                                 .view = "CC",
                                                 .part = i == 3 ? PART_TEST : PART_NONE,
                                                 .label = (enum data_label)(i % 3),
                                                 .grey = &im,
                                                 .mask = &mask,
                                                 .source = &source,
                                                 .source_count = 1},
                          err);
    image_release(&im);
    image_release(&mask);
    return ok;
}

static void check_tables(const char *folder)
{
    struct csv t = CSV_INIT;
    struct err err = ERR_INIT;

    must(csv_read(&t, in(folder, "sources.csv"), &err), err);
    assert_int_equal(t.count, 12);
    assert_string_equal(csv_get(&t, 11, csv_column(&t, "id")), "c11");
    assert_string_equal(csv_get(&t, 11, csv_column(&t, "kind")), "image");
    assert_string_equal(csv_get(&t, 11, csv_column(&t, "path")), "a, b.png");
    assert_string_equal(csv_get(&t, 11, csv_column(&t, "bytes")), "12");
    assert_string_equal(csv_get(&t, 11, csv_column(&t, "sha256")), "0123");
    csv_release(&t);
    char *rejected = read_text(in(folder, "rejected.csv"));
    assert_string_equal(rejected, "path,reason\nx2.png,broken\nx10.png,\"torn, wet\"\n");
    free(rejected);
    json_t *story = json_file_read(in(folder, "dataset.json"), &err);
    assert_non_null(story);
    json_t *counts = json_object_get(story, "counts");
    assert_int_equal(json_integer_value(json_object_get(counts, "images")), 12);
    assert_int_equal(json_integer_value(json_object_get(counts, "patients")), 6);
    assert_int_equal(json_integer_value(json_object_get(counts, "malignant")), 4);
    assert_int_equal(json_integer_value(json_object_get(counts, "with_region")), 6);
    assert_int_equal(json_integer_value(json_object_get(counts, "rejected")), 2);
    assert_string_equal(json_string_value(json_object_get(story, "patients")), "named");
    assert_string_equal(json_string_value(json_array_get(json_object_get(story, "warnings"), 0)),
                        "take care");
    json_decref(story);
}

static void check_item(const struct manifest *m, const struct data_item *item, int i)
{
    struct image im = IMAGE_INIT;
    struct err err = ERR_INIT;
    char hash[FILE_SHA256_TEXT], id[16];

    snprintf(id, sizeof id, "c%d", i);
    assert_string_equal(item->id, id);
    assert_int_equal(item->width, 50);
    assert_int_equal(item->height, 40);
    assert_string_equal(item->view, "CC");
    assert_string_equal(item->side, "");
    assert_int_equal(item->part, i == 3 ? PART_TEST : PART_NONE);
    must(file_sha256(in(m->folder, item->image), hash, &err), err);
    assert_string_equal(hash, item->image_sha256);
    must(image_read(&im, in(m->folder, item->image), &err), err);
    assert_int_equal(im.type, IMAGE_U16);
    for (size_t k = 0; k < image_pixels(&im); k++)
        assert_int_equal(image_u16(&im)[k], i);
    if (i % 2) {
        must(file_sha256(in(m->folder, item->mask), hash, &err), err);
        assert_string_equal(hash, item->mask_sha256);
        must(file_sha256(in(m->folder, item->crop), hash, &err), err);
        assert_string_equal(hash, item->crop_sha256);
        must(image_read(&im, in(m->folder, item->crop), &err), err);
        /* 20 x 10, a quarter of 20 more on each side: columns 5..34, rows 0..19 */
        assert_int_equal(im.width, 30);
        assert_int_equal(im.height, 20);
    } else {
        assert_string_equal(item->mask, "");
        assert_string_equal(item->crop, "");
    }
    image_release(&im);
}

static void a_folder_is_made_from_many_threads(void **state)
{
    const char *folder = in(*state, "new/data");
    struct dataset *d = begun(folder);
    struct manifest m = MANIFEST_INIT;
    struct err err = ERR_INIT;

    must(parallel_for(12, add, d, NULL, &err), err);
    dataset_reject(d, "x10.png", "torn, wet");
    dataset_reject(d, "x2.png", "broken");
    dataset_warn(d, "take care");
    assert_false(file_exists(in(folder, "manifest.csv")));
    must(dataset_finish(d, &err), err);
    dataset_close(d);
    must(manifest_read(&m, folder, &err), err);
    assert_int_equal(m.count, 12);
    for (int i = 0; i < 12; i++)
        check_item(&m, &m.item[i], i);
    check_tables(folder);
    assert_false(file_exists(in(folder, "unfinished.txt")));
    manifest_release(&m);
}

static void only_its_own_folder_is_taken(void **state)
{
    const struct dataset_options o = {.command = "test", .margin = .1};
    struct err err = ERR_INIT;

    write_text(in(*state, "mine/letter.txt"), "dear");
    assert_null(dataset_begin(in(*state, "mine"), &o, &err));
    assert_contains(err.text, "mine: is not empty");
    assert_true(file_exists(in(*state, "mine/letter.txt")));
    assert_false(file_exists(in(*state, "mine/full")));
    struct dataset *d = begun(in(*state, "data"));
    must(add(d, 1, &err), err);
    must(dataset_finish(d, &err), err);
    dataset_close(d);
    assert_null(dataset_begin(in(*state, "data"), &o, &err));
    assert_contains(err.text, "holds a data set already");
    assert_true(file_exists(in(*state, "data/full/c1.tif")));
    assert_null(
        dataset_begin(in(*state, "other"), &(struct dataset_options){.command = "t", .margin = 1.5}, &err));
    assert_contains(err.text, "margin 1.5");
}

static void an_unfinished_folder_is_begun_again(void **state)
{
    const char *folder = in(*state, "data");
    struct manifest m = MANIFEST_INIT;
    struct err err = ERR_INIT;
    struct dataset *d = begun(folder);

    must(add(d, 5, &err), err);
    dataset_close(d); /* as a crash would leave it */
    assert_true(file_exists(in(folder, "full/c5.tif")));
    assert_false(manifest_read(&m, folder, &err));
    d = begun(folder);
    assert_false(file_exists(in(folder, "full/c5.tif")));
    must(add(d, 7, &err), err);
    must(dataset_finish(d, &err), err);
    dataset_close(d);
    must(manifest_read(&m, folder, &err), err);
    assert_int_equal(m.count, 1);
    manifest_release(&m);
}

/* What a call killed while it wrote the very first file leaves; and one killed among the tables. */
static void half_written_files_are_no_hindrance(void **state)
{
    const char *folder = in(*state, "data");
    struct err err = ERR_INIT;

    write_text(in(folder, ".unfinished.txt.partial-7-0"), "This");
    struct dataset *d = begun(folder);
    assert_false(file_exists(in(folder, ".unfinished.txt.partial-7-0")));
    dataset_close(d);
    write_text(in(folder, ".sources.csv.partial-7-1"), "id");
    d = begun(folder);
    must(add(d, 1, &err), err);
    must(dataset_finish(d, &err), err);
    dataset_close(d);
    assert_false(file_exists(in(folder, ".sources.csv.partial-7-1")));
    write_text(in(*state, "other/.unfinished.txt.partial-7-0"), "This");
    write_text(in(*state, "other/mine"), "x");
    assert_null(dataset_begin(in(*state, "other"), &(struct dataset_options){.command = "t"}, &err));
    assert_contains(err.text, "is not empty");
}

static bool no_page(const char *folder, struct err *err)
{
    assert_true(file_exists(in(folder, "manifest.csv")));
    return err_set(err, ERR_IO, "no page");
}

static void without_its_page_a_set_is_not_finished(void **state)
{
    const char *folder = in(*state, "data");
    struct err err = ERR_INIT;
    struct dataset *d =
        dataset_begin(folder, &(struct dataset_options){.command = "t", .page = no_page}, &err);

    assert_non_null(d);
    must(add(d, 1, &err), err);
    assert_false(dataset_finish(d, &err));
    assert_string_equal(err.text, "no page");
    assert_true(file_exists(in(folder, "unfinished.txt")));
    dataset_close(d);
    dataset_close(begun(folder));
    assert_false(file_exists(in(folder, "manifest.csv")));
}

static void check_twin(const char *folder, const char *name, const char *sha256,
                       const struct dataset_file *twin)
{
    char hash[FILE_SHA256_TEXT];
    struct err err = ERR_INIT;

    assert_string_not_equal(name, twin->path);
    must(file_sha256(in(folder, name), hash, &err), err);
    assert_string_equal(hash, sha256);
    assert_string_equal(hash, twin->sha256);
}

/* A case whose mask and crop are written already, for its one region, says the same of them. */
static void twins_serve_again(void **state)
{
    const char *folder = in(*state, "out");
    struct dataset *d = begun(folder);
    struct image im = flat(50, 40, IMAGE_U16, 7), mask = flat(50, 40, IMAGE_U8, 0), crop = IMAGE_INIT;
    const struct image_box box = {10, 5, 30, 15};
    struct dataset_file twin[2];
    struct manifest m = MANIFEST_INIT;
    struct err err = ERR_INIT;

    paint(&mask, box, 255);
    must(dataset_cut(d, &crop, &im, box, &err), err);
    must(dataset_write_image(d, &twin[0], "roi", "c_1", &mask, &err), err);
    must(dataset_write_image(d, &twin[1], "crop", "c_1", &crop, &err), err);
    struct dataset_case c = {
        .id = "c", .grey = &im, .mask = &mask, .mask_twin = &twin[0], .crop_twin = &twin[1]};
    must(dataset_add(d, &c, &err), err);
    char nothing[] = "roi/gone.tif";
    const struct dataset_file gone = {nothing, ""};
    c.id = "e";
    c.mask_twin = &gone;
    assert_false(dataset_add(d, &c, &err));
    assert_non_null(strstr(err.text, "roi/gone.tif: No such file"));
    must(dataset_finish(d, &err), err);
    dataset_close(d);
    must(manifest_read(&m, folder, &err), err);
    assert_int_equal(m.count, 1);
    check_twin(folder, "roi/c.tif", m.item[0].mask_sha256, &twin[0]);
    check_twin(folder, "crop/c.tif", m.item[0].crop_sha256, &twin[1]);
    manifest_release(&m);
    for (int k = 0; k < 2; k++)
        free(twin[k].path);
    image_release(&im);
    image_release(&mask);
    image_release(&crop);
}

static void ids_are_checked(void **state)
{
    struct image im = flat(3, 3, IMAGE_U16, 0);
    struct err err = ERR_INIT;
    struct dataset *d = begun(in(*state, "data"));

    assert_false(dataset_finish(d, &err));
    assert_contains(err.text, "no case could be used");
    must(add(d, 1, &err), err);
    assert_false(add(d, 1, &err));
    assert_contains(err.text, "id 'c1' is used twice");
    assert_false(dataset_add(d, &(struct dataset_case){.id = "../x", .grey = &im}, &err));
    assert_contains(err.text, "id '../x'");
    image_release(&im);
    dataset_close(d);
}

/* A file that may not grow stands for a full disk. */
static void a_full_disk_is_told(void **state)
{
    const char *folder = in(*state, "data");
    struct dataset *d = begun(folder);
    struct image im = flat(200, 200, IMAGE_U16, 0);
    struct err err = ERR_INIT;
    struct rlimit before, small;

    for (size_t i = 0; i < image_pixels(&im); i++)
        image_u16(&im)[i] = (uint16_t)(i * i * 40503u);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    small = before;
    small.rlim_cur = 4096;
    setrlimit(RLIMIT_FSIZE, &small);
    bool ok = dataset_add(d, &(struct dataset_case){.id = "big", .grey = &im}, &err);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_false(ok);
    assert_contains(err.text, "full/big.tif: ");
    assert_int_equal(err.kind, ERR_IO);
    assert_false(file_exists(in(folder, "full/big.tif")));
    must(add(d, 1, &err), err);
    must(dataset_finish(d, &err), err);
    assert_int_equal(dataset_count(d).images, 1);
    image_release(&im);
    dataset_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_folder_is_made_from_many_threads, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(only_its_own_folder_is_taken, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(an_unfinished_folder_is_begun_again, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(half_written_files_are_no_hindrance, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(without_its_page_a_set_is_not_finished, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(twins_serve_again, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(ids_are_checked, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_full_disk_is_told, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
