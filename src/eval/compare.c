#include "eval/compare.h"

#include "base/mem.h"
#include "eval/binomial.h"
#include "eval/delong.h"
#include "eval/measures.h"
#include "eval/predict.h"
#include "eval/result_parts.h"
#include "eval/roc.h"
#include "eval/rows.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The common cases: their truths, and row[r][i], what run r says of case i. */
struct comparison {
    const struct compare *how;
    struct predictions *of; /* [runs] */
    size_t runs;
    const struct eval_row **row[COMPARE_MOST_RUNS]; /* [n] each */
    double *score[COMPARE_MOST_RUNS];               /* [n] each */
    bool *malignant;                                /* [n] */
    size_t *patient;                                /* [n]: 0..patients-1 */
    size_t n, patients;
    bool malignant_dice; /* a black-box run leaves other lesions black: Dice of malignant images only */
};

static const char *text_at(const struct predictions *p, const char *object, const char *key)
{
    const char *text = json_string_value(json_object_get(json_object_get(p->result, object), key));

    return text ? text : "";
}

static bool read_all(struct comparison *c, struct err *err)
{
    static const char *const SAME[][2] = {{"manifest_sha256", "data sets"}, {"part", "parts"}};

    c->of = mem_new(c->runs, sizeof *c->of);
    for (size_t r = 0; r < c->runs; r++) {
        if (!predictions_read(&c->of[r], c->how->run[r], err))
            return false;
        c->malignant_dice |= !strcmp(text_at(&c->of[r], "run", "task"), run_task_name(RUN_BLACK_BOX));
        for (size_t k = 0; k < 2; k++)
            if (strcmp(text_at(&c->of[r], "data", SAME[k][0]), text_at(&c->of[0], "data", SAME[k][0])) != 0)
                return err_set(err, ERR_INPUT, "%s and %s are evaluations of different %s", c->of[0].folder,
                               c->of[r].folder, SAME[k][1]);
    }
    return true;
}

static int by_id(const void *left, const void *right)
{
    return strcmp((*(const struct eval_row *const *)left)->id, (*(const struct eval_row *const *)right)->id);
}

/* A run's rows by their ids. free() it. */
static const struct eval_row **sorted(const struct eval_rows *r)
{
    const struct eval_row **v = mem_new(r->count + 1, sizeof *v);

    for (size_t i = 0; i < r->count; i++)
        v[i] = &r->of[i];
    qsort(v, r->count, sizeof *v, by_id);
    return v;
}

static bool same_case(const struct comparison *c, size_t run, const struct eval_row *a,
                      const struct eval_row *b, struct err *err)
{
    if (a->label == b->label && strcmp(a->patient, b->patient) == 0)
        return true;
    return err_set(err, ERR_INPUT, "'%s' has another label or patient in %s than in %s", a->id,
                   c->of[run].folder, c->of[0].folder);
}

/* Walks all sorted lists together; what every list has stays. */
static bool match(struct comparison *c, struct err *err)
{
    const struct eval_row **list[COMPARE_MOST_RUNS] = {NULL};
    size_t at[COMPARE_MOST_RUNS] = {0};
    bool ok = true;

    for (size_t r = 0; r < c->runs; r++) {
        list[r] = sorted(&c->of[r].rows);
        c->row[r] = mem_new(c->of[0].rows.count + 1, sizeof *c->row[r]);
    }
    for (size_t i = 0; i < c->of[0].rows.count && ok; i++) {
        bool common = true;
        for (size_t r = 0; r < c->runs; r++) {
            const size_t count = c->of[r].rows.count;
            while (at[r] < count && by_id(&list[r][at[r]], &list[0][i]) < 0)
                at[r]++;
            common = common && at[r] < count && by_id(&list[r][at[r]], &list[0][i]) == 0;
        }
        for (size_t r = 0; r < c->runs && common && ok; r++) {
            c->row[r][c->n] = list[r][at[r]];
            ok = same_case(c, r, list[0][i], list[r][at[r]], err);
        }
        c->n += common;
    }
    for (size_t r = 0; r < c->runs; r++)
        free(list[r]);
    if (ok && c->n == 0)
        return err_set(err, ERR_INPUT, "no case in common: cases are matched by their id");
    return ok;
}

