/* file.h and json.h, in a folder of their own that must be empty at the end. */
#include "base/file.h"
#include "base/json.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

static char folder[64];

static int setup(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/clearmass-file-XXXXXX");
    return mkdtemp(folder) ? chdir(folder) : -1;
}

/* Fails when a test left anything behind, a partial file above all. */
static int teardown(void **state)
{
    (void)state;
    return chdir("/") == 0 && rmdir(folder) == 0 ? 0 : -1;
}

static void assert_content(const char *path, const char *expected)
{
    struct buf b = BUF_INIT;
    struct err e = ERR_INIT;

    if (!file_read(&b, path, 0, &e))
        fail_msg("%s", e.text);
    assert_int_equal(b.len, strlen(expected));
    assert_string_equal(b.data, expected);
    buf_release(&b);
}

static void assert_names(const char *where, const char *expected)
{
    struct file_list l = FILE_LIST_INIT;
    struct buf b = BUF_INIT;
    struct err e = ERR_INIT;

    assert_true(file_list_read(&l, where, &e));
    buf_adds(&b, "|");
    for (size_t i = 0; i < l.count; i++)
        buf_addf(&b, "%s|", l.name[i]);
    assert_string_equal(b.data, expected);
    buf_release(&b);
    file_list_release(&l);
}

static void writes_replaces_and_reads(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct buf b = BUF_INIT;

    assert_true(file_write("a.txt", "one", 3, &e));
    assert_content("a.txt", "one");
    assert_true(file_write("a.txt", "", 0, &e));
    assert_content("a.txt", "");
    assert_true(file_write("a.txt", "x\0y", 3, &e));
    assert_true(file_read(&b, "a.txt", 3, &e));
    assert_int_equal(b.len, 3);
    assert_memory_equal(b.data, "x\0y", 4);
    assert_names(".", "|a.txt|");
    assert_false(file_read(&b, "a.txt", 2, &e));
    assert_int_equal(e.kind, ERR_LIMIT);
    assert_string_equal(e.text, "a.txt: larger than 2 bytes");
    assert_memory_equal(b.data, "x\0y", 4);
    buf_release(&b);
    unlink("a.txt");
}

static void refuses_what_is_no_file(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct buf b = BUF_INIT;
    char text[FILE_SHA256_TEXT];

    alarm(20); /* a reader that waits for the pipe is ended here */
    assert_int_equal(mkfifo("pipe", 0600), 0);
    assert_false(file_read(&b, "pipe", 0, &e));
    assert_string_equal(e.text, "pipe: not a regular file");
    assert_false(file_sha256("pipe", text, &e));
    assert_false(file_copy("pipe", "copy", &e));
    assert_string_equal(e.text, "copy: pipe: not a regular file");
    assert_false(file_read(&b, "/dev/zero", 0, &e));
    assert_string_equal(e.text, "/dev/zero: not a regular file");
    assert_false(file_read(&b, ".", 0, &e));
    assert_string_equal(e.text, ".: this is a folder");
    assert_false(file_read(&b, "none", 0, &e));
    assert_string_equal(e.text, "none: No such file or directory");
    assert_null(b.data);
    alarm(0);
    unlink("pipe");
}

