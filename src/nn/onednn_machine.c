/* What runs the network: the processor, the library, and how fast they can be. */
#include "nn/machine.h"

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

enum { SIDE = 1536, RUNS = 6 };

/* Two matrices and their product, in whatever layouts are best. */
struct product {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_desc_t pd;
    dnnl_primitive_t primitive;
    dnnl_exec_arg_t arg[3];
};

static const struct {
    dnnl_query_t query;
    int arg;
} OPERANDS[] = {{dnnl_query_src_md, DNNL_ARG_SRC},
                {dnnl_query_weights_md, DNNL_ARG_WEIGHTS},
                {dnnl_query_dst_md, DNNL_ARG_DST}};

static bool product_init(struct product *p, bool bf16)
{
    dnnl_memory_desc_t md;
    dnnl_dims_t dims = {SIDE, SIDE};
    dnnl_matmul_desc_t d;
    bool ok = dnnl_memory_desc_init_by_tag(&md, 2, dims, bf16 ? dnnl_bf16 : dnnl_f32, dnnl_format_tag_any) ==
                  dnnl_success &&
              dnnl_engine_create(&p->engine, dnnl_cpu, 0) == dnnl_success &&
              dnnl_stream_create(&p->stream, p->engine, dnnl_stream_default_flags) == dnnl_success &&
              dnnl_matmul_desc_init(&d, &md, &md, NULL, &md) == dnnl_success &&
              dnnl_primitive_desc_create(&p->pd, &d, NULL, p->engine, NULL) == dnnl_success &&
              dnnl_primitive_create(&p->primitive, p->pd) == dnnl_success;
    for (int i = 0; ok && i < 3; i++) {
        const dnnl_memory_desc_t *have = dnnl_primitive_desc_query_md(p->pd, OPERANDS[i].query, 0);
        void *at;
        p->arg[i].arg = OPERANDS[i].arg;
        ok = dnnl_memory_create(&p->arg[i].memory, have, p->engine, DNNL_MEMORY_ALLOCATE) == dnnl_success &&
             dnnl_memory_get_data_handle(p->arg[i].memory, &at) == dnnl_success;
        if (ok)
            memset(at, 0, dnnl_memory_desc_get_size(have));
    }
    return ok;
}

static void product_release(struct product *p)
{
    for (int i = 0; i < 3; i++)
        dnnl_memory_destroy(p->arg[i].memory);
    dnnl_primitive_destroy(p->primitive);
    dnnl_primitive_desc_destroy(p->pd);
    dnnl_stream_destroy(p->stream);
    dnnl_engine_destroy(p->engine);
}

double nn_peak(bool bf16)
{
    struct product p = {0};
    double best = INFINITY;

    if (product_init(&p, bf16)) {
        for (int i = 0; i < RUNS; i++) {
            double began = clock_seconds();
            bool ok = dnnl_primitive_execute(p.primitive, p.stream, 3, p.arg) == dnnl_success &&
                      dnnl_stream_wait(p.stream) == dnnl_success;
            best = ok ? fmin(best, clock_seconds() - began) : best;
        }
    }
    product_release(&p);
    return 2.0 * SIDE * SIDE * SIDE / best;
}
