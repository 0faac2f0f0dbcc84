/* io/hdf5_parts.h: what the reader's two sides share: what a worker answers, and its parser. */
#ifndef CLEARMASS_IO_HDF5_PARTS_H
#define CLEARMASS_IO_HDF5_PARTS_H

#include "io/hdf5.h"

enum { HDF5_MOST_LAYERS = 20000, HDF5_MOST_ARRAYS = 80000, HDF5_MOST_VALUES = 1 << 28 };

/* Parses the file in this process, which may not survive it. out is as after hdf5_read, and block holds
 * layers, arrays and numbers one after the other; *bytes is its length. Errors come without the path. */
bool hdf5_parse(struct hdf5_weights *out, size_t *bytes, const char *path, struct err *err);

/* Whether what a worker answered in a block of so many bytes holds together: counts, places and shapes within
 * bounds, names that are text. It is a stranger's word as much as the file is. */
bool hdf5_is_sound(const struct hdf5_weights *w, size_t bytes);

/* Points layer, array and values into block, which holds as many as the counts say. */
void hdf5_lay_out(struct hdf5_weights *w);
/* Bytes of a block with these counts. */
size_t hdf5_block_bytes(const struct hdf5_weights *w);

#endif
