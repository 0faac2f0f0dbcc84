#include "cli/cli.h"

#include "base/file.h"
#include "base/log.h"
#include "report/report.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>

struct arguments {
    const char *run, *out;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case 'o':
        a->out = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (a->run)
            argp_error(state, "one run at a time: '%s' is one too many", arg);
        a->run = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->run)
            argp_error(state, "which run?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cmd_report(int argc, char **argv)
{
    static const struct argp_option OPTIONS[] = {
        {"output", 'o', "FILE", 0, "write the page there instead of RUN/report.html", 0}, {0}};
    static const struct argp ARGP = {
        OPTIONS,
        parse,
        "RUN",
        "Makes one self-contained page from a trained run and its evaluation: what the result means, "
        "the numbers with their intervals, curves, examples, how the run was made. It opens from "
        "disk and prints well."
        "\vRun 'clearmass evaluate' first; without an evaluation the page shows the training "
        "only.\n" CLI_DISCLAIMER,
        NULL,
        NULL,
        NULL};
    struct arguments a = {NULL, NULL};
    struct err err = ERR_INIT;
    char *path;

    argp_err_exit_status = CLI_USAGE;
    if (argp_parse(&ARGP, argc, argv, 0, NULL, &a))
        return CLI_USAGE;
    if (!report_write(a.run, a.out, &err))
        return cli_fail(&err);
    path = a.out ? NULL : file_join(a.run, "report.html");
    printf("%s\n", path ? path : a.out);
    free(path);
    return CLI_DONE;
}
