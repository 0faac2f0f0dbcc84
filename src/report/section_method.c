#include "report/sections.h"

#include "base/mem.h"
#include "report/html.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_task(const struct source *s, const char *task)
{
    return strcmp(source_text(s->run, "task"), task) == 0;
}

/* A row of the card; text is freed. */
static void card_row(struct buf *b, const char *name, char *text)
{
    html_row(b, name, text);
    free(text);
}

static char *input(const struct source *s)
{
    return mem_printf("a grey image, %s to %.0f x %.0f pixels%s",
                      strcmp(source_text(s->run, "input.fit"), "pad") ? "stretched" : "padded",
                      source_number(s->run, "input.size"), source_number(s->run, "input.size"),
                      json_is_true(source_at(s->run, "input.breast_crop"))
                          ? ", the black around the breast cut away first"
                          : "");
}

static const char *output(const struct source *s)
{
    if (is_task(s, "classify"))
        return "the probability that a crop is malignant, and where that comes from (Grad-CAM)";
    if (is_task(s, "black-box"))
        return "a mask; its sum is the score, cut by two thresholds into benign, uncertain and malignant, "
               "and "
               "its places are where the score comes from";
    return "a mask of lesions; no opinion on malignancy";
}

static char *counts(const struct source *s)
{
    const json_t *data = source_at(s->result, "data");

    return mem_printf("the %s part of %s: %.0f %ss of %.0f patients, %.0f malignant; the test part has been "
                      "evaluated %.0f times with this run",
                      source_text(data, "part"), source_text(data, "path"), source_number(data, "images"),
                      strcmp(source_text(data, "unit"), "crop") ? "image" : "crop",
                      source_number(data, "patients"), source_number(data, "malignant"),
                      source_number(data, "test_evaluations"));
}

static char *main_result(const struct source *s)
{
    const json_t *score = source_at(s->result, "score");
    const double auc = source_number(score, "auc");

    if (!isfinite(auc))
        return mem_copy_string("the AUC cannot be told from these cases");
    if (!isfinite(source_number(score, "auc_low")))
        return mem_printf("AUC %.3f, without an interval: too few patients, or all alike", auc);
    return mem_printf("AUC %.3f [%.3f, %.3f]; chance is .5", auc, source_number(score, "auc_low"),
                      source_number(score, "auc_high"));
}

/* "density, view": what groups the data set tells. */
static char *groups(const struct source *s)
{
    const json_t *strata = source_at(s->result, "strata");
    struct buf names = BUF_INIT;
    const char *last = "";

    for (size_t i = 0; i < json_array_size(strata); i++) {
        const char *by = source_text(json_array_get(strata, i), "by");
        if (strcmp(by, last) != 0)
            buf_addf(&names, "%s%s", *last ? ", " : "", by);
        last = by;
    }
    char *text = names.len > 0
                     ? mem_printf("%s; age, origin and machine are not told by the data", names.data)
                     : mem_copy_string("none: the data tell no density, subtlety, view, assessment, "
                                       "age, origin or machine");
    buf_release(&names);
    return text;
}

void section_card(struct buf *b, const struct source *s)
{
    html_heading(b, "card", "Model card");
    buf_adds(b, "<div class=\"wide\"><table class=\"facts\"><tbody>\n");
    card_row(b, "model", mem_printf("%s, trained for %s", source_text(s->run, "model"), source_task(s->run)));
    card_row(b, "intended use",
             mem_copy_string("research on images that were taken already: how well such a network does, and "
                             "why. Not for diagnosis, screening or any decision about a patient"));
    card_row(b, "out of scope",
             mem_copy_string("other kinds of images, machines and people than those it was trained and "
                             "measured on; images without a breast"));
    card_row(b, "input", input(s));
    card_row(b, "output", mem_copy_string(output(s)));
    card_row(
        b, "trained on",
        mem_printf("%s: %.0f items to learn from, %.0f others to validate; split by patient",
                   *source_text(s->run, "data.path") ? source_text(s->run, "data.path") : "synthetic images",
                   source_number(s->run, "data.train"), source_number(s->run, "data.validation")));
    if (s->result) {
        card_row(b, "measured on", counts(s));
        card_row(b, "main result", main_result(s));
        card_row(b, "groups looked at", groups(s));
    }
    card_row(b, "weights",
             mem_printf("epoch %.0f, SHA-256 %s", source_number(s->run, "state.best_epoch"),
                        s->result ? source_text(s->result, "run.weights_sha256")
                                  : source_text(s->run, "state.best_sha256")));
    card_row(b, "limits", mem_copy_string("see the end of this page"));
    buf_adds(b, "</tbody></table></div>\n");
}

