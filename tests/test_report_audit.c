/* The audit page, on tables and pictures made by hand. */
#include "data_help.h"

#include "io/image_file.h"
#include "report/audit.h"
#include "test_report_tags.h"

#define MANIFEST                                                                                             \
    "id,patient,side,view,density,assessment,subtlety,part,label,width,height,image,image_sha256,mask,mask_" \
    "sha256,"                                                                                                \
    "crop,crop_sha256\n"                                                                                     \
    "F1,P_1,left,CC,1,1,1,train,malignant,40,60,full/F1.tif,,roi/F1.tif,,crop/F1.tif,\n"                     \
    "F2,P_2,left,CC,1,1,1,test,benign,40,60,full/F2.tif,,,,,\n"

#define FINDINGS                                                                                             \
    "id,abnormality,kind,pathology,mask,crop\n"                                                              \
    "F1,1,mass,MALIGNANT,roi/F1_1.tif,crop/F1_1.tif\nF1,2,mass,BENIGN,,\n"                                   \
    "F2,1,mass,BENIGN_WITHOUT_CALLBACK,,\n"

#define AUDIT                                                                                                \
    "file,found,done,why,id,kept\n"                                                                          \
    "x.bin,another file,left out,no DICOM file,,skipped\n"                                                   \
    "m.csv line 4,a row with a fault,left out,pathology '<b>?</b>',,lost\n"                                  \
    "a.dcm,whole image,full/F1.tif,name,F1,used\n"                                                           \
    "b.dcm,mask,\"scaled, roi/F1_1.tif\",another pitch,F1,repaired\n"                                        \
    "c.dcm,whole image,full/F2.tif,name,F2,settled\n"                                                        \
    "d.dcm,\"<script>alert(1)</script>\",left out,truncated,F9,lost\n"

static void write_picture(const char *path, enum image_type type)
{
    struct image im = flat(40, 60, type, type == IMAGE_U8 ? 0 : 3000);
    struct err err = ERR_INIT;

    paint(&im, (struct image_box){10, 20, 20, 30}, type == IMAGE_U8 ? 255 : 50000);
    must(tiff_write(path, &im, &err), err);
    image_release(&im);
}

static void make_set(const char *folder, const char *leaks)
{
    static const char *const GREY[] = {"full/F1.tif", "full/F2.tif", "crop/F1.tif", "crop/F1_1.tif"};

    write_text(in(folder, "manifest.csv"), MANIFEST);
    write_text(in(folder, "abnormalities.csv"), FINDINGS);
    write_text(in(folder, "audit.csv"), AUDIT);
    write_text(in(folder, "leaks.csv"), leaks);
    for (size_t i = 0; i < sizeof GREY / sizeof *GREY; i++)
        write_picture(in(folder, GREY[i]), IMAGE_U16);
    write_picture(in(folder, "roi/F1.tif"), IMAGE_U8);
    write_picture(in(folder, "roi/F1_1.tif"), IMAGE_U8);
}

static size_t count(const char *text, const char *part)
{
    size_t n = 0;

    for (const char *at = text; (at = strstr(at, part)); at++)
        n++;
    return n;
}

static void the_page_tells_everything(void **state)
{
    struct err err = ERR_INIT;

    make_set(*state, "patient,train,test\nP_00016,calc,mass\n");
    must(audit_write(*state, NULL, &err), err);
    char *page = read_text(in(*state, "audit.html"));
    const char *wrong = tags_fault(page);
    if (wrong)
        fail_msg("%s", wrong);
    assert_contains(page, "<b>2 images</b> with 3 abnormalities, 1 of them outlined");
    assert_contains(page, "2 lines tell of something lost and 0 of something doubtful");
    /* classes: benign, without callback, malignant, abnormalities, benign images, malignant images */
    assert_contains(page,
                    "<tr><th>train</th><td class=\"n\">1</td><td class=\"n\">0</td><td class=\"n\">1</td>"
                    "<td class=\"n\">2</td><td class=\"n\">0</td><td class=\"n\">1</td></tr>");
    assert_contains(page,
                    "<tr><th>test</th><td class=\"n\">0</td><td class=\"n\">1</td><td class=\"n\">0</td>"
                    "<td class=\"n\">1</td><td class=\"n\">1</td><td class=\"n\">0</td></tr>");
    /* three pictures of the one example, two of the repaired image; F2 needs no look, F9 has no picture */
    assert_int_equal(count(page, "<img "), 5);
    assert_contains(page, "The image is not in the data set.");
    assert_contains(page, "<h3>Of no image</h3>");
    assert_contains(page, "&lt;script&gt;alert(1)");
    assert_int_equal(count(page, "<script"), 0);
    assert_int_equal(count(page, "<b>?</b>"), 0);
    assert_int_equal(count(page, "http"), 1); /* http-equiv */
    assert_contains(page, "<td>P_00016</td><td>calc</td><td>mass</td>");
    free(page);
}

static void broken_tables_are_told(void **state)
{
    struct err err = ERR_INIT;

    make_set(*state, "patient,train,test\n");
    must(audit_write(*state, in(*state, "there.html"), &err), err);
    char *page = read_text(in(*state, "there.html"));
    assert_int_equal(count(page, "Patients in two parts"), 0);
    free(page);
    write_text(in(*state, "audit.csv"), "file,found\na,b\n");
    assert_false(audit_write(*state, NULL, &err));
    assert_contains(err.text, "audit.csv: column 'done' is missing");
    unlink(in(*state, "audit.csv"));
    assert_false(audit_write(*state, NULL, &err));
    assert_contains(err.text, "audit.csv: No such file");
    assert_false(file_exists(in(*state, "audit.html")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_page_tells_everything, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(broken_tables_are_told, make_folder, remove_folder),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
