#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "io/image_file.h"
#include "report/comparison.h"
#include "report/diary.h"
#include "report/html.h"
#include "report/history.h"
#include "report/report.h"
#include "test_report_tags.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

/* A folder of its own for every test: run/ and data/ in it. */
struct place {
    char root[64];
    char *run, *data;
};

static const char RUN_JSON[] =
    "{\"format\": \"clearmass-run-1\", \"program\": \"clearmass 9.8.7\", \"task\": \"black-box\", \"model\": "
    "\"unet\","
    " \"input\": {\"size\": 224, \"channels\": 3, \"fit\": \"stretch\", \"breast_crop\": false},"
    " \"data\": {\"path\": \"somewhere\", \"manifest_sha256\": \"aa11\", \"split_sha256\": \"bb22\", "
    "\"train\": 40,"
    " \"validation\": 12}, \"init\": {\"path\": \"first/best.safetensors\", \"sha256\": \"cc33\"},"
    " \"train\": {\"epochs\": 5, \"learning_rate\": 0.00125, \"norm\": \"precise\"},"
    " \"cases\": [\"a\"], \"state\": {\"epochs_done\": 3, \"best_epoch\": 2, \"best_metric\": \"val_dice\","
    " \"best_value\": 0.6125, \"finished\": false, \"stopped\": \"\"}}";

static const char LOG_CSV[] =
    "epoch,dice_coef,loss,lr,val_dice_coef,val_loss,val_dice,val_iou,val_auc,seconds\n"
    "0,.21,-.21,.00125,.31,-.31,.3101,.2,,81.5\n"
    "1,.41,-.41,.00125,.51,-.51,.6125,.4,.7,80\n"
    "2,.61,-.61,.00125,.41,-.41,nan,.3,.8,79\n";

static const char CASES_CSV[] = "epoch,case,id,label,dice,score\n"
                                "0,0,<script>a,malignant,.25,100\n0,1,normal_1,normal,,3.5\n"
                                "1,0,<script>a,malignant,.75,2000\n1,1,normal_1,normal,,1e-7\n";

/* Numbers that appear nowhere else. The accuracy's interval holds the majority class for the first set and
 * lies above it for the second. %s: the data set's folder. */
static const char RESULT_JSON[] =
    "{\"format\": \"clearmass-result-1\", \"program\": \"clearmass 9.8.7\","
    " \"run\": {\"task\": \"black-box\", \"epoch\": 2, \"weights_sha256\": \"dd44\"},"
    " \"data\": {\"path\": \"%s\", \"manifest_sha256\": \"ee55\", \"part\": \"validation\", \"images\": 157, "
    "\"patients\": 143,"
    " \"benign\": 71, \"malignant\": 64, \"normal\": 22, \"test_evaluations\": 0},"
    " \"overlap\": {\"cut\": 0.5, \"nonempty_truths\": 135,"
    " \"dice\": {\"mean\": 0.611, \"median\": 0.712, \"q1\": 0.413, \"q3\": 0.814, \"share_above_half\": "
    "0.689},"
    " \"iou\": {\"mean\": 0.511, \"median\": 0.553, \"q1\": 0.261, \"q3\": 0.687, \"share_above_half\": "
    "0.541},"
    " \"soft_batch_dice\": 0.577, \"batch\": 13, \"empty_truths\": 22, \"empty_truths_predicted_empty\": 17},"
    " \"score\": {\"auc\": 0.843, \"auc_low\": 0.781, \"auc_high\": 0.899,"
    " \"roc\": [[0, 0, null], [0.1, 0.6, 5], [1, 1, 0]]},"
    " \"decisions\": ["
    "{\"name\": \"published\", \"low\": 0.0001, \"high\": 100, \"chosen_on\": null,"
    " \"confusion\": [[31, 62], [5, 59]], \"three_way\": [[31, 43, 19], [5, 14, 45]],"
    " \"accuracy\": {\"value\": 0.573, \"low\": 0.495, \"high\": 0.648}, \"majority_class\": 0.592,"
    " \"sensitivity\": {\"value\": 0.922, \"low\": 0.830, \"high\": 0.966},"
    " \"specificity\": {\"value\": 0.333, \"low\": 0.246, \"high\": 0.434},"
    " \"ppv\": {\"value\": 0.488, \"low\": 0.401, \"high\": 0.575}, \"npv\": {\"value\": 0.861, \"low\": "
    "0.713, \"high\": 0.939},"
    " \"f1\": 0.638, \"f1_benign\": 0.481, \"f1_macro\": 0.559, \"balanced_accuracy\": 0.627},"
    "{\"name\": \"chosen\", \"low\": 2.5, \"high\": 777, \"chosen_on\": \"validation\", "
    "\"wanted_sensitivity\": 0.9,"
    " \"confusion\": [[80, 13], [8, 56]], \"three_way\": [[80, 9, 4], [8, 15, 41]],"
    " \"accuracy\": {\"value\": 0.866, \"low\": 0.804, \"high\": 0.911}, \"majority_class\": 0.592,"
    " \"sensitivity\": {\"value\": 0.875, \"low\": 0.772, \"high\": 0.935},"
    " \"specificity\": {\"value\": 0.860, \"low\": 0.775, \"high\": 0.917},"
    " \"ppv\": {\"value\": 0.812, \"low\": 0.704, \"high\": 0.887}, \"npv\": null,"
    " \"f1\": 0.842, \"f1_benign\": 0.884, \"f1_macro\": 0.863, \"balanced_accuracy\": 0.868}]}";

