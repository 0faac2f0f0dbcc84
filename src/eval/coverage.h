/* eval/coverage.h: the error among the cases that get an answer against how many get one (risk-coverage
 * curve, El-Yaniv and Wiener 2010, jmlr.org/papers/v11/el-yaniv10a.html). */
#ifndef CLEARMASS_EVAL_COVERAGE_H
#define CLEARMASS_EVAL_COVERAGE_H

#include <stdbool.h>
#include <stddef.h>

struct coverage_cases {
    const double *confidence; /* [n]: the surest are answered first; not NAN */
    const bool *wrong;        /* [n]: whether the answer would be wrong */
    size_t n;
};

struct coverage_point {
    double coverage, risk; /* answered of all; wrong of the answered */
};
struct coverage_curve {
    struct coverage_point *point; /* [count]: rising coverage, cases of one confidence together; ends at 1 */
    size_t count;                 /* 0 without a case */
    double area;                  /* mean risk over the points, each weighing by its cases; NAN without one */
};

void coverage_make(struct coverage_curve *out, const struct coverage_cases *c);
void coverage_release(struct coverage_curve *c);

#endif
