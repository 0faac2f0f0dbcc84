/* eval/machine.h: what a result was computed on. */
#ifndef CLEARMASS_EVAL_MACHINE_H
#define CLEARMASS_EVAL_MACHINE_H

#include "base/json.h"

/* {"system": "Linux 6.1 x86_64", "processor": "...", "cores":}: a new reference. Names nobody and no host. */
json_t *machine_json(void);

#endif
