#include "report/html.h"
#include "io/image_file.h"
#include "report/chart.h"
#include "test_report_tags.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void is_written_as(const char *from, const char *to)
{
    struct buf b = BUF_INIT;

    html_text(&b, from);
    assert_string_equal(b.data ? b.data : "", to);
    buf_release(&b);
}

static void text_is_escaped(void **state)
{
    (void)state;
    is_written_as("plain words", "plain words");
    is_written_as("<script>alert(\"x\" & 'y')</script>",
                  "&lt;script&gt;alert(&quot;x&quot; &amp; &#39;y&#39;)&lt;/script&gt;");
    is_written_as("&lt;", "&amp;lt;");
    is_written_as(NULL, "");
    is_written_as("two\nlines\t", "two\nlines\t");
}

static void bytes_that_are_no_text_are_replaced(void **state)
{
    (void)state;
    is_written_as("gr\xC3\xBC\xC3\x9F", "gr\xC3\xBC\xC3\x9F");
    is_written_as("\xF0\x9F\x98\x80", "\xF0\x9F\x98\x80");
    is_written_as("a\x01z\x7F", "a\xEF\xBF\xBDz\xEF\xBF\xBD");
    is_written_as("\xFF", "\xEF\xBF\xBD");
    is_written_as("cut\xE2\x82", "cut\xEF\xBF\xBD\xEF\xBF\xBD");
    /* an overlong '<', a surrogate */
    is_written_as("\xC0\xBC", "\xEF\xBF\xBD\xEF\xBF\xBD");
    is_written_as("\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
}

static void formatted_text_is_escaped_too(void **state)
{
    struct buf b = BUF_INIT;

    (void)state;
    html_textf(&b, "%s is %d", "<b>", 7);
    assert_string_equal(b.data, "&lt;b&gt; is 7");
    buf_release(&b);
}

static void numbers(void **state)
{
    struct buf b = BUF_INIT;
    char text[HTML_SCORE_TEXT];

    (void)state;
    html_number(&b, .7764, 3);
    html_number(&b, NAN, 3);
    html_percent(&b, .7764);
    html_percent(&b, INFINITY);
    assert_string_equal(b.data, "0.776&ndash;77.6&nbsp;%&ndash;");
    buf_release(&b);
    html_interval(&b, .215, .7854);
    html_interval(&b, NAN, NAN);
    html_interval(&b, .5, INFINITY);
    assert_string_equal(b.data, "0.215 to 0.785&ndash;&ndash;");
    buf_release(&b);
    html_score_text(16942.4, text);
    assert_string_equal(text, "16942");
    html_score_text(184.44, text);
    assert_string_equal(text, "184.4");
    html_score_text(2.5e-6, text);
    assert_string_equal(text, "2.5e-06");
}

static void a_page_is_well_formed_and_says_what_it_is(void **state)
{
    struct buf b = BUF_INIT;
    const char *first;

    (void)state;
    html_begin(&b, "a <b> title", "under & below");
    html_heading(&b, "one", "One");
    buf_adds(&b, "<table>");
    html_row(&b, "na<me", "va>lue");
    html_row(&b, "empty", "");
    buf_adds(&b, "</table>");
    html_end(&b);
    assert_null(tags_fault(b.data));
    assert_non_null(strstr(b.data, "<title>a &lt;b&gt; title</title>"));
    assert_non_null(strstr(b.data, "<tr><th>na&lt;me</th><td>va&gt;lue</td></tr>"));
    assert_non_null(strstr(b.data, "<tr><th>empty</th><td>&ndash;</td></tr>"));
    first = strstr(b.data, HTML_DISCLAIMER);
    assert_non_null(first);
    assert_non_null(strstr(first + 1, HTML_DISCLAIMER));
    assert_null(strstr(b.data, "http://"));
    assert_null(strstr(b.data, "https://"));
    buf_release(&b);
}

/* On a dark screen every colour of the figures has another in its place; a print stays light. */
static void a_page_has_a_dark_side(void **state)
{
    struct buf b = BUF_INIT;
    char rule[64];

    (void)state;
    html_begin_styled(&b, "title", NULL, ".own{color:red}");
    html_end(&b);
    assert_null(tags_fault(b.data));
    assert_non_null(strstr(b.data, ".own{color:red}</style>\n</head>")); /* in the head, as HTML wants it */
    const char *dark = strstr(b.data, "@media screen and (prefers-color-scheme:dark)");
    assert_non_null(dark);
    for (int c = 0; c < CHART_COLORS; c++) {
        snprintf(rule, sizeof rule, "[fill=\"%s\"]{fill:#", chart_color_text((enum chart_color)c));
        assert_non_null(strstr(dark, rule));
        snprintf(rule, sizeof rule, "[stroke=\"%s\"]{stroke:#", chart_color_text((enum chart_color)c));
        assert_non_null(strstr(dark, rule));
    }
    buf_release(&b);
}

static void intervals(void **state)
{
    struct buf b = BUF_INIT;

    (void)state;
    html_interval(&b, .25, .5);
    html_interval(&b, NAN, .5);
    html_interval(&b, .25, NAN);
    assert_string_equal(b.data, "0.250 to 0.500&ndash;&ndash;");
    buf_release(&b);
}

static void the_checker_sees_faults(void **state)
{
    (void)state;
    assert_null(tags_fault("<p>one<br><img alt=\"a>b\"></p><line x='1'/>"));
    assert_non_null(tags_fault("<p>one"));
    assert_non_null(tags_fault("<p><b>one</p></b>"));
    assert_non_null(tags_fault("<p>1 < 2</p>"));
    assert_non_null(tags_fault("</p>"));
}

static void a_picture_is_a_jpeg_inside_the_page(void **state)
{
    struct image im = IMAGE_INIT;
    struct buf b = BUF_INIT;
    struct err err = ERR_INIT;

    (void)state;
    assert_true(image_new(&im, 40, 20, 3, IMAGE_U8, &err));
    assert_true(html_jpeg(&b, &im, 80, "a \"case\"", &err));
    /* every JPEG begins with FF D8 FF, which base64 writes as /9j/ */
    assert_non_null(strstr(b.data, "src=\"data:image/jpeg;base64,/9j/"));
    assert_non_null(strstr(b.data, "width=\"40\" height=\"20\""));
    assert_non_null(strstr(b.data, "alt=\"a &quot;case&quot;\""));
    assert_null(tags_fault(b.data));
    buf_release(&b);
    image_release(&im);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_escaped),
        cmocka_unit_test(bytes_that_are_no_text_are_replaced),
        cmocka_unit_test(formatted_text_is_escaped_too),
        cmocka_unit_test(numbers),
        cmocka_unit_test(a_page_is_well_formed_and_says_what_it_is),
        cmocka_unit_test(a_page_has_a_dark_side),
        cmocka_unit_test(intervals),
        cmocka_unit_test(the_checker_sees_faults),
        cmocka_unit_test(a_picture_is_a_jpeg_inside_the_page),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