static void fill(struct comparison *c)
{
    const char **name = mem_new(c->n + 1, sizeof *name);

    c->malignant = mem_new(c->n + 1, sizeof *c->malignant);
    c->patient = mem_new(c->n + 1, sizeof *c->patient);
    for (size_t i = 0; i < c->n; i++) {
        c->malignant[i] = c->row[0][i]->label == LABEL_MALIGNANT;
        name[i] = c->row[0][i]->patient;
    }
    c->patients = rows_group(c->patient, name, c->n);
    for (size_t r = 0; r < c->runs; r++) {
        c->score[r] = mem_new(c->n + 1, sizeof(double));
        for (size_t i = 0; i < c->n; i++)
            c->score[r][i] = c->row[r][i]->score;
    }
    free(name);
}

static void comparison_release(struct comparison *c)
{
    for (size_t r = 0; r < c->runs; r++) {
        if (c->of)
            predictions_release(&c->of[r]);
        free(c->row[r]);
        free(c->score[r]);
    }
    free(c->of);
    free(c->malignant);
    free(c->patient);
}

static struct bootstrap draws(const struct comparison *c, interval_statistic *statistic, const void *context)
{
    return (struct bootstrap){.statistic = statistic,
                              .context = context,
                              .group = c->patient,
                              .n = c->n,
                              .groups = c->patients,
                              .draws = MEASURES_DRAWS,
                              .seed = c->how->seed};
}

/* Values of the cases, NAN where there is none. */
struct column {
    const double *v;
    size_t n;
};

static double column_mean(const void *column, const unsigned *weight)
{
    const struct column *x = column;
    double sum = 0, n = 0;

    for (size_t i = 0; i < x->n; i++) {
        if (!isnan(x->v[i])) {
            sum += weight[i] * x->v[i];
            n += weight[i];
        }
    }
    return n > 0 ? sum / n : NAN;
}

static double dice_of(const struct comparison *c, size_t run, size_t i)
{
    return c->malignant_dice && !c->malignant[i] ? NAN : c->row[run][i]->dice;
}

static void roc_at(const void *context, size_t i, double v[3])
{
    const struct roc_point *p = &((const struct roc *)context)->point[i];

    v[0] = p->false_positive_rate;
    v[1] = p->true_positive_rate;
    v[2] = p->threshold;
}

/* 1 right, 0 wrong, -1 no answer: malignant is answered from the lower threshold on. */
static int right(const struct eval_row *r)
{
    if (r->answer == ANSWER_COUNT)
        return -1;
    return (r->answer != ANSWER_BENIGN) == (r->label == LABEL_MALIGNANT);
}

static json_t *accuracy_json(const struct comparison *c, size_t run)
{
    struct share s = {0, 0};

    for (size_t i = 0; i < c->n; i++) {
        s.n += right(c->row[run][i]) >= 0;
        s.hits += right(c->row[run][i]) == 1;
    }
    return interval_json(interval_wilson(s));
}

static json_t *run_json(const struct comparison *c, size_t run)
{
    double *dice = mem_new(c->n + 1, sizeof *dice);
    const struct column column = {dice, c->n};
    struct ranking r;
    struct roc roc;

    for (size_t i = 0; i < c->n; i++)
        dice[i] = dice_of(c, run, i);
    ranking_make(&r, c->score[run], c->malignant, c->n);
    roc_make(&roc, &r);
    const struct bootstrap draw = draws(c, NULL, NULL);
    struct interval i[2];

    interval_bootstrap_all(i, (const struct measured[]){{ranking_auc, &r}, {column_mean, &column}}, 2, &draw);
    const struct interval auc = ranking_tells(&r) ? i[0] : (struct interval){NAN, NAN, NAN};
    const char *by = json_string_value(json_object_get(c->of[run].result, "answers_by"));
    json_t *json = json_pack(
        "{s:o, s:O, s:O?, s:s?, s:I, s:o, s:o, s:o, s:o}", "folder", json_text(c->how->run[run]), "run",
        json_object_get(c->of[run].result, "run"), "data_leaks",
        json_object_get(json_object_get(c->of[run].result, "data"), "leaks"), "answers_by", by, "left_out",
        (json_int_t)(c->of[run].rows.count - c->n), "auc", interval_json(auc), "accuracy",
        accuracy_json(c, run), "dice", interval_json(i[1]), "roc", measures_curve(roc.count, roc_at, &roc));
    roc_release(&roc);
    ranking_release(&r);
    free(dice);
    return json;
}

