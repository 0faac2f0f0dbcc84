/* base/progress.c: see progress.h. */
#include "base/progress.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define REDRAW_S 0.1
#define LOG_S    30.0

enum { BAR_CELLS = 24, LINE_BYTES = 256 };

/* The terminal has one last line, whoever drew on it. */
static atomic_bool on_screen;

double clock_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void clock_text(double seconds, char *text, size_t size)
{
    /* NaN and below zero read as 0; beyond 10000 hours nobody counts. */
    long s = seconds > 0 ? (long)((seconds < 3.6e7 ? seconds : 3.6e7) + 0.5) : 0;

    if (s < 60)
        snprintf(text, size, "%ld s", s);
    else if (s < 3600)
        snprintf(text, size, "%ld min %02ld s", s / 60, s % 60);
    else
        snprintf(text, size, "%ld h %02ld min", s / 3600, s % 3600 / 60);
}

void progress_clear(void)
{
    if (atomic_exchange(&on_screen, false))
        fputs("\r\033[K", stderr);
}

void progress_begin(struct progress *p, const char *what, size_t total)
{
    *p = (struct progress){.total = total, .terminal = isatty(STDERR_FILENO) == 1};
    snprintf(p->what, sizeof p->what, "%s", what);
    p->started_s = p->shown_s = clock_seconds();
}

/* "450/1000, about 3 min 20 s left, loss -0.53" */
static void describe(const struct progress *p, double now, const char *note, char text[LINE_BYTES])
{
    char left[64] = "", took[32];

    if (p->done > 0 && p->done < p->total) {
        clock_text((now - p->started_s) * (double)(p->total - p->done) / (double)p->done, took, sizeof took);
        snprintf(left, sizeof left, ", about %s left", took);
    }
    snprintf(text, LINE_BYTES, "%zu/%zu%s%s%s", p->done, p->total, left, note ? ", " : "", note ? note : "");
}

static int terminal_columns(void)
{
    struct winsize w;

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 1 ? w.ws_col : 80;
}

static void draw(const struct progress *p, const char *text, double share)
{
    char bar[BAR_CELLS + 1], line[2 * LINE_BYTES];
    size_t full = (size_t)(share * BAR_CELLS);

    memset(bar, '#', full);
    memset(bar + full, '.', BAR_CELLS - full);
    bar[BAR_CELLS] = '\0';
    snprintf(line, sizeof line, "%s [%s] %3d%% %s", p->what, bar, (int)(100 * share), text);
    flockfile(stderr);
    /* One column less than there is: a line that wraps cannot be cleared. */
    fprintf(stderr, "\r\033[K%.*s", terminal_columns() - 1, line);
    fflush(stderr);
    atomic_store(&on_screen, true);
    funlockfile(stderr);
}

void progress_step(struct progress *p, size_t done, const char *note)
{
    char text[LINE_BYTES];
    double now = clock_seconds();

    p->done = done < p->total ? done : p->total;
    if (p->terminal ? p->bar_shown && now - p->shown_s < REDRAW_S : now - p->shown_s < LOG_S)
        return;
    double share = p->total ? (double)p->done / (double)p->total : 0;
    describe(p, now, note, text);
    if (p->terminal)
        draw(p, text, share);
    else
        fprintf(stderr, "%s: %d%%, %s\n", p->what, (int)(100 * share), text);
    p->bar_shown = p->terminal;
    p->shown_s = now;
}

void progress_end(struct progress *p, const char *note)
{
    char took[32];

    clock_text(clock_seconds() - p->started_s, took, sizeof took);
    flockfile(stderr);
    progress_clear();
    fprintf(stderr, "%s: %zu/%zu in %s%s%s\n", p->what, p->done, p->total, took, note ? ", " : "",
            note ? note : "");
    funlockfile(stderr);
    p->bar_shown = false;
}
