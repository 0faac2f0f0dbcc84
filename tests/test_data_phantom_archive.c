/* phantom_archive.h: what comes out of the archive's layout is what phantom_write makes, sample by sample;
 * and every fault that was put in is found by the reader of the archive. */
#include "data_help.h"

#include "base/csv.h"
#include "data/cbis.h"
#include "data/ingest_cbis.h"
#include "data/phantom_archive.h"
#include "io/dicom.h"
#include "io/image_file.h"

static struct phantom_options options(size_t cases)
{
    struct phantom_options o = phantom_defaults();

    o.cases = cases;
    o.seed = 3;
    o.height = 256;
    o.several_share = 0.4;
    o.test_share = 0.25;
    return o;
}

/* A data set by way of the archive in FOLDER/archive, and the same at once in FOLDER/plain. */
struct two {
    const char *folder;
    struct phantom_options o;
    struct manifest read, plain;
    struct csv audit;
    struct ingest_cbis_result result;
};

static void make_two(struct two *t, const char *folder, size_t cases, bool faults)
{
    struct phantom_counts counts[2];
    struct err err = ERR_INIT;

    *t = (struct two){.folder = folder, .o = options(cases)};
    const char *const table[] = {in(folder, "archive/mass_case_description_train_set.csv"),
                                 in(folder, "archive/mass_case_description_test_set.csv")};
    const struct ingest_cbis how = {.source = in(folder, "archive/CBIS-DDSM"),
                                    .table = table,
                                    .tables = 2,
                                    .folder = in(folder, "read"),
                                    .margin = DATASET_MARGIN_PERCENT / 100.};
    must(phantom_archive_write(&counts[0], in(folder, "archive"), &t->o, faults, &err), err);
    must(phantom_write(&counts[1], in(folder, "plain"), &t->o, &err), err);
    assert_memory_equal(&counts[0], &counts[1], sizeof *counts);
    must(ingest_cbis(&t->result, &how, &err), err);
    must(manifest_read(&t->read, how.folder, &err), err);
    must(manifest_read(&t->plain, in(folder, "plain"), &err), err);
    must(csv_read(&t->audit, in(folder, "read/audit.csv"), &err), err);
}

static void release_two(struct two *t)
{
    manifest_release(&t->read);
    manifest_release(&t->plain);
    csv_release(&t->audit);
}

/* The same film in the data set made at once: P_00012's is P0012's. */
static const struct data_item *plain_of(const struct two *t, const char *id)
{
    struct cbis_name n;
    char text[32];

    assert_true(cbis_name_parse(&n, id));
    snprintf(text, sizeof text, "P%04d_%s_%s", atoi(n.patient + 2), n.right ? "RIGHT" : "LEFT",
             n.mlo ? "MLO" : "CC");
    const struct data_item *item = manifest_find(&t->plain, text);
    assert_non_null(item);
    return item;
}

static void check_facts(const struct data_item *got, const struct data_item *want)
{
    assert_string_equal(got->side, want->side);
    assert_string_equal(got->view, want->view);
    assert_string_equal(got->density, want->density);
    assert_string_equal(got->subtlety, want->subtlety);
    assert_string_equal(got->assessment, want->assessment);
    assert_int_equal(got->label, want->label);
    assert_int_equal(got->part, want->part);
    assert_string_equal(got->image_sha256, want->image_sha256);
}

static void without_faults_nothing_is_lost_or_changed(void **state)
{
    struct two t;
    size_t parts[PART_TEST + 1] = {0};

    make_two(&t, *state, 6, false);
    assert_int_equal(t.read.count, 12);
    for (size_t i = 0; i < t.read.count; i++) {
        const struct data_item *got = &t.read.item[i], *want = plain_of(&t, got->id);
        check_facts(got, want);
        assert_string_equal(got->mask_sha256, want->mask_sha256);
        assert_string_equal(got->crop_sha256, want->crop_sha256);
        parts[got->part]++;
    }
    assert_true(parts[PART_TRAIN] > parts[PART_TEST] && parts[PART_TEST] > 0);
    for (size_t i = 0; i < t.audit.count; i++)
        assert_string_equal(csv_get(&t.audit, i, csv_column(&t.audit, "kept")), "used");
    release_two(&t);
}

