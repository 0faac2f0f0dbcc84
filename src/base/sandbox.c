/* base/sandbox.c: see sandbox.h. One stream socket joins parent and worker; a message is a struct wire, the
 * head, the body. The worker's own words are checked like a stranger's. */
#include "base/sandbox.h"

#include "base/mem.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_IDLE = 64, CALLS_PER_WORKER = 2000, WORKER_FD = 3, SOCKET_BYTES = 1 << 20 };
static const size_t MOST_HEAD = 1 << 20, MOST_REQUEST = (size_t)5 << 30;

struct wire {
    uint64_t head_bytes, body_bytes;
    uint64_t answer_head_bytes; /* of a request: what the answer's head must have */
    struct err err;             /* of an answer; ERR_NONE: done */
};

struct worker {
    pid_t pid;
    int fd, calls;
};

struct sandbox {
    struct sandbox_spec spec;
    pthread_mutex_t lock; /* of what follows */
    struct worker idle[MOST_IDLE];
    int idle_count;
};

/* ---- The worker's side ---- */

/* Reads or writes all n bytes; false at the end of the stream. The socket blocks. */
static bool worker_move(char *bytes, size_t n, bool out)
{
    while (n > 0) {
        const ssize_t done = out ? send(WORKER_FD, bytes, n, MSG_NOSIGNAL) : recv(WORKER_FD, bytes, n, 0);
        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return false;
        bytes += done;
        n -= (size_t)done;
    }
    return true;
}

static size_t mapped_bytes(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");

    if (f && fscanf(f, "%lu", &pages) != 1)
        pages = 0;
    if (f)
        fclose(f);
    return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static void limit_set(int resource, rlim_t soft, rlim_t hard)
{
    struct rlimit now;

    if (getrlimit(resource, &now) != 0)
        return;
    now.rlim_max = hard < now.rlim_max ? hard : now.rlim_max;
    now.rlim_cur = soft < now.rlim_max ? soft : now.rlim_max;
    setrlimit((__rlimit_resource_t)resource, &now);
}

/* The limit counts from the process's start, so it is moved on before every call. */
static void limit_processor(double seconds)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    limit_set(RLIMIT_CPU, (rlim_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (rlim_t)ceil(seconds) + 2,
              RLIM_INFINITY);
}

static void worker_confine(const struct sandbox_spec *spec)
{
    const rlim_t memory = mapped_bytes() + spec->memory_bytes;

    limit_set(RLIMIT_AS, memory, memory);
    limit_set(RLIMIT_CORE, 0, 0);
    limit_set(RLIMIT_FSIZE, 0, 0);
    limit_processor(spec->seconds);
}

static void worker_detach(int fd)
{
    sigset_t none;
    const int null = open("/dev/null", O_RDWR);

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int s = 1; s < NSIG; s++)
        signal(s, SIG_DFL);  /* a handler of the parent's would go on with the parent's work */
    signal(SIGINT, SIG_IGN); /* Ctrl-C reaches the whole group: the parent decides */
    if (null < 0)
        _exit(1);
    const int socket = fcntl(fd, F_DUPFD, WORKER_FD); /* out of the way of 0, 1 and 2 */
    if (socket < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 ||
        dup2(socket, WORKER_FD) < 0 || close_range(WORKER_FD + 1, ~0U, 0) != 0)
        _exit(1);
}

static void *take(size_t bytes)
{
    void *p = bytes > 0 ? malloc(bytes) : NULL;

    if (bytes > 0 && (!p || !worker_move(p, bytes, false)))
        _exit(1);
    return p;
}

/* One call; false when the parent has gone. */
static bool worker_serve(const struct sandbox_spec *spec)
{
    struct wire in, out = {0};

    if (!worker_move((char *)&in, sizeof in, false))
        return false;
    struct sandbox_message request = {.head_bytes = in.head_bytes, .body_bytes = in.body_bytes};
    struct sandbox_message answer = {.head_bytes = in.answer_head_bytes};
    request.head = take(request.head_bytes);
    request.body = take(request.body_bytes);
    answer.head = mem_new(answer.head_bytes + 1, 1);
    limit_processor(spec->seconds);
    if (spec->work(&answer, &request, &out.err)) {
        out.err.kind = ERR_NONE;
        out.head_bytes = answer.head_bytes;
        out.body_bytes = answer.body ? answer.body_bytes : 0;
    } else if (out.err.kind == ERR_NONE) {
        err_set(&out.err, ERR_FORMAT, "the %s failed", spec->what);
    }
    const bool ok = worker_move((char *)&out, sizeof out, true) &&
                    worker_move(answer.head, out.head_bytes, true) &&
                    worker_move(answer.body, out.body_bytes, true);
    free(request.head);
    free(request.body);
    free(answer.head);
    free(answer.body);
    return ok;
}

