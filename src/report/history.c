#include "report/history.h"

#include "base/csv.h"
#include "base/file.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

static const char *const COLUMN[HISTORY_COLUMNS] = {"dice_coef", "loss",     "lr",      "val_dice_coef",
                                                    "val_loss",  "val_dice", "val_iou", "val_auc",
                                                    "acc",       "val_acc",  "seconds"};

/* Empty is NAN; so are the nan and inf that a diverged run writes. */
static bool number(const struct csv *t, size_t row, const char *column, double *out, struct err *err)
{
    const char *text = csv_get(t, row, csv_column(t, column));
    char *end;
    double v = strtod(text, &end);

    if (*end)
        return err_set(err, ERR_FORMAT, "line %zu: %s: '%.40s' is no number", t->row[row].line, column, text);
    *out = end == text || !isfinite(v) ? NAN : v;
    return true;
}

/* A missing file leaves the table empty. */
static bool read_table(struct csv *out, const char *path, struct err *err)
{
    return !file_exists(path) || csv_read(out, path, err);
}

static bool read_log(struct history *h, const struct csv *t, struct err *err)
{
    h->epoch = mem_new(t->count + 1, sizeof *h->epoch);
    for (int c = 0; c < HISTORY_COLUMNS; c++)
        h->value[c] = mem_new(t->count + 1, sizeof *h->value[c]);
    h->epochs = t->count;
    for (size_t i = 0; i < t->count; i++) {
        if (!number(t, i, "epoch", &h->epoch[i], err))
            return false;
        h->epoch[i] += 1;
        for (int c = 0; c < HISTORY_COLUMNS; c++) {
            if (!number(t, i, COLUMN[c], &h->value[c][i], err))
                return false;
        }
    }
    return true;
}

static bool add_case(struct history *h, const struct csv *t, size_t row, struct err *err)
{
    double epoch = 0, k = 0, dice = 0, score = 0;
    struct history_case *c;

    if (!number(t, row, "epoch", &epoch, err) || !number(t, row, "case", &k, err) ||
        !number(t, row, "dice", &dice, err) || !number(t, row, "score", &score, err))
        return false;
    if (!(k >= 0 && k < HISTORY_MAX_CASES))
        return err_set(err, ERR_FORMAT, "line %zu: case is not in 0..%d", t->row[row].line,
                       HISTORY_MAX_CASES - 1);
    c = &h->cases[(size_t)k];
    if (!c->id) {
        c->id = mem_copy_string(csv_get(t, row, csv_column(t, "id")));
        c->label = mem_copy_string(csv_get(t, row, csv_column(t, "label")));
        c->epoch = mem_new(t->count, sizeof *c->epoch);
        c->dice = mem_new(t->count, sizeof *c->dice);
        c->score = mem_new(t->count, sizeof *c->score);
    }
    c->epoch[c->n] = epoch + 1;
    c->dice[c->n] = dice;
    c->score[c->n++] = score;
    if ((size_t)k + 1 > h->n_cases)
        h->n_cases = (size_t)k + 1;
    return true;
}

bool history_read(struct history *out, const char *run_folder, struct err *err)
{
    struct history h = {0};
    struct csv log = CSV_INIT, cases = CSV_INIT;
    char *log_path = file_join(run_folder, "log.csv"), *cases_path = file_join(run_folder, "cases.csv");
    bool ok = false;

    if (!read_table(&log, log_path, err) || !read_table(&cases, cases_path, err))
        goto out;
    if (!read_log(&h, &log, err)) {
        err_at(err, "%s", log_path);
        goto out;
    }
    for (size_t i = 0; i < cases.count; i++) {
        if (!add_case(&h, &cases, i, err)) {
            err_at(err, "%s", cases_path);
            goto out;
        }
    }
    history_release(out);
    *out = h;
    h = (struct history){0};
    ok = true;
out:
    history_release(&h);
    csv_release(&log);
    csv_release(&cases);
    free(log_path);
    free(cases_path);
    return ok;
}

void history_release(struct history *h)
{
    free(h->epoch);
    for (int c = 0; c < HISTORY_COLUMNS; c++)
        free(h->value[c]);
    for (size_t i = 0; i < HISTORY_MAX_CASES; i++) {
        free(h->cases[i].id);
        free(h->cases[i].label);
        free(h->cases[i].epoch);
        free(h->cases[i].dice);
        free(h->cases[i].score);
    }
    *h = (struct history){0};
}

bool history_is_classifier(const struct history *h)
{
    return history_has(h, HISTORY_ACC);
}

bool history_has(const struct history *h, enum history_column column)
{
    for (size_t i = 0; i < h->epochs; i++) {
        if (isfinite(h->value[column][i]))
            return true;
    }
    return false;
}
