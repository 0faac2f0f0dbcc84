/* Keras weight files: what h5py sees in the genuine one is what is read; files made with h5py in Keras' ways
 * and in wrong ones (tools/golden_keras.py), each with its message; damage anywhere leaves the program alive.
 */
#include "io/hdf5.h"

#include "base/csv.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define GOLDEN  TESTS_DIR "/golden/keras/"
#define GENUINE SHARED_DATA_DIR "/keras-h5/resnet50_partial_conv1_to_res3a_REAL.h5"
#define CUT     SHARED_DATA_DIR "/keras-h5/resnet50_notop_TRUNCATED_first1MiB.h5"

static char folder[] = "/tmp/clearmass-hdf5-XXXXXX", path[64];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/a.h5", folder);
    return 0;
}

static int drop_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static struct hdf5_weights read_good(const char *file)
{
    struct hdf5_weights w = HDF5_WEIGHTS_INIT;
    struct err err = ERR_INIT;
    if (!hdf5_read(&w, file, &err))
        fail_msg("%s", err.text);
    return w;
}

static void refuse(const char *file, const char *message)
{
    struct hdf5_weights w = HDF5_WEIGHTS_INIT;
    struct err err = ERR_INIT;
    assert_false(hdf5_read(&w, file, &err));
    if (!strstr(err.text, message) || !strstr(err.text, file) || strchr(err.text, '\n'))
        fail_msg("'%s' instead of '%s'", err.text, message);
    assert_null(w.block);
}

static const struct hdf5_array *find(const struct hdf5_weights *w, const char *layer, const char *array)
{
    for (size_t i = 0; i < w->n_layers; i++)
        for (size_t k = 0; k < w->layer[i].count && !strcmp(w->layer[i].name, layer); k++)
            if (!strcmp(w->array[w->layer[i].first + k].name, array))
                return &w->array[w->layer[i].first + k];
    fail_msg("no %s in %s", array, layer);
    return NULL;
}

static void shape_text(char text[64], const struct hdf5_array *a)
{
    int at = 0;
    for (int i = 0; i < a->rank; i++)
        at += snprintf(text + at, 64 - (size_t)at, "%s%zu", i ? "x" : "", a->dim[i]);
}

static void same_number(const char *text, double v)
{
    const double want = strtod(text, NULL);
    if (!(fabs(v - want) <= 1e-8 * fabs(want) + 1e-12))
        fail_msg("%.12g instead of %s", v, text);
}

static void test_genuine_file(void **state)
{
    (void)state;
    struct csv t = CSV_INIT;
    struct err err = ERR_INIT;
    if (!file_exists(GENUINE))
        skip();
    assert_true(csv_read(&t, GOLDEN "genuine_arrays.csv", &err));
    struct hdf5_weights w = read_good(GENUINE);
    assert_int_equal(w.n_layers, 30);
    assert_int_equal(w.n_arrays, t.count);
    assert_int_equal(w.n_values, 612992);
    assert_string_equal(w.backend, "");
    assert_string_equal(w.keras_version, "");
    assert_false(w.whole_model);
    for (size_t i = 0; i < t.count; i++) {
        const struct hdf5_array *a = &w.array[i];
        const float *v = w.values + a->at;
        char shape[64] = "";
        double sum = 0;
        for (size_t k = 0; k < a->count; k++)
            sum += (double)v[k];
        shape_text(shape, a);
        assert_ptr_equal(a, find(&w, t.row[i].field[0], t.row[i].field[1]));
        assert_string_equal(shape, t.row[i].field[2]);
        same_number(t.row[i].field[3], (double)v[0]);
        same_number(t.row[i].field[4], (double)v[a->count / 2]);
        same_number(t.row[i].field[5], (double)v[a->count - 1]);
        same_number(t.row[i].field[6], sum);
    }
    csv_release(&t);
    hdf5_release(&w);
}

static void test_genuine_file_cut_short(void **state)
{
    (void)state;
    if (!file_exists(CUT))
        skip();
    refuse(CUT, "cut short: 1048576 bytes of 94653016");
}