static _Noreturn void worker_main(const struct sandbox_spec *spec, int fd)
{
    worker_detach(fd);
    worker_confine(spec);
    if (spec->prepare)
        spec->prepare();
    while (worker_serve(spec))
        ;
    _exit(0);
}

/* ---- The parent's side ---- */

static bool worker_new(struct worker *out, const struct sandbox_spec *spec, struct err *err)
{
    int pair[2], bytes = SOCKET_BYTES;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return err_errno(err);
    for (int i = 0; i < 2; i++)
        setsockopt(pair[i], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes); /* no harm when refused */
    const pid_t pid = fork();
    if (pid == 0)
        worker_main(spec, pair[1]);
    if (pid < 0)
        err_errno(err);
    close(pair[1]);
    if (pid < 0) {
        close(pair[0]);
        return err_at(err, "cannot start the %s", spec->what);
    }
    fcntl(pair[0], F_SETFL, O_NONBLOCK);
    *out = (struct worker){pid, pair[0], 0};
    return true;
}

/* Ends the worker for good. Returns its status as waitpid has it. */
static int worker_end(struct worker *w)
{
    int status = 0;

    kill(w->pid, SIGKILL); /* one that is dead already keeps the status it died with */
    close(w->fd);
    while (waitpid(w->pid, &status, 0) < 0 && errno == EINTR)
        ;
    w->pid = 0;
    return status;
}

static double now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

enum outcome { OUTCOME_DONE, OUTCOME_ENDED, OUTCOME_LATE };

struct conversation {
    struct worker *worker;
    double deadline_s;
    enum outcome outcome; /* the first that was not done */
};

/* Moves n bytes to or from the worker before the deadline. */
static bool parent_move(struct conversation *c, void *bytes, size_t n, bool out)
{
    struct pollfd p = {c->worker->fd, out ? POLLOUT : POLLIN, 0};
    char *at = bytes;

    while (n > 0) {
        const ssize_t done = out ? send(p.fd, at, n, MSG_NOSIGNAL) : recv(p.fd, at, n, 0);
        if (done > 0) {
            at += done;
            n -= (size_t)done;
            continue;
        }
        if (done == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)) {
            c->outcome = OUTCOME_ENDED;
            return false;
        }
        const double left_s = c->deadline_s - now_s();
        if (left_s <= 0) {
            c->outcome = OUTCOME_LATE;
            return false;
        }
        poll(&p, 1, left_s < 1000 ? (int)(left_s * 1e3) + 1 : 1000000);
    }
    return true;
}

static bool send_request(struct conversation *c, const struct sandbox_message *request, size_t answer_head)
{
    struct wire w = {.head_bytes = request->head_bytes,
                     .body_bytes = request->body_bytes,
                     .answer_head_bytes = answer_head};

    return parent_move(c, &w, sizeof w, true) && parent_move(c, request->head, request->head_bytes, true) &&
           parent_move(c, request->body, request->body_bytes, true);
}

static bool tell_end(const struct sandbox_spec *spec, enum outcome outcome, int status, struct err *err)
{
    if (outcome == OUTCOME_LATE || (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU))
        return err_set(err, ERR_LIMIT, "the %s took longer than %g s", spec->what, spec->seconds);
    if (!WIFSIGNALED(status))
        return err_set(err, ERR_FORMAT, "the %s ended without an answer (exit code %d)", spec->what,
                       WEXITSTATUS(status));
    const char *name = sigdescr_np(WTERMSIG(status));
    return err_set(err, ERR_FORMAT, "the %s crashed (%s)", spec->what, name ? name : "unknown signal");
}

static bool tell_report(const struct sandbox_spec *spec, struct wire *w, struct err *err)
{
    if (w->err.kind < ERR_NONE || w->err.kind > ERR_CANCELLED)
        return err_set(err, ERR_FORMAT, "the %s answered nonsense", spec->what);
    w->err.text[sizeof w->err.text - 1] = '\0';
    return err_set(err, w->err.kind, "%s", w->err.text);
}

