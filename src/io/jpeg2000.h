/* io/jpeg2000.h: JPEG 2000 streams, the bare code stream or in a JP2 box. */
#ifndef CLEARMASS_IO_JPEG2000_H
#define CLEARMASS_IO_JPEG2000_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The first component. */
struct jpeg2000 {
    int width, height;
    int bits; /* of a sample: 1..16 */
    int is_signed;
    int components;
    uint16_t *samples; /* [height, width], owned; two's complement where signed */
};

/* out is replaced on success (free(out->samples)) and untouched on failure. Fails on damaged and cut-short
 * streams and on more than 16 bits a sample. */
bool jpeg2000_decode(struct jpeg2000 *out, const void *bytes, size_t n, struct err *err);

#ifdef __cplusplus
}
#endif
#endif
