#include "data_help.h"

#include "base/rng.h"
#include "data/split.h"

enum { MANY = 300 };

/* A random manifest: patients of 1 to 4 images with labels of their own. */
static struct manifest random_manifest(uint64_t seed, size_t n)
{
    struct rng rng = rng_at(seed, RNG_TEST, 1, 0);
    int *patient = mem_new(n, sizeof *patient);
    enum data_label *label = mem_new(n, sizeof *label);

    for (size_t i = 0; i < n;) {
        int who = (int)i, images = rng_int(&rng, 1, 4);
        enum data_label of = (enum data_label)rng_int(&rng, 0, LABEL_COUNT - 1);
        for (int k = 0; k < images && i < n; k++, i++) {
            patient[i] = who;
            label[i] = of;
        }
    }
    struct manifest m = made_manifest(n, patient, label);
    free(patient);
    free(label);
    return m;
}

static void no_patient_is_in_two_parts(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct manifest m = random_manifest(seed, 40 + seed);
        struct split s = SPLIT_INIT;
        struct err err = ERR_INIT;

        must(split_make(&s, &m, NULL, .25, seed, &err), err);
        for (size_t i = 0; i < m.count; i++)
            for (size_t k = 0; k < i; k++)
                if (!strcmp(m.item[i].patient, m.item[k].patient))
                    assert_int_equal(s.part[i], s.part[k]);
        split_release(&s);
        manifest_release(&m);
    }
}

/* Whole patients of at most 4 images: each label's count is off by at most 2. */
static void every_label_keeps_its_share(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        struct manifest m = random_manifest(seed, MANY);
        struct split s = SPLIT_INIT;
        struct err err = ERR_INIT;
        double all[LABEL_COUNT] = {0}, taken[LABEL_COUNT] = {0};

        must(split_make(&s, &m, NULL, .2, seed, &err), err);
        for (size_t i = 0; i < m.count; i++) {
            all[m.item[i].label]++;
            taken[m.item[i].label] += s.part[i] == PART_VALIDATION;
        }
        for (int k = 0; k < LABEL_COUNT; k++)
            assert_true(taken[k] >= .2 * all[k] - 2 && taken[k] <= .2 * all[k] + 2);
        assert_int_equal(split_count(&s, PART_TRAIN) + split_count(&s, PART_VALIDATION), MANY);
        split_release(&s);
        manifest_release(&m);
    }
}

static void order_of_input_does_not_matter(void **state)
{
    struct manifest m = random_manifest(7, MANY), turned = random_manifest(7, MANY);
    struct split a = SPLIT_INIT, b = SPLIT_INIT, other = SPLIT_INIT;
    struct err err = ERR_INIT;
    size_t moved = 0;

    (void)state;
    for (size_t i = 0; i < MANY / 2; i++) {
        struct data_item t = turned.item[i];
        turned.item[i] = turned.item[MANY - 1 - i];
        turned.item[MANY - 1 - i] = t;
    }
    must(split_make(&a, &m, NULL, .2, 5, &err), err);
    must(split_make(&b, &turned, NULL, .2, 5, &err), err);
    must(split_make(&other, &m, NULL, .2, 6, &err), err);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(a.part[i], b.part[MANY - 1 - i]);
        moved += a.part[i] != other.part[i];
    }
    assert_true(moved > MANY / 10); /* another seed, another split */
    split_release(&a);
    split_release(&b);
    split_release(&other);
    manifest_release(&m);
    manifest_release(&turned);
}

static void the_official_test_part_stays(void **state)
{
    struct manifest m = random_manifest(3, 100);
    struct split s = SPLIT_INIT;
    struct err err = ERR_INIT;
    size_t tests = 0;

    (void)state;
    for (size_t i = 0; i < m.count; i++) {
        bool test = atoi(m.item[i].patient + 1) < 30;
        m.item[i].part = test ? PART_TEST : PART_TRAIN;
        tests += test;
    }
    must(split_make(&s, &m, NULL, .3, 1, &err), err);
    for (size_t i = 0; i < m.count; i++)
        assert_int_equal(s.part[i] == PART_TEST, m.item[i].part == PART_TEST);
    assert_int_equal(split_count(&s, PART_TEST), tests);
    m.item[m.count - 1].part = PART_TEST;
    free(m.item[m.count - 1].patient);
    m.item[m.count - 1].patient = mem_copy_string(m.item[m.count - 2].patient);
    must(split_make(&s, &m, NULL, .3, 1, &err),
         err); /* one patient in both parts: only its test image tests */
    assert_int_equal(s.part[m.count - 1], PART_TEST);
    assert_int_not_equal(s.part[m.count - 2], PART_TEST);
    split_release(&s);
    manifest_release(&m);
}

