/* One film: its whole image, then abnormality after abnormality. */
#include "data/ingest_cbis_parts.h"

#include "base/mem.h"
#include "data/cbis_judge.h"
#include "data/cbis_mask.h"
#include "image/tone.h"
#include "io/dicom.h"
#include "io/image_file.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *film_id(const struct cbis_work *w)
{
    return w->film->row->name.film;
}

struct cbis_line *cbis_work_tell(struct cbis_work *w, enum cbis_kept kept, const struct cbis_file *f)
{
    struct cbis_line *l = cbis_audit_add(&w->out->audit, kept, film_id(w), f->path);

    cbis_line_done(l, "left out");
    return l;
}

void cbis_line_file(struct cbis_line *l, const char *what, const struct cbis_file *f)
{
    cbis_line_found(l, "%s, %s%d bits, %d x %d", what, f->jpeg ? "JPEG, " : "", f->bits, f->width, f->height);
}

bool cbis_work_read(struct cbis_pixels *out, const struct cbis_work *w, const struct cbis_file *f,
                    struct err *why)
{
    struct cbis_pixels p = {.file = f};
    const struct dicom_options options = {.tone = DICOM_GREY, .sha256 = p.sha256};
    char *path = file_join(w->c->root, f->path);
    struct err err = ERR_INIT;
    bool ok = f->jpeg ? image_read(&p.image, path, &err) && image_to_grey(&p.image, &p.image, &err) &&
                            file_sha256(path, p.sha256, &err)
                      : dicom_read(&p.image, NULL, path, &options, &err);

    if (ok)
        cbis_pixels_move(out, &p);
    else
        err_set(why, err.kind, "%s", err_without(&err, path));
    image_release(&p.image);
    free(path);
    return ok;
}

void cbis_pixels_move(struct cbis_pixels *out, struct cbis_pixels *p)
{
    image_move(&out->image, &p->image);
    out->file = p->file;
    memcpy(out->sha256, p->sha256, sizeof out->sha256);
}

void cbis_work_source(struct cbis_work *w, const char *kind, const struct cbis_pixels *p)
{
    struct dataset_source *s = &w->source[w->sources++];

    s->kind = kind;
    s->path = p->file->path;
    s->bytes = (size_t)p->file->bytes;
    memcpy(s->sha256, p->sha256, sizeof s->sha256);
}

/* ---- the whole image ---- */

static void tell_full(struct cbis_work *w, const struct cbis_file *f)
{
    const struct cbis_row *r = w->film->row;
    bool turned = !strcmp(f->photometric, "MONOCHROME1"), narrow = f->bits <= 8;
    bool named = !strcmp(f->series, r->path[CBIS_FULL].series);
    int says = cbis_description_role(f->description);
    bool agrees = named && (says == CBIS_FULL || says == CBIS_SILENT);
    struct cbis_line *l = cbis_work_tell(w,
                                         turned    ? CBIS_REPAIRED
                                         : narrow  ? (f->jpeg ? CBIS_SETTLED : CBIS_DOUBTFUL)
                                         : !agrees ? CBIS_SETTLED
                                                   : CBIS_USED,
                                         f);

    cbis_line_file(l, "whole image", f);
    cbis_line_done(l, "full/%s.tif%s", film_id(w), turned ? ", black and white exchanged" : "");
    cbis_line_why(l, "%s%s%s%s%s", named ? "name and series" : "name; the tables have another series",
                  says == CBIS_FULL ? ", description" : "",
                  says == CBIS_SILENT || says == CBIS_FULL ? "" : "; the description says otherwise",
                  turned ? "; stored as MONOCHROME1, 0 is white" : "",
                  narrow ? "; only 8 bits, widened" : "");
}

/* False when it is no picture: noted, and the next one is tried. */
static bool try_full(struct cbis_work *w, const struct cbis_file *f)
{
    struct cbis_pixels p = CBIS_PIXELS_INIT;
    struct err why = ERR_INIT;
    bool ok = cbis_work_read(&p, w, f, &why);

    if (ok && (f->jpeg ? cbis_count_jpeg_values(&p.image) : cbis_count_values(&p.image)) <= 2)
        ok = err_set(&why, ERR_FORMAT, "it has no more than two grey values: a mask, or nothing");
    ok = ok && image_to_u16(&p.image, &p.image, &why);
    if (ok) {
        cbis_work_source(w, "image", &p);
        image_move(&w->full, &p.image);
        tell_full(w, f);
    } else {
        struct cbis_line *l = cbis_work_tell(w, CBIS_LOST, f);
        cbis_line_file(l, "whole image", f);
        cbis_line_why(l, "%s", why.text);
    }
    image_release(&p.image);
    return ok;
}

