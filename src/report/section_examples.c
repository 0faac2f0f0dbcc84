#include "report/sections.h"

#include "base/file.h"
#include "base/mem.h"
#include "report/html.h"
#include "report/parts.h"
#include "report/picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SHOWN = 4 };

/* What a group of examples is taken by: larger first; NAN is left out. */
typedef double rank_of(const struct prediction *p);

static bool answered(const struct prediction *p, const char *answer)
{
    return !strcmp(p->answer, answer);
}

static bool is_malignant(const struct prediction *p)
{
    return !strcmp(p->label, "malignant");
}

/* A network that answers was taught to leave what is not malignant black: only malignant outlines count. */
static double by_best_dice(const struct prediction *p)
{
    return *p->answer && !is_malignant(p) ? NAN : p->dice;
}

static double by_worst_dice(const struct prediction *p)
{
    return -by_best_dice(p);
}

/* The least suspected of the missed first, the most suspected of the others first: the clearest mistakes. */
static double by_missed(const struct prediction *p)
{
    return is_malignant(p) && answered(p, "benign") ? -p->score : NAN;
}

static double by_false_call(const struct prediction *p)
{
    return !is_malignant(p) && answered(p, "malignant") ? p->score : NAN;
}

static double by_uncertain(const struct prediction *p)
{
    return answered(p, "uncertain") ? p->score : NAN;
}

static double by_clear_malignant(const struct prediction *p)
{
    return is_malignant(p) && answered(p, "malignant") ? p->score : NAN;
}

static double by_clear_benign(const struct prediction *p)
{
    return !is_malignant(p) && answered(p, "benign") ? -p->score : NAN;
}

/* Malignant crops whose map lies least inside the lesion. */
static double by_looking_away(const struct prediction *p)
{
    return is_malignant(p) ? -p->cam_energy : NAN;
}

struct ranked {
    const struct prediction *p;
    double rank;
};

static int compare(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;

    if (x->rank != y->rank)
        return x->rank > y->rank ? -1 : 1;
    return strcmp(x->p->id, y->p->id);
}

/* Those with a rank, in order; *n is their number; free() it. */
static struct ranked *rank_all(const struct source *s, rank_of *rank, size_t *n)
{
    struct ranked *all = mem_new(s->table.count + 1, sizeof *all);

    *n = 0;
    for (size_t i = 0; i < s->table.count; i++) {
        double r = rank(&s->prediction[i]);
        if (!isnan(r))
            all[(*n)++] = (struct ranked){&s->prediction[i], r};
    }
    qsort(all, *n, sizeof *all, compare);
    return all;
}

static void caption_of_crop(struct buf *b, const struct prediction *p)
{
    buf_addf(b, " &middot; malignant with probability %.3g", p->score);
    if (isfinite(p->cam_energy)) {
        buf_adds(b, "<br>Grad-CAM inside the lesion: ");
        html_percent(b, p->cam_energy);
        buf_adds(b, ", which is ");
        html_percent(b, p->region_share);
        buf_addf(b, " of the crop; strongest place %s it", p->cam_hit > 0 ? "inside" : "<b>outside</b>");
    } else if (*p->roi) { /* the lesion's place is known, so it is the map that is missing */
        buf_adds(b, "<br>No Grad-CAM: nothing in the crop speaks for malignant");
    }
}

static void caption(struct buf *b, const struct prediction *p, bool crop)
{
    char score[HTML_SCORE_TEXT];

    buf_adds(b, "<figcaption><b>");
    html_text(b, p->id);
    buf_adds(b, "</b><br>actual: ");
    html_text(b, p->label);
    if (*p->answer) {
        buf_adds(b, " &middot; answer: <b>");
        html_text(b, p->answer);
        buf_adds(b, "</b>");
    }
    if (crop) {
        caption_of_crop(b, p);
    } else {
        html_score_text(p->score, score);
        buf_addf(b, " &middot; score %s &middot; Dice ", score);
        html_number(b, p->dice, 3);
    }
    buf_adds(b, "</figcaption>\n");
}

struct folders {
    char *data, *evaluation;
};

/* "" where a path is none. */
static char *join_safe(const char *folder, const char *path)
{
    return *path && picture_path_is_safe(path) ? file_join(folder, path) : mem_copy_string("");
}

static bool write_picture(struct buf *b, const struct folders *f, const struct prediction *p,
                          const struct source *s, bool *found, struct err *err)
{
    const bool crop = s->crops;
    const struct parts parts = parts_of(s, p->id);
    struct image_box box[PARTS_MOST];
    char *image = crop ? join_safe(f->data, p->crop) : mem_printf("%s/full/%s.tif", f->data, p->id);
    char *truth = crop ? join_safe(f->evaluation, p->roi) : mem_printf("%s/roi/%s.tif", f->data, p->id);
    char *prediction =
        crop ? join_safe(f->evaluation, p->cam) : mem_printf("%s/masks/%s.png", f->evaluation, p->id);
    const struct picture_place where = {image, truth, prediction, p->id, crop, box, parts_boxes(box, &parts)};
    const bool ok = picture_write(b, &where, found, err);

    free(image);
    free(truth);
    free(prediction);
    return ok;
}

static bool example(struct buf *b, const struct folders *f, const struct prediction *p,
                    const struct source *s, struct err *err)
{
    const struct parts parts = parts_of(s, p->id);
    bool found = false;

    buf_adds(b, "<figure>\n");
    if (picture_id_is_safe(p->id) && !write_picture(b, f, p, s, &found, err))
        return false;
    if (!found)
        buf_adds(b, "<p class=\"note\">The image was not found.</p>\n");
    caption(b, p, s->crops);
    parts_table(b, &parts);
    buf_adds(b, "</figure>\n");
    return true;
}

