#include "cli/cli.h"

#include "base/mem.h"
#include "eval/verify.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_RUN = 0x1001, KEY_DATA, KEY_TOLERANCE };

static const char DOC[] = "Replay an evaluation and say whether its result comes out again."
                          "\vRESULT is the folder of an evaluation, its result.json, or a run folder. The "
                          "data set, the weights and the "
                          "calibration must have the hashes that stand in the result; then it is computed "
                          "anew with its options and "
                          "its seed, and every value of result.json and predictions.csv is compared. Nothing "
                          "but OUT is written, and no "
                          "look at test images is counted.\n\n"
                          "Exit code 0: the same; 1: it differs, or could not be replayed. Another machine "
                          "may differ in the last digits: "
                          "--tolerance 1e-4.\n" CLI_DISCLAIMER;

static const struct argp_option OPTIONS[] = {
    {"output", 'o', "OUT", 0, "folder for the replay (default: the evaluation's with -replay added)", 0},
    {"run", KEY_RUN, "RUN", 0, "the run folder, where it is not where the result says", 0},
    {"data", KEY_DATA, "DATA", 0, "the data set folder, likewise", 0},
    {"tolerance", KEY_TOLERANCE, "SHARE", 0, "numbers may differ by this share (default 0)", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct verify *v = state->input;
    char *end;

    switch (key) {
    case 'o':
        v->out = arg;
        return 0;
    case KEY_RUN:
        v->run = arg;
        return 0;
    case KEY_DATA:
        v->data = arg;
        return 0;
    case KEY_TOLERANCE:
        v->tolerance = strtod(arg, &end);
        if (end == arg || *end || !(v->tolerance >= 0 && v->tolerance < 1))
            argp_error(state, "--tolerance '%s': a number from 0 to 1 is wanted", arg);
        return 0;
    case ARGP_KEY_ARG:
        if (v->result)
            argp_error(state, "one result at a time: '%s' is one too many", arg);
        v->result = arg;
        return 0;
    case ARGP_KEY_END:
        if (!v->result)
            argp_error(state, "which result?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* RESULT without /result.json and slashes at its end, then "-replay"; free() it. */
static char *replay_folder(const char *result)
{
    size_t n = strlen(result);
    static const char FILE_NAME[] = "/result.json";

    if (n > strlen(FILE_NAME) && !strcmp(result + n - strlen(FILE_NAME), FILE_NAME))
        n -= strlen(FILE_NAME);
    while (n > 1 && result[n - 1] == '/')
        n--;
    return mem_printf("%.*s-replay", (int)n, result);
}

static void print_verified(const struct verified *v)
{
    if (v->differences == 0) {
        printf("Same: all %zu values\n", v->values);
        return;
    }
    printf("DIFFERENT: %zu of %zu values\n", v->differences, v->values);
    for (size_t i = 0; i < v->differences && i < VERIFY_LISTED; i++)
        printf("  %s\n", v->difference[i]);
    if (v->differences > VERIFY_LISTED)
        printf("  and %zu more\n", v->differences - VERIFY_LISTED);
    if (*v->note)
        printf("The result was %s\n", v->note);
}

int cmd_verify(int argc, char **argv)
{
    static const struct argp ARGP = {.options = OPTIONS, .parser = parse, .args_doc = "RESULT", .doc = DOC};
    struct verify cfg = {0};
    struct verified v;
    struct err err = ERR_INIT;

    argp_err_exit_status = CLI_USAGE;
    argp_parse(&ARGP, argc, argv, 0, NULL, &cfg);
    char *out = cfg.out ? mem_copy_string(cfg.out) : replay_folder(cfg.result);
    cfg.out = out;
    const bool ok = verify(&v, &cfg, &err);
    free(out);
    if (!ok)
        return cli_fail(&err);
    print_verified(&v);
    printf("%s\n", CLI_DISCLAIMER);
    return v.differences == 0 ? CLI_DONE : CLI_FAILED;
}
