#include "eval/rows.h"

#include "base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct named {
    const char *name;
    size_t at;
};

static int by_name(const void *left, const void *right)
{
    const struct named *a = left, *b = right;
    const int order = strcmp(a->name, b->name);

    return order ? order : a->at < b->at ? -1 : 1;
}

size_t rows_group(size_t *group, const char *const *name, size_t n)
{
    struct named *v = mem_new(n + 1, sizeof *v);
    size_t groups = 0;

    for (size_t i = 0; i < n; i++)
        v[i] = (struct named){name[i], i};
    qsort(v, n, sizeof *v, by_name);
    for (size_t k = 0; k < n; k++) {
        groups += k == 0 || strcmp(v[k].name, v[k - 1].name) != 0;
        group[v[k].at] = groups - 1;
    }
    free(v);
    return groups;
}

void rows_number_patients(struct eval_rows *r)
{
    const char **name = mem_new(r->count + 1, sizeof *name);

    for (size_t i = 0; i < r->count; i++)
        name[i] = r->of[i].patient;
    r->patient = mem_new(r->count + 1, sizeof *r->patient);
    r->patients = rows_group(r->patient, name, r->count);
    free(name);
}

void rows_release(struct eval_rows *r)
{
    free(r->of);
    free(r->patient);
    *r = (struct eval_rows)EVAL_ROWS_INIT;
}

void scored_make(struct scored *out, const struct eval_rows *r)
{
    *out = (struct scored){mem_new(r->count + 1, sizeof(double)), mem_new(r->count + 1, sizeof(bool)),
                           r->patient, r->count, r->patients};
    for (size_t i = 0; i < r->count; i++) {
        out->score[i] = r->of[i].score;
        out->malignant[i] = r->of[i].label == LABEL_MALIGNANT;
    }
}

void scored_release(struct scored *s)
{
    free(s->score);
    free(s->malignant);
    *s = (struct scored){NULL, NULL, NULL, 0, 0};
}

/* The columns of predictions.csv that rows are made of. */
struct columns {
    int id, patient, label, score, answer, dice, image, side, view, density, assessment, subtlety;
};

static bool check_columns(const struct csv *t, struct err *err)
{
    static const char *const NEEDED[] = {"id", "patient", "label", "score", "answer"};

    for (size_t i = 0; i < sizeof NEEDED / sizeof *NEEDED; i++)
        if (csv_column(t, NEEDED[i]) < 0)
            return err_set(err, ERR_FORMAT, "no column '%s'", NEEDED[i]);
    return true;
}

static struct columns find_columns(const struct csv *t)
{
    return (struct columns){.id = csv_column(t, "id"),
                            .patient = csv_column(t, "patient"),
                            .label = csv_column(t, "label"),
                            .score = csv_column(t, "score"),
                            .answer = csv_column(t, "answer"),
                            .dice = csv_column(t, "dice"),
                            .image = csv_column(t, "image"),
                            .side = csv_column(t, "side"),
                            .view = csv_column(t, "view"),
                            .density = csv_column(t, "density"),
                            .assessment = csv_column(t, "assessment"),
                            .subtlety = csv_column(t, "subtlety")};
}

static bool finite_number(double *out, const char *text)
{
    char *end;

    *out = strtod(text, &end);
    return end != text && !*end && isfinite(*out);
}

static bool parse_answer(enum answer *out, const char *text)
{
    for (int a = 0; a < ANSWER_COUNT; a++) {
        if (!strcmp(text, answer_name((enum answer)a))) {
            *out = (enum answer)a;
            return true;
        }
    }
    *out = ANSWER_COUNT;
    return !*text;
}

static bool read_row(struct eval_row *r, const struct csv *t, size_t i, const struct columns *c,
                     struct err *err)
{
    const char *label = csv_get(t, i, c->label), *score = csv_get(t, i, c->score),
               *dice = csv_get(t, i, c->dice), *answer = csv_get(t, i, c->answer);

