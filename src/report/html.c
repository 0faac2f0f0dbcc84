#include "report/html.h"

#include "base/mem.h"
#include "io/image_file.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define REPLACEMENT "\xEF\xBF\xBD"

/* The policy is a second wall behind the escaping: even a script that got in could not call home. */
static const char HEAD[] =
    "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
    "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n";

static const char STYLE[] =
    "<style>\n"
    ":root{--paper:#fff;--ink:#1b2430;--soft:#55606e;--line:#d5dae1;--wash:#f5f7f9;--warn:#b45309;"
    "--warm:#fdf6ec;--rule:#9aa5b1;--good:#0b7a55}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:var(--paper);color:var(--ink);font:15px/1.55 system-ui,-apple-system,\"Segoe "
    "UI\","
    "\"Noto Sans\",\"DejaVu Sans\",Arial,sans-serif}\n"
    "main{max-width:1060px;margin:0 auto;padding:28px 28px 40px}\n"
    "h1{font-size:26px;line-height:1.25;margin:0 0 4px;font-weight:650}\n"
    "h2{font-size:19px;margin:38px 0 10px;padding-top:14px;border-top:1px solid "
    "var(--line);font-weight:650}\n"
    "h3{font-size:16px;margin:22px 0 8px;font-weight:650}\n"
    "p{margin:8px 0;max-width:78ch}\n"
    ".subtitle{color:var(--soft);margin:0 0 14px}\n"
    ".disclaimer{border-left:4px solid var(--warn);background:var(--warm);padding:8px 14px;margin:14px "
    "0;max-width:none}\n"
    ".summary{background:var(--wash);border:1px solid var(--line);border-radius:6px;padding:8px "
    "20px;margin:16px 0}\n"
    ".summary p{max-width:95ch}\n"
    ".caution{border-left:4px solid var(--warn);padding-left:12px}\n"
    ".note,figcaption,caption{color:var(--soft);font-size:13.5px}\n"
    "caption{text-align:left;padding-bottom:4px}\n"
    "table{border-collapse:collapse;margin:10px 0;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:4px 12px;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}\n"
    "thead th{border-bottom:2px solid var(--rule);font-weight:600;vertical-align:bottom}\n"
    "tbody th{font-weight:500}\n"
    ".measures th{white-space:nowrap}\n"
    ".tight th,.tight td{padding:4px 6px;font-size:13.5px}.tight .note{font-size:12px}\n"
    "td.n,th.n{text-align:right;white-space:nowrap}\n"
    ".wide{overflow-x:auto}.wide td.note{min-width:12em}\n"
    ".facts th{width:230px;color:var(--soft)}\n"
    ".facts td{overflow-wrap:anywhere}\n"
    ".matrix td,.matrix th{border:1px solid var(--line);padding:8px 14px}\n"
    ".matrix td{text-align:center;min-width:92px}\n"
    ".matrix b{font-size:18px;display:block;line-height:1.2}\n"
    ".matrix td span{font-size:12.5px}\n"
    ".pair{display:grid;grid-template-columns:repeat(auto-fit,minmax(430px,1fr));gap:10px "
    "28px;align-items:start}\n"
    ".cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(460px,1fr));gap:18px 24px}\n"
    "figure{margin:0;break-inside:avoid}\n"
    ".shots{display:flex;gap:6px;background:#000;align-items:center;justify-content:center}\n"
    ".pair>*,.cards>*{min-width:0;overflow-x:auto}\n"
    ".columns{columns:2 430px;column-gap:28px}.columns section{break-inside:avoid;padding-top:1px}\n"
    ".columns .facts th{width:150px}\n"
    ".shots img{flex:var(--shape) 1 0;min-width:0;height:auto}\n"
    "figcaption b{color:var(--ink);overflow-wrap:anywhere}\n"
    "svg{max-width:100%;height:auto;display:block}\n"
    "svg text{font-family:inherit;fill:var(--ink)}svg text.on{fill:#fff}\n"
    ".key{display:inline-block;width:22px;height:0;overflow:hidden;border-top:3px "
    "solid;vertical-align:middle;margin:0 5px "
    "2px 10px}\n"
    ".halo{paint-order:stroke;stroke:var(--paper);stroke-width:3px}\n"
    "p.note{max-width:105ch}\n"
    "code,.mono{font-family:ui-monospace,\"DejaVu Sans "
    "Mono\",Menlo,monospace;font-size:13px;overflow-wrap:anywhere}\n"
    "footer{margin-top:40px}\n"
    "@page{size:A4;margin:15mm 14mm}\n"
    "@media print{body{font-size:10.5pt}main{max-width:none;padding:0}.noprint{display:none!important}"
    "h2,h3,h2+p,h3+p{break-after:avoid}tr,.summary,.disclaimer,table:not(.facts),.pair>div{break-inside:"
    "avoid}h2{"
    "margin-top:22px}"
    ".pair{grid-template-columns:1fr 1fr;gap:8px 16px}.cards{grid-template-columns:1fr 1fr;gap:12px 14px}"
    ".matrix td,.matrix th{padding:4px 6px;min-width:0}.columns{columns:2 220px}.columns .facts "
    "th{width:90px}th,td{padding:3px 7px}.pair table{font-size:9pt}"
    ".wide,.pair>*,.cards>*{overflow:visible}*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}\n"
    /* figures name their colours themselves, so that one copied out of the page stays whole; the dark page
     * puts others in their place. Print is always light. */
    "@media screen and (prefers-color-scheme:dark){:root{color-scheme:dark;--paper:#14191f;--ink:#e3e8ee;"
    "--soft:#a3aebb;--line:#36404b;--wash:#1c232b;--warn:#e08a3c;--warm:#2a2119;--rule:#5d6975;--good:#"
    "4fcf9f}"
    "[fill=\"#0072b2\"]{fill:#4ba3e3}[stroke=\"#0072b2\"]{stroke:#4ba3e3}"
    "[fill=\"#d55e00\"]{fill:#f2833a}[stroke=\"#d55e00\"]{stroke:#f2833a}"
    "[fill=\"#009e73\"]{fill:#2fc08f}[stroke=\"#009e73\"]{stroke:#2fc08f}"
    "[fill=\"#e69f00\"]{fill:#eeb33a}[stroke=\"#e69f00\"]{stroke:#eeb33a}"
    "[fill=\"#cc79a7\"]{fill:#d990b8}[stroke=\"#cc79a7\"]{stroke:#d990b8}"
    "[fill=\"#56b4e9\"]{fill:#a3d8f7}[stroke=\"#56b4e9\"]{stroke:#a3d8f7}"
    "[fill=\"#6b7280\"]{fill:#8d96a3}[stroke=\"#6b7280\"]{stroke:#8d96a3}"
    "[fill=\"#f3ecd2\"]{fill:#3d3722}[stroke=\"#7b8794\"]{stroke:#8794a1}[stroke=\"#e4e8ec\"]{stroke:#2d363f}"
    "[stroke=\"#1b2430\"],[stroke=\"#374151\"]{stroke:#d5dce4}[stroke=\"#fff\"]{stroke:#14191f}"
    "svg text.on{fill:#10151b}}\n"
    "@media (max-width:560px){.pair,.cards{grid-template-columns:1fr}main{padding:16px}table{font-size:13px}"
    "th,td,.tight th,.tight td{padding:3px 5px}.matrix td,.matrix "
    "th{padding:5px;min-width:0}.measures td.note{min-width:150px}.facts th{width:110px}}\n";

