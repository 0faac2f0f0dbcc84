#include "data/dataset.h"

#include "base/csv.h"
#include "base/mem.h"
#include "data/dataset_journal.h"
#include "image/regions.h"
#include "image/warp.h"
#include "io/image_file.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNFINISHED "unfinished.txt"
#define DISCLAIMER "Research software, not a medical device."

static const char *const FOLDER[] = {"full", "roi", "crop", "archive"};

enum { N_FOLDERS = sizeof FOLDER / sizeof *FOLDER, N_ALWAYS = 3 };

/* One case: what the tables say of it. */
struct row {
    struct data_item item;
    struct dataset_source *source; /* strings owned */
    size_t source_count;
    bool whole; /* its files are written */
};

struct rejected {
    char *path, *reason;
};

struct dataset {
    char *folder, *command;
    double margin;
    bool patients_unknown;
    dataset_page *page;
    json_t *options, *told; /* told: further keys of dataset.json */
    pthread_mutex_t lock;   /* guards what follows; a row not whole belongs to the thread that adds it */
    struct row **row;
    size_t rows;
    struct rejected *rejected;
    size_t rejections;
    char **warning;
    size_t warnings;
    struct dataset_journal journal;
};

/* ---- beginning ---- */

static bool is_partial(const char *name)
{
    return name[0] == '.' && strstr(name, ".partial-");
}

/* Removes the files of a folder, or only those a kill left half written. */
static bool clear_folder(const char *folder, bool partial_only, struct err *err)
{
    struct file_list names = FILE_LIST_INIT;
    bool ok = !file_is_folder(folder) || file_list_read(&names, folder, err);

    for (size_t i = 0; i < names.count && ok; i++) {
        char *path = file_join(folder, names.name[i]);
        if ((!partial_only || is_partial(names.name[i])) && !file_is_folder(path) && unlink(path)) {
            ok = err_errno(err);
            err_at(err, "%s", path);
        }
        free(path);
    }
    file_list_release(&names);
    return ok;
}

/* Only what an earlier, unfinished call made; the manifest first, so that it never names files that are gone.
 */
static bool clear_unfinished(const char *folder, bool keep, struct err *err)
{
    bool ok = true;
    char *manifest = file_join(folder, "manifest.csv");

    if (unlink(manifest) && errno != ENOENT) {
        ok = err_errno(err);
        err_at(err, "%s", manifest);
    }
    ok = ok && clear_folder(folder, true, err);
    for (int k = 0; k < N_FOLDERS && ok; k++) {
        char *path = file_join(folder, FOLDER[k]);
        ok = clear_folder(path, keep, err);
        free(path);
    }
    free(manifest);
    return ok;
}

/* True when the folder is new, empty or an unfinished data set, which *unfinished tells. A call killed at its
 * very beginning leaves nothing but the mark, half written. */
static bool folder_is_ours(const char *folder, bool *unfinished, struct err *err)
{
    static const char MARK_PARTIAL[] = "." UNFINISHED ".partial-";
    struct file_list names = FILE_LIST_INIT;
    bool ok = true, whole = false;
    size_t marks = 0;

    *unfinished = false;
    if (!file_exists(folder))
        return true;
    if (!file_list_read(&names, folder, err))
        return false;
    for (size_t i = 0; i < names.count; i++) {
        *unfinished |= !strcmp(names.name[i], UNFINISHED);
        whole |= !strcmp(names.name[i], "manifest.csv");
        marks += !strncmp(names.name[i], MARK_PARTIAL, sizeof MARK_PARTIAL - 1);
    }
    *unfinished |= names.count && marks == names.count;
    if (whole && !*unfinished)
        ok = err_set(err, ERR_INPUT, "%s: holds a data set already", folder);
    else if (names.count && !*unfinished)
        ok = err_set(err, ERR_INPUT, "%s: is not empty; name a new folder", folder);
    file_list_release(&names);
    return ok;
}

