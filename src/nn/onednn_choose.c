/* Which implementation of a convolution: direct, or Winograd's F(4x4, 3x3) where the library has it. */
#include "nn/onednn.h"

#include "base/log.h"
#include "base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool name_has(const_dnnl_primitive_desc_t pd, const char *part)
{
    const char *name = NULL;
    return dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, (void *)&name) == dnnl_success &&
           name && strstr(name, part);
}

enum { SMALL_SIDE = 8 };

/* More than this for the gradient of one kernel, and its step would set the size of the whole plan: so it is
 * with many channels of few pixels, where Winograd wins least. */
enum { MOST_SCRATCH = 192 << 20 };

static size_t scratch_bytes(const_dnnl_primitive_desc_t pd)
{
    const dnnl_memory_desc_t *md = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    return md ? dnnl_memory_desc_get_size(md) : 0;
}

static dnnl_primitive_desc_t try_winograd(struct onednn *o, const struct onednn_layer *l,
                                          enum onednn_pass pass)
{
    const struct nn_conv *c = &l->conv;
    bool fits = !o->how.direct && !o->how.bf16 && !(o->how.brief && l->inference) && c->kernel == 3 &&
                c->stride == 1 && c->pad == 1 && l->in.c % 16 == 0 && l->out.c % 16 == 0;
    dnnl_primitive_desc_t pd = fits ? onednn_conv_try(o, l, pass, dnnl_convolution_winograd, false) : NULL;
    /* later versions run direct when asked for Winograd */
    if (!pd ||
        (name_has(pd, "wino") && (pass != ONEDNN_BACKWARD_WEIGHTS || scratch_bytes(pd) <= MOST_SCRATCH)))
        return pd;
    dnnl_primitive_desc_destroy(pd);
    return NULL;
}

/* On the tensors as they lie; else, rather than the library's plain loops, in whatever layouts it likes best.
 */
static dnnl_primitive_desc_t try_direct(struct onednn *o, const struct onednn_layer *l, enum onednn_pass pass)
{
    dnnl_primitive_desc_t pd = onednn_conv_try(o, l, pass, dnnl_convolution_direct, false);
    if (pd && !name_has(pd, "ref"))
        return pd;
    dnnl_primitive_desc_destroy(pd);
    return onednn_conv_try(o, l, pass, dnnl_convolution_direct, true);
}

/* ---- by rule ---- */

/* Winograd is faster nearly everywhere it can be had. In planes of a tile or two the forward pass, which must
 * transform its kernel each time in training, is not. */
static bool winograd_pays(const struct onednn_layer *l, enum onednn_pass pass)
{
    return pass != ONEDNN_FORWARD || l->inference || l->in.h > SMALL_SIDE;
}

/* ---- by measuring ---- */

enum { TIMED_ARGUMENTS = 9 };

/* Every memory that any pass of a convolution may have. */
static const struct {
    dnnl_query_t query;
    int index, name;
} ARGUMENTS[TIMED_ARGUMENTS] = {
    {dnnl_query_src_md, 0, DNNL_ARG_SRC},
    {dnnl_query_weights_md, 0, DNNL_ARG_WEIGHTS},
    {dnnl_query_weights_md, 1, DNNL_ARG_BIAS},
    {dnnl_query_dst_md, 0, DNNL_ARG_DST},
    {dnnl_query_diff_src_md, 0, DNNL_ARG_DIFF_SRC},
    {dnnl_query_diff_dst_md, 0, DNNL_ARG_DIFF_DST},
    {dnnl_query_diff_weights_md, 0, DNNL_ARG_DIFF_WEIGHTS},
    {dnnl_query_diff_weights_md, 1, DNNL_ARG_DIFF_BIAS},
    {dnnl_query_scratchpad_md, 0, DNNL_ARG_SCRATCHPAD},
};

struct trial { /* a primitive with memories of its own */
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t arg[TIMED_ARGUMENTS];
    int n;
    double best;
};

static size_t argument_bytes(const_dnnl_primitive_desc_t pd, int i, const dnnl_memory_desc_t **md)
{
    *md = dnnl_primitive_desc_query_md(pd, ARGUMENTS[i].query, ARGUMENTS[i].index);
    size_t bytes = *md ? dnnl_memory_desc_get_size(*md) : 0;
    return (bytes + NN_PLAN_ALIGN - 1) / NN_PLAN_ALIGN * NN_PLAN_ALIGN;
}

/* Numbers that cost what any others cost; the room stays for the next trial. */
static bool reserve(struct onednn *o, size_t bytes)
{
    struct err ignored = ERR_INIT;
    if (bytes <= o->trial_bytes)
        return true;
    free(o->trial);
    o->trial = mem_try(bytes + NN_PLAN_ALIGN, 1, &ignored);
    o->trial_bytes = o->trial ? bytes : 0;
    for (size_t i = 0; i < o->trial_bytes / sizeof *o->trial; i++)
        o->trial[i] = 1 / (float)(1 + i % 64);
    return o->trial != NULL;
}

