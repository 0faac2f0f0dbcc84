/* The buffer planner: never an overlap, small cases optimal, random cases near the bound. */
#include "nn/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { RANDOM_CASES = 300, MOST_BUFFERS = 60 };

static uint32_t draw(uint32_t *state, uint32_t below)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) % below;
}

static bool clash(const struct nn_buffer *a, const struct nn_buffer *b)
{
    bool same_time = !(a->last_use < b->first_use || b->last_use < a->first_use);
    bool same_place = a->offset < b->offset + b->size_bytes && b->offset < a->offset + a->size_bytes;
    return same_time && same_place && a->size_bytes && b->size_bytes;
}

static void assert_sound(const struct nn_buffer *b, size_t n, size_t total)
{
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(b[i].offset % NN_PLAN_ALIGN, 0);
        assert_true(b[i].offset + b[i].size_bytes <= total);
        for (size_t k = 0; k < i; k++)
            assert_false(clash(&b[i], &b[k]));
    }
}

static void test_random_never_overlaps(void **state)
{
    (void)state;
    uint32_t r = 7;
    double waste = 0;
    for (int c = 0; c < RANDOM_CASES; c++) {
        struct nn_buffer b[MOST_BUFFERS];
        size_t n = 1 + draw(&r, MOST_BUFFERS);
        for (size_t i = 0; i < n; i++) {
            int first = (int)draw(&r, 40);
            b[i] = (struct nn_buffer){draw(&r, 5000), first, first + (int)draw(&r, 12), SIZE_MAX};
        }
        size_t total = nn_plan(b, n), bound = nn_plan_bound(b, n);
        assert_sound(b, n, total);
        assert_true(total >= bound);
        waste += bound ? (double)total / (double)bound - 1 : 0;
    }
    assert_true(waste / RANDOM_CASES < 0.10);
}

static void test_chain_uses_two_places(void **state)
{
    (void)state;
    struct nn_buffer b[8];
    for (int i = 0; i < 8; i++)
        b[i] = (struct nn_buffer){1000, i, i + 1, 0};
    assert_int_equal(nn_plan(b, 8), 2 * 1024);
    assert_sound(b, 8, 2 * 1024);
}

/* A long-lived buffer, two short ones that share, and one that fits the smaller of two gaps. */
static void test_small_case_is_optimal(void **state)
{
    (void)state;
    struct nn_buffer b[] = {{640, 0, 9, 0}, {320, 0, 3, 0}, {320, 4, 9, 0}, {128, 2, 5, 0}, {64, 0, 1, 0}};
    size_t total = nn_plan(b, 5);
    assert_int_equal(nn_plan_bound(b, 5), 640 + 320 + 128);
    assert_int_equal(total, 640 + 320 + 128);
    assert_int_equal(b[1].offset, b[2].offset);
    assert_sound(b, 5, total);
}

/* Lives that only touch (one ends at the step where the other begins) do meet. */
static void test_touching_lives_are_apart(void **state)
{
    (void)state;
    struct nn_buffer touching[] = {{64, 0, 3, 0}, {64, 3, 5, 0}}, apart[] = {{64, 0, 2, 0}, {64, 3, 5, 0}};
    assert_int_equal(nn_plan(touching, 2), 128);
    assert_int_equal(nn_plan(apart, 2), 64);
}

static void test_nothing_and_empty_buffers(void **state)
{
    (void)state;
    struct nn_buffer b[] = {{0, 0, 9, 0}, {1, 0, 9, 0}};
    assert_int_equal(nn_plan(NULL, 0), 0);
    assert_int_equal(nn_plan(b, 2), NN_PLAN_ALIGN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_never_overlaps),     cmocka_unit_test(test_chain_uses_two_places),
        cmocka_unit_test(test_small_case_is_optimal),     cmocka_unit_test(test_touching_lives_are_apart),
        cmocka_unit_test(test_nothing_and_empty_buffers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
