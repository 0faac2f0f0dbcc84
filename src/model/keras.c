/* model/keras.c: see keras.h. First the network is recognised, then every layer of it looks for its numbers.
 */
#include "model/keras.h"

#include "base/mem.h"
#include "model/keras_layers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { USUAL_SIZE = 224, SHAPE_TEXT = 96, FEATURES = 2048 /* of every ResNet here */ };

static const double EPSILON_2015 = 1e-3, EPSILON_2018 = 1.001e-5;

struct fitting {
    struct keras_layers layers;
    const struct hdf5_weights *w;
    struct keras_options options;
    struct keras_fit fit;
    bool names_2018;
};

/* ---- Which network ---- */

/* The deepest ResNet of which the file has the last block of stage 4. */
static const struct model *which_depth(const struct keras_layers *l, bool names_2018)
{
    static const struct {
        const struct model *model;
        const char *layer;
    } last[] = {{&model_resnet152, "res4b35_branch2a"}, {&model_resnet101, "res4b22_branch2a"}};

    for (size_t i = 0; i < sizeof last / sizeof *last; i++) {
        char name[NN_NAME];
        snprintf(name, sizeof name, "%s", last[i].layer);
        if (names_2018)
            keras_name_2018(name, last[i].layer);
        if (keras_layers_find(l, name))
            return last[i].model;
    }
    return &model_resnet50;
}

static size_t count_kind(const struct keras_layers *l, enum keras_kind kind)
{
    size_t n = 0;
    for (size_t i = 0; i < l->count; i++)
        n += l->layer[i].kind == kind;
    return n;
}

/* Channels of the images a convolution takes: kernels are [kh, kw, in, out], or [out, in, kh, kw] where that
 * is square at its end only. */
static int input_channels(const struct keras_layer *l)
{
    const struct hdf5_array *k = l && l->kind == KERAS_CONV ? l->part[0] : NULL;

    if (!k)
        return 0;
    const size_t channels = k->dim[0] == k->dim[1] ? k->dim[2] : k->dim[1];
    return channels > 0 && channels <= 1024 ? (int)channels : 0;
}

/* The first dense layer, whatever it is called. */
static struct keras_layer *find_dense(const struct keras_layers *l)
{
    for (size_t i = 0; i < l->count; i++)
        if (l->layer[i].kind == KERAS_DENSE)
            return &l->layer[i];
    return NULL;
}

static void recognise_resnet(struct fitting *f, bool names_2018)
{
    struct model_told *t = &f->fit.told;
    const struct keras_layer *first = keras_layers_find(&f->layers, names_2018 ? "conv1_conv" : "conv1");

    f->names_2018 = names_2018;
    t->model = which_depth(&f->layers, names_2018);
    t->options.epsilon = names_2018 ? EPSILON_2018 : EPSILON_2015;
    t->options.classes = MODEL_NO_HEAD;
    const struct keras_layer *dense = find_dense(&f->layers);
    if (dense && dense->part[0]->dim[0] == FEATURES && dense->part[0]->dim[1] > 0)
        t->options.classes = (int)dense->part[0]->dim[1];
    t->input.c = input_channels(first);
}

static bool recognise(struct fitting *f, struct err *err)
{
    struct model_told *t = &f->fit.told;
    const struct keras_layers *l = &f->layers;
    const struct model *wanted = f->options.network;

    if (l->count == 0)
        return err_set(err, ERR_INPUT, "none of its %zu layers has weights", f->w->n_layers);
    t->input = (struct nn_shape){0, USUAL_SIZE, USUAL_SIZE};
    if (keras_layers_find(l, "res2a_branch2a") || keras_layers_find(l, "conv2_block1_1_conv")) {
        recognise_resnet(f, !keras_layers_find(l, "res2a_branch2a"));
    } else if (wanted == &model_unet_224 ||
               (count_kind(l, KERAS_CONV) == 23 && count_kind(l, KERAS_NORM) >= 22)) {
        t->model = &model_unet_224;
        t->input.c = input_channels(&l->layer[0]);
    } else {
        return err_set(err, ERR_INPUT,
                       "weights of no network known here: %zu layers with weights, the first is '%.60s'",
                       l->count, l->layer[0].name);
    }
    if (wanted && wanted != t->model)
        return err_set(err, ERR_INPUT, "weights of %s, not of %s", t->model->title, wanted->title);
    if (t->input.c == 0)
        return err_set(err, ERR_INPUT, "like %s, but it does not begin with a convolution", t->model->title);
    return true;
}

/* ---- Its numbers ---- */

