/* report/audit.h: what became of every file of an archive, as a page. */
#ifndef CLEARMASS_REPORT_AUDIT_H
#define CLEARMASS_REPORT_AUDIT_H

#include "base/err.h"

/* Reads audit.csv, abnormalities.csv, manifest.csv and leaks.csv of a data set folder made from CBIS-DDSM,
 * and pictures of its doubtful cases; writes one self-contained page to out_path (NULL: audit.html in the
 * folder). On it: counts, the classes by part (as the paper's figure 3 has them), examples of image, mask and
 * crop (its figure 4), patients in two parts, and every line that is more than plain use. */
bool audit_write(const char *folder, const char *out_path, struct err *err);

#endif