static bool make_folders(const char *folder, struct err *err)
{
    static const char TEXT[] =
        "This data set is not finished. The same command goes on with it or makes it again.\n";
    char *mark = file_join(folder, UNFINISHED);
    bool ok = file_make_folders(folder, err) && file_write(mark, TEXT, strlen(TEXT), err);

    for (int k = 0; k < N_ALWAYS && ok; k++) {
        char *path = file_join(folder, FOLDER[k]);
        ok = file_make_folders(path, err);
        free(path);
    }
    free(mark);
    return ok;
}

/* What must be equal for the cases of an earlier call to stand. */
static json_t *journal_head(const struct dataset *d)
{
    return json_pack("{s:s, s:s, s:s, s:f, s:O}", "format", "clearmass-journal-1", "program",
                     "clearmass " CLEARMASS_VERSION, "command", d->command, "margin", d->margin, "options",
                     d->options);
}

static bool open_folder(struct dataset *d, bool resume, struct err *err)
{
    bool unfinished;
    json_t *head = journal_head(d);

    if (!folder_is_ours(d->folder, &unfinished, err))
        goto failed;
    resume = resume && unfinished && dataset_journal_matches(d->folder, head);
    if ((unfinished && !clear_unfinished(d->folder, resume, err)) || !make_folders(d->folder, err) ||
        !dataset_journal_open(&d->journal, d->folder, head, resume, err))
        goto failed;
    json_decref(head);
    return true;
failed:
    json_decref(head);
    return false;
}

struct dataset *dataset_begin(const char *folder, const struct dataset_options *o, struct err *err)
{
    if (!(o->margin >= 0 && o->margin <= 1)) {
        err_set(err, ERR_INPUT, "margin %g: a share from 0 to 1 is wanted", o->margin);
        return NULL;
    }
    struct dataset *d = mem_new(1, sizeof *d);
    d->folder = mem_copy_string(folder);
    d->command = mem_copy_string(o->command);
    d->margin = o->margin;
    d->patients_unknown = o->patients_unknown;
    d->page = o->page;
    d->options = o->options ? json_deep_copy(o->options) : json_object();
    d->told = json_object();
    d->journal = (struct dataset_journal)DATASET_JOURNAL_INIT;
    pthread_mutex_init(&d->lock, NULL);
    if (!open_folder(d, o->resume, err)) {
        dataset_close(d);
        return NULL;
    }
    return d;
}

/* ---- adding ---- */

static char *copy(const char *text)
{
    return mem_copy_string(text ? text : "");
}

static struct row *new_row(const struct dataset_case *c)
{
    struct row *r = mem_new(1, sizeof *r);

    r->item = (struct data_item){.id = copy(c->id),
                                 .patient = copy(c->patient ? c->patient : c->id),
                                 .side = copy(c->side),
                                 .view = copy(c->view),
                                 .density = copy(c->density),
                                 .assessment = copy(c->assessment),
                                 .subtlety = copy(c->subtlety),
                                 .part = c->part,
                                 .label = c->label,
                                 .width = c->grey->width,
                                 .height = c->grey->height};
    r->source = mem_new(c->source_count, sizeof *r->source);
    r->source_count = c->source_count;
    for (size_t i = 0; i < c->source_count; i++) {
        r->source[i] = c->source[i];
        r->source[i].kind = copy(c->source[i].kind);
        r->source[i].path = copy(c->source[i].path);
    }
    return r;
}

static void free_row(struct row *r)
{
    struct manifest m = {.item = mem_new(1, sizeof *m.item), .count = 1};

    m.item[0] = r->item;
    manifest_release(&m);
    for (size_t i = 0; i < r->source_count; i++) {
        free((char *)r->source[i].kind);
        free((char *)r->source[i].path);
    }
    free(r->source);
    free(r);
}

