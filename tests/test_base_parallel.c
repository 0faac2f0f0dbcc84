#include "data_help.h"

#include "base/parallel.h"

enum { N = 1000 };

static bool count_item(void *hits, size_t i, struct err *err)
{
    (void)err;
    __atomic_add_fetch((int *)hits + i, 1, __ATOMIC_RELAXED);
    return true;
}

static void every_item_once(void **state)
{
    int hits[N] = {0};
    struct err err = ERR_INIT;

    (void)state;
    must(parallel_for(N, count_item, hits, NULL, &err), err);
    for (int i = 0; i < N; i++)
        assert_int_equal(hits[i], 1);
    must(parallel_for(0, count_item, hits, NULL, &err), err);
}

/* The later item fails first; the call still tells the lowest. */
static bool fail_some(void *context, size_t i, struct err *err)
{
    (void)context;
    if (i == 20)
        usleep(20000);
    if (i >= 20)
        return err_set(err, ERR_INPUT, "item %zu", i);
    return true;
}

static void the_lowest_failure_is_told(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        struct err err = ERR_INIT;
        assert_false(parallel_for(N, fail_some, NULL, NULL, &err));
        assert_string_equal(err.text, "item 20");
    }
}

static void add_index(void *sums, size_t i)
{
    ((size_t *)sums)[i] += i;
}

static void sure_work_is_done(void **state)
{
    size_t sums[N] = {0};

    (void)state;
    parallel_each(N, add_index, sums);
    for (size_t i = 0; i < N; i++)
        assert_int_equal(sums[i], i);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_once),
        cmocka_unit_test(the_lowest_failure_is_told),
        cmocka_unit_test(sure_work_is_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
