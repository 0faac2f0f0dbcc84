#include "report/sections.h"

#include "report/html.h"
#include "report/leaks.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* "x of n", where both are counts of images. */
static void count_of(struct buf *b, double x, double n)
{
    html_number(b, x, 0);
    buf_adds(b, " of ");
    html_number(b, n, 0);
}

static const char *unit(const json_t *data)
{
    return !strcmp(source_text(data, "unit"), "crop") ? "crop" : "image";
}

static void what(struct buf *b, const struct source *s)
{
    const json_t *data = source_at(s->result, "data");
    const char *part = source_text(data, "part");

    buf_adds(b, "<p>This page tells how the network did on <b>");
    html_number(b, source_number(data, "images"), 0);
    buf_addf(b, " %ss</b> of ", unit(data));
    html_number(b, source_number(data, "patients"), 0);
    buf_adds(b, " patients (");
    if (!strcmp(part, "all")) {
        buf_adds(b, "<b>all</b> parts of the data set): ");
    } else {
        buf_adds(b, "the <b>");
        html_text(b, *part ? part : "unnamed");
        buf_adds(b, "</b> part of the data set): ");
    }
    html_number(b, source_number(data, "benign"), 0);
    buf_adds(b, " benign, ");
    html_number(b, source_number(data, "normal"), 0);
    buf_adds(b, " normal and ");
    html_number(b, source_number(data, "malignant"), 0);
    buf_adds(b, " malignant. It was trained for ");
    html_text(b, source_task(s->run));
    buf_adds(b, ".</p>\n");
}

static const char *majority_name(const json_t *data)
{
    double malignant = source_number(data, "malignant"), images = source_number(data, "images");

    return malignant > images - malignant ? "malignant" : "benign";
}

/* Above only where the whole interval is. */
static const char *against_majority(double low, double high, double majority)
{
    if (!isfinite(low) || !isfinite(high) || !isfinite(majority))
        return "Whether that is better than always giving one answer cannot be told.";
    if (low > majority)
        return "The accuracy is above that of the majority class.";
    if (high < majority)
        return "The accuracy is <b>below</b> that of the majority class: as a yes-or-no answer it is worse "
               "than no network.";
    return "The accuracy is <b>not shown to be above</b> that of the majority class: the interval includes "
           "it.";
}

static void one_decision(struct buf *b, const json_t *d, const json_t *data)
{
    const json_t *m = source_at(d, "confusion"), *three = source_at(d, "three_way");
    double tn = source_cell(m, 0, 0), fp = source_cell(m, 0, 1), fn = source_cell(m, 1, 0),
           tp = source_cell(m, 1, 1);
    double unsure = source_cell(three, 0, 1) + source_cell(three, 1, 1);

    buf_adds(b, "<p><b>Yes-or-no answer, ");
    html_text(b, source_text(d, "name"));
    buf_adds(b, " thresholds:</b> right for ");
    count_of(b, tn + tp, tn + tp + fn + fp);
    buf_addf(b, " %ss, an accuracy of <b>", unit(data));
    html_percent(b, source_number(d, "accuracy.value"));
    buf_adds(b, "</b> (95&nbsp;% interval ");
    html_percent(b, source_number(d, "accuracy.low"));
    buf_adds(b, " to ");
    html_percent(b, source_number(d, "accuracy.high"));
    buf_addf(b, "). Always answering &ldquo;%s&rdquo; would be right for ", majority_name(data));
    html_percent(b, source_number(d, "majority_class"));
    buf_addf(b, ". %s It called malignant ",
             against_majority(source_number(d, "accuracy.low"), source_number(d, "accuracy.high"),
                              source_number(d, "majority_class")));
    count_of(b, tp, tp + fn);
    buf_addf(b, " malignant %ss, and ", unit(data));
    count_of(b, fp, tn + fp);
    buf_adds(b, " others.");
    if (isfinite(unsure)) {
        buf_adds(b, " With its third answer it would leave ");
        count_of(b, unsure, tn + tp + fn + fp);
        buf_adds(b, " as <i>uncertain</i>, with the place to look at.");
    }
    buf_adds(b, "</p>\n");
}

