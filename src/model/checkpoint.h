/* model/checkpoint.h: a network's numbers in a safetensors file. */
#ifndef CLEARMASS_MODEL_CHECKPOINT_H
#define CLEARMASS_MODEL_CHECKPOINT_H

#include "base/err.h"
#include "base/json.h"
#include "model/model.h"

/* Extra arrays saved beside the weights, each laid out like the weights and named PREFIX/SLOT (trainable
 * slots only). */
struct checkpoint_extra {
    const char *prefix;
    float *values; /* [n_values] */
};

/* Writes all slots of g from values, then the extras. meta: an object of strings (values of other types are
 * written as compact JSON text); may be NULL. */
bool checkpoint_write(const char *path, const struct nn_graph *g, const float *values,
                      const struct checkpoint_extra *extra, int n_extra, const json_t *meta, struct err *err);

/* Reads every slot of g by name into values, and the extras. A missing tensor, another shape ("a run of
 * another network"), a file cut short: one clear line. Tensors that g does not have are an error, unless
 * they are extras of somebody, named "optimizer/...". *meta: a new reference (may be NULL). On failure values
 * are untouched. */
bool checkpoint_read(const char *path, const struct nn_graph *g, float *values,
                     const struct checkpoint_extra *extra, int n_extra, json_t **meta, struct err *err);
/* Which network the file's metadata names; its numbers stay unread. Fails, with the path, where it names
 * none. */
bool checkpoint_read_told(struct model_told *out, const char *path, struct err *err);

#endif
