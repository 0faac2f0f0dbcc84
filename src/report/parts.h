/* report/parts.h: what scores are made of: the rows of regions.csv. A score is the sum of the map, so a
 * region's share of it is a fact. */
#ifndef CLEARMASS_REPORT_PARTS_H
#define CLEARMASS_REPORT_PARTS_H

#include "base/buf.h"
#include "image/image.h"
#include "report/source.h"

enum { PARTS_MOST = 9 }; /* regions of an image */

/* One image's rows; the last is the rest. */
struct parts {
    const struct csv *table;
    size_t first, count; /* count 0: the image is not there */
};
struct parts parts_of(const struct source *s, const char *id);

/* The regions' boxes in the image's own pixels; returns how many. A row without whole numbers ends them. */
size_t parts_boxes(struct image_box box[PARTS_MOST], const struct parts *p);

/* A table of the parts: share of the score, score and answer without each. Nothing where there are none. */
void parts_table(struct buf *b, const struct parts *p);

#endif