static const char PREDICTIONS_CSV[] =
    "id,patient,label,part,score,answer,dice,iou,truth_pixels,predicted_pixels,mask\n"
    "good,p1,malignant,validation,1500.5,malignant,.93,.87,100,110,masks/good.png\n"
    "missed,p2,malignant,validation,1e-5,benign,0,0,100,0,masks/missed.png\n"
    "false,p3,normal,validation,900,malignant,,,0,120,masks/false.png\n"
    "\"<script>alert(1)</script>\",p4,benign,validation,50,uncertain,.4,.25,90,70,masks/x.png\n";

static void put(const char *folder, const char *name, const char *text)
{
    char *path = file_join(folder, name);

    assert_true(file_write(path, text, strlen(text), NULL));
    free(path);
}

static void make_folder(const char *folder, const char *name)
{
    char *path = file_join(folder, name);

    assert_true(file_make_folders(path, NULL));
    free(path);
}

static int place_open(void **state)
{
    struct place *p = mem_new(1, sizeof *p);

    strcpy(p->root, "/tmp/report-test-XXXXXX");
    assert_non_null(mkdtemp(p->root));
    p->run = file_join(p->root, "run");
    p->data = file_join(p->root, "data");
    make_folder(p->run, "epochs");
    make_folder(p->run, "evaluation/masks");
    make_folder(p->data, "full");
    make_folder(p->data, "roi");
    put(p->run, "run.json", RUN_JSON);
    *state = p;
    return 0;
}

static int place_close(void **state)
{
    struct place *p = *state;
    char *command = mem_printf("rm -rf '%s'", p->root);
    int rc = system(command);

    free(command);
    free(p->run);
    free(p->data);
    free(p);
    return rc;
}

static void put_evaluation(const struct place *p)
{
    char *result = mem_printf(RESULT_JSON, p->data);

    put(p->run, "evaluation/result.json", result);
    put(p->run, "evaluation/predictions.csv", PREDICTIONS_CSV);
    free(result);
}

/* A 60 x 40 picture; inside: a block of value. */
static void put_picture(const char *folder, const char *name, bool tiff, int value)
{
    char *path = file_join(folder, name);
    struct image im = IMAGE_INIT;

    assert_true(image_new(&im, 60, 40, 1, tiff && value == 0 ? IMAGE_U16 : IMAGE_U8, NULL));
    for (int y = 10; y < 20 && value; y++)
        memset(image_u8(&im) + y * 60 + 20, value, 15);
    assert_true(tiff ? tiff_write(path, &im, NULL) : png_write(path, &im, NULL));
    image_release(&im);
    free(path);
}

static char *page_of(const char *folder, const char *name)
{
    char *path = file_join(folder, name), *text;
    struct buf b = BUF_INIT;
    struct err err = ERR_INIT;

    if (!file_read(&b, path, 0, &err))
        fail_msg("%s", err.text);
    text = mem_copy_string(b.data);
    buf_release(&b);
    free(path);
    return text;
}

