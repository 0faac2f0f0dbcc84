#include "cli/cli.h"

#include "base/log.h"
#include "data/ingest_folder.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MARGIN = 0x1001, KEY_DROP_DUPLICATES };

static const char DOC[] =
    "Make a data set folder from images with masks and labels."
    "\vDIR is a folder with images below folders named benign, malignant and normal, masks beside them "
    "(benign/NAME.png, benign/NAME_mask.png, benign/NAME_mask_1.png ... united); or a CSV file, or a folder "
    "with one, of "
    "the columns image, mask, label, patient (and, where known, id, side, view, density, assessment, "
    "subtlety, part), paths "
    "relative to it, several masks separated by ';' or given in several rows.\n\n"
    "PNG, JPEG, TIFF and DICOM are read, 8 and 16 bits, grey and RGB. A case with a fault is left out, told "
    "on one "
    "line and listed in "
    "OUT/rejected.csv. Research software, not a medical device.";

static const struct argp_option OPTIONS[] = {
    {"margin", KEY_MARGIN, "SHARE", 0, "around the crops, a share of the mask's larger side (default .1)", 0},
    {"drop-duplicates", KEY_DROP_DUPLICATES, NULL, 0,
     "leave out images that are byte for byte copies of others", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct ingest_folder *in = state->input;
    char *end;

    switch (key) {
    case KEY_MARGIN:
        in->margin = strtod(arg, &end);
        if (end == arg || *end || !(in->margin >= 0 && in->margin <= 1))
            argp_error(state, "--margin '%s': a share from 0 to 1 is wanted", arg);
        return 0;
    case KEY_DROP_DUPLICATES:
        in->drop_duplicates = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num == 0)
            in->source = arg;
        else if (state->arg_num == 1)
            in->folder = arg;
        else
            argp_error(state, "too many arguments");
        return 0;
    case ARGP_KEY_END:
        if (!in->folder)
            argp_error(state, "DIR and OUT are wanted");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void print_summary(const struct ingest_result *r, const char *folder)
{
    const struct dataset_counts *c = &r->counts;

    if (r->patients_unknown)
        log_info("the source names no patients: every image counts as a patient of its own");
    if (c->rejected)
        log_warn("%zu left out, see %s/rejected.csv", c->rejected, folder);
    printf("%s: %zu images (%zu benign, %zu malignant, %zu normal), %zu with a region, %zu patients, %zu "
           "left out\n",
           folder, c->images, c->by_label[LABEL_BENIGN], c->by_label[LABEL_MALIGNANT],
           c->by_label[LABEL_NORMAL], c->with_region, c->patients, c->rejected);
}

static int run_folder(int argc, char **argv)
{
    static const struct argp ARGP = {.options = OPTIONS, .parser = parse, .args_doc = "DIR OUT", .doc = DOC};
    struct ingest_folder in = {.margin = DATASET_MARGIN_PERCENT / 100.};
    struct ingest_result result;
    struct err err = ERR_INIT;

    argp_parse(&ARGP, argc, argv, 0, NULL, &in);
    if (!ingest_folder(&result, &in, &err)) {
        if (err.kind == ERR_CANCELLED)
            log_info("%s is not finished; the same command makes it again from the start", in.folder);
        return cli_fail(&err);
    }
    print_summary(&result, in.folder);
    return CLI_DONE;
}

/* The kinds of sources. */
static const struct cli_command SOURCES[] = {
    {"folder", "images with masks and labels, by folders or by a table", run_folder},
};

enum { N_SOURCES = sizeof SOURCES / sizeof *SOURCES };

static void print_sources(FILE *f)
{
    fprintf(f, "Usage: clearmass ingest SOURCE DIR OUT [OPTION...]\nMake a data set folder.\n\n");
    for (int i = 0; i < N_SOURCES; i++)
        fprintf(f, "  %-10s %s\n", SOURCES[i].name, SOURCES[i].summary);
    fprintf(f, "\n'clearmass ingest SOURCE --help' tells its options.\n%s\n", CLI_DISCLAIMER);
}

int cmd_ingest(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";

    argp_err_exit_status = CLI_USAGE;
    for (int i = 0; i < N_SOURCES; i++) {
        if (!strcmp(word, SOURCES[i].name)) {
            char name[64];
            snprintf(name, sizeof name, "clearmass ingest %s", word);
            argv[1] = name;
            return SOURCES[i].run(argc - 1, argv + 1);
        }
    }
    if (!strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "-?")) {
        print_sources(stdout);
        return CLI_DONE;
    }
    if (*word)
        log_error("no source '%s' to ingest; 'clearmass ingest --help' lists them", word);
    else
        print_sources(stderr);
    return CLI_USAGE;
}
