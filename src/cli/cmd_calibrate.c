#include "cli/cli.h"

#include "base/log.h"
#include "eval/calibrate.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEY_MISS = 0x1001, KEY_CONFIDENCE, KEY_EVALUATION };

static const char DOC[] =
    "Choose two thresholds that keep a promise, and learn probabilities from a run's validation part."
    "\vReads RUN/evaluation (made by 'clearmass evaluate RUN', the validation part) and writes "
    "RUN/calibration.json, which later evaluations, reports and explanations use.\n\n"
    "The promise: with the confidence wanted, of the patients with a malignant image at most the share "
    "--miss-rate has one called benign; and, with the same confidence, of the patients with an image that is "
    "not malignant at most that share has one called malignant. What lies between the thresholds is "
    "uncertain "
    "and referred. Both promises together hold with 2 x confidence - 1.\n\n"
    "The method: exact binomial tests of thresholds in a fixed order, from the safest on (Learn then Test, "
    "Angelopoulos et al. 2021, arXiv:2110.01052, with the bound of Clopper and Pearson 1934). The unit is "
    "the "
    "patient, who counts by the worst image. It assumes that new patients are independent draws from where "
    "the "
    "validation patients came from, and that these chose nothing else; they did choose the best epoch, so "
    "keep "
    "some distance, and check on a test part.\n\n"
    "Where the validation part has too few patients for the promise, no band is written, the number of "
    "patients needed is said, and the exit code is 1; the probabilities are written all the "
    "same.\n" CLI_DISCLAIMER;

static const struct argp_option OPTIONS[] = {
    {"miss-rate", KEY_MISS, "SHARE", 0, "at most this share on the wrong side (default .05)", 0},
    {"confidence", KEY_CONFIDENCE, "SHARE", 0, "how sure the promise is (default .95)", 0},
    {"evaluation", KEY_EVALUATION, "FOLDER", 0, "the evaluation to learn from (default RUN/evaluation)", 0},
    {0},
};

/* Ends the program on text that is no number between 0 and 1. */
static double share(const char *text, struct argp_state *state)
{
    char *end;
    const double v = strtod(text, &end);

    if (end == text || *end || !(v > 0 && v < 1))
        argp_error(state, "'%s': a number between 0 and 1 is wanted", text);
    return v;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct calibrate *c = state->input;

    switch (key) {
    case KEY_MISS:
        c->wish.miss_rate = share(arg, state);
        return 0;
    case KEY_CONFIDENCE:
        c->wish.confidence = share(arg, state);
        return 0;
    case KEY_EVALUATION:
        c->evaluation = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (c->run)
            argp_error(state, "one run at a time: '%s' is one too many", arg);
        c->run = arg;
        return 0;
    case ARGP_KEY_END:
        if (!c->run)
            argp_error(state, "a run folder is wanted");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void print_side(const struct guarantee_side *s, const char *whose, const char *called)
{
    printf("  of %zu patients with %s, %zu %s called %s here; %zu would be allowed\n", s->patients, whose,
           s->wrong, s->wrong == 1 ? "has one" : "have one", called, s->allowed);
}

static void print_promise(const struct score_calibration *c)
{
    const struct band b = c->promise.band;

    printf("Benign below %.6g, malignant above %.6g, uncertain between.\n", b.low, b.high);
    printf("With a confidence of %g, among new patients like these at most %g %% on either wrong side:\n",
           c->wish.confidence, 100 * c->wish.miss_rate);
    print_side(&c->promise.malignant, "a malignant image", "benign");
    print_side(&c->promise.benign, "an image that is not malignant", "malignant");
    printf("The validation patients also chose the best epoch: check the promise on a test part.\n");
}

int cmd_calibrate(int argc, char **argv)
{
    static const struct argp ARGP = {.options = OPTIONS, .parser = parse, .args_doc = "RUN", .doc = DOC};
    struct calibrate c = {.wish = {.05, .95}};
    struct score_calibration made = SCORE_CALIBRATION_INIT;
    struct err err = ERR_INIT;

    argp_err_exit_status = CLI_USAGE;
    argp_parse(&ARGP, argc, argv, 0, NULL, &c);
    if (!calibrate(&made, &c, &err))
        return cli_fail(&err);
    const bool guaranteed = made.guaranteed;
    printf("%zu validation images of %zu patients, %zu images malignant\n", made.images, made.patients,
           made.malignant);
    if (guaranteed)
        print_promise(&made);
    else
        log_error("no band can be promised: %s", made.why_not);
    printf("Written to %s/calibration.json\n%s\n", c.run, CLI_DISCLAIMER);
    score_calibration_release(&made);
    return guaranteed ? CLI_DONE : CLI_FAILED;
}
