#include "base/parallel.h"

#include "base/mem.h"
#include "base/progress.h"
#include "base/stop.h"

#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

enum { MAX_THREADS = 64 };

struct crew {
    size_t n, next, done;
    parallel_work *work;      /* or */
    parallel_sure_work *sure; /* this, and work is NULL */
    void *context;
    struct progress *progress; /* NULL: silent */
    pthread_mutex_t lock;      /* guards next, done, failed, err and the progress */
    bool failed;
    size_t failed_item;
    struct err err;
};

/* Every item below a failed one has begun and is finished, so the failure kept is the lowest whatever the
 * threads do. */
static void note_result(struct crew *c, size_t i, bool ok, const struct err *err)
{
    pthread_mutex_lock(&c->lock);
    if (!ok && (!c->failed || i < c->failed_item)) {
        c->failed = true;
        c->failed_item = i;
        c->err = *err;
    }
    c->done++;
    if (c->progress)
        progress_step(c->progress, c->done, NULL);
    pthread_mutex_unlock(&c->lock);
}

static bool take_item(struct crew *c, size_t *i)
{
    bool taken = false;

    pthread_mutex_lock(&c->lock);
    if (!c->failed && c->next < c->n) {
        *i = c->next++;
        taken = true;
    }
    pthread_mutex_unlock(&c->lock);
    return taken;
}

static bool do_item(struct crew *c, size_t i, struct err *err)
{
    if (c->sure) {
        c->sure(c->context, i);
        return true;
    }
    return stop_requested() ? err_set(err, ERR_CANCELLED, "interrupted") : c->work(c->context, i, err);
}

static void *run_thread(void *crew)
{
    struct crew *c = crew;
    size_t i;

    while (take_item(c, &i)) {
        struct err err = ERR_INIT;
        bool ok = do_item(c, i, &err);
        note_result(c, i, ok, &err);
    }
    return NULL;
}

static size_t core_count(void)
{
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) ? 1 : CPU_COUNT(&set);

    return count < 1 ? 1 : count > MAX_THREADS ? MAX_THREADS : (size_t)count;
}

/* The calling thread is one of the crew; where no other can be had it does everything. */
static void run_crew(struct crew *c)
{
    pthread_t thread[MAX_THREADS];
    size_t wanted = core_count(), started = 0;

    pthread_mutex_init(&c->lock, NULL);
    if (wanted > c->n)
        wanted = c->n;
    while (started + 1 < wanted && !pthread_create(&thread[started], NULL, run_thread, c))
        started++;
    run_thread(c);
    for (size_t k = 0; k < started; k++)
        pthread_join(thread[k], NULL);
    pthread_mutex_destroy(&c->lock);
}

bool parallel_for(size_t n, parallel_work *work, void *context, const char *what, struct err *err)
{
    struct progress progress;
    struct crew c = {.n = n, .work = work, .context = context, .progress = what ? &progress : NULL};

    if (what)
        progress_begin(&progress, what, n);
    run_crew(&c);
    if (what)
        progress_end(&progress, c.failed ? "stopped" : NULL);
    if (c.failed && err)
        *err = c.err;
    return !c.failed;
}

void parallel_each(size_t n, parallel_sure_work *work, void *context)
{
    run_crew(&(struct crew){.n = n, .sure = work, .context = context});
}
