/* One abnormality of a film: which of its files is the mask, which the crop, and what is made of them. */
#include "data/ingest_cbis_parts.h"

#include "base/mem.h"
#include "data/cbis_judge.h"
#include "data/cbis_mask.h"
#include "image/tone.h"

#include <stdlib.h>
#include <string.h>

/* The files of one abnormality on the way to their places. */
struct region {
    const struct cbis_row *row;
    struct cbis_finding *finding;
    struct cbis_pixels mask, crop;
    struct cbis_verdict mask_verdict, crop_verdict;
    enum cbis_fit fit;
};

static size_t series_files(const struct cbis_work *w, const struct cbis_file *f)
{
    size_t n = 0;

    for (size_t i = 0; i < w->film->files; i++)
        n += w->film->file[i].name.abnormality == f->name.abnormality &&
             !strcmp(w->film->file[i].series, f->series);
    return n;
}

/* By series where mask and crop have their own; by number where they share one and both are there. */
static int table_role(const struct cbis_work *w, const struct cbis_row *r, const struct cbis_file *f)
{
    const struct cbis_path *mask = &r->path[CBIS_MASK], *crop = &r->path[CBIS_CROP];
    bool is_mask = *f->series && !strcmp(f->series, mask->series);
    bool is_crop = *f->series && !strcmp(f->series, crop->series);

    if (is_mask != is_crop)
        return is_mask ? CBIS_MASK : CBIS_CROP;
    if (!is_mask || mask->number == crop->number || series_files(w, f) < 2)
        return CBIS_SILENT;
    return f->number - 1 == mask->number   ? CBIS_MASK
           : f->number - 1 == crop->number ? CBIS_CROP
                                           : CBIS_SILENT;
}

/* A series of mask and crop together is usually called after the mask: that tells nothing of either. */
static const char *description_of(const struct cbis_work *w, const struct cbis_file *f)
{
    bool shared = series_files(w, f) > 1 && cbis_description_role(f->description) == CBIS_MASK;

    return shared ? "" : f->description;
}

static struct cbis_verdict judge(const struct cbis_work *w, const struct cbis_row *r,
                                 const struct cbis_file *f, const struct image *im)
{
    return cbis_judge(
        &(struct cbis_evidence){.bits = f->jpeg ? 0 : f->bits, /* all JPEGs have 8 */
                                .width = im->width,
                                .height = im->height,
                                .full_width = w->full.width,
                                .full_height = w->full.height,
                                .values = f->jpeg ? cbis_count_jpeg_values(im) : cbis_count_values(im),
                                .description = description_of(w, f),
                                .table = table_role(w, r, f)});
}

static void refuse(struct cbis_work *w, const struct cbis_file *f, const char *what, const char *why)
{
    struct cbis_line *l = cbis_work_tell(w, CBIS_LOST, f);

    cbis_line_file(l, what, f);
    cbis_line_why(l, "%s", why);
}

/* Of two masks (or crops) the one that fits stays, or the first. */
static void tell_spare(struct cbis_work *w, const struct cbis_file *f, const char *what,
                       const struct cbis_file *used)
{
    bool copy = !strcmp(f->instance, used->instance) && f->bytes == used->bytes;
    struct cbis_line *l = cbis_work_tell(w, copy ? CBIS_SETTLED : CBIS_DOUBTFUL, f);

    cbis_line_found(l, "another %s, %d bits, %d x %d", what, f->bits, f->width, f->height);
    cbis_line_why(l, "%s %s", copy ? "a copy of" : "there is one already:", used->path);
}

static void take_mask(struct cbis_work *w, struct region *g, struct cbis_pixels *p,
                      const struct cbis_verdict *v)
{
    const struct cbis_file *f = p->file;
    enum cbis_fit fit = cbis_fit(p->image.width, p->image.height, w->full.width, w->full.height);

    if (fit == CBIS_MISFIT) {
        char *why = mem_printf("the image has %d x %d: the aspects differ by more than 1 %%", w->full.width,
                               w->full.height);
        refuse(w, f, "mask", why);
        free(why);
    } else if (g->mask.file && (g->fit == CBIS_FITS || fit != CBIS_FITS)) {
        tell_spare(w, f, "mask", g->mask.file);
    } else {
        if (g->mask.file)
            tell_spare(w, g->mask.file, "mask", f);
        cbis_pixels_move(&g->mask, p);
        g->mask_verdict = *v;
        g->fit = fit;
    }
}