/* The texts of an item, by name, for the journal. */
static const struct {
    const char *name;
    size_t offset;
} TEXTS[] = {
#define TEXT(name)                                                                                           \
    {                                                                                                        \
#name, offsetof(struct data_item, name)                                                              \
    }
    TEXT(id),          TEXT(patient),  TEXT(side),        TEXT(view),         TEXT(density),
    TEXT(assessment),  TEXT(subtlety), TEXT(image),       TEXT(image_sha256), TEXT(mask),
    TEXT(mask_sha256), TEXT(crop),     TEXT(crop_sha256),
#undef TEXT
};

enum { N_TEXTS = sizeof TEXTS / sizeof *TEXTS };

static char **text_at(const struct data_item *item, int k)
{
    return (char **)(void *)((char *)item + TEXTS[k].offset);
}

static json_t *row_record(const struct row *r)
{
    const struct data_item *item = &r->item;
    json_t *sources = json_array();
    json_t *record = json_pack("{s:i, s:i, s:i, s:i}", "part", (int)item->part, "label", (int)item->label,
                               "width", item->width, "height", item->height);

    for (int k = 0; k < N_TEXTS; k++)
        if (*text_at(item, k))
            json_object_set_new(record, TEXTS[k].name, json_string(*text_at(item, k)));
    for (size_t i = 0; i < r->source_count; i++) {
        const struct dataset_source *s = &r->source[i];
        json_array_append_new(sources,
                              json_pack("[s, s, I, s]", s->kind, s->path, (json_int_t)s->bytes, s->sha256));
    }
    json_object_set_new(record, "sources", sources);
    return record;
}

/* NULL when the record is none of ours. */
static struct row *row_of_record(const json_t *record)
{
    const json_t *sources = json_object_get(record, "sources");
    struct row *r = mem_new(1, sizeof *r);
    int part, label;
    bool ok = !json_unpack((json_t *)record, "{s:i, s:i, s:i, s:i}", "part", &part, "label", &label, "width",
                           &r->item.width, "height", &r->item.height);

    for (int k = 0; k < N_TEXTS; k++) {
        const char *text = json_string_value(json_object_get(record, TEXTS[k].name));
        *text_at(&r->item, k) = text ? mem_copy_string(text) : NULL;
    }
    r->source = mem_new(json_array_size(sources), sizeof *r->source);
    for (size_t i = 0; i < json_array_size(sources) && ok; i++) {
        const char *kind, *path, *sha256;
        json_int_t bytes;
        ok = !json_unpack(json_array_get(sources, i), "[s, s, I, s]", &kind, &path, &bytes, &sha256);
        if (!ok)
            break;
        struct dataset_source *s = &r->source[r->source_count++];
        *s = (struct dataset_source){mem_copy_string(kind), mem_copy_string(path), (size_t)bytes, ""};
        snprintf(s->sha256, sizeof s->sha256, "%s", sha256);
    }
    if (!ok || !r->item.id || !r->item.patient || !r->item.image) {
        free_row(r);
        return NULL;
    }
    r->item.part = (enum data_part)part;
    r->item.label = (enum data_label)label;
    return r;
}

/* Paths that JSON cannot hold (no UTF-8) keep a case out of the journal: it is made again. */
static bool note_whole(struct dataset *d, const struct row *r, const struct dataset_case *c, struct err *err)
{
    json_t *record = row_record(r), *files = c->files ? json_copy((json_t *)c->files) : json_array();
    bool ok = true;

    const char *const written[] = {r->item.image, r->item.mask, r->item.crop};
    for (size_t k = 0; k < sizeof written / sizeof *written; k++)
        if (written[k])
            json_array_append_new(files, json_string(written[k]));
    json_object_set_new(record, "key", json_string(c->key));
    if (c->note)
        json_object_set(record, "note", (json_t *)c->note);
    if (json_array_size(json_object_get(record, "sources")) == r->source_count)
        ok = dataset_journal_append(&d->journal, record, files, err);
    json_decref(record);
    json_decref(files);
    return ok;
}

