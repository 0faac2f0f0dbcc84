/* A convolution of [upsampled x, skip] without upsampling and without concatenation.
 *
 * Where u repeats every pixel of x twice each way, a 3 x 3 convolution of u (stride 1, zeros around) is a
 * transposed 4 x 4 convolution of x (stride 2, pad 1): along one axis pixel a of x lies at 2a and 2a + 1 of
 * u, so tap k of the kernel carries it to 2a + 1 - k and 2a + 2 - k, and a transposed kernel of 4 carries it
 * with tap t to 2a - 1 + t. Hence K4[t] = sum of K3[k] over k with t = 2 - k or t = 3 - k, and the gradient
 * of K3[k] is the sum of K4's over the same pairs. Both are exact, borders included; 16 products take the
 * place of 36.
 *
 * A transposed convolution is what a convolution from y to x does to its gradient: its layer is described
 * that way round, and its kernel is [channels of x, filters, 4, 4]. */
#include "nn/onednn_lower.h"

#include <stdio.h>
#include <string.h>

/* ---- kernels ---- */

enum { PLAIN = 3, TAPS = PLAIN * PLAIN, FOLDED_TAPS = ONEDNN_FOLDED * ONEDNN_FOLDED };

size_t onednn_weights_count(const struct onednn_weights *w)
{
    const int *d = w->slot->dim;
    size_t taps = w->folded ? FOLDED_TAPS : (size_t)(d[2] * d[3]);
    return (size_t)d[0] * (size_t)w->channels * taps;
}

bool onednn_weights_whole(const struct onednn_weights *w)
{
    return !w->folded && w->first == 0 && w->channels == w->slot->dim[1];
}

/* Floats from the kernel of filter f and channel c (of the part) to the slot's begin. */
static size_t plain_at(const struct onednn_weights *w, int f, int c)
{
    const int *d = w->slot->dim;
    return ((size_t)f * (size_t)d[1] + (size_t)(w->first + c)) * (size_t)(d[2] * d[3]);
}

static size_t folded_at(const struct onednn_weights *w, int f, int c)
{
    return ((size_t)c * (size_t)w->slot->dim[0] + (size_t)f) * FOLDED_TAPS;
}

static void fold(const float *k3, float *k4)
{
    float rows[PLAIN][ONEDNN_FOLDED];
    for (int y = 0; y < PLAIN; y++) {
        const float *k = k3 + (size_t)y * PLAIN;
        rows[y][0] = k[2];
        rows[y][1] = k[1] + k[2];
        rows[y][2] = k[0] + k[1];
        rows[y][3] = k[0];
    }
    for (int x = 0; x < ONEDNN_FOLDED; x++) {
        k4[x] = rows[2][x];
        k4[4 + x] = rows[1][x] + rows[2][x];
        k4[8 + x] = rows[0][x] + rows[1][x];
        k4[12 + x] = rows[0][x];
    }
}

static void unfold(const float *d4, float *d3)
{
    for (int y = 0; y < PLAIN; y++) {
        for (int x = 0; x < PLAIN; x++) {
            const float *d = d4 + (size_t)(PLAIN - 1 - y) * ONEDNN_FOLDED + (PLAIN - 1 - x);
            d3[y * PLAIN + x] = (d[0] + d[1]) + (d[ONEDNN_FOLDED] + d[ONEDNN_FOLDED + 1]);
        }
    }
}

enum { TILE = 16 }; /* filters and channels at a time, so that both sides are read and written in runs */

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

/* Every folded kernel from those of the slot; below, every gradient of those from the folded ones. */
static void fold_all(const struct onednn_weights *w, const float *k3, float *k4)
{
    const int filters = w->slot->dim[0];
#pragma omp parallel for schedule(static)
    for (int f0 = 0; f0 < filters; f0 += TILE)
        for (int c0 = 0; c0 < w->channels; c0 += TILE)
            for (int c = c0; c < smaller(c0 + TILE, w->channels); c++)
                for (int f = f0; f < smaller(f0 + TILE, filters); f++)
                    fold(k3 + plain_at(w, f, c), k4 + folded_at(w, f, c));
}

