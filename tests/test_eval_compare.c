/* Two evaluations written by hand, and what their comparison must say. */
#include "data_help.h"

#include "base/json.h"
#include "eval/compare.h"

#include <math.h>

/* Eight cases; the last of the first evaluation is missing in the second, which has one of its own. */
#define HEADER "id,patient,label,part,score,answer,dice\n"
static const char FIRST[] = HEADER "a,p1,malignant,test,9,malignant,.5\n"
                                   "b,p2,malignant,test,3,benign,.25\n"
                                   "c,p3,malignant,test,7,uncertain,.75\n"
                                   "d,p4,benign,test,5,malignant,\n"
                                   "e,p5,benign,test,2,benign,.5\n"
                                   "f,p6,benign,test,1,benign,\n"
                                   "g,p7,benign,test,8,malignant,\n"
                                   "x,p8,benign,test,8,malignant,\n";
static const char SECOND[] = HEADER "g,p7,benign,test,2,benign,\n"
                                    "f,p6,benign,test,3,benign,\n"
                                    "e,p5,benign,test,6,malignant,.25\n"
                                    "d,p4,benign,test,4,benign,\n"
                                    "c,p3,malignant,test,7,malignant,.5\n"
                                    "b,p2,malignant,test,8,malignant,.75\n"
                                    "a,p1,malignant,test,9,malignant,.75\n"
                                    "y,p9,benign,test,1,benign,\n";

static const char *write_evaluation(void **state, const char *name, const char *table, const char *more)
{
    char *result =
        mem_printf("{\"format\": \"clearmass-result-1\", \"answers_by\": \"published\", %s}", more);
    const char *folder = in(*state, name);

    write_text(in(folder, "predictions.csv"), table);
    write_text(in(folder, "result.json"), result);
    free(result);
    return folder;
}

#define TEST_PART                                                                                            \
    "\"run\": {\"task\": \"segment\"}, \"data\": {\"part\": \"test\", \"manifest_sha256\": \"m\"}"
#define BLACK_BOX                                                                                            \
    "\"run\": {\"task\": \"black-box\"}, \"data\": {\"part\": \"test\", \"manifest_sha256\": \"m\"}"
#define OTHER_DATA                                                                                           \
    "\"run\": {\"task\": \"segment\"}, \"data\": {\"part\": \"test\", \"manifest_sha256\": \"n\"}"
#define VALIDATION                                                                                           \
    "\"run\": {\"task\": \"segment\"}, \"data\": {\"part\": \"validation\", \"manifest_sha256\": \"m\"}"

static json_t *compared(const char *first, const char *second)
{
    char *run[] = {(char *)first, (char *)second};
    struct err err = ERR_INIT;
    json_t *json = NULL;

    must(compare(&json, &(struct compare){run, 2, 1}, &err), err);
    return json;
}

static double at(const json_t *json, const char *a, const char *b)
{
    const json_t *v = json_object_get(json, a);

    v = b ? json_object_get(v, b) : v;
    return json_is_number(v) ? json_number_value(v) : NAN;
}

static void near(double a, double b, double tolerance)
{
    if (!(fabs(a - b) <= tolerance))
        fail_msg("%.17g instead of %.17g", a, b);
}

static void test_by_hand(void **state)
{
    json_t *json = compared(write_evaluation(state, "first", FIRST, TEST_PART),
                            write_evaluation(state, "second", SECOND, TEST_PART));
    const json_t *runs = json_object_get(json, "runs"),
                 *pair = json_array_get(json_object_get(json, "pairs"), 0);
    const json_t *first = json_array_get(runs, 0), *second = json_array_get(runs, 1);

    near(at(json, "cases", NULL), 7, 0);
    near(at(json, "patients", NULL), 7, 0);
    near(at(json, "malignant", NULL), 3, 0);
    near(at(json, "majority_class", NULL), 4. / 7, 1e-15);
    near(at(first, "left_out", NULL), 1, 0);
    /* of 12 pairs the first loses 3-5, 3-8, 7-8; the second none */
    near(at(first, "auc", "value"), 9. / 12, 1e-15);
    near(at(second, "auc", "value"), 1, 1e-15);
    near(at(pair, "auc", "difference"), 3. / 12, 1e-15);
    assert_true(at(json_object_get(json_object_get(pair, "auc"), "by_patients"), "low", NULL) >= 0);
    /* an uncertain malignant case is called malignant by the lower cut: the first is right on a c e f */
    near(at(first, "accuracy", "value"), 4. / 7, 1e-15);
    near(at(second, "accuracy", "value"), 6. / 7, 1e-15);
    near(at(pair, "answers", "only_first_right"), 1, 0);
    near(at(pair, "answers", "only_second_right"), 3, 0);
    near(at(pair, "answers", "p"), 2 * 5. / 16, 1e-12);
    /* dice: a +.25, b +.5, c -.25, e -.25 */
    near(at(pair, "dice", "cases"), 4, 0);
    near(at(pair, "dice", "difference"), .0625, 1e-15);
    near(at(json, "tests", NULL), 3, 0);
    for (int t = 0; t < 3; t++) {
        const char *const name[] = {"auc", "answers", "dice"};
        assert_true(at(pair, name[t], "p_holm") >= at(pair, name[t], "p"));
        assert_true(at(pair, name[t], "p_holm") <= fmin(1, 3 * at(pair, name[t], "p")));
    }
    json_decref(json);
}

