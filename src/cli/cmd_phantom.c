#include "cli/cli.h"

#include "base/log.h"
#include "base/progress.h"
#include "data/phantom_archive.h"

#include <argp.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arguments {
    const char *folder;
    struct phantom_options phantom;
    bool archive, faults;
};

/* A whole number that fits; argp_error ends the program. */
static uint64_t whole(const char *text, const char *option, struct argp_state *state)
{
    char *end;

    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (errno || end == text || *end || strchr(text, '-'))
        argp_error(state, "--%s: '%s' is not a whole number", option, text);
    return v;
}

static double share(const char *text, const char *option, struct argp_state *state)
{
    char *end;
    double v = strtod(text, &end);

    if (end == text || *end || !(v >= 0 && v <= 1))
        argp_error(state, "--%s: '%s' is not a share between 0 and 1", option, text);
    return v;
}

static void choose_views(bool view[PHANTOM_PROJECTIONS], const char *text, struct argp_state *state)
{
    static const struct {
        const char *text;
        bool view[PHANTOM_PROJECTIONS];
    } CHOICE[] = {{"both", {true, true}}, {"CC", {true, false}}, {"MLO", {false, true}}};

    for (size_t i = 0; i < sizeof CHOICE / sizeof *CHOICE; i++) {
        if (!strcmp(text, CHOICE[i].text)) {
            memcpy(view, CHOICE[i].view, sizeof CHOICE[i].view);
            return;
        }
    }
    argp_error(state, "--views: '%s' is none of both, CC, MLO", text);
}

enum {
    KEY_HEIGHT = 256,
    KEY_MALIGNANT,
    KEY_NORMAL,
    KEY_SEVERAL,
    KEY_TEST,
    KEY_VIEWS,
    KEY_ARCHIVE,
    KEY_FAULTS
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;
    uint64_t height;

    switch (key) {
    case 'n':
        a->phantom.cases = whole(arg, "cases", state);
        return 0;
    case 's':
        a->phantom.seed = whole(arg, "seed", state);
        return 0;
    case KEY_HEIGHT:
        height = whole(arg, "height", state);
        a->phantom.height = height > PHANTOM_MAX_HEIGHT ? PHANTOM_MAX_HEIGHT + 1 : (int)height;
        return 0;
    case KEY_MALIGNANT:
        a->phantom.malignant_share = share(arg, "malignant", state);
        return 0;
    case KEY_NORMAL:
        a->phantom.normal_share = share(arg, "normal", state);
        return 0;
    case KEY_SEVERAL:
        a->phantom.several_share = share(arg, "several", state);
        return 0;
    case KEY_TEST:
        a->phantom.test_share = share(arg, "test", state);
        return 0;
    case KEY_ARCHIVE:
        a->archive = true;
        return 0;
    case KEY_FAULTS:
        a->faults = true;
        return 0;
    case KEY_VIEWS:
        choose_views(a->phantom.view, arg, state);
        return 0;
    case ARGP_KEY_ARG:
        if (a->folder)
            argp_error(state, "one folder at a time: '%s' is one too many", arg);
        a->folder = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->folder)
            argp_error(state, "which folder?");
        if (a->faults && !a->archive)
            argp_error(state, "--faults are those of an archive: --archive is wanted too");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option OPTIONS[] = {
    {"cases", 'n', "N", 0, "patients, 120 unless told otherwise", 0},
    {"seed", 's', "S", 0, "another seed makes other patients; 1 unless told otherwise", 0},
    {"height", KEY_HEIGHT, "PIXELS", 0,
     "rows, 256 to 4096 (1024 unless told otherwise); the width is 5/8 of it", 0},
    {"malignant", KEY_MALIGNANT, "SHARE", 0, "of the patients with a mass; 0.5 unless told otherwise", 0},
    {"normal", KEY_NORMAL, "SHARE", 0, "of all patients: breasts without a mass; 0 unless told otherwise", 0},
    {"several", KEY_SEVERAL, "SHARE", 0,
     "of the patients with a mass: those with a second one; 0 unless told otherwise", 0},
    {"test", KEY_TEST, "SHARE", 0,
     "of the patients of each label: the official test part, the others are train; 0 unless told otherwise",
     0},
    {"views", KEY_VIEWS, "WHICH", 0, "both, CC or MLO", 0},
    {"archive", KEY_ARCHIVE, NULL, 0,
     "write the layout of the CBIS-DDSM download instead of a data set: DICOM files and the archive's "
     "tables, "
     "for 'clearmass ingest cbis OUT/CBIS-DDSM --csv OUT/mass_case_description_train_set.csv'",
     1},
    {"faults", KEY_FAULTS, NULL, 0,
     "with --archive: put in the faults that the real download has (masks and crops swapped, misnamed "
     "series, "
     "masks of another pixel pitch, missing and truncated files ...) and list them in OUT/faults.csv",
     1},
    {0}};

static const struct argp ARGP = {
    OPTIONS,
    parse,
    "OUT",
    "Makes a data set of synthetic mammograms with known truth: one breast a patient, in two views, "
    "with a round, oval or lobulated mass (benign) or an irregular or spiculated one (malignant)."
    "\vThe folder OUT must be new or empty. The same seed makes the same files. The pictures are drawn, "
    "not taken: what is measured on them says how the program works, nothing about "
    "patients.\n" CLI_DISCLAIMER,
    NULL,
    NULL,
    NULL};

int cmd_phantom(int argc, char **argv)
{
    struct arguments a = {.phantom = phantom_defaults()};
    struct phantom_counts made = {0};
    struct err err = ERR_INIT;
    double begun = clock_seconds();
    char took[32];

    argp_err_exit_status = CLI_USAGE;
    if (argp_parse(&ARGP, argc, argv, 0, NULL, &a))
        return CLI_USAGE;
    if (!phantom_check(&a.phantom, &err)) {
        cli_fail(&err);
        return CLI_USAGE;
    }
    if (a.archive ? !phantom_archive_write(&made, a.folder, &a.phantom, a.faults, &err)
                  : !phantom_write(&made, a.folder, &a.phantom, &err))
        return cli_fail(&err);
    clock_text(clock_seconds() - begun, took, sizeof took);
    printf("%s: %zu images of %zu synthetic patients (%zu benign, %zu malignant, %zu normal) in %s\n",
           a.folder, made.images, a.phantom.cases, made.by_label[LABEL_BENIGN],
           made.by_label[LABEL_MALIGNANT], made.by_label[LABEL_NORMAL], took);
    return CLI_DONE;
}
