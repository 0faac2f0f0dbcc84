#include "cli/cli.h"

#include "base/log.h"
#include "eval/evaluate_opinions.h"

#include <argp.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    KEY_PART = 0x1001,
    KEY_CLASSIFIER,
    KEY_LOW,
    KEY_HIGH,
    KEY_SENSITIVITY,
    KEY_SPECIFICITY,
    KEY_BATCH,
    KEY_SEED,
    KEY_ALLOW_LEAK
};
enum { MAX_BATCH = 1024 };

static const char DOC[] =
    "Measure a run on a data set: overlap of the masks, and how well their sums tell malignant from benign; "
    "of a "
    "classifier, how well its probabilities do on the crops, and how its Grad-CAM agrees with the true "
    "regions."
    "\vRUN is a folder made by 'clearmass train'; DATA is a data set folder, by default the one the run was "
    "trained "
    "on. Of that one the validation part is measured unless --part names another; every image of any other "
    "data set "
    "is an external test.\n\n"
    "Evaluating the validation part of a black-box or classify run also chooses two thresholds and stores "
    "them in "
    "RUN/thresholds.json, where evaluations of other parts and 'clearmass explain' find them, unless "
    "'clearmass calibrate' has made a guaranteed pair. Looks at test "
    "images "
    "are counted in RUN/test_evaluations.csv.\n\n"
    "With --classifier a black-box run and a classifier are measured as one system, as 'clearmass explain' "
    "uses "
    "them: the classifier judges every region that the map shows; the answer is benign or malignant where "
    "both "
    "say so, else uncertain. Only images of patients that neither network learned from count. OUT gets "
    "result.json, predictions.csv and, of the images about which they disagree, what explain writes.\n\n"
    "Writes OUT/result.json, OUT/predictions.csv and OUT/masks, or of a classifier OUT/cam and OUT/roi. "
    "Research software, not a medical device.";

static const struct argp_option OPTIONS[] = {
    {"part", KEY_PART, "PART", 0, "validation (default), train, test or all", 0},
    {"classifier", KEY_CLASSIFIER, "RUN", 0,
     "folder of a classify run: measure the two networks as one system", 0},
    {"output", 'o', "OUT", 0, "folder to write to (default RUN/evaluation, with --classifier RUN/opinions)",
     0},
    {"low", KEY_LOW, "SCORE", 0,
     "benign below this score (default: the published .0001; .5 for a classifier)", 0},
    {"high", KEY_HIGH, "SCORE", 0,
     "malignant above this score (default: the published 100; .5 for a classifier)", 0},
    {"sensitivity", KEY_SENSITIVITY, "SHARE", 0,
     "of the malignant, not called benign by the chosen thresholds (default .9)", 0},
    {"specificity", KEY_SPECIFICITY, "SHARE", 0,
     "of the benign, not called malignant by the chosen thresholds (default .9)", 0},
    {"batch", KEY_BATCH, "N", 0, "images a pass of the network (default 16)", 0},
    {"seed", KEY_SEED, "N", 0, "of the bootstrap (default 1)", 0},
    {"allow-leak", KEY_ALLOW_LEAK, NULL, 0,
     "measure a data set that shares patients or pictures with what the run learnt from; the report says so",
     0},
    {0},
};

struct arguments {
    struct evaluation e;
    struct band given;
};

/* Ends the program on text that is no number in low..high. */
static double number(const char *text, double low, double high, struct argp_state *state)
{
    char *end;
    const double v = strtod(text, &end);

    if (end == text || *end || !(v >= low && v <= high))
        argp_error(state, "'%s': a number from %g to %g is wanted", text, low, high);
    return v;
}

static double share(const char *text, struct argp_state *state)
{
    const double v = number(text, 0, 1, state);

    if (v <= 0)
        argp_error(state, "'%s': a share above 0 is wanted", text);
    return v;
}

