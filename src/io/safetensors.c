#include "io/safetensors.h"

#include "base/file.h"
#include "base/mem.h"

#include <assert.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are copied as they lie in the file");

enum { LENGTH_BYTES = 8, MOST_HEADER_BYTES = 100000000 };

static float from_half_bits(uint32_t sign, uint32_t exponent, uint32_t fraction)
{
    uint32_t bits = sign << 31;
    float value;

    if (exponent == 0) {
        value = (float)fraction * 0x1p-24f; /* zero and subnormals */
        return sign ? -value : value;
    }
    bits |= exponent == 31 ? 0x7f800000u : (exponent + 112) << 23;
    bits |= fraction << 13;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void read_f64(float *out, const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        double v;
        memcpy(&v, bytes + i * sizeof v, sizeof v);
        out[i] = (float)v;
    }
}

static void read_f32(float *out, const unsigned char *bytes, size_t count)
{
    if (count)
        memcpy(out, bytes, count * sizeof *out);
}

static void read_f16(float *out, const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t h = bytes[2 * i] | (uint32_t)bytes[2 * i + 1] << 8;
        out[i] = from_half_bits(h >> 15, (h >> 10) & 31, h & 1023);
    }
}

static void read_bf16(float *out, const unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = (bytes[2 * i] | (uint32_t)bytes[2 * i + 1] << 8) << 16;
        memcpy(&out[i], &bits, sizeof bits);
    }
}

static const struct dtype {
    const char *name;
    size_t bytes;
    void (*read)(float *out, const unsigned char *bytes, size_t count); /* NULL: known, not read */
} DTYPES[] = {
    {"F64", 8, read_f64}, {"F32", 4, read_f32}, {"F16", 2, read_f16}, {"BF16", 2, read_bf16},
    {"I64", 8, NULL},     {"I32", 4, NULL},     {"I16", 2, NULL},     {"I8", 1, NULL},
    {"U64", 8, NULL},     {"U32", 4, NULL},     {"U16", 2, NULL},     {"U8", 1, NULL},
    {"BOOL", 1, NULL},    {"F8_E4M3", 1, NULL}, {"F8_E5M2", 1, NULL},
};

static const struct dtype *find_dtype(const char *name)
{
    for (size_t i = 0; name && i < sizeof DTYPES / sizeof *DTYPES; i++) {
        if (!strcmp(DTYPES[i].name, name))
            return &DTYPES[i];
    }
    return NULL;
}

bool safetensors_is_real(const struct safetensors_tensor *t)
{
    return find_dtype(t->dtype)->read != NULL;
}

void safetensors_floats(const struct safetensors_tensor *t, float *out)
{
    assert(safetensors_is_real(t));
    find_dtype(t->dtype)->read(out, t->bytes, t->count);
}

const struct safetensors_tensor *safetensors_find(const struct safetensors *s, const char *name)
{
    for (size_t i = 0; i < s->count; i++) {
        if (!strcmp(s->tensor[i].name, name))
            return &s->tensor[i];
    }
    return NULL;
}

void safetensors_close(struct safetensors *s)
{
    free(s->tensor);
    json_decref(s->header);
    if (s->map)
        munmap(s->map, s->map_bytes);
    *s = (struct safetensors)SAFETENSORS_INIT;
}

static bool map_file(struct safetensors *s, const char *path, struct err *err)
{
    struct stat st;
    bool ok = false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return err_errno(err);
    if (fstat(fd, &st)) {
        err_errno(err);
        goto out;
    }
    if (!S_ISREG(st.st_mode)) {
        err_set(err, ERR_INPUT, "no regular file");
        goto out;
    }
    if (st.st_size < LENGTH_BYTES) {
        err_set(err, ERR_FORMAT, "no safetensors file: only %lld bytes", (long long)st.st_size);
        goto out;
    }
    void *map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (map == MAP_FAILED) {
        err_errno(err);
        goto out;
    }
    s->map = map;
    s->map_bytes = (size_t)st.st_size;
    ok = true;
out:
    close(fd);
    return ok;
}

