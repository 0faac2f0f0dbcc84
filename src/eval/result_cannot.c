#include "eval/result_parts.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

/* Appends one sentence. */
__attribute__((format(printf, 2, 3))) static void say(json_t *list, const char *fmt, ...)
{
    char text[256];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    json_array_append_new(list, json_string(text));
}

static bool all_equal(const struct sample *s)
{
    for (size_t i = 1; i < s->n; i++)
        if (s->of[i]->score != s->of[0]->score)
            return false;
    return s->n > 1;
}

json_t *result_cannot_tell(const struct sample *s, const char *unit)
{
    json_t *list = json_array();
    size_t malignant = 0;

    for (size_t i = 0; i < s->n; i++)
        malignant += case_is_malignant(s->of[i]);
    if (malignant == 0)
        say(list,
            "No %s is malignant: how well the score tells malignant from benign, and how many malignant are "
            "missed, cannot be said.",
            unit);
    else if (malignant == s->n)
        say(list,
            "Every %s is malignant: how well the score tells malignant from benign, and how many others are "
            "called malignant, cannot be said.",
            unit);
    if (s->groups < 2)
        say(list, "All %ss are of one patient: nothing can be said about others.", unit);
    if (all_equal(s))
        say(list, "All %zu %ss have the same score, %.6g: it tells nothing apart.", s->n, unit,
            s->of[0]->score);
    return list;
}
