/* report/diary.h: the diary of a training run: one page with a slider over the epochs. */
#ifndef CLEARMASS_REPORT_DIARY_H
#define CLEARMASS_REPORT_DIARY_H

#include "base/err.h"

/* Reads run.json, log.csv, cases.csv and epochs/epoch-NNN.png of the run folder (doc/formats.md) and writes
 * diary.html there: self-contained, panels embedded as JPEG. Call it after every epoch; the files of an epoch
 * that are not there yet (a panel, a row of a table) are left out of the page, a missing log.csv or cases.csv
 * too. Fails when run.json is missing or not a run's, a table cannot be read, or the page cannot be written.
 */
bool diary_write(const char *run_folder, struct err *err);

#endif
