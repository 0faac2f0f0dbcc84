#include "report/chart.h"
#include "test_report_tags.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static int count_of(const char *text, const char *part)
{
    int n = 0;

    for (const char *p = text; (p = strstr(p, part)); p++)
        n++;
    return n;
}

static void ticks_are_round(void **state)
{
    double t[12];

    (void)state;
    assert_int_equal(chart_ticks(0, 1, false, 6, t), 6);
    assert_float_equal(t[0], 0, 0);
    assert_float_equal(t[1], .2, 1e-12);
    assert_float_equal(t[5], 1, 1e-12);
    assert_int_equal(chart_ticks(-.83, -.11, false, 6, t), 4);
    assert_float_equal(t[0], -.8, 1e-12);
    assert_float_equal(t[3], -.2, 1e-12);
    /* crosses zero, which is exactly zero */
    assert_int_equal(chart_ticks(-1, 1, false, 5, t), 5);
    assert_true(t[2] == 0 && !signbit(t[2]));
    /* three epochs: no half ones */
    assert_int_equal(chart_ticks(1, 3, true, 10, t), 3);
    assert_float_equal(t[0], 1, 0);
    assert_float_equal(t[2], 3, 0);
    assert_int_equal(chart_ticks(1, 1, false, 6, t), 0);
    assert_int_equal(chart_ticks(NAN, 1, false, 6, t), 0);
}

static void points_lie_where_they_should(void **state)
{
    const double x[] = {0, 5, 10}, y[] = {0, .5, 1};
    const struct chart_series s = {.name = "a<b", .x = x, .y = y, .n = 3, .color = CHART_GREEN};
    struct buf b = BUF_INIT;
    char want[96];

    (void)state;
    chart_lines(&b, &(struct chart){.title = "t<",
                                    .x_label = "x",
                                    .y_label = "y",
                                    .width = 478,
                                    .height = 306,
                                    .x_max = 10,
                                    .y_max = 1,
                                    .series = &s,
                                    .n_series = 1});
    /* 478 - 58 - 20 = 400 wide, 306 - 62 - 44 = 200 tall */
    snprintf(want, sizeof want, "points=\"58.00,262.00 258.00,162.00 458.00,62.00\"");
    assert_non_null(strstr(b.data, want));
    assert_non_null(strstr(b.data, "stroke=\"#009e73\""));
    assert_non_null(strstr(b.data, ">a&lt;b</text>"));
    assert_null(tags_fault(b.data));
    buf_release(&b);
}

static void a_gap_breaks_the_line_and_a_lone_point_is_a_dot(void **state)
{
    const double x[] = {1, 2, 3, 4, 5, 6}, y[] = {1, 2, NAN, 3, NAN, NAN};
    const struct chart_series s = {.x = x, .y = y, .n = 6};
    struct buf b = BUF_INIT;

    (void)state;
    chart_lines(&b, &(struct chart){.title = "t",
                                    .x_label = "x",
                                    .y_label = "y",
                                    .width = 400,
                                    .height = 300,
                                    .series = &s,
                                    .n_series = 1});
    assert_int_equal(count_of(b.data, "<polyline"), 1);
    assert_int_equal(count_of(b.data, "<circle"), 1);
    assert_null(strstr(b.data, "nan"));
    buf_release(&b);
}

static void a_chart_without_points_is_still_a_chart(void **state)
{
    const double x[] = {1}, y[] = {NAN};
    const struct chart_series s = {.x = x, .y = y, .n = 1};
    struct buf b = BUF_INIT;

    (void)state;
    chart_lines(&b, &(struct chart){.title = "t",
                                    .x_label = "x",
                                    .y_label = "y",
                                    .width = 400,
                                    .height = 300,
                                    .series = &s,
                                    .n_series = 1,
                                    .x_whole = true});
    assert_null(tags_fault(b.data));
    assert_null(strstr(b.data, "nan"));
    assert_null(strstr(b.data, "inf"));
    buf_release(&b);
}

static void the_cursor_knows_the_scale(void **state)
{
    const double x[] = {1, 11}, y[] = {0, 1};
    const struct chart_series s = {.x = x, .y = y, .n = 2};
    struct buf b = BUF_INIT;
    const char *at;

    (void)state;
    chart_lines(&b, &(struct chart){.title = "t",
                                    .x_label = "x",
                                    .y_label = "y",
                                    .width = 478,
                                    .height = 300,
                                    .x_min = 1,
                                    .x_max = 11,
                                    .series = &s,
                                    .n_series = 1,
                                    .cursor = true,
                                    .mark = "best: 6",
                                    .mark_x = 6});
    at = strstr(b.data, "class=\"cursor\" data-x=\"");
    assert_non_null(at);
    /* an epoch is 40 wide, and epoch 1 lies at the left margin, so epoch 0 would lie at 18 */
    assert_non_null(strstr(b.data, "data-x=\"18.0000\" data-step=\"40.000000\""));
    assert_non_null(strstr(b.data, "<line x1=\"258.00\" y1=\"62.00\" x2=\"258.00\""));
    buf_release(&b);
}

