/* The real breast ultrasound set, where it is there. */
#include "data_help.h"

#include "data/ingest_folder.h"
#include "io/image_file.h"

#define SOURCE SHARED_DATA_DIR "/busi"

static size_t images_of(const char *label)
{
    struct file_list names = FILE_LIST_INIT;
    struct err err = ERR_INIT;
    size_t n = 0;

    must(file_list_read(&names, in(SOURCE, label), &err), err);
    for (size_t i = 0; i < names.count; i++)
        n += !strstr(names.name[i], "_mask");
    file_list_release(&names);
    return n;
}

static void check_pixels(const struct manifest *m, const char *id, const char *name)
{
    const struct data_item *item = manifest_find(m, id);
    struct image a = IMAGE_INIT, b = IMAGE_INIT;
    struct err err = ERR_INIT;

    assert_non_null(item);
    must(image_read(&a, in(SOURCE, name), &err), err);
    must(image_read(&b, in(m->folder, item->image), &err), err);
    assert_int_equal(a.type, IMAGE_U8);
    assert_int_equal(b.type, IMAGE_U16);
    assert_int_equal(item->width, a.width);
    assert_int_equal(item->height, a.height);
    assert_int_equal(image_pixels(&a), image_pixels(&b));
    for (size_t i = 0; i < image_pixels(&a); i++)
        assert_int_equal(image_u16(&b)[i], image_u8(&a)[i] * 257);
    image_release(&a);
    image_release(&b);
}

static void check_union(const struct manifest *m)
{
    static const char *const MASK[] = {"benign (195)_mask.png", "benign (195)_mask_1.png",
                                       "benign (195)_mask_2.png"};
    struct image part[3] = {IMAGE_INIT, IMAGE_INIT, IMAGE_INIT}, all = IMAGE_INIT;
    struct err err = ERR_INIT;
    size_t single = 0, united = 0;

    must(image_read(&all, in(m->folder, manifest_find(m, "benign_195")->mask), &err), err);
    for (int k = 0; k < 3; k++)
        must(image_read(&part[k], in(SOURCE "/benign", MASK[k]), &err), err);
    for (size_t i = 0; i < image_pixels(&all); i++) {
        bool inside = image_u8(&part[0])[i] || image_u8(&part[1])[i] || image_u8(&part[2])[i];
        assert_int_equal(image_u8(&all)[i], inside ? 255 : 0);
        united += inside;
        single += image_u8(&part[0])[i] != 0;
    }
    assert_true(united > single);
    for (int k = 0; k < 3; k++)
        image_release(&part[k]);
    image_release(&all);
}

static void the_whole_set(void **state)
{
    const char *out = in(*state, "busi");
    const struct ingest_folder how = {.source = SOURCE, .folder = out, .margin = .1};
    struct ingest_result r;
    struct manifest m = MANIFEST_INIT;
    struct err err = ERR_INIT;

    if (!file_is_folder(SOURCE))
        skip();
    must(ingest_folder(&r, &how, &err), err);
    assert_int_equal(r.counts.images, 624);
    assert_int_equal(r.counts.by_label[LABEL_BENIGN], images_of("benign"));
    assert_int_equal(r.counts.by_label[LABEL_MALIGNANT], images_of("malignant"));
    assert_int_equal(r.counts.by_label[LABEL_NORMAL], images_of("normal"));
    assert_int_equal(r.counts.with_region, images_of("benign") + images_of("malignant"));
    assert_int_equal(r.counts.rejected, 0);
    assert_true(r.patients_unknown);
    must(manifest_read(&m, out, &err), err);
    assert_int_equal(m.count, 624);
    check_pixels(&m, "benign_1", "benign/benign (1).png");
    check_pixels(&m, "malignant_53", "malignant/malignant (53).png");
    check_union(&m);
    manifest_release(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_whole_set, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
