#include "eval/measures_groups.h"

#include "base/mem.h"
#include "eval/result_parts.h"
#include "eval/roc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Cases with arrays of their own. */
struct case_set {
    double *score, *dice; /* dice NAN where there is none */
    bool *malignant;
    size_t *patient; /* 0..patients-1 */
    size_t n, patients;
};

static void set_new(struct case_set *s, size_t room)
{
    *s = (struct case_set){mem_new(room + 1, sizeof(double)),
                           mem_new(room + 1, sizeof(double)),
                           mem_new(room + 1, sizeof(bool)),
                           mem_new(room + 1, sizeof(size_t)),
                           0,
                           0};
}

static void set_release(struct case_set *s)
{
    free(s->score);
    free(s->dice);
    free(s->malignant);
    free(s->patient);
    *s = (struct case_set){0};
}

/* Patients get numbers without gaps. */
static void number_patients(struct case_set *s, size_t patients)
{
    size_t *number = mem_new(patients + 1, sizeof *number);

    for (size_t i = 0; i < s->n; i++) {
        size_t *p = &number[s->patient[i]];
        if (*p == 0)
            *p = ++s->patients;
        s->patient[i] = *p - 1;
    }
    free(number);
}

static struct interval set_bootstrap(const struct case_set *s, uint64_t seed, interval_statistic *statistic,
                                     const void *context)
{
    return interval_bootstrap(&(struct bootstrap){.statistic = statistic,
                                                  .context = context,
                                                  .group = s->patient,
                                                  .n = s->n,
                                                  .groups = s->patients,
                                                  .draws = MEASURES_DRAWS,
                                                  .seed = seed});
}

/* Mean of the values that are there. */
static double mean_value(const void *values, const unsigned *weight)
{
    const struct case_set *s = values;
    double sum = 0, n = 0;

    for (size_t i = 0; i < s->n; i++) {
        if (!isnan(s->dice[i])) {
            sum += weight[i] * s->dice[i];
            n += weight[i];
        }
    }
    return n > 0 ? sum / n : NAN;
}

static bool counts_dice(const struct measures *m, const struct eval_row *r)
{
    return !m->malignant_lesions || r->label == LABEL_MALIGNANT;
}

static void put_shares(json_t *json, const struct case_set *s, const struct band *band)
{
    struct confusion c = {0};

    for (size_t i = 0; i < s->n; i++)
        confusion_add(&c, *band, s->score[i], s->malignant[i]);
    json_object_set_new(json, "sensitivity", interval_json(interval_wilson(confusion_sensitivity(&c))));
    json_object_set_new(json, "specificity", interval_json(interval_wilson(confusion_specificity(&c))));
    json_object_set_new(json, "uncertain", interval_json(interval_wilson(confusion_uncertain(&c))));
    json_object_set_new(json, "malignant_called_benign",
                        interval_json(interval_wilson(confusion_missed(&c))));
}

/* The counts, and what is measured of every set of cases. */
static void put_set(json_t *json, const struct case_set *s, const struct measures *m)
{
    size_t malignant = 0;
    struct ranking r;

    for (size_t i = 0; i < s->n; i++)
        malignant += s->malignant[i];
    json_object_set_new(json, "cases", json_integer((json_int_t)s->n));
    json_object_set_new(json, "patients", json_integer((json_int_t)s->patients));
    json_object_set_new(json, "malignant", json_integer((json_int_t)malignant));
    json_object_set_new(json, "few",
                        json_boolean(s->n < MEASURES_FEW_CASES || malignant < MEASURES_FEW_OF_A_CLASS ||
                                     s->n - malignant < MEASURES_FEW_OF_A_CLASS));
    ranking_make(&r, s->score, s->malignant, s->n);
    json_object_set_new(json, "auc",
                        interval_json(ranking_tells(&r) ? set_bootstrap(s, m->seed, ranking_auc, &r)
                                                        : (struct interval){NAN, NAN, NAN}));
    ranking_release(&r);
    if (m->band)
        put_shares(json, s, m->band);
}

/* One case a group of rows: the highest score; malignant where any row is. */
static void merge(struct case_set *out, const struct eval_rows *r, const size_t *group, size_t groups)
{
    set_new(out, groups);
    out->n = groups;
    for (size_t g = 0; g < groups; g++) {
        out->score[g] = -INFINITY;
        out->dice[g] = NAN;
    }
    for (size_t i = 0; i < r->count; i++) {
        const size_t g = group[i];
        out->score[g] = fmax(out->score[g], r->of[i].score);
        out->malignant[g] |= r->of[i].label == LABEL_MALIGNANT;
        out->patient[g] = r->patient[i];
    }
    number_patients(out, r->patients);
}