static char *report_of(const struct place *p)
{
    struct err err = ERR_INIT;
    char *page;

    if (!report_write(p->run, NULL, &err))
        fail_msg("%s", err.text);
    page = page_of(p->run, "report.html");
    assert_ptr_equal(tags_fault(page), NULL);
    assert_null(strstr(page, ">nan"));
    return page;
}

static void has(const char *page, const char *what)
{
    if (!strstr(page, what))
        fail_msg("the page has no '%s'", what);
}

static void has_not(const char *page, const char *what)
{
    if (strstr(page, what))
        fail_msg("the page has '%s'", what);
}

static int count_of(const char *text, const char *part)
{
    int n = 0;

    for (const char *p = text; (p = strstr(p, part)); p++)
        n++;
    return n;
}

static void every_number_of_a_result_appears(void **state)
{
    static const char *const NUMBERS[] = {
        "<b>157 images</b>",
        " images</b> of 143 patients",
        "71 benign",
        "22 normal",
        "64 malignant",
        "0.611",
        "0.712",
        "0.413",
        "0.814",
        "0.689",
        "0.511",
        "0.553",
        "0.261",
        "0.687",
        "0.541",
        "<b>0.577</b>",
        "of 13:",
        "of 22 images with nothing to outline, 17 were left empty",
        "0.843",
        "0.781",
        "0.899",
        "0.0001",
        ">100<",
        "<b>31</b>",
        "<b>62</b>",
        "<b>5</b>",
        "<b>59</b>",
        "<b>43</b>",
        "<b>19</b>",
        "<b>14</b>",
        "<b>45</b>",
        "0.573",
        "0.495 to 0.648",
        "0.592",
        "0.922",
        "0.830 to 0.966",
        "0.333",
        "0.246 to 0.434",
        "0.488",
        "0.401 to 0.575",
        "0.861",
        "0.713 to 0.939",
        "0.638",
        "0.481",
        "0.559",
        "0.627",
        ">2.5<",
        ">777<",
        "90.0&nbsp;%",
        "<b>80</b>",
        "<b>13</b>",
        "<b>56</b>",
        "0.866",
        "0.804 to 0.911",
        "57.3&nbsp;%",
        "86.6&nbsp;%",
        "59.2&nbsp;%",
        "aa11",
        "bb22",
        "cc33",
        "dd44",
        "ee55",
        "clearmass 9.8.7",
        "0.00125",
    };
    const struct place *p = *state;
    char *page;

    put(p->run, "log.csv", LOG_CSV);
    put(p->run, "cases.csv", CASES_CSV);
    put_evaluation(p);
    page = report_of(p);
    for (size_t i = 0; i < sizeof NUMBERS / sizeof *NUMBERS; i++)
        has(page, NUMBERS[i]);
    free(page);
}

static void the_summary_says_what_the_accuracy_is_worth(void **state)
{
    const struct place *p = *state;
    char *page;

    put_evaluation(p);
    page = report_of(p);
    has(page, "<b>57.3&nbsp;%</b> (95&nbsp;% interval 49.5&nbsp;% to 64.8&nbsp;%). Always answering "
              "&ldquo;benign&rdquo; "
              "would be right for 59.2&nbsp;%. The accuracy is <b>not shown to be above</b>");
    has(page, "right for 59.2&nbsp;%. The accuracy is above that of the majority class.");
    has(page, "right for 90 of 157 images");
    has(page, "<tr><th>majority class</th><td class=\"n\">0.592</td><td class=\"n\">0.592</td></tr>");
    has(page, "<td class=\"n\">0.866<br><span class=\"note\">0.804 to 0.911</span></td>");
    has(page, "It called malignant 59 of 64 malignant images, and 62 of 93 others.");
    has(page, "leave 57 of 157 as <i>uncertain</i>");
    has(page, "<b>Optimistic:</b> these are the same images as those measured here.");
    has(page, "These images also chose the best epoch");
    free(page);
}

static void the_disclaimer_frames_every_page(void **state)
{
    const struct place *p = *state;
    struct err err = ERR_INIT;
    char *page;

    put_evaluation(p);
    page = report_of(p);
    assert_int_equal(count_of(page, HTML_DISCLAIMER), 2);
    free(page);
    assert_true(diary_write(p->run, &err));
    page = page_of(p->run, "diary.html");
    assert_int_equal(count_of(page, HTML_DISCLAIMER), 2);
    assert_ptr_equal(tags_fault(page), NULL);
    free(page);
}

