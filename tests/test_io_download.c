/* Downloads from a small server of our own: whole, gone on with, begun anew, broken off, refused, with
 * another sum.
 */
#include "io/download.h"

#include "base/file.h"
#include "base/mem.h"
#include "base/stop.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { BODY = 300000, HALF = 150000, REQUEST = 4096 };

static char folder[] = "/tmp/clearmass-download-XXXXXX", path[64], part[80];
static unsigned char body[BODY];
static char md5[FILE_MD5_TEXT];
static int port, requests[2]; /* a pipe: the server tells "PATH FIRST_BYTE\n" of every request */
static pid_t server;

static void send_all(int to, const void *bytes, size_t n)
{
    for (const char *at = bytes; n > 0;) {
        const ssize_t sent = send(to, at, n, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        at += sent;
        n -= (size_t)sent;
    }
}

/* whole: knows ranges. plain: does not. cut: says all and sends half, but all of a range. moved: elsewhere.
 * others: 404. */
static void answer(int to, const char *name, size_t first)
{
    const bool cut = !strcmp(name, "/cut"), known = cut || !strcmp(name, "/whole");
    char head[256];

    if (!strcmp(name, "/moved"))
        snprintf(head, sizeof head, "HTTP/1.1 302 Found\r\nLocation: /whole\r\nContent-Length: 0\r\n\r\n");
    else if (!known && strcmp(name, "/plain") != 0)
        snprintf(head, sizeof head, "HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nnone\n");
    else if (known && first >= BODY)
        snprintf(head, sizeof head, "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\n\r\n");
    else if (known && first > 0)
        snprintf(
            head, sizeof head,
            "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %zu-%d/%d\r\nContent-Length: %zu\r\n\r\n",
            first, BODY - 1, BODY, BODY - first);
    else
        snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", BODY);
    send_all(to, head, strlen(head));
    if (!known)
        first = 0;
    if (strstr(head, " 200 ") || strstr(head, " 206 "))
        send_all(to, body + first, cut && first == 0 ? HALF : BODY - first);
}

static void serve(int listening)
{
    for (;;) {
        char text[REQUEST] = "", name[64] = "", line[96];
        unsigned long first = 0;
        const int to = accept(listening, NULL, NULL);
        size_t n = 0;
        while (n + 1 < sizeof text && !strstr(text, "\r\n\r\n")) {
            const ssize_t got = recv(to, text + n, sizeof text - 1 - n, 0);
            if (got <= 0)
                break;
            n += (size_t)got;
        }
        sscanf(text, "GET %60s", name);
        const char *range = strstr(text, "Range: bytes=");
        if (range)
            first = strtoul(range + 13, NULL, 10);
        const int length = snprintf(line, sizeof line, "%s %lu\n", name, first);
        if (write(requests[1], line, (size_t)length) != length)
            _exit(1);
        answer(to, name, first);
        shutdown(to, SHUT_WR);
        while (recv(to, text, sizeof text, 0) > 0)
            continue;
        close(to);
    }
}

static int begin(void **state)
{
    (void)state;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof at;
    const int listening = socket(AF_INET, SOCK_STREAM, 0);

    for (const char *const *v =
             (const char *const[]){"http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", NULL};
         *v; v++)
        unsetenv(*v);
    for (unsigned i = 0; i < BODY; i++)
        body[i] = (unsigned char)(i * i / 977);
    if (!mkdtemp(folder) || pipe(requests) != 0 || bind(listening, (struct sockaddr *)&at, sizeof at) != 0 ||
        listen(listening, 8) != 0 || getsockname(listening, (struct sockaddr *)&at, &size) != 0)
        return -1;
    port = ntohs(at.sin_port);
    snprintf(path, sizeof path, "%s/a.h5", folder);
    snprintf(part, sizeof part, "%s.part", path);
    if (!file_write(path, body, BODY, NULL) || !file_md5(path, md5, NULL))
        return -1;
    unlink(path);
    server = fork();
    if (server == 0)
        serve(listening);
    close(listening);
    close(requests[1]);
    return server > 0 ? 0 : -1;
}

static void stop_server(void)
{
    kill(server, SIGKILL);
    waitpid(server, NULL, 0);
}

static int end(void **state)
{
    (void)state;
    stop_server();
    return rmdir(folder);
}

static int clean(void **state)
{
    (void)state;
    unlink(path);
    unlink(part);
    return 0;
}

static bool get(const char *name, const char *sum, struct err *err)
{
    char *url = mem_printf("http://127.0.0.1:%d/%s", port, name);
    const bool ok = download_file(&(struct download){"test", url, path, sum}, err);

    free(url);
    return ok;
}

static void good(const char *name)
{
    struct err err = ERR_INIT;
    struct buf b = BUF_INIT;

    if (!get(name, md5, &err))
        fail_msg("%s", err.text);
    assert_true(file_read(&b, path, 0, &err));
    assert_int_equal(b.len, BODY);
    assert_memory_equal(b.data, body, BODY);
    assert_false(file_exists(part));
    buf_release(&b);
}

static void bad(const char *name, const char *sum, const char *message)
{
    struct err err = ERR_INIT;

    assert_false(get(name, sum, &err));
    if (!strstr(err.text, message) || strchr(err.text, '\n'))
        fail_msg("'%s' instead of '%s'", err.text, message);
    assert_false(file_exists(path));
}

static size_t part_bytes(void)
{
    struct buf b = BUF_INIT;
    struct err err = ERR_INIT;

    assert_true(file_read(&b, part, 0, &err));
    const size_t n = b.len;
    buf_release(&b);
    return n;
}

static void requested(const char *lines)
{
    char got[256] = "";
    const ssize_t n = read(requests[0], got, strlen(lines));

    assert_int_equal(n, strlen(lines));
    assert_string_equal(got, lines);
}

static void test_whole(void **state)
{
    (void)state;
    good("whole");
    requested("/whole 0\n");
    good("moved"); /* and what was there is replaced */
    requested("/moved 0\n/whole 0\n");
}

static void test_broken_off_and_gone_on_with(void **state)
{
    (void)state;
    bad("cut", md5, "/cut broke off after 150000 bytes");
    assert_int_equal(part_bytes(), HALF);
    good("cut");
    requested("/cut 0\n/cut 150000\n");
}

static void test_server_without_ranges(void **state)
{
    (void)state;
    assert_true(file_write(part, body, 1000, NULL));
    good("plain");
    requested("/plain 1000\n/plain 0\n");
}

static void test_part_of_another_file(void **state)
{
    (void)state;
    static const char other[1000] = "other";
    assert_true(file_write(part, other, sizeof other, NULL));
    good("whole");
    requested("/whole 1000\n/whole 0\n");
    char *more = mem_new(BODY + 1, 1); /* more than there is */
    unlink(path);
    assert_true(file_write(part, more, BODY + 1, NULL));
    good("whole");
    requested("/whole 300001\n/whole 0\n");
    free(more);
}

/* Killed after the last byte and before the renaming: nothing is asked for again. */
static void test_whole_part(void **state)
{
    (void)state;
    assert_true(file_write(part, body, BODY, NULL));
    good("none");
}

static void test_another_sum(void **state)
{
    (void)state;
    bad("whole", "0123456789abcdef0123456789abcdef", "not 0123456789abcdef0123456789abcdef: not kept");
    assert_false(file_exists(part));
    requested("/whole 0\n");
}

static void test_refused(void **state)
{
    (void)state;
    bad("none", md5, "/none: the server answers 404");
    assert_false(file_exists(part));
    requested("/none 0\n");
    assert_true(file_write(part, body, 1000, NULL)); /* what has come stays */
    bad("none", md5, "/none: the server answers 404");
    assert_int_equal(part_bytes(), 1000);
    requested("/none 1000\n");
}

static void test_two_at_once(void **state)
{
    (void)state;
    FILE *f = fopen(part, "w");
    assert_int_equal(flock(fileno(f), LOCK_EX), 0);
    bad("whole", md5, "another process is downloading");
    fclose(f);
}

/* In a process of its own, for a request to stop is never taken back. */
static void test_stopped(void **state)
{
    (void)state;
    int status = 0;
    const pid_t child = fork();
    if (child == 0) {
        struct err err = ERR_INIT;
        stop_install();
        raise(SIGINT);
        const bool ok = get("whole", md5, &err);
        _exit(!ok && err.kind == ERR_CANCELLED && !strncmp(err.text, "stopped after ", 14) ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_false(file_exists(path));
}

static void test_no_such_folder(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    assert_false(download_file(&(struct download){"test", "http://127.0.0.1/", "/no/such/a.h5", md5}, &err));
    assert_string_equal(err.text, "/no/such/a.h5.part: No such file or directory");
}

/* The last test. */
static void test_nobody_there(void **state)
{
    (void)state;
    struct err err = ERR_INIT;
    stop_server();
    bad("whole", md5, "/whole cannot be reached (");
    assert_false(file_exists(part));
    assert_false(download_file(&(struct download){"test", "gopher://x/", path, md5}, &err));
    assert_non_null(strstr(err.text, "gopher://x/ cannot be reached (Protocol"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_whole, clean),
        cmocka_unit_test_teardown(test_broken_off_and_gone_on_with, clean),
        cmocka_unit_test_teardown(test_server_without_ranges, clean),
        cmocka_unit_test_teardown(test_part_of_another_file, clean),
        cmocka_unit_test_teardown(test_whole_part, clean),
        cmocka_unit_test_teardown(test_another_sum, clean),
        cmocka_unit_test_teardown(test_refused, clean),
        cmocka_unit_test_teardown(test_two_at_once, clean),
        cmocka_unit_test_teardown(test_stopped, clean),
        cmocka_unit_test_teardown(test_no_such_folder, clean),
        cmocka_unit_test_teardown(test_nobody_there, clean),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
