#include "data/phantom_field.h"

#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    LANES = 16,   /* columns transformed together: one cache line */
    PHASES = 4096 /* steps of the table of random phases */
};

struct plan {
    int n, bits;
    float *cosine, *sine; /* [n / 2] of 2 pi k / n */
    float *re, *im;       /* [n, LANES] */
};

static int reversed(int i, int bits)
{
    int r = 0;
    for (int b = 0; b < bits; b++)
        r |= ((i >> b) & 1) << (bits - 1 - b);
    return r;
}

static void plan_init(struct plan *p, int n)
{
    *p = (struct plan){.n = n};
    while (1 << p->bits < n)
        p->bits++;
    p->cosine = mem_new((size_t)n / 2, sizeof *p->cosine);
    p->sine = mem_new((size_t)n / 2, sizeof *p->sine);
    p->re = mem_new((size_t)n * LANES, sizeof *p->re);
    p->im = mem_new((size_t)n * LANES, sizeof *p->im);
    for (int k = 0; k < n / 2; k++) {
        p->cosine[k] = (float)cos(2 * M_PI * k / n);
        p->sine[k] = (float)sin(2 * M_PI * k / n);
    }
}

static void plan_release(struct plan *p)
{
    free(p->cosine);
    free(p->sine);
    free(p->re);
    free(p->im);
}

/* Rows a and b of the strip become a + w b and a - w b. */
static void butterfly(struct plan *p, int a, int b, int twiddle)
{
    float c = p->cosine[twiddle], s = p->sine[twiddle];
    float *restrict ar = p->re + (size_t)a * LANES, *restrict ai = p->im + (size_t)a * LANES;
    float *restrict br = p->re + (size_t)b * LANES, *restrict bi = p->im + (size_t)b * LANES;

    for (int k = 0; k < LANES; k++) {
        float r = br[k] * c - bi[k] * s, i = br[k] * s + bi[k] * c;
        br[k] = ar[k] - r;
        bi[k] = ai[k] - i;
        ar[k] += r;
        ai[k] += i;
    }
}

/* Radix-2, decimation in time; rows are in bit-reversed order when it begins. */
static void transform_strip(struct plan *p)
{
    for (int half = 1; half < p->n; half *= 2)
        for (int start = 0; start < p->n; start += 2 * half)
            for (int k = 0; k < half; k++)
                butterfly(p, start + k, start + k + half, k * (p->n / (2 * half)));
}

/* Transforms every column of from and lays it down as a row of to. */
static void transform_columns(struct plan *p, float *to[2], float *const from[2])
{
    size_t n = (size_t)p->n;

    for (size_t column = 0; column < n; column += LANES) {
        for (size_t y = 0; y < n; y++) {
            size_t row = (size_t)reversed((int)y, p->bits) * LANES;
            memcpy(p->re + row, from[0] + y * n + column, LANES * sizeof(float));
            memcpy(p->im + row, from[1] + y * n + column, LANES * sizeof(float));
        }
        transform_strip(p);
        for (size_t k = 0; k < LANES; k++)
            for (size_t y = 0; y < n; y++) {
                to[0][(column + k) * n + y] = p->re[y * LANES + k];
                to[1][(column + k) * n + y] = p->im[y * LANES + k];
            }
    }
}

/* Amplitudes for wave numbers 0..n/2 in both directions, so that the two fields get variance 1. */
static float *amplitudes(int n, struct phantom_spectrum s)
{
    int half = n / 2 + 1;
    float *a = mem_new((size_t)half * (size_t)half, sizeof *a);
    double power = 0;

    for (int y = 0; y < half; y++)
        for (int x = 0; x < half; x++) {
            double k2 = (double)x * x + (double)y * y;
            if (k2 < s.low * s.low || k2 > s.high * s.high || k2 == 0)
                continue;
            double p = pow(k2, -s.beta / 2);
            a[y * half + x] = (float)sqrt(p);
            power += p * (x > 0 && x < n / 2 ? 2 : 1) * (y > 0 && y < n / 2 ? 2 : 1);
        }
    float scale = power > 0 ? (float)sqrt(2 / power) : 0;
    for (int i = 0; i < half * half; i++)
        a[i] *= scale;
    return a;
}

static void draw_waves(float *waves[2], int n, struct phantom_spectrum s, struct rng *rng)
{
    float *amplitude = amplitudes(n, s);
    float *cosine = mem_new(PHASES + PHASES / 4, sizeof *cosine);
    int half = n / 2 + 1;

    for (int i = 0; i < PHASES + PHASES / 4; i++)
        cosine[i] = (float)cos(2 * M_PI * i / PHASES);
    for (int y = 0; y < n; y++) {
        const float *row = amplitude + (size_t)(y <= n / 2 ? y : n - y) * (size_t)half;
        uint64_t bits = 0;
        for (int x = 0; x < n; x++) {
            bits = x % 4 ? bits >> 16 : rng_u64(rng);
            float a = row[x <= n / 2 ? x : n - x];
            size_t phase = bits % PHASES, i = (size_t)y * (size_t)n + (size_t)x;
            waves[0][i] = a * cosine[phase];
            waves[1][i] = a * cosine[phase + PHASES / 4];
        }
    }
    free(cosine);
    free(amplitude);
}

bool phantom_field_pair(struct phantom_field pair[2], int n, struct phantom_spectrum spectrum,
                        struct rng *rng, struct err *err)
{
    assert(n >= LANES && n <= 8192 && (n & (n - 1)) == 0);
    float *a[2] = {NULL, NULL}, *b[2] = {NULL, NULL};
    bool ok = false;

    for (int k = 0; k < 2; k++) {
        a[k] = mem_try((size_t)n * (size_t)n, sizeof(float), err);
        b[k] = mem_try((size_t)n * (size_t)n, sizeof(float), err);
        if (!a[k] || !b[k])
            goto out;
    }
    struct plan p;
    plan_init(&p, n);
    draw_waves(a, n, spectrum, rng);
    transform_columns(&p, b, a);
    transform_columns(&p, a, b);
    plan_release(&p);
    for (int k = 0; k < 2; k++) {
        pair[k] = (struct phantom_field){n, a[k]};
        a[k] = NULL;
    }
    ok = true;
out:
    for (int k = 0; k < 2; k++) {
        free(a[k]);
        free(b[k]);
    }
    return ok;
}

void phantom_field_release(struct phantom_field *f)
{
    free(f->value);
    *f = (struct phantom_field)PHANTOM_FIELD_INIT;
}

float phantom_field_at(const struct phantom_field *f, float x, float y)
{
    int n = f->n, mask = n - 1;
    /* Far enough from zero that a cast rounds down. */
    float px = (x + 16) * (float)n, py = (y + 16) * (float)n;
    int ix = (int)px, iy = (int)py;
    float fx = px - (float)ix, fy = py - (float)iy;
    const float *top = f->value + (size_t)(iy & mask) * (size_t)n;
    const float *low = f->value + (size_t)((iy + 1) & mask) * (size_t)n;
    int left = ix & mask, right = (ix + 1) & mask;

    return (top[left] * (1 - fx) + top[right] * fx) * (1 - fy) +
           (low[left] * (1 - fx) + low[right] * fx) * fy;
}