static void hostile_names_stay_text(void **state)
{
    const struct place *p = *state;
    struct err err = ERR_INIT;
    char *page;

    put(p->run, "log.csv", LOG_CSV);
    put(p->run, "cases.csv", CASES_CSV);
    put_evaluation(p);
    page = report_of(p);
    has(page, "&lt;script&gt;alert(1)&lt;/script&gt;");
    has_not(page, "<script>");
    free(page);
    assert_true(diary_write(p->run, &err));
    page = page_of(p->run, "diary.html");
    has(page, "&lt;script&gt;a");
    has_not(page, "<script>a");
    assert_int_equal(count_of(page, "<script>"), 1);
    free(page);
}

static void examples_show_the_images_of_the_data_set(void **state)
{
    const struct place *p = *state;
    char *page;

    put_evaluation(p);
    put_picture(p->data, "full/good.tif", true, 0);
    put_picture(p->data, "roi/good.tif", true, 255);
    put_picture(p->run, "evaluation/masks/good.png", false, 255);
    put_picture(p->data, "full/false.tif", true, 0);
    page = report_of(p);
    /* good: best and median outlines, each image, marks and detail; false: image and marks without a detail
     */
    has(page, "alt=\"good\"");
    has(page, "alt=\"enlarged, with outlines\"");
    has(page, "alt=\"false\"");
    assert_int_equal(count_of(page, "alt=\"false\""), 1);
    has(page, "The image was not found.");
    has(page, "<b>missed</b><br>actual: malignant &middot; answer: <b>benign</b> &middot; score 1e-05 "
              "&middot; Dice 0.000");
    free(page);
}

/* Place by place: its share, and the score and the answer without it. */
static void examples_tell_what_the_score_is_made_of(void **state)
{
    const struct place *p = *state;
    char *page;

    put_evaluation(p);
    put_picture(p->data, "full/good.tif", true, 0);
    put_picture(p->run, "evaluation/masks/good.png", false, 255);
    page = report_of(p);
    has_not(page, "What the score is made of"); /* an evaluation of an older program */
    char *before = mem_copy_string(page);
    free(page);
    put(p->run, "evaluation/regions.csv",
        "id,region,score,share,score_without,answer,answer_without,x0,y0,x1,y1,area_pixels,peak\n"
        "good,1,1200,.8123,281.5,malignant,uncertain,2,3,9,9,42,1\n"
        "good,2,250,.1666,1250.5,malignant,malignant,12,3,14,5,4,.9\n"
        "good,rest,50.5,.0211,1450,malignant,malignant,,,,,,\n"
        "false,rest,900,1,0,malignant,benign,,,,,,\n");
    page = report_of(p);
    has(page, "<th scope=\"row\">place 1</th><td class=\"n\">81.2&nbsp;%</td><td class=\"n\">281.5</td>"
              "<td><b>uncertain</b></td>");
    has(page, "<th scope=\"row\">place 2</th><td class=\"n\">16.7&nbsp;%</td><td class=\"n\">1250</td>"
              "<td>malignant</td>");
    has(page, "<th scope=\"row\">elsewhere</th><td class=\"n\">2.1&nbsp;%</td>");
    /* of the two malignant answers one has no place, the other turns without its largest */
    has(page, "<th scope=\"row\">malignant</th><td class=\"n\">2</td><td class=\"n\">1</td>");
    has(page, "<td class=\"n\">1 of 2</td>");
    /* the frames are drawn: the picture is another */
    assert_int_equal(count_of(page, "alt=\"with marks\""), count_of(before, "alt=\"with marks\""));
    const char *a = strstr(page, "alt=\"with marks\""), *b = strstr(before, "alt=\"with marks\"");
    assert_true(strncmp(a, b, strcspn(a, ">")) != 0);
    free(page);
    free(before);
}

