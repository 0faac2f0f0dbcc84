/* model/onnx.h: a network with its numbers as an ONNX file (IR version 7, operator set 13), for inference
 * elsewhere.
 *
 * One input "input", float [batch, c, h, w], and one output "output": [batch, c, h, w], or [batch, units]
 * where the network ends with features or classes. The batch is symbolic. Batch norm keeps its own nodes and
 * moving statistics; dropout is left out. What the network expects of its input is told in the file's
 * metadata. */
#ifndef CLEARMASS_MODEL_ONNX_H
#define CLEARMASS_MODEL_ONNX_H

#include "model/model.h"

/* Written beside and renamed. values: [g->n_values]; meta: as checkpoint_write takes it, may be NULL. g is
 * what model_build() makes of told, at told->input. */
bool onnx_write(const char *path, const struct nn_graph *g, const float *values, const json_t *meta,
                struct err *err);

#endif
