/* Any bytes given to the reader of Keras files, in this very process (the program gives them to a child).
 * What is read must be found sound by the caller's side, and the layers made of it must hold arrays of the
 * file alone. */
#include "io/hdf5_parts.h"
#include "model/keras_layers.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);
const char *__lsan_default_suppressions(void);

/* What the library forgets about a damaged file ends with the child. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libhdf5";
}

static void check_layers(const struct hdf5_weights *w)
{
    struct keras_layers layers;
    size_t parts = 0;

    keras_layers_read(&layers, w);
    for (size_t i = 0; i < layers.count; i++) {
        const struct keras_layer *l = &layers.layer[i];
        parts += l->n_parts;
        assert(l->n_parts > 0 && memchr(l->name, 0, sizeof l->name));
        for (size_t k = 0; l->kind != KERAS_OTHER && k < l->n_parts; k++)
            assert(l->part[k] >= w->array && l->part[k] < w->array + w->n_arrays);
        char name[NN_NAME], later[NN_NAME];
        snprintf(name, sizeof name, "%s", l->name);
        keras_name_2018(later, name);
        assert(memchr(later, 0, sizeof later));
    }
    assert(parts == w->n_arrays);
    free(layers.layer);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct hdf5_weights w = HDF5_WEIGHTS_INIT;
    struct err err = ERR_INIT;
    size_t size = 0;
    char path[64];
    const int fd = memfd_create("fuzz", MFD_CLOEXEC);

    assert(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (hdf5_parse(&w, &size, path, &err)) {
        assert(hdf5_is_sound(&w, size));
        check_layers(&w);
    } else {
        assert(!w.block && err.kind != ERR_NONE && err.text[0] && !strchr(err.text, '\n'));
    }
    hdf5_release(&w);
    close(fd);
    return 0;
}