static void tell_second(struct cbis_work *w, const struct cbis_file *f, const struct cbis_file *used)
{
    bool copy = !strcmp(f->instance, used->instance) && f->bytes == used->bytes;
    struct cbis_line *l = cbis_work_tell(w, copy ? CBIS_SETTLED : CBIS_DOUBTFUL, f);

    cbis_line_file(l, "another whole image", f);
    cbis_line_why(l, "%s %s", copy ? "a copy of" : "there is one already:", used->path);
}

static bool is_named(const struct cbis_work *w, const struct cbis_file *f)
{
    return *f->series && !strcmp(f->series, w->film->row->path[CBIS_FULL].series);
}

/* The series the tables name comes first, then the others. */
static bool find_full(struct cbis_work *w)
{
    const struct cbis_file *used = NULL;

    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < w->film->files; i++) {
            const struct cbis_file *f = &w->film->file[i];
            if (f->name.abnormality || is_named(w, f) != (pass == 0))
                continue;
            if (used)
                tell_second(w, f, used);
            else if (try_full(w, f))
                used = f;
        }
    }
    return used != NULL;
}

/* Everything else of the film is of no use without it. */
static void give_up(struct cbis_work *w)
{
    bool any = false;

    for (size_t i = 0; i < w->film->files; i++) {
        const struct cbis_file *f = &w->film->file[i];
        any = any || !f->name.abnormality;
        if (!f->name.abnormality)
            continue;
        struct cbis_line *l = cbis_work_tell(w, CBIS_LOST, f);
        cbis_line_file(l, "mask or crop", f);
        cbis_line_why(l, "its film has no whole image that can be read");
    }
    if (!any) {
        const struct cbis_row *r = w->film->row;
        struct cbis_line *l = cbis_audit_add(&w->out->audit, CBIS_LOST, film_id(w), "");
        cbis_line_found(l, "no whole image; %s line %zu names it", r->table, r->line);
        cbis_line_done(l, "left out");
        cbis_line_why(l, "the download has none");
    }
}

/* ---- the whole ---- */

/* The larger of the rows' numbers; the first text where none is a number. */
static const char *largest(const struct cbis_film *film, size_t offset)
{
    const char *best = "";

    for (size_t i = 0; i < film->rows; i++) {
        const char *text = *(const char *const *)(const void *)((const char *)&film->row[i] + offset);
        if (!i || atoi(text) > atoi(best))
            best = text;
    }
    return best;
}

static enum data_label label_of(const struct cbis_film *film)
{
    enum data_label label = LABEL_BENIGN;

    for (size_t i = 0; i < film->rows; i++)
        if (film->row[i].label == LABEL_MALIGNANT)
            label = LABEL_MALIGNANT;
    return label;
}

/* Density belongs to the breast: rows of one film must not differ in it. */
static void check_density(struct cbis_work *w)
{
    const struct cbis_row *r = w->film->row;

    for (size_t i = 1; i < w->film->rows; i++) {
        if (!strcmp(r[i].density, r->density))
            continue;
        struct cbis_line *l = cbis_audit_add(&w->out->audit, CBIS_SETTLED, film_id(w), "");
        cbis_line_found(l, "density %s and %s in lines %zu and %zu of %s", r->density, r[i].density, r->line,
                        r[i].line, r->table);
        cbis_line_done(l, "the larger is kept");
        cbis_line_why(l, "rows of one film differ");
    }
}

static json_t *file_json(const struct dataset_file *f)
{
    return f->path ? json_pack("[s, s]", f->path, f->sha256) : json_null();
}

/* What cbis_film_restore needs. */
static json_t *result_json(const struct cbis_result *r)
{
    json_t *audit = cbis_audit_json(&r->audit), *findings = json_array();

    for (size_t k = 0; k < r->findings; k++) {
        const struct cbis_finding *f = &r->finding[k];
        json_array_append_new(findings,
                              json_pack("[o, o, o, i, i, i, i]", file_json(&f->mask), file_json(&f->crop),
                                        file_json(&f->archive), f->box.x0, f->box.y0, f->box.x1, f->box.y1));
    }
    if (audit)
        return json_pack("{s:o, s:o}", "audit", audit, "findings", findings);
    json_decref(findings);
    return NULL;
}

