/* Names, tables, verdicts and leaks of CBIS-DDSM, on rows made by hand with the faults of the archive's own.
 */
#include "data_help.h"

#include "data/cbis.h"
#include "data/cbis_judge.h"
#include "data/cbis_mask.h"

static void names_are_read(void **state)
{
    static const char *const NONE[] = {"",
                                       "Mass-Training_P_00001_LEFT",
                                       "Mass-Training_P_1_LEFT_CC",
                                       "Mass-Training_P_00001_LEFT_CCC",
                                       "Mass-Training_P_00001_LEFT_CC_1x",
                                       "Mass-Validation_P_00001_LEFT_CC",
                                       "xMass-Training_P_00001_LEFT_CC",
                                       "Mass-Training_P_0000100001_LEFT_CC"};
    struct cbis_name n;
    char text[CBIS_NAME_TEXT];

    (void)state;
    assert_true(cbis_name_parse(&n, "Calc-Test_P_00150_RIGHT_MLO_12/07-21-2016"));
    assert_string_equal(n.film, "Calc-Test_P_00150_RIGHT_MLO");
    assert_string_equal(n.patient, "P_00150");
    assert_int_equal(n.kind, CBIS_CALC);
    assert_int_equal(n.part, PART_TEST);
    assert_true(n.right && n.mlo);
    assert_int_equal(n.abnormality, 12);
    cbis_name_text(&n, text);
    assert_string_equal(text, "Calc-Test_P_00150_RIGHT_MLO_12");
    assert_true(cbis_name_parse(&n, "mass-training_p_00004_left_cc__cropped__000001.dcm"));
    assert_string_equal(n.film, "Mass-Training_P_00004_LEFT_CC");
    assert_int_equal(n.abnormality, 0);
    for (size_t i = 0; i < sizeof NONE / sizeof *NONE; i++)
        if (cbis_name_parse(&n, NONE[i]))
            fail_msg("'%s' was taken for a name", NONE[i]);
}

#define MASS_HEAD                                                                                            \
    "patient_id,breast_density,left or right breast,image view,abnormality id,abnormality type,mass "        \
    "shape,mass "                                                                                            \
    "margins,assessment,pathology,subtlety,image file path,cropped image file path,ROI mask file path\r\n"
#define CALC_HEAD                                                                                            \
    "patient_id,breast density,left or right breast,image view,abnormality id,abnormality type,calc "        \
    "type,calc "                                                                                             \
    "distribution,assessment,pathology,subtlety,image file path,cropped image file path,ROI mask file "      \
    "path\n"

/* The first row as the archive has it, with its newline in the quotes; then faults. */
static const char MASSES[] = MASS_HEAD
    "P_00002,3,LEFT,CC,2,mass,OVAL,N/A,0,BENIGN_WITHOUT_CALLBACK,0,Mass-Training_P_00002_LEFT_CC/1.1/1.2/"
    "000000.dcm,"
    "Mass-Training_P_00002_LEFT_CC_2/1.3/1.4/000000.dcm,\"Mass-Training_P_00002_LEFT_CC_2/1.3/1.4/"
    "000001.dcm\r\n\"\r\n"
    "P_00002,3,LEFT,CC,1,mass,\"ROUND, "
    "SMALL\",N/A,4,MALIGNANT,5,Mass-Training_P_00002_LEFT_CC\\1.1\\1.2\\000000.dcm,"
    "Mass-Training_P_00002_LEFT_CC_1\\1.5\\1.6\\000000.dcm,Mass-Training_P_00002_LEFT_CC_1\\1.7\\1.8\\000000."
    "dcm\n"
    "P_00002,3,LEFT,CC,1,mass,ROUND,N/A,4,BENIGN,5,Mass-Training_P_00002_LEFT_CC/1.1/1.2/000000.dcm,,\n"
    "P_00003,1,UP,CC,1,mass,ROUND,N/A,4,BENIGN,5,Mass-Training_P_00003_LEFT_CC/1/2/000000.dcm,,\n"
    "P_00004,1,LEFT,CC,one,mass,ROUND,N/A,4,BENIGN,5,Mass-Training_P_00004_LEFT_CC/1/2/000000.dcm,,\n"
    "P_00005,1,LEFT,CC,1,mass,ROUND,N/A,4,PERHAPS,5,Mass-Training_P_00005_LEFT_CC/1/2/000000.dcm,,\n"
    "P_00006,1,LEFT,CC,1,mass,ROUND,N/A,4,BENIGN,5,Mass-Training_P_00006_RIGHT_CC/1/2/000000.dcm,,";

