#include "report/leaks.h"

#include "report/html.h"
#include "report/source.h"

static void patients(struct buf *b, const json_t *names)
{
    const size_t n = json_array_size(names);

    if (!n)
        return;
    buf_addf(
        b,
        "<p class=\"caution\"><b>Trained with --allow-leak:</b> %zu patient%s of the data set %s both in its "
        "train and in its test part, so results on the test part are better than on people the network "
        "never saw: ",
        n, n == 1 ? "" : "s", n == 1 ? "is" : "are");
    for (size_t i = 0; i < n; i++) {
        const char *name = json_string_value(json_array_get(names, i));
        html_textf(b, "%s%s", i ? ", " : "", name ? name : "");
    }
    buf_adds(b, ".</p>\n");
}

enum { LISTED = 20 };

/* Evaluated, or trained, with --allow-leak in spite of the same pictures on both sides. */
static void same_pictures(struct buf *b, const json_t *pairs, const char *where)
{
    const size_t n = json_array_size(pairs);

    if (n == 0)
        return;
    buf_addf(b,
             "<p class=\"caution\"><b>Leak allowed:</b> %zu picture%s %s, so results are better than on "
             "pictures the "
             "network never saw: ",
             n, n == 1 ? " is" : "s are", where);
    for (size_t i = 0; i < n && i < LISTED; i++) {
        const char *first = json_string_value(json_array_get(json_array_get(pairs, i), 0)),
                   *second = json_string_value(json_array_get(json_array_get(pairs, i), 1));
        html_textf(b, "%s%s = %s", i ? ", " : "", first ? first : "", second ? second : "");
    }
    buf_adds(b, n > LISTED ? ", and more.</p>\n" : ".</p>\n");
}

void leaks_of_training(struct buf *b, const json_t *data)
{
    patients(b, source_at(data, "leaks"));
    same_pictures(b, source_at(data, "same_pictures"), "on two sides of the split");
}

void leaks_of_data(struct buf *b, const json_t *leaks)
{
    const size_t n = json_array_size(source_at(leaks, "patients"));

    if (leaks && json_is_false(source_at(leaks, "checked")))
        buf_adds(
            b,
            "<p class=\"caution\">Whether this data set shares patients or pictures with the one the network "
            "learned from could not be checked.</p>\n");
    if (n > 0)
        buf_addf(b,
                 "<p class=\"caution\"><b>Leak allowed:</b> %zu patient%s of this data set %s by name among "
                 "those the "
                 "network learned from.</p>\n",
                 n, n == 1 ? "" : "s", n == 1 ? "is" : "are");
    same_pictures(b, source_at(leaks, "same_pictures"), "among those the network learned from too");
}