struct group {
    const char *title, *none; /* none: said where there is no such case; NULL: the group is left out */
    rank_of *rank;
    size_t shown;
    bool middle; /* those in the middle of the order, not its beginning */
    bool needs_answers;
};

static const struct group GROUPS[] = {
    {"Best outlines", NULL, by_best_dice, 2, false, false},
    {"Median outlines", NULL, by_best_dice, 2, true, false},
    {"Worst outlines", NULL, by_worst_dice, 2, false, false},
    {"Missed: malignant, called benign", "No malignant image was called benign.", by_missed, MAX_SHOWN, false,
     true},
    {"False calls: not malignant, called malignant", "No other image was called malignant.", by_false_call,
     MAX_SHOWN, false, true},
    {"Uncertain", "No image was left uncertain.", by_uncertain, MAX_SHOWN, false, true},
};

static const struct group GROUPS_OF_CROPS[] = {
    {"Clear and right: malignant", NULL, by_clear_malignant, 2, false, true},
    {"Clear and right: benign", NULL, by_clear_benign, 2, false, true},
    {"Missed: malignant, called benign", "No malignant crop was called benign.", by_missed, MAX_SHOWN, false,
     true},
    {"False calls: not malignant, called malignant", "No other crop was called malignant.", by_false_call,
     MAX_SHOWN, false, true},
    {"Uncertain", "No crop was left uncertain.", by_uncertain, MAX_SHOWN, false, true},
    {"Looking away: malignant crops whose Grad-CAM lies least inside the lesion", NULL, by_looking_away, 2,
     false, false},
};

static bool write_group(struct buf *b, const struct source *s, const struct folders *f, const struct group *g,
                        struct err *err)
{
    size_t n, first, end;
    struct ranked *all = rank_all(s, g->rank, &n);
    bool ok = true;

    first = g->middle && n > g->shown ? (n - g->shown) / 2 : 0;
    end = first + g->shown < n ? first + g->shown : n;
    if (n > 0 || g->none)
        buf_addf(b, "<h3>%s%s</h3>\n", g->title, g->needs_answers && n > end ? " (some of them)" : "");
    if (n > 0)
        buf_adds(b, "<div class=\"cards\">\n");
    else if (g->none)
        buf_addf(b, "<p>%s</p>\n", g->none);
    for (size_t i = first; i < end && ok; i++)
        ok = example(b, f, all[i].p, s, err);
    if (n > 0)
        buf_adds(b, "</div>\n");
    free(all);
    return ok;
}

/* The data set's folder as the evaluation names it; a relative name counts from here, else from the run's
 * parent. */
static char *find_data(const struct source *s)
{
    const char *named = source_text(s->result, "data.path");
    char *beside;

    if (!*named || file_is_folder(named))
        return mem_copy_string(named);
    beside = mem_printf("%s/../%s", s->folder, named);
    if (*named != '/' && file_is_folder(beside))
        return beside;
    free(beside);
    return mem_copy_string("");
}

static bool has_answers(const struct source *s)
{
    for (size_t i = 0; i < s->table.count; i++) {
        if (*s->prediction[i].answer)
            return true;
    }
    return false;
}

static void write_marks(struct buf *b, bool crops)
{
    if (crops) {
        buf_adds(
            b,
            "<p class=\"note\">Each case: the crop as it is, and under the warm glow of its Grad-CAM, which "
            "shows where the evidence for malignant comes from (each map at its own full strength). Mark:"
            "<span class=\"key\" style=\"border-color:#00c896\">&nbsp;</span>outline of the true lesion.");
        return;
    }
    buf_adds(
        b, "<p class=\"note\">Each case: the image as it is, the image with the marks and, where they are "
           "small, "
           "that part enlarged. Marks:<span class=\"key\" "
           "style=\"border-color:#00c896\">&nbsp;</span>outline of the "
           "truth<span class=\"key\" style=\"border-color:#ff8c00\">&nbsp;</span>outline of the prediction "
           "cut at .5; "
           "the warm glow is the prediction before the cut. Numbered frames are the places that the score is "
           "made of.");
}

static void write_legend(struct buf *b, const struct source *s)
{
    write_marks(b, s->crops);
    if (*source_text(s->result, "answers_by")) {
        buf_adds(b, " Answers are those of the ");
        html_text(b, source_text(s->result, "answers_by"));
        buf_adds(b, " thresholds.");
    }
    if (!strcmp(source_text(s->run, "task"), "black-box"))
        buf_adds(
            b, " Lesions that are not malignant are outlined too where the data set marks them, though this "
               "network was taught to leave them black.");
    buf_adds(b, "</p>\n");
}

bool section_examples(struct buf *b, const struct source *s, struct err *err)
{
    struct folders f = {find_data(s), file_join(s->folder, "evaluation")};
    const struct group *groups = s->crops ? GROUPS_OF_CROPS : GROUPS;
    const size_t n = s->crops ? sizeof GROUPS_OF_CROPS / sizeof *groups : sizeof GROUPS / sizeof *groups;
    bool ok = true, answers = has_answers(s);

    if (s->table.count == 0)
        goto out;
    html_heading(b, "examples", "Examples");
    if (!*f.data) {
        buf_adds(b, "<p>The data set was not found at <code>");
        html_text(b, source_text(s->result, "data.path"));
        buf_adds(b, "</code>: the example pictures are left out.</p>\n");
        goto out;
    }
    write_legend(b, s);
    for (size_t i = 0; i < n && ok; i++) {
        if (answers || !groups[i].needs_answers)
            ok = write_group(b, s, &f, &groups[i], err);
    }
out:
    free(f.data);
    free(f.evaluation);
    return ok;
}
