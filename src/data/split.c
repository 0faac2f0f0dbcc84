#include "data/split.h"

#include "base/csv.h"
#include "base/mem.h"
#include "base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One person's images: a run of items in an order sorted by name. */
struct person {
    const char *name;
    size_t first, count; /* in struct people.order */
    uint64_t key;        /* its place in the draw */
    enum data_label label;
    bool test;
};

struct people {
    const struct manifest *manifest;
    const char *const *name; /* whose an item is; NULL: its patient's */
    size_t *order;           /* indices of items, sorted by name */
    struct person *person;
    size_t count;
};

static const char *name_of(const struct people *p, size_t i)
{
    return p->name ? p->name[i] : p->manifest->item[i].patient;
}

static int compare_items(const void *a, const void *b, void *people)
{
    const struct people *p = people;
    const struct manifest *m = p->manifest;
    size_t i = *(const size_t *)a, k = *(const size_t *)b;
    int by_name = strcmp(name_of(p, i), name_of(p, k));
    bool test_i = m->item[i].part == PART_TEST, test_k = m->item[k].part == PART_TEST;

    return by_name ? by_name : test_i != test_k ? test_i - test_k : (i > k) - (i < k);
}

static int compare_keys(const void *a, const void *b)
{
    const struct person *p = a, *q = b;

    return p->key != q->key ? (p->key > q->key) - (p->key < q->key) : strcmp(p->name, q->name);
}

/* FNV-1a, 64 bits (Fowler, Noll, Vo). */
static uint64_t hash_text(const char *text)
{
    uint64_t h = 0xcbf29ce484222325u;

    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 0x100000001b3u;
    return h;
}

/* A patient counts as its gravest image, so that malignant ones, the fewest, are shared out well. */
static enum data_label graver(enum data_label a, enum data_label b)
{
    static const int GRAVITY[LABEL_COUNT] = {[LABEL_NORMAL] = 0, [LABEL_BENIGN] = 1, [LABEL_MALIGNANT] = 2};

    return GRAVITY[a] > GRAVITY[b] ? a : b;
}

static void people_release(struct people *p)
{
    free(p->order);
    free(p->person);
}

/* A patient of the official test part who has other images too counts as two people. */
static void people_find(struct people *out, const struct manifest *m, const char *const *name, uint64_t seed)
{
    struct people p = {.manifest = m,
                       .name = name,
                       .order = mem_new(m->count + 1, sizeof *p.order),
                       .person = mem_new(m->count + 1, sizeof *p.person)};

    for (size_t i = 0; i < m->count; i++)
        p.order[i] = i;
    qsort_r(p.order, m->count, sizeof *p.order, compare_items, &p);
    for (size_t i = 0; i < m->count; i++) {
        const struct data_item *item = &m->item[p.order[i]];
        struct person *who = p.count ? &p.person[p.count - 1] : NULL;
        bool test = item->part == PART_TEST;
        const char *name_here = name_of(&p, p.order[i]);

        if (!who || strcmp(who->name, name_here) || who->test != test) {
            struct rng rng = rng_at(seed, RNG_SPLIT, hash_text(name_here), 0);
            p.person[p.count++] = (struct person){name_here, i, 1, rng_u64(&rng), item->label, test};
            continue;
        }
        who->count++;
        who->label = graver(who->label, item->label);
    }
    qsort(p.person, p.count, sizeof *p.person, compare_keys);
    *out = p;
}

static void put_person(struct split *s, const struct people *p, const struct person *who, enum data_part part)
{
    for (size_t i = 0; i < who->count; i++)
        s->part[p->order[who->first + i]] = part;
}

/* Takes people in their order as long as each brings the number of images nearer to the one wanted. */
static void draw_label(struct split *s, const struct people *p, enum data_label label, double share)
{
    double wanted = 0, taken = 0;

    for (size_t i = 0; i < p->count; i++)
        if (!p->person[i].test && p->person[i].label == label)
            wanted += share * (double)p->person[i].count;
    for (size_t i = 0; i < p->count; i++) {
        const struct person *who = &p->person[i];

        if (who->test || who->label != label)
            continue;
        if (fabs(taken + (double)who->count - wanted) < fabs(taken - wanted)) {
            put_person(s, p, who, PART_VALIDATION);
            taken += (double)who->count;
        } else {
            put_person(s, p, who, PART_TRAIN);
        }
    }
}

bool split_make(struct split *out, const struct manifest *m, const char *const *name, double share,
                uint64_t seed, struct err *err)
{
    struct people p = {0};
    struct split s = {mem_new(m->count + 1, sizeof *s.part), m->count};
    bool ok = false;

    if (!(share > 0 && share < 1)) {
        err_set(err, ERR_INPUT, "the share of validation images must lie between 0 and 1");
        goto out;
    }
    people_find(&p, m, name, seed);
    for (size_t i = 0; i < m->count; i++)
        s.part[i] = PART_TEST;
    for (int label = 0; label < LABEL_COUNT; label++)
        draw_label(&s, &p, (enum data_label)label, share);
    if (!split_count(&s, PART_TRAIN) || !split_count(&s, PART_VALIDATION)) {
        err_set(err, ERR_INPUT, "too few patients (%zu, %zu images) to put a share of %g into validation",
                p.count, m->count, share);
        goto out;
    }
    split_release(out);
    *out = s;
    s = (struct split)SPLIT_INIT;
    ok = true;
out:
    people_release(&p);
    split_release(&s);
    return ok;
}