static void array_text(char text[SHAPE_TEXT], const size_t *dim, int rank)
{
    int at = snprintf(text, SHAPE_TEXT, "[");
    for (int i = 0; i < rank && at < SHAPE_TEXT - 24; i++)
        at += snprintf(text + at, SHAPE_TEXT - (size_t)at, "%s%zu", i ? ", " : "", dim[i]);
    snprintf(text + at, SHAPE_TEXT - (size_t)at, "]");
}

static bool shape_is(const struct hdf5_array *a, int rank, const size_t *dim)
{
    return a->rank == rank && !memcmp(a->dim, dim, (size_t)rank * sizeof *dim);
}

/* The shape a slot's numbers have in Keras. */
static void keras_shape(size_t dim[4], const struct nn_slot *s)
{
    static const int ORDER[5][4] = {{0}, {0}, {1, 0}, {0}, {2, 3, 1, 0}};

    for (int i = 0; i < s->rank; i++)
        dim[i] = (size_t)s->dim[ORDER[s->rank][i]];
}

static bool other_shape(const struct hdf5_array *a, const struct nn_slot *s, struct err *err)
{
    char have[SHAPE_TEXT], want[SHAPE_TEXT];
    size_t dim[4];

    keras_shape(dim, s);
    array_text(have, a->dim, a->rank);
    array_text(want, dim, s->rank);
    return err_set(err, ERR_INPUT, "'%.80s' is %s, %s should be %s", a->name, have, s->name, want);
}

/* [kh, kw, in, out], or with a flag [out, in, kh, kw], to the latter; flip turns each window by half a turn.
 */
static void copy_kernel(float *to, const float *from, const struct nn_slot *s, bool same_axes, bool flip)
{
    const size_t out = (size_t)s->dim[0], in = (size_t)s->dim[1],
                 area = (size_t)s->dim[2] * (size_t)s->dim[3];

    for (size_t o = 0; o < out; o++)
        for (size_t i = 0; i < in; i++)
            for (size_t p = 0; p < area; p++) {
                const size_t q = flip ? area - 1 - p : p;
                to[(o * in + i) * area + p] =
                    same_axes ? from[(o * in + i) * area + q] : from[(q * in + i) * out + o];
            }
}

static bool take_kernel(struct fitting *f, const struct nn_slot *s, const struct hdf5_array *a,
                        struct err *err)
{
    const size_t theirs[4] = {(size_t)s->dim[2], (size_t)s->dim[3], (size_t)s->dim[1], (size_t)s->dim[0]};
    const size_t theano[4] = {(size_t)s->dim[0], (size_t)s->dim[1], (size_t)s->dim[2], (size_t)s->dim[3]};
    const bool same_axes = !shape_is(a, 4, theirs);

    if (same_axes && !shape_is(a, 4, theano))
        return other_shape(a, s, err);
    const bool flip = !strcmp(f->w->backend, "theano") || (same_axes && !*f->w->backend);
    f->fit.flipped |= flip;
    copy_kernel(f->fit.values + s->offset, f->w->values + a->at, s, same_axes, flip);
    return true;
}

static bool check_numbers(const float *v, const struct nn_slot *s, const struct hdf5_array *a,
                          struct err *err)
{
    for (size_t i = 0; i < s->count; i++) {
        if (!isfinite(v[i]))
            return err_set(err, ERR_INPUT, "'%.80s' holds a number that is not finite", a->name);
        if (s->role == NN_VARIANCE && v[i] < 0)
            return err_set(err, ERR_INPUT, "'%.80s' holds a variance below 0", a->name);
    }
    return true;
}

static bool take_slot(struct fitting *f, const struct nn_slot *s, const struct hdf5_array *a, struct err *err)
{
    float *to = f->fit.values + s->offset;
    const float *from = f->w->values + a->at;
    size_t dim[4];

    keras_shape(dim, s);
    if (s->rank == 4) {
        if (!take_kernel(f, s, a, err))
            return false;
    } else if (!shape_is(a, s->rank, dim)) {
        return other_shape(a, s, err);
    } else if (s->rank == 2) {
        for (size_t u = 0; u < dim[1]; u++)
            for (size_t i = 0; i < dim[0]; i++)
                to[u * dim[0] + i] = from[i * dim[1] + u];
    } else {
        memcpy(to, from, s->count * sizeof *to);
    }
    return check_numbers(to, s, a, err);
}

static bool take_layer(struct fitting *f, const struct nn_node *node, struct keras_layer *l, struct err *err)
{
    static const enum nn_op OPS[] = {[KERAS_CONV] = NN_CONV2D,
                                     [KERAS_DENSE] = NN_DENSE,
                                     [KERAS_NORM] = NN_BATCHNORM,
                                     [KERAS_OTHER] = NN_INPUT};
    bool ok = OPS[l->kind] == node->op;

    if (!ok)
        err_set(err, ERR_INPUT, "its %zu arrays are not those of a %s", l->n_parts, nn_op_name(node->op));
    l->used = true;
    for (size_t i = 0; ok && i < (size_t)node->n_slots; i++)
        ok = take_slot(f, &f->fit.graph.slot[node->slot + (int)i], l->part[i], err);
    return ok || err_at(err, "layer '%.60s'", l->name);
}

