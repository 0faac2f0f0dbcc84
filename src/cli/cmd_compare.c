#include "cli/cli.h"

#include "base/file.h"
#include "base/json.h"
#include "eval/compare.h"
#include "report/comparison.h"

#include <argp.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEY_SEED = 0x1001 };

static const char DOC[] =
    "Compare runs on the very same cases."
    "\vRUN is a run folder with an evaluation, or the folder of an evaluation ('clearmass evaluate -o'); all "
    "must "
    "be of one part of one data set. Cases are matched by id; what not every run has is left out and "
    "counted.\n\n"
    "For every pair: the difference of the AUC (DeLong's test, and an interval by patients), of the "
    "two-class "
    "answers (McNemar's exact test) and of the mean Dice (paired bootstrap of patients); all p-values "
    "together "
    "are corrected by Holm's method.\n\n"
    "Writes OUT/comparison.json and OUT/comparison.html.\n" CLI_DISCLAIMER;

static const struct argp_option OPTIONS[] = {
    {"output", 'o', "OUT", 0, "folder to write to (default: comparison)", 0},
    {"seed", KEY_SEED, "N", 0, "of the bootstrap (default 1)", 0},
    {0},
};

struct arguments {
    struct compare c;
    char *run[COMPARE_MOST_RUNS];
    const char *out;
};

static uint64_t whole(const char *text, struct argp_state *state)
{
    char *end;
    const double v = strtod(text, &end);

    if (end == text || *end || !(v >= 0 && v <= 9e15) || v != floor(v))
        argp_error(state, "--seed '%s': a whole number is wanted", text);
    return (uint64_t)v;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case 'o':
        a->out = arg;
        return 0;
    case KEY_SEED:
        a->c.seed = whole(arg, state);
        return 0;
    case ARGP_KEY_ARG:
        if (a->c.runs >= COMPARE_MOST_RUNS)
            argp_error(state, "at most %d runs", COMPARE_MOST_RUNS);
        a->run[a->c.runs++] = arg;
        return 0;
    case ARGP_KEY_END:
        if (a->c.runs < 2)
            argp_error(state, "two runs or more are wanted");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static double number(const json_t *json, const char *key)
{
    const json_t *v = json_object_get(json, key);

    return json_is_number(v) ? json_number_value(v) : NAN;
}

/* "-" where there is no number. */
static const char *text(double v, char out[16])
{
    if (isfinite(v))
        snprintf(out, 16, "%.3f", v);
    else
        snprintf(out, 16, "-");
    return out;
}

static void print_interval(const json_t *json, const char *key)
{
    const json_t *i = json_object_get(json, key);
    char a[16], b[16], c[16];

    if (isfinite(number(i, "value")) && isfinite(number(i, "low")))
        printf("  %5s [%s, %s]", text(number(i, "value"), a), text(number(i, "low"), b),
               text(number(i, "high"), c));
    else
        printf("  %-20s", isfinite(number(i, "value")) ? "no interval" : "cannot be told");
}

static void print_runs(const json_t *json)
{
    const json_t *run;
    size_t i;

    printf("     AUC                   accuracy              Dice\n");
    json_array_foreach(json_object_get(json, "runs"), i, run)
    {
        printf("  %c", (char)('A' + i));
        print_interval(run, "auc");
        print_interval(run, "accuracy");
        print_interval(run, "dice");
        printf("  %s\n", json_string_value(json_object_get(run, "folder")));
    }
}

static void print_test(const json_t *test, const char *name)
{
    char a[16], b[16], c[16], p[16], holm[16];

    if (!json_is_object(test))
        return;
    if (json_object_get(test, "difference") && !isfinite(number(test, "difference"))) {
        printf("    %-8s cannot be told\n", name);
        return;
    }
    if (json_object_get(test, "difference"))
        printf("    %-8s %6s [%s, %s]", name, text(number(test, "difference"), a),
               text(number(test, "low"), b), text(number(test, "high"), c));
    else
        printf("    %-8s only the first right %.0f, only the second %.0f", name,
               number(test, "only_first_right"), number(test, "only_second_right"));
    printf("  p %s, Holm %s (%s)\n", text(number(test, "p"), p), text(number(test, "p_holm"), holm),
           json_string_value(json_object_get(test, "test")));
}

static void print_comparison(const json_t *json, const char *out)
{
    const json_t *pair, *cannot;
    size_t i;

    printf("%.0f cases of %.0f patients, %.0f malignant; the majority class alone: %.3f\n",
           number(json, "cases"), number(json, "patients"), number(json, "malignant"),
           number(json, "majority_class"));
    json_array_foreach(json_object_get(json, "cannot_tell"), i, cannot)
    {
        printf("%s\n", json_string_value(cannot));
    }
    print_runs(json);
    json_array_foreach(json_object_get(json, "pairs"), i, pair)
    {
        printf("  %c - %c\n", (char)('A' + (int)number(pair, "second")),
               (char)('A' + (int)number(pair, "first")));
        print_test(json_object_get(pair, "auc"), "AUC");
        print_test(json_object_get(pair, "answers"), "answers");
        print_test(json_object_get(pair, "dice"), "Dice");
    }
    printf("In brackets: 95%% intervals. Written to %s\n%s\n", out, CLI_DISCLAIMER);
}

int cmd_compare(int argc, char **argv)
{
    static const struct argp ARGP = {
        .options = OPTIONS, .parser = parse, .args_doc = "RUN RUN...", .doc = DOC};
    struct arguments a = {.c = {.seed = 1}, .out = "comparison"};
    struct err err = ERR_INIT;
    json_t *json = NULL;

    argp_err_exit_status = CLI_USAGE;
    argp_parse(&ARGP, argc, argv, 0, NULL, &a);
    a.c.run = a.run;
    char *path = file_join(a.out, "comparison.json");
    const bool ok = compare(&json, &a.c, &err) && file_make_folders(a.out, &err) &&
                    json_file_write(path, json, &err) && comparison_write(a.out, &err);
    if (ok)
        print_comparison(json, a.out);
    json_decref(json);
    free(path);
    return ok ? CLI_DONE : cli_fail(&err);
}
