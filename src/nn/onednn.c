#include "nn/onednn.h"

#include "base/mem.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- while compiling ---- */

struct onednn_view onednn_buffer(struct onednn *o, enum onednn_pool pool, size_t bytes, size_t item)
{
    struct onednn_buffers *b = &o->pool[pool];
    bool keep = pool == POOL_KEEP;
    b->buffer = mem_grow(b->buffer, b->count + 1, sizeof *b->buffer);
    b->buffer[b->count] =
        (struct nn_buffer){.size_bytes = bytes, .first_use = keep ? 0 : INT_MAX, .last_use = keep ? 0 : -1};
    return (struct onednn_view){.pool = pool, .buffer = (int)b->count++, .item = item};
}

bool onednn_is_bf16(const struct onednn *o, int block)
{
    return o->how.bf16 && block > 1;
}

struct onednn_step *onednn_step(struct onednn *o, nn_id node, const char *what)
{
    o->step = mem_grow(o->step, (size_t)o->n_steps + 1, sizeof *o->step);
    struct onednn_step *s = &o->step[o->n_steps++];
    *s = (struct onednn_step){.node = node, .what = what};
    s->job.node = node;
    s->job.batch = o->how.batch;
    for (int i = 0; i < AT_COUNT; i++)
        s->job.view[i] = ONEDNN_NO_VIEW;
    return s;
}

void onednn_touch(struct onednn *o, struct onednn_view v)
{
    if (v.buffer < 0 || v.pool == POOL_KEEP)
        return;
    struct nn_buffer *b = &o->pool[v.pool].buffer[v.buffer];
    int now = o->n_steps - 1;
    b->first_use = now < b->first_use ? now : b->first_use;
    b->last_use = now > b->last_use ? now : b->last_use;
}

void onednn_job_view(struct onednn *o, struct onednn_step *s, enum onednn_role role, struct onednn_view v)
{
    s->job.view[role] = v;
    onednn_touch(o, v);
}

bool onednn_argument(struct onednn *o, int name, const dnnl_memory_desc_t *md, struct onednn_view v,
                     const struct nn_slot *slot)
{
    struct onednn_memory m = {.view = v, .slot = slot};
    struct onednn_step *s = &o->step[o->n_steps - 1];
    assert(s->n_args < (int)(sizeof s->arg / sizeof *s->arg));
    if (dnnl_memory_create(&m.memory, md, o->engine, DNNL_MEMORY_NONE) != dnnl_success)
        return false;
    o->memory = mem_grow(o->memory, (size_t)o->n_memories + 1, sizeof *o->memory);
    o->memory[o->n_memories++] = m;
    s->arg[s->n_args++] = (dnnl_exec_arg_t){name, m.memory};
    onednn_touch(o, v);
    return true;
}

struct onednn_fill *onednn_fill(struct onednn *o, const struct nn_slot *slot, struct onednn_view to,
                                const struct nn_node *norm)
{
    o->fill = mem_grow(o->fill, (size_t)o->n_fills + 1, sizeof *o->fill);
    o->fill[o->n_fills] = (struct onednn_fill){.slot = slot, .to = to, .norm = norm};
    return &o->fill[o->n_fills++];
}

/* ---- from views to addresses ---- */

static void *address(const struct onednn *o, struct onednn_view v)
{
    if (v.buffer < 0)
        return NULL;
    const struct onednn_buffers *p = &o->pool[v.pool];
    return p->base + p->buffer[v.buffer].offset + v.offset * (v.bf16 ? sizeof(uint16_t) : sizeof(float));
}

/* A buffer made but never used takes no room. */
static void settle_lives(struct onednn_buffers *p)
{
    for (size_t i = 0; i < p->count; i++)
        if (p->buffer[i].last_use < p->buffer[i].first_use)
            p->buffer[i] = (struct nn_buffer){.size_bytes = 0};
}

