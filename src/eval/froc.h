/* eval/froc.h: lesions found against false marks an image (free-response ROC, Bunch et al. 1978, DOI
 * 10.1117/12.955926).
 *
 * The matching rule. Marks are the regions of the map above FROC_CUT, pixels joined by sides or corners; a
 * mark's confidence is the sum of the map over it, its part of the score. Lesions are the regions of the true
 * mask. A mark finds a lesion when their intersection over union is FROC_OVERLAP or more. A lesion counts
 * once, with the largest confidence among the marks that find it; a mark that finds no lesion is false. All
 * at the network's size. */
#ifndef CLEARMASS_EVAL_FROC_H
#define CLEARMASS_EVAL_FROC_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define FROC_CUT     .5
#define FROC_OVERLAP .2

/* What was found on one image. */
struct marks {
    double *lesion; /* [lesions]: confidence of the mark that finds it, -INFINITY where none does */
    size_t lesions;
    double *wrong; /* [wrongs]: confidences of the false marks */
    size_t wrongs;
};
#define MARKS_INIT                                                                                           \
    {                                                                                                        \
        NULL, 0, NULL, 0                                                                                     \
    }

/* map [size, size] in 0..1, truth [size, size] 0 or not. Fails with ERR_LIMIT only. */
bool marks_find(struct marks *out, const float *map, const uint8_t *truth, int size, struct err *err);
void marks_release(struct marks *m);

struct froc_point {
    double false_per_image, sensitivity;
    double threshold; /* marks of this confidence or more are shown; INFINITY at the first point (0, 0) */
};

/* Every mark and every lesion found, ranked: highest confidence first. */
struct froc {
    struct froc_event *event; /* [events] */
    size_t events, images;
    size_t *lesions; /* [images] */
};

/* marks[images]: borrowed during the call only. */
void froc_make(struct froc *out, const struct marks *marks, size_t images);
void froc_release(struct froc *f);

/* Lesions, those found by any mark, false marks, over all images. */
struct froc_count {
    size_t lesions, found, wrong;
};
struct froc_count froc_count(const struct froc *f);

/* Points in rising order, at most f->events + 1; free() them. *count is 0, and the result NULL, without an
 * image or a lesion. */
struct froc_point *froc_curve(const struct froc *f, size_t *count);

/* Sensitivity at the lowest threshold that shows at most false_per_image false marks an image on the whole.
 */
struct froc_at {
    const struct froc *froc;
    double false_per_image;
};
/* As interval_statistic: an image counts weight[i] times, NULL once; the context is a const struct froc_at *.
 * NAN without a lesion. */
double froc_sensitivity(const void *at, const unsigned *weight);

#endif
