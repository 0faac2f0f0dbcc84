/* The same picture is known again, another one is not; and what becomes of splits. */
#include "data_help.h"

#include "base/rng.h"
#include "data/leak_picture.h"
#include "data/phantom.h"
#include "image/tone.h"
#include "image/warp.h"
#include "io/image_file.h"

#include <math.h>

/* A smooth random field of its own for every seed. */
static struct image field(int width, int height, uint64_t seed)
{
    struct rng r = rng_at(seed, RNG_TEST, 0, 0);
    struct image im = IMAGE_INIT;
    struct err err = ERR_INIT;
    double wave[6][4];

    must(image_new(&im, width, height, 1, IMAGE_U16, &err), err);
    for (int k = 0; k < 6; k++)
        for (int i = 0; i < 4; i++)
            wave[k][i] = rng_between(&r, i < 2 ? -20 : 0, i < 2 ? 20 : 6);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            double v = 0;
            for (int k = 0; k < 6; k++)
                v += wave[k][3] * sin(wave[k][0] * x / width + wave[k][1] * y / height + wave[k][2]);
            image_u16(&im)[y * width + x] = (uint16_t)(32000 + 800 * v);
        }
    return im;
}

static struct likeness known(const struct image *im)
{
    struct likeness l;

    likeness_make(&l, im);
    return l;
}

static void test_written_again(void **state)
{
    (void)state;
    struct err err = ERR_INIT;

    for (uint64_t seed = 0; seed < 20; seed++) {
        struct image im = field(173, 251, seed), other = field(173, 251, 1000 + seed), u8 = IMAGE_INIT,
                     again = IMAGE_INIT;
        struct buf jpeg = BUF_INIT;
        const struct likeness own = known(&im), else_ = known(&other);
        must(image_new(&u8, 120, 170, 1, IMAGE_U8, &err), err);
        for (int y = 0; y < 170; y++) /* smaller, 8 bits, another contrast */
            for (int x = 0; x < 120; x++)
                image_u8(&u8)[y * 120 + x] =
                    (uint8_t)(image_u16(&im)[y * 251 / 170 * 173 + x * 173 / 120] / 257 * 3 / 4 + 20);
        must(jpeg_encode(&jpeg, &u8, 40, &err) && image_decode(&again, jpeg.data, jpeg.len, &err), err);
        const struct likeness read = known(&again);
        assert_true(likeness_of(&own, &own) > .9999);
        assert_true(likeness_of(&own, &read) > LIKENESS_SAME);
        assert_true(fabs(likeness_of(&own, &else_)) < .8);
        buf_release(&jpeg);
        image_release(&im);
        image_release(&other);
        image_release(&u8);
        image_release(&again);
    }
}

static void test_without_detail(void **state)
{
    (void)state;
    struct image black = flat(40, 30, IMAGE_U16, 0), tiny = flat(1, 1, IMAGE_U8, 9), im = field(9, 5, 1);
    const struct likeness none = known(&black), one = known(&tiny), small = known(&im);

    assert_true(likeness_of(&none, &none) == 0);
    assert_true(likeness_of(&one, &one) == 0);
    assert_true(likeness_of(&small, &small) > .9999);
    image_release(&black);
    image_release(&tiny);
    image_release(&im);
}

/* Phantoms of different patients look alike and are not the same; nor are the two views of one breast. */
static void test_phantoms(void **state)
{
    (void)state;
    enum { CASES = 8 };
    struct phantom_options o = phantom_defaults();
    struct likeness l[2 * CASES];
    struct err err = ERR_INIT;

    o.height = 256;
    for (size_t i = 0; i < 2 * CASES; i++) {
        struct phantom_case c;
        struct phantom_picture p = PHANTOM_PICTURE_INIT;
        phantom_case_make(&c, &o, i / 2);
        must(phantom_render(&p, &o, &c, (enum phantom_projection)(i % 2), &err), err);
        l[i] = known(&p.grey);
        phantom_picture_release(&p);
        for (size_t k = 0; k < i; k++)
            assert_true(likeness_of(&l[i], &l[k]) < LIKENESS_SAME - .1);
    }
}

