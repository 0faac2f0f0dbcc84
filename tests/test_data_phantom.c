/* phantom.h: the pictures, judged by their pixels. */
#include "data/phantom.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { CASES = 16, ROWS = 320 };

/* Sixteen patients in both views, made once. */
struct shown {
    struct phantom_case about;
    struct phantom_picture picture;
};
static struct shown all[CASES * PHANTOM_PROJECTIONS];

static struct phantom_options small(void)
{
    struct phantom_options o = phantom_defaults();
    o.cases = CASES;
    o.seed = 11;
    o.height = ROWS;
    return o;
}

static void render(struct phantom_picture *p, const struct phantom_options *o, size_t index, int view)
{
    struct phantom_case c;
    struct err e = ERR_INIT;

    phantom_case_make(&c, o, index);
    if (!phantom_render(p, o, &c, (enum phantom_projection)view, &e))
        fail_msg("%s", e.text);
}

static int make_all(void **state)
{
    (void)state;
    struct phantom_options o = small();

    for (int i = 0; i < CASES * PHANTOM_PROJECTIONS; i++) {
        phantom_case_make(&all[i].about, &o, (size_t)i / 2);
        render(&all[i].picture, &o, (size_t)i / 2, i % 2);
    }
    return 0;
}

static int release_all(void **state)
{
    (void)state;
    for (int i = 0; i < CASES * PHANTOM_PROJECTIONS; i++)
        phantom_picture_release(&all[i].picture);
    return 0;
}

static bool same(const struct phantom_picture *a, const struct phantom_picture *b)
{
    return image_bytes(&a->grey) == image_bytes(&b->grey) &&
           !memcmp(a->grey.data, b->grey.data, image_bytes(&a->grey)) &&
           !memcmp(a->mask.data, b->mask.data, image_bytes(&a->mask));
}

static void a_picture_depends_on_seed_patient_and_view_alone(void **state)
{
    (void)state;
    struct phantom_options o = small();
    struct phantom_picture p = PHANTOM_PICTURE_INIT;

    o.cases = 3;
    render(&p, &o, 2, PHANTOM_MLO);
    assert_true(same(&p, &all[5].picture));
    assert_false(same(&p, &all[4].picture));
    assert_false(same(&p, &all[3].picture));
    o.seed++;
    render(&p, &o, 2, PHANTOM_MLO);
    assert_false(same(&p, &all[5].picture));
    phantom_picture_release(&p);
}

static void sizes_and_types_are_as_asked(void **state)
{
    (void)state;
    for (int i = 0; i < CASES * 2; i++) {
        const struct phantom_picture *p = &all[i].picture;
        assert_int_equal(p->grey.height, ROWS);
        assert_int_equal(p->grey.width, ROWS * 5 / 8);
        assert_int_equal(p->grey.type, IMAGE_U16);
        assert_int_equal(p->mask.type, IMAGE_U8);
        assert_int_equal(p->mask.width, p->grey.width);
        assert_int_equal(p->mask.height, p->grey.height);
    }
}

static size_t mask_pixels(const struct image *mask)
{
    size_t n = 0;
    for (size_t i = 0; i < image_pixels(mask); i++) {
        assert_true(image_u8(mask)[i] == 0 || image_u8(mask)[i] == 255);
        n += image_u8(mask)[i] != 0;
    }
    return n;
}

static void masses_have_true_sizes(void **state)
{
    (void)state;
    for (int i = 0; i < CASES * 2; i++) {
        const struct image *mask = &all[i].picture.mask;
        double share = (double)mask_pixels(mask) / (double)image_pixels(mask);
        assert_true(share >= 0.002 && share <= 0.025);
    }
    for (int i = 0; i < CASES; i++) {
        double cc = (double)mask_pixels(&all[2 * i].picture.mask);
        double mlo = (double)mask_pixels(&all[2 * i + 1].picture.mask);
        assert_true(cc / mlo > 0.7 && cc / mlo < 1.43);
    }
}

