/* The sections of figures: what a result says stands on the page in words and numbers, and what it lacks is
 * left out or told. */
#include "report/sections.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "test_report_tags.h"

static const char RESULT[] =
    "{"
    "\"score\": {\"auc\": 0.7531},"
    "\"decisions\": [{\"name\": \"guaranteed\", \"uncertain\": {\"value\": 0.4, "
    "\"low\": 0.3, \"high\": 0.5}, \"wrong_of_answered\": {\"value\": 0.0777, "
    "\"low\": 0.0333, \"high\": 0.1555}}],"
    "\"calibration\": {\"same_images\": true, \"brier_of_base_rate\": 0.2371, "
    "\"platt\": {\"ece\": {\"value\": 0.0412, \"low\": 0.03, \"high\": 0.09}, "
    "\"brier\": {\"value\": 0.1523, \"low\": 0.12, \"high\": 0.19}, \"reliability\": "
    "[{\"from\": 0.1, \"to\": 0.2, \"cases\": 37, \"mean\": 0.1642, \"malignant\": "
    "{\"value\": 0.1891, \"low\": 0.0952, \"high\": 0.3422}}]}, \"isotonic\": "
    "{\"ece\": {\"value\": 0.0213, \"low\": 0.01, \"high\": 0.08}, \"brier\": "
    "{\"value\": 0.1414, \"low\": 0.11, \"high\": 0.18}, \"reliability\": "
    "[{\"from\": 0.2, \"to\": 0.3, \"cases\": 53, \"mean\": 0.2642, \"malignant\": "
    "{\"value\": 0.2641, \"low\": 0.1642, \"high\": 0.3955}}]}},"
    "\"risk_coverage\": {\"area\": 0.1, \"curve\": [[0.5, 0.0625, null], "
    "[1, 0.1875, null]], \"at\": [{\"coverage\": 0.5, \"of\": 16, \"risk\": "
    "{\"value\": 0.0625, \"low\": 0.0111, \"high\": 0.2833}}, {\"coverage\": 1, "
    "\"of\": 32, \"risk\": {\"value\": 0.1875, \"low\": 0.0889, \"high\": 0.3531}}]},"
    "\"precision_recall\": {\"average_precision\": {\"value\": 0.6712, "
    "\"low\": 0.55, \"high\": 0.78}, \"chance\": 0.31, \"curve\": "
    "[[0.5, 0.8125, 9], [1, 0.3438, 1]], \"at\": [{\"recall\": 0.5, \"of\": 16, "
    "\"precision\": {\"value\": 0.8125, \"low\": 0.57, \"high\": 0.9334}}, "
    "{\"recall\": 1, \"of\": 32, \"precision\": {\"value\": 0.3438, \"low\": 0.2041, "
    "\"high\": 0.5169}}]},"
    "\"froc\": {\"cut\": 0.5, \"overlap\": 0.2, \"lesions_of\": \"malignant\", "
    "\"lesions\": 41, \"found\": 29, \"false_marks\": 12, \"images\": 97, \"at\": "
    "[{\"false_per_image\": 1, \"sensitivity\": {\"value\": 0.7073, "
    "\"low\": 0.5511, \"high\": 0.8244}}], \"curve\": [[0, 0, null], "
    "[0.1237, 0.7073, 4]]},"
    "\"levels\": [{\"level\": \"image\", \"cases\": 31, \"patients\": 17, "
    "\"malignant\": 9, \"few\": true, \"auc\": {\"value\": 0.6421, \"low\": 0.5, "
    "\"high\": 0.7}}, {\"level\": \"breast\", \"cases\": null}],"
    "\"strata\": [{\"by\": \"density\", \"value\": \"<2>\", \"cases\": 31, "
    "\"patients\": 17, \"malignant\": 9, \"few\": true, \"auc\": {\"value\": 0.6421, "
    "\"low\": 0.5, \"high\": 0.7}, \"dice\": {\"value\": 0.4321, \"low\": 0.4, "
    "\"high\": 0.5}}, {\"by\": \"assessment\", \"value\": \"4\", \"cases\": 52}]"
    "}";

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
                                        "0.011 to 0.283",
                                        "0.188",
                                        "0.089 to 0.353",
                                        "isotonic 0.2 to 0.3",
                                        ">53<",
                                        "0.164 to 0.396",
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
                                        "0.570 to 0.933",
                                        "0.344",
                                        "0.204 to 0.517",
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
    static const char *const WORDS[] = {
        "0.642",      "0.500 to 0.700", "density &lt;2&gt;",
        "0.432",      "few: rough",     "not known: some image does not say which",
        "image (31)", ">17<",           NULL};

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