static const char CALCS[] = CALC_HEAD
    "P_00002,2,LEFT,CC,1,calcification,AMORPHOUS,CLUSTERED,4,MALIGNANT,3,Calc-Test_P_00002_LEFT_CC/2.1/2.2/"
    "000000.dcm,"
    "\"Calc-Test_P_00002_LEFT_CC_1/2.3/2.4/000001.dcm\n\",Calc-Test_P_00002_LEFT_CC_1/2.3/2.4/000000.dcm\n";

static void read_both(struct cbis_tables *t, const char *folder)
{
    struct err err = ERR_INIT;

    write_text(in(folder, "mass_train.csv"), MASSES);
    write_text(in(folder, "calc_test.csv"), CALCS);
    must(cbis_tables_add(t, in(folder, "mass_train.csv"), &err), err);
    must(cbis_tables_add(t, in(folder, "calc_test.csv"), &err), err);
    cbis_tables_finish(t);
}

static void want_fault(const struct cbis_tables *t, const char *where, const char *what, bool lost)
{
    for (size_t i = 0; i < t->faults; i++) {
        if (strcmp(t->fault[i].where, where) || !strstr(t->fault[i].what, what))
            continue;
        assert_int_equal(t->fault[i].lost, lost);
        return;
    }
    fail_msg("no fault of %s says '%s'", where, what);
}

static void tables_are_read_with_their_faults(void **state)
{
    struct cbis_tables t = CBIS_TABLES_INIT;
    size_t first;

    read_both(&t, *state);
    assert_int_equal(t.rows, 4);
    assert_int_equal(cbis_tables_find(&t, "Mass-Training_P_00002_LEFT_CC", &first), 2);
    const struct cbis_row *r = &t.row[first];
    assert_int_equal(r[0].name.abnormality, 1);
    assert_int_equal(r[0].label, LABEL_MALIGNANT);
    assert_string_equal(r[0].shape, "ROUND, SMALL");
    assert_string_equal(r[0].path[CBIS_FULL].series, "1.2"); /* backslashes */
    assert_string_equal(r[0].path[CBIS_MASK].study, "1.7");
    assert_int_equal(r[1].name.abnormality, 2);
    assert_int_equal(r[1].label, LABEL_BENIGN);
    assert_string_equal(r[1].subtlety, "0");
    assert_string_equal(r[1].path[CBIS_MASK].series, "1.4");
    assert_int_equal(r[1].path[CBIS_MASK].number, 1); /* in front of the newline */
    assert_int_equal(cbis_tables_find(&t, "Calc-Test_P_00002_LEFT_CC", &first), 1);
    r = &t.row[first];
    assert_string_equal(r->density, "2");
    assert_string_equal(r->shape, "AMORPHOUS");
    assert_string_equal(r->margins, "CLUSTERED");
    assert_int_equal(r->path[CBIS_CROP].number, 1);
    assert_int_equal(cbis_tables_find(&t, "Mass-Training_P_00006_LEFT_CC", &first), 1);
    assert_int_equal(cbis_tables_find(&t, "Mass-Training_P_00009_LEFT_CC", &first), 0);
    assert_int_equal(t.faults, 5);
    want_fault(&t, "mass_train.csv line 5", "another pathology", true);
    want_fault(&t, "mass_train.csv line 6", "breast 'UP'", true);
    want_fault(&t, "mass_train.csv line 7", "abnormality 'one' is no number", true);
    want_fault(&t, "mass_train.csv line 8", "pathology 'PERHAPS'", true);
    want_fault(&t, "mass_train.csv line 9", "the columns are followed", false);
    cbis_tables_release(&t);
}

