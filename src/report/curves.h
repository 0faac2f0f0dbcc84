/* report/curves.h: a run's curves over its epochs; the diary and the report show the same ones. */
#ifndef CLEARMASS_REPORT_CURVES_H
#define CLEARMASS_REPORT_CURVES_H

#include "base/buf.h"
#include "base/json.h"
#include "report/history.h"

/* Appends a <div class="pair"> of charts: loss, Dice, AUC where there is one, each case's Dice, with the best
 * epoch marked. cursor: with lines for a script to move. Writes a sentence where there are no epochs yet. */
void curves_write(struct buf *b, const struct history *h, const json_t *run, bool cursor);

/* run.json's whole story as tables: what, on which data, from which weights, with which options. */
void curves_write_settings(struct buf *b, const json_t *run);

#endif
