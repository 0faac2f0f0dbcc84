#include "report/diary.h"

#include "base/file.h"
#include "base/mem.h"
#include "io/image_file.h"
#include "report/accuracy.h"
#include "report/curves.h"
#include "report/html.h"
#include "report/leaks.h"
#include "report/source.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* More panels than this make a page that a browser opens slowly; of longer runs evenly spread ones are shown,
 * with the best and the last. */
enum { MAX_PANELS = 60, JPEG_QUALITY = 78, MAX_THREADS = 3 };

static const char STYLE[] =
    ".epoch{display:none}.epoch.shown{display:block}.epoch "
    "img{width:100%;max-width:960px;height:auto;display:block}\n"
    "@media print{.epoch img{width:auto;max-width:100%;max-height:135mm}}\n"
    ".bar{display:flex;gap:12px;align-items:center;max-width:960px;margin:10px 0}.bar input{flex:1}\n"
    ".bar button{font:inherit;padding:4px 14px;border:1px solid "
    "var(--rule);border-radius:4px;background:var(--paper);color:var(--ink);cursor:pointer}\n"
    ".bar output{min-width:9em;font-weight:600}.best{color:var(--good);font-weight:600}\n";

static const char SCRIPT[] =
    "<script>\n"
    "(function () {\n"
    "  var shots = Array.from(document.querySelectorAll('.epoch'));\n"
    "  var slider = document.getElementById('slider'), word = document.getElementById('word');\n"
    "  var play = document.getElementById('play'), timer = null;\n"
    "  if (!shots.length || !slider) return;\n"
    "  function show(i) {\n"
    "    i = Math.max(0, Math.min(shots.length - 1, i));\n"
    "    shots.forEach(function (s, k) { s.classList.toggle('shown', k === i); });\n"
    "    var epoch = Number(shots[i].dataset.epoch);\n"
    "    slider.value = i;\n"
    "    word.textContent = 'epoch ' + epoch;\n"
    "    document.querySelectorAll('.cursor').forEach(function (c) {\n"
    "      var x = Number(c.dataset.x) + epoch * Number(c.dataset.step);\n"
    "      c.setAttribute('x1', x); c.setAttribute('x2', x);\n"
    "    });\n"
    "  }\n"
    "  function stop() { clearInterval(timer); timer = null; play.textContent = 'Play'; }\n"
    "  function toggle() {\n"
    "    if (timer) return stop();\n"
    "    if (Number(slider.value) === shots.length - 1) show(0);\n"
    "    play.textContent = 'Pause';\n"
    "    timer = setInterval(function () {\n"
    "      show(Number(slider.value) + 1);\n"
    "      if (Number(slider.value) === shots.length - 1) stop();\n"
    "    }, 450);\n"
    "  }\n"
    "  slider.addEventListener('input', function () { stop(); show(Number(slider.value)); });\n"
    "  play.addEventListener('click', toggle);\n"
    "  document.addEventListener('keydown', function (e) {\n"
    "    var at = Number(slider.value);\n"
    "    var to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: shots.length - 1 }[e.key];\n"
    "    if (to === undefined || e.ctrlKey || e.metaKey || e.altKey) return;\n"
    "    e.preventDefault(); stop(); show(to);\n"
    "  });\n"
    "  show(shots.length - 1);\n"
    "})();\n"
    "</script>\n";

static char *panel_path(const char *folder, double epoch)
{
    return mem_printf("%s/epochs/epoch-%03.0f.png", folder, epoch);
}

/* The log's rows whose panel is shown: every step-th, the best and the last. */
static bool is_shown(const struct history *h, size_t row, double best)
{
    size_t step = (h->epochs + MAX_PANELS - 1) / MAX_PANELS;

    return row % step == 0 || row + 1 == h->epochs || h->epoch[row] == best;
}

