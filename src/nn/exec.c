#include "nn/exec.h"

#include <assert.h>
#include <omp.h>

bool nn_exec_init(struct nn_exec *x, const struct nn_backend *b, const struct nn_graph *g,
                  const struct nn_compile *how, struct err *err)
{
    assert(how->batch >= 1 && g->n_nodes > 1);
    void *self = b->compile(g, how, err);
    if (!self)
        return false;
    *x = (struct nn_exec){b, self};
    return true;
}

void nn_exec_release(struct nn_exec *x)
{
    if (x->self)
        x->backend->free(x->self);
    *x = (struct nn_exec)NN_EXEC_INIT;
}

void nn_threads(int count)
{
    omp_set_num_threads(count > 0 ? count : omp_get_num_procs());
}
