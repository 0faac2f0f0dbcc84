/* report/html.h: pieces every page is made of. Pages are self-contained: no file, no address outside is asked
 * for. */
#ifndef CLEARMASS_REPORT_HTML_H
#define CLEARMASS_REPORT_HTML_H

#include "base/buf.h"
#include "image/image.h"

#define HTML_DISCLAIMER "Research software, not a medical device."

/* Appends text that came from outside, safe between tags and inside quoted attributes: & < > " ' become
 * entities, control characters and bytes that are not UTF-8 become U+FFFD. NULL is empty. */
void html_text(struct buf *b, const char *s);
void html_textf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* A number with so many decimals, or an en dash where it is not finite. */
void html_number(struct buf *b, double v, int decimals);
/* "0.123 to 0.456", or an en dash where an end is not known. */
void html_interval(struct buf *b, double low, double high);
/* A score as people write it: whole from 1000 on, four digits below, a power of ten only where it is tiny. */
enum { HTML_SCORE_TEXT = 24 };
void html_score_text(double score, char text[HTML_SCORE_TEXT]);
/* A share as "77.6 %", or an en dash. */
void html_percent(struct buf *b, double share);

/* Everything up to and with <main>: style, title as heading, the disclaimer. subtitle may be NULL. */
void html_begin(struct buf *b, const char *title, const char *subtitle);
/* The same with rules of the page's own after the common ones. */
void html_begin_styled(struct buf *b, const char *title, const char *subtitle, const char *rules);
/* The disclaimer again, and everything after. */
void html_end(struct buf *b);

/* <h2 id="id">title</h2>; both are our own words and not escaped. */
void html_heading(struct buf *b, const char *id, const char *title);
/* A row of a two-column table: <tr><th>name</th><td>text</td></tr>, both escaped; empty text is an en dash.
 */
void html_row(struct buf *b, const char *name, const char *text);

/* <img> with the picture (U8) as JPEG inside. alt is escaped. Fails with ERR_LIMIT only. */
bool html_jpeg(struct buf *b, const struct image *im, int quality, const char *alt, struct err *err);

#endif
