/* eval/cases_opinions.h: every image of an evaluation judged by two networks. Inside eval/ only. */
#ifndef CLEARMASS_EVAL_CASES_OPINIONS_H
#define CLEARMASS_EVAL_CASES_OPINIONS_H

#include "eval/cases.h"
#include "eval/opinions.h"

/* Borrowed. */
struct consultation {
    struct predictor *predictor;
    struct adviser *adviser;
    struct band band;       /* of the predictor's score */
    const char *thresholds; /* where it comes from */
    const char *data;       /* the data set's folder */
    const char *folder;     /* gets what explain writes of the cases about which the networks disagree */
};

/* Fills score, opinions and regions of every case. Fails as cases_predict does. */
bool cases_consult(struct cases *cases, const struct consultation *c, struct err *err);

#endif
