/* eval/strangers.h: whether an external data set really is strange to a run. Inside eval/ only. */
#ifndef CLEARMASS_EVAL_STRANGERS_H
#define CLEARMASS_EVAL_STRANGERS_H

#include "base/json.h"
#include "data/manifest.h"
#include "run/run.h"

/* Compares data with the training and validation part of the run's own data set: patients of one name (where
 * a patient is more than the image's own id), files of one hash, and pictures that are the same
 * (data/likeness.h). *found becomes a new reference to {"checked", "patients": [...], "same_pictures": [[id,
 * id], ...]}, first the run's, second data's. Where the run's data set is no longer there nothing can be
 * checked: a warning, and "checked" is false. Fails where something is found and not allow, and where a file
 * is broken. */
bool strangers_check(json_t **found, const struct manifest *data, const struct run *run, bool allow,
                     struct err *err);

#endif
