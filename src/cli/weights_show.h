/* cli/weights_show.h: 'weights show': what a file of weights holds and which network it fits, on standard
 * output. */
#ifndef CLEARMASS_CLI_WEIGHTS_SHOW_H
#define CLEARMASS_CLI_WEIGHTS_SHOW_H

#include "base/err.h"

/* A safetensors file, or else a Keras file. That it fits no network is no failure. */
bool weights_show(const char *path, struct err *err);

#endif
