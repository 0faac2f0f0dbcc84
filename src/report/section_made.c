#include "report/sections.h"

#include "report/curves.h"
#include "report/html.h"

#include <math.h>
#include <stdlib.h>

static void row(struct buf *b, const char *name, const json_t *json, const char *keys)
{
    char *text = source_line(source_at(json, keys));

    html_row(b, name, text);
    free(text);
}

static void measured(struct buf *b, const json_t *result)
{
    static const struct {
        const char *name, *keys;
    } ROWS[] = {
        {"program", "program"},
        {"weights of epoch", "run.epoch"},
        {"SHA-256 of the weights", "run.weights_sha256"},
        {"data set", "data.path"},
        {"SHA-256 of its manifest", "data.manifest_sha256"},
        {"part", "data.part"},
        {"evaluations of the test part so far", "data.test_evaluations"},
    };

    buf_adds(b, "<h3>Evaluation</h3>\n<div class=\"wide\"><table class=\"facts\"><tbody>\n");
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
        row(b, ROWS[i].name, result, ROWS[i].keys);
    buf_adds(b, "</tbody></table></div>\n");
}

void section_made(struct buf *b, const struct source *s)
{
    html_heading(b, "made", "How the run was made");
    curves_write_settings(b, s->run);
    if (s->result)
        measured(b, s->result);
    buf_adds(b, "<p class=\"note\">Intervals of shares are at the 95&nbsp;% level. Each image counts once; "
                "images of one "
                "patient are never split between training and validation.</p>\n");
}

struct published {
    const char *source, *task, *result;
};

static const struct published PUBLISHED[] = {
    {"the black-box U-Net paper", "238 lesion crops, frozen ResNet50", "accuracy .51 (majority class .618)"},
    {"the black-box U-Net paper", "\"275\" whole mammograms, black-box U-Net",
     "accuracy .58 (majority class .607)"},
    {"the black-box U-Net paper", "whole mammograms at 224 pixels, U-Net outlines", "Dice .54"},
    {"cbis-ddsm-lesion-classifier, 2026", "lesion crops, official test part",
     "AUC .794 [.745, .834]; masses .811"},
    {"Petrini 2022, arXiv 2110.01606", "two views of a breast, whole mammograms, official split",
     "AUC .848 (the same network by five-fold: .934)"},
    {"GMIC, 2021", "image labels, subset of 188 examinations", "AUC .858"},
    {"Shen 2019", "whole mammograms, own split",
     "AUC .83 to .91; others on the official test part: .69 to .75"},
    {"AUNet, arXiv 1810.10151", "outlines on whole mammograms", "Dice .818"},
    {"Connected-UNets, 2021", "outlines on crops found by a detector", "Dice .895"},
};

void section_beside(struct buf *b)
{
    html_heading(b, "beside", "Published results to stand beside");
    buf_adds(
        b,
        "<p><b>These are other tasks on other data.</b> Crops are not whole images, ultrasound is not "
        "mammography, own splits are not official ones: none of these numbers can be compared with this page "
        "directly.</p>\n"
        "<div "
        "class=\"wide\"><table><thead><tr><th>source</th><th>task</th><th>result</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < sizeof PUBLISHED / sizeof *PUBLISHED; i++) {
        buf_adds(b, "<tr><td>");
        html_text(b, PUBLISHED[i].source);
        buf_adds(b, "</td><td>");
        html_text(b, PUBLISHED[i].task);
        buf_adds(b, "</td><td>");
        html_text(b, PUBLISHED[i].result);
        buf_adds(b, "</td></tr>\n");
    }
    buf_adds(b, "</tbody></table></div>\n");
}

void section_limits(struct buf *b, const struct source *s)
{
    html_heading(b, "limits", "Limits");
    buf_adds(b, "<ul>\n<li>One training run on one data set: another seed or another hospital's images would "
                "give other numbers.</li>\n"
                "<li>The intervals tell the chance of the draw of images only, not that of training, nor of "
                "another population.</li>\n"
                "<li>The share of malignant images here is that of the data set. PPV and NPV would be others "
                "where cancer is "
                "rarer.</li>\n"
                "<li>The network sees a reduced image (");
    html_number(b, source_number(s->run, "input.size"), 0);
    buf_adds(b, " pixels a side): what is smaller than a few of those pixels is lost to it.</li>\n"
                "<li>The labels and outlines are taken as true, and are not free of errors "
                "themselves.</li>\n</ul>\n");
}
