#include "report/report.h"

#include "base/file.h"
#include "base/mem.h"
#include "report/curves.h"
#include "report/html.h"
#include "report/sections.h"

#include <stdlib.h>

static bool write_page(struct buf *b, const struct source *s, struct err *err)
{
    char *name = source_folder_name(s->folder), *title = mem_printf("Report: %s", name);
    bool ok;

    html_begin(b, title, source_text(s->result ? s->result : s->run, "program"));
    section_summary(b, s);
    section_decisions(b, s);
    section_calibration(b, s);
    section_curves(b, s);
    section_groups(b, s);
    section_overlap(b, s);
    section_cam(b, s);
    section_parts(b, s);
    ok = section_opinions(b, s, err) && section_examples(b, s, err);
    section_card(b, s);
    section_method(b, s);
    html_heading(b, "curves", "Training");
    curves_write(b, &s->history, s->run, false);
    section_made(b, s);
    section_beside(b);
    section_limits(b, s);
    html_end(b);
    free(name);
    free(title);
    return ok;
}

bool report_write(const char *run_folder, const char *out_path, struct err *err)
{
    struct source source = {0};
    struct buf page = BUF_INIT;
    char *path = out_path ? mem_copy_string(out_path) : file_join(run_folder, "report.html");
    bool ok = source_read(&source, run_folder, err) && write_page(&page, &source, err) &&
              file_write(path, page.data, page.len, err);

    source_release(&source);
    buf_release(&page);
    free(path);
    return ok;
}
