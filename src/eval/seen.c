#include "eval/seen.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Texts that can be asked for. */
struct names {
    const char **of; /* [count], borrowed */
    size_t count;
};

static int compare(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool has(const struct names *n, const char *text)
{
    return *text && n->count > 0 && bsearch(&text, n->of, n->count, sizeof *n->of, compare);
}

/* What the run's own data set tells. */
struct learned {
    struct names all, trained,
        patients; /* hashes of all images; those of training images, and their patients */
};

static void learned_make(struct learned *l, const struct manifest *m, const struct split *s)
{
    l->all.of = mem_new(m->count + 1, sizeof *l->all.of);
    l->trained.of = mem_new(m->count + 1, sizeof *l->trained.of);
    l->patients.of = mem_new(m->count + 1, sizeof *l->patients.of);
    for (size_t i = 0; i < m->count; i++) {
        l->all.of[l->all.count++] = m->item[i].image_sha256;
        if (s->part[i] != PART_TRAIN)
            continue;
        l->trained.of[l->trained.count++] = m->item[i].image_sha256;
        l->patients.of[l->patients.count++] = m->item[i].patient;
    }
    qsort(l->all.of, l->all.count, sizeof *l->all.of, compare);
    qsort(l->trained.of, l->trained.count, sizeof *l->trained.of, compare);
    qsort(l->patients.of, l->patients.count, sizeof *l->patients.of, compare);
}

static void learned_release(struct learned *l)
{
    free(l->all.of);
    free(l->trained.of);
    free(l->patients.of);
}

/* A patient of m with a training image's hash, or, in a set of one source, with a training patient's name. */
static void mark(bool *seen, const struct manifest *m, const struct learned *l)
{
    struct names patients = {mem_new(m->count + 1, sizeof *patients.of), 0};
    bool one_source = false;

    for (size_t i = 0; i < m->count; i++) {
        one_source |= has(&l->all, m->item[i].image_sha256);
        if (has(&l->trained, m->item[i].image_sha256))
            patients.of[patients.count++] = m->item[i].patient;
    }
    qsort(patients.of, patients.count, sizeof *patients.of, compare);
    for (size_t i = 0; i < m->count; i++)
        seen[i] |=
            has(&patients, m->item[i].patient) || (one_source && has(&l->patients, m->item[i].patient));
    free(patients.of);
}

static bool read_own(struct manifest *own, const struct run *run, struct err *err)
{
    struct err why = ERR_INIT;

    if (manifest_read(own, run->data_path, &why))
        return true;
    return err_set(err, ERR_INPUT, "which images %s learned from cannot be told: %.600s", run->folder,
                   why.text);
}

bool seen_mark(bool *seen, const struct manifest *m, const struct run *run, struct err *err)
{
    struct manifest own = MANIFEST_INIT;
    struct split split = SPLIT_INIT;
    struct learned l = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
    bool ok = false;

    if (!strcmp(m->sha256, run->manifest_sha256)) {
        if (!run_split(&split, run, m, err))
            return false;
        for (size_t i = 0; i < m->count; i++)
            seen[i] |= split.part[i] == PART_TRAIN;
        split_release(&split);
        return true;
    }
    if (read_own(&own, run, err) && run_split(&split, run, &own, err)) {
        learned_make(&l, &own, &split);
        mark(seen, m, &l);
        ok = true;
    }
    learned_release(&l);
    split_release(&split);
    manifest_release(&own);
    return ok;
}
