#include "data/leak_picture.h"

#include "base/buf.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_TEXT = 500 };

static bool same_picture(const struct leak_side *a, size_t i, const struct leak_side *b, size_t k)
{
    const char *sha = a->m->item[i].image_sha256;

    return (*sha && !strcmp(sha, b->m->item[k].image_sha256)) ||
           likeness_of(&a->likeness[i], &b->likeness[k]) >= LIKENESS_SAME;
}

size_t leak_pairs(struct leak_pair **out, const struct leak_side *a, const struct leak_side *b)
{
    size_t n = 0, room = 16;
    struct leak_pair *pair = mem_grow(NULL, room, sizeof *pair);

    for (size_t i = 0; i < a->m->count; i++) {
        if (a->in && !a->in[i])
            continue;
        for (size_t k = 0; k < b->m->count; k++) {
            if ((b->in && !b->in[k]) || !same_picture(a, i, b, k))
                continue;
            if (n == room)
                pair = mem_grow(pair, room *= 2, sizeof *pair);
            pair[n++] = (struct leak_pair){a->m->item[i].id, b->m->item[k].id};
        }
    }
    *out = pair;
    return n;
}

/* Everybody known by one of two names is known by the one that sorts first. */
static void join_groups(const char **name, size_t n, const char *a, const char *b)
{
    const char *first = strcmp(a, b) < 0 ? a : b, *other = first == a ? b : a;

    for (size_t i = 0; i < n; i++)
        if (!strcmp(name[i], other))
            name[i] = first;
}

size_t leak_groups(const char ***out, const struct manifest *m, const struct likeness *likeness)
{
    const struct leak_side all = {m, likeness, NULL};
    const char **name = mem_new(m->count + 1, sizeof *name);
    size_t joined = 0;

    for (size_t i = 0; i < m->count; i++)
        name[i] = m->item[i].patient;
    for (size_t i = 0; i < m->count; i++) {
        for (size_t k = i + 1; k < m->count && m->item[i].part != PART_TEST; k++) {
            if (m->item[k].part == PART_TEST || !strcmp(name[i], name[k]) || !same_picture(&all, i, &all, k))
                continue;
            join_groups(name, m->count, name[i], name[k]);
            joined++;
        }
    }
    *out = name;
    return joined;
}

static bool *items_of(const struct split *s, enum data_part a, enum data_part b)
{
    bool *in = mem_new(s->count + 1, sizeof *in);

    for (size_t i = 0; i < s->count; i++)
        in[i] = s->part[i] == a || s->part[i] == b;
    return in;
}

size_t leak_split_pairs(struct leak_pair **out, const struct split *s, const struct manifest *m,
                        const struct likeness *likeness)
{
    bool *train = items_of(s, PART_TRAIN, PART_TRAIN),
         *validation = items_of(s, PART_VALIDATION, PART_VALIDATION),
         *learnt = items_of(s, PART_TRAIN, PART_VALIDATION), *test = items_of(s, PART_TEST, PART_TEST);
    struct leak_pair *more;
    size_t n =
        leak_pairs(out, &(struct leak_side){m, likeness, learnt}, &(struct leak_side){m, likeness, test});
    const size_t n_more = leak_pairs(&more, &(struct leak_side){m, likeness, train},
                                     &(struct leak_side){m, likeness, validation});

    *out = mem_grow(*out, n + n_more + 1, sizeof **out);
    memcpy(*out + n, more, n_more * sizeof *more);
    free(more);
    free(train);
    free(validation);
    free(learnt);
    free(test);
    return n + n_more;
}

char *leak_pairs_text(const struct leak_pair *pair, size_t n)
{
    struct buf b = BUF_INIT;
    size_t i = 0;

    for (; i < n && b.len + strlen(pair[i].first) + strlen(pair[i].second) < MOST_TEXT; i++)
        buf_addf(&b, "%s%s = %s", i ? ", " : "", pair[i].first, pair[i].second);
    if (i < n)
        buf_addf(&b, "%s%zu more", i ? " and " : "", n - i);
    return b.data ? b.data : mem_copy_string("");
}
