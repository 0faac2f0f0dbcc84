#include "data_help.h"

#define HEADER                                                                                               \
    "id,patient,side,view,density,assessment,subtlety,part,label,width,height,image,image_sha256,mask,"      \
    "mask_sha256,crop,crop_sha256\n"

static void reads_what_stands_there(void **state)
{
    struct manifest m = MANIFEST_INIT;
    struct err err = ERR_INIT;
    char hash[FILE_SHA256_TEXT];

    write_text(in(*state, "manifest.csv"),
               HEADER "a-1,P_1,left,CC,3,4,5,test,malignant,30,40,full/a-1.tif,abc,roi/a-1.tif,"
                      "def,crop/a-1.tif,012\n"
                      "b,P_2,,,,,,,normal,1,2,full/b.tif,abc,,,,\n");
    must(manifest_read(&m, *state, &err), err);
    assert_int_equal(m.count, 2);
    const struct data_item *a = &m.item[0];
    assert_string_equal(a->patient, "P_1");
    assert_string_equal(a->side, "left");
    assert_string_equal(a->view, "CC");
    assert_string_equal(a->density, "3");
    assert_string_equal(a->assessment, "4");
    assert_string_equal(a->subtlety, "5");
    assert_int_equal(a->part, PART_TEST);
    assert_int_equal(a->label, LABEL_MALIGNANT);
    assert_int_equal(a->width, 30);
    assert_int_equal(a->height, 40);
    assert_string_equal(a->mask, "roi/a-1.tif");
    assert_string_equal(a->crop_sha256, "012");
    assert_string_equal(m.item[1].mask, "");
    assert_int_equal(m.item[1].part, PART_NONE);
    assert_ptr_equal(manifest_find(&m, "b"), &m.item[1]);
    assert_null(manifest_find(&m, "c"));
    must(file_sha256(in(*state, "manifest.csv"), hash, &err), err);
    assert_string_equal(hash, m.sha256);
    manifest_release(&m);
}

static void writes_what_it_read(void **state)
{
    static const char TEXT[] =
        HEADER "a,\"P, 1\",left,CC,3,4,5,train,benign,30,40,full/a.tif,abc,roi/a.tif,def,crop/a.tif,012\n";
    struct manifest m = MANIFEST_INIT;
    struct err err = ERR_INIT;

    write_text(in(*state, "manifest.csv"), TEXT);
    must(manifest_read(&m, *state, &err), err);
    must(manifest_write(&m, in(*state, "x/.."), &err), err);
    char *text = read_text(in(*state, "manifest.csv"));
    assert_string_equal(text, TEXT);
    free(text);
    manifest_release(&m);
}

static void refuses(const char *folder, const char *text, const char *message)
{
    struct manifest m = MANIFEST_INIT;
    struct err err = ERR_INIT;

    write_text(in(folder, "manifest.csv"), text);
    assert_false(manifest_read(&m, folder, &err));
    assert_contains(err.text, message);
    assert_contains(err.text, "manifest.csv");
    assert_null(m.item);
}

static void names_each_fault(void **state)
{
    const char *f = *state;

    refuses(f, "id,patient\na,b\n", "column 'side' is missing");
    refuses(f, HEADER "a,p,,,,,,,bening,1,1,i,,,,,\n", "line 2: label 'bening' is not known");
    refuses(f, HEADER "a,p,,,,,,dev,benign,1,1,i,,,,,\n", "part 'dev' is not known");
    refuses(f, HEADER "a,p,,,,,,validation,benign,1,1,i,,,,,\n", "neither train nor test");
    refuses(f, HEADER ",p,,,,,,,benign,1,1,i,,,,,\n", "id ''");
    refuses(f, HEADER "a/b,p,,,,,,,benign,1,1,i,,,,,\n", "id 'a/b'");
    refuses(f,
            HEADER "a,p,,,,,,,benign,1,1,i,,,,,\nb,p,,,,,,,benign,1,1,i,,,,,\na,p,,,,,,,benign,1,1,i,,,,,\n",
            "id 'a' is used twice");
    refuses(f, HEADER "a,,,,,,,,benign,1,1,i,,,,,\n", "'a' has no patient");
    refuses(f, HEADER "a,p,,,,,,,benign,1,1,,,,,,\n", "'a' has no image");
    refuses(f, HEADER "a,p,,,,,,,benign,0,1,i,,,,,\n", "width '0'");
    refuses(f, HEADER "a,p,,,,,,,benign,1,-3,i,,,,,\n", "height '-3'");
    refuses(f, HEADER "a,p,,,,,,,benign,9999999999,3,i,,,,,\n", "width '9999999999'");
    refuses(f, HEADER "a,p,,,,,,,benign,1,1,../i,,,,,\n", "leaves the folder");
    refuses(f, HEADER "a,p,,,,,,,benign,1,1,/etc/i,,,,,\n", "leaves the folder");
    refuses(f, HEADER "a,p,,,,,,,benign,1,1,i,,x/../../m,,,\n", "leaves the folder");
}

static void a_folder_without_one_is_no_data_set(void **state)
{
    struct manifest m = MANIFEST_INIT;
    struct err err = ERR_INIT;

    assert_false(manifest_read(&m, in(*state, "nothing"), &err));
    assert_contains(err.text, "nothing: no data set");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_what_stands_there, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(writes_what_it_read, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(names_each_fault, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_folder_without_one_is_no_data_set, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
