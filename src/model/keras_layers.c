#include "model/keras_layers.h"

#include "base/mem.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Every name Keras 1 and 2 have had for a weight, and its place among the layer's slots. */
static const struct {
    const char *name;
    size_t place;
    bool of_norm;
} PARTS[] = {
    {"kernel", 0, false},
    {"W", 0, false},
    {"bias", 1, false},
    {"b", 1, false},
    {"gamma", 0, true},
    {"beta", 1, true},
    {"moving_mean", 2, true},
    {"running_mean", 2, true},
    {"moving_variance", 3, true},
    {"running_std", 3, true},
    {"running_variance", 3, true},
};

/* "conv1/kernel:0" -> "kernel"; "conv1_W_1:0" of layer "conv1" -> "W". */
static void part_name(char out[HDF5_NAME], const char *array, const char *layer)
{
    const char *last = strrchr(array, '/');
    const char *from = last ? last + 1 : array;
    const size_t prefix = strlen(layer);

    if (!strncmp(from, layer, prefix) && from[prefix] == '_')
        from += prefix + 1;
    snprintf(out, HDF5_NAME, "%.*s", (int)strcspn(from, ":"), from);
    size_t end = strlen(out);
    while (end > 0 && isdigit((unsigned char)out[end - 1]))
        end--;
    if (end > 1 && out[end] && out[end - 1] == '_')
        out[end - 1] = 0;
}

/* Puts parts whose names are known into their places. False where a name is unknown or comes twice. */
static bool sort_parts(struct keras_layer *l)
{
    const struct hdf5_array *sorted[NN_SLOTS_A_NODE] = {NULL};
    const bool norm = l->n_parts == 4;
    char name[HDF5_NAME];

    for (size_t i = 0; i < l->n_parts; i++) {
        bool known = false;
        part_name(name, l->part[i]->name, l->name);
        for (size_t k = 0; !known && k < sizeof PARTS / sizeof *PARTS; k++)
            if (PARTS[k].of_norm == norm && !strcmp(PARTS[k].name, name) && !sorted[PARTS[k].place]) {
                sorted[PARTS[k].place] = l->part[i];
                known = true;
            }
        if (!known)
            return false;
    }
    memcpy(l->part, sorted, sizeof sorted);
    return true;
}

static enum keras_kind kind_of(const struct keras_layer *l)
{
    if (l->n_parts == 2 && l->part[0]->rank == 4 && l->part[1]->rank == 1)
        return KERAS_CONV;
    if (l->n_parts == 2 && l->part[0]->rank == 2 && l->part[1]->rank == 1)
        return KERAS_DENSE;
    if (l->n_parts == 4 && l->part[0]->rank == 1 && l->part[3]->rank == 1)
        return KERAS_NORM;
    return KERAS_OTHER;
}

static struct keras_layer *layer_of(struct keras_layers *to, const char *name, size_t length, size_t first)
{
    for (size_t i = first; i < to->count; i++)
        if (!strncmp(to->layer[i].name, name, length) && !to->layer[i].name[length])
            return &to->layer[i];
    struct keras_layer *l = &to->layer[to->count++];
    memcpy(l->name, name, length);
    return l;
}

/* "outer/conv1/kernel:0" belongs to "conv1". Keras lists what is trained first and moving statistics last, so
 * that a layer's arrays lie apart. */
static void take_apart(struct keras_layers *to, const struct hdf5_weights *w, const struct hdf5_layer *l)
{
    const size_t first = to->count;

    for (size_t i = l->first; i < l->first + l->count; i++) {
        const struct hdf5_array *a = &w->array[i];
        const char *end = strrchr(a->name, '/');
        const char *from = end ? end : a->name;
        while (end && from > a->name && from[-1] != '/')
            from--;
        struct keras_layer *part = end ? layer_of(to, from, (size_t)(end - from), first)
                                       : layer_of(to, l->name, strlen(l->name), first);
        if (part->n_parts < NN_SLOTS_A_NODE)
            part->part[part->n_parts] = a;
        part->n_parts++;
    }
}

void keras_layers_read(struct keras_layers *out, const struct hdf5_weights *w)
{
    *out = (struct keras_layers){mem_new(w->n_arrays + 1, sizeof *out->layer), 0};
    for (size_t i = 0; i < w->n_layers; i++) {
        const struct hdf5_layer *from = &w->layer[i];
        if (from->count > NN_SLOTS_A_NODE) {
            take_apart(out, w, from);
        } else if (from->count > 0) {
            struct keras_layer *l = &out->layer[out->count++];
            memcpy(l->name, from->name, sizeof l->name);
            for (l->n_parts = 0; l->n_parts < from->count; l->n_parts++)
                l->part[l->n_parts] = &w->array[from->first + l->n_parts];
        }
    }
    for (size_t i = 0; i < out->count; i++) {
        struct keras_layer *l = &out->layer[i];
        l->kind = KERAS_OTHER;
        if (l->n_parts == 2 || l->n_parts == 4) {
            sort_parts(l); /* unknown names: the order is Keras' own, kernel before bias, gamma before beta */
            l->kind = kind_of(l);
        }
    }
}

struct keras_layer *keras_layers_find(const struct keras_layers *l, const char *name)
{
    for (size_t i = 0; i < l->count; i++)
        if (!strcmp(l->layer[i].name, name))
            return &l->layer[i];
    return NULL;
}

void keras_name_2018(char out[NN_NAME], const char *name)
{
    static const char *const BRANCHES[] = {"1", "2a", "2b", "2c"};
    const bool norm = !strncmp(name, "bn", 2);
    int stage, block = 0, used = 0;
    char letter, branch[4];

    snprintf(out, NN_NAME, "%s", name);
    if (!strcmp(name, "conv1") || !strcmp(name, "bn_conv1")) {
        snprintf(out, NN_NAME, "conv1_%s", norm ? "bn" : "conv");
        return;
    }
    if (sscanf(name, norm ? "bn%1d%c%n" : "res%1d%c%n", &stage, &letter, &used) != 2)
        return;
    const char *rest = name + used;
    block = letter - 'a';
    if (isdigit((unsigned char)*rest)) {
        block = (int)strtol(rest, NULL, 10);
        rest += strspn(rest, "0123456789");
    }
    if (sscanf(rest, "_branch%3s", branch) != 1)
        return;
    for (int i = 0; i < 4; i++)
        if (!strcmp(branch, BRANCHES[i]))
            snprintf(out, NN_NAME, "conv%d_block%d_%d_%s", stage, block + 1, i, norm ? "bn" : "conv");
}
