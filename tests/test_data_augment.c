#include "data_help.h"

#include "data/augment.h"

#include <math.h>

enum { S = 64, PIXELS = S * S };

static void fill_noise(uint16_t *image, uint64_t seed)
{
    struct rng rng = rng_at(seed, RNG_TEST, 2, 0);

    for (int i = 0; i < PIXELS; i++)
        image[i] = (uint16_t)rng_u64(&rng);
}

static struct augment_draw drawn(const struct augment *a, uint64_t item)
{
    struct rng rng = rng_at(1, RNG_AUGMENT, 0, item);

    return augment_draw(a, S, &rng);
}

static void nothing_asked_is_identity(void **state)
{
    const struct augment none = {0};
    uint16_t in_image[PIXELS], out[PIXELS];

    (void)state;
    fill_noise(in_image, 1);
    struct augment_draw d = drawn(&none, 3);
    assert_true(d.identity);
    augment_image(out, in_image, S, &d, false);
    assert_memory_equal(out, in_image, sizeof out);
    d.identity = false; /* the long way gives the same pixels */
    augment_image(out, in_image, S, &d, false);
    assert_memory_equal(out, in_image, sizeof out);
}

static void flips_move_pixels_exactly(void **state)
{
    const struct augment both = {.flip_horizontal = true, .flip_vertical = true};
    uint16_t image[PIXELS], out[PIXELS];
    uint8_t mask[PIXELS], mask_out[PIXELS];
    int met[2][2] = {{0}};

    (void)state;
    fill_noise(image, 2);
    for (int i = 0; i < PIXELS; i++)
        mask[i] = image[i] & 1 ? 255 : 0;
    for (uint64_t item = 0; item < 40; item++) {
        struct augment_draw d = drawn(&both, item);
        int fx = d.to_source[0] < 0, fy = d.to_source[4] < 0;

        met[fy][fx]++;
        assert_int_equal(d.identity, !fx && !fy);
        augment_image(out, image, S, &d, item & 1);
        augment_mask(mask_out, mask, S, &d);
        for (int y = 0; y < S; y++) {
            for (int x = 0; x < S; x++) {
                int from = (fy ? S - 1 - y : y) * S + (fx ? S - 1 - x : x);
                assert_int_equal(out[y * S + x], image[from]);
                assert_int_equal(mask_out[y * S + x], mask[from]);
            }
        }
    }
    for (int i = 0; i < 4; i++)
        assert_true(met[i / 2][i % 2] >= 3);
}

/* Where things lie, as a mass and its centre. */
struct spot {
    double weight, x, y;
};

static struct spot spot_of_image(const uint16_t *v)
{
    struct spot s = {0};

    for (int i = 0; i < PIXELS; i++) {
        s.weight += v[i];
        s.x += (double)v[i] * (i % S);
        s.y += (double)v[i] * (i / S);
    }
    s.x /= s.weight;
    s.y /= s.weight;
    return s;
}

static void image_and_mask_move_together(void **state)
{
    const struct augment all = {.flip_horizontal = true,
                                .flip_vertical = true,
                                .shift_x = .1,
                                .shift_y = .1,
                                .rotate = 20,
                                .zoom = .15,
                                .fill_black = true};
    uint16_t image[PIXELS] = {0}, out[PIXELS], as_image[PIXELS];
    uint8_t mask[PIXELS] = {0}, mask_out[PIXELS];

    (void)state;
    for (int y = 20; y < 34; y++) {
        for (int x = 26; x < 44; x++) {
            image[y * S + x] = 60000;
            mask[y * S + x] = 255;
        }
    }
    for (uint64_t item = 0; item < 50; item++) {
        struct augment_draw d = drawn(&all, item);
        int both = 0, either = 0;

        assert_false(d.identity);
        augment_image(out, image, S, &d, true);
        augment_mask(mask_out, mask, S, &d);
        for (int i = 0; i < PIXELS; i++) {
            as_image[i] = mask_out[i];
            both += mask_out[i] && out[i] >= 30000;
            either += mask_out[i] || out[i] >= 30000;
        }
        struct spot a = spot_of_image(out), b = spot_of_image(as_image);
        assert_true(fabs(a.x - b.x) < .4 && fabs(a.y - b.y) < .4);
        assert_true(both > .95 * either);
        /* the same as the transform says: the centre of the source is where the matrix sends the result's */
        const double *m = d.to_source;
        assert_true(fabs(m[0] * a.x + m[1] * a.y + m[2] - 34.5) < .2);
        assert_true(fabs(m[3] * a.x + m[4] * a.y + m[5] - 26.5) < .2);
    }
}