static struct keras_layer *find_named(const struct fitting *f, const struct nn_node *node)
{
    char name[NN_NAME];

    if (node->op == NN_DENSE)
        return find_dense(&f->layers);
    snprintf(name, sizeof name, "%s", node->name);
    if (f->names_2018)
        keras_name_2018(name, node->name);
    return keras_layers_find(&f->layers, name);
}

static bool take_named(struct fitting *f, struct err *err)
{
    const struct nn_graph *g = &f->fit.graph;

    for (nn_id id = 0; id < g->n_nodes; id++) {
        const struct nn_node *node = &g->node[id];
        if (node->n_slots == 0)
            continue;
        struct keras_layer *l = find_named(f, node);
        if (l && !take_layer(f, node, l, err))
            return false;
        if (!l && !f->options.partial)
            return err_set(err, ERR_INPUT, "like %s, but without a layer '%s'", f->fit.told.model->title,
                           node->name);
        f->fit.missing_layers += !l;
    }
    for (size_t i = 0; i < f->layers.count; i++)
        if (!f->layers.layer[i].used)
            return err_set(err, ERR_INPUT, "like %s, but with a layer '%.60s'", f->fit.told.model->title,
                           f->layers.layer[i].name);
    return true;
}

/* mask = norm(convolution) is a convolution with other numbers. */
static bool fold_last_norm(struct fitting *f, const struct keras_layer *norm, struct err *err)
{
    const struct nn_slot *kernel = nn_graph_slot(&f->fit.graph, "mask/kernel");
    const struct nn_slot *bias = nn_graph_slot(&f->fit.graph, "mask/bias");
    double v[4];

    for (int i = 0; i < 4; i++) {
        const struct hdf5_array *a = norm->part[i];
        if (a->count != 1 || !isfinite(f->w->values[a->at]))
            return err_set(err, ERR_INPUT, "like %s, but its last layer '%.60s' does not fit",
                           f->fit.told.model->title, norm->name);
        v[i] = (double)f->w->values[a->at];
    }
    if (v[3] < 0)
        return err_set(err, ERR_INPUT, "'%.80s' holds a variance below 0", norm->part[3]->name);
    const double scale = v[0] / sqrt(v[3] + EPSILON_2015);
    float *values = f->fit.values;
    for (size_t i = 0; i < kernel->count; i++)
        values[kernel->offset + i] = (float)((double)values[kernel->offset + i] * scale);
    values[bias->offset] = (float)(((double)values[bias->offset] - v[2]) * scale + v[1]);
    f->fit.folded = true;
    return true;
}

static bool take_ordered(struct fitting *f, struct err *err)
{
    const struct nn_graph *g = &f->fit.graph;
    const char *title = f->fit.told.model->title;
    size_t next = 0, wanted = 0;

    for (nn_id id = 0; id < g->n_nodes; id++)
        wanted += g->node[id].n_slots > 0;
    const bool old = f->layers.count == wanted + 1 && f->layers.layer[wanted].kind == KERAS_NORM;
    if (f->layers.count != wanted && !old)
        return err_set(err, ERR_INPUT, "%zu layers with weights; %s has %zu", f->layers.count, title, wanted);
    for (nn_id id = 0; id < g->n_nodes; id++)
        if (g->node[id].n_slots > 0 && !take_layer(f, &g->node[id], &f->layers.layer[next++], err))
            return false;
    return !old || fold_last_norm(f, &f->layers.layer[wanted], err);
}

void keras_release(struct keras_fit *f)
{
    nn_graph_release(&f->graph);
    free(f->values);
    *f = (struct keras_fit)KERAS_FIT_INIT;
}

bool keras_fit(struct keras_fit *out, const struct hdf5_weights *w, const struct keras_options *options,
               struct err *err)
{
    struct fitting f = {.w = w, .fit = KERAS_FIT_INIT};
    bool ok = false;

    if (options)
        f.options = *options;
    keras_layers_read(&f.layers, w);
    if (!recognise(&f, err))
        goto out;
    model_build(f.fit.told.model, &f.fit.graph, f.fit.told.input, &f.fit.told.options);
    f.fit.values = mem_new(f.fit.graph.n_values, sizeof *f.fit.values);
    if (f.options.partial)
        nn_graph_init_values(&f.fit.graph, f.fit.values, 0);
    ok = f.fit.told.model->build_as ? take_named(&f, err) : take_ordered(&f, err);
    if (ok) {
        keras_release(out);
        *out = f.fit;
        f.fit = (struct keras_fit)KERAS_FIT_INIT;
    }
out:
    keras_release(&f.fit);
    free(f.layers.layer);
    return ok;
}

