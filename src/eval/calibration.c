#include "eval/calibration.h"

#include "base/mem.h"
#include "eval/roc.h"

#include <math.h>
#include <stdlib.h>

enum { NEWTON_STEPS = 100 };

/* Scaled to mean 0 and variance 1 while it is fitted, so that Newton's steps are well sized for any unit. */
struct fit {
    const struct calibration_cases *c;
    double centre, scale, target[2];
};

double platt_probability(struct platt p, double x)
{
    const double f = p.slope * x + p.offset;

    return f >= 0 ? 1 / (1 + exp(-f)) : exp(f) / (1 + exp(f));
}

static double scaled(const struct fit *f, size_t i)
{
    return (f->c->x[i] - f->centre) / f->scale;
}

/* Cross-entropy: t log(1 + exp(-v)) + (1 - t) log(1 + exp(v)), without overflow. */
static double loss(const struct fit *f, struct platt p)
{
    double sum = 0;

    for (size_t i = 0; i < f->c->n; i++) {
        const double v = p.slope * scaled(f, i) + p.offset, t = f->target[f->c->positive[i]];
        sum += (v >= 0 ? (1 - t) * v : -t * v) + log1p(exp(-fabs(v)));
    }
    return sum;
}

static bool fit_begin(struct fit *f, const struct calibration_cases *c)
{
    double n[2] = {0, 0}, sum = 0, squares = 0;
    bool differ = false; /* told exactly: the mean of equal numbers may be another number */

    for (size_t i = 0; i < c->n; i++) {
        n[c->positive[i]]++;
        sum += c->x[i];
        differ |= c->x[i] != c->x[0];
    }
    if (n[0] < 1 || n[1] < 1 || !differ)
        return false;
    *f = (struct fit){.c = c, .centre = sum / (n[0] + n[1])};
    for (size_t i = 0; i < c->n; i++)
        squares += (c->x[i] - f->centre) * (c->x[i] - f->centre);
    f->scale = sqrt(squares / (n[0] + n[1]));
    f->target[0] = 1 / (n[0] + 2);
    f->target[1] = (n[1] + 1) / (n[1] + 2);
    return isfinite(f->scale) && f->scale > 0;
}

/* One step of Newton's method, halved until the loss falls; false at the minimum. */
static bool newton_step(const struct fit *f, struct platt *p, double *value)
{
    double g0 = 0, g1 = 0, h00 = 1e-12, h01 = 0, h11 = 1e-12;

    for (size_t i = 0; i < f->c->n; i++) {
        const double x = scaled(f, i), q = platt_probability(*p, x);
        const double error = q - f->target[f->c->positive[i]], curve = q * (1 - q);
        g0 += error;
        g1 += error * x;
        h00 += curve;
        h01 += curve * x;
        h11 += curve * x * x;
    }
    if (fabs(g0) < 1e-10 && fabs(g1) < 1e-10)
        return false;
    const double determinant = h00 * h11 - h01 * h01;
    const double offset = -(h11 * g0 - h01 * g1) / determinant, slope = -(h00 * g1 - h01 * g0) / determinant;
    for (double length = 1; length > 1e-10; length /= 2) {
        const struct platt next = {p->slope + length * slope, p->offset + length * offset};
        const double v = loss(f, next);
        if (v < *value) {
            *p = next;
            *value = v;
            return true;
        }
    }
    return false;
}

bool platt_fit(struct platt *out, const struct calibration_cases *c)
{
    struct fit f;

    if (!fit_begin(&f, c))
        return false;
    struct platt p = {0, 0};
    double value = loss(&f, p);
    for (int i = 0; i < NEWTON_STEPS && newton_step(&f, &p, &value); i++)
        ;
    *out = (struct platt){p.slope / f.scale, p.offset - p.slope * f.centre / f.scale};
    return true;
}

/* A run of x that share one value. */
struct pool {
    double weight, positives;
    double first, last; /* x */
};

static bool falls(const struct pool *before, const struct pool *after)
{
    return before->positives * after->weight >= after->positives * before->weight;
}