/* Length of the UTF-8 sequence at s (RFC 3629), 0 when it is none. A NUL ends every sequence. */
static int utf8_length(const unsigned char *s)
{
    int n = s[0] < 0x80                   ? 1
            : s[0] >= 0xC2 && s[0] < 0xE0 ? 2
            : (s[0] & 0xF0) == 0xE0       ? 3
            : s[0] >= 0xF0 && s[0] < 0xF5 ? 4
                                          : 0;

    for (int i = 1; i < n; i++) {
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    }
    /* overlong forms, surrogates, beyond U+10FFFF */
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) || (s[0] == 0xF0 && s[1] < 0x90) ||
        (s[0] == 0xF4 && s[1] > 0x8F))
        return 0;
    return n;
}

static const char *entity(unsigned char c)
{
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7F ? REPLACEMENT : NULL;
    }
}

void html_text(struct buf *b, const char *s)
{
    if (!s)
        return;
    for (const unsigned char *p = (const unsigned char *)s; *p;) {
        const char *other = entity(*p);
        int n = utf8_length(p);

        if (other)
            buf_adds(b, other);
        else if (n == 0)
            buf_adds(b, REPLACEMENT);
        else
            buf_add(b, p, (size_t)n);
        p += n > 0 ? n : 1;
    }
}

