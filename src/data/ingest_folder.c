#include "data/ingest_folder.h"

#include "base/log.h"
#include "base/mem.h"
#include "data/ingest_case.h"
#include "base/parallel.h"
#include "image/tone.h"
#include "io/image_file.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_FILE_BYTES = INT32_MAX, LABEL_LIKE = 16, MAX_LINES = 50 };

struct job {
    const struct ingest_folder *in;
    struct ingest_cases cases;
    struct dataset *dataset;
};

/* ---- what there is ---- */

static bool find_cases(struct ingest_cases *c, const char *source, struct err *err)
{
    struct err passed = ERR_INIT;
    char *table = NULL;
    bool ok;

    if (!file_exists(source))
        return err_set(err, ERR_IO, "%s: no such file or folder", source);
    if (!file_is_folder(source)) {
        ok = ingest_table(c, source, err);
    } else if (!ingest_table_find(&table, source, &passed, err)) {
        ok = false;
    } else if (table) {
        ok = ingest_table(c, table, err);
    } else {
        ok = ingest_scan(c, source, err);
        if (!ok && passed.kind) /* a table with a fault is likelier what was meant */
            ok = err_set(err, passed.kind, "%s", passed.text);
    }
    free(table);
    return ok;
}

static bool hash_image(void *job, size_t i, struct err *err)
{
    struct job *j = job;
    struct ingest_case *c = &j->cases.item[i];
    struct err why = ERR_INIT;
    char *path = file_join(j->cases.root, c->image);

    (void)err;
    if (!c->fault && !file_sha256(path, c->sha256, &why))
        ingest_case_fault(c, "%s", ingest_reason(&why, path));
    free(path);
    return true;
}

static int compare_hashes(const void *a, const void *b)
{
    const struct ingest_case *p = *(struct ingest_case *const *)a, *q = *(struct ingest_case *const *)b;
    int by_hash = strcmp(p->sha256, q->sha256);

    return by_hash ? by_hash : (p > q) - (p < q);
}

/* Copies that are kept share the first one's patient where the source names none: the same picture must not
 * be trained on and validated with. */
static void treat_copy(const struct job *j, const struct ingest_case *first, struct ingest_case *copy)
{
    if (j->in->drop_duplicates) {
        ingest_case_fault(copy, "the same bytes as %s", first->image);
    } else if (j->cases.patients_unknown) {
        free(copy->patient);
        copy->patient = mem_copy_string(first->id);
    }
}

static size_t find_duplicates(struct job *j)
{
    struct ingest_case **sorted = mem_new(j->cases.count, sizeof *sorted);
    size_t n = 0, copies = 0;

    for (size_t i = 0; i < j->cases.count; i++)
        if (!j->cases.item[i].fault)
            sorted[n++] = &j->cases.item[i];
    qsort(sorted, n, sizeof *sorted, compare_hashes);
    for (size_t i = 1, first = 0; i < n; i++) {
        if (strcmp(sorted[i]->sha256, sorted[first]->sha256)) {
            first = i;
            continue;
        }
        treat_copy(j, sorted[first], sorted[i]);
        copies++;
    }
    free(sorted);
    return copies;
}

/* ---- one case ---- */

/* Its pixels on the way into the data set. */
struct pixels {
    struct image grey, mask; /* mask empty while there is none */
    struct dataset_source *source;
    size_t sources;
};

static bool read_grey(struct image *out, struct pixels *p, const struct ingest_cases *cases,
                      const struct dataset_source *as, struct err *err)
{
    struct dataset_source *s = &p->source[p->sources];
    struct buf bytes = BUF_INIT;
    char *path = file_join(cases->root, as->path);
    bool ok = file_read(&bytes, path, MAX_FILE_BYTES, err) && image_decode(out, bytes.data, bytes.len, err) &&
              image_to_grey(out, out, err);

    if (ok) {
        *s = *as;
        s->bytes = bytes.len;
        file_sha256_bytes(bytes.data, bytes.len, s->sha256);
        p->sources++;
    } else {
        struct err told = *err;
        err_set(err, told.kind, "%s", ingest_reason(&told, path));
    }
    buf_release(&bytes);
    free(path);
    return ok;
}

/* What counts as inside: half of the brightest value, so that a JPEG's ringing stays out; with values below
 * 16, which are numbers of regions rather than grey, everything but 0. */
static unsigned mask_threshold(const struct image *im)
{
    unsigned brightest = 0;

    for (size_t i = 0; i < image_pixels(im); i++) {
        unsigned v = im->type == IMAGE_U8 ? image_u8(im)[i] : image_u16(im)[i];
        brightest = v > brightest ? v : brightest;
    }
    return brightest < LABEL_LIKE ? 1 : (brightest + 1) / 2;
}

static bool unite_mask(struct pixels *p, const struct image *im, struct err *err)
{
    unsigned threshold = mask_threshold(im);

    if (im->width != p->grey.width || im->height != p->grey.height)
        return err_set(err, ERR_INPUT, "the mask is %d x %d pixels, the image %d x %d", im->width, im->height,
                       p->grey.width, p->grey.height);
    if (!p->mask.data && !image_new(&p->mask, im->width, im->height, 1, IMAGE_U8, err))
        return false;
    for (size_t i = 0; i < image_pixels(im); i++)
        if ((im->type == IMAGE_U8 ? image_u8(im)[i] : image_u16(im)[i]) >= threshold)
            image_u8(&p->mask)[i] = 255;
    return true;
}