static void caption(struct buf *b, const struct history *h, size_t row, const json_t *run)
{
    static const struct {
        enum history_column column;
        const char *name;
    } PARTS[] = {
        {HISTORY_LOSS, "training loss"},
        {HISTORY_DICE_COEF, "training Dice (soft)"},
        {HISTORY_ACC, "training accuracy"},
        {HISTORY_VAL_LOSS, "validation loss"},
        {HISTORY_VAL_DICE_COEF, "validation Dice (soft)"},
        {HISTORY_VAL_DICE, "Dice cut at .5"},
        {HISTORY_VAL_IOU, "IoU"},
        {HISTORY_VAL_ACC, "validation accuracy"},
        {HISTORY_VAL_AUC, "AUC"},
        {HISTORY_LR, "learning rate"},
        {HISTORY_SECONDS, "seconds"},
    };

    buf_addf(b, "<figcaption><b>Epoch %.0f</b>", h->epoch[row]);
    if (h->epoch[row] == source_number(run, "state.best_epoch"))
        buf_adds(b, " <span class=\"best\">(best)</span>");
    for (size_t i = 0; i < sizeof PARTS / sizeof *PARTS; i++) {
        double v = h->value[PARTS[i].column][row];
        if (!isfinite(v))
            continue;
        buf_addf(b, "%s%s ", i == 0 ? ": " : ", ", PARTS[i].name);
        if (PARTS[i].column == HISTORY_ACC || PARTS[i].column == HISTORY_VAL_ACC)
            accuracy_write(b, run, PARTS[i].column == HISTORY_ACC ? "train" : "validation", v);
        else
            buf_addf(b, "<b>%.4g</b>", v);
    }
    buf_adds(b, "</figcaption>\n");
}

/* A panel that is shown, read and packed. */
struct panel {
    char *path;
    size_t row; /* of the log */
    struct buf img;
    struct err err;
    bool ok;
};

struct panels {
    struct panel *of;
    size_t count;
    const struct history *history;
    atomic_size_t next;
};

/* Takes panels until none is left; runs on a few threads, since this is most of the page's work. */
static void *pack_panels(void *arg)
{
    struct panels *p = arg;

    for (size_t i; (i = atomic_fetch_add(&p->next, 1)) < p->count;) {
        struct panel *one = &p->of[i];
        struct image im = IMAGE_INIT;
        char *alt = mem_printf("the cases after epoch %.0f", p->history->epoch[one->row]);
        one->ok =
            image_read(&im, one->path, &one->err) && html_jpeg(&one->img, &im, JPEG_QUALITY, alt, &one->err);
        free(alt);
        image_release(&im);
    }
    return NULL;
}

static void panels_find(struct panels *p, const struct history *h, const char *folder, double best)
{
    p->of = mem_new(h->epochs + 1, sizeof *p->of);
    p->history = h;
    for (size_t i = 0; i < h->epochs; i++) {
        char *path = panel_path(folder, h->epoch[i]);
        if (is_shown(h, i, best) && file_exists(path))
            p->of[p->count++] = (struct panel){.path = path, .row = i, .img = BUF_INIT, .err = ERR_INIT};
        else
            free(path);
    }
}

static bool panels_pack(struct panels *p, struct err *err)
{
    pthread_t thread[MAX_THREADS];
    size_t n = 0;

    while (n < MAX_THREADS && n + 1 < p->count && pthread_create(&thread[n], NULL, pack_panels, p) == 0)
        n++;
    pack_panels(p);
    for (size_t i = 0; i < n; i++)
        pthread_join(thread[i], NULL);
    for (size_t i = 0; i < p->count; i++) {
        if (!p->of[i].ok) {
            if (err)
                *err = p->of[i].err;
            return false;
        }
    }
    return true;
}

static void panels_release(struct panels *p)
{
    for (size_t i = 0; i < p->count; i++) {
        free(p->of[i].path);
        buf_release(&p->of[i].img);
    }
    free(p->of);
}

