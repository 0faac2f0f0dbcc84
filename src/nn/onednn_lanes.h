/* nn/onednn_lanes.h: how kernels of ours reach the numbers of a tensor.
 *
 * A kernel works on lanes: `width` channels of one pixel that lie side by side, floats or bf16, the next
 * pixel's so many numbers further. Where a tensor's numbers are floats its pixels lie one after the other
 * within a channel block; those of a bf16 tensor hold every channel of it, or of the concatenation it lies
 * in. width and bf16 are constants wherever a kernel's innermost function is expanded. */
#ifndef CLEARMASS_NN_ONEDNN_LANES_H
#define CLEARMASS_NN_ONEDNN_LANES_H

#include "nn/onednn.h"

#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

/* Calls f(..., width, bf16) with constants: where the job is of floats, and for any. */
#define FOR_FLOATS(j, f, ...)                                                                                \
    ((j)->block == 16  ? f(__VA_ARGS__, 16, false)                                                           \
     : (j)->block == 8 ? f(__VA_ARGS__, 8, false)                                                            \
                       : f(__VA_ARGS__, 1, false))
#define FOR_LANES(j, f, ...)                                                                                 \
    (!(j)->bf16         ? FOR_FLOATS(j, f, __VA_ARGS__)                                                      \
     : (j)->block == 64 ? f(__VA_ARGS__, 64, true)                                                           \
     : (j)->block == 32 ? f(__VA_ARGS__, 32, true)                                                           \
                        : f(__VA_ARGS__, 16, true))

enum { MAX_LANES = 64 };

/* Channels of a bf16 tensor of c that a kernel takes at a time. */
static inline int wide_block(int c)
{
    return c % 64 == 0 ? 64 : c % 32 == 0 ? 32 : 16;
}

INLINE float number_get(const void *at, size_t i, bool bf16)
{
    if (!bf16)
        return ((const float *)at)[i];
    uint32_t bits = (uint32_t)((const uint16_t *)at)[i] << 16;
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

/* To the nearest, of two as near to the even one. */
INLINE void number_put(void *at, size_t i, float v, bool bf16)
{
    if (!bf16) {
        ((float *)at)[i] = v;
        return;
    }
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    bits = v != v ? 0x7fc00000 : bits + 0x7fff + (bits >> 16 & 1);
    ((uint16_t *)at)[i] = (uint16_t)(bits >> 16);
}

static inline size_t number_size(bool bf16)
{
    return bf16 ? sizeof(uint16_t) : sizeof(float);
}

static inline size_t plane_area(struct nn_shape s)
{
    return (size_t)s.h * (size_t)s.w;
}

/* Lanes of the first pixel, and how far the next pixel's are; at is NULL where the role is not given. */
struct lanes {
    void *at;
    size_t pixel;
};

/* Of channel block `block` of image n of a tensor of shape s, from the pixel `first` on. */
static inline struct lanes lanes_at(const struct onednn_job *j, enum onednn_role role, struct nn_shape s,
                                    int n, int block, size_t first)
{
    const struct onednn_span *t = &j->at[role];
    size_t pixel = t->bf16 ? t->pixel : (size_t)j->block;
    size_t plane = t->bf16 ? (size_t)j->block : plane_area(s) * (size_t)j->block;
    size_t offset = (size_t)n * t->item + (size_t)block * plane + first * pixel;
    return (struct lanes){t->at ? (char *)t->at + offset * number_size(t->bf16) : NULL, pixel};
}

#endif