static void check(struct arguments *a, struct argp_state *state)
{
    if (!a->e.run)
        argp_error(state, "a run folder is wanted");
    if (a->given.low > a->given.high)
        argp_error(state, "--low %g lies above --high %g", a->given.low, a->given.high);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case KEY_PART:
        if (!eval_part_parse(arg, &a->e.part))
            argp_error(state, "--part '%s': validation, train, test or all is wanted", arg);
        return 0;
    case KEY_CLASSIFIER:
        a->e.classifier = arg;
        return 0;
    case 'o':
        a->e.out = arg;
        return 0;
    case KEY_LOW:
        a->given.low = number(arg, 0, 1e12, state);
        a->e.given = &a->given;
        return 0;
    case KEY_HIGH:
        a->given.high = number(arg, 0, 1e12, state);
        a->e.given = &a->given;
        return 0;
    case KEY_SENSITIVITY:
        a->e.wish.sensitivity = share(arg, state);
        return 0;
    case KEY_SPECIFICITY:
        a->e.wish.specificity = share(arg, state);
        return 0;
    case KEY_BATCH:
        a->e.batch = (int)number(arg, 1, MAX_BATCH, state);
        return 0;
    case KEY_ALLOW_LEAK:
        a->e.allow_leak = true;
        return 0;
    case KEY_SEED:
        a->e.seed = (uint64_t)number(arg, 0, 9e15, state);
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num == 0)
            a->e.run = arg;
        else if (state->arg_num == 1)
            a->e.data = arg;
        else
            argp_error(state, "too many arguments");
        return 0;
    case ARGP_KEY_END:
        check(a, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static double value(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);

    return json_is_number(v) ? json_number_value(v) : NAN;
}

/* ".832", or "-" where there is no number; text is returned. */
static const char *share_text(double v, char text[16])
{
    if (isfinite(v))
        snprintf(text, 16, "%.3f", v);
    else
        snprintf(text, 16, "-");
    return text;
}

/* A number never stands without its interval: where there is none, that is said. */
static void print_interval(const char *name, double v, double low, double high, const char *note)
{
    char a[16], b[16], c[16];

    if (!isfinite(v))
        printf("  %-28s cannot be told\n", name);
    else if (!isfinite(low) || !isfinite(high))
        printf("  %-28s %s  no interval: too few patients, or all alike%s\n", name, share_text(v, a), note);
    else
        printf("  %-28s %s  [%s, %s]%s\n", name, share_text(v, a), share_text(low, b), share_text(high, c),
               note);
}

static void print_line(const char *name, const json_t *interval, const char *note)
{
    print_interval(name, value(interval, "value"), value(interval, "low"), value(interval, "high"), note);
}

/* KEY, KEY_low and KEY_high of an object. */
static void print_keys(const char *name, const json_t *object, const char *key, const char *note)
{
    char low[64], high[64];

    snprintf(low, sizeof low, "%s_low", key);
    snprintf(high, sizeof high, "%s_high", key);
    print_interval(name, value(object, key), value(object, low), value(object, high), note);
}

static void print_overlap(const json_t *o)
{
    const json_t *dice = json_object_get(o, "dice"), *malignant = json_object_get(o, "dice_malignant");
    char a[16], b[16], note[96];

    printf("Overlap with the true mask, %.0f image%s with one\n", value(o, "nonempty_truths"),
           value(o, "nonempty_truths") == 1 ? "" : "s");
    print_keys("Dice, mean", dice, "mean", "");
    snprintf(note, sizeof note, "  quartiles %s to %s", share_text(value(dice, "q1"), a),
             share_text(value(dice, "q3"), b));
    print_keys("Dice, median", dice, "median", note);
    print_keys("IoU, mean", json_object_get(o, "iou"), "mean", "");
    snprintf(note, sizeof note, "  of %.0f images", value(malignant, "images"));
    print_keys("Dice, mean, malignant", malignant, "mean", note);
    print_keys("soft batch Dice", o, "soft_batch_dice", "  (uncut, whole batches: the published metric)");
}

/* Lesions found where one false mark an image is shown. */
static void print_lesions(const json_t *froc)
{
    const json_t *at = json_object_get(froc, "at"), *p;
    char note[96];
    size_t i;

    json_array_foreach(at, i, p)
    {
        if (value(p, "false_per_image") != 1)
            continue;
        snprintf(note, sizeof note, "  at 1 false mark an image; %.0f lesions%s", value(froc, "lesions"),
                 strcmp(json_string_value(json_object_get(froc, "lesions_of")), "malignant") ? ""
                                                                                             : ", malignant");
        print_line("lesions found", json_object_get(p, "sensitivity"), note);
    }
}

/* The paper's own results, for the eye: other images, so not to be compared one by one. */
static void print_paper(const json_t *paper)
{
    const json_t *accuracy = json_object_get(paper, "accuracy");
    char a[16], b[16], c[16], d[16];

    printf("The paper, on %.0f other images (%s): accuracy %s [%s, %s], majority class %s",
           value(paper, "cases"), json_string_value(json_object_get(paper, "what")),
           share_text(value(accuracy, "value"), a), share_text(value(accuracy, "low"), b),
           share_text(value(accuracy, "high"), c), share_text(value(paper, "majority_class"), d));
    if (isfinite(value(paper, "dice")))
        printf("; Dice of outlines %s", share_text(value(paper, "dice"), a));
    printf("\n");
}