static void unfold_all(const struct onednn_weights *w, const float *d4, float *d3)
{
    const int filters = w->slot->dim[0];
#pragma omp parallel for schedule(static)
    for (int f0 = 0; f0 < filters; f0 += TILE)
        for (int c0 = 0; c0 < w->channels; c0 += TILE)
            for (int f = f0; f < smaller(f0 + TILE, filters); f++)
                for (int c = c0; c < smaller(c0 + TILE, w->channels); c++)
                    unfold(d4 + folded_at(w, f, c), d3 + plain_at(w, f, c));
}

void onednn_weights_take(const struct onednn_weights *w, const float *kernel, float *part)
{
    size_t row = (size_t)w->channels * TAPS;
    if (w->folded)
        fold_all(w, kernel, part);
    for (int f = 0; f < w->slot->dim[0] && !w->folded; f++)
        memcpy(part + (size_t)f * row, kernel + plain_at(w, f, 0), row * sizeof *part);
}

void onednn_weights_gradient(const struct onednn_job *j, const struct onednn_run *r)
{
    const struct onednn_weights *w = &j->weights;
    const float *part = j->at[AT_X].at;
    float *grads = r->grads + w->slot->offset;
    size_t row = (size_t)w->channels * TAPS;
    if (w->folded)
        unfold_all(w, part, grads);
    for (int f = 0; f < w->slot->dim[0] && !w->folded; f++)
        memcpy(grads + plain_at(w, f, 0), part + (size_t)f * row, row * sizeof *part);
}

/* ---- which ---- */

static bool reads_alone(const struct onednn_lowering *l, nn_id reader, nn_id x)
{
    return l->reader[x] == reader;
}

bool onednn_can_fold(const struct onednn_lowering *l, nn_id conv)
{
    /* recorded one after the other, so that nobody changes x between */
    nn_id both = conv - 1, up = conv - 2;
    if (up < 0 || l->g->node[conv].op != NN_CONV2D || l->g->node[both].op != NN_CONCAT ||
        l->g->node[up].op != NN_UPSAMPLE || !reads_alone(l, conv, both) || !reads_alone(l, both, up))
        return false;
    const struct nn_conv *c = &l->g->node[conv].u.conv;
    const nn_id *in = l->g->node[both].in;
    return in[0] == up && l->g->node[up].u.factor == 2 && c->kernel == PLAIN && c->stride == 1 &&
           c->pad == 1 && onednn_block(l, up) > 1 && onednn_block(l, in[1]) > 1 && onednn_block(l, conv) > 1;
}

/* The two convolutions of a unit: of the skip, which adds to what is there, and the transposed one. */
static void split(struct onednn_lowering *l, const struct onednn_unit *u, struct onednn_layer *skip,
                  struct onednn_layer *up)
{
    const struct nn_shape x = onednn_shape(l, u->in[0]);
    *skip = *up = onednn_layer_of(l, u);
    skip->in = onednn_shape(l, u->in[1]);
    skip->block_in = onednn_block(l, u->in[1]);
    skip->weights.first = x.c;
    skip->weights.channels = skip->in.c;
    skip->sum = true;
    up->conv = (struct nn_conv){.filters = x.c, .kernel = ONEDNN_FOLDED, .stride = 2, .pad = 1};
    up->in = up->out;
    up->out = x;
    up->block_in = up->block_out;
    up->block_out = onednn_block(l, u->in[0]);
    up->weights.channels = x.c;
    up->weights.folded = up->transposed = true;
    up->bias = NULL;
    up->sum = up->relu = up->bias_gradient = false;
}

/* ---- does it pay? ---- */

/* The cheaper products win where planes are large; in small ones Winograd of the whole is as good. */
static bool pays_by_rule(const struct onednn_lowering *l, nn_id conv)
{
    enum { LARGE_SIDE = 112 };
    return onednn_shape(l, conv).h >= LARGE_SIDE;
}

/* Seconds of every pass of a convolution; forward alone in inference. */
static double all_passes(struct onednn *o, const struct onednn_layer *l)
{
    double sum = 0;
    for (int pass = 0; pass < ONEDNN_PASSES; pass++)
        if (!l->inference || pass == (l->transposed ? ONEDNN_BACKWARD_DATA : ONEDNN_FORWARD))
            sum += onednn_conv_seconds(o, l, (enum onednn_pass)pass);
    return sum;
}

