#include "cli/cli.h"

#include "base/log.h"
#include "base/mem.h"
#include "io/dicom.h"
#include "io/image_file.h"

#include <argp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LABEL_WIDTH = 22 };

/* ---- info ---- */

static const char INFO_DOC[] =
    "Print what DICOM files say of their images, without decoding pixels."
    "\vFiles that cannot be read are told on standard error; the exit code is then 1. "
    "What is printed may name a patient.\n\n" CLI_DISCLAIMER;

static const struct {
    const char *uid, *name;
} SYNTAXES[] = {
    {"1.2.840.10008.1.2", "implicit little endian"},
    {"1.2.840.10008.1.2.1", "explicit little endian"},
    {"1.2.840.10008.1.2.1.99", "deflated"},
    {"1.2.840.10008.1.2.2", "explicit big endian"},
    {"1.2.840.10008.1.2.4.50", "JPEG, 8 bits"},
    {"1.2.840.10008.1.2.4.51", "JPEG, 12 bits"},
    {"1.2.840.10008.1.2.4.57", "JPEG lossless"},
    {"1.2.840.10008.1.2.4.70", "JPEG lossless, first-order"},
    {"1.2.840.10008.1.2.4.80", "JPEG-LS lossless"},
    {"1.2.840.10008.1.2.4.81", "JPEG-LS near-lossless"},
    {"1.2.840.10008.1.2.4.90", "JPEG 2000 lossless"},
    {"1.2.840.10008.1.2.4.91", "JPEG 2000"},
    {"1.2.840.10008.1.2.5", "RLE"},
};

static const char *syntax_name(const char *uid)
{
    for (size_t i = 0; i < sizeof SYNTAXES / sizeof *SYNTAXES; i++)
        if (!strcmp(SYNTAXES[i].uid, uid))
            return SYNTAXES[i].name;
    return "not read";
}

static void print_text(const char *label, const char *text)
{
    if (*text)
        printf("  %-*s%s\n", LABEL_WIDTH, label, text);
}

static void print_spacing(const char *label, const double mm[2])
{
    if (mm[0] > 0)
        printf("  %-*s%g mm between rows, %g mm between columns\n", LABEL_WIDTH, label, mm[0], mm[1]);
}

static void print_pixels(const struct dicom_info *i)
{
    printf("  %-*s%d x %d pixels (columns x rows)", LABEL_WIDTH, "size", i->columns, i->rows);
    if (i->frames > 1)
        printf(", %d frames", i->frames);
    if (i->samples != 1)
        printf(", %d samples a pixel", i->samples);
    printf("\n  %-*s%d allocated, %d stored, high bit %d, %s\n", LABEL_WIDTH, "bits", i->bits_allocated,
           i->bits_stored, i->high_bit, i->is_signed ? "signed" : "unsigned");
    print_text("photometric", i->photometric);
    print_spacing("pixel spacing", i->pixel_spacing_mm);
    print_spacing("imager pixel spacing", i->imager_pixel_spacing_mm);
    if (i->window_width > 0)
        printf("  %-*scenter %g, width %g%s%s\n", LABEL_WIDTH, "window", i->window_center, i->window_width,
               *i->voi_function ? ", " : "", i->voi_function);
    if (i->rescale_slope != 1 || i->rescale_intercept != 0)
        printf("  %-*stimes %g plus %g\n", LABEL_WIDTH, "rescale", i->rescale_slope, i->rescale_intercept);
}

static void print_info(const char *path, const struct dicom_info *i)
{
    printf("%s\n  %-*s%s (%s)\n", path, LABEL_WIDTH, "transfer syntax", i->transfer_syntax,
           syntax_name(i->transfer_syntax));
    print_text("modality", i->modality);
    print_text("patient ID", i->patient_id);
    print_text("series description", i->series_description);
    print_text("laterality", i->laterality);
    print_text("view position", i->view_position);
    print_text("patient orientation", i->patient_orientation);
    print_text("study UID", i->study_uid);
    print_text("series UID", i->series_uid);
    print_text("instance UID", i->instance_uid);
    if (i->instance_number)
        printf("  %-*s%d\n", LABEL_WIDTH, "instance number", i->instance_number);
    print_pixels(i);
}

struct info_arguments {
    char **path; /* [count] */
    int count;
};