static void other_tables_are_refused(void **state)
{
    struct cbis_tables t = CBIS_TABLES_INIT;
    struct err err = ERR_INIT;

    write_text(in(*state, "other.csv"), "image,label\na.png,benign\n");
    assert_false(cbis_tables_add(&t, in(*state, "other.csv"), &err));
    assert_contains(err.text, "other.csv: no table of CBIS-DDSM: column 'patient id' is missing");
    write_text(in(*state, "empty.csv"), MASS_HEAD);
    assert_false(cbis_tables_add(&t, in(*state, "empty.csv"), &err));
    assert_contains(err.text, "no row of it can be used");
    cbis_tables_release(&t);
}

static void identifiers_tell_names_and_roles(void **state)
{
    struct cbis_tables t = CBIS_TABLES_INIT;
    struct cbis_uids u;

    read_both(&t, *state);
    cbis_uids_collect(&u, &t);
    const struct cbis_uid *full = cbis_uids_find(&u, "1.2"), *shared = cbis_uids_find(&u, "1.4"),
                          *mask = cbis_uids_find(&u, "1.8");
    assert_non_null(full);
    assert_int_equal(full->name.abnormality, 0);
    assert_int_equal(full->roles, 1U << CBIS_FULL);
    assert_non_null(shared);
    assert_int_equal(shared->name.abnormality, 2);
    assert_int_equal(shared->roles, 1U << CBIS_CROP | 1U << CBIS_MASK);
    assert_true(mask && mask->roles == 1U << CBIS_MASK && mask->series);
    assert_non_null(cbis_uids_find(&u, "1.7"));
    assert_null(cbis_uids_find(&u, "9.9"));
    assert_null(cbis_uids_find(&u, ""));
    cbis_uids_release(&u);
    cbis_tables_release(&t);
}

static void patients_in_two_parts_are_found(void **state)
{
    static const char *const NAMES[] = {
        "Mass-Training_P_00041_LEFT_CC", "Calc-Test_P_00041_RIGHT_CC",    "Mass-Test_P_00016_LEFT_CC",
        "Mass-Test_P_00016_LEFT_MLO",    "Calc-Training_P_00016_LEFT_CC", "Mass-Training_P_00001_LEFT_CC",
        "Calc-Training_P_00001_LEFT_CC", "Mass-Test_P_00002_LEFT_CC",     "Calc-Test_P_00002_LEFT_CC"};
    enum { N = sizeof NAMES / sizeof *NAMES };
    struct cbis_name name[N];
    const struct cbis_name *borrowed[N];
    struct cbis_leak *leak;

    (void)state;
    for (size_t i = 0; i < N; i++) {
        assert_true(cbis_name_parse(&name[i], NAMES[i]));
        borrowed[i] = &name[i];
    }
    assert_int_equal(cbis_leaks_find(&leak, borrowed, N), 2);
    assert_string_equal(leak[0].patient, "P_00016");
    assert_true(leak[0].train[CBIS_CALC] && leak[0].test[CBIS_MASS]);
    assert_false(leak[0].train[CBIS_MASS] || leak[0].test[CBIS_CALC]);
    assert_string_equal(leak[1].patient, "P_00041");
    assert_true(leak[1].train[CBIS_MASS] && leak[1].test[CBIS_CALC]);
    free(leak);
}

struct opinion {
    struct cbis_evidence e;
    enum cbis_role role;
    int lost;
    const char *text;
};

