/* train/schedule.h: a learning rate that falls when a loss stops falling: Keras' ReduceLROnPlateau, mode min,
 * without cooldown (keras/callbacks.py 2.2.4). */
#ifndef CLEARMASS_TRAIN_SCHEDULE_H
#define CLEARMASS_TRAIN_SCHEDULE_H

struct plateau {
    double factor;   /* the rate is multiplied by it, in (0, 1) */
    int patience;    /* epochs without a better loss before that */
    double epsilon;  /* better means lower by more than this */
    double min_rate; /* never below */
    /* what is carried from epoch to epoch */
    double best; /* INFINITY before the first */
    int wait;
};

/* After an epoch with this loss: the rate for the next. */
double plateau_next(struct plateau *p, double loss, double rate);

#endif