/* From files, and a second time from what the first look left; a file that is not there is like none. */
static void test_read_and_kept(void **state)
{
    enum { N = 3 };
    static const char *const NAME[N] = {"a.tif", "b.tif", "gone.tif"};
    struct data_item items[N];
    const struct manifest m = {.folder = (char *)*state, .item = items, .count = N};
    struct likeness *l = NULL, *again = NULL;
    struct leak_pair *pair;
    struct err err = ERR_INIT;

    for (int i = 0; i < N; i++) {
        struct image im = field(50, 60, 7);
        items[i] = (struct data_item){
            .id = (char *)NAME[i], .image = (char *)NAME[i], .image_sha256 = (char *)(i ? "b2" : "a1")};
        if (i < 2)
            must(tiff_write(in(*state, NAME[i]), &im, &err), err);
        image_release(&im);
    }
    items[2].image_sha256 = (char *)"c3";
    must(likeness_read(&l, &m, &err), err);
    assert_int_equal(remove(in(*state, "a.tif")), 0);
    must(likeness_read(&again, &m, &err), err); /* not read again */
    assert_memory_equal(l, again, N * sizeof *l);
    assert_true(l[2].length == 0);
    const bool first[N] = {true, false, false};
    const struct leak_side a = {&m, l, first}, b = {&m, l, NULL};
    assert_int_equal(leak_pairs(&pair, &a, &b), 2); /* itself and b */
    free(pair);
    free(again);
    items[0].image_sha256 = (char *)"another"; /* a new file by that name: read again, and gone */
    must(likeness_read(&again, &m, &err), err);
    assert_true(again[0].length == 0 && again[1].length > 0);
    free(l);
    free(again);
}

static void item(struct data_item *i, const char *id, const char *patient)
{
    *i = (struct data_item){.id = (char *)id, .patient = (char *)patient, .image_sha256 = (char *)""};
}

/* a1 and a2 are one patient; a2 and b1 one picture; b2 and c1 another; d is in the test part and like e. */
static void test_pairs_across_a_split(void **state)
{
    (void)state;
    enum { N = 7 };
    static const char *const ID[N] = {"a1", "a2", "b1", "b2", "c1", "d", "e"};
    static const char *const PATIENT[N] = {"a", "a", "b", "b", "c", "d", "e"};
    static const uint64_t PICTURE[N] = {1, 2, 2, 3, 3, 4, 4};
    enum data_part part[N] = {PART_TRAIN,      PART_TRAIN, PART_VALIDATION, PART_VALIDATION,
                              PART_VALIDATION, PART_TEST,  PART_VALIDATION};
    struct data_item items[N];
    struct likeness l[N];
    const struct manifest m = {.item = items, .count = N};
    struct split s = {part, N};
    struct leak_pair *pair;

    for (int i = 0; i < N; i++) {
        struct image im = field(64, 64, PICTURE[i]);
        item(&items[i], ID[i], PATIENT[i]);
        l[i] = known(&im);
        image_release(&im);
    }
    assert_int_equal(leak_split_pairs(&pair, &s, &m, l), 2); /* e = d, a2 = b1 */
    char *text = leak_pairs_text(pair, 2);
    assert_string_equal(text, "e = d, a2 = b1");
    free(text);
    free(pair);
    items[0].image_sha256 = items[6].image_sha256 = (char *)"abc"; /* the same file, whatever it looks like */
    assert_int_equal(leak_split_pairs(&pair, &s, &m, l), 3);
    free(pair);
}

/* A chain a2 = b1, b2 = c1, so a, b and c are one group; d tests, so that e, which looks like d, is alone. */
static void test_groups_keep_pictures_together(void **state)
{
    (void)state;
    enum { N = 8 };
    static const char *const ID[N] = {"c1", "b1", "b2", "a1", "a2", "d", "e", "f"};
    static const char *const PATIENT[N] = {"c", "b", "b", "a", "a", "d", "e", "f"};
    static const char *const GROUP[N] = {"a", "a", "a", "a", "a", "d", "e", "f"};
    static const uint64_t PICTURE[N] = {3, 2, 3, 1, 2, 4, 4, 5};
    struct data_item items[N];
    struct likeness l[N];
    const struct manifest m = {.item = items, .count = N};
    const char **name;
    struct err err = ERR_INIT;

    for (int i = 0; i < N; i++) {
        struct image im = field(64, 64, PICTURE[i]);
        item(&items[i], ID[i], PATIENT[i]);
        items[i].part = i == 5 ? PART_TEST : PART_TRAIN;
        l[i] = known(&im);
        image_release(&im);
    }
    assert_int_equal(leak_groups(&name, &m, l), 2);
    for (int i = 0; i < N; i++)
        assert_string_equal(name[i], GROUP[i]);
    for (uint64_t seed = 0; seed < 50; seed++) {
        struct split s = SPLIT_INIT;
        must(split_make(&s, &m, name, .4, seed, &err), err);
        for (int i = 1; i < 5; i++)
            assert_int_equal(s.part[i], s.part[0]);
        assert_int_equal(s.part[5], PART_TEST);
        split_release(&s);
    }
    free(name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written_again),
        cmocka_unit_test(test_without_detail),
        cmocka_unit_test(test_phantoms),
        cmocka_unit_test_setup_teardown(test_read_and_kept, make_folder, remove_folder),
        cmocka_unit_test(test_pairs_across_a_split),
        cmocka_unit_test(test_groups_keep_pictures_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