static bool read_pixels(struct pixels *p, const struct ingest_cases *cases, const struct ingest_case *c,
                        struct err *err)
{
    struct image im = IMAGE_INIT;
    bool ok =
        read_grey(&p->grey, p, cases, &(struct dataset_source){.kind = "image", .path = c->image}, err) &&
        image_to_u16(&p->grey, &p->grey, err);

    for (size_t i = 0; i < c->masks && ok; i++) {
        ok = read_grey(&im, p, cases, &(struct dataset_source){.kind = "mask", .path = c->mask[i]}, err) &&
             unite_mask(p, &im, err);
        if (!ok)
            err_at(err, "%s", c->mask[i]);
    }
    image_release(&im);
    return ok;
}

static bool is_black(const struct image *mask)
{
    for (size_t i = 0; i < image_pixels(mask); i++)
        if (image_u8(mask)[i])
            return false;
    return true;
}

/* A picture with a finding but no region teaches a segmenting network that there is nothing. */
static void judge_mask(struct ingest_case *c, const struct pixels *p)
{
    bool black = !p->mask.data || is_black(&p->mask);

    if (c->label != LABEL_NORMAL && black)
        c->warning = mem_printf("%s: %s, but %s", c->image, data_label_name(c->label),
                                c->masks ? "its mask is all black" : "it has no mask");
    if (c->label == LABEL_NORMAL && !black)
        c->warning = mem_printf("%s: normal, but its mask is not black", c->image);
}

static bool ingest_one(void *job, size_t i, struct err *err)
{
    struct job *j = job;
    struct ingest_case *c = &j->cases.item[i];
    struct pixels p = {IMAGE_INIT, IMAGE_INIT, mem_new(c->masks + 1, sizeof *p.source), 0};
    struct err why = ERR_INIT;
    bool ok = true;

    if (!c->fault && !read_pixels(&p, &j->cases, c, &why))
        ingest_case_fault(c, "%s", why.text);
    if (!c->fault) {
        judge_mask(c, &p);
        ok = dataset_add(j->dataset,
                         &(struct dataset_case){.id = c->id,
                                                .patient = c->patient,
                                                .side = c->side,
                                                .view = c->view,
                                                .density = c->density,
                                                .assessment = c->assessment,
                                                .subtlety = c->subtlety,
                                                .part = c->part,
                                                .label = c->label,
                                                .grey = &p.grey,
                                                .mask = p.mask.data ? &p.mask : NULL,
                                                .source = p.source,
                                                .source_count = p.sources},
                         err);
    }
    image_release(&p.grey);
    image_release(&p.mask);
    free(p.source);
    return ok;
}

/* ---- the whole ---- */

static void tell_case(const struct job *j, const struct ingest_case *c, bool aloud)
{
    if (c->fault) {
        dataset_reject(j->dataset, c->image, c->fault);
        if (aloud)
            log_warn("left out: %s: %s", c->image, c->fault);
    }
    if (c->warning) {
        dataset_warn(j->dataset, c->warning);
        if (aloud)
            log_warn("%s", c->warning);
    }
}

/* In the cases' order, so that the log does not depend on threads. */
static void tell(const struct job *j, size_t copies)
{
    size_t lines = 0;

    for (size_t i = 0; i < j->cases.count; i++) {
        const struct ingest_case *c = &j->cases.item[i];

        tell_case(j, c, lines < MAX_LINES);
        lines += c->fault || c->warning;
    }
    if (lines > MAX_LINES)
        log_warn("%zu more of these; rejected.csv and dataset.json list them all", lines - MAX_LINES);
    if (copies && !j->in->drop_duplicates) {
        char *text = mem_printf(
            "%zu images are copies of others, byte for byte (--drop-duplicates leaves them out)", copies);
        log_warn("%s", text);
        dataset_warn(j->dataset, text);
        free(text);
    }
}

static struct dataset *begin(const struct job *j, struct err *err)
{
    json_t *options =
        json_pack("{s:s*, s:b}", "source", j->in->source, "drop_duplicates", (int)j->in->drop_duplicates);
    struct dataset_options o = {.command = "ingest folder",
                                .margin = j->in->margin,
                                .patients_unknown = j->cases.patients_unknown,
                                .options = options};
    struct dataset *d = dataset_begin(j->in->folder, &o, err);

    json_decref(options);
    return d;
}

bool ingest_folder(struct ingest_result *out, const struct ingest_folder *in, struct err *err)
{
    struct job j = {.in = in, .cases = INGEST_CASES_INIT};
    bool ok = false;

    if (!find_cases(&j.cases, in->source, err))
        goto out;
    j.dataset = begin(&j, err);
    if (!j.dataset || !parallel_for(j.cases.count, hash_image, &j, "hashes", err))
        goto out;
    ingest_cases_name(&j.cases);
    size_t copies = find_duplicates(&j);
    if (!parallel_for(j.cases.count, ingest_one, &j, "images", err))
        goto out;
    tell(&j, copies);
    if (!dataset_finish(j.dataset, err))
        goto out;
    *out = (struct ingest_result){dataset_count(j.dataset), copies, j.cases.patients_unknown};
    ok = true;
out:
    dataset_close(j.dataset);
    ingest_cases_release(&j.cases);
    return ok;
}
