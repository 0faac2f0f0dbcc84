/* What runs the network: the processor, the library, and how fast they can be. */
#include "nn/machine.h"

#include "base/mem.h"
#include "base/progress.h"

#include <oneapi/dnnl/dnnl.h>

#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void read_cpu(char *text, size_t size)
{
    char line[256];
    FILE *f = fopen("/proc/cpuinfo", "r");
    snprintf(text, size, "unknown processor");
    while (f && fgets(line, sizeof line, f)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon)
            continue;
        snprintf(text, size, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
        break;
    }
    if (f)
        fclose(f);
}

void nn_machine(char text[NN_MACHINE_TEXT])
{
    const dnnl_version_t *v = dnnl_version();
    char cpu[80];
    read_cpu(cpu, sizeof cpu);
    snprintf(text, NN_MACHINE_TEXT, "%s, instructions %#x, oneDNN %d.%d.%d, %d threads", cpu,
             (unsigned)dnnl_get_effective_cpu_isa(), v->major, v->minor, v->patch, omp_get_max_threads());
}

double nn_peak(void)
{
    enum { SIDE = 1536, RUNS = 6 };
    const size_t n = (size_t)SIDE * SIDE;
    float *a = mem_new(3 * n, sizeof *a), *b = a + n, *c = b + n;
    double best = INFINITY;

    for (size_t i = 0; i < 2 * n; i++)
        a[i] = 1 / (float)(1 + i % 64);
    for (int i = 0; i < RUNS; i++) {
        double began = clock_seconds();
        dnnl_sgemm('N', 'N', SIDE, SIDE, SIDE, 1, a, SIDE, b, SIDE, 0, c, SIDE);
        best = fmin(best, clock_seconds() - began);
    }
    free(a);
    return 2.0 * SIDE * SIDE * SIDE / best;
}