/* The memory that another one lends, or NULL. */
static char *borrowed(const struct onednn *o)
{
    const struct onednn *other = o->how.share ? o->how.share->self : NULL;
    bool fits = other && other->pool[POOL_RUN].bytes >= o->pool[POOL_RUN].bytes;
    assert(!other || o->how.share->backend == &nn_backend_onednn);
    return fits ? other->pool[POOL_RUN].base : NULL;
}

static bool place_buffers(struct onednn *o, struct err *err)
{
    for (int i = 0; i < POOL_COUNT; i++) {
        struct onednn_buffers *p = &o->pool[i];
        settle_lives(p);
        p->bytes = nn_plan(p->buffer, p->count);
        p->base = i == POOL_RUN ? borrowed(o) : NULL;
        o->borrows |= p->base != NULL;
        p->base = p->base ? p->base : mem_try(p->bytes + 1, 1, err);
        if (!p->base)
            return err_at(err, "memory for a batch of %d", o->how.batch);
    }
    return true;
}

static bool resolve(struct onednn *o, struct err *err)
{
    for (int i = 0; i < o->n_steps; i++) {
        struct onednn_job *j = &o->step[i].job;
        for (int k = 0; k < AT_COUNT; k++)
            j->at[k] = (struct onednn_span){address(o, j->view[k]), j->view[k].item, j->view[k].pixel,
                                            j->view[k].bf16};
    }
    for (int i = 0; i < o->n_memories; i++)
        if (!o->memory[i].slot &&
            dnnl_memory_set_data_handle(o->memory[i].memory, address(o, o->memory[i].view)) != dnnl_success)
            return err_set(err, ERR_LIMIT, "oneDNN refuses a buffer");
    for (int i = 0; i < o->n_fills; i++)
        if (o->fill[i].to_memory &&
            dnnl_memory_set_data_handle(o->fill[i].to_memory, address(o, o->fill[i].to)) != dnnl_success)
            return err_set(err, ERR_LIMIT, "oneDNN refuses a buffer");
    return true;
}

/* ---- life ---- */

static void onednn_free(void *self)
{
    struct onednn *o = self;
    for (int i = 0; i < o->n_steps; i++)
        dnnl_primitive_destroy(o->step[i].primitive);
    for (int i = 0; i < o->n_memories; i++)
        dnnl_memory_destroy(o->memory[i].memory);
    for (int i = 0; i < o->n_fills; i++) {
        dnnl_primitive_destroy(o->fill[i].reorder);
        dnnl_memory_destroy(o->fill[i].from_memory);
        dnnl_memory_destroy(o->fill[i].to_memory);
    }
    for (int i = 0; i < POOL_COUNT; i++) {
        free(o->pool[i].buffer);
        if (i != POOL_RUN || !o->borrows)
            free(o->pool[i].base);
    }
    dnnl_primitive_attr_destroy(o->attr);
    dnnl_stream_destroy(o->stream);
    dnnl_engine_destroy(o->engine);
    free(o->step);
    free(o->memory);
    free(o->fill);
    free(o->param);
    free(o->zero_grad);
    free(o);
}

static bool has_isa(dnnl_cpu_isa_t isa)
{
    return (dnnl_get_effective_cpu_isa() & isa) == isa;
}

bool nn_has_bf16(void)
{
    return has_isa(dnnl_cpu_isa_avx512_core_bf16);
}

static bool start_library(struct onednn *o, struct err *err)
{
    bool wide = has_isa(dnnl_cpu_isa_avx512_core);
    o->block = wide ? 16 : 8;
    if (o->how.bf16 && !nn_has_bf16())
        return err_set(err, ERR_INPUT, "this processor has no bf16 instructions (AVX-512 BF16 or AMX)");
    if (dnnl_engine_create(&o->engine, dnnl_cpu, 0) == dnnl_success &&
        dnnl_stream_create(&o->stream, o->engine, dnnl_stream_default_flags) == dnnl_success &&
        dnnl_primitive_attr_create(&o->attr) == dnnl_success &&
        dnnl_primitive_attr_set_scratchpad_mode(o->attr, dnnl_scratchpad_mode_user) == dnnl_success)
        return true;
    return err_set(err, ERR_INPUT, "oneDNN does not start on this processor");
}