static void write_slider(struct buf *b, size_t count)
{
    buf_addf(b,
             "<div class=\"bar noprint\"><button id=\"play\" type=\"button\">Play</button>"
             "<input id=\"slider\" type=\"range\" min=\"0\" max=\"%zu\" value=\"%zu\" aria-label=\"epoch\">"
             "<output id=\"word\"></output></div>\n",
             count - 1, count - 1);
}

static void write_legend(struct buf *b, const struct history *h)
{
    buf_adds(b, "<p class=\"note noprint\">Slider, Play, or the arrow keys go through the epochs. ");
    buf_adds(
        b,
        history_is_classifier(h)
            ? "The bar under a crop is the probability of malignant, its mark .5; "
              "<span class=\"key\" style=\"border-color:#00c896\">&nbsp;</span>the likelier class is the "
              "true one"
              "<span class=\"key\" style=\"border-color:#ff8c00\">&nbsp;</span>it is not.</p>\n"
            : "Outlines:<span class=\"key\" style=\"border-color:#00c896\">&nbsp;</span>truth"
              "<span class=\"key\" style=\"border-color:#ff8c00\">&nbsp;</span>prediction cut at .5.</p>\n");
}

static bool write_panels(struct buf *b, const struct history *h, const json_t *run, const char *folder,
                         struct err *err)
{
    double best = source_number(run, "state.best_epoch");
    struct panels p = {NULL, 0, NULL, 0};
    bool ok;

    panels_find(&p, h, folder, best);
    ok = panels_pack(&p, err);
    if (p.count == 0)
        buf_adds(b, "<p>No panel is there yet: the first comes after epoch 1.</p>\n");
    else
        write_slider(b, p.count);
    for (size_t i = 0; i < p.count && ok; i++) {
        /* without a script the last one is the one to see */
        buf_addf(b, "<figure class=\"epoch%s\" data-epoch=\"%.0f\">\n", i + 1 == p.count ? " shown" : "",
                 h->epoch[p.of[i].row]);
        buf_add(b, p.of[i].img.data, p.of[i].img.len);
        caption(b, h, p.of[i].row, run);
        buf_adds(b, "</figure>\n");
    }
    if (p.count > 0)
        write_legend(b, h);
    panels_release(&p);
    return ok;
}

static void write_progress(struct buf *b, const json_t *run)
{
    double wanted = source_number(run, "train.epochs"), best = source_number(run, "state.best_epoch");
    const char *stopped = source_text(run, "state.stopped");

    buf_adds(b, "<p><b>Progress:</b> ");
    html_number(b, source_number(run, "state.epochs_done"), 0);
    if (isfinite(wanted))
        buf_addf(b, " of %.0f", wanted);
    buf_adds(b, json_is_true(source_at(run, "state.finished")) ? " epochs done, finished"
                                                               : " epochs done, not finished");
    if (*stopped) {
        buf_adds(b, " (stopped: ");
        html_text(b, stopped);
        buf_adds(b, ")");
    }
    if (isfinite(best) && best >= 1) {
        buf_addf(b, ". Best epoch: <b>%.0f</b>, ", best);
        html_text(b, source_text(run, "state.best_metric"));
        buf_adds(b, " ");
        if (strcmp(source_text(run, "state.best_metric"), "val_acc") == 0)
            accuracy_write(b, run, "validation", source_number(run, "state.best_value"));
        else
            html_number(b, source_number(run, "state.best_value"), 4);
    }
    buf_adds(b, ".</p>\n");
}

