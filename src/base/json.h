/* base/json.h: jansson, and JSON files. The only header that includes <jansson.h>. */
#ifndef CLEARMASS_BASE_JSON_H
#define CLEARMASS_BASE_JSON_H

#include "base/err.h"

#include <jansson.h>

/* A new reference, or NULL; errors carry the path and the line. */
json_t *json_file_read(const char *path, struct err *err);
/* Indented, keys in the order they were set, real numbers with 17 digits; written beside and renamed. Does
 * not steal. */
bool json_file_write(const char *path, const json_t *json, struct err *err);

#endif
