/* report/sections.h: the parts of the report, in the order they stand on the page. */
#ifndef CLEARMASS_REPORT_SECTIONS_H
#define CLEARMASS_REPORT_SECTIONS_H

#include "base/buf.h"
#include "report/source.h"

/* What the result means, in plain words. Accuracy never stands without its interval and the majority class.
 */
void section_summary(struct buf *b, const struct source *s);
/* AUC and ROC, then for each set of thresholds: matrices, table, intervals, distribution of scores. */
void section_decisions(struct buf *b, const struct source *s);
/* Probabilities: reliability, ECE, Brier; risk against coverage. */
void section_calibration(struct buf *b, const struct source *s);
/* Precision-recall and FROC. */
void section_curves(struct buf *b, const struct source *s);
/* Images, breasts, patients; density, subtlety, view, assessment. */
void section_groups(struct buf *b, const struct source *s);
/* Dice and IoU of the masks, soft batch Dice apart. */
void section_overlap(struct buf *b, const struct source *s);
/* How a classifier's Grad-CAM agrees with the true regions. */
void section_cam(struct buf *b, const struct source *s);
/* What the run and a classifier say together. */
bool section_opinions(struct buf *b, const struct source *s, struct err *err);
/* What the scores are made of, place by place; see parts.h. */
void section_parts(struct buf *b, const struct source *s);
/* Example pictures: best, median and worst Dice, or the clearest crops; missed, falsely called, uncertain. */
bool section_examples(struct buf *b, const struct source *s, struct err *err);
/* What the model is for, was made from and does. */
void section_card(struct buf *b, const struct source *s);
/* Training, score and statistics as a paper would tell them. */
void section_method(struct buf *b, const struct source *s);
/* Data, hashes, options, program. */
void section_made(struct buf *b, const struct source *s);
/* Published results, named as the other tasks they are, and the limits. */
void section_beside(struct buf *b);
void section_limits(struct buf *b, const struct source *s);

#endif