static void print_cam_of(const json_t *cam, const char *which, const char *words)
{
    const json_t *a = json_object_get(cam, which);
    char chance[16], note[96];

    printf("Grad-CAM of malignant against the true region, %.0f %s\n", value(a, "crops"), words);
    snprintf(note, sizeof note, "  by chance (the region's share of the crop): %s",
             share_text(value(json_object_get(a, "region_share"), "value"), chance));
    print_line("pointing game", json_object_get(a, "pointing_game"), note);
    print_line("energy inside", json_object_get(a, "energy_inside"), "");
}

static double cell(const json_t *matrix, size_t actual, size_t answer)
{
    return json_number_value(json_array_get(json_array_get(matrix, actual), answer));
}

/* Both matrices, actual in rows: the yes-or-no answer, and the three answers. */
static void print_matrices(const json_t *d)
{
    static const char *const ACTUAL[] = {"actual benign or normal", "actual malignant"};
    const json_t *two = json_object_get(d, "confusion"), *three = json_object_get(d, "three_way");

    printf("  %-28s %7s %9s | %7s %9s %9s\n", "two answers | three answers", "benign", "malignant", "benign",
           "uncertain", "malignant");
    for (size_t i = 0; i < 2; i++)
        printf("  %-28s %7.0f %9.0f | %7.0f %9.0f %9.0f\n", ACTUAL[i], cell(two, i, 0), cell(two, i, 1),
               cell(three, i, 0), cell(three, i, 1), cell(three, i, 2));
}

static void print_decision(const json_t *d)
{
    const json_t *chosen_on = json_object_get(d, "chosen_on");
    const bool same = json_is_true(json_object_get(d, "chosen_on_same_images"));
    char majority[16], note[64];

    printf("Thresholds %s: benign below %.6g, malignant above %.6g%s%s%s\n",
           json_string_value(json_object_get(d, "name")), value(d, "low"), value(d, "high"),
           json_is_string(chosen_on) ? "; chosen on " : "",
           json_is_string(chosen_on) ? json_string_value(chosen_on) : "",
           same ? ", THE SAME IMAGES AS HERE: optimistic" : "");
    print_matrices(d);
    snprintf(note, sizeof note, "  majority class alone: %s",
             share_text(value(d, "majority_class"), majority));
    print_line("accuracy", json_object_get(d, "accuracy"), note);
    print_line("sensitivity", json_object_get(d, "sensitivity"), "");
    print_line("specificity", json_object_get(d, "specificity"), "");
    print_line("PPV", json_object_get(d, "ppv"), "");
    print_line("NPV", json_object_get(d, "npv"), "");
    print_line("uncertain", json_object_get(d, "uncertain"), "");
    print_line("wrong of those answered", json_object_get(d, "wrong_of_answered"), "");
    print_line("malignant called benign", json_object_get(d, "malignant_called_benign"), "");
    if (value(d, "confidence") > 0) { /* in the unit of the promise */
        snprintf(note, sizeof note, "  promised at most %g, confidence %g", value(d, "miss_rate"),
                 value(d, "confidence"));
        print_line("patients missed", json_object_get(d, "patients_malignant_called_benign"), note);
        print_line("patients falsely called", json_object_get(d, "patients_benign_called_malignant"), note);
    }
}