/* Takes the id before any file is written, so that two cases never write the same files. r is taken. */
static bool reserve_row(struct dataset *d, struct row *r, struct err *err)
{
    bool used = false;

    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < d->rows && !used; i++)
        used = !strcmp(d->row[i]->item.id, r->item.id);
    if (!used) {
        d->row = mem_grow(d->row, d->rows + 1, sizeof *d->row);
        d->row[d->rows++] = r;
    }
    pthread_mutex_unlock(&d->lock);
    if (used) {
        err_set(err, ERR_INPUT, "id '%s' is used twice", r->item.id);
        free_row(r);
    }
    return !used;
}

/* Beside and renamed. The system is told to begin bringing it to the disk, which the next files need not wait
 * for: dataset_finish waits for all at once. */
static bool write_lazily(const char *path, const struct buf *bytes, struct err *err)
{
    struct file_out o = FILE_OUT_INIT;
    char *to = mem_copy_string(path);
    bool ok = file_out_begin(&o, path, true, err);

    if (ok &&
        (fwrite(bytes->data, 1, bytes->len, o.f) != bytes->len || fflush(o.f) || rename(o.partial, o.path))) {
        ok = err_errno(err);
        err_at(err, "%s", to);
    }
    if (ok)
        sync_file_range(fileno(o.f), 0, 0, SYNC_FILE_RANGE_WRITE); /* no harm where it is not known */
    file_out_discard(&o); /* after the rename nothing of that name is left to remove */
    free(to);
    return ok;
}

bool dataset_write_image(const struct dataset *d, struct dataset_file *out, const char *sub, const char *name,
                         const struct image *im, struct err *err)
{
    struct dataset_file file = {.path = mem_printf("%s/%s.tif", sub, name)};
    struct buf bytes = BUF_INIT;
    char *path = file_join(d->folder, file.path), *folder = file_join(d->folder, sub);
    bool ok = tiff_encode(&bytes, im, err) ? file_make_folders(folder, err) && write_lazily(path, &bytes, err)
                                           : err_at(err, "%s", path);

    if (ok) {
        file_sha256_bytes(bytes.data, bytes.len, file.sha256);
        *out = file;
    } else {
        free(file.path);
    }
    buf_release(&bytes);
    free(path);
    free(folder);
    return ok;
}

/* Writes twin's bytes, which hold the same pixels, again under another name. */
static bool write_again(const struct dataset *d, struct dataset_file *out, const char *sub, const char *name,
                        const struct dataset_file *twin, struct err *err)
{
    struct dataset_file file = {.path = mem_printf("%s/%s.tif", sub, name)};
    struct buf bytes = BUF_INIT;
    char *from = file_join(d->folder, twin->path), *to = file_join(d->folder, file.path);
    bool ok = file_read(&bytes, from, 0, err) && write_lazily(to, &bytes, err);

    if (ok) {
        memcpy(file.sha256, twin->sha256, sizeof file.sha256);
        *out = file;
    } else {
        free(file.path);
    }
    buf_release(&bytes);
    free(from);
    free(to);
    return ok;
}

/* What one of a case's three files is made from. */
struct part {
    const char *sub;
    const struct image *image;
    const struct dataset_file *twin; /* NULL: there is none */
};

static bool write_part(const struct dataset *d, const char *id, const struct part *p, char **name,
                       char **sha256, struct err *err)
{
    struct dataset_file file;

    if (p->twin ? !write_again(d, &file, p->sub, id, p->twin, err)
                : !dataset_write_image(d, &file, p->sub, id, p->image, err))
        return false;
    *name = file.path;
    *sha256 = mem_copy_string(file.sha256);
    return true;
}

struct image_box dataset_crop_box(struct image_box box, double margin, int width, int height)
{
    int w = box.x1 - box.x0, h = box.y1 - box.y0;