static void take_crop(struct cbis_work *w, struct region *g, struct cbis_pixels *p,
                      const struct cbis_verdict *v)
{
    if (g->crop.file) {
        tell_spare(w, p->file, "crop", g->crop.file);
        return;
    }
    cbis_pixels_move(&g->crop, p);
    g->crop_verdict = *v;
}

static void take_file(struct cbis_work *w, struct region *g, const struct cbis_file *f)
{
    struct cbis_pixels p = CBIS_PIXELS_INIT;
    struct err why = ERR_INIT;

    if (!cbis_work_read(&p, w, f, &why)) {
        refuse(w, f, "mask or crop", why.text);
        return;
    }
    struct cbis_verdict v = judge(w, g->row, f, &p.image);
    if (v.role == CBIS_MASK)
        take_mask(w, g, &p, &v);
    else
        take_crop(w, g, &p, &v);
    image_release(&p.image);
}

/* What pixels say themselves must not have been outvoted. */
static bool content_agrees(const struct cbis_verdict *v)
{
    for (int k = CBIS_BITS; k <= CBIS_VALUES; k++)
        if (v->vote[k] != CBIS_SILENT && v->vote[k] != (int)v->role)
            return false;
    return true;
}

static bool same_folder(const struct cbis_file *a, const struct cbis_file *b)
{
    size_t n = (size_t)(file_base(a->path) - a->path);

    return n == (size_t)(file_base(b->path) - b->path) && !strncmp(a->path, b->path, n);
}

static enum cbis_kept kept_as(const struct cbis_verdict *v, bool repaired, bool apart)
{
    return !content_agrees(v) ? CBIS_DOUBTFUL
           : repaired         ? CBIS_REPAIRED
           : v->lost || apart ? CBIS_SETTLED
                              : CBIS_USED;
}

static bool is_apart(const struct region *g)
{
    return g->mask.file && g->crop.file && !same_folder(g->mask.file, g->crop.file);
}

static void tell_mask(struct cbis_work *w, const struct region *g, const struct cbis_area *area)
{
    const struct cbis_file *f = g->mask.file;
    bool turned = !strcmp(f->photometric, "MONOCHROME1"), wide = 2 * area->pixels > area->of;
    enum cbis_kept kept = kept_as(&g->mask_verdict, g->fit == CBIS_SCALES || turned, is_apart(g));
    char *votes = cbis_verdict_text(&g->mask_verdict);
    struct cbis_line *l = cbis_work_tell(w, !area->pixels || wide ? CBIS_DOUBTFUL : kept, f);

    cbis_line_file(l, "mask", f);
    if (!area->pixels)
        cbis_line_done(l, "no region");
    else if (g->fit == CBIS_SCALES)
        cbis_line_done(l, "scaled to %d x %d, %s", w->full.width, w->full.height, g->finding->mask.path);
    else
        cbis_line_done(l, "%s", g->finding->mask.path);
    cbis_line_why(l, "%s%s%s%s%s%s", votes, is_apart(g) ? "; mask and crop lie in two folders" : "",
                  g->fit == CBIS_SCALES ? "; another pixel pitch, the aspects agree within 1 %" : "",
                  turned ? "; black and white exchanged" : "", area->pixels ? "" : "; no pixel is marked",
                  wide ? "; more than half of the image is marked" : "");
    free(votes);
}

static bool keep_image(struct cbis_work *w, struct dataset_file *file, const char *sub,
                       const struct region *g, const struct image *im, struct err *err)
{
    char name[CBIS_NAME_TEXT];

    cbis_name_text(&g->row->name, name);
    if (!dataset_write_image(w->c->dataset, file, sub, name, im, err))
        return false;
    json_array_append_new(w->files, json_string(file->path));
    return true;
}

