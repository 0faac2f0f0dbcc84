/* train/source.h: which images of a data set are learnt from. */
#include "data_help.h"

#include "test_train_data.h"
#include "train/source.h"

/* Two images of each label for training, one for validation; of benign-0, malignant-0 and malignant-2 the
 * mask was lost. */
static void open_discs(struct source *out, struct manifest *m, const char *folder, bool black_box)
{
    static const int PATIENTS[LABEL_COUNT] = {3, 3, 3};
    struct split split = {.part = mem_new(9, sizeof *split.part), .count = 9};
    struct err err = ERR_INIT;

    must(make_discs(folder, PATIENTS, 0, &err), err);
    must(manifest_read(m, folder, &err), err);
    assert_int_equal(m->count, 9);
    for (size_t i = 0; i < 9; i++) {
        split.part[i] = i % 3 == 2 ? PART_VALIDATION : PART_TRAIN;
        if (!strcmp(m->item[i].id, "benign-0") || !strcmp(m->item[i].id, "malignant-0") ||
            !strcmp(m->item[i].id, "malignant-2"))
            *m->item[i].mask = '\0';
    }
    must(source_open_data(
             out,
             &(struct source_data){
                 .manifest = m, .split = &split, .prep = {.size = 32}, .channels = 1, .black_box = black_box},
             &err),
         err);
    split_release(&split);
}

static void lesions_without_a_mask_are_not_learnt_from(void **state)
{
    for (int black_box = 0; black_box < 2; black_box++) {
        struct source s = SOURCE_INIT;
        struct manifest m = MANIFEST_INIT;
        float input[32 * 32], truth[32 * 32];
        open_discs(&s, &m, in(*state, black_box ? "black-box" : "segment"), black_box);
        assert_int_equal(s.n_train, black_box ? 5 : 4);
        assert_int_equal(s.n_validation, 3); /* it is not learnt from, and has a label */
        for (size_t i = 0; i < s.n_train; i++) {
            const struct source_batch b = {.pass = SOURCE_PLAIN, .index = &i, .n = 1};
            bool marked = false;
            s.fill(s.self, &b, input, truth);
            for (int k = 0; k < 32 * 32; k++)
                marked = marked || truth[k] > 0;
            /* benign ones come first, then malignant-1, then normal ones */
            assert_int_equal(marked, black_box ? i == 2 : i < 2);
        }
        source_close(&s);
        manifest_release(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lesions_without_a_mask_are_not_learnt_from, make_folder,
                                        remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
