#include "cli/cli.h"

#include "base/log.h"
#include "base/stop.h"

#include <stdio.h>
#include <string.h>

/* In the order a newcomer needs them. */
static const struct cli_command COMMANDS[] = {
    {"phantom", "make a data set of synthetic mammograms", cmd_phantom},
    {"ingest", "turn folders of images and masks into a data set", cmd_ingest},
    {"pretrain", "train the U-Net on synthetic ellipses", cmd_pretrain},
    {"train", "train a network on a data set", cmd_train},
    {"evaluate", "measure a trained network on a data set", cmd_evaluate},
    {"calibrate", "choose thresholds with a promise, and probabilities", cmd_calibrate},
    {"compare", "compare runs on the same cases", cmd_compare},
    {"verify", "replay an evaluation and compare", cmd_verify},
    {"report", "make a page from an evaluated run", cmd_report},
    {"explain", "judge single images and show why", cmd_explain},
    {"dicom", "look at single DICOM files", cmd_dicom},
    {"model", "list a network's layers and parameters", cmd_model},
    {"weights", "look at, fetch, import and export weights", cmd_weights},
    {"bench", "time a network on this machine", cmd_bench},
};

enum { N_COMMANDS = sizeof COMMANDS / sizeof *COMMANDS };

static void print_help(FILE *f)
{
    fprintf(f, "Usage: clearmass COMMAND [OPTION...]\n"
               "From mammograms to an explained verdict a doctor can check by eye.\n\n");
    for (int i = 0; i < N_COMMANDS; i++)
        fprintf(f, "  %-10s %s\n", COMMANDS[i].name, COMMANDS[i].summary);
    fprintf(f, "\n'clearmass COMMAND --help' tells a command's options.\n%s\n", CLI_DISCLAIMER);
}

int cli_fail(const struct err *err)
{
    log_error("%s", err->text);
    return CLI_FAILED;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return CLI_USAGE;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        print_help(stdout);
        return CLI_DONE;
    }
    if (!strcmp(argv[1], "--version")) {
        printf("clearmass %s\n%s\n", CLEARMASS_VERSION, CLI_DISCLAIMER);
        return CLI_DONE;
    }
    stop_install();
    for (int i = 0; i < N_COMMANDS; i++) {
        if (!strcmp(argv[1], COMMANDS[i].name)) {
            char name[64];
            snprintf(name, sizeof name, "clearmass %s", COMMANDS[i].name);
            argv[1] = name;
            return COMMANDS[i].run(argc - 1, argv + 1);
        }
    }
    log_error("no command '%s'; 'clearmass --help' lists them", argv[1]);
    return CLI_USAGE;
}
