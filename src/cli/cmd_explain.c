#include "cli/cli.h"

#include "base/mem.h"
#include "eval/explain_job.h"
#include "eval/opinions.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_RUN = 0x1001, KEY_CLASSIFIER, KEY_LOW, KEY_HIGH };
enum {
    LISTED = 50, /* with more images the list is left to summary.csv */
    DETAILED = 8 /* with more images the places are left to the JSON files */
};

static const char DOC[] =
    "Judge images by a trained run, and show where the judgement comes from."
    "\vIMAGE is a PNG, JPEG, TIFF or DICOM file, or a folder: all images below it. For each, "
    "OUT gets STEM-overlay.png (the "
    "image with the mask and numbered places), STEM-mask.png and STEM.json; "
    "OUT/summary.csv lists them all. Files that "
    "cannot be read are listed there too, and the exit code is then 1.\n\n"
    "The verdict is benign below the low threshold, malignant above the high one, else "
    "uncertain. The score is a sum over pixels, so each place's share of it is exact, and so is what the "
    "map's verdict would be without that place; both are told. Thresholds are those that 'clearmass "
    "calibrate' guarantees, else those "
    "that 'clearmass evaluate' chose on the run's validation part, else the published "
    "ones (.0001 and 100).\n\n"
    "With --classifier the regions that a black-box run finds are cut from the full image, with the margin "
    "that the classifier's training crops had, and judged by it; OUT gets STEM-crop-N.png, each crop beside "
    "its Grad-CAM: where the evidence for malignant comes from. An image is then benign or malignant only "
    "where both networks say so; where they disagree, or one is uncertain, it is uncertain, and STEM.json "
    "and "
    "OUT/summary.csv say why. Where no region is found they say that, and the black-box run's answer "
    "stands.\n\n"
    "Research software, not a medical device. Not for diagnosis.";

static const struct argp_option OPTIONS[] = {
    {"run", KEY_RUN, "RUN", 0, "folder of the trained run", 0},
    {"classifier", KEY_CLASSIFIER, "RUN", 0,
     "folder of a classify run that is asked for a second opinion on every region", 0},
    {"output", 'o', "OUT", 0, "folder to write to", 0},
    {"low", KEY_LOW, "SCORE", 0, "benign below this score", 0},
    {"high", KEY_HIGH, "SCORE", 0, "malignant above this score", 0},
    {0},
};

struct arguments {
    struct explain_request request;
    struct band given;
    bool low, high;
    char **path; /* [request.paths] */
};

static double score(const char *text, struct argp_state *state)
{
    char *end;
    const double v = strtod(text, &end);

    if (end == text || *end || !(v >= 0 && v <= 1e12))
        argp_error(state, "'%s': a score from 0 on is wanted", text);
    return v;
}

static void check(struct arguments *a, struct argp_state *state)
{
    if (!a->request.paths || !a->request.run || !a->request.out)
        argp_error(state, "an IMAGE, --run RUN and -o OUT are wanted");
    if (a->low != a->high)
        argp_error(state, "--low and --high belong together");
    if (a->low && !(a->given.low <= a->given.high))
        argp_error(state, "--low %g lies above --high %g", a->given.low, a->given.high);
    a->request.given = a->low ? &a->given : NULL;
    a->request.path = a->path;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case KEY_RUN:
        a->request.run = arg;
        return 0;
    case KEY_CLASSIFIER:
        a->request.classifier = arg;
        return 0;
    case 'o':
        a->request.out = arg;
        return 0;
    case KEY_LOW:
        a->given.low = score(arg, state);
        a->low = true;
        return 0;
    case KEY_HIGH:
        a->given.high = score(arg, state);
        a->high = true;
        return 0;
    case ARGP_KEY_ARG:
        a->path[a->request.paths++] = arg;
        return 0;
    case ARGP_KEY_END:
        check(a, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void print_one(const struct explanation *x, const char *path)
{
    char why[OPINIONS_WHY] = "";

    if (x->asked)
        opinions_why(&x->opinions, why);
    printf("%-9s  score %-12.6g  %d %s  %s%s%s\n", explanation_verdict(x), x->score, x->count,
           x->count == 1 ? "place " : "places", path, x->asked ? ": " : "", why);
}

/* The score is a sum over pixels: what each place adds to it is exact. */
static void print_places(const struct explanation *x)
{
    for (int i = 0; i < x->count; i++) {
        const struct explain_region *r = &x->region[i];
        printf("           place %d: %.1f %% of the score", i + 1, 100 * r->score_share);
        if (x->judged)
            printf("; without it %.6g, %s", r->score_without, answer_name(r->without));
        printf("\n");
    }
    if (x->count > 0 && x->score > 0) {
        printf("           elsewhere: %.1f %%", 100 * x->rest_score / x->score);
        if (x->judged)
            printf("; alone %s", answer_name(x->rest_verdict));
        printf("\n");
    }
}

static void print_accords(const struct explain_results *r)
{
    size_t n[ACCORD_COUNT] = {0};

    for (size_t i = 0; i < r->done; i++)
        if (r->of[i].ok)
            n[r->of[i].what.opinions.accord]++;
    printf("Two opinions: %zu agree, %zu disagree, %zu with one of them uncertain, %zu without a region to "
           "judge (classifier: benign below %.3g, malignant above %.3g: thresholds %s)\n",
           n[ACCORD_AGREE], n[ACCORD_DIFFER], n[ACCORD_UNSURE], n[ACCORD_ALONE], r->classifier_band.low,
           r->classifier_band.high, r->classifier_thresholds);
}

static void print_results(const struct explain_results *r, const char *out)
{
    size_t verdicts[ANSWER_COUNT] = {0};

    for (size_t i = 0; i < r->files.count; i++) {
        if (!r->of[i].ok)
            continue;
        if (r->files.count <= LISTED)
            print_one(&r->of[i].what, r->files.file[i].path);
        if (r->files.count <= DETAILED)
            print_places(&r->of[i].what);
        verdicts[r->of[i].what.verdict]++;
    }
    if (*r->thresholds)
        printf("%zu benign, %zu uncertain, %zu malignant (benign below %.6g, malignant above %.6g: "
               "thresholds %s)\n",
               verdicts[ANSWER_BENIGN], verdicts[ANSWER_UNCERTAIN], verdicts[ANSWER_MALIGNANT], r->band.low,
               r->band.high, r->thresholds);
    else
        printf("No verdicts: this run marks lesions, it does not judge them\n");
    if (*r->classifier_thresholds)
        print_accords(r);
    if (r->failed)
        printf("%zu of %zu files failed, see %s/summary.csv\n", r->failed, r->files.count, out);
    printf("Written to %s\n%s\n", out, CLI_DISCLAIMER);
}

int cmd_explain(int argc, char **argv)
{
    static const struct argp ARGP = {
        .options = OPTIONS, .parser = parse, .args_doc = "IMAGE... --run RUN -o OUT", .doc = DOC};
    struct arguments a = {.path = mem_new((size_t)argc + 1, sizeof *a.path)};
    struct explain_results results = EXPLAIN_RESULTS_INIT;
    struct err err = ERR_INIT;

    argp_err_exit_status = CLI_USAGE;
    argp_parse(&ARGP, argc, argv, 0, NULL, &a);
    const bool ok = explain(&results, &a.request, &err);
    const bool whole = ok && results.failed == 0;
    if (ok)
        print_results(&results, a.request.out);
    explain_results_release(&results);
    free(a.path);
    return whole ? CLI_DONE : ok ? CLI_FAILED : cli_fail(&err);
}
