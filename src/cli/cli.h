/* cli/cli.h: the commands. Each cmd_*.c parses its own words with argp and calls the layers below. */
#ifndef CLEARMASS_CLI_CLI_H
#define CLEARMASS_CLI_CLI_H

#include "base/err.h"

/* Exit codes of the program. */
enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2 };

#define CLI_DISCLAIMER "Research software, not a medical device."

struct cli_command {
    const char *name;
    const char *summary; /* one line for the list of commands */
    /* argv[0] is "clearmass NAME"; returns an exit code. */
    int (*run)(int argc, char **argv);
};

int cmd_model(int argc, char **argv);
int cmd_phantom(int argc, char **argv);
int cmd_ingest(int argc, char **argv);
int cmd_pretrain(int argc, char **argv);
int cmd_train(int argc, char **argv);
int cmd_evaluate(int argc, char **argv);
int cmd_calibrate(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_explain(int argc, char **argv);
int cmd_dicom(int argc, char **argv);
int cmd_weights(int argc, char **argv);
int cmd_bench(int argc, char **argv);

/* Prints "clearmass: TEXT" and returns CLI_FAILED. */
int cli_fail(const struct err *err);

#endif
