/* How long the intervals of an evaluation take: 2,000 draws of whole patients for each measure.
 *
 *   bench_eval_bootstrap [predictions] [patients] [draws]        default 1000000 250000 2000
 */
#include "base/mem.h"
#include "base/progress.h"
#include "base/rng.h"
#include "eval/calibration.h"
#include "eval/interval.h"
#include "eval/precision.h"
#include "eval/roc.h"

#include <stdio.h>
#include <stdlib.h>

struct made {
    double *score; /* [n], in 0..1 */
    bool *malignant;
    size_t *patient, n, patients, draws;
};

static struct made make(size_t n, size_t patients, size_t draws)
{
    struct made m = {mem_new(n + 1, sizeof(double)),
                     mem_new(n + 1, sizeof(bool)),
                     mem_new(n + 1, sizeof(size_t)),
                     n,
                     patients,
                     draws};
    struct rng r = rng_at(1, RNG_TEST, 0, 0);

    for (size_t i = 0; i < n; i++) {
        m.patient[i] = i % patients;
        m.malignant[i] = rng_uniform(&r) < .3;
        m.score[i] = rng_uniform(&r) * (m.malignant[i] ? 1 : .8);
    }
    return m;
}

static void measure(const struct made *m, const char *name, interval_statistic *statistic,
                    const void *context)
{
    const double begin = clock_seconds();
    const struct interval i = interval_bootstrap(&(struct bootstrap){.statistic = statistic,
                                                                     .context = context,
                                                                     .group = m->patient,
                                                                     .n = m->n,
                                                                     .groups = m->patients,
                                                                     .draws = m->draws,
                                                                     .seed = 1});

    printf("%-18s %.5f [%.5f, %.5f]  %.1f s\n", name, i.value, i.low, i.high, clock_seconds() - begin);
    fflush(stdout);
}

/* The four of the same draws, as an evaluation takes those it can. */
static void together(const struct made *m, const struct measured of[4])
{
    const double begin = clock_seconds();
    struct interval i[4];

    interval_bootstrap_all(
        i, of, 4,
        &(struct bootstrap){
            .group = m->patient, .n = m->n, .groups = m->patients, .draws = m->draws, .seed = 1});
    printf("%-18s %.5f [%.5f, %.5f] ...  %.1f s\n", "all four", i[0].value, i[0].low, i[0].high,
           clock_seconds() - begin);
}

static size_t whole(int argc, char **argv, int at, size_t otherwise)
{
    const long v = argc > at ? atol(argv[at]) : 0;

    return v > 0 ? (size_t)v : otherwise;
}

int main(int argc, char **argv)
{
    const size_t patients = whole(argc, argv, 2, 250000);
    struct made m = make(whole(argc, argv, 1, 1000000), patients, whole(argc, argv, 3, 2000));
    const struct forecasts f = {m.score, m.malignant, m.n};
    const double begin = clock_seconds();
    struct ranking r;

    ranking_make(&r, m.score, m.malignant, m.n);
    printf("%zu predictions of %zu patients, %zu draws; sorted in %.1f s\n", m.n, m.patients, m.draws,
           clock_seconds() - begin);
    measure(&m, "AUC", ranking_auc, &r);
    measure(&m, "average precision", ranking_average_precision, &r);
    measure(&m, "Brier", forecast_brier, &f);
    measure(&m, "ECE", forecast_ece, &f);
    together(&m, (const struct measured[]){{ranking_auc, &r},
                                           {ranking_average_precision, &r},
                                           {forecast_brier, &f},
                                           {forecast_ece, &f}});
    ranking_release(&r);
    free(m.score);
    free(m.malignant);
    free(m.patient);
    return 0;
}
