#include "data/ingest_cbis.h"

#include "base/log.h"
#include "base/mem.h"
#include "data/ingest_cbis_parts.h"
#include "base/parallel.h"
#include "io/dicom.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_LINES = 40 };

struct job {
    const struct ingest_cbis *in;
    struct cbis_tables tables;
    struct cbis_files files;
    struct cbis_film *film;     /* [films] */
    struct cbis_result *result; /* [films] */
    size_t films;
    char (*key)[FILE_SHA256_TEXT];
    size_t *left; /* [left_count] films still to convert */
    size_t left_count;
    struct cbis_audit audit;
    struct cbis_convert convert;
};

/* ---- reading ---- */

static void tell_faults(struct job *j)
{
    for (size_t i = 0; i < j->tables.faults; i++) {
        const struct cbis_fault *f = &j->tables.fault[i];
        struct cbis_line *l = cbis_audit_add(&j->audit, f->lost ? CBIS_LOST : CBIS_SETTLED, "", f->where);
        cbis_line_found(l, "a row with a fault");
        cbis_line_done(l, "%s", f->lost ? "left out" : "used");
        cbis_line_why(l, "%s", f->what);
    }
}

static bool read_tables(struct job *j, struct err *err)
{
    for (size_t i = 0; i < j->in->tables; i++)
        if (!cbis_tables_add(&j->tables, j->in->table[i], err))
            return false;
    cbis_tables_finish(&j->tables);
    tell_faults(j);
    return true;
}

static bool begin(struct job *j, struct err *err)
{
    json_t *tables = json_array();

    for (size_t i = 0; i < j->in->tables; i++)
        json_array_append_new(tables, json_string(file_base(j->in->table[i])));
    json_t *options = json_pack("{s:s*, s:o, s:b}", "source", j->in->source, "tables", tables, "archive_crop",
                                (int)j->in->archive_crop);
    j->convert.dataset = dataset_begin(j->in->folder,
                                       &(struct dataset_options){.command = "ingest cbis",
                                                                 .margin = j->in->margin,
                                                                 .options = options,
                                                                 .resume = true,
                                                                 .page = j->in->page},
                                       err);
    json_decref(options);
    return j->convert.dataset != NULL;
}

/* ---- converting ---- */

static void restore_films(struct job *j)
{
    j->result = mem_new(j->films, sizeof *j->result);
    j->key = mem_new(j->films, sizeof *j->key);
    j->left = mem_new(j->films, sizeof *j->left);
    for (size_t i = 0; i < j->films; i++) {
        cbis_film_key(&j->film[i], j->key[i]);
        if (!cbis_film_restore(&j->result[i], &j->convert, &j->film[i], j->key[i]))
            j->left[j->left_count++] = i;
    }
    if (j->left_count < j->films)
        log_info("going on: %zu of %zu films are there already", j->films - j->left_count, j->films);
}

static bool convert_one(void *job, size_t i, struct err *err)
{
    struct job *j = job;
    size_t k = j->left[i];

    return cbis_film_convert(&j->result[k], &j->convert, &j->film[k], j->key[k], err);
}

/* ---- telling ---- */

struct picture {
    const char *sha256;
    const struct cbis_film *film;
};

static int compare_pictures(const void *a, const void *b)
{
    const struct picture *p = a, *q = b;
    int by_hash = strcmp(p->sha256, q->sha256);

    return by_hash ? by_hash : strcmp(p->film->row->name.film, q->film->row->name.film);
}

/* Masses and calcifications of one film come as two images with the same pixels. */
static void tell_same_pictures(struct job *j)
{
    struct picture *all = mem_new(j->films, sizeof *all);
    size_t n = 0;

    for (size_t i = 0; i < j->films; i++)
        if (j->result[i].whole)
            all[n++] = (struct picture){dataset_image_sha256(j->convert.dataset, j->film[i].row->name.film),
                                        &j->film[i]};
    if (n)
        qsort(all, n, sizeof *all, compare_pictures);
    for (size_t i = 1; i < n; i++) {
        const struct cbis_name *a = &all[i - 1].film->row->name, *b = &all[i].film->row->name;
        if (strcmp(all[i].sha256, all[i - 1].sha256))
            continue;
        bool same_patient = !strcmp(a->patient, b->patient);
        struct cbis_line *l =
            cbis_audit_add(&j->audit, same_patient ? CBIS_SETTLED : CBIS_DOUBTFUL, b->film, "");
        cbis_line_found(l, "the same picture as %s", a->film);
        cbis_line_done(l, "both are kept");
        cbis_line_why(l, same_patient ? "masses and calcifications of one film"
                                      : "two patients have one picture");
    }
    free(all);
}

static void put_kinds(struct buf *b, const bool is[CBIS_KINDS])
{
    char *text = mem_printf("%s%s%s", is[CBIS_MASS] ? "mass" : "", is[CBIS_MASS] && is[CBIS_CALC] ? " " : "",
                            is[CBIS_CALC] ? "calc" : "");
    csv_put(b, text);
    free(text);
}

static void tell_leak(struct job *j, const struct cbis_leak *leak)
{
    struct cbis_line *l = cbis_audit_add(&j->audit, CBIS_DOUBTFUL, "", "");

    cbis_line_found(l, "patient %s is in train and in test", leak->patient);
    cbis_line_done(l, "kept, listed in leaks.csv");
    cbis_line_why(l, "masses and calcifications were split apart from each other");
}