static void write_summary(struct buf *b, const json_t *run)
{
    buf_adds(b, "<div class=\"summary\"><p><b>What is being trained:</b> ");
    html_text(b, source_task(run));
    buf_adds(b, ".</p>\n");
    write_progress(b, run);
    if (strcmp(source_text(run, "task"), "classify") == 0) {
        buf_adds(b, "<p><b>Trained:</b> ");
        html_text(b, source_trained(run));
        buf_adds(b, "</p>");
    }
    buf_adds(b, "<p><b>Batch norm:</b> ");
    html_text(b, source_norm(run));
    buf_adds(b, "</p>\n");
    leaks_of_training(b, source_at(run, "data"));
    buf_adds(b, "</div>\n");
}

static void write_crops(struct buf *b, const struct history *h)
{
    buf_adds(b, "<div class=\"wide\"><table><caption>The crops shown, as of the last "
                "epoch</caption><thead><tr><th>case"
                "</th><th>id</th><th>label</th><th class=\"n\">P(malignant)</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < h->n_cases; i++) {
        const struct history_case *c = &h->cases[i];
        if (!c->id)
            continue;
        buf_addf(b, "<tr><td>%zu</td><td>", i + 1);
        html_text(b, c->id);
        buf_adds(b, "</td><td>");
        html_text(b, c->label);
        buf_adds(b, "</td><td class=\"n\">");
        html_number(b, c->score[c->n - 1], 3);
        buf_adds(b, "</td></tr>\n");
    }
    buf_adds(b, "</tbody></table></div>\n");
}

static void write_cases(struct buf *b, const struct history *h)
{
    if (h->n_cases > 0 && history_is_classifier(h))
        write_crops(b, h);
    if (h->n_cases == 0 || history_is_classifier(h))
        return;
    buf_adds(b, "<div class=\"wide\"><table><caption>The cases shown, as of the last "
                "epoch</caption><thead><tr><th>case</th><th>id</th>"
                "<th>label</th><th class=\"n\">Dice</th><th class=\"n\">best Dice</th><th "
                "class=\"n\">score</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < h->n_cases; i++) {
        const struct history_case *c = &h->cases[i];
        double best = NAN;
        char score[HTML_SCORE_TEXT];
        if (!c->id)
            continue;
        for (size_t k = 0; k < c->n; k++)
            best = fmax(best, c->dice[k]);
        buf_addf(b, "<tr><td>%zu</td><td>", i + 1);
        html_text(b, c->id);
        buf_adds(b, "</td><td>");
        html_text(b, c->label);
        buf_adds(b, "</td><td class=\"n\">");
        html_number(b, c->dice[c->n - 1], 3);
        buf_adds(b, "</td><td class=\"n\">");
        html_number(b, best, 3);
        html_score_text(c->score[c->n - 1], score);
        buf_addf(b, "</td><td class=\"n\">%s</td></tr>\n", score);
    }
    buf_adds(b, "</tbody></table></div>\n<p class=\"note\">The score is the sum of the predicted mask. Dice "
                "is empty where there "
                "is nothing to outline.</p>\n");
}

bool diary_write(const char *run_folder, struct err *err)
{
    struct history history = {0};
    struct buf page = BUF_INIT;
    char *path = file_join(run_folder, "diary.html"), *name = source_folder_name(run_folder);
    char *title = mem_printf("Training diary: %s", name);
    json_t *run = source_read_run(run_folder, err);
    bool ok = false;

    if (!run || !history_read(&history, run_folder, err))
        goto out;
    html_begin_styled(&page, title, source_text(run, "program"), STYLE);
    write_summary(&page, run);
    html_heading(&page, "epochs", "After every epoch");
    if (!write_panels(&page, &history, run, run_folder, err))
        goto out;
    html_heading(&page, "curves", "Curves");
    curves_write(&page, &history, run, true);
    write_cases(&page, &history);
    html_heading(&page, "settings", "How it is trained");
    curves_write_settings(&page, run);
    buf_adds(&page, SCRIPT);
    html_end(&page);
    ok = file_write(path, page.data, page.len, err);
out:
    history_release(&history);
    buf_release(&page);
    json_decref(run);
    free(path);
    free(name);
    free(title);
    return ok;
}