static error_t parse_info(int key, char *arg, struct argp_state *state)
{
    struct info_arguments *a = state->input;

    switch (key) {
    case ARGP_KEY_ARG:
        a->path[a->count++] = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->count)
            argp_error(state, "a FILE is wanted");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int run_info(int argc, char **argv)
{
    static const struct argp ARGP = {.parser = parse_info, .args_doc = "FILE...", .doc = INFO_DOC};
    struct info_arguments a = {mem_new((size_t)argc + 1, sizeof *a.path), 0};
    int code = CLI_DONE;

    argp_parse(&ARGP, argc, argv, 0, NULL, &a);
    for (int k = 0; k < a.count; k++) {
        struct dicom_info info;
        struct err err = ERR_INIT;
        if (dicom_read_info(&info, a.path[k], &err)) {
            print_info(a.path[k], &info);
        } else {
            fflush(stdout); /* so that both streams keep the order of the files */
            code = cli_fail(&err);
        }
    }
    free(a.path);
    return code;
}

/* ---- tiff ---- */

static const char TIFF_DOC[] = "Turn an image of a DICOM file into a TIFF file."
                               "\vUnless told otherwise, the bits stored are stretched over the full range "
                               "of 8 or 16 bits, 0 is black and "
                               "neither rescale nor window are applied: what a data set holds. A TIFF of "
                               "--display is for the eye only.\n\n" CLI_DISCLAIMER;

static const struct argp_option TIFF_OPTIONS[] = {
    {"frame", 'f', "N", 0, "of a file with many frames: 1 unless told otherwise", 0},
    {"display", 'd', NULL, 0, "8 bits as a screen shows them: rescale and window applied", 0},
    {"raw", 'r', NULL, 0, "the stored values as they are; signed ones as two's complement", 0},
    {0},
};

struct tiff_arguments {
    struct dicom_options options;
    const char *path, *out;
};

static void set_tone(struct tiff_arguments *a, enum dicom_tone tone, struct argp_state *state)
{
    if (a->options.tone != DICOM_GREY && a->options.tone != tone)
        argp_error(state, "--display and --raw exclude each other");
    a->options.tone = tone;
}

static int frame_number(const char *text, struct argp_state *state)
{
    char *end;
    const long n = strtol(text, &end, 10);

    if (end == text || *end || n < 1 || n > INT_MAX)
        argp_error(state, "--frame '%s': a whole number from 1 on is wanted", text);
    return (int)n;
}

static error_t parse_tiff(int key, char *arg, struct argp_state *state)
{
    struct tiff_arguments *a = state->input;

    switch (key) {
    case 'f':
        a->options.frame = frame_number(arg, state) - 1;
        return 0;
    case 'd':
        set_tone(a, DICOM_DISPLAY, state);
        return 0;
    case 'r':
        set_tone(a, DICOM_RAW, state);
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 1)
            argp_error(state, "too many arguments");
        *(state->arg_num == 0 ? &a->path : &a->out) = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->out)
            argp_error(state, "FILE and OUT.tif are wanted");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int run_tiff(int argc, char **argv)
{
    static const struct argp ARGP = {
        .options = TIFF_OPTIONS, .parser = parse_tiff, .args_doc = "FILE OUT.tif", .doc = TIFF_DOC};
    struct tiff_arguments a = {.path = NULL};
    struct image im = IMAGE_INIT;
    struct err err = ERR_INIT;

    argp_parse(&ARGP, argc, argv, 0, NULL, &a);
    const bool ok = dicom_read(&im, NULL, a.path, &a.options, &err) && tiff_write(a.out, &im, &err);
    if (ok)
        printf("%s: %d x %d pixels, %d bits\n", a.out, im.width, im.height, im.type == IMAGE_U8 ? 8 : 16);
    image_release(&im);
    return ok ? CLI_DONE : cli_fail(&err);
}

/* ---- */

static const struct cli_command DEEDS[] = {
    {"info", "what files say of their images", run_info},
    {"tiff", "one image as a TIFF file", run_tiff},
};

enum { N_DEEDS = sizeof DEEDS / sizeof *DEEDS };

static void print_deeds(FILE *f)
{
    fprintf(f, "Usage: clearmass dicom COMMAND [OPTION...]\nLook at single DICOM files.\n\n");
    for (int i = 0; i < N_DEEDS; i++)
        fprintf(f, "  %-10s %s\n", DEEDS[i].name, DEEDS[i].summary);
    fprintf(f, "\n'clearmass dicom COMMAND --help' tells its options.\n%s\n", CLI_DISCLAIMER);
}

int cmd_dicom(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";

    argp_err_exit_status = CLI_USAGE;
    for (int i = 0; i < N_DEEDS; i++) {
        if (!strcmp(word, DEEDS[i].name)) {
            char name[64];
            snprintf(name, sizeof name, "clearmass dicom %s", word);
            argv[1] = name;
            return DEEDS[i].run(argc - 1, argv + 1);
        }
    }
    if (!strcmp(word, "--help") || !strcmp(word, "-h") || !strcmp(word, "-?")) {
        print_deeds(stdout);
        return CLI_DONE;
    }
    if (*word)
        log_error("no command 'dicom %s'; 'clearmass dicom --help' lists them", word);
    else
        print_deeds(stderr);
    return CLI_USAGE;
}
