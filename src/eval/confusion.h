/* eval/confusion.h: counts of right and wrong answers and the shares made of them.
 *
 * Two classes: 0 benign (normal cases too), 1 malignant. A share whose denominator is 0 is NAN. */
#ifndef CLEARMASS_EVAL_CONFUSION_H
#define CLEARMASS_EVAL_CONFUSION_H

#include <stddef.h>

enum answer { ANSWER_BENIGN, ANSWER_UNCERTAIN, ANSWER_MALIGNANT, ANSWER_COUNT };

const char *answer_name(enum answer a); /* "benign", "uncertain", "malignant" */

/* Scores below low are benign, scores above high malignant, the others uncertain. low <= high. */
struct band {
    double low, high;
};
enum answer band_answer(struct band b, double score);

struct confusion {
    size_t n[2][2];     /* [actual][predicted]; malignant is predicted from low on */
    size_t three[2][3]; /* [actual][enum answer] */
};

/* Counts one case. malignant is the truth, 0 or 1. */
void confusion_add(struct confusion *c, struct band b, double score, int malignant);

/* A share with its two counts, for intervals. */
struct share {
    size_t hits, n;
};
double share_value(struct share s); /* hits / n, NAN when n is 0 */

struct share confusion_accuracy(const struct confusion *c);
struct share
confusion_majority(const struct confusion *c); /* accuracy of always answering the larger class */
struct share confusion_sensitivity(const struct confusion *c); /* of the malignant, those called malignant */
struct share confusion_specificity(const struct confusion *c); /* of the benign, those called benign */
struct share confusion_ppv(const struct confusion *c);         /* of those called malignant, the malignant */
struct share confusion_npv(const struct confusion *c);         /* of those called benign, the benign */
/* Of three answers: benign not called malignant; cases that got no answer; malignant called benign. */
struct share confusion_specificity_at_high(const struct confusion *c);
struct share confusion_uncertain(const struct confusion *c);
struct share confusion_missed(const struct confusion *c);
/* Benign called malignant; of the cases that got an answer, those with the wrong one. */
struct share confusion_called(const struct confusion *c);
struct share confusion_wrong_of_answered(const struct confusion *c);

/* 2 tp / (2 tp + fp + fn) with that class as the positive one. */
double confusion_f1(const struct confusion *c, int positive);
double confusion_f1_macro(const struct confusion *c); /* mean of both */
double confusion_balanced_accuracy(const struct confusion *c);

#endif
