/* train/feed.h: the next batch is made in a thread of its own while the network works on this one. */
#ifndef CLEARMASS_TRAIN_FEED_H
#define CLEARMASS_TRAIN_FEED_H

#include "train/source.h"

/* One pass: order[n] cut into batches; the last may be smaller. */
struct feed_pass {
    enum source_pass pass;
    uint64_t epoch;
    const size_t *order; /* borrowed until feed_stop */
    size_t n;
};

/* Borrowed until the next feed_next or feed_stop. Room is always for a whole batch; beyond n items it holds
 * leftovers. */
struct feed_batch {
    const float *input, *truth;
    const size_t *index; /* [n] */
    size_t n;
};

struct feed;

struct feed *feed_new(const struct source *s, size_t batch);
void feed_free(struct feed *f);

void feed_start(struct feed *f, const struct feed_pass *pass);
/* False when the pass is over. */
bool feed_next(struct feed *f, struct feed_batch *out);
/* Ends a pass, also in the middle. Harmless when none runs. */
void feed_stop(struct feed *f);

#endif
