#include "base/mem.h"
#include "eval/result_parts.h"

#include <math.h>
#include <stdlib.h>

/* Of the cases whose map shows a place and whose lesion's place is known, the malignant ones only if wanted.
 */
static bool counts(const struct eval_case *k, bool malignant)
{
    return k->cam.somewhere && (!malignant || case_is_malignant(k));
}

static json_t *mean_json(const struct sample *s, bool malignant,
                         double (*measure)(const struct cam_agreement *))
{
    double *value = mem_new(s->n + 1, sizeof *value);

    for (size_t i = 0; i < s->n; i++)
        value[i] = counts(s->of[i], malignant) ? measure(&s->of[i]->cam) : NAN;
    json_t *json = interval_json(sample_mean(s, value));
    free(value);
    return json;
}

static double energy(const struct cam_agreement *a)
{
    return a->energy;
}

static double region_share(const struct cam_agreement *a)
{
    return a->region_share;
}

static json_t *agreement_json(const struct sample *s, bool malignant)
{
    struct share hits = {0, 0};

    for (size_t i = 0; i < s->n; i++) {
        if (counts(s->of[i], malignant)) {
            hits.n++;
            hits.hits += s->of[i]->cam.hit;
        }
    }
    return json_pack("{s:I, s:o, s:o, s:o}", "crops", (json_int_t)hits.n, "pointing_game",
                     interval_json(interval_wilson(hits)), "energy_inside", mean_json(s, malignant, energy),
                     "region_share", mean_json(s, malignant, region_share));
}

json_t *result_cam(const struct sample *s)
{
    size_t without = 0;

    for (size_t i = 0; i < s->n; i++)
        without += !s->of[i]->cam.somewhere;
    return json_pack("{s:s, s:s, s:o, s:o, s:I}", "method", "Grad-CAM", "class", "malignant", "all",
                     agreement_json(s, false), "malignant", agreement_json(s, true), "without",
                     (json_int_t)without);
}
