/* Weights from Keras' files and into them: what was written comes back bit for bit, in every naming and order
 * of axes Keras has used; the genuine ImageNet numbers give the activations PyTorch has; what does not fit is
 * told. */
#include "model/keras.h"
#include "nn/exec.h"

#include "base/csv.h"
#include "base/file.h"
#include "base/mem.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define GENUINE SHARED_DATA_DIR "/keras-h5/resnet50_partial_conv1_to_res3a_REAL.h5"

enum { INPUT = 1037, SIDE = 64, SAMPLES = 16 };

/* The finaliser of splitmix64 over (stream, i), as a multiple of 2^-24 in [0, 1): as tools/golden_keras.py
 * has it. */
static double uniform(uint64_t stream, uint64_t i)
{
    uint64_t z = (i + 1 + (stream << 32)) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return (double)(z >> 40) / 16777216.0;
}

/* A network, its numbers, and the file keras_write makes of them, read again. */
struct sample {
    struct model_told told;
    struct nn_graph g;
    float *values;
    struct hdf5_weights file;
};

static struct sample *sample_new(struct model_told told)
{
    struct sample *s = mem_new(1, sizeof *s);
    struct err err = ERR_INIT;
    char folder[] = "/tmp/clearmass-keras-XXXXXX";

    *s = (struct sample){.told = told, .g = NN_GRAPH_INIT, .file = HDF5_WEIGHTS_INIT};
    model_build(told.model, &s->g, told.input, &told.options);
    s->values = mem_new(s->g.n_values, sizeof *s->values);
    for (size_t i = 0; i < s->g.n_values; i++)
        s->values[i] = (float)(1 + i % 8191) + (float)(i / 8191) / 4096; /* no two of a layer alike */
    assert_non_null(mkdtemp(folder));
    char *path = file_join(folder, "a.h5");
    if (!keras_write(path, &told, &s->g, s->values, &err) || !hdf5_read(&s->file, path, &err))
        fail_msg("%s", err.text);
    unlink(path);
    rmdir(folder);
    free(path);
    return s;
}

static void sample_free(struct sample *s)
{
    nn_graph_release(&s->g);
    free(s->values);
    hdf5_release(&s->file);
    free(s);
}

static int make_unet(void **state)
{
    *state = sample_new((struct model_told){.model = &model_unet_224, .input = {3, 224, 224}});
    return 0;
}

static int make_resnet(void **state)
{
    *state = sample_new((struct model_told){
        .model = &model_resnet50, .input = {3, 224, 224}, .options = {.classes = 2, .epsilon = 1e-3}});
    return 0;
}

static int drop(void **state)
{
    sample_free(*state);
    return 0;
}

static struct keras_fit fitted(const struct hdf5_weights *w)
{
    struct keras_fit f = KERAS_FIT_INIT;
    struct err err = ERR_INIT;
    if (!keras_fit(&f, w, NULL, &err))
        fail_msg("%s", err.text);
    return f;
}

static void refuse(const struct hdf5_weights *w, const struct keras_options *o, const char *message)
{
    struct keras_fit f = KERAS_FIT_INIT;
    struct err err = ERR_INIT;
    assert_false(keras_fit(&f, w, o, &err));
    if (!strstr(err.text, message))
        fail_msg("'%s' instead of '%s'", err.text, message);
    assert_null(f.values);
}

/* The file gives the sample's numbers, all of them. */
static void same_numbers(const struct sample *s, const struct hdf5_weights *w)
{
    struct keras_fit f = fitted(w);
    assert_ptr_equal(f.told.model, s->told.model);
    assert_int_equal(f.told.input.c, s->told.input.c);
    assert_int_equal(f.graph.n_values, s->g.n_values);
    assert_memory_equal(f.values, s->values, s->g.n_values * sizeof *s->values);
    assert_int_equal(f.missing_layers, 0);
    assert_false(f.folded);
    keras_release(&f);
}

