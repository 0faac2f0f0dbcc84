/* A small check that a page is well formed: every tag that is opened is closed, in order, and no text holds a
 * raw '<'. */
#ifndef CLEARMASS_TEST_REPORT_TAGS_H
#define CLEARMASS_TEST_REPORT_TAGS_H

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { TAGS_DEEP = 64, TAGS_NAME = 16 };

static bool tags_is_void(const char *name)
{
    static const char *const VOID[] = {"meta", "img", "br", "input", "hr", "link"};

    for (size_t i = 0; i < sizeof VOID / sizeof *VOID; i++) {
        if (!strcmp(name, VOID[i]))
            return true;
    }
    return false;
}

/* The end of a tag's attributes: at '>' outside quotes, or NULL. */
static const char *tags_end(const char *p)
{
    for (char quote = 0; *p; p++) {
        if (quote)
            quote = *p == quote ? 0 : quote;
        else if (*p == '"' || *p == '\'')
            quote = *p;
        else if (*p == '>')
            return p;
        else if (*p == '<')
            return NULL;
    }
    return NULL;
}

/* NULL when all is well; else what is wrong. */
static const char *tags_fault(const char *html)
{
    static char message[160];
    char open[TAGS_DEEP][TAGS_NAME];
    int depth = 0;

    for (const char *p = strchr(html, '<'), *end; p; p = strchr(end, '<')) {
        char name[TAGS_NAME] = "";
        bool closing = p[1] == '/';
        const char *q = p + 1 + closing;

        end = tags_end(p + 1);
        if (!end)
            return snprintf(message, sizeof message, "a tag without an end: %.60s", p), message;
        for (int i = 0; i < TAGS_NAME - 1 && (isalnum((unsigned char)*q) || *q == '!'); i++)
            name[i] = *q++;
        if (!*name)
            return snprintf(message, sizeof message, "a raw '<': %.60s", p), message;
        if (name[0] == '!' || tags_is_void(name) || end[-1] == '/')
            continue;
        if (!closing) {
            if (depth == TAGS_DEEP)
                return "too deep";
            strcpy(open[depth++], name);
            if (!strcmp(name, "script") || !strcmp(name, "style"))
                end = strstr(end, !strcmp(name, "script") ? "</script" : "</style");
            if (!end)
                return "a script or style without an end";
            continue;
        }
        if (depth == 0 || strcmp(open[--depth], name) != 0)
            return snprintf(message, sizeof message, "</%s> closes nothing: %.60s", name, p), message;
    }
    if (depth > 0)
        return snprintf(message, sizeof message, "<%s> is never closed", open[depth - 1]), message;
    return NULL;
}

#endif
