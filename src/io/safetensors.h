/* io/safetensors.h: named arrays of numbers in one file, as the safetensors format has it
 * (https://github.com/huggingface/safetensors, README "Format"): 8 bytes little-endian header length, a JSON
 * header
 * {"NAME": {"dtype", "shape", "data_offsets": [begin, end]}, "__metadata__": {string: string}}, then the raw
 * little-endian numbers, without holes. Files of strangers are fully checked when they are opened. */
#ifndef CLEARMASS_IO_SAFETENSORS_H
#define CLEARMASS_IO_SAFETENSORS_H

#include "base/err.h"
#include "base/json.h"

#include <stddef.h>

enum { SAFETENSORS_MAX_RANK = 8 };

struct safetensors_tensor {
    const char *name;  /* borrowed from the file */
    const char *dtype; /* "F32", "F16", ...; borrowed */
    int rank;
    size_t dim[SAFETENSORS_MAX_RANK];
    size_t count;               /* numbers */
    const unsigned char *bytes; /* in the mapped file */
    size_t n_bytes;
};

struct safetensors {
    struct safetensors_tensor *tensor; /* [count], in the order they lie in the file */
    size_t count;
    const json_t *metadata; /* an object of strings, borrowed; NULL when the file has none */
    json_t *header;
    void *map;
    size_t map_bytes;
};

#define SAFETENSORS_INIT                                                                                     \
    {                                                                                                        \
        NULL, 0, NULL, NULL, NULL, 0                                                                         \
    }

/* Maps and checks a file. Fails, with the path, on a file cut short, a header that is no JSON or longer than
 * 100 MB (the format's own limit), an unknown dtype, a shape that does not fit its bytes, and on overlaps,
 * holes or bytes left over. */
bool safetensors_open(struct safetensors *out, const char *path, struct err *err);
void safetensors_close(struct safetensors *s);

/* NULL when there is none of that name. */
const struct safetensors_tensor *safetensors_find(const struct safetensors *s, const char *name);
/* False where the dtype is no floating-point type we read: F64, F32, F16 or BF16. */
bool safetensors_is_real(const struct safetensors_tensor *t);
/* Copies the tensor to out[count], converted to float; asserts safetensors_is_real. */
void safetensors_floats(const struct safetensors_tensor *t, float *out);

/* What is written: F32, in the order given. */
struct safetensors_entry {
    const char *name;
    int rank;
    size_t dim[SAFETENSORS_MAX_RANK];
    const float *values; /* [product of dim] */
};

/* metadata: an object of strings, or NULL. Written beside and renamed; the numbers go straight from their
 * arrays. */
bool safetensors_write(const char *path, const struct safetensors_entry *entry, size_t count,
                       const json_t *metadata, struct err *err);

#endif