static bool read_size(const json_t *value, size_t *out)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *out = (size_t)json_integer_value(value);
    return true;
}

/* Shape, and count and n_bytes from it. */
static bool read_shape(struct safetensors_tensor *t, const json_t *shape, size_t number_bytes)
{
    if (!json_is_array(shape) || json_array_size(shape) > SAFETENSORS_MAX_RANK)
        return false;
    t->rank = (int)json_array_size(shape);
    t->count = 1;
    for (int i = 0; i < t->rank; i++) {
        if (!read_size(json_array_get(shape, (size_t)i), &t->dim[i]) ||
            __builtin_mul_overflow(t->count, t->dim[i], &t->count))
            return false;
    }
    return !__builtin_mul_overflow(t->count, number_bytes, &t->n_bytes);
}

static bool read_tensor(struct safetensors_tensor *t, const char *name, const json_t *entry,
                        const struct safetensors *s, size_t data_at, struct err *err)
{
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    const struct dtype *type = find_dtype(dtype);
    const json_t *offsets = json_object_get(entry, "data_offsets");
    size_t begin, end;

    *t = (struct safetensors_tensor){.name = name, .dtype = dtype};
    if (!type)
        return err_set(err, ERR_FORMAT, "tensor '%.80s': unknown type of number", name);
    if (!read_shape(t, json_object_get(entry, "shape"), type->bytes))
        return err_set(err, ERR_FORMAT, "tensor '%.80s': bad shape", name);
    if (json_array_size(offsets) != 2 || !read_size(json_array_get(offsets, 0), &begin) ||
        !read_size(json_array_get(offsets, 1), &end) || begin > end)
        return err_set(err, ERR_FORMAT, "tensor '%.80s': bad offsets", name);
    if (end > s->map_bytes - data_at)
        return err_set(err, ERR_FORMAT, "cut short: tensor '%.80s' ends at byte %zu of %zu", name,
                       data_at + end, s->map_bytes);
    if (end - begin != t->n_bytes)
        return err_set(err, ERR_FORMAT, "tensor '%.80s': %zu bytes for a shape of %zu", name, end - begin,
                       t->n_bytes);
    t->bytes = (const unsigned char *)s->map + data_at + begin;
    return true;
}

static int by_place(const void *a, const void *b)
{
    const struct safetensors_tensor *x = a, *y = b;
    if (x->bytes != y->bytes)
        return x->bytes < y->bytes ? -1 : 1;
    return (x->n_bytes > y->n_bytes) - (x->n_bytes < y->n_bytes); /* empty ones first */
}

/* Tensors side by side from the first byte after the header to the last of the file. */
static bool check_places(const struct safetensors *s, size_t data_at, struct err *err)
{
    const unsigned char *next = (const unsigned char *)s->map + data_at;

    for (size_t i = 0; i < s->count; i++) {
        if (s->tensor[i].bytes != next)
            return err_set(err, ERR_FORMAT, "tensor '%.80s' %s", s->tensor[i].name,
                           s->tensor[i].bytes < next ? "overlaps another" : "leaves a hole before it");
        next += s->tensor[i].n_bytes;
    }
    size_t rest = (size_t)((const unsigned char *)s->map + s->map_bytes - next);
    if (rest)
        return err_set(err, ERR_FORMAT, "%zu bytes left over at the end", rest);
    return true;
}

static bool check_metadata(const json_t *metadata, struct err *err)
{
    const char *key;
    json_t *value;

    if (!json_is_object(metadata))
        return err_set(err, ERR_FORMAT, "metadata is no object");
    json_object_foreach((json_t *)metadata, key, value)
    {
        if (!json_is_string(value))
            return err_set(err, ERR_FORMAT, "metadata '%.80s' is no text", key);
    }
    return true;
}

