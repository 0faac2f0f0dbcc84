/* io/hdf5_library.c: the only file that knows the HDF5 library. hdf5_parse() runs in a worker. */
#include "io/hdf5_parts.h"

#include "base/file.h"
#include "base/mem.h"

#include <hdf5.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_STRING_BYTES = 4096, SPLIT_BYTES = 64512 /* engine/saving.py: HDF5_OBJECT_HEADER_LIMIT */ };

/* ---- Reading ---- */

struct strings {
    char (*text)[HDF5_NAME]; /* [count] */
    size_t count;
};

struct reading {
    hid_t file, root; /* root: the group that has layer_names */
    struct hdf5_weights w;
    size_t array_room;
};

static bool damaged(struct err *err, const char *what)
{
    return err_set(err, ERR_FORMAT, "damaged HDF5 file: cannot read %s", what);
}

/* Copies at most n characters up to a NUL; what would not fit on a line of its own is refused. */
static bool take_text(char out[HDF5_NAME], const char *s, size_t n, const char *attribute, struct err *err)
{
    const size_t length = strnlen(s, n);

    if (length >= HDF5_NAME)
        return err_set(err, ERR_LIMIT, "a name of %zu characters in '%s'", length, attribute);
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
            return err_set(err, ERR_FORMAT, "a name in '%s' is no text", attribute);
    memcpy(out, s, length);
    out[length] = 0;
    return true;
}

/* Appends n strings of fixed size. */
static bool read_fixed(struct strings *out, hid_t attribute, hid_t type, size_t n, const char *name,
                       struct err *err)
{
    const size_t size = H5Tget_size(type);
    char *bytes = NULL;
    bool ok = false;

    if (size < 1 || size > MOST_STRING_BYTES)
        return err_set(err, ERR_LIMIT, "names of %zu characters in '%s'", size, name);
    bytes = mem_try(n, size, err);
    if (!bytes)
        return false;
    if (H5Aread(attribute, type, bytes) < 0) {
        damaged(err, name);
        goto out;
    }
    for (size_t i = 0; i < n; i++, out->count++)
        if (!take_text(out->text[out->count], bytes + i * size, size, name, err))
            goto out;
    ok = true;
out:
    free(bytes);
    return ok;
}

/* Appends n strings of any length, as h5py writes what was no bytes object. */
static bool read_variable(struct strings *out, hid_t attribute, hid_t type, size_t n, const char *name,
                          struct err *err)
{
    char **text = mem_new(n, sizeof *text);
    const hid_t here = H5Tcopy(H5T_C_S1);
    bool ok = true;

    H5Tset_size(here, H5T_VARIABLE);
    H5Tset_cset(here, H5Tget_cset(type));
    if (H5Aread(attribute, here, text) < 0)
        ok = damaged(err, name);
    for (size_t i = 0; ok && i < n; i++, out->count++)
        ok = take_text(out->text[out->count], text[i] ? text[i] : "", MOST_STRING_BYTES, name, err);
    for (size_t i = 0; i < n; i++)
        H5free_memory(text[i]);
    H5Tclose(here);
    free(text);
    return ok;
}

/* Appends what the attribute holds; one with no elements may be of any type. */
static bool read_attribute(struct strings *out, hid_t object, const char *name, struct err *err)
{
    const hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
    const hid_t type = attribute < 0 ? -1 : H5Aget_type(attribute);
    const hid_t space = attribute < 0 ? -1 : H5Aget_space(attribute);
    const hssize_t n = space < 0 ? -1 : H5Sget_simple_extent_npoints(space);
    bool ok = false;

    if (type < 0 || n < 0) {
        damaged(err, name);
    } else if (n > HDF5_MOST_ARRAYS || out->count + (size_t)n > HDF5_MOST_ARRAYS) {
        err_set(err, ERR_LIMIT, "%lld names in '%s'", (long long)n, name);
    } else if (n == 0) {
        ok = true;
    } else if (H5Tget_class(type) != H5T_STRING) {
        err_set(err, ERR_FORMAT, "attribute '%s' holds no texts", name);
    } else {
        out->text = mem_grow(out->text, out->count + (size_t)n, sizeof *out->text);
        ok = (H5Tis_variable_str(type) > 0 ? read_variable : read_fixed)(out, attribute, type, (size_t)n,
                                                                         name, err);
    }
    if (space >= 0)
        H5Sclose(space);
    if (type >= 0)
        H5Tclose(type);
    if (attribute >= 0)
        H5Aclose(attribute);
    return ok;
}

