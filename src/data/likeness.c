#include "data/likeness.h"

#include "base/csv.h"
#include "base/mem.h"
#include "base/parallel.h"
#include "image/tone.h"
#include "io/image_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define FILE_NAME "likeness.csv"

/* Means over LIKENESS_SIDE x LIKENESS_SIDE cells; an image smaller than that repeats its pixels. */
static void cell_means(double mean[LIKENESS_SIZE], const struct image *im)
{
    double count[LIKENESS_SIDE] = {0};
    float *row = mem_new((size_t)im->width, sizeof *row);

    memset(mean, 0, LIKENESS_SIZE * sizeof *mean);
    for (int c = 0; c < LIKENESS_SIDE; c++) {
        const int y0 = c * im->height / LIKENESS_SIDE, y1 = (c + 1) * im->height / LIKENESS_SIDE;
        for (int y = y0; y < (y1 > y0 ? y1 : y0 + 1); y++) {
            image_get_row(im, y, row);
            for (int k = 0; k < LIKENESS_SIDE; k++) {
                const int x0 = k * im->width / LIKENESS_SIDE, x1 = (k + 1) * im->width / LIKENESS_SIDE;
                double sum = 0;
                for (int x = x0; x < (x1 > x0 ? x1 : x0 + 1); x++)
                    sum += row[x];
                mean[c * LIKENESS_SIDE + k] += sum / (x1 > x0 ? x1 - x0 : 1);
            }
            count[c]++;
        }
    }
    for (int i = 0; i < LIKENESS_SIZE; i++)
        mean[i] /= count[i / LIKENESS_SIDE];
    free(row);
}

/* Beyond the edge lies what lies on it. */
static double mean_at(const double mean[LIKENESS_SIZE], int y, int x)
{
    y = y < 0 ? 0 : y >= LIKENESS_SIDE ? LIKENESS_SIDE - 1 : y;
    x = x < 0 ? 0 : x >= LIKENESS_SIDE ? LIKENESS_SIDE - 1 : x;
    return mean[y * LIKENESS_SIDE + x];
}

static void set_length(struct likeness *l)
{
    int sum = 0;

    for (int i = 0; i < LIKENESS_SIZE; i++)
        sum += l->v[i] * l->v[i];
    l->length = (float)sqrt(sum);
}

void likeness_make(struct likeness *out, const struct image *grey)
{
    double mean[LIKENESS_SIZE], second[LIKENESS_SIZE], centre = 0, largest = 0;

    cell_means(mean, grey);
    for (int y = 0; y < LIKENESS_SIDE; y++)
        for (int x = 0; x < LIKENESS_SIDE; x++) {
            const double v = 4 * mean_at(mean, y, x) - mean_at(mean, y - 1, x) - mean_at(mean, y + 1, x) -
                             mean_at(mean, y, x - 1) - mean_at(mean, y, x + 1);
            second[y * LIKENESS_SIDE + x] = v;
            centre += v / LIKENESS_SIZE;
        }
    for (int i = 0; i < LIKENESS_SIZE; i++)
        largest = fmax(largest, fabs(second[i] - centre));
    memset(out, 0, sizeof *out);
    for (int i = 0; i < LIKENESS_SIZE && largest > 1e-3; i++)
        out->v[i] = (int8_t)lrint(127 * (second[i] - centre) / largest);
    set_length(out);
}

double likeness_of(const struct likeness *a, const struct likeness *b)
{
    int sum = 0;

    if (a->length <= 0 || b->length <= 0)
        return 0;
    for (int i = 0; i < LIKENESS_SIZE; i++)
        sum += a->v[i] * b->v[i];
    return sum / ((double)a->length * b->length);
}

struct work {
    const struct manifest *m;
    struct likeness *of; /* [m->count] */
    size_t *wanted;      /* items not yet known */
    size_t count;
};

static bool look(void *work, size_t i, struct err *err)
{
    const struct work *w = work;
    const size_t at = w->wanted[i];
    struct image im = IMAGE_INIT;
    char *path = file_join(w->m->folder, w->m->item[at].image);

    (void)err;
    if (image_read(&im, path, NULL) && image_to_grey(&im, &im, NULL))
        likeness_make(&w->of[at], &im);
    image_release(&im);
    free(path);
    return true;
}

static bool parse_values(struct likeness *l, const char *text)
{
    for (int i = 0; i < LIKENESS_SIZE; i++) {
        char byte[3] = {0}, *end;
        if (!text[2 * i] || !text[2 * i + 1])
            return false;
        memcpy(byte, text + 2 * i, 2);
        const unsigned long v = strtoul(byte, &end, 16);
        if (*end)
            return false;
        l->v[i] = (int8_t)((int)v - 128);
    }
    set_length(l);
    return text[2 * LIKENESS_SIZE] == '\0';
}

/* What an earlier look left, in the order of the manifest it was made for; broken files count as none. */
static void read_known(struct work *w, const char *path)
{
    struct csv t = CSV_INIT;
    const bool there = file_exists(path) && csv_read(&t, path, NULL);
    const int id = csv_column(&t, "id"), sha = csv_column(&t, "image_sha256"),
              values = csv_column(&t, "values");

    for (size_t i = 0; i < w->m->count; i++) {
        const struct data_item *item = &w->m->item[i];
        const bool known = there && i < t.count && !strcmp(csv_get(&t, i, id), item->id) &&
                           *item->image_sha256 && !strcmp(csv_get(&t, i, sha), item->image_sha256) &&
                           parse_values(&w->of[i], csv_get(&t, i, values));
        if (!known)
            w->wanted[w->count++] = i;
    }
    csv_release(&t);
}

static void write_known(const struct work *w, const char *path)
{
    struct buf b = BUF_INIT;

    buf_adds(&b, "id,image_sha256,values\n");
    for (size_t i = 0; i < w->m->count; i++) {
        csv_put(&b, w->m->item[i].id);
        csv_put(&b, w->of[i].length > 0 ? w->m->item[i].image_sha256 : "");
        for (int k = 0; k < LIKENESS_SIZE; k++)
            buf_addf(&b, "%02x", (unsigned)(w->of[i].v[k] + 128));
        buf_adds(&b, "\n");
    }
    file_write(path, b.data, b.len, NULL);
    buf_release(&b);
}

bool likeness_read(struct likeness **out, const struct manifest *m, struct err *err)
{
    struct work w = {m, mem_new(m->count + 1, sizeof *w.of), mem_new(m->count + 1, sizeof *w.wanted), 0};
    char *path = file_join(m->folder, FILE_NAME);

    read_known(&w, path);
    const bool ok = w.count == 0 || parallel_for(w.count, look, &w, "look for the same pictures", err);
    if (ok && w.count > 0)
        write_known(&w, path);
    if (ok)
        *out = w.of;
    else
        free(w.of);
    free(w.wanted);
    free(path);
    return ok;
}
