/* progress.h, log.h and stop.h: what reaches standard error, in a log and on a (pseudo) terminal. */
#include "base/log.h"
#include "base/progress.h"
#include "base/stop.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <cmocka.h>

static char seen[65536];

/* Reads until the writer is gone; a pseudo terminal says that with an error. */
static void drain(int fd)
{
    size_t n = 0;
    ssize_t got;

    while (n < sizeof seen - 1 && (got = read(fd, seen + n, sizeof seen - 1 - n)) > 0)
        n += (size_t)got;
    seen[n] = '\0';
}

/* Runs what() in a child whose standard error is a pipe or a terminal of that many columns; fills seen,
 * returns the wait status. */
static int watch(void (*what)(void), int columns)
{
    int reader, writer, ends[2];

    if (columns) {
        struct winsize size = {.ws_row = 24, .ws_col = (unsigned short)columns};
        reader = posix_openpt(O_RDWR | O_NOCTTY);
        assert_true(reader >= 0 && grantpt(reader) == 0 && unlockpt(reader) == 0);
        writer = open(ptsname(reader), O_RDWR | O_NOCTTY);
        assert_true(writer >= 0);
        assert_int_equal(ioctl(writer, TIOCSWINSZ, &size), 0);
    } else {
        assert_int_equal(pipe(ends), 0);
        reader = ends[0];
        writer = ends[1];
    }
    pid_t child = fork();
    if (child == 0) {
        dup2(writer, STDERR_FILENO);
        close(writer);
        close(reader);
        what();
        _exit(0);
    }
    int status;
    close(writer);
    drain(reader);
    waitpid(child, &status, 0);
    close(reader);
    return status;
}

static int occurrences(const char *what)
{
    int n = 0;

    for (const char *s = seen; (s = strstr(s, what)); s += strlen(what))
        n++;
    return n;
}

static void clock_texts(void **state)
{
    (void)state;
    static const struct {
        double seconds;
        const char *text;
    } known[] = {{0, "0 s"},
                 {-3, "0 s"},
                 {7.4, "7 s"},
                 {59.4, "59 s"},
                 {59.6, "1 min 00 s"},
                 {200, "3 min 20 s"},
                 {3599.4, "59 min 59 s"},
                 {3599.7, "1 h 00 min"},
                 {3900, "1 h 05 min"},
                 {90000, "25 h 00 min"},
                 {1e300, "10000 h 00 min"}};
    char text[32];

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        clock_text(known[i].seconds, text, sizeof text);
        assert_string_equal(text, known[i].text);
    }
    clock_text(0.0 / 0.0, text, sizeof text);
    assert_string_equal(text, "0 s");
    double before = clock_seconds();
    usleep(20000);
    double passed = clock_seconds() - before;
    assert_true(passed > 0.015 && passed < 5);
}

static void work_logged(void)
{
    struct progress p;

    progress_begin(&p, "training", 100000);
    for (size_t i = 1; i <= 100000; i++)
        progress_step(&p, i, "loss -0.53");
    progress_end(&p, "done well");
}

static void a_log_gets_few_lines(void **state)
{
    (void)state;

    assert_int_equal(watch(work_logged, 0), 0);
    assert_int_equal(occurrences("\n"), 1);
    assert_string_equal(seen, "training: 100000/100000 in 0 s, done well\n");
}

static void work_half_an_hour(void)
{
    struct progress p;

    progress_begin(&p, "reading", 4);
    p.started_s -= 600; /* as if ten minutes had passed */
    p.shown_s -= 31;
    progress_step(&p, 1, NULL);
    progress_step(&p, 2, NULL);
    p.shown_s -= 31;
    progress_step(&p, 9, "late");
}

static void a_log_gets_a_line_every_half_minute(void **state)
{
    (void)state;

    assert_int_equal(watch(work_half_an_hour, 0), 0);
    assert_string_equal(seen, "reading: 25%, 1/4, about 30 min 00 s left\nreading: 100%, 4/4, late\n");
}

static void work_on_terminal(void)
{
    struct progress p;

    progress_begin(&p, "training", 200);
    for (size_t i = 1; i <= 200; i++) {
        progress_step(&p, i, "loss -0.53");
        if (i == 100)
            log_warn("case %d is odd", 7);
        usleep(2000);
    }
    progress_end(&p, NULL);
}

static void a_terminal_gets_a_bar(void **state)
{
    (void)state;

    assert_int_equal(watch(work_on_terminal, 120), 0);
    assert_memory_equal(seen, "\r\033[Ktraining [........................]   0% 1/200, about ", 58);
    assert_non_null(strstr(seen, " left, loss -0.53"));
    assert_non_null(strstr(seen, "\r\033[Kwarning: case 7 is odd\r\n"));
    /* 0.4 s and more of work, at most ten bars a second, whatever the machine's pace */
    assert_in_range(occurrences("loss -0.53"), 3, 60);
    assert_int_equal(occurrences("\n"), 2);
    assert_non_null(strstr(seen, "\r\033[Ktraining: 200/200 in "));
}

static void work_on_narrow_terminal(void)
{
    struct progress p;

    progress_begin(&p, "a long name of what is done here", 0);
    progress_step(&p, 0, "and a note that is far too long for the line");
    progress_clear();
    progress_clear();
}

static void a_bar_never_wraps(void **state)
{
    (void)state;

    assert_int_equal(watch(work_on_narrow_terminal, 40), 0);
    assert_int_equal(occurrences("\r\033[K"), 2);
    assert_int_equal(strlen(seen), 2 * 4 + 39);
    assert_int_equal(occurrences("\n"), 0);
}

static void three_lines(void)
{
    log_info("%s", "read");
    log_warn("slow");
    log_error("a.tif: %s", "broken");
}

static void log_lines(void **state)
{
    (void)state;

    assert_int_equal(watch(three_lines, 0), 0);
    assert_string_equal(seen, "read\nwarning: slow\nclearmass: a.tif: broken\n");
}

static void ask_once(void)
{
    stop_install();
    if (stop_requested())
        _exit(1);
    raise(SIGTERM);
    _exit(stop_requested() ? 0 : 2);
}

static void ask_twice(void)
{
    stop_install();
    raise(SIGINT);
    raise(SIGTERM);
    _exit(3);
}

static void first_signal_asks_second_ends(void **state)
{
    (void)state;

    assert_int_equal(watch(ask_once, 0), 0);
    assert_string_equal(seen, "\nstopping after this step; once more to stop at once\n");
    int status = watch(ask_twice, 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    assert_int_equal(occurrences("stopping"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clock_texts),
        cmocka_unit_test(a_log_gets_few_lines),
        cmocka_unit_test(a_log_gets_a_line_every_half_minute),
        cmocka_unit_test(a_terminal_gets_a_bar),
        cmocka_unit_test(a_bar_never_wraps),
        cmocka_unit_test(log_lines),
        cmocka_unit_test(first_signal_asks_second_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
