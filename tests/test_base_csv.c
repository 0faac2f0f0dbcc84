/* csv.h: what is read, what is refused and how it is told, what is written. */
#include "base/csv.h"
#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static void parse(struct csv *t, const char *text)
{
    struct err e = ERR_INIT;

    if (!csv_parse(t, text, strlen(text), &e))
        fail_msg("%s", e.text);
}

static void quotes_hold_commas_quotes_and_newlines(void **state)
{
    (void)state;
    struct csv t = CSV_INIT;

    parse(&t, "id,path,note\n"
              "1,\"a/b.dcm\n\",\"said \"\"no\"\", twice\"\n"
              " 2 ,\"two\nlines\",  x y  \n"
              "3, \"spaced\" ,a\"b\n");
    assert_int_equal(t.count, 3);
    assert_int_equal(t.header.count, 3);
    assert_string_equal(csv_get(&t, 0, 1), "a/b.dcm");
    assert_string_equal(csv_get(&t, 0, 2), "said \"no\", twice");
    assert_string_equal(csv_get(&t, 1, 0), "2");
    assert_string_equal(csv_get(&t, 1, 1), "two\nlines");
    assert_string_equal(csv_get(&t, 1, 2), "x y");
    assert_string_equal(csv_get(&t, 2, 1), "spaced");
    assert_string_equal(csv_get(&t, 2, 2), "a\"b");
    assert_int_equal(t.header.line, 1);
    assert_int_equal(t.row[0].line, 2);
    assert_int_equal(t.row[1].line, 4);
    assert_int_equal(t.row[2].line, 6);
    csv_release(&t);
}

static void line_ends_bom_and_blank_lines(void **state)
{
    (void)state;
    static const char *const text[] = {
        "a,b\n1,\"2\"\n3,4\n",       "a,b\n1,2\n3,4",
        "a,b\r\n1,2\r\n3,\"4\"\r\n", "\xef\xbb\xbf\"a\",b\r\n\r\n1,\"2\"\r\n  \r\n3,4\r\n\r\n",
        "\n\na,b\n1,2\n\n3,\"4\"",   "a,b\r\n1,2\r\n3,\"4\"\r",
    };

    for (size_t i = 0; i < sizeof text / sizeof *text; i++) {
        struct csv t = CSV_INIT;
        parse(&t, text[i]);
        assert_int_equal(t.count, 2);
        assert_string_equal(t.header.field[0], "a");
        assert_string_equal(t.header.field[1], "b");
        assert_string_equal(csv_get(&t, 0, 0), "1");
        assert_string_equal(csv_get(&t, 0, 1), "2");
        assert_string_equal(csv_get(&t, 1, 0), "3");
        assert_string_equal(csv_get(&t, 1, 1), "4");
        csv_release(&t);
    }
}

static void empty_fields_and_columns(void **state)
{
    (void)state;
    struct csv t = CSV_INIT;

    parse(&t, "Patient_ID,left or right,\n,,\n\"\",x,\n");
    assert_int_equal(t.count, 2);
    assert_int_equal(t.header.count, 3);
    assert_string_equal(csv_get(&t, 0, 0), "");
    assert_string_equal(csv_get(&t, 1, 2), "");
    assert_int_equal(csv_column(&t, "patient_id"), 0);
    assert_int_equal(csv_column(&t, "LEFT OR RIGHT"), 1);
    assert_int_equal(csv_column(&t, "patient"), -1);
    assert_string_equal(csv_get(&t, 1, csv_column(&t, "view")), "");
    assert_string_equal(csv_get(&t, 1, 1), "x");
    csv_release(&t);
    parse(&t, "only,header");
    assert_int_equal(t.count, 0);
    csv_release(&t);
}