static void *onednn_compile(const struct nn_graph *g, const struct nn_compile *how, struct err *err)
{
    struct onednn *o = mem_new(1, sizeof *o);
    o->graph = g;
    o->how = *how;
    o->output = o->stage[0] = o->stage[1] = ONEDNN_NO_VIEW;
    o->param = mem_new((size_t)g->n_slots + 1, sizeof *o->param);
    o->zero_grad = mem_new((size_t)g->n_slots + 1, sizeof *o->zero_grad);
    bool ok = start_library(o, err) && onednn_lower(o, err);
    free(o->trial);
    o->trial = NULL;
    ok = ok && place_buffers(o, err) && resolve(o, err);
    o->how.choices = NULL; /* both are the caller's */
    o->how.share = NULL;
    if (ok)
        return o;
    onednn_free(o);
    return NULL;
}

/* ---- numbers in and out ---- */

static const float *slot_values(const struct onednn *o, const struct nn_node *node, int which,
                                const float *values)
{
    return values + o->graph->slot[node->slot + which].offset;
}

/* gamma / sqrt(variance + epsilon) of channel c. */
static double norm_scale(const struct onednn *o, const struct nn_node *norm, const float *values, size_t c)
{
    double gamma = (double)slot_values(o, norm, 0, values)[c],
           variance = (double)slot_values(o, norm, 3, values)[c];
    return gamma / sqrt(variance + (double)norm->u.norm.epsilon);
}

static void fold_bias(const struct onednn *o, const struct onednn_fill *f, const float *values)
{
    float *to = address(o, f->to);
    const float *beta = slot_values(o, f->norm, 1, values), *mean = slot_values(o, f->norm, 2, values);
    for (size_t c = 0; c < f->slot->count; c++) {
        double centred = (double)values[f->slot->offset + c] - (double)mean[c];
        to[c] = (float)(centred * norm_scale(o, f->norm, values, c) + (double)beta[c]);
    }
}

static void fold_kernel(const struct onednn *o, const struct onednn_fill *f, const float *values, float *to)
{
    size_t filters = (size_t)f->slot->dim[0], each = f->slot->count / filters;
#pragma omp parallel for schedule(static)
    for (size_t k = 0; k < filters; k++) {
        double scale = norm_scale(o, f->norm, values, k);
        for (size_t i = 0; i < each; i++)
            to[k * each + i] = (float)((double)values[f->slot->offset + k * each + i] * scale);
    }
}

static void reorder_kernel(struct onednn *o, const struct onednn_fill *f, const float *from)
{
    dnnl_exec_arg_t arg[2] = {{DNNL_ARG_FROM, f->from_memory}, {DNNL_ARG_TO, f->to_memory}};
    void *at = (void *)(uintptr_t)from; /* only read */
    bool ok = dnnl_memory_set_data_handle(f->from_memory, at) == dnnl_success &&
              dnnl_primitive_execute(f->reorder, o->stream, 2, arg) == dnnl_success;
    assert(ok);
}

static void onednn_set(void *self, const float *values)
{
    struct onednn *o = self;
    float *whole = address(o, o->stage[0]), *part = address(o, o->stage[1]);
    for (int i = 0; i < o->n_fills; i++) {
        const struct onednn_fill *f = &o->fill[i];
        const float *from = values + f->slot->offset;
        if (f->reorder) {
            if (f->norm)
                fold_kernel(o, f, values, whole);
            from = f->norm ? whole : from;
            if (!onednn_weights_whole(&f->part))
                onednn_weights_take(&f->part, from, part);
            reorder_kernel(o, f, onednn_weights_whole(&f->part) ? from : part);
        } else if (f->norm) {
            fold_bias(o, f, values);
        } else {
            memcpy(address(o, f->to), from, f->slot->count * sizeof *from);
        }
    }
}