/* Pools from left to right; returns how many are left. */
static size_t pool_adjacent(struct pool *pool, const struct ranking *r)
{
    size_t count = 0;

    for (size_t k = 0; k < r->n;) {
        const double x = r->score[r->order[k]];
        struct pool next = {0, 0, x, x};
        for (; k < r->n && r->score[r->order[k]] == x; k++) {
            next.weight++;
            next.positives += r->positive[r->order[k]];
        }
        for (; count > 0 && falls(&pool[count - 1], &next); count--)
            next =
                (struct pool){next.weight + pool[count - 1].weight,
                              next.positives + pool[count - 1].positives, pool[count - 1].first, next.last};
        pool[count++] = next;
    }
    return count;
}

bool isotonic_fit(struct isotonic *out, const struct calibration_cases *c)
{
    struct ranking r;

    if (c->n == 0)
        return false;
    struct pool *pool = mem_new(c->n, sizeof *pool);
    ranking_make(&r, c->x, c->positive, c->n);
    const size_t count = pool_adjacent(pool, &r);
    struct isotonic i = {mem_new(2 * count, sizeof(double)), mem_new(2 * count, sizeof(double)), 0};
    for (size_t k = 0; k < count; k++) {
        const double y = pool[k].positives / pool[k].weight;
        i.x[i.count] = pool[k].first;
        i.y[i.count++] = y;
        if (pool[k].last > pool[k].first) {
            i.x[i.count] = pool[k].last;
            i.y[i.count++] = y;
        }
    }
    ranking_release(&r);
    free(pool);
    isotonic_release(out);
    *out = i;
    return true;
}

double isotonic_probability(const struct isotonic *i, double x)
{
    size_t low = 0, high = i->count;

    if (i->count == 0)
        return NAN;
    while (low < high) { /* the first whose x lies above */
        const size_t middle = (low + high) / 2;
        if (i->x[middle] > x)
            high = middle;
        else
            low = middle + 1;
    }
    if (low == 0)
        return i->y[0];
    if (low == i->count || i->y[low] == i->y[low - 1])
        return i->y[low - 1];
    return i->y[low - 1] + (i->y[low] - i->y[low - 1]) * ((x - i->x[low - 1]) / (i->x[low] - i->x[low - 1]));
}

void isotonic_release(struct isotonic *i)
{
    free(i->x);
    free(i->y);
    *i = (struct isotonic)ISOTONIC_INIT;
}

void reliability_make(struct reliability_bin out[CALIBRATION_BINS], const struct forecasts *f,
                      const unsigned *weight)
{
    for (int b = 0; b < CALIBRATION_BINS; b++)
        out[b] = (struct reliability_bin){0, 0, 0};
    for (size_t i = 0; i < f->n; i++) {
        const int at = (int)(f->p[i] * CALIBRATION_BINS);
        struct reliability_bin *b = &out[at < CALIBRATION_BINS ? at : CALIBRATION_BINS - 1];
        const double times = weight ? weight[i] : 1;
        b->n += times;
        b->mean += times * f->p[i];
        b->positives += f->positive[i] ? times : 0;
    }
    for (int b = 0; b < CALIBRATION_BINS; b++)
        out[b].mean = out[b].n > 0 ? out[b].mean / out[b].n : NAN;
}

double forecast_ece(const void *forecasts, const unsigned *weight)
{
    struct reliability_bin bin[CALIBRATION_BINS];
    double sum = 0, n = 0;

    reliability_make(bin, forecasts, weight);
    for (int b = 0; b < CALIBRATION_BINS; b++) {
        if (bin[b].n > 0) {
            sum += fabs(bin[b].mean * bin[b].n - bin[b].positives);
            n += bin[b].n;
        }
    }
    return n > 0 ? sum / n : NAN;
}

double forecast_brier(const void *forecasts, const unsigned *weight)
{
    const struct forecasts *f = forecasts;
    double sum = 0, n = 0;

    for (size_t i = 0; i < f->n; i++) {
        const double times = weight ? weight[i] : 1, error = f->p[i] - (f->positive[i] ? 1 : 0);
        sum += times * error * error;
        n += times;
    }
    return n > 0 ? sum / n : NAN;
}
