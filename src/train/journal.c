#include "train/journal.h"

#include "base/csv.h"
#include "base/mem.h"

#include <math.h>
#include <stdlib.h>

/* Columns between "epoch" and "seconds", as Keras' CSVLogger has them, then what it lacks. */
struct column {
    const char *name;
    size_t at; /* in struct train_metrics */
};

#define AT(field) offsetof(struct train_metrics, field)

static const struct column MAP_COLUMNS[] = {{"dice_coef", AT(agreement)},
                                            {"loss", AT(loss)},
                                            {"lr", AT(learning_rate)},
                                            {"val_dice_coef", AT(val_agreement)},
                                            {"val_loss", AT(val_loss)},
                                            {"val_dice", AT(val_dice)},
                                            {"val_iou", AT(val_iou)},
                                            {"val_auc", AT(val_auc)},
                                            {NULL, 0}};
static const struct column CLASS_COLUMNS[] = {{"acc", AT(agreement)},
                                              {"loss", AT(loss)},
                                              {"lr", AT(learning_rate)},
                                              {"val_acc", AT(val_agreement)},
                                              {"val_loss", AT(val_loss)},
                                              {"val_auc", AT(val_auc)},
                                              {NULL, 0}};

static const struct column *columns_of(const struct journal *j)
{
    return j->classes ? CLASS_COLUMNS : MAP_COLUMNS;
}

void journal_begin(struct journal *j, enum run_task task)
{
    journal_release(j);
    j->classes = task == RUN_CLASSIFY;
    buf_adds(&j->log, "epoch");
    for (const struct column *c = columns_of(j); c->name; c++)
        buf_addf(&j->log, ",%s", c->name);
    buf_adds(&j->log, ",seconds\n");
    buf_adds(&j->cases, j->classes ? "epoch,case,id,label,score\n" : "epoch,case,id,label,dice,score\n");
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
    csv_putf(&j->log, "%d", epoch);
    for (const struct column *c = columns_of(j); c->name; c++)
        put_number(&j->log, *(const double *)((const char *)m + c->at), "%.10g");
    put_number(&j->log, m->seconds, "%.1f");
    csv_put_end(&j->log);
    for (int i = 0; i < n; i++) {
        csv_putf(&j->cases, "%d", epoch);
        csv_putf(&j->cases, "%d", i);
        csv_put(&j->cases, cases[i].id);
        csv_put(&j->cases, cases[i].label);
        if (!j->classes)
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

    journal_begin(j, r->task);
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
