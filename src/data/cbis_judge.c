#include "data/cbis_judge.h"

#include "base/buf.h"

#include <stdlib.h>
#include <string.h>

static const char *const WITNESS[CBIS_WITNESSES] = {"bits", "size", "values", "description", "table"};
static const char *const ROLE[CBIS_ROLES] = {"full image", "crop", "mask"};

static const double ASPECT_TOLERANCE = .01;

const char *cbis_witness_name(enum cbis_witness w)
{
    return WITNESS[w];
}

const char *cbis_role_name(enum cbis_role role)
{
    return ROLE[role];
}

int cbis_description_role(const char *description)
{
    static const struct {
        const char *word;
        enum cbis_role role;
    } WORDS[] = {{"mask", CBIS_MASK}, {"crop", CBIS_CROP}, {"full", CBIS_FULL}};

    for (size_t i = 0; i < sizeof WORDS / sizeof *WORDS; i++)
        if (strcasestr(description, WORDS[i].word))
            return (int)WORDS[i].role;
    return CBIS_SILENT;
}

enum cbis_fit cbis_fit(int width, int height, int full_width, int full_height)
{
    double ratio = ((double)width / full_width) / ((double)height / full_height);

    if (width == full_width && height == full_height)
        return CBIS_FITS;
    return ratio > 1 - ASPECT_TOLERANCE && ratio < 1 + ASPECT_TOLERANCE ? CBIS_SCALES : CBIS_MISFIT;
}

/* A mask has the film's size or, at another pitch, more than half of it; a crop is what is smaller. */
static int size_vote(const struct cbis_evidence *e)
{
    if (!e->full_width)
        return CBIS_SILENT;
    if (cbis_fit(e->width, e->height, e->full_width, e->full_height) != CBIS_MISFIT &&
        2 * e->width >= e->full_width)
        return CBIS_MASK;
    return e->width <= e->full_width && e->height <= e->full_height ? CBIS_CROP : CBIS_SILENT;
}

static int bits_vote(const struct cbis_evidence *e)
{
    return e->bits == 1 || e->bits == 8 ? CBIS_MASK : e->bits == 16 ? CBIS_CROP : CBIS_SILENT;
}

static int values_vote(const struct cbis_evidence *e)
{
    return !e->values ? CBIS_SILENT : e->values <= 2 ? CBIS_MASK : CBIS_CROP;
}

struct cbis_verdict cbis_judge(const struct cbis_evidence *e)
{
    struct cbis_verdict v = {.role = CBIS_CROP};
    int votes[CBIS_ROLES] = {0};

    v.vote[CBIS_BITS] = bits_vote(e);
    v.vote[CBIS_SIZE] = size_vote(e);
    v.vote[CBIS_VALUES] = values_vote(e);
    v.vote[CBIS_DESCRIPTION] = cbis_description_role(e->description);
    v.vote[CBIS_TABLE] = e->table;
    for (int w = 0; w < CBIS_WITNESSES; w++) {
        if (v.vote[w] == CBIS_SILENT)
            continue;
        votes[v.vote[w]]++;
        v.given++;
    }
    if (votes[CBIS_MASK] != votes[CBIS_CROP])
        v.role = votes[CBIS_MASK] > votes[CBIS_CROP] ? CBIS_MASK : CBIS_CROP;
    else
        v.role = (enum cbis_role)(v.vote[CBIS_VALUES] != CBIS_SILENT ? v.vote[CBIS_VALUES]
                                  : v.vote[CBIS_BITS] != CBIS_SILENT ? v.vote[CBIS_BITS]
                                                                     : CBIS_CROP);
    v.lost = v.given - votes[v.role];
    return v;
}

char *cbis_verdict_text(const struct cbis_verdict *v)
{
    static const enum cbis_role ORDER[CBIS_ROLES] = {CBIS_MASK, CBIS_CROP, CBIS_FULL};
    struct buf b = BUF_INIT;

    for (int k = 0; k < CBIS_ROLES; k++) {
        bool any = false;
        for (int w = 0; w < CBIS_WITNESSES; w++) {
            if (v->vote[w] != (int)ORDER[k])
                continue;
            buf_addf(&b, "%s%s", any ? ", " : b.len ? "; " : "", WITNESS[w]);
            any = true;
        }
        if (any)
            buf_addf(&b, ": %s", ROLE[ORDER[k]]);
    }
    if (!b.len)
        buf_adds(&b, "nothing is known");
    return b.data;
}