/* The unexposed film is darker than a tenth; breast a little below the skin is brighter. */
static void masses_lie_inside_the_breast(void **state)
{
    (void)state;
    for (int i = 0; i < CASES * 2; i++) {
        const struct phantom_picture *p = &all[i].picture;
        const uint16_t *grey = image_u16(&p->grey);
        size_t dark = 0;
        for (size_t k = 0; k < image_pixels(&p->grey); k++) {
            dark += grey[k] < 6554;
            if (image_u8(&p->mask)[k])
                assert_true(grey[k] > 6554);
        }
        assert_true(dark > image_pixels(&p->grey) / 8);
    }
}

struct centre {
    double x, y, radius;
};

static struct centre centre_of(const struct image *mask)
{
    double x = 0, y = 0, n = 0;

    for (int row = 0; row < mask->height; row++)
        for (int column = 0; column < mask->width; column++)
            if (image_u8(mask)[row * mask->width + column]) {
                x += column;
                y += row;
                n++;
            }
    return (struct centre){x / n, y / n, sqrt(n / M_PI)};
}

/* Mean grey of the mask less the mean of what lies around it, up to twice the radius, as shares of white. */
static double contrast_of(const struct phantom_picture *p)
{
    struct centre c = centre_of(&p->mask);
    double sum[2] = {0}, n[2] = {0};

    for (int y = 0; y < p->grey.height; y++)
        for (int x = 0; x < p->grey.width; x++) {
            int at = y * p->grey.width + x, outside = !image_u8(&p->mask)[at];
            double away = hypot(x - c.x, y - c.y) / c.radius, grey = image_u16(&p->grey)[at] / 65535.0;
            if (away > 2 || (outside && away < 1.2) || grey < 0.1)
                continue;
            sum[outside] += grey;
            n[outside]++;
        }
    return sum[0] / n[0] - sum[1] / n[1];
}

static void most_masses_stand_out(void **state)
{
    (void)state;
    int visible = 0;
    double obvious = 0, subtle = 0, n_obvious = 0, n_subtle = 0;

    for (int i = 0; i < CASES * 2; i++) {
        double contrast = contrast_of(&all[i].picture);
        bool easy = all[i].about.subtlety == 5;
        visible += contrast > 0.04;
        *(easy ? &obvious : &subtle) += contrast;
        *(easy ? &n_obvious : &n_subtle) += 1;
    }
    assert_true(visible >= CASES * 2 * 8 / 10);
    assert_true(n_obvious > 0 && n_subtle > 0);
    assert_true(obvious / n_obvious > subtle / n_subtle + 0.02);
}

/* Share of its convex hull that the mask fills: a pixel is in the hull when it is beyond the mask in no
 * direction. */
static double solidity(const struct image *mask)
{
    enum { DIRECTIONS = 48 };
    double reach[DIRECTIONS], hull = 0;
    const uint8_t *m = image_u8(mask);

    for (int d = 0; d < DIRECTIONS; d++) {
        double c = cos(2 * M_PI * d / DIRECTIONS), s = sin(2 * M_PI * d / DIRECTIONS);
        reach[d] = -1e9;
        for (int i = 0; i < mask->width * mask->height; i++)
            if (m[i])
                reach[d] = fmax(reach[d], c * (i % mask->width) + s * (i / mask->width));
    }
    for (int i = 0; i < mask->width * mask->height; i++) {
        bool inside = true;
        for (int d = 0; d < DIRECTIONS && inside; d++)
            inside = cos(2 * M_PI * d / DIRECTIONS) * (i % mask->width) +
                         sin(2 * M_PI * d / DIRECTIONS) * (i / mask->width) <=
                     reach[d] + 1e-6;
        hull += inside;
    }
    return (double)mask_pixels(mask) / hull;
}

