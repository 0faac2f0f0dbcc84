/* Choices of implementations: measured once, remembered, obeyed. */
#include "nn/choice.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "nn/onednn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char base[] = "/tmp/clearmass-choice-XXXXXX";

static char *in_base(const char *name)
{
    return file_join(base, name);
}

/* A graph with a convolution that Winograd can do and one that can be folded. */
static void build(struct nn_graph *g)
{
    nn_id skip = nn_input(g, (struct nn_shape){16, 24, 24});
    nn_id x = nn_maxpool(g, skip, (struct nn_pool){.kernel = 2});
    x = nn_conv2d(g, x, "a", (struct nn_conv){.filters = 32, .kernel = 3, .pad = 1});
    x = nn_concat(g, nn_upsample(g, x, 2), skip);
    nn_conv2d(g, x, "b", (struct nn_conv){.filters = 16, .kernel = 3, .pad = 1});
}

struct seen {
    int winograd, upsample;
};

static struct seen compile(struct nn_choices *c, enum nn_mode mode, bool direct)
{
    struct nn_graph g = NN_GRAPH_INIT;
    struct nn_exec x = NN_EXEC_INIT;
    struct err err = ERR_INIT;
    struct seen seen = {0, 0};
    build(&g);
    struct nn_compile how = {.batch = 2, .mode = mode, .choices = c, .direct = direct};
    assert_true(nn_exec_init(&x, &nn_backend_onednn, &g, &how, &err));
    const struct onednn *o = x.self;
    for (int i = 0; i < o->n_steps; i++) {
        const_dnnl_primitive_desc_t pd;
        const char *name = "";
        seen.upsample += !strcmp(o->step[i].what, "upsample");
        if (o->step[i].primitive &&
            dnnl_primitive_get_primitive_desc(o->step[i].primitive, &pd) == dnnl_success)
            dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, (void *)&name);
        seen.winograd += strstr(name, "wino") != NULL;
    }
    nn_exec_release(&x);
    nn_graph_release(&g);
    return seen;
}

static bool has_winograd(void)
{
    return compile(NULL, NN_TRAIN, false).winograd > 0; /* the library has it for AVX-512 alone */
}

static void test_obeyed(void **state)
{
    struct nn_choices c = NN_CHOICES_INIT;
    (void)state;
    if (!has_winograd())
        skip();
    nn_choices_set(&c, "fold train 2x[32+16,24,24] to 16", "plain");
    nn_choices_set(&c, "forward 2x[16,12,12] to 32", "direct");
    nn_choices_set(&c, "data 2x[48,24,24] to 16", "direct");
    struct seen seen = compile(&c, NN_TRAIN, false);
    assert_int_equal(seen.upsample, 1);
    assert_int_equal(seen.winograd,
                     3); /* five passes ("a" needs no gradient of its input), two said otherwise */
    nn_choices_set(&c, "fold train 2x[32+16,24,24] to 16", "folded");
    assert_int_equal(compile(&c, NN_TRAIN, false).upsample, 0);
    assert_int_equal(c.count, 3); /* nothing is measured unasked */
    nn_choices_release(&c);
}

static void test_measured(void **state)
{
    struct nn_choices c = {.measure = true};
    (void)state;
    struct seen first = compile(&c, NN_TRAIN, false);
    size_t known = c.count;
    assert_true(known >= 1);
    assert_non_null(nn_choices_get(&c, "fold train 2x[32+16,24,24] to 16"));
    for (int i = 0; i < 3; i++) { /* what was measured once is not measured again */
        struct seen again = compile(&c, NN_TRAIN, false);
        assert_memory_equal(&again, &first, sizeof again);
    }
    assert_int_equal(c.count, known);
    compile(&c, NN_INFER, false);
    assert_true(c.count > known);
    nn_choices_release(&c);
}

static void test_direct(void **state)
{
    struct nn_choices c = {.measure = true};
    (void)state;
    nn_choices_set(&c, "fold train 2x[32+16,24,24] to 16", "folded");
    struct seen seen = compile(&c, NN_TRAIN, true);
    assert_int_equal(seen.winograd, 0);
    assert_int_equal(seen.upsample, 1);
    assert_int_equal(c.count, 1);
    nn_choices_release(&c);
}

