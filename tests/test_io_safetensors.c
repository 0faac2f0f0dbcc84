/* safetensors: files put together byte by byte, one broken file a defect, and what we write read back by eye.
 */
#include "io/safetensors.h"

#include "base/buf.h"
#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <signal.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/clearmass-safetensors-XXXXXX", path[64];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/a.safetensors", folder);
    return 0;
}

static int drop_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void put_file(uint64_t length, const char *header, const void *data, size_t n)
{
    struct buf b = BUF_INIT;
    struct err err = ERR_INIT;
    buf_add(&b, &length, sizeof length);
    buf_adds(&b, header);
    buf_add(&b, data, n);
    assert_true(file_write(path, b.data, b.len, &err));
    buf_release(&b);
}

static void test_reads_every_real_type(void **state)
{
    (void)state;
    const char *header = "{\"d\":{\"dtype\":\"F64\",\"shape\":[2],\"data_offsets\":[16,32]},"
                         "\"f\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]},"
                         "\"h\":{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[8,16]},"
                         "\"b\":{\"dtype\":\"BF16\",\"shape\":[],\"data_offsets\":[32,34]},"
                         "\"i\":{\"dtype\":\"I8\",\"shape\":[1],\"data_offsets\":[34,35]},"
                         "\"none\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[0,0]},"
                         "\"__metadata__\":{\"epoch\":\"7\"}}";
    unsigned char data[35];
    float f[2] = {1.5f, -2.25f};
    double d[2] = {1e-3, -8};
    /* -2, the largest half 65504, the smallest subnormal 2^-24, minus infinity; bfloat16 of 3 is 0x4040 */
    uint16_t h[4] = {0xc000, 0x7bff, 0x0001, 0xfc00}, b = 0x4040;
    memcpy(data, f, 8);
    memcpy(data + 8, h, 8);
    memcpy(data + 16, d, 16);
    memcpy(data + 32, &b, 2);
    data[34] = 1;
    put_file(strlen(header), header, data, sizeof data);

    struct safetensors s = SAFETENSORS_INIT;
    struct err err = ERR_INIT;
    float out[4];
    assert_true(safetensors_open(&s, path, &err));
    assert_int_equal(s.count, 6);
    assert_string_equal(json_string_value(json_object_get(s.metadata, "epoch")), "7");
    safetensors_floats(safetensors_find(&s, "f"), out);
    assert_true(out[0] == 1.5f && out[1] == -2.25f);
    safetensors_floats(safetensors_find(&s, "d"), out);
    assert_true(out[0] == 1e-3f && out[1] == -8);
    safetensors_floats(safetensors_find(&s, "h"), out);
    assert_true(out[0] == -2 && out[1] == 65504 && out[2] == 0x1p-24f && out[3] == -__builtin_inff());
    safetensors_floats(safetensors_find(&s, "b"), out);
    assert_true(out[0] == 3);
    assert_int_equal(safetensors_find(&s, "f")->rank, 2);
    assert_int_equal(safetensors_find(&s, "f")->dim[1], 2);
    assert_false(safetensors_is_real(safetensors_find(&s, "i")));
    assert_null(safetensors_find(&s, "x"));
    safetensors_close(&s);
}

#define F32_AT(name, shape, begin, end)                                                                      \
    "\"" name "\":{\"dtype\":\"F32\",\"shape\":" shape ",\"data_offsets\":[" begin "," end "]}"

