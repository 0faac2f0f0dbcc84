#include "train/journal.h"

#include "base/csv.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

static const char LOG_HEADER[] =
    "epoch,dice_coef,loss,lr,val_dice_coef,val_loss,val_dice,val_iou,val_auc,seconds\n";
static const char CASES_HEADER[] = "epoch,case,id,label,dice,score\n";

void journal_begin(struct journal *j)
{
    journal_release(j);
    buf_adds(&j->log, LOG_HEADER);
    buf_adds(&j->cases, CASES_HEADER);
}

void journal_release(struct journal *j)
{
    buf_release(&j->log);
    buf_release(&j->cases);
}

/* Empty where it is no number. */
static void put_number(struct buf *b, double v, const char *format)
{
    char text[40] = "";

    if (isfinite(v))
        snprintf(text, sizeof text, format, v);
    csv_put(b, text);
}

void journal_add(struct journal *j, int epoch, const struct train_metrics *m, const struct train_case *cases,
                 int n)
{
    const double column[] = {m->dice_coef, m->loss,     m->learning_rate, m->val_dice_coef,
                             m->val_loss,  m->val_dice, m->val_iou,       m->val_auc};

    csv_putf(&j->log, "%d", epoch);
    for (size_t i = 0; i < sizeof column / sizeof *column; i++)
        put_number(&j->log, column[i], "%.10g");
    put_number(&j->log, m->seconds, "%.1f");
    csv_put_end(&j->log);
    for (int i = 0; i < n; i++) {
        csv_putf(&j->cases, "%d", epoch);
        csv_putf(&j->cases, "%d", i);
        csv_put(&j->cases, cases[i].id);
        csv_put(&j->cases, cases[i].label);
        put_number(&j->cases, cases[i].dice, "%.10g");
        put_number(&j->cases, cases[i].score, "%.17g");
        csv_put_end(&j->cases);
    }
}

/* Copies the rows of the first epochs; every one of them must be there. */
static bool keep_rows(struct buf *b, const char *path, int epochs, struct err *err)
{
    struct csv t = CSV_INIT;
    bool *seen = mem_new((size_t)epochs + 1, sizeof *seen), ok = csv_read(&t, path, err);

    for (size_t i = 0; ok && i < t.count; i++) {
        long epoch = strtol(csv_get(&t, i, csv_column(&t, "epoch")), NULL, 10);
        if (epoch < 0 || epoch >= epochs)
            continue;
        seen[epoch] = true;
        for (size_t k = 0; k < t.row[i].count; k++)
            csv_put(b, t.row[i].field[k]);
        csv_put_end(b);
    }
    for (int e = 0; ok && e < epochs; e++) {
        if (!seen[e])
            ok = err_set(err, ERR_FORMAT, "%s: no row of epoch %d, which the checkpoint has", path, e);
    }
    free(seen);
    csv_release(&t);
    return ok;
}

bool journal_read(struct journal *j, const struct run *r, int epochs, struct err *err)
{
    char *log = run_path(r, "log.csv"), *cases = run_path(r, "cases.csv");

    journal_begin(j);
    bool ok = keep_rows(&j->log, log, epochs, err) && keep_rows(&j->cases, cases, epochs, err);
    free(log);
    free(cases);
    return ok;
}

static bool write_one(const struct buf *b, const struct run *r, const char *name, struct err *err)
{
    char *path = run_path(r, name);
    bool ok = file_write(path, b->data, b->len, err);
    free(path);
    return ok;
}

bool journal_write(const struct journal *j, const struct run *r, struct err *err)
{
    return write_one(&j->log, r, "log.csv", err) && write_one(&j->cases, r, "cases.csv", err);
}