    return image_box_grow(box, (int)(margin * (w > h ? w : h) + .5), width, height);
}

bool dataset_cut(const struct dataset *d, struct image *out, const struct image *grey, struct image_box box,
                 struct err *err)
{
    return image_crop(out, grey, dataset_crop_box(box, d->margin, grey->width, grey->height), err);
}

static bool write_crop(const struct dataset *d, struct data_item *item, const struct dataset_case *c,
                       struct image_box box, struct err *err)
{
    struct image crop = IMAGE_INIT;
    bool ok = (c->crop_twin || dataset_cut(d, &crop, c->grey, box, err)) &&
              write_part(d, item->id, &(struct part){"crop", &crop, c->crop_twin}, &item->crop,
                         &item->crop_sha256, err);

    image_release(&crop);
    return ok;
}

static bool write_images(struct dataset *d, struct data_item *item, const struct dataset_case *c,
                         struct err *err)
{
    struct image_box box = {0};

    if (!write_part(d, item->id, &(struct part){"full", c->grey, NULL}, &item->image, &item->image_sha256,
                    err))
        return false;
    if (!c->mask || (!c->crop_twin && !image_box_of(&box, c->mask, 0)))
        return true;
    return write_part(d, item->id, &(struct part){"roi", c->mask, c->mask_twin}, &item->mask,
                      &item->mask_sha256, err) &&
           write_crop(d, item, c, box, err);
}

bool dataset_add(struct dataset *d, const struct dataset_case *c, struct err *err)
{
    assert(c->grey->channels == 1 && c->grey->type == IMAGE_U16);
    assert(!c->mask || (c->mask->channels == 1 && c->mask->type == IMAGE_U8 &&
                        c->mask->width == c->grey->width && c->mask->height == c->grey->height));
    if (!data_id_is_good(c->id))
        return err_set(err, ERR_INPUT, "id '%s' is empty or has other characters than letters, digits, . _ -",
                       c->id);
    struct row *r = new_row(c);
    if (!reserve_row(d, r, err))
        return false;
    bool ok = write_images(d, &r->item, c, err);
    pthread_mutex_lock(&d->lock);
    ok = ok && (!c->key || note_whole(d, r, c, err));
    r->whole = ok;
    pthread_mutex_unlock(&d->lock);
    return ok;
}

bool dataset_restore(struct dataset *d, const char *id, const char *key, json_t **note)
{
    struct err err = ERR_INIT;

    pthread_mutex_lock(&d->lock);
    json_t *record = dataset_journal_claim(&d->journal, id, key);
    pthread_mutex_unlock(&d->lock);
    struct row *r = record ? row_of_record(record) : NULL;
    bool ok = r && reserve_row(d, r, &err);
    if (ok) {
        *note = json_incref(json_object_get(record, "note"));
        r->whole = true;
    }
    json_decref(record);
    return ok;
}

void dataset_reject(struct dataset *d, const char *path, const char *reason)
{
    pthread_mutex_lock(&d->lock);
    d->rejected = mem_grow(d->rejected, d->rejections + 1, sizeof *d->rejected);
    d->rejected[d->rejections++] = (struct rejected){copy(path), copy(reason)};
    pthread_mutex_unlock(&d->lock);
}

void dataset_warn(struct dataset *d, const char *text)
{
    pthread_mutex_lock(&d->lock);
    d->warning = mem_grow(d->warning, d->warnings + 1, sizeof *d->warning);
    d->warning[d->warnings++] = copy(text);
    pthread_mutex_unlock(&d->lock);
}

void dataset_tell(struct dataset *d, const char *key, json_t *value)
{
    json_object_set_new(d->told, key, value);
}

const char *dataset_image_sha256(const struct dataset *d, const char *id)
{
    for (size_t i = 0; i < d->rows; i++)
        if (d->row[i]->whole && !strcmp(d->row[i]->item.id, id))
            return d->row[i]->item.image_sha256;
    return NULL;
}