/* What one would attach to a paper: the model card, the method, every figure with its table. */
static void the_page_stands_alone(void **state)
{
    static const char *const PARTS[] = {
        "<h2 id=\"card\">Model card</h2>",
        "<tr><th>intended use</th>",
        "AUC 0.843 [0.781, 0.899]; chance is .5",
        "40 items to learn from, 12 others to validate",
        "<h2 id=\"method\">The method in words</h2>",
        "exact binomial tests in a fixed order",
        "2,000 bootstrap draws of whole patients",
        "clearmass verify ",
        "<caption>Scores by actual class</caption>",
        "<caption>Images by their Dice</caption>",
        "<caption>The curves in numbers</caption>",
        "<tr><th scope=\"row\">2 (best)</th><td class=\"n\">-0.410</td>",
        "<caption>Read off the ROC</caption>",
        "<th scope=\"row\">at most 0.10</th><td class=\"n\">0.625</td><td class=\"n\">0.503 to 0.734</td>",
        "The paper, on 275 other images (drawn): accuracy 0.580 (0.521 to 0.637), majority class 0.607.",
        "<p class=\"caution\"><b>All 157 images have the same score &lt;x&gt;.</b></p>",
    };
    const struct place *p = *state;

    put(p->run, "log.csv", LOG_CSV);
    put_evaluation(p);
    char *path = file_join(p->run, "evaluation/result.json");
    json_t *result = json_file_read(path, NULL);
    assert_non_null(result);
    json_object_set_new(result, "cannot_tell", json_pack("[s]", "All 157 images have the same score <x>."));
    json_object_set_new(result, "paper",
                        json_pack("{s:s, s:i, s:{s:f, s:f, s:f}, s:f}", "what", "drawn", "cases", 275,
                                  "accuracy", "value", .58, "low", .521, "high", .637, "majority_class",
                                  .607));
    json_object_set_new(json_object_get(result, "score"), "at",
                        json_pack("[{s:f, s:{s:f, s:f, s:f}}]", "false_positive_rate", .1, "sensitivity",
                                  "value", .625, "low", .503, "high", .734));
    assert_true(json_file_write(path, result, NULL));
    json_decref(result);
    free(path);
    char *page = report_of(p);
    for (size_t i = 0; i < sizeof PARTS / sizeof *PARTS; i++)
        has(page, PARTS[i]);
    free(page);
}

/* The comparison says the majority class beside its accuracies, and whose leak was allowed. */
static void a_comparison_tells_baselines_and_leaks(void **state)
{
    const struct place *p = *state;
    struct err err = ERR_INIT;

    put(p->run, "comparison.json",
        "{\"format\": \"clearmass-comparison-1\", \"program\": \"clearmass 9.8.7\", \"cases\": 99, "
        "\"patients\": 77, \"malignant\": 33, \"majority_class\": 0.6667, \"tests\": 0, \"pairs\": [], "
        "\"cannot_tell\": [\"No case is <m>.\"], "
        "\"data\": {\"part\": \"test\", \"path\": \"d\", \"test_evaluations\": 4}, \"runs\": ["
        "{\"folder\": \"one\", \"run\": {\"task\": \"black-box\", \"leaks\": null}, \"data_leaks\": null, "
        "\"roc\": [[0, 0, null], [0.1, 0.4, 5], [1, 1, 0]]},"
        "{\"folder\": \"two\", \"run\": {\"task\": \"black-box\", \"leaks\": {\"leaks\": [\"P_00016\"], "
        "\"same_pictures\": []}}, \"data_leaks\": {\"checked\": true, \"patients\": [], \"same_pictures\": "
        "[[\"a\", \"b\"]]}}]}");
    assert_true(comparison_write(p->run, &err));
    char *page = page_of(p->run, "comparison.html");
    assert_ptr_equal(tags_fault(page), NULL);
    has(page, "the majority class alone has an accuracy of 0.667");
    has(page, "The test part had been evaluated 4 times");
    has(page, "<p class=\"caution\"><b>No case is &lt;m&gt;.</b></p>");
    has(page, "<th scope=\"row\">A</th><td class=\"n\">0.000</td><td class=\"n\">0.400</td>");
    has(page, "<p><b>Run B:</b></p>");
    has(page, "Trained with --allow-leak:</b> 1 patient of the data set is both");
    has(page, "Leak allowed:</b> 1 picture is among those the network learned from too");
    assert_int_equal(count_of(page, "<p><b>Run A:</b></p>"), 0);
    free(page);
}