/* Over the films that are in the data set. */
static bool write_leaks(struct job *j, size_t *count, struct err *err)
{
    const struct cbis_name **name = mem_new(j->films, sizeof *name);
    struct cbis_leak *leak;
    struct buf b = BUF_INIT;
    size_t n = 0;

    for (size_t i = 0; i < j->films; i++)
        if (j->result[i].whole)
            name[n++] = &j->film[i].row->name;
    *count = cbis_leaks_find(&leak, name, n);
    buf_adds(&b, "patient,train,test\n");
    for (size_t i = 0; i < *count; i++) {
        csv_put(&b, leak[i].patient);
        put_kinds(&b, leak[i].train);
        put_kinds(&b, leak[i].test);
        csv_put_end(&b);
        tell_leak(j, &leak[i]);
    }
    char *path = file_join(j->in->folder, "leaks.csv");
    bool ok = file_write(path, b.data, b.len, err);
    dataset_tell(j->convert.dataset, "leaks", json_integer((json_int_t)*count));
    buf_release(&b);
    free(path);
    free(leak);
    free(name);
    return ok;
}

/* Lost lines are the data set's rejected ones; doubtful ones its warnings. */
static void pass_on(const struct job *j)
{
    size_t lines = 0;

    for (size_t i = 0; i < j->audit.count; i++) {
        const struct cbis_line *l = &j->audit.line[i];
        if (l->kept != CBIS_LOST && l->kept != CBIS_DOUBTFUL)
            continue;
        const char *name = *l->file ? l->file : l->id;
        char *text = mem_printf("%s: %s", l->found, l->why);
        char *line = mem_printf("%s%s%s", name, *name ? ": " : "", text);
        if (l->kept == CBIS_LOST)
            dataset_reject(j->convert.dataset, name, text);
        else
            dataset_warn(j->convert.dataset, line);
        if (lines++ < MOST_LINES)
            log_warn("%s: %s", cbis_kept_name(l->kept), line);
        free(text);
        free(line);
    }
    if (lines > MOST_LINES)
        log_warn("%zu more of these in audit.csv", lines - MOST_LINES);
}

static void warn_of_jpegs(struct job *j)
{
    size_t n = 0;

    for (size_t i = 0; i < j->files.count; i++)
        n += j->files.item[i].jpeg && *j->files.item[i].name.film;
    if (!n)
        return;
    char *text = mem_printf(
        "%zu files are JPEGs of a repacked download: 8 bits and lossy, not the archive's pixels", n);
    log_warn("%s", text);
    dataset_warn(j->convert.dataset, text);
    free(text);
}

static void gather_audit(struct job *j)
{
    for (size_t i = 0; i < j->films; i++)
        cbis_audit_move(&j->audit, &j->result[i].audit);
}

static bool finish(struct job *j, struct ingest_cbis_result *out, struct err *err)
{
    struct ingest_cbis_result r = {.films = 0};

    gather_audit(j);
    tell_same_pictures(j);
    if (!write_leaks(j, &r.leaks, err))
        return false;
    cbis_audit_sort(&j->audit);
    pass_on(j);
    warn_of_jpegs(j);
    if (!cbis_audit_write(&j->audit, j->in->folder, err) ||
        !cbis_findings_write(j->result, j->films, j->in->folder, err) ||
        !dataset_finish(j->convert.dataset, err))
        return false;
    for (size_t i = 0; i < j->tables.rows; i++)
        r.films += !i || strcmp(j->tables.row[i - 1].name.film, j->tables.row[i].name.film);
    r.abnormalities = j->tables.rows;
    r.counts = dataset_count(j->convert.dataset);
    r.resumed = j->films - j->left_count;
    r.settled = cbis_audit_count(&j->audit, CBIS_SETTLED);
    r.repaired = cbis_audit_count(&j->audit, CBIS_REPAIRED);
    r.doubtful = cbis_audit_count(&j->audit, CBIS_DOUBTFUL);
    r.lost = cbis_audit_count(&j->audit, CBIS_LOST);
    r.skipped = cbis_audit_count(&j->audit, CBIS_SKIPPED);
    *out = r;
    return true;
}

static void job_release(struct job *j)
{
    for (size_t i = 0; i < j->films && j->result; i++)
        cbis_result_release(&j->result[i]);
    free(j->result);
    free(j->film);
    free(j->key);
    free(j->left);
    dataset_close(j->convert.dataset);
    cbis_audit_release(&j->audit);
    cbis_files_release(&j->files);
    cbis_tables_release(&j->tables);
}

bool ingest_cbis(struct ingest_cbis_result *out, const struct ingest_cbis *in, struct err *err)
{
    struct job j = {.in = in, .tables = CBIS_TABLES_INIT, .files = CBIS_FILES_INIT};
    bool ok = false;

    j.convert = (struct cbis_convert){.root = in->source, .archive_crop = in->archive_crop};
    if (!read_tables(&j, err) || !begin(&j, err) ||
        !cbis_files_scan(&j.files, in->source, in->folder, &j.audit, err))
        goto out;
    j.films = cbis_films_join(&j.film, &j.files, &j.tables, &j.audit);
    restore_films(&j);
    ok = parallel_for(j.left_count, convert_one, &j, "films", err) && finish(&j, out, err);
out:
    dicom_stop();
    job_release(&j);
    return ok;
}
