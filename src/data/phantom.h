/* data/phantom.h: synthetic mammograms with known truth.
 *
 * A case is one patient: one breast of some density seen in one or two views, with one mass (or none, or
 * two). What a
 * case is follows from (seed, patient) alone and each view from (seed, patient, view), so neither the number
 * of cases nor of threads changes a picture. Pictures are drawn as light on a film, from the inside out: fat
 * and glandular tissue shaped by power-law noise, strands, vessels, the mass, the film's curve, grain, label
 * and borders. They teach a program and exercise a pipeline; they are not patients, and nothing measured on
 * them says anything about patients. */
#ifndef CLEARMASS_DATA_PHANTOM_H
#define CLEARMASS_DATA_PHANTOM_H

#include "data/manifest.h"
#include "image/image.h"

#include <stdint.h>

enum phantom_projection { PHANTOM_CC, PHANTOM_MLO, PHANTOM_PROJECTIONS };
enum { PHANTOM_MIN_HEIGHT = 256, PHANTOM_MAX_HEIGHT = 4096, PHANTOM_MAX_CASES = 100000 };
enum { PHANTOM_MOST_MASSES = 2 };

struct phantom_options {
    size_t cases;
    uint64_t seed;
    int height;             /* pixels, in the range above; the width is 5/8 of it */
    double malignant_share; /* of the cases with a mass, in [0, 1] */
    double normal_share;    /* of all cases, in [0, 1] */
    double several_share;   /* of the cases with a mass: those with a second one */
    double test_share;      /* of the cases of each label: the official test part; 0: no parts are told */
    bool view[PHANTOM_PROJECTIONS];
};

/* 120 cases of seed 1, 1024 rows, half of them malignant, no normal ones, one mass each, no parts, both
 * views. */
struct phantom_options phantom_defaults(void);
/* False with a reason when a value makes no sense. */
bool phantom_check(const struct phantom_options *o, struct err *err);

enum phantom_mass_kind {
    PHANTOM_ROUND,
    PHANTOM_OVAL,
    PHANTOM_LOBULATED,
    PHANTOM_IRREGULAR,
    PHANTOM_SPICULATED
};

struct phantom_mass {
    enum data_label label; /* LABEL_BENIGN or LABEL_MALIGNANT */
    enum phantom_mass_kind kind;
    int subtlety;         /* 1 hard to see to 5 obvious */
    int assessment;       /* BI-RADS 2 to 5, plausible for the label */
    double area_share;    /* of the image, the core */
    double from_nipple;   /* distance from the nipple, as a share of depth */
    double spicule_reach; /* how far spicules go, in core radii from the centre */
};

/* What is the same in both views of a patient. Lengths are in image heights unless told otherwise. */
struct phantom_case {
    size_t index;
    char patient[16];      /* "P0001" */
    enum data_label label; /* malignant with any malignant mass */
    enum data_part part;   /* PART_NONE, PART_TRAIN or PART_TEST */
    bool right;            /* which breast */
    int density;           /* BI-RADS 1 to 4 */
    int subtlety;          /* the largest of the masses'; 0 without one */
    int assessment;        /* the largest of the masses'; 1 without one */
    double depth;          /* chest wall to nipple */
    double reach;          /* half of the breast's height in CC */
    int masses;            /* 0, 1 or 2; the first is what several_share 0 gives */
    struct phantom_mass mass[PHANTOM_MOST_MASSES];
};

void phantom_case_make(struct phantom_case *c, const struct phantom_options *o, size_t index);

const char *phantom_projection_name(enum phantom_projection view); /* "CC", "MLO" */
const char *phantom_side_name(const struct phantom_case *c);       /* "left", "right" */

struct phantom_picture {
    struct image grey; /* U16 */
    struct image mask; /* U8, 0 or 255: the cores of the masses without spicules; all 0 for a normal case */
    struct image core; /* U8: bit k is set in the core of mass k */
};
#define PHANTOM_PICTURE_INIT                                                                                 \
    {                                                                                                        \
        IMAGE_INIT, IMAGE_INIT, IMAGE_INIT                                                                   \
    }

/* Draws one view. Replaces out on success. Fails with ERR_LIMIT only. */
bool phantom_render(struct phantom_picture *out, const struct phantom_options *o,
                    const struct phantom_case *c, enum phantom_projection view, struct err *err);
void phantom_picture_release(struct phantom_picture *p);

struct phantom_counts {
    size_t images, by_label[LABEL_COUNT];
};

/* Makes the data set folder, on every core, showing progress. */
bool phantom_write(struct phantom_counts *counts, const char *folder, const struct phantom_options *o,
                   struct err *err);

#endif