/* Row i of abnormalities.csv against the phantom drawn again. */
static void check_mass(const struct two *t, const struct csv *table, size_t i)
{
    struct cbis_name n;
    struct phantom_case c;
    struct phantom_picture p = PHANTOM_PICTURE_INIT;
    struct image mask = IMAGE_INIT;
    struct err err = ERR_INIT;
    const int k = atoi(csv_get(table, i, csv_column(table, "abnormality"))) - 1;

    assert_true(cbis_name_parse(&n, csv_get(table, i, csv_column(table, "id"))));
    phantom_case_make(&c, &t->o, (size_t)atoi(n.patient + 2) - 1);
    assert_in_range(k, 0, c.masses - 1);
    const bool malignant = strcmp(csv_get(table, i, csv_column(table, "pathology")), "MALIGNANT") == 0;
    assert_int_equal(malignant, c.mass[k].label == LABEL_MALIGNANT);
    must(phantom_render(&p, &t->o, &c, n.mlo ? PHANTOM_MLO : PHANTOM_CC, &err), err);
    char *path = mem_printf("%s/read/%s", t->folder, csv_get(table, i, csv_column(table, "mask")));
    must(image_read(&mask, path, &err), err);
    for (size_t at = 0; at < image_pixels(&mask); at++)
        assert_int_equal(image_u8(&mask)[at], image_u8(&p.core)[at] >> k & 1 ? 255 : 0);
    free(path);
    image_release(&mask);
    phantom_picture_release(&p);
}

static void every_mass_keeps_its_own_mask(void **state)
{
    struct two t;
    struct csv table = CSV_INIT;
    struct err err = ERR_INIT;

    make_two(&t, *state, 6, false);
    must(csv_read(&table, in(*state, "read/abnormalities.csv"), &err), err);
    assert_in_range(table.count, t.read.count + 2, 2 * t.read.count - 2);
    for (size_t i = 0; i < table.count; i++)
        check_mass(&t, &table, i);
    csv_release(&table);
    release_two(&t);
}

/* The audit has a line of that kind on the file, or, where there is no file, on the film. */
static bool audit_tells(const struct two *t, const char *id, const char *file, const char *kept)
{
    for (size_t i = 0; i < t->audit.count; i++)
        if (!strcmp(csv_get(&t->audit, i, csv_column(&t->audit, "file")), file) &&
            !strcmp(csv_get(&t->audit, i, csv_column(&t->audit, "id")), id) &&
            !strcmp(csv_get(&t->audit, i, csv_column(&t->audit, "kept")), kept))
            return true;
    return false;
}

static const char *fault_of(const struct csv *faults, const char *id)
{
    for (size_t i = 0; i < faults->count; i++)
        if (!strcmp(csv_get(faults, i, csv_column(faults, "id")), id))
            return csv_get(faults, i, csv_column(faults, "fault"));
    return "";
}

/* Share of agreement of two masks: twice what they share over what both have. */
static double dice(const char *folder, const char *a, const char *b)
{
    struct image x = IMAGE_INIT, y = IMAGE_INIT;
    struct err err = ERR_INIT;
    char *path[2] = {mem_printf("%s/read/%s", folder, a), mem_printf("%s/plain/%s", folder, b)};
    double both = 0, all = 0;

    must(image_read(&x, path[0], &err), err);
    must(image_read(&y, path[1], &err), err);
    assert_int_equal(image_bytes(&x), image_bytes(&y));
    for (size_t i = 0; i < image_pixels(&x); i++) {
        both += 2 * (image_u8(&x)[i] && image_u8(&y)[i]);
        all += (image_u8(&x)[i] != 0) + (image_u8(&y)[i] != 0);
    }
    free(path[0]);
    free(path[1]);
    image_release(&x);
    image_release(&y);
    return both / all;
}

/* Repaired or not: what is in the data set is as it was drawn. */
static void check_item(const struct two *t, const struct csv *faults, const struct data_item *got)
{
    const struct data_item *want = plain_of(t, got->id);
    const char *fault = fault_of(faults, got->id);
    const bool no_mask = !strcmp(fault, "missing-mask") || !strcmp(fault, "other-aspect");

    check_facts(got, want);
    if (!strcmp(fault, "pixel-pitch"))
        assert_true(dice(t->folder, got->mask, want->mask) > 0.93);
    else if (!no_mask)
        assert_string_equal(got->mask_sha256, want->mask_sha256);
    else
        assert_string_not_equal(got->mask_sha256, want->mask_sha256);
}

