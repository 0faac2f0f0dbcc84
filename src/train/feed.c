#include "train/feed.h"

#include "base/mem.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

enum { BUFFERS = 2 };

struct feed {
    const struct source *source;
    size_t batch;
    float *input[BUFFERS], *truth[BUFFERS];
    struct feed_pass pass;
    pthread_t thread;
    bool running;
    size_t taken; /* batches handed out */

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    size_t filled;   /* batches made so far */
    size_t released; /* batches whose buffer may be used again */
    bool cancelled;
};

static size_t count_of(const struct feed *f)
{
    return (f->pass.n + f->batch - 1) / f->batch;
}

static struct source_batch batch_of(const struct feed *f, size_t k)
{
    size_t at = k * f->batch, left = f->pass.n - at;

    return (struct source_batch){.pass = f->pass.pass,
                                 .epoch = f->pass.epoch,
                                 .index = f->pass.order + at,
                                 .n = left < f->batch ? left : f->batch};
}

static void *fill_all(void *arg)
{
    struct feed *f = arg;
    size_t count = count_of(f);

    pthread_mutex_lock(&f->lock);
    for (size_t k = 0; k < count; k++) {
        while (!f->cancelled && k >= f->released + BUFFERS)
            pthread_cond_wait(&f->changed, &f->lock);
        if (f->cancelled)
            break;
        pthread_mutex_unlock(&f->lock);
        struct source_batch b = batch_of(f, k);
        f->source->fill(f->source->self, &b, f->input[k % BUFFERS], f->truth[k % BUFFERS]);
        pthread_mutex_lock(&f->lock);
        f->filled = k + 1;
        pthread_cond_broadcast(&f->changed);
    }
    pthread_mutex_unlock(&f->lock);
    return NULL;
}

struct feed *feed_new(const struct source *s, size_t batch)
{
    struct feed *f = mem_new(1, sizeof *f);
    f->source = s;
    f->batch = batch;
    for (int i = 0; i < BUFFERS; i++) {
        f->input[i] = mem_new(batch * source_input_size(s), sizeof(float));
        f->truth[i] = mem_new(batch * source_truth_size(s), sizeof(float));
    }
    pthread_mutex_init(&f->lock, NULL);
    pthread_cond_init(&f->changed, NULL);
    return f;
}

void feed_free(struct feed *f)
{
    if (!f)
        return;
    feed_stop(f);
    for (int i = 0; i < BUFFERS; i++) {
        free(f->input[i]);
        free(f->truth[i]);
    }
    pthread_mutex_destroy(&f->lock);
    pthread_cond_destroy(&f->changed);
    free(f);
}

void feed_start(struct feed *f, const struct feed_pass *pass)
{
    assert(!f->running);
    f->pass = *pass;
    f->filled = f->released = f->taken = 0;
    f->cancelled = false;
    f->running = true;
    int failed = pthread_create(&f->thread, NULL, fill_all, f);
    assert(!failed);
}

bool feed_next(struct feed *f, struct feed_batch *out)
{
    pthread_mutex_lock(&f->lock);
    size_t k = f->released = f->taken++; /* whatever was taken before comes back now */
    bool more = k < count_of(f);
    pthread_cond_broadcast(&f->changed);
    while (more && f->filled <= k)
        pthread_cond_wait(&f->changed, &f->lock);
    pthread_mutex_unlock(&f->lock);
    if (more) {
        struct source_batch b = batch_of(f, k);
        *out = (struct feed_batch){f->input[k % BUFFERS], f->truth[k % BUFFERS], b.index, b.n};
    }
    return more;
}

void feed_stop(struct feed *f)
{
    if (!f->running)
        return;
    pthread_mutex_lock(&f->lock);
    f->cancelled = true;
    pthread_cond_broadcast(&f->changed);
    pthread_mutex_unlock(&f->lock);
    pthread_join(f->thread, NULL);
    f->running = false;
}