static struct hdf5_layer *layer(struct sample *s, const char *name)
{
    for (size_t i = 0; i < s->file.n_layers; i++)
        if (!strcmp(s->file.layer[i].name, name))
            return &s->file.layer[i];
    fail_msg("no layer %s", name);
    return NULL;
}

static void test_unet_there_and_back(void **state)
{
    struct sample *s = *state;
    assert_int_equal(s->file.n_layers, 45);
    assert_int_equal(s->file.n_arrays, 134);
    assert_int_equal(s->file.n_values, 31466753);
    assert_string_equal(s->file.layer[0].name, "conv2d_1");
    assert_string_equal(s->file.layer[43].name, "batch_normalization_22");
    assert_string_equal(s->file.layer[44].name, "conv2d_23");
    assert_string_equal(s->file.array[133].name, "conv2d_23/bias:0");
    assert_string_equal(s->file.backend, "tensorflow");
    same_numbers(s, &s->file);
}

/* [kh, kw, in, out] in the file: the element of window (y, x) from channel i to filter o. */
static void test_axes_of_kernels(void **state)
{
    struct sample *s = *state;
    const struct hdf5_array *a = &s->file.array[layer(s, "conv2d_2")->first];
    const struct nn_slot *slot = nn_graph_slot(&s->g, "conv_224_2/kernel");
    assert_int_equal(a->dim[0] * 100 + a->dim[2], 332);
    for (size_t y = 0; y < 3; y++)
        for (size_t x = 0; x < 3; x++) {
            const size_t i = 5, o = 30;
            assert_true(s->file.values[a->at + ((y * 3 + x) * 32 + i) * 32 + o] ==
                        s->values[slot->offset + ((o * 32 + i) * 3 + y) * 3 + x]);
        }
}

/* Layers without weights stand between the others in Keras' own files; they change nothing. */
static void test_layers_without_weights(void **state)
{
    struct sample *s = *state;
    struct hdf5_weights w = s->file;
    w.n_layers = 2 * s->file.n_layers;
    w.layer = mem_new(w.n_layers, sizeof *w.layer);
    for (size_t i = 0; i < s->file.n_layers; i++) {
        snprintf(w.layer[2 * i].name, HDF5_NAME, "activation_%zu", i);
        w.layer[2 * i + 1] = s->file.layer[i];
    }
    same_numbers(s, &w);
    free(w.layer);
}

/* Theano's order of axes, its kernels turned by half a turn, Keras 1's names and no backend told. */
static void test_theano(void **state)
{
    struct sample *s = *state;
    struct hdf5_weights w = s->file;
    w.array = mem_new(w.n_arrays, sizeof *w.array);
    w.values = mem_new(w.n_values, sizeof *w.values);
    memcpy(w.array, s->file.array, w.n_arrays * sizeof *w.array);
    memcpy(w.values, s->file.values, w.n_values * sizeof *w.values);
    w.backend[0] = w.keras_version[0] = 0;
    int k = 0;
    for (int i = 0; i < s->g.n_slots; i++) {
        const struct nn_slot *slot = &s->g.slot[i];
        struct hdf5_array *a = &w.array[i];
        assert_int_equal(a->count, slot->count);
        if (slot->role != NN_KERNEL)
            continue;
        const size_t area = (size_t)slot->dim[2] * (size_t)slot->dim[3];
        snprintf(a->name, HDF5_NAME, "convolution2d_%d_W:0", ++k);
        for (int d = 0; d < 4; d++)
            a->dim[d] = (size_t)slot->dim[d];
        for (size_t n = 0; n < a->count; n++)
            w.values[a->at + n / area * area + area - 1 - n % area] = s->values[slot->offset + n];
    }
    same_numbers(s, &w);
    struct keras_fit f = fitted(&w);
    assert_true(f.flipped);
    keras_release(&f);
    snprintf(w.backend, sizeof w.backend, "tensorflow"); /* that order of axes, but not Theano's kernels */
    f = fitted(&w);
    const struct nn_slot *slot = nn_graph_slot(&f.graph, "conv_7_1/kernel");
    assert_false(f.flipped);
    for (size_t n = 0; n < 9; n++)
        assert_true(f.values[slot->offset + n] == s->values[slot->offset + 8 - n]);
    keras_release(&f);
    free(w.array);
    free(w.values);
}