static void print_result(const json_t *r, const char *out)
{
    const json_t *data = json_object_get(r, "data"), *score = json_object_get(r, "score"), *d;
    const json_t *cam = json_object_get(r, "cam");
    const json_t *decisions = json_object_get(r, "decisions"), *cannot;
    size_t i;

    printf("%s, %s: %.0f %ss of %.0f patients (%.0f benign, %.0f malignant, %.0f normal)\n",
           json_string_value(json_object_get(data, "path")), json_string_value(json_object_get(data, "part")),
           value(data, "images"), json_string_value(json_object_get(data, "unit")), value(data, "patients"),
           value(data, "benign"), value(data, "malignant"), value(data, "normal"));
    printf("Looks at %s with this run so far: %.0f\n",
           json_is_true(json_object_get(data, "external")) ? "this data set"
                                                           : "the test images of this data set",
           value(data, "test_evaluations"));
    if (json_is_object(json_object_get(json_object_get(r, "run"), "leaks")))
        printf(
            "Trained with --allow-leak: patients or pictures are on two sides of its split, and results on "
            "them flatter; result.json lists them\n");
    json_array_foreach(json_object_get(r, "cannot_tell"), i, cannot)
    {
        printf("%s\n", json_string_value(cannot));
    }
    if (cam) {
        print_cam_of(cam, "all", "crops");
        print_cam_of(cam, "malignant", "malignant crops");
        if (value(cam, "without") > 0)
            printf("  (left out: %.0f crops in which nothing speaks for malignant, or whose lesion's place "
                   "is not "
                   "known)\n",
                   value(cam, "without"));
        printf("Malignant above the others by their probability\n");
    } else {
        print_overlap(json_object_get(r, "overlap"));
        printf("Malignant above the others by the sum of the mask\n");
    }
    print_keys("AUC", score, "auc", "  chance: .5");
    print_lesions(json_object_get(r, "froc"));
    json_array_foreach(decisions, i, d)
    {
        print_decision(d);
    }
    if (json_array_size(decisions) > 0)
        print_paper(json_object_get(r, "paper"));
    if (json_array_size(json_object_get(r, "unreadable")) > 0)
        printf("%zu %ss could not be read and are left out; result.json lists them\n",
               json_array_size(json_object_get(r, "unreadable")),
               json_string_value(json_object_get(data, "unit")));
    printf("In brackets: 95%% intervals. Written to %s\n%s\n", out, CLI_DISCLAIMER);
}

static void print_system(const json_t *system)
{
    const json_t *three = json_object_get(system, "three_way");
    char majority[16], note[64];

    printf("%s, %.0f images; benign, uncertain, malignant\n",
           json_string_value(json_object_get(system, "name")), value(system, "images"));
    printf("  actual benign or normal      %.0f %.0f %.0f\n", cell(three, 0, 0), cell(three, 0, 1),
           cell(three, 0, 2));
    printf("  actual malignant             %.0f %.0f %.0f\n", cell(three, 1, 0), cell(three, 1, 1),
           cell(three, 1, 2));
    snprintf(note, sizeof note, "  majority class of these alone: %s",
             share_text(value(system, "majority_class_of_decided"), majority));
    print_line("accuracy of the decided", json_object_get(system, "accuracy_of_decided"), note);
    print_line("uncertain", json_object_get(system, "uncertain"), "");
    print_line("malignant called benign", json_object_get(system, "malignant_called_benign"), "");
}

static void print_opinions(const json_t *r, const char *out)
{
    const json_t *data = json_object_get(r, "data"), *accord = json_object_get(r, "accord"), *s;
    size_t i;

    printf("%s, %s: %.0f images of %.0f patients (%.0f benign, %.0f malignant, %.0f normal); %.0f left out, "
           "whose "
           "patients a network learned from\n",
           json_string_value(json_object_get(data, "path")), json_string_value(json_object_get(data, "part")),
           value(data, "images"), value(data, "patients"), value(data, "benign"), value(data, "malignant"),
           value(data, "normal"), value(data, "left_out"));
    printf("Looks at the test images of this data set with these runs so far: %.0f\n",
           value(data, "test_evaluations"));
    printf(
        "Two opinions: %.0f agree, %.0f disagree, %.0f with one of them uncertain, %.0f without a region to "
        "judge\n",
        value(accord, "agree"), value(accord, "differ"), value(accord, "unsure"), value(accord, "no region"));
    json_array_foreach(json_object_get(r, "systems"), i, s)
    {
        print_system(s);
    }
    if (json_array_size(json_object_get(r, "unreadable")) > 0)
        printf("%zu images could not be read and are left out; result.json lists them\n",
               json_array_size(json_object_get(r, "unreadable")));
    printf("In brackets: 95%% intervals. Written to %s\n%s\n", out, CLI_DISCLAIMER);
}

int cmd_evaluate(int argc, char **argv)
{
    static const struct argp ARGP = {
        .options = OPTIONS, .parser = parse, .args_doc = "RUN [DATA]", .doc = DOC};
    struct arguments a = {.e = {.seed = 1}, .given = {NAN, NAN}};
    struct err err = ERR_INIT;
    json_t *result = NULL;

    argp_err_exit_status = CLI_USAGE;
    argp_parse(&ARGP, argc, argv, 0, NULL, &a);
    char *out =
        a.e.out ? file_join(NULL, a.e.out) : file_join(a.e.run, a.e.classifier ? "opinions" : "evaluation");
    const bool ok = (a.e.classifier ? evaluate_opinions : evaluate)(&a.e, &result, &err);
    if (ok)
        (a.e.classifier ? print_opinions : print_result)(result, out);
    json_decref(result);
    free(out);
    return ok ? CLI_DONE : cli_fail(&err);
}
