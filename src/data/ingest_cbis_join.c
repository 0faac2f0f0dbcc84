#include "data/ingest_cbis_parts.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Who says what a file belongs to. */
enum { BY_FOLDER, BY_PATIENT, BY_UID, VOTERS };

static const char *const VOTER[VOTERS] = {"folder", "patient number", "identifiers"};

struct ballot {
    struct cbis_name vote[VOTERS]; /* film "": silent */
};

/* The deepest part of the path that is a name. */
static void vote_by_folder(struct cbis_name *out, const char *path)
{
    struct cbis_name n;

    for (const char *at = path; at; at = strchr(at, '/')) {
        at += *at == '/';
        if (cbis_name_parse(&n, at))
            *out = n;
    }
}

static void vote_by_uid(struct cbis_name *out, const struct cbis_file *f, const struct cbis_uids *uids)
{
    const struct cbis_uid *series = cbis_uids_find(uids, f->series), *study = cbis_uids_find(uids, f->study);

    if (series && series->series)
        *out = series->name;
    else if (study && !study->series)
        *out = study->name;
}

/* Side and view in the header, where they are there, are those of the name. */
static bool header_agrees(const struct cbis_file *f, const struct cbis_name *n)
{
    return (*f->laterality || *f->orientation) && (!*f->laterality || (*f->laterality == 'R') == n->right) &&
           (!*f->orientation || !strcasecmp(f->orientation, n->mlo ? "MLO" : "CC"));
}

static int votes_for(const struct ballot *b, const struct cbis_name *n)
{
    int votes = 0;

    for (int k = 0; k < VOTERS; k++)
        votes += *b->vote[k].film && cbis_name_same(&b->vote[k], n);
    return votes;
}

/* The name with most votes; the header's side and view settle a tie. False when none is ahead. */
static bool elect(struct cbis_name *out, const struct ballot *b, const struct cbis_file *f)
{
    int best = 0, winner = -1;
    bool tied = false;

    for (int k = 0; k < VOTERS; k++) {
        const struct cbis_name *n = &b->vote[k];
        if (!*n->film)
            continue;
        if (winner >= 0 && cbis_name_same(n, &b->vote[winner]))
            continue;
        int votes = 2 * votes_for(b, n) + header_agrees(f, n);
        if (votes > best) {
            best = votes;
            winner = k;
            tied = false;
        } else if (votes == best) {
            tied = true;
        }
    }
    if (winner >= 0 && !tied)
        *out = b->vote[winner];
    return winner >= 0 && !tied;
}

/* "folder: NAME; patient number: NAME" */
static char *ballot_text(const struct ballot *b)
{
    struct buf text = BUF_INIT;

    for (int k = 0; k < VOTERS; k++) {
        char name[CBIS_NAME_TEXT];
        cbis_name_text(&b->vote[k], name);
        if (*name)
            buf_addf(&text, "%s%s: %s", text.len ? "; " : "", VOTER[k], name);
    }
    return text.data ? text.data : mem_copy_string("nothing names it");
}

static void tell_unnamed(const struct cbis_file *f, const struct ballot *b, struct cbis_audit *audit)
{
    char *text = ballot_text(b);
    bool any = false;

    for (int k = 0; k < VOTERS; k++)
        any = any || *b->vote[k].film;
    struct cbis_line *l = cbis_audit_add(audit, any ? CBIS_LOST : CBIS_SKIPPED, "", f->path);
    cbis_line_found(l, "%s, %d bits, %d x %d",
                    any       ? "names that disagree"
                    : f->jpeg ? "a JPEG of something else"
                              : "a DICOM file of something else",
                    f->bits, f->width, f->height);
    cbis_line_done(l, "left out");
    cbis_line_why(l, "%s", text);
    free(text);
}

static void tell_outvoted(const struct cbis_file *f, const struct ballot *b, struct cbis_audit *audit)
{
    char *text = ballot_text(b), name[CBIS_NAME_TEXT];

    cbis_name_text(&f->name, name);
    struct cbis_line *l = cbis_audit_add(audit, CBIS_SETTLED, f->name.film, f->path);
    cbis_line_found(l, "names that disagree");
    cbis_line_done(l, "taken as %s", name);
    cbis_line_why(l, "%s", text);
    free(text);
}

