/* base/rng.c: see rng.h. */
#include "base/rng.h"

#include <assert.h>
#include <math.h>

#define GOLDEN UINT64_C(0x9e3779b97f4a7c15) /* splitmix64's increment */

/* splitmix64's finaliser: a bijection, so that two different arguments never meet. */
static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static uint64_t rotate(uint64_t x, int k)
{
    return x << k | x >> (64 - k);
}

struct rng rng_at(uint64_t seed, enum rng_stream stream, uint64_t a, uint64_t b)
{
    uint64_t h = mix(seed + GOLDEN);
    struct rng r;

    h = mix((h ^ (uint64_t)stream) + GOLDEN);
    h = mix((h ^ a) + GOLDEN);
    h = mix((h ^ b) + GOLDEN);
    for (int i = 0; i < 4; i++)
        r.s[i] = mix(h += GOLDEN);
    return r;
}

uint64_t rng_u64(struct rng *r)
{
    uint64_t *s = r->s;
    uint64_t result = rotate(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 45);
    return result;
}

double rng_uniform(struct rng *r)
{
    return (double)(rng_u64(r) >> 11) * 0x1p-53;
}

double rng_between(struct rng *r, double low, double high)
{
    double v = low + (high - low) * rng_uniform(r);

    return v < high ? v : low; /* rounding may reach high */
}

/* 0..n-1 without bias: the first 2^64 mod n values are refused, the rest holds every remainder equally often.
 */
static uint64_t below(struct rng *r, uint64_t n)
{
    uint64_t refused = -n % n;
    uint64_t x;

    do
        x = rng_u64(r);
    while (x < refused);
    return x % n;
}

int rng_int(struct rng *r, int low, int high)
{
    assert(low <= high);
    return (int)(low + (int64_t)below(r, (uint64_t)((int64_t)high - low + 1)));
}

double rng_normal(struct rng *r)
{
    double radius = sqrt(-2 * log(1 - rng_uniform(r))); /* 1 - u is never 0 */

    return radius * cos(2 * M_PI * rng_uniform(r));
}

void rng_permutation(struct rng *r, size_t *order, size_t n)
{
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    for (size_t i = n; i > 1; i--) {
        size_t j = (size_t)below(r, i);
        size_t t = order[i - 1];
        order[i - 1] = order[j];
        order[j] = t;
    }
}
