/* err.h, mem.h, buf.h. */
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static void err_collects_names(void **state)
{
    (void)state;
    struct err e = ERR_INIT;

    assert_false(err_set(&e, ERR_FORMAT, "line %d: bad", 3));
    assert_int_equal(e.kind, ERR_FORMAT);
    assert_false(err_at(&e, "%s", "a.csv"));
    assert_string_equal(e.text, "a.csv: line 3: bad");
    err_at(&e, "%s", "a.csv");
    assert_string_equal(e.text, "a.csv: line 3: bad");
    err_at(&e, "%s", "data");
    assert_string_equal(e.text, "data: a.csv: line 3: bad");
    assert_int_equal(e.kind, ERR_FORMAT);
}

static void names_are_taken_off_again(void **state)
{
    (void)state;
    struct err e = ERR_INIT;

    err_set(&e, ERR_FORMAT, "bad");
    assert_string_equal(err_without(&e, "a"), "bad");
    err_at(&e, "%s", "new\nline: a");
    assert_string_equal(err_without(&e, "new\nline: a"), "bad");
    assert_string_equal(err_without(&e, "other"), "new line: a: bad");
}

static void err_may_quote_itself_and_be_null(void **state)
{
    (void)state;
    struct err e = ERR_INIT;

    err_set(&e, ERR_INPUT, "first");
    err_set(&e, ERR_LIMIT, "again: %s", e.text);
    assert_string_equal(e.text, "again: first");
    err_at(&e, "%s", e.text);
    assert_false(err_set(NULL, ERR_IO, "nobody listens"));
    assert_false(err_at(NULL, "x"));
    errno = ENOSPC;
    assert_false(err_errno(&e));
    assert_int_equal(e.kind, ERR_IO);
    assert_string_equal(e.text, "No space left on device");
}

static void err_stays_one_line_that_fits(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    char big[3000];

    err_set(&e, ERR_FORMAT, "tag \033[31m\nred\x7f");
    assert_string_equal(e.text, "tag  [31m red ");
    memset(big, 'y', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    err_set(&e, ERR_FORMAT, "%s", big);
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
    err_at(&e, "%s", "name");
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
    assert_memory_equal(e.text, "name: yyy", 9);
    err_at(&e, "z%s", big);
    assert_int_equal(strlen(e.text), sizeof e.text - 1);
}

static void mem_is_aligned_and_zero(void **state)
{
    (void)state;

    for (int round = 0; round < 3; round++) /* what the first round dirties, the next ones get again */
        for (size_t n = 0; n < 20000; n = 3 * n + 1) {
            unsigned char *p = mem_new(n, 3);
            assert_int_equal((uintptr_t)p % 64, 0);
            for (size_t i = 0; i < 3 * n; i++)
                assert_int_equal(p[i], 0);
            memset(p, 0xff, 3 * n);
            free(p);
        }
}

static void mem_try_tells_what_cannot_be_had(void **state)
{
    (void)state;
    struct err e = ERR_INIT;

    assert_null(mem_try(SIZE_MAX / 2, 3, &e));
    assert_int_equal(e.kind, ERR_LIMIT);
    assert_non_null(strstr(e.text, "not enough memory"));
    assert_null(mem_try(SIZE_MAX - 5, 1, &e));
    void *p = mem_try(10, 10, &e);
    assert_non_null(p);
    free(p);
}

static void mem_new_aborts_with_a_line(void **state)
{
    (void)state;
    int ends[2];
    char text[200] = "";

    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        signal(SIGABRT, SIG_DFL);
        free(mem_new(SIZE_MAX / 4, 8));
        _exit(0);
    }
    close(ends[1]);
    ssize_t got = read(ends[0], text, sizeof text - 1);
    int status;
    waitpid(child, &status, 0);
    close(ends[0]);
    assert_true(got > 0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_memory_equal(text, "clearmass: out of memory", 24);
    assert_int_equal(text[strlen(text) - 1], '\n');
}

static void mem_grow_keeps_and_strings_copy(void **state)
{
    (void)state;
    int *p = mem_grow(NULL, 2, sizeof *p);

    p[0] = 11;
    p[1] = 22;
    p = mem_grow(p, 5000, sizeof *p);
    assert_int_equal(p[0], 11);
    assert_int_equal(p[1], 22);
    p = mem_grow(p, 0, sizeof *p);
    assert_non_null(p);
    free(p);
    char *s = mem_copy_string("Mammogramm"), *t = mem_printf("%s-%03d", s, 7);
    assert_string_equal(t, "Mammogramm-007");
    free(s);
    free(t);
}

static void buf_grows_and_ends_with_nul(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;

    buf_add(&b, NULL, 0);
    assert_null(b.data);
    for (int i = 0; i < 1000; i++) {
        buf_addf(&b, "%03d", i);
        assert_int_equal(b.len, 3 * (i + 1));
        assert_int_equal(b.data[b.len], '\0');
        assert_true(b.cap > b.len);
    }
    for (int i = 0; i < 1000; i++)
        assert_int_equal(
            100 * (b.data[3 * i] - '0') + 10 * (b.data[3 * i + 1] - '0') + b.data[3 * i + 2] - '0', i);
    buf_release(&b);
    assert_null(b.data);
    assert_int_equal(b.len, 0);
    buf_adds(&b, "a");
    buf_add(&b, "\0b", 2);
    assert_memory_equal(b.data, "a\0b", 4);
    buf_release(&b);
}

static void base64_vectors_of_rfc_4648(void **state)
{
    (void)state;
    static const char *const pair[][2] = {{"", ""},
                                          {"f", "Zg=="},
                                          {"fo", "Zm8="},
                                          {"foo", "Zm9v"},
                                          {"foob", "Zm9vYg=="},
                                          {"fooba", "Zm9vYmE="},
                                          {"foobar", "Zm9vYmFy"},
                                          {"\xfb\xff\xbf", "+/+/"}};
    struct buf b = BUF_INIT;

    for (size_t i = 0; i < sizeof pair / sizeof *pair; i++) {
        buf_adds(&b, ">");
        buf_add_base64(&b, pair[i][0], strlen(pair[i][0]));
        assert_string_equal(b.data + 1, pair[i][1]);
        assert_int_equal(b.len, 1 + strlen(pair[i][1]));
        buf_release(&b);
    }
    buf_add_base64(&b, "\0\0\0\0", 4);
    assert_string_equal(b.data, "AAAAAA==");
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(err_collects_names),
        cmocka_unit_test(names_are_taken_off_again),
        cmocka_unit_test(err_may_quote_itself_and_be_null),
        cmocka_unit_test(err_stays_one_line_that_fits),
        cmocka_unit_test(mem_is_aligned_and_zero),
        cmocka_unit_test(mem_try_tells_what_cannot_be_had),
        cmocka_unit_test(mem_new_aborts_with_a_line),
        cmocka_unit_test(mem_grow_keeps_and_strings_copy),
        cmocka_unit_test(buf_grows_and_ends_with_nul),
        cmocka_unit_test(base64_vectors_of_rfc_4648),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