/* ---- counting ---- */

static int compare_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static size_t count_different(char **text, size_t n)
{
    size_t different = 0;

    qsort(text, n, sizeof *text, compare_text);
    for (size_t i = 0; i < n; i++)
        different += i == 0 || strcmp(text[i - 1], text[i]);
    return different;
}

struct dataset_counts dataset_count(struct dataset *d)
{
    struct dataset_counts c = {0};

    pthread_mutex_lock(&d->lock);
    char **patient = mem_new(d->rows, sizeof *patient);
    for (size_t i = 0; i < d->rows; i++) {
        const struct data_item *item = &d->row[i]->item;
        if (!d->row[i]->whole)
            continue;
        patient[c.images++] = item->patient;
        c.by_label[item->label]++;
        c.with_region += item->mask != NULL;
    }
    c.patients = count_different(patient, c.images);
    c.rejected = d->rejections;
    c.warnings = d->warnings;
    pthread_mutex_unlock(&d->lock);
    free(patient);
    return c;
}

/* ---- finishing ---- */

/* Numbers by value; strverscmp calls "a01" and "a1" different, so no two ids are equal. */
static int compare_rows(const void *a, const void *b)
{
    const struct row *p = *(struct row *const *)a, *q = *(struct row *const *)b;

    return strverscmp(p->item.id, q->item.id);
}

static int compare_rejected(const void *a, const void *b)
{
    const struct rejected *p = a, *q = b;
    int by_path = strverscmp(p->path, q->path);

    return by_path ? by_path : strcmp(p->reason, q->reason);
}

static void put_row(struct buf *b, const char *const field[], size_t n)
{
    for (size_t i = 0; i < n; i++)
        csv_put(b, field[i]);
    csv_put_end(b);
}

static bool write_table(const struct dataset *d, const char *name, struct buf *b, struct err *err)
{
    char *path = file_join(d->folder, name);
    bool ok = file_write(path, b->data, b->len, err);

    free(path);
    buf_release(b);
    return ok;
}

static bool write_sources(const struct dataset *d, struct err *err)
{
    struct buf b = BUF_INIT;

    put_row(&b, (const char *[]){"id", "kind", "path", "bytes", "sha256"}, 5);
    for (size_t i = 0; i < d->rows; i++) {
        const struct row *r = d->row[i];
        for (size_t k = 0; k < r->source_count && r->whole; k++) {
            csv_put(&b, r->item.id);
            csv_put(&b, r->source[k].kind);
            csv_put(&b, r->source[k].path);
            csv_putf(&b, "%zu", r->source[k].bytes);
            csv_put(&b, r->source[k].sha256);
            csv_put_end(&b);
        }
    }
    return write_table(d, "sources.csv", &b, err);
}

static bool write_rejected(const struct dataset *d, struct err *err)
{
    struct buf b = BUF_INIT;

    put_row(&b, (const char *[]){"path", "reason"}, 2);
    for (size_t i = 0; i < d->rejections; i++)
        put_row(&b, (const char *[]){d->rejected[i].path, d->rejected[i].reason}, 2);
    return write_table(d, "rejected.csv", &b, err);
}

static json_t *counts_json(const struct dataset_counts *c)
{
    return json_pack("{s:I s:I s:I s:I s:I s:I s:I}", "images", (json_int_t)c->images, "patients",
                     (json_int_t)c->patients, "benign", (json_int_t)c->by_label[LABEL_BENIGN], "malignant",
                     (json_int_t)c->by_label[LABEL_MALIGNANT], "normal",
                     (json_int_t)c->by_label[LABEL_NORMAL], "with_region", (json_int_t)c->with_region,
                     "rejected", (json_int_t)c->rejected);
}

