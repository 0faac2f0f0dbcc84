#include "eval/predict.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_BATCH = 16, FEW = 2 };
enum { MALIGNANT = 1 }; /* a classifier's second output */

static bool compile(struct predictor *p, const struct predictor_options *o, struct err *err)
{
    const struct nn_backend *backend = o->backend ? o->backend : &nn_backend_onednn;

    p->output = p->graph.node[p->graph.n_nodes - 1].shape;
    if (!run_is_classifier(&p->run) &&
        (p->output.c != 1 || p->output.h != p->run.prep.size || p->output.w != p->run.prep.size))
        return err_set(err, ERR_INPUT, "%s: the network gives no mask", p->run.folder);
    struct nn_choices choices = NN_CHOICES_INIT;
    struct nn_compile how = {
        .batch = p->batch, .mode = NN_INFER, .brief = p->batch <= FEW, .choices = &choices};
    bool ok = run_kernels(&choices, &how.direct, &p->run, err) &&
              nn_exec_init(&p->exec, backend, &p->graph, &how, err);
    nn_choices_release(&choices);
    return ok;
}

/* Takes the head off the graph: what is before the pooling is the output, the rest is done by cam.h. */
static void take_head(struct predictor *p, const float *values)
{
    const struct nn_node *last = &p->graph.node[p->graph.n_nodes - 1], *dense = last - 1, *pool = last - 2;

    assert(last->op == NN_SOFTMAX && dense->op == NN_DENSE && pool->op == NN_GLOBAL_AVGPOOL);
    const struct nn_slot *kernel = &p->graph.slot[dense->slot], *bias = kernel + 1;
    float *numbers = mem_new(kernel->count + bias->count, sizeof *numbers);
    memcpy(numbers, values + kernel->offset, kernel->count * sizeof *numbers);
    memcpy(numbers + kernel->count, values + bias->offset, bias->count * sizeof *numbers);
    p->head = (struct cam_head){numbers, numbers + kernel->count, kernel->dim[0], kernel->dim[1]};
    nn_graph_cut(&p->graph, pool->in[0]);
}

bool predictor_open(struct predictor *out, const char *run_folder, struct err *err)
{
    struct predictor p = PREDICTOR_INIT;

    if (!run_read(&p.run, run_folder, err))
        return false;
    *out = p;
    return true;
}

bool predictor_load(struct predictor *p, const struct predictor_options *o, struct err *err)
{
    float *values = NULL;

    assert(!p->input);
    if (!run_load_best(&p->run, &p->graph, &values, &p->epoch, p->weights_sha256, err))
        return false;
    p->batch = o->batch > 0 ? o->batch : DEFAULT_BATCH;
    p->input = mem_try((size_t)p->batch * (size_t)p->run.channels, predictor_pixels(p) * sizeof(float), err);
    if (run_is_classifier(&p->run))
        take_head(p, values);
    const bool ok = p->input && compile(p, o, err);
    if (ok)
        p->exec.backend->set(p->exec.self, values);
    free(values);
    return ok;
}

void predictor_close(struct predictor *p)
{
    nn_exec_release(&p->exec);
    nn_graph_release(&p->graph);
    run_release(&p->run);
    free(p->input);
    free((float *)p->head.kernel);
    *p = (struct predictor)PREDICTOR_INIT;
}

size_t predictor_pixels(const struct predictor *p)
{
    return (size_t)p->run.prep.size * (size_t)p->run.prep.size;
}

static bool all_numbers(const float *map, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!isfinite(map[i]))
            return false;
    return true;
}

/* At most batch squares -> the output, borrowed until the next pass; NULL where it is no numbers. */
static const float *pass(struct predictor *p, const uint16_t *squares, size_t n, struct err *err)
{
    const size_t pixels = predictor_pixels(p), stride = pixels * (size_t)p->run.channels;
    uint16_t *black = mem_new(pixels, sizeof *black);

    for (size_t k = 0; k < (size_t)p->batch; k++)
        prep_network_input(p->input + k * stride, p->run.channels, k < n ? squares + k * pixels : black,
                           &p->run.prep);
    const float *output = p->exec.backend->forward(p->exec.self, p->input, NULL);
    free(black);
    if (all_numbers(output, n * nn_shape_size(p->output)))
        return output;
    err_set(err, ERR_INPUT, "%s: the network gives values that are no numbers", p->run.folder);
    return NULL;
}

static size_t next_pass(const struct predictor *p, size_t n, size_t done)
{
    return n - done < (size_t)p->batch ? n - done : (size_t)p->batch;
}

bool predictor_run(struct predictor *p, const uint16_t *squares, size_t n, float *maps, struct err *err)
{
    const size_t pixels = predictor_pixels(p);

    assert(!run_is_classifier(&p->run));
    for (size_t done = 0, here; done < n; done += here) {
        here = next_pass(p, n, done);
        const float *output = pass(p, squares + done * pixels, here, err);
        if (!output)
            return false;
        memcpy(maps + done * pixels, output, here * pixels * sizeof *maps);
    }
    return true;
}

bool predictor_judge(struct predictor *p, const uint16_t *squares, size_t n, double *malignant, float *cams,
                     struct err *err)
{
    const size_t places = (size_t)p->output.h * (size_t)p->output.w, item = nn_shape_size(p->output);
    double logit[RUN_CLASSES], share[RUN_CLASSES];

    assert(run_is_classifier(&p->run) && p->head.classes == RUN_CLASSES);
    for (size_t done = 0, here; done < n; done += here) {
        here = next_pass(p, n, done);
        const float *output = pass(p, squares + done * predictor_pixels(p), here, err);
        if (!output)
            return false;
        for (size_t k = 0; k < here; k++) {
            cam_logits(logit, &p->head, output + k * item, places);
            cam_softmax(share, logit, RUN_CLASSES);
            malignant[done + k] = share[MALIGNANT];
            cam_map(cams + (done + k) * places, &p->head, MALIGNANT, output + k * item, places);
        }
    }
    return true;
}

double map_score(const float *map, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++)
        sum += map[i];
    return sum;
}

json_t *json_text(const char *text)
{
    json_t *json = json_string(text);

    if (!json) {
        char *copy = mem_copy_string(text);
        for (char *c = copy; *c; c++)
            *c = *c & 0x80 ? '?' : *c;
        json = json_string(copy);
        free(copy);
    }
    return json;
}

/* What the run learnt with --allow-leak, as run.json says it; null without a leak. */
static json_t *trained_leaks(const struct run *run)
{
    json_t *data = json_object_get(run->json, "data"), *patients = json_object_get(data, "leaks"),
           *pictures = json_object_get(data, "same_pictures");

    if (json_array_size(patients) + json_array_size(pictures) == 0)
        return json_null();
    return json_pack("{s:o, s:o}", "leaks", patients ? json_incref(patients) : json_array(), "same_pictures",
                     pictures ? json_incref(pictures) : json_array());
}

json_t *predictor_json(const struct predictor *p)
{
    return json_pack("{s:o, s:s, s:s, s:i, s:s, s:o}", "path", json_text(p->run.folder), "task",
                     run_task_name(p->run.task), "model", p->run.model->name, "epoch", p->epoch,
                     "weights_sha256", p->weights_sha256, "leaks", trained_leaks(&p->run));
}