static void name_file(struct cbis_file *f, const struct cbis_uids *uids, struct cbis_audit *audit)
{
    struct ballot b = {0};
    int given = 0;

    vote_by_folder(&b.vote[BY_FOLDER], f->path);
    cbis_name_parse(&b.vote[BY_PATIENT], f->patient_id);
    vote_by_uid(&b.vote[BY_UID], f, uids);
    for (int k = 0; k < VOTERS; k++)
        given += *b.vote[k].film != '\0';
    if (!elect(&f->name, &b, f))
        tell_unnamed(f, &b, audit);
    else if (votes_for(&b, &f->name) < given)
        tell_outvoted(f, &b, audit);
}

static int compare_files(const void *a, const void *b)
{
    const struct cbis_file *p = a, *q = b;
    int by_film = strcmp(p->name.film, q->name.film);

    if (by_film)
        return by_film;
    if (p->name.abnormality != q->name.abnormality)
        return p->name.abnormality - q->name.abnormality;
    return strverscmp(p->path, q->path);
}

/* The sorted files of a film. */
static size_t find_files(const struct cbis_files *files, const char *film, const struct cbis_file **first)
{
    size_t low = 0, high = files->count, n = 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(files->item[middle].name.film, film) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    while (low + n < files->count && !strcmp(files->item[low + n].name.film, film))
        n++;
    *first = files->item + low;
    return n;
}

static void tell_missing(const struct cbis_film *film, struct cbis_audit *audit)
{
    struct cbis_line *l = cbis_audit_add(audit, CBIS_LOST, film->row->name.film, "");

    cbis_line_found(l, "no file; %s line %zu names it", film->row->table, film->row->line);
    cbis_line_done(l, "left out");
    cbis_line_why(l, "the download has none of its files");
}

/* Some row speaks of it: for a whole image, any of its film. */
static bool has_row(const struct cbis_tables *t, const struct cbis_name *n)
{
    size_t first, rows = cbis_tables_find(t, n->film, &first);

    for (size_t i = first; i < first + rows; i++)
        if (!n->abnormality || t->row[i].name.abnormality == n->abnormality)
            return true;
    return false;
}

static void tell_rowless(const struct cbis_file *f, struct cbis_audit *audit)
{
    char name[CBIS_NAME_TEXT];
    struct cbis_line *l = cbis_audit_add(audit, CBIS_SKIPPED, f->name.film, f->path);

    cbis_name_text(&f->name, name);
    cbis_line_found(l, "%s, %d bits, %d x %d", name, f->bits, f->width, f->height);
    cbis_line_done(l, "left out");
    cbis_line_why(l, "no table has a row for it");
}

size_t cbis_films_join(struct cbis_film **out, struct cbis_files *files, const struct cbis_tables *t,
                       struct cbis_audit *audit)
{
    struct cbis_film *film = mem_new(t->rows, sizeof *film);
    struct cbis_uids uids;
    size_t films = 0;

    cbis_uids_collect(&uids, t);
    for (size_t i = 0; i < files->count; i++)
        name_file(&files->item[i], &uids, audit);
    cbis_uids_release(&uids);
    if (files->count)
        qsort(files->item, files->count, sizeof *files->item, compare_files);
    for (size_t first = 0, n; first < t->rows; first += n) {
        n = cbis_tables_find(t, t->row[first].name.film, &first);
        struct cbis_film f = {.row = &t->row[first], .rows = n};
        f.files = find_files(files, f.row->name.film, &f.file);
        if (f.files)
            film[films++] = f;
        else
            tell_missing(&f, audit);
    }
    for (size_t i = 0; i < files->count; i++) {
        const struct cbis_name *n = &files->item[i].name;
        if (*n->film && !has_row(t, n))
            tell_rowless(&files->item[i], audit);
    }
    *out = film;
    return films;
}
