/* eval/measures_groups.h: levels and strata of measures.h. Inside eval/ only. */
#ifndef CLEARMASS_EVAL_MEASURES_GROUPS_H
#define CLEARMASS_EVAL_MEASURES_GROUPS_H

#include "eval/measures.h"

json_t *measures_levels(const struct measures *m);
json_t *measures_strata(const struct measures *m);

#endif
