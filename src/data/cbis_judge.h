/* data/cbis_judge.h: what a file of an abnormality is: its mask or its crop.
 *
 * No single name is trusted: bits, size, number of values, series description and the tables each have a
 * vote, and every vote that lost is told. In the archive the tables' order of mask and crop is wrong for
 * about half of the pairs, descriptions are wrong at times, and masks may have another pixel pitch than their
 * film. */
#ifndef CLEARMASS_DATA_CBIS_JUDGE_H
#define CLEARMASS_DATA_CBIS_JUDGE_H

#include "data/cbis.h"

enum cbis_witness { CBIS_BITS, CBIS_SIZE, CBIS_VALUES, CBIS_DESCRIPTION, CBIS_TABLE, CBIS_WITNESSES };
const char *cbis_witness_name(enum cbis_witness w); /* "bits", "size", ... */
const char *cbis_role_name(enum cbis_role role);    /* "full image", "crop", "mask" */

enum { CBIS_SILENT = -1 };

/* What is known of one file. */
struct cbis_evidence {
    int bits; /* allocated */
    int width, height;
    int full_width, full_height; /* of the film's image; 0 where there is none */
    int values;                  /* different samples: 1, 2, or 3 for more; 0 while unknown */
    const char *description;     /* of the series */
    int table;                   /* enum cbis_role the tables give it, or CBIS_SILENT */
};

struct cbis_verdict {
    enum cbis_role role;      /* CBIS_MASK or CBIS_CROP */
    int vote[CBIS_WITNESSES]; /* enum cbis_role or CBIS_SILENT */
    int given, lost;          /* votes, and those against the role */
};

/* The majority. A tie goes to the number of values, without it to the bits. */
struct cbis_verdict cbis_judge(const struct cbis_evidence *e);
/* "bits, size, values: mask; description: crop": who voted for what; free() it. */
char *cbis_verdict_text(const struct cbis_verdict *v);

/* The role a description names; CBIS_SILENT for another or none. Letters of any case. */
int cbis_description_role(const char *description);

/* How a mask of one size lies over an image of another. */
enum cbis_fit {
    CBIS_FITS,
    CBIS_SCALES, /* the aspects agree within 1 %: another pixel pitch */
    CBIS_MISFIT
};
enum cbis_fit cbis_fit(int width, int height, int full_width, int full_height);

#endif