static void ranking(struct buf *b, const json_t *result)
{
    double auc = source_number(result, "score.auc"), low = source_number(result, "score.auc_low");

    if (!isfinite(auc))
        return;
    buf_addf(
        b,
        "<p><b>Ranking by the score:</b> of a malignant %s and another, taken by chance, the malignant one "
        "has the higher score in ",
        unit(source_at(result, "data")));
    html_percent(b, auc);
    buf_addf(b, " of pairs (AUC %.3f, 95&nbsp;%% interval ", auc);
    html_interval(b, low, source_number(result, "score.auc_high"));
    buf_adds(b, "; .5 is chance).");
    if (isfinite(low) && low <= .5)
        buf_adds(b, " <b>The interval includes chance.</b>");
    buf_adds(b, "</p>\n");
}

/* ".712 [.653, .764]": KEY, KEY_low and KEY_high. */
static void number_with_interval(struct buf *b, const json_t *json, const char *key)
{
    char low[40], high[40];

    snprintf(low, sizeof low, "%s_low", key);
    snprintf(high, sizeof high, "%s_high", key);
    html_number(b, source_number(json, key), 3);
    buf_adds(b, " [");
    html_number(b, source_number(json, low), 3);
    buf_adds(b, ", ");
    html_number(b, source_number(json, high), 3);
    buf_adds(b, "]");
}

/* A black-box network is taught to leave other lesions black: its outlines are judged on the malignant ones.
 */
static void outlines(struct buf *b, const struct source *s)
{
    bool black_box = !strcmp(source_text(s->run, "task"), "black-box");
    const json_t *malignant = source_at(s->result, "overlap.dice_malignant");
    const json_t *dice = black_box && malignant ? malignant : source_at(s->result, "overlap.dice");
    double n = dice == malignant ? source_number(dice, "images")
                                 : source_number(s->result, "overlap.nonempty_truths");

    if (!(n > 0))
        return;
    buf_adds(b, "<p><b>Outlines:</b> on the ");
    html_number(b, n, 0);
    buf_adds(b, dice == malignant ? " images with a malignant lesion" : " images with a lesion");
    buf_adds(b, ", the overlap with its true outline (Dice: 0 none, 1 perfect) has a median of <b>");
    number_with_interval(b, dice, "median");
    buf_adds(b, "</b> and a mean of ");
    number_with_interval(b, dice, "mean");
    buf_adds(b, "; it is above .5 for a share of ");
    number_with_interval(b, dice, "share_above_half");
    buf_adds(b, " of them (95&nbsp;% intervals in brackets).</p>\n");
}

/* Where a classifier looks. */
static void looks(struct buf *b, const json_t *result)
{
    const json_t *cam = source_at(result, "cam.malignant");
    double n = source_number(cam, "crops");

    if (!(n > 0))
        return;
    buf_adds(b, "<p><b>Where it looks:</b> on ");
    html_number(b, n, 0);
    buf_adds(b,
             " malignant crops the place that speaks most for malignant lies inside the true lesion in <b>");
    html_percent(b, source_number(cam, "pointing_game.value"));
    buf_adds(b, "</b> of them (95&nbsp;% interval ");
    html_percent(b, source_number(cam, "pointing_game.low"));
    buf_adds(b, " to ");
    html_percent(b, source_number(cam, "pointing_game.high"));
    buf_adds(b, "); a place taken by chance would in ");
    html_percent(b, source_number(cam, "region_share.value"));
    buf_adds(b, ".</p>\n");
}

/* The run with a classifier, as one system. */
static void together(struct buf *b, const struct source *s)
{
    const json_t *system = json_array_get(source_at(s->opinions, "systems"), 0);

    if (!system)
        return;
    buf_adds(
        b, "<p><b>Two opinions:</b> together with a classifier that judges the regions it shows, it leaves ");
    html_percent(b, source_number(system, "uncertain.value"));
    buf_adds(b, " of ");
    html_number(b, source_number(system, "images"), 0);
    buf_adds(b, " images uncertain (");
    html_number(b, source_number(s->opinions, "accord.differ"), 0);
    buf_adds(b, " because the two disagree); of the others <b>");
    html_percent(b, source_number(system, "accuracy_of_decided.value"));
    buf_adds(b, "</b> are right (95&nbsp;% interval ");
    html_percent(b, source_number(system, "accuracy_of_decided.low"));
    buf_adds(b, " to ");
    html_percent(b, source_number(system, "accuracy_of_decided.high"));
    buf_adds(b, "; the larger class alone: ");
    html_percent(b, source_number(system, "majority_class_of_decided"));
    buf_adds(b, ").</p>\n");
}

