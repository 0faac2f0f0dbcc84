#include "train/schedule.h"

#include <math.h>

double plateau_next(struct plateau *p, double loss, double rate)
{
    if (loss < p->best - p->epsilon) {
        p->best = loss;
        p->wait = 0;
        return rate;
    }
    if (++p->wait < p->patience || rate <= p->min_rate)
        return rate;
    p->wait = 0;
    return fmax(rate * p->factor, p->min_rate);
}
