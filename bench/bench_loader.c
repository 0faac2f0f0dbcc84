/* What a batch costs before the network sees it: processor milliseconds an image of 224 x 224 from a prepared
 * square in memory, plain and augmented. The least of several runs.
 *
 *   bench_loader */
#include "base/mem.h"
#include "data/loader.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { IMAGES = 16, SIDE = 224, CHANNELS = 3, RUNS = 8 };

static const struct {
    const char *name;
    struct augment how;
} KINDS[] = {
    {"plain", {0}},
    {"mirrored and moved", {.flip_horizontal = true, .flip_vertical = true, .shift_x = .1, .shift_y = .1}},
    {"everything",
     {.flip_horizontal = true, .shift_x = .1, .shift_y = .1, .rotate = 15, .zoom = .1, .brightness = .1}}};

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

int main(void)
{
    const size_t pixels = SIDE * SIDE;
    struct loader l = {.prep = {.size = SIDE}, .count = IMAGES};
    size_t index[IMAGES];
    float *input = mem_new(IMAGES * CHANNELS * pixels, sizeof *input),
          *truth = mem_new(IMAGES * pixels, sizeof *truth);

    l.item = mem_new(IMAGES, sizeof *l.item);
    l.image = mem_new(IMAGES * pixels, sizeof *l.image);
    l.mask = mem_new(IMAGES * pixels, 1);
    for (size_t i = 0; i < IMAGES; i++)
        l.item[i] = index[i] = i;
    for (size_t i = 0; i < IMAGES * pixels; i++)
        l.image[i] = (uint16_t)(i * 7919);
    for (size_t k = 0; k < sizeof KINDS / sizeof *KINDS; k++) {
        double best = INFINITY;
        for (int run = 0; run < RUNS; run++) {
            const struct loader_batch b = {.index = index,
                                           .n = IMAGES,
                                           .channels = CHANNELS,
                                           .how = k ? &KINDS[k].how : NULL,
                                           .seed = 1,
                                           .epoch = (uint64_t)run};
            double began = cpu_seconds();
            loader_fill(&l, &b, input, truth);
            best = fmin(best, cpu_seconds() - began);
        }
        printf("%-20s %.2f ms\n", KINDS[k].name, best * 1e3 / IMAGES);
    }
    loader_close(&l);
    free(input);
    free(truth);
    return 0;
}