/* The network of tools/golden_keras.py: number i of array k is k + i / 1000. */
static void check_small(const struct hdf5_weights *w, double precision)
{
    assert_int_equal(w->n_layers, 3);
    assert_string_equal(w->layer[0].name, "conv2d_1");
    assert_string_equal(w->layer[1].name, "activation_1");
    assert_string_equal(w->layer[2].name, "batch_normalization_1");
    assert_int_equal(w->layer[0].count, 2);
    assert_int_equal(w->layer[1].count, 0);
    assert_int_equal(w->layer[2].count, 4);
    assert_int_equal(w->n_arrays, 6);
    assert_string_equal(w->array[0].name, "conv2d_1/kernel:0");
    assert_string_equal(w->array[5].name, "batch_normalization_1/moving_variance:0");
    const struct hdf5_array *kernel = &w->array[0];
    assert_int_equal(kernel->rank, 4);
    assert_int_equal(kernel->dim[0] * 1000 + kernel->dim[1] * 100 + kernel->dim[2] * 10 + kernel->dim[3],
                     3324);
    for (size_t k = 0; k < 6; k++)
        for (size_t i = 0; i < w->array[k].count; i++) {
            const double want = (double)k + (double)i / 1000, v = (double)w->values[w->array[k].at + i];
            assert_true(fabs(v - want) <= precision * fmax(1, want));
        }
    assert_string_equal(w->backend, "tensorflow");
    assert_string_equal(w->keras_version, "2.2.4");
}

static void test_ways_of_keras(void **state)
{
    (void)state;
    static const struct {
        const char *file;
        double precision;
        bool whole_model;
    } cases[] = {
        {GOLDEN "plain.h5", 1e-7, false},      {GOLDEN "halves.h5", 1e-3, false},
        {GOLDEN "doubles.h5", 1e-7, false},    {GOLDEN "packed.h5", 1e-7, false},
        {GOLDEN "whole_model.h5", 1e-7, true}, {GOLDEN "texts_of_any_length.h5", 1e-7, false},
        {GOLDEN "split.h5", 1e-7, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct hdf5_weights w = read_good(cases[i].file);
        check_small(&w, cases[i].precision);
        assert_int_equal(w.whole_model, cases[i].whole_model);
        hdf5_release(&w);
    }
}

static void test_written_and_read(void **state)
{
    (void)state;
    static const struct hdf5_write_options ways[] = {
        {0}, {.whole_model = true}, {.split_bytes = 50}, {.whole_model = true, .split_bytes = 1}};
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct hdf5_weights w = read_good(GOLDEN "plain.h5");
        struct err err = ERR_INIT;
        assert_true(hdf5_write(path, &w, &ways[i], &err));
        struct hdf5_weights back = read_good(path);
        check_small(&back, 1e-7);
        assert_memory_equal(w.values, back.values, w.n_values * sizeof *w.values);
        assert_int_equal(back.whole_model, ways[i].whole_model);
        hdf5_release(&w);
        hdf5_release(&back);
    }
}

static void test_nothing_is_left_of_a_failed_write(void **state)
{
    (void)state;
    struct hdf5_weights w = read_good(GOLDEN "plain.h5");
    struct err err = ERR_INIT;
    assert_false(hdf5_write("/tmp/no-such-folder/a.h5", &w, NULL, &err));
    assert_non_null(strstr(err.text, "/tmp/no-such-folder/a.h5: No such file or directory"));
    hdf5_release(&w);
}