/* NAME, or NAME0, NAME1, ... one after the other. False without an error set: there is none of them. */
static bool read_names(struct strings *out, hid_t object, const char *name, struct err *err)
{
    char part[64];
    int parts = 0;

    *out = (struct strings){NULL, 0};
    if (H5Aexists(object, name) > 0)
        return read_attribute(out, object, name, err);
    for (;; parts++) {
        snprintf(part, sizeof part, "%s%d", name, parts);
        if (H5Aexists(object, part) <= 0)
            return parts > 0;
        if (!read_attribute(out, object, part, err))
            return false;
    }
}

/* A text of the group or else of the file; "" where neither has it. */
static bool read_version(char out[HDF5_VERSION], const struct reading *r, const char *name, struct err *err)
{
    const hid_t from = H5Aexists(r->root, name) > 0 ? r->root : r->file;
    struct strings s = {NULL, 0};
    bool ok = H5Aexists(from, name) <= 0 || read_attribute(&s, from, name, err);

    if (ok && s.count > 0)
        snprintf(out, HDF5_VERSION, "%.*s", HDF5_VERSION - 1, s.text[0]);
    free(s.text);
    return ok;
}

/* Numbers lie in this file, where somebody has written them. */
static bool check_storage(hid_t set)
{
    const hid_t how = H5Dget_create_plist(set);
    H5D_space_status_t status;
    const bool ok = how >= 0 && H5Pget_layout(how) != H5D_VIRTUAL && H5Pget_external_count(how) == 0 &&
                    H5Dget_space_status(set, &status) >= 0 && status != H5D_SPACE_STATUS_NOT_ALLOCATED;

    if (how >= 0)
        H5Pclose(how);
    return ok;
}

static bool read_shape(struct hdf5_array *a, hid_t set, struct err *err)
{
    hsize_t dim[H5S_MAX_RANK];
    const hid_t type = H5Dget_type(set), space = H5Dget_space(set);
    const int rank = space < 0 ? -1 : H5Sget_simple_extent_dims(space, dim, NULL);
    const bool real = type >= 0 && H5Tget_class(type) == H5T_FLOAT;

    if (type >= 0)
        H5Tclose(type);
    if (space >= 0)
        H5Sclose(space);
    if (type < 0 || rank < 0)
        return damaged(err, "a data set");
    if (!real)
        return err_set(err, ERR_FORMAT, "it holds no floating-point numbers");
    if (rank > HDF5_MAX_RANK)
        return err_set(err, ERR_LIMIT, "%d dimensions", rank);
    a->rank = rank;
    a->count = 1;
    for (int i = 0; i < rank; i++) {
        a->dim[i] = (size_t)dim[i];
        if (__builtin_mul_overflow(a->count, a->dim[i], &a->count) || a->count > HDF5_MOST_VALUES)
            return err_set(err, ERR_LIMIT, "more than %d numbers", HDF5_MOST_VALUES);
    }
    return check_storage(set) || a->count == 0 || damaged(err, "its numbers: they are not in the file");
}

/* Adds the array's name and shape; the numbers come later, when the size of all is known. */
static bool add_array(struct reading *r, hid_t group, const char *name, struct err *err)
{
    struct hdf5_weights *w = &r->w;
    struct hdf5_array a = {.at = w->n_values};
    const hid_t set = H5Dopen2(group, name, H5P_DEFAULT);
    bool ok =
        set >= 0 ? read_shape(&a, set, err) : err_set(err, ERR_FORMAT, "it is listed, but cannot be read");

    if (set >= 0)
        H5Dclose(set);
    if (ok && (w->n_arrays == HDF5_MOST_ARRAYS || a.count > HDF5_MOST_VALUES - w->n_values))
        ok = err_set(err, ERR_LIMIT, "more than %d arrays or %d numbers", HDF5_MOST_ARRAYS, HDF5_MOST_VALUES);
    if (!ok)
        return err_at(err, "'%.80s'", name);
    strcpy(a.name, name);
    if (w->n_arrays == r->array_room)
        w->array = mem_grow(w->array, r->array_room = 2 * r->array_room + 64, sizeof *w->array);
    w->array[w->n_arrays++] = a;
    w->n_values += a.count;
    return true;
}