static bool trial_begin(struct onednn *o, const_dnnl_primitive_desc_t pd, struct trial *t)
{
    const dnnl_memory_desc_t *md;
    size_t bytes = 0;
    *t = (struct trial){.best = INFINITY};
    for (int i = 0; i < TIMED_ARGUMENTS; i++)
        bytes += argument_bytes(pd, i, &md);
    if (!reserve(o, bytes) || dnnl_primitive_create(&t->primitive, pd) != dnnl_success)
        return false;
    bytes = 0;
    for (int i = 0; i < TIMED_ARGUMENTS; i++) {
        size_t size = argument_bytes(pd, i, &md);
        if (!size)
            continue;
        t->arg[t->n].arg = ARGUMENTS[i].name;
        if (dnnl_memory_create(&t->arg[t->n].memory, md, o->engine, (char *)o->trial + bytes) != dnnl_success)
            return false;
        t->n++;
        bytes += size;
    }
    return true;
}

static void trial_end(struct trial *t)
{
    for (int i = 0; i < t->n; i++)
        dnnl_memory_destroy(t->arg[i].memory);
    dnnl_primitive_destroy(t->primitive);
}

/* Of this thread alone, so that what else the machine does counts little. */
static double thread_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* The least of a few runs; INFINITY where it does not run. */
static double seconds_of(struct onednn *o, const_dnnl_primitive_desc_t pd, int rounds)
{
    struct trial t;
    bool ok = trial_begin(o, pd, &t);
    for (int i = 0; i < rounds && ok; i++) {
        double began = thread_seconds();
        ok = dnnl_primitive_execute(t.primitive, o->stream, t.n, t.arg) == dnnl_success;
        t.best = ok ? fmin(t.best, thread_seconds() - began) : INFINITY;
    }
    trial_end(&t);
    return t.best;
}

/* ---- the choice ---- */

static void name_choice(const struct onednn *o, const struct onednn_layer *l, enum onednn_pass pass,
                        char what[NN_CHOICE_WHAT])
{
    static const char *const PASSES[] = {"forward", "data", "weights"};
    snprintf(what, NN_CHOICE_WHAT, "%s %dx[%d,%d,%d] to %d%s%s", l->inference ? "inference" : PASSES[pass],
             o->how.batch, l->in.c, l->in.h, l->in.w, l->out.c,
             l->sum && pass == ONEDNN_FORWARD ? " sum" : "",
             l->relu && pass == ONEDNN_FORWARD ? " relu" : "");
}

/* By one run of each where that says enough, else by the best of three. */
static bool first_is_faster(struct onednn *o, const dnnl_primitive_desc_t pd[2])
{
    double a = seconds_of(o, pd[0], 1), b = seconds_of(o, pd[1], 1);
    if (fmax(a, b) > 1.25 * fmin(a, b))
        return a < b;
    a = fmin(a, seconds_of(o, pd[0], 2));
    return a < fmin(b, seconds_of(o, pd[1], 2));
}

static bool choose_winograd(struct onednn *o, const struct onednn_layer *l, enum onednn_pass pass,
                            const dnnl_primitive_desc_t pd[2])
{
    struct nn_choices *c = o->how.choices;
    char what[NN_CHOICE_WHAT];
    name_choice(o, l, pass, what);
    const char *known = c ? nn_choices_get(c, what) : NULL;
    if (known)
        return !strcmp(known, "winograd");
    if (!c || !c->measure)
        return winograd_pays(l, pass);
    if (!o->trial) /* the first of this network */
        log_info("finding out which kernels are the fastest for these shapes, once on this machine");
    bool winograd = first_is_faster(o, pd);
    nn_choices_set(c, what, winograd ? "winograd" : "direct");
    return winograd;
}

dnnl_primitive_desc_t onednn_conv_choose(struct onednn *o, const struct onednn_layer *l,
                                         enum onednn_pass pass)
{
    dnnl_primitive_desc_t pd[2] = {try_winograd(o, l, pass), try_direct(o, l, pass)};
    int chosen = pd[0] && (!pd[1] || choose_winograd(o, l, pass, pd)) ? 0 : 1;
    dnnl_primitive_desc_destroy(pd[1 - chosen]);
    return pd[chosen];
}

double onednn_conv_seconds(struct onednn *o, const struct onednn_layer *l, enum onednn_pass pass)
{
    dnnl_primitive_desc_t pd = onednn_conv_choose(o, l, pass);
    double seconds = pd ? seconds_of(o, pd, 2) : INFINITY;
    dnnl_primitive_desc_destroy(pd);
    return seconds;
}
