/* The page of a classifier's run, and what a black-box run's page says of two opinions: files written by
 * hand. */
#include "data_help.h"

#include "image/draw.h"
#include "io/image_file.h"
#include "report/report.h"
#include "test_report_tags.h"

static const char RUN[] = "{\"format\": \"clearmass-run-1\", \"program\": \"clearmass 9.8.7\", \"task\": "
                          "\"%s\", \"model\": \"resnet50\","
                          " \"input\": {\"size\": 224}, \"data\": {\"path\": \"x\"}, \"train\": {}, "
                          "\"state\": {\"best_epoch\": 1}}";

static const char LOG[] =
    "epoch,acc,loss,lr,val_acc,val_loss,val_auc,seconds\n0,.5,.7,.01,.61,.6,.7,3\n1,.6,.6,.01,.62,.5,.8,3\n";

static const char RESULT[] =
    "{\"format\": \"clearmass-result-1\", \"program\": \"clearmass 9.8.7\", \"run\": {\"task\": "
    "\"classify\"},"
    " \"data\": {\"path\": \"%s\", \"part\": \"validation\", \"images\": 157, \"patients\": 143, \"benign\": "
    "93,"
    " \"malignant\": 64, \"normal\": 0, \"unit\": \"crop\", \"test_evaluations\": 0},"
    " \"cam\": {\"all\": {\"crops\": 141, \"pointing_game\": {\"value\": 0.723, \"low\": 0.644, \"high\": "
    "0.791},"
    " \"energy_inside\": {\"value\": 0.612, \"low\": 0.587, \"high\": 0.634},"
    " \"region_share\": {\"value\": 0.517, \"low\": 0.505, \"high\": 0.529}},"
    " \"malignant\": {\"crops\": 62, \"pointing_game\": {\"value\": 0.823, \"low\": 0.709, \"high\": 0.898},"
    " \"energy_inside\": {\"value\": 0.681, \"low\": 0.643, \"high\": 0.718},"
    " \"region_share\": {\"value\": 0.533, \"low\": 0.515, \"high\": 0.551}}, \"without\": 16},"
    " \"score\": {\"auc\": 0.843, \"auc_low\": 0.781, \"auc_high\": 0.899, \"roc\": [[0, 0, null], [0.1, "
    "0.6, 0.5], "
    "[1, 1, 0]]},"
    " \"decisions\": [{\"name\": \"half\", \"low\": 0.5, \"high\": 0.5, \"chosen_on\": null,"
    " \"confusion\": [[80, 13], [8, 56]], \"three_way\": [[80, 0, 13], [8, 0, 56]],"
    " \"accuracy\": {\"value\": 0.866, \"low\": 0.804, \"high\": 0.911}, \"majority_class\": 0.592,"
    " \"sensitivity\": {\"value\": 0.875, \"low\": 0.772, \"high\": 0.935},"
    " \"specificity\": {\"value\": 0.860, \"low\": 0.775, \"high\": 0.917},"
    " \"f1\": 0.842, \"f1_benign\": 0.884, \"f1_macro\": 0.863}], \"answers_by\": \"half\", \"unreadable\": "
    "[]}";

static const char PREDICTIONS[] =
    "id,patient,label,part,score,answer,cam_hit,cam_energy,region_share,cam,roi,crop\n"
    "right,p1,malignant,validation,.97,malignant,1,.81,.52,cam/right.png,roi/right.png,crop/right.tif\n"
    "missed,p2,malignant,validation,.02,benign,0,.13,.51,cam/missed.png,roi/missed.png,crop/missed.tif\n"
    "silent,p4,malignant,validation,.03,benign,,,,cam/silent.png,roi/silent.png,crop/silent.tif\n"
    "hostile,p3,benign,validation,.96,malignant,,,,../../x.png,,../../../etc/passwd\n";

static const char OPINIONS[] =
    "{\"format\": \"clearmass-opinions-1\", \"program\": \"clearmass 9.8.7\","
    " \"run\": {\"low\": 3.25, \"high\": 77.5, \"thresholds\": \"chosen\"},"
    " \"classifier\": {\"path\": \"the/resnet\", \"low\": 0.4, \"high\": 0.6, \"thresholds\": \"given\"},"
    " \"data\": {\"part\": \"validation\", \"images\": 88, \"patients\": 71, \"left_out\": 19},"
    " \"accord\": {\"agree\": 47, \"differ\": 23, \"unsure\": 11, \"no region\": 7},"
    " \"systems\": [{\"name\": \"together\", \"images\": 88, \"three_way\": [[41, 20, 2], [1, 14, 10]],"
    " \"uncertain\": {\"value\": 0.386, \"low\": 0.291, \"high\": 0.491},"
    " \"accuracy_of_decided\": {\"value\": 0.944, \"low\": 0.849, \"high\": 0.981},"
    " \"majority_class_of_decided\": 0.796}], \"unreadable\": []}";

static const char JUDGED[] =
    "id,patient,label,part,answer,accord,score,map,regions,region,malignant,classifier,why\n"
    "odd,p1,benign,validation,uncertain,differ,90,malignant,2,2,.1,benign,\"they <b>disagree</b>\"\n"
    "same,p2,benign,validation,benign,agree,1,benign,1,1,.1,benign,both\n";

static void put(const char *folder, const char *name, const char *format, const char *word)
{
    char *text = mem_printf(format, word);
    write_text(in(folder, name), text);
    free(text);
}