static bool read_header(struct safetensors *s, size_t *data_at, struct err *err)
{
    const char *text = (const char *)s->map + LENGTH_BYTES;
    uint64_t length;
    json_error_t why;

    memcpy(&length, s->map, sizeof length);
    if (length > MOST_HEADER_BYTES || length < 2 || (s->map_bytes > LENGTH_BYTES && *text != '{'))
        return err_set(err, ERR_FORMAT, "no safetensors file");
    if (length > s->map_bytes - LENGTH_BYTES)
        return err_set(err, ERR_FORMAT, "cut short inside the header");
    s->header = json_loadb(text, (size_t)length, JSON_REJECT_DUPLICATES, &why);
    if (!s->header)
        return err_set(err, ERR_FORMAT, "bad header: %.100s", why.text);
    *data_at = LENGTH_BYTES + (size_t)length;
    return true;
}

static bool read_tensors(struct safetensors *s, size_t data_at, struct err *err)
{
    const char *key;
    json_t *value;

    s->tensor = mem_new(json_object_size(s->header) + 1, sizeof *s->tensor);
    json_object_foreach(s->header, key, value)
    {
        if (!strcmp(key, "__metadata__")) {
            if (!check_metadata(value, err))
                return false;
            s->metadata = value;
        } else if (!read_tensor(&s->tensor[s->count++], key, value, s, data_at, err)) {
            return false;
        }
    }
    qsort(s->tensor, s->count, sizeof *s->tensor, by_place);
    return check_places(s, data_at, err);
}

bool safetensors_open(struct safetensors *out, const char *path, struct err *err)
{
    struct safetensors s = SAFETENSORS_INIT;
    size_t data_at = 0;

    if (!map_file(&s, path, err) || !read_header(&s, &data_at, err) || !read_tensors(&s, data_at, err)) {
        safetensors_close(&s);
        return err_at(err, "%s", path);
    }
    *out = s;
    return true;
}

static size_t entry_bytes(const struct safetensors_entry *e)
{
    size_t n = sizeof(float);
    for (int i = 0; i < e->rank; i++)
        n *= e->dim[i];
    return n;
}

static char *make_header(const struct safetensors_entry *entry, size_t count, const json_t *metadata)
{
    json_t *header = json_object();
    size_t at = 0;

    if (metadata)
        json_object_set(header, "__metadata__", (json_t *)metadata);
    for (size_t i = 0; i < count; i++) {
        json_t *shape = json_array();
        size_t next = at + entry_bytes(&entry[i]);
        assert(entry[i].rank <= SAFETENSORS_MAX_RANK && !json_object_get(header, entry[i].name));
        for (int k = 0; k < entry[i].rank; k++)
            json_array_append_new(shape, json_integer((json_int_t)entry[i].dim[k]));
        json_object_set_new(header, entry[i].name,
                            json_pack("{s:s, s:o, s:[I, I]}", "dtype", "F32", "shape", shape, "data_offsets",
                                      (json_int_t)at, (json_int_t)next));
        at = next;
    }
    char *text = json_dumps(header, JSON_COMPACT);
    json_decref(header);
    assert(text);
    return text;
}

/* Spaces after the header put the numbers on a multiple of 8 bytes. */
static bool write_header(FILE *f, const char *text)
{
    size_t length = strlen(text);
    uint64_t padded = (length + 7) / 8 * 8;

    return fwrite(&padded, sizeof padded, 1, f) == 1 && fwrite(text, 1, length, f) == length &&
           fwrite("       ", 1, padded - length, f) == padded - length;
}

bool safetensors_write(const char *path, const struct safetensors_entry *entry, size_t count,
                       const json_t *metadata, struct err *err)
{
    struct file_out o = FILE_OUT_INIT;
    bool ok = false;
    char *header = make_header(entry, count, metadata);

    if (!file_out_begin(&o, path, true, err))
        goto out;
    ok = write_header(o.f, header);
    for (size_t i = 0; ok && i < count; i++) {
        size_t n = entry_bytes(&entry[i]);
        ok = fwrite(entry[i].values, 1, n, o.f) == n;
    }
    if (!ok) {
        err_errno(err);
        err_at(err, "%s", path);
        goto out;
    }
    ok = file_out_commit(&o, err);
out:
    file_out_discard(&o);
    free(header);
    return ok;
}
