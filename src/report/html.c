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
    ":root{--ink:#1b2430;--soft:#55606e;--line:#d5dae1;--wash:#f5f7f9;--accent:#0b5394}\n"
    "*{box-sizing:border-box}\n"
    "body{margin:0;background:#fff;color:var(--ink);font:15px/1.55 system-ui,-apple-system,\"Segoe UI\","
    "\"Noto Sans\",\"DejaVu Sans\",Arial,sans-serif}\n"
    "main{max-width:1060px;margin:0 auto;padding:28px 28px 40px}\n"
    "h1{font-size:26px;line-height:1.25;margin:0 0 4px;font-weight:650}\n"
    "h2{font-size:19px;margin:38px 0 10px;padding-top:14px;border-top:1px solid "
    "var(--line);font-weight:650}\n"
    "h3{font-size:16px;margin:22px 0 8px;font-weight:650}\n"
    "p{margin:8px 0;max-width:78ch}\n"
    ".subtitle{color:var(--soft);margin:0 0 14px}\n"
    ".disclaimer{border-left:4px solid #b45309;background:#fdf6ec;padding:8px 14px;margin:14px "
    "0;max-width:none}\n"
    ".summary{background:var(--wash);border:1px solid var(--line);border-radius:6px;padding:8px "
    "20px;margin:16px 0}\n"
    ".summary p{max-width:95ch}\n"
    ".caution{border-left:4px solid #b45309;padding-left:12px}\n"
    ".note,figcaption,caption{color:var(--soft);font-size:13.5px}\n"
    "caption{text-align:left;padding-bottom:4px}\n"
    "table{border-collapse:collapse;margin:10px 0;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:4px 12px;border-bottom:1px solid var(--line);text-align:left;vertical-align:top}\n"
    "thead th{border-bottom:2px solid #9aa5b1;font-weight:600;vertical-align:bottom}\n"
    "tbody th{font-weight:500}\n"
    ".measures th{white-space:nowrap}\n"
    "td.n,th.n{text-align:right;white-space:nowrap}\n"
    ".wide{overflow-x:auto}.wide td.note{min-width:12em}\n"
    ".groups th,.groups td{padding:4px 7px}.groups td.n{white-space:normal}.groups .note{font-size:12.5px}\n"
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
    ".pair>*,.cards>*{min-width:0}\n"
    ".columns{columns:2 430px;column-gap:28px}.columns section{break-inside:avoid;padding-top:1px}\n"
    ".columns .facts th{width:150px}\n"
    ".shots img{flex:var(--shape) 1 0;min-width:0;height:auto}\n"
    "figcaption b{color:var(--ink);overflow-wrap:anywhere}\n"
    "svg{max-width:100%;height:auto;display:block}\n"
    "svg text{font-family:inherit;fill:#1b2430}\n"
    ".key{display:inline-block;width:22px;height:0;border-top:3px solid;vertical-align:middle;margin:0 5px "
    "2px 10px}\n"
    ".halo{paint-order:stroke;stroke:#fff;stroke-width:3px}\n"
    "p.note{max-width:105ch}\n"
    "code,.mono{font-family:ui-monospace,\"DejaVu Sans "
    "Mono\",Menlo,monospace;font-size:13px;overflow-wrap:anywhere}\n"
    "footer{margin-top:40px}\n"
    "@page{size:A4;margin:15mm 14mm}\n"
    "@media print{body{font-size:10.5pt}main{max-width:none;padding:0}.noprint{display:none!important}"
    "h2,h3{break-after:avoid}tr,.summary,.disclaimer,table:not(.facts),.pair>div{break-inside:avoid}h2{"
    "margin-top:22px}"
    ".pair{grid-template-columns:1fr 1fr;gap:8px 16px}.cards{grid-template-columns:1fr 1fr;gap:12px 14px}"
    ".matrix td,.matrix th{padding:4px 6px;min-width:0}.columns{columns:2 220px}.columns .facts "
    "th{width:90px}th,td{padding:3px 7px}.pair table{font-size:9pt}"
    ".groups{font-size:8pt}.groups th,.groups td{padding:3px 4px}.groups .note{font-size:7pt}"
    "*{-webkit-print-color-adjust:exact;print-color-adjust:exact}}\n"
    "@media (max-width:560px){.pair,.cards{grid-template-columns:1fr}main{padding:16px}.pair>div{overflow-x:"
    "auto}"
    ".matrix td,.matrix th{padding:6px;min-width:0}}\n"
    "</style>\n";

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

void html_range(struct buf *b, double low, double high, int decimals)
{
    html_number(b, low, decimals);
    if (!isfinite(low) && !isfinite(high))
        return;
    buf_adds(b, " to ");
    html_number(b, high, decimals);
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
    buf_adds(b, HEAD);
    buf_adds(b, "<title>");
    html_text(b, title);
    buf_adds(b, "</title>\n");
    buf_adds(b, STYLE);
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
