#include "train/bench.h"

#include "base/mem.h"
#include "base/progress.h"
#include "base/stop.h"
#include "data/loader.h"
#include "train/learn.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- images that are made up ---- */

enum { SEED = 1, LEARNING_RATE_PER_MILLION = 10 };

/* What training does unless told otherwise. */
static const struct augment AUGMENT = {
    .flip_horizontal = true, .flip_vertical = true, .shift_x = .1, .shift_y = .1};

struct made_up {
    struct loader loader; /* squares in memory, as after reading */
    int channels, classes;
};

/* Noise, and a disc of lighter noise that is the truth. */
static void draw(struct loader *l, size_t i)
{
    const int size = l->prep.size, radius = size / 6;
    struct rng r = rng_at(SEED, RNG_TEST, i, 0);
    const int cx = (int)rng_between(&r, radius, size - radius),
              cy = (int)rng_between(&r, radius, size - radius);
    const size_t first = i * (size_t)size * (size_t)size;

    for (int y = 0; y < size; y++) {
        for (int x = 0; x < size; x++) {
            const size_t at = first + (size_t)y * (size_t)size + (size_t)x;
            const bool in = (x - cx) * (x - cx) + (y - cy) * (y - cy) < radius * radius;
            l->mask[at] = in ? 255 : 0;
            l->image[at] = (uint16_t)(rng_between(&r, 0, 30000) + (in ? 20000 : 0));
        }
    }
}

static void fill(void *self, const struct source_batch *b, float *input, float *truth)
{
    const struct made_up *m = self;
    const struct loader_batch batch = {.index = b->index,
                                       .n = b->n,
                                       .channels = m->channels,
                                       .how = b->pass == SOURCE_LEARN ? &AUGMENT : NULL,
                                       .seed = SEED,
                                       .epoch = b->epoch};

    loader_fill(&m->loader, &batch, input, m->classes ? NULL : truth);
    for (size_t i = 0; i < b->n && m->classes; i++)
        for (size_t c = 0; c < (size_t)m->classes; c++)
            truth[i * (size_t)m->classes + c] = b->index[i] % (size_t)m->classes == c ? 1 : 0;
}

static void free_made_up(void *self)
{
    struct made_up *m = self;

    loader_close(&m->loader);
    free(m);
}

static void open_source(struct source *out, const struct bench_job *job, int classes)
{
    const size_t n = 2 * (size_t)job->batch, pixels = (size_t)job->size * (size_t)job->size;
    struct made_up *m = mem_new(1, sizeof *m);

    *m = (struct made_up){
        .loader = {.prep = {.size = job->size}, .count = n}, .channels = job->channels, .classes = classes};
    m->loader.item = mem_new(n, sizeof *m->loader.item);
    m->loader.image = mem_new(n * pixels, sizeof *m->loader.image);
    m->loader.mask = mem_new(n * pixels, 1);
    for (size_t i = 0; i < n; i++) {
        m->loader.item[i] = i;
        draw(&m->loader, i);
    }
    *out = (struct source){.n_train = n,
                           .n_validation = n,
                           .channels = job->channels,
                           .size = job->size,
                           .classes = classes,
                           .self = m,
                           .fill = fill,
                           .free = free_made_up};
}

/* ---- operations ---- */

static double node_flops(const struct nn_graph *g, const struct nn_node *node)
{
    const struct nn_slot *kernel = &g->slot[node->slot];
    bool products = node->op == NN_CONV2D || node->op == NN_DENSE;

    return products ? 2.0 * (double)kernel->count * node->shape.h * node->shape.w : 0;
}

double bench_flops(const struct nn_graph *g, enum nn_mode mode)
{
    double sum = 0;

    for (nn_id id = 0; id < g->n_nodes; id++) {
        const bool first = g->node[id].n_in > 0 && g->node[g->node[id].in[0]].op == NN_INPUT;
        sum += node_flops(g, &g->node[id]) * (mode == NN_INFER ? 1 : first ? 2 : 3);
    }
    return sum;
}

/* ---- steps ---- */

struct bench {
    const struct bench_job *job;
    struct nn_graph graph;
    struct nn_exec exec;
    struct source source;
    struct feed *feed;
    struct optim optim;
    float *values, *grads, *output_grad;
    double *step, *waited; /* seconds, [steps] */
};

static bool compile(struct bench *b, struct err *err)
{
    struct nn_choices choices = NN_CHOICES_INIT;
    struct nn_choice_cache cache;
    const struct nn_compile how = {.batch = b->job->batch,
                                   .mode = b->job->mode,
                                   .direct = b->job->exact,
                                   .bf16 = b->job->bf16 && !b->job->exact && b->job->mode == NN_TRAIN,
                                   .choices = &choices};

    nn_choice_cache_open(&cache, &choices);
    bool ok = nn_exec_init(&b->exec, b->job->backend, &b->graph, &how, err);
    nn_choice_cache_close(&cache, &choices);
    nn_choices_release(&choices);
    return ok;
}

