#include "cli/weights_file.h"

#include "base/file.h"
#include "base/mem.h"
#include "model/checkpoint.h"

#include <stdio.h>
#include <stdlib.h>

void weights_release(struct weights *w)
{
    nn_graph_release(&w->graph);
    free(w->values);
    json_decref(w->meta);
}

void weights_print_network(const struct model_told *t)
{
    printf("%s, %d channel%s", t->model->title, t->input.c, t->input.c == 1 ? "" : "s");
    if (t->model->build_as && t->options.classes == MODEL_NO_HEAD)
        printf(", no head");
    else if (t->model->build_as)
        printf(", %d classes", t->options.classes ? t->options.classes : t->model->classes);
    if (t->model->build_as)
        printf(", epsilon %g", t->options.epsilon > 0 ? t->options.epsilon : t->model->epsilon);
}

bool weights_read_file(struct weights *out, const char *path, struct err *err)
{
    struct weights w = WEIGHTS_INIT;

    if (!checkpoint_read_told(&w.told, path, err))
        return false;
    model_build(w.told.model, &w.graph, w.told.input, &w.told.options);
    w.values = mem_new(w.graph.n_values, sizeof *w.values);
    if (!checkpoint_read(path, &w.graph, w.values, NULL, 0, &w.meta, err)) {
        weights_release(&w);
        return false;
    }
    *out = w;
    return true;
}

bool weights_read(struct weights *out, const char *path, struct err *err)
{
    if (!file_is_folder(path))
        return weights_read_file(out, path, err);
    char *best = file_join(path, "best.safetensors");
    const bool ok = file_exists(best) ? weights_read_file(out, best, err)
                                      : err_set(err, ERR_INPUT, "%s: no run with weights in it", path);
    free(best);
    return ok;
}
