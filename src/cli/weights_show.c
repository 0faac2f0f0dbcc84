#include "cli/weights_show.h"

#include "base/file.h"
#include "cli/weights_file.h"
#include "io/safetensors.h"
#include "model/keras.h"

#include <stdio.h>

enum { SHAPES = 160, NAME_WIDTH = 32, SHAPE_WIDTH = 44 };

static size_t add_shape(char text[SHAPES], size_t at, const size_t *dim, int rank)
{
    at += (size_t)snprintf(text + at, SHAPES - at, "%s", at ? ", " : "");
    for (int i = 0; i < rank && at < SHAPES - 24; i++)
        at += (size_t)snprintf(text + at, SHAPES - at, "%s%zu", i ? "x" : "", dim[i]);
    return at;
}

static void print_row(const char *name, const char *shapes, size_t count)
{
    printf("%-*s  %-*s %12zu\n", NAME_WIDTH, name, SHAPE_WIDTH, shapes, count);
}

static void print_fit(const struct hdf5_weights *w)
{
    struct keras_fit f = KERAS_FIT_INIT;
    struct err err = ERR_INIT;

    if (keras_fit(&f, w, NULL, &err)) {
        printf("Fits: ");
        weights_print_network(&f.told);
        printf("%s%s\n", f.folded ? "; the batch norm at its end is folded into the last convolution" : "",
               f.flipped ? "; Theano's kernels are turned round" : "");
    } else {
        printf("Fits no network: %s\n", err.text);
    }
    keras_release(&f);
}

static bool show_hdf5(const char *path, struct err *err)
{
    struct hdf5_weights w = HDF5_WEIGHTS_INIT;
    size_t with = 0;

    if (!hdf5_read(&w, path, err))
        return false;
    printf("Keras %s, backend %s%s\n", *w.keras_version ? w.keras_version : "1 (no version told)",
           *w.backend ? w.backend : "not told", w.whole_model ? ", a whole model" : "");
    for (size_t i = 0; i < w.n_layers; i++) {
        const struct hdf5_layer *l = &w.layer[i];
        char shapes[SHAPES] = "";
        size_t count = 0, at = 0;
        for (size_t k = l->first; k < l->first + l->count && at < SHAPES - 24; k++)
            at = add_shape(shapes, at, w.array[k].dim, w.array[k].rank);
        for (size_t k = l->first; k < l->first + l->count; k++)
            count += w.array[k].count;
        with += l->count > 0;
        if (l->count > 0)
            print_row(l->name, shapes, count);
    }
    printf("%zu layers, %zu with weights, %zu arrays, %zu numbers\n", w.n_layers, with, w.n_arrays,
           w.n_values);
    print_fit(&w);
    hdf5_release(&w);
    return true;
}

static bool show_safetensors(const char *path, struct err *err)
{
    struct safetensors s = SAFETENSORS_INIT;
    struct weights w = WEIGHTS_INIT;
    struct err why = ERR_INIT;
    size_t numbers = 0;

    if (!safetensors_open(&s, path, err))
        return false;
    for (size_t i = 0; i < s.count; i++) {
        char shape[SHAPES] = "";
        add_shape(shape, 0, s.tensor[i].dim, s.tensor[i].rank);
        print_row(s.tensor[i].name, shape, s.tensor[i].count);
        numbers += s.tensor[i].count;
    }
    printf("%zu arrays, %zu numbers\n", s.count, numbers);
    safetensors_close(&s);
    if (weights_read_file(&w, path, &why)) {
        printf("Fits: ");
        weights_print_network(&w.told);
        printf("\n");
    } else {
        printf("Fits no network: %s\n", why.text);
    }
    weights_release(&w);
    return true;
}

bool weights_show(const char *path, struct err *err)
{
    return file_has_ext(path, "safetensors") ? show_safetensors(path, err) : show_hdf5(path, err);
}