static void every_fault_is_in_the_audit(void **state)
{
    struct two t;
    struct csv faults = CSV_INIT;
    struct err err = ERR_INIT;
    size_t kinds = 0;

    make_two(&t, *state, 8, true);
    must(csv_read(&faults, in(*state, "archive/faults.csv"), &err), err);
    for (size_t i = 0; i < faults.count; i++) {
        const char *kept = csv_get(&faults, i, csv_column(&faults, "audit"));
        const char *id = csv_get(&faults, i, csv_column(&faults, "id"));
        const char *file = csv_get(&faults, i, csv_column(&faults, "file"));
        kinds += !i || strcmp(csv_get(&faults, i, 0), csv_get(&faults, i - 1, 0));
        if (*kept && !audit_tells(&t, id, file, kept))
            fail_msg("%s of %s (%s) is not in the audit", csv_get(&faults, i, 0), id, file);
    }
    assert_true(kinds >= (size_t)phantom_archive_fault_kinds());
    assert_int_equal(t.read.count, 14); /* without the truncated and the missing image */
    for (size_t i = 0; i < t.read.count; i++)
        check_item(&t, &faults, &t.read.item[i]);
    for (size_t i = 0; i < t.audit.count; i++) {
        const char *kept = csv_get(&t.audit, i, csv_column(&t.audit, "kept"));
        const char *id = csv_get(&t.audit, i, csv_column(&t.audit, "id"));
        if (strcmp(kept, "used") && !*fault_of(&faults, id))
            fail_msg("%s: %s, but nothing was wrong", id, kept);
    }
    csv_release(&faults);
    release_two(&t);
}

static void write_archive(const char *folder, const struct phantom_options *o, bool faults)
{
    struct phantom_counts counts;
    struct err err = ERR_INIT;

    must(phantom_archive_write(&counts, folder, o, faults, &err), err);
}

static void the_same_seed_gives_the_same_bytes(void **state)
{
    struct phantom_options o = options(5);
    char *command = mem_printf("diff -r '%s' '%s' >/dev/null", in(*state, "one"), in(*state, "two"));

    write_archive(in(*state, "one"), &o, true);
    write_archive(in(*state, "two"), &o, true);
    assert_int_equal(system(command), 0);
    free(command);
}

static void an_interrupted_call_goes_on(void **state)
{
    struct phantom_options o = options(1), other = o;
    struct phantom_counts counts;
    struct err err = ERR_INIT;
    static const char TEXT[] = "clearmass " CLEARMASS_VERSION
                               " phantom: cases 1, seed 3, height 256, shares 0.5 0.40000000000000002 0.25, "
                               "views 11, faults 0\n";

    write_text(in(*state, "half/unfinished.txt"), TEXT);
    write_text(in(*state, "half/CBIS-DDSM/rest"), "a rest");
    other.seed = 4;
    assert_false(phantom_archive_write(&counts, in(*state, "half"), &other, false, &err));
    assert_contains(err.text, "half: an unfinished archive of other options is in there");
    write_archive(in(*state, "half"), &o, false);
    assert_false(file_exists(in(*state, "half/unfinished.txt")));
    assert_true(file_exists(in(*state, "half/README.txt")));
}

static void refused(const char *folder, const struct phantom_options *o, bool faults, const char *text)
{
    struct phantom_counts counts;
    struct err err = ERR_INIT;

    assert_false(phantom_archive_write(&counts, folder, o, faults, &err));
    assert_contains(err.text, text);
}

static void nonsense_is_refused_in_one_line(void **state)
{
    struct phantom_options o = options(4);

    refused(in(*state, "new"), &o, true, "8 images are too few for every fault, at least 10 are wanted");
    o.normal_share = 0.1;
    refused(in(*state, "new"), &o, false, "the archive has no normal films, a share of 0 is wanted");
    o.normal_share = 0;
    o.test_share = 1.5;
    refused(in(*state, "new"), &o, false, "a share must lie between 0 and 1");
    assert_false(file_exists(in(*state, "new")));
    o.test_share = 0;
    write_text(in(*state, "used/letter.txt"), "mine");
    refused(in(*state, "used"), &o, false, "used: is not empty; name a new folder");
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_FOLDER(without_faults_nothing_is_lost_or_changed),
        IN_FOLDER(every_mass_keeps_its_own_mask),
        IN_FOLDER(every_fault_is_in_the_audit),
        IN_FOLDER(the_same_seed_gives_the_same_bytes),
        IN_FOLDER(an_interrupted_call_goes_on),
        IN_FOLDER(nonsense_is_refused_in_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