/* What an option is called is what it does, and no more than it says. */
static void options_stay_in_their_ranges(void **state)
{
    double far_x = 0, far_y = 0, angle = 0, zoom = 0, gain = 0;

    (void)state;
    for (uint64_t item = 0; item < 500; item++) {
        struct augment_draw s = drawn(&(struct augment){.shift_x = .1, .shift_y = .2}, item);
        struct augment_draw r = drawn(&(struct augment){.rotate = 15}, item);
        struct augment_draw z = drawn(&(struct augment){.zoom = .3}, item);
        struct augment_draw b = drawn(&(struct augment){.brightness = .4}, item);

        assert_true(s.to_source[0] == 1 && s.to_source[1] == 0 && s.to_source[4] == 1);
        far_x = fmax(far_x, fabs(s.to_source[2]));
        far_y = fmax(far_y, fabs(s.to_source[5]));
        angle = fmax(angle, fabs(atan2(r.to_source[1], r.to_source[0])) * 180 / M_PI);
        /* a rotation keeps the centre */
        assert_true(fabs(r.to_source[0] * 31.5 + r.to_source[1] * 31.5 + r.to_source[2] - 31.5) < 1e-9);
        zoom = fmax(zoom, fmax(fabs(z.to_source[0] - 1), fabs(z.to_source[4] - 1)));
        assert_true(fabs(z.to_source[0] * 31.5 + z.to_source[2] - 31.5) < 1e-9);
        gain = fmax(gain, fabs(b.gain - 1));
    }
    assert_true(far_x <= 6.4 && far_x > 6.2);
    assert_true(far_y <= 12.8 && far_y > 12.4);
    assert_true(angle <= 15 && angle > 14.5);
    assert_true(zoom <= .3 && zoom > .29);
    assert_true(gain <= .4 && gain > .39);
}

static void outside_is_edge_or_black_and_never_mask(void **state)
{
    /* ten pixels further left in the source: the result's left ten columns lie outside */
    const struct augment_draw d = {.to_source = {1, 0, -10, 0, 1, 0}, .gain = 1};
    uint16_t image[PIXELS], out[PIXELS];
    uint8_t mask[PIXELS], mask_out[PIXELS];

    (void)state;
    fill_noise(image, 5);
    memset(mask, 255, sizeof mask);
    augment_mask(mask_out, mask, S, &d);
    augment_image(out, image, S, &d, false);
    for (int y = 0; y < S; y++) {
        for (int x = 0; x < S; x++) {
            assert_int_equal(out[y * S + x], image[y * S + (x < 10 ? 0 : x - 10)]);
            assert_int_equal(mask_out[y * S + x], x < 10 ? 0 : 255);
        }
    }
    augment_image(out, image, S, &d, true);
    for (int i = 0; i < PIXELS; i++)
        assert_int_equal(out[i], i % S < 10 ? 0 : image[i - 10]);
}

static void half_a_pixel_is_the_mean_of_two(void **state)
{
    const struct augment_draw d = {.to_source = {1, 0, .5, 0, 1, .25}, .gain = .5};
    uint16_t image[PIXELS], out[PIXELS];

    (void)state;
    fill_noise(image, 6);
    augment_image(out, image, S, &d, false);
    for (int y = 0; y < S - 1; y++) {
        for (int x = 0; x < S - 1; x++) {
            const uint16_t *p = image + y * S + x;
            double top = (p[0] + p[1]) / 2., bottom = (p[S] + p[S + 1]) / 2.;
            assert_true(fabs(out[y * S + x] - .5 * (.75 * top + .25 * bottom)) < .6);
        }
    }
}

static void brightness_stops_at_white(void **state)
{
    const struct augment_draw d = {.to_source = {1, 0, 0, 0, 1, 0}, .gain = 1.5};
    uint16_t image[PIXELS], out[PIXELS];

    (void)state;
    fill_noise(image, 7);
    image[0] = 43690; /* 1.5 times it is white exactly */
    image[1] = 43691;
    image[2] = 10;
    augment_image(out, image, S, &d, false);
    assert_int_equal(out[0], 65535);
    assert_int_equal(out[1], 65535);
    assert_int_equal(out[2], 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_asked_is_identity),
        cmocka_unit_test(flips_move_pixels_exactly),
        cmocka_unit_test(image_and_mask_move_together),
        cmocka_unit_test(options_stay_in_their_ranges),
        cmocka_unit_test(outside_is_edge_or_black_and_never_mask),
        cmocka_unit_test(half_a_pixel_is_the_mean_of_two),
        cmocka_unit_test(brightness_stops_at_white),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
