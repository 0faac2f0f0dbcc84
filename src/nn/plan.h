/* nn/plan.h: where buffers that live for part of a run lie in one block of memory.
 *
 * A pure function of life times and sizes. The greedy is the usual one for static shapes: largest first, each
 * into the smallest gap that fits among the buffers already placed whose lives meet its own (Pisarchyk and
 * Lee 2020, "greedy by size"); or longest life first, whichever takes less. */
#ifndef CLEARMASS_NN_PLAN_H
#define CLEARMASS_NN_PLAN_H

#include <stddef.h>

enum { NN_PLAN_ALIGN = 64 };

struct nn_buffer {
    size_t size_bytes; /* 0 is allowed: gets some offset, takes no room */
    int first_use;     /* step that writes it */
    int last_use;      /* last step that reads it, >= first_use; both inclusive */
    size_t offset;     /* out: bytes, a multiple of NN_PLAN_ALIGN */
};

/* Sets every offset so that no two buffers with a common step overlap. Returns the bytes of the whole block,
 * a multiple of NN_PLAN_ALIGN. */
size_t nn_plan(struct nn_buffer *buffer, size_t count);

/* The most bytes (each size rounded up to NN_PLAN_ALIGN) alive at one step: no plan can need less. */
size_t nn_plan_bound(const struct nn_buffer *buffer, size_t count);

#endif