/* The kernel's file size limit behaves as a full disk does: writing stops in the middle. */
static void limit_files_to(rlim_t bytes)
{
    struct rlimit limit;

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void full_disk_leaves_the_old_file(void **state)
{
    (void)state;
    static char big[1 << 20];
    struct err e = ERR_INIT;
    struct file_out o = FILE_OUT_INIT;

    memset(big, 'b', sizeof big);
    assert_true(file_write("a", "old", 3, &e));
    assert_true(file_write("big", big, sizeof big, &e));
    limit_files_to(1000);
    bool large = file_write("a", big, sizeof big, &e);
    bool small = file_write("a", big, 2000, NULL); /* fits the buffer of FILE: seen by the flush only */
    bool copied = file_copy("big", "a", NULL);
    assert_true(file_out_begin(&o, "a", true, &e));
    (void)!fwrite(big, 1, sizeof big, o.f); /* a writer that does not look */
    bool careless = file_out_commit(&o, NULL);
    limit_files_to(RLIM_INFINITY);
    assert_false(large);
    assert_int_equal(e.kind, ERR_IO);
    assert_string_equal(e.text, "a: File too large");
    assert_false(small);
    assert_false(copied);
    assert_false(careless);
    assert_content("a", "old");
    assert_names(".", "|a|big|");
    unlink("a");
    unlink("big");
}

static void out_commits_or_discards(void **state)
{
    (void)state;
    struct file_out o = FILE_OUT_INIT, other = FILE_OUT_INIT;
    struct err e = ERR_INIT;

    file_out_discard(&o);
    assert_true(file_out_begin(&o, "t.tif", false, &e));
    assert_null(o.f);
    assert_false(file_exists("t.tif"));
    assert_true(file_out_begin(&other, "t.tif", true, &e));
    assert_string_not_equal(o.partial, other.partial);
    FILE *f = fopen(o.partial, "w");
    fputs("named", f);
    fclose(f);
    assert_true(file_out_commit(&o, &e));
    assert_content("t.tif", "named");
    file_out_discard(&o);
    fputs("12345", other.f);
    assert_int_equal(fseek(other.f, 1, SEEK_SET), 0);
    fputs("X", other.f);
    assert_true(file_out_commit(&other, &e));
    assert_content("t.tif", "1X345");
    assert_true(file_out_begin(&o, "t.tif", true, &e));
    fputs("gone", o.f);
    file_out_discard(&o);
    assert_content("t.tif", "1X345");
    assert_names(".", "|t.tif|");
    unlink("t.tif");
}

static void out_tells_where_it_cannot_write(void **state)
{
    (void)state;
    struct err e = ERR_INIT;

    assert_false(file_write("no/such/x", "1", 1, &e));
    assert_string_equal(e.text, "no/such/x: No such file or directory");
    assert_int_equal(mkdir("d", 0777), 0);
    assert_false(file_write("d", "1", 1, &e));
    assert_string_equal(e.text, "d: Is a directory");
    assert_names(".", "|d|");
    rmdir("d");
    char name[256];
    memset(name, 'n', 255);
    name[255] = '\0';
    assert_true(file_write(name, "1", 1, &e));
    assert_content(name, "1");
    unlink(name);
}

static void folders_and_lists(void **state)
{
    (void)state;
    struct err e = ERR_INIT;
    struct file_list l = FILE_LIST_INIT;

    assert_true(file_make_folders("p/q//r/", &e));
    assert_true(file_make_folders("p/q/r", &e));
    assert_true(file_make_folders("/", &e));
    assert_true(file_make_folders("", &e));
    assert_true(file_is_folder("p/q/r"));
    assert_true(file_write("p/file", "12", 2, &e));
    assert_false(file_is_folder("p/file"));
    assert_true(file_exists("p/file") && !file_exists("p/none"));
    assert_false(file_make_folders("p/file/x", &e));
    assert_string_equal(e.text, "p/file: not a folder");
    assert_true(file_write("p/B", "", 0, &e));
    assert_true(file_write("p/.hidden", "", 0, &e));
    assert_true(file_copy("p/file", "p/a", &e));
    assert_content("p/a", "12");
    assert_names("p", "|.hidden|B|a|file|q|");
    assert_false(file_list_read(&l, "p/none", &e));
    assert_string_equal(e.text, "p/none: No such file or directory");
    unlink("p/a");
    unlink("p/B");
    unlink("p/file");
    unlink("p/.hidden");
    rmdir("p/q/r");
    rmdir("p/q");
    assert_names("p", "|");
    rmdir("p");
}

static void names(void **state)
{
    (void)state;
    static const struct {
        const char *folder, *name, *joined;
    } join[] = {{"a", "b", "a/b"}, {"a/", "b", "a/b"}, {"a", "/b", "/b"}, {NULL, "b", "b"},
                {"", "b", "b"},    {".", "b", "b"},    {"/", "b", "/b"}};
    static const char *const stem[][2] = {{"a/b (1).png", "b (1)"},
                                          {"x.tar.gz", "x.tar"},
                                          {"a.b/c", "c"},
                                          {"d/.profile", ".profile"},
                                          {"e.", "e"}};

    for (size_t i = 0; i < sizeof join / sizeof *join; i++) {
        char *s = file_join(join[i].folder, join[i].name);
        assert_string_equal(s, join[i].joined);
        free(s);
    }
    for (size_t i = 0; i < sizeof stem / sizeof *stem; i++) {
        char *s = file_stem(stem[i][0]);
        assert_string_equal(s, stem[i][1]);
        free(s);
    }
    assert_string_equal(file_base("a/b.c"), "b.c");
    assert_string_equal(file_base("b.c"), "b.c");
    assert_true(file_has_ext("A.TIF", "tif") && file_has_ext("x/a.b.tif", "TIF"));
    assert_false(file_has_ext("tif", "tif") || file_has_ext("atif", "tif") || file_has_ext("a.tiff", "tif"));
}

static void sha256_known_answers(void **state)
{
    (void)state;
    static const char empty[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    static const char million[] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0";
    char text[FILE_SHA256_TEXT];
    struct err e = ERR_INIT;

    file_sha256_bytes("abc", 3, text);
    assert_string_equal(text, abc);
    file_sha256_bytes(NULL, 0, text);
    assert_string_equal(text, empty);
    char *a = malloc(1000000);
    memset(a, 'a', 1000000);
    assert_true(file_write("a", a, 1000000, &e));
    free(a);
    assert_true(file_sha256("a", text, &e));
    assert_string_equal(text, million);
    assert_true(file_write("a", "", 0, &e));
    assert_true(file_sha256("a", text, &e));
    assert_string_equal(text, empty);
    unlink("a");
    assert_false(file_sha256("a", text, &e));
    assert_string_equal(e.text, "a: No such file or directory");
}

/* Parts that begin and end anywhere among the pieces a file is read in. */
static void a_part_comes_with_the_hash_of_the_whole(void **state)
{
    (void)state;
    enum { N = 1000000 };
    static const size_t PARTS[][2] = {{0, N}, {0, 0}, {N, 0}, {7, 1}, {262143, 2}, {300000, 600001}};
    char *bytes = malloc(N), *part = malloc(N), text[FILE_SHA256_TEXT], want[FILE_SHA256_TEXT];
    struct err e = ERR_INIT;

    for (size_t i = 0; i < N; i++)
        bytes[i] = (char)(i * 2654435761u >> 24);
    file_sha256_bytes(bytes, N, want);
    assert_true(file_write("a", bytes, N, &e));
    for (size_t k = 0; k < 2 * sizeof PARTS / sizeof *PARTS; k++) {
        const struct file_part p = {part, PARTS[k / 2][0], PARTS[k / 2][1]};
        text[0] = '\0';
        memset(part, 0, N);
        assert_true(file_read_part(&p, "a", k % 2 ? text : NULL, &e));
        assert_memory_equal(part, bytes + p.begin, p.bytes);
        assert_string_equal(text, k % 2 ? want : "");
    }
    assert_false(file_read_part(&(struct file_part){part, 9, N}, "a", text, &e));
    assert_int_equal(e.kind, ERR_FORMAT);
    assert_string_equal(e.text, "a: ends after 1000000 bytes, 1000009 are wanted");
    assert_false(file_read_part(&(struct file_part){part, 2 * N, 1}, "a", NULL, &e));
    assert_int_equal(e.kind, ERR_FORMAT);
    unlink("a");
    assert_false(file_read_part(&(struct file_part){part, 0, 1}, "a", text, &e));
    assert_string_equal(e.text, "a: No such file or directory");
    free(bytes);
    free(part);
}

/* RFC 1321, A.5 */
static void md5_known_answers(void **state)
{
    (void)state;
    static const char *const known[][2] = {
        {"", "d41d8cd98f00b204e9800998ecf8427e"},
        {"message digest", "f96b697d7cb7938d525a2f31aaf161d0"},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
         "57edf4a22be3c955ac49da2e2107b67a"}};
    char text[FILE_MD5_TEXT];
    struct err e = ERR_INIT;

    for (size_t i = 0; i < 3; i++) {
        assert_true(file_write("a", known[i][0], strlen(known[i][0]), &e));
        assert_true(file_md5("a", text, &e));
        assert_string_equal(text, known[i][1]);
    }
    unlink("a");
    assert_false(file_md5("a", text, &e));
    assert_string_equal(e.text, "a: No such file or directory");
}

static void json_keeps_numbers_and_order(void **state)
{
    (void)state;
    static const double value[] = {0.1, 1e-300, 1.0 / 3, 5e-324, 1.7976931348623157e308, -0.0, 100};
    struct err e = ERR_INIT;
    json_t *o = json_object(), *list = json_array();

    for (size_t i = 0; i < sizeof value / sizeof *value; i++)
        json_array_append_new(list, json_real(value[i]));
    json_object_set_new(o, "zebra", json_integer(9007199254740993));
    json_object_set_new(o, "apple", json_string("\xc3\xa4\n"));
    json_object_set_new(o, "mango", list);
    assert_true(json_file_write("a.json", o, &e));
    json_t *back = json_file_read("a.json", &e);
    assert_non_null(back);
    assert_true(json_equal(o, back));
    for (size_t i = 0; i < sizeof value / sizeof *value; i++) {
        double got = json_real_value(json_array_get(json_object_get(back, "mango"), i));
        assert_memory_equal(&got, &value[i], sizeof got);
    }
    struct buf b = BUF_INIT;
    assert_true(file_read(&b, "a.json", 0, &e));
    assert_memory_equal(b.data, "{\n  \"zebra\": 9007199254740993,\n  \"apple\": ", 42);
    assert_int_equal(b.data[b.len - 1], '\n');
    assert_true(strstr(b.data, "apple") < strstr(b.data, "mango"));
    assert_non_null(strstr(b.data, "0.10000000000000001"));
    buf_release(&b);
    json_decref(back);
    json_decref(o);
    unlink("a.json");
}

static void json_faults_name_path_and_line(void **state)
{
    (void)state;
    static const char *const bad[][2] = {{"{\n \"a\": 1,\n}\n", "a.json: line 3: "},
                                         {"", "a.json: line 1: "},
                                         {"{\"a\": 1}\n x", "a.json: line 2: "},
                                         {"{\"a\": 1,\n \"a\": 2}", "a.json: line 2: duplicate"}};
    struct err e = ERR_INIT;

    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_true(file_write("a.json", bad[i][0], strlen(bad[i][0]), &e));
        assert_null(json_file_read("a.json", &e));
        assert_int_equal(e.kind, ERR_FORMAT);
        assert_memory_equal(e.text, bad[i][1], strlen(bad[i][1]));
    }
    unlink("a.json");
    assert_null(json_file_read("a.json", &e));
    assert_string_equal(e.text, "a.json: No such file or directory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(writes_replaces_and_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_what_is_no_file, setup, teardown),
        cmocka_unit_test_setup_teardown(full_disk_leaves_the_old_file, setup, teardown),
        cmocka_unit_test_setup_teardown(out_commits_or_discards, setup, teardown),
        cmocka_unit_test_setup_teardown(out_tells_where_it_cannot_write, setup, teardown),
        cmocka_unit_test_setup_teardown(folders_and_lists, setup, teardown),
        cmocka_unit_test(names),
        cmocka_unit_test_setup_teardown(sha256_known_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(a_part_comes_with_the_hash_of_the_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(md5_known_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(json_keeps_numbers_and_order, setup, teardown),
        cmocka_unit_test_setup_teardown(json_faults_name_path_and_line, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