static char *key_row(const struct eval_row *r)
{
    return mem_copy_string(r->id);
}

static char *key_image(const struct eval_row *r)
{
    return mem_copy_string(r->image);
}

static char *key_breast(const struct eval_row *r)
{
    return *r->side ? mem_printf("%s/%s", r->patient, r->side) : NULL;
}

static char *key_patient(const struct eval_row *r)
{
    return mem_copy_string(r->patient);
}

struct level {
    const char *name;
    char *(*key)(const struct eval_row *r); /* NULL: not known */
    bool crops_only;
};
static const struct level LEVELS[] = {{"abnormality", key_row, true},
                                      {"image", key_image, false},
                                      {"breast", key_breast, false},
                                      {"patient", key_patient, false}};

static json_t *level_json(const struct level *level, const struct measures *m)
{
    const struct eval_rows *r = m->rows;
    char **key = mem_new(r->count + 1, sizeof *key);
    size_t *group = mem_new(r->count + 1, sizeof *group);
    json_t *json = json_pack("{s:s}", "level", level->name);
    struct case_set s;
    bool known = true;

    for (size_t i = 0; i < r->count; i++) {
        key[i] = level->key(&r->of[i]);
        known = known && key[i];
    }
    if (known) {
        const size_t groups = rows_group(group, (const char *const *)key, r->count);
        merge(&s, r, group, groups);
        put_set(json, &s, m);
        set_release(&s);
    } else {
        json_object_set_new(json, "cases", json_null()); /* some rows do not say theirs */
    }
    for (size_t i = 0; i < r->count; i++)
        free(key[i]);
    free(key);
    free(group);
    return json;
}

json_t *measures_levels(const struct measures *m)
{
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof LEVELS / sizeof *LEVELS; i++)
        if (m->crops || !LEVELS[i].crops_only)
            json_array_append_new(list, level_json(&LEVELS[i], m));
    return list;
}

static const char *row_density(const struct eval_row *r)
{
    return r->density;
}

static const char *row_subtlety(const struct eval_row *r)
{
    return r->subtlety;
}

static const char *row_view(const struct eval_row *r)
{
    return r->view;
}

static const char *row_assessment(const struct eval_row *r)
{
    return r->assessment;
}

struct stratification {
    const char *name;
    const char *(*value)(const struct eval_row *r);
};
static const struct stratification STRATA[] = {
    {"density", row_density}, {"subtlety", row_subtlety}, {"view", row_view}, {"assessment", row_assessment}};

enum { MOST_VALUES = 20 };

static json_t *stratum_json(const struct measures *m, const size_t *group, size_t wanted)
{
    const struct eval_rows *r = m->rows;
    json_t *json = json_object();
    struct case_set s;

    set_new(&s, r->count);
    for (size_t i = 0; i < r->count; i++) {
        if (group[i] != wanted)
            continue;
        s.score[s.n] = r->of[i].score;
        s.dice[s.n] = counts_dice(m, &r->of[i]) ? r->of[i].dice : NAN;
        s.malignant[s.n] = r->of[i].label == LABEL_MALIGNANT;
        s.patient[s.n++] = r->patient[i];
    }
    number_patients(&s, r->patients);
    put_set(json, &s, m);
    if (!m->crops)
        json_object_set_new(json, "dice", interval_json(set_bootstrap(&s, m->seed, mean_value, &s)));
    set_release(&s);
    return json;
}

static void add_strata(json_t *list, const struct stratification *by, const struct measures *m)
{
    const struct eval_rows *r = m->rows;
    const char **value = mem_new(r->count + 1, sizeof *value);
    size_t *group = mem_new(r->count + 1, sizeof *group);

    for (size_t i = 0; i < r->count; i++)
        value[i] = by->value(&r->of[i]);
    const size_t groups = rows_group(group, value, r->count);
    for (size_t g = 0; g < groups && groups <= MOST_VALUES; g++) {
        size_t first = 0;
        while (group[first] != g)
            first++;
        if (groups == 1 && !*value[first]) /* the data set does not tell */
            break;
        json_t *json = stratum_json(m, group, g);
        json_object_set_new(json, "by", json_string(by->name));
        json_object_set_new(json, "value", json_string(value[first]));
        json_array_append_new(list, json);
    }
    free(value);
    free(group);
}

json_t *measures_strata(const struct measures *m)
{
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof STRATA / sizeof *STRATA && m->rows->count > 0; i++)
        add_strata(list, &STRATA[i], m);
    return list;
}