static void a_leak_that_was_allowed_is_told(void **state)
{
    struct place *p = *state;
    const char *at = strstr(RUN_JSON, "\"train\": 40");
    char *run = mem_printf("%.*s\"allow_leak\": true, \"leaks\": [\"P_00016\", \"<b>P\"], %s",
                           (int)(at - RUN_JSON), RUN_JSON, at);

    char *page = report_of(p);
    has_not(page, "allow-leak");
    free(page);
    put(p->run, "run.json", run);
    assert_true(diary_write(p->run, NULL)); /* on every page */
    page = page_of(p->run, "diary.html");
    has(page, "Trained with --allow-leak:</b> 2 patients");
    has(page, "P_00016, &lt;b&gt;P.");
    free(page);
    page = report_of(p);
    has(page, "Trained with --allow-leak:</b> 2 patients of the data set are both in its train and in its "
              "test part");
    has(page, "P_00016, &lt;b&gt;P.");
    free(page);
    free(run);
}

static void without_a_data_set_the_page_says_so(void **state)
{
    const struct place *p = *state;
    char *result = mem_printf(RESULT_JSON, "/nowhere/at-all"), *page;

    put_evaluation(p);
    put(p->run, "evaluation/result.json", result);
    page = report_of(p);
    has(page, "The data set was not found at <code>/nowhere/at-all</code>");
    free(page);
    free(result);
}

static void without_an_evaluation_the_page_says_what_to_run(void **state)
{
    const struct place *p = *state;
    char *want = mem_printf("<code>clearmass evaluate %s somewhere</code>", p->run), *page = report_of(p);

    has(page, "This run has not been evaluated");
    has(page, want);
    has(page, "No epoch is finished yet");
    free(page);
    free(want);
}

static void a_result_without_decisions_is_shown(void **state)
{
    const struct place *p = *state;
    char *page;

    put(p->run, "evaluation/result.json",
        "{\"format\": \"clearmass-result-1\", \"data\": {\"images\": 9}, \"overlap\": {\"dice\": {\"mean\": "
        "0.123}},"
        " \"score\": {\"auc\": null, \"roc\": []}, \"decisions\": []}");
    page = report_of(p);
    has(page, "This evaluation holds no decisions");
    has(page, "0.123");
    has_not(page, "Ranking by the score");
    has_not(page, "Each dot is");
    free(page);
}

static void fails_with(const struct place *p, bool diary, const char *message)
{
    struct err err = ERR_INIT;
    bool ok = diary ? diary_write(p->run, &err) : report_write(p->run, NULL, &err);

    assert_false(ok);
    if (!strstr(err.text, message) || strchr(err.text, '\n'))
        fail_msg("'%s' where '%s' was expected", err.text, message);
}

static void broken_files_give_one_clear_line(void **state)
{
    const struct place *p = *state;

    put(p->run, "log.csv", "epoch,loss\n0,abc\n");
    fails_with(p, true, "log.csv: line 2: loss: 'abc' is no number");
    fails_with(p, false, "log.csv: line 2: loss: 'abc' is no number");
    put(p->run, "log.csv", LOG_CSV);
    put(p->run, "cases.csv", "epoch,case,id,label,dice,score\n0,99,a,benign,,1\n");
    fails_with(p, true, "cases.csv: line 2: case is not in 0..15");
    put(p->run, "cases.csv", CASES_CSV);
    put(p->run, "epochs/epoch-002.png", "no picture");
    fails_with(p, true, "epoch-002.png");
    put(p->run, "evaluation/result.json", "{\"format\": ");
    fails_with(p, false, "result.json");
    put(p->run, "evaluation/result.json", "{\"format\": \"clearmass-result-9\"}");
    fails_with(p, false, "format is 'clearmass-result-9', this program reads 'clearmass-result-1'");
    put_evaluation(p);
    put(p->run, "evaluation/predictions.csv", "id,label\na,benign\n");
    fails_with(p, false, "predictions.csv: no column 'score'");
    put(p->run, "evaluation/predictions.csv", "id,label,score,dice\na,benign,many,\n");
    fails_with(p, false, "predictions.csv: line 2: score: 'many' is no number");
    put(p->run, "evaluation/predictions.csv", "id,label,score,dice\na,benign,NaN,\n");
    fails_with(p, false, "predictions.csv: line 2: score: 'NaN' is no number");
    put_evaluation(p);
    put_picture(p->data, "full/good.tif", true, 0);
    put(p->data, "roi/good.tif", "no picture");
    fails_with(p, false, "roi/good.tif");
    put(p->run, "run.json", "{}");
    fails_with(p, false, "this is no run: it has no \"format\"");
    put(p->run, "run.json", "[1, 2]");
    fails_with(p, false, "this is no run");
}

