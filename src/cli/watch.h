/* cli/watch.h: what training shows after every epoch: the panel of its cases and the diary. */
#ifndef CLEARMASS_CLI_WATCH_H
#define CLEARMASS_CLI_WATCH_H

#include "train/train.h"

/* Writes RUN/epochs/epoch-NNN.png and RUN/diary.html. */
struct watch {
    double diary_s; /* when the diary was last written, monotonic seconds; 0: never */
};
bool watch_epoch(void *watch, const struct train_epoch *e, struct err *err);

#endif
