/* base/rng.h: random numbers as a function of where they are used, not of what was drawn before.
 *
 * rng_at(seed, stream, a, b) gives an independent generator for every combination, so results depend neither
 * on the number of threads nor on where a resumed run starts. Typical use: rng_at(seed, RNG_AUGMENT, epoch,
 * item). */
#ifndef CLEARMASS_BASE_RNG_H
#define CLEARMASS_BASE_RNG_H

#include <stddef.h>
#include <stdint.h>

/* One number a purpose, so that two purposes never share a sequence. */
enum rng_stream {
    RNG_INIT = 1, /* initial weights: a = slot */
    RNG_SPLIT,    /* train / validation split */
    RNG_SHUFFLE,  /* order of items: a = epoch */
    RNG_AUGMENT,  /* a = epoch, b = item */
    RNG_DROPOUT,  /* a = step, b = node */
    RNG_PHANTOM,  /* a = patient, b = view */
    RNG_ELLIPSE,  /* synthetic pre-training: a = epoch, b = item */
    RNG_BOOTSTRAP,
    RNG_TEST
};

struct rng {
    uint64_t s[4]; /* xoshiro256** (Blackman and Vigna 2018), seeded by splitmix64 */
};

struct rng rng_at(uint64_t seed, enum rng_stream stream, uint64_t a, uint64_t b);

uint64_t rng_u64(struct rng *r);
double rng_uniform(struct rng *r);                          /* [0, 1) */
double rng_between(struct rng *r, double low, double high); /* [low, high) */
int rng_int(struct rng *r, int low, int high);              /* low..high, both included, no modulo bias */
double rng_normal(struct rng *r);                           /* mean 0, variance 1 (Box-Muller) */

/* Fisher-Yates over 0..n-1 written to order. */
void rng_permutation(struct rng *r, size_t *order, size_t n);

#endif
