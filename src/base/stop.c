/* base/stop.c: see stop.h. */
#include "base/stop.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t requested;

/* Only async-signal-safe calls in here. */
static void on_signal(int number)
{
    static const char text[] = "\nstopping after this step; once more to stop at once\n";
    int saved = errno;

    if (requested) {
        signal(number, SIG_DFL);
        raise(number); /* delivered when this handler returns */
    } else {
        requested = 1;
        ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
        (void)written; /* nothing to be done about it here */
    }
    errno = saved;
}

void stop_install(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESTART;
    sigemptyset(&action.sa_mask);
    int failed = sigaction(SIGINT, &action, NULL) | sigaction(SIGTERM, &action, NULL);
    assert(failed == 0);
    (void)failed;
}

bool stop_requested(void)
{
    return requested != 0;
}