static void faults_name_their_line(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t n; /* 0: up to the NUL */
        const char *message;
    } bad[] = {
        {"", 0, "no header row, the table is empty"},
        {"\r\n\n", 0, "no header row, the table is empty"},
        {"a,b\n1,\"2\n3,4\n", 0, "line 2: quote is never closed"},
        {"a,b\n\"x\ny\",\"2\n", 0, "line 3: quote is never closed"},
        {"a,\"", 0, "line 1: quote is never closed"},
        {"a,b\n1,2\n1,2,3\n", 0, "line 3: 3 fields, the header has 2"},
        {"a,b\n\"1\n1\",2\n\n5\n", 0, "line 5: 1 fields, the header has 2"},
        {"a,b\n1,\"2\"x\n", 0, "line 2: text behind a closing quote"},
        {"image;mask\n\"a.png\";\"b.png\"\n", 0,
         "line 1: columns are separated by semicolons, commas are wanted"},
        {"image\tmask\na.png\tb.png\n", 0, "line 1: columns are separated by tabs, commas are wanted"},
        {"a,b\n1,\0 2\n", 10, "line 2: a NUL byte, this is not text"},
    };

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct csv t = CSV_INIT;
        struct err e = ERR_INIT;
        assert_false(csv_parse(&t, bad[i].text, bad[i].n ? bad[i].n : strlen(bad[i].text), &e));
        assert_int_equal(e.kind, ERR_FORMAT);
        assert_string_equal(e.text, bad[i].message);
        assert_null(t.row);
        assert_null(t.text);
    }
}

static void failure_leaves_the_table(void **state)
{
    (void)state;
    struct csv t = CSV_INIT;
    struct err e = ERR_INIT;

    parse(&t, "a\n1\n");
    assert_false(csv_parse(&t, "a\n\"", 3, &e));
    assert_string_equal(csv_get(&t, 0, 0), "1");
    parse(&t, "a\n2\n"); /* replaces, frees the old one */
    assert_string_equal(csv_get(&t, 0, 0), "2");
    csv_release(&t);
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    static const char *const field[] = {
        "", "plain", "a,b", "say \"x\"", "two\nlines", "cr\rinside", "1e-7", "\xc3\xa4\xc3\xb6", "\"", ""};
    enum { N = sizeof field / sizeof *field };
    struct buf b = BUF_INIT;
    struct csv t = CSV_INIT;
    struct err e = ERR_INIT;

    for (int row = 0; row < 3; row++) {
        for (int i = 0; i < N; i++)
            csv_put(&b, field[i]);
        csv_putf(&b, "%d,%.3f", row, 0.5);
        csv_put_end(&b);
    }
    assert_memory_equal(b.data, ",plain,\"a,b\",\"say \"\"x\"\"\",\"two\nlines\",", 37);
    assert_true(csv_parse(&t, b.data, b.len, &e));
    assert_int_equal(t.count, 2);
    assert_int_equal(t.header.count, N + 1);
    for (int i = 0; i < N; i++)
        assert_string_equal(csv_get(&t, 1, i), field[i]);
    assert_string_equal(csv_get(&t, 1, N), "2,0.500");
    csv_release(&t);
    buf_release(&b);
}

static void one_empty_field_is_a_row(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct csv t = CSV_INIT;

    csv_put(&b, "reason");
    csv_put_end(&b);
    csv_put(&b, "");
    csv_put_end(&b);
    assert_string_equal(b.data, "reason\n\"\"\n");
    parse(&t, b.data);
    assert_int_equal(t.count, 1);
    csv_release(&t);
    buf_release(&b);
}

static void reading_a_file_names_it(void **state)
{
    (void)state;
    char folder[] = "/tmp/clearmass-csv-XXXXXX";
    struct csv t = CSV_INIT;
    struct err e = ERR_INIT;

    assert_non_null(mkdtemp(folder));
    char *path = file_join(folder, "t.csv");
    assert_false(csv_read(&t, path, &e));
    assert_non_null(strstr(e.text, "/t.csv: No such file or directory"));
    assert_true(file_write(path, "a,b\n1\n", 6, &e));
    assert_false(csv_read(&t, path, &e));
    assert_non_null(strstr(e.text, "/t.csv: line 2: 1 fields, the header has 2"));
    assert_true(file_write(path, "", 0, &e));
    assert_false(csv_read(&t, path, &e));
    assert_true(file_write(path, "a,b\n1,2\n", 8, &e));
    assert_true(csv_read(&t, path, &e));
    assert_string_equal(csv_get(&t, 0, 1), "2");
    csv_release(&t);
    unlink(path);
    free(path);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quotes_hold_commas_quotes_and_newlines),
        cmocka_unit_test(line_ends_bom_and_blank_lines),
        cmocka_unit_test(empty_fields_and_columns),
        cmocka_unit_test(faults_name_their_line),
        cmocka_unit_test(failure_leaves_the_table),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(one_empty_field_is_a_row),
        cmocka_unit_test(reading_a_file_names_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