static void put_picture(const char *path, int channels)
{
    struct image im = IMAGE_INIT;
    struct err err = ERR_INIT;

    must(image_new(&im, 40, 30, channels, IMAGE_U8, &err), err);
    for (int i = 400; i < 700; i++)
        image_u8(&im)[i] = 255;
    must(file_has_ext(path, "tif") ? tiff_write(path, &im, &err) : png_write(path, &im, &err), err);
    image_release(&im);
}

static char *page_of(const char *run)
{
    struct err err = ERR_INIT;

    must(report_write(run, NULL, &err), err);
    char *page = read_text(in(run, "report.html"));
    assert_ptr_equal(tags_fault(page), NULL);
    assert_null(strstr(page, ">nan"));
    return page;
}

static void test_a_classifier(void **state)
{
    static const char *const WORDS[] = {"<b>157 crops</b> of 143 patients",
                                        "telling malignant from benign crops",
                                        "probability of malignant",
                                        "<b>80</b>",
                                        "<b>56</b>",
                                        "0.866",
                                        "0.592",
                                        "0.842",
                                        "0.884",
                                        "0.863",
                                        "AUC 0.843 [0.781, 0.899]",
                                        ">141<",
                                        "0.723",
                                        "0.644 to 0.791",
                                        "0.612",
                                        "0.517",
                                        "<b>82.3&nbsp;%</b> of them (95&nbsp;% interval 70.9&nbsp;% to "
                                        "89.8&nbsp;%); a place taken by chance would in 53.3&nbsp;%",
                                        "16 crops are left out",
                                        "Accuracy",
                                        "alt=\"right\"",
                                        "malignant with probability 0.97",
                                        "Grad-CAM inside the lesion: 81.0&nbsp;%, which is 52.0&nbsp;% of "
                                        "the crop; strongest place inside it",
                                        "Missed: malignant, called benign",
                                        "strongest place <b>outside</b> it",
                                        "malignant with probability 0.03<br>No Grad-CAM: nothing in the "
                                        "crop speaks for malignant</figcaption>",
                                        "malignant with probability 0.96</figcaption>",
                                        "The image was not found."};
    const char *run = in(*state, "run"), *data = in(*state, "data");

    put(run, "run.json", RUN, "classify");
    write_text(in(run, "log.csv"), LOG);
    put(run, "evaluation/result.json", RESULT, data);
    write_text(in(run, "evaluation/predictions.csv"), PREDICTIONS);
    put_picture(in(data, "crop/right.tif"), 1);
    put_picture(in(run, "evaluation/cam/right.png"), 1);
    put_picture(in(run, "evaluation/roi/right.png"), 1);
    put_picture(in(data, "crop/missed.tif"), 1); /* no map, no outline: as it is */
    char *page = page_of(run);
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        assert_contains(page, WORDS[i]);
    assert_null(strstr(page, "alt=\"hostile\""));
    assert_null(strstr(page, "sum of its predicted mask"));
    assert_null(strstr(page, "id=\"overlap\""));
    assert_null(strstr(page, "enlarged, with outlines"));
    free(page);
}

static void test_two_opinions(void **state)
{
    static const char *const WORDS[] = {
        "id=\"opinions\"",
        "Measured on 88 images of 71 patients",
        "19 more were left out",
        ">47<",
        ">23<",
        ">11<",
        ">7<",
        "0.944",
        "0.849 to 0.981",
        "0.796",
        "0.386",
        "the/resnet: benign below 0.4, malignant above 0.6 (given)",
        "3.25",
        "77.5",
        "leaves 38.6&nbsp;% of 88 images uncertain (23 because the two disagree)",
        "<b>94.4&nbsp;%</b> are right",
        "the larger class alone: 79.6&nbsp;%",
        "<b>odd</b><br>actual: benign &middot; they &lt;b&gt;disagree&lt;/b&gt;"};
    const char *run = in(*state, "run");

    put(run, "run.json", RUN, "black-box");
    put(run, "evaluation/result.json", RESULT, "nowhere"); /* any result: the summary is shown with it */
    write_text(in(run, "opinions/result.json"), OPINIONS);
    write_text(in(run, "opinions/predictions.csv"), JUDGED);
    put_picture(in(run, "opinions/disagreements/odd-overlay.png"), 3);
    put_picture(in(run, "opinions/disagreements/odd-crop-2.png"), 3);
    char *page = page_of(run);
    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        assert_contains(page, WORDS[i]);
    assert_null(strstr(page, "<b>same</b>"));
    free(page);
}

static void test_broken(void **state)
{
    const char *run = in(*state, "run");
    struct err err = ERR_INIT;

    put(run, "run.json", RUN, "classify");
    put(run, "evaluation/result.json", RESULT, "nowhere");
    write_text(in(run, "evaluation/predictions.csv"), "id,label,score\na,benign,1\n");
    assert_false(report_write(run, NULL, &err));
    assert_contains(err.text, "predictions.csv: no column 'crop'");
    write_text(in(run, "evaluation/predictions.csv"), PREDICTIONS);
    write_text(in(run, "opinions/result.json"), "{}");
    err = (struct err)ERR_INIT;
    assert_false(report_write(run, NULL, &err));
    assert_contains(err.text,
                    "opinions/result.json: this is no result of two networks: it has no \"format\"");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make_folder, remove_folder)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_a_classifier), TEST(test_two_opinions), TEST(test_broken)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
