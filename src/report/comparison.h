/* report/comparison.h: runs side by side on one page. */
#ifndef CLEARMASS_REPORT_COMPARISON_H
#define CLEARMASS_REPORT_COMPARISON_H

#include "base/err.h"

/* Reads FOLDER/comparison.json and writes FOLDER/comparison.html, self-contained. */
bool comparison_write(const char *folder, struct err *err);

#endif
