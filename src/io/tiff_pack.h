/* io/tiff_pack.h: the pixels of a TIFF that is written, predicted and deflated; inside io/tiff*.c only.
 *
 * A strip is packed for speed: files of a data set are many and large, and written once while they are made.
 * The bytes may differ between kinds of processor; the pixels do not. Seen on a busy machine, with ISA-L 2.30
 * and the cause not found: in about one full-size film of 64 a run, one match lies elsewhere, so the bytes
 * differ between two runs, too. */
#ifndef CLEARMASS_IO_TIFF_PACK_H
#define CLEARMASS_IO_TIFF_PACK_H

#include "base/buf.h"
#include "image/image.h"

struct tiff_pack;

/* For one image at a time. Free with tiff_pack_free. */
struct tiff_pack *tiff_pack_new(void);
/* Packs rows y to y + rows of a U8 or U16 image; what it returns (*n bytes) is borrowed until the next call.
 * NULL when the library refuses. */
void *tiff_pack_rows(struct tiff_pack *p, const struct image *im, int y, int rows, size_t *n);
void tiff_pack_free(struct tiff_pack *p);

#endif
