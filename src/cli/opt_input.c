#include "cli/opt_input.h"

#include <stdlib.h>

enum { KEY_SIZE = 0x2001, KEY_FIT, KEY_BREAST_CROP };

#define OPTION_SIZE                                                                                          \
    {                                                                                                        \
        "size", KEY_SIZE, "N", 0,                                                                            \
            "side of the network's square input in pixels, a multiple of 32 (default 224)", 0                \
    }
#define OPTION_FIT                                                                                           \
    {                                                                                                        \
        "fit", KEY_FIT, "stretch|pad", 0,                                                                    \
            "stretch both axes to the square (default), or keep the aspect and pad with black", 0            \
    }

static const struct argp_option OPTIONS[] = {
    OPTION_SIZE,
    OPTION_FIT,
    {"breast-crop", KEY_BREAST_CROP, NULL, 0, "cut the black background around the breast away first", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct prep *p = state->input;
    struct err err = ERR_INIT;
    char *end;
    long size;

    switch (key) {
    case KEY_SIZE:
        size = strtol(arg, &end, 10);
        if (end == arg || *end || size < 0 || size > 100000)
            argp_error(state, "--size '%s': a whole number of pixels is wanted", arg);
        p->size = (int)size;
        if (!prep_check(p, &err))
            argp_error(state, "--%s", err.text);
        return 0;
    case KEY_FIT:
        if (!prep_fit_parse(arg, &p->fit))
            argp_error(state, "--fit '%s': stretch or pad is wanted", arg);
        return 0;
    case KEY_BREAST_CROP:
        p->breast_crop = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option CROP_OPTIONS[] = {OPTION_SIZE, OPTION_FIT, {0}};

const struct argp OPT_INPUT_CROPS = {.options = CROP_OPTIONS, .parser = parse};
const struct argp OPT_INPUT = {.options = OPTIONS, .parser = parse};