static void a_folder_that_is_no_run_is_refused(void **state)
{
    struct place other = *(struct place *)*state;

    other.run = other.data;
    fails_with(&other, false, "not a run folder: it has no run.json");
    fails_with(&other, true, "not a run folder: it has no run.json");
    other.run = (char *)(uintptr_t) "/nowhere/at-all";
    fails_with(&other, false, "/nowhere/at-all: no such run folder");
}

static void the_page_goes_where_it_is_asked_to(void **state)
{
    const struct place *p = *state;
    struct err err = ERR_INIT;
    char *path = file_join(p->root, "elsewhere.html"), *missing = file_join(p->root, "no/folder/page.html");

    assert_true(report_write(p->run, path, &err));
    assert_true(file_exists(path));
    assert_false(report_write(p->run, missing, &err));
    assert_non_null(strstr(err.text, "page.html"));
    free(path);
    free(missing);
}

static void the_history_is_read(void **state)
{
    const struct place *p = *state;
    struct history h = {0};
    struct err err = ERR_INIT;

    put(p->run, "log.csv", LOG_CSV);
    put(p->run, "cases.csv", CASES_CSV);
    assert_true(history_read(&h, p->run, &err));
    assert_int_equal(h.epochs, 3);
    assert_float_equal(h.epoch[0], 1, 0);
    assert_float_equal(h.value[HISTORY_VAL_DICE][1], .6125, 1e-12);
    assert_true(isnan(h.value[HISTORY_VAL_DICE][2]));
    assert_true(isnan(h.value[HISTORY_VAL_AUC][0]));
    assert_true(history_has(&h, HISTORY_VAL_AUC));
    assert_int_equal(h.n_cases, 2);
    assert_int_equal(h.cases[0].n, 2);
    assert_float_equal(h.cases[0].epoch[1], 2, 0);
    assert_float_equal(h.cases[0].dice[1], .75, 1e-12);
    assert_true(isnan(h.cases[1].dice[0]));
    assert_float_equal(h.cases[1].score[1], 1e-7, 1e-15);
    history_release(&h);
}

static void the_diary_has_a_panel_for_every_epoch(void **state)
{
    const struct place *p = *state;
    struct err err = ERR_INIT;
    char *page;

    put(p->run, "log.csv", LOG_CSV);
    put(p->run, "cases.csv", CASES_CSV);
    for (int epoch = 1; epoch <= 3; epoch++) {
        char *name = mem_printf("epochs/epoch-%03d.png", epoch);
        put_picture(p->run, name, false, 200);
        free(name);
    }
    assert_true(diary_write(p->run, &err));
    page = page_of(p->run, "diary.html");
    assert_ptr_equal(tags_fault(page), NULL);
    assert_int_equal(count_of(page, "data:image/jpeg;base64,"), 3);
    has(page, "max=\"2\" value=\"2\"");
    assert_int_equal(count_of(page, "class=\"epoch shown\""), 1);
    has(page, "class=\"epoch shown\" data-epoch=\"3\"");
    has(page, "<b>Epoch 2</b> <span class=\"best\">(best)</span>: training loss <b>-0.41</b>");
    /* loss, Dice, AUC and the one case that has a Dice */
    assert_int_equal(count_of(page, "class=\"cursor\""), 4);
    assert_int_equal(count_of(page, ">best: 2</text>"), 4);
    has(page, "Precise batch norm");
    has(page, "3 of 5 epochs done, not finished");
    has(page, "0.6125");
    has(page, "learning_rate");
    has(page, "<td class=\"n\">0.750</td><td class=\"n\">0.750</td><td class=\"n\">2000</td>");
    free(page);
}