static bool add_layer(struct reading *r, const char *name, struct err *err)
{
    struct hdf5_layer *l = &r->w.layer[r->w.n_layers];
    struct strings arrays = {NULL, 0};
    const hid_t group = H5Gopen2(r->root, name, H5P_DEFAULT);
    bool ok = false;

    strcpy(l->name, name);
    l->first = r->w.n_arrays;
    if (group < 0) {
        err_set(err, ERR_FORMAT, "it is listed, but cannot be read");
        goto out;
    }
    if (!read_names(&arrays, group, "weight_names", err)) {
        if (!err || err->kind == ERR_NONE)
            err_set(err, ERR_FORMAT, "it has no 'weight_names'");
        goto out;
    }
    for (size_t i = 0; i < arrays.count; i++)
        if (!add_array(r, group, arrays.text[i], err))
            goto out;
    l->count = arrays.count;
    r->w.n_layers++;
    ok = true;
out:
    if (!ok)
        err_at(err, "layer '%.80s'", name);
    if (group >= 0)
        H5Gclose(group);
    free(arrays.text);
    return ok;
}

/* Where the names of the layers are. */
static bool find_root(struct reading *r, struct strings *layers, struct err *err)
{
    if (read_names(layers, r->file, "layer_names", err)) {
        r->root = H5Gopen2(r->file, "/", H5P_DEFAULT);
        return r->root >= 0 || damaged(err, "the root group");
    }
    if (err->kind != ERR_NONE)
        return false;
    if (H5Lexists(r->file, "model_weights", H5P_DEFAULT) > 0) {
        r->root = H5Gopen2(r->file, "model_weights", H5P_DEFAULT);
        r->w.whole_model = true;
        if (r->root < 0)
            return damaged(err, "'model_weights'");
        if (read_names(layers, r->root, "layer_names", err))
            return true;
        if (err->kind != ERR_NONE)
            return false;
    }
    if (H5Lexists(r->file, "_layer_checkpoint_dependencies", H5P_DEFAULT) > 0 ||
        H5Lexists(r->file, "layers", H5P_DEFAULT) > 0)
        return err_set(err, ERR_FORMAT,
                       "weights as Keras 3 lays them out; Keras 2 saves the layout that is read here");
    return err_set(err, ERR_FORMAT, "an HDF5 file without Keras weights: it has no 'layer_names'");
}

static bool read_layers(struct reading *r, struct err *err)
{
    struct strings layers = {NULL, 0};
    bool ok = find_root(r, &layers, err) && read_version(r->w.backend, r, "backend", err) &&
              read_version(r->w.keras_version, r, "keras_version", err);

    if (ok && (layers.count < 1 || layers.count > HDF5_MOST_LAYERS))
        ok = err_set(err, ERR_FORMAT, "%zu layers", layers.count);
    r->w.layer = mem_new(layers.count + 1, sizeof *r->w.layer);
    for (size_t i = 0; ok && i < layers.count; i++)
        ok = add_layer(r, layers.text[i], err);
    free(layers.text);
    return ok;
}

static bool read_values(const struct reading *r, const struct hdf5_weights *to, const struct hdf5_layer *l,
                        struct err *err)
{
    for (size_t i = l->first; i < l->first + l->count; i++) {
        const struct hdf5_array *a = &to->array[i];
        char *path = mem_printf("%s/%s", l->name, a->name);
        const hid_t set = a->count > 0 ? H5Dopen2(r->root, path, H5P_DEFAULT) : -1;
        const bool ok = a->count == 0 || (set >= 0 && H5Dread(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL,
                                                              H5P_DEFAULT, to->values + a->at) >= 0);
        if (set >= 0)
            H5Dclose(set);
        free(path);
        if (!ok) {
            damaged(err, "the numbers");
            return err_at(err, "'%.80s'", a->name);
        }
    }
    return true;
}