/* ---- Writing ---- */

struct writing {
    struct hdf5_weights w;
    const struct nn_graph *g;
    const float *values;
    float *numbers; /* w.values */
    int convolutions, norms;
};

static void put_numbers(float *to, const float *from, const struct nn_slot *s)
{
    const size_t out = (size_t)s->dim[0], in = (size_t)s->dim[1],
                 area = (size_t)s->dim[2] * (size_t)s->dim[3];

    if (s->rank == 1) {
        memcpy(to, from, s->count * sizeof *to);
        return;
    }
    for (size_t p = 0; p < area; p++)
        for (size_t i = 0; i < in; i++)
            for (size_t o = 0; o < out; o++)
                to[(p * in + i) * out + o] = from[(o * in + i) * area + p];
}

static void put_layer(struct writing *wr, const struct nn_node *node, const char *name)
{
    struct hdf5_layer *l = &wr->w.layer[wr->w.n_layers++];

    snprintf(l->name, sizeof l->name, "%s", name);
    l->first = wr->w.n_arrays;
    l->count = (size_t)node->n_slots;
    for (int i = node->slot; i < node->slot + node->n_slots; i++) {
        const struct nn_slot *s = &wr->g->slot[i];
        struct hdf5_array *a = &wr->w.array[wr->w.n_arrays++];
        snprintf(a->name, sizeof a->name, "%.*s/%s:0", NN_NAME, name, strrchr(s->name, '/') + 1);
        a->rank = s->rank;
        keras_shape(a->dim, s);
        a->count = s->count;
        a->at = wr->w.n_values;
        put_numbers(wr->numbers + a->at, wr->values + s->offset, s);
        wr->w.n_values += a->count;
    }
}

/* The names Keras' own code would give. */
static void layer_name(char out[NN_NAME], struct writing *wr, const struct model_told *t,
                       const struct nn_node *node)
{
    const bool names_2018 =
        t->options.epsilon > 0 ? t->options.epsilon < EPSILON_2015 / 2 : t->model->epsilon < EPSILON_2015 / 2;

    snprintf(out, NN_NAME, "%s", node->name);
    if (!t->model->build_as && node->op == NN_CONV2D)
        snprintf(out, NN_NAME, "conv2d_%d", ++wr->convolutions);
    else if (!t->model->build_as && node->op == NN_BATCHNORM)
        snprintf(out, NN_NAME, "batch_normalization_%d", ++wr->norms);
    else if (names_2018 && node->op == NN_DENSE)
        snprintf(out, NN_NAME, "probs");
    else if (names_2018)
        keras_name_2018(out, node->name);
}

/* The later naming lists a block's shortcut (0) before its last convolution (3), and the norms alike; the
 * graph has them the other way round: exchanges neighbours of which the first ends in _3_ and the second in
 * _0_. */
static void sort_shortcuts(struct hdf5_weights *w)
{
    for (size_t i = 0; i + 1 < w->n_layers; i++) {
        const struct hdf5_layer l = w->layer[i];
        if (strstr(l.name, "_3_") && strstr(w->layer[i + 1].name, "_0_")) {
            w->layer[i] = w->layer[i + 1];
            w->layer[i + 1] = l;
        }
    }
}

bool keras_write(const char *path, const struct model_told *told, const struct nn_graph *g,
                 const float *values, struct err *err)
{
    struct writing wr = {.w = HDF5_WEIGHTS_INIT, .g = g, .values = values};
    char name[NN_NAME];

    wr.w.layer = mem_new((size_t)g->n_nodes, sizeof *wr.w.layer);
    wr.w.array = mem_new((size_t)g->n_slots, sizeof *wr.w.array);
    wr.w.values = wr.numbers = mem_new(g->n_values, sizeof *wr.numbers);
    snprintf(wr.w.backend, sizeof wr.w.backend, "tensorflow");
    snprintf(wr.w.keras_version, sizeof wr.w.keras_version, "2.2.4");
    for (nn_id id = 0; id < g->n_nodes; id++)
        if (g->node[id].n_slots > 0) {
            layer_name(name, &wr, told, &g->node[id]);
            put_layer(&wr, &g->node[id], name);
        }
    sort_shortcuts(&wr.w);
    const bool ok = hdf5_write(path, &wr.w, NULL, err);
    free(wr.w.layer);
    free(wr.w.array);
    free(wr.numbers);
    return ok;
}