static void test_refuses_broken_files(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        int length; /* -1: the header's own */
        size_t bytes;
        const char *message;
    } CASES[] = {
        {"{" F32_AT("a", "[2]", "0", "8") "}", -1, 7, "cut short: tensor 'a'"},
        {"{" F32_AT("a", "[2]", "0", "8") "}", -1, 9, "1 bytes left over"},
        {"{" F32_AT("a", "[2]", "4", "12") "}", -1, 12, "leaves a hole"},
        {"{" F32_AT("a", "[2]", "0", "8") "," F32_AT("b", "[1]", "4", "8") "}", -1, 8, "overlaps"},
        {"{" F32_AT("a", "[3]", "0", "8") "}", -1, 8, "8 bytes for a shape of 12"},
        {"{" F32_AT("a", "[2]", "8", "0") "}", -1, 8, "bad offsets"},
        {"{" F32_AT("a", "[2]", "-8", "0") "}", -1, 8, "bad offsets"},
        {"{" F32_AT("a", "[-2]", "0", "8") "}", -1, 8, "bad shape"},
        {"{" F32_AT("a", "[4294967296, 4294967296, 4]", "0", "0") "}", -1, 8, "bad shape"},
        {"{" F32_AT("a", "[1,1,1,1,1,1,1,1,2]", "0", "8") "}", -1, 8, "bad shape"},
        {"{\"a\":{\"dtype\":\"F33\",\"shape\":[2],\"data_offsets\":[0,8]}}", -1, 8, "unknown type"},
        {"{\"a\":3}", -1, 8, "unknown type"},
        {"{\"__metadata__\":{\"epoch\":3}}", -1, 0, "metadata 'epoch' is no text"},
        {"{\"a\":", -1, 8, "bad header"},
        {"{" F32_AT("a", "[1]", "0", "4") "," F32_AT("a", "[1]", "4", "8") "}", -1, 8, "bad header"},
        {"[1, 2]", -1, 8, "no safetensors file"},
        {"{}", 1000, 8, "cut short inside the header"},
        {"{}", 2000000000, 8, "no safetensors file"},
    };
    static const char zeros[64];

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct safetensors s = SAFETENSORS_INIT;
        struct err err = ERR_INIT;
        int length = CASES[i].length;
        put_file(length < 0 ? strlen(CASES[i].header) : (uint64_t)length, CASES[i].header, zeros,
                 CASES[i].bytes);
        assert_false(safetensors_open(&s, path, &err));
        if (!strstr(err.text, CASES[i].message) || !strstr(err.text, path))
            fail_msg("case %zu: '%s' instead of '%s'", i, err.text, CASES[i].message);
        assert_null(s.map);
    }
}

static void test_refuses_what_is_no_file(void **state)
{
    (void)state;
    struct safetensors s = SAFETENSORS_INIT;
    struct err err = ERR_INIT;
    assert_false(safetensors_open(&s, "/tmp/clearmass-no-such-file", &err));
    assert_non_null(strstr(err.text, "No such file"));
    assert_false(safetensors_open(&s, folder, &err));
    assert_non_null(strstr(err.text, "no regular file"));
    assert_true(file_write(path, "abc", 3, &err));
    assert_false(safetensors_open(&s, path, &err));
    assert_non_null(strstr(err.text, "only 3 bytes"));
}

static void test_written_bytes(void **state)
{
    (void)state;
    const float a[4] = {1, 2, 3, 4}, b[1] = {-1};
    const struct safetensors_entry entry[] = {{"a", 2, {2, 2}, a}, {"b/c", 1, {1}, b}};
    struct err err = ERR_INIT;
    struct buf file = BUF_INIT;
    uint64_t length;
    json_t *meta = json_pack("{s:s}", "format", "x");

    assert_true(safetensors_write(path, entry, 2, meta, &err));
    assert_true(file_read(&file, path, 0, &err));
    memcpy(&length, file.data, 8);
    assert_int_equal(length % 8, 0);
    assert_int_equal(file.len, 8 + length + 5 * sizeof(float));
    assert_memory_equal(file.data + 8 + length, a, sizeof a);
    assert_memory_equal(file.data + 8 + length + sizeof a, b, sizeof b);
    const char *header = "{\"__metadata__\":{\"format\":\"x\"},"
                         "\"a\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]},"
                         "\"b/c\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[16,20]}}";
    assert_memory_equal(file.data + 8, header, strlen(header));
    buf_release(&file);
    json_decref(meta);
}

/* A file size limit stands for a full disk: the old file stays whole and nothing is left beside it. */
static void test_full_disk_keeps_the_old_file(void **state)
{
    (void)state;
    static float big[100000];
    const struct safetensors_entry small = {"a", 1, {1}, big}, large = {"a", 1, {100000}, big};
    struct rlimit old, tight = {50000, 50000};
    struct err err = ERR_INIT;
    struct file_list names = FILE_LIST_INIT;
    struct safetensors s = SAFETENSORS_INIT;

    assert_true(safetensors_write(path, &small, 1, NULL, &err));
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    tight.rlim_max = old.rlim_max;
    setrlimit(RLIMIT_FSIZE, &tight);
    bool ok = safetensors_write(path, &large, 1, NULL, &err);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_false(ok);
    assert_int_equal(err.kind, ERR_IO);
    assert_non_null(strstr(err.text, path));
    assert_true(safetensors_open(&s, path, &err));
    assert_int_equal(s.tensor[0].count, 1);
    safetensors_close(&s);
    assert_true(file_list_read(&names, folder, &err));
    assert_int_equal(names.count, 1);
    file_list_release(&names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_every_real_type),        cmocka_unit_test(test_refuses_broken_files),
        cmocka_unit_test(test_refuses_what_is_no_file),      cmocka_unit_test(test_written_bytes),
        cmocka_unit_test(test_full_disk_keeps_the_old_file),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