static void bars_are_as_tall_as_their_counts(void **state)
{
    const size_t counts[4] = {4, 0, 2, 1};
    const struct chart_group g = {"group", counts, CHART_BLUE};
    const struct chart_cut cuts[2] = {{-1, "low"}, {1, "high"}};
    struct buf b = BUF_INIT;

    (void)state;
    /* 400 x 122 for the plot, of which 22 are for the name: bars up to 100 */
    chart_histogram(&b, &(struct chart_histogram){.title = "t",
                                                  .x_label = "x",
                                                  .width = 478,
                                                  .height = 228,
                                                  .x_min = -2,
                                                  .x_max = 2,
                                                  .log10 = true,
                                                  .bins = 4,
                                                  .groups = &g,
                                                  .n_groups = 1,
                                                  .cuts = cuts,
                                                  .n_cuts = 2,
                                                  .band = true});
    assert_non_null(
        strstr(b.data, "<rect x=\"58.50\" y=\"84.00\" width=\"99.00\" height=\"100.00\" fill=\"#0072b2\""));
    assert_non_null(strstr(b.data, "<rect x=\"258.50\" y=\"134.00\" width=\"99.00\" height=\"50.00\""));
    assert_int_equal(count_of(b.data, "fill=\"#0072b2\""), 3);
    /* the band from -1 to 1, both cuts, the powers below */
    assert_non_null(strstr(b.data, "<rect x=\"158.00\" y=\"54.00\" width=\"200.00\""));
    assert_non_null(strstr(b.data, ">uncertain</text>"));
    assert_non_null(strstr(b.data, "<line x1=\"358.00\""));
    assert_non_null(strstr(b.data, "&#8722;2</tspan>"));
    assert_non_null(strstr(b.data, ">group (7)</text>"));
    assert_null(tags_fault(b.data));
    buf_release(&b);
}

static void intervals_are_drawn_where_they_are_known(void **state)
{
    const struct chart_interval rows[2] = {{"known", .5, .25, .75, .6, "majority"},
                                           {"unknown", NAN, NAN, NAN, NAN, NULL}};
    struct buf b = BUF_INIT;

    (void)state;
    /* 95 for the names and 24 at the right leave 400 of 519 */
    chart_intervals(&b, &(struct chart_forest){"shares", 519, 0, rows, 2});
    assert_non_null(strstr(b.data, "<circle cx=\"295.00\""));
    assert_non_null(strstr(b.data, "<line x1=\"195.00\""));
    assert_non_null(strstr(b.data, "x2=\"395.00\""));
    assert_int_equal(count_of(b.data, "<circle"), 1);
    assert_null(strstr(b.data, "nan"));
    assert_non_null(strstr(b.data, ">majority</text>"));
    assert_non_null(strstr(b.data, ">0.8</text>"));
    assert_null(tags_fault(b.data));
    buf_release(&b);
}

static void strips_share_their_length(void **state)
{
    static const struct chart_part PARTS[CHART_PARTS] = {
        {"b", CHART_BLUE}, {"u", CHART_GREY}, {"m", CHART_VERMILION}};
    const struct chart_strip rows[2] = {{"one", {30, 10, 0}}, {"none", {0, 0, 0}}};
    struct buf b = BUF_INIT;

    (void)state;
    /* 175 and 24 leave 400 of 599: 30 of 40 are 300 */
    chart_strips(&b, 599, PARTS, rows, 2);
    assert_non_null(strstr(b.data, "<rect x=\"175.00\" y=\"28.00\" width=\"300.00\""));
    assert_non_null(strstr(b.data, "<rect x=\"475.00\" y=\"28.00\" width=\"100.00\""));
    assert_non_null(strstr(b.data, ">30</text>"));
    assert_null(strstr(b.data, ">0</text>"));
    assert_null(tags_fault(b.data));
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ticks_are_round),
        cmocka_unit_test(points_lie_where_they_should),
        cmocka_unit_test(a_gap_breaks_the_line_and_a_lone_point_is_a_dot),
        cmocka_unit_test(a_chart_without_points_is_still_a_chart),
        cmocka_unit_test(the_cursor_knows_the_scale),
        cmocka_unit_test(bars_are_as_tall_as_their_counts),
        cmocka_unit_test(intervals_are_drawn_where_they_are_known),
        cmocka_unit_test(strips_share_their_length),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