/* Until March 2018 a batch norm followed the last convolution: the folded network computes the same. */
static void test_last_norm(void **state)
{
    struct sample *s = *state;
    struct hdf5_weights w = s->file;
    const float norm[4] = {1.5f, -.25f, 40, 9};
    w.n_values += 4;
    w.values = mem_new(w.n_values, sizeof *w.values);
    memcpy(w.values, s->file.values, s->file.n_values * sizeof *w.values);
    memcpy(w.values + s->file.n_values, norm, sizeof norm);
    w.array = mem_new(w.n_arrays + 4, sizeof *w.array);
    memcpy(w.array, s->file.array, w.n_arrays * sizeof *w.array);
    w.layer = mem_new(w.n_layers + 1, sizeof *w.layer);
    memcpy(w.layer, s->file.layer, w.n_layers * sizeof *w.layer);
    w.layer[w.n_layers++] = (struct hdf5_layer){"batch_normalization_23", w.n_arrays, 4};
    for (size_t i = 0; i < 4; i++)
        w.array[w.n_arrays++] = (struct hdf5_array){"x", 1, {1}, 1, s->file.n_values + i};
    struct keras_fit f = fitted(&w);
    assert_true(f.folded);
    const struct nn_slot *kernel = nn_graph_slot(&f.graph, "mask/kernel");
    const struct nn_slot *bias = nn_graph_slot(&f.graph, "mask/bias");
    double before = (double)s->values[bias->offset], after = (double)f.values[bias->offset];
    for (size_t i = 0; i < 32; i++) {
        const double x = uniform(1, i);
        before += x * (double)s->values[kernel->offset + i];
        after += x * (double)f.values[kernel->offset + i];
    }
    const double want = 1.5 * (before - 40) / sqrt(9 + 1e-3) - .25;
    assert_true(fabs(after - want) < 1e-5 * fabs(want));
    keras_release(&f);
    w.values[s->file.n_values + 3] = -1;
    refuse(&w, NULL, "holds a variance below 0");
    free(w.values);
    free(w.array);
    free(w.layer);
}

static void test_unet_refused(void **state)
{
    struct sample *s = *state;
    struct hdf5_weights w = s->file;
    const struct keras_options unet = {.network = &model_unet_224}, resnet = {.network = &model_resnet50};
    refuse(&w, &resnet, "weights of ZF_UNET_224, not of ResNet-50");
    w.n_layers = 44;
    refuse(&w, &unet, "44 layers with weights; ZF_UNET_224 has 45");
    refuse(&w, NULL, "weights of no network known here: 44 layers with weights, the first is 'conv2d_1'");
    w = s->file;
    struct hdf5_array *a = &w.array[w.layer[2].first];
    const struct hdf5_array kept = *a;
    a->dim[3] = 31;
    a->count = (size_t)3 * 3 * 32 * 31;
    refuse(&w, NULL,
           "layer 'conv2d_2': 'conv2d_2/kernel:0' is [3, 3, 32, 31], conv_224_2/kernel should be [3, 3, 32, "
           "32]");
    *a = kept;
    float *v = &w.values[w.array[w.layer[1].first + 3].at + 7];
    const float number = *v;
    *v = NAN;
    refuse(&w, NULL, "'batch_normalization_1/moving_variance:0' holds a number that is not finite");
    *v = -1e-6f;
    refuse(&w, NULL, "'batch_normalization_1/moving_variance:0' holds a variance below 0");
    *v = number;
    const struct hdf5_layer second = w.layer[1];
    w.layer[1] = w.layer[2];
    refuse(&w, &unet, "layer 'conv2d_2': its 2 arrays are not those of a batch_norm");
    w.layer[1] = second;
    same_numbers(s, &w);
}