static void test_file(void **state)
{
    struct nn_choices a = NN_CHOICES_INIT, b = NN_CHOICES_INIT;
    struct err err = ERR_INIT;
    char *path = in_base("kernels.json");
    (void)state;
    assert_true(nn_choices_write(&a, path, &err));
    assert_false(file_exists(path)); /* nothing to keep */
    nn_choices_set(&a, "one", "direct");
    nn_choices_set(&a, "two", "winograd");
    nn_choices_set(&a, "one", "winograd");
    assert_true(nn_choices_write(&a, path, &err));
    nn_choices_set(&b, "three", "direct"); /* forgotten by reading */
    assert_true(nn_choices_read(&b, path, &err));
    assert_int_equal(b.count, 2);
    assert_string_equal(nn_choices_get(&b, "one"), "winograd");
    assert_null(nn_choices_get(&b, "three"));
    assert_true(nn_choices_write(&b, path, &err)); /* only what was asked for */
    assert_true(nn_choices_read(&a, path, &err));
    assert_int_equal(a.count, 1);
    assert_true(file_write(path, "{\"format\": \"x\"}", 15, &err));
    assert_false(nn_choices_read(&a, path, &err));
    assert_non_null(strstr(err.text, "kernels.json: no clearmass-kernels-1"));
    nn_choices_release(&a);
    nn_choices_release(&b);
    free(path);
}

static void remember(const char *what, const char *how)
{
    struct nn_choices c = NN_CHOICES_INIT;
    struct nn_choice_cache k;
    nn_choice_cache_open(&k, &c);
    assert_true(c.measure);
    if (!nn_choices_get(&c, what))
        nn_choices_set(&c, what, how);
    nn_choice_cache_close(&k, &c);
    assert_false(c.measure);
    nn_choices_release(&c);
}

static void test_cache(void **state)
{
    struct nn_choices c = NN_CHOICES_INIT;
    struct nn_choice_cache k;
    struct err err = ERR_INIT;
    (void)state;
    setenv("XDG_CACHE_HOME", base, 1);
    remember("one", "direct");
    remember("one", "winograd"); /* known already */
    remember("two", "winograd");
    nn_choice_cache_open(&k, &c);
    assert_int_equal(c.count, 2);
    assert_string_equal(nn_choices_get(&c, "one"), "direct");
    nn_choice_cache_close(&k, &c);
    nn_choices_release(&c);
    char *path = in_base("clearmass/kernels.json");
    assert_true(file_write(path, "{", 1, &err)); /* damaged: as if nothing were known */
    remember("three", "direct");
    nn_choice_cache_open(&k, &c);
    assert_int_equal(c.count, 1);
    nn_choice_cache_close(&k, &c);
    nn_choices_release(&c);
    free(path);
}

static void test_no_cache(void **state)
{
    struct nn_choices c = NN_CHOICES_INIT;
    struct nn_choice_cache k;
    (void)state;
    setenv("XDG_CACHE_HOME", "/dev/null", 1);
    nn_choice_cache_open(&k, &c);
    assert_false(c.measure);
    nn_choice_cache_close(&k, &c);
    nn_choices_release(&c);
}

static int make_base(void **state)
{
    (void)state;
    return mkdtemp(base) ? 0 : -1;
}

static int remove_base(void **state)
{
    static const char *const FILES[] = {"kernels.json", "clearmass/kernels.json", "clearmass/kernels.lock"};
    (void)state;
    for (size_t i = 0; i < sizeof FILES / sizeof *FILES; i++) {
        char *path = in_base(FILES[i]);
        unlink(path);
        free(path);
    }
    char *folder = in_base("clearmass");
    rmdir(folder);
    free(folder);
    return rmdir(base);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_obeyed), cmocka_unit_test(test_measured), cmocka_unit_test(test_direct),
        cmocka_unit_test(test_file),   cmocka_unit_test(test_cache),    cmocka_unit_test(test_no_cache),
    };
    nn_threads(2);
    return cmocka_run_group_tests(tests, make_base, remove_base);
}