/* File names may be other bytes than UTF-8, which JSON cannot hold. */
static json_t *text_json(const char *text)
{
    json_t *json = json_string(text);

    if (!json) {
        char *plain = mem_copy_string(text);
        for (char *p = plain; *p; p++)
            *p = (unsigned char)*p < 0x80 ? *p : '?';
        json = json_string(plain);
        free(plain);
    }
    return json;
}

static bool write_story(const struct dataset *d, const struct dataset_counts *c, struct err *err)
{
    json_t *warnings = json_array();

    for (size_t i = 0; i < d->warnings; i++)
        json_array_append_new(warnings, text_json(d->warning[i]));
    json_t *story =
        json_pack("{s:s s:s s:s s:s s:f s:O s:s s:o s:o}", "format", "clearmass-dataset-1", "program",
                  "clearmass " CLEARMASS_VERSION, "disclaimer", DISCLAIMER, "command", d->command, "margin",
                  d->margin, "options", d->options, "patients",
                  d->patients_unknown ? "unknown: every image counts as a patient of its own" : "named",
                  "counts", counts_json(c), "warnings", warnings);
    char *path = file_join(d->folder, "dataset.json");

    assert(story);
    json_object_update(story, d->told);
    bool ok = json_file_write(path, story, err);
    json_decref(story);
    free(path);
    return ok;
}

/* The rows lend their items; what is missing is "". */
static bool write_manifest(const struct dataset *d, size_t images, struct err *err)
{
    struct manifest m = {.item = mem_new(images, sizeof *m.item)};

    for (size_t i = 0; i < d->rows; i++)
        if (d->row[i]->whole)
            m.item[m.count++] = d->row[i]->item;
    bool ok = manifest_write(&m, d->folder, err);
    free(m.item);
    return ok;
}

/* Nothing names the images before they are on the disk. */
static bool reach_disk(const struct dataset *d, struct err *err)
{
    int fd = open(d->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = (fd >= 0 && !syncfs(fd)) || err_errno(err);

    if (fd >= 0)
        close(fd);
    return ok || err_at(err, "%s", d->folder);
}

bool dataset_finish(struct dataset *d, struct err *err)
{
    struct dataset_counts c = dataset_count(d);
    char *mark = file_join(d->folder, UNFINISHED);
    bool ok = false;

    if (d->rows)
        qsort(d->row, d->rows, sizeof *d->row, compare_rows);
    if (d->rejections)
        qsort(d->rejected, d->rejections, sizeof *d->rejected, compare_rejected);
    if (d->warnings)
        qsort(d->warning, d->warnings, sizeof *d->warning, compare_text);
    if (!write_rejected(d, err))
        goto out;
    if (!c.images) {
        err_set(err, ERR_INPUT, "%s: no case could be used", d->folder);
        goto out;
    }
    ok = write_sources(d, err) && write_story(d, &c, err) && reach_disk(d, err) &&
         write_manifest(d, c.images, err) && (!d->page || d->page(d->folder, err));
    if (ok)
        dataset_journal_finish(&d->journal); /* first: nothing but the data set is there without the mark */
    if (ok && unlink(mark)) {
        ok = err_errno(err);
        err_at(err, "%s", mark);
    }
out:
    free(mark);
    return ok;
}

void dataset_close(struct dataset *d)
{
    if (!d)
        return;
    for (size_t i = 0; i < d->rows; i++)
        free_row(d->row[i]);
    for (size_t i = 0; i < d->rejections; i++) {
        free(d->rejected[i].path);
        free(d->rejected[i].reason);
    }
    for (size_t i = 0; i < d->warnings; i++)
        free(d->warning[i]);
    free(d->row);
    free(d->rejected);
    free(d->warning);
    free(d->folder);
    free(d->command);
    json_decref(d->options);
    json_decref(d->told);
    dataset_journal_close(&d->journal);
    pthread_mutex_destroy(&d->lock);
    free(d);
}