/* Without a note nothing could be taken over, so there is no key either. */
static bool add_to_dataset(struct cbis_work *w, const char *key, struct err *err)
{
    const struct cbis_name *n = &w->film->row->name;
    json_t *note = result_json(w->out);
    bool ok = dataset_add(w->c->dataset,
                          &(struct dataset_case){
                              .id = n->film,
                              .patient = n->patient,
                              .side = n->right ? "right" : "left",
                              .view = n->mlo ? "MLO" : "CC",
                              .density = largest(w->film, offsetof(struct cbis_row, density)),
                              .assessment = largest(w->film, offsetof(struct cbis_row, assessment)),
                              .subtlety = largest(w->film, offsetof(struct cbis_row, subtlety)),
                              .part = n->part,
                              .label = label_of(w->film),
                              .grey = &w->full,
                              .mask = w->united.data ? &w->united : NULL,
                              .mask_twin = w->only ? &w->only->mask : NULL,
                              .crop_twin = w->only ? &w->only->crop : NULL,
                              .source = w->source,
                              .source_count = w->sources,
                              .key = note ? key : NULL,
                              .note = note,
                              .files = w->files,
                          },
                          err);

    json_decref(note);
    return ok;
}

static void result_init(struct cbis_result *out, const struct cbis_film *film)
{
    *out = (struct cbis_result){.finding = mem_new(film->rows, sizeof *out->finding), .findings = film->rows};
    for (size_t k = 0; k < film->rows; k++)
        out->finding[k].row = &film->row[k];
}

bool cbis_film_convert(struct cbis_result *out, const struct cbis_convert *c, const struct cbis_film *film,
                       const char *key, struct err *err)
{
    struct cbis_work w = {.c = c,
                          .film = film,
                          .out = out,
                          .source = mem_new(film->files, sizeof *w.source),
                          .files = json_array()};
    bool ok = true;

    result_init(out, film);
    if (find_full(&w)) {
        check_density(&w);
        for (size_t k = 0; k < film->rows && ok; k++)
            ok = cbis_region_add(&w, k, err);
        ok = ok && add_to_dataset(&w, key, err);
        out->whole = ok;
    } else {
        give_up(&w);
    }
    image_release(&w.full);
    image_release(&w.united);
    json_decref(w.files);
    free(w.source);
    return ok;
}

static bool take_file_json(struct dataset_file *f, const json_t *json)
{
    const char *path, *sha256;

    if (json_is_null(json))
        return true;
    if (json_unpack((json_t *)json, "[s, s]", &path, &sha256))
        return false;
    f->path = mem_copy_string(path);
    snprintf(f->sha256, sizeof f->sha256, "%s", sha256);
    return true;
}

static bool take_finding(struct cbis_finding *f, json_t *json)
{
    json_t *mask, *crop, *archive;

    return !json_unpack(json, "[o, o, o, i, i, i, i]", &mask, &crop, &archive, &f->box.x0, &f->box.y0,
                        &f->box.x1, &f->box.y1) &&
           take_file_json(&f->mask, mask) && take_file_json(&f->crop, crop) &&
           take_file_json(&f->archive, archive);
}

bool cbis_film_restore(struct cbis_result *out, const struct cbis_convert *c, const struct cbis_film *film,
                       const char *key)
{
    json_t *note = NULL;

    if (!dataset_restore(c->dataset, film->row->name.film, key, &note))
        return false;
    result_init(out, film);
    bool ok = cbis_audit_take_json(&out->audit, json_object_get(note, "audit"));
    for (size_t k = 0; k < film->rows && ok; k++)
        ok = take_finding(&out->finding[k], json_array_get(json_object_get(note, "findings"), k));
    assert(ok); /* this program wrote it, under the same key */
    out->whole = true;
    json_decref(note);
    return true;
}

void cbis_film_key(const struct cbis_film *film, char key[FILE_SHA256_TEXT])
{
    struct buf b = BUF_INIT;

    for (size_t i = 0; i < film->files; i++) {
        const struct cbis_file *f = &film->file[i];
        buf_addf(&b, "%s\n%lld %lld %s %d\n", f->path, (long long)f->bytes, f->modified_ns, f->instance,
                 f->name.abnormality);
    }
    for (size_t i = 0; i < film->rows; i++) {
        const struct cbis_row *r = &film->row[i];
        buf_addf(&b, "%s %d %s %zu %d\n%s\n%s\n%s\n", r->name.film, r->name.abnormality, r->table, r->line,
                 (int)r->label, r->density, r->assessment, r->subtlety);
        for (int k = 0; k < CBIS_ROLES; k++)
            buf_addf(&b, "%s %s %d\n", r->path[k].study, r->path[k].series, r->path[k].number);
    }
    file_sha256_bytes(b.data, b.len, key);
    buf_release(&b);
}

void cbis_result_release(struct cbis_result *r)
{
    for (size_t k = 0; k < r->findings; k++) {
        free(r->finding[k].mask.path);
        free(r->finding[k].crop.path);
        free(r->finding[k].archive.path);
    }
    free(r->finding);
    cbis_audit_release(&r->audit);
    *r = (struct cbis_result){false, NULL, 0, CBIS_AUDIT_INIT};
}
