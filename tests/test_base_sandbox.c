/* base/sandbox: whatever a worker does, the parent hears one line and goes on. */
#include "base/sandbox.h"

#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

enum deed {
    ANSWER,  /* head.value + 1 and a body of head.bytes bytes i * 7 + value */
    REVERSE, /* the request's body, backwards */
    SUM,     /* of the request's body, in head.value */
    REFUSE,  /* a failure of its own, with a newline in it */
    REFUSE_BARE,
    CRASH,
    ABORT,
    LOOP,
    SLEEP,
    BOMB_CLEAN, /* one allocation beyond the limit, reported */
    BOMB_WILD,  /* many, touched, until the process gives up */
    LEAVE,
    HALF, /* ends in the middle of an answer */
    NONSENSE,
    COUNT,        /* how many calls this worker has served */
    CRASH_SECOND, /* crashes unless it is the worker's first call */
    FILES,        /* number of open files */
    WRITE_FILE,   /* errno of a write to the file named in the body */
    SIGNALS       /* 1 when Ctrl-C is ignored */
};

struct head {
    int deed, value;
    size_t bytes;
};

static int served;

static int open_files(void)
{
    int n = 0;
    DIR *d = opendir("/proc/self/fd");

    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

static bool do_bytes(struct sandbox_message *answer, const struct sandbox_message *request)
{
    const struct head *in = request->head;
    struct head *out = answer->head;
    const unsigned char *from = request->body;
    const size_t n = in->deed == ANSWER ? in->bytes : request->body_bytes;
    unsigned char *to = n > 0 && in->deed != SUM ? malloc(n) : NULL;

    out->value = in->deed == SUM ? 0 : in->value + 1;
    for (size_t i = 0; i < n; i++) {
        if (in->deed == SUM)
            out->value += from[i];
        else
            to[i] = in->deed == ANSWER ? (unsigned char)(i * 7 + (size_t)in->value) : from[n - 1 - i];
    }
    answer->body = to;
    answer->body_bytes = to ? n : 0;
    return true;
}

static bool bomb(bool clean, struct err *err)
{
    if (clean)
        return mem_try((size_t)3 << 30, 1, err) != NULL;
    for (;;) {
        char *p = malloc(1 << 20);
        if (!p)
            abort();
        memset(p, 1, 1 << 20);
    }
}

static int write_file(const char *path)
{
    signal(SIGXFSZ, SIG_IGN);
    const int fd = open(path, O_WRONLY | O_CREAT, 0600);
    const ssize_t n = write(fd, "x", 1);
    return n == 1 ? 0 : errno;
}

static bool misbehave(int deed, struct err *err)
{
    static volatile int *nowhere;

    switch (deed) {
    case CRASH:
        signal(SIGSEGV, SIG_DFL); /* a sanitizer would end the process its own way */
        raise(SIGSEGV);
        return *nowhere;
    case ABORT:
        abort();
    case LOOP:
        for (;;)
            served++;
    case SLEEP:
        sleep(100);
        return true;
    case BOMB_CLEAN:
    case BOMB_WILD:
        return bomb(deed == BOMB_CLEAN, err);
    case LEAVE:
        _exit(7);
    case HALF: {
        char half[700] = {0};
        if (write(3, half, sizeof half) < 0)
            return false;
        _exit(0);
    }
    default: { /* NONSENSE: a head and a body of absurd sizes, no failure */
        uint64_t lie[400];
        memset(lie, 0x77, sizeof lie);
        if (write(3, lie, sizeof lie) < 0)
            return false;
        _exit(0);
    }
    }
}

static bool work(struct sandbox_message *answer, const struct sandbox_message *request, struct err *err)
{
    const struct head *in = request->head;
    struct head *out = answer->head;

    served++;
    switch (in->deed) {
    case ANSWER:
    case REVERSE:
    case SUM:
        return do_bytes(answer, request);
    case REFUSE:
        return err_set(err, ERR_INPUT, "no\nthank you %d", in->value);
    case REFUSE_BARE:
        return false;
    case COUNT:
        out->value = served;
        return true;
    case CRASH_SECOND:
        if (served > 1)
            return misbehave(CRASH, err);
        out->value = served;
        return true;
    case FILES:
        out->value = open_files();
        return true;
    case WRITE_FILE:
        out->value = write_file(request->body);
        return true;
    case SIGNALS: {
        struct sigaction a;
        sigaction(SIGINT, NULL, &a);
        out->value = a.sa_handler == SIG_IGN;
        return true;
    }
    default:
        return misbehave(in->deed, err);
    }
}

static const struct sandbox_spec SPEC = {.what = "test reader",
                                         .work = work,
                                         .memory_bytes = (size_t)64 << 20,
                                         .most_body_bytes = (size_t)100 << 20,
                                         .seconds = 120};

static bool call(struct sandbox *s, int deed, int value, int *result, struct err *err)
{
    struct head in = {deed, value, 0}, out = {-1, -1, 0};
    struct sandbox_message request = {&in, sizeof in, NULL, 0}, answer = {&out, sizeof out, NULL, 0};
    const bool ok = sandbox_call(s, &answer, &request, err);

    if (!ok)
        assert_int_equal(out.deed, -1); /* untouched */
    assert_null(answer.body);
    *result = out.value;
    return ok;
}

/* No child is left, neither running nor waiting to be reaped. */
static void no_children(void)
{
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void answers(void **state)
{
    struct sandbox *s = sandbox_new(&SPEC);
    struct err err = ERR_INIT;
    int n;

    (void)state;
    for (int i = 1; i <= 300; i++) {
        assert_true(call(s, COUNT, 0, &n, &err));
        assert_int_equal(n, i); /* one worker serves them all */
    }
    sandbox_free(s);
    sandbox_free(NULL);
    no_children();
}

static void large_answers_and_requests(void **state)
{
    static const size_t SIZES[] = {1, 1000, (1 << 20) + 3, (size_t)9 << 20};
    struct sandbox *s = sandbox_new(&SPEC);
    struct err err = ERR_INIT;

    (void)state;
    for (int i = 0; i < 4; i++) {
        struct head in = {ANSWER, i, SIZES[i]}, out = {0};
        struct sandbox_message request = {&in, sizeof in, NULL, 0}, answer = {&out, sizeof out, NULL, 0};
        assert_true(sandbox_call(s, &answer, &request, &err));
        assert_int_equal(out.value, i + 1);
        assert_int_equal(answer.body_bytes, SIZES[i]);
        for (size_t k = 0; k < SIZES[i]; k++)
            if (((unsigned char *)answer.body)[k] != (unsigned char)(k * 7 + (size_t)i))
                fail_msg("byte %zu", k);
        unsigned char *kept = answer.body;
        in.deed = REVERSE;
        request.body = kept;
        request.body_bytes = SIZES[i];
        answer.body = NULL;
        assert_true(sandbox_call(s, &answer, &request, &err));
        for (size_t k = 0; k < SIZES[i]; k++)
            if (((unsigned char *)answer.body)[k] != kept[SIZES[i] - 1 - k])
                fail_msg("byte %zu", k);
        free(answer.body);
        free(kept);
    }
    sandbox_free(s);
}

/* Each failure has its line, and the next call is served. */
static void failures(void **state)
{
    static const struct {
        int deed;
        enum err_kind kind;
        const char *text;
    } CASES[] = {
        {REFUSE, ERR_INPUT, "no thank you 5"},
        {REFUSE_BARE, ERR_FORMAT, "the test reader failed"},
        {CRASH, ERR_FORMAT, "the test reader crashed (Segmentation fault)"},
        {ABORT, ERR_FORMAT, "the test reader crashed (Aborted)"},
        {LEAVE, ERR_FORMAT, "the test reader ended without an answer (exit code 7)"},
        {HALF, ERR_FORMAT, "the test reader ended without an answer (exit code 0)"},
        {NONSENSE, ERR_FORMAT, "the test reader answered nonsense"},
    };
    struct sandbox *s = sandbox_new(&SPEC);
    int n;

    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct err err = ERR_INIT;
        assert_false(call(s, CASES[i].deed, 5, &n, &err));
        assert_string_equal(err.text, CASES[i].text);
        assert_int_equal(err.kind, CASES[i].kind);
        assert_true(call(s, COUNT, 0, &n, &err));
        assert_int_equal(n, 1); /* a fresh worker */
    }
    sandbox_free(s);
    no_children();
}

static void time_runs_out(void **state)
{
    struct sandbox_spec spec = SPEC;
    struct timespec begin, end;
    int n;

    (void)state;
    spec.seconds = .3;
    struct sandbox *s = sandbox_new(&spec);
    for (int i = 0; i < 2; i++) {
        struct err err = ERR_INIT;
        clock_gettime(CLOCK_MONOTONIC, &begin);
        assert_false(call(s, i ? SLEEP : LOOP, 0, &n, &err));
        clock_gettime(CLOCK_MONOTONIC, &end);
        assert_int_equal(err.kind, ERR_LIMIT);
        assert_string_equal(err.text, "the test reader took longer than 0.3 s");
        assert_true(end.tv_sec - begin.tv_sec < 10);
    }
    sandbox_free(s);
    no_children();
}

static void memory_runs_out(void **state)
{
    struct sandbox *s = sandbox_new(&SPEC);
    struct err err = ERR_INIT;
    int n;

    (void)state;
#ifdef __SANITIZE_ADDRESS__
    sandbox_free(s);
    skip(); /* it ends the process instead of returning NULL */
#endif
    assert_false(call(s, BOMB_CLEAN, 0, &n, &err));
    assert_string_equal(err.text, "not enough memory for 3221225472 x 1 bytes");
    assert_int_equal(err.kind, ERR_LIMIT);
    assert_false(call(s, BOMB_WILD, 0, &n, &err));
    assert_string_equal(err.text, "the test reader crashed (Aborted)");
    sandbox_free(s);
    no_children();
}

static void long_answers_are_refused(void **state)
{
    struct sandbox_spec spec = SPEC;
    struct err err = ERR_INIT;

    (void)state;
    spec.most_body_bytes = 1000;
    struct sandbox *s = sandbox_new(&spec);
    struct head in = {ANSWER, 0, 1001}, out = {0};
    struct sandbox_message request = {&in, sizeof in, NULL, 0}, answer = {&out, sizeof out, NULL, 0};
    assert_false(sandbox_call(s, &answer, &request, &err));
    assert_string_equal(err.text, "the test reader answered with 1001 bytes, at most 1000 are taken");
    in.bytes = 1000;
    assert_true(sandbox_call(s, &answer, &request, &err));
    free(answer.body);
    sandbox_free(s);
}

/* A worker that an earlier call left broken costs nobody a file: the call is tried once more on a new one. */
static void old_workers_get_a_second_chance(void **state)
{
    struct sandbox *s = sandbox_new(&SPEC);
    struct err err = ERR_INIT;
    int n;

    (void)state;
    assert_true(call(s, COUNT, 0, &n, &err));
    assert_true(call(s, CRASH_SECOND, 0, &n, &err));
    assert_int_equal(n, 1);
    sandbox_free(s);
    no_children();
}

static void workers_hold_nothing(void **state)
{
    struct sandbox *s = sandbox_new(&SPEC);
    struct err err = ERR_INIT;
    char path[64] = "/tmp/clearmass-sandbox-XXXXXX";
    const int extra = dup(0), before = open_files();
    int n;

    (void)state;
    assert_true(sandbox_start(s, 3, &err));
    assert_true(call(s, FILES, 0, &n, &err));
    assert_int_equal(n, 2 + 4 + 1); /* ".", "..", three streams and the socket, the listing itself */
    assert_true(call(s, SIGNALS, 0, &n, &err));
    assert_int_equal(n, 1);
    const int fd = mkstemp(path);
    struct head in = {WRITE_FILE, 0, 0}, out = {0};
    struct sandbox_message request = {&in, sizeof in, path, sizeof path},
                           answer = {&out, sizeof out, NULL, 0};
    assert_true(sandbox_call(s, &answer, &request, &err));
    assert_int_equal(out.value, EFBIG);
    close(fd);
    unlink(path);
    sandbox_free(s);
    assert_int_equal(open_files(), before);
    close(extra);
    no_children();
}

struct load {
    struct sandbox *s;
    int first, wrong;
};

static void *many_calls(void *context)
{
    struct load *l = context;

    for (int i = 0; i < 60; i++) {
        struct head in = {i % 20 == 7 ? CRASH : SUM, 0, 0}, out = {0};
        unsigned char bytes[3] = {(unsigned char)l->first, (unsigned char)i, 1};
        struct sandbox_message request = {&in, sizeof in, bytes, 3}, answer = {&out, sizeof out, NULL, 0};
        struct err err = ERR_INIT;
        const bool ok = sandbox_call(l->s, &answer, &request, &err);
        l->wrong += ok != (in.deed == SUM) || (ok && out.value != l->first + i + 1);
    }
    return NULL;
}

static void threads_share_a_sandbox(void **state)
{
    struct sandbox *s = sandbox_new(&SPEC);
    struct load load[6];
    pthread_t thread[6];
    const int before = open_files();

    (void)state;
#ifdef __SANITIZE_ADDRESS__
    sandbox_free(s); /* gcc 12's AddressSanitizer leaves its allocator locked in children of other threads */
    skip();
#endif
    for (int i = 0; i < 6; i++) {
        load[i] = (struct load){s, 30 * i, 0};
        assert_int_equal(pthread_create(&thread[i], NULL, many_calls, &load[i]), 0);
    }
    for (int i = 0; i < 6; i++) {
        pthread_join(thread[i], NULL);
        assert_int_equal(load[i].wrong, 0);
    }
    sandbox_free(s);
    assert_int_equal(open_files(), before);
    no_children();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(large_answers_and_requests),
        cmocka_unit_test(failures),
        cmocka_unit_test(time_runs_out),
        cmocka_unit_test(memory_runs_out),
        cmocka_unit_test(long_answers_are_refused),
        cmocka_unit_test(old_workers_get_a_second_chance),
        cmocka_unit_test(workers_hold_nothing),
        cmocka_unit_test(threads_share_a_sandbox),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