static void test_resnet_there_and_back(void **state)
{
    struct sample *s = *state;
    assert_int_equal(s->file.n_layers, 107);
    assert_string_equal(s->file.layer[6].name, "res2a_branch2c");
    assert_string_equal(s->file.layer[7].name, "res2a_branch1");
    assert_string_equal(s->file.layer[106].name, "fc2");
    same_numbers(s, &s->file);
    struct keras_fit f = fitted(&s->file);
    assert_int_equal(f.told.options.classes, 2);
    assert_true(f.told.options.epsilon == 1e-3);
    keras_release(&f);
}

/* By name: order and the head's own name do not matter. */
static void test_resnet_in_any_order(void **state)
{
    struct sample *s = *state;
    struct hdf5_weights *w = &s->file;
    strcpy(layer(s, "fc2")->name, "dense_1");
    for (size_t i = 0; i < w->n_layers / 2; i++) {
        const struct hdf5_layer l = w->layer[i];
        w->layer[i] = w->layer[w->n_layers - 1 - i];
        w->layer[w->n_layers - 1 - i] = l;
    }
    same_numbers(s, w);
}

/* As the genuine file of 2015 has them: conv1_W_1:0, bn_conv1_running_std_1:0. Here in another order, too. */
static void test_names_of_keras_1(void **state)
{
    static const char *const OLD[][2] = {
        {"kernel", "W"}, {"bias", "b"}, {"moving_mean", "running_mean"}, {"moving_variance", "running_std"}};
    struct sample *s = *state;
    for (size_t i = 0; i < s->file.n_layers; i++) {
        struct hdf5_layer *l = &s->file.layer[i];
        for (size_t k = l->first; k < l->first + l->count; k++) {
            char *name = s->file.array[k].name, part[64];
            snprintf(part, sizeof part, "%.*s", (int)strcspn(strchr(name, '/') + 1, ":"),
                     strchr(name, '/') + 1);
            for (size_t o = 0; o < 4; o++)
                if (!strcmp(part, OLD[o][0]))
                    snprintf(part, sizeof part, "%s", OLD[o][1]);
            snprintf(name, HDF5_NAME, "%.100s_%s_1:0", l->name, part);
        }
        for (size_t k = 0; k < l->count / 2; k++) {
            struct hdf5_array *a = &s->file.array[l->first + k], *b = a + l->count - 1 - 2 * k, kept = *a;
            *a = *b;
            *b = kept;
        }
    }
    same_numbers(s, &s->file);
}

/* Sequential([ResNet50(...), Dense(2)]): one layer with all the weights, moving statistics last. */
static void test_model_in_a_model(void **state)
{
    struct sample *s = *state;
    struct hdf5_weights w = s->file;
    struct hdf5_layer two[2] = {{"resnet50", 0, 318}, {"dense_1", 318, 2}};
    size_t n = 0;
    w.array = mem_new(w.n_arrays, sizeof *w.array);
    for (int moving = 0; moving < 2; moving++)
        for (size_t i = 0; i < 318; i++)
            if ((strstr(s->file.array[i].name, "/moving_") != NULL) == moving)
                w.array[n++] = s->file.array[i];
    w.array[318] = s->file.array[318];
    w.array[319] = s->file.array[319];
    w.layer = two;
    w.n_layers = 2;
    same_numbers(s, &w);
    free(w.array);
}

static void test_resnet_without_head(void **state)
{
    struct sample *s = *state;
    struct hdf5_weights w = s->file;
    w.n_layers--;
    struct keras_fit f = fitted(&w);
    assert_int_equal(f.told.options.classes, MODEL_NO_HEAD);
    assert_int_equal(f.graph.n_values, 23587712);
    assert_memory_equal(f.values, s->values, f.graph.n_values * sizeof *f.values);
    keras_release(&f);
}