static void test_a_run_against_itself(void **state)
{
    const char *first = write_evaluation(state, "first", FIRST, BLACK_BOX);
    json_t *json = compared(first, first);
    const json_t *pair = json_array_get(json_object_get(json, "pairs"), 0);

    near(at(pair, "auc", "p"), 1, 0);
    near(at(pair, "answers", "p"), 1, 0);
    near(at(pair, "dice", "p"), 1, 0);
    near(at(pair, "dice", "cases"), 3, 0); /* a black-box run: malignant lesions only */
    json_decref(json);
}

static void refused(const char *first, const char *second, const char *reason)
{
    char *run[] = {(char *)first, (char *)second};
    struct err err = ERR_INIT;
    json_t *json = NULL;

    assert_false(compare(&json, &(struct compare){run, 2, 1}, &err));
    assert_contains(err.text, reason);
    assert_null(json);
}

static void test_refused(void **state)
{
    const char *first = write_evaluation(state, "first", FIRST, TEST_PART);
    struct err err = ERR_INIT;
    json_t *json = NULL;

    refused(first, in(*state, "nowhere"), "nowhere: no evaluation: 'clearmass evaluate' makes one");
    refused(first, write_evaluation(state, "other", SECOND, OTHER_DATA),
            "are evaluations of different data sets");
    refused(first, write_evaluation(state, "other", SECOND, VALIDATION),
            "are evaluations of different parts");
    refused(first, write_evaluation(state, "other", HEADER "q,p,benign,test,1,,\n", TEST_PART),
            "no case in common: cases are matched by their id");
    refused(first, write_evaluation(state, "other", HEADER "a,p1,benign,test,1,,\n", TEST_PART),
            "'a' has another label or patient in");
    refused(first, write_evaluation(state, "other", HEADER "a,p2,malignant,test,1,,\n", TEST_PART),
            "'a' has another label or patient in");
    refused(first, write_evaluation(state, "other", HEADER "a,p1,malignant,test,NaN,,\n", TEST_PART),
            "score 'NaN' is no finite number");
    assert_false(compare(&json, &(struct compare){(char *[]){(char *)first}, 1, 1}, &err));
    assert_string_equal(err.text, "two to 16 runs can be compared");
}

/* No number where there is none to be had. */
static void test_one_class_and_one_patient(void **state)
{
    const char *benign =
        write_evaluation(state, "benign", HEADER "a,p,benign,test,1,,\nb,p,benign,test,2,,\n", TEST_PART);
    json_t *json = compared(benign, benign);
    const json_t *pair = json_array_get(json_object_get(json, "pairs"), 0);

    assert_true(isnan(at(pair, "auc", "difference")) && isnan(at(pair, "auc", "p")));
    assert_true(json_is_null(json_object_get(pair, "answers")));
    assert_true(json_is_null(json_object_get(pair, "dice")));
    near(at(json, "tests", NULL), 0, 0);
    const json_t *said = json_object_get(json, "cannot_tell");
    assert_int_equal(json_array_size(said), 2);
    assert_contains(json_string_value(json_array_get(said, 0)), "No case is malignant");
    assert_contains(json_string_value(json_array_get(said, 1)), "All cases are of one patient");
    json_decref(json);
    /* one score for all: no AUC, and no difference of AUCs that would look like a test passed */
    const char *same = write_evaluation(
        state, "same", HEADER "a,p,malignant,test,2,,\nb,q,benign,test,2,,\nc,r,benign,test,2,,\n",
        TEST_PART);
    json = compared(same, same);
    pair = json_array_get(json_object_get(json, "pairs"), 0);
    assert_true(isnan(at(json_array_get(json_object_get(json, "runs"), 0), "auc", "value")));
    assert_true(isnan(at(pair, "auc", "difference")) && isnan(at(pair, "auc", "p")));
    assert_contains(json_string_value(json_array_get(json_object_get(json, "cannot_tell"), 0)),
                    "Run A gives all cases the same score");
    json_decref(json);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_by_hand, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_a_run_against_itself, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_refused, make_folder, remove_folder),
        cmocka_unit_test_setup_teardown(test_one_class_and_one_patient, make_folder, remove_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