static void malignant_masses_are_more_ragged(void **state)
{
    (void)state;
    double sum[LABEL_COUNT] = {0}, n[LABEL_COUNT] = {0};

    for (int i = 0; i < CASES * 2; i++) {
        sum[all[i].about.label] += solidity(&all[i].picture.mask);
        n[all[i].about.label]++;
    }
    double benign = sum[LABEL_BENIGN] / n[LABEL_BENIGN],
           malignant = sum[LABEL_MALIGNANT] / n[LABEL_MALIGNANT];
    if (!(benign > 0.97 && malignant < benign - 0.01))
        fail_msg("share of the hull: benign %.3f, malignant %.3f", benign, malignant);
}

/* Whether some pixel within reach (in steps along sides) is on the other side of the mask's edge. */
static bool near_edge(const struct image *mask, int x, int y, int reach)
{
    uint8_t here = image_u8(mask)[y * mask->width + x];

    for (int dy = -reach; dy <= reach; dy++)
        for (int dx = -reach; dx <= reach; dx++)
            if (y + dy >= 0 && y + dy < mask->height && x + dx >= 0 && x + dx < mask->width &&
                image_u8(mask)[(y + dy) * mask->width + x + dx] != here)
                return true;
    return false;
}

/* How much grey falls within two pixels of the outline, as a share of the mass's contrast. */
static double sharpness(const struct phantom_picture *p)
{
    double sum[2] = {0}, n[2] = {0};

    for (int y = 0; y < p->mask.height; y++)
        for (int x = 0; x < p->mask.width; x++) {
            int at = y * p->mask.width + x, outside = !image_u8(&p->mask)[at];
            if (!near_edge(&p->mask, x, y, 2))
                continue;
            sum[outside] += image_u16(&p->grey)[at] / 65535.0;
            n[outside]++;
        }
    return (sum[0] / n[0] - sum[1] / n[1]) / fmax(contrast_of(p), 0.02);
}

static void benign_masses_have_sharper_edges(void **state)
{
    (void)state;
    double sum[LABEL_COUNT] = {0}, n[LABEL_COUNT] = {0};

    for (int i = 0; i < CASES * 2; i++) {
        if (all[i].about.subtlety < 4)
            continue;
        sum[all[i].about.label] += sharpness(&all[i].picture);
        n[all[i].about.label]++;
    }
    double benign = sum[LABEL_BENIGN] / n[LABEL_BENIGN],
           malignant = sum[LABEL_MALIGNANT] / n[LABEL_MALIGNANT];
    if (!(benign > malignant + 0.1))
        fail_msg("fall at the edge: benign %.2f, malignant %.2f", benign, malignant);
}

/* The brightest pixel near the outline of the core over the brightest in its middle. */
static double crown_of(const struct phantom_picture *p)
{
    double brightest[2] = {0};

    for (int y = 0; y < p->mask.height; y++)
        for (int x = 0; x < p->mask.width; x++) {
            const int at = y * p->mask.width + x, middle = !near_edge(&p->mask, x, y, 5);
            if (image_u8(&p->mask)[at])
                brightest[middle] = fmax(brightest[middle], image_u16(&p->grey)[at]);
        }
    return brightest[0] / brightest[1];
}

/* Spicules fade into the core: where their roots lie on top of it, they shine like a crown. */
static void spiculated_masses_wear_no_crown(void **state)
{
    (void)state;
    double sum = 0;
    int n = 0;

    for (int i = 0; i < CASES * 2; i++) {
        if (all[i].about.mass[0].kind != PHANTOM_SPICULATED || all[i].about.subtlety < 4)
            continue;
        sum += crown_of(&all[i].picture);
        n++;
    }
    assert_true(n >= 4);
    if (!(sum / n < 1.03))
        fail_msg("the rim's brightest over the middle's: %.3f in %d pictures", sum / n, n);
}

static double column_mean(const struct image *grey, int from, int to)
{
    double sum = 0;
    for (int y = 0; y < grey->height; y++)
        for (int x = from; x < to; x++)
            sum += image_u16(grey)[y * grey->width + x];
    return sum / grey->height / (to - from);
}