/* Everything into one block. */
static bool gather(struct hdf5_weights *out, const struct reading *r, struct err *err)
{
    struct hdf5_weights w = r->w;

    w.block = mem_try(hdf5_block_bytes(&w), 1, err);
    if (!w.block)
        return false;
    hdf5_lay_out(&w);
    memcpy(w.layer, r->w.layer, w.n_layers * sizeof *w.layer);
    if (w.n_arrays > 0)
        memcpy(w.array, r->w.array, w.n_arrays * sizeof *w.array);
    for (size_t i = 0; i < w.n_layers; i++)
        if (!read_values(r, &w, &w.layer[i], err)) {
            free(w.block);
            return false;
        }
    *out = w;
    return true;
}

static herr_t keep_reason(unsigned n, const H5E_error2_t *e, void *text)
{
    if (n == 0)
        snprintf(text, 160, "%s", e->desc ? e->desc : "");
    return 0;
}

/* What H5Fopen had to say, its innermost reason. */
static void tell_open(struct err *err)
{
    char reason[160] = "";
    unsigned long long have, base, want;

    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_reason, reason);
    if (sscanf(reason, "truncated file: eof = %llu, sblock->base_addr = %llu, stored_eof = %llu", &have,
               &base, &want) == 3)
        err_set(err, ERR_FORMAT, "cut short: %llu bytes of %llu", have, want);
    else
        err_set(err, ERR_FORMAT, "damaged HDF5 file: %s", reason);
}

static bool check_signature(const char *path, struct err *err)
{
    static const char SIGNATURE[8] = "\x89HDF\r\n\x1a\n";
    char bytes[8];
    FILE *f = fopen(path, "rb");

    if (!f)
        return err_errno(err);
    const size_t n = fread(bytes, 1, sizeof bytes, f);
    if (n < sizeof bytes && ferror(f))
        err_errno(err);
    else if (n < sizeof bytes || memcmp(bytes, SIGNATURE, sizeof bytes) != 0)
        err_set(err, ERR_FORMAT, n ? "no HDF5 file" : "empty file");
    fclose(f);
    return err->kind == ERR_NONE;
}

bool hdf5_parse(struct hdf5_weights *out, size_t *bytes, const char *path, struct err *err)
{
    struct reading r = {.file = -1, .root = -1, .w = HDF5_WEIGHTS_INIT};
    bool ok = false;

    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    if (!check_signature(path, err))
        return false;
    const hid_t how = H5Pcreate(H5P_FILE_ACCESS);
    H5Pset_file_locking(how, false, true); /* a folder mounted read-only has no locks */
    r.file = H5Fopen(path, H5F_ACC_RDONLY, how);
    if (r.file < 0)
        tell_open(err); /* before another call forgets the reason */
    H5Pclose(how);
    if (r.file < 0)
        return false;
    ok = read_layers(&r, err) && gather(out, &r, err);
    if (ok)
        *bytes = hdf5_block_bytes(out);
    free(r.w.layer);
    free(r.w.array);
    if (r.root >= 0)
        H5Gclose(r.root);
    H5Fclose(r.file);
    return ok;
}

/* ---- Writing ---- */

static bool write_text(hid_t object, const char *name, const char *text)
{
    const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);

    H5Tset_size(type, strlen(text));
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    const hid_t attribute = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    const bool ok = attribute >= 0 && H5Awrite(attribute, type, text) >= 0;
    if (attribute >= 0)
        H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
    return ok;
}

/* names: n of them, each HDF5_NAME apart from the next and stride bytes from it. */
struct name_list {
    const char *first;
    size_t stride, count;
};