static void test_resnet_refused(void **state)
{
    struct sample *s = *state;
    struct hdf5_weights w = s->file;
    const struct keras_options unet = {.network = &model_unet_224}, partial = {.partial = true};
    refuse(&w, &unet, "weights of ResNet-50, not of ZF_UNET_224");
    strcpy(layer(s, "res4f_branch2b")->name, "strange");
    refuse(&w, NULL, "like ResNet-50, but without a layer 'res4f_branch2b'");
    refuse(&w, &partial, "like ResNet-50, but with a layer 'strange'");
    strcpy(layer(s, "strange")->name, "res4f_branch2b");
    layer(s, "bn_conv1")->count = 3;
    refuse(&w, NULL, "layer 'bn_conv1': its 3 arrays are not those of a batch_norm");
    layer(s, "bn_conv1")->count = 4;
    struct hdf5_array *a = &w.array[layer(s, "fc2")->first];
    a->dim[0] = 1024;
    a->count = 2048;
    refuse(&w, NULL, "like ResNet-50, but with a layer 'fc2'");
}

/* The naming of 2018 and its epsilon; a block's shortcut comes first, as Keras sorts it. */
static void test_naming_of_2018(void **state)
{
    (void)state;
    static const char *const first[] = {
        "conv1_conv",          "conv1_bn",          "conv2_block1_1_conv", "conv2_block1_1_bn",
        "conv2_block1_2_conv", "conv2_block1_2_bn", "conv2_block1_0_conv", "conv2_block1_3_conv",
        "conv2_block1_0_bn",   "conv2_block1_3_bn", "conv2_block2_1_conv", "conv2_block2_1_bn"};
    struct sample *s = sample_new(
        (struct model_told){&model_resnet50, {1, 64, 64}, {.classes = MODEL_NO_HEAD, .epsilon = 1.001e-5}});
    for (size_t i = 0; i < sizeof first / sizeof *first; i++)
        assert_string_equal(s->file.layer[i].name, first[i]);
    assert_string_equal(s->file.layer[105].name, "conv5_block3_3_bn");
    assert_string_equal(s->file.array[0].name, "conv1_conv/kernel:0");
    same_numbers(s, &s->file);
    struct keras_fit f = fitted(&s->file);
    assert_true(f.told.options.epsilon == 1.001e-5);
    assert_int_equal(f.told.options.classes, MODEL_NO_HEAD);
    keras_release(&f);
    sample_free(s);
}

static void test_depths(void **state)
{
    (void)state;
    static const struct model_told deep[] = {
        {&model_resnet101, {3, 64, 64}, {.classes = MODEL_NO_HEAD, .epsilon = 1e-3}},
        {&model_resnet152, {3, 64, 64}, {.classes = 7}}};
    for (int i = 0; i < 2; i++) {
        struct sample *s = sample_new(deep[i]);
        layer(s, i ? "conv4_block36_3_bn" : "res4b22_branch2c");
        same_numbers(s, &s->file);
        sample_free(s);
    }
}

static struct keras_fit genuine(void)
{
    struct hdf5_weights w = HDF5_WEIGHTS_INIT;
    struct keras_fit f = KERAS_FIT_INIT;
    struct err err = ERR_INIT;
    const struct keras_options partial = {.partial = true};
    if (!hdf5_read(&w, GENUINE, &err))
        fail_msg("%s", err.text);
    refuse(&w, NULL, "like ResNet-50, but without a layer 'res3b_branch2a'");
    if (!keras_fit(&f, &w, &partial, &err))
        fail_msg("%s", err.text);
    hdf5_release(&w);
    return f;
}

/* The node that ends a block: the ReLU after its sum. */
static nn_id end_of_block(const struct nn_graph *g, const char *at)
{
    char name[NN_NAME];
    snprintf(name, sizeof name, "bn%s_branch2c", at);
    for (nn_id id = 0; id < g->n_nodes; id++)
        if (!strcmp(g->node[id].name, name)) {
            while (g->node[id].op != NN_ADD)
                id++;
            return id + 1;
        }
    fail_msg("no block %s", at);
    return 0;
}

static double field(const struct csv *t, size_t row, size_t column)
{
    return strtod(t->row[row].field[column], NULL);
}

