/* report/panel.h: the picture shown after every epoch: a few cases as image, truth and prediction. */
#ifndef CLEARMASS_REPORT_PANEL_H
#define CLEARMASS_REPORT_PANEL_H

#include "image/draw.h"

/* One row. All borrowed; squares of size x size in row order. */
struct panel_case {
    const uint16_t *image;   /* grey as the network saw it, 0 black, 65535 white */
    const uint8_t *truth;    /* 0 outside, anything else inside the lesion; all 0 for an empty truth */
    const float *prediction; /* in [0, 1]; cut at .5 for outlines */
    int size;                /* pixels a side */
    const char *id, *label;  /* shown as they are */
    double dice;             /* NAN where the truth is empty */
    double score;            /* sum of the prediction */
};

/* Colours of outlines in every picture of a run: blue-green and orange stay apart for every kind of colour
 * sight and on grey. */
#define PANEL_TRUTH_COLOR      ((struct draw_color){0, 200, 150})
#define PANEL_PREDICTION_COLOR ((struct draw_color){255, 140, 0})

/* A U8 RGB picture: a row a case; columns image, truth, prediction (soft, grey) and the image with the
 * truth's outline and the outline of the prediction cut at .5; headings above, a caption under every row.
 * title is one line at the top. Squares are shown at about 224 pixels whatever their size; cases may differ
 * in size. Asserts n > 0. Fails with ERR_LIMIT only; out is replaced on success. */
bool panel_draw(struct image *out, const struct panel_case *cases, int n, const char *title, struct err *err);

#endif
