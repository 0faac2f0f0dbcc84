/* A data set whose test patients are in its training part too is refused, unless told otherwise. */
#include "data_help.h"

#include "data/leak.h"
#include "train/folder.h"

static struct data_item item_of(const char *id, const char *patient, enum data_part part)
{
    struct data_item i = {.id = mem_copy_string(id),
                          .patient = mem_copy_string(patient),
                          .part = part,
                          .label = LABEL_MALIGNANT,
                          .width = 8,
                          .height = 8,
                          .image = mem_printf("full/%s.tif", id),
                          .mask = mem_printf("roi/%s.tif", id)};
    char **const empty[] = {&i.side,         &i.view,        &i.density, &i.assessment, &i.subtlety,
                            &i.image_sha256, &i.mask_sha256, &i.crop,    &i.crop_sha256};

    for (size_t k = 0; k < sizeof empty / sizeof *empty; k++)
        *empty[k] = mem_copy_string("");
    return i;
}

/* p0 is in test and in train; three more train. */
static void write_leaky(const char *folder)
{
    struct manifest m = {.item = mem_new(6, sizeof *m.item), .count = 6};
    struct err err = ERR_INIT;

    m.item[0] = item_of("a", "p0", PART_TEST);
    m.item[1] = item_of("b", "p0", PART_TRAIN);
    m.item[2] = item_of("c", "p1", PART_TRAIN);
    m.item[3] = item_of("d", "p2", PART_NONE);
    m.item[4] = item_of("e", "p3", PART_TRAIN);
    m.item[5] = item_of("f", "p4", PART_TEST);
    must(manifest_write(&m, folder, &err), err);
    manifest_release(&m);
}

static void want_recorded(struct folder *f, const struct train_job *job)
{
    static const char *const CASES[] = {"c"};
    const struct folder_plan plan = {.cases = CASES, .n_cases = 1, .best_metric = "val_dice"};
    struct err err = ERR_INIT;

    must(folder_begin(f, job, &plan, &err), err);
    const json_t *data = json_object_get(f->run.json, "data"), *leaks = json_object_get(data, "leaks");
    assert_true(json_is_true(json_object_get(data, "allow_leak")));
    assert_int_equal(json_array_size(leaks), 1);
    assert_string_equal(json_string_value(json_array_get(leaks, 0)), "p0");
}

static void leaks_are_refused_unless_allowed(void **state)
{
    const char *data = in(*state, "data"), *manifest = in(*state, "data/manifest.csv");
    struct train_job job = {.task = RUN_SEGMENT,
                            .folder = in(*state, "run"),
                            .data = data,
                            .model = model_find("unet"),
                            .channels = 3,
                            .prep = {.size = 32},
                            .options = train_options_default(RUN_SEGMENT)};
    struct folder f = FOLDER_INIT;
    struct err err = ERR_INIT;

    assert_non_null(manifest); /* its folder is there */
    write_leaky(data);
    assert_false(folder_open(&f, &job, &err));
    assert_contains(err.text, "data: 1 patient is both in train and in test (p0), so results");
    assert_contains(err.text, "--allow-leak");
    job.allow_leak = true;
    must(folder_open(&f, &job, &err), err);
    assert_int_equal(f.split.part[0], PART_TEST);
    assert_int_not_equal(f.split.part[1], PART_TEST);

    /* its split is read back as it was written */
    struct split again = SPLIT_INIT;
    const char *path = in(*state, "split.csv");
    must(split_write(&f.split, &f.manifest, path, NULL, &err), err);
    must(split_read(&again, &f.manifest, path, NULL, &err), err);
    split_release(&again);
    want_recorded(&f, &job);
    folder_release(&f);
}

static void names_fill_a_line_and_no_more(void **state)
{
    enum { N = 500 };
    const char *name[N];
    char *text;

    (void)state;
    for (int i = 0; i < N; i++)
        name[i] = "P_00016";
    text = leak_text(name, 2);
    assert_string_equal(text, "P_00016, P_00016");
    free(text);
    text = leak_text(name, N);
    assert_in_range(strlen(text), 500, 700);
    assert_contains(text, " more");
    free(text);
    text = leak_text(name, 0);
    assert_string_equal(text, "");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(leaks_are_refused_unless_allowed, make_folder, remove_folder),
        cmocka_unit_test(names_fill_a_line_and_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
