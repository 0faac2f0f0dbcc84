#include "eval/predict.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_BATCH = 16 };

static bool compile(struct predictor *p, const struct predictor_options *o, struct err *err)
{
    const struct nn_backend *backend = o->backend ? o->backend : &nn_backend_onednn;
    const struct nn_shape shape = p->graph.node[p->graph.n_nodes - 1].shape;

    if (shape.c != 1 || shape.h != p->run.prep.size || shape.w != p->run.prep.size)
        return err_set(err, ERR_INPUT, "%s: the network gives no mask", p->run.folder);
    return nn_exec_init(&p->exec, backend, &p->graph,
                        &(struct nn_compile){.batch = p->batch, .mode = NN_INFER}, err);
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

bool predictor_run(struct predictor *p, const uint16_t *squares, size_t n, float *maps, struct err *err)
{
    const size_t pixels = predictor_pixels(p), stride = pixels * (size_t)p->run.channels;
    uint16_t *black = mem_new(pixels, sizeof *black);
    bool ok = true;

    for (size_t done = 0; done < n && ok; done += (size_t)p->batch) {
        const size_t here = n - done < (size_t)p->batch ? n - done : (size_t)p->batch;
        for (size_t k = 0; k < (size_t)p->batch; k++)
            prep_network_input(p->input + k * stride, p->run.channels,
                               k < here ? squares + (done + k) * pixels : black, &p->run.prep);
        const float *output = p->exec.backend->forward(p->exec.self, p->input, NULL);
        memcpy(maps + done * pixels, output, here * pixels * sizeof *maps);
        if (!all_numbers(output, here * pixels))
            ok = err_set(err, ERR_INPUT, "%s: the network gives values that are no numbers", p->run.folder);
    }
    free(black);
    return ok;
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

json_t *predictor_json(const struct predictor *p)
{
    return json_pack("{s:o, s:s, s:s, s:i, s:s}", "path", json_text(p->run.folder), "task",
                     run_task_name(p->run.task), "model", p->run.model->name, "epoch", p->epoch,
                     "weights_sha256", p->weights_sha256);
}
