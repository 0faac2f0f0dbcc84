#include "data/dataset.h"

#include "base/csv.h"
#include "base/mem.h"
#include "image/regions.h"
#include "image/warp.h"
#include "io/image_file.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define UNFINISHED "unfinished.txt"
#define DISCLAIMER "Research software, not a medical device."

static const char *const FOLDER[] = {"full", "roi", "crop"};

enum { N_FOLDERS = sizeof FOLDER / sizeof *FOLDER };

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
    json_t *options;
    pthread_mutex_t lock; /* guards what follows; a row not whole belongs to the thread that adds it */
    struct row **row;
    size_t rows;
    struct rejected *rejected;
    size_t rejections;
    char **warning;
    size_t warnings;
};

/* ---- beginning ---- */

static bool clear_folder(const char *folder, struct err *err)
{
    struct file_list names = FILE_LIST_INIT;
    bool ok = !file_is_folder(folder) || file_list_read(&names, folder, err);

    for (size_t i = 0; i < names.count && ok; i++) {
        char *path = file_join(folder, names.name[i]);
        if (!file_is_folder(path) && unlink(path)) {
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
static bool clear_unfinished(const char *folder, struct err *err)
{
    bool ok = true;
    char *manifest = file_join(folder, "manifest.csv");

    if (unlink(manifest) && errno != ENOENT) {
        ok = err_errno(err);
        err_at(err, "%s", manifest);
    }
    for (int k = 0; k < N_FOLDERS && ok; k++) {
        char *path = file_join(folder, FOLDER[k]);
        ok = clear_folder(path, err);
        free(path);
    }
    free(manifest);
    return ok;
}

static bool folder_is_ours(const char *folder, struct err *err)
{
    struct file_list names = FILE_LIST_INIT;
    bool ok = true, unfinished = false, whole = false;

    if (!file_exists(folder))
        return true;
    if (!file_list_read(&names, folder, err))
        return false;
    for (size_t i = 0; i < names.count; i++) {
        unfinished |= !strcmp(names.name[i], UNFINISHED);
        whole |= !strcmp(names.name[i], "manifest.csv");
    }
    if (whole && !unfinished)
        ok = err_set(err, ERR_INPUT, "%s: holds a data set already", folder);
    else if (names.count && !unfinished)
        ok = err_set(err, ERR_INPUT, "%s: is not empty; name a new folder", folder);
    else if (unfinished)
        ok = clear_unfinished(folder, err);
    file_list_release(&names);
    return ok;
}

static bool make_folders(const char *folder, struct err *err)
{
    static const char TEXT[] = "This data set is not finished. Making it again clears the folder first.\n";
    char *mark = file_join(folder, UNFINISHED);
    bool ok = file_make_folders(folder, err) && file_write(mark, TEXT, strlen(TEXT), err);

    for (int k = 0; k < N_FOLDERS && ok; k++) {
        char *path = file_join(folder, FOLDER[k]);
        ok = file_make_folders(path, err);
        free(path);
    }
    free(mark);
    return ok;
}

struct dataset *dataset_begin(const char *folder, const struct dataset_options *o, struct err *err)
{
    if (!(o->margin >= 0 && o->margin <= 1)) {
        err_set(err, ERR_INPUT, "margin %g: a share from 0 to 1 is wanted", o->margin);
        return NULL;
    }
    if (!folder_is_ours(folder, err) || !make_folders(folder, err))
        return NULL;
    struct dataset *d = mem_new(1, sizeof *d);
    d->folder = mem_copy_string(folder);
    d->command = mem_copy_string(o->command);
    d->margin = o->margin;
    d->patients_unknown = o->patients_unknown;
    d->options = o->options ? json_deep_copy(o->options) : json_object();
    pthread_mutex_init(&d->lock, NULL);
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

/* Takes the id before any file is written, so that two cases never write the same files. */
static struct row *reserve_row(struct dataset *d, const struct dataset_case *c, struct err *err)
{
    struct row *r = NULL;
    bool used = false;

    if (!data_id_is_good(c->id)) {
        err_set(err, ERR_INPUT, "id '%s' is empty or has other characters than letters, digits, . _ -",
                c->id);
        return NULL;
    }
    pthread_mutex_lock(&d->lock);
    for (size_t i = 0; i < d->rows && !used; i++)
        used = !strcmp(d->row[i]->item.id, c->id);
    if (!used) {
        r = new_row(c);
        d->row = mem_grow(d->row, d->rows + 1, sizeof *d->row);
        d->row[d->rows++] = r;
    }
    pthread_mutex_unlock(&d->lock);
    if (used)
        err_set(err, ERR_INPUT, "id '%s' is used twice", c->id);
    return r;
}

/* Writes FOLDER/SUB/ID.tif and tells its relative name and hash. */
static bool write_part(const struct dataset *d, const char *sub, const char *id, const struct image *im,
                       char **name, char **sha256, struct err *err)
{
    char hash[FILE_SHA256_TEXT];
    char *relative = mem_printf("%s/%s.tif", sub, id);
    char *path = file_join(d->folder, relative);
    bool ok = tiff_write(path, im, err) && file_sha256(path, hash, err);

    if (ok) {
        *name = relative;
        *sha256 = mem_copy_string(hash);
    } else {
        free(relative);
    }
    free(path);
    return ok;
}

static bool write_crop(const struct dataset *d, struct data_item *item, const struct image *grey,
                       struct image_box box, struct err *err)
{
    struct image crop = IMAGE_INIT;
    int w = box.x1 - box.x0, h = box.y1 - box.y0;
    int margin = (int)(d->margin * (w > h ? w : h) + .5);
    bool ok = image_crop(&crop, grey, image_box_grow(box, margin, grey->width, grey->height), err) &&
              write_part(d, "crop", item->id, &crop, &item->crop, &item->crop_sha256, err);

    image_release(&crop);
    return ok;
}

bool dataset_add(struct dataset *d, const struct dataset_case *c, struct err *err)
{
    struct image_box box;

    assert(c->grey->channels == 1 && c->grey->type == IMAGE_U16);
    assert(!c->mask || (c->mask->channels == 1 && c->mask->type == IMAGE_U8 &&
                        c->mask->width == c->grey->width && c->mask->height == c->grey->height));
    struct row *r = reserve_row(d, c, err);
    if (!r)
        return false;
    struct data_item *item = &r->item;
    bool ok = write_part(d, "full", item->id, c->grey, &item->image, &item->image_sha256, err);
    if (ok && c->mask && image_box_of(&box, c->mask, 0))
        ok = write_part(d, "roi", item->id, c->mask, &item->mask, &item->mask_sha256, err) &&
             write_crop(d, item, c->grey, box, err);
    pthread_mutex_lock(&d->lock);
    r->whole = ok;
    pthread_mutex_unlock(&d->lock);
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
    ok = write_sources(d, err) && write_story(d, &c, err) && write_manifest(d, c.images, err);
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
    pthread_mutex_destroy(&d->lock);
    free(d);
}
