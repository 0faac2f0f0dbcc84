/* report/report.h: a run folder as one page a doctor can read. */
#ifndef CLEARMASS_REPORT_REPORT_H
#define CLEARMASS_REPORT_REPORT_H

#include "base/err.h"

/* Reads run.json, log.csv, cases.csv, evaluation/{result.json,predictions.csv,masks/,cam/,roi/} and
 * opinions/{result.json,predictions.csv,disagreements/} of the run folder and, for the example pictures,
 * full/ID.tif and roi/ID.tif, or the crops, of the data set the evaluation names; writes one self-contained
 * page to out_path (NULL: report.html in the run folder). Parts that are not there are told on the page with
 * the command that makes them. Fails with one line on a folder that is no run's and on files that are there
 * but broken. */
bool report_write(const char *run_folder, const char *out_path, struct err *err);

#endif