static bool begin(struct bench *b, struct err *err)
{
    const struct bench_job *job = b->job;

    model_build(job->model, &b->graph, (struct nn_shape){job->channels, job->size, job->size}, NULL);
    const struct nn_shape out = b->graph.node[b->graph.n_nodes - 1].shape;
    open_source(&b->source, job, job->model->classes ? out.c : 0);
    b->feed = feed_new(&b->source, (size_t)job->batch);
    b->values = mem_new(b->graph.n_values, sizeof *b->values);
    b->step = mem_new((size_t)job->steps, sizeof *b->step);
    b->waited = mem_new((size_t)job->steps, sizeof *b->waited);
    b->optim = (struct optim){
        .kind = OPTIM_ADAM, .learning_rate = LEARNING_RATE_PER_MILLION * 1e-6, .graph = &b->graph};
    nn_graph_init_values(&b->graph, b->values, SEED);
    if (job->mode == NN_TRAIN) {
        b->grads = mem_new(b->graph.n_values, sizeof *b->grads);
        b->output_grad = mem_new((size_t)job->batch * nn_shape_size(out), sizeof *b->output_grad);
        optim_init(&b->optim);
    }
    if (!compile(b, err))
        return false;
    b->exec.backend->set(b->exec.self, b->values);
    if (job->mode == NN_INFER) { /* as whoever predicts: the backend has its own */
        free(b->values);
        b->values = NULL;
    }
    return true;
}

static void end(struct bench *b)
{
    feed_free(b->feed);
    source_close(&b->source);
    optim_release(&b->optim);
    nn_exec_release(&b->exec);
    nn_graph_release(&b->graph);
    free(b->values);
    free(b->grads);
    free(b->output_grad);
    free(b->step);
    free(b->waited);
}

static void one_step(struct bench *b, const struct feed_batch *now)
{
    const struct learner l = {.exec = &b->exec,
                              .loss = loss_find(b->source.classes ? "cross-entropy" : "dice"),
                              .optim = &b->optim,
                              .values = b->values,
                              .grads = b->grads,
                              .output_grad = b->output_grad,
                              .accumulate = 1,
                              .truth = source_truth_size(&b->source),
                              .seed = SEED};
    const float *output;

    if (b->job->mode == NN_TRAIN)
        learner_step(&l, now, &output);
    else
        b->exec.backend->forward(b->exec.self, now->input, NULL);
}

static double now_s(const struct bench_job *job)
{
    struct timespec t;

    if (!job->cpu)
        return clock_seconds();
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* One step that does not count, then the others. */
static bool all_steps(struct bench *b, const struct feed_pass *pass)
{
    struct feed_batch now;
    double began = now_s(b->job);

    feed_start(b->feed, pass);
    bool more = feed_next(b->feed, &now);
    for (int i = -1; i < b->job->steps && more && !stop_requested(); i++) {
        double got = now_s(b->job);
        one_step(b, &now);
        if (i < 0 && b->exec.backend->timings)
            b->exec.backend->timings(b->exec.self, NULL, 0);
        if (i >= 0) {
            b->waited[i] = got - began;
            b->step[i] = now_s(b->job) - began;
        }
        began = now_s(b->job);
        more = b->job->held || feed_next(b->feed, &now);
    }
    feed_stop(b->feed);
    return !stop_requested();
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, by_value);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

static void tell(struct bench *b, struct bench_result *out)
{
    const struct nn_backend *nn = b->exec.backend;

    *out = (struct bench_result)BENCH_RESULT_INIT;
    out->median_s = median(b->step, b->job->steps);
    out->best_s = b->step[0];
    out->waited_s = median(b->waited, b->job->steps);
    out->flops = bench_flops(&b->graph, b->job->mode);
    out->memory = nn->memory(b->exec.self);
    if (nn->timings) {
        out->n_timings = nn->timings(b->exec.self, NULL, 0);
        out->timing = mem_new((size_t)out->n_timings, sizeof *out->timing);
        nn->timings(b->exec.self, out->timing, out->n_timings);
        for (int i = 0; i < out->n_timings; i++) /* names of the library live as long as what they name */
            out->timing[i].how = strstr(out->timing[i].how, "wino") ? "winograd"
                                 : *out->timing[i].how              ? "library"
                                                                    : "own";
    }
    out->graph = b->graph;
    b->graph = (struct nn_graph)NN_GRAPH_INIT;
    b->optim.graph = NULL;
}

bool bench_run(struct bench_result *out, const struct bench_job *job, struct err *err)
{
    struct bench b = {.job = job, .graph = NN_GRAPH_INIT, .exec = NN_EXEC_INIT, .source = SOURCE_INIT};
    const size_t n = (size_t)(job->steps + 1) * (size_t)job->batch;
    size_t *order = mem_new(n, sizeof *order);
    const struct feed_pass pass = {job->mode == NN_TRAIN ? SOURCE_LEARN : SOURCE_VALIDATE, 0, order, n};
    bool ok = begin(&b, err);

    for (size_t i = 0; i < n; i++)
        order[i] = i % b.source.n_train;
    if (ok && !all_steps(&b, &pass))
        ok = err_set(err, ERR_CANCELLED, "stopped");
    if (ok)
        tell(&b, out);
    end(&b);
    free(order);
    return ok;
}

void bench_release(struct bench_result *r)
{
    free(r->timing);
    nn_graph_release(&r->graph);
    *r = (struct bench_result)BENCH_RESULT_INIT;
}
