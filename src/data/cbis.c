#include "data/cbis.h"

#include "base/mem.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const char *const KIND[CBIS_KINDS] = {"mass", "calc"};

struct word {
    const char *text;
    int value;
};

static const struct word KINDS[] = {{"Mass-", CBIS_MASS}, {"Calc-", CBIS_CALC}, {NULL, 0}};
static const struct word PARTS[] = {{"Training_", PART_TRAIN}, {"Test_", PART_TEST}, {NULL, 0}};
static const struct word SIDES[] = {{"_LEFT_", false}, {"_RIGHT_", true}, {NULL, 0}};
static const struct word VIEWS[] = {{"CC", false}, {"MLO", true}, {NULL, 0}};

enum { PATIENT_DIGITS = 5, MOST_DIGITS = 9, MOST_ABNORMALITY_DIGITS = 3 };

const char *cbis_kind_name(enum cbis_kind kind)
{
    return KIND[kind];
}

/* Takes one of the words at *at. */
static bool take_word(const char **at, const struct word *words, int *value)
{
    for (; words->text; words++) {
        size_t n = strlen(words->text);
        if (!strncasecmp(*at, words->text, n)) {
            *at += n;
            *value = words->value;
            return true;
        }
    }
    return false;
}

/* Takes "P_00001". */
static bool take_patient(const char **at, char patient[CBIS_PATIENT_TEXT])
{
    if (strncasecmp(*at, "P_", 2))
        return false;
    size_t digits = strspn(*at + 2, "0123456789");
    if (digits < PATIENT_DIGITS || digits > MOST_DIGITS)
        return false;
    snprintf(patient, CBIS_PATIENT_TEXT, "P_%.*s", (int)digits, *at + 2);
    *at += 2 + digits;
    return true;
}

/* Takes "_3" when a number from 1 follows. */
static int take_abnormality(const char **at)
{
    size_t digits = **at == '_' ? strspn(*at + 1, "0123456789") : 0;
    int n = digits && digits <= MOST_ABNORMALITY_DIGITS ? atoi(*at + 1) : 0;

    if (n > 0)
        *at += 1 + digits;
    return n;
}

static void name_film(struct cbis_name *n)
{
    snprintf(n->film, sizeof n->film, "%s%s%s%s%s", KINDS[n->kind].text,
             PARTS[n->part == PART_TRAIN ? 0 : 1].text, n->patient, SIDES[n->right].text, VIEWS[n->mlo].text);
}

bool cbis_name_parse(struct cbis_name *out, const char *text)
{
    struct cbis_name n = {.abnormality = 0};
    int kind, part, right, mlo;

    if (!take_word(&text, KINDS, &kind) || !take_word(&text, PARTS, &part) ||
        !take_patient(&text, n.patient) || !take_word(&text, SIDES, &right) || !take_word(&text, VIEWS, &mlo))
        return false;
    n.kind = (enum cbis_kind)kind;
    n.part = (enum data_part)part;
    n.right = right;
    n.mlo = mlo;
    n.abnormality = take_abnormality(&text);
    if (isalnum((unsigned char)*text))
        return false;
    name_film(&n);
    *out = n;
    return true;
}

bool cbis_name_same(const struct cbis_name *a, const struct cbis_name *b)
{
    return !strcmp(a->film, b->film) && a->abnormality == b->abnormality;
}

void cbis_name_text(const struct cbis_name *n, char text[CBIS_NAME_TEXT])
{
    if (n->abnormality)
        snprintf(text, CBIS_NAME_TEXT, "%.40s_%d", n->film, n->abnormality % 1000);
    else
        snprintf(text, CBIS_NAME_TEXT, "%s", n->film);
}

/* ---- unique identifiers ---- */

static int compare_uids(const void *a, const void *b)
{
    return strcmp(((const struct cbis_uid *)a)->uid, ((const struct cbis_uid *)b)->uid);
}

/* Sorted items with the same uid become one; those that mean two things at once are dropped. */
static void unite_uids(struct cbis_uids *u)
{
    size_t kept = 0;

    for (size_t first = 0, end; first < u->count; first = end) {
        struct cbis_uid one = u->item[first];
        bool clear = true;
        for (end = first + 1; end < u->count && !strcmp(u->item[end].uid, one.uid); end++) {
            clear =
                clear && u->item[end].series == one.series && cbis_name_same(&u->item[end].name, &one.name);
            one.roles |= u->item[end].roles;
        }
        if (clear)
            u->item[kept++] = one;
    }
    u->count = kept;
}

void cbis_uids_collect(struct cbis_uids *out, const struct cbis_tables *t)
{
    struct cbis_uids u = {mem_new(t->rows * CBIS_ROLES * 2, sizeof *u.item), 0};

    for (size_t i = 0; i < t->rows; i++) {
        for (int role = 0; role < CBIS_ROLES; role++) {
            const struct cbis_path *p = &t->row[i].path[role];
            struct cbis_uid uid = {.name = t->row[i].name, .roles = 1U << role};
            if (role == CBIS_FULL)
                uid.name.abnormality = 0;
            uid.uid = p->study;
            if (*uid.uid)
                u.item[u.count++] = uid;
            uid.uid = p->series;
            uid.series = true;
            if (*uid.uid)
                u.item[u.count++] = uid;
        }
    }
    qsort(u.item, u.count, sizeof *u.item, compare_uids);
    unite_uids(&u);
    *out = u;
}

const struct cbis_uid *cbis_uids_find(const struct cbis_uids *u, const char *uid)
{
    struct cbis_uid key = {.uid = uid};

    return *uid && u->count ? bsearch(&key, u->item, u->count, sizeof *u->item, compare_uids) : NULL;
}

void cbis_uids_release(struct cbis_uids *u)
{
    free(u->item);
    *u = (struct cbis_uids){NULL, 0};
}

/* ---- patients in two parts ---- */

static int compare_patients(const void *a, const void *b)
{
    return strcmp((*(const struct cbis_name *const *)a)->patient,
                  (*(const struct cbis_name *const *)b)->patient);
}

size_t cbis_leaks_find(struct cbis_leak **out, const struct cbis_name *const *name, size_t n)
{
    const struct cbis_name **sorted = mem_new(n, sizeof *sorted);
    size_t leaks = 0;

    *out = mem_new(n, sizeof **out);
    for (size_t i = 0; i < n; i++)
        sorted[i] = name[i];
    qsort(sorted, n, sizeof *sorted, compare_patients);
    for (size_t first = 0, end; first < n; first = end) {
        struct cbis_leak leak = {.train = {false}};
        bool train = false, test = false;
        memcpy(leak.patient, sorted[first]->patient, sizeof leak.patient);
        for (end = first; end < n && !strcmp(sorted[end]->patient, leak.patient); end++) {
            bool is_test = sorted[end]->part == PART_TEST;
            (is_test ? leak.test : leak.train)[sorted[end]->kind] = true;
            test = test || is_test;
            train = train || !is_test;
        }
        if (train && test)
            (*out)[leaks++] = leak;
    }
    free(sorted);
    return leaks;
}
