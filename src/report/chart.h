/* report/chart.h: charts as SVG inside a page. Colours are Okabe and Ito's (2008), which stay apart for every
 * kind of colour sight; lines also differ by dashes, so that a grey print can be read. */
#ifndef CLEARMASS_REPORT_CHART_H
#define CLEARMASS_REPORT_CHART_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

enum chart_color {
    CHART_BLUE,
    CHART_VERMILION,
    CHART_GREEN,
    CHART_ORANGE,
    CHART_PURPLE,
    CHART_SKY,
    CHART_GREY,
    CHART_COLORS
};
/* "#0072b2" */
const char *chart_color_text(enum chart_color c);

/* Margins of every plot inside its SVG, in its pixels: data at x_min lies at CHART_LEFT, data at x_max at
 * width - CHART_RIGHT, y_min at height - CHART_BOTTOM, y_max at CHART_TOP. */
enum { CHART_LEFT = 58, CHART_RIGHT = 20, CHART_TOP = 62, CHART_BOTTOM = 44 };

/* Round numbers (1, 2 or 5 times a power of ten apart) inside [low, high], at most max of them and about that
 * many; returns how many were written to out. Only whole numbers when whole is true. */
int chart_ticks(double low, double high, bool whole, int max, double *out);

/* A line through points; where a y is not finite the line is broken. */
struct chart_series {
    const char *name; /* for the legend; NULL: not listed */
    const double *x, *y;
    size_t n;
    enum chart_color color;
    bool dashed;
    bool dots; /* points only, no line */
};

struct chart {
    const char *title, *x_label, *y_label;
    int width, height;
    double x_min, x_max, y_min, y_max; /* an equal pair is found from the data */
    bool x_whole;                      /* x counts something */
    bool diagonal;                     /* from corner to corner, as a ROC has it */
    const struct chart_series *series;
    size_t n_series;
    const char *note; /* a line inside the plot at the lower right; may be NULL */
    double mark_x;    /* a dotted upright line where mark is not NULL */
    const char *mark; /* its label */
    bool cursor;      /* <line class="cursor"> that a script may move; see diary.c */
};
/* Appends <svg>...</svg>. Labels and names are escaped. */
void chart_lines(struct buf *b, const struct chart *c);

/* Bars over equal bins of [x_min, x_max], one row of bars a group over a common axis. */
struct chart_group {
    const char *name;
    const size_t *count; /* [bins] */
    enum chart_color color;
};
struct chart_cut {
    double x;
    const char *label;
};
struct chart_histogram {
    const char *title, *x_label;
    int width, height;
    double x_min, x_max;
    bool log10; /* x is an exponent of ten: ticks say 10 to the x */
    const char
        *first; /* a word for what lies left of x_min and was counted into the first bin; may be NULL */
    size_t bins;
    const struct chart_group *groups;
    size_t n_groups;
    const struct chart_cut *cuts; /* upright lines */
    size_t n_cuts;
    bool band; /* the space between the first two cuts is shaded and named "uncertain" */
};
void chart_histogram(struct buf *b, const struct chart_histogram *h);

/* Shares with their intervals on a common axis from 0 to 1: a dot, a bar from low to high, a tick at
 * reference. */
struct chart_interval {
    const char *name;
    double value, low, high; /* not finite: not drawn */
    double reference;        /* NAN: none */
    const char *reference_name;
};
struct chart_forest {
    const char *title;
    int width, name_width; /* pixels; name_width 0: room for a word */
    const struct chart_interval *rows;
    size_t n;
};
void chart_intervals(struct buf *b, const struct chart_forest *f);

/* Rows of counts as bars of the same length, cut into parts with their counts written inside. */
enum { CHART_PARTS = 3 };
struct chart_strip {
    const char *name;
    double count[CHART_PARTS];
};
struct chart_part {
    const char *name;
    enum chart_color color;
};
void chart_strips(struct buf *b, int width, const struct chart_part parts[CHART_PARTS],
                  const struct chart_strip *rows, size_t n);

#endif