static void a_classifiers_diary_tells_probabilities(void **state)
{
    const struct place *p = *state;
    struct err err = ERR_INIT;
    char *page;

    put(p->run, "run.json",
        "{\"format\": \"clearmass-run-1\", \"task\": \"classify\", \"train\": {\"norm\": \"keras\", "
        "\"unfreeze\": \"none\", "
        "\"frozen_norm\": \"keras224\"}, \"state\": {\"best_epoch\": 2}, "
        "\"data\": {\"train\": 40, \"train_malignant\": 10, \"validation\": 20, \"validation_malignant\": "
        "13}}");
    put(p->run, "log.csv",
        "epoch,acc,loss,lr,val_acc,val_loss,val_auc,seconds\n0,.5,.7,.01,.6,.69,.55,1\n1,.6,.6,.01,.75,.5,."
        "8125,1\n");
    put(p->run, "cases.csv", "epoch,case,id,label,score\n0,0,x_1,malignant,.25\n1,0,x_1,malignant,.875\n");
    put_picture(p->run, "epochs/epoch-001.png", false, 200);
    assert_true(diary_write(p->run, &err));
    page = page_of(p->run, "diary.html");
    assert_ptr_equal(tags_fault(page), NULL);
    has(page, "telling malignant from benign crops");
    /* no accuracy without its interval and the majority class */
    has(page, "training accuracy 0.500 (0.352 to 0.648; majority class 0.750)");
    has(page, "validation accuracy 0.600 (0.387 to 0.781; majority class 0.650)");
    has(page, "0.750 (0.531 to 0.888; majority class 0.650)");
    has(page, ">majority class</text>");
    has(page, "<td class=\"n\">0.875</td>");
    has(page, "the last layer alone; the backbone stays as it began.");
    has(page, "as Keras 2.1.3 to 2.2.4 did");
    has(page, "P(malignant) of each case shown");
    has_not(page, "Dice");
    has_not(page, "sum of the");
    free(page);
}

static void the_published_statistics_are_named(void **state)
{
    const struct place *p = *state;
    struct err err = ERR_INIT;
    char *page;

    put(p->run, "run.json",
        "{\"format\": \"clearmass-run-1\", \"task\": \"pretrain\", \"train\": {\"norm\": \"keras\"}}");
    assert_true(diary_write(p->run, &err));
    page = page_of(p->run, "diary.html");
    has(page, "Keras&#39; moving batch norm statistics");
    has(page, "synthetic ellipses");
    has(page, "No panel is there yet");
    free(page);
}

static void a_long_run_shows_a_part_of_its_panels(void **state)
{
    const struct place *p = *state;
    struct buf log = BUF_INIT;
    struct err err = ERR_INIT;
    char *page;

    buf_adds(&log, "epoch,loss\n");
    for (int i = 0; i < 150; i++) {
        char *name = mem_printf("epochs/epoch-%03d.png", i + 1);
        buf_addf(&log, "%d,%d\n", i, -i);
        put_picture(p->run, name, false, 200);
        free(name);
    }
    put(p->run, "log.csv", log.data);
    buf_release(&log);
    assert_true(diary_write(p->run, &err));
    page = page_of(p->run, "diary.html");
    /* every third from the first, the best (2) and the last (150) */
    assert_int_equal(count_of(page, "data-epoch="), 52);
    has(page, "data-epoch=\"2\"");
    has(page, "data-epoch=\"148\"");
    has(page, "data-epoch=\"150\"");
    has_not(page, "data-epoch=\"3\"");
    free(page);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, place_open, place_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_number_of_a_result_appears),
        TEST(the_summary_says_what_the_accuracy_is_worth),
        TEST(the_disclaimer_frames_every_page),
        TEST(hostile_names_stay_text),
        TEST(examples_show_the_images_of_the_data_set),
        TEST(examples_tell_what_the_score_is_made_of),
        TEST(the_page_stands_alone),
        TEST(a_comparison_tells_baselines_and_leaks),
        TEST(a_leak_that_was_allowed_is_told),
        TEST(without_a_data_set_the_page_says_so),
        TEST(without_an_evaluation_the_page_says_what_to_run),
        TEST(a_result_without_decisions_is_shown),
        TEST(broken_files_give_one_clear_line),
        TEST(a_folder_that_is_no_run_is_refused),
        TEST(the_page_goes_where_it_is_asked_to),
        TEST(the_history_is_read),
        TEST(the_diary_has_a_panel_for_every_epoch),
        TEST(a_classifiers_diary_tells_probabilities),
        TEST(the_published_statistics_are_named),
        TEST(a_long_run_shows_a_part_of_its_panels),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