static void training_words(struct buf *b, const struct source *s)
{
    buf_adds(b, "<p><b>Training.</b> ");
    if (is_task(s, "classify")) {
        buf_adds(b, "A residual network (");
        html_text(b, source_text(s->run, "model"));
        buf_adds(b, ") with a softmax over two classes was trained on crops of abnormalities, each with its "
                    "own label; normal images have no crop and take no part. ");
    } else {
        buf_adds(b, "A U-Net (ZF_UNET_224) was trained to outline ");
        buf_adds(b, is_task(s, "black-box")
                        ? "malignant lesions, with an all-black truth for every other image, so that the sum "
                          "of its mask says how malignant it finds the image. "
                    : is_task(s, "segment") ? "lesions, benign and malignant alike. "
                                            : "synthetic ellipses. ");
    }
    if (isfinite(source_number(s->run, "train.epochs"))) {
        buf_adds(b, "It took up to ");
        html_number(b, source_number(s->run, "train.epochs"), 0);
        buf_adds(b, " epochs of the optimiser ");
        html_text(b, source_text(s->run, "train.optimizer"));
        buf_addf(b, " (learning rate %.4g, batches of %.0f); the epoch with the best validation ",
                 source_number(s->run, "train.learning_rate"), source_number(s->run, "train.batch"));
        html_text(b, source_text(s->run, "state.best_metric"));
        buf_adds(b, " was kept. ");
    }
    buf_adds(b, "Patients, not images, were divided into training and validation, by a seed; pictures that "
                "are the same, however they were written, went to one side.</p>\n");
}

static void scoring_words(struct buf *b, const struct source *s)
{
    if (is_task(s, "classify"))
        buf_adds(b, "<p><b>Score.</b> The probability of malignant, the softmax of the network's two "
                    "outputs. ");
    else
        buf_adds(b, "<p><b>Score.</b> The sum of the predicted mask over all pixels of the network&rsquo;s "
                    "square. ");
    buf_adds(
        b, "A case below the lower threshold is called benign, above the upper malignant, between them "
           "uncertain; the yes-or-no answer is cut at the lower. Thresholds called guaranteed were chosen by "
           "exact binomial tests in a fixed order (Learn then Test, Angelopoulos et al. 2021, arXiv "
           "2110.01052; bounds of Clopper and Pearson, 1934) with the patient as the unit, assuming that "
           "new patients are independent draws from where the validation patients came from.</p>\n");
}

static void statistics_words(struct buf *b, const struct source *s)
{
    buf_adds(
        b,
        "<p><b>Statistics.</b> All intervals are at the 95&nbsp;% level: Wilson&rsquo;s (1927) for shares of "
        "cases, which takes cases as independent; percentiles of 2,000 bootstrap draws of whole patients "
        "(Efron, 1979) for everything else, with no interval where all draws give the same. The AUC counts "
        "ties as one half. Probabilities were fitted on the validation part by Platt&rsquo;s sigmoid (Lin, "
        "Lin "
        "and Weng, 2007) and isotonic regression; the expected calibration error has ten bins of equal "
        "width. ");
    if (s->crops)
        buf_adds(b, "Grad-CAM (Selvaraju et al., 2017) of malignant was held against the true region by the "
                    "pointing game and by the share of it that lies inside.");
    else
        buf_adds(b,
                 "Dice and IoU are per image at the network&rsquo;s size, mask cut at .5, over images with "
                 "something to outline; empty truths are counted apart. Lesions are the connected regions "
                 "of the true mask, marks those of the predicted one cut at .5; a mark finds a lesion when "
                 "their intersection over union is .2 or more.");
    buf_adds(b, " Each statistic is tested against R or SciPy and scikit-learn "
                "(<code>tools/golden_stats.R</code>, <code>tools/golden_stats.py</code>).</p>\n<p><b>To "
                "replay it.</b> <code>clearmass verify ");
    html_text(b, s->folder);
    buf_adds(b, "</code> makes this result again from the run, the data and the seed, and says whether it is "
                "the same.</p>\n");
}

void section_method(struct buf *b, const struct source *s)
{
    html_heading(b, "method", "The method in words");
    training_words(b, s);
    if (!s->result)
        return;
    if (!is_task(s, "segment"))
        scoring_words(b, s);
    statistics_words(b, s);
}