struct two_rankings {
    struct ranking first, second;
};

static double auc_difference(const void *rankings, const unsigned *weight)
{
    const struct two_rankings *t = rankings;

    return ranking_auc(&t->second, weight) - ranking_auc(&t->first, weight);
}

/* *p gets the p-value; so below. */
static json_t *auc_json(const struct comparison *c, size_t a, size_t b, double *p)
{
    struct delong d = delong_compare(&(struct delong_pair){c->score[a], c->score[b], c->malignant, c->n});
    struct two_rankings t;

    ranking_make(&t.first, c->score[a], c->malignant, c->n);
    ranking_make(&t.second, c->score[b], c->malignant, c->n);
    const struct bootstrap draw = draws(c, auc_difference, &t);
    struct interval by_patients = {NAN, NAN, NAN};
    if (ranking_tells(&t.first) && ranking_tells(&t.second) && c->patients > 1)
        by_patients = interval_bootstrap(&draw);
    else
        d = (struct delong){.difference = NAN, .low = NAN, .high = NAN, .p = NAN};
    ranking_release(&t.first);
    ranking_release(&t.second);
    *p = d.p;
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:s}", "difference", number_json(d.difference), "low",
                     number_json(d.low), "high", number_json(d.high), "by_patients",
                     interval_json(by_patients), "p", number_json(d.p), "test", "DeLong");
}

static json_t *answers_json(const struct comparison *c, size_t a, size_t b, double *p)
{
    size_t only_first = 0, only_second = 0, answered = 0;

    for (size_t i = 0; i < c->n; i++) {
        const int first = right(c->row[a][i]), second = right(c->row[b][i]);
        if (first < 0 || second < 0)
            continue;
        answered++;
        only_first += first > second;
        only_second += second > first;
    }
    *p = answered > 0 ? mcnemar_exact(only_first, only_second) : NAN;
    if (answered == 0)
        return json_null();
    return json_pack("{s:I, s:I, s:I, s:o, s:s}", "cases", (json_int_t)answered, "only_first_right",
                     (json_int_t)only_first, "only_second_right", (json_int_t)only_second, "p",
                     number_json(*p), "test", "McNemar, exact");
}

static json_t *dice_json(const struct comparison *c, size_t a, size_t b, double *p)
{
    double *difference = mem_new(c->n + 1, sizeof *difference);
    const struct column column = {difference, c->n};
    size_t cases = 0;

    for (size_t i = 0; i < c->n; i++) {
        difference[i] = dice_of(c, b, i) - dice_of(c, a, i);
        cases += !isnan(difference[i]);
    }
    const struct bootstrap draw = draws(c, column_mean, &column);
    const struct interval d = interval_bootstrap_difference(&draw, p);
    free(difference);
    if (cases == 0)
        return json_null();
    return json_pack("{s:I, s:o, s:o, s:o, s:o, s:s}", "cases", (json_int_t)cases, "difference",
                     number_json(d.value), "low", number_json(d.low), "high", number_json(d.high), "p",
                     number_json(*p), "test", "paired bootstrap of patients");
}

enum { TESTS = 3 };
static const char *const TEST[TESTS] = {"auc", "answers", "dice"};