/* Row of id in a table of unique rows, or -1; the usual case is the manifest's own order. */
static ptrdiff_t find_row(const struct csv *t, int column, const char *id, size_t guess)
{
    if (guess < t->count && !strcmp(csv_get(t, guess, column), id))
        return (ptrdiff_t)guess;
    for (size_t i = 0; i < t->count; i++)
        if (!strcmp(csv_get(t, i, column), id))
            return (ptrdiff_t)i;
    return -1;
}

static bool read_parts(struct split *s, const struct manifest *m, const struct csv *t, struct err *err)
{
    int id = csv_column(t, "id"), patient = csv_column(t, "patient"), part = csv_column(t, "part");

    if (id < 0 || patient < 0 || part < 0)
        return err_set(err, ERR_FORMAT, "columns id, patient and part are wanted");
    for (size_t i = 0; i < m->count; i++) {
        const struct data_item *item = &m->item[i];
        ptrdiff_t row = find_row(t, id, item->id, i);

        if (row < 0)
            return err_set(err, ERR_INPUT, "'%s' of the data set is missing", item->id);
        if (strcmp(csv_get(t, (size_t)row, patient), item->patient))
            return err_set(err, ERR_INPUT, "'%s' has another patient in the data set", item->id);
        if (!data_part_parse(csv_get(t, (size_t)row, part), &s->part[i]) || s->part[i] == PART_NONE)
            return err_set(err, ERR_FORMAT, "line %zu: part '%s' is not known", t->row[row].line,
                           csv_get(t, (size_t)row, part));
    }
    if (t->count != m->count)
        return err_set(err, ERR_INPUT, "%zu rows for %zu images of the data set", t->count, m->count);
    return true;
}

static bool check_people(const struct split *s, const struct manifest *m, struct err *err)
{
    struct people p = {.manifest = m};
    size_t *order = mem_new(m->count + 1, sizeof *order);
    bool ok = true;

    for (size_t i = 0; i < m->count; i++)
        order[i] = i;
    qsort_r(order, m->count, sizeof *order, compare_items, &p);
    const struct data_item *last = NULL; /* official test images, which may be of anybody, aside */
    for (size_t i = 0; i < m->count && ok; i++) {
        const struct data_item *b = &m->item[order[i]];
        if (b->part == PART_TEST && s->part[order[i]] == PART_TEST)
            continue;
        if (last && !strcmp(last->patient, b->patient) && s->part[last - m->item] != s->part[order[i]])
            ok =
                err_set(err, ERR_INPUT, "'%s' and '%s' are of one patient but in two parts", last->id, b->id);
        last = b;
    }
    free(order);
    return ok;
}

bool split_read(struct split *out, const struct manifest *m, const char *path, char sha256[FILE_SHA256_TEXT],
                struct err *err)
{
    struct split s = {mem_new(m->count + 1, sizeof *s.part), m->count};
    struct csv t = CSV_INIT;
    char hash[FILE_SHA256_TEXT];
    bool ok = false;

    if (!csv_read(&t, path, err) || !file_sha256(path, hash, err))
        goto out;
    if (!read_parts(&s, m, &t, err) || !check_people(&s, m, err)) {
        err_at(err, "%s", path);
        goto out;
    }
    if (sha256)
        memcpy(sha256, hash, sizeof hash);
    split_release(out);
    *out = s;
    s = (struct split)SPLIT_INIT;
    ok = true;
out:
    csv_release(&t);
    split_release(&s);
    return ok;
}

bool split_write(const struct split *s, const struct manifest *m, const char *path,
                 char sha256[FILE_SHA256_TEXT], struct err *err)
{
    struct buf b = BUF_INIT;
    bool ok;

    csv_put(&b, "id");
    csv_put(&b, "patient");
    csv_put(&b, "part");
    csv_put_end(&b);
    for (size_t i = 0; i < s->count; i++) {
        csv_put(&b, m->item[i].id);
        csv_put(&b, m->item[i].patient);
        csv_put(&b, data_part_name(s->part[i]));
        csv_put_end(&b);
    }
    ok = file_write(path, b.data, b.len, err);
    if (ok && sha256)
        file_sha256_bytes(b.data, b.len, sha256);
    buf_release(&b);
    return ok;
}

void split_release(struct split *s)
{
    free(s->part);
    *s = (struct split)SPLIT_INIT;
}

size_t split_count(const struct split *s, enum data_part part)
{
    size_t count = 0;

    for (size_t i = 0; i < s->count; i++)
        count += s->part[i] == part;
    return count;
}
