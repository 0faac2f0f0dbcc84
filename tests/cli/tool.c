/* tests/cli/tool.c: what the shell tests need and a shell lacks: a look into JSON, images and weights, and
 * small images of their own. `cli_tool VERB ARGUMENT...`; exit code 1 with one line where the answer is no.
 */
#include "base/file.h"
#include "base/json.h"
#include "io/image_file.h"
#include "io/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int fail(const struct err *err)
{
    fprintf(stderr, "cli_tool: %s\n", err->text);
    return 1;
}

/* "data.images" or "regions.0.score"; NULL where there is none. */
static const json_t *find(const json_t *json, const char *path)
{
    char *copy = strdup(path), *rest = copy, *key;

    while (json && (key = strsep(&rest, ".")) != NULL)
        json =
            json_is_array(json) ? json_array_get(json, strtoul(key, NULL, 10)) : json_object_get(json, key);
    free(copy);
    return json;
}

static void print_value(const json_t *v)
{
    if (json_is_string(v))
        puts(json_string_value(v));
    else if (json_is_array(v) || json_is_object(v))
        printf("%zu\n", json_is_array(v) ? json_array_size(v) : json_object_size(v));
    else if (json_is_real(v))
        printf("%.17g\n", json_real_value(v));
    else
        printf("%s\n", json_is_true(v) ? "true" : json_is_false(v) ? "false" : "null");
}

/* json FILE PATH...: a line for every value; of arrays and objects the number of members. */
static int show_json(int n, char **arg)
{
    struct err err = ERR_INIT;
    json_t *json = json_file_read(arg[0], &err);
    int code = json ? 0 : fail(&err);

    for (int i = 1; json && i < n; i++) {
        const json_t *v = find(json, arg[i]);
        if (!v) {
            fprintf(stderr, "cli_tool: %s has no %s\n", arg[0], arg[i]);
            code = 1;
        } else if (json_is_integer(v)) {
            printf("%lld\n", (long long)json_integer_value(v));
        } else {
            print_value(v);
        }
    }
    json_decref(json);
    return code;
}

/* size FILE: WIDTHxHEIGHT CHANNELS BITS, after decoding all of it. */
static int show_size(int n, char **arg)
{
    struct image im = IMAGE_INIT;
    struct err err = ERR_INIT;

    (void)n;
    if (!image_read(&im, arg[0], &err))
        return fail(&err);
    printf("%dx%d %d %d\n", im.width, im.height, im.channels, im.type == IMAGE_U8 ? 8 : 16);
    image_release(&im);
    return 0;
}

/* box FILE: x0 y0 x1 y1 of the samples above half their range, half-open; "empty" without any. */
static int show_box(int n, char **arg)
{
    struct image im = IMAGE_INIT;
    struct err err = ERR_INIT;
    struct image_box b = {IMAGE_MAX_SIDE, IMAGE_MAX_SIDE, 0, 0};

    (void)n;
    if (!image_read(&im, arg[0], &err))
        return fail(&err);
    float *row = calloc((size_t)im.width * (size_t)im.channels, sizeof *row);
    for (int y = 0; y < im.height; y++) {
        image_get_row(&im, y, row);
        for (int x = 0; x < im.width; x++) {
            if (row[x * im.channels] <= (im.type == IMAGE_U8 ? 127.f : 32767.f))
                continue;
            b = (struct image_box){x < b.x0 ? x : b.x0, y < b.y0 ? y : b.y0, x + 1 > b.x1 ? x + 1 : b.x1,
                                   y + 1};
        }
    }
    if (b.x1)
        printf("%d %d %d %d\n", b.x0, b.y0, b.x1, b.y1);
    else
        puts("empty");
    free(row);
    image_release(&im);
    return 0;
}

/* near A B MOST: two grey images of one size whose samples differ by no more than MOST. */
static int compare(int n, char **arg)
{
    struct image a = IMAGE_INIT, b = IMAGE_INIT;
    struct err err = ERR_INIT;
    int most = 0, code = 0;

    (void)n;
    if (!image_read(&a, arg[0], &err) || !image_read(&b, arg[1], &err)) {
        code = fail(&err);
    } else if (a.width != b.width || a.height != b.height || a.type != IMAGE_U8 || b.type != IMAGE_U8) {
        fputs("cli_tool: images of two kinds\n", stderr);
        code = 1;
    } else {
        for (size_t i = 0; i < image_bytes(&a) && i < image_bytes(&b); i++) {
            int difference = abs(image_u8(&a)[i] - image_u8(&b)[i]);
            most = difference > most ? difference : most;
        }
        code = most > atoi(arg[2]);
        if (code)
            fprintf(stderr, "cli_tool: %s and %s differ by %d\n", arg[0], arg[1], most);
    }
    image_release(&a);
    image_release(&b);
    return code;
}