static void test_defects(void **state)
{
    (void)state;
    static const struct {
        const char *file, *message;
    } cases[] = {
        {GOLDEN "bad_keras_3.h5", "weights as Keras 3 lays them out"},
        {GOLDEN "bad_layer_missing.h5", "layer 'batch_normalization_1': it is listed, but cannot be read"},
        {GOLDEN "bad_array_missing.h5",
         "layer 'conv2d_1': 'conv2d_1/bias:0': it is listed, but cannot be read"},
        {GOLDEN "bad_names_missing.h5", "layer 'conv2d_1': it has no 'weight_names'"},
        {GOLDEN "bad_names_of_numbers.h5", "attribute 'layer_names' holds no texts"},
        {GOLDEN "bad_whole_numbers.h5", "'conv2d_1/bias:0': it holds no floating-point numbers"},
        {GOLDEN "bad_numbers_elsewhere.h5", "cannot read its numbers: they are not in the file"},
        {GOLDEN "bad_numbers_never_written.h5", "cannot read its numbers: they are not in the file"},
        {GOLDEN "bad_too_many_numbers.h5", "more than 268435456 numbers"},
        {GOLDEN "bad_name_over_two_lines.h5", "a name in 'layer_names' is no text"},
        {GOLDEN "bad_not_keras.h5", "an HDF5 file without Keras weights"},
        {GOLDEN "no_such.h5", "No such file or directory"},
        {GOLDEN "genuine_arrays.csv", "no HDF5 file"},
        {"/tmp", "Is a directory"},
        {"/dev/null", "empty file"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuse(cases[i].file, cases[i].message);
}

/* Read as something, or refused in one line with its name; true for the latter. */
static bool is_refused(const char *file)
{
    struct hdf5_weights w = HDF5_WEIGHTS_INIT;
    struct err err = ERR_INIT;
    const bool ok = hdf5_read(&w, file, &err);
    if (ok) {
        size_t numbers = 0; /* every one can be looked at */
        for (size_t i = 0; i < w.n_arrays; i++)
            for (size_t k = 0; k < w.array[i].count; k++)
                numbers += w.values[w.array[i].at + k] == w.values[w.array[i].at + k];
        assert_true(w.n_layers > 0 && numbers <= w.n_values);
    } else {
        assert_true(err.kind != ERR_NONE && strstr(err.text, file) && !strchr(err.text, '\n'));
        assert_null(w.block);
    }
    hdf5_release(&w);
    return !ok;
}

static void test_cut_anywhere(void **state)
{
    (void)state;
    struct buf whole = BUF_INIT;
    struct err err = ERR_INIT;
    assert_true(file_read(&whole, GOLDEN "whole_model.h5", 0, &err));
    for (size_t n = 0; n < whole.len; n += 1 + whole.len / 12) {
        assert_true(file_write(path, whole.data, n, &err));
        refuse(path, n == 0 ? "empty file" : n < 8 ? "no HDF5 file" : n < 100 ? "HDF5" : "cut short");
    }
    buf_release(&whole);
}

/* Up to eight bytes changed each, until a hundred files have been refused; what changes numbers alone is
 * read. */
static void test_hundred_damaged_files(void **state)
{
    (void)state;
    static const char *const sources[] = {GOLDEN "plain.h5", GOLDEN "packed.h5",
                                          GOLDEN "texts_of_any_length.h5", GOLDEN "split.h5"};
    struct err err = ERR_INIT;
    int refused = 0;
    uint64_t i = 0;
    for (; refused < 100 && i < 1000; i++) {
        struct rng r = rng_at(1, RNG_TEST, i, 0);
        struct buf b = BUF_INIT;
        assert_true(file_read(&b, sources[i % 4], 0, &err));
        for (uint64_t k = 0; k <= i % 8; k++)
            b.data[8 + rng_u64(&r) % (b.len - 8)] = (char)rng_u64(&r);
        if (!file_write(path, b.data, b.len, &err))
            fail_msg("%s", err.text);
        refused += is_refused(path);
        buf_release(&b);
    }
    print_message("%d of %d files refused\n", refused, (int)i);
    assert_int_equal(refused, 100);
    struct hdf5_weights w = read_good(GOLDEN "plain.h5"); /* and after all of them the reader still reads */
    check_small(&w, 1e-7);
    hdf5_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_genuine_file),
        cmocka_unit_test(test_genuine_file_cut_short),
        cmocka_unit_test(test_ways_of_keras),
        cmocka_unit_test(test_written_and_read),
        cmocka_unit_test(test_nothing_is_left_of_a_failed_write),
        cmocka_unit_test(test_defects),
        cmocka_unit_test(test_cut_anywhere),
        cmocka_unit_test(test_hundred_damaged_files),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