void html_textf(struct buf *b, const char *fmt, ...)
{
    va_list ap;
    char *text = NULL;

    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0)
        abort();
    va_end(ap);
    html_text(b, text);
    free(text);
}

void html_number(struct buf *b, double v, int decimals)
{
    if (isfinite(v))
        buf_addf(b, "%.*f", decimals, v);
    else
        buf_adds(b, "&ndash;");
}

void html_interval(struct buf *b, double low, double high)
{
    if (isfinite(low) && isfinite(high))
        buf_addf(b, "%.3f to %.3f", low, high);
    else
        buf_adds(b, "&ndash;");
}

void html_score_text(double score, char text[HTML_SCORE_TEXT])
{
    snprintf(text, HTML_SCORE_TEXT, fabs(score) >= 1000 ? "%.0f" : "%.4g", score);
}

void html_percent(struct buf *b, double share)
{
    html_number(b, share * 100, 1);
    if (isfinite(share))
        buf_adds(b, "&nbsp;%");
}

void html_begin(struct buf *b, const char *title, const char *subtitle)
{
    html_begin_styled(b, title, subtitle, "");
}

void html_begin_styled(struct buf *b, const char *title, const char *subtitle, const char *rules)
{
    buf_adds(b, HEAD);
    buf_adds(b, "<title>");
    html_text(b, title);
    buf_adds(b, "</title>\n");
    buf_addf(b, "%s%s</style>\n", STYLE, rules);
    buf_adds(b, "</head>\n<body>\n<main>\n<h1>");
    html_text(b, title);
    buf_adds(b, "</h1>\n");
    if (subtitle) {
        buf_adds(b, "<p class=\"subtitle\">");
        html_text(b, subtitle);
        buf_adds(b, "</p>\n");
    }
    buf_adds(b, "<p class=\"disclaimer\"><b>" HTML_DISCLAIMER
                "</b> Not for diagnosis, screening or any decision about a patient.</p>\n");
}

void html_end(struct buf *b)
{
    buf_adds(b, "<footer>\n<p class=\"disclaimer\"><b>" HTML_DISCLAIMER
                "</b> Not for diagnosis, screening or any decision about a patient.</p>\n"
                "</footer>\n</main>\n</body>\n</html>\n");
}

void html_heading(struct buf *b, const char *id, const char *title)
{
    buf_addf(b, "<h2 id=\"%s\">%s</h2>\n", id, title);
}

void html_row(struct buf *b, const char *name, const char *text)
{
    buf_adds(b, "<tr><th>");
    html_text(b, name);
    buf_adds(b, "</th><td>");
    if (text && *text)
        html_text(b, text);
    else
        buf_adds(b, "&ndash;");
    buf_adds(b, "</td></tr>\n");
}

bool html_jpeg(struct buf *b, const struct image *im, int quality, const char *alt, struct err *err)
{
    struct buf jpeg = BUF_INIT;
    bool ok = jpeg_encode(&jpeg, im, quality, err);

    if (ok) {
        buf_addf(b, "<img width=\"%d\" height=\"%d\" style=\"--shape:%.3f\" alt=\"", im->width, im->height,
                 (double)im->width / im->height);
        html_text(b, alt);
        buf_adds(b, "\" src=\"data:image/jpeg;base64,");
        buf_add_base64(b, jpeg.data, jpeg.len);
        buf_adds(b, "\">");
    }
    buf_release(&jpeg);
    return ok;
}