static void the_majority_decides(void **state)
{
    static const struct opinion CASES[] = {
        /* all agree */
        {{8, 300, 500, 300, 500, 2, "ROI mask images", CBIS_MASK},
         CBIS_MASK,
         0,
         "bits, size, values, description, table: mask"},
        /* swapped against the table and wrongly described */
        {{8, 300, 500, 300, 500, 2, "cropped images", CBIS_CROP},
         CBIS_MASK,
         2,
         "bits, size, values: mask; description, table: crop"},
        {{16, 40, 50, 300, 500, 3, "ROI mask images", CBIS_MASK},
         CBIS_CROP,
         2,
         "description, table: mask; bits, size, values: crop"},
        /* another pitch; half as large is no mask */
        {{8, 261, 435, 300, 500, 2, "", CBIS_SILENT}, CBIS_MASK, 0, "bits, size, values: mask"},
        {{8, 30, 50, 300, 500, 2, "", CBIS_SILENT}, CBIS_MASK, 1, "bits, values: mask; size: crop"},
        /* a tie: the pixels' values */
        {{16, 300, 500, 0, 0, 2, "", CBIS_SILENT}, CBIS_MASK, 1, "values: mask; bits: crop"},
        {{8, 300, 500, 0, 0, 0, "", CBIS_CROP}, CBIS_MASK, 1, "bits: mask; table: crop"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct cbis_verdict v = cbis_judge(&CASES[i].e);
        char *text = cbis_verdict_text(&v);
        assert_string_equal(text, CASES[i].text);
        assert_int_equal(v.role, CASES[i].role);
        assert_int_equal(v.lost, CASES[i].lost);
        free(text);
    }
}

/* The pairs quoted for the archive, and one that is off by more. */
static void pitches_are_told_from_misfits(void **state)
{
    (void)state;
    assert_int_equal(cbis_fit(2056, 5041, 2056, 5041), CBIS_FITS);
    assert_int_equal(cbis_fit(1789, 4386, 2056, 5041), CBIS_SCALES);
    assert_int_equal(cbis_fit(2155, 4373, 2476, 5026), CBIS_SCALES);
    assert_int_equal(cbis_fit(990, 1000, 1000, 1000), CBIS_MISFIT);
    assert_int_equal(cbis_fit(991, 1000, 1000, 1000), CBIS_SCALES);
}

static void masks_are_cut_and_counted(void **state)
{
    struct image im = flat(6000, 3, IMAGE_U8, 0), deep = flat(40, 30, IMAGE_U16, 0), united = IMAGE_INIT;
    struct cbis_area area;
    struct err err = ERR_INIT;

    (void)state;
    assert_int_equal(cbis_count_values(&im), 1);
    image_u8(&im)[17999] = 255;
    assert_int_equal(cbis_count_values(&im), 2);
    image_u8(&im)[9000] = 100;
    assert_int_equal(cbis_count_values(&im), 3);
    must(cbis_mask_cut(&im, &area, 6000, 3, &err), err);
    assert_int_equal(area.pixels, 1); /* 100 is below half of 255 */
    assert_int_equal(area.box.x0, 5999);
    assert_int_equal(area.box.y1, 3);
    image_release(&im);

    paint(&deep, (struct image_box){10, 4, 20, 9}, 1); /* 0 and 1 are a mask too */
    must(cbis_mask_cut(&deep, &area, 80, 60, &err), err);
    assert_int_equal(deep.type, IMAGE_U8);
    assert_int_equal(area.pixels, 200);
    assert_memory_equal(&area.box, (&(struct image_box){20, 8, 40, 18}), sizeof area.box);
    must(cbis_mask_unite(&united, &deep, &err), err);
    image_u8(&deep)[0] = 255;
    must(cbis_mask_unite(&united, &deep, &err), err);
    assert_int_equal(image_u8(&united)[0], 255);
    assert_int_equal(image_u8(&united)[8 * 80 + 20], 255);
    image_release(&deep);
    image_release(&united);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_read),
        cmocka_unit_test_setup_teardown(tables_are_read_with_their_faults, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(other_tables_are_refused, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(identifiers_tell_names_and_roles, make_folder, remove_folder),
        cmocka_unit_test(patients_in_two_parts_are_found),
        cmocka_unit_test(the_majority_decides),
        cmocka_unit_test(pitches_are_told_from_misfits),
        cmocka_unit_test(masks_are_cut_and_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