/* A right breast hangs with its chest wall at the right, a left one at the left; the label lies opposite. */
static void sides_hang_as_they_should(void **state)
{
    (void)state;
    int w = ROWS * 5 / 8, left = 0, right = 0;

    for (int i = 0; i < CASES * 2; i++) {
        const struct image *grey = &all[i].picture.grey;
        double at_left = column_mean(grey, w / 10, w / 4),
               at_right = column_mean(grey, w - w / 4, w - w / 10);
        assert_true(all[i].about.right ? at_right > at_left : at_left > at_right);
        *(all[i].about.right ? &right : &left) += 1;
        int brightest = 0;
        for (int y = ROWS / 40; y < ROWS / 5; y++)
            for (int x = w / 24; x < w / 6; x++) {
                int v = image_u16(grey)[y * w + (all[i].about.right ? x : w - 1 - x)];
                brightest = v > brightest ? v : brightest;
            }
        assert_true(brightest > 0.35 * 65535);
    }
    assert_true(left > 0 && right > 0);
}

static void sixteen_bits_are_used(void **state)
{
    (void)state;
    const struct image *grey = &all[0].picture.grey;
    static bool seen[65536];
    int low = 65535, high = 0, distinct = 0, odd = 0;

    memset(seen, 0, sizeof seen);
    for (size_t i = 0; i < image_pixels(grey); i++) {
        int v = image_u16(grey)[i];
        low = v < low ? v : low;
        high = v > high ? v : high;
        distinct += !seen[v];
        odd += v % 257 != 0;
        seen[v] = true;
    }
    assert_true(low < 3000 && high > 32768);
    assert_true(distinct > 8000);
    assert_true(odd > (int)image_pixels(grey) / 2);
}

static void a_normal_case_has_no_mask(void **state)
{
    (void)state;
    struct phantom_options o = small();
    struct phantom_picture p = PHANTOM_PICTURE_INIT;
    struct phantom_case c;

    o.normal_share = 1;
    phantom_case_make(&c, &o, 1);
    assert_int_equal(c.label, LABEL_NORMAL);
    assert_int_equal(c.subtlety, 0);
    render(&p, &o, 1, PHANTOM_CC);
    assert_int_equal(mask_pixels(&p.mask), 0);
    assert_false(same(&p, &all[2].picture));
    phantom_picture_release(&p);
}

static void labels_keep_the_mix_asked_for(void **state)
{
    (void)state;
    static const double NORMAL[] = {0, 0.25, 0.4}, MALIGNANT[] = {0.5, 0.2, 1};
    struct phantom_options o = small();

    for (int k = 0; k < 3; k++) {
        size_t n[LABEL_COUNT] = {0};
        o.normal_share = NORMAL[k];
        o.malignant_share = MALIGNANT[k];
        for (size_t i = 0; i < 200; i++) {
            struct phantom_case c;
            phantom_case_make(&c, &o, i);
            n[c.label]++;
            assert_true(c.density >= 1 && c.density <= 4);
            if (c.label != LABEL_NORMAL)
                assert_true(c.subtlety >= 1 && c.subtlety <= 5);
            assert_true(c.label == LABEL_MALIGNANT ? c.assessment >= 4 : c.assessment <= 4);
        }
        assert_true(fabs((double)n[LABEL_NORMAL] - 200 * NORMAL[k]) <= 1);
        assert_true(fabs((double)n[LABEL_MALIGNANT] - 200 * (1 - NORMAL[k]) * MALIGNANT[k]) <= 2);
    }
}

