#include "eval/confusion.h"

#include <math.h>

static const char *const ANSWER[ANSWER_COUNT] = {
    [ANSWER_BENIGN] = "benign", [ANSWER_UNCERTAIN] = "uncertain", [ANSWER_MALIGNANT] = "malignant"};

const char *answer_name(enum answer a)
{
    return ANSWER[a];
}

enum answer band_answer(struct band b, double score)
{
    return score < b.low ? ANSWER_BENIGN : score > b.high ? ANSWER_MALIGNANT : ANSWER_UNCERTAIN;
}

void confusion_add(struct confusion *c, struct band b, double score, int malignant)
{
    c->n[malignant][score >= b.low]++;
    c->three[malignant][band_answer(b, score)]++;
}

double share_value(struct share s)
{
    return s.n > 0 ? (double)s.hits / (double)s.n : NAN;
}

static size_t row(const struct confusion *c, int actual)
{
    return c->n[actual][0] + c->n[actual][1];
}

static size_t all(const struct confusion *c)
{
    return row(c, 0) + row(c, 1);
}

struct share confusion_accuracy(const struct confusion *c)
{
    return (struct share){c->n[0][0] + c->n[1][1], all(c)};
}

struct share confusion_majority(const struct confusion *c)
{
    return (struct share){row(c, 0) > row(c, 1) ? row(c, 0) : row(c, 1), all(c)};
}

struct share confusion_sensitivity(const struct confusion *c)
{
    return (struct share){c->n[1][1], row(c, 1)};
}

struct share confusion_specificity(const struct confusion *c)
{
    return (struct share){c->n[0][0], row(c, 0)};
}

struct share confusion_ppv(const struct confusion *c)
{
    return (struct share){c->n[1][1], c->n[0][1] + c->n[1][1]};
}

struct share confusion_npv(const struct confusion *c)
{
    return (struct share){c->n[0][0], c->n[0][0] + c->n[1][0]};
}

struct share confusion_specificity_at_high(const struct confusion *c)
{
    return (struct share){c->three[0][ANSWER_BENIGN] + c->three[0][ANSWER_UNCERTAIN], row(c, 0)};
}

struct share confusion_uncertain(const struct confusion *c)
{
    return (struct share){c->three[0][ANSWER_UNCERTAIN] + c->three[1][ANSWER_UNCERTAIN], all(c)};
}

struct share confusion_missed(const struct confusion *c)
{
    return (struct share){c->three[1][ANSWER_BENIGN], row(c, 1)};
}

struct share confusion_called(const struct confusion *c)
{
    return (struct share){c->three[0][ANSWER_MALIGNANT], row(c, 0)};
}

struct share confusion_wrong_of_answered(const struct confusion *c)
{
    return (struct share){c->three[0][ANSWER_MALIGNANT] + c->three[1][ANSWER_BENIGN],
                          all(c) - c->three[0][ANSWER_UNCERTAIN] - c->three[1][ANSWER_UNCERTAIN]};
}

double confusion_f1(const struct confusion *c, int positive)
{
    const size_t hits = c->n[positive][positive], wrong = c->n[0][1] + c->n[1][0];

    return hits + wrong > 0 ? 2.0 * (double)hits / (double)(2 * hits + wrong) : NAN;
}

double confusion_f1_macro(const struct confusion *c)
{
    return (confusion_f1(c, 0) + confusion_f1(c, 1)) / 2;
}

double confusion_balanced_accuracy(const struct confusion *c)
{
    return (share_value(confusion_sensitivity(c)) + share_value(confusion_specificity(c))) / 2;
}
