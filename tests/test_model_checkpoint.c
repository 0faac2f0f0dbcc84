/* Checkpoints: everything comes back, and each way a file can be the wrong one has its line. */
#include "model/checkpoint.h"

#include "base/file.h"
#include "base/mem.h"
#include "io/safetensors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/clearmass-checkpoint-XXXXXX", path[64];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/a.safetensors", folder);
    return 0;
}

static int drop_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void build(struct nn_graph *g, int filters, const char *last)
{
    nn_id x = nn_input(g, (struct nn_shape){3, 8, 8});
    x = nn_conv2d(g, x, "first", (struct nn_conv){.filters = filters, .kernel = 3, .pad = 1});
    x = nn_batchnorm(g, x, "norm", (struct nn_norm){.epsilon = 1e-3f});
    nn_conv2d(g, x, last, (struct nn_conv){.filters = 1, .kernel = 1});
}

static float *numbers(const struct nn_graph *g, float from)
{
    float *v = mem_new(g->n_values, sizeof *v);
    for (size_t i = 0; i < g->n_values; i++)
        v[i] = from + (float)i;
    return v;
}

static void test_everything_comes_back(void **state)
{
    (void)state;
    struct nn_graph g = NN_GRAPH_INIT;
    struct err err = ERR_INIT;
    build(&g, 4, "last");
    float *v = numbers(&g, 1), *m = numbers(&g, 1000), *v2 = numbers(&g, -5), *m2 = numbers(&g, -7);
    json_t *meta = json_pack("{s:s, s:i, s:{s:f}}", "model", "tiny", "epoch", 3, "state", "lr", 0.1),
           *back = NULL;
    struct checkpoint_extra out = {"optimizer/m", m}, in = {"optimizer/m", m2};

    assert_true(checkpoint_write(path, &g, v, &out, 1, meta, &err));
    assert_true(checkpoint_read(path, &g, v2, &in, 1, &back, &err));
    assert_memory_equal(v, v2, g.n_values * sizeof *v);
    for (int i = 0; i < g.n_slots; i++) { /* extras: trainable slots only, the others untouched */
        const struct nn_slot *s = &g.slot[i];
        assert_true(m2[s->offset] == (s->trainable ? m[s->offset] : -7 + (float)s->offset));
    }
    assert_string_equal(json_string_value(json_object_get(back, "model")), "tiny");
    assert_string_equal(json_string_value(json_object_get(back, "epoch")), "3");
    assert_string_equal(json_string_value(json_object_get(back, "state")), "{\"lr\":0.10000000000000001}");
    /* without asking for the extras they are ignored */
    assert_true(checkpoint_read(path, &g, v2, NULL, 0, NULL, &err));
    json_decref(meta);
    json_decref(back);
    free(v);
    free(m);
    free(v2);
    free(m2);
    nn_graph_release(&g);
}

static void test_names_and_shapes_in_the_file(void **state)
{
    (void)state;
    struct nn_graph g = NN_GRAPH_INIT;
    struct err err = ERR_INIT;
    struct safetensors s = SAFETENSORS_INIT;
    build(&g, 4, "last");
    float *v = numbers(&g, 0);
    assert_true(checkpoint_write(path, &g, v, NULL, 0, NULL, &err));
    assert_true(safetensors_open(&s, path, &err));
    const struct safetensors_tensor *t = safetensors_find(&s, "first/kernel");
    assert_int_equal(t->rank, 4);
    assert_int_equal(t->dim[0] * 1000 + t->dim[1] * 100 + t->dim[2] * 10 + t->dim[3], 4333);
    assert_int_equal(safetensors_find(&s, "norm/moving_variance")->count, 4);
    assert_int_equal(s.count, 8);
    safetensors_close(&s);
    free(v);
    nn_graph_release(&g);
}

/* Written by one network, read by another: values stay as they were. */
static void refuse(int filters, const char *last, const char *message)
{
    struct nn_graph g = NN_GRAPH_INIT, other = NN_GRAPH_INIT;
    struct err err = ERR_INIT;
    build(&g, 4, "last");
    build(&other, filters, last);
    float *v = numbers(&g, 0), *mine = numbers(&other, 5);
    assert_true(checkpoint_write(path, &g, v, NULL, 0, NULL, &err));
    assert_false(checkpoint_read(path, &other, mine, NULL, 0, NULL, &err));
    if (!strstr(err.text, message) || !strstr(err.text, path))
        fail_msg("'%s' instead of '%s'", err.text, message);
    for (size_t i = 0; i < other.n_values; i++)
        assert_true(mine[i] == 5 + (float)i);
    free(v);
    free(mine);
    nn_graph_release(&g);
    nn_graph_release(&other);
}

static void test_refuses_another_network(void **state)
{
    (void)state;
    refuse(5, "last", "weights of another network: 'first/kernel' is [5, 3, 3, 3] here, [4, 3, 3, 3] there");
    refuse(4, "end", "weights of another network: no 'end/kernel' in it");
}

static void test_refuses_tensors_it_does_not_know(void **state)
{
    (void)state;
    struct nn_graph g = NN_GRAPH_INIT, part = NN_GRAPH_INIT;
    struct err err = ERR_INIT;
    build(&g, 4, "last");
    nn_conv2d(&part, nn_input(&part, (struct nn_shape){3, 8, 8}), "first",
              (struct nn_conv){.filters = 4, .kernel = 3, .pad = 1});
    float *v = numbers(&g, 0);
    assert_true(checkpoint_write(path, &g, v, NULL, 0, NULL, &err));
    assert_false(checkpoint_read(path, &part, v, NULL, 0, NULL, &err));
    assert_non_null(strstr(err.text, "weights of another network: it has 'norm/gamma'"));
    free(v);
    nn_graph_release(&g);
    nn_graph_release(&part);
}

static void test_cut_short_anywhere(void **state)
{
    (void)state;
    struct nn_graph g = NN_GRAPH_INIT;
    struct err err = ERR_INIT;
    struct buf whole = BUF_INIT;
    build(&g, 4, "last");
    float *v = numbers(&g, 0);
    assert_true(checkpoint_write(path, &g, v, NULL, 0, NULL, &err));
    assert_true(file_read(&whole, path, 0, &err));
    for (size_t n = 0; n < whole.len; n += 1 + n / 16) {
        err = (struct err)ERR_INIT;
        assert_true(file_write(path, whole.data, n, &err));
        assert_false(checkpoint_read(path, &g, v, NULL, 0, NULL, &err));
        assert_true(strstr(err.text, "cut short") || strstr(err.text, "no safetensors file"));
    }
    buf_release(&whole);
    free(v);
    nn_graph_release(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything_comes_back),
        cmocka_unit_test(test_names_and_shapes_in_the_file),
        cmocka_unit_test(test_refuses_another_network),
        cmocka_unit_test(test_refuses_tensors_it_does_not_know),
        cmocka_unit_test(test_cut_short_anywhere),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