/* Dense breasts show more bright tissue: same patients, other densities. */
static void density_brightens(void **state)
{
    (void)state;
    struct phantom_options o = small();
    struct phantom_picture p = PHANTOM_PICTURE_INIT;
    struct err e = ERR_INIT;
    double mean[5] = {0};

    for (int density = 1; density <= 4; density += 3) {
        struct phantom_case c = all[0].about;
        c.density = density;
        assert_true(phantom_render(&p, &o, &c, PHANTOM_CC, &e));
        mean[density] = column_mean(&p.grey, 0, p.grey.width);
    }
    assert_true(mean[4] > mean[1] * 1.1);
    phantom_picture_release(&p);
}

/* The first mass is drawn as it would be alone, and a second one keeps away from it. */
static void a_second_mass_lies_beside_the_first(void **state)
{
    (void)state;
    struct phantom_options one = small(), two = small();
    struct phantom_picture p = PHANTOM_PICTURE_INIT;
    struct err e = ERR_INIT;
    size_t apart = 0;

    two.several_share = 1;
    for (size_t i = 0; i < CASES; i++) {
        struct phantom_case a, b;
        size_t pixels[4] = {0}, alone = 0;
        phantom_case_make(&a, &one, i);
        phantom_case_make(&b, &two, i);
        assert_int_equal(a.masses, 1);
        assert_int_equal(b.masses, 2);
        assert_memory_equal(&a.mass[0], &b.mass[0], sizeof a.mass[0]);
        assert_true(b.label == LABEL_MALIGNANT || b.mass[1].label == LABEL_BENIGN);
        assert_true(phantom_render(&p, &two, &b, PHANTOM_CC, &e));
        for (size_t k = 0; k < image_pixels(&p.core); k++) {
            alone += (image_u8(&p.core)[k] & 1) && image_u8(&all[2 * i].picture.mask)[k];
            pixels[image_u8(&p.core)[k]]++;
        }
        assert_int_equal(alone, mask_pixels(&all[2 * i].picture.mask));
        assert_int_equal(alone, pixels[1] + pixels[3]);
        assert_true(pixels[2] > 20);
        assert_int_equal(mask_pixels(&p.mask), pixels[1] + pixels[2] + pixels[3]);
        apart += pixels[3] == 0;
    }
    assert_true(apart >= CASES - 1); /* a small breast may have no room for two */
    phantom_picture_release(&p);
}

static void test_parts_have_the_mix_of_labels(void **state)
{
    (void)state;
    struct phantom_options o = small();
    size_t test[LABEL_COUNT] = {0};

    o.cases = 200;
    o.normal_share = 0.2;
    o.test_share = 0.25;
    for (size_t i = 0; i < o.cases; i++) {
        struct phantom_case c;
        phantom_case_make(&c, &o, i);
        assert_true(c.part == PART_TEST || c.part == PART_TRAIN);
        test[c.label] += c.part == PART_TEST;
    }
    assert_in_range(test[LABEL_NORMAL], 9, 11);
    assert_in_range(test[LABEL_BENIGN], 19, 21);
    assert_in_range(test[LABEL_MALIGNANT], 19, 21);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_picture_depends_on_seed_patient_and_view_alone),
        cmocka_unit_test(sizes_and_types_are_as_asked),
        cmocka_unit_test(masses_have_true_sizes),
        cmocka_unit_test(masses_lie_inside_the_breast),
        cmocka_unit_test(most_masses_stand_out),
        cmocka_unit_test(malignant_masses_are_more_ragged),
        cmocka_unit_test(benign_masses_have_sharper_edges),
        cmocka_unit_test(spiculated_masses_wear_no_crown),
        cmocka_unit_test(sides_hang_as_they_should),
        cmocka_unit_test(sixteen_bits_are_used),
        cmocka_unit_test(a_normal_case_has_no_mask),
        cmocka_unit_test(labels_keep_the_mix_asked_for),
        cmocka_unit_test(density_brightens),
        cmocka_unit_test(a_second_mass_lies_beside_the_first),
        cmocka_unit_test(test_parts_have_the_mix_of_labels),
    };
    return cmocka_run_group_tests(tests, make_all, release_all);
}
