#include "cli/cli.h"

#include "base/log.h"
#include "base/mem.h"
#include "data/ingest_cbis.h"
#include "data/ingest_folder.h"
#include "report/audit.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_MARGIN = 0x1001, KEY_DROP_DUPLICATES, KEY_CSV, KEY_ARCHIVE_CROP };

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

static double parse_margin(const char *arg, struct argp_state *state)
{
    char *end;
    double margin = strtod(arg, &end);

    if (end == arg || *end || !(margin >= 0 && margin <= 1))
        argp_error(state, "--margin '%s': a share from 0 to 1 is wanted", arg);
    return margin;
}

/* The two arguments every source takes. */
static void take_argument(const char **source, const char **folder, const char *arg, struct argp_state *state)
{
    if (state->arg_num > 1)
        argp_error(state, "too many arguments");
    *(state->arg_num ? folder : source) = arg;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct ingest_folder *in = state->input;

    switch (key) {
    case KEY_MARGIN:
        in->margin = parse_margin(arg, state);
        return 0;
    case KEY_DROP_DUPLICATES:
        in->drop_duplicates = true;
        return 0;
    case ARGP_KEY_ARG:
        take_argument(&in->source, &in->folder, arg, state);
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

/* ---- cbis ---- */

static const char CBIS_DOC[] =
    "Make a data set folder from a download of CBIS-DDSM."
    "\vDOWNLOAD is the folder the archive's DICOM files were saved to, in any layout and depth: as the NBIA "
    "Data "
    "Retriever names folders, by unique identifiers, a folder a series (unpacked); JPEGs of a repack in "
    "folders "
    "named by series are taken too, with a warning. Each file is told by its folder, its header and its "
    "pixels "
    "together with the tables; what disagrees is settled by the majority, masks of another pixel pitch are "
    "scaled, "
    "and what cannot be used is left out. Every decision is in OUT/audit.csv and on the page OUT/audit.html. "
    "Patients in train and in test, as of masses and calcifications together, are named in OUT/leaks.csv; "
    "training "
    "refuses them unless told otherwise.\n\n"
    "The same command goes on where it was interrupted. Research software, not a medical device.";

static const struct argp_option CBIS_OPTIONS[] = {
    {"csv", KEY_CSV, "FILE", 0,
     "a table of the archive, mass_case_description_train_set.csv and the like; may be given several times",
     0},
    {"margin", KEY_MARGIN, "SHARE", 0, "around the crops, a share of the mask's larger side (default .1)", 0},
    {"archive-crop", KEY_ARCHIVE_CROP, NULL, 0,
     "keep the archive's own crops too, whose grey values are stretched one by one, and list them in "
     "crops.csv",
     0},
    {0},
};

struct cbis_arguments {
    struct ingest_cbis in;
    const char **table;
};

static error_t parse_cbis(int key, char *arg, struct argp_state *state)
{
    struct cbis_arguments *a = state->input;

    switch (key) {
    case KEY_CSV:
        a->table = mem_grow(a->table, a->in.tables + 1, sizeof *a->table);
        a->table[a->in.tables++] = arg;
        a->in.table = a->table;
        return 0;
    case KEY_MARGIN:
        a->in.margin = parse_margin(arg, state);
        return 0;
    case KEY_ARCHIVE_CROP:
        a->in.archive_crop = true;
        return 0;
    case ARGP_KEY_ARG:
        take_argument(&a->in.source, &a->in.folder, arg, state);
        return 0;
    case ARGP_KEY_END:
        if (!a->in.folder)
            argp_error(state, "DOWNLOAD and OUT are wanted");
        if (!a->in.tables)
            argp_error(state, "at least one table is wanted: --csv mass_case_description_train_set.csv");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void print_cbis(const struct ingest_cbis_result *r, const char *folder)
{
    const struct dataset_counts *c = &r->counts;

    if (r->leaks)
        log_warn("%zu patients are in train and in test, see %s/leaks.csv; training refuses them unless told "
                 "otherwise",
                 r->leaks, folder);
    printf("%s: %zu of %zu images (%zu benign, %zu malignant), %zu with a region, %zu patients\n", folder,
           c->images, r->films, c->by_label[LABEL_BENIGN], c->by_label[LABEL_MALIGNANT], c->with_region,
           c->patients);
    printf("settled %zu, repaired %zu, doubtful %zu, lost %zu, skipped %zu: %s/audit.html\n", r->settled,
           r->repaired, r->doubtful, r->lost, r->skipped, folder);
}

static bool write_audit(const char *folder, struct err *err)
{
    return audit_write(folder, NULL, err);
}

static int run_cbis(int argc, char **argv)
{
    static const struct argp ARGP = {
        .options = CBIS_OPTIONS, .parser = parse_cbis, .args_doc = "DOWNLOAD OUT", .doc = CBIS_DOC};
    struct cbis_arguments a = {.in = {.margin = DATASET_MARGIN_PERCENT / 100., .page = write_audit}};
    struct ingest_cbis_result result;
    struct err err = ERR_INIT;
    int code = CLI_DONE;

    argp_parse(&ARGP, argc, argv, 0, NULL, &a);
    if (!ingest_cbis(&result, &a.in, &err)) {
        if (err.kind == ERR_CANCELLED)
            log_info("%s is not finished; the same command goes on", a.in.folder);
        code = cli_fail(&err);
    } else {
        print_cbis(&result, a.in.folder);
    }
    free(a.table);
    return code;
}

/* The kinds of sources. */
static const struct cli_command SOURCES[] = {
    {"folder", "images with masks and labels, by folders or by a table", run_folder},
    {"cbis", "CBIS-DDSM as it was downloaded: DICOM files and tables", run_cbis},
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
