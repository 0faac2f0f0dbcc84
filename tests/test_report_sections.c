/* The sections of figures: what a result says stands on the page in words and numbers, and what it lacks is
 * left out or told. */
#include "report/sections.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test_report_tags.h"

#define I(v, l, h) "{\"value\": " v ", \"low\": " l ", \"high\": " h "}"
#define GROUP                                                                                                \
    "\"cases\": 31, \"patients\": 17, \"malignant\": 9, \"few\": true, \"auc\": " I("0.6421", "0.5", "0.7")

static const char RESULT[] =
    "{\"score\": {\"auc\": 0.7531},"
    "\"decisions\": [{\"name\": \"guaranteed\", \"uncertain\": " I(
        "0.4", "0.3",
        "0.5") ", \"wrong_of_answered\": " I("0.0777", "0.0333",
                                             "0.1555") "}],"
                                                       "\"calibration\": {\"same_images\": true, "
                                                       "\"brier_of_base_rate\": "
                                                       "0.2371,"
                                                       " \"platt\": {\"ece\": " I("0.0412", "0.03", "0.09") ", \"brier\": " I(
                                                           "0.1523", "0.12",
                                                           "0.19") ","
                                                                   " \"reliability\": [{\"from\": 0.1, "
                                                                   "\"to\": 0.2, "
                                                                   "\"cases\": 37, \"mean\": 0.1642, "
                                                                   "\"malignant\": " I(
                                                                       "0.1891", "0.0952",
                                                                       "0.3422") "}]},"
                                                                                 " \"isotonic\": "
                                                                                 "{\"ece\": " I("0.0213", "0.01", "0.08") ", \"brier\": " I(
                                                                                     "0.1414", "0.11",
                                                                                     "0.18") ", "
                                                                                             "\"reliability\""
                                                                                             ": []}},"
                                                                                             "\"risk_"
                                                                                             "coverage\": "
                                                                                             "{\"area\": "
                                                                                             "0.1, "
                                                                                             "\"curve\": "
                                                                                             "[[0.5, 0.0625, "
                                                                                             "null], [1, "
                                                                                             "0.1875, "
                                                                                             "null]]},"
                                                                                             "\"precision_"
                                                                                             "recall\": "
                                                                                             "{\"average_"
                                                                                             "precision\":"
                                                                                             " " I(
                                                                                                 "0.6712",
                                                                                                 "0.55",
                                                                                                 "0.78") ", "
                                                                                                         "\"c"
                                                                                                         "han"
                                                                                                         "ce"
                                                                                                         "\":"
                                                                                                         " 0."
                                                                                                         "31,"
                                                                                                         " \""
                                                                                                         "cur"
                                                                                                         "ve"
                                                                                                         "\":"
                                                                                                         " [["
                                                                                                         "0."
                                                                                                         "5, "
                                                                                                         "0."
                                                                                                         "812"
                                                                                                         "5, "
                                                                                                         "9],"
                                                                                                         " ["
                                                                                                         "1, "
                                                                                                         "0."
                                                                                                         "343"
                                                                                                         "8, "
                                                                                                         "1]]"
                                                                                                         "},"
                                                                                                         "\"f"
                                                                                                         "roc"
                                                                                                         "\":"
                                                                                                         " {"
                                                                                                         "\"c"
                                                                                                         "ut"
                                                                                                         "\":"
                                                                                                         " "
                                                                                                         "0."
                                                                                                         "5, "
                                                                                                         "\"o"
                                                                                                         "ver"
                                                                                                         "lap"
                                                                                                         "\":"
                                                                                                         " "
                                                                                                         "0."
                                                                                                         "2, "
                                                                                                         "\"l"
                                                                                                         "esi"
                                                                                                         "ons"
                                                                                                         "_of"
                                                                                                         "\":"
                                                                                                         " "
                                                                                                         "\"m"
                                                                                                         "ali"
                                                                                                         "gna"
                                                                                                         "nt"
                                                                                                         "\","
                                                                                                         " "
                                                                                                         "\"l"
                                                                                                         "esi"
                                                                                                         "ons"
                                                                                                         "\":"
                                                                                                         " 41"
                                                                                                         ", "
                                                                                                         "\"f"
                                                                                                         "oun"
                                                                                                         "d\""
                                                                                                         ": "
                                                                                                         "29,"
                                                                                                         " \""
                                                                                                         "fal"
                                                                                                         "se_"
                                                                                                         "mar"
                                                                                                         "ks"
                                                                                                         "\":"
                                                                                                         " "
                                                                                                         "12,"
                                                                                                         " \""
                                                                                                         "ima"
                                                                                                         "ges"
                                                                                                         "\":"
                                                                                                         " 97"
                                                                                                         ", "
                                                                                                         "\"a"
                                                                                                         "t\""
                                                                                                         ": "
                                                                                                         "[{"
                                                                                                         "\"f"
                                                                                                         "als"
                                                                                                         "e_"
                                                                                                         "per"
                                                                                                         "_"
                                                                                                         "ima"
                                                                                                         "ge"
                                                                                                         "\":"
                                                                                                         " 1,"
                                                                                                         " "
                                                                                                         "\"s"
                                                                                                         "ens"
                                                                                                         "iti"
                                                                                                         "vit"
                                                                                                         "y\""
                                                                                                         ":"
                                                                                                         " " I(
                                                                                                             "0.7073",
                                                                                                             "0.5511",
                                                                                                             "0.8244") "}],"
                                                                                                                       " \"curv"
                                                                                                                       "e\": "
                                                                                                                       "[[0, "
                                                                                                                       "0, "
                                                                                                                       "null], "
                                                                                                                       "[0."
                                                                                                                       "1237, "
                                                                                                                       "0.7073,"
                                                                                                                       " 4]]},"
                                                                                                                       "\"level"
                                                                                                                       "s\": "
                                                                                                                       "[{"
                                                                                                                       "\"level"
                                                                                                                       "\": "
                                                                                                                       "\"image"
                                                                                                                       "\","
                                                                                                                       " " GROUP
                                                                                                                       "}, "
                                                                                                                       "{\"leve"
                                                                                                                       "l\": "
                                                                                                                       "\"breas"
                                                                                                                       "t\", "
                                                                                                                       "\"cases"
                                                                                                                       "\": "
                                                                                                                       "null}],"
                                                                                                                       "\"strat"
                                                                                                                       "a\": "
                                                                                                                       "[{"
                                                                                                                       "\"by\":"
                                                                                                                       " \"dens"
                                                                                                                       "ity\", "
                                                                                                                       "\"value"
                                                                                                                       "\": "
                                                                                                                       "\"<2>"
                                                                                                                       "\","
                                                                                                                       " " GROUP
                                                                                                                       ", "
                                                                                                                       "\"dice"
                                                                                                                       "\": " I(
                                                                                                                           "0.43"
                                                                                                                           "21",
                                                                                                                           "0.4",
                                                                                                                           "0.5") "}]}";