static bool cut_crop(struct cbis_work *w, const struct region *g, struct err *err)
{
    struct image crop = IMAGE_INIT;
    bool ok = dataset_cut(w->c->dataset, &crop, &w->full, g->finding->box, err) &&
              keep_image(w, &g->finding->crop, "crop", g, &crop, err);

    image_release(&crop);
    return ok;
}

/* Takes the first mask itself: where it stays the only one, its files are the film's, too. */
static bool unite(struct cbis_work *w, struct region *g, struct err *err)
{
    w->only = w->united.data ? NULL : g->finding;
    if (w->united.data)
        return cbis_mask_unite(&w->united, &g->mask.image, err);
    image_move(&w->united, &g->mask.image);
    return true;
}

static bool finish_mask(struct cbis_work *w, struct region *g, struct err *err)
{
    struct cbis_area area;
    struct err why = ERR_INIT;

    if (!cbis_mask_cut(&g->mask.image, &area, w->full.width, w->full.height, &why)) {
        refuse(w, g->mask.file, "mask", why.text);
        g->mask.file = NULL;
        return true;
    }
    if (area.pixels == area.of) {
        refuse(w, g->mask.file, "mask", "every pixel is marked");
        g->mask.file = NULL;
        return true;
    }
    cbis_work_source(w, "mask", &g->mask);
    if (area.pixels) {
        g->finding->box = area.box;
        if (!keep_image(w, &g->finding->mask, "roi", g, &g->mask.image, err) || !cut_crop(w, g, err) ||
            !unite(w, g, err))
            return false;
    }
    tell_mask(w, g, &area);
    return true;
}

static bool finish_crop(struct cbis_work *w, struct region *g, struct err *err)
{
    struct err why = ERR_INIT;

    if (w->c->archive_crop) {
        if (!image_to_u16(&g->crop.image, &g->crop.image, &why)) {
            refuse(w, g->crop.file, "crop", why.text);
            return true;
        }
        cbis_work_source(w, "crop", &g->crop);
        if (!keep_image(w, &g->finding->archive, "archive", g, &g->crop.image, err))
            return false;
    }
    char *votes = cbis_verdict_text(&g->crop_verdict);
    struct cbis_line *l = cbis_work_tell(w, kept_as(&g->crop_verdict, false, is_apart(g)), g->crop.file);
    cbis_line_file(l, "crop", g->crop.file);
    cbis_line_done(
        l, "%s", w->c->archive_crop ? g->finding->archive.path : "not needed: crops are cut from the image");
    cbis_line_why(l, "%s%s", votes, is_apart(g) ? "; mask and crop lie in two folders" : "");
    free(votes);
    return true;
}

static void tell_lacking(struct cbis_work *w, const struct region *g, enum cbis_kept kept, const char *what,
                         const char *done)
{
    char name[CBIS_NAME_TEXT];
    struct cbis_line *l = cbis_audit_add(&w->out->audit, kept, w->film->row->name.film, "");

    cbis_name_text(&g->row->name, name);
    cbis_line_found(l, "no %s of %s; %s line %zu names it", what, name, g->row->table, g->row->line);
    cbis_line_done(l, "%s", done);
    cbis_line_why(l, "none of its files is one that can be used");
}

bool cbis_region_add(struct cbis_work *w, size_t k, struct err *err)
{
    struct region g = {.row = &w->film->row[k], .finding = &w->out->finding[k]};
    bool ok = true;

    g.finding->row = g.row;
    for (size_t i = 0; i < w->film->files; i++)
        if (w->film->file[i].name.abnormality == g.row->name.abnormality)
            take_file(w, &g, &w->film->file[i]);
    if (g.mask.file)
        ok = finish_mask(w, &g, err);
    if (ok && !g.mask.file)
        tell_lacking(w, &g, CBIS_LOST, "mask", "the image is kept without this region");
    if (ok && g.crop.file)
        ok = finish_crop(w, &g, err);
    else if (ok)
        tell_lacking(w, &g, w->c->archive_crop ? CBIS_LOST : CBIS_SETTLED, "crop",
                     w->c->archive_crop ? "left out" : "not needed: crops are cut from the image");
    image_release(&g.mask.image);
    image_release(&g.crop.image);
    return ok;
}