/* Every sample to 1e-4 of the activations' root mean square, and their norm. */
static void check_activations(const struct csv *t, size_t row, const float *y, size_t n)
{
    double squares = 0;
    assert_int_equal((size_t)field(t, row, 1), n);
    for (size_t i = 0; i < n; i++)
        squares += (double)y[i] * (double)y[i];
    const double norm = field(t, row, 2), scale = norm / sqrt((double)n);
    assert_true(fabs(sqrt(squares) - norm) < 1e-5 * norm);
    for (size_t k = 0; k < SAMPLES; k++) {
        const double want = field(t, row, 4 + 2 * k), v = (double)y[(size_t)field(t, row, 3 + 2 * k)];
        if (!(fabs(v - want) < 1e-4 * scale))
            fail_msg("after block %s: %.9g instead of %.9g", t->row[row].field[0], v, want);
    }
}

static void test_genuine_activations(void **state)
{
    const struct nn_backend *backend = *state;
    struct csv t = CSV_INIT;
    struct err err = ERR_INIT;
    struct nn_graph g = NN_GRAPH_INIT;
    if (!file_exists(GENUINE))
        skip();
    assert_true(csv_read(&t, TESTS_DIR "/golden/keras/genuine_activations.csv", &err));
    assert_int_equal(t.count, 4);
    struct keras_fit f = genuine();
    assert_int_equal(f.missing_layers, 106 - 30);
    assert_true(f.told.options.epsilon == 1e-3);
    float *x = mem_new(3 * SIDE * SIDE, sizeof *x);
    for (uint64_t i = 0; i < 3 * SIDE * SIDE; i++)
        x[i] = (float)(240 * uniform(INPUT, i) - 120);
    model_build(f.told.model, &g, (struct nn_shape){3, SIDE, SIDE}, &f.told.options);
    for (size_t row = 0; row < t.count; row++) {
        struct nn_exec run = NN_EXEC_INIT;
        const struct nn_compile how = {.batch = 1, .mode = NN_INFER};
        const struct nn_node *end = &g.node[end_of_block(&g, t.row[row].field[0])];
        struct nn_graph part = g; /* the network up to there */
        part.n_nodes = (int)(end - g.node) + 1;
        part.n_slots = end->slot + end->n_slots;
        assert_true(nn_exec_init(&run, backend, &part, &how, &err));
        run.backend->set(run.self, f.values);
        check_activations(&t, row, run.backend->forward(run.self, x, NULL), nn_shape_size(end->shape));
        nn_exec_release(&run);
    }
    free(x);
    keras_release(&f);
    nn_graph_release(&g);
    csv_release(&t);
}

static void test_nothing_with_weights(void **state)
{
    (void)state;
    struct hdf5_layer l = {"input_1", 0, 0};
    struct hdf5_weights w = {.layer = &l, .n_layers = 1};
    refuse(&w, NULL, "none of its 1 layers has weights");
}

#define WITH(make, test) cmocka_unit_test_setup_teardown(test, make, drop)

int main(void)
{
    const struct CMUnitTest unet[] = {
        cmocka_unit_test(test_unet_there_and_back),
        cmocka_unit_test(test_axes_of_kernels),
        cmocka_unit_test(test_layers_without_weights),
        cmocka_unit_test(test_theano),
        cmocka_unit_test(test_last_norm),
        cmocka_unit_test(test_unet_refused),
    };
    const struct CMUnitTest resnet[] = {
        WITH(make_resnet, test_resnet_there_and_back),
        WITH(make_resnet, test_resnet_in_any_order),
        WITH(make_resnet, test_names_of_keras_1),
        WITH(make_resnet, test_model_in_a_model),
        WITH(make_resnet, test_resnet_without_head),
        WITH(make_resnet, test_resnet_refused),
        cmocka_unit_test(test_naming_of_2018),
        cmocka_unit_test(test_depths),
        {"genuine, ref", test_genuine_activations, NULL, NULL, (void *)&nn_backend_ref},
        {"genuine, onednn", test_genuine_activations, NULL, NULL, (void *)&nn_backend_onednn},
        cmocka_unit_test(test_nothing_with_weights),
    };
    return cmocka_run_group_tests(unet, make_unet, drop) + cmocka_run_group_tests(resnet, NULL, NULL);
}
