#include "data_help.h"

#include "data/dataset.h"
#include "data/loader.h"
#include "io/image_file.h"

enum { CASES = 5, SIDE = 32, PIXELS = SIDE * SIDE };

/* A data set of noise with a mask in all but the last case. */
static void make_data(const char *folder, struct manifest *m)
{
    const struct dataset_options o = {.command = "test", .margin = .1};
    struct err err = ERR_INIT;
    struct dataset *d = dataset_begin(folder, &o, &err);

    assert_non_null(d);
    for (int i = 0; i < CASES; i++) {
        struct image im = flat(60 + i, 80, IMAGE_U16, 0), mask = flat(60 + i, 80, IMAGE_U8, 0);
        char id[16];

        for (size_t k = 0; k < image_pixels(&im); k++)
            image_u16(&im)[k] = (uint16_t)((k + (size_t)i) * 40503u);
        paint(&mask, (struct image_box){10, 20, 30, 50}, 255);
        snprintf(id, sizeof id, "c%d", i);
        must(dataset_add(
                 d,
                 &(struct dataset_case){
                     .id = id, .grey = &im, .mask = i < CASES - 1 ? &mask : NULL, .label = LABEL_MALIGNANT},
                 &err),
             err);
        image_release(&im);
        image_release(&mask);
    }
    must(dataset_finish(d, &err), err);
    dataset_close(d);
    must(manifest_read(m, folder, &err), err);
}

static void batches_are_what_prep_and_augment_give(void **state)
{
    static const size_t ITEM[] = {4, 2, 0, 1}, INDEX[] = {3, 0, 1, 1};
    const struct prep p = {SIDE, PREP_PAD, false, PREP_CENTRED};
    const struct augment how = {.flip_horizontal = true, .shift_x = .2, .rotate = 10, .brightness = .2};
    struct manifest m = MANIFEST_INIT;
    struct loader l = LOADER_INIT;
    struct err err = ERR_INIT;
    float *input = mem_new(4 * 3 * PIXELS, sizeof *input), *truth = mem_new(4 * PIXELS, sizeof *truth);

    make_data(in(*state, "data"), &m);
    must(loader_open(&l, &m, &p, ITEM, 4, NULL, &err), err);
    assert_int_equal(l.count, 4);
    for (int turn = 0; turn < 2; turn++) {
        const struct loader_batch b = {INDEX, 4, 3, turn ? &how : NULL, 9, 2};

        loader_fill(&l, &b, input, truth);
        for (size_t i = 0; i < 4; i++) {
            const struct data_item *item = &m.item[ITEM[INDEX[i]]];
            struct image im = IMAGE_INIT, mask = IMAGE_INIT;
            struct prep_plan plan;
            uint16_t square[PIXELS], moved[PIXELS];
            uint8_t square_mask[PIXELS] = {0}, moved_mask[PIXELS];
            float expected[3 * PIXELS];
            struct rng rng = rng_at(9, RNG_AUGMENT, 2, ITEM[INDEX[i]]);
            struct augment_draw d = augment_draw(turn ? &how : &(struct augment){0}, SIDE, &rng);

            must(image_read(&im, in(m.folder, item->image), &err), err);
            prep_plan_make(&plan, &p, &im);
            must(prep_image(square, &plan, &im, &err), err);
            if (*item->mask) {
                must(image_read(&mask, in(m.folder, item->mask), &err), err);
                must(prep_mask(square_mask, &plan, &mask, &err), err);
            }
            augment_image(moved, square, SIDE, &d, false);
            augment_mask(moved_mask, square_mask, SIDE, &d);
            prep_network_input(expected, 3, moved, &l.prep);
            assert_memory_equal(input + i * 3 * PIXELS, expected, sizeof expected);
            for (int k = 0; k < PIXELS; k++)
                assert_true(truth[i * PIXELS + (size_t)k] == (moved_mask[k] ? 1.f : 0.f));
            image_release(&im);
            image_release(&mask);
        }
    }
    loader_close(&l);
    manifest_release(&m);
    free(input);
    free(truth);
}

static void a_case_that_cannot_be_read_is_named(void **state)
{
    static const size_t ITEM[] = {0, 1, 2, 3, 4};
    const struct prep p = {SIDE, PREP_STRETCH, false, PREP_CENTRED};
    struct manifest m = MANIFEST_INIT;
    struct loader l = LOADER_INIT;
    struct err err = ERR_INIT;
    struct image small = flat(10, 10, IMAGE_U8, 255);

    make_data(in(*state, "data"), &m);
    must(tiff_write(in(m.folder, "roi/c3.tif"), &small, &err), err);
    assert_false(loader_open(&l, &m, &p, ITEM, CASES, NULL, &err));
    assert_contains(err.text, "roi/c3.tif: the mask is 10 x 10, its image 63 x 80");
    unlink(in(m.folder, "full/c2.tif"));
    assert_false(loader_open(&l, &m, &p, ITEM, CASES, NULL, &err));
    assert_contains(err.text, "full/c2.tif");
    assert_null(l.image);
    assert_false(
        loader_open(&l, &m, &(struct prep){100, PREP_PAD, false, PREP_CENTRED}, ITEM, CASES, NULL, &err));
    assert_contains(err.text, "size 100");
    image_release(&small);
    manifest_release(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(batches_are_what_prep_and_augment_give, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(a_case_that_cannot_be_read_is_named, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
