#include "train/norm.h"

#include "base/mem.h"
#include "base/stop.h"

#include <assert.h>
#include <stdlib.h>

struct moments {
    double mean, square; /* sums over batches of m and of v + m^2 */
};

/* The layer's mean; its variance is the next slot. Frozen layers are left out. */
static bool is_mean(const struct nn_graph *g, int slot)
{
    return g->slot[slot].role == NN_MEAN && nn_graph_tracks(g, g->slot[slot].node);
}

static size_t count_channels(const struct nn_graph *g)
{
    size_t n = 0;
    for (int i = 0; i < g->n_slots; i++)
        n += is_mean(g, i) ? g->slot[i].count : 0;
    return n;
}

bool norm_tracks(const struct nn_graph *g)
{
    return count_channels(g) > 0;
}

static void add_batch(const struct nn_graph *g, const float *values, struct moments *sum)
{
    for (int i = 0; i < g->n_slots; i++) {
        if (!is_mean(g, i))
            continue;
        const struct nn_slot *mean = &g->slot[i], *variance = mean + 1;
        assert(variance->role == NN_VARIANCE && variance->count == mean->count);
        for (size_t k = 0; k < mean->count; k++, sum++) {
            double m = values[mean->offset + k];
            sum->mean += m;
            sum->square += values[variance->offset + k] + m * m;
        }
    }
}

static void put_statistics(const struct nn_graph *g, const struct moments *sum, double batches, float *values)
{
    for (int i = 0; i < g->n_slots; i++) {
        if (!is_mean(g, i))
            continue;
        const struct nn_slot *mean = &g->slot[i], *variance = mean + 1;
        for (size_t k = 0; k < mean->count; k++, sum++) {
            double m = sum->mean / batches, v = sum->square / batches - m * m;
            values[mean->offset + k] = (float)m;
            values[variance->offset + k] = (float)(v > 0 ? v : 0);
        }
    }
}

bool norm_recompute(const struct nn_exec *x, const struct nn_graph *g, struct feed *feed,
                    const struct feed_pass *pass, float *values, struct err *err)
{
    const struct nn_step step = {.momentum = 0, .dropout = false};
    struct moments *sum = mem_new(count_channels(g) + 1, sizeof *sum);
    struct feed_batch b;
    size_t batches = 0;

    feed_start(feed, pass);
    while (!stop_requested() && feed_next(feed, &b)) {
        x->backend->forward(x->self, b.input, &step);
        x->backend->get(x->self, values);
        add_batch(g, values, sum);
        batches++;
    }
    feed_stop(feed);
    bool ok = !stop_requested();
    if (ok)
        put_statistics(g, sum, (double)batches, values);
    else
        err_set(err, ERR_CANCELLED, "stopped");
    free(sum);
    return ok;
}