static void onednn_get(void *self, float *values)
{
    struct onednn *o = self;
    for (int i = 0; i < o->graph->n_slots; i++) {
        const struct nn_slot *s = &o->graph->slot[i];
        if ((s->role == NN_MEAN || s->role == NN_VARIANCE) && nn_graph_tracks(o->graph, s->node))
            memcpy(values + s->offset, address(o, o->param[i]), s->count * sizeof *values);
    }
}

/* ---- running ---- */

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void note_time(struct onednn_step *s, double seconds)
{
    s->best = s->best == 0 || seconds < s->best ? seconds : s->best;
}

static void run_steps(struct onednn *o, int first, int end, const struct onednn_run *r)
{
    for (int i = first; i < end; i++) {
        struct onednn_step *s = &o->step[i];
        double began = o->timing ? seconds_now() : 0;
        if (s->primitive) {
            bool ok = dnnl_primitive_execute(s->primitive, o->stream, s->n_args, s->arg) == dnnl_success;
            assert(ok);
        } else {
            s->kernel(&s->job, r);
        }
        if (o->timing)
            note_time(s, seconds_now() - began);
    }
}

static const float *onednn_forward(void *self, const float *input, const struct nn_step *step)
{
    struct onednn *o = self;
    run_steps(o, 0, o->n_forward, &(struct onednn_run){.input = input, .step = step});
    return address(o, o->output);
}

/* Points the memories that lie in the caller's gradients there. */
static void point_gradients(struct onednn *o, float *grads)
{
    for (int i = 0; i < o->n_memories && o->grads != grads; i++) {
        if (!o->memory[i].slot)
            continue;
        bool ok = dnnl_memory_set_data_handle(o->memory[i].memory, grads + o->memory[i].slot->offset) ==
                  dnnl_success;
        assert(ok);
    }
    o->grads = grads;
}

static void onednn_backward(void *self, const float *grad_output, float *grads, float *grad_input)
{
    struct onednn *o = self;
    assert(o->how.mode == NN_TRAIN && (!grad_input || o->how.input_gradient));
    point_gradients(o, grads);
    for (int i = 0; i < o->graph->n_slots; i++)
        if (o->zero_grad[i])
            memset(grads + o->graph->slot[i].offset, 0, o->graph->slot[i].count * sizeof *grads);
    run_steps(o, o->n_forward, o->n_steps,
              &(struct onednn_run){.grad_output = grad_output, .grads = grads, .grad_input = grad_input});
}

static size_t onednn_bytes(const void *self)
{
    const struct onednn *o = self;
    return o->pool[POOL_RUN].bytes;
}

static int onednn_timings(void *self, struct nn_timing *out, int room)
{
    struct onednn *o = self;
    o->timing = true;
    for (int i = 0; i < o->n_steps && i < room; i++) {
        const struct onednn_step *s = &o->step[i];
        const_dnnl_primitive_desc_t pd;
        out[i] = (struct nn_timing){s->node, s->what, "", i < o->n_forward, s->best};
        if (s->primitive && dnnl_primitive_get_primitive_desc(s->primitive, &pd) == dnnl_success)
            dnnl_primitive_desc_query(pd, dnnl_query_impl_info_str, 0, (void *)&out[i].how);
    }
    return o->n_steps;
}

const struct nn_backend nn_backend_onednn = {
    .name = "onednn",
    .compile = onednn_compile,
    .free = onednn_free,
    .set = onednn_set,
    .get = onednn_get,
    .forward = onednn_forward,
    .backward = onednn_backward,
    .memory = onednn_bytes,
    .timings = onednn_timings,
};