/* The head goes to the caller only when everything has come. */
static bool take_answer(const struct sandbox_spec *spec, struct conversation *c,
                        struct sandbox_message *answer, struct err *err)
{
    struct wire w;
    void *head = NULL, *body = NULL;
    bool ok = false;

    if (!parent_move(c, &w, sizeof w, false))
        return false;
    if (w.err.kind != ERR_NONE)
        return tell_report(spec, &w, err);
    if (w.head_bytes != answer->head_bytes)
        return err_set(err, ERR_FORMAT, "the %s answered nonsense", spec->what);
    if (w.body_bytes > spec->most_body_bytes)
        return err_set(err, ERR_LIMIT, "the %s answered with %llu bytes, at most %zu are taken", spec->what,
                       (unsigned long long)w.body_bytes, spec->most_body_bytes);
    head = mem_new(w.head_bytes + 1, 1);
    if (w.body_bytes > 0 && !(body = malloc(w.body_bytes))) {
        err_set(err, ERR_LIMIT, "not enough memory for %zu bytes", (size_t)w.body_bytes);
        goto out;
    }
    ok = parent_move(c, head, w.head_bytes, false) && parent_move(c, body, w.body_bytes, false);
    if (!ok)
        goto out;
    if (w.head_bytes > 0)
        memcpy(answer->head, head, w.head_bytes);
    answer->body = body;
    answer->body_bytes = w.body_bytes;
    body = NULL;
out:
    free(head);
    free(body);
    return ok;
}

struct sandbox *sandbox_new(const struct sandbox_spec *spec)
{
    struct sandbox *s = mem_new(1, sizeof *s);

    assert(spec->what && spec->work && spec->memory_bytes > 0 && spec->seconds > 0);
    s->spec = *spec;
    pthread_mutex_init(&s->lock, NULL);
    return s;
}

void sandbox_free(struct sandbox *s)
{
    if (!s)
        return;
    for (int i = 0; i < s->idle_count; i++)
        worker_end(&s->idle[i]);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

static bool idle_take(struct sandbox *s, struct worker *out)
{
    pthread_mutex_lock(&s->lock);
    const bool found = s->idle_count > 0;
    if (found)
        *out = s->idle[--s->idle_count];
    pthread_mutex_unlock(&s->lock);
    return found;
}

static void idle_put(struct sandbox *s, struct worker *w)
{
    pthread_mutex_lock(&s->lock);
    const bool room = s->idle_count < MOST_IDLE && w->calls < CALLS_PER_WORKER;
    if (room)
        s->idle[s->idle_count++] = *w;
    pthread_mutex_unlock(&s->lock);
    if (!room)
        worker_end(w);
}

bool sandbox_start(struct sandbox *s, int count, struct err *err)
{
    assert(count <= MOST_IDLE);
    while (s->idle_count < count) {
        struct worker w;
        if (!worker_new(&w, &s->spec, err))
            return false;
        idle_put(s, &w);
    }
    return true;
}

static bool call_once(struct sandbox *s, struct sandbox_message *answer,
                      const struct sandbox_message *request, struct conversation *c, struct err *err)
{
    struct worker *w = c->worker;

    if (send_request(c, request, answer->head_bytes) && take_answer(&s->spec, c, answer, err)) {
        idle_put(s, w);
        return true;
    }
    const int status = worker_end(w);
    return c->outcome == OUTCOME_DONE ? false : tell_end(&s->spec, c->outcome, status, err);
}

bool sandbox_call(struct sandbox *s, struct sandbox_message *answer, const struct sandbox_message *request,
                  struct err *err)
{
    struct worker w;

    assert(request->head_bytes <= MOST_HEAD && answer->head_bytes <= MOST_HEAD);
    if (request->body_bytes > MOST_REQUEST)
        return err_set(err, ERR_LIMIT, "%zu bytes are too many for the %s", request->body_bytes,
                       s->spec.what);
    bool again = idle_take(s, &w); /* an old worker's death may be an earlier file's fault */
    for (;;) {
        struct conversation c = {&w, now_s() + s->spec.seconds, OUTCOME_DONE};
        if (!again && !worker_new(&w, &s->spec, err))
            return false;
        w.calls++;
        if (call_once(s, answer, request, &c, err))
            return true;
        if (!again || c.outcome != OUTCOME_ENDED)
            return false;
        again = false;
    }
}
