/* cli/opt_input.h: --size, --fit and --breast-crop, the same words for every command that trains a network.
 */
#ifndef CLEARMASS_CLI_OPT_INPUT_H
#define CLEARMASS_CLI_OPT_INPUT_H

#include "data/prep.h"

#include <argp.h>

/* Set input to this before parsing: 224 pixels, stretched, whole image. */
#define OPT_INPUT_DEFAULT                                                                                    \
    {                                                                                                        \
        224, PREP_STRETCH, false, PREP_CENTRED                                                               \
    }

/* A child parser; its input is a struct prep:
 *     static const struct argp_child CHILDREN[] = {{&OPT_INPUT, 0, "What the network sees:", 0}, {0}};
 *     case ARGP_KEY_INIT: state->child_inputs[0] = &options->prep;
 * A value that makes no sense is a usage error. */
extern const struct argp OPT_INPUT;
/* The same without --breast-crop, for lesions that are cut out already. */
extern const struct argp OPT_INPUT_CROPS;

#endif