static json_t *pairs_json(const struct comparison *c, size_t *family)
{
    static json_t *(*const MAKE[TESTS])(const struct comparison *c, size_t a, size_t b,
                                        double *p) = {auc_json, answers_json, dice_json};
    double *p = mem_new(TESTS * c->runs * c->runs, sizeof *p);
    json_t *list = json_array(), *pair;
    size_t n = 0, i;

    for (size_t a = 0; a < c->runs; a++) {
        for (size_t b = a + 1; b < c->runs; b++) {
            pair = json_pack("{s:I, s:I}", "first", (json_int_t)a, "second", (json_int_t)b);
            for (int t = 0; t < TESTS; t++)
                json_object_set_new(pair, TEST[t], MAKE[t](c, a, b, &p[n++]));
            json_array_append_new(list, pair);
        }
    }
    holm_adjust(p, n);
    *family = 0;
    json_array_foreach(list, i, pair)
    {
        for (size_t t = 0; t < TESTS; t++) {
            const double adjusted = p[TESTS * i + t];
            *family += !isnan(adjusted);
            if (json_is_object(json_object_get(pair, TEST[t])))
                json_object_set_new(json_object_get(pair, TEST[t]), "p_holm", number_json(adjusted));
        }
    }
    free(p);
    return list;
}

/* What these cases leave open, whatever numbers there are; as result.json has it. */
static json_t *cannot_tell(const struct comparison *c)
{
    json_t *list = json_array();
    size_t malignant = 0;

    for (size_t i = 0; i < c->n; i++)
        malignant += c->malignant[i];
    if (malignant == 0 || malignant == c->n)
        json_array_append_new(list, json_sprintf("%s case is malignant: how well scores tell malignant from "
                                                 "benign cannot be compared.",
                                                 malignant ? "Every" : "No"));
    if (c->patients < 2)
        json_array_append_new(list,
                              json_string("All cases are of one patient: nothing can be said about others."));
    for (size_t r = 0; r < c->runs; r++) {
        size_t same = 0;
        while (same < c->n && c->score[r][same] == c->score[r][0])
            same++;
        if (same == c->n && c->n > 1)
            json_array_append_new(list,
                                  json_sprintf("Run %c gives all cases the same score: it tells nothing "
                                               "apart.",
                                               (int)('A' + r)));
    }
    return list;
}

static json_t *comparison_json(const struct comparison *c)
{
    json_t *runs = json_array();
    struct share malignant = {0, c->n};
    size_t family;
    json_t *pairs = pairs_json(c, &family);

    for (size_t r = 0; r < c->runs; r++)
        json_array_append_new(runs, run_json(c, r));
    for (size_t i = 0; i < c->n; i++)
        malignant.hits += c->malignant[i];
    const double rate = share_value(malignant);
    return json_pack("{s:s, s:s, s:s, s:O, s:I, s:I, s:I, s:f, s:s, s:I, s:o, s:o, s:I, s:o}", "format",
                     "clearmass-comparison-1", "program", EVAL_PROGRAM, "disclaimer", EVAL_DISCLAIMER, "data",
                     json_object_get(c->of[0].result, "data"), "cases", (json_int_t)c->n, "patients",
                     (json_int_t)c->patients, "malignant", (json_int_t)malignant.hits, "majority_class",
                     fmax(rate, 1 - rate), "dice_of", c->malignant_dice ? "malignant" : "all", "seed",
                     (json_int_t)c->how->seed, "runs", runs, "pairs", pairs, "tests", (json_int_t)family,
                     "cannot_tell", cannot_tell(c));
}

bool compare(json_t **out, const struct compare *how, struct err *err)
{
    struct comparison c = {.how = how, .runs = how->runs};
    bool ok = how->runs >= 2 && how->runs <= COMPARE_MOST_RUNS;

    if (!ok) {
        return err_set(err, ERR_INPUT, "two to %d runs can be compared", COMPARE_MOST_RUNS);
    }
    ok = read_all(&c, err) && match(&c, err);
    if (ok) {
        fill(&c);
        *out = comparison_json(&c);
    }
    comparison_release(&c);
    return ok;
}
