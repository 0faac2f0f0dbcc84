/* report/leaks.h: what was trained or measured with --allow-leak says so on every page. */
#ifndef CLEARMASS_REPORT_LEAKS_H
#define CLEARMASS_REPORT_LEAKS_H

#include "base/buf.h"
#include "base/json.h"

/* Of a training: "leaks", names of patients, and "same_pictures", pairs of ids, as run.json's "data" and a
 * result's "run.leaks" have them. Nothing where there are none. */
void leaks_of_training(struct buf *b, const json_t *data);
/* Of a data set that was measured: a result's "data.leaks"; NULL or null: nothing. */
void leaks_of_data(struct buf *b, const json_t *leaks);

#endif
