#include "eval/machine.h"

#include "base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* The processor's own name; "" where the system does not tell it. */
static void read_processor(char name[128])
{
    char line[256];
    FILE *f = fopen("/proc/cpuinfo", "r");

    *name = '\0';
    while (f && !*name && fgets(line, sizeof line, f)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon)
            snprintf(name, 128, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
    }
    if (f)
        fclose(f);
}

json_t *machine_json(void)
{
    struct utsname system = {0};
    char processor[128];

    uname(&system);
    read_processor(processor);
    char *text = mem_printf("%s %s %s", system.sysname, system.release, system.machine);
    json_t *json = json_pack("{s:s, s:s, s:I}", "system", text, "processor", processor, "cores",
                             (json_int_t)sysconf(_SC_NPROCESSORS_ONLN));
    free(text);
    return json;
}
