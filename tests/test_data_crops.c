/* Crops as a classifier takes them: from the manifest, and from a table of abnormalities. */
#include "data_help.h"

#include "data/crops.h"
#include "data/dataset.h"
#include "data/loader.h"
#include "image/regions.h"
#include "image/warp.h"
#include "io/image_file.h"

#define MARGIN .25

enum { WIDTH = 80, HEIGHT = 64 };

/* A gradient with a lesion at x, y of w x h; no lesion where w is 0. */
static void add(struct dataset *d, const char *id, enum data_label label, struct image_box box)
{
    struct image grey = IMAGE_INIT, mask = IMAGE_INIT;
    struct err err = ERR_INIT;

    must(image_new(&grey, WIDTH, HEIGHT, 1, IMAGE_U16, &err) &&
             image_new(&mask, WIDTH, HEIGHT, 1, IMAGE_U8, &err),
         err);
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            image_u16(&grey)[y * WIDTH + x] = (uint16_t)(100 * y + x);
            image_u8(&mask)[y * WIDTH + x] = x >= box.x0 && x < box.x1 && y >= box.y0 && y < box.y1 ? 255 : 0;
        }
    const struct dataset_case c = {
        .id = id, .patient = "p", .label = label, .grey = &grey, .mask = box.x1 ? &mask : NULL};
    must(dataset_add(d, &c, &err), err);
    image_release(&grey);
    image_release(&mask);
}

static const struct image_box LESION = {20, 10, 40, 22}, NOTHING = {0, 0, 0, 0};

/* Three images: benign, malignant without an outline, normal. */
static void make_data(struct manifest *m, const char *folder)
{
    struct err err = ERR_INIT;
    struct dataset *d =
        dataset_begin(folder, &(struct dataset_options){.command = "test", .margin = MARGIN}, &err);

    must(d, err);
    add(d, "a", LABEL_BENIGN, LESION);
    add(d, "b", LABEL_MALIGNANT, NOTHING);
    add(d, "c", LABEL_NORMAL, NOTHING);
    must(dataset_finish(d, &err), err);
    dataset_close(d);
    must(manifest_read(m, folder, &err), err);
}

static void of_the_manifest(void **state)
{
    struct manifest m = MANIFEST_INIT;
    struct crops c = CROPS_INIT;
    struct image mask = IMAGE_INIT, crop = IMAGE_INIT;
    struct image_box box;
    struct err err = ERR_INIT;

    make_data(&m, in(*state, "data"));
    must(crops_find(&c, &m, &err), err);
    assert_int_equal(c.count, 1);
    assert_int_equal(c.normal, 1);
    assert_int_equal(c.missing, 1);
    assert_string_equal(c.crop[0].id, "a");
    assert_int_equal(c.crop[0].label, LABEL_BENIGN);
    assert_string_equal(crop_image(&c, 0)->id, "a");
    /* a quarter of 20 pixels on each side */
    must(crop_region(&box, &mask, &c, 0, &err), err);
    assert_true(box.x0 == 15 && box.y0 == 5 && box.x1 == 45 && box.y1 == 27);
    must(image_read(&crop, in(m.folder, c.crop[0].path), &err), err);
    assert_true(crop.width == mask.width && crop.height == mask.height && mask.width == 30);
    assert_int_equal(image_u16(&crop)[0], 100 * 5 + 15);
    assert_int_equal(image_u8(&mask)[5 * 30 + 5], 255);
    assert_int_equal(image_u8(&mask)[5 * 30 + 4], 0);
    image_release(&mask);
    image_release(&crop);
    crops_release(&c);
    manifest_release(&m);
}

#define HEADER "id,abnormality,patient,part,label,crop,crop_sha256,mask,mask_sha256\n"

static void of_the_table(void **state)
{
    struct manifest m = MANIFEST_INIT;
    struct crops c = CROPS_INIT;
    struct loader l = LOADER_INIT;
    struct err err = ERR_INIT;
    const struct prep p = {.size = 32, .values = PREP_CAFFE};

    make_data(&m, in(*state, "data"));
    write_text(in(m.folder, "abnormalities.csv"), HEADER "b,1,p,,malignant,crop/a.tif,00,roi/a.tif,11\n"
                                                         "b,2,p,,benign,,,,\n"
                                                         "a,1,p,,benign,crop/a.tif,00,,\n");
    must(crops_find(&c, &m, &err), err);
    assert_int_equal(c.count, 2);
    assert_int_equal(c.normal, 1);
    assert_int_equal(c.missing, 1);
    assert_string_equal(c.crop[0].id, "b_1");
    assert_string_equal(crop_image(&c, 0)->id, "b");
    assert_int_equal(c.crop[0].label, LABEL_MALIGNANT);
    assert_string_equal(c.crop[1].id, "a_1");
    assert_false(crop_region(&(struct image_box){0}, NULL, &c, 1, &err));
    assert_contains(err.text, "a_1: where the crop lies is not known (no mask)");
    assert_false(crop_region(&(struct image_box){0}, NULL, &c, 0, &err));
    assert_contains(err.text, "roi/a.tif: changed: its SHA-256 is not the one noted for it");
    /* the loader's input is that of the crop's own file */
    float *input = mem_new(2 * 3 * 1024, sizeof *input), *expected = mem_new(3 * 1024, sizeof *expected);
    uint16_t square[1024];
    struct image crop = IMAGE_INIT;
    struct prep_plan plan;
    const struct loader_batch batch = {.index = (size_t[]){1, 0}, .n = 2, .channels = 3};
    must(loader_open_crops(&l, &c, &p, (size_t[]){0, 1}, 2, &err), err);
    loader_fill(&l, &batch, input, NULL);
    must(image_read(&crop, in(m.folder, "crop/a.tif"), &err), err);
    prep_plan_make(&plan, &p, &crop);
    must(prep_image(square, &plan, &crop, &err), err);
    prep_network_input(expected, 3, square, &p);
    assert_memory_equal(input, expected, 3 * 1024 * sizeof *input);
    image_release(&crop);
    free(input);
    free(expected);
    loader_close(&l);
    crops_release(&c);
    manifest_release(&m);
}

static void broken_tables(void **state)
{
    static const struct {
        const char *text, *message;
    } BAD[] = {
        {"id,label\n", "abnormalities.csv: column 'abnormality' is missing"},
        {HEADER "z,1,p,,benign,crop/a.tif,,,\n", "line 2: the manifest has no image 'z'"},
        {HEADER "a,1,p,,normal,crop/a.tif,,,\n", "line 2: label 'normal' is neither benign nor malignant"},
        {HEADER "a,,p,,benign,crop/a.tif,,,\n", "line 2: abnormality '' is no number"},
        {HEADER "a,1,p,,benign,../a.tif,,,\n", "line 2: a path of 'a' leaves the folder"},
        {HEADER "a,1,p,,benign,crop/a.tif,,/etc/passwd,\n", "line 2: a path of 'a' leaves the folder"},
    };
    struct manifest m = MANIFEST_INIT;
    struct crops c = CROPS_INIT;

    make_data(&m, in(*state, "data"));
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        struct err err = ERR_INIT;
        write_text(in(m.folder, "abnormalities.csv"), BAD[i].text);
        assert_false(crops_find(&c, &m, &err));
        assert_contains(err.text, BAD[i].message);
    }
    manifest_release(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(of_the_manifest, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(of_the_table, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(broken_tables, make_folder, remove_folder),
    };
    return cmocka_run_group_tests_name("data: crops", tests, NULL, NULL);
}
