#include "eval/strangers.h"

#include "base/log.h"
#include "base/mem.h"
#include "data/leak.h"
#include "data/leak_picture.h"

#include <stdlib.h>
#include <string.h>

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The patients of the items that are in, sorted, each once; those called like their image are not known. */
static const char **patients(size_t *n, const struct manifest *m, const bool *in)
{
    const char **name = mem_new(m->count + 1, sizeof *name);
    size_t all = 0;

    *n = 0;
    for (size_t i = 0; i < m->count; i++)
        if ((!in || in[i]) && strcmp(m->item[i].patient, m->item[i].id) != 0)
            name[all++] = m->item[i].patient;
    qsort(name, all, sizeof *name, by_text);
    for (size_t i = 0; i < all; i++)
        if (*n == 0 || strcmp(name[*n - 1], name[i]) != 0)
            name[(*n)++] = name[i];
    return name;
}

/* Keeps in a what is in b too; both sorted. Returns how many. */
static size_t common(const char **a, size_t n_a, const char *const *b, size_t n_b)
{
    size_t n = 0;

    for (size_t i = 0, k = 0; i < n_a; i++) {
        while (k < n_b && strcmp(b[k], a[i]) < 0)
            k++;
        if (k < n_b && strcmp(b[k], a[i]) == 0)
            a[n++] = a[i];
    }
    return n;
}

struct leaks {
    const char **patient;
    struct leak_pair *pair;
    size_t patients, pairs;
};

static bool find_leaks(struct leaks *out, const struct manifest *own, const bool *learnt,
                       const struct manifest *data, struct err *err)
{
    struct likeness *l_own = NULL, *l_data = NULL;
    size_t n_own, n_data;
    const bool ok = likeness_read(&l_own, own, err) && likeness_read(&l_data, data, err);

    if (ok) {
        const char **theirs = patients(&n_data, data, NULL);
        out->patient = patients(&n_own, own, learnt);
        out->patients = common(out->patient, n_own, theirs, n_data);
        out->pairs = leak_pairs(&out->pair, &(struct leak_side){own, l_own, learnt},
                                &(struct leak_side){data, l_data, NULL});
        free(theirs);
    }
    free(l_own);
    free(l_data);
    return ok;
}

static json_t *leaks_json(const struct leaks *l, bool checked)
{
    json_t *names = json_array(), *pairs = json_array();

    for (size_t i = 0; i < l->patients; i++)
        json_array_append_new(names, json_string(l->patient[i]));
    for (size_t i = 0; i < l->pairs; i++)
        json_array_append_new(pairs, json_pack("[s, s]", l->pair[i].first, l->pair[i].second));
    return json_pack("{s:b, s:o, s:o}", "checked", checked, "patients", names, "same_pictures", pairs);
}

/* "1 patient (P1)" or "2 pictures (a = b, c = d)"; free() it. */
static char *counted(size_t n, const char *what, const char *names)
{
    return mem_printf("%zu %s%s (%s)", n, what, n == 1 ? "" : "s", names);
}

static bool judge(const struct leaks *l, const char *folder, bool allow, struct err *err)
{
    if (l->patients + l->pairs == 0)
        return true;
    char *names = leak_text(l->patient, l->patients), *pairs = leak_pairs_text(l->pair, l->pairs),
         *patients = counted(l->patients, "patient", names), *pictures = counted(l->pairs, "picture", pairs),
         *all = mem_printf("%s%s%s", l->patients > 0 ? patients : "",
                           l->patients > 0 && l->pairs > 0 ? " and " : "", l->pairs > 0 ? pictures : "");
    const bool one = l->patients + l->pairs == 1;

    if (allow)
        log_warn("LEAK ALLOWED: %s: %s that the run learnt from %s here too, so results flatter", folder, all,
                 one ? "is" : "are");
    else
        err_set(
            err, ERR_INPUT,
            "%s: %s that the run learnt from %s here too, so results would flatter; --allow-leak measures "
            "all the same%s",
            folder, all, one ? "is" : "are",
            l->pairs > 0 ? "" : ", as where these are other people by the same names");
    free(names);
    free(pairs);
    free(patients);
    free(pictures);
    free(all);
    return allow;
}

static bool *learnt_items(const struct split *s)
{
    bool *in = mem_new(s->count + 1, sizeof *in);

    for (size_t i = 0; i < s->count; i++)
        in[i] = s->part[i] == PART_TRAIN || s->part[i] == PART_VALIDATION;
    return in;
}

bool strangers_check(json_t **found, const struct manifest *data, const struct run *run, bool allow,
                     struct err *err)
{
    struct manifest own = MANIFEST_INIT;
    struct split split = SPLIT_INIT;
    struct leaks leaks = {0};
    bool *learnt = NULL, ok = true;

    if (!manifest_read(&own, run->data_path, NULL) || strcmp(own.sha256, run->manifest_sha256) != 0) {
        log_warn("%s, which the run was trained on, is not there as it was: whether it shares patients or "
                 "pictures "
                 "with %s cannot be checked",
                 *run->data_path ? run->data_path : "its data set", data->folder);
        *found = leaks_json(&leaks, false);
        goto out;
    }
    ok = run_split(&split, run, &own, err);
    if (ok) {
        learnt = learnt_items(&split);
        ok = find_leaks(&leaks, &own, learnt, data, err) && judge(&leaks, data->folder, allow, err);
    }
    if (ok)
        *found = leaks_json(&leaks, true);
out:
    free(learnt);
    free(leaks.patient);
    free(leaks.pair);
    split_release(&split);
    manifest_release(&own);
    return ok;
}
