/* rng.h: published numbers, distributions, independence of the order of calls. */
#include "base/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* First outputs of xoshiro256** from the state 1, 2, 3, 4. */
static void matches_the_published_generator(void **state)
{
    (void)state;
    struct rng r = {{1, 2, 3, 4}};

    assert_true(rng_u64(&r) == UINT64_C(11520));
    assert_true(rng_u64(&r) == UINT64_C(0));
    assert_true(rng_u64(&r) == UINT64_C(1509978240));
    assert_true(rng_u64(&r) == UINT64_C(1215971899390074240));
}

static void place_decides_not_order(void **state)
{
    (void)state;
    uint64_t forward[8], backward[8];

    for (int i = 0; i < 8; i++) {
        struct rng r = rng_at(42, RNG_AUGMENT, 3, (uint64_t)i);
        for (int k = 0; k < i; k++)
            rng_u64(&r);
        forward[i] = rng_u64(&r);
    }
    for (int i = 7; i >= 0; i--) {
        struct rng r = rng_at(42, RNG_AUGMENT, 3, (uint64_t)i);
        for (int k = 0; k < i; k++)
            rng_u64(&r);
        backward[i] = rng_u64(&r);
    }
    assert_memory_equal(forward, backward, sizeof forward);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Every one of the four arguments matters, also where they are swapped. */
static void no_two_places_share_numbers(void **state)
{
    (void)state;
    enum { SIDE = 8 };
    uint64_t first[SIDE * SIDE * SIDE * SIDE];
    int n = 0;

    for (uint64_t seed = 0; seed < SIDE; seed++)
        for (int stream = 1; stream <= SIDE; stream++)
            for (uint64_t a = 0; a < SIDE; a++)
                for (uint64_t b = 0; b < SIDE; b++) {
                    struct rng r = rng_at(seed, (enum rng_stream)stream, a, b);
                    first[n++] = rng_u64(&r);
                }
    qsort(first, (size_t)n, sizeof *first, compare);
    for (int i = 1; i < n; i++)
        assert_true(first[i] != first[i - 1]);
}

/* Chi-square over 100 cells: mean 99, deviation 14; 160 is more than four deviations away. Numbers of one
 * generator, and first numbers of neighbouring ones. */
static void uniform_is_uniform(void **state)
{
    (void)state;
    enum { CELLS = 100, DRAWS = 100000 };

    for (int across = 0; across < 2; across++) {
        int count[CELLS] = {0};
        double chi = 0;
        struct rng r = rng_at(1, RNG_TEST, 0, 0);
        for (int i = 0; i < DRAWS; i++) {
            if (across)
                r = rng_at(1, RNG_TEST, 0, (uint64_t)i);
            double u = rng_uniform(&r);
            assert_true(u >= 0 && u < 1);
            count[(int)(u * CELLS)]++;
        }
        for (int i = 0; i < CELLS; i++)
            chi += pow(count[i] - DRAWS / CELLS, 2) / (DRAWS / CELLS);
        assert_true(chi > 50 && chi < 160);
    }
}

static void integers_reach_both_ends_evenly(void **state)
{
    (void)state;
    struct rng r = rng_at(2, RNG_TEST, 0, 0);
    int count[7] = {0};

    for (int i = 0; i < 70000; i++) {
        int v = rng_int(&r, -3, 3);
        assert_in_range(v + 3, 0, 6);
        count[v + 3]++;
    }
    for (int i = 0; i < 7; i++)
        assert_in_range(count[i], 9600, 10400);
    assert_int_equal(rng_int(&r, 5, 5), 5);
    int below = 0;
    for (int i = 0; i < 1000; i++)
        below += rng_int(&r, INT32_MIN, INT32_MAX) < 0;
    assert_in_range(below, 400, 600);
}

static void between_and_normal_have_their_moments(void **state)
{
    (void)state;
    enum { DRAWS = 100000 };
    struct rng r = rng_at(3, RNG_TEST, 0, 0);
    double sum = 0, square = 0, fourth = 0, flat = 0;

    for (int i = 0; i < DRAWS; i++) {
        double v = rng_between(&r, -2, 6), z = rng_normal(&r);
        assert_true(v >= -2 && v < 6);
        assert_true(isfinite(z));
        flat += v;
        sum += z;
        square += z * z;
        fourth += z * z * z * z;
    }
    assert_true(fabs(flat / DRAWS - 2) < 0.03);
    assert_true(fabs(sum / DRAWS) < 0.013);
    assert_true(fabs(square / DRAWS - 1) < 0.02);
    assert_true(fabs(fourth / DRAWS - 3) < 0.15);
    double tight = nextafter(1.0, 2.0);
    for (int i = 0; i < 100; i++)
        assert_true(rng_between(&r, 1, tight) < tight);
}

static void permutations_are_permutations_and_all_alike(void **state)
{
    (void)state;
    size_t order[1000];
    char seen[1000] = {0};
    int count[6] = {0};
    struct rng r = rng_at(4, RNG_SHUFFLE, 0, 0);

    rng_permutation(&r, order, 0);
    rng_permutation(&r, order, 1000);
    int moved = 0;
    for (size_t i = 0; i < 1000; i++) {
        assert_true(order[i] < 1000 && !seen[order[i]]);
        seen[order[i]] = 1;
        moved += order[i] != i;
    }
    assert_true(moved > 980);
    for (int i = 0; i < 60000; i++) {
        rng_permutation(&r, order, 3);
        count[2 * order[0] + (order[1] > order[2])]++;
    }
    for (int i = 0; i < 6; i++)
        assert_in_range(count[i], 9600, 10400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matches_the_published_generator),
        cmocka_unit_test(place_decides_not_order),
        cmocka_unit_test(no_two_places_share_numbers),
        cmocka_unit_test(uniform_is_uniform),
        cmocka_unit_test(integers_reach_both_ends_evenly),
        cmocka_unit_test(between_and_normal_have_their_moments),
        cmocka_unit_test(permutations_are_permutations_and_all_alike),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