/* Written down once: a split must not change with a version, or stored runs would validate on what they
 * trained. */
static void a_seed_means_the_same_for_ever(void **state)
{
    struct manifest m = random_manifest(11, 50);
    struct split s = SPLIT_INIT, again = SPLIT_INIT;
    struct err err = ERR_INIT;
    char hash[FILE_SHA256_TEXT], read_hash[FILE_SHA256_TEXT];
    const char *path = in(*state, "split.csv");

    must(split_make(&s, &m, NULL, .2, 42, &err), err);
    must(split_write(&s, &m, path, hash, &err), err);
    must(split_read(&again, &m, path, read_hash, &err), err);
    assert_string_equal(hash, read_hash);
    assert_memory_equal(s.part, again.part, s.count * sizeof *s.part);
    assert_string_equal(hash, "c12e783927e8367d795192ce18028e8f7d0d8612b307f71072537c71cec42fac");
    split_release(&s);
    split_release(&again);
    manifest_release(&m);
}

static void too_few_is_told(void **state)
{
    static const int PATIENT[] = {0, 0, 0};
    static const enum data_label LABELS[] = {LABEL_BENIGN, LABEL_BENIGN, LABEL_BENIGN};
    struct manifest m = made_manifest(3, PATIENT, LABELS);
    struct split s = SPLIT_INIT;
    struct err err = ERR_INIT;

    (void)state;
    assert_false(split_make(&s, &m, NULL, .2, 1, &err));
    assert_contains(err.text, "too few patients (1, 3 images)");
    assert_false(split_make(&s, &m, NULL, 1, 1, &err));
    assert_contains(err.text, "between 0 and 1");
    assert_false(split_make(&s, &m, NULL, 0, 1, &err));
    assert_null(s.part);
    manifest_release(&m);
}

static void refuses(const struct manifest *m, const char *path, const char *text, const char *message)
{
    struct split s = SPLIT_INIT;
    struct err err = ERR_INIT;

    write_text(path, text);
    assert_false(split_read(&s, m, path, NULL, &err));
    assert_contains(err.text, message);
    assert_contains(err.text, "split.csv");
}

static void a_split_of_another_data_set_is_refused(void **state)
{
    static const int PATIENT[] = {1, 1, 2};
    static const enum data_label LABELS[] = {LABEL_BENIGN, LABEL_BENIGN, LABEL_NORMAL};
    struct manifest m = made_manifest(3, PATIENT, LABELS);
    const char *path = in(*state, "split.csv");

    refuses(&m, path, "id,part\nc0,train\n", "columns id, patient and part");
    refuses(&m, path, "id,patient,part\nc0,p1,train\nc2,p2,validation\n", "'c1' of the data set is missing");
    refuses(&m, path, "id,patient,part\nc0,p1,train\nc1,p9,train\nc2,p2,validation\n",
            "'c1' has another patient");
    refuses(&m, path, "id,patient,part\nc0,p1,train\nc1,p1,\nc2,p2,validation\n",
            "line 3: part '' is not known");
    refuses(&m, path, "id,patient,part\nc0,p1,train\nc1,p1,train\nc2,p2,validation\nc3,p3,train\n",
            "4 rows for 3 images");
    refuses(&m, path, "id,patient,part\nc0,p1,train\nc1,p1,validation\nc2,p2,validation\n",
            "'c0' and 'c1' are of one patient but in two parts");
    manifest_release(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_patient_is_in_two_parts),
        cmocka_unit_test(every_label_keeps_its_share),
        cmocka_unit_test(order_of_input_does_not_matter),
        cmocka_unit_test(the_official_test_part_stays),
        cmocka_unit_test_setup_teardown(a_seed_means_the_same_for_ever, make_folder, remove_folder),
        cmocka_unit_test(too_few_is_told),
        cmocka_unit_test_setup_teardown(a_split_of_another_data_set_is_refused, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
