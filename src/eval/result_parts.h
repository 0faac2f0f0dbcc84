/* eval/result_parts.h: what the files that make result.json share. Inside eval/ only. */
#ifndef CLEARMASS_EVAL_RESULT_PARTS_H
#define CLEARMASS_EVAL_RESULT_PARTS_H

#include "eval/interval.h"
#include "eval/result.h"

/* The cases that were read, and whose they are. */
struct sample {
    const struct eval_case **of; /* [n] */
    size_t *group;               /* [n]: the patient */
    size_t n, groups;
    uint64_t seed;
};
void sample_make(struct sample *s, const struct cases *c, uint64_t seed);
void sample_release(struct sample *s);
bool case_is_malignant(const struct eval_case *k);

/* By patients. */
struct interval sample_bootstrap(const struct sample *s, interval_statistic *statistic, const void *context);
/* Several statistics of the same draws. */
void sample_bootstrap_all(struct interval *out, const struct measured *of, size_t count,
                          const struct sample *s);
/* Mean of value[s->n], NAN where a case has none. */
struct interval sample_mean(const struct sample *s, const double *value);

/* A number that could not be computed is null. */
json_t *number_json(double v);
json_t *interval_json(struct interval i); /* {"value", "low", "high"} */

/* "unreadable": ids and errors of the cases that could not be read. */
json_t *result_unreadable(const struct cases *c);

/* "overlap": Dice and IoU of the maps; soft Dice over batches of so many images. */
json_t *result_overlap(const struct sample *s, size_t batch);

/* "cannot_tell": sentences on what such cases leave open, whatever numbers there are; [] where nothing is.
 * unit: "image" or "crop". */
json_t *result_cannot_tell(const struct sample *s, const char *unit);

/* "cam": how Grad-CAM agrees with the true regions. */
json_t *result_cam(const struct sample *s);

#endif
