#include "nn/plan.h"

#include "base/mem.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

static size_t rounded(size_t bytes)
{
    assert(bytes <= SIZE_MAX - NN_PLAN_ALIGN);
    return (bytes + NN_PLAN_ALIGN - 1) / NN_PLAN_ALIGN * NN_PLAN_ALIGN;
}

static bool meet(const struct nn_buffer *a, const struct nn_buffer *b)
{
    return a->first_use <= b->last_use && b->first_use <= a->last_use;
}

/* Larger first; ties by life and then by place in the array, so that the result does not depend on qsort. */
static int by_size(const void *left, const void *right)
{
    const struct nn_buffer *a = *(struct nn_buffer *const *)left, *b = *(struct nn_buffer *const *)right;
    if (a->size_bytes != b->size_bytes)
        return a->size_bytes > b->size_bytes ? -1 : 1;
    if (a->first_use != b->first_use)
        return a->first_use < b->first_use ? -1 : 1;
    return a < b ? -1 : a > b;
}

/* Longest life first: what forward keeps for backward lies like a stack. */
static int by_life(const void *left, const void *right)
{
    const struct nn_buffer *a = *(struct nn_buffer *const *)left, *b = *(struct nn_buffer *const *)right;
    int a_life = a->last_use - a->first_use, b_life = b->last_use - b->first_use;
    return a_life != b_life ? (a_life > b_life ? -1 : 1) : by_size(left, right);
}

/* The smallest gap that holds b between the buffers of placed[n] (sorted by offset) that it meets; else
 * behind the last of them. */
static size_t best_offset(struct nn_buffer *const *placed, size_t n, const struct nn_buffer *b)
{
    size_t need = rounded(b->size_bytes), end = 0, best = 0, best_gap = SIZE_MAX;
    for (size_t i = 0; i < n; i++) {
        const struct nn_buffer *p = placed[i];
        if (!meet(p, b))
            continue;
        if (p->offset > end && p->offset - end >= need && p->offset - end < best_gap) {
            best_gap = p->offset - end;
            best = end;
        }
        size_t after = p->offset + rounded(p->size_bytes);
        end = after > end ? after : end;
    }
    return best_gap < SIZE_MAX ? best : end;
}

static void insert_by_offset(struct nn_buffer **placed, size_t n, struct nn_buffer *b)
{
    size_t i = n;
    for (; i > 0 && placed[i - 1]->offset > b->offset; i--)
        placed[i] = placed[i - 1];
    placed[i] = b;
}

/* Places the buffers one after the other, as `compare` sorts them. */
static size_t place_all(struct nn_buffer *buffer, size_t count, int (*compare)(const void *, const void *))
{
    struct nn_buffer **order = mem_new(count + 1, sizeof *order);
    struct nn_buffer **placed = mem_new(count + 1, sizeof *placed);
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        order[i] = &buffer[i];
    qsort(order, count, sizeof *order, compare);
    for (size_t i = 0; i < count; i++) {
        struct nn_buffer *b = order[i];
        b->offset = best_offset(placed, i, b);
        insert_by_offset(placed, i, b);
        size_t end = b->offset + rounded(b->size_bytes);
        total = end > total ? end : total;
    }
    free(order);
    free(placed);
    return total;
}

size_t nn_plan(struct nn_buffer *buffer, size_t count)
{
    static int (*const ORDERS[])(const void *, const void *) = {by_size, by_life};
    size_t total[2];
    for (size_t i = 0; i < count; i++)
        assert(buffer[i].first_use <= buffer[i].last_use);
    for (int k = 0; k < 2; k++)
        total[k] = place_all(buffer, count, ORDERS[k]);
    return total[0] < total[1] ? place_all(buffer, count, ORDERS[0]) : total[1];
}

size_t nn_plan_bound(const struct nn_buffer *buffer, size_t count)
{
    size_t bound = 0;
    for (size_t i = 0; i < count; i++) { /* the peak is reached where some buffer begins */
        size_t alive = 0;
        for (size_t k = 0; k < count; k++)
            if (buffer[k].first_use <= buffer[i].first_use && buffer[i].first_use <= buffer[k].last_use)
                alive += rounded(buffer[k].size_bytes);
        bound = alive > bound ? alive : bound;
    }
    return bound;
}
