/* base/progress.h: how far long work is and how long it will still take, on standard error.
 * On a terminal a bar that is redrawn at most ten times a second; in a log a line every 30 seconds and at the
 * end. Other lines (base/log.h) first clear the bar. */
#ifndef CLEARMASS_BASE_PROGRESS_H
#define CLEARMASS_BASE_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

struct progress {
    char what[64];
    size_t total, done;
    double started_s, shown_s; /* monotonic seconds */
    bool terminal, bar_shown;
};

void progress_begin(struct progress *p, const char *what, size_t total);
/* done items of total; note may be NULL or a few words such as "loss -0.53". */
void progress_step(struct progress *p, size_t done, const char *note);
/* Ends the bar; a last line is left with the time taken. */
void progress_end(struct progress *p, const char *note);

/* Removes a bar from the terminal's line, if one is shown; log.c calls it before each line. */
void progress_clear(void);

/* Seconds on the monotonic clock. */
double clock_seconds(void);
/* "7 s", "3 min 20 s", "1 h 05 min" */
void clock_text(double seconds, char *text, size_t size);

#endif