    *r = (struct eval_row){.id = csv_get(t, i, c->id),
                           .patient = csv_get(t, i, c->patient),
                           .image = csv_get(t, i, c->image >= 0 ? c->image : c->id),
                           .side = csv_get(t, i, c->side),
                           .view = csv_get(t, i, c->view),
                           .density = csv_get(t, i, c->density),
                           .assessment = csv_get(t, i, c->assessment),
                           .subtlety = csv_get(t, i, c->subtlety),
                           .dice = NAN};
    if (!*r->id || !*r->patient)
        return err_set(err, ERR_FORMAT, "no %s", *r->id ? "patient" : "id");
    if (!data_label_parse(label, &r->label))
        return err_set(err, ERR_FORMAT, "unknown label '%.40s'", label);
    if (!finite_number(&r->score, score))
        return err_set(err, ERR_FORMAT, "score '%.40s' is no finite number", score);
    if (*dice && !finite_number(&r->dice, dice))
        return err_set(err, ERR_FORMAT, "dice '%.40s' is no finite number", dice);
    if (!parse_answer(&r->answer, answer))
        return err_set(err, ERR_FORMAT, "unknown answer '%.40s'", answer);
    return true;
}

static bool check_ids(const struct eval_rows *r, struct err *err)
{
    const char **name = mem_new(r->count + 1, sizeof *name);
    size_t *group = mem_new(r->count + 1, sizeof *group);
    bool *seen = mem_new(r->count + 1, sizeof *seen), ok = true;

    for (size_t i = 0; i < r->count; i++)
        name[i] = r->of[i].id;
    rows_group(group, name, r->count);
    for (size_t i = 0; i < r->count && ok; i++) {
        if (seen[group[i]])
            ok = err_set(err, ERR_FORMAT, "id '%.80s' is there twice", r->of[i].id);
        seen[group[i]] = true;
    }
    free(name);
    free(group);
    free(seen);
    return ok;
}

static bool read_rows(struct predictions *p, struct err *err)
{
    if (!check_columns(&p->table, err))
        return false;
    const struct columns c = find_columns(&p->table);
    if (p->table.count == 0)
        return err_set(err, ERR_INPUT, "not one image");
    p->rows.of = mem_new(p->table.count, sizeof *p->rows.of);
    for (size_t i = 0; i < p->table.count; i++)
        if (!read_row(&p->rows.of[i], &p->table, i, &c, err))
            return err_at(err, "line %zu", p->table.row[i].line);
    p->rows.count = p->table.count;
    rows_number_patients(&p->rows);
    return check_ids(&p->rows, err);
}

static bool read_result(struct predictions *p, const char *path, struct err *err)
{
    p->result = json_file_read(path, err);
    if (!p->result)
        return false;
    const char *format = json_string_value(json_object_get(p->result, "format"));
    if (!format || strcmp(format, "clearmass-result-1") != 0)
        return err_set(err, ERR_FORMAT, "%s: not the result of an evaluation", path);
    return true;
}

bool predictions_read(struct predictions *out, const char *folder, struct err *err)
{
    struct predictions p = PREDICTIONS_INIT;
    char *inside = file_join(folder, "evaluation"), *run = file_join(folder, "run.json");

    p.folder = mem_copy_string(file_exists(run) ? inside : folder);
    char *result = file_join(p.folder, "result.json"), *table = file_join(p.folder, "predictions.csv");
    bool ok = file_exists(result) ||
              err_set(err, ERR_INPUT, "%s: no evaluation: 'clearmass evaluate' makes one", p.folder);
    ok = ok && read_result(&p, result, err) && csv_read(&p.table, table, err) &&
         (read_rows(&p, err) || err_at(err, "%s", table));
    if (ok) {
        predictions_release(out);
        *out = p;
    } else {
        predictions_release(&p);
    }
    free(inside);
    free(run);
    free(result);
    free(table);
    return ok;
}

void predictions_release(struct predictions *p)
{
    free(p->folder);
    json_decref(p->result);
    csv_release(&p->table);
    rows_release(&p->rows);
    *p = (struct predictions)PREDICTIONS_INIT;
}