/* No malignant case, one patient, equal scores: what that leaves open. */
static void cannot_tell(struct buf *b, const json_t *result)
{
    const json_t *list = source_at(result, "cannot_tell");

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        buf_adds(b, "<p class=\"caution\"><b>");
        html_text(b, text ? text : "");
        buf_adds(b, "</b></p>\n");
    }
}

static void cautions(struct buf *b, const json_t *result)
{
    const json_t *data = source_at(result, "data");
    const char *part = source_text(data, "part");
    double malignant = source_number(data, "malignant"), touched = source_number(data, "test_evaluations");

    buf_adds(b, "<p class=\"caution\">");
    if (!strcmp(part, "test") && isfinite(touched))
        buf_addf(b,
                 "The test part has been evaluated %.0f time%s with this run; every look after the first "
                 "makes it less of a test. ",
                 touched, touched == 1 ? "" : "s");
    else if (!strcmp(part, "validation"))
        buf_adds(
            b,
            "These images also chose the best epoch (and any thresholds called chosen), so the numbers are "
            "optimistic; a fair test needs images that chose nothing. ");
    else if (json_is_true(source_at(data, "external")))
        buf_addf(b,
                 "These images come from another data set than the one the network learned from; they have "
                 "been evaluated %.0f time%s with this run. ",
                 touched, touched == 1 ? "" : "s");
    else if (!strcmp(part, "all"))
        buf_adds(
            b,
            "<b>The network learned from most of these images:</b> the numbers say little about new ones. ");
    else if (!strcmp(part, "train"))
        buf_adds(
            b, "<b>The network learned from these very images:</b> the numbers say nothing about new ones. ");
    if (strcmp(part, "test") != 0 && !json_is_true(source_at(data, "external")) && touched > 0)
        buf_addf(b, "The test part has been evaluated %.0f time%s with this run so far. ", touched,
                 touched == 1 ? "" : "s");
    if (malignant < 50)
        buf_addf(b,
                 "With %.0f malignant image%s every number about them is rough: read the intervals, not the "
                 "values. ",
                 malignant, malignant == 1 ? "" : "s");
    if (json_array_size(source_at(result, "unreadable")) > 0)
        buf_addf(b, "<b>%zu images could not be read and are left out.</b> ",
                 json_array_size(source_at(result, "unreadable")));
    buf_adds(b, "Nothing here shows how it would do on other machines, other people or in practice.</p>\n");
}

void section_summary(struct buf *b, const struct source *s)
{
    const json_t *decisions = source_at(s->result, "decisions"), *data = source_at(s->result, "data");

    buf_adds(b, "<div class=\"summary\">\n");
    if (s->result) {
        what(b, s);
        cannot_tell(b, s->result);
        for (size_t i = 0; i < json_array_size(decisions); i++)
            one_decision(b, json_array_get(decisions, i), data);
        ranking(b, s->result);
        outlines(b, s);
        looks(b, s->result);
        together(b, s);
        cautions(b, s->result);
    } else {
        buf_adds(b, "<p><b>This run has not been evaluated:</b> there are no results to show yet, only how "
                    "it was trained. "
                    "To measure it, run</p>\n<p><code>clearmass evaluate ");
        html_text(b, s->folder);
        buf_adds(b, " ");
        html_text(b, *source_text(s->run, "data.path") ? source_text(s->run, "data.path") : "DATA");
        buf_adds(b, "</code></p>\n<p>and then <code>clearmass report ");
        html_text(b, s->folder);
        buf_adds(b, "</code> again.</p>\n");
    }
    leaks_of_training(b, source_at(s->run, "data"));
    leaks_of_data(b, source_at(data, "leaks"));
    leaks_of_training(b, source_at(s->opinions, "classifier.leaks"));
    buf_adds(b, "</div>\n");
}