/* How long the products may take, the whole convolution's being 1. Nothing is upsampled, nothing copied and
 * nothing of all that kept: where planes are large, whole steps of the U-Net took no longer even where the
 * products did, in two thirds of the memory. Where they are small little is kept, and the folded kernels,
 * which are larger, have to be made. */
static double allowance(const struct onednn_lowering *l, nn_id conv)
{
    enum { LARGE_SIDE = 56 };
    return onednn_shape(l, conv).h >= LARGE_SIDE ? 1.4 : .75;
}

static bool is_better(struct onednn_lowering *l, nn_id conv)
{
    const nn_id both = conv - 1, *in = l->g->node[both].in;
    struct onednn_unit plain = {.op = NN_CONV2D, .id = conv, .in = {both}, .n_in = 1, .out = conv},
                       folded = plain;
    struct onednn_layer whole = onednn_layer_of(l, &plain), skip, up;
    folded.in[0] = l->g->node[in[0]].in[0];
    folded.in[1] = in[1];
    split(l, &folded, &skip, &up);
    return all_passes(l->o, &up) + all_passes(l->o, &skip) <= allowance(l, conv) * all_passes(l->o, &whole);
}

bool onednn_fold_pays(struct onednn_lowering *l, nn_id conv)
{
    const struct nn_compile *how = &l->o->how;
    const struct nn_shape x = onednn_shape(l, conv - 2), y = onednn_shape(l, conv);
    char what[NN_CHOICE_WHAT];
    if (how->folding != NN_FOLD_AUTO || how->direct || (how->brief && how->mode == NN_INFER))
        return how->folding == NN_FOLD_ALWAYS;
    snprintf(what, sizeof what, "fold %s %dx[%d+%d,%d,%d] to %d%s", how->mode == NN_TRAIN ? "train" : "infer",
             how->batch, x.c, onednn_shape(l, conv - 1).c - x.c, y.h, y.w, y.c, how->bf16 ? " bf16" : "");
    const char *known = how->choices ? nn_choices_get(how->choices, what) : NULL;
    if (known)
        return !strcmp(known, "folded");
    if (!how->choices || !how->choices->measure)
        return pays_by_rule(l, conv);
    bool folded = is_better(l, conv);
    nn_choices_set(how->choices, what, folded ? "folded" : "plain");
    return folded;
}

/* ---- steps ---- */

bool onednn_folded_forward(struct onednn_lowering *l, struct onednn_unit *u)
{
    struct onednn_layer skip, up;
    split(l, u, &skip, &up);
    up.dy = onednn_value(l, u->in[0]);
    skip.x = onednn_value(l, u->in[1]);
    skip.y = up.dx = onednn_value(l, u->out);
    return onednn_conv_backward_data(l->o, &up, l->err) && onednn_conv_forward(l->o, &skip, l->err);
}

static bool weights_backward(struct onednn_lowering *l, const struct onednn_layer *skip,
                             const struct onednn_layer *up)
{
    bool any = skip->kernel_gradient || skip->bias_gradient;
    return (!any || onednn_conv_backward_weights(l->o, skip, l->err)) &&
           (!up->kernel_gradient || onednn_conv_backward_weights(l->o, up, l->err));
}

bool onednn_folded_backward(struct onednn_lowering *l, struct onednn_unit *u)
{
    struct onednn_layer skip, up;
    split(l, u, &skip, &up);
    skip.dy = up.x = l->t[u->out].grad;
    if (skip.kernel_gradient || skip.bias_gradient) {
        skip.x = onednn_value_again(l, u->in[1]);
        up.dy = onednn_value_again(l, u->in[0]);
    }
    if (!weights_backward(l, &skip, &up))
        return false;
    if (l->needs[u->in[1]]) {
        skip.dx = onednn_new_tensor(l, u->in[1]);
        if (!onednn_conv_backward_data(l->o, &skip, l->err))
            return false;
        onednn_add_contribution(l, u, u->in[1], skip.dx);
    }
    if (l->needs[u->in[0]]) {
        up.y = onednn_new_tensor(l, u->in[0]);
        if (!onednn_conv_forward(l->o, &up, l->err))
            return false;
        onednn_add_contribution(l, u, u->in[0], up.y);
    }
    return true;
}