/* weights FILE: arrays, numbers in them, and whether all are finite. */
static int show_weights(int n, char **arg)
{
    struct safetensors s = SAFETENSORS_INIT;
    struct err err = ERR_INIT;
    size_t count = 0;
    bool finite = true;

    (void)n;
    if (!safetensors_open(&s, arg[0], &err))
        return fail(&err);
    for (size_t i = 0; i < s.count; i++) {
        float *v = malloc(s.tensor[i].count * sizeof *v);
        safetensors_floats(&s.tensor[i], v);
        for (size_t k = 0; k < s.tensor[i].count; k++)
            finite = finite && isfinite(v[k]);
        count += s.tensor[i].count;
        free(v);
    }
    printf("%zu %zu %s\n", s.count, count, finite ? "finite" : "not finite");
    safetensors_close(&s);
    return 0;
}

/* same A B: two files of weights with the same arrays, bit for bit; their metadata may differ. */
static int same_weights(int n, char **arg)
{
    struct safetensors a = SAFETENSORS_INIT, b = SAFETENSORS_INIT;
    struct err err = ERR_INIT;

    (void)n;
    if (!safetensors_open(&a, arg[0], &err) || !safetensors_open(&b, arg[1], &err)) {
        safetensors_close(&a);
        return fail(&err);
    }
    bool same = a.count == b.count;
    for (size_t i = 0; same && i < a.count; i++) {
        const struct safetensors_tensor *t = &a.tensor[i], *u = safetensors_find(&b, t->name);
        same = u && t->rank == u->rank && !memcmp(t->dim, u->dim, (size_t)t->rank * sizeof *t->dim) &&
               t->n_bytes == u->n_bytes && !memcmp(t->bytes, u->bytes, t->n_bytes);
        if (!same)
            fprintf(stderr, "cli_tool: %s is another in %s\n", t->name, arg[1]);
    }
    safetensors_close(&a);
    safetensors_close(&b);
    return same ? 0 : 1;
}

/* png FILE WIDTH HEIGHT SEED: grey 8 bit; SEED 0 is a mask with a white square, others are noise. */
static int make_png(int n, char **arg)
{
    struct image im = IMAGE_INIT;
    struct err err = ERR_INIT;
    unsigned seed = (unsigned)atoi(arg[3]), v = seed * 2654435761u;

    (void)n;
    if (!image_new(&im, atoi(arg[1]), atoi(arg[2]), 1, IMAGE_U8, &err))
        return fail(&err);
    for (int y = 0; y < im.height; y++) {
        for (int x = 0; x < im.width; x++) {
            bool inside = x >= im.width / 4 && x < im.width / 2 && y >= im.height / 4 && y < im.height / 2;
            v = v * 1664525u + 1013904223u;
            image_u8(&im)[y * im.width + x] = (uint8_t)(seed ? v >> 24 : inside ? 255 : 0);
        }
    }
    bool ok = png_write(arg[0], &im, &err);
    image_release(&im);
    return ok ? 0 : fail(&err);
}

static const struct {
    const char *name;
    int least; /* arguments */
    int (*run)(int n, char **arg);
} VERBS[] = {{"json", 1, show_json},       {"size", 1, show_size},    {"box", 1, show_box},
             {"weights", 1, show_weights}, {"same", 2, same_weights}, {"near", 3, compare},
             {"png", 4, make_png}};

int main(int argc, char **argv)
{
    for (size_t i = 0; argc > 1 && i < sizeof VERBS / sizeof *VERBS; i++) {
        if (!strcmp(argv[1], VERBS[i].name) && argc - 2 >= VERBS[i].least)
            return VERBS[i].run(argc - 2, argv + 2);
    }
    fputs("cli_tool: json FILE PATH... | size FILE | box FILE | weights FILE | same A B | near A B MOST | "
          "png FILE "
          "WIDTH HEIGHT SEED\n",
          stderr);
    return 2;
}