static bool write_name_part(hid_t object, const char *attribute_name, struct name_list names, size_t size)
{
    const hid_t type = H5Tcopy(H5T_C_S1);
    const hsize_t n = names.count;
    const hid_t space = H5Screate_simple(1, &n, NULL);
    char *bytes = mem_new(names.count * size + 1, 1);

    H5Tset_size(type, size);
    H5Tset_strpad(type, H5T_STR_NULLPAD);
    for (size_t i = 0; i < names.count; i++) {
        const char *name = names.first + i * names.stride;
        memcpy(bytes + i * size, name, strlen(name));
    }
    const hid_t attribute = H5Acreate2(object, attribute_name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    const bool ok = attribute >= 0 && (n == 0 || H5Awrite(attribute, type, bytes) >= 0);
    if (attribute >= 0)
        H5Aclose(attribute);
    H5Sclose(space);
    H5Tclose(type);
    free(bytes);
    return ok;
}

/* One attribute, or as many as keep each within limit bytes. */
static bool write_names(hid_t object, const char *name, struct name_list names, size_t limit)
{
    size_t size = 1;

    for (size_t i = 0; i < names.count; i++) {
        const size_t length = strlen(names.first + i * names.stride);
        size = length > size ? length : size;
    }
    if (names.count * size <= limit)
        return write_name_part(object, name, names, size);
    const size_t most = limit > size ? limit / size : 1;
    for (size_t i = 0; i * most < names.count; i++) {
        struct name_list part = {names.first + i * most * names.stride, names.stride, names.count - i * most};
        char part_name[64];
        part.count = part.count < most ? part.count : most;
        snprintf(part_name, sizeof part_name, "%s%zu", name, i);
        if (!write_name_part(object, part_name, part, size))
            return false;
    }
    return true;
}

static bool write_array(hid_t group, const struct hdf5_array *a, const float *values)
{
    hsize_t dim[HDF5_MAX_RANK];
    const hid_t links = H5Pcreate(H5P_LINK_CREATE);

    for (int i = 0; i < a->rank; i++)
        dim[i] = a->dim[i];
    H5Pset_create_intermediate_group(links, 1);
    const hid_t space = H5Screate_simple(a->rank, dim, NULL);
    const hid_t set = H5Dcreate2(group, a->name, H5T_IEEE_F32LE, space, links, H5P_DEFAULT, H5P_DEFAULT);
    const bool ok = set >= 0 && H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) >= 0;
    if (set >= 0)
        H5Dclose(set);
    H5Sclose(space);
    H5Pclose(links);
    return ok;
}

static bool write_layer(hid_t root, const struct hdf5_weights *w, const struct hdf5_layer *l, size_t limit)
{
    const struct name_list names = {l->count ? w->array[l->first].name : "", sizeof *w->array, l->count};
    const hid_t group = H5Gcreate2(root, l->name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    bool ok = group >= 0 && write_names(group, "weight_names", names, limit);

    for (size_t i = 0; ok && i < l->count; i++)
        ok = write_array(group, &w->array[l->first + i], w->values + w->array[l->first + i].at);
    if (group >= 0)
        H5Gclose(group);
    return ok;
}

static bool write_all(hid_t root, const struct hdf5_weights *w, const struct hdf5_write_options *o)
{
    const struct name_list names = {w->layer[0].name, sizeof *w->layer, w->n_layers};
    const size_t limit = o && o->split_bytes ? o->split_bytes : SPLIT_BYTES;
    bool ok = write_names(root, "layer_names", names, limit) &&
              (!*w->backend || write_text(root, "backend", w->backend)) &&
              (!*w->keras_version || write_text(root, "keras_version", w->keras_version));

    for (size_t i = 0; ok && i < w->n_layers; i++)
        ok = write_layer(root, w, &w->layer[i], limit);
    return ok;
}

bool hdf5_write(const char *path, const struct hdf5_weights *w, const struct hdf5_write_options *options,
                struct err *err)
{
    struct file_out o = FILE_OUT_INIT;
    const char *group = options && options->whole_model ? "model_weights" : NULL;
    bool ok = false;

    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    if (!file_out_begin(&o, path, false, err))
        return false;
    const hid_t file = H5Fcreate(o.partial, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    const hid_t root = file < 0 ? -1
                       : group  ? H5Gcreate2(file, group, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)
                                : H5Gopen2(file, "/", H5P_DEFAULT);
    ok = root >= 0 && write_all(root, w, options);
    if (root >= 0)
        H5Gclose(root);
    if (file >= 0 && H5Fclose(file) < 0)
        ok = false;
    if (ok)
        ok = file_out_commit(&o, err);
    else
        err_set(err, ERR_IO, "%s: cannot be written (disk full?)", path);
    file_out_discard(&o);
    return ok;
}