static char *page(const char *result, void (*section)(struct buf *b, const struct source *s))
{
    char folder[] = "RUN";
    struct source s = {.folder = folder, .result = json_loads(result, 0, NULL)};
    struct buf b = BUF_INIT;

    assert_non_null(s.result);
    buf_adds(&b, "");
    section(&b, &s);
    json_decref(s.result);
    return b.data;
}

static void has(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("'%s' is not on the page", part);
}

static void holds(void (*section)(struct buf *b, const struct source *s), const char *const *words)
{
    char *text = page(RESULT, section);
    const char *fault = tags_fault(text);

    if (fault)
        fail_msg("%s", fault);
    for (; *words; words++)
        has(text, *words);
    free(text);
}

static void test_calibration(void **state)
{
    (void)state;
    static const char *const WORDS[] = {"Reliability",
                                        "Risk against coverage",
                                        "Optimistic",
                                        "0.041",
                                        "0.152",
                                        "0.021",
                                        "0.141",
                                        "0.237",
                                        "0.1 to 0.2",
                                        ">37<",
                                        "0.164",
                                        "0.189",
                                        "0.095 to 0.342",
                                        ">60.0",
                                        "0.078",
                                        "0.033 to 0.155",
                                        "0.062",
                                        "0.188",
                                        "aria-label=\"Reliability\"",
                                        NULL};

    holds(section_calibration, WORDS);
}

static void test_curves(void **state)
{
    (void)state;
    static const char *const WORDS[] = {"average precision 0.671, chance 0.310",
                                        "0.550 to 0.780",
                                        "0.812",
                                        "0.344",
                                        "29 of 41 lesions found",
                                        "0.707",
                                        "0.551 to 0.824",
                                        "97 images",
                                        "41 lesions of malignant images",
                                        "intersection over union is 0.2 or more",
                                        "Benign lesions are not to be marked",
                                        NULL};

    holds(section_curves, WORDS);
}

static void test_groups(void **state)
{
    (void)state;
    static const char *const WORDS[] = {"0.642",
                                        "0.500 to 0.700",
                                        "density &lt;2&gt;",
                                        "0.432",
                                        "<br><span class=\"note\">few cases: rough</span></th>",
                                        "not known: some image does not say which",
                                        "image (31)",
                                        ">17<",
                                        NULL};

    holds(section_groups, WORDS);
}

static void test_what_is_missing(void **state)
{
    (void)state;
    char *text = page("{\"decisions\": [{}], \"calibration\": null}", section_calibration);

    has(text, "clearmass calibrate RUN");
    free(text);
    text = page("{\"decisions\": []}", section_calibration);
    assert_true(!text || !*text);
    free(text);
    text = page("{\"precision_recall\": {\"curve\": []}, \"froc\": null}", section_curves);
    assert_true(!text || !*text);
    free(text);
    text = page("{}", section_groups);
    assert_true(!text || !*text);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calibration),
        cmocka_unit_test(test_curves),
        cmocka_unit_test(test_groups),
        cmocka_unit_test(test_what_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
